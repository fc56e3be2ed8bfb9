"""Explorations made by hand: what pictures and pages show must not depend on a network."""

from __future__ import annotations

import numpy as np

import arise_core as arise
from arise_core.engine.grid import box_grid
from arise_core.explore.clusters import find_clusters
from arise_core.explore.embedding import Embedding
from arise_core.explore.result import Exploration
from arise_core.geometry import builders
from arise_core.geometry.material import Material
from arise_core.geometry.structure import Structure
from arise_core.model.prediction import Prediction
from arise_core.recognition.maps import StridedMap
from arise_core.settings import ExploreSettings, MapSettings

#: Places of four groups of boxes, and the classes that they are called.
CORNERS = np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0], [9.0, 9.0]])
CLASSES = ("sc", "fcc", "bcc", "hcp")


def crystal(times=(12, 12, 3), *, periodic=False):
    """A simple cubic crystal, 2.5 Å from atom to atom."""
    unit = Structure(np.zeros((1, 3)), np.array([29]), 2.5 * np.eye(3), np.ones(3, dtype=bool))
    found = builders.repeat(unit, times)
    return found if periodic else Structure(found.positions, found.numbers)


def prediction(index, information, valid, score=None):
    """One class for each row, for sure."""
    classes = arise.load_model("arise-108").class_info
    n = len(index)
    probabilities = np.zeros((n, len(classes)), dtype=np.float32)
    probabilities[np.arange(n), index] = 1.0
    empty = np.where(valid, 0.0, np.nan)
    return Prediction(
        classes=classes,
        reject_threshold=0.5,
        probabilities=np.where(valid[:, None], probabilities, np.nan).astype(np.float32),
        mutual_information=np.where(valid, information, np.nan),
        predictive_entropy=empty,
        variation_ratio=empty,
        reject_score=empty if score is None else np.where(valid, score, np.nan),
        passes=np.full(n, 10),
        standard_error=empty,
        reject_deviation=empty,
    )


def exploration(groups=4, *, missing=0, stride=1.0, times=(12, 12, 3), periodic=False, embed=True, size=20):
    """Boxes of a slab whose representations are apart by the quarter that they lie in.

    Args:
        groups: how many of the quarters have representations of their own; the others are as the last; 0: no box has a
            representation.
        missing: boxes without a prediction, the first ones.
        stride: Å.
        times: unit cells.
        periodic: the crystal, along all directions.
        embed: there is a plane.
        size: smallest cluster.
    """
    grid = box_grid(Material.of(crystal(times, periodic=periodic)), MapSettings(box_size=8.0, stride=stride))
    x = grid.centers - grid.centers.mean(axis=0)
    quarter = np.minimum((x[:, 0] > 0) + 2 * (x[:, 1] > 0), max(0, groups - 1)).astype(int)
    valid = np.arange(len(grid)) >= missing
    if groups == 0:
        valid[:] = False
    classes = arise.load_model("arise-108").class_info
    index = np.array([classes.find(name) for name in CLASSES])[quarter]
    information = 0.5 * np.exp(-np.abs(x[:, :2]).min(axis=1))
    rng = np.random.default_rng(0)
    points = CORNERS[quarter] + rng.normal(0, 0.5, (len(grid), 2))
    points = np.where(valid[:, None], points, np.nan).astype(np.float32)
    settings = ExploreSettings(min_cluster_size=size, embed=embed)
    vectors = np.pad(points, ((0, 0), (0, 2))).astype(np.float32)
    if groups == 1:
        vectors[:] = 1.0  # all are alike
    vectors[~valid] = np.nan
    said = prediction(index, information, valid)
    field = StridedMap(grid, said, np.full(len(grid), 30), "made")
    embedding = (
        Embedding(points, vectors, settings, "" if valid.any() else "none is there") if embed else None
    )
    return Exploration(said, vectors, 2, find_clusters(vectors, settings), embedding, settings, "made", field)
