"""Monte Carlo dropout: masks from a counter-based generator, streamed statistics, adaptive passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from arise_core.geometry.arrays import BoolArray, Float32Array, FloatArray, IntArray
from arise_core.progress import Job, Step

#: Passes between two looks at which rows are done; within a block every unit is dropped equally often.
BLOCK = 32
#: A label or rejection is settled when it is this many standard errors away from changing.
SETTLED = 3.0
#: A label that (nearly) all passes agree on is settled when its margin is this many standard deviations over passes
#: from zero: rare passes with another label, which may not have come yet, would carry much mutual information.
RARE = 6.0
#: Passes with another label that are enough to judge by their number.
SEEN = 10


@lru_cache(maxsize=64)
def dropout_masks(seed: int, block: int, widths: tuple[int, ...], rate: float) -> list[Float32Array]:
    """Masks of the 32 passes of a block, a (BLOCK, width) array a layer, 0 or 1 / (1 - rate).

    Every pass by itself is independent Bernoulli dropout. The passes of a block are balanced: a unit is
    dropped in rate * BLOCK of them (one more or less, at random, where that is no whole number), in random
    places. So no unit is forgotten by chance, and averages over a block vary less than over independent passes.
    The generator is keyed by seed, layer and block (Philox): a mask depends on nothing else, not on the number
    of passes, the boxes, the device or the order of calls.
    """
    masks = []
    for layer, width in enumerate(widths):
        generator = np.random.Generator(np.random.Philox(key=seed, counter=[0, layer, block, 0]))
        drops = np.floor(rate * BLOCK + generator.random(width))
        rank = generator.random((BLOCK, width)).argsort(axis=0).argsort(axis=0)
        mask = (rank >= drops).astype(np.float32) * np.float32(1.0 / (1.0 - rate))
        mask.flags.writeable = False
        masks.append(mask)
    return masks


class Statistics:
    """Running sums over passes for n rows; memory does not depend on the number of passes."""

    def __init__(self, n: int, n_classes: int) -> None:
        self.p_sum = np.zeros((n, n_classes))
        self.p_square = np.zeros((n, n_classes))
        self.votes = np.zeros((n, n_classes), dtype=np.int32)
        self.moments = np.zeros((n, 7))  # entropy, z, z², r, r², m, m² (see DropoutMLP.monte_carlo)
        self.passes = np.zeros(n, dtype=np.int64)

    def add(self, rows: IntArray, sums: Sequence[FloatArray], count: int) -> None:
        """Add the sums over `count` more passes for these rows."""
        self.p_sum[rows] += sums[0]
        self.p_square[rows] += sums[1]
        self.votes[rows] += sums[2].astype(np.int32)
        self.moments[rows] += sums[3]
        self.passes[rows] += count

    @property
    def mean(self) -> FloatArray:
        """Mean probabilities, (n, n_classes)."""
        return np.asarray(self.p_sum / self.passes[:, None])

    def reference(self, rows: IntArray) -> FloatArray:
        """log2 of the mean probabilities of these rows, for the next block, (m, n_classes)."""
        mean = self.p_sum[rows] / self.passes[rows, None]
        return np.asarray(np.log2(np.maximum(mean, 1e-12)))

    def predictive_entropy(self) -> FloatArray:
        """Entropy of the mean probabilities, (n,), bit."""
        p = self.mean
        return np.asarray(-(p * np.log2(np.maximum(p, 1e-300))).sum(axis=1))

    def mutual_information(self) -> FloatArray:
        """Entropy of the mean minus mean entropy, (n,), bit; Gal (2016), p. 53."""
        return np.asarray(np.maximum(self.predictive_entropy() - self.moments[:, 0] / self.passes, 0.0))

    def variation_ratio(self) -> FloatArray:
        """1 - share of passes that vote for the most frequent label, (n,); Gal (2016), p. 52."""
        return np.asarray(1.0 - self.votes.max(axis=1) / self.passes)

    def standard_error(self) -> FloatArray:
        """Standard error of the mutual information, (n,), bit.

        To first order the mutual information is the mean over passes of the divergence z of p_t from the mean
        probabilities (delta method), so its error is that of a mean over independent passes; since the passes of
        a block are balanced, the error is smaller than stated. inf after one pass.
        """
        return _mean_error(self.moments[:, 1], self.moments[:, 2], self.passes)

    def reject_mean(self) -> FloatArray:
        """Mean probability of "no crystal", (n,)."""
        return np.asarray(self.moments[:, 3] / self.passes)

    def reject_deviation(self) -> FloatArray:
        """Standard deviation of that probability over passes, (n,)."""
        variance = self.moments[:, 4] / self.passes - self.reject_mean() ** 2
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)))

    def settled(self, rows: IntArray, tolerance: float, threshold: float | None) -> BoolArray:
        """Whether more passes would not change the answer for these rows, (m,)."""
        t = self.passes[rows]
        error = _mean_error(self.moments[rows, 1], self.moments[rows, 2], t)
        p = self.p_sum[rows] / t[:, None]
        spread = np.sqrt(
            np.maximum(self.p_square[rows] / t[:, None] - p**2, 0.0) / np.maximum(t - 1, 1)[:, None]
        )
        done: BoolArray = error < tolerance
        if p.shape[1] > 1:
            two = np.argpartition(-p, 1, axis=1)[:, :2]
            first, second = np.take_along_axis(p, two, 1).T
            done &= np.abs(first - second) > SETTLED * np.take_along_axis(spread, two, 1).sum(axis=1)
        margin = self.moments[rows, 5] / t
        deviation = np.sqrt(np.maximum(self.moments[rows, 6] / t - margin**2, 0.0))
        done &= (margin > RARE * deviation) | (t - self.votes[rows].max(axis=1) >= SEEN)
        if threshold is not None:
            score = self.moments[rows, 3] / t
            done &= np.abs(score - threshold) >= SETTLED * _mean_error(
                self.moments[rows, 3], self.moments[rows, 4], t
            )
        return done


def _mean_error(total: FloatArray, square: FloatArray, count: IntArray) -> FloatArray:
    """Standard error of a mean from sums of values and squares; inf for a single value."""
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.maximum(square / count - (total / count) ** 2, 0.0)
        return np.asarray(np.where(count > 1, np.sqrt(variance / (count - 1)), np.inf))


Evaluate = Callable[[IntArray, list[Float32Array], FloatArray], list[FloatArray]]


def sample(
    n: int,
    n_classes: int,
    evaluate: Evaluate,
    first_reference: FloatArray,
    masks: Callable[[int], list[Float32Array]],
    passes: int,
    tolerance: float | None,
    threshold: float | None,
) -> Job[Statistics]:
    """Run passes for n rows until all are done; yields the share of the work done, returns the statistics.

    The share counts what is left as if no more rows would be done early, so it rises faster where some are.

    Args:
        n: rows.
        n_classes: classes.
        evaluate: (rows, masks, reference) -> sums over these masks, as `DropoutMLP.monte_carlo` gives them.
        first_reference: (n, n_classes), log2 of probabilities without dropout.
        masks: number of a block -> its masks.
        passes: at most.
        tolerance: standard error at which a row is done, bit; None: no row is done early.
        threshold: of the probability of "no crystal", if rows are rejected by it.
    """
    statistics = Statistics(n, n_classes)
    active = np.arange(n)
    done = spent = 0
    while done < passes and len(active):
        count = min(BLOCK, passes - done)
        reference = first_reference[active] if done == 0 else statistics.reference(active)
        block = [mask[:count] for mask in masks(done // BLOCK)]
        statistics.add(active, evaluate(active, block, reference), count)
        done += count
        spent += count * len(active)
        if tolerance is not None:
            active = active[~statistics.settled(active, tolerance, threshold)]
        yield Step(spent / (spent + len(active) * (passes - done)), "network")
    return statistics
