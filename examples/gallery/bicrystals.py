"""Two halves of one crystal that meet in a lattice plane: mirrored in it, or turned about its normal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

import arise_core as arise
from arise_core.geometry import builders

CLOSEST = 0.7  # share of the distance of nearest neighbours; of two atoms that are closer one goes
NEIGHBOURS = 2.556  # Å, of all crystals here
EPS = 1e-3  # Å, by which atoms on a border may be off


def cubic(name: str) -> arise.Structure:
    """The cubic cell of fcc or bcc copper, whose vectors are the axes that planes and directions are named by."""
    corners = {"fcc": [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]], "bcc": [[0, 0, 0], [0.5] * 3]}
    edge = NEIGHBOURS * {"fcc": np.sqrt(2), "bcc": 2 / np.sqrt(3)}[name]
    places = np.array(corners[name]) * edge
    return arise.Structure(places, np.full(len(places), 29), np.eye(3) * edge, True)


def bicrystal(
    crystal: arise.Structure,
    u: Sequence[float],
    v: Sequence[float],
    depth: float,
    width: float,
    *,
    twist: bool = False,
    shift: tuple[float, float] = (0.0, 0.0),
) -> arise.Structure:
    """Two halves that meet at x = 0, open along x, periodic in the plane; as built, not relaxed.

    Args:
        crystal: its period, with an atom at the origin.
        u, v: lattice vectors in the plane, in those of the cell; perpendicular to each other. They lie along y and z.
        depth: of each half, Å.
        width: along y and z, Å at least.
        twist: the half at x < 0 is the crystal gone on, mirrored in the plane across y, which turns it about x by twice
            the angle from u to the next mirror plane; else it is the other half mirrored in the boundary.
        shift: of the half at x < 0 along y and z, shares of the periods.

    Raises:
        ValueError: vectors that are not perpendicular.
    """
    y, z = (np.asarray(w, dtype=float) @ crystal.cell for w in (u, v))
    if abs(y @ z) > 1e-6 * np.linalg.norm(y) * np.linalg.norm(z):
        raise ValueError(f"`u` and `v` must be perpendicular, got {u} and {v}")
    periods = np.array([np.linalg.norm(y), np.linalg.norm(z)])
    size = periods * np.ceil(width / periods - 1e-9)
    x = np.cross(y, z)
    turn = np.column_stack([w / np.linalg.norm(w) for w in (x, y, z)])
    low, high = np.array([-EPS] * 3), np.array([depth, *size]) - EPS
    upper, _ = builders.crystal_in_box(crystal, low, high, turn, np.zeros(3))
    if twist:
        low[0], high[0] = -depth, -EPS
        lower = builders.crystal_in_box(crystal, low, high, turn, np.zeros(3))[0] * [1, -1, 1]
    else:
        lower = upper * [-1, 1, 1]
    lower[:, 1:] += np.multiply(shift, periods)
    places = np.concatenate([upper, lower])
    places[:, 1:] %= size
    places[:, 1:][places[:, 1:] >= size] = 0.0  # what rounding left at the border
    pairs = cKDTree(places, boxsize=[0.0, *size]).query_pairs(CLOSEST * NEIGHBOURS, output_type="ndarray")
    kept = np.ones(len(places), dtype=bool)
    for i, j in pairs:
        if kept[i] and kept[j]:
            kept[max(i, j)] = False
    cell = np.diag([2 * depth, *size])
    return arise.Structure(places[kept], np.full(kept.sum(), 29), cell, (False, True, True))
