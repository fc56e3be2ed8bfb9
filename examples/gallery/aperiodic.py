"""Points that are no crystal: quasiperiodic tilings, stacks of them, a knot, a weave; and two periodic tilings."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from scipy.spatial import cKDTree

from arise_core.geometry.arrays import FloatArray
from arise_core.geometry.structure import Structure

#: Points closer than this share of an edge are one.
SAME = 1e-3
#: Growth of a square-triangle tiling from one generation to the next: P. Stampfli, Helv. Phys. Acta 59, 1260 (1986).
INFLATION = 2 + np.sqrt(3)
CARBON = 6


def penrose(half: float, edge: float = 1.0, seed: int = 0) -> FloatArray:
    """Corners of a Penrose tiling of rhombs, (n, 2), those with both coordinates up to `half`.

    The dual of five families of lines; N. G. de Bruijn, Indag. Math. 84, 39 (1981).

    Args:
        half: half the edge of the square, in the unit of `edge`.
        edge: of a rhomb.
        seed: for the offsets of the lines, which add up to 0.
    """
    offsets = np.random.default_rng(seed).uniform(0.1, 0.9, 5)
    offsets[4] = -offsets[:4].sum()
    turn = 2 * np.pi * np.arange(5) / 5
    normals = np.column_stack([np.cos(turn), np.sin(turn)])
    most = int(np.ceil(0.6 * half / edge)) + 3  # lines on each side: a tile is 2.5 times as large as a mesh
    lines = np.arange(-most, most + 1)
    found = []
    for j, k in combinations(range(5), 2):
        a, b = (g.ravel() for g in np.meshgrid(lines, lines, indexing="ij"))
        crossing = np.linalg.solve(normals[[j, k]], np.stack([a - offsets[j], b - offsets[k]])).T
        index = np.ceil(crossing @ normals.T + offsets - 1e-9)
        index[:, j], index[:, k] = a, b
        for more in ((0, 0), (1, 0), (0, 1), (1, 1)):
            corner = index.copy()
            corner[:, j] += more[0]
            corner[:, k] += more[1]
            found.append(corner @ normals)
    points = distinct(edge * np.vstack(found), edge)
    return points[(np.abs(points) <= half).all(axis=1)]


def square_triangle(half: float, edge: float = 1.0) -> FloatArray:
    """Corners of a dodecagonal tiling of squares and triangles, (n, 2), as `penrose`.

    Each corner of a generation becomes the 19 corners of a wheel: a hexagon, six squares around it, six triangles
    between them.
    """
    turn = np.pi / 3 * np.arange(6)
    inner = np.column_stack([np.cos(turn), np.sin(turn)])
    outer_turn = np.pi / 12 + np.pi / 6 * np.arange(12)
    outer = np.column_stack([np.cos(outer_turn), np.sin(outer_turn)]) * (np.sqrt(6) + np.sqrt(2)) / 2
    wheel = np.vstack([np.zeros((1, 2)), inner, outer])
    points = wheel
    while np.abs(points).max() < 1.5 * half / edge:
        points = points[(np.abs(points) < 2 * half / edge / INFLATION + 4).all(axis=1)]
        points = distinct((INFLATION * points[:, None] + wheel).reshape(-1, 2), 1.0)
    points = edge * points
    return points[(np.abs(points) <= half).all(axis=1)]


def snub_square(half: float, edge: float = 1.0) -> FloatArray:
    """Corners of the periodic tiling 3.3.4.3.4 of squares and triangles, (n, 2): a crystal with the same tiles."""
    period = edge * np.sqrt(INFLATION)
    a = edge * np.array([np.cos(np.pi / 12), np.sin(np.pi / 12)])
    b = edge * np.array([-np.sin(np.pi / 12), np.cos(np.pi / 12)])
    cell = np.array([0 * a, a, b, a + b])  # a square, turned by 15 degrees
    return _periodic(cell, period * np.eye(2), half)


def kagome(half: float, edge: float = 1.0) -> FloatArray:
    """Corners of the periodic tiling 3.6.3.6 of triangles and hexagons, (n, 2)."""
    cell = 2 * edge * np.array([[1.0, 0], [0.5, np.sqrt(3) / 2]])
    return _periodic(np.array([[0, 0], [0.5, 0], [0, 0.5]]) @ cell, cell, half)


def _periodic(points: FloatArray, cell: FloatArray, half: float) -> FloatArray:
    most = int(np.ceil(3 * half / np.linalg.norm(cell, axis=1).min())) + 1
    steps = np.arange(-most, most + 1)
    shifts = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2) @ cell
    found = (shifts[:, None] + points).reshape(-1, 2)
    return np.asarray(found[(np.abs(found) <= half).all(axis=1)])


def distinct(points: FloatArray, edge: float) -> FloatArray:
    """Each point once, those closer to each other than `SAME` of an edge taken as one."""
    pairs = cKDTree(points).query_pairs(SAME * edge, output_type="ndarray")
    keep = np.ones(len(points), dtype=bool)
    keep[pairs[:, 1]] = False  # pairs have the smaller index first, and what is one is near all of it
    return points[keep]


def layer(points: FloatArray, number: int = CARBON) -> Structure:
    """Points in a plane as an open layer of atoms."""
    flat = np.column_stack([points, np.zeros(len(points))])
    return Structure(flat, np.full(len(points), number))


def stacked(points: FloatArray, layers: int, height: float, turn: float = 0.0) -> Structure:
    """Layers above each other, every second one turned by an angle, radians; open."""
    c, s = np.cos(turn), np.sin(turn)
    turned = points @ np.array([[c, s], [-s, c]])
    slabs = [
        np.column_stack([turned if k % 2 else points, np.full(len(points), k * height)])
        for k in range(layers)
    ]
    atoms = np.vstack(slabs)
    return Structure(atoms, np.full(len(atoms), CARBON))


def trefoil(size: float, spacing: float = 1.42) -> Structure:
    """A trefoil knot of one thread, points `spacing` Å apart; `size` in Å is a third of its radius."""
    t = np.linspace(0, 2 * np.pi, 4001)[:-1]
    knot = np.column_stack([np.sin(t) + 2 * np.sin(2 * t), np.cos(t) - 2 * np.cos(2 * t), -np.sin(3 * t)])
    return _threads([size * knot], spacing, closed=True)


def weave(threads: int, spacing: float = 1.42) -> Structure:
    """A plain weave of so many threads along x and as many along y, points `spacing` Å apart."""
    apart = 2.5 * spacing
    t = np.linspace(0, threads * apart, 100 * threads)
    found = []
    for k in range(threads):
        at = np.full_like(t, (k + 0.5) * apart)
        height = 0.6 * spacing * np.cos(np.pi * (t / apart - 0.5 + k))
        found += [np.column_stack([t, at, height]), np.column_stack([at, t, -height])]
    return _threads(found, spacing, closed=False)


def _threads(curves: list[FloatArray], spacing: float, closed: bool) -> Structure:
    """Points along curves at equal distances."""
    found = []
    for curve in curves:
        path = np.vstack([curve, curve[:1]]) if closed else curve
        length = np.append(0.0, np.linalg.norm(np.diff(path, axis=0), axis=1).cumsum())
        at = np.linspace(0, length[-1], int(length[-1] / spacing) + 1)[: -1 if closed else None]
        found.append(np.column_stack([np.interp(at, length, path[:, k]) for k in range(3)]))
    atoms = np.vstack(found)
    return Structure(atoms, np.full(len(atoms), CARBON))
