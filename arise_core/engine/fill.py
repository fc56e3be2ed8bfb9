"""How much of each box is material, and where it lies in the boxes that are not full."""

from __future__ import annotations

import math

import numpy as np
from scipy import fft, sparse

from arise_core.engine.grid import BoxGrid
from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.geometry.cell import perpendicular_heights, transformed
from arise_core.geometry.support import SURFACE, Support

#: A box is taken as full from this share of its volume (less what is cut off by flat borders).
FULL = 0.97
#: From this share on, the sums of a full box are corrected for what is missing; see `pieces`.
MOST = 0.6
#: A layer thinner than a box counts as full inside if at least this share of its thickness is material.
THIN_LAYER = 0.75
#: The support dips between the atoms of a flat face: thickness of what it lacks there, atomic spacings.
DIP = 0.2
#: Overlaps of boxes and nodes along an axis that are held at once.
OVERLAPS = 4_000_000
#: Voxels in a partly filled box, at most.
BOX_VOXELS = 2_000_000
#: Partly filled boxes that are worked on at once, lags of all their set covariances at most, and bytes a lag (voxels,
#: spectra and covariances).
BATCH = 32
BATCH_LAGS = 400_000
LAG_BYTES = 16
#: Voxels of the support of a whole structure, at most.
MAP_VOXELS = 16_000_000
#: Edge of the voxels in a partly filled box, atomic spacings; the second where sums of full boxes are corrected.
BOX_VOXEL = 0.4
COARSE_VOXEL = 0.5


def filled_share(grid: BoxGrid, material: Support) -> FloatArray:
    """Share of each box, less what flat borders cut off, that is material, of the grid's shape.

    Where a border cuts a box, the dips between the atoms of a flat face do not count as missing. A layer
    thinner than a box has a surface that is not flat: there the share is relative to that of the boxes inside
    the layer (nine tenths of the boxes may lie lower), so that they count as full.
    """
    shares = []
    spacing = grid.spacing / perpendicular_heights(grid.cell)
    first, to_nodes = node_places(grid, material)
    for k in range(3):
        lower = np.maximum(grid.start[k] + grid.step[k] * np.arange(grid.shape[k]), grid.low[k])
        upper = lower + grid.clipped_width(k)
        nodes = first[k] + to_nodes[k] * np.arange(material.inside.shape[k])
        depth = SURFACE * spacing[k]  # of the dips
        dips = np.clip((grid.low[k] + depth - lower) / depth, 0, 1)
        dips += np.clip((upper - grid.high[k] + depth) / depth, 0, 1)
        dips *= grid.shape[k] > 1  # see below for thin layers
        whole = 1.0 - np.minimum(dips * DIP * spacing[k] / np.maximum(upper - lower, 1e-300), 0.5)
        block = max(1, OVERLAPS // len(nodes))
        parts = []
        for begin in range(0, grid.shape[k], block):
            rows = slice(begin, begin + block)
            overlap = _overlaps(lower[rows], upper[rows], nodes, to_nodes[k], bool(grid.pbc[k]))
            overlap /= np.maximum(overlap.sum(axis=1) * whole[rows], 1e-300)[:, None]
            parts.append(sparse.csr_array(overlap))
        shares.append(sparse.vstack(parts, format="csr") if len(parts) > 1 else parts[0])
    share = material.inside.astype(np.float64)
    for k, overlap in enumerate(shares):  # sparse, since a box covers few nodes, and without BLAS
        first_axis = np.moveaxis(share, k, 0)
        summed = overlap @ first_axis.reshape(len(first_axis), -1)
        share = np.moveaxis(summed.reshape(-1, *first_axis.shape[1:]), 0, k)
    thin = ~grid.pbc & (np.array(grid.shape) == 1)
    if thin.sum() == 1:
        inside = float(np.quantile(share, 0.9))
        if inside >= THIN_LAYER:
            share = share / inside
    return np.ascontiguousarray(share)


def _overlaps(
    lower: FloatArray, upper: FloatArray, nodes: FloatArray, width: float, periodic: bool
) -> FloatArray:
    """How much of the cell around each node lies between two faces, (n, n_nodes), fractions.

    Args:
        lower, upper: faces of the boxes, (n,).
        nodes: (n_nodes,).
        width: of the cell of a node.
        periodic: whether the nodes repeat with period 1.
    """
    overlap = np.zeros((len(lower), len(nodes)))
    periods = range(math.floor(lower.min() - 1), math.ceil(upper.max()) + 1) if periodic else (0,)
    for m in periods:
        low = np.maximum(lower[:, None], nodes + m - width / 2)
        high = np.minimum(upper[:, None], nodes + m + width / 2)
        overlap += np.maximum(high - low, 0.0)
    return overlap


def node_places(grid: BoxGrid, material: Support) -> tuple[FloatArray, FloatArray]:
    """Place of the first node of a support and distances of nodes along the cell vectors, fractions, (3,) each."""
    return transformed(material.origin, grid.to_fraction), np.diag(
        transformed(material.step, grid.to_fraction)
    )


def voxel_counts(grid: BoxGrid, widths: FloatArray, voxel: float = BOX_VOXEL) -> IntArray:
    """Voxels along each axis of boxes with some (clipped) widths, (n, 3).

    Args:
        grid: of boxes.
        widths: (n, 3), fractions.
        voxel: their edge, atomic spacings.
    """
    exact = widths / np.linalg.norm(grid.to_fraction, axis=0) / (voxel * grid.spacing)
    exact /= np.maximum(1.0, np.cbrt(exact.prod(axis=1) / BOX_VOXELS))[:, None]
    return np.asarray(np.maximum(np.round(exact).astype(np.int64), 4))


def lags(n: IntArray) -> tuple[int, int, int]:
    """Lags along each axis that hold the set covariance of boxes of up to `n` (3,) voxels without going round."""
    shape = [int(fft.next_fast_len(int(2 * n[k] - 1), real=(k == 2))) for k in range(3)]
    return shape[0], shape[1], shape[2]


def batch_size(n: IntArray) -> int:
    """How many partly filled boxes of up to `n` (3,) voxels are worked on at once."""
    return max(1, min(BATCH, BATCH_LAGS // math.prod(lags(n))))


def batch_bytes(grid: BoxGrid) -> int:
    """Memory of the partly filled boxes of a grid that are worked on at once, bytes."""
    n = voxel_counts(grid, grid.width[None])[0]
    return LAG_BYTES * math.prod(lags(n)) * batch_size(n)


def material_inside(grid: BoxGrid, material: Support, box: int, width: FloatArray) -> Support:
    """The support inside a box, on a grid of its own whose cells fill the (clipped) box.

    Args:
        grid: of boxes.
        material: support of the whole structure.
        box: index into the flattened grid.
        width: (3,), clipped width of the box, fractions.
    """
    index = np.array(np.unravel_index(box, grid.shape))
    lower = np.maximum(grid.start + index * grid.step, grid.low)
    n = voxel_counts(grid, width[None])[0]
    axes = [lower[k] + width[k] * (np.arange(n[k]) + 0.5) / n[k] for k in range(3)]
    u = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    inside = material.at(transformed(u, grid.cell)).reshape(tuple(n))
    return Support(
        inside.astype(np.float32),
        grid.cell * (width / n)[:, None],
        transformed(lower, grid.cell),
        np.zeros(3, dtype=bool),
    )
