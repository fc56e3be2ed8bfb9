"""How crystalline a frame is: the share of atoms of the expected type by polyhedral template matching."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ovito.io.ase import ase_to_ovito
from ovito.modifiers import PolyhedralTemplateMatchingModifier as PTM
from ovito.pipeline import Pipeline, StaticSource

RMSD_CUTOFF = 0.15  # larger deviations from the template are called Other; 0.1 loses hot crystals
EXPECTED = {
    "fcc": PTM.Type.FCC,
    "l12": PTM.Type.FCC,
    "bcc": PTM.Type.BCC,
    "cesiumchloride": PTM.Type.BCC,
    "hcp": PTM.Type.HCP,
    "diamond": PTM.Type.CUBIC_DIAMOND,
    "zincblende": PTM.Type.CUBIC_DIAMOND,
    "rocksalt": PTM.Type.SC,
}


def structure_types(atoms: Atoms, lattice: str) -> np.ndarray:
    """Structure type of each atom, (n_atoms,), `ovito` numbering; only the expected type is looked for."""
    modifier = PTM(rmsd_cutoff=RMSD_CUTOFF)
    for kind in modifier.structures:
        kind.enabled = kind.id == EXPECTED[lattice]
    pipeline = Pipeline(source=StaticSource(data=ase_to_ovito(atoms)))
    pipeline.modifiers.append(modifier)
    return np.asarray(pipeline.compute().particles["Structure Type"])


def crystalline_fraction(atoms: Atoms, lattice: str) -> float:
    """Share of atoms of the type expected in `lattice`, 0 to 1."""
    return float(np.mean(structure_types(atoms, lattice) == int(EXPECTED[lattice])))
