"""How much of a structure is of each class, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import beta

from arise_core.errors import InputError
from arise_core.geometry.arrays import FloatArray
from arise_core.model.classes import MISSING
from arise_core.recognition.between import rejects
from arise_core.recognition.fronts import share_of_a_box
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
    share[:n_classes] = found.class_counts / n
    share[n_classes] = found.rejected_share
    share[n_classes + 1] = float((found.atoms.index == MISSING).mean())
    low, high = share.copy(), share.copy()
    good = int((found.atoms.index != MISSING).sum())
    if not good:
        return Shares(share, low, high)
    if found.whole is not None:
        r = rejects(found.whole, found.rule)
        means = np.concatenate([found.probabilities.astype(np.float64) * (1 - r), r])
        doubts = means * (1 - means)
    else:
        sums = found.sums()
        assert sums.named is not None
        assert sums.doubted is not None
        means, doubts = sums.named / good, sums.doubted / good
    for k in [*np.flatnonzero(found.probabilities >= SMALL).tolist(), n_classes]:
        shift = SHIFT * found.fronts(k if k < n_classes else None)
        low[k], high[k] = _ends(
            float(means[k]), float(doubts[k]), good, n, found.atoms_a_box, interval, shift
        )
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
    rejected = rejects(found.atoms if found.whole is None else found.whole, found.rule)
    q = 1 - (rejected[good] if found.whole is None else np.full(int(good.sum()), rejected[0]))
    if classes is not None:
        q = q * found.probabilities_at_atoms(list(classes))[good].astype(np.float64).sum(axis=1).clip(0, 1)
    shift = SHIFT * _fronts_of(found, classes)
    low, high = _interval(q, len(found), found.atoms_a_box, interval, shift)
    return Share(share, min(low, share), max(high, share))


def check_interval(interval: float) -> None:
    """Raise InputError unless it is the probability of an interval."""
    if not 0 < check_number("interval", interval) < 1:
        raise InputError(f"`interval` must be in (0, 1), got {interval!r}")


def _fronts_of(found: Recognition, classes: Sequence[int] | None) -> float:
    """`share_of_a_box` for the fronts of some classes, taken together; None: of all that is not rejected."""
    if classes is None or found.field is None:
        return found.fronts()
    p = found.field.prediction
    values = p.probabilities[:, list(classes)].sum(axis=1, dtype=np.float64).clip(0, 1)
    values = np.where(p.valid, values * (1 - rejects(p, found.rule)), np.nan)
    return share_of_a_box(found.field.grid, values, found.field.resolution, found.field.n_atoms)


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
    return _ends(float(q.mean()), float((q * (1 - q)).mean()), len(q), n, together, interval, shift)


def _ends(
    mean: float, doubt: float, count: int, n: int, together: float, interval: float, shift: float
) -> tuple[float, float]:
    """`_interval` by the means of q and of q (1 - q) over `count` atoms."""
    most = count / n
    variance = min(together, float(n)) * doubt / count + shift**2
    tail = (1 - interval) / 2
    if variance <= 0 or not 0 < mean < 1:
        return mean * most, mean * most
    c = mean * (1 - mean) / variance - 1
    if c <= 0:  # all or nothing
        return most * (mean > 1 - tail), most * (mean >= tail)
    ends: FloatArray = beta.ppf([tail, 1 - tail], mean * c, (1 - mean) * c) * most
    return float(ends[0]), float(ends[1])
