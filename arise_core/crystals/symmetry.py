"""Symmetry of crystals. The one place that calls spglib."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
import spglib

from arise_core.errors import InputError
from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.geometry.cell import inverse, transformed
from arise_core.geometry.structure import Structure
from arise_core.settings import SYMPREC

#: Settings of space groups in spglib's table.
HALL_NUMBERS = 530


@contextmanager
def _spglib() -> Iterator[None]:
    """spglib without its remarks: 2.7 and later warn about their own error handling."""
    before = os.environ.get("SPGLIB_WARNING")
    os.environ["SPGLIB_WARNING"] = before or "OFF"  # it writes to the terminal whenever it finds nothing
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        if before is None:
            os.environ.pop("SPGLIB_WARNING", None)


#: What spglib raises instead of giving None, in versions to come.
_NOTHING_FOUND: type[Exception] = getattr(spglib, "SpglibError", RuntimeError)


@cache
def setting_operations(hall_number: int) -> tuple[IntArray, FloatArray]:
    """Rotations (n_operations, 3, 3) and translations (n_operations, 3) of a setting of a space group, fractional.

    Args:
        hall_number: of the setting, 1 to 530.

    Raises:
        ValueError: `hall_number` is out of range.
    """
    if not 1 <= hall_number <= HALL_NUMBERS:
        raise InputError(f"`hall_number` must be from 1 to {HALL_NUMBERS}, got {hall_number}")
    with _spglib():
        operations = spglib.get_symmetry_from_database(hall_number)
    assert operations is not None
    return operations["rotations"].astype(np.int64), operations["translations"].astype(np.float64)


def group_operations(group: int) -> tuple[IntArray, FloatArray]:
    """Rotations (n, 3, 3) and translations (n, 3) of a space group in its first setting in spglib's table."""
    return setting_operations(_first_settings()[group])


@dataclass(frozen=True)
class Setting:
    """A setting of a space group."""

    hall: int  # 1 to 530
    number: int  # of the group
    symbol: str  # of Hall
    names: tuple[str, ...]  # of Hermann and Mauguin
    choice: str  # of axes, cell and origin: "b1", "H", "2", "cab", ...; empty if there is none


@lru_cache(maxsize=1)
def settings() -> tuple[Setting, ...]:
    """All settings of space groups in spglib's table."""
    out = []
    with _spglib():
        for hall in range(1, HALL_NUMBERS + 1):
            kind = spglib.get_spacegroup_type(hall)
            assert kind is not None
            names = (*kind.international.split("="), kind.international_full)
            out.append(Setting(hall, kind.number, kind.hall_symbol, names, kind.choice))
    return tuple(out)


@lru_cache(maxsize=1)
def _first_settings() -> dict[int, int]:
    first: dict[int, int] = {}
    for setting in settings():
        first.setdefault(setting.number, setting.hall)
    return first


def space_group(structure: Structure, symprec: float = SYMPREC, angle: float = -1.0) -> int | None:
    """Number of the space group that spglib finds; None without one, or unless periodic in all directions.

    Args:
        structure: a crystal.
        symprec: tolerance of positions, Å.
        angle: tolerance of angles, degrees; negative: spglib's own rule.
    """
    if not structure.pbc.all():
        return None
    found = _asked(spglib.get_symmetry_dataset, structure, symprec=symprec, angle_tolerance=angle)
    return None if found is None else int(found.number)


#: Last number of the space groups of a crystal family, and its letter in Pearson symbols.
FAMILIES = ((2, "a"), (15, "m"), (74, "o"), (142, "t"), (194, "h"), (230, "c"))


def pearson_symbol(structure: Structure, symprec: float = SYMPREC) -> str | None:
    """Crystal family, centring of the lattice and atoms in its cell: "cF4"; None unless it repeats in all directions.

    Rhombohedral crystals have the atoms of the rhombohedral cell (α-As is hR2, not hR6), and one centred face is C
    whichever it is (oC8, not oS8), as in Pearson's Handbook.

    Args:
        structure: a crystal.
        symprec: tolerance of positions, Å.
    """
    if not structure.pbc.all():
        return None
    found = _asked(spglib.get_symmetry_dataset, structure, symprec=symprec)
    if found is None:
        return None
    family = next(letter for last, letter in FAMILIES if found.number <= last)
    centring = str(found.international)[0]
    atoms = len(found.std_types) // (3 if centring == "R" else 1)
    return f"{family}{'C' if centring in 'AB' else centring}{atoms}"


def symmetry(structure: Structure) -> tuple[int | None, tuple[Any, ...]]:
    """Space group (None for tubes) and its orbits: how many atoms of one element on how many equivalent sites.

    Raises:
        ValueError: spglib finds none.
    """
    if structure.pbc.sum() < 2:
        return None, ()
    found = _asked(spglib.get_symmetry_dataset, structure, symprec=SYMPREC)
    if found is None:
        raise InputError(f"`structure` has no symmetry that spglib can find at {SYMPREC} Å")
    sizes = Counter(found.crystallographic_orbits.tolist())
    elements = {int(orbit): int(structure.numbers[orbit]) for orbit in sizes}
    by_element = [
        tuple(sorted(n for orbit, n in sizes.items() if elements[int(orbit)] == z))
        for z in sorted(set(elements.values()))
    ]
    return int(found.number), tuple(sorted(by_element))


def primitive(structure: Structure, *, idealise: bool) -> tuple[FloatArray, FloatArray, IntArray]:
    """Primitive cell (3, 3) Å, positions (n, 3) Å and numbers (n,), in the standard or the given orientation.

    Raises:
        ValueError: spglib finds none.
    """
    found = _asked(
        spglib.standardize_cell, structure, to_primitive=True, no_idealize=not idealise, symprec=SYMPREC
    )
    if found is None:
        raise InputError(f"`structure` has no primitive cell that spglib can find at {SYMPREC} Å")
    cell, fractional, numbers = found
    return (
        np.asarray(cell),
        transformed(np.asarray(fractional), np.asarray(cell)),
        np.asarray(numbers, np.int64),
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Symmetrised:
    """A crystal that was made to have the symmetry that it has within a tolerance.

    Args:
        structure: with exact symmetry, in the given cell and orientation.
        group: number of the space group.
        symbol: its international symbol.
        wyckoff: (n_atoms,), letters of the sites.
        site_symmetry: (n_atoms,), point groups of the sites.
        orbits: (n_atoms,), the first of the atoms that are equivalent.
        conventional: atoms of the conventional cell.
        operations: operations of the given cell, its own translations included.
        shift: root of the mean square distance that the atoms moved, Å.
        strain: largest change of a length with the cell, as a share.
    """

    structure: Structure
    group: int
    symbol: str
    wyckoff: tuple[str, ...]
    site_symmetry: tuple[str, ...]
    orbits: IntArray
    conventional: int
    operations: int
    shift: float
    strain: float


def symmetrised(structure: Structure, symprec: float) -> Symmetrised | None:
    """A crystal averaged over the operations that spglib finds; None if it finds none.

    Args:
        structure: periodic in all directions.
        symprec: tolerance of positions, Å.
    """
    found = _asked(spglib.get_symmetry_dataset, structure, symprec=symprec)
    if found is None:
        return None
    rotations = np.asarray(found.rotations, dtype=np.float64)
    old = structure.complete_cell
    # A rotation W of coordinates (columns) leaves the metric as it is: Wᵀ G W = G.
    metric = np.einsum("nji,jk,nkl->il", rotations, old @ old.T, rotations) / len(rotations)
    new = np.linalg.cholesky(metric)
    left, _, right = np.linalg.svd(new.T @ old)
    new = new @ (left @ right)  # turned to where the old cell is
    x = transformed(structure.positions, inverse(old))
    total = np.zeros_like(x)
    for rotation, translation in zip(rotations, found.translations, strict=True):
        image = x @ rotation.T + translation
        away = image[:, None] - x[None]
        away -= np.round(away)
        square = ((away @ new) ** 2).sum(axis=2)
        square[structure.numbers[:, None] != structure.numbers[None]] = np.inf
        to = np.argmin(square, axis=1)
        if len(np.unique(to)) < len(x):
            return None
        total[to] += away[np.arange(len(x)), to]
    move = total / len(rotations)
    apart = (move - move.mean(axis=0)) @ new
    change = np.linalg.svd(inverse(old) @ new, compute_uv=False)
    return Symmetrised(
        structure=Structure(transformed(x + move, new), structure.numbers, new, structure.pbc),
        group=int(found.number),
        symbol=str(found.international),
        wyckoff=tuple(found.wyckoffs),
        site_symmetry=tuple(found.site_symmetry_symbols),
        orbits=np.asarray(found.crystallographic_orbits, np.int64),
        conventional=len(found.std_types),
        operations=len(rotations),
        shift=float(np.sqrt((apart**2).sum(axis=1).mean())),
        strain=float(np.abs(change - 1).max()),
    )


def _asked(function: Callable[..., Any], structure: Structure, **options: Any) -> Any:
    """What spglib finds for a structure; None if it finds nothing."""
    with _spglib():
        try:
            return function(_cell(structure), **options)
        except _NOTHING_FOUND:
            return None


def _cell(structure: Structure) -> Any:
    """Cell, fractional coordinates and numbers, as spglib wants them."""
    cell = structure.complete_cell
    return cell, transformed(structure.positions, inverse(cell)), structure.numbers
