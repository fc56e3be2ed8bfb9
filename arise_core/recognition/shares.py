"""How much of a structure is of each class, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.stats import beta

from arise_core.errors import InputError
from arise_core.geometry.arrays import FloatArray
from arise_core.model.classes import MISSING
from arise_core.model.rejection import share_above
from arise_core.recognition.fronts import share_of_a_box
from arise_core.recognition.maps import StridedMap
from arise_core.recognition.result import Recognition
from arise_core.settings import check_number

#: Probability that the share lies in the interval.
INTERVAL = 0.95
#: Standard deviation of the places of fronts, as a share of the edge of the boxes.
SHIFT = 0.1
#: Classes with a smaller mean probability have an interval from their mean alone.
SMALL = 1e-4


class Shares(NamedTuple):
    """Shares of the atoms, (n_classes + 2,): of each class, rejected, and without a prediction."""

    share: FloatArray  # as the atoms are labelled
    low: FloatArray  # ends of the credible interval
    high: FloatArray


def shares_of(found: Recognition, interval: float = INTERVAL) -> Shares:
    """Shares of the atoms by class, with credible intervals from the probabilities of the model.

    An atom is of class k with the probability q_k = p_k (1 - r), p_k of the class, r that it is rejected (the share of
    the passes that reject it, `share_above`). The number of atoms of class k then has the mean sum q_k. Atoms of a box
    are right or wrong together, so the variance is m times that of independent atoms, sum m q_k (1 - q_k), with m
    atoms a box. Fronts are shifted together: a box half of which is crystal has the name of one of the two, and which
    one is a habit of the model, no matter of its doubt. So the variance has a second part, the square of `SHIFT` times
    the share of the atoms that change sides when all fronts shift by a box (`share_of_a_box`); `SHIFT` was measured
    (docs/benchmarks/intervals.md). The share is taken as Beta-distributed with these moments; the interval cuts off
    the same probability at both ends, and is widened to hold the share as labelled. What the model does not doubt, it
    cannot tell: other errors in which it is sure are not in the interval.

    Args:
        found: what was recognised.
        interval: probability that the share lies in the interval, in (0, 1).
    """
    check_interval(interval)
    n, n_classes = len(found), len(found.classes)
    share = np.zeros(n_classes + 2)
    named = found.atom_class
    share[:n_classes] = np.bincount(named[named != MISSING], minlength=n_classes) / n
    share[n_classes] = found.rejected_share
    share[n_classes + 1] = float((found.atoms.index == MISSING).mean())
    low, high = share.copy(), share.copy()
    good = found.atoms.index != MISSING
    if not good.any():
        return Shares(share, low, high)
    rejects = _rejects(found)[good]
    together = _atoms_together(found)
    boxes = _Boxes.of(found)
    chosen = np.flatnonzero(found.probabilities >= SMALL).tolist()
    probabilities = found.probabilities_at_atoms(chosen)[good].astype(np.float64)
    of_classes = probabilities * (1 - rejects)[:, None]
    for k, q in zip([*chosen, n_classes], [*of_classes.T, rejects], strict=True):
        shift = SHIFT * (boxes.fronts([k]) if k < n_classes else boxes.fronts())
        low[k], high[k] = _interval(q, n, together, interval, shift)
    return Shares(share, np.minimum(low, share), np.maximum(high, share))


class Share(NamedTuple):
    """A share of the atoms, and its credible interval."""

    share: float
    low: float
    high: float


def share_of(found: Recognition, classes: Sequence[int] | None = None, interval: float = INTERVAL) -> Share:
    """Share of the atoms that are of some classes, with its credible interval as in `shares_of`.

    Args:
        found: what was recognised.
        classes: indices of the classes; None: any class, all that is not rejected and has a prediction.
        interval: probability that the share lies in the interval, in (0, 1).
    """
    check_interval(interval)
    good = found.atoms.index != MISSING
    named = found.atom_class != MISSING if classes is None else np.isin(found.atom_class, list(classes))
    share = float(named.mean())
    if not good.any():
        return Share(share, share, share)
    q = 1 - _rejects(found)[good]
    if classes is not None:
        q = q * found.probabilities_at_atoms(list(classes))[good].astype(np.float64).sum(axis=1).clip(0, 1)
    shift = SHIFT * _Boxes.of(found).fronts(classes)
    low, high = _interval(q, len(found), _atoms_together(found), interval, shift)
    return Share(share, min(low, share), max(high, share))


def check_interval(interval: float) -> None:
    """Raise InputError unless it is the probability of an interval."""
    if not 0 < check_number("interval", interval) < 1:
        raise InputError(f"`interval` must be in (0, 1), got {interval!r}")


def _rejects(found: Recognition) -> FloatArray:
    """Probability that each atom is rejected, (n_atoms,); a rule that is no matter of passes is believed."""
    certain = found.atom_rejected.astype(np.float64)
    threshold = found.rule.reject_threshold
    if threshold is None:
        return certain
    score = found.atoms if found.whole is None else found.whole
    asked = share_above(score.reject_score, score.reject_deviation, threshold)
    asked = np.broadcast_to(asked, len(found)) if found.whole is not None else asked
    return np.where(np.isnan(asked), certain, asked)


def _atoms_together(found: Recognition) -> float:
    """Atoms that are right or wrong together: those of a box, or all."""
    if found.field is None:
        return float(len(found))
    filled = found.field.n_atoms[found.field.prediction.valid]
    return min(float(filled.mean()), float(len(found)))


@dataclass(frozen=True)
class _Boxes:
    """What the boxes of a map say, to find fronts; a structure that was taken as a whole has none."""

    field: StridedMap | None
    kept: FloatArray  # (n_boxes,), probability that each is not rejected, NaN without a prediction

    @classmethod
    def of(cls, found: Recognition) -> _Boxes:
        if found.field is None:
            return cls(None, np.zeros(0))
        p, threshold = found.field.prediction, found.rule.reject_threshold
        rejects = 0.0 if threshold is None else share_above(p.reject_score, p.reject_deviation, threshold)
        return cls(found.field, np.where(p.valid, 1.0 - rejects, np.nan))

    def fronts(self, classes: Sequence[int] | None = None) -> float:
        """`share_of_a_box` for the fronts of some classes, taken together; None: of all that is not rejected."""
        if self.field is None:
            return 0.0
        values = self.kept
        if classes is not None:
            values = values * self.field.prediction.probabilities[:, list(classes)].sum(axis=1).clip(0, 1)
        return share_of_a_box(self.field, values)


def _interval(
    q: FloatArray, n: int, together: float, interval: float, shift: float = 0.0
) -> tuple[float, float]:
    """Ends of the interval of the share of n atoms of which those with probabilities `q` may be of a class.

    Args:
        q: (n_known,).
        n: all atoms.
        together: atoms that are right or wrong together.
        interval: probability that the share is in it.
        shift: standard deviation of the share that comes from the places of fronts.
    """
    most = len(q) / n
    mean = float(q.mean())
    variance = together * float((q * (1 - q)).mean()) / len(q) + shift**2
    tail = (1 - interval) / 2
    if variance <= 0 or not 0 < mean < 1:
        return mean * most, mean * most
    c = mean * (1 - mean) / variance - 1
    if c <= 0:  # all or nothing
        return most * (mean > 1 - tail), most * (mean >= tail)
    ends: FloatArray = beta.ppf([tail, 1 - tail], mean * c, (1 - mean) * c) * most
    return float(ends[0]), float(ends[1])
