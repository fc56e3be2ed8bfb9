"""Values between the centres of boxes: labels and doubts at points, and sums of them over many points."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from arise_core.geometry.arrays import BoolArray, Float32Array, FloatArray, IntArray
from arise_core.model.classes import MISSING
from arise_core.model.prediction import Prediction, Rule
from arise_core.model.rejection import share_above
from arise_core.model.top import TopProbabilities, largest
from arise_core.recognition import loops
from arise_core.runtime import threads
from arise_core.settings import Between

#: Columns of what is read off beside probabilities, and where the reject score stands among them.
SCALARS = (
    "mutual_information", "predictive_entropy", "variation_ratio", "reject_score", "reject_deviation",
)  # fmt: skip
SCORE = SCALARS.index("reject_score")
#: Boxes count by exp(-SURENESS * predictive entropy in bit) where those that are sure of a class count more.
SURENESS = 2.0
#: Points at which all fields are interpolated at once.
POINTS = 20_000


@dataclass(frozen=True)
class PointValues:
    """Values of a map at points, interpolated between the centres of boxes; NaN (index -1) without a box."""

    index: IntArray  # (n,), most probable class
    confidence: FloatArray  # (n,), its probability
    mutual_information: FloatArray  # (n,), bit
    predictive_entropy: FloatArray  # (n,), bit
    variation_ratio: FloatArray  # (n,)
    reject_score: FloatArray  # (n,)
    reject_deviation: FloatArray  # (n,), of the score over passes
    probabilities: NDArray[np.float32]  # (n, n_chosen), of the classes asked for

    @classmethod
    def of(
        cls, index: IntArray, confidence: FloatArray, scalars: FloatArray, probabilities: Float32Array
    ) -> PointValues:
        """With the columns `SCALARS` together, (n, 5)."""
        columns = dict(zip(SCALARS, scalars.T, strict=True))
        return cls(index=index, confidence=confidence, probabilities=probabilities, **columns)

    @classmethod
    def nowhere(cls, n: int, n_chosen: int = 0) -> PointValues:
        """Those of n points without a box, to be put in."""
        probabilities = np.full((n, n_chosen), np.nan, dtype=np.float32)
        scalars = np.full((n, len(SCALARS)), np.nan)
        return cls.of(np.full(n, MISSING, dtype=np.int64), np.full(n, np.nan), scalars, probabilities)

    def put(self, rows: IntArray | slice, values: PointValues) -> None:
        """Put values of some points in their places."""
        for name in ("index", "confidence", *SCALARS, "probabilities"):
            getattr(self, name)[rows] = getattr(values, name)


@dataclass(frozen=True)
class Sums:
    """Sums over points with a prediction, of all that a mean, a share or its interval is made of.

    With q_k = p_k (1 - r) of each class, p_k its probability and r that of being rejected, and q = r behind them.
    """

    count: int
    probabilities: FloatArray  # (n_classes,), of p_k
    entropy: float  # predictive, bit
    score: float  # that rejects
    named: FloatArray | None = None  # (n_classes + 1,), of q
    doubted: FloatArray | None = None  # (n_classes + 1,), of q (1 - q)

    @classmethod
    def nothing(cls, n_classes: int, *, named: bool) -> Sums:
        """Those over no point."""
        zero = np.zeros(n_classes + 1) if named else None
        return cls(0, np.zeros(n_classes), 0.0, 0.0, zero, zero)

    def __add__(self, other: Sums) -> Sums:
        both = self.named is not None and other.named is not None
        return Sums(
            self.count + other.count,
            self.probabilities + other.probabilities,
            self.entropy + other.entropy,
            self.score + other.score,
            self.named + other.named if both else None,  # type: ignore[operator]
            self.doubted + other.doubted if both else None,  # type: ignore[operator]
        )

    @property
    def means(self) -> FloatArray:
        """Of each probability, of the entropy, of the score, (n_classes + 2,); NaN without a point."""
        sums = np.array([*self.probabilities, self.entropy, self.score])
        return np.asarray(sums / self.count) if self.count else np.full(len(sums), np.nan)


def rejects(values: PointValues | Prediction, rule: Rule) -> FloatArray:
    """Probability that each is rejected, (n,); a rule that is no matter of passes is believed."""
    certain = rule.rejected(values).astype(np.float64)
    if rule.reject_threshold is None:
        return certain
    asked = share_above(values.reject_score, values.reject_deviation, rule.reject_threshold)
    return np.where(np.isnan(asked), certain, asked)


@dataclass(frozen=True)
class Nodes:
    """A block of the boxes of a grid, between whose centres values are read off.

    Points have the coordinates of the whole grid; all boxes that they need must be in the block.
    """

    prediction: Prediction  # of the boxes, the last axis fastest
    shape: tuple[int, int, int]  # of the block
    count: IntArray  # (3,), boxes of the whole grid along each axis
    wrap: BoolArray  # (3,), axes along which the grid repeats
    between: Between
    sharp: bool  # whether boxes have several sizes
    first: IntArray  # (3,), box of the grid that is the first of the block

    def read(self, at: FloatArray, classes: tuple[int, ...] = ()) -> PointValues:
        """Values at grid coordinates (n, 3).

        Args:
            at: NaN where no box is near.
            classes: indices of classes whose probabilities are wanted.
        """
        return self.summed(at, classes)[0]

    def summed(
        self, at: FloatArray, classes: tuple[int, ...] = (), rule: Rule | None = None
    ) -> tuple[PointValues, Sums]:
        """`read`, and sums over the points.

        Args:
            at, classes: see `read`.
            rule: by which points are named, if sums of that are wanted.
        """
        found = PointValues.nowhere(len(at), len(classes))
        sums = Sums.nothing(len(self.prediction.classes), named=rule is not None)
        for rows, values, some in self._chunks(at, classes, rule):
            found.put(rows, values)
            sums += some
        return found, sums

    def sums(self, at: FloatArray, rule: Rule) -> Sums:
        """The sums alone."""
        sums = Sums.nothing(len(self.prediction.classes), named=True)
        for _, _, some in self._chunks(at, (), rule):
            sums += some
        return sums

    def _chunks(
        self, at: FloatArray, classes: tuple[int, ...], rule: Rule | None
    ) -> Iterator[tuple[slice, PointValues, Sums]]:
        """Some points after the other: their rows, values, and sums over them."""
        probabilities, scalars = self._probabilities, self._scalars
        if self.between == "sure":
            _ = self._sureness  # made once, not by each thread

        def one(first: int) -> tuple[slice, PointValues, Sums]:
            rows = slice(first, min(first + POINTS, len(at)))
            here = at[rows]
            p = np.empty((len(here), len(self.prediction.classes)), dtype=np.float32)
            self.interpolate(probabilities, here, p)
            self.weigh(probabilities, here, p)
            read = np.empty((len(here), scalars.shape[3]), dtype=np.float32)
            self.interpolate(scalars, here, read)
            out = read.astype(np.float64)
            out[:, SCORE] = self._score(out[:, SCORE])
            index, confidence = (column[:, 0] for column in largest(p, 1))
            values = PointValues.of(
                index.astype(np.int64), confidence.astype(np.float64), out, p[:, list(classes)]
            )
            return rows, values, _sums(values, p, rule)

        return threads.in_order(one, range(0, len(at), POINTS))

    @property
    def _probabilities(self) -> Float32Array | TopProbabilities:
        p = self.prediction.probabilities
        return p if isinstance(p, TopProbabilities) else p.reshape(*self.shape, -1)

    @property
    def _scalars(self) -> Float32Array:
        scalars = np.stack([getattr(self.prediction, name) for name in SCALARS], axis=1)
        scalars[:, SCORE] = self._decision(scalars[:, SCORE])
        return scalars.astype(np.float32).reshape(*self.shape, -1)

    def _decision(self, score: FloatArray) -> FloatArray:
        """What is interpolated for a reject score, (n,): in maps of several sizes ½ at the threshold, 0 and 1 as it is.

        So a point half-way between two boxes, one a crystal and one rejected, is neither: interpolated by itself, the
        score (0 of most crystals, 1 of most melts, and a threshold of 0.05) would reject nearly all of the way.
        """
        threshold = self.prediction.reject_threshold
        if not self.sharp or threshold is None or not 0 < threshold < 1:
            return score
        return np.asarray(np.interp(score, (0.0, threshold, 1.0), (0.0, 0.5, 1.0)))

    def _score(self, decision: FloatArray) -> FloatArray:
        """The reject score whose `_decision` this is, (n,)."""
        threshold = self.prediction.reject_threshold
        if not self.sharp or threshold is None or not 0 < threshold < 1:
            return decision
        return np.asarray(np.interp(decision, (0.0, 0.5, 1.0), (0.0, threshold, 1.0)))

    def interpolate(self, values: Float32Array | TopProbabilities, at: FloatArray, out: Float32Array) -> None:
        """As `loops.interpolate`; NaN for points whose coordinates are NaN."""
        nowhere = np.asarray(np.isnan(at).any(axis=1))
        here = np.where(nowhere[:, None], 0.0, at)
        loops.interpolate(*self._fields(values), self.first, self.count, here, self.wrap, out)
        out[nowhere] = np.nan

    def weigh(
        self, probabilities: Float32Array | TopProbabilities, at: FloatArray, out: Float32Array
    ) -> None:
        """With `between` "sure", put means over 4 x 4 x 4 boxes in place of the linear ones; NaN stays."""
        if self.between == "linear":
            return
        known = np.isfinite(out).all(axis=1)
        means = np.empty((int(known.sum()), out.shape[1]), dtype=np.float32)
        fields = self._fields(probabilities)
        loops.smooth(*fields, self._sureness, self.first, self.count, at[known], self.wrap, means)
        out[known] = means

    def _fields(self, values: Float32Array | TopProbabilities) -> tuple[Float32Array, NDArray[np.int16]]:
        """Values of the nodes, and which fields they are of where that differs from node to node."""
        if isinstance(values, TopProbabilities):
            shape = (*self.shape, -1)
            return values.kept.reshape(shape), values.index.reshape(shape)
        return values, np.empty((0, 0, 0, 0), dtype=np.int16)

    @cached_property
    def _sureness(self) -> FloatArray:
        """Weights of the boxes in `weigh`, of the shape of the block."""
        entropy = np.nan_to_num(self.prediction.predictive_entropy.astype(np.float64))
        return np.exp(-SURENESS * entropy).reshape(self.shape)


def _sums(values: PointValues, probabilities: Float32Array, rule: Rule | None) -> Sums:
    """Over some points."""
    good = values.index != MISSING
    p = probabilities[good]
    entropy, score = values.predictive_entropy[good].sum(), values.reject_score[good].sum()
    named = doubted = None
    if rule is not None:
        r = rejects(values, rule)[good]
        q = np.concatenate([p * (1 - r)[:, None], r[:, None]], axis=1)
        named, doubted = q.sum(axis=0), (q * (1 - q)).sum(axis=0)
    return Sums(
        int(good.sum()), p.sum(axis=0, dtype=np.float64), float(entropy), float(score), named, doubted
    )
