"""Noisy pieces of crystals that are no class, and whether a cell that was rebuilt is that of the crystal."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arise_core import Structure
from arise_core.crystals.standard import standard_form
from arise_core.crystals.symmetry import space_group
from arise_core.geometry import builders
from benchmarks.unknown.crystals import FAMILIES, unknown

#: The 20 of the acceptance: two of every family of the table of unknown crystals, then more of the large ones.
PER_FAMILY = 2
ACCEPTANCE = 20
#: Two cells are the same if lengths agree within this share and angles within so many degrees.
LENGTHS, ANGLES = 0.02, 1.5


@dataclass(frozen=True, kw_only=True)
class Case:
    """A noisy piece of a known crystal."""

    crystal: str
    ideal: Structure  # primitive, reduced
    group: int
    piece: Structure


def chosen() -> list[str]:
    """The 20 crystals of the acceptance, a fixed choice that knows no result."""
    first = [name for f in FAMILIES.values() for name in f.crystals[:PER_FAMILY]]
    more = [name for f in FAMILIES.values() for name in f.crystals[PER_FAMILY:]]
    return (first + more)[:ACCEPTANCE]


def case(crystal: str, *, noise: float, atoms: int, seed: int = 0, periodic: bool = False) -> Case:
    """A turned ball cut out of a crystal, or a supercell of it, with Gaussian displacements.

    Args:
        crystal: name in the table of unknown crystals.
        noise: standard deviation per coordinate as a share of the nearest-neighbour distance.
        atoms: about how many.
        seed: of the displacements and the orientation.
        periodic: a periodic supercell instead of a ball.
    """
    rng = np.random.default_rng([seed, zlib.crc32(crystal.encode())])
    conventional = unknown(crystal)
    ideal = standard_form(conventional)
    group = space_group(ideal)
    assert group is not None
    volume = abs(np.linalg.det(conventional.cell)) / len(conventional)
    radius = (3 * atoms * volume / (4 * np.pi)) ** (1 / 3)
    sigma = noise * builders.nearest_neighbour_distance(conventional)
    turn = builders.random_rotation(rng)
    if periodic:
        edge = (atoms * volume) ** (1 / 3)
        lengths = np.linalg.norm(conventional.cell, axis=1)
        whole = builders.repeat(conventional, np.maximum(1, np.round(edge / lengths)).astype(int).tolist())
        places, numbers, cell, pbc = whole.positions, whole.numbers, whole.cell @ turn.T, whole.pbc
    else:
        counts = np.ceil(2 * (radius + 10) / _heights(conventional.cell)).astype(int)
        whole = builders.repeat(conventional, counts.tolist())
        middle = whole.cell.sum(axis=0) / 2 + rng.uniform(-3, 3, 3)
        inside = np.linalg.norm(whole.positions - middle, axis=1) < radius
        places, numbers = whole.positions[inside], whole.numbers[inside]
        cell, pbc = np.zeros((3, 3)), np.zeros(3, dtype=bool)
    moved = places @ turn.T + rng.normal(0, sigma, places.shape)
    return Case(crystal=crystal, ideal=ideal, group=group, piece=Structure(moved, numbers, cell, pbc))


def _heights(cell: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)


def same_cell(found: Structure, ideal: Structure) -> bool:
    """Whether two reduced primitive cells have the same lengths, angles and composition."""
    if len(found) != len(ideal) or not np.array_equal(np.sort(found.numbers), np.sort(ideal.numbers)):
        return False
    (a, alpha), (b, beta) = parameters(found.cell), parameters(ideal.cell)
    return bool(np.allclose(a, b, rtol=LENGTHS, atol=0) and np.abs(alpha - beta).max() < ANGLES)


def parameters(cell: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sorted lengths, Å, and sorted angles, degrees, of the Niggli-reduced cell."""
    from ase.cell import Cell
    from ase.geometry import cell_to_cellpar

    reduced, _ = Cell(cell).niggli_reduce(eps=1e-3)
    values = np.asarray(cell_to_cellpar(reduced))
    acute = np.minimum(values[3:], 180 - values[3:])  # near 90° either form is reduced
    return np.sort(values[:3]), np.sort(acute)
