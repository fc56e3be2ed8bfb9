"""A particle of an alloy as electron tomography sees it: ordered and disordered regions, strain, errors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arise_core.errors import InputError
from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.geometry.builders import Generator, kept_atoms
from arise_core.geometry.structure import Structure

#: Regions of the particle, in the order of their numbers.
REGIONS = ("fcc", "L1_0", "L1_2")
#: Iron, platinum.
ELEMENTS = (26, 78)
#: Half axes of the particle by the radius of a ball of the same volume.
SHAPE = np.array([1.15, 1.0, 1 / 1.15])
#: Radius of the ordered core by that of the particle.
CORE = 0.85
CORNERS = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])


def tomography_particle(
    n_atoms: int = 20_000,
    order: float = 1.0,
    lattice: float = 3.85,
    tetragonality: float = 0.965,
    strain: float = 0.03,
    displacement: float = 0.1,
    missing: float = 0.1,
    misplaced: float = 0.02,
    *,
    rng: Generator,
) -> tuple[Structure, IntArray, FloatArray]:
    """A particle like the FePt ones of atomic electron tomography, and the truth about it.

    After Leitherer et al. (2021), Figure 4. An ellipsoid of one fcc lattice with two ordered grains: L1_0 FePt (planes
    along z; the larger one, around the middle, in x > 0) and L1_2 FePt3 (in x < 0); a shell of disordered Fe-Pt is
    around them. In L1_0 the square planes of iron are wider than those of platinum, by nothing at one end of y and by
    `strain` at the other; its axis is shorter by `tetragonality`, at the same volume.

    Args:
        n_atoms: before any are taken away, about.
        order: long-range order of the ordered grains, 0 (random) to 1: a share of their atoms sits right, the
            others are random.
        lattice: constant of fcc, Å.
        tetragonality: c / a of L1_0.
        strain: of planes of iron against those of platinum at one end of L1_0.
        displacement: standard deviation per coordinate, Å.
        missing: share of the atoms that were not found.
        misplaced: share of the atoms that were taken for the other element.
        rng: random numbers.

    Returns:
        The structure; the region of each atom in `REGIONS`, (n,); and the strain at each atom, (n,): by which share
        distances between neighbours in planes of iron are longer than in planes of platinum, NaN outside L1_0.

    Raises:
        InputError: a share out of range, or too few atoms for three regions.
    """
    _check(n_atoms, order=order, misplaced=misplaced)
    radius = _radius(n_atoms, lattice)
    sites, kind = _sites(radius, lattice)
    region = _regions(sites, radius)
    numbers = _elements(kind, region, order, rng)
    positions, difference = _strained(sites, kind, region, radius, tetragonality, strain)
    kept, structure = _seen(positions, numbers, displacement, missing, misplaced, rng)
    return structure, region[kept], difference[kept]


def strained_particle(
    n_atoms: int = 20_000,
    ratios: Sequence[float] = (0.92, 0.965, 1.01),
    lattice: float = 3.85,
    displacement: float = 0.1,
    missing: float = 0.1,
    misplaced: float = 0.02,
    *,
    rng: Generator,
) -> tuple[Structure, IntArray, FloatArray]:
    """A particle like that of `tomography_particle` with L1_0 grains that are strained by different amounts.

    An ellipsoid with a shell of disordered Fe-Pt; its core is divided among L1_0 grains, whose axes lie along x, y, z
    in turn, and one of L1_2. Each L1_0 grain has a ratio c / a of its own, at the same volume.

    Args:
        n_atoms: before any are taken away, about.
        ratios: c / a of each L1_0 grain.
        lattice, displacement, missing, misplaced, rng: as in `tomography_particle`.

    Returns:
        The structure; the region of each atom in `REGIONS`, (n,); and c / a of its grain, (n,), NaN outside L1_0.

    Raises:
        InputError: a share out of range, no ratio, or too few atoms.
    """
    if not ratios or min(ratios) <= 0:
        raise InputError(f"`ratios` must be one or more positive numbers, got {tuple(ratios)}")
    _check(n_atoms, misplaced=misplaced)
    radius = _radius(n_atoms, lattice)
    sites, kind = _sites(radius, lattice)
    grain = _grains(sites, radius, len(ratios) + 1)
    region = np.where(grain < 0, 0, np.where(grain < len(ratios), 1, 2))
    iron, platinum = ELEMENTS
    numbers = np.where(np.where(region == 2, kind == 0, rng.random(len(kind)) < 0.5), iron, platinum)
    positions, ratio = sites.copy(), np.full(len(sites), np.nan)
    for k, value in enumerate(ratios):
        here, axis = grain == k, (2, 0, 1)[k % 3]
        level = CORNERS[:, axis] == 0
        numbers[here] = np.where(level[kind[here]], iron, platinum)
        middle = sites[here].mean(axis=0)
        scale = np.where(np.arange(3) == axis, value ** (2 / 3), value ** (-1 / 3))
        positions[here] = middle + (sites[here] - middle) * scale
        ratio[here] = value
    kept, structure = _seen(positions, numbers, displacement, missing, misplaced, rng)
    return structure, region[kept], ratio[kept]


def _check(n_atoms: int, **shares: float) -> None:
    for name, value in shares.items():
        if not 0 <= value <= 1:
            raise InputError(f"`{name}` must be in [0, 1], got {value}")
    if n_atoms < 500:
        raise InputError(f"`n_atoms` must be at least 500, got {n_atoms}")


def _radius(n_atoms: int, lattice: float) -> float:
    """Radius of a ball of so many atoms, Å."""
    return float(lattice * (n_atoms / 4 * 3 / (4 * np.pi)) ** (1 / 3))


def _seen(
    positions: FloatArray,
    numbers: IntArray,
    displacement: float,
    missing: float,
    misplaced: float,
    rng: Generator,
) -> tuple[IntArray, Structure]:
    """Atoms that tomography finds, (m,), and where and as what it sees them."""
    keep = kept_atoms(len(positions), missing, rng)
    positions, numbers = positions[keep], numbers[keep]
    wrong = rng.random(len(numbers)) < misplaced
    numbers = np.where(wrong, sum(ELEMENTS) - numbers, numbers)
    return keep, Structure(positions + rng.normal(0, displacement, positions.shape), numbers)


def _sites(radius: float, lattice: float) -> tuple[FloatArray, IntArray]:
    """Sites of an fcc ellipsoid around the origin, (n, 3) Å, and which of the four corners each is, (n,)."""
    m = int(np.ceil(SHAPE.max() * radius / lattice)) + 1
    steps = np.stack(np.meshgrid(*[np.arange(-m, m)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    sites = ((steps[:, None] + CORNERS[None]).reshape(-1, 3) + 0.25) * lattice
    kind = np.tile(np.arange(4), len(steps))
    inside = ((sites / SHAPE) ** 2).sum(axis=1) < radius**2
    return sites[inside], kind[inside]


def _regions(sites: FloatArray, radius: float) -> IntArray:
    """Number of each site's region, (n,): two parts of the core, and the shell."""
    scaled = sites / SHAPE / radius
    core = (scaled**2).sum(axis=1) < CORE**2
    x = scaled[:, 0]
    return np.where(core & (x > -0.2), 1, np.where(core & (x < -0.2), 2, 0))


def _grains(sites: FloatArray, radius: float, number: int) -> IntArray:
    """Grain of each site of the core, as sectors of about the same size; -1 in the shell, (n,)."""
    scaled = sites / SHAPE / radius
    core = (scaled**2).sum(axis=1) < CORE**2
    # Directions as evenly spread as the spiral of sunflowers has them.
    k = np.arange(number) + 0.5
    height, angle = 1 - 2 * k / number, np.pi * (1 + 5**0.5) * k
    flat = np.sqrt(1 - height**2)
    towards = np.column_stack([flat * np.cos(angle), flat * np.sin(angle), height])
    return np.where(core, (scaled @ towards.T).argmax(axis=1), -1)


def _elements(kind: IntArray, region: IntArray, order: float, rng: Generator) -> IntArray:
    """Elements by region; of the ordered ones a share 1 - `order` of the atoms is drawn at random, (n,)."""
    iron, platinum = ELEMENTS
    ordered = np.where(region == 1, np.isin(kind, (0, 3)), kind == 0)
    share = np.where(region == 2, 0.25, 0.5)
    random = rng.random(len(kind)) < share
    free = (region == 0) | (rng.random(len(kind)) >= order)
    return np.where(np.where(free, random, ordered), iron, platinum)


def _strained(
    sites: FloatArray, kind: IntArray, region: IntArray, radius: float, tetragonality: float, strain: float
) -> tuple[FloatArray, FloatArray]:
    """Positions, (n, 3), and how much wider planes of iron are than those of platinum, (n,).

    The planes are mapped conformally, so that the strain is the same along x and y and grows with y alone.
    """
    x, y = sites[:, 0], sites[:, 1]
    reach = CORE * radius
    here = region == 1
    difference = np.where(here, strain / 2 * (1 + y / reach), np.nan)
    moved = strain / 2 * np.stack([x + x * y / reach, y + (y**2 - x**2) / (2 * reach)], axis=1)
    sign = np.where(np.isin(kind, (0, 3)), 0.5, -0.5)
    positions = sites.copy()
    positions[here, :2] += (sign[:, None] * moved)[here]
    positions[here, 2] *= tetragonality
    positions[here, :2] *= tetragonality**-0.5
    return positions, difference
