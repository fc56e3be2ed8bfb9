"""Boxes in which two crystals meet, named by the larger one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arise_core.crystals.crystal import Crystal
from arise_core.geometry import builders
from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.geometry.structure import Structure
from arise_core.training.fields import Table, at_least, share, span
from arise_core.training.samples.cuts import boxed, random_edges
from arise_core.training.samples.job import Generator
from arise_core.training.samples.kind import OfClass, Task, favoured_times
from arise_core.training.samples.noise import imperfect


@dataclass(frozen=True, kw_only=True)
class Interfaces(Table):
    """Two crystals on the two sides of a plane.

    Args:
        atoms: range of the number of atoms in a box.
        larger: range of the share of the box on the side of the crystal that it is named after.
        misfit: nearest-neighbour distances differ by this share at most.
        same: share of boxes with two grains of one crystal.
        same_elements: share of the others whose crystals are of the same elements as far as they have several.
        closest: of two atoms closer than this share of the nearest-neighbour distance, one is left out.
    """

    atoms: tuple[int, int] = span(24, 500, least=1)
    larger: tuple[float, float] = span(0.55, 0.95, least=0.5)
    misfit: float = share(0.08)
    same: float = share(0.3)
    same_elements: float = share(0.5)
    closest: float = at_least(0, 0.7)


def bicrystal(
    crystals: tuple[Structure, Structure], edges: FloatArray, larger: float, own: Interfaces, rng: Generator
) -> tuple[FloatArray, IntArray]:
    """Atoms in a box about the origin, of the first crystal on the larger side of a random plane, (n, 3) and (n,)."""
    margin = own.closest * builders.nearest_neighbour_distance(crystals[0])
    half = edges / 2 + margin
    normal = builders.random_rotation(rng)[0]
    probe = rng.uniform(-0.5, 0.5, (500, 3)) * edges @ normal
    border = float(np.quantile(probe, larger))
    positions, numbers = [], []
    for crystal, sign in zip(crystals, (1, -1), strict=True):
        x, z = builders.crystal_in_box(
            crystal, -half, half, builders.random_rotation(rng), rng.uniform(size=3)
        )
        here = sign * (x @ normal - border) < 0
        positions.append(x[here])
        numbers.append(z[here])
    x, z = np.concatenate(positions), np.concatenate(numbers)
    kept = builders.without_close(x, margin)
    return x[kept], z[kept]


def _scaled(crystal: Structure, distance: float, numbers: IntArray) -> Structure:
    factor = distance / builders.nearest_neighbour_distance(crystal)
    return Structure(crystal.positions * factor, numbers, crystal.cell * factor, crystal.pbc)


def _make(crystal: Crystal, task: Task[Interfaces], rng: Generator) -> tuple[FloatArray, str]:
    own, common = task.own, task.common
    others = [c for c in task.known if c.label in common.box_factors and c.dimension == 3]
    other = crystal if rng.random() < own.same else others[int(rng.integers(len(others)))]
    numbers = other.unit.numbers
    if rng.random() < own.same_elements:
        species = crystal.unit.species
        numbers = species[np.searchsorted(other.unit.species, numbers) % len(species)]
    d = builders.nearest_neighbour_distance(crystal.unit) * (1 + own.misfit * rng.uniform(-1, 1))
    edges = random_edges(crystal.unit, own.atoms, common.cuts, rng)
    two = (crystal.unit, _scaled(other.unit, d, numbers))
    x, z = bicrystal(two, edges, rng.uniform(*own.larger), own, rng)
    sample = imperfect(Structure(x, z), common.noise, rng)
    return boxed(sample, edges, False, common.cuts, task.descriptor), crystal.label


INTERFACES = OfClass(name="interfaces", settings=Interfaces(), times=favoured_times, make=_make)
