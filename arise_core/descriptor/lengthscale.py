"""The length scale d by which distances are divided, from pair densities or nearest neighbours."""

from __future__ import annotations

import numpy as np

from arise_core.descriptor import loops
from arise_core.geometry.arrays import FloatArray

#: Spacing of ln r on which the pair density is gathered and evaluated.
LOG_STEP = 0.02
#: Relative width by which the pair density is smoothed, and how much of the largest peak the first must have.
SMOOTHING = 0.05
FIRST_PEAK = 0.35
#: Range searched, in nearest-neighbour distances.
SEARCH_RANGE = (0.5, 1.9)


def search_range(nearest: FloatArray) -> tuple[float, float] | None:
    """Distances between which the first peak is looked for, Å, from nearest-neighbour distances (n,).

    None if there is no finite distance. The range spans the spread of the distances, so that it holds the
    first peak of every part of a structure, not only of its majority.
    """
    finite = nearest[np.isfinite(nearest)]
    if len(finite) == 0:
        return None
    # A quantile that copies of the atoms (a supercell) do not shift; off round numbers, so that ties do not.
    low, high = np.quantile(finite, [0.1003, 0.9003], method="inverted_cdf")
    return float(SEARCH_RANGE[0] * low), float(SEARCH_RANGE[1] * high)


def nearest_neighbour_scale(nearest: FloatArray) -> float:
    """Centre of the fullest of 100 bins of nearest-neighbour distances (n,), counts divided by r², Å.

    Leitherer et al. (2021), supplement, "Isotropic scaling". NaN without a finite distance.
    """
    finite = nearest[np.isfinite(nearest)]
    if len(finite) == 0:
        return float("nan")
    low, high = float(finite.min()), float(finite.max())
    if high - low < 1e-9 * high:
        return 0.5 * (low + high)
    counts, edges = np.histogram(finite, bins=100, range=(low, high))
    centres = 0.5 * (edges[1:] + edges[:-1])
    return float(centres[np.argmax(counts / centres**2)])


class PairDensity:
    """Pair density over r², smoothed by 5 % of r, on a logarithmic grid; its first peak is d.

    Args:
        low, high: range searched, Å.
    """

    def __init__(self, low: float, high: float) -> None:
        self.margin = int(np.ceil(3.5 * SMOOTHING / LOG_STEP))
        self.n_grid = max(int(np.ceil(np.log(high / low) / LOG_STEP)) + 1, 3)
        self.log_low = float(np.log(low))
        self.log_start = self.log_low - self.margin * LOG_STEP
        self.n_bins = self.n_grid + 2 * self.margin

    @property
    def limit(self) -> float:
        """Pairs longer than this do not matter, Å."""
        return float(np.exp(self.log_start + (self.n_bins - 1) * LOG_STEP))

    def histogram(self) -> FloatArray:
        """An empty histogram, (n_bins,); `loops.log_histogram` fills it."""
        return np.zeros(self.n_bins)

    def scale(self, histogram: FloatArray) -> float:
        """Position of the first peak, Å; NaN for an empty histogram."""
        return float(self.scales(histogram[None])[0])

    def scales(self, histograms: FloatArray) -> FloatArray:
        """Position of the first peak of each histogram (n, n_bins), (n,), Å; NaN where there is none.

        The peak is refined by a parabola through the logarithms of three values. Without an inner peak, the
        largest value stands in.
        """
        offsets = np.arange(-self.margin, self.margin + 1) * LOG_STEP
        kernel = np.exp(-0.5 * (offsets / SMOOTHING) ** 2)
        scales = np.empty(len(histograms))
        loops.first_peaks(histograms, kernel, self.log_low, LOG_STEP, FIRST_PEAK, scales)
        return scales
