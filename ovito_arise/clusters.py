"""Clusters of boxes as OVITO shows clusters: typed properties, tables, attributes, selection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from ovito.data import DataCollection, DataTable, ElementType

from arise_core import Exploration, StridedMap
from arise_core.errors import InputError
from arise_core.explore.palette import COLOURS, OUTLIERS
from arise_core.geometry.arrays import IntArray
from ovito_arise.outputs import (
    BOXES,
    GRID,
    Ids,
    Mask,
    element_types,
    flat,
    instance_suffix,
    set_attributes,
    structure_types,
    typed_property,
)

PROPERTY = "ARISE Cluster"
TABLE = "arise-clusters"
PLANE = "arise-plane"
#: Number of what is in no cluster.
NO_CLUSTER = 0


@dataclass(frozen=True)
class Shown:
    """What is put out beside the clusters; nothing of it needs new descriptors."""

    color_particles: bool
    select: Sequence[int]  # numbers of clusters whose particles are selected; none: the selection stays


def cluster_types(n_clusters: int) -> list[ElementType]:
    """No cluster in grey, clusters from 1 on in colours safe for colour-blind eyes; after seven they begin again."""
    none = ElementType(id=NO_CLUSTER, name="No cluster", color=_rgb(OUTLIERS))
    colours = [_rgb(COLOURS[k % len(COLOURS)]) for k in range(n_clusters)]
    return [none, *(ElementType(id=k, name=f"Cluster {k}", color=c) for k, c in enumerate(colours, 1))]


def _rgb(colour: str) -> tuple[float, float, float]:
    """Red, green, blue, 0 to 1, of #rrggbb."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red / 255, green / 255, blue / 255


def numbered(labels: IntArray) -> Ids:
    """Clusters as OVITO's cluster analysis numbers them, (n,): 0 is none, 1 the first."""
    return np.maximum(labels + 1, NO_CLUSTER).astype(np.int32)


def show_clusters(data: DataCollection, field: StridedMap, labels: ArrayLike, suffix: str = "") -> None:
    """Add clusters of boxes that were found elsewhere to a data collection that `AriseModifier` has worked on.

    Particles get `ARISE Cluster`, the cluster of the box nearest to them; the voxel grid and the table of boxes,
    where they are, get `Cluster`. As in OVITO's cluster analysis 0 is no cluster and the first one is 1. What
    `AriseRegions` put out under the same name is replaced.

    Args:
        data: of the frame that the map was made of.
        field: `modifier.strided_map`.
        labels: (n_boxes,), in the order of `field.centers`, from 0; -1 for boxes in no cluster (HDBSCAN's noise).
        suffix: of the modifier's outputs, ".2" for the second one of the pipeline.

    Raises:
        ValueError: labels of another shape.
    """
    given = np.asarray(labels)
    if given.shape != (len(field),) or given.dtype.kind not in "iu":
        raise InputError(
            f"`labels` must be {len(field)} integers, one a box, got shape {given.shape} of type {given.dtype}"
        )
    ids = numbered(given.astype(np.int64))
    types = cluster_types(int(ids.max(initial=0)))
    name = PROPERTY + suffix.replace(".", " ")
    typed_property(data.particles_, name, ids[field.nearest(np.asarray(data.particles.positions))], types)
    if GRID + suffix in data.grids:
        typed_property(data.grids_[GRID + suffix + "_"], "Cluster", flat(ids, field.shape), types)
    if BOXES + suffix in data.tables:
        typed_property(data.tables_[BOXES + suffix + "_"], "Cluster", ids, types)


def write(
    data: DataCollection, found: Exploration, selected: Mask | None, shown: Shown, notes: Sequence[str] = ()
) -> None:
    """Add what was explored to a data collection.

    Args:
        data: what the pipeline passes on.
        found: of the selected particles.
        selected: (n_particles,), which particles were analysed; None: all.
        shown: what to put out.
        notes: what was assumed of the input.
    """
    suffix = instance_suffix(data, TABLE)
    particles = data.particles_
    ids = np.zeros(particles.count, dtype=np.int32)
    ids[slice(None) if selected is None else selected] = numbered(found.labels_at_atoms())
    types = cluster_types(found.clusters.n_clusters)
    typed_property(particles, PROPERTY + suffix.replace(".", " "), ids, types)
    if shown.color_particles:
        particles.create_property("Color", data=np.array([kind.color for kind in types])[ids])
    if shown.select:
        particles.create_property("Selection", data=np.isin(ids, shown.select).astype(np.int8))
    _bar_chart(data, found, ids, types, TABLE + suffix)
    if found.embedding is not None:
        _plane(data, found, types, PLANE + suffix)
    missing = sorted({k for k in shown.select if k > found.clusters.n_clusters})
    if missing:
        said = (
            f"`select` names {', '.join(map(str, missing))}, the last cluster is {found.clusters.n_clusters}"
        )
        notes = [*notes, said]
    _attributes(data, found, notes, suffix)


def _bar_chart(
    data: DataCollection, found: Exploration, ids: Ids, types: Sequence[ElementType], name: str
) -> None:
    """Particles and boxes per cluster, what is in none first, then from the largest on."""
    n = len(types)
    table = data.tables.create(name, plot_mode=DataTable.PlotMode.BarChart, count=n, title="ARISE clusters")
    table.x = typed_property(table, "Cluster", np.arange(n, dtype=np.int32), types)
    table.y = table.create_property("Count", data=np.bincount(ids, minlength=n))
    groups = {group.cluster + 1: group for group in found.groups()}
    boxes, main = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int32)
    doubt, persistence = np.full(n, np.nan), np.full(n, np.nan)
    classes = found.prediction.classes
    for k, group in groups.items():
        boxes[k], doubt[k], persistence[k] = group.size, group.mutual_information, group.persistence
        if group.classes:
            main[k] = 1 + classes.short.index(group.classes[0][0])
    table.create_property("Boxes", data=boxes)
    typed_property(table, "Main Class", main, element_types(classes))
    table.create_property("Mutual Information", data=doubt)
    table.create_property("Persistence", data=persistence)


def _plane(data: DataCollection, found: Exploration, types: Sequence[ElementType], name: str) -> None:
    """Boxes on the plane, those that have a place there."""
    field, p = found.field, found.prediction
    assert field is not None
    rows = np.flatnonzero(np.isfinite(found.points).all(axis=1))
    table = data.tables.create(
        name, plot_mode=DataTable.PlotMode.Scatter, count=len(rows), title="ARISE plane"
    )
    x, y = found.points[rows].astype(np.float64).T
    table.x, table.y = table.create_property("UMAP 1", data=x), table.create_property("UMAP 2", data=y)
    typed_property(table, "Cluster", numbered(found.labels[rows]), types)
    classes = structure_types(np.where(p.rejected, -1, p.index)[rows])
    typed_property(table, "Structure Type", classes, element_types(p.classes))
    table.create_property("Mutual Information", data=p.mutual_information[rows])
    table.create_property("Center", data=field.centers[rows], components=["X", "Y", "Z"])
    table.create_property("Box", data=rows)


def _attributes(data: DataCollection, found: Exploration, notes: Sequence[str], suffix: str) -> None:
    clusters, field = found.clusters, found.field
    assert field is not None
    values: dict[str, object] = {
        "count": clusters.n_clusters,
        "outlier_share": float(clusters.outlier_share),
        "min_cluster_size": clusters.min_cluster_size,
        "layer": found.layer,
        "model": found.model_name,
        "box_size": float(field.grid.settings.box_size),
        "stride": float(field.grid.settings.stride),
    }
    embedded = "" if found.embedding is None else found.embedding.note
    said = [*notes, *dict.fromkeys(note for note in (clusters.note, embedded) if note)]
    if said:
        values["notes"] = "; ".join(said)
    set_attributes(data, {f"ARISE.clusters.{name}{suffix}": value for name, value in values.items()})
