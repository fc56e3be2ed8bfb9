"""Slabs of crystals, clean, with foreign atoms in their surfaces, and with atoms on them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from arise_core.crystals.crystal import Crystal
from arise_core.descriptor.soap import describe
from arise_core.geometry import builders
from arise_core.geometry.arrays import FloatArray
from arise_core.geometry.slabs import adsorbed, at_surface, random_slab
from arise_core.geometry.structure import Structure
from arise_core.training.fields import AS_DETAIL, Table, at_least, share, span
from arise_core.training.samples.alloys import ELEMENTS
from arise_core.training.samples.common import Common
from arise_core.training.samples.job import Generator
from arise_core.training.samples.kind import OfClass, Task, bulk_times
from arise_core.training.samples.noise import Noise, imperfect


def _noise() -> Noise:
    return Noise(missing=0.08, whole=0.8)


@dataclass(frozen=True, kw_only=True)
class Slabs(Table):
    """Slabs, periodic in the plane. Lengths in nearest-neighbour distances.

    Args:
        widths: range of the edges in the plane, at least.
        thickness: range.
        index: largest component of the vectors in the plane.
        atoms: range of the number of atoms; others are drawn again.
        periods: times that the period of a crystal has room in the largest slab; other crystals have no slabs.
        clean: share of slabs without foreign atoms.
        foreign: range of the number of foreign atoms of the others.
        adsorbed: share of foreign atoms that are on the surface; the others replace an atom of it.
        bond: range of the distance from an adsorbed atom to the nearest one.
        depth: of the surface.
        noise: imperfections.
    """

    widths: tuple[float, float] = span(2.6, 4.6, least=1)
    thickness: tuple[float, float] = span(2.0, 6.0, least=1)
    index: int = at_least(1, 1)
    atoms: tuple[int, int] = span(24, 300, least=1)
    periods: int = at_least(1, 20)
    clean: float = share(0.25)
    foreign: tuple[int, int] = span(1, 4, least=1)
    adsorbed: float = share(0.6)
    bond: tuple[float, float] = span(0.5, 1.0, least=0.1)
    depth: float = at_least(0, 0.4)
    noise: Noise = field(default_factory=_noise, metadata=AS_DETAIL)


def covered_slab(crystal: Structure, own: Slabs, rng: Generator) -> Structure:
    """A random slab of a crystal with its foreign atoms."""
    d = builders.nearest_neighbour_distance(crystal)
    while True:
        slab = random_slab(
            crystal, d * rng.uniform(*own.widths), d * rng.uniform(*own.thickness), own.index, rng
        )
        if own.atoms[0] <= len(slab) <= own.atoms[1]:
            break
    if rng.random() < own.clean:
        return slab
    free = np.setdiff1d(ELEMENTS, crystal.numbers)
    elements = rng.choice(free, 2, replace=False)
    for _ in range(rng.integers(own.foreign[0], own.foreign[1] + 1)):
        element = int(rng.choice(elements))
        if rng.random() < own.adsorbed:
            slab = adsorbed(slab, element, d * rng.uniform(*own.bond), rng)
        else:
            numbers = slab.numbers.copy()
            numbers[rng.choice(np.flatnonzero(at_surface(slab, own.depth * d)))] = element
            slab = Structure(slab.positions, numbers, slab.cell, slab.pbc)
    return slab


def _times(crystal: Crystal, common: Common, own: Slabs) -> int | None:
    few = len(crystal.unit) * own.periods <= own.atoms[1]
    return bulk_times(crystal, common, own) if few else None


def _make(crystal: Crystal, task: Task[Slabs], rng: Generator) -> tuple[FloatArray, str]:
    slab = covered_slab(crystal.unit, task.own, rng)
    return describe(imperfect(slab, task.own.noise, rng), task.descriptor), crystal.label


SLABS = OfClass(name="slabs", settings=Slabs(), times=_times, make=_make)
