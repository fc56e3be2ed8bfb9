"""Atoms that lie upon each other: found without looking at all their pairs, however many there are."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.geometry.cell import perpendicular_heights
from arise_core.geometry.neighbors import PairFinder, images
from arise_core.geometry.structure import OVERLAP_DISTANCE, Structure

#: Two points in a cube of this share of a distance are closer than the distance.
CUBE = 0.57
#: Pairs that are counted one by one, at most, and atoms at one place whose distances are looked at.
PAIRS = 100_000
PLACE = 500
#: Share of the atoms with a neighbour upon them from which the unit of length is in doubt.
MANY = 0.5


def describe(structure: Structure, wrapped: FloatArray) -> str:
    """What is wrong with the distances of a structure, in words; empty if nothing is.

    Args:
        structure: any.
        wrapped: its positions in the cell, (n_atoms, 3), Å.
    """
    thin = _thin(structure)
    if thin:
        return thin
    crowded = _crowded(wrapped)
    if len(crowded):
        pairs = int((np.bincount(crowded[:, 0]) * (np.bincount(crowded[:, 0]) - 1) // 2).sum())
        if pairs > PAIRS:
            return _many(structure, wrapped, crowded, pairs)
    else:
        # All of one species, so that any two atoms are a pair.
        same = Structure(
            structure.positions, np.ones(len(structure), dtype=int), structure.cell, structure.pbc
        )
        if not any(len(v) for v in PairFinder(same, wrapped).vectors(1, 1, OVERLAP_DISTANCE)):
            return ""
    near = images(wrapped, structure.complete_cell, structure.pbc, OVERLAP_DISTANCE)
    pairs = cKDTree(near.positions).query_pairs(OVERLAP_DISTANCE, output_type="ndarray")
    distance = np.linalg.norm(near.positions[pairs[:, 0]] - near.positions[pairs[:, 1]], axis=1)
    atoms = np.sort(near.index[pairs], axis=1)
    a, b = atoms[np.argmin(distance)]
    count, involved = len(np.unique(atoms, axis=0)), len(np.unique(atoms))
    twice = 2 < involved == 2 * count  # each lies upon one other atom
    share = involved / len(structure)
    return _said(structure, str(count), int(a), int(b), float(distance.min()), share, twice=twice)


def _thin(structure: Structure) -> str:
    """Whether the period along a direction is so short that atoms lie upon their own images."""
    lengths = perpendicular_heights(structure.complete_cell)
    heights = np.where(structure.pbc, lengths, np.inf)
    k = int(np.argmin(heights))
    if heights[k] >= OVERLAP_DISTANCE:
        return ""
    return (
        f"`cell` makes overlapping atoms of all and their images: along vector {k} it is {heights[k]:.3g} Å thin, less "
        f"than {OVERLAP_DISTANCE} Å{_unit(float(heights[k])) if lengths.max() < 1 else ''}"
    )


def _crowded(wrapped: FloatArray) -> IntArray:
    """Number of the place and index of each atom that shares one of `CUBE` with others, (m, 2), by places."""
    cubes = np.floor((wrapped - wrapped.min(axis=0)) / (CUBE * OVERLAP_DISTANCE))
    order = np.lexsort(cubes.T)
    ends = (np.diff(cubes[order], axis=0) != 0).any(axis=1)
    place = np.concatenate([[0], np.cumsum(ends)])
    shared = np.bincount(place)[place] > 1
    _, number = np.unique(place[shared], return_inverse=True)
    return np.stack([number, order[shared]], axis=1)


def _many(structure: Structure, wrapped: FloatArray, crowded: IntArray, pairs: int) -> str:
    """The message where there are too many pairs to look at each."""
    fullest = np.argmax(np.bincount(crowded[:, 0]))
    atoms = np.sort(crowded[crowded[:, 0] == fullest, 1])[:PLACE]
    distance, found = cKDTree(wrapped[atoms]).query(wrapped[atoms], k=2)
    first = int(np.argmin(distance[:, 1]))
    a = first
    b = int(found[first, 1]) if found[first, 1] != first else int(found[first, 0])
    a, b = sorted((int(atoms[a]), int(atoms[b])))
    share = len(crowded) / len(structure)
    return _said(structure, f"more than {pairs}", a, b, float(distance[first, 1]), share)


def _said(
    structure: Structure, count: str, a: int, b: int, distance: float, share: float, *, twice: bool = False
) -> str:
    differ = structure.numbers[a] != structure.numbers[b]
    shared = ". Of a site that elements share, one has to be drawn" if differ else ""
    guess = ". Are atoms there twice?" if twice and not differ else _unit(distance) if share > MANY else ""
    flat = np.flatnonzero(np.ptp(structure.positions, axis=0) == 0)
    if len(flat) and share > MANY:
        guess = f". All have the same {'xyz'[flat[0]]}: is a column of coordinates missing?"
    return (
        f"`positions` has overlapping atoms: {count} pairs closer than {OVERLAP_DISTANCE} Å, closest are "
        f"atoms {a} and {b} at {distance:.4f} Å{shared}{guess}"
    )


def _unit(distance: float) -> str:
    """A guess at the unit of length if distances of neighbours, or the period, are this large."""
    for unit, factor in (("nm", 10.0), ("micrometres", 1e4), ("metres", 1e10)):
        if 1.0 <= distance * factor <= 50.0:
            return f". Are lengths in {unit}? Then multiply them by {factor:g}: they are taken as Å"
    return ". Are lengths in metres, or another unit? They are taken as Å"
