"""When the answer for a box is sure, so that no larger box needs to be asked: one rule, calibrated for each model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from arise_core.crystals.naming import REJECTED
from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.model.prediction import Prediction

#: Rules of models whose card has none, by the hash of their weights; `arise_core.training.calibration` writes it.
KNOWN = Path(__file__).with_name("sureness.json")
#: Error of what has no prediction: more than that of any answer.
NO_ANSWER = 2.0
#: Error of an answer that does not count: that of one which is wrong for sure.
NOT_SURE = 1.0


@dataclass(frozen=True, kw_only=True)
class Sureness:
    """When a model is sure of a box. From `arise_core.training.calibration`, in the model's card or in `KNOWN`.

    Args:
        error: largest expected error (see `expected_error`) of a sure answer.
        atoms: by answer, a label or "rejected", how many atoms a box must hold for it; others: any number.
        relatives: by answer, the classes that small boxes take for it, each with the number of atoms from which on
            they do not: below that, an answer is not sure where larger boxes around say that class.
        wrong: share of the sure answers that were wrong in calibration.
        answered: by number of atoms, share of the boxes of crystals whose answer was sure.
    """

    error: float
    atoms: dict[str, int] = field(default_factory=dict)
    relatives: dict[str, dict[str, int]] = field(default_factory=dict)
    wrong: float | None = None
    answered: dict[str, float] = field(default_factory=dict)

    def errors(self, found: Prediction, n_atoms: IntArray, largest: bool) -> FloatArray:
        """Expected error of each answer, (n,), 1 where the box holds too few atoms for it, 2 without an answer.

        Args:
            found: answers of boxes of one size.
            n_atoms: in these boxes, (n,).
            largest: whether there is no larger size: then no box holds too few.
        """
        error = expected_error(found)
        if largest or not self.atoms:
            return error
        needed = np.array([*(self.atoms.get(c.label, 0) for c in found.classes), self.atoms.get(REJECTED, 0)])
        return np.where((error <= 1) & (n_atoms < needed[answers(found)]), NOT_SURE, error)

    def confused(self, labels: Sequence[str]) -> IntArray:
        """Atoms from which on boxes of a class are not taken for another one, (n_classes + 1, n_classes).

        Rows are answers, "rejected" behind the classes, columns what the box is of.
        """
        names = [*labels, REJECTED]
        rows = [[self.relatives.get(answer, {}).get(true, 0) for true in names[:-1]] for answer in names]
        return np.array(rows, dtype=np.int64)


@lru_cache(maxsize=1)
def known() -> dict[str, Sureness]:
    """Rules that come with this package, by the hash of a model's weights."""
    rows = json.loads(KNOWN.read_text(encoding="utf-8"))
    return {weights: Sureness(**row["rule"]) for weights, row in rows.items()}


def answers(found: Prediction) -> IntArray:
    """Class of each answer, the number of classes for what is rejected, (n,)."""
    return np.where(found.rejected, len(found.classes), found.index)


def expected_error(found: Prediction) -> FloatArray:
    """Expected error of an answer by the network's own probabilities, (n,); 2 without an answer.

    With p the probability of the class and r the reject score, both means over passes, it is 1 - r of what is
    rejected, and 1 - p (1 - r) of what has the name of its class.
    """
    score = found.reject_score if found.reject_threshold is not None else np.zeros(len(found))
    with np.errstate(invalid="ignore"):
        error = np.where(found.rejected, 1 - score, 1 - found.confidence * (1 - score))
    return np.where(found.valid & np.isfinite(error), error, NO_ANSWER)
