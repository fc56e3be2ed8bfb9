"""Random crystals that are none of the classes, from which a model learns to reject crystals that it does not know.

A space group, one to three elements on one to four random orbits, and a cell are drawn until the atoms are packed about
as closely as in real crystals and the result is not similar to a class. The idea of training on such outliers is that
of Hendrycks, Mazeika & Dietterich (2019), "Deep anomaly detection with outlier exposure".
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from arise_core.crystals.crystal import Crystal, fingerprint
from arise_core.crystals.ideal import conventional_cell
from arise_core.crystals.naming import UNKNOWN, ClassInfo
from arise_core.crystals.symmetry import group_operations
from arise_core.errors import InputError
from arise_core.geometry import builders
from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.geometry.structure import Structure
from arise_core.training.fields import AS_DETAIL, Table, at_least, positive, several, share, span, weights
from arise_core.training.samples.alloys import ELEMENTS
from arise_core.training.samples.common import Strains
from arise_core.training.samples.job import Generator
from arise_core.training.samples.kind import OfNone, Task
from arise_core.training.samples.noise import Noise

#: Shortest distance, Å; the descriptor does not depend on it.
SPACING = 2.5
INFO = ClassInfo(UNKNOWN, UNKNOWN, "UNKNOWN", (0.5, 0.5, 0.5), None, UNKNOWN)
#: Decimals of fractional coordinates.
DIGITS = 5
TRANSLATIONS = np.array(list(itertools.product((-1, 0, 1), repeat=3)), dtype=float)
#: Space groups, and the first of high symmetry: tetragonal 4/mmm and above.
GROUPS = 230
FIRST_SYMMETRIC = 123


@dataclass(frozen=True, kw_only=True)
class Cells(Table):
    """Cells of random crystals, with a = 1 and what the space group leaves free.

    Args:
        axes: range of b and c, even on a logarithmic scale.
        long: share of cells with a long c (up to hexagonal ones, cubic cells have none): layers on each other.
        longer: range of the factor on a long c.
        hexagonal: factor on c of trigonal and hexagonal cells.
        angles: range of the angles of triclinic cells, degrees.
        monoclinic: range of the angle of monoclinic cells, degrees.
    """

    axes: tuple[float, float] = span(0.6, 1.7, least=1e-3)
    long: float = share(0.25)
    longer: tuple[float, float] = span(1.0, 4.0, least=1e-3)
    hexagonal: float = positive(1.2)
    angles: tuple[float, float] = span(70.0, 110.0, least=45)
    monoclinic: tuple[float, float] = span(90.0, 120.0, least=45)


def _mild() -> Noise:
    return Noise(uniform=0.06, gaussian=0.06, missing=0.1, ideal=0.3, whole=0.7)


@dataclass(frozen=True, kw_only=True)
class OtherCrystals(Table):
    """Random crystals that are none of the classes.

    Args:
        noise: imperfections. The crystals have to be recognisable as what they are: in a strongly distorted crystal
            or a box of few atoms nothing tells them from a distorted class.
        whole: share of whole structures; the others are boxes.
        elements: probabilities of one, two, ... elements.
        more_orbits: probabilities of no, one, two, ... orbits beyond one an element.
        distance: distance of normalised fingerprints from every class, stretched ones too, at least, for one, two,
            ... elements. Crystals of one element are often strained copies of others: fcc or bcc under 5 % strain is
            0.05 to 0.14 away, and has to keep its name.
        strain_step: steps of about this size lie between the strains of the classes' stretched copies.
        loosest: range of the largest volume per atom over the cube of the shortest distance; it is 0.71 in fcc, 1 in
            simple cubic, 1.54 in diamond and 3 in quartz.
        atoms: in a conventional cell, at most.
        candidates: random orbits of which the one is taken that leaves the closest packing, from the second on.
        symmetric: share of high symmetry (tetragonal 4/mmm and above): rare among all groups, common among real
            crystals.
        special: fractional coordinates that sites on symmetry elements have, drawn along with free ones.
        cell: shape of the cells.
    """

    noise: Noise = field(default_factory=_mild, metadata=AS_DETAIL)
    whole: float = share(0.4)
    elements: tuple[float, ...] = weights(0.3, 0.5, 0.2)
    more_orbits: tuple[float, ...] = weights(0.45, 0.3, 0.15, 0.1)
    distance: tuple[float, ...] = several(0.08, 0.05, 0.05, low=0)
    strain_step: float = positive(0.025)
    loosest: tuple[float, float] = span(1.0, 2.4, least=0.75)
    atoms: int = at_least(1, 72)
    candidates: int = at_least(1, 4)
    symmetric: float = share(0.5)
    special: tuple[float, ...] = several(0, 0, 0, 0, 1 / 2, 1 / 2, 1 / 2, 1 / 4, 3 / 4, 1 / 3, 2 / 3, low=0)
    cell: Cells = field(default_factory=Cells, metadata=AS_DETAIL)

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.distance) != len(self.elements):
            raise InputError(
                f"`distance` must be as many numbers as `elements`, got {self.distance} and {self.elements}"
            )


def unknown_crystal(
    known: Sequence[Crystal], own: OtherCrystals, strains: Strains, rng: Generator
) -> Crystal:
    """A random crystal in its conventional cell, further than `own.distance` from all known ones.

    Args:
        known: the classes.
        own: how the crystal is drawn.
        strains: of the classes' stretched copies.
        rng: random numbers.
    """
    prints = np.concatenate([stretched_fingerprints(c, *strains.of(c.label), own.strain_step) for c in known])
    count = 1 + int(rng.choice(len(own.elements), p=own.elements))
    while True:
        structure = random_crystal(count, rng.uniform(*own.loosest), own, rng)
        if structure is None:
            continue
        distances = np.linalg.norm(prints - fingerprint(structure), axis=1)
        if distances.min() >= own.distance[count - 1]:
            return Crystal(info=INFO, unit=structure)


@cache
def stretched_fingerprints(crystal: Crystal, low: float, high: float, step: float) -> FloatArray:
    """Fingerprints of a class and of its copies stretched along the three directions of its frame, (n, 315).

    Args:
        crystal: the class; a bulk crystal, else it has no copies.
        low, high: range of the strain.
        step: of the strain, about.
    """
    prints = [crystal.fingerprint]
    if crystal.dimension == 3:
        strains = np.linspace(low, high, round((high - low) / step) + 1)
        prints += [
            fingerprint(builders.stretched(crystal.unit, axis, strain))
            for axis in np.eye(3)
            for strain in strains
            if abs(strain) > 1e-9
        ]
    return np.array(prints)


def random_crystal(n_elements: int, loosest: float, own: OtherCrystals, rng: Generator) -> Structure | None:
    """One random crystal of `n_elements` elements, or None if it is too large or packed more loosely than `loosest`."""
    first = FIRST_SYMMETRIC if rng.random() < own.symmetric else 1
    group = int(rng.integers(first, GROUPS + 1))
    cell = random_cell(group, own.cell, rng)
    extra = int(rng.choice(len(own.more_orbits), p=own.more_orbits))
    kinds = [*range(n_elements), *rng.integers(0, n_elements, extra).tolist()]
    sites = np.empty((0, 3))
    sizes: list[int] = []
    shortest = np.inf
    for n in range(len(kinds)):
        found = []
        for _ in range(own.candidates if n else 1):
            new = orbit(random_site(own.special, rng), group)
            together = np.concatenate([new, sites])
            found.append((min(shortest, distance_to_first(together, cell)), len(new), together))
        best = max(found, key=lambda one: one[0] ** 3 * len(one[2]))
        shortest, size, sites = best
        sizes.insert(0, size)
        if len(sites) > own.atoms:
            return None
    if abs(float(np.linalg.det(cell))) > loosest * shortest**3 * len(sites):
        return None
    elements: IntArray = rng.choice(ELEMENTS, n_elements, replace=False)
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


def random_cell(group: int, cells: Cells, rng: Generator) -> FloatArray:
    """A cell that a space group allows, with a = 1, vectors as rows, (3, 3)."""
    low, high = cells.axes
    b, c = np.exp(rng.uniform(np.log(low), np.log(high), 2))
    if rng.random() < cells.long:
        c *= rng.uniform(*cells.longer)
    if group <= 2:
        shape = [1, b, c, *rng.uniform(*cells.angles, 3)]
    elif group <= 15:
        shape = [1, b, c, 90, rng.uniform(*cells.monoclinic), 90]
    elif group <= 74:
        shape = [1, b, c, 90, 90, 90]
    elif group <= 142:
        shape = [1, 1, c, 90, 90, 90]
    elif group <= 194:
        shape = [1, 1, cells.hexagonal * c, 90, 90, 120]
    else:
        shape = [1, 1, 1, 90, 90, 90]
    return conventional_cell(shape)


def random_site(special: Sequence[float], rng: Generator) -> FloatArray:
    """Fractional coordinates that often lie on symmetry elements, (3,): special or free ones, and combinations."""
    x, y, z = rng.uniform(size=3)
    return np.asarray(rng.choice([*special, x, x, x, -x, 2 * x, x + 1 / 2, y, y, z], 3) % 1)


def orbit(site: FloatArray, group: int) -> FloatArray:
    """The sites that a space group makes of one, fractional, (n, 3)."""
    rotations, translations = group_operations(group)
    images = np.round((rotations @ site + translations) % 1, DIGITS)
    return np.unique(np.where(images == 1, 0, images), axis=0)


def _make(task: Task[OtherCrystals], rng: Generator) -> tuple[FloatArray, str]:
    own, common = task.own, task.common
    crystal = unknown_crystal(task.known, own, common.strains, rng)
    return common.whole_or_box(crystal, own.whole, task.descriptor, rng, own.noise), UNKNOWN


OTHERS = OfNone(name="unknown", settings=OtherCrystals(), make=_make)
