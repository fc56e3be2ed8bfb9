"""Short names of classes for arrays, tables and database queries, and what a structure is called.

`arise_label` is the display name of the class with everything but letters, digits and `_.+-` replaced by `_`:
"fcc", "L1_2", "rock_salt", "nanotube_3_3". Two words are no class: "rejected" (the model says that it is none
of its classes, a liquid for example) and "none" (too few atoms for a prediction).
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arise_core.card import ClassInfo
from arise_core.overview import Overview

REJECTED = "rejected"
NONE = "none"


def short_labels(classes: Sequence[ClassInfo]) -> tuple[str, ...]:
    """Names of the classes without spaces or commas, unique; the full label where the name is not enough."""
    short = [re.sub(r"[^A-Za-z0-9_.+-]+", "_", c.name).strip("_") for c in classes]
    times = Counter(short)
    taken = {"", REJECTED, NONE}
    return tuple(
        name if times[name] == 1 and name not in taken else c.label
        for name, c in zip(short, classes, strict=True)
    )


def class_index(classes: Sequence[ClassInfo], name: str) -> int:
    """Class with this short name, label, display name or identifier; upper and lower case are the same.

    Raises:
        ValueError: there is none; the message lists similar names.
    """
    wanted = name.casefold()
    known: dict[str, int] = {}
    for k, (c, short) in enumerate(zip(classes, short_labels(classes), strict=True)):
        for word in (short, c.label, c.name, c.identifier):
            known.setdefault(word.casefold(), k)
    if wanted not in known:
        close = difflib.get_close_matches(wanted, known, n=5, cutoff=0.5)
        hint = f"; close: {', '.join(close)}" if close else ""
        raise ValueError(f"`name` must be a class of the model, got {name!r}{hint}")
    return known[wanted]


def label(result: Overview) -> str:
    """What the structure is called: a short name, "rejected" or "none"."""
    if not result.valid:
        return NONE
    return REJECTED if result.rejected else short_labels(result.classes)[result.index]


def atom_labels(result: Overview) -> NDArray[np.str_]:
    """What each atom is called, (n_atoms,)."""
    table = np.array([*short_labels(result.classes), NONE])  # index -1, without a prediction, is the last
    return np.where(result.atom_rejected, REJECTED, table[result.atom_index])


def fractions(result: Overview) -> dict[str, float]:
    """Shares of the atoms by name, largest first, without zeros; they add up to 1."""
    names = short_labels(result.classes)
    shares = {names[k]: float(share) for k, share in enumerate(result.fractions)}
    shares[REJECTED] = result.rejected_share
    shares[NONE] = float((result.atom_index == -1).mean())
    return dict(sorted(((k, v) for k, v in shares.items() if v > 0), key=lambda item: -item[1]))


def record(result: Overview) -> dict[str, Any]:
    """The result for the whole structure in plain types; NaN without a prediction."""
    return {
        "label": label(result),
        "class": result.classes[result.index].label if result.valid else NONE,
        "confidence": result.confidence,
        "mutual_information": result.mutual_information,
        "predictive_entropy": result.predictive_entropy,
        "reject_score": result.reject_score,
        "rejected": result.rejected,
        "mode": result.mode,
    }
