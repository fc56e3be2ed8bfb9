"""When the answer for a box is sure, so that no larger box needs to be asked: one rule, calibrated for each model."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from arise_core.crystals.naming import REJECTED
from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.model.prediction import Prediction, Rule
from arise_core.model.rejection import share_above

#: Rules of models whose card has none, by the hash of their weights; `arise_core.training.calibration` writes it.
KNOWN = Path(__file__).with_name("sureness.json")
#: Error of what has no prediction: more than that of any answer.
NO_ANSWER = 2.0


@dataclass(frozen=True, kw_only=True)
class Sureness:
    """When a model is sure of a box. From `arise_core.training.calibration`, in the model's card or in `KNOWN`.

    Args:
        error: largest expected error (see `expected_error`) of a sure answer.
        atoms: by answer, a label or "rejected", how many atoms a box must hold for it; others: any number.
        wrong: share of the sure answers that were wrong in calibration.
        answered: by number of atoms, share of the boxes of crystals whose answer was sure.
    """

    error: float
    atoms: dict[str, int] = field(default_factory=dict)
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
        rejected = Rule(reject_threshold=found.reject_threshold).rejected(found)
        needed = np.array([*(self.atoms.get(c.label, 0) for c in found.classes), self.atoms.get(REJECTED, 0)])
        answer = np.where(rejected, len(found.classes), found.index)
        return np.where((error <= 1) & (n_atoms < needed[answer]), 1.0, error)


@lru_cache(maxsize=1)
def known() -> dict[str, Sureness]:
    """Rules that come with this package, by the hash of a model's weights."""
    rows = json.loads(KNOWN.read_text(encoding="utf-8"))
    return {weights: Sureness(**row["rule"]) for weights, row in rows.items()}


def expected_error(found: Prediction) -> FloatArray:
    """Expected error of an answer by the passes themselves, (n,); 2 without an answer.

    With p the probability of the class and q the share of the passes that reject (`share_above`) it is 1 - q of what
    is rejected, and 1 - p (1 - q) of what has the name of its class.
    """
    threshold = found.reject_threshold
    share = np.zeros(len(found))
    if threshold is not None:
        share = share_above(found.reject_score, found.reject_deviation, threshold)
    rejected = Rule(reject_threshold=threshold).rejected(found)
    with np.errstate(invalid="ignore"):
        error = np.where(rejected, 1 - share, 1 - found.confidence * (1 - share))
    return np.where(found.valid & np.isfinite(error), error, NO_ANSWER)
