"""A particle of an alloy as electron tomography sees it: ordered and disordered regions, strain, errors."""

from __future__ import annotations

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
    for name, value in (("order", order), ("misplaced", misplaced)):
        if not 0 <= value <= 1:
            raise InputError(f"`{name}` must be in [0, 1], got {value}")
    if n_atoms < 500:
        raise InputError(f"`n_atoms` must be at least 500, got {n_atoms}")
    radius = lattice * (n_atoms / 4 * 3 / (4 * np.pi)) ** (1 / 3)
    sites, kind = _sites(radius, lattice)
    region = _regions(sites, radius)
    numbers = _elements(kind, region, order, rng)
    positions, difference = _strained(sites, kind, region, radius, tetragonality, strain)
    keep = kept_atoms(len(positions), missing, rng)
    positions, numbers, region, difference = positions[keep], numbers[keep], region[keep], difference[keep]
    wrong = rng.random(len(numbers)) < misplaced
    numbers = np.where(wrong, sum(ELEMENTS) - numbers, numbers)
    moved = positions + rng.normal(0, displacement, positions.shape)
    return Structure(moved, numbers), region, difference


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
    core = (scaled**2).sum(axis=1) < 0.85**2
    x = scaled[:, 0]
    return np.where(core & (x > -0.2), 1, np.where(core & (x < -0.2), 2, 0))


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
    reach = 0.85 * radius
    here = region == 1
    difference = np.where(here, strain / 2 * (1 + y / reach), np.nan)
    moved = strain / 2 * np.stack([x + x * y / reach, y + (y**2 - x**2) / (2 * reach)], axis=1)
    sign = np.where(np.isin(kind, (0, 3)), 0.5, -0.5)
    positions = sites.copy()
    positions[here, :2] += (sign[:, None] * moved)[here]
    positions[here, 2] *= tetragonality
    positions[here, :2] *= tetragonality**-0.5
    return positions, difference
