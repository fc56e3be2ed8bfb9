"""Fronts in a map: how much of the atoms a shift of them would give to the other side."""

from __future__ import annotations

import numpy as np

from arise_core.geometry.arrays import FloatArray
from arise_core.geometry.cell import inverse, transformed
from arise_core.recognition.maps import StridedMap


def share_of_a_box(field: StridedMap, values: FloatArray) -> float:
    """Share of the atoms that change sides when all fronts shift by the edge of the boxes which see them.

    The area of the fronts is the integral of the gradient's length (the coarea formula; Federer, Trans. Am. Math.
    Soc. 93, 418 (1959)), by differences of neighbouring boxes; where a neighbour has no prediction, there is no front.
    Boxes count by the atoms in them.

    Args:
        field: of which the boxes are.
        values: what each box has of a class, from 0 to 1, (n_boxes,); NaN without a prediction.
    """
    grid = values.reshape(field.shape)
    steps = np.stack([_slope(grid, axis, bool(field.grid.pbc[axis])) for axis in range(3)], axis=-1)
    edges = field.grid.cell * field.grid.step[:, None]  # (3, 3), Å, from box to box
    slope = transformed(steps.reshape(-1, 3), np.ascontiguousarray(inverse(edges).T))
    per_box = np.sqrt((slope**2).sum(axis=1)) * field.resolution
    known = np.isfinite(per_box)
    atoms = field.n_atoms[known]
    return float((per_box[known] * atoms).sum() / atoms.sum()) if atoms.sum() else 0.0


def _slope(grid: FloatArray, axis: int, periodic: bool) -> FloatArray:
    """Difference from box to box along an axis, the mean of those to both sides that are there."""
    ahead = np.roll(grid, -1, axis) - grid
    if not periodic:
        np.moveaxis(ahead, axis, 0)[-1] = np.nan
    behind = np.roll(ahead, 1, axis)
    both = np.stack([ahead, behind])
    there = np.isfinite(both)
    return np.asarray(np.where(there, both, 0.0).sum(axis=0) / np.maximum(there.sum(axis=0), 1))
