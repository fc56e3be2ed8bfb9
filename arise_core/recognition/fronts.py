"""Fronts in a map: how much of the atoms a shift of them would give to the other side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arise_core.engine.grid import BoxGrid
from arise_core.geometry.arrays import BoolArray, Float32Array, FloatArray, IntArray
from arise_core.geometry.cell import inverse, transformed
from arise_core.model.prediction import Prediction, Rule
from arise_core.model.top import TopProbabilities, largest
from arise_core.recognition.between import rejects

#: Classes of a box that are kept, the most probable ones.
KEPT = 2


@dataclass(frozen=True)
class BoxShares:
    """What boxes have of their most probable classes; small beside all probabilities."""

    classes: NDArray[np.int16]  # (n_boxes, KEPT)
    shares: Float32Array  # (n_boxes, KEPT), probability of the class and that it is not rejected
    kept: Float32Array  # (n_boxes,), probability that it is not rejected, NaN without a prediction
    edge: Float32Array  # (n_boxes,), of the box that has answered, Å
    atoms: NDArray[np.int32]  # (n_boxes,)

    @classmethod
    def of(cls, prediction: Prediction, rule: Rule, edge: FloatArray, atoms: IntArray) -> BoxShares:
        """Those of some boxes.

        Args:
            prediction: of them.
            rule: by which they are rejected.
            edge: (n_boxes,), Å.
            atoms: (n_boxes,).
        """
        p = prediction.probabilities
        if isinstance(p, TopProbabilities):
            classes, best = p.index[:, :KEPT], p.kept[:, :KEPT]
        else:
            classes, best = largest(p, min(KEPT, p.shape[1]))
        kept = np.where(prediction.valid, 1.0 - rejects(prediction, rule), np.nan)
        shares = best * kept[:, None]
        return cls(
            classes.astype(np.int16), shares.astype(np.float32), kept.astype(np.float32),
            np.asarray(edge, dtype=np.float32), atoms.astype(np.int32),
        )  # fmt: skip

    @classmethod
    def room(cls, n: int, like: BoxShares) -> BoxShares:
        """Room for those of n boxes, to be put in."""
        return cls(**{
            name: np.zeros((n, *column.shape[1:]), dtype=column.dtype) for name, column in vars(like).items()
        })  # fmt: skip

    def put(self, rows: IntArray, other: BoxShares) -> None:
        """Put those of other boxes into rows of these."""
        for name, column in vars(self).items():
            column[rows] = getattr(other, name)

    @property
    def known(self) -> BoolArray:
        """Boxes with a prediction, (n_boxes,)."""
        return np.isfinite(self.kept)

    @property
    def atoms_a_box(self) -> float:
        """Atoms in a box with a prediction, mean; NaN without any."""
        known = self.known
        return float(self.atoms[known].mean()) if known.any() else float("nan")

    def fronts(self, grid: BoxGrid, class_: int | None = None) -> float:
        """`share_of_a_box` of a class; None: of all that is not rejected."""
        if class_ is None:
            return share_of_a_box(grid, self.kept.astype(np.float64), self.edge, self.atoms)
        values = np.where(self.classes == class_, self.shares, np.float32(0)).sum(axis=1, dtype=np.float64)
        return share_of_a_box(grid, np.where(self.known, values, np.nan), self.edge, self.atoms)


def share_of_a_box(
    grid: BoxGrid, values: FloatArray, edge: NDArray[np.floating], atoms: NDArray[np.integer]
) -> float:
    """Share of the atoms that change sides when all fronts shift by the edge of the boxes which see them.

    The area of the fronts is the integral of the gradient's length (the coarea formula; Federer, Trans. Am. Math.
    Soc. 93, 418 (1959)), by differences of neighbouring boxes; where a neighbour has no prediction, there is no front.
    Boxes count by the atoms in them.

    Args:
        grid: of the boxes.
        values: what each box has of a class, from 0 to 1, (n_boxes,); NaN without a prediction.
        edge: of the box that has answered, (n_boxes,), Å.
        atoms: in each box, (n_boxes,).
    """
    block = values.reshape(grid.shape)
    steps = np.stack([_slope(block, axis, bool(grid.pbc[axis])) for axis in range(3)], axis=-1)
    edges = grid.cell * grid.step[:, None]  # (3, 3), Å, from box to box
    slope = transformed(steps.reshape(-1, 3), np.ascontiguousarray(inverse(edges).T))
    per_box = np.sqrt((slope**2).sum(axis=1)) * edge
    known = np.isfinite(per_box) & np.isfinite(values)
    held = atoms[known].astype(np.float64)
    return float((per_box[known] * held).sum() / held.sum()) if held.sum() else 0.0


def _slope(block: FloatArray, axis: int, periodic: bool) -> FloatArray:
    """Difference from box to box along an axis, the mean of those to both sides that are there."""
    ahead = np.roll(block, -1, axis) - block
    if not periodic:
        np.moveaxis(ahead, axis, 0)[-1] = np.nan
    behind = np.roll(ahead, 1, axis)
    both = np.stack([ahead, behind])
    there = np.isfinite(both)
    return np.asarray(np.where(there, both, 0.0).sum(axis=0) / np.maximum(there.sum(axis=0), 1))
