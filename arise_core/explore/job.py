"""Explore a structure or several: representations, clusters, plane, in one job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from arise_core.engine.boxes import BoxDescriptors
from arise_core.errors import InputError
from arise_core.explore.clusters import NEEDS as CLUSTERS_NEED
from arise_core.explore.clusters import cluster_steps
from arise_core.explore.embedding import NEEDS as A_PLANE_NEEDS
from arise_core.explore.embedding import embed_steps
from arise_core.explore.representations import check_one_size, check_subject, chosen_layers, represent_steps
from arise_core.explore.result import Exploration
from arise_core.geometry.arrays import Float32Array
from arise_core.geometry.material import Material
from arise_core.geometry.structure import Structure
from arise_core.model.model import Model
from arise_core.model.prediction import Prediction
from arise_core.progress import Job, Progress, Step, part, run, silent
from arise_core.recognition.maps import StridedMap, map_steps
from arise_core.recognition.whole import classify_steps
from arise_core.runtime.packages import check_package
from arise_core.settings import (
    MAP_TOLERANCE,
    ExploreSettings,
    MapSettings,
    RecognitionSettings,
    SamplingSettings,
    Threshold,
    map_sampling,
    options_of,
    split_options,
    with_options,
)

#: What can be explored.
Explored = Structure | Material | StridedMap | Sequence[Structure | Material]
#: Shares of the work after which the clusters and the plane are begun, for the progress shown.
MAPPED, CLUSTERED = 0.6, 0.8


def exploration(
    subject: Explored,
    model: Model,
    *,
    reject_threshold: Threshold = "card",
    progress: Progress = silent,
    **settings: Any,
) -> Exploration:
    """Cluster the network's representations of the boxes of a structure, and lay them out on a plane.

    Leitherer et al. (2021), Figures 2d-g and 4b.

    Args:
        subject: a structure, which is mapped box by box; a `StridedMap`, whose descriptors are computed again; or a
            list of structures, each a point.
        model: from `load_model`; for a map the one that it was made by.
        reject_threshold: score from which a box is none of the classes; "card": the model's own; None: never.
        progress: called with the share of the work done.
        **settings: those of `ExploreSettings` (layer, min_cluster_size, soft, n_neighbors, ...), `MapSettings`
            (box_size, stride, ...) and `SamplingSettings` (passes, ...).

    Raises:
        TypeError: an unknown setting.
        ValueError: overlapping atoms, or an argument out of range; before any work.
    """
    own, boxes, sampling = split_options(settings, tuple(options_of(ExploreSettings)))
    job = exploration_steps(
        subject, model, ExploreSettings(**own), MapSettings(**boxes), map_sampling(sampling), reject_threshold
    )
    return run(job, progress)


exploration.__signature__ = with_options(  # type: ignore[attr-defined]
    exploration, ExploreSettings, MapSettings, SamplingSettings, tolerance=MAP_TOLERANCE
)


def exploration_steps(
    subject: Explored,
    model: Model,
    settings: ExploreSettings,
    map_settings: MapSettings | None = None,
    sampling: SamplingSettings | None = None,
    reject_threshold: Threshold = "card",
) -> Job[Exploration]:
    """`exploration` as a job: yields the share of the work done, returns the exploration.

    Closing it stops the work. Fits of HDBSCAN and UMAP do not tell how far they are: their steps tell for how long they
    have been at work.
    """
    check_subject(subject)
    check_package("hdbscan", CLUSTERS_NEED)
    if settings.embed:
        check_package("umap", A_PLANE_NEEDS)
    (layer,) = chosen_layers(model, settings.layer)
    options = RecognitionSettings(
        map=map_settings or MapSettings(),
        sampling=sampling or map_sampling({}),
        reject_threshold=reject_threshold,
    )
    job = exploration_rows(subject, model, layer, options)
    field, prediction, vectors = yield from part(job, 0.0, MAPPED)
    clusters = yield from part(cluster_steps(vectors, settings), MAPPED, CLUSTERED)
    embedding = None
    if settings.embed:
        embedding = yield from part(embed_steps(vectors, settings), CLUSTERED, 1.0)
    yield Step(1.0)
    return Exploration(prediction, vectors, layer, clusters, embedding, settings, model.name, field)


def exploration_rows(
    subject: Explored, model: Model, layer: int, options: RecognitionSettings
) -> Job[tuple[StridedMap | None, Prediction, Float32Array]]:
    """The map of a structure (None for several), predictions and representations by a layer, as a job.

    Args:
        subject, model: as in `exploration`.
        layer: hidden layer; negative numbers count from the last.
        options: boxes, passes and threshold; the mode follows from the subject.
    """
    (layer,) = chosen_layers(model, layer)
    boxes, passes, threshold = options.map.resolved(several=False), options.sampling, options.reject_threshold
    check_one_size(subject, boxes)
    if isinstance(subject, StridedMap):
        field = _of_this_model(subject, model)
        kept = yield from represent_steps(field, model, layer)
        return field, field.prediction, kept.of(layer)
    if isinstance(subject, Structure | Material):
        field, vectors = yield from _mapped(subject, model, layer, boxes, passes, threshold)
        return field, field.prediction, vectors
    prediction, vectors = yield from _classified(subject, model, layer, boxes.min_atoms, passes, threshold)
    return None, prediction, vectors


def explored_again(found: Exploration, settings: ExploreSettings) -> Job[Exploration]:
    """Clusters and plane of the same representations by other settings, as a job.

    Raises:
        InputError: another layer, whose representations were not kept.
    """
    width = found.vectors.shape[1]
    if settings.layer != found.settings.layer and settings.layer != found.layer:
        raise InputError(
            f"`layer` must be {found.layer}, whose {width} numbers were kept, got {settings.layer}"
        )
    clusters = yield from part(cluster_steps(found.vectors, settings), 0.0, 0.5)
    embedding = None
    if settings.embed:
        embedding = yield from part(embed_steps(found.vectors, settings), 0.5, 1.0)
    return Exploration(
        found.prediction, found.vectors, found.layer, clusters, embedding, settings, found.model_name, found.field
    )  # fmt: skip


def _of_this_model(field: StridedMap, model: Model) -> StridedMap:
    """The map, if it is of this model.

    Raises:
        InputError: of another, whose representations do not belong to its predictions.
    """
    if field.model_name != model.name:
        raise InputError(f"`model` must be {field.model_name!r}, which made the map, got {model.name!r}")
    return field


def _mapped(
    structure: Structure | Material, model: Model, layer: int, boxes: MapSettings, sampling: SamplingSettings,
    reject_threshold: Threshold,
) -> Job[tuple[StridedMap, Float32Array]]:  # fmt: skip
    """A map, and the representations of its boxes from the same stream of descriptors."""
    order, parts = [], []

    def seen(batch: BoxDescriptors) -> None:
        order.append(batch.boxes)
        parts.append(model.representations(batch.features, layer))

    job = map_steps(structure, model, boxes, sampling, reject_threshold, seen, probabilities="all")
    field = yield from job
    vectors = np.empty((len(field), model.card.hidden[layer]), dtype=np.float32)
    vectors[np.concatenate(order)] = np.concatenate(parts)
    return field, vectors


def _classified(
    structures: Sequence[Structure | Material], model: Model, layer: int, min_atoms: int, sampling: SamplingSettings,
    reject_threshold: Threshold,
) -> Job[tuple[Prediction, Float32Array]]:  # fmt: skip
    """Predictions and representations of structures as wholes."""
    found: list[Float32Array] = []
    job = classify_steps(
        structures, model, sampling, min_atoms, reject_threshold,
        lambda features: found.append(model.representations(features, layer)),
    )  # fmt: skip
    prediction = yield from job
    return prediction, found[0]
