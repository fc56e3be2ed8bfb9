"""Compounds with a few atoms on sites of others."""

from __future__ import annotations

from dataclasses import dataclass

from arise_core.crystals.crystal import Crystal
from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray
from arise_core.training.fields import Table, share
from arise_core.training.samples.common import Common
from arise_core.training.samples.job import Generator
from arise_core.training.samples.kind import OfClass, Task, is_compound


@dataclass(frozen=True, kw_only=True)
class Antisites(Table):
    """Atoms on sites of others.

    Args:
        most: share of the sites that are filled at random, at most.
    """

    most: float = share(0.15)


def shuffled(numbers: IntArray, chosen: BoolArray, rng: Generator) -> IntArray:
    """The atoms on the chosen sites in random order, (n,)."""
    out = numbers.copy()
    out[chosen] = rng.permutation(numbers[chosen])
    return out


def _times(crystal: Crystal, common: Common, own: Antisites) -> int | None:
    return 1 if is_compound(crystal) else None


def _make(crystal: Crystal, task: Task[Antisites], rng: Generator) -> tuple[FloatArray, str]:
    part = task.own.most * rng.uniform()

    def exchanged(positions: FloatArray, numbers: IntArray) -> IntArray:
        return shuffled(numbers, rng.random(len(numbers)) < part, rng)

    return task.common.box(crystal.unit, task.descriptor, rng, decorate=exchanged), crystal.label


ANTISITES = OfClass(name="antisites", settings=Antisites(), times=_times, make=_make)
