"""Monte Carlo dropout: masks from a counter-based generator, streamed statistics, adaptive passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from arise_core.geometry.arrays import BoolArray, Float32Array, FloatArray, IntArray
from arise_core.model.top import largest
from arise_core.progress import Job, Step
from arise_core.settings import Tolerance

#: Moments of a row that are summed over passes: entropy, z, z², r, r², m, m² (see `DropoutMLP.sums_over_passes`).
N_MOMENTS = 7
#: Passes between two looks at which rows are done; within a block every unit is dropped equally often.
BLOCK = 32
#: Tolerance "auto": standard error of the mutual information, bit, or share of it where that is more.
ABSOLUTE, RELATIVE = 0.02, 0.1
#: The same for what is rejected beyond doubt: which class it is most like decides nothing.
REJECTED = 0.04
#: The same: passes of the first block after which rows are looked at too; most boxes of a crystal are done then.
EARLY = (8, 16)
#: The same: what passes that have not come may add to the mutual information, bit, over the number of passes: where all
#: agree and no other label is to come, and elsewhere.
UNSEEN, UNSEEN_ELSEWHERE = 0.02, 0.2
#: The same: a tie is known closely enough at these standard errors, of the difference of two labels, of the score.
TIE, TIE_SCORE = 0.02, 0.01
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
        self.moments = np.zeros((n, N_MOMENTS))
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
        return entropy(self.mean)

    def mutual_information(self) -> FloatArray:
        """Entropy of the mean minus mean entropy, (n,), bit; Gal (2016), p. 53."""
        return np.asarray(np.maximum(self.predictive_entropy() - self.moments[:, 0] / self.passes, 0.0))

    def variation_ratio(self) -> FloatArray:
        """1 - share of passes that vote for the most frequent label, (n,); Gal (2016), p. 52."""
        return np.asarray(1.0 - self.votes.max(axis=1) / self.passes)

    def standard_error(self, *, few: bool = False) -> FloatArray:
        """Standard error of the mutual information, (n,), bit.

        To first order the mutual information is the mean over passes of the divergence z of p_t from the mean
        probabilities (delta method), so its error is that of a mean over independent passes; since the passes of
        a block are balanced, the error is smaller than stated. inf after one pass.

        Args:
            few: add what passes that have not come may bring (`UNSEEN`), for rows that were done early.
        """
        error = _mean_error(self.moments[:, 1], self.moments[:, 2], self.passes)
        if not few:
            return error
        unanimous = self._unanimous(np.arange(len(self.passes)))
        return np.asarray(np.hypot(error, np.where(unanimous, UNSEEN, UNSEEN_ELSEWHERE) / self.passes))

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
        gap, spread = self._gap(rows)
        distance, score_error = self._distance(rows, threshold)
        done = (error < tolerance) & (gap > SETTLED * spread) & (distance >= SETTLED * score_error)
        return np.asarray(done & (self._unanimous(rows) | (t - self.votes[rows].max(axis=1) >= SEEN)))

    def settled_enough(self, rows: IntArray, threshold: float | None) -> BoolArray:
        """The same with tolerance "auto", for rows that all had the same number of passes, (m,)."""
        t = self.passes[rows]
        distance, score_error = self._distance(rows, threshold)
        error = _mean_error(self.moments[rows, 1], self.moments[rows, 2], t)
        gap, spread = self._gap(rows)
        label = (gap > SETTLED * spread) | (spread < TIE)
        certain = distance >= RARE * score_error
        above = (
            np.zeros(len(rows), dtype=bool) if threshold is None else self.moments[rows, 3] / t > threshold
        )
        rejected = above & certain & label & (error < REJECTED)
        if t.max(initial=0) < BLOCK:
            alike = np.sqrt(self.moments[rows, 2]) < ABSOLUTE  # no pass diverges more from the mean
            return np.asarray(rejected | (alike & self._unanimous(rows) & certain))
        doubt = entropy(self.p_sum[rows] / t[:, None]) - self.moments[rows, 0] / t
        done = label & (error < np.maximum(ABSOLUTE, RELATIVE * doubt))
        return np.asarray(
            rejected | (done & ((distance >= SETTLED * score_error) | (score_error < TIE_SCORE)))
        )

    def hopeless(self, rows: IntArray, error: float, threshold: float | None) -> BoolArray:
        """Whether the expected error of these rows is above one by `SETTLED` standard errors, named or rejected, (m,).

        See `sureness.expected_error`. Never within the first block.
        """
        t = self.passes[rows]
        index, values = largest(self.p_sum[rows] / t[:, None], 1)
        best, p = index[:, 0], np.asarray(values[:, 0])
        spread = _mean_error(p * t, self.p_square[rows, best], t)
        score, score_error = np.zeros(len(rows)), np.zeros(len(rows))
        if threshold is not None:
            score = self.moments[rows, 3] / t
            score_error = _mean_error(self.moments[rows, 3], self.moments[rows, 4], t)
        named = np.minimum(p + SETTLED * spread, 1.0) * np.minimum(1 - score + SETTLED * score_error, 1.0)
        rejected = np.minimum(score + SETTLED * score_error, 1.0)
        return np.asarray((t >= BLOCK) & (1 - np.maximum(named, rejected) > error))

    def _gap(self, rows: IntArray) -> tuple[FloatArray, FloatArray]:
        """By how much the most probable class of these rows leads, and the standard error of that, (m,) each."""
        t = self.passes[rows, None]
        p = self.p_sum[rows] / t
        if p.shape[1] == 1:
            return np.ones(len(rows)), np.zeros(len(rows))
        two, p = largest(p, 2)
        square = self.p_square[rows[:, None], two] / t
        spread = np.sqrt(np.maximum(square - p**2, 0.0) / np.maximum(t - 1, 1))
        return np.abs(p[:, 0] - p[:, 1]), spread.sum(axis=1)

    def _unanimous(self, rows: IntArray) -> BoolArray:
        """Whether no pass with another label is to come in these rows; see `RARE`, (m,)."""
        t = self.passes[rows]
        margin = self.moments[rows, 5] / t
        deviation = np.sqrt(np.maximum(self.moments[rows, 6] / t - margin**2, 0.0))
        return np.asarray(margin > RARE * deviation)

    def _distance(self, rows: IntArray, threshold: float | None) -> tuple[FloatArray, FloatArray]:
        """How far the reject score of these rows is from the threshold, and its standard error, (m,) each."""
        if threshold is None:
            return np.full(len(rows), np.inf), np.zeros(len(rows))
        t = self.passes[rows]
        error = _mean_error(self.moments[rows, 3], self.moments[rows, 4], t)
        return np.abs(self.moments[rows, 3] / t - threshold), error


def entropy(p: FloatArray) -> FloatArray:
    """Entropy of each row of probabilities, (n,), bit."""
    return np.asarray(-(p * np.log2(np.maximum(p, 1e-300))).sum(axis=1))


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
    tolerance: Tolerance,
    threshold: float | None,
    hopeless: float | None = None,
) -> Job[Statistics]:
    """Run passes for n rows until all are done; yields the share of the work done, returns the statistics.

    The share counts what is left as if no more rows would be done early, so it rises faster where some are.

    Args:
        n: rows.
        n_classes: classes.
        evaluate: (rows, masks, reference) -> sums over these masks, as `DropoutMLP.sums_over_passes` gives them.
        first_reference: (n, n_classes), log2 of probabilities without dropout.
        masks: number of a block -> its masks.
        passes: at most.
        tolerance: standard error at which a row is done, bit; "auto": see `Statistics.settled_enough`; None: no row is
            done early.
        threshold: of the probability of "no crystal", if rows are rejected by it.
        hopeless: with the tolerance "auto", expected error beyond which no more is wanted of a row; None: it always is.
    """
    statistics = Statistics(n, n_classes)
    active = np.arange(n)
    done = spent = 0
    while done < passes and len(active):
        begin = done % BLOCK
        early = EARLY if tolerance == "auto" and done < BLOCK else ()
        count = min(next((n for n in early if n > begin), BLOCK) - begin, passes - done)
        reference = first_reference[active] if done == 0 else statistics.reference(active)
        block = [mask[begin : begin + count] for mask in masks(done // BLOCK)]
        statistics.add(active, evaluate(active, block, reference), count)
        done += count
        spent += count * len(active)
        if tolerance == "auto":
            active = active[~statistics.settled_enough(active, threshold)]
            if hopeless is not None:
                active = active[~statistics.hopeless(active, hopeless, threshold)]
        elif tolerance is not None:
            active = active[~statistics.settled(active, tolerance, threshold)]
        yield Step(spent / (spent + len(active) * (passes - done)), "network")
    return statistics
