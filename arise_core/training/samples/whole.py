"""Whole structures with imperfections."""

from __future__ import annotations

from arise_core.crystals.crystal import Crystal
from arise_core.geometry.arrays import FloatArray
from arise_core.training.samples.job import Generator
from arise_core.training.samples.kind import NoSettings, OfClass, Task


def _make(crystal: Crystal, task: Task[NoSettings], rng: Generator) -> tuple[FloatArray, str]:
    return task.common.whole(crystal, task.descriptor, rng), crystal.label


WHOLE = OfClass(name="whole", count=150, settings=NoSettings(), times=lambda c, common, own: 1, make=_make)
