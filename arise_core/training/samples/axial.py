"""Crystals stretched or compressed along one direction: compounds, and those whose c / a differs much."""

from __future__ import annotations

from dataclasses import dataclass, replace

from arise_core.crystals.crystal import Crystal
from arise_core.geometry import builders
from arise_core.geometry.arrays import FloatArray
from arise_core.training.fields import Table, at_least, share
from arise_core.training.samples.common import Common
from arise_core.training.samples.job import Generator
from arise_core.training.samples.kind import OfClass, Task, is_compound


@dataclass(frozen=True, kw_only=True)
class Axial(Table):
    """Strain along one direction. How large it is says `samples.strains`.

    Args:
        along_c_times: how many times as many samples those classes get that `strains.along_c` names.
        along_c: share of the strains along c of the other classes; the rest are along any direction.
        whole: share of whole structures; the others are boxes.
    """

    along_c_times: int = at_least(0, 10)
    along_c: float = share(0.5)
    whole: float = share(0.3)


def _times(crystal: Crystal, common: Common, own: Axial) -> int | None:
    if crystal.label in common.strains.along_c:
        return own.along_c_times
    return 1 if is_compound(crystal) else None


def _make(crystal: Crystal, task: Task[Axial], rng: Generator) -> tuple[FloatArray, str]:
    own, strains = task.own, task.common.strains
    along_c = crystal.label in strains.along_c or rng.random() < own.along_c
    axis = crystal.unit.cell[2] if along_c else rng.normal(size=3)
    unit = builders.stretched(crystal.unit, axis, rng.uniform(*strains.of(crystal.label)))
    features = task.common.whole_or_box(replace(crystal, unit=unit), own.whole, task.descriptor, rng)
    return features, crystal.label


AXIAL = OfClass(name="axial", settings=Axial(), times=_times, make=_make)
