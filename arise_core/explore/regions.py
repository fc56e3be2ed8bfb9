"""Where a map knows no class: connected regions of atoms that are rejected or in doubt."""

from __future__ import annotations

import numpy as np

from arise_core.errors import InputError, check_type
from arise_core.explore.unknown import ATOMS
from arise_core.geometry.arrays import IntArray
from arise_core.geometry.groups import NO_GROUP, connected_groups
from arise_core.geometry.material import Material
from arise_core.geometry.structure import Structure
from arise_core.recognition.result import Recognition
from arise_core.settings import check_number

#: Doubt about the class or about the rejection from which an atom counts as unknown, bit.
DOUBT = 0.5


def unknown_regions(
    found: Recognition,
    structure: Structure | Material,
    *,
    doubt: float | None = DOUBT,
    min_atoms: int = ATOMS,
) -> list[IntArray]:
    """Connected regions of atoms that are none of the classes, or may be none, the largest first.

    Args:
        found: what was recognised of the structure.
        structure: the same as was recognised.
        doubt: mutual information, or doubt of the rejection, from which an atom counts too, bit; None: rejected ones
            only.
        min_atoms: smaller regions are left out.

    Returns:
        Indices of the atoms of each region, ascending.

    Raises:
        ValueError: a structure of another number of atoms.
    """
    check_type("found", found, Recognition, "a Recognition")
    if doubt is not None:
        doubt = check_number("doubt", doubt, low=0.0, unit="bit")
    min_atoms = check_number("min_atoms", min_atoms, whole=True, low=1)
    material = Material.of(structure)
    if len(found) != len(material):
        raise InputError(f"`structure` must have the {len(found)} atoms of `found`, got {len(material)}")
    unknown = found.atom_rejected.copy()
    if doubt is not None:
        unknown |= found.atoms.mutual_information > doubt
        unknown |= found.atom_rejection_uncertainty > doubt
    groups = connected_groups(material, np.where(unknown, 0, NO_GROUP))
    counts = np.bincount(groups[groups >= 0])
    return [np.flatnonzero(groups == k) for k in range(len(counts)) if counts[k] >= min_atoms]
