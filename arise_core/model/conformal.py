"""How sure a measured rate of errors is, and the threshold that keeps it: conformal risk control.

A *unit* (a frame of a simulation, or a whole run) has scores: one of a structure as a whole, or one of each atom. Its
loss at a threshold is the share of its scores on the wrong side. The rate R(T) is the expectation of the loss of a
further unit. Atoms and boxes of a unit are alike, so they are no units of their own: only units count.

- Without a confidence, the rule of Angelopoulos, Bates, Fisch, Lei, Schuster, "Conformal risk control", ICLR 2024
  (arXiv:2208.02814), Theorem 1: with losses L_i of n units, (ΣL_i(T) + 1) / (n + 1) <= α gives E[L_new(T)] <= α, where
  the expectation is over the n units too (marginal). The units have to be exchangeable. For losses of 0 and 1 it is
  split conformal prediction (Vovk, Gammerman, Shafer, "Algorithmic learning in a random world", 2005).
- With a confidence 1 - δ, P(R(T) <= α) >= 1 - δ over the n units (training-conditional, PAC): the rule of Bates,
  Angelopoulos, Lei, Malik, Jordan, "Distribution-free, risk-controlling prediction sets", J. ACM 68, 43 (2021)
  (arXiv:2101.02703), Theorem 1, with a p-value for R(T) > α. The units have to be independent and of one distribution.
  Losses of 0 and 1: the exact binomial p-value P(Bin(n, α) <= ΣL_i) (Clopper-Pearson; Vovk, "Conditional validity of
  inductive conformal predictors", ACML 2012, arXiv:1209.2673). Shares: that of Hoeffding and Bentkus, ibid. Section
  3.1, the smaller of exp(-n h(min(R̂, α), α)), h the relative entropy of two coins, and e P(Bin(n, α) <= ⌈n R̂⌉).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import rel_entr
from scipy.stats import beta, binom

from arise_core.errors import InputError
from arise_core.geometry.arrays import BoolArray, FloatArray, Reals

#: Halvings by which an upper bound is found.
HALVINGS = 50


@dataclass(frozen=True)
class Scores:
    """Scores of units, as the mean over units of the share of a unit's scores below each value."""

    values: FloatArray  # (n_values,), ascending, each once
    below: FloatArray  # (n_values + 1,), mean share of the scores below each value; 1 above all
    units: int
    single: bool  # whether each unit has one score: its loss is 0 or 1

    @classmethod
    def of(cls, units: Sequence[Sequence[Reals]]) -> Scores:
        """Scores of units, each of one or several frames, which count alike within it.

        Args:
            units: for each unit, for each of its frames, the scores of the frame, (n,), finite.
        """
        parts = [np.asarray(frame, dtype=np.float64) for unit in units for frame in unit]
        shares = [1.0 / len(unit) / len(frame) for unit in units for frame in unit]
        weights = np.repeat(shares, [len(p) for p in parts])
        values, place = np.unique(np.concatenate(parts), return_inverse=True)
        below = np.concatenate([[0.0], np.cumsum(np.bincount(place, weights))]) / len(units)
        below[-1] = 1.0
        return cls(values, below, len(units), all(len(u) == 1 and len(u[0]) == 1 for u in units))

    def share_below(self, threshold: Reals) -> FloatArray:
        """Mean over units of the share of the scores below thresholds."""
        return np.asarray(self.below[np.searchsorted(self.values, threshold, side="left")])


def largest_threshold(scores: Scores, rate: float, confidence: float | None) -> float | None:
    """The largest threshold T at which the rate of scores below it is promised to be at most `rate`; None if none is.

    A unit's loss is the share of its scores below T.
    """
    kept = np.flatnonzero(is_kept(scores.below[:-1], scores, rate, confidence))
    return float(scores.values[kept[-1]]) if len(kept) else None


def smallest_threshold(scores: Scores, rate: float, confidence: float | None) -> float | None:
    """The smallest T at which the rate of scores not below it is promised to be at most `rate`; None if none is."""
    kept = np.flatnonzero(is_kept(1 - scores.below[1:], scores, rate, confidence))
    return float(np.nextafter(scores.values[kept[0]], np.inf)) if len(kept) else None


def is_kept(losses: Reals, scores: Scores, rate: float, confidence: float | None) -> BoolArray:
    """Where mean losses of units, measured, promise that the rate is at most `rate`."""
    n, measured = scores.units, np.asarray(losses, dtype=np.float64)
    if confidence is None:
        return np.asarray((n * measured + 1) / (n + 1) <= rate + 1e-12)
    return np.asarray(_p_value(measured, scores, rate) <= 1 - confidence + 1e-12)


def upper_bound(losses: Reals, scores: Scores, confidence: float | None) -> FloatArray:
    """The smallest rate that mean losses of units promise, each by itself.

    Without a confidence, the expectation of the loss of a further unit is below it.
    """
    n, measured = scores.units, np.asarray(losses, dtype=np.float64)
    if confidence is None:
        return np.asarray((n * measured + 1) / (n + 1))
    if scores.single:
        wrong = np.round(n * measured)
        return np.where(wrong < n, beta.ppf(confidence, wrong + 1, np.maximum(n - wrong, 1)), 1.0)
    low, high = measured.copy(), np.ones_like(measured)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        kept = _p_value(measured, scores, middle) <= 1 - confidence
        low, high = np.where(kept, low, middle), np.where(kept, middle, high)
    return high


def fewest_units(rate: float, confidence: float | None) -> int:
    """Units that are needed at least to promise a rate, if not one score is on the wrong side."""
    if confidence is None:
        return math.ceil(1 / rate - 1 - 1e-9)
    return math.ceil(math.log(1 - confidence) / math.log(1 - rate) - 1e-9)


def check_promise(rate: float, confidence: float | None) -> None:
    """Raise InputError unless both are shares, neither 0 nor 1; no confidence is None."""
    for name, value in (("rate", rate), ("confidence", 0.5 if confidence is None else confidence)):
        if not 0 < value < 1:
            raise InputError(f"`{name}` must be between 0 and 1, got {value}")


def _p_value(measured: FloatArray, scores: Scores, rate: float | FloatArray) -> FloatArray:
    """Of the hypothesis that the expectation of the loss is above `rate`."""
    n = scores.units
    if scores.single:
        return np.asarray(binom.cdf(np.round(n * measured), n, rate))
    least = np.minimum(measured, rate)
    hoeffding = np.exp(-n * (rel_entr(least, rate) + rel_entr(1 - least, 1 - np.asarray(rate))))
    bentkus = math.e * binom.cdf(np.ceil(n * measured - 1e-9), n, rate)
    return np.asarray(np.minimum(hoeffding, bentkus))
