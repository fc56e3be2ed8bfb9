"""The material's support W and its set covariance γ(r) = |W ∩ (W + r)| / |W|.

A finite piece of crystal has too few long pairs; each pair at displacement r is divided by γ(r) to undo
this (translation correction of spatial statistics: Ohser 1983; Stoyan & Stoyan 1994). W is the closing of
the atoms with balls: their union, eroded back so that it ends about half an atomic spacing beyond the
outermost atoms.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import fft
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

from arise_core import _kernels
from arise_core.neighbors import images, wrapped
from arise_core.structure import (
    BoolArray,
    Float32Array,
    FloatArray,
    IntArray,
    Structure,
    inverse,
    perpendicular_heights,
    transformed,
    volume,
)

#: Neighbours over which the atomic spacing is averaged.
SPACING_NEIGHBOURS = (12, 40)
#: Radius of the balls and distance of the support's surface from the outermost atoms, in atomic spacings.
BALL_RADIUS = 1.1
SURFACE = 0.52
#: A looser material beside a denser one: ratio of their atomic spacings from which it is distinct, and up to which its
#: holes are closed; atoms of the sample that it needs; lopsidedness of the neighbourhood of an atom inside a material
#: (0.5 at a flat surface).
DISTINCT = 1.25
LOOSEST = 1.7
FEW = 10
LOPSIDED = 0.15
#: Width in atomic spacings from which an empty gap across a periodic direction is vacuum.
VACUUM = 3.0
#: Edge of a voxel in atomic spacings, and the largest number of voxels that a covariance is computed on.
VOXEL = 0.25
MAX_VOXELS = 4_000_000


def atomic_spacing(structure: Structure, sample: int = 500) -> float:
    """Cube root of the volume per atom inside the material, Å, from the distances to the 12th ... 40th neighbour.

    The lower quartile over (at most `sample`) atoms, so that surfaces and vacancies count little. A single
    isolated atom gets 1 Å.
    """
    return float(np.quantile(_surroundings(structure, sample)[0], 0.2503, method="inverted_cdf"))


def loose_spacing(structure: Structure, spacing: float, sample: int = 500) -> float:
    """Atomic spacing of the loosest material in the structure, Å; `spacing` where there is but one material.

    Only atoms with neighbours all around count, so that surfaces do not; vapour counts as far as `LOOSEST` goes.

    Args:
        structure: atoms.
        spacing: that of the densest material, from `atomic_spacing`.
        sample: atoms looked at, at most.
    """
    local, lopsided = _surroundings(structure, sample)
    inner = local[lopsided < LOPSIDED]
    if len(inner) < FEW:
        return spacing
    loosest = float(np.quantile(inner, 0.95))
    return min(loosest, LOOSEST * spacing) if loosest > DISTINCT * spacing else spacing


def _surroundings(structure: Structure, sample: int) -> tuple[FloatArray, FloatArray]:
    """Of at most `sample` atoms, (m,): local spacing, Å, and lopsidedness.

    The latter is the length of the sum of the vectors to the neighbours over the sum of their lengths.
    """
    positions, cell, pbc = wrapped(structure), structure.complete_cell, structure.pbc
    n = len(positions)
    chosen = np.arange(n) if n <= sample else np.linspace(0, n - 1, sample).astype(int)
    first, last = SPACING_NEIGHBOURS
    if not pbc.any():
        if n == 1:
            return np.ones(1), np.zeros(1)
        last = min(last, n - 1)
        first = min(first, last)
        near = positions
        distance, found = cKDTree(near).query(positions[chosen], k=last + 1)
    else:
        heights = perpendicular_heights(cell)
        extent = np.where(
            pbc, heights, np.maximum(np.ptp(transformed(positions, inverse(cell)), axis=0) * heights, 1.0)
        )
        margin = float(1.5 * np.cbrt(np.prod(extent) * last / n))
        while True:
            near = images(positions, cell, pbc, margin).positions
            if len(near) > last:
                distance, found = cKDTree(near).query(positions[chosen], k=last + 1)
                if (distance[:, -1] <= margin).all():
                    break
            margin *= 1.5
    k = np.arange(first, last + 1)
    spacing = (distance[:, first:] * np.cbrt(4 * np.pi / 3 / (k + 0.5))).mean(axis=1)
    total = np.linalg.norm((near[found] - positions[chosen, None]).sum(axis=1), axis=1)
    return spacing, total / np.maximum(distance.sum(axis=1), 1e-300)


def without_vacuum(structure: Structure) -> Structure:
    """The structure, open along periodic directions that hold a wide empty gap (slabs and layers in a cell).

    Such a direction repeats the structure only because a simulation code wanted a cell. The gap is moved to
    the cell's border. A gap counts as vacuum from 3 atomic spacings.
    """
    if not structure.pbc.any():
        return structure
    cell = structure.complete_cell
    heights = perpendicular_heights(cell)
    fractional = transformed(wrapped(structure), inverse(cell))
    spacing: float | None = None
    pbc = structure.pbc.copy()
    for k in np.flatnonzero(structure.pbc):
        sorted_fractions = np.sort(fractional[:, k])
        gaps = np.diff(sorted_fractions, append=sorted_fractions[0] + 1)
        widest = int(np.argmax(gaps))
        if spacing is None:
            spacing = atomic_spacing(structure)
        if gaps[widest] * heights[k] < VACUUM * spacing:
            continue
        after = sorted_fractions[(widest + 1) % len(gaps)]
        fractional[:, k] = np.where(fractional[:, k] < after - 1e-12, fractional[:, k] + 1, fractional[:, k])
        pbc[k] = False
    if (pbc == structure.pbc).all():
        return structure
    return Structure(transformed(fractional, cell), structure.numbers, cell, pbc)


@dataclass(frozen=True)
class Support:
    """Indicator of the material on a grid of nodes; 1 inside, 0 outside, between them at its surface."""

    inside: Float32Array  # (n0, n1, n2)
    step: FloatArray  # (3, 3), Å, rows: from node to node
    origin: FloatArray  # (3,), Å, of node (0, 0, 0)
    pbc: BoolArray  # (3,), directions along which the grid repeats

    @cached_property
    def _padded(self) -> Float32Array:
        """The indicator with one more node at each end: the image of the other end, or 0 at open borders."""
        padded = np.pad(self.inside, 1, mode="wrap")
        for k in np.flatnonzero(~self.pbc):
            for end in (0, -1):
                edge: list[slice | int] = [slice(None)] * 3
                edge[k] = end
                padded[tuple(edge)] = 0.0
        return padded

    def at(self, points: FloatArray) -> FloatArray:
        """Indicator at points (n, 3) Å, interpolated linearly; 0 outside an open grid, (n,)."""
        q = transformed(points - self.origin, inverse(self.step))
        q = np.where(self.pbc, q % np.array(self.inside.shape), q) + 1
        return np.asarray(map_coordinates(self._padded, q.T, order=1, mode="constant", cval=0.0))

    @property
    def full(self) -> bool:
        """Whether the material fills all space (a periodic structure without voids)."""
        return bool(np.all(self.pbc)) and bool((self.inside >= 1.0).all())


def support(structure: Structure, spacing: float, max_voxels: int = MAX_VOXELS) -> Support:
    """The support W of a structure, periodic where the structure is.

    Where materials of different density meet, the balls are large enough for the holes of the looser one.

    Args:
        structure: atoms.
        spacing: atomic spacing of the densest material, Å.
        max_voxels: voxels grow beyond a quarter of a spacing rather than exceed this number.
    """
    cell, pbc = structure.complete_cell, structure.pbc
    positions = wrapped(structure)
    radius = BALL_RADIUS * loose_spacing(structure, spacing)
    heights = perpendicular_heights(cell)
    fractional = transformed(positions, inverse(cell))
    room = 1.2 * radius / heights
    low = np.where(pbc, 0.0, fractional.min(axis=0) - room)
    extent = np.where(pbc, 1.0, np.ptp(fractional, axis=0) + 2 * room)
    size = VOXEL * spacing
    size *= max(1.0, float(np.cbrt(np.prod(extent * heights / size) / max_voxels)))
    shape = np.maximum(np.ceil(extent * heights / size - 1e-9).astype(int), 1)
    step = cell * (extent / shape)[:, None]
    origin = transformed(low, cell)
    distance = _distance_field(positions, cell, pbc, step, origin, shape, radius + 1e-9)
    outside = ~(distance < radius)
    if not outside.any():
        return Support(np.ones(tuple(shape), dtype=np.float32), step, origin, pbc)
    # Erosion: nodes near the complement of the union of balls drop out. Only the rim of the complement matters.
    rim = np.argwhere(outside & ~_eroded(outside, pbc))
    depth = radius - SURFACE * spacing
    edge = float(np.cbrt(abs(volume(step))))
    from_outside = _distance_field(
        transformed(rim, step) + origin, cell, pbc, step, origin, shape, depth + 1.5 * edge
    )
    inside = np.clip((from_outside - np.float32(depth)) / np.float32(edge), 0.0, 1.0)
    inside[outside] = 0.0
    return Support(inside, step, origin, pbc)


def _eroded(mask: BoolArray, pbc: BoolArray) -> BoolArray:
    """Nodes of a mask all of whose six neighbours are in it too (beyond an open border: yes)."""
    kept = mask.copy()
    for k in range(3):
        for s in (-1, 1):
            moved = np.roll(mask, s, axis=k)
            if not pbc[k]:
                edge = [slice(None)] * 3
                edge[k] = slice(0, 1) if s == 1 else slice(-1, None)
                moved[tuple(edge)] = True
            kept &= moved
    return kept


def _distance_field(
    points: FloatArray, cell: FloatArray, pbc: BoolArray, step: FloatArray, origin: FloatArray, shape: IntArray,
    radius: float,
) -> Float32Array:  # fmt: skip
    """Distance of each grid node from the nearest point or image, Å; inf beyond `radius`."""
    field = np.full(tuple(shape), np.inf, dtype=np.float32)
    inside = wrapped(Structure(points, np.ones(len(points), dtype=int), cell, pbc)) if len(points) else points
    near = images(inside, cell, pbc, radius, whole_cell=True).positions
    _kernels.nearest_on_grid(near - origin, step, radius, 1.0 / perpendicular_heights(step), field)
    return field


class Covariance:
    """Set covariance of a support, as a weight 1 / max(γ, floor) for pair vectors."""

    def __init__(self, support: Support, floor: float, limit: float) -> None:
        """Compute γ by FFT for displacements up to `limit` Å."""
        self.floor = floor
        self.full = support.full
        if self.full:
            return
        heights = perpendicular_heights(support.step)
        n = np.array(support.inside.shape)
        pad = np.minimum(n, np.ceil(np.minimum(limit / heights, n)) + 2).astype(int)
        shape = [
            int(n[k]) if support.pbc[k] else fft.next_fast_len(int(n[k] + pad[k]), real=(k == 2))
            for k in range(3)
        ]
        spectrum = fft.rfftn(support.inside.astype(np.float64), shape)
        gamma = fft.irfftn(np.abs(spectrum) ** 2, shape)
        self.gamma = np.ascontiguousarray(gamma / gamma[0, 0, 0])
        self.to_voxel = inverse(support.step)

    def weights(self, vectors: FloatArray) -> FloatArray:
        """1 / max(γ(r), floor) of displacements (m, 3) Å, (m,)."""
        if self.full:
            return np.ones(len(vectors))
        out = np.empty(len(vectors))
        _kernels.grid_covariance(vectors, self.to_voxel, self.gamma, self.floor, out)
        return out


class BoxWindow:
    """Set covariance of a full parallelepiped, γ = Π (1 - |f_k| / width_k), as weights for pair vectors."""

    def __init__(self, cell: FloatArray, width: FloatArray, floor: float) -> None:
        """`cell` (3, 3) Å: directions of the edges; `width` (3,): edges in units of the cell vectors."""
        self.to_fraction = inverse(cell)
        self.width = np.asarray(width, dtype=np.float64)
        self.floor = floor

    def weights(self, vectors: FloatArray) -> FloatArray:
        """1 / max(γ(r), floor) of displacements (m, 3) Å, (m,)."""
        out = np.empty(len(vectors))
        _kernels.box_covariance(vectors, self.to_fraction, self.width, self.floor, out)
        return out


class NoWindow:
    """γ = 1: pieces are taken as free clusters."""

    def weights(self, vectors: FloatArray) -> FloatArray:
        """Ones, (m,)."""
        return np.ones(len(vectors))
