"""Compounds between order and random alloy, everywhere or on one side of a plane, named by the larger part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arise_core.crystals.crystal import Crystal
from arise_core.geometry import builders
from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.training.fields import Table, share, span
from arise_core.training.samples.antisites import shuffled
from arise_core.training.samples.common import Common
from arise_core.training.samples.cuts import Decorate
from arise_core.training.samples.job import Generator
from arise_core.training.samples.kind import OfClass, Task

#: Ordered structures and what a random alloy on their sites is called (L1_0 sites are no class once c/a is not 1).
LATTICE_OF = {"L12_Cu3Au": "fcc_Cu_A_cF4_225_a", "CsCl": "bcc_W_A_cI2_229_a", "L10_CuAu": None}


@dataclass(frozen=True, kw_only=True)
class Ordering(Table):
    """Partly ordered alloys.

    Args:
        ordered: share of the samples that are named after the ordered structure.
        alloy_in_ordered: range of the share of sites in these that are a random alloy.
        alloy_in_lattice: the same in the other samples, which are named after the lattice.
        scattered: share of the samples whose random sites are everywhere; in the others they are beyond a plane.
        same: share of the samples whose random sites keep the composition of the ordered structure.
        minority: range of the share of the first element on the random sites of the others.
        strained: share of the samples that are stretched along c, of the structures whose c / a differs much from
            material to material (`samples.strains.along_c`).
    """

    ordered: float = share(0.6)
    alloy_in_ordered: tuple[float, float] = span(0.0, 0.45, least=0)
    alloy_in_lattice: tuple[float, float] = span(0.55, 1.0, least=0)
    scattered: float = share(0.5)
    same: float = share(0.5)
    minority: tuple[float, float] = span(0.05, 0.5, least=0)
    strained: float = share(0.0)


def partly_ordered(own: Ordering, has_lattice: bool, rng: Generator) -> tuple[Decorate, bool]:
    """What makes an ordered crystal a partly ordered one, and whether it keeps its name.

    Args:
        own: shares.
        has_lattice: whether there is a class of random alloys on the same sites.
        rng: random numbers, also of the decoration.
    """
    ordered = not has_lattice or rng.random() < own.ordered
    part = rng.uniform(*(own.alloy_in_ordered if ordered else own.alloy_in_lattice))
    scattered = rng.random() < own.scattered
    same = rng.random() < own.same
    normal = rng.normal(size=3)

    def decorate(positions: FloatArray, numbers: IntArray) -> IntArray:
        where = positions @ normal
        chosen = rng.random(len(numbers)) < part if scattered else where < np.quantile(where, part)
        if same:
            return shuffled(numbers, chosen, rng)
        minority = rng.uniform(*own.minority)
        alloy = builders.solid_solution(numbers, np.unique(numbers), [minority, 1 - minority], rng)
        return np.where(chosen, alloy, numbers)

    return decorate, ordered


def _times(crystal: Crystal, common: Common, own: Ordering) -> int | None:
    return 1 if crystal.label in LATTICE_OF else None


def _make(crystal: Crystal, task: Task[Ordering], rng: Generator) -> tuple[FloatArray, str]:
    lattice = LATTICE_OF[crystal.label]
    has_lattice = lattice is not None and any(c.label == lattice for c in task.known)
    decorate, ordered = partly_ordered(task.own, has_lattice, rng)
    unit, strains = crystal.unit, task.common.strains
    if crystal.label in strains.along_c and task.own.strained and rng.random() < task.own.strained:
        unit = builders.stretched(unit, unit.cell[2], rng.uniform(*strains.of(crystal.label)))
    atoms = task.common.decidable_atoms
    features = task.common.box(unit, task.descriptor, rng, atoms=atoms, decorate=decorate)
    return features, crystal.label if ordered or lattice is None else lattice


ORDERING = OfClass(name="ordering", settings=Ordering(), times=_times, make=_make)
