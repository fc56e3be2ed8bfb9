"""What is kept of a map: the most probable classes, doubt and rejection of each box, and where the boxes lie."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray
from arise_core.geometry.cell import inverse, transformed
from arise_core.model.classes import MISSING, ClassTable
from arise_core.model.top import RANKS, TopProbabilities
from arise_core.recognition.maps import StridedMap

if TYPE_CHECKING:
    import xarray

#: What a probability of 1 is in the store.
UNITS = 65534
#: Fields of a kept map that have a row a box.
OF_BOXES = (
    "index", "probability", "mutual_information", "reject_score", "rejected", "n_atoms", "resolution",
)  # fmt: skip


@dataclass(frozen=True)
class KeptMap:
    """A map as it is kept. Arrays run over the flattened grid, the last axis fastest; NaN without a prediction."""

    shape: NDArray[np.int32]  # (3,), boxes along each axis
    origin: FloatArray  # (3,), Å, corner of the grid whose cells are centred on the boxes
    domain: FloatArray  # (3, 3), Å, its edges, rows
    periodic: NDArray[np.uint8]  # (3,), directions along which boxes wrap
    index: NDArray[np.int16]  # (n_boxes, RANKS), most probable classes, best first; -1 without a prediction
    probability: NDArray[np.uint16]  # (n_boxes, RANKS), theirs, in 1 / UNITS
    mutual_information: NDArray[np.float16]  # (n_boxes,), bit
    reject_score: NDArray[np.float16]  # (n_boxes,)
    rejected: NDArray[np.uint8]  # (n_boxes,), 1: none of the classes
    n_atoms: NDArray[np.uint32]  # (n_boxes,)
    resolution: NDArray[np.float16]  # (n_boxes,), Å, edge of the box that has answered

    @classmethod
    def of(cls, field: StridedMap) -> KeptMap:
        """What is kept of a map."""
        p, grid = field.prediction.with_top(), field.grid
        assert isinstance(p.probabilities, TopProbabilities)
        index = np.full((len(p), RANKS), MISSING, dtype=np.int16)
        probability = np.zeros((len(p), RANKS), dtype=np.uint16)
        ranks = p.probabilities.index.shape[1]  # fewer for models of fewer classes
        index[:, :ranks] = p.probabilities.index
        probability[:, :ranks] = np.rint(UNITS * np.nan_to_num(p.probabilities.kept))
        return cls(
            np.array(field.shape, dtype=np.int32), grid.origin, grid.domain, grid.pbc.astype(np.uint8),
            index, probability,
            p.mutual_information.astype(np.float16), p.reject_score.astype(np.float16), p.rejected.astype(np.uint8),
            field.n_atoms.astype(np.uint32), field.resolution.astype(np.float16),
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.index)

    @property
    def pbc(self) -> BoolArray:
        """Directions along which boxes wrap, (3,)."""
        return np.asarray(self.periodic == 1)

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """Of the classes in `index`, (n_boxes, RANKS)."""
        return (self.probability / np.float32(UNITS)).astype(np.float32)

    def probabilities_of(self, classes: IntArray) -> NDArray[np.float32]:
        """Of some classes, (n_boxes, n_chosen); 0 where a class is none of the most probable ones that are kept."""
        same = self.index[:, :, None] == np.asarray(classes)
        return np.asarray((same * self.probabilities[:, :, None]).sum(axis=1), dtype=np.float32)

    @property
    def centers(self) -> FloatArray:
        """Centres of the boxes, (n_boxes, 3), Å."""
        axes = [(np.arange(n) + 0.5) / n for n in self.shape.tolist()]
        u = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        return transformed(u, self.domain) + self.origin

    def beginning_at(self, place: FloatArray) -> KeptMap:
        """The same map with its corner within a box of a place (3,), Å, along periodic directions."""
        sizes = self.shape.astype(np.float64)
        u = transformed(self.origin - place, inverse(self.domain)) * sizes
        steps = np.where(self.pbc, np.floor(u + 1e-6), 0.0)
        if not steps.any():
            return self
        shift = tuple(int(k) for k in steps)
        shape = tuple(self.shape.tolist())

        def rolled(values: NDArray[Any]) -> NDArray[Any]:
            grid = values.reshape(*shape, *values.shape[1:])
            return np.roll(grid, shift, axis=(0, 1, 2)).reshape(values.shape)

        return replace(
            self,
            origin=self.origin - transformed(steps / sizes, self.domain),
            **{name: rolled(getattr(self, name)) for name in OF_BOXES},
        )

    def moved(self, vector: FloatArray) -> KeptMap:
        """The same map for coordinates whose zero lies elsewhere, by a vector (3,), Å."""
        return replace(self, origin=self.origin + vector)

    @property
    def named(self) -> IntArray:
        """Class of each box that has a name, -1 for rejected ones and those without a prediction, (n_boxes,)."""
        return np.where(self.rejected == 1, MISSING, self.index[:, 0]).astype(np.int64)

    def to_xarray(self, classes: ClassTable) -> xarray.Dataset:
        """All fields over the axes x, y, z of the grid, with centres and units; names as in `StridedMap.to_xarray`.

        Args:
            classes: of the model.
        """
        import xarray

        dims, shape = ("x", "y", "z"), tuple(self.shape.tolist())

        def field(values: NDArray[Any], unit: str, text: str) -> tuple[Any, ...]:
            more = ("rank",) if values.ndim > 1 else ()
            return (
                (*dims, *more),
                values.reshape(*shape, *values.shape[1:]),
                {"units": unit, "long_name": text},
            )

        fields = {
            "class_index": field(self.index, "1", "most probable classes, best first; -1 without a prediction"),
            "probability": field(self.probabilities, "1", "their probabilities"),
            "label": field(self.index[:, 0], "1", "index of the most probable class, -1 without a prediction"),
            "mutual_information": field(self.mutual_information, "bit", "mutual information"),
            "reject_score": field(self.reject_score, "1", "score that speaks against all classes"),
            "rejected": field(self.rejected.astype(np.int8), "1", "1 where the score is above the threshold"),
            "n_atoms": field(self.n_atoms, "1", "atoms in the box"),
            "resolution": field(self.resolution, "angstrom", "edge of the box that has answered"),
        }  # fmt: skip
        centres = self.centers.reshape(*shape, 3)
        text = {"units": "angstrom", "long_name": "centre of the box"}
        coordinates = {
            "class": [c.label for c in classes],
            "class_name": ("class", [c.name for c in classes]),
            "center": ((*dims, "axis"), centres, text),
            "axis": ["x", "y", "z"],
        }
        attributes = {
            "origin_angstrom": self.origin,
            "cell_angstrom": self.domain.ravel(),
            "periodic": self.periodic.astype(np.int8),
        }
        return xarray.Dataset(fields, coordinates, attributes)
