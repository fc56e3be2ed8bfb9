"""Partly occupied sites of `Atoms`: refused where they are recognised, drawn at random where that is asked for."""

from __future__ import annotations

from typing import Any

from ase import Atoms

from arise_core.crystals.occupancy import MIN_ATOMS, drawn, sites_of
from arise_core.errors import InputError, check_type
from arise_core.settings import check_number
from ase_arise.pymatgen_structures import as_atoms, is_pymatgen, to_pymatgen


def occupied(atoms: Any, *, min_atoms: int = MIN_ATOMS, seed: int = 0) -> Any:
    """A supercell whose sites hold one atom or none, drawn at random with the composition that the occupancies state.

    Occupancies are those that ASE's readers leave: `info["occupancy"]` with the array `spacegroup_kinds`, or an array
    `occupancy`. The result has none, and can be recognised. Atoms that share a place are one site. Atoms without partly
    occupied sites come back as they are, as a copy.

    Args:
        atoms: `Atoms`, or a structure of pymatgen, which gives one of pymatgen; stay as they are.
        min_atoms: atoms of the supercell at least, about.
        seed: of the draw.

    Raises:
        TypeError, ValueError: not `Atoms`, occupancies that do not fit them, or sites that exclude each other.
    """
    if is_pymatgen(atoms):
        return to_pymatgen(occupied(as_atoms(atoms), min_atoms=min_atoms, seed=seed))
    check_type("atoms", atoms, Atoms, "an ase.Atoms object")
    min_atoms = check_number("min_atoms", min_atoms, whole=True, low=1)
    seed = check_number("seed", seed, whole=True, low=0)
    sites = sites_of(atoms)
    if sites is None or not sites.partial.any():
        same: Atoms = atoms.copy()
        return same
    found = drawn(atoms, sites, min_atoms, seed)
    return Atoms(found.numbers, found.positions, cell=found.cell, pbc=found.pbc)


def check_occupancies(atoms: Atoms, where: str = "") -> None:
    """Refuse `Atoms` with sites that are partly occupied or shared by elements.

    Raises:
        InputError: says which, and what to do.
    """
    sites = sites_of(atoms)
    shown = "" if sites is None else sites.shown()
    if shown:
        raise InputError(
            f"{where}`atoms` has partly occupied sites ({shown}), and as full ones they would be another crystal. "
            "Draw them at random, with `ase_arise.occupied(atoms)` or `--draw`; if that is done, remove "
            "`atoms.info['occupancy']` or the array of occupancies"
        )
