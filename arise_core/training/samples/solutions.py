"""Solid solutions of several elements: on all sites of an element, or on one sublattice of a compound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arise_core.crystals.crystal import Crystal
from arise_core.descriptor.soap import describe
from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.geometry.structure import Structure
from arise_core.training.fields import Table, at_least, positive, several, share
from arise_core.training.samples.alloys import ELEMENTS
from arise_core.training.samples.cuts import Decorate
from arise_core.training.samples.job import Generator
from arise_core.training.samples.kind import OfClass, Task, bulk_times
from arise_core.training.samples.noise import imperfect
from arise_core.training.samples.pieces import whole_structure


@dataclass(frozen=True, kw_only=True)
class Solutions(Table):
    """Solid solutions.

    Args:
        elements: numbers of elements on a sublattice, drawn from these.
        concentration: of the Dirichlet distribution of their shares; 1: all compositions alike.
        least: smallest share of an element, before they are scaled to add up to 1.
        more: share of the compounds with a second sublattice that is a solution.
        whole: share of whole structures; the others are boxes.
        whole_atoms: atoms of a supercell among the whole structures, at least.
    """

    elements: tuple[int, ...] = several(2, 3, 4, 5, 6, low=1)
    concentration: float = positive(2.0)
    least: float = share(0.03)
    more: float = share(0.2)
    whole: float = share(0.35)
    whole_atoms: int = at_least(1, 150)


def dissolved(own: Solutions, species: IntArray, rng: Generator) -> Decorate:
    """What puts several elements on the sites of one species, now and then of a second one.

    Args:
        own: how many.
        species: atomic numbers in the crystal.
        rng: random numbers, also of the decoration.
    """
    mixed = rng.permutation(species)[: 1 + (len(species) > 1 and rng.random() < own.more)]
    free = rng.permutation(np.setdiff1d(ELEMENTS, species))
    recipes = []
    for number in mixed:
        n = int(rng.choice(own.elements))
        shares = np.maximum(rng.dirichlet(np.full(n, own.concentration)), own.least)
        recipes.append((number, free[:n], shares / shares.sum()))
        free = free[n:]

    def decorate(positions: FloatArray, numbers: IntArray) -> IntArray:
        out = numbers.copy()
        for number, elements, shares in recipes:
            here = numbers == number
            out[here] = rng.choice(elements, int(here.sum()), p=shares)
        return out

    return decorate


def _make(crystal: Crystal, task: Task[Solutions], rng: Generator) -> tuple[FloatArray, str]:
    own, common = task.own, task.common
    decorate = dissolved(own, crystal.unit.species, rng)
    if rng.random() >= own.whole:
        return common.box(crystal.unit, task.descriptor, rng, decorate=decorate), crystal.label
    s = whole_structure(crystal, common.structures, rng, own.whole_atoms)
    s = Structure(s.positions, decorate(s.positions, s.numbers), s.cell, s.pbc)
    return describe(imperfect(s, common.noise, rng), task.descriptor), crystal.label


SOLUTIONS = OfClass(name="solutions", settings=Solutions(), times=bulk_times, make=_make)
