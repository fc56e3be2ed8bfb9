"""How much the passes of a network doubt the decision to reject."""

from __future__ import annotations

import numpy as np
from scipy.special import betainc

from arise_core.geometry.arrays import FloatArray


def share_above(mean: FloatArray, deviation: FloatArray, threshold: float) -> FloatArray:
    """Share of the passes whose score r is at least the threshold, (n,), from mean and deviation of r over passes.

    r is taken as Beta-distributed: with mean m, variance v and c = m (1 - m) / v - 1 it has the parameters
    a = m c and b = (1 - m) c, and P(r >= T) = 1 - I_T(a, b), the regularised incomplete beta function. Without a
    variance P is 0 or 1, and ½ for a mean at the threshold itself, the limit of small variances; with the largest
    that there is, m (1 - m), each pass says 0 or 1, and P is m.

    Args:
        mean: (n,), of r, in [0, 1].
        deviation: (n,), standard deviation of r over passes; NaN where it is not known.
        threshold: T, in [0, 1].
    """
    m, v = np.asarray(mean, dtype=np.float64), np.asarray(deviation, dtype=np.float64) ** 2
    if threshold <= 0:
        return np.where(np.isfinite(m + v), 1.0, np.nan)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        c = m * (1 - m) / v - 1
        spread = (v > 0) & (m > 0) & (m < 1) & np.isfinite(c)
        share = np.where(m == threshold, 0.5, (m > threshold).astype(np.float64))
        share[spread & (c <= 0)] = m[spread & (c <= 0)]
        beta = spread & (c > 0)
        a, b = (m * c)[beta], ((1 - m) * c)[beta]
    share[beta] = betainc(b, a, 1 - threshold)  # 1 - I_T(a, b) without the loss of digits
    share[~np.isfinite(m + v)] = np.nan
    return share


def decision_entropy(mean: FloatArray, deviation: FloatArray, threshold: float | None) -> FloatArray:
    """Doubt of the decision to reject, (n,), bit: the binary entropy of the share of passes that decide for it.

    0 where all passes agree, and where there is no threshold; 1 where half of them would reject. NaN without a
    prediction or where the deviation is not known.

    Args:
        mean: (n,), of the score over passes; NaN without a prediction.
        deviation: (n,), its standard deviation over passes.
        threshold: from which a pass rejects; None: never.
    """
    if threshold is None:
        return np.where(np.isfinite(mean), 0.0, np.nan)
    p = share_above(mean, deviation, threshold)
    q = 1 - p
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = [np.where(x > 0, -x * np.log2(x), 0.0) for x in (p, q)]
    return np.where(np.isnan(p), np.nan, terms[0] + terms[1])
