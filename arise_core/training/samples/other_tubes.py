"""Tubes and cages that are none of the classes, from which a model learns to reject those that it does not know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from arise_core.crystals.crystal import Crystal, fingerprint
from arise_core.crystals.naming import UNKNOWN
from arise_core.descriptor.soap import describe
from arise_core.errors import InputError
from arise_core.geometry import sheets
from arise_core.geometry.arrays import FloatArray
from arise_core.geometry.structure import Structure
from arise_core.training.fields import AS_DETAIL, Table, at_least, share, span
from arise_core.training.samples.job import Generator
from arise_core.training.samples.kind import OfNone, Task
from arise_core.training.samples.noise import Noise, imperfect

#: Length of a bond, Å (the descriptor does not depend on it), and the sites of carbon and of boron nitride.
BOND = 1.42
CARBON, NITRIDE = (6, 6), (5, 7)


def _mild() -> Noise:
    return Noise(uniform=0.06, gaussian=0.05, missing=0.1, ideal=0.3, whole=0.7)


@dataclass(frozen=True, kw_only=True)
class OtherTubes(Table):
    """Whole tubes and cages; in boxes that are cut from wide ones nothing tells them from a layer.

    Args:
        noise: imperfections. In a strongly distorted tube nothing tells its indices.
        indices: range of the larger index of a tube, even on a logarithmic scale; the smaller one is any.
        length: range of the length of a tube, Å, even on a logarithmic scale; it is no shorter than its radius.
        atoms: of a tube at most; it is shorter for them.
        periodic: share of periodic tubes, of those with so short a period.
        nitride: share of tubes of two elements, as boron nitride.
        double: share of pairs of tubes in each other.
        gap: range of the distance between their walls, Å.
        distance: of the fingerprint of a tube from those of classes without indices (a user's own tubes), at least.
        cages: share of cages.
        steps: range of the numbers h + k of icosahedral cages; C20 and C60 are 1 and 2.
    """

    noise: Noise = field(default_factory=_mild, metadata=AS_DETAIL)
    indices: tuple[int, int] = span(3, 20, least=1)
    length: tuple[float, float] = span(8.0, 40.0, least=1)
    atoms: int = at_least(1, 700)
    periodic: float = share(0.4)
    nitride: float = share(0.15)
    double: float = share(0.12)
    gap: tuple[float, float] = span(3.1, 3.7, least=0)
    distance: float = at_least(0, 0.04)
    cages: float = share(0.2)
    steps: tuple[int, int] = span(1, 5, least=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = self.indices
        radii = np.array([sheets.tube_radius(n, m, BOND) for n in range(low, high + 1) for m in range(n + 1)])
        apart = radii[:, None] - radii
        if self.double and not ((apart >= self.gap[0]) & (apart <= self.gap[1])).any():
            raise InputError(f"`gap` must be one between tubes of `indices` {self.indices}, got {self.gap}")


def other_tube(known: Sequence[Crystal], own: OtherTubes, rng: Generator) -> Structure:
    """A tube, a pair of tubes in each other, or a cage, none of which is a known one.

    Args:
        known: the classes.
        own: how often which, and their sizes.
        rng: random numbers.
    """
    kind = rng.random()
    if kind < own.cages:
        total = int(rng.integers(own.steps[0], own.steps[1] + 1))
        k = int(rng.integers(0, total // 2 + 1))
        return sheets.cage(total - k, k, bond=BOND)
    taken = {(c.tube.n, c.tube.m) for c in known if c.tube is not None}
    numbers = NITRIDE if rng.random() < own.nitride else CARBON
    low, high = np.log(own.length)
    length = np.exp(rng.uniform(low, high))
    if kind < own.cages + own.double:
        return _double(own, numbers, length, rng)
    prints = [c.fingerprint for c in known if c.dimension == 1 and c.tube is None]
    n, m = _indices(own, rng)
    while (n, m) in taken or any(
        np.linalg.norm(p - tube_print(n, m, numbers)) < own.distance for p in prints
    ):
        n, m = _indices(own, rng)
    period, per_period = sheets.tube_period(n, m, BOND)
    length = min(max(length, sheets.tube_radius(n, m, BOND)), own.atoms / per_period * period)
    periods = int(length / period + 1e-9)
    if periods > 0 and rng.random() < own.periodic:
        return sheets.nanotube(n, m, bond=BOND, periods=periods, numbers=numbers)
    return sheets.tube_piece(n, m, length, rng, bond=BOND, numbers=numbers)


@cache
def tube_print(n: int, m: int, numbers: tuple[int, int]) -> FloatArray:
    """Fingerprint of a tube, (315,)."""
    return fingerprint(sheets.nanotube(n, m, bond=BOND, numbers=numbers))


def _indices(own: OtherTubes, rng: Generator) -> tuple[int, int]:
    low, high = own.indices
    n = int(np.exp(rng.uniform(np.log(low), np.log(high + 1))))
    return n, int(rng.integers(0, n + 1))


def _double(own: OtherTubes, numbers: tuple[int, int], length: float, rng: Generator) -> Structure:
    """An open tube in another one, whose walls are `own.gap` apart."""
    while True:
        (n, m), (k, j) = _indices(own, rng), _indices(own, rng)
        inner, outer = sheets.tube_radius(n, m, BOND), sheets.tube_radius(k, j, BOND)
        if own.gap[0] <= outer - inner <= own.gap[1]:
            break
    density = 4 / np.sqrt(3) * 2 * np.pi * (inner + outer) / (3 * BOND**2)  # atoms an Å of length
    length = min(length, own.atoms / density)
    walls = [sheets.tube_piece(*pair, length, rng, bond=BOND, numbers=numbers) for pair in ((n, m), (k, j))]
    return Structure(np.concatenate([w.positions for w in walls]), np.concatenate([w.numbers for w in walls]))


def _make(task: Task[OtherTubes], rng: Generator) -> tuple[FloatArray, str]:
    tube = other_tube(task.known, task.own, rng)
    return describe(imperfect(tube, task.own.noise, rng), task.descriptor), UNKNOWN


OTHER_TUBES = OfNone(name="other_tubes", settings=OtherTubes(), make=_make)
