"""Elemental crystals with random decoration by several elements; close-packed ones in a number of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arise_core.crystals.crystal import Crystal
from arise_core.descriptor.soap import describe
from arise_core.geometry import builders
from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.geometry.structure import Structure
from arise_core.training.fields import Table, at_least, positive, several, share
from arise_core.training.samples.common import Common
from arise_core.training.samples.job import Generator
from arise_core.training.samples.kind import OfClass, Task
from arise_core.training.samples.noise import imperfect
from arise_core.training.samples.pieces import whole_structure

#: Names of the structures that most alloys have.
CLOSE_PACKED = ("fcc", "bcc", "hcp")
#: Atomic numbers that stand for elements; which ones does not matter.
ELEMENTS = np.arange(1, 100)


@dataclass(frozen=True, kw_only=True)
class Alloys(Table):
    """Random alloys.

    Args:
        elements: numbers of elements, drawn from these.
        concentration: of the Dirichlet distribution of the shares of the elements; 1: all compositions alike.
        least: smallest share of an element, before they are scaled to add up to 1.
        whole: share of whole structures; the others are boxes.
        whole_atoms: atoms of a supercell among the whole structures, at least.
    """

    elements: tuple[int, ...] = several(2, 2, 2, 3, 4, low=1)
    concentration: float = positive(1.0)
    least: float = share(0.04)
    whole: float = share(0.3)
    whole_atoms: int = at_least(1, 250)


def _make(crystal: Crystal, task: Task[Alloys], rng: Generator) -> tuple[FloatArray, str]:
    own, common = task.own, task.common
    n = int(rng.choice(own.elements))
    shares = np.maximum(rng.dirichlet(np.full(n, own.concentration)), own.least)
    elements = rng.choice(ELEMENTS, n, replace=False)

    def decorate(positions: FloatArray, numbers: IntArray) -> IntArray:
        return builders.solid_solution(numbers, elements, shares / shares.sum(), rng)

    if rng.random() >= own.whole:
        return common.box(crystal.unit, task.descriptor, rng, decorate=decorate), crystal.label
    s = whole_structure(crystal, common.structures, rng, own.whole_atoms)
    alloy = Structure(s.positions, decorate(s.positions, s.numbers), s.cell, s.pbc)
    return describe(imperfect(alloy, common.noise, rng), task.descriptor), crystal.label


def _elemental(crystal: Crystal) -> bool:
    return crystal.info.material_type == "bulk, elemental"


def _close_packed(crystal: Crystal, common: Common, own: Alloys) -> int | None:
    return 1 if _elemental(crystal) and crystal.info.name in CLOSE_PACKED else None


def _other(crystal: Crystal, common: Common, own: Alloys) -> int | None:
    return 1 if _elemental(crystal) and crystal.info.name not in CLOSE_PACKED else None


ALLOYS = OfClass(name="alloys", count=20, settings=Alloys(), times=_other, make=_make)
CLOSE_PACKED_ALLOYS = OfClass(
    name="close_packed_alloys", count=400, settings=Alloys(), times=_close_packed, make=_make
)
