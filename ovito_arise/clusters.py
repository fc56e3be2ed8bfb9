"""Groups of boxes that were found elsewhere, shown as OVITO shows clusters."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from ovito.data import DataCollection

from arise_core import StridedMap
from arise_core.errors import InputError
from ovito_arise.outputs import BOXES, GRID, flat

PROPERTY = "ARISE Cluster"


def show_clusters(data: DataCollection, field: StridedMap, labels: ArrayLike, suffix: str = "") -> None:
    """Add the clusters of boxes to a data collection that the modifier has worked on.

    Particles get `ARISE Cluster`, the cluster of the box nearest to them; the voxel grid and the table of boxes,
    where they are, get `Cluster`. As in OVITO's cluster analysis 0 is no cluster and the first one is 1.

    Args:
        data: of the frame that the map was made of.
        field: `modifier.strided_map`.
        labels: (n_boxes,), in the order of `field.centers`, from 0; -1 for boxes in no cluster (HDBSCAN's noise).
        suffix: of the modifier's outputs, ".2" for the second one of the pipeline.

    Raises:
        ValueError: labels of another shape.
    """
    ids = np.asarray(labels)
    if ids.shape != (len(field),) or ids.dtype.kind not in "iu":
        raise InputError(
            f"`labels` must be {len(field)} integers, one a box, got shape {ids.shape} of type {ids.dtype}"
        )
    ids = np.maximum(ids.astype(np.int32) + 1, 0)
    name = PROPERTY + suffix.replace(".", " ")
    data.particles_.create_property(name, data=ids[field.nearest(np.asarray(data.particles.positions))])
    if GRID + suffix in data.grids:
        data.grids_[GRID + suffix + "_"].create_property("Cluster", data=flat(ids, field.shape))
    if BOXES + suffix in data.tables:
        data.tables_[BOXES + suffix + "_"].create_property("Cluster", data=ids)
