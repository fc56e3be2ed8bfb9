"""Large CIF files without symmetry: ASE compares each site with all others in Python, minutes for 10,000 atoms."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io.cif import CIFBlock, parse_cif
from scipy.spatial import cKDTree

#: Bytes from which a file counts as large; ASE takes a second then.
LARGE = 50_000
#: Sites this close, in coordinates of the cell, are one to ASE.
SAME = 1e-3
#: Sites that may lie where others are, and be looked at one by one. All of them are said to be full.
MOST_SHARED = 1000


def read_large(source: str | io.StringIO) -> list[Atoms] | None:
    """Structures of a large CIF file as ASE would read them; None where that needs more than to list the sites.

    So it is with symmetry, shared or partly filled sites, isotopes, and whatever ASE does not like: ASE is to read it,
    or to say why not.

    Args:
        source: name of a file, or its text, which is at its begin again afterwards.

    Raises:
        ValueError: sites by the thousand lie where others are.
        Exception: whatever ASE raises.
    """
    size = Path(source).stat().st_size if isinstance(source, str) else len(source.getvalue())
    if size < LARGE:
        return None
    found = []
    blocks = list(parse_cif(source))
    if not isinstance(source, str):
        source.seek(0)
    for block in blocks:
        if not block.has_structure():
            continue
        atoms = _listed(block)
        if atoms is None:
            return None
        found.append(atoms)
    return found or None


def _listed(block: CIFBlock) -> Atoms | None:
    if block.get_cell().rank != 3 or not _all_filled(block):
        return None
    group = block.get_spacegroup(True)
    atoms = block.get_unsymmetrized_structure()
    sites = atoms.get_scaled_positions()
    if len(group.get_symop()) != 1 or not np.isfinite(sites).all() or atoms.has("masses"):
        return None
    rotation, translation = group.get_symop()[0]
    sites = (sites @ rotation.T + translation % 1.0) % 1.0
    if len(sites) > 1:
        nearest = cKDTree(sites % 1.0, boxsize=1.0).query(sites % 1.0, k=[2], p=np.inf)[0]
        shared = int((nearest <= SAME).sum())
        if shared > MOST_SHARED:
            raise ValueError(f"{shared:,} of {len(sites):,} sites lie where others are")
        if shared:
            return None
    info = {"spacegroup": group, "unit_cell": "conventional"}
    found = Atoms(atoms.get_chemical_symbols(), scaled_positions=sites, cell=atoms.cell, pbc=True, info=info)
    found.new_array("spacegroup_kinds", np.arange(len(found)))
    return found


def _all_filled(block: CIFBlock) -> bool:
    shares = block._get_fractional_occupancies()
    return shares is None or all(share == 1 for share in shares)
