"""Colours of classes and clusters in pictures, safe for colour-blind eyes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from arise_core.errors import InputError
from arise_core.explore.clusters import Clusters
from arise_core.geometry.arrays import IntArray
from arise_core.model.classes import MISSING
from arise_core.model.prediction import Prediction

#: Okabe and Ito (2008); told apart with red-, green- and blue-blind eyes.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442")
#: Markers on the plane: after seven clusters colours begin again with the next.
MARKERS = ("o", "^", "D", "v", "P", "X")
#: Outliers; classes that have no colour of their own; what is none of the classes.
OUTLIERS, OTHERS, REJECTED = "#bbbbbb", "#888888", "#333333"
#: Maps of probabilities, of mutual information, of angles.
PROBABILITY, INFORMATION, ANGLE = "viridis", "cividis", "twilight"
#: Where there is no prediction.
EMPTY = "white"


@dataclass(frozen=True)
class Kinds:
    """What rows are shown as: a name, a colour and a marker for each number; -1 is not shown."""

    of_rows: IntArray  # (n,)
    names: tuple[str, ...]
    colours: tuple[str, ...]
    markers: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)


def kinds_of_clusters(clusters: Clusters) -> Kinds:
    """Clusters by number, and the outliers last."""
    n = clusters.n_clusters
    of_rows = np.where(clusters.valid, np.where(clusters.labels < 0, n, clusters.labels), MISSING)
    return Kinds(
        np.asarray(of_rows),
        tuple(f"cluster {k}" for k in range(n)) + ("outliers",),
        tuple(COLOURS[k % len(COLOURS)] for k in range(n)) + (OUTLIERS,),
        tuple(MARKERS[k // len(COLOURS) % len(MARKERS)] for k in range(n)) + ("o",),
    )


def kinds_of_classes(predictions: Sequence[Prediction]) -> list[Kinds]:
    """The most frequent classes of all predictions in colours of their own, the others in one, rejected ones in one.

    Raises:
        InputError: predictions of models with other classes.
    """
    classes = predictions[0].classes
    if any(p.classes != classes for p in predictions):
        raise InputError("maps of models with other classes cannot be shown in the same colours")
    named = [np.where(p.rejected, MISSING, p.index) for p in predictions]
    every = np.concatenate(named)
    counts = np.bincount(every[every >= 0], minlength=len(classes))
    order = np.argsort(-counts, kind="stable")
    first = order[: len(COLOURS)][counts[order[: len(COLOURS)]] > 0]
    n = len(first)
    number = np.full(len(classes) + 1, n)
    number[first] = np.arange(n)
    number[MISSING] = n + 1
    names = tuple(classes.short[k] for k in first) + ("other classes", "none of the classes")
    colours = COLOURS[:n] + (OTHERS, REJECTED)
    markers = ("o",) * (n + 2)
    return [
        Kinds(np.where(p.valid, number[index], MISSING), names, colours, markers)
        for p, index in zip(predictions, named, strict=True)
    ]
