"""Structures made to measure: pieces and boxes of crystals, defects, thermal noise, alloys, polycrystals.

Inputs for training, tests, demos and benchmarks. Nothing is read from files; every random choice comes from
the generator that is handed in; the structure handed in stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from arise_core.errors import InputError
from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray
from arise_core.geometry.cell import inverse, perpendicular_heights, transformed
from arise_core.geometry.neighbors import PairFinder
from arise_core.geometry.structure import Structure
from arise_core.runtime.threads import one_blas_thread

Generator = np.random.Generator


def nearest_neighbour_distance(structure: Structure) -> float:
    """Median over atoms of the distance to the nearest atom of any element, Å."""
    same = Structure(structure.positions, np.ones(len(structure), dtype=int), structure.cell, structure.pbc)
    distance = PairFinder(same).nearest(1, 1)
    return float(np.median(distance[np.isfinite(distance)])) if np.isfinite(distance).any() else 1.0


def random_rotation(rng: Generator) -> FloatArray:
    """A uniformly distributed rotation matrix, (3, 3); positions turn by `positions @ matrix`."""
    return np.asarray(Rotation.random(rng=rng).as_matrix())


def repeat(structure: Structure, counts: Sequence[int]) -> Structure:
    """Supercell with `counts` copies along the three cell vectors, atoms of a copy together."""
    n = np.asarray(counts, dtype=int)
    if n.shape != (3,) or (n < 1).any():
        raise InputError(f"`counts` must be three positive integers, got {counts}")
    cell = structure.complete_cell
    steps = np.stack(np.meshgrid(*(np.arange(k) for k in n), indexing="ij"), axis=-1).reshape(-1, 3)
    shifts = transformed(steps, cell)
    positions = (shifts[:, None] + structure.positions[None]).reshape(-1, 3)
    return Structure(
        positions, np.tile(structure.numbers, len(shifts)), structure.cell * n[:, None], structure.pbc
    )


def opened(structure: Structure) -> Structure:
    """The same atoms without periodicity and without a cell."""
    return Structure(structure.positions, structure.numbers)


def crystal_in_box(
    crystal: Structure, lower: FloatArray, upper: FloatArray, rotation: FloatArray, shift: FloatArray
) -> tuple[FloatArray, IntArray]:
    """Atoms of an endless crystal that lie in the box lower <= x < upper.

    Args:
        crystal: repeats along its periodic directions (all three, or the plane of a layer).
        lower, upper: (3,), Å, corners of the box.
        rotation: (3, 3), turns the crystal about the origin.
        shift: (3,), fractions of the cell vectors by which the crystal is moved before it is turned.

    Returns:
        Positions (n, 3) Å and atomic numbers (n,).
    """
    cell = transformed(crystal.complete_cell, rotation)
    base = transformed(crystal.positions, rotation) + transformed(np.asarray(shift), cell)
    corners = np.array([[(lower, upper)[b][k] for k, b in enumerate(bits)] for bits in np.ndindex(2, 2, 2)])
    to_fractions = inverse(cell)
    wanted = transformed(corners, to_fractions)
    there = transformed(base, to_fractions)
    ranges = [
        np.arange(
            np.floor(wanted[:, k].min() - there[:, k].max()),
            np.ceil(wanted[:, k].max() - there[:, k].min()) + 1,
        )
        if crystal.pbc[k]
        else np.zeros(1)
        for k in range(3)
    ]
    shifts = transformed(np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, 3), cell)
    positions = (shifts[:, None] + base[None]).reshape(-1, 3)
    inside = ((positions >= lower) & (positions < upper)).all(axis=1)
    return positions[inside], np.tile(crystal.numbers, len(shifts))[inside]


def displace(structure: Structure, delta: float, rng: Generator) -> Structure:
    """Each coordinate moved by a uniform number in [-δ d_NN, δ d_NN] (Leitherer et al. 2021, Table 2)."""
    if delta < 0:
        raise InputError(f"`delta` must not be negative, got {delta}")
    reach = delta * nearest_neighbour_distance(structure)
    moved = structure.positions + rng.uniform(-reach, reach, structure.positions.shape)
    return Structure(moved, structure.numbers, structure.cell, structure.pbc)


def kept_atoms(n: int, share: float, rng: Generator) -> IntArray:
    """Which of n atoms stay where a random `share` of them is taken away (rounded; at least one stays), ascending."""
    if not 0 <= share < 1:
        raise InputError(f"`share` must be in [0, 1), got {share}")
    return np.sort(rng.permutation(n)[: max(1, n - round(share * n))])


def remove_atoms(structure: Structure, share: float, rng: Generator) -> Structure:
    """The structure without a random `share` of its atoms (rounded; at least one atom stays)."""
    keep = kept_atoms(len(structure), share, rng)
    return Structure(structure.positions[keep], structure.numbers[keep], structure.cell, structure.pbc)


def thermal_noise(
    positions: FloatArray,
    sigma: float,
    correlated: float,
    cutoff: float,
    rng: Generator,
    *,
    longitudinal: float = 0.35,
    modes: int = 64,
    anisotropy: float = 1.0,
    frame: FloatArray | None = None,
) -> FloatArray:
    """Gaussian displacements, a share of whose variance is sound waves as of a hot crystal, (n, 3), Å.

    The waves are those of the Debye model in the classical limit: wave vectors fill a sphere, the mean square
    amplitude of a mode goes as 1 / k². Their displacements of two atoms at a distance r are correlated as
    Si(k r) / (k r), with k the cut-off (0.4 for neighbours, and a long tail: strain that varies from place to place).

    Args:
        positions: (n, 3), Å.
        sigma: standard deviation per coordinate, Å.
        correlated: share of the variance in the waves, 0 to 1.
        cutoff: largest wave number, 1/Å; (6π² n)^(1/3) in a crystal with n atoms per Å³.
        rng: random numbers.
        longitudinal: mean square amplitude of longitudinal waves over that of transverse ones, (c_T / c_L)².
        modes: number of waves, drawn at random.
        anisotropy: Zener's ratio A of a cubic crystal. Waves along [110] polarised along [1-10] have A times the mean
            square amplitude of those polarised along [001]; in bcc they are what shears it towards hcp.
        frame: rows are the crystal's cubic axes, (3, 3); by default those of the coordinates.
    """
    own = rng.normal(0.0, np.sqrt(1 - correlated), positions.shape)
    if correlated == 0:
        return sigma * own
    # As many modes as k², each with a mean square amplitude as 1 / k²: equal amplitudes, |k| evenly distributed.
    direction = rng.normal(size=(modes, 3))
    direction /= np.linalg.norm(direction, axis=1)[:, None]
    waves = direction * rng.uniform(0.0, cutoff, modes)[:, None]
    phase = rng.uniform(0.0, 2 * np.pi, modes)
    amplitude = rng.normal(0.0, 1.0, (modes, 3))
    if anisotropy == 1:
        along = (amplitude * direction).sum(axis=1)[:, None] * direction
        amplitude += (np.sqrt(longitudinal) - 1) * along
        amplitude *= np.sqrt(2 * correlated / modes * 3 / (2 + longitudinal))
    else:
        axes = np.eye(3) if frame is None else np.asarray(frame)
        square, modes_of = np.linalg.eigh(_christoffel(direction @ axes.T, longitudinal, anisotropy))
        softness = 1.0 / square
        amplitude = np.einsum("kij,kj->ki", modes_of, amplitude * np.sqrt(softness)) @ axes
        amplitude *= np.sqrt(2 * correlated / modes * 3 / softness.sum(axis=1).mean())
    with one_blas_thread():
        return np.asarray(sigma * (own + np.cos(positions @ waves.T + phase) @ amplitude))


def _christoffel(direction: FloatArray, longitudinal: float, anisotropy: float) -> FloatArray:
    """Christoffel matrices of a cubic crystal for unit vectors (n, 3), in units of C44, (n, 3, 3).

    Their eigenvalues are density times squared speed of sound. C44 / C11 is `longitudinal`, but C11 is at least so
    large that the crystal is stable; 2 C44 / (C11 - C12) is `anisotropy`.
    """
    shear = 1.0 / anisotropy
    c11 = max(1.0 / longitudinal, 4 / 3 * shear + 0.1)
    c12 = c11 - 2 * shear
    out = (c12 + 1.0) * direction[:, :, None] * direction[:, None, :]
    diagonal = 1.0 + (c11 - 1.0) * direction**2
    out[:, range(3), range(3)] = diagonal
    return np.asarray(out)


def stretched(structure: Structure, axis: FloatArray, strain: float) -> Structure:
    """The structure and its cell longer by the share `strain` along a direction (3,), the same across it."""
    unit = np.asarray(axis) / np.linalg.norm(axis)
    return deformed(structure, np.eye(3) + strain * np.outer(unit, unit))


def deformed(structure: Structure, matrix: FloatArray) -> Structure:
    """The structure and its cell after the deformation `positions @ matrix`, matrix (3, 3)."""
    return Structure(
        transformed(structure.positions, matrix),
        structure.numbers,
        transformed(structure.cell, matrix),
        structure.pbc,
    )


def without_close(positions: FloatArray, distance: float) -> BoolArray:
    """Which points (n, 3) stay if of two that are closer than `distance` Å the later one goes, (n,)."""
    return _one_of_each(len(positions), cKDTree(positions).query_pairs(distance, output_type="ndarray"))


def _one_of_each(n: int, pairs: IntArray) -> BoolArray:
    """Which of n points stay if the later one of each pair (m, 2) goes, unless the other has gone, (n,)."""
    keep = np.ones(n, dtype=bool)
    for i, j in pairs:
        if keep[i] and keep[j]:
            keep[max(i, j)] = False
    return keep


def random_strain(size: float, rng: Generator) -> FloatArray:
    """A symmetric deformation 1 + ε with normal ε of standard deviation `size`, (3, 3)."""
    e = rng.normal(0.0, size, (3, 3))
    return np.asarray(np.eye(3) + 0.5 * (e + e.T))


def solid_solution(
    numbers: IntArray,
    elements: Sequence[int] | IntArray,
    shares: Sequence[float] | FloatArray,
    rng: Generator,
) -> IntArray:
    """Elements drawn at random for every atom, (n,): an alloy without order on the lattice of the atoms."""
    return np.asarray(
        rng.choice(np.asarray(elements, dtype=np.int64), size=len(numbers), p=np.asarray(shares))
    )


def close_packed(steps: Sequence[int]) -> Structure:
    """Close-packed layers of copper, one atom a layer in a cell that is sheared to fit, periodic.

    Args:
        steps: +1 (A to B to C to A) or -1 from each layer to the next; equal steps around a layer make it cubic (fcc),
            opposite ones hexagonal (hcp).
    """
    d = 2.556
    in_plane = np.array([[d, 0, 0], [d / 2, d * np.sqrt(3) / 2, 0]])
    step = in_plane.sum(axis=0) / 3
    height = np.array([0, 0, d * np.sqrt(2 / 3)])
    corners = np.array([n * height + total % 3 * step for n, total in enumerate([0, *np.cumsum(steps)])])
    return Structure(
        corners[:-1], np.full(len(steps), 29), np.vstack([in_plane, corners[-1:]]), np.ones(3, dtype=bool)
    )


def faulted_layers(
    hexagonal: bool, n_layers: int, distance: int, rng: Generator, *, rate: float = 0.25
) -> list[int]:
    """Steps from layer to layer of fcc or hcp with faults at random places.

    fcc: twin boundaries (one hexagonal layer), intrinsic (two next to each other) and extrinsic faults (two with a
    layer between them); hcp: growth faults (one cubic layer) and deformation faults (two).

    Args:
        hexagonal: hcp, else fcc.
        n_layers: layers at least.
        distance: layers from a fault to the next, at least.
        rng: random numbers.
        rate: probability that beyond that distance a fault comes at the next layer.
    """
    steps: list[int] = []
    last = 1
    while True:
        for _ in range(distance + int(rng.geometric(rate))):
            last = -last if hexagonal else last
            steps.append(last)
        if len(steps) >= n_layers:
            return steps
        kind = rng.integers(2 if hexagonal else 3)
        if hexagonal:
            steps += [last] * (1 + int(kind))
        elif kind == 0:
            last = -last
        else:
            steps += [-last] * int(kind)


def disordered(
    n_atoms: int,
    density: float,
    diameters: Sequence[float] | FloatArray,
    shares: Sequence[float] | FloatArray,
    steps: int,
    rng: Generator,
) -> tuple[FloatArray, IntArray, float]:
    """Soft spheres pushed apart from random places in a periodic cube: liquid- and glass-like packings.

    Args:
        n_atoms: number of atoms.
        density: packing fraction Σ π/6 D³ / V aimed at.
        diameters: one a species; arbitrary unit of length.
        shares: composition.
        steps: relaxation steps; few leave overlaps and a soft first peak, many a glass.
        rng: random numbers.

    Returns:
        Positions (n_atoms, 3), species index (n_atoms,) and the edge of the cube.
    """
    kind = rng.choice(len(diameters), size=n_atoms, p=np.asarray(shares))
    d = np.asarray(diameters, dtype=np.float64)[kind]
    edge = float(np.cbrt(np.pi / 6 * (d**3).sum() / density))
    x = relieved(rng.uniform(0.0, edge, (n_atoms, 3)), edge, d, steps)
    return x, kind, edge


def alternating(positions: FloatArray, edge: float, sweeps: int, rng: Generator) -> IntArray:
    """Two kinds of atoms, 0 and 1, on points in a periodic cube so that most neighbours are unlike, (n,).

    The chemical order of molten salts and compound semiconductors: random kinds, then in each sweep a random half of
    the atoms changes where more than half of its four nearest neighbours are of its own kind.
    """
    inside = positions % edge
    inside[inside >= edge] = 0.0  # what the remainder of tiny negative numbers is
    neighbours = cKDTree(inside, boxsize=edge).query(inside, k=5)[1][:, 1:]
    kinds = rng.integers(0, 2, len(positions))
    for _ in range(sweeps):
        like = (kinds[neighbours] == kinds[:, None]).sum(axis=1)
        kinds = np.where((like > 2) & (rng.random(len(kinds)) < 0.5), 1 - kinds, kinds)
    return kinds


def relieved(
    positions: FloatArray, edge: float, diameters: FloatArray | float, steps: int,
    charges: IntArray | None = None, unlike: float = 1.0,
) -> FloatArray:  # fmt: skip
    """Points in a periodic cube after `steps` of pushing apart those closer than their mean diameter, (n, 3).

    Args:
        positions: (n, 3).
        edge: of the cube.
        diameters: (n,), or one for all.
        steps: at most.
        charges: (n,), kind of each point; points of different kinds may come as close as `unlike` times their mean
            diameter, as ions of different sign do.
        unlike: see `charges`.
    """
    x = positions % edge
    d = np.broadcast_to(np.asarray(diameters, dtype=np.float64), (len(x),))
    for _ in range(steps):
        pairs = cKDTree(x, boxsize=edge).query_pairs(float(d.max()), output_type="ndarray")
        v = x[pairs[:, 1]] - x[pairs[:, 0]]
        v -= edge * np.round(v / edge)
        r = np.linalg.norm(v, axis=1)
        contact = 0.5 * (d[pairs[:, 0]] + d[pairs[:, 1]])
        if charges is not None:
            contact = np.where(charges[pairs[:, 0]] == charges[pairs[:, 1]], contact, unlike * contact)
        overlap = contact - r
        close = overlap > 0
        if not close.any():
            break
        push = (0.5 * overlap[close] / np.maximum(r[close], 1e-9))[:, None] * v[close]
        move = np.zeros_like(x)
        np.add.at(move, pairs[close, 1], 0.5 * push)
        np.add.at(move, pairs[close, 0], -0.5 * push)
        x = (x + move) % edge
    return x


def kept_apart(
    moved: FloatArray, places: FloatArray, closest: float, distance: float, steps: int
) -> FloatArray:
    """Displaced atoms after `steps` of pushing apart pairs that came too close, (n, 3), Å: atoms have hard cores.

    In molecular dynamics of hot crystals hardly any pair is closer than 0.8 of the nearest-neighbour distance, and
    the distances to neighbours are skewed; normally distributed displacements give symmetric distances and close pairs.

    Args:
        moved: (n, 3), Å, not periodic.
        places: of the same atoms before they moved, (n, 3), Å.
        closest: a pair is too close below this share of `distance` or of its distance in `places`, if that is smaller.
        distance: of nearest neighbours, Å.
        steps: each takes half of what is missing off every pair.
    """
    x = moved
    for _ in range(steps):
        pairs = cKDTree(x).query_pairs(closest * distance, output_type="ndarray")
        least = closest * np.minimum(
            distance, np.linalg.norm(places[pairs[:, 1]] - places[pairs[:, 0]], axis=1)
        )
        v = x[pairs[:, 1]] - x[pairs[:, 0]]
        r = np.linalg.norm(v, axis=1)
        close = r < least
        if not close.any():
            break
        push = (0.25 * (least - r)[close] / np.maximum(r[close], 1e-9))[:, None] * v[close]
        move = np.zeros_like(x)
        np.add.at(move, pairs[close, 1], push)
        np.add.at(move, pairs[close, 0], -push)
        x = x + move
    return x


def cell_heights_at_least(structure: Structure, length: float) -> tuple[int, int, int]:
    """Copies along each periodic direction so that the cell is at least `length` Å high."""
    heights = perpendicular_heights(structure.complete_cell)
    n = np.where(structure.pbc, np.ceil(length / heights - 1e-9), 1).astype(int)
    return int(n[0]), int(n[1]), int(n[2])


def superalloy(
    edge: float = 120.0,
    precipitate: float = 60.0,
    share: float = 0.25,
    lattice: float = 3.74,
    *,
    pbc: bool = False,
    rng: Generator,
) -> Structure:
    """Model of a Ni-based superalloy: fcc of random Ni and Al around a cube of L1_2 Ni3Al.

    After Leitherer et al. (2021), Fig. 2h (120 Å, about 132,000 atoms).

    Args:
        edge: of the whole, Å; taken to the nearest multiple of the lattice constant.
        precipitate: edge of the L1_2 cube in the middle, Å.
        share: of aluminium in the matrix.
        lattice: lattice constant, Å.
        pbc: periodic, else open.
        rng: random numbers.
    """
    n = max(1, round(edge / lattice))
    corner = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    unit = Structure((corner + 0.25) * lattice, np.full(4, 28), np.eye(3) * lattice, np.ones(3, dtype=bool))
    whole = repeat(unit, (n, n, n))
    numbers = solid_solution(whole.numbers, (28, 13), (1 - share, share), rng)
    middle = n * lattice / 2
    inside = (np.abs(whole.positions - middle) < precipitate / 2).all(axis=1)
    first_of_four = np.arange(len(whole)) % 4 == 0
    numbers[inside] = np.where(first_of_four[inside], 13, 28)
    return Structure(whole.positions, numbers, whole.cell if pbc else np.zeros((3, 3)), np.full(3, pbc))


def polycrystal(
    grains: Sequence[Structure],
    size: Sequence[float],
    *,
    seeds: FloatArray | None = None,
    rotations: Sequence[FloatArray] | None = None,
    pbc: bool | Sequence[bool] = False,
    closest: float = 0.7,
    rng: Generator,
) -> Structure:
    """Voronoi grains of given crystals in an orthogonal box; an atom goes to the grain whose seed is nearest.

    Args:
        grains: crystal of each grain; one crystal may stand for several grains.
        size: (3,), edges of the box, Å.
        seeds: (n_grains, 3), Å; random places if left out.
        rotations: (3, 3) of each grain; random orientations if left out.
        pbc: whether grains continue through the faces of the box.
        closest: of two atoms closer than this share of the mean of their grains' nearest-neighbour distances,
            one is left out (at grain boundaries).
        rng: random numbers.

    Raises:
        ValueError: no grain, or seeds and rotations of another number than grains.
    """
    return voronoi_grains(grains, size, seeds=seeds, rotations=rotations, pbc=pbc, closest=closest, rng=rng)[
        0
    ]


def voronoi_grains(
    grains: Sequence[Structure],
    size: Sequence[float],
    *,
    seeds: FloatArray | None = None,
    rotations: Sequence[FloatArray] | None = None,
    pbc: bool | Sequence[bool] = False,
    closest: float = 0.7,
    rng: Generator,
) -> tuple[Structure, IntArray]:
    """`polycrystal`, and which of the grains each atom is of, (n_atoms,)."""
    n = len(grains)
    if n == 0:
        raise InputError("`grains` is empty")
    box = np.asarray(size, dtype=np.float64)
    periodic = np.broadcast_to(np.asarray(pbc, dtype=bool), (3,))
    places = rng.uniform(size=(n, 3)) * box if seeds is None else np.asarray(seeds, dtype=np.float64)
    turns = [random_rotation(rng) for _ in range(n)] if rotations is None else list(rotations)
    if len(places) != n or len(turns) != n:
        raise InputError(
            f"{n} `grains` need as many `seeds` and `rotations`, got {len(places)} and {len(turns)}"
        )
    shifts = np.array(np.meshgrid(*[(-1, 0, 1) if p else (0,) for p in periodic], indexing="ij"))
    images = (places[:, None] + shifts.reshape(3, -1).T * box).reshape(-1, 3)
    owner = np.repeat(np.arange(n), images.shape[0] // n)
    tree = cKDTree(images)
    positions, numbers, distances = [], [], []
    for k, (crystal, turn) in enumerate(zip(grains, turns, strict=True)):
        x, z = crystal_in_box(crystal, np.zeros(3), box, turn, rng.uniform(size=3) * crystal.pbc)
        mine = owner[tree.query(x)[1]] == k
        positions.append(x[mine])
        numbers.append(z[mine])
        distances.append(np.full(mine.sum(), nearest_neighbour_distance(crystal)))
    x, z, d = np.concatenate(positions), np.concatenate(numbers), np.concatenate(distances)
    wrap = np.where(periodic, box, 0.0)
    pairs = cKDTree(x, boxsize=wrap).query_pairs(closest * float(d.max()), output_type="ndarray")
    v = x[pairs[:, 1]] - x[pairs[:, 0]]
    v -= wrap * np.round(v / np.where(periodic, box, 1.0))
    near = np.linalg.norm(v, axis=1) < closest * 0.5 * (d[pairs[:, 0]] + d[pairs[:, 1]])
    keep = _one_of_each(len(x), pairs[near])
    grain = np.repeat(np.arange(n), [len(part) for part in positions])
    return Structure(x[keep], z[keep], np.diag(box), periodic), grain[keep]
