"""Boxes at random place and orientation in imperfect crystals and layers."""

from __future__ import annotations

from arise_core.crystals.crystal import Crystal
from arise_core.geometry.arrays import FloatArray
from arise_core.training.samples.common import Common
from arise_core.training.samples.job import Generator
from arise_core.training.samples.kind import NoSettings, OfClass, Task


def _times(crystal: Crystal, common: Common, own: NoSettings) -> int | None:
    return common.box_factors.get(crystal.label, 1) if crystal.dimension > 1 else None


def _make(crystal: Crystal, task: Task[NoSettings], rng: Generator) -> tuple[FloatArray, str]:
    return task.common.box(crystal.unit, task.descriptor, rng), crystal.label


BOXES = OfClass(name="boxes", count=200, settings=NoSettings(), times=_times, make=_make)
