"""CIF files as ASE's reader has them, with their sites looked at: what makes no sense is refused, long lists are quick.

ASE compares each site with all others in Python, minutes for 10,000 atoms. It takes the first of two elements at one
place, and what is left of 10¹¹⁸ after whole cells are taken off. So does OVITO's reader, whose files are asked about by
`senseless`.
"""

from __future__ import annotations

import io
import warnings
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from arise_core.crystals.symmetric_cif import whole_text

if TYPE_CHECKING:
    from ase import Atoms
    from ase.io.cif import CIFBlock

#: Sites from which a list counts as long; ASE takes a second then.
LONG = 700
#: Sites this close, in coordinates of the cell, are one to ASE.
SAME = 1e-3
#: Sites that may lie where others are, and be looked at one by one. All of them are said to be full.
MOST_SHARED = 1000
#: Coordinates of sites, in cells or Å, that leave too few digits for distances.
FARTHEST = 1e6


class SenselessError(ValueError):
    """What no reader can make sense of, although some would read it."""


def read_cif(source: str | io.StringIO) -> list[Atoms]:
    """All structures of a CIF file as `ase.io.read` has them; long lists of sites without symmetry are not compared.

    Args:
        source: name of a file, or its text.

    Raises:
        SenselessError: coordinates that leave no digits, or several elements at one place.
        ValueError: in a long list, sites by the thousand where others are.
        Exception: whatever ASE raises.
    """
    from ase.io.cif import parse_cif  # takes half a second, which those without CIF files need not wait for

    blocks = list(parse_cif(source))
    for block in blocks:
        _check_sites(block)
    return [_listed(block) or block.get_atoms() for block in blocks if block.has_structure()]


def senseless(path: str) -> str:
    """Why the sites of a CIF file make no sense, for those who have them from another reader; empty if they do.

    Nothing is said of files that are large, missing, or none that ASE reads.
    """
    try:
        state = Path(path).stat()
    except OSError:
        return ""
    return _senseless(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=16)
def _senseless(path: str, changed: int, size: int) -> str:
    """As `senseless`; read once as long as the file stays as it is."""
    from ase.io.cif import parse_cif

    text = whole_text(path)
    if text is None:
        return ""
    try:
        with warnings.catch_warnings():  # remarks on versions of the format
            warnings.simplefilter("ignore", UserWarning)
            for block in parse_cif(io.StringIO(text)):
                _check_sites(block)
    except SenselessError as error:
        return str(error)
    except Exception:  # the reader raises anything
        return ""
    return ""


def _check_sites(block: CIFBlock) -> None:
    """Refuse a block whose sites make no sense, as far as they can be understood.

    Raises:
        SenselessError: see `read_cif`.
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
    """The atoms of a long list; None where it takes more than to list them, so that ASE is to do it.

    So it is with symmetry, shared or partly filled sites, isotopes, and whatever ASE does not like.
    """
    from ase import Atoms

    if len(block.get_symbols()) < LONG or block.get_cell().rank != 3 or not _all_filled(block):
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
