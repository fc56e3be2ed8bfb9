"""Crystals under elastic strain: stretched or compressed along a direction, films, sheared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from arise_core.crystals.crystal import Crystal
from arise_core.descriptor.soap import describe
from arise_core.geometry import builders
from arise_core.geometry.arrays import FloatArray
from arise_core.settings import DescriptorSettings
from arise_core.training.fields import Table, at_least, share, span
from arise_core.training.samples.job import Generator
from arise_core.training.samples.kind import OfClass, Task, favoured_times

#: Directions of the conventional cell along which crystals are strained most often.
AXES = ((0, 0, 1), (0, 0, 1), (0, 0, 1), (1, 0, 0), (1, 1, 0), (1, 1, 1))


@dataclass(frozen=True, kw_only=True)
class Elastic(Table):
    """Elastic strain.

    Args:
        along: range of the strain along a direction.
        across: range of the strain across it over that along it, with the other sign (Poisson's ratio; 0.5 keeps the
            volume).
        film: share of films: strain in a plane, `in_plane`, with that across it following at constant or relaxing
            volume.
        in_plane: range of the strain in a film.
        sheared: share of sheared crystals.
        shear: simple shear, at most.
        axes: share of directions that are low-index ones of the conventional cell; the others are any.
        largest: share of the strains at the ends of their range, where they are hardest to tell from other crystals.
        apart: distance of normalised descriptors from every other class, at least: what is strained into another
            class is that class.
        beside: share of the samples that are strained towards another class: of `candidates` deformations they have
            the one that comes closest to one.
        candidates: number of these.
        whole: share of whole structures; the others are boxes.
    """

    along: tuple[float, float] = span(-0.06, 0.06, least=-0.5)
    across: tuple[float, float] = span(0.0, 0.5)
    film: float = share(0.15)
    in_plane: tuple[float, float] = span(-0.035, 0.035, least=-0.5)
    sheared: float = share(0.25)
    shear: float = at_least(0, 0.065)
    axes: float = share(0.75)
    largest: float = share(0.4)
    apart: float = at_least(0, 0.003)
    beside: float = share(0.0)
    candidates: int = at_least(1, 12)
    whole: float = share(0.3)


def random_deformation(own: Elastic, rng: Generator) -> FloatArray:
    """A deformation; positions change by `positions @ matrix`, (3, 3)."""
    axis = np.array(AXES[rng.integers(len(AXES))]) if rng.random() < own.axes else rng.normal(size=3)
    axis = axis / np.linalg.norm(axis)
    along, plane = np.outer(axis, axis), np.eye(3) - np.outer(axis, axis)
    kind = rng.random()
    if kind < own.sheared:
        other = plane @ rng.normal(size=3)
        return np.asarray(
            np.eye(3) + own.shear * _size(own, rng) * np.outer(axis, other / np.linalg.norm(other))
        )
    if kind < own.sheared + own.film:
        size = _within(own.in_plane, _size(own, rng))
        ratio = rng.uniform(*own.across)
        return np.asarray(np.eye(3) + size * plane - 2 * ratio / max(1 - ratio, 0.5) * size * along)
    size = _within(own.along, _size(own, rng))
    return np.asarray(np.eye(3) + size * along - rng.uniform(*own.across) * size * plane)


def _size(own: Elastic, rng: Generator) -> float:
    """A number from -1 to 1, often close to its ends."""
    size = rng.uniform(0.7, 1.0) if rng.random() < own.largest else rng.uniform()
    return float(size * rng.choice([-1.0, 1.0]))


def _within(limits: tuple[float, float], size: float) -> float:
    return limits[1] * size if size > 0 else -limits[0] * size


@lru_cache(maxsize=4)
def descriptors(known: tuple[Crystal, ...], settings: DescriptorSettings) -> FloatArray:
    """Normalised descriptors of the classes, (n_classes, n_features)."""
    return np.array([_normalised(describe(c.unit, settings)) for c in known])


def _normalised(vector: FloatArray) -> FloatArray:
    return np.asarray(vector / np.linalg.norm(vector))


def strained(
    crystal: Crystal, known: Sequence[Crystal], own: Elastic, settings: DescriptorSettings, rng: Generator
) -> Crystal:
    """A class under random strain that makes no other class of it."""
    others = descriptors(tuple(known), settings)[[c.label != crystal.label for c in known]]
    number = own.candidates if own.beside and rng.random() < own.beside else 1
    best, nearest = crystal.unit, np.inf
    while number > 0:
        unit = builders.deformed(crystal.unit, random_deformation(own, rng))
        distances = np.linalg.norm(others - _normalised(describe(unit, settings)), axis=1)
        distance = float(distances.min(initial=1.0))
        if distance >= own.apart:
            number -= 1
            if distance < nearest:
                best, nearest = unit, distance
    return replace(crystal, unit=best)


def _make(crystal: Crystal, task: Task[Elastic], rng: Generator) -> tuple[FloatArray, str]:
    own, common = task.own, task.common
    unit = strained(crystal, task.known, own, task.descriptor, rng)
    return common.whole_or_box(unit, own.whole, task.descriptor, rng), crystal.label


ELASTIC = OfClass(name="elastic", settings=Elastic(), times=favoured_times, make=_make)
