"""Pieces of other shapes than boxes: spheres, cylinders, whole layers; which atoms they hold, and their windows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from arise_core.descriptor.covariance import Covariance, NoWindow, Window
from arise_core.descriptor.soap import Survey, describe_piece, survey
from arise_core.engine.fill import BOX_VOXEL, BOX_VOXELS, FULL, MAP_VOXELS
from arise_core.errors import InputError
from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray
from arise_core.geometry.cell import complete_cell, cross, inverse, perpendicular_heights, transformed
from arise_core.geometry.material import Material
from arise_core.geometry.neighbors import PairFinder, images, wrapped_points
from arise_core.geometry.structure import Structure
from arise_core.geometry.support import SURFACE, Support, support
from arise_core.settings import DescriptorSettings, check_number

#: A direction lies in a plane if its cosine with the normal is smaller.
IN_PLANE = 1e-6
#: An open structure is a rod if it is so many times longer than wide.
ROD = 2.0
#: Windows, at most.
MAX_WINDOWS = 1_000_000
AXES = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}


@dataclass(frozen=True)
class Sphere:
    """All atoms within a distance of a point.

    Args:
        radius: Å.
    """

    radius: float

    def __post_init__(self) -> None:
        _check_length(self, "radius")

    @property
    def half(self) -> FloatArray:
        """Half its size along the axis and across, (3,), Å."""
        return np.full(3, self.radius)

    def depth(self, local: FloatArray) -> FloatArray:
        """How far points (n, 3), along the axis and across, lie inside its surface, (n,), Å; negative outside."""
        return np.asarray(self.radius - np.sqrt((local * local).sum(axis=1)))

    def overlap(self, local: FloatArray) -> FloatArray:
        """Set covariance γ of displacements (n, 3): 1 - 3 x / 2 + x³ / 2 with x = r / 2 R, (n,)."""
        x = np.minimum(np.sqrt((local * local).sum(axis=1)) / (2 * self.radius), 1.0)
        return np.asarray(1 - 1.5 * x + 0.5 * x**3)


@dataclass(frozen=True)
class Cylinder:
    """All atoms within a distance of an axis, and between two planes normal to it.

    Args:
        radius: Å.
        length: from plane to plane, Å.
    """

    radius: float
    length: float

    def __post_init__(self) -> None:
        _check_length(self, "radius")
        _check_length(self, "length")

    @property
    def half(self) -> FloatArray:
        """Half its size along the axis and across, (3,), Å."""
        return np.array([self.length / 2, self.radius, self.radius])

    def depth(self, local: FloatArray) -> FloatArray:
        """See `Sphere.depth`."""
        return np.minimum(
            self.length / 2 - np.abs(local[:, 0]), self.radius - np.hypot(local[:, 1], local[:, 2])
        )

    def overlap(self, local: FloatArray) -> FloatArray:
        """Set covariance of displacements (n, 3), (n,): 1 - z / L, times that of two discs with x = ρ / 2 R,
        (2 / π) (arccos x - x √(1 - x²)).
        """
        x = np.minimum(np.hypot(local[:, 1], local[:, 2]) / (2 * self.radius), 1.0)
        disc = (np.arccos(x) - x * np.sqrt(1 - x * x)) * 2 / np.pi
        return np.asarray(np.maximum(1 - np.abs(local[:, 0]) / self.length, 0.0) * disc)


@dataclass(frozen=True)
class Layer:
    """All atoms between two parallel planes: a whole layer of a slab or crystal, the whole cross-section of a wire.

    Periodic in its plane where the structure is.

    Args:
        thickness: from plane to plane, Å.
    """

    thickness: float

    def __post_init__(self) -> None:
        _check_length(self, "thickness")

    def depth(self, local: FloatArray) -> FloatArray:
        """See `Sphere.depth`."""
        return np.asarray(self.thickness / 2 - np.abs(local[:, 0]))

    def overlap(self, local: FloatArray) -> FloatArray:
        """Set covariance of displacements (n, 3) in a layer that has no end in its plane, (n,): 1 - z / L."""
        return np.maximum(1 - np.abs(local[:, 0]) / self.thickness, 0.0)


Shape = Sphere | Cylinder | Layer


def _check_length(shape: Any, name: str) -> None:
    value = check_number(name, getattr(shape, name), low=0.0, above=True, unit="Å")
    object.__setattr__(shape, name, float(value))


@dataclass(frozen=True)
class ShapeWindow:
    """Weights of pairs in a shape that is full of material."""

    shape: Shape
    to_local: FloatArray  # (3, 3), from Å to distances along the axis and across
    floor: float

    def weights(self, vectors: FloatArray) -> FloatArray:
        """1 / max(γ(r), floor) of displacements (m, 3) Å, (m,)."""
        return np.asarray(1 / np.maximum(self.shape.overlap(transformed(vectors, self.to_local)), self.floor))


# --- axes and lines -----------------------------------------------------------------------------------------------


def axis_of(material: Material, axis: Any) -> FloatArray:
    """An axis that was named, or that of the material, as a unit vector, (3,).

    Args:
        material: a wire or tube (its one period, or the length of a rod in open space) or a slab (its normal), where
            `axis` is "auto".
        axis: "x", "y", "z", three numbers, or "auto".

    Raises:
        InputError: no axis, or none that the material shows.
    """
    wanted = "`axis` must be 'x', 'y', 'z', a vector of three numbers or 'auto'"
    if isinstance(axis, str):
        if axis == "auto":
            return _own_axis(material)
        if axis not in AXES:
            raise InputError(f"{wanted}, got {axis!r}")
        axis = AXES[axis]
    try:
        vector = np.asarray(axis, dtype=np.float64)
    except (TypeError, ValueError):
        vector = np.zeros(0)
    if vector.shape != (3,) or not np.isfinite(vector).all() or not vector.any():
        raise InputError(f"{wanted}, got {axis!r}")
    return np.asarray(vector / np.sqrt((vector * vector).sum()))


def _own_axis(material: Material) -> FloatArray:
    body = material.body
    periods = body.complete_cell[body.pbc]
    if len(periods) == 1:
        vector = periods[0]
    elif len(periods) == 2:
        vector = cross(periods[0], periods[1])
    else:
        vector = None if len(periods) == 3 else _length_of_rod(material.positions)
    if vector is None:
        kind = "repeats in three directions" if len(periods) else "is no rod"
        raise InputError(f"`axis` must be named: the structure {kind}, so 'auto' finds none")
    return np.asarray(vector / np.sqrt((vector * vector).sum()))


def _length_of_rod(positions: FloatArray) -> FloatArray | None:
    """Direction of an open structure that is much longer than wide, (3,); None for others."""
    x = positions - positions.mean(axis=0)
    spread = np.array([[(x[:, i] * x[:, j]).mean() for j in range(3)] for i in range(3)])
    vector = spread[int(np.argmax(np.diag(spread)))]
    if not vector.any():
        return None
    for _ in range(100):  # steps of the power method: the largest spread of a rod is far above the others
        vector = (spread * vector).sum(axis=1)
        vector = vector / np.sqrt((vector * vector).sum())
    along = np.ptp((x * vector).sum(axis=1))
    across = 2 * np.sqrt(((x - (x * vector).sum(axis=1)[:, None] * vector) ** 2).sum(axis=1)).max()
    if along < ROD * across:
        return None
    return np.asarray(vector * np.sign(vector[int(np.argmax(np.abs(vector)))]))


def periods_across(material: Material, axis: FloatArray) -> tuple[BoolArray, FloatArray | None]:
    """Which cell vectors of the body lie in the planes normal to an axis, (3,), and the period along it, (3,), Å.

    The period is a cell vector that leads from plane to plane, None in structures that are open along the axis.

    Raises:
        InputError: there are several such vectors, so that the planes do not repeat as the structure does.
    """
    body = material.body
    cell = body.complete_cell
    along = (cell * axis).sum(axis=1)
    flat = body.pbc & (np.abs(along) < IN_PLANE * np.sqrt((cell * cell).sum(axis=1)))
    others = np.flatnonzero(body.pbc & ~flat)
    if len(others) > 1:
        raise InputError(
            f"`axis` {np.round(axis, 6).tolist()} must be normal to all cell vectors along which the structure repeats "
            "but one. Give `centers` of spheres or cylinders instead"
        )
    if not len(others):
        return flat, None
    return flat, np.asarray(cell[others[0]] * np.sign(along[others[0]]))


@dataclass(frozen=True)
class Line:
    """Points at even distances along an axis."""

    origin: FloatArray  # (3,), Å
    axis: FloatArray  # (3,), unit vector
    period: FloatArray | None  # (3,), Å, after which the structure repeats along the axis
    first: float  # Å, of the first point from the origin
    step: float  # Å
    count: int

    @classmethod
    def through(cls, material: Material, axis: FloatArray, stride: float, whole: bool) -> Line:
        """The line along the middle of a material, its points `stride` (Å) or less apart.

        Along a period the distance is the largest divisor that does not exceed the stride; along an open axis points
        run over the structure, as centres of boxes do with `padding` "half".

        Args:
            material: of the structure.
            axis: unit vector.
            stride: Å.
            whole: whether pieces span the material across the axis; else it must be open there.
        """
        flat, period = periods_across(material, axis)
        if flat.any() and not whole:
            raise InputError(
                "`centers` must be given: the structure repeats across the axis, so that no line is in its middle"
            )
        x = material.positions
        along = (x * axis).sum(axis=1)
        middle = x.mean(axis=0)
        if period is not None:
            length = float((period * axis).sum())
            start = 0.0
            count = max(1, math.ceil(min(length / stride, MAX_WINDOWS + 1) - 1e-9))
            step = length / count
            first = step / 2
        else:
            start = float(along.min() + along.max()) / 2
            count = math.floor(min(float(np.ptp(along)) / stride, MAX_WINDOWS + 1) + 1e-9) + 1
            step = stride
            first = -stride * (count - 1) / 2
        if count > MAX_WINDOWS:
            raise InputError(f"`stride` {stride:g} Å asks for more than {MAX_WINDOWS:,} windows")
        return cls(middle + axis * (start - (middle * axis).sum()), axis, period, first, step, count)

    @property
    def places(self) -> FloatArray:
        """Of the points along the axis, from the origin, (n,), Å."""
        return np.asarray(self.first + self.step * np.arange(self.count), dtype=np.float64)

    @property
    def points(self) -> FloatArray:
        """(n, 3), Å."""
        return self.origin + self.places[:, None] * self.axis

    def coordinates(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Of points (n, 3), Å: place in the order of the line, (n,), point k of which has k; distance from it, Å."""
        apart = points - self.origin
        along = (apart * self.axis).sum(axis=1)
        if self.period is not None:
            length = float((self.period * self.axis).sum())
            times = np.floor(along / length)
            apart = apart - times[:, None] * self.period
            along = along - times * length
        across = apart - along[:, None] * self.axis
        return (along - self.first) / self.step, np.sqrt((across * across).sum(axis=1))


# --- pieces -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cutter:
    """Cuts pieces of one shape out of a material and describes them."""

    material: Material
    shape: Shape
    axis: FloatArray  # (3,), unit vector
    settings: DescriptorSettings
    min_atoms: int

    def describe(self, centers: FloatArray) -> Iterator[tuple[FloatArray, int]]:
        """Descriptor (n_features,) and atoms of the piece around each centre (n, 3), Å, in the place of the body.

        NaN for pieces with fewer than `min_atoms` atoms; those that repeat in their plane are always large enough.
        """
        for center in wrapped_points(centers, self.material.body.complete_cell, self.material.body.pbc):
            positions, numbers = self._held(center)
            least = 1 if self._flat.any() else self.min_atoms
            if len(positions) < least:
                yield np.full(self.settings.n_features, np.nan), len(positions)
                continue
            cell = np.where(self._flat[:, None], self.material.body.complete_cell, 0.0)
            pairs = PairFinder(Structure(positions, numbers, cell, self._flat))
            window = self._window(center, positions)
            features = describe_piece(
                positions, numbers, window, self._survey.ranges, self.settings, pairs=pairs
            )
            yield features, len(positions)

    @cached_property
    def _survey(self) -> Survey:
        return survey(self.material, self.settings)

    @cached_property
    def _support(self) -> Support | None:
        """Where the material is; None: everywhere."""
        found = support(self.material, max_voxels=MAP_VOXELS)
        return None if found.full else found

    @cached_property
    def _across(self) -> tuple[BoolArray, FloatArray | None]:
        if isinstance(self.shape, Layer):
            return periods_across(self.material, self.axis)
        return np.zeros(3, dtype=bool), None

    @property
    def _flat(self) -> BoolArray:
        """Cell vectors along which pieces repeat, (3,)."""
        return self._across[0]

    @cached_property
    def _frame(self) -> FloatArray:
        """Rows: the axis, and two directions across, (3, 3): periods where pieces repeat, else unit vectors."""
        rows = np.zeros((3, 3))
        rows[0] = self.axis
        periods = self.material.body.complete_cell[self._flat]
        rows[1 : 1 + len(periods)] = periods
        return complete_cell(rows)

    @cached_property
    def _orthogonal(self) -> FloatArray:
        """From Å to distances along the axis and across it, (3, 3)."""
        rows = np.zeros((3, 3))
        rows[0] = self.axis
        return np.ascontiguousarray(complete_cell(rows).T)

    @cached_property
    def _images(self) -> tuple[cKDTree, IntArray]:
        """All atoms that a finite piece around a point of the cell may hold, and their numbers."""
        assert not isinstance(self.shape, Layer)
        body = self.material.body
        reach = float(np.sqrt((self.shape.half**2).sum()))
        near = images(self.material.positions, body.complete_cell, body.pbc, reach, whole_cell=True)
        return cKDTree(near.positions), body.numbers[near.index]

    def _held(self, center: FloatArray) -> tuple[FloatArray, IntArray]:
        """Positions (m, 3), Å, and atomic numbers (m,) of the atoms and images in a piece."""
        if isinstance(self.shape, Layer):
            return self._between(center, self.shape.thickness)
        tree, numbers = self._images
        reach = float(np.sqrt((self.shape.half**2).sum()))
        near = np.array(tree.query_ball_point(center, reach, return_sorted=True), dtype=np.int64)
        points = tree.data[near]
        inside = self.shape.depth(transformed(points - center, self._orthogonal)) >= 0
        held: FloatArray = np.array(points[inside], dtype=np.float64)
        return held, numbers[near[inside]]

    def _between(self, center: FloatArray, thickness: float) -> tuple[FloatArray, IntArray]:
        """Atoms and images between two planes."""
        x, numbers = self.material.positions, self.material.body.numbers
        along = (x * self.axis).sum(axis=1)
        low = float((center * self.axis).sum()) - thickness / 2
        period = self._across[1]
        if period is None:
            inside = (low <= along) & (along < low + thickness)
            return x[inside], numbers[inside]
        length = float((period * self.axis).sum())
        first = math.floor((low - float(along.max())) / length)
        last = math.ceil((low + thickness - float(along.min())) / length)
        positions, held = [], []
        for m in range(first, last + 1):
            inside = (low <= along + m * length) & (along + m * length < low + thickness)
            positions.append(x[inside] + m * period)
            held.append(numbers[inside])
        return np.concatenate(positions), np.concatenate(held)

    def _window(self, center: FloatArray, positions: FloatArray) -> Window:
        """The window of a piece: its shape, or the material inside if that is not all of it."""
        if not self.settings.window:
            return NoWindow()
        full = ShapeWindow(self.shape, self._orthogonal, self.settings.floor)
        ends = isinstance(self.shape, Layer) and int(self._flat.sum()) < 2
        if self._support is None and not ends:
            return full
        inside, room = self._material_inside(self._support, center, positions)
        share = float(inside.inside.sum()) / room
        if not inside.inside.any() or (share >= FULL and not ends):
            return full
        return Covariance(inside, self.settings.floor, np.inf)

    def _material_inside(
        self, material: Support | None, center: FloatArray, positions: FloatArray
    ) -> tuple[Support, float]:
        """The support inside a piece, on a grid of its own, and how many of its voxels a full piece has."""
        frame = self._frame
        spacing = self.material.spacing
        if isinstance(self.shape, Layer):
            half = self.shape.thickness / 2
            u = transformed(positions - center, inverse(frame))
            margin = (SURFACE + 0.5) * spacing
            low, high = u.min(axis=0) - margin, u.max(axis=0) + margin
            low[0], high[0] = -half, half
            periodic = np.arange(3) <= int(self._flat.sum())
            periodic[0] = False
            low[periodic], high[periodic] = 0.0, 1.0
        else:
            periodic = np.zeros(3, dtype=bool)
            low, high = -self.shape.half, self.shape.half
        edges = (high - low) * perpendicular_heights(frame)
        n = edges / (BOX_VOXEL * spacing)
        n = np.maximum(np.round(n / max(1.0, float(np.cbrt(n.prod() / BOX_VOXELS)))).astype(np.int64), 4)
        step = (high - low) / n
        axes = [low[k] + step[k] * (np.arange(n[k]) + 0.5) for k in range(3)]
        local = transformed(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3), frame)
        voxel = float(np.cbrt((edges / n).prod()))
        share = np.clip(self.shape.depth(transformed(local, self._orthogonal)) / voxel + 0.5, 0.0, 1.0)
        room = float(share.sum())
        if material is not None:
            share = share * material.at(center + local)
        grid = share.reshape(tuple(n.tolist())).astype(np.float32)
        return Support(grid, frame * step[:, None], center + transformed(low, frame), periodic), room
