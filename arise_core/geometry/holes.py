"""Places between the atoms of a crystal, where interstitial atoms sit."""

from __future__ import annotations

import numpy as np
from scipy.spatial import Voronoi, cKDTree

from arise_core.errors import InputError
from arise_core.geometry import builders
from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.geometry.cell import inverse, transformed
from arise_core.geometry.neighbors import images, wrapped
from arise_core.geometry.structure import Structure

#: Distance to the nearest atom over that of nearest neighbours, at least; it is 0.5 in the octahedral holes of bcc.
ROOM = 0.45
#: Range of the distance between two atoms, over that of nearest neighbours, in which the place halfway between them is
#: looked at: not on bonds.
PAIRS = (1.1, 1.7)
#: Holes whose distances to the nearest atom differ by less than this share are of one kind.
ALIKE = 0.02
#: Two holes closer than this, Å, are one.
SAME = 0.05


def holes(crystal: Structure) -> tuple[FloatArray, IntArray]:
    """Holes of a crystal: corners of Voronoi cells, and places halfway between atoms that are no nearest neighbours.

    These are the tetrahedral and octahedral holes of fcc, bcc and hcp, and what corresponds to them elsewhere.

    Args:
        crystal: periodic along all three directions.

    Returns:
        Positions (n, 3), Å, in the cell, and the kind of each hole (n,), from 0, the widest first. There may be none.
    """
    if not crystal.pbc.all():
        raise InputError(f"`crystal` must be periodic along all directions, got {crystal.pbc.tolist()}")
    d = builders.nearest_neighbour_distance(crystal)
    cell, inside = crystal.complete_cell, wrapped(crystal)
    near = images(inside, cell, crystal.pbc, 4 * d, whole_cell=True).positions
    tree = cKDTree(near)
    pairs = tree.query_pairs(PAIRS[1] * d, output_type="ndarray")
    apart = np.linalg.norm(near[pairs[:, 0]] - near[pairs[:, 1]], axis=1)
    halfway = near[pairs[apart > PAIRS[0] * d]].mean(axis=1)
    candidates = np.concatenate([Voronoi(near).vertices, halfway])
    fractional = transformed(candidates, inverse(cell))
    candidates = candidates[((fractional > -0.1) & (fractional < 1.1)).all(axis=1)]
    room = tree.query(candidates)[0]
    candidates = candidates[(room >= ROOM * d) & (room < 2 * d)]
    found = _distinct(candidates, cell)
    room = tree.query(found)[0]
    order = np.argsort(-room, kind="stable")
    steps = np.diff(room[order]) < -ALIKE * d
    return found[order], np.concatenate([[0], np.cumsum(steps)]).astype(int)[: len(found)]


def _distinct(points: FloatArray, cell: FloatArray) -> FloatArray:
    """Points of a periodic cell, each once, in the cell, (n, 3)."""
    fractional = transformed(points, inverse(cell))
    fractional = np.round(fractional - np.floor(fractional), 6) % 1.0
    kept: list[FloatArray] = []
    for f in fractional[np.lexsort(fractional.T)]:
        if kept:
            away = np.array(kept) - f
            away -= np.round(away)
            if (np.linalg.norm(transformed(away, cell), axis=1) < SAME).any():
                continue
        kept.append(f)
    return transformed(np.array(kept).reshape(-1, 3), cell)
