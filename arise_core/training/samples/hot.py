"""Crystals at temperatures at which atoms move furthest without losing their places."""

from __future__ import annotations

from dataclasses import dataclass, field

from arise_core.crystals.crystal import Crystal
from arise_core.geometry.arrays import FloatArray
from arise_core.training.fields import AS_DETAIL, Table, at_least, share, span
from arise_core.training.samples.job import Generator
from arise_core.training.samples.kind import OfClass, Task, common_times
from arise_core.training.samples.noise import Noise


def _noise() -> Noise:
    return Noise(
        gaussian=0.14, weakest=0.6, waves=1.0, independent=0.0, anisotropy=(0.7, 8.0), springs=0.6, ideal=0.0,
        missing=0.02, whole=0.9, cores=0.75,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Hot(Table):
    """Hot crystals.

    Args:
        atoms: range of the number of atoms in a box.
        common_from: box factor of a class from which it has samples: what is met often.
        whole: share of whole structures.
        noise: imperfections.
    """

    atoms: tuple[int, int] = span(24, 500, least=1)
    common_from: int = at_least(0, 5)
    whole: float = share(0.15)
    noise: Noise = field(default_factory=_noise, metadata=AS_DETAIL)


def _make(crystal: Crystal, task: Task[Hot], rng: Generator) -> tuple[FloatArray, str]:
    own, common = task.own, task.common
    if rng.random() < own.whole:
        return common.whole(crystal, task.descriptor, rng, own.noise), crystal.label
    return common.box(crystal.unit, task.descriptor, rng, atoms=own.atoms, noise=own.noise), crystal.label


HOT = OfClass(name="hot", settings=Hot(), times=common_times, make=_make)
