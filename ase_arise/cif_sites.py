"""Sites of CIF files: what makes no sense is refused, and large files without symmetry are read here.

ASE compares each site with all others in Python, minutes for 10,000 atoms. It takes the first of two elements at one
place, and what is left of 10¹¹⁸ after whole cells are taken off.
"""

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
#: Coordinates of sites, in cells or Å, that leave too few digits for distances.
FARTHEST = 1e6


class SenselessError(ValueError):
    """What no reader can make sense of, although some would read it."""


def read_large(source: str | io.StringIO) -> list[Atoms] | None:
    """Structures of a large CIF file as ASE would read them; None where that needs more than to list the sites.

    So it is with symmetry, shared or partly filled sites, isotopes, and whatever ASE does not like: ASE is to read it,
    or to say why not.

    Args:
        source: name of a file, or its text, which is at its begin again afterwards.

    Raises:
        SenselessError: coordinates that leave no digits, or several elements at one place.
        ValueError: in a large file, sites by the thousand where others are.
        Exception: whatever ASE raises.
    """
    size = Path(source).stat().st_size if isinstance(source, str) else len(source.getvalue())
    blocks = list(parse_cif(source))
    if not isinstance(source, str):
        source.seek(0)
    for block in blocks:
        _check_sites(block)
    if size < LARGE:
        return None
    found = []
    for block in blocks:
        if not block.has_structure():
            continue
        atoms = _listed(block)
        if atoms is None:
            return None
        found.append(atoms)
    return found or None


def _check_sites(block: CIFBlock) -> None:
    """Refuse a block whose sites make no sense, as far as they can be understood.

    Raises:
        SenselessError: see `read_large`.
    """
    try:
        if not block.has_structure():
            return
        symbols = block.get_symbols()
        kind, values = block._get_site_coordinates()
        sites = np.asarray(values, dtype=np.float64)
    except (AttributeError, KeyError, TypeError, ValueError):  # ASE says what it does not like
        return
    far = np.flatnonzero((np.abs(sites) > FARTHEST).any(axis=1))
    if len(far):
        raise SenselessError(
            f"site {far[0]} is at {sites[far[0]].tolist()}: above {FARTHEST:g} too few digits are left for distances"
        )
    if kind != "scaled" or len(sites) < 2 or len(symbols) != len(sites) or not np.isfinite(sites).all():
        return
    if not _all_filled(block):
        return
    tree = cKDTree(sites % 1.0, boxsize=1.0)
    nearest, which = tree.query(sites % 1.0, k=[2], p=np.inf)
    for i, (distance, j) in enumerate(zip(nearest[:, 0], which[:, 0], strict=True)):
        if distance <= SAME and symbols[i] != symbols[j]:
            raise SenselessError(
                f"sites {i} ({symbols[i]}) and {j} ({symbols[j]}) lie at one place, and both are full"
            )


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
