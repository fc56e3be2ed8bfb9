"""A strided map: a prediction for every box of a grid, read off at points, as xarray, as a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from arise_core import _kernels
from arise_core.boxes import BoxGrid
from arise_core.files import write_atomically
from arise_core.prediction import MISSING, Prediction
from arise_core.structure import FloatArray, IntArray, inverse, transformed

if TYPE_CHECKING:
    import xarray

#: Points at which all fields are interpolated at once.
POINTS = 20_000


@dataclass(frozen=True)
class PointValues:
    """Values of a map at points, interpolated between the centres of boxes; NaN (index -1) without a box."""

    index: IntArray  # (n,), most probable class
    confidence: FloatArray  # (n,), its probability
    mutual_information: FloatArray  # (n,), bit
    predictive_entropy: FloatArray  # (n,), bit
    variation_ratio: FloatArray  # (n,)
    reject_score: FloatArray  # (n,)
    probabilities: NDArray[np.float32]  # (n, n_chosen), of the classes asked for


@dataclass(frozen=True)
class StridedMap:
    """Prediction for each box of a grid. Arrays run over the flattened grid, the last axis fastest."""

    grid: BoxGrid
    prediction: Prediction
    n_atoms: IntArray  # (n_boxes,)
    model_name: str

    @property
    def shape(self) -> tuple[int, int, int]:
        """Boxes along each axis."""
        return self.grid.shape

    @property
    def centers(self) -> FloatArray:
        """Centres of the boxes, (n_boxes, 3), Å."""
        return self.grid.centers

    def __len__(self) -> int:
        return len(self.grid)

    def coordinates(self, points: FloatArray) -> FloatArray:
        """Grid coordinates of points (n, 3) Å: the centre of box (i, j, k) has coordinates (i, j, k)."""
        u = transformed(np.asarray(points, dtype=np.float64), inverse(self.grid.cell))
        return np.asarray((u - self.grid.start - self.grid.width / 2) / self.grid.step)

    def values_at(self, points: FloatArray, classes: tuple[int, ...] = ()) -> PointValues:
        """Label and uncertainty at points, without keeping all probabilities.

        Args:
            points: (n, 3), Å; wrapped along periodic directions, taken to the border beyond open ones.
            classes: indices of classes whose probabilities are wanted.
        """
        p = self.prediction
        n_classes = len(p.classes)
        scalars = np.stack(
            [p.mutual_information, p.predictive_entropy, p.variation_ratio, p.reject_score], axis=1
        )
        values = np.concatenate([p.probabilities, scalars.astype(np.float32)], axis=1)
        values = values.reshape(*self.shape, -1)
        at = self.coordinates(points)
        n = len(at)
        index = np.full(n, MISSING, dtype=np.int64)
        confidence = np.full(n, np.nan)
        four = np.empty((n, 4))
        chosen = np.empty((n, len(classes)), dtype=np.float32)
        for k in range(0, n, POINTS):
            part = slice(k, min(k + POINTS, n))
            out = np.empty((part.stop - part.start, values.shape[3]), dtype=np.float32)
            _kernels.interpolate(values, at[part], self.grid.pbc, out)
            good = np.isfinite(out[:, 0])
            index[part][good] = out[good, :n_classes].argmax(axis=1)
            confidence[part][good] = out[good, :n_classes].max(axis=1)
            four[part] = out[:, n_classes:]
            chosen[part] = out[:, list(classes)]
        return PointValues(index, confidence, four[:, 0], four[:, 1], four[:, 2], four[:, 3], chosen)

    def probabilities_at(self, points: FloatArray, classes: Sequence[int]) -> NDArray[np.float32]:
        """Probabilities of some classes alone at points, (n, n_chosen), as `values_at` gives them."""
        chosen = np.ascontiguousarray(self.prediction.probabilities[:, list(classes)])
        out = np.empty((len(points), len(classes)), dtype=np.float32)
        if len(classes):
            _kernels.interpolate(
                chosen.reshape(*self.shape, -1), self.coordinates(points), self.grid.pbc, out
            )
        return out

    def moved(self, vector: FloatArray) -> StridedMap:
        """The same map, moved by a vector (3,), Å: for cells whose origin is not zero."""
        return replace(self, grid=self.grid.moved(vector))

    def at(self, points: FloatArray) -> Prediction:
        """Prediction at points (n, 3) Å, interpolated linearly between the centres of boxes.

        Points wrap along periodic directions and are taken to the border of the grid beyond open ones. Boxes
        without a prediction are left out; NaN where all boxes around are without.
        """
        p = self.prediction
        points = np.asarray(points, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != 3:
            raise ValueError(f"`points` must have shape (n, 3), got {points.shape}")
        found = self.values_at(points, tuple(range(len(p.classes))))
        nearest = self.nearest(points)
        return replace(
            p,
            probabilities=found.probabilities,
            mutual_information=found.mutual_information,
            predictive_entropy=found.predictive_entropy,
            variation_ratio=found.variation_ratio,
            reject_score=found.reject_score,
            passes=p.passes[nearest],
            standard_error=p.standard_error[nearest],
        )

    def nearest(self, points: FloatArray) -> IntArray:
        """Index of the box whose centre is nearest in grid coordinates, (n,)."""
        at = np.round(self.coordinates(points)).astype(np.int64)
        shape = np.array(self.shape)
        at = np.where(self.grid.pbc, at % shape, np.clip(at, 0, shape - 1))
        return np.asarray(np.ravel_multi_index(tuple(at.T), self.shape))

    def to_xarray(self) -> xarray.Dataset:
        """All fields over the axes x, y, z of the grid (numbers of boxes), with centres, units and origin."""
        import xarray

        p = self.prediction
        dims = ("x", "y", "z")

        def field(values: NDArray[np.generic], unit: str, text: str) -> tuple[object, ...]:
            return dims, values.reshape(self.shape), {"units": unit, "long_name": text}

        fields = {
            "probability": (
                (*dims, "class"), p.probabilities.reshape(*self.shape, -1),
                {"units": "1", "long_name": "class probability"},
            ),
            "label": field(p.index.astype(np.int16), "1", "index of the most probable class, -1 without a prediction"),
            "confidence": field(p.confidence, "1", "probability of the most probable class"),
            "mutual_information": field(p.mutual_information, "bit", "mutual information"),
            "predictive_entropy": field(p.predictive_entropy, "bit", "predictive entropy"),
            "variation_ratio": field(p.variation_ratio, "1", "variation ratio"),
            "reject_score": field(p.reject_score, "1", "score that speaks against all classes"),
            "rejected": field(p.rejected.astype(np.int8), "1", "1 where the score is above the threshold"),
            "n_atoms": field(self.n_atoms, "1", "atoms in the box"),
            "passes": field(p.passes, "1", "forward passes used"),
            "standard_error": field(p.standard_error, "bit", "standard error of the mutual information"),
        }  # fmt: skip
        centres = self.centers.reshape(*self.shape, 3)
        coordinates = {
            "class": [c.label for c in p.classes],
            "class_name": ("class", [c.name for c in p.classes]),
            "center": ((*dims, "axis"), centres, {"units": "angstrom", "long_name": "centre of the box"}),
            "axis": ["x", "y", "z"],
        }
        attributes = {
            "title": "strided pattern matching with ARISE",
            "model": self.model_name,
            "box_edges_angstrom": self.grid.edges,
            "stride_angstrom": self.grid.stride,
            "cell_angstrom": self.grid.cell.ravel(),
            "periodic": self.grid.pbc.astype(np.int8),
            "grid_origin_angstrom": self.grid.origin,
            "grid_domain_angstrom": self.grid.domain.ravel(),
            "reject_threshold": np.nan if p.reject_threshold is None else p.reject_threshold,
        }
        return xarray.Dataset(fields, coordinates, attributes)

    def to_netcdf(self, path: str | Path) -> None:
        """Write `to_xarray` as NetCDF 4, in one step: an interrupt leaves no half-written file."""
        write_atomically(Path(path), lambda p: self.to_xarray().to_netcdf(p, engine="netcdf4"))
