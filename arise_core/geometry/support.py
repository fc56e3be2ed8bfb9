"""The material's support W: where it is, on a grid of nodes.

W is the closing of the atoms with balls: their union, eroded back so that it ends about half an atomic spacing
beyond the outermost atoms.
"""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.ndimage import map_coordinates

from arise_core.errors import MemoryLimitError
from arise_core.geometry import loops
from arise_core.geometry.arrays import BoolArray, Float32Array, FloatArray, IntArray
from arise_core.geometry.cell import inverse, perpendicular_heights, transformed, volume
from arise_core.geometry.material import Material
from arise_core.geometry.neighbors import images, wrapped_points
from arise_core.runtime import threads

#: Radius of the balls and distance of the support's surface from the outermost atoms, in atomic spacings.
BALL_RADIUS = 1.1
SURFACE = 0.52
#: Edge of a voxel in atomic spacings, and the largest number of voxels.
VOXEL = 0.25
MAX_VOXELS = 4_000_000
#: Voxels that are this much larger than `VOXEL` show nothing, if the material fills less than a share of the space.
COARSE = 2.0
SPARSE = 0.02


@dataclass(frozen=True)
class Support:
    """Indicator of the material on a grid of nodes; 1 inside, 0 outside, between them at its surface."""

    inside: Float32Array  # (n0, n1, n2)
    step: FloatArray  # (3, 3), Å, rows: from node to node
    origin: FloatArray  # (3,), Å, of node (0, 0, 0)
    pbc: BoolArray  # (3,), directions along which the grid repeats

    @cached_property
    def padded(self) -> Float32Array:
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
        return np.asarray(map_coordinates(self.padded, q.T, order=1, mode="constant", cval=0.0))

    @property
    def full(self) -> bool:
        """Whether the material fills all space (a periodic structure without voids)."""
        return bool(np.all(self.pbc)) and bool((self.inside >= 1.0).all())


def support(material: Material, max_voxels: int = MAX_VOXELS) -> Support:
    """The support W of a material, periodic where its body is.

    Where materials of different density meet, the balls are large enough for the holes of the looser one.

    Args:
        material: atoms.
        max_voxels: voxels grow beyond a quarter of a spacing rather than exceed this number.

    Raises:
        MemoryLimitError: the structure is so empty that voxels would be larger than what it is made of.
    """
    cell, pbc = material.body.complete_cell, material.body.pbc
    positions, spacing = material.positions, material.spacing
    radius = BALL_RADIUS * material.loose_spacing
    heights = perpendicular_heights(cell)
    fractional = transformed(positions, inverse(cell))
    room = 1.2 * radius / heights
    low = np.where(pbc, material.begin, fractional.min(axis=0) - room)
    extent = np.where(pbc, 1.0, np.ptp(fractional, axis=0) + 2 * room)
    size = VOXEL * spacing
    coarse = max(1.0, float(np.cbrt(np.prod(extent * heights / size) / max_voxels)))
    size *= coarse
    share = len(positions) * spacing**3 / (float(np.prod(extent)) * abs(volume(cell)))
    if coarse > COARSE and share < SPARSE:
        edges = " x ".join(f"{e:.4g}" for e in extent * heights)
        raise MemoryLimitError(
            f"`positions`: {len(positions)} atoms lie over {edges} Å and fill a share of {share:.1g} of that: too "
            "empty to be looked at as one. Recognise its parts one by one"
        )
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
    begin = transformed(np.where(pbc, transformed(origin, inverse(cell)), 0.0), cell)
    near = images(wrapped_points(points - begin, cell, pbc), cell, pbc, radius, whole_cell=True).positions
    at, low, to_nodes = near - (origin - begin), 1.0 / perpendicular_heights(step), inverse(step)
    ends = np.linspace(0, len(field), threads.count() + 1).astype(int)

    def lower(part: tuple[int, int]) -> None:
        loops.nearest_on_grid(at, step, to_nodes, radius, low, *part, field)

    deque(threads.in_order(lower, itertools.pairwise(ends.tolist())), maxlen=0)
    return field
