"""Random crystals that are none of the classes, from which a model learns to reject crystals that it does not know.

A space group, one to three elements on one to four random orbits, and a cell are drawn until the atoms are packed about
as closely as in real crystals and the result is not similar to a class. The idea of training on such outliers is that
of Hendrycks, Mazeika & Dietterich (2019), "Deep anomaly detection with outlier exposure".
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import cache

import numpy as np

from arise_core.crystals.crystal import Crystal, fingerprint
from arise_core.crystals.ideal import conventional_cell
from arise_core.crystals.naming import ClassInfo
from arise_core.crystals.symmetry import group_operations
from arise_core.geometry import builders
from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.geometry.structure import Structure

Generator = np.random.Generator

#: Atoms of a conventional cell at most.
MAX_ATOMS = 72
#: Range of the largest volume per atom over the cube of the shortest distance; it is 0.71 in fcc, 1 in simple cubic,
#: 1.54 in diamond and 3 in quartz.
LOOSEST = (1.0, 2.4)
#: Distance of normalised fingerprints from every class, stretched ones too, at least. Crystals of one element are often
#: strained copies of others: fcc or bcc under 5 % strain is 0.05 to 0.14 away, and has to keep its name.
LEAST_DISTANCE = {1: 0.08, 2: 0.05, 3: 0.05}
#: Strain along one direction under which a compound keeps its name, and that along c of structures whose c / a differs
#: much from material to material: L1_0 from 0.86 to 1.05 (CuAu 0.93, FePt 0.96, TiAl 1.02), hcp from 1.54 to 1.9
#: (Mg 1.62, Cd 1.89).
AXIAL = (-0.05, 0.05)
AXIAL_RANGES = {"L10_CuAu": (-0.07, 0.13), "hcp_Mg_A_hP2_194_c": (-0.05, 0.17)}
#: Strains of the classes' stretched copies: steps of about this size.
STRAIN_STEP = 0.025
#: Number of elements, and its probability.
ELEMENTS = {1: 0.3, 2: 0.5, 3: 0.2}
#: Orbits beyond one an element, and their probability.
MORE_ORBITS = {0: 0.45, 1: 0.3, 2: 0.15, 3: 0.1}
#: Random orbits of which the one is taken that leaves the closest packing, from the second on.
CANDIDATES = 4
#: Share of high symmetry (tetragonal 4/mmm and above): rare among all groups, common among real crystals.
SYMMETRIC = 0.5
#: Share of cells with a long axis (up to hexagonal ones, cubic cells have none).
LONG = 0.25
#: Shortest distance, Å; the descriptor does not depend on it.
SPACING = 2.5
INFO = ClassInfo("unknown", "unknown", "UNKNOWN", (0.5, 0.5, 0.5), None, "unknown")
#: Decimals of fractional coordinates.
DIGITS = 5
TRANSLATIONS = np.array(list(itertools.product((-1, 0, 1), repeat=3)), dtype=float)


def unknown_crystal(known: Sequence[Crystal], rng: Generator) -> Crystal:
    """A random crystal in its conventional cell, further than `LEAST_DISTANCE` from all known ones.

    Args:
        known: the classes.
        rng: random generator.
    """
    prints = np.concatenate([stretched_fingerprints(crystal) for crystal in known])
    count = int(rng.choice(list(ELEMENTS), p=list(ELEMENTS.values())))
    while True:
        structure = random_crystal(count, rng.uniform(*LOOSEST), rng)
        if structure is None:
            continue
        distances = np.linalg.norm(prints - fingerprint(structure), axis=1)
        if distances.min() >= LEAST_DISTANCE[count]:
            return Crystal(info=INFO, unit=structure)


@cache
def stretched_fingerprints(crystal: Crystal) -> FloatArray:
    """Fingerprints of a class and of its copies stretched along the three directions of its frame, (n, 315)."""
    prints = [crystal.fingerprint]
    if crystal.dimension == 3:
        low, high = AXIAL_RANGES.get(crystal.label, AXIAL)
        strains = np.linspace(low, high, round((high - low) / STRAIN_STEP) + 1)
        prints += [
            fingerprint(builders.stretched(crystal.unit, axis, strain))
            for axis in np.eye(3)
            for strain in strains
            if abs(strain) > 1e-9
        ]
    return np.array(prints)


def random_crystal(n_elements: int, loosest: float, rng: Generator) -> Structure | None:
    """One random crystal of `n_elements` elements, or None if it is too large or packed more loosely than `loosest`."""
    group = int(rng.integers(123, 231) if rng.random() < SYMMETRIC else rng.integers(1, 231))
    cell = random_cell(group, rng)
    extra = int(rng.choice(list(MORE_ORBITS), p=list(MORE_ORBITS.values())))
    kinds = [*range(n_elements), *rng.integers(0, n_elements, extra).tolist()]
    sites = np.empty((0, 3))
    sizes: list[int] = []
    shortest = np.inf
    for n in range(len(kinds)):
        found = []
        for _ in range(CANDIDATES if n else 1):
            new = orbit(random_site(rng), group)
            together = np.concatenate([new, sites])
            found.append((min(shortest, distance_to_first(together, cell)), len(new), together))
        best = max(found, key=lambda one: one[0] ** 3 * len(one[2]))
        shortest, size, sites = best
        sizes.insert(0, size)
        if len(sites) > MAX_ATOMS:
            return None
    if abs(float(np.linalg.det(cell))) > loosest * shortest**3 * len(sites):
        return None
    elements: IntArray = rng.choice(np.arange(1, 100), n_elements, replace=False)
    scale = SPACING / shortest
    numbers = np.repeat(elements[kinds[::-1]], sizes)
    return Structure(sites @ cell * scale, numbers, cell * scale, np.ones(3, dtype=bool))


def distance_to_first(sites: FloatArray, cell: FloatArray) -> float:
    """Distance from the first of the atoms at fractional coordinates (n, 3) of a periodic cell to the closest other.

    The atoms of an orbit are equivalent: one of them has all distances.
    """
    vectors = (sites[:, None] - sites[0] + TRANSLATIONS) @ cell
    squares = np.einsum("ijk,ijk->ij", vectors, vectors)
    return float(np.sqrt(np.partition(squares, 1, axis=None)[1]))  # after that to itself


def random_cell(group: int, rng: Generator) -> FloatArray:
    """A cell that a space group allows, with a = 1, vectors as rows, (3, 3)."""
    b, c = np.exp(rng.uniform(np.log(0.6), np.log(1.7), 2))
    if rng.random() < LONG:
        c *= rng.uniform(1, 4)  # layers stacked on each other
    if group <= 2:
        shape = [1, b, c, *rng.uniform(70, 110, 3)]
    elif group <= 15:
        shape = [1, b, c, 90, rng.uniform(90, 120), 90]
    elif group <= 74:
        shape = [1, b, c, 90, 90, 90]
    elif group <= 142:
        shape = [1, 1, c, 90, 90, 90]
    elif group <= 194:
        shape = [1, 1, 1.2 * c, 90, 90, 120]
    else:
        shape = [1, 1, 1, 90, 90, 90]
    return conventional_cell(shape)


def random_site(rng: Generator) -> FloatArray:
    """Fractional coordinates that often lie on symmetry elements, (3,)."""
    x, y, z = rng.uniform(size=3)
    special = [0, 0, 0, 0, 1 / 2, 1 / 2, 1 / 2, 1 / 4, 3 / 4, 1 / 3, 2 / 3]
    return np.asarray(rng.choice([*special, x, x, x, -x, 2 * x, x + 1 / 2, y, y, z], 3) % 1)


def orbit(site: FloatArray, group: int) -> FloatArray:
    """The sites that a space group makes of one, fractional, (n, 3)."""
    rotations, translations = group_operations(group)
    images = np.round((rotations @ site + translations) % 1, DIGITS)
    return np.unique(np.where(images == 1, 0, images), axis=0)
