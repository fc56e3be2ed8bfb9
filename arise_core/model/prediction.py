"""What a model says of structures or boxes: labels, probabilities and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arise_core.errors import InputError
from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray
from arise_core.model.classes import MISSING, ClassTable
from arise_core.settings import check_threshold

#: Fields of a prediction that have one row a structure or box.
ROWS = (
    "probabilities", "mutual_information", "predictive_entropy", "variation_ratio", "reject_score", "passes",
    "standard_error",
)  # fmt: skip


@dataclass(frozen=True)
class Prediction:
    """One row a structure or box; rows without a prediction are NaN (and label None).

    Mean over Monte Carlo dropout passes t of the probabilities p_t (Gal & Ghahramani 2016). All entropies
    are in bits.
    """

    classes: ClassTable
    probabilities: NDArray[np.float32]  # (n, n_classes), mean over passes; each row adds up to 1
    mutual_information: FloatArray  # (n,), entropy of the mean minus mean entropy: doubt of the model
    predictive_entropy: FloatArray  # (n,), entropy of the mean
    variation_ratio: FloatArray  # (n,), share of passes that do not vote for the most frequent label
    reject_score: FloatArray  # (n,), 0 to 1: how much speaks against any of the classes
    reject_threshold: float | None  # score from which a row is rejected
    passes: IntArray  # (n,), forward passes used
    standard_error: FloatArray  # (n,), of the mutual information, bit

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", ClassTable.of(self.classes))

    def __len__(self) -> int:
        return len(self.probabilities)

    @property
    def valid(self) -> BoolArray:
        """Rows with a prediction, (n,)."""
        return np.asarray(np.isfinite(self.mutual_information))

    @property
    def index(self) -> IntArray:
        """Most probable class, (n,); -1 without a prediction."""
        if len(self) == 0:
            return np.empty(0, dtype=np.int64)
        best = np.nan_to_num(self.probabilities, nan=-1.0).argmax(axis=1)
        return np.where(self.valid, best, MISSING)

    @property
    def labels(self) -> NDArray[np.object_]:
        """Label of the most probable class, rejected or not, (n,); None without a prediction."""
        return self.classes.labels_of(self.index)

    @property
    def names(self) -> NDArray[np.object_]:
        """Display name of the most probable class, (n,); None without a prediction."""
        return self.classes.names_of(self.index)

    @property
    def confidence(self) -> FloatArray:
        """Probability of the most probable class, (n,)."""
        if len(self) == 0:
            return np.empty(0)
        return np.where(self.valid, np.nan_to_num(self.probabilities, nan=-1.0).max(axis=1), np.nan)

    @property
    def rejected(self) -> BoolArray:
        """Rows that are none of the classes, as far as the model can tell, (n,); False without a prediction."""
        if self.reject_threshold is None:
            return np.zeros(len(self), dtype=bool)
        return np.asarray(self.valid & (self.reject_score >= self.reject_threshold))

    def with_threshold(self, reject_threshold: float | None) -> Prediction:
        """The same prediction with another threshold of rejection.

        Raises:
            ValueError: not in [0, 1].
        """
        check_threshold(reject_threshold)
        return replace(self, reject_threshold=reject_threshold)

    def top(self, row: int, k: int = 5) -> list[tuple[str, float]]:
        """Labels and probabilities of the k most probable classes of a row, best first; empty if NaN."""
        if not self.valid[row]:
            return []
        return [(self.classes[i].label, p) for i, p in self.classes.top(self.probabilities[row], k)]

    def take(self, rows: Any) -> Prediction:
        """The rows picked by an index, slice or mask."""
        return replace(self, **{name: getattr(self, name)[rows] for name in ROWS})


def concatenate(parts: Sequence[Prediction]) -> Prediction:
    """Several predictions of one model, row after row."""
    if not parts:
        raise InputError("`parts` is empty")
    joined: dict[str, Any] = {name: np.concatenate([getattr(p, name) for p in parts]) for name in ROWS}
    return replace(parts[0], **joined)
