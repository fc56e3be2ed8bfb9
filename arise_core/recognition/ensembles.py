"""Several boxes as an ensemble, as the passes within each are one: what they say together, and the doubt of that.

With p the probabilities and r the reject score of a box, it says q = (p (1 - r), r): "none of these" is one more class
here. The predictive entropy is that of the mean of all q, the mutual information what it has more than single passes on
average; the entropy of these is H(q) less 1 - r times the mutual information of the box. So a twin plane, at which a
small box says hcp and a large one fcc, is in doubt, and a grain boundary, at which a small box sees no crystal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray
from arise_core.model.dropout import entropy
from arise_core.model.prediction import Prediction
from arise_core.model.sureness import answers


@dataclass(frozen=True)
class Ensemble:
    """What the boxes of each of n centres say together."""

    mean: FloatArray  # (n, n_classes + 1), of the classes and of none of them
    single: FloatArray  # (n,), mean entropy of single passes, bit
    standard_error: FloatArray  # (n,), of the mutual information, bit

    @classmethod
    def of(cls, said: Prediction) -> Ensemble:
        """Of one box at each centre."""
        score = said.reject_score if said.reject_threshold is not None else np.zeros(len(said))
        named = np.asarray(said.probabilities, dtype=np.float64) * (1 - score)[:, None]
        mean = np.concatenate([named, score[:, None]], axis=1)
        single = entropy(mean) - (1 - score) * said.mutual_information
        return cls(mean, np.asarray(single), said.standard_error.astype(np.float64))

    @classmethod
    def joined(cls, parts: Sequence[Ensemble]) -> Ensemble:
        """Of several centres, at least one part, one behind the other."""
        return cls(
            *(
                np.concatenate(c)
                for c in zip(*((p.mean, p.single, p.standard_error) for p in parts), strict=True)
            )
        )

    def __len__(self) -> int:
        return len(self.single)

    def take(self, rows: IntArray) -> Ensemble:
        """Of some centres."""
        return Ensemble(self.mean[rows], self.single[rows], self.standard_error[rows])

    def put(self, rows: IntArray | BoolArray, other: Ensemble) -> None:
        """Put others in the place of some."""
        self.mean[rows], self.single[rows], self.standard_error[rows] = (
            other.mean,
            other.single,
            other.standard_error,
        )

    def with_others(self, rows: IntArray, near: IntArray, share: float) -> Ensemble:
        """Some of these, (n,), with the mean of others, (n, n_near), -1 for none, which count by a share."""
        count = (near >= 0).sum(axis=1)
        each = np.where(count > 0, share / np.maximum(count, 1), 0.0)
        own = np.where(count > 0, 1 - share, 1.0)
        mean, single = own[:, None] * self.mean[rows], own * self.single[rows]
        variance = (own * self.standard_error[rows]) ** 2
        for at in near.T:
            weight = np.where(at >= 0, each, 0.0)
            mean += weight[:, None] * self.mean[at]
            single += weight * self.single[at]
            variance += (weight * np.where(weight > 0, self.standard_error[at], 0.0)) ** 2
        return Ensemble(mean, single, np.sqrt(variance))

    @property
    def predictive_entropy(self) -> FloatArray:
        """(n,), bit."""
        return entropy(self.mean)

    @property
    def mutual_information(self) -> FloatArray:
        """(n,), bit."""
        return np.asarray(np.maximum(self.predictive_entropy - self.single, 0.0))


def of_both(first: Prediction, second: Prediction) -> Ensemble:
    """Two boxes at each centre, which count alike."""
    n = len(first)
    both = Ensemble.joined([Ensemble.of(first), Ensemble.of(second)])
    return both.with_others(np.arange(n), np.arange(n, 2 * n)[:, None], 0.5)


def otherwise(smaller: Prediction, larger: Prediction) -> BoolArray:
    """Where larger boxes name a class, and smaller ones another, or none, (n,)."""
    named = larger.valid & ~larger.rejected
    return np.asarray(smaller.valid & named & (answers(smaller) != answers(larger)))
