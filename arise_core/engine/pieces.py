"""Partly filled boxes: their pairs weighed by the set covariance of the material in each box.

Boxes that are filled for the most part, and full ones that flat borders cut, come from the sums of whole boxes:
harmonics of some more degrees tell where the pairs of each length point to, roughly, and each direction is corrected by
the ratio of the covariances of box and material, which is close to 1. The others hold few atoms: their pairs are
weighed one by one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from functools import cached_property, lru_cache

import numpy as np
from scipy import fft

from arise_core.descriptor.covariance import BoxWindow
from arise_core.descriptor.lengthscale import LOG_STEP, PairDensity
from arise_core.descriptor.radial import harmonics_norm, n_harmonics, parity_step
from arise_core.descriptor.soap import SpeciesPair
from arise_core.engine import loops
from arise_core.engine.context import Context
from arise_core.engine.fill import BOX_VOXEL, COARSE_VOXEL, batch_size, lags, voxel_counts
from arise_core.engine.grid import BoxGrid
from arise_core.engine.tile import (
    KNOT,
    MORE_DEGREES,
    NODE,
    TileEngine,
    groups,
    node_count,
    ring_counts,
    row_length,
    single_table,
)
from arise_core.geometry.arrays import BoolArray, Float32Array, FloatArray, IntArray
from arise_core.geometry.neighbors import ANY

#: Atoms in a box, at least, whose pairs are told from their harmonics well enough (of two species: geometric mean).
MANY = 64
#: Of a box that a flat border cuts: share of its width that is left, at least, where sums of whole ones are corrected.
LEFT = 0.5
#: Boxes this far apart tell what those between them have: in atomic spacings, at most, and as a share of a box's width.
BETWEEN, OF_WIDTH = 0.85, 0.13
#: If they are fewer than a share of these, and where boxes are filled by a share: emptier ones change faster.
WORTH, NEARLY = 0.5, 0.8
#: Lags of boxes whose covariances are worked out together: what that takes stays in the processor's cache.
CACHED_LAGS = 200_000
#: Pairs of a box that are held at once.
ROOM = 8192


class Pieces:
    """The material in some partly filled boxes of a tile.

    Args:
        engine: of the tile.
        rows: (n,), the boxes, as numbered in the tile.
        voxel: edge of the voxels that the material is looked at with, atomic spacings.
    """

    def __init__(self, engine: TileEngine, rows: IntArray, voxel: float = BOX_VOXEL) -> None:
        self.engine, self.rows = engine, rows
        self.gamma, self.to_lag = looked_at(engine.context, engine.places(rows), voxel)
        self._atoms: dict[int, tuple[FloatArray, IntArray, IntArray]] = {}

    @classmethod
    def batches(cls, engine: TileEngine, rows: IntArray, voxel: float = BOX_VOXEL) -> Iterator[Pieces]:
        """As many boxes at once as are worked on at once, until nobody wants the rest any more."""
        for some in in_batches(engine.context, engine.places(rows), voxel):
            yield cls(engine, rows[some], voxel)

    def features(self) -> Float32Array:
        """Descriptors, every pair evaluated, (n, n_features); NaN where no species pair is left."""
        return self.engine.over_pairs(np.ones(len(self.rows), dtype=bool), self.add_pair, self.rows)

    def add_pair(
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
            sums, n_lm, KNOT, np.ones(len(sums)), found, table, settings.reach / (len(table) - 1),
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

    @cached_property
    def _index(self) -> IntArray:
        """Places of the boxes in the tile, (n, 3)."""
        return np.stack(np.unravel_index(self.rows, self.engine.tile.shape), axis=1)

    @cached_property
    def _near(self) -> BoolArray:
        """Which atoms of the tile lie in the part of it that the boxes span, (n_atoms,)."""
        first, last = self._index.min(axis=0), self._index.max(axis=0)
        return np.asarray(((self.engine.first <= last) & (self.engine.last >= first)).all(axis=1))

    def _atoms_of(self, species: int) -> tuple[FloatArray, IntArray, IntArray]:
        """Atoms of a species near the boxes: positions and first and last boxes, (n_atoms, 3) each; kept."""
        if species not in self._atoms:
            engine = self.engine
            some = np.flatnonzero(self._near & ((engine.numbers == species) | (species == ANY)))
            self._atoms[species] = engine.positions[some], engine.first[some], engine.last[some]
        return self._atoms[species]

    def _pair_arguments(self, alpha: int, beta: int) -> tuple[object, ...]:
        """What the loops over pairs of atoms of two species need of atoms and boxes."""
        return (
            *self._atoms_of(alpha), *self._atoms_of(beta), alpha == beta, self._index, self.gamma, self.to_lag,
            self.engine.context.settings.floor,
        )  # fmt: skip


class Corrected:
    """Boxes of a tile that are described from the sums of full boxes.

    Args:
        engine: of the tile.
        most: boxes that are filled for the most part, (n_boxes,).
        full: those that are taken as full, (n_boxes,).
    """

    def __init__(self, engine: TileEngine, most: BoolArray, full: BoolArray) -> None:
        self.engine, self.chosen, self.full = engine, most | full, full
        context = engine.context
        self.plain = full & ~engine.is_cut  # need no correction
        #: boxes that have enough atoms of a pair of species: those described from sums, and the others
        self.many: dict[SpeciesPair, BoolArray] = {}
        self.few: dict[SpeciesPair, BoolArray] = {}
        self.scales: dict[SpeciesPair, FloatArray] = {}
        for pair in engine.pairs():
            alpha, beta = (engine.n_species_atoms.get(s, engine.n_atoms) for s in pair)
            enough = self.chosen & engine.enough(pair)
            many = enough & (self.plain | (alpha * beta >= MANY**2) & (engine.left.min(axis=1) >= LEFT))
            # neighbours of one species are about as far apart in the whole box; unlike ones, beyond a border, are not
            known = many if alike(pair) else many & full
            nothing = np.full(len(many), np.nan)
            self.many[pair], self.few[pair] = many, enough & ~many
            self.scales[pair] = engine.scales(*pair, known) if known.any() else nothing
        #: degrees of harmonics beyond those of the descriptor
        self.more = MORE_DEGREES if (most & ~full).any() else 0
        self.step = NODE * context.grid.spacing
        #: what partly filled boxes have of pairs that are weighed one by one, and which have any of a pair of species
        self.total = engine.nothing(len(full))
        self.found = {pair: np.zeros(len(full), dtype=bool) for pair in self.many}
        self._look_at(np.flatnonzero(most & ~full), np.flatnonzero(full & engine.is_cut))

    def _look_at(self, partly: IntArray, cut: IntArray) -> None:
        """What the sums of some boxes are multiplied by in all directions; length scales and pairs that sums lack.

        Args:
            partly: boxes that are filled in part.
            cut: those that are full up to flat borders.
        """
        engine, context = self.engine, self.engine.context
        floor, grid = context.settings.floor, context.grid
        high = max((high for _, high in context.survey.ranges.values()), default=0.0)
        directions = sphere(context.settings.l_max, 2, self.more)[0]
        lengths = self.step * np.arange(node_count(grid, context.settings.reach * high))
        vectors = lengths[:, None, None] * directions
        whole = 1.0 / BoxWindow(grid.cell, grid.width, floor).weights(vectors.reshape(-1, 3))
        whole = whole.reshape(vectors.shape[:2]).astype(np.float32)
        kinds, kind = np.unique(np.round(self.engine.left[cut], 9), axis=0, return_inverse=True)
        self.ratios = np.ones((len(partly) + len(kinds), *whole.shape), dtype=np.float32)
        self.row_of = np.full(len(self.full), -1)
        # length scales of few pairs are where the peaks are of nearly equal height
        any_few = np.zeros(len(partly), dtype=bool)
        for few in self.few.values():
            any_few |= few[partly]
        group = np.where(any_few, 2, np.where(context.is_mostly_full(engine.boxes[partly], NEARLY), 0, 1))
        nearly, coarse, fine = (partly[group == k] for k in range(3))
        self.row_of[np.concatenate([nearly, coarse, fine])] = np.arange(len(partly))
        self.row_of[cut] = len(partly) + kind.ravel()
        around = None
        if all(map(alike, self.many)):  # length scales of unlike species take the covariances of each box
            around = nodes_around(grid, engine.places(nearly))
        if around is not None:
            self._look_around(*around, whole[: self._lengths(nearly)], directions)
        else:
            coarse = np.concatenate([nearly, coarse])
        for pieces in itertools.chain(
            Pieces.batches(engine, coarse, COARSE_VOXEL), Pieces.batches(engine, fine)
        ):
            here = pieces.rows
            for pair, many in self.many.items():
                if many[here].any() and not alike(pair):
                    self.scales[pair][here] = pieces.scales(*pair, many[here])
                few = self.few[pair][here]
                if few.any():
                    part = engine.nothing(len(here))
                    self.found[pair][here] = pieces.add_pair(pair, few, engine.weights(pair)[here], part)
                    self.total[here] += part
            loops.add_ratios(
                pieces.gamma, pieces.to_lag, whole[: self._lengths(here)], floor, directions, self.step,
                self.ratios[self.row_of[here[0]] :][: len(here)],
            )  # fmt: skip
        for row, part in enumerate(kinds, len(partly)):
            weights = BoxWindow(grid.cell, grid.width * part, floor).weights(vectors.reshape(-1, 3))
            self.ratios[row] = whole * weights.reshape(whole.shape)

    def _look_around(
        self, nodes: IntArray, corners: IntArray, whole: FloatArray, directions: FloatArray
    ) -> None:
        """`_look_at` boxes by means of those around them, see `nodes_around`; they are the first in `ratios`.

        γ of the material changes about linearly from box to box.
        """
        context = self.engine.context
        inverse = np.ones((len(nodes), *self.ratios.shape[1:]), dtype=np.float32)
        for some in in_batches(context, nodes, COARSE_VOXEL):
            loops.add_ratios(
                *looked_at(context, nodes[some], COARSE_VOXEL), whole, context.settings.floor, directions, self.step,
                inverse[some],
            )  # fmt: skip
        np.reciprocal(inverse, out=inverse)
        loops.mean_ratios(inverse, corners, self.ratios[: len(corners)])

    def _lengths(self, rows: IntArray) -> int:
        """How many lengths of pairs there are in some boxes."""
        context = self.engine.context
        longest = max((float(np.nan_to_num(s[rows]).max()) for s in self.scales.values()), default=0.0)
        return node_count(context.grid, context.settings.reach * longest)

    def features(self) -> Float32Array:
        """Descriptors, (n_boxes, n_features); NaN for others, and where no species pair is left."""
        return self.engine.over_pairs(self.chosen, self._add_pair, total=self.total)

    def _add_pair(
        self, pair: SpeciesPair, enough: BoolArray, weights: FloatArray, total: Float32Array
    ) -> BoolArray:
        """Add the descriptors of one pair of species to `total`; which boxes have one, (n_boxes,)."""
        engine, settings = self.engine, self.engine.context.settings
        scales = self.scales[pair]
        found = np.isfinite(scales)
        step, l_max = parity_step(*pair), settings.l_max + self.more
        n_row, table = row_length(l_max, step), single_table(settings, step)
        for group in groups(scales):
            part, rows = engine.around(group)
            knot, sums = part.sums(pair, scales[rows], group[rows], l_max, cut=False)
            own = total[rows]
            rest = (
                table, settings.reach / (len(table) - 1), settings.l_max, step, settings.n_max, len(settings.radials),
                np.array(settings.radial_of), weights[rows], own,
            )  # fmt: skip
            loops.contract(sums, n_row, knot, scales[rows], (group & self.plain)[rows], *rest)
            pieces = np.flatnonzero((group & ~self.plain)[rows])
            loops.contract_pieces(
                sums, n_row, knot, pieces, scales[rows], self.ratios, self.row_of[rows][pieces], self.step,
                *sphere(settings.l_max, step, self.more)[1:], *rest,
            )  # fmt: skip
            if part is not engine:
                total[rows] = own
        few = self.few[pair] & self.full
        if few.any():
            found |= engine.add_pair(pair, few, weights, total)
        return found | self.found[pair]


def alike(pair: SpeciesPair) -> bool:
    """Whether a pair is of one species, or of any with any."""
    return pair[0] == pair[1]


@lru_cache(maxsize=8)
def sphere(l_max: int, l_step: int, more: int) -> tuple[FloatArray, Float32Array, Float32Array]:
    """Directions in which boxes are corrected: half of them where odd l vanish, else their opposites behind them.

    Returns:
        The directions, (n, 3), harmonics there up to `more` degrees more, (n_all_lm, n), and what brings values there
        back to harmonics up to `l_max`, (n, n_lm).
    """
    n_rings, n_angles = ring_counts(l_max)
    z, weight = np.polynomial.legendre.leggauss(2 * n_rings)
    z, weight = z[z > 0], weight[z > 0]
    angle = 2.0 * np.pi * np.arange(n_angles) / n_angles
    across = np.sqrt(1.0 - z**2)[:, None]
    vectors = np.stack(
        [(across * np.cos(angle)).ravel(), (across * np.sin(angle)).ravel(), np.repeat(z, n_angles)]
    )
    weight = np.repeat(weight * 2.0 * np.pi / n_angles, n_angles)
    if l_step == 2:
        weight = 2.0 * weight
    else:
        vectors, weight = np.concatenate([vectors, -vectors], axis=1), np.concatenate([weight, weight])
    harmonics = []
    for top in (l_max + more, l_max):
        y_lm = np.empty((n_harmonics(top, l_step), vectors.shape[1]))
        room = np.empty((2, vectors.shape[1])), np.empty((top + 1, vectors.shape[1]))
        loops.harmonics_of_many(vectors, vectors.shape[1], top, l_step, harmonics_norm(top), *room, y_lm)
        harmonics.append(y_lm)
    return (
        np.ascontiguousarray(vectors.T),
        harmonics[0].astype(np.float32),
        np.ascontiguousarray((harmonics[1] * weight).T, dtype=np.float32),
    )


def nodes_around(grid: BoxGrid, places: IntArray) -> tuple[IntArray, IntArray] | None:
    """Boxes that lie close around others: those with even numbers along all axes where boxes lie close (`BETWEEN`).

    Along other axes they have the same number; so have they where an open axis ends.

    Args:
        grid: of the boxes.
        places: numbers of boxes along each axis, (n, 3).

    Returns:
        Their places, (m, 3), which may lie behind the grid where it repeats, and which of them are around each box,
        (n, 8), some more than once. None where they are no fewer than a share (`WORTH`) of the boxes.
    """
    shape = np.array(grid.shape)
    apart = 2 * grid.step * np.linalg.norm(grid.cell, axis=1)
    close = (apart <= BETWEEN * grid.spacing) & (2 * grid.step <= OF_WIDTH * grid.width)
    if not close.any():
        return None
    odd = close & (places % 2 == 1) & (grid.pbc | (places < shape - 1))
    steps = np.array(list(itertools.product((-1, 1), repeat=3)))
    around = np.moveaxis(places[:, None] + odd[:, None] * steps, 2, 0)
    nodes, corners = np.unique(np.ravel_multi_index(tuple(around), tuple(shape + 1)), return_inverse=True)
    if len(nodes) >= WORTH * len(places):
        return None
    return np.stack(np.unravel_index(nodes, tuple(shape + 1)), axis=1), corners.reshape(-1, 8)


def in_batches(context: Context, places: IntArray, voxel: float) -> Iterator[slice]:
    """Which of some boxes, as for `looked_at`, are worked on at once, until nobody wants the rest any more."""
    n = voxel_counts(context.grid, context.widths_at(places), voxel)
    size = batch_size(n.max(axis=0, initial=1))
    for first in range(0, len(places), size):
        if context.stopped.is_set():
            return
        yield slice(first, first + size)


def looked_at(context: Context, places: IntArray, voxel: float) -> tuple[Float32Array, FloatArray]:
    """Set covariances of the material in boxes, and what brings lags in Å to their voxels, (n, 3, 3).

    Args:
        context: of their grid.
        places: numbers of the boxes along each axis, (n, 3); they may lie behind the grid where it repeats.
        voxel: edge of the voxels, atomic spacings.
    """
    grid, widths = context.grid, context.widths_at(places)
    n = voxel_counts(grid, widths, voxel)
    lower = np.maximum(places * grid.step + grid.start, grid.low)
    gamma = covariances(voxels(context, lower, widths, n))
    return gamma, np.ascontiguousarray(grid.to_fraction * (n / widths)[:, None, :])


def voxels(context: Context, lower: FloatArray, widths: FloatArray, n: IntArray) -> Float32Array:
    """The material inside some boxes, on voxels that fill each box, (n_boxes, ...); 0 beyond its own number of voxels.

    A box in which none is found counts as full.

    Args:
        context: of a structure that is not full.
        lower: (n_boxes, 3), lower faces, fractions.
        widths: (n_boxes, 3).
        n: (n_boxes, 3), voxels of each box.
    """
    assert context.support is not None  # else all boxes are full
    origin, node = context.nodes
    step = widths / n / node
    first = (lower - origin) / node + 0.5 * step
    found = np.zeros((len(n), *n.max(axis=0)), dtype=np.float32)
    loops.sample_support(context.support.padded, first, step, n, context.support.pbc, found)
    return found


def covariances(inside: Float32Array) -> Float32Array:
    """|W ∩ (W + r)| of indicators (n_boxes, n0, n1, n2) at all lags r, (n_boxes, n0 + 1, 2 n1 + 1, 2 n2 + 1), voxels.

    Lags along the first axis are 0 ... n0, along the others -n ... n.
    """
    n0, n1, n2 = n = np.array(inside.shape[1:])
    p0, p1, p2 = periods = lags(n)
    found = np.zeros((len(inside), n0 + 1, 2 * n1 + 1, 2 * n2 + 1), dtype=np.float32)
    together = max(1, CACHED_LAGS // math.prod(periods))
    for first in range(0, len(inside), together):
        part = slice(first, first + together)
        spectrum = fft.rfft(inside[part], p2, axis=3)
        spectrum = fft.fft(spectrum, p1, axis=2, overwrite_x=True)
        spectrum = fft.fft(spectrum, p0, axis=1, overwrite_x=True)
        # real, and so is what comes back: the same at r and -r
        half = fft.rfft(spectrum.real**2 + spectrum.imag**2, axis=1)[:, :n0]
        half = fft.fft(half, axis=2, overwrite_x=True)
        lag = fft.hfft(half, p2, axis=3, norm="forward")
        lag /= p0 * p1
        for to_y, from_y in ((slice(n1, 2 * n1), slice(n1)), (slice(1, n1), slice(p1 - n1 + 1, None))):
            for to_z, from_z in ((slice(n2, 2 * n2), slice(n2)), (slice(1, n2), slice(p2 - n2 + 1, None))):
                found[part, :n0, to_y, to_z] = lag[:, :, from_y, from_z]
    return found
