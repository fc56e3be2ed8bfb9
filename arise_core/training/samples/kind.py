"""What a kind of samples is: a name, its numbers, the classes that it applies to, and how one sample is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from arise_core.crystals.crystal import Crystal
from arise_core.geometry.arrays import FloatArray
from arise_core.settings import DescriptorSettings
from arise_core.training.fields import Table
from arise_core.training.samples.common import Common
from arise_core.training.samples.job import Generator

S = TypeVar("S", bound=Table)


@dataclass(frozen=True, kw_only=True)
class Task(Generic[S]):
    """What a maker of samples works with.

    Args:
        known: all classes.
        common: settings that kinds share.
        own: settings of the kind.
        descriptor: settings of the descriptor.
    """

    known: Sequence[Crystal]
    common: Common
    own: S
    descriptor: DescriptorSettings


@dataclass(frozen=True, kw_only=True)
class OfClass(Generic[S]):
    """A kind of which there are so many samples a class.

    Args:
        name: key in the recipe: `samples.NAME` is the number of samples, `[samples.settings.NAME]` has the settings.
        count: samples a class, by default.
        settings: of the kind, the defaults.
        times: how many times as many samples a class gets; None: the kind does not apply to it.
        make: one sample of a class: its descriptor, NaN if it is to be drawn again, and its label.
    """

    name: str
    count: int = 0
    settings: S
    times: Callable[[Crystal, Common, S], int | None]
    make: Callable[[Crystal, Task[S], Generator], tuple[FloatArray, str]]


@dataclass(frozen=True, kw_only=True)
class OfNone(Generic[S]):
    """A kind of which there are so many samples in all, which are of no class.

    Args:
        name, count, settings: as `OfClass`.
        make: one sample.
    """

    name: str
    count: int = 0
    settings: S
    make: Callable[[Task[S], Generator], tuple[FloatArray, str]]


@dataclass(frozen=True, kw_only=True)
class NoSettings(Table):
    """Of kinds without numbers of their own."""


def bulk_times(crystal: Crystal, common: Common, own: Table) -> int | None:
    """As many times as there are boxes, for bulk crystals."""
    return common.box_factors.get(crystal.label, 1) if crystal.dimension == 3 else None


def favoured_times(crystal: Crystal, common: Common, own: Table) -> int | None:
    """As many times as there are boxes, for bulk crystals that have a factor."""
    return common.box_factors.get(crystal.label) if crystal.dimension == 3 else None


def common_times(crystal: Crystal, common: Common, own: Any) -> int | None:
    """As many times as there are boxes, for bulk crystals whose factor is at least `own.common_from`; 0 for others."""
    times = favoured_times(crystal, common, own)
    return 0 if times is not None and times < own.common_from else times


def is_compound(crystal: Crystal) -> bool:
    """Whether a class is a bulk crystal of several elements."""
    return crystal.dimension == 3 and len(crystal.unit.species) > 1
