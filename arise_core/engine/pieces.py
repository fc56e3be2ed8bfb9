"""Partly filled boxes: pairs weighed by the set covariance of the material in their own box, a few boxes at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import fft

from arise_core.descriptor.lengthscale import LOG_STEP, PairDensity
from arise_core.descriptor.radial import harmonics_norm, n_harmonics, parity_step
from arise_core.descriptor.soap import SpeciesPair
from arise_core.engine import loops
from arise_core.engine.context import Context
from arise_core.engine.fill import voxel_counts
from arise_core.engine.tile import KNOT, TileEngine, joined, single_table
from arise_core.geometry.arrays import BoolArray, Float32Array, FloatArray, IntArray
from arise_core.geometry.cell import inverse, transformed
from arise_core.geometry.neighbors import ANY
from arise_core.geometry.support import Support

#: Boxes that are worked on at once, and lags of all their covariances, at most.
BATCH = 16
BATCH_LAGS = 1_000_000
#: Bytes a lag: voxels, spectrum and covariance.
LAG_BYTES = 16
#: Pairs of a box that are held at once.
ROOM = 8192


def lags(n: IntArray) -> tuple[int, int, int]:
    """Lags along each axis that hold the covariance of boxes with up to `n` voxels (3,) without going round."""
    shape = [int(fft.next_fast_len(int(2 * n[k]), real=(k == 2))) for k in range(3)]
    return shape[0], shape[1], shape[2]


def batch_size(n_lags: int) -> int:
    """Boxes in a batch whose covariances have as many lags each."""
    return max(1, min(BATCH, BATCH_LAGS // n_lags))


def batch_bytes(context: Context) -> int:
    """Memory that a batch of partly filled boxes takes at most, bytes."""
    n_lags = int(np.prod(lags(voxel_counts(context.grid, context.grid.width[None])[0])))
    return LAG_BYTES * n_lags * batch_size(n_lags)


def batches(context: Context, boxes: IntArray, rows: IntArray) -> Iterator[IntArray]:
    """Rows (n,) of the boxes of a tile (indices into the flattened grid), as many as are worked on at once."""
    n = voxel_counts(context.grid, context.box_widths(boxes[rows]))
    size = batch_size(int(np.prod(lags(n.max(axis=0, initial=1)))))
    for first in range(0, len(rows), size):
        yield rows[first : first + size]


class PieceEngine:
    """Sums over pairs for some partly filled boxes of a tile.

    Args:
        engine: of the tile.
        rows: (n,), the boxes, as numbered in the tile.
    """

    def __init__(self, engine: TileEngine, rows: IntArray) -> None:
        self.engine = engine
        self.rows = rows
        context, grid = engine.context, engine.context.grid
        assert context.support is not None  # else all boxes are full
        boxes = engine.tile.boxes(grid)[rows]
        widths = context.box_widths(boxes)
        n = voxel_counts(grid, widths)
        lower = np.stack(np.unravel_index(boxes, grid.shape), axis=1) * grid.step + grid.start
        self.gamma = covariances(voxels(context.support, grid.cell, np.maximum(lower, grid.low), widths, n))
        self.to_lag = np.ascontiguousarray(inverse(grid.cell)[None] * (n / widths)[:, None, :])
        self.index = np.stack(np.unravel_index(rows, engine.tile.shape), axis=1)
        self.near = (engine.first <= self.index.max(axis=0)).all(axis=1)
        self.near &= (engine.last >= self.index.min(axis=0)).all(axis=1)

    def features(self) -> Float32Array:
        """Descriptors, (n, n_features); NaN where no species pair is left."""
        engine, settings = self.engine, self.engine.context.settings
        shape = (len(self.rows), len(settings.channels))
        total = np.zeros((*shape, settings.channel_size), dtype=np.float32)
        sums = np.zeros(shape, dtype=np.float32)
        for pair in engine.pairs():
            enough = engine.enough(pair)[self.rows]
            if enough.any():
                weights = engine.weights(pair)[self.rows]
                weights[~self._add_pair(pair, enough, weights, total)] = 0.0
                sums += weights
        return joined(total, sums, settings)

    def _add_pair(
        self, pair: SpeciesPair, enough: BoolArray, weights: FloatArray, total: Float32Array
    ) -> BoolArray:
        """Add the descriptors of one pair of species to `total`; which boxes have one, (n,)."""
        settings = self.engine.context.settings
        scales = self.scales(*pair, enough)
        found = np.isfinite(scales)
        step = parity_step(*pair)
        n_lm = n_harmonics(settings.l_max, step)
        table = single_table(settings, step)
        n_knots = int(np.ceil(settings.reach / KNOT)) + 3
        sums = np.zeros((len(self.rows), n_knots * n_lm), dtype=np.float32)
        loops.add_piece_sums(
            *self._pair_arguments(*pair), np.where(found, scales, 0.0), settings.reach, KNOT, settings.l_max, step,
            n_lm, harmonics_norm(settings.l_max), ROOM, sums,
        )  # fmt: skip
        loops.contract(
            sums, KNOT, np.ones(len(sums)), found, table, settings.reach / (len(table) - 1),
            settings.l_max, step, settings.n_max, len(settings.radials), np.array(settings.radial_of), weights, total,
        )  # fmt: skip
        return found

    def scales(self, alpha: int, beta: int, chosen: BoolArray) -> FloatArray:
        """Length scale of a species pair in each chosen box, (n,), Å; NaN elsewhere and without pairs."""
        density = PairDensity(*self.engine.context.survey.ranges[alpha, beta])
        histograms = np.zeros((len(chosen), density.n_bins))
        loops.add_piece_histograms(
            *self._pair_arguments(alpha, beta), chosen, density.limit, density.log_start, LOG_STEP, histograms
        )
        scales = np.full(len(chosen), np.nan)
        scales[chosen] = density.scales(histograms[chosen])
        return scales

    def _pair_arguments(self, alpha: int, beta: int) -> tuple[object, ...]:
        """What the loops over pairs of atoms of two species need of atoms and boxes."""
        engine = self.engine
        a, b = (np.flatnonzero(self.near & ((engine.numbers == s) | (s == ANY))) for s in (alpha, beta))
        return (
            engine.positions[a], engine.first[a], engine.last[a], engine.positions[b], engine.first[b], engine.last[b],
            alpha == beta, self.index, self.gamma, self.to_lag, engine.context.settings.floor,
        )  # fmt: skip


def voxels(
    support: Support, cell: FloatArray, lower: FloatArray, widths: FloatArray, n: IntArray
) -> Float32Array:
    """The support inside some boxes, on voxels that fill each box, (n_boxes, ...); 0 beyond its own number of voxels.

    A box in which none is found counts as full.

    Args:
        support: of the whole structure; its nodes lie along the cell vectors.
        cell: (3, 3), Å.
        lower: (n_boxes, 3), lower faces, fractions.
        widths: (n_boxes, 3).
        n: (n_boxes, 3), voxels of each box.
    """
    node = np.diag(transformed(support.step, inverse(cell)))
    step = widths / n / node
    first = (lower - transformed(support.origin, inverse(cell))) / node + 0.5 * step
    found = np.zeros((len(n), *n.max(axis=0)), dtype=np.float32)
    loops.sample_support(support.padded, first, step, n, support.pbc, found)
    return found


def covariances(inside: Float32Array) -> Float32Array:
    """|W ∩ (W + r)| of indicators (n_boxes, n0, n1, n2) at all lags r, (n_boxes, n0 + 1, p1, p2), voxels.

    Lags along the first axis are 0 ... n0, the others are those of -r; along the other axes they go round.
    """
    n = np.array(inside.shape[1:])
    p0, p1, p2 = lags(n)
    spectrum = fft.rfft(inside, p2, axis=3)
    spectrum = fft.fft(spectrum, p1, axis=2, overwrite_x=True)
    spectrum = fft.fft(spectrum, p0, axis=1, overwrite_x=True)
    power = spectrum.real**2 + spectrum.imag**2
    half = fft.ifft(power, axis=1)[:, : n[0] + 1]
    return np.ascontiguousarray(fft.irfft(fft.ifft(half, axis=2), p2, axis=3))
