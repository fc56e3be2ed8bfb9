"""How boxes that have the answer of those around them compare with passes of their own, of some chosen at random."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray
from arise_core.model.dropout import REJECTED

#: One of so many boxes is asked all the same, in a large map and in a small one; so many times that makes a large one.
ONE_OF, ONE_OF_FEW, LARGE = 100, 10, 64
#: Share of the answers that may be others, and how improbable more must be by chance for an audit to fail.
OTHER, CHANCE = 0.005, 0.05
#: Root mean square of what the mutual information may be off, bit, where at least so many boxes tell.
OFF, ENOUGH = 2 * REJECTED, 10


@dataclass(frozen=True)
class Audit:
    """Of a map: what was measured where boxes that others answer for were asked all the same."""

    settled: int = 0  # boxes that others answer for
    asked: int = 0  # further such boxes that have passes of their own, chosen at random
    different: int = 0  # of these, by their passes of another class, or rejected or not
    squares: float = 0.0  # sum over these of the squared difference of the mutual information, bit²
    largest: float = 0.0  # the largest difference, bit
    failed: int = (
        0  # boxes that others would have answered for, but all were asked, since too many were different
    )

    @classmethod
    def of(cls, answers: tuple[IntArray, IntArray], information: tuple[FloatArray, FloatArray]) -> Audit:
        """Of boxes that were asked: answers and mutual information (n,), those of others first."""
        off = np.abs(information[0] - information[1])
        different = int((answers[0] != answers[1]).sum())
        return cls(0, len(off), different, float((off**2).sum()), float(off.max(initial=0.0)))

    def __add__(self, other: Audit) -> Audit:
        return Audit(
            self.settled + other.settled,
            self.asked + other.asked,
            self.different + other.different,
            self.squares + other.squares,
            max(self.largest, other.largest),
            self.failed + other.failed,
        )

    @property
    def off(self) -> float:
        """Root mean square difference of the mutual information, bit; NaN if no box was asked."""
        return float(np.sqrt(self.squares / self.asked)) if self.asked else float("nan")

    @property
    def fails(self) -> bool:
        """Whether answers of others cannot be trusted: too many were different, or the doubt is far off."""
        if self.asked >= ENOUGH and self.off > OFF:
            return True
        if not self.different:
            return False
        # takes most of a second, which maps without different answers need not wait for
        from scipy.stats import binom

        return bool(binom.sf(self.different - 1, self.asked, OTHER) < CHANCE)


def total(audits: Iterable[Audit | None]) -> Audit | None:
    """Of several pieces of a map; None where there can be no such boxes."""
    known = [audit for audit in audits if audit is not None]
    return sum(known, Audit()) if known else None


def chosen(boxes: IntArray, n: int) -> BoolArray:
    """Which boxes of a grid of n are asked all the same, (n_boxes,): as good as random, and always the same ones."""
    one_of = min(ONE_OF, max(ONE_OF_FEW, n // LARGE))
    mixed = boxes.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return np.asarray((mixed >> np.uint64(32)) % np.uint64(one_of) == 0)
