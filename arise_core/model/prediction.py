"""What a model says of structures or boxes: labels, probabilities and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from arise_core.crystals.naming import NONE, REJECTED
from arise_core.errors import InputError
from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray
from arise_core.model.classes import MISSING, ClassTable
from arise_core.model.rejection import decision_entropy
from arise_core.model.top import Probabilities, TopProbabilities, largest, rows_of
from arise_core.runtime.notebooks import MOST, html_table
from arise_core.settings import check_number, check_threshold

#: Fields of a prediction that have one row a structure or box.
ROWS = (
    "probabilities", "mutual_information", "predictive_entropy", "variation_ratio", "reject_score", "passes",
    "standard_error", "reject_deviation",
)  # fmt: skip
#: Doubt of the rejection from which printed summaries speak of it, bit.
WORTH_SAYING = 0.05


class Answers(Protocol):
    """What a rule judges: a prediction of structures or boxes, or the values of a map at points."""

    @property
    def index(self) -> IntArray:
        """Most probable class, -1 without a prediction, (n,)."""
        ...

    @property
    def confidence(self) -> FloatArray:
        """Its probability, (n,)."""
        ...

    @property
    def reject_score(self) -> FloatArray:
        """How much speaks against any of the classes, (n,)."""
        ...

    @property
    def reject_deviation(self) -> FloatArray:
        """Standard deviation of that score over passes, (n,)."""
        ...


@dataclass(frozen=True, kw_only=True)
class Rule:
    """When something has the name of its most probable class. The one place where thresholds are applied.

    Args:
        reject_threshold: score from which it is none of the classes; None: never.
        min_confidence: probability that the class must have.
        considered: indices of the classes that keep their name; None: all.
    """

    reject_threshold: float | None = None
    min_confidence: float = 0.0
    considered: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.reject_threshold, str):
            raise InputError(f"`reject_threshold` must be a number or None, got {self.reject_threshold!r}")
        check_threshold(self.reject_threshold)
        check_number("min_confidence", self.min_confidence)
        if not 0 <= self.min_confidence <= 1:
            raise InputError(f"`min_confidence` must be in [0, 1], got {self.min_confidence}")

    def rejected(self, answers: Answers) -> BoolArray:
        """What has a prediction and yet no name: none of the classes, unsure, or not considered, (n,)."""
        out = np.zeros(len(answers.index), dtype=bool)
        with np.errstate(invalid="ignore"):
            if self.reject_threshold is not None:
                out |= answers.reject_score >= self.reject_threshold
            if self.min_confidence > 0:
                out |= ~(answers.confidence >= self.min_confidence)
        if self.considered is not None:
            out |= ~np.isin(answers.index, self.considered)
        return np.asarray(out & (answers.index != MISSING))

    def index(self, answers: Answers) -> IntArray:
        """Class of what has a name, -1 for all else, (n,)."""
        return np.where(self.rejected(answers), MISSING, answers.index)

    def rejection_uncertainty(self, answers: Answers) -> FloatArray:
        """Doubt whether the score rejects, (n,), bit; see `Prediction.rejection_uncertainty`.

        Only of the score: a class that is not considered or not probable enough is a choice, not a doubt.
        """
        return decision_entropy(answers.reject_score, answers.reject_deviation, self.reject_threshold)


@dataclass(frozen=True, repr=False)
class Prediction:
    """One row a structure or box; rows without a prediction are NaN (and label None).

    Mean over Monte Carlo dropout passes t of the probabilities p_t (Gal & Ghahramani 2016). All entropies
    are in bits. A map keeps the five largest probabilities of each box only, unless all were asked for: then
    `probabilities` reads as an array in which all others are 0.
    """

    classes: ClassTable
    probabilities: Probabilities  # (n, n_classes), mean over passes; each row adds up to 1 where all are kept
    mutual_information: FloatArray  # (n,), entropy of the mean minus mean entropy: doubt of the model
    predictive_entropy: FloatArray  # (n,), entropy of the mean
    variation_ratio: FloatArray  # (n,), share of passes that do not vote for the most frequent label
    reject_score: FloatArray  # (n,), 0 to 1: how much speaks against any of the classes
    reject_threshold: float | None  # score from which a row is rejected
    passes: IntArray  # (n,), forward passes used
    standard_error: FloatArray  # (n,), of the mutual information, bit
    reject_deviation: (
        FloatArray  # (n,), of the reject score over passes; NaN if it is no output of the network
    )
    notes: tuple[tuple[str, ...], ...] = ()  # (n,), what was assumed of each structure; (): nothing of any

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", ClassTable.of(self.classes))

    def __repr__(self) -> str:
        first = self.take(slice(5))
        names = np.where(first.rejected, REJECTED, first.names)
        said = [f"{n}{in_doubt(u)}" for n, u in zip(names, first.rejection_uncertainty, strict=True)]
        more = ", ..." if len(self) > 5 else ""
        assumed = "; `notes` says what was assumed" if any(self.notes) else ""
        return f"<Prediction of {len(self)}: {', '.join(said)}{more}{assumed}>"

    def _repr_html_(self) -> str:
        first = self.take(slice(MOST))
        numbers = (
            first.confidence,
            first.mutual_information,
            first.reject_score,
            first.rejection_uncertainty,
        )
        names = [NONE if n is None else str(n) for n in first.names]
        rows = [
            (k, f"{REJECTED} (closest: {name})" if rejected else name, *map(float, values))
            for k, (name, rejected, *values) in enumerate(zip(names, first.rejected, *numbers, strict=True))
        ]
        notes = [f"{k}: {note}" for k, own in enumerate(first.notes) for note in own]
        columns = ("", "Structure", "Confidence", "MI (bit)", "Reject score", "Rejection doubt (bit)")
        return html_table(f"Prediction of {len(self)}", columns, rows, count=len(self), notes=notes)

    def __len__(self) -> int:
        return len(self.probabilities)

    @property
    def valid(self) -> BoolArray:
        """Rows with a prediction, (n,)."""
        return np.asarray(np.isfinite(self.mutual_information))

    @property
    def index(self) -> IntArray:
        """Most probable class, (n,); -1 without a prediction."""
        return np.where(self.valid, self._best[0].astype(np.int64), MISSING)

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
        return np.where(self.valid, self._best[1].astype(np.float64), np.nan)

    @property
    def _best(self) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
        """Most probable class and its probability, (n,) each."""
        p = self.probabilities
        index, values = (p.index, p.kept) if isinstance(p, TopProbabilities) else largest(p, 1)
        return index[:, 0], values[:, 0]

    @property
    def rejected(self) -> BoolArray:
        """Rows that are none of the classes, as far as the model can tell, (n,); False without a prediction."""
        return Rule(reject_threshold=self.reject_threshold).rejected(self)

    @property
    def rejection_uncertainty(self) -> FloatArray:
        """Doubt of the passes whether a row is rejected, (n,), bit; 0 without a threshold, NaN without a prediction.

        The binary entropy of the share of passes whose own score is at least the threshold. The share follows from
        mean and deviation of the score over passes, which is taken as Beta-distributed (`share_above`). The mutual
        information is about the classes alone and knows nothing of it. NaN also where the score is the predictive
        entropy, with a threshold: that is no matter of single passes.
        """
        return Rule(reject_threshold=self.reject_threshold).rejection_uncertainty(self)

    def with_threshold(self, reject_threshold: float | None) -> Prediction:
        """The same prediction with another threshold of rejection.

        Raises:
            ValueError: not in [0, 1].
        """
        Rule(reject_threshold=reject_threshold)
        return replace(self, reject_threshold=reject_threshold)

    def top(self, row: int, k: int = 5) -> list[tuple[str, float]]:
        """Labels and probabilities of the k most probable classes of a row, best first; empty if NaN."""
        if not self.valid[row]:
            return []
        return [(self.classes[i].label, p) for i, p in self.classes.top(self.probabilities[row], k)]

    def without_bulk(self, rows: Any) -> Prediction:
        """The same, but rows are rejected whose most probable class is no layer: of atoms that lie in one plane.

        Args:
            rows: index, slice or mask of the rows that are of such atoms.
        """
        other = np.array([not c.material_type.startswith("2D") for c in self.classes], dtype=bool)
        wrong = np.zeros(len(self), dtype=bool)
        wrong[rows] = True
        wrong &= self.valid & other[self.index]
        if not wrong.any():
            return self
        score = np.where(wrong, 1.0, self.reject_score)
        return replace(self, reject_score=score, reject_deviation=np.where(wrong, 0.0, self.reject_deviation))

    def take(self, rows: Any) -> Prediction:
        """The rows picked by an index, slice or mask."""
        picked = np.atleast_1d(np.arange(len(self))[rows])
        notes = tuple(self.notes[k] for k in picked) if self.notes else ()
        return replace(self, notes=notes, **{name: rows_of(getattr(self, name), rows) for name in ROWS})

    def with_top(self) -> Prediction:
        """The same with the largest probabilities of each row only, see `TopProbabilities`."""
        if isinstance(self.probabilities, TopProbabilities):
            return self
        return replace(self, probabilities=TopProbabilities.of(self.probabilities))


def in_doubt(rejection_uncertainty: float) -> str:
    """What a printed summary adds to a name: how much the rejection is in doubt, if that is worth saying."""
    if not rejection_uncertainty > WORTH_SAYING:
        return ""
    return f" (rejection in doubt: {rejection_uncertainty:.2f} bit)"
