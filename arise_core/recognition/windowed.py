"""Predictions of pieces that are no boxes: spheres, cylinders and whole layers, at chosen centres or along an axis."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from arise_core.crystals.naming import NONE, REJECTED
from arise_core.engine.windows import Cutter, Cylinder, Layer, Line, Shape, Sphere, axis_of, periods_across
from arise_core.errors import InputError, InputTypeError, check_type
from arise_core.geometry.arrays import FloatArray, IntArray, Reals, checked_points
from arise_core.geometry.material import Material
from arise_core.geometry.structure import Structure
from arise_core.model.model import Model, check_model
from arise_core.model.prediction import Prediction
from arise_core.progress import Job, Progress, Step, part, run, silent
from arise_core.recognition.between import Nodes, PointValues
from arise_core.recognition.whole import DESCRIPTOR_SHARE
from arise_core.runtime.notebooks import MOST, html_table
from arise_core.settings import (
    MAP_TOLERANCE,
    MapSettings,
    SamplingSettings,
    Threshold,
    check_number,
    check_threshold,
    map_sampling,
    options_of,
    with_options,
)

Axis = Literal["auto", "x", "y", "z"] | Sequence[float] | FloatArray


@dataclass(frozen=True, repr=False)
class Windows:
    """Prediction for each of some pieces of one shape; from `classify_windows`."""

    material: Material
    shape: Shape
    axis: FloatArray | None  # (3,), unit vector; None for spheres at centres that were given
    centers: FloatArray  # (n, 3), Å
    prediction: Prediction
    n_atoms: IntArray  # (n,); of layers that repeat in their plane those of one period
    model_name: str
    line: Line | None = None  # on which the centres lie; None: they were given

    def __len__(self) -> int:
        return len(self.centers)

    def __repr__(self) -> str:
        return f"<Windows: {len(self)} of {self.shape} by {self.model_name!r}>"

    def _repr_html_(self) -> str:
        rows = [tuple(row.values()) for row in self.rows()[:MOST]]
        columns = tuple(self.rows()[0])
        title = f"{self.shape} by {self.model_name}"
        return html_table(title, columns, rows, count=len(self), notes=self.notes)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed of the structure."""
        return self.material.notes

    def rows(self) -> list[dict[str, Any]]:
        """A row a piece in plain types, for tables: centre (Å), atoms, name, confidence, uncertainties (bit).

        `name` is "Other" for rejected pieces and "none" for those with too few atoms, whose numbers are None.
        """
        p = self.prediction
        names = np.where(p.valid, np.where(p.rejected, REJECTED, p.names), NONE)
        numbers = ("confidence", "mutual_information", "reject_score")
        rows: list[dict[str, Any]] = []
        for k in range(len(self)):
            row: dict[str, Any] = dict(zip("xyz", self.centers[k].tolist(), strict=True))
            row |= {"n_atoms": int(self.n_atoms[k]), "name": str(names[k])}
            values = [(name, float(getattr(p, name)[k])) for name in numbers]
            rows.append(row | {name: value if math.isfinite(value) else None for name, value in values})
        return rows

    def values_at(self, points: Reals, classes: tuple[int, ...] = ()) -> PointValues:
        """Label and uncertainty at points, linear between the centres along the axis.

        Points farther from the axis than spheres or cylinders reach have none (NaN, index -1).

        Args:
            points: (n, 3), Å; wrapped along a period, taken to the last centre beyond an open end.
            classes: indices of classes whose probabilities are wanted.

        Raises:
            InputError: the centres were given, and do not lie on an axis.
        """
        return self._read(self.material.fold(checked_points("points", points, some=True)), classes)

    def values_at_atoms(self, classes: tuple[int, ...] = ()) -> PointValues:
        """`values_at` the atoms of the structure, in their order; none for those far from all others."""
        return self._read(self.material.atoms, classes)

    def _read(self, points: FloatArray, classes: tuple[int, ...]) -> PointValues:
        if self.line is None:
            raise InputError("`centers` were given: values at points are between centres along an axis only")
        place, distance = self.line.coordinates(points)
        if not isinstance(self.shape, Layer):
            place = np.where(distance <= self.shape.radius, place, np.nan)
        nodes = Nodes(
            self.prediction, (len(self), 1, 1), np.array([len(self), 1, 1]),
            np.array([self.line.period is not None, False, False]), "linear", False, np.zeros(3, dtype=np.int64),
        )  # fmt: skip
        at = np.zeros((len(points), 3))
        at[:, 0] = place
        return nodes.read(at, classes)


def classify_windows(
    structure: Structure | Material,
    model: Model,
    shape: Shape,
    centers: Reals | None = None,
    *,
    stride: float = MapSettings.stride,
    axis: Axis = "auto",
    min_atoms: int = MapSettings.min_atoms,
    reject_threshold: Threshold = "card",
    progress: Progress = silent,
    **sampling: Any,
) -> Windows:
    """Classify pieces of one shape: at chosen centres, or striding along one axis.

    Leitherer et al. (2021), Methods: local regions may be "spheres or any other shape that fits the application", and
    rods are strided along one dimension. Pairs in a piece are corrected for its own shape and for the material in it.

    Args:
        structure: any size; open, periodic or mixed.
        model: from `load_model`.
        shape: `Sphere`, `Cylinder` or `Layer`.
        centers: (n, 3), Å, of the pieces; None: all along `axis`, through the middle of the material.
        stride: distance from centre to centre along the axis, Å; along a period the nearest smaller divisor.
        axis: of cylinders, normal of layers, and way of the stride: "x", "y", "z", three numbers (Å, any length), or
            "auto", that of the material: along a wire, tube or rod, normal to a slab or sheet. The planes normal to it
            must repeat as the structure does where layers or a stride are asked for.
        min_atoms: pieces with fewer atoms give NaN; layers that repeat in their plane always have enough.
        reject_threshold: score from which a piece is none of the classes; "card": the model's own; None: never.
        progress: called with the share of the work done.
        **sampling: those of `SamplingSettings` (passes, tolerance, seed); the tolerance is "auto" unless it is given.

    Raises:
        TypeError: an unknown setting.
        ValueError: overlapping atoms, no axis, or an argument out of range; before any work.
    """
    unknown = sorted(set(sampling) - set(options_of(SamplingSettings)))
    if unknown:
        raise InputTypeError(f"unknown argument {unknown[0]!r}")
    job = windows_steps(
        structure, model, shape, centers, stride=stride, axis=axis, min_atoms=min_atoms,
        reject_threshold=reject_threshold, sampling=map_sampling(sampling),
    )  # fmt: skip
    return run(job, progress)


classify_windows.__signature__ = with_options(classify_windows, SamplingSettings, tolerance=MAP_TOLERANCE)  # type: ignore[attr-defined]


def windows_steps(
    structure: Structure | Material,
    model: Model,
    shape: Shape,
    centers: Reals | None,
    *,
    stride: float,
    axis: Axis,
    min_atoms: int,
    reject_threshold: Threshold,
    sampling: SamplingSettings,
) -> Job[Windows]:
    """`classify_windows` as a job: yields the share of the work done, returns the pieces."""
    check_model(model)
    check_type("shape", shape, (Sphere, Cylinder, Layer), "a Sphere, Cylinder or Layer")
    stride = check_number("stride", stride, low=0.0, above=True, unit="Å")
    MapSettings(min_atoms=min_atoms)
    check_threshold(reject_threshold)
    given = None if centers is None else checked_points("centers", centers, some=True)
    material = Material.of(structure)
    material.check_overlaps()
    layer = isinstance(shape, Layer)
    vector = None if isinstance(shape, Sphere) and given is not None else axis_of(material, axis)
    if vector is not None and layer:
        periods_across(material, vector)
    line = None
    if given is not None:
        places = material.fold(given)
    else:
        assert vector is not None  # centres, or an axis
        line = Line.through(material, vector, stride, whole=layer)
        places = line.points
    if model.calibration is not None and isinstance(reject_threshold, str):
        warnings.warn(
            f"calibration {model.calibration.name!r} promises nothing here: it is not of such pieces",
            stacklevel=4,
        )
    along = np.array([0.0, 0.0, 1.0]) if vector is None else vector
    cutter = Cutter(material, shape, along, model.descriptor, min_atoms)
    features = np.empty((len(places), model.descriptor.n_features), dtype=np.float32)
    n_atoms = np.zeros(len(places), dtype=np.int64)
    for k, (found, held) in enumerate(cutter.describe(places)):
        features[k], n_atoms[k] = found, held
        yield Step(DESCRIPTOR_SHARE * (k + 1) / len(places), "descriptors of windows")
    job = model.predict_steps(features, sampling, reject_threshold=reject_threshold)
    prediction = yield from part(job, DESCRIPTOR_SHARE, 1.0)
    if material.flat:
        prediction = prediction.without_bulk(slice(None))
    if not prediction.valid.any():
        warnings.warn(
            f"no window holds `min_atoms` ({min_atoms}) atoms (at most {n_atoms.max()}): all are NaN",
            stacklevel=4,
        )
    return Windows(
        material, shape, vector, places if given is None else given, prediction, n_atoms, model.name, line
    )
