"""Layers with the defects of real ones, tubes of any indices, cages of atoms.

As in `builders`: nothing is read from files, every random choice comes from the generator that is handed in, and the
structure handed in stays as it is. Layers lie across z.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

import numpy as np
from scipy.spatial import ConvexHull, cKDTree

from arise_core.errors import InputError
from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.geometry.builders import crystal_in_box, nearest_neighbour_distance
from arise_core.geometry.cell import inverse, transformed
from arise_core.geometry.neighbors import images
from arise_core.geometry.structure import Structure

Generator = np.random.Generator
#: Atoms up to this distance, in units of the shortest, are bonded.
BOND = 1.3
#: Stiffness of the springs between the neighbours of an atom over that of bonds, and the step of `settled`.
BENDING, STEP = 0.15, 0.2
CARBON = (6, 6)


# --- bonds --------------------------------------------------------------------------------------------------------


def bonds(structure: Structure, reach: float) -> IntArray:
    """Pairs of atoms at most `reach` Å apart, periodic images included, (n, 2), the smaller index first."""
    around = images(structure.positions, structure.complete_cell, structure.pbc, reach)
    tree = cKDTree(around.positions)
    found = tree.query_pairs(reach, output_type="ndarray")
    found = found[(around.sign[found] == 0).any(axis=1)]
    pairs = np.sort(around.index[found], axis=1)
    return np.asarray(np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0))


def between(structure: Structure, vectors: FloatArray) -> FloatArray:
    """Differences of positions (n, 3) as those of the nearest periodic images, Å."""
    if not structure.pbc.any():
        return vectors
    cell = structure.complete_cell
    whole = np.where(structure.pbc, np.round(transformed(vectors, inverse(cell))), 0.0)
    # In a cell with other angles than 90° one of the images around may be nearer.
    steps = np.array(np.meshgrid(*[(0, 1, -1) if p else (0,) for p in structure.pbc], indexing="ij"))
    around = (vectors - transformed(whole, cell))[:, None] + transformed(steps.reshape(3, -1).T, cell)
    nearest = np.einsum("ijk,ijk->ij", around, around).argmin(axis=1)
    return np.asarray(around[np.arange(len(around)), nearest])


def is_honeycomb(layer: Structure) -> bool:
    """Whether a layer is flat and every atom has three neighbours, as in graphene."""
    if np.ptp(layer.positions[:, 2]) > 0.1:
        return False
    d = nearest_neighbour_distance(layer)
    around = images(layer.positions, layer.complete_cell, layer.pbc, 2 * BOND * d)
    counts = cKDTree(around.positions).query_ball_point(layer.positions, BOND * d, return_length=True)
    return bool((counts == 4).all())  # itself and three


def settled(structure: Structure, pairs: IntArray, steps: int, length: float) -> Structure:
    """A flat honeycomb after so many steps towards bonds of `length` Å and angles of 120°, which springs stand for.

    Args:
        structure: positions to start from.
        pairs: bonded atoms, (n, 2).
        steps: of steepest descent.
        length: of a bond, Å.
    """
    n = len(structure)
    ends: list[list[int]] = [[] for _ in range(n)]
    for i, j in pairs.tolist():
        ends[i].append(j)
        ends[j].append(i)
    second = [(a, b) for near in ends for k, a in enumerate(near) for b in near[:k]]
    both = np.concatenate([pairs, np.array(second, dtype=np.int64).reshape(-1, 2)])
    rest = np.repeat([length, np.sqrt(3) * length], [len(pairs), len(second)])
    pull = np.repeat([1.0, BENDING], [len(pairs), len(second)])
    x = structure.positions.copy()
    for _ in range(steps):
        v = between(structure, x[both[:, 1]] - x[both[:, 0]])
        r = np.maximum(np.linalg.norm(v, axis=1), 1e-9)
        force = (STEP * pull * (r - rest) / r)[:, None] * v
        np.add.at(x, both[:, 0], force)
        np.add.at(x, both[:, 1], -force)
    return Structure(x, structure.numbers, structure.cell, structure.pbc)


# --- layers -------------------------------------------------------------------------------------------------------


def patch(layer: Structure, half: Sequence[float] | FloatArray, rng: Generator) -> Structure:
    """An open rectangle |x| < half[0], |y| < half[1] (Å) at a random place and orientation in an endless layer."""
    return _turned_patch(layer, half, rng.uniform(0, 2 * np.pi), rng)


def tilt_boundary(
    layer: Structure,
    half: Sequence[float] | FloatArray,
    angle: float,
    offset: float,
    closest: float,
    rng: Generator,
) -> Structure:
    """An open rectangle of two half-sheets that are turned against each other, as `patch`.

    Args:
        layer: repeats along its first two directions.
        half: half the edges, (2,), Å.
        angle: between the lattices of the halves, degrees.
        offset: distance of the line between the halves from the middle, Å; its direction is random.
        closest: of two atoms of different halves closer than this share of the nearest-neighbour distance, one is
            left out.
        rng: random numbers.
    """
    start, direction = rng.uniform(0, 2 * np.pi, 2)
    normal = np.array([np.cos(direction), np.sin(direction), 0.0])
    sides = []
    for k, turn in enumerate((start, start + np.radians(angle))):
        side = _turned_patch(layer, half, turn, rng)
        beyond = (side.positions @ normal > offset) == bool(k)
        sides.append((side.positions[beyond], side.numbers[beyond]))
    (first, first_numbers), (second, second_numbers) = sides
    if len(first) and len(second):
        near = cKDTree(first).query(second)[0] < closest * nearest_neighbour_distance(layer)
        second, second_numbers = second[~near], second_numbers[~near]
    return Structure(np.concatenate([first, second]), np.concatenate([first_numbers, second_numbers]))


def _turned_patch(
    layer: Structure, half: Sequence[float] | FloatArray, turn: float, rng: Generator
) -> Structure:
    rotation = np.array([[np.cos(turn), np.sin(turn), 0], [-np.sin(turn), np.cos(turn), 0], [0, 0, 1.0]])
    corner = np.append(np.asarray(half, dtype=np.float64), 1e3)
    return Structure(*crystal_in_box(layer, -corner, corner, rotation, rng.uniform(size=3) * layer.pbc))


def stone_wales(sheet: Structure, count: int, steps: int, rng: Generator) -> Structure:
    """A honeycomb in which random bonds are turned by 90° (two pentagons, two heptagons each), then `settled`.

    Args:
        sheet: flat, open or periodic.
        count: bonds to turn; fewer where no more are found that have no atom in common.
        steps: of relaxation.
        rng: random numbers.
    """
    length = nearest_neighbour_distance(sheet)
    pairs = {(i, j) for i, j in bonds(sheet, BOND * length).tolist()}
    near: dict[int, set[int]] = {k: set() for k in range(len(sheet))}
    for i, j in pairs:
        near[i].add(j)
        near[j].add(i)
    x = sheet.positions.copy()
    touched: set[int] = set()
    turned = 0
    for i, j in rng.permutation(np.array(sorted(pairs)).reshape(-1, 2)).tolist():
        group = near[i] | near[j]
        if turned == count:
            break
        if len(group) != 6 or len(near[i]) != 3 or group & touched:
            continue
        bond = between(sheet, x[j : j + 1] - x[i])[0]
        across = np.array([-bond[1], bond[0], 0.0])
        x[i], x[j] = x[i] + (bond - across) / 2, x[i] + (bond + across) / 2
        for own, other, sign in (
            (i, j, 1),
            (j, i, -1),
        ):  # the one of its neighbours that it has turned away from
            for k in near[own] - {other}:
                if sign * (between(sheet, x[k : k + 1] - (x[i] + x[j]) / 2)[0] @ across) > 0:
                    pairs.discard((min(own, k), max(own, k)))
                    pairs.add((min(other, k), max(other, k)))
        touched |= group
        turned += 1
    moved = Structure(x, sheet.numbers, sheet.cell, sheet.pbc)
    return settled(moved, np.array(sorted(pairs)).reshape(-1, 2), steps, length) if turned else sheet


def rippled(
    sheet: Structure, amplitude: float, wavelength: float, rng: Generator, waves: int = 1
) -> Structure:
    """A sheet with out-of-plane waves in random directions.

    Args:
        sheet: open or periodic; in a periodic one the waves are the nearest that fit.
        amplitude: of all waves together, Å.
        wavelength: Å.
        rng: random numbers.
        waves: their number.
    """
    z = np.zeros(len(sheet))
    cell = sheet.complete_cell
    for _ in range(waves):
        direction, phase = rng.uniform(0, 2 * np.pi, 2)
        k = np.array([np.cos(direction), np.sin(direction), 0.0]) / wavelength
        if sheet.pbc.any():
            whole = np.where(sheet.pbc, np.round(transformed(k, cell.T)), 0.0)
            if not whole.any():
                whole[int(rng.choice(np.flatnonzero(sheet.pbc)))] = 1.0
            k = transformed(whole, inverse(cell).T)
        z += np.cos(2 * np.pi * (sheet.positions * k).sum(axis=1) + phase)
    lift = np.zeros((len(sheet), 3))
    lift[:, 2] = amplitude / np.sqrt(waves) * z
    return Structure(sheet.positions + lift, sheet.numbers, sheet.cell, sheet.pbc)


def perforated(sheet: Structure, share: float, rng: Generator) -> Structure:
    """A sheet without the `share` of its atoms that are nearest to a random one: a round hole."""
    if not 0 <= share < 1:
        raise InputError(f"`share` must be in [0, 1), got {share}")
    middle = sheet.positions[int(rng.integers(len(sheet)))]
    distance = np.linalg.norm(between(sheet, sheet.positions - middle)[:, :2], axis=1)
    keep = np.sort(np.argsort(distance)[round(share * len(sheet)) :])
    return Structure(sheet.positions[keep], sheet.numbers[keep], sheet.cell, sheet.pbc)


def doped(sheet: Structure, share: float, elements: Sequence[int] | IntArray, rng: Generator) -> Structure:
    """A structure with random other `elements` on a random `share` of its sites, on one at least."""
    count = max(1, round(share * len(sheet)))
    numbers = sheet.numbers.copy()
    numbers[rng.permutation(len(sheet))[:count]] = rng.choice(np.asarray(elements, dtype=np.int64), count)
    return Structure(sheet.positions, numbers, sheet.cell, sheet.pbc)


def flake(
    sheet: Structure, n_atoms: int, rng: Generator, *, disc: bool, aspect: float = 1.0, wavy: float = 0.0,
    rough: float = 0.0,
) -> Structure:  # fmt: skip
    """The `n_atoms` atoms of an open sheet about its middle that are inside a disc or rectangle.

    Args:
        sheet: larger than the flake.
        n_atoms: of the flake.
        rng: random numbers.
        disc: else a rectangle.
        aspect: length of the flake over its width.
        wavy: amplitude of two to five waves around a flake, over its radius.
        rough: standard deviation of the place of the edge from atom to atom, Å.
    """
    x = sheet.positions[:, :2] * [1 / np.sqrt(aspect), np.sqrt(aspect)]
    distance = np.linalg.norm(x, axis=1) if disc else np.abs(x).max(axis=1)
    around = np.arctan2(x[:, 1], x[:, 0])
    lobes, phase = rng.integers(2, 6), rng.uniform(0, 2 * np.pi)
    distance = distance / (1 + wavy * np.cos(lobes * around + phase)) + rng.normal(0, rough, len(x))
    keep = np.sort(np.argsort(distance)[:n_atoms])
    return Structure(sheet.positions[keep], sheet.numbers[keep])


# --- tubes and cages ----------------------------------------------------------------------------------------------


def tube_radius(n: int, m: int, bond: float) -> float:
    """Radius of a rolled-up honeycomb with indices (n, m), Å."""
    return float(bond * np.sqrt(3 * (n * n + n * m + m * m)) / (2 * np.pi))


def tube_period(n: int, m: int, bond: float) -> tuple[float, int]:
    """Period of an (n, m) tube along its axis, Å, and the number of atoms in it."""
    square = n * n + n * m + m * m
    common = gcd(2 * n + m, 2 * m + n)
    return float(3 * bond * np.sqrt(square) / common), 4 * square // common


def nanotube(
    n: int, m: int, *, bond: float = 1.42, periods: int = 1, numbers: Sequence[int] = CARBON
) -> Structure:
    """A honeycomb rolled up along n a1 + m a2, periodic along z; see `opened` for an open one.

    Args:
        n, m: indices, n >= m >= 0 and n > 0.
        bond: length of a bond in the plane, Å.
        periods: along the axis.
        numbers: atomic numbers of the two sites of the honeycomb.

    Raises:
        ValueError: other indices, or no period.
    """
    if not n >= m >= 0 or n < 1:
        raise InputError(f"`n` and `m` must be n >= m >= 0 and n > 0, got ({n}, {m})")
    if periods < 1:
        raise InputError(f"`periods` must be at least 1, got {periods}")
    common = gcd(2 * n + m, 2 * m + n)
    t1, t2 = (2 * m + n) // common, -(2 * n + m) // common
    size = m * t1 - n * t2  # lattice points in the rectangle of circumference and period, positive
    reach = n + m + abs(t1) + abs(t2)
    i, j = (g.ravel() for g in np.meshgrid(*[np.arange(-reach, reach + 1)] * 2, indexing="ij"))
    around, along = j * t1 - i * t2, i * m - j * n  # times `size`, whole numbers
    inside = (around >= 0) & (around < size) & (along >= 0) & (along < size)
    places = np.column_stack([around[inside], along[inside]])[:, None] + [
        [0, 0],
        [(t1 - t2) / 3, (m - n) / 3],
    ]
    period = tube_period(n, m, bond)[0]
    fractions = places.reshape(-1, 2) / size
    angle, height = 2 * np.pi * fractions[:, 0], period * (fractions[:, 1] % 1)
    radius = tube_radius(n, m, bond)
    one = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), height])
    steps = np.arange(periods)[:, None, None] * np.array([0, 0, period])
    edge = 2 * radius + 20
    return Structure(
        (one + steps).reshape(-1, 3),
        np.tile(np.tile(numbers, len(one) // 2), periods),
        np.diag([edge, edge, period * periods]),
        np.array([False, False, True]),
    )


def tube_piece(
    n: int, m: int, length: float, rng: Generator, *, bond: float = 1.42, numbers: Sequence[int] = CARBON
) -> Structure:
    """An open piece of an (n, m) tube, `length` Å long, cut at a random height and turned about its axis.

    Args:
        n, m, bond, numbers: as `nanotube`.
        length: Å.
        rng: random numbers.
    """
    period = tube_period(n, m, bond)[0]
    tube = nanotube(n, m, bond=bond, numbers=numbers, periods=int(np.ceil(length / period)) + 1)
    low, turn = rng.uniform(0, period), rng.uniform(0, 2 * np.pi)
    z = tube.positions[:, 2]
    inside = (z >= low) & (z < low + length)
    rotation = np.array([[np.cos(turn), np.sin(turn), 0], [-np.sin(turn), np.cos(turn), 0], [0, 0, 1.0]])
    return Structure(transformed(tube.positions[inside], rotation), tube.numbers[inside])


def cage(h: int, k: int, *, bond: float = 1.42, number: int = 6) -> Structure:
    """An icosahedral cage of 20 (h² + hk + k²) atoms with three neighbours each: C20 (1, 0), C60 (1, 1), C80 (2, 0).

    The dual of the icosahedron whose faces are subdivided into h² + hk + k² triangles (Caspar & Klug 1962), on a
    sphere.

    Args:
        h, k: steps from a corner of the icosahedron to the next.
        bond: mean length of a bond, Å.
        number: atomic number.

    Raises:
        ValueError: negative numbers, or both 0.
    """
    if min(h, k) < 0 or h + k == 0:
        raise InputError(f"`h` and `k` must not be negative, nor both 0, got ({h}, {k})")
    golden = (1 + np.sqrt(5)) / 2
    corners = np.array([np.roll([0, a, b * golden], s) for a in (-1, 1) for b in (-1, 1) for s in range(3)])
    triangles = h * h + h * k + k * k
    reach = h + k
    i, j = (g.ravel() for g in np.meshgrid(*[np.arange(-reach, reach + 1)] * 2, indexing="ij"))
    second, third = (i * (h + k) + j * k), (j * h - i * k)  # barycentric coordinates times `triangles`
    weights = np.column_stack([triangles - second - third, second, third])
    weights = weights[(weights >= 0).all(axis=1)]
    faces = _outwards(corners, ConvexHull(corners).simplices)
    points = np.concatenate([weights @ corners[face] for face in faces])
    points /= np.linalg.norm(points, axis=1)[:, None]
    points = points[np.unique(np.round(points, 6), axis=0, return_index=True)[1]]
    hull = ConvexHull(points)
    atoms = points[hull.simplices].mean(axis=1)
    atoms /= np.linalg.norm(atoms, axis=1)[:, None]
    lengths = np.linalg.norm(atoms[hull.neighbors] - atoms[:, None], axis=2)
    return Structure(atoms * bond / lengths.mean(), np.full(len(atoms), number))


def _outwards(points: FloatArray, faces: IntArray) -> IntArray:
    """Triangles (n, 3) of points about the origin with their corners counter-clockwise, seen from outside."""
    turn = np.linalg.det(points[faces]) < 0
    return np.where(turn[:, None], faces[:, ::-1], faces)
