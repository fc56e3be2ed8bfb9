"""A strided map: what is in each box of a grid, read off at points, as xarray, as a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from arise_core.crystals.naming import NONE, REJECTED
from arise_core.engine.boxes import BoxDescriptors
from arise_core.engine.grid import BoxGrid
from arise_core.errors import FileError, InputError, check_type
from arise_core.geometry.arrays import Float32Array, FloatArray, IntArray
from arise_core.geometry.material import Material
from arise_core.geometry.structure import Structure
from arise_core.model.classes import MISSING
from arise_core.model.model import Model
from arise_core.model.prediction import Prediction, Rule
from arise_core.model.top import RANKS, TopProbabilities
from arise_core.progress import Job, Progress, part, run, silent
from arise_core.recognition.asking import Answers
from arise_core.recognition.audit import Audit, total
from arise_core.recognition.between import Nodes, PointValues, Sums
from arise_core.recognition.parts import Joined, MapSummary, Reader
from arise_core.recognition.vtk_files import StructuredGrid
from arise_core.recognition.work import MapWork
from arise_core.runtime.files import write_atomically
from arise_core.runtime.notebooks import html_table
from arise_core.runtime.packages import check_package
from arise_core.settings import (
    MAP_TOLERANCE,
    KeptProbabilities,
    MapSettings,
    SamplingSettings,
    Threshold,
    check_kept,
    map_sampling,
    split_options,
    with_options,
)

if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True, repr=False)
class StridedMap:
    """Prediction for each box of a grid. Arrays run over the flattened grid, the last axis fastest."""

    grid: BoxGrid
    prediction: Prediction
    n_atoms: IntArray  # (n_boxes,)
    model_name: str
    edges: tuple[float, ...] = ()  # of the boxes of a sharp map, Å, the smallest first; (): all have one size
    size: NDArray[np.int8] | None = None  # (n_boxes,), which of them has answered, -1 without a prediction
    read: tuple[PointValues, MapSummary] | None = (
        None  # at the atoms, from all classes, where some are kept only
    )
    audit: Audit | None = (
        None  # of boxes that others answer for (0 passes), see `Audit`; None: there can be none
    )

    @property
    def sharp(self) -> bool:
        """Whether boxes of several sizes were asked, where the structure has room for them."""
        return bool(self.edges)

    @property
    def resolution(self) -> FloatArray:
        """Edge of the box that has answered, (n_boxes,), Å; NaN without a prediction."""
        if self.size is None:
            return np.where(self.prediction.valid, float(self.grid.settings.box_size), np.nan)
        return np.append(self.edges, np.nan)[self.size]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Boxes along each axis."""
        return self.grid.shape

    @property
    def centers(self) -> FloatArray:
        """Centres of the boxes, (n_boxes, 3), Å."""
        return self.grid.centers

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed of the structure."""
        return self.grid.material.notes

    def __len__(self) -> int:
        return len(self.grid)

    def __repr__(self) -> str:
        return f"<StridedMap of {' x '.join(map(str, self.shape))} boxes by {self.model_name!r}>"

    def _repr_html_(self) -> str:
        p = self.prediction
        named = np.where(p.rejected, MISSING, p.index)
        counts = np.bincount(named[named != MISSING], minlength=len(p.classes))
        most = np.argsort(-counts, kind="stable")
        rows: list[tuple[str, int, float]] = [
            (p.classes.short[k], int(counts[k]), float(p.mutual_information[named == k].mean()))
            for k in most[: int((counts > 0).sum())]
        ]
        for name, chosen in ((REJECTED, p.rejected), (NONE, ~p.valid)):
            if chosen.any():
                rows.append((name, int(chosen.sum()), float(p.mutual_information[chosen].mean())))
        edges = " x ".join(f"{e:.3g}" for e in self.grid.box_edges)
        strides = " x ".join(f"{e:.3g}" for e in self.grid.stride)
        shape = " x ".join(map(str, self.shape))
        title = f"Map of {shape} boxes by {self.model_name}"
        size = f"Boxes of {edges} Å every {strides} Å; `values_at`, `to_xarray`, `write` read it off"
        columns = ("Structure", "Boxes", "Mean MI (bit)")
        return html_table(title, columns, rows, count=len(rows), notes=(size, *self.notes))

    def coordinates(self, points: FloatArray) -> FloatArray:
        """Grid coordinates of points (n, 3) Å: the centre of box (i, j, k) has coordinates (i, j, k).

        Points are taken as they stand in the structure that the map was made of: a point of a structure that
        crosses the border of its periodic cell is folded to where the boxes are.
        """
        return self.grid.coordinates(points)

    def values_at(self, points: FloatArray, classes: tuple[int, ...] = ()) -> PointValues:
        """Label and uncertainty at points; of the classes that the map keeps of each box around them.

        Linear between the centres of boxes. With `between="sure"` probabilities are means over the 4 x 4 x 4 boxes
        around, by cubic B-splines times exp(-2 H) for predictive entropies H in bit.

        Args:
            points: (n, 3), Å; wrapped along periodic directions, taken to the border beyond open ones.
            classes: indices of classes whose probabilities are wanted.
        """
        return self._nodes.read(self.coordinates(points), classes)

    def values_at_atoms(self, classes: tuple[int, ...] = ()) -> PointValues:
        """Label and uncertainty at the atoms that the map was made of, in their order, of all classes.

        Args:
            classes: see `values_at`.
        """
        if self.read is None:
            return self._nodes.read(self.grid.atom_coordinates, classes)
        return replace(self.read[0], probabilities=self.probabilities_at_atoms(classes))

    def values_at_corners(self, classes: tuple[int, ...] = ()) -> PointValues:
        """`values_at` the corners of the cells that are centred on the boxes, one more than boxes along each axis.

        In the order of the flattened grid of corners, the last axis fastest.
        """
        axes = [np.arange(n + 1) - 0.5 for n in self.shape]
        return self._nodes.read(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3), classes)

    def totals_at_atoms(self) -> tuple[PointValues, Sums]:
        """`values_at_atoms`, and sums over the atoms with a prediction."""
        if self.read is not None:
            return self.read[0], self.read[1].sums
        return self._nodes.summed(self.grid.atom_coordinates)

    def sums_at_atoms(self, rule: Rule) -> Sums:
        """Sums over the atoms with a prediction, those of shares by a rule among them.

        By another rule than that of the map they are of the classes that the map keeps of each box.
        """
        if self.read is not None and rule == self.read[1].rule:
            return self.read[1].sums
        return self._nodes.sums(self.grid.atom_coordinates, rule)

    @cached_property
    def _nodes(self) -> Nodes:
        grid = self.grid
        return Nodes(
            self.prediction, self.shape, np.array(self.shape), grid.pbc, grid.settings.between, self.sharp,
            np.zeros(3, dtype=np.int64),
        )  # fmt: skip

    def resolution_at_atoms(self) -> FloatArray:
        """Edge of the box whose answer the nearest centre has, (n_atoms,), Å; NaN without a prediction."""
        return np.append(self.resolution, np.nan)[self.nearest_to_atoms()]

    def probabilities_at_atoms(self, classes: Sequence[int]) -> NDArray[np.float32]:
        """Probabilities of some classes alone at the atoms, (n_atoms, n_chosen), as `values_at_atoms` gives them."""
        at = self.grid.atom_coordinates
        chosen = np.ascontiguousarray(self.prediction.probabilities[:, list(classes)], dtype=np.float32)
        out = np.empty((len(at), len(classes)), dtype=np.float32)
        if len(classes):
            self._nodes.interpolate(chosen.reshape(*self.shape, -1), at, out)
            self._nodes.weigh(chosen.reshape(*self.shape, -1), at, out)
        return out

    def means_at_atoms(self, values: Float32Array) -> Float32Array:
        """Values of the boxes (n_boxes, k), linear between their centres, at the atoms, (n_atoms, k).

        Boxes with NaN are left out; NaN where all boxes around have it.
        """
        at = self.grid.atom_coordinates
        out = np.empty((len(at), values.shape[1]), dtype=np.float32)
        if values.shape[1]:
            self._nodes.interpolate(np.ascontiguousarray(values).reshape(*self.shape, -1), at, out)
        return out

    def moved(self, vector: FloatArray) -> StridedMap:
        """The same map for a user whose coordinates have their zero elsewhere, by a vector (3,), Å."""
        return replace(self, grid=self.grid.moved(vector))

    def at(self, points: FloatArray) -> Prediction:
        """Prediction at points (n, 3) Å, interpolated linearly between the centres of boxes.

        Points wrap along periodic directions and are taken to the border of the grid beyond open ones. Boxes
        without a prediction are left out; NaN where all boxes around are without.
        """
        p = self.prediction
        found = self.values_at(points, tuple(range(len(p.classes))))
        nearest = self.nearest(points)
        return replace(
            p,
            probabilities=found.probabilities,
            mutual_information=found.mutual_information,
            predictive_entropy=found.predictive_entropy,
            variation_ratio=found.variation_ratio,
            reject_score=found.reject_score,
            reject_deviation=found.reject_deviation,
            passes=p.passes[nearest],
            standard_error=p.standard_error[nearest],
        )

    def nearest(self, points: FloatArray) -> IntArray:
        """Index of the box whose centre is nearest in grid coordinates, (n,)."""
        return self._nearest(self.coordinates(points))

    def nearest_to_atoms(self) -> IntArray:
        """`nearest` to the atoms that the map was made of, (n_atoms,); -1 for those that are far from all boxes."""
        at = self.grid.atom_coordinates
        nowhere = np.asarray(np.isnan(at).any(axis=1))
        return np.where(nowhere, MISSING, self._nearest(np.where(nowhere[:, None], 0.0, at)))

    def _nearest(self, coordinates: FloatArray) -> IntArray:
        at = np.round(coordinates).astype(np.int64)
        shape = np.array(self.shape)
        at = np.where(self.grid.pbc, at % shape, np.clip(at, 0, shape - 1))
        return np.asarray(np.ravel_multi_index(tuple(at.T), self.shape))

    def to_xarray(self) -> xarray.Dataset:
        """All fields over the axes x, y, z of the grid (numbers of boxes), with centres, units and origin.

        With all probabilities there is `probability` over the classes, else `class_index` and `probability` over the
        ranks of the most probable ones.
        """
        import xarray

        p = self.prediction
        dims = ("x", "y", "z")

        def field(values: NDArray[np.generic], unit: str, text: str) -> tuple[object, ...]:
            return dims, values.reshape(self.shape), {"units": unit, "long_name": text}

        def fields_of(last: str, values: NDArray[np.generic], text: str) -> tuple[object, ...]:
            return (*dims, last), values.reshape(*self.shape, -1), {"units": "1", "long_name": text}

        if isinstance(p.probabilities, TopProbabilities):
            ranked = "most probable classes, best first; -1 without a prediction"
            probabilities = {
                "class_index": fields_of("rank", p.probabilities.index, ranked),
                "probability": fields_of("rank", p.probabilities.kept, "their probabilities"),
            }
        else:
            probabilities = {"probability": fields_of("class", p.probabilities, "class probability")}
        fields = {
            **probabilities,
            "label": field(p.index.astype(np.int16), "1", "index of the most probable class, -1 without a prediction"),
            "confidence": field(p.confidence, "1", "probability of the most probable class"),
            "mutual_information": field(p.mutual_information, "bit", "mutual information"),
            "predictive_entropy": field(p.predictive_entropy, "bit", "predictive entropy"),
            "variation_ratio": field(p.variation_ratio, "1", "variation ratio"),
            "reject_score": field(p.reject_score, "1", "score that speaks against all classes"),
            "reject_deviation": field(p.reject_deviation, "1", "standard deviation of that score over passes"),
            "rejection_uncertainty": field(p.rejection_uncertainty, "bit", "doubt whether the box is rejected"),
            "rejected": field(p.rejected.astype(np.int8), "1", "1 where the score is above the threshold"),
            "n_atoms": field(self.n_atoms, "1", "atoms in the box"),
            "resolution": field(self.resolution, "angstrom", "edge of the box that has answered"),
            "passes": field(p.passes, "1", "forward passes used, 0 where those around answer"),
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
            "box_edges_angstrom": self.grid.box_edges,
            "resolutions_angstrom": np.array(self.edges or (self.grid.settings.box_size,), dtype=np.float64),
            "stride_angstrom": self.grid.stride,
            "cell_angstrom": self.grid.cell.ravel(),
            "periodic": self.grid.pbc.astype(np.int8),
            "grid_origin_angstrom": self.grid.origin,
            "grid_domain_angstrom": self.grid.domain.ravel(),
            "reject_threshold": np.nan if p.reject_threshold is None else p.reject_threshold,
        }
        if self.audit is not None:
            attributes |= {
                "settled_boxes": self.audit.settled,
                "audited_boxes": self.audit.asked,
                "audited_boxes_different": self.audit.different,
                "audited_mutual_information_off_bit": self.audit.off,
            }
        return xarray.Dataset(fields, coordinates, attributes)

    def to_netcdf(self, path: str | Path) -> None:
        """Write `to_xarray` as NetCDF 4, in one step: an interrupt leaves no half-written file.

        Raises:
            MissingPackageError: netCDF4 is not installed.
            FileError: the system does not let it.
        """
        check_package("netCDF4", "a map as NetCDF needs netCDF4")
        data = self.to_xarray()

        def write(place: Path) -> None:
            try:
                data.to_netcdf(place, engine="netcdf4")
            except RuntimeError as error:  # how the NetCDF library tells of a full disk
                raise FileError(f"file {str(path)!r} cannot be written: {error}") from error

        write_atomically(Path(path), write)

    def to_vts(self, path: str | Path) -> None:
        """Write a VTK structured grid for ParaView, in one step; cells have the cell's shape and are centred on boxes.

        Cell data are the values of the boxes: class (`label`, -1 without a prediction; names are in the field data
        `class_names`), its probability, uncertainties, reject score, atoms, passes. Point data are values at the
        corners of the cells, interpolated as at atoms, for contours. `probability NAME` is of the classes that some box
        is most probably of. NaN where there is no prediction.

        Args:
            path: of the file, with VTK's suffix `.vts`.

        Raises:
            FileError: the system does not let it.
        """
        p = self.prediction
        chosen = np.unique(p.index[p.valid]).tolist()
        corner = self.values_at_corners(tuple(chosen))
        both = ("confidence", "mutual_information", "predictive_entropy", "variation_ratio", "reject_score")
        named = [f"probability {p.classes.short[k]}" for k in chosen]
        grid = StructuredGrid(
            shape=self.shape,
            origin=self.grid.origin,
            domain=self.grid.domain,
            cells={
                "label": p.index.astype(np.int16),
                "rejected": p.rejected.astype(np.int8),
                **{name: getattr(p, name) for name in both},
                "rejection_uncertainty": p.rejection_uncertainty,
                "resolution": self.resolution,
                "n_atoms": np.asarray(self.n_atoms, dtype=np.int32),
                "passes": np.asarray(p.passes, dtype=np.int32),
                **{name: p.probabilities[:, k] for name, k in zip(named, chosen, strict=True)},
            },
            corners={
                **{name: getattr(corner, name) for name in both},
                **dict(zip(named, corner.probabilities.T, strict=True)),
            },
            words={"class_names": p.classes.short, "model": (self.model_name,)},
            numbers={
                "box_edges": self.grid.box_edges.tolist(),
                "stride": self.grid.stride.tolist(),
                **({} if p.reject_threshold is None else {"reject_threshold": [p.reject_threshold]}),
            },
        )
        grid.write(Path(path))

    def write(self, path: str | Path) -> None:
        """Write the map in the format that the end of the name tells: NetCDF (.nc) or VTK (.vts).

        Raises:
            InputError: another end.
            FileError: the system does not let it.
        """
        writers = {".nc": self.to_netcdf, ".vts": self.to_vts}
        check_type("path", path, (str, Path), "the name of a file")
        suffix = Path(path).suffix
        if suffix not in writers:
            raise InputError(f"`path` of a map must end in {' or '.join(writers)}, got {str(path)!r}")
        writers[suffix](path)


def strided_map(
    structure: Structure | Material,
    model: Model,
    *,
    reject_threshold: Threshold = "card",
    probabilities: KeptProbabilities = "top",
    progress: Progress = silent,
    **settings: Any,
) -> StridedMap:
    """Slide a box over a structure and classify what is in it (strided pattern matching).

    Args:
        structure: any size; open, periodic or mixed; any cell.
        model: from `load_model`.
        reject_threshold: score from which a box is none of the classes; "card": the model's own; None: never.
        probabilities: what is kept of each box. "top": those of the five most probable classes; what is read off at
            the atoms is made of all of them before. "all": those of all classes, four bytes each.
        progress: called with the share of the work done.
        **settings: those of `MapSettings` (box_size, stride, padding, edges, min_atoms, ...) and of
            `SamplingSettings` (passes, tolerance, seed); the tolerance is "auto" unless it is given.

    Raises:
        TypeError: an unknown setting.
        ValueError: overlapping atoms or an argument out of range; before any work.
    """
    _, boxes, sampling = split_options(settings)
    job = map_steps(
        structure, model, MapSettings(**boxes), map_sampling(sampling), reject_threshold,
        probabilities=probabilities,
    )  # fmt: skip
    return run(job, progress)


strided_map.__signature__ = with_options(strided_map, MapSettings, SamplingSettings, tolerance=MAP_TOLERANCE)  # type: ignore[attr-defined]


def map_steps(
    structure: Structure | Material,
    model: Model,
    settings: MapSettings,
    sampling: SamplingSettings,
    reject_threshold: Threshold = "card",
    seen: Callable[[BoxDescriptors], object] | None = None,
    *,
    probabilities: KeptProbabilities = "top",
) -> Job[StridedMap]:
    """`strided_map` as a job: yields the share of the work done, returns the map.

    Closing the generator stops the work; no thread is left running.

    Args:
        structure, model, settings, sampling, reject_threshold, probabilities: see `strided_map`.
        seen: called with each batch of descriptors, which the map does not keep.
    """
    check_kept(probabilities)
    work = MapWork.of(structure, model, settings, sampling, reject_threshold)
    work.refuse_empty(RANKS if probabilities == "top" else len(model.classes))
    found: Answers | None = None
    audit: Audit | None = None
    joined = Joined(Reader(work)) if probabilities == "top" else None
    for slab in work.slabs:
        begin, end = slab.number / len(work.slabs), (slab.number + 1) / len(work.slabs)
        answers = yield from part(work.answers(slab, seen), begin, end)
        audit = total((audit, answers.audit))
        if joined is not None:
            joined.add(joined.reader.slab(slab, answers))
            answers = replace(answers, prediction=answers.prediction.with_top())
        if len(work.slabs) == 1:
            found = answers
        else:
            found = Answers.room(len(work.grid), answers) if found is None else found
            found.put(answers.boxes, answers)
    assert found is not None  # there is a slab at least
    read = None if joined is None else joined.result()
    if read is None:
        work.warn_if_empty(int(found.prediction.valid.sum()), int(found.n_atoms.max()))
    return StridedMap(
        work.grid, found.prediction, found.n_atoms, model.name, work.edges, found.size, read, audit
    )
