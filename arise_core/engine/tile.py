"""Sums over pairs for all full boxes of a tile, a block of neighbouring boxes, at once."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np

from arise_core.descriptor.lengthscale import LOG_STEP, SEARCH_RANGE, PairDensity
from arise_core.descriptor.radial import harmonics_norm, n_harmonics, parity_step, radial_table
from arise_core.descriptor.soap import SpeciesPair, pair_weights
from arise_core.engine import loops
from arise_core.engine.context import Context
from arise_core.engine.fill import batch_bytes
from arise_core.engine.grid import BoxGrid
from arise_core.errors import InputError
from arise_core.geometry import loops as geometry_loops
from arise_core.geometry.arrays import BoolArray, Float32Array, FloatArray, IntArray
from arise_core.geometry.cell import transformed
from arise_core.geometry.neighbors import ANY, fewer_bins
from arise_core.settings import DescriptorSettings

#: Spacing of the radial splines in units of the smallest length scale in a tile.
KNOT = 0.125
#: Degrees of harmonics beyond those of the descriptor by which partly filled boxes are corrected; see `pieces`.
MORE_DEGREES = 2
#: Distance of the lengths of pairs for which corrections are known, atomic spacings; linear between them.
NODE = 0.2
#: Boxes of a tile with length scales within this ratio share one radial histogram.
SCALE_RATIO = 1.5
#: Ratio of the ends of the search range where all atoms have neighbours at one distance.
SEARCH_SPAN = SEARCH_RANGE[1] / SEARCH_RANGE[0]
#: Boxes in a tile, at most, and along an axis, at least and at most (values at atoms need as many in a slab). Fixed, so
#: that results do not depend on threads or memory.
TILE_BOXES, TILE_EDGES = 4096, (6, 2**loops.BITS)
#: Threads that tiles are cut for: as fast as can be with one and with so many, by the geometric mean.
FOR_THREADS = 8
#: Ways to cut whose seconds differ by less than this share are as good as each other.
ALIKE = 0.03

#: Tiles of which fewer boxes are wanted are cut where that is less work.
DENSE = 0.3
#: What a tile costs whatever is in it: as much as so much material, in steps of the grid cubed.
EVERY_TILE = 20.0

#: Boxes that span less than this share of their tile get an engine of their own.
PART = 0.7
#: Pairs of atoms that are held at once, to add up those in the same boxes first.
PAIRS = 8192

#: Adds the descriptors of one pair of species to those (n, n_channels, channel_size) of n boxes: of which boxes, their
#: weights (n, n_channels) and what is added to; tells which boxes have one.
AddPair = Callable[[SpeciesPair, BoolArray, FloatArray, Float32Array], BoolArray]


@dataclass(frozen=True)
class Tile:
    """A block of boxes: [first, stop) along each axis."""

    first: tuple[int, int, int]
    stop: tuple[int, int, int]

    @classmethod
    def between(cls, first: IntArray, stop: IntArray) -> Tile:
        """From arrays, (3,) each."""
        return cls((int(first[0]), int(first[1]), int(first[2])), (int(stop[0]), int(stop[1]), int(stop[2])))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Boxes along each axis."""
        a, b = self.first, self.stop
        return b[0] - a[0], b[1] - a[1], b[2] - a[2]

    def boxes(self, grid: BoxGrid) -> IntArray:
        """Indices of the tile's boxes into the flattened grid, (n_boxes,)."""
        axes = [np.arange(a, b) for a, b in zip(self.first, self.stop, strict=True)]
        return np.asarray(np.ravel_multi_index(np.meshgrid(*axes, indexing="ij"), grid.shape).ravel())


def cuts(grid: BoxGrid) -> list[list[tuple[int, int]]]:
    """First box and the one behind the last of the tiles along each axis.

    Tiles share the material that boxes of several reach, so that few large ones are less work. What a box takes by
    itself is as much as an atomic spacing cubed of material.
    """
    least, most = TILE_EDGES
    counts = [sorted({max(n // edge, -(-n // most)) for edge in range(least, most + 1)}) for n in grid.shape]
    tried = np.stack(np.meshgrid(*counts, indexing="ij"), axis=-1).reshape(-1, 3)
    tried = tried[(-(-np.array(grid.shape) // tried)).prod(axis=1) <= TILE_BOXES]
    n_tiles = tried.prod(axis=1)
    own = len(grid) * grid.spacing**3 / abs(np.linalg.det(grid.cell * grid.step[:, None]))
    work = n_tiles * _work(np.array(grid.shape) / tried, grid.width / grid.step) + own
    seconds = work / np.sqrt(np.minimum(n_tiles, FOR_THREADS))
    # of those that are about as good the one that can be cut into the most slabs
    good = tried[seconds <= seconds.min() * (1 + ALIKE)]
    best = good[np.argmax(good[:, np.argmax(grid.shape)])]
    found = []
    for n, count in zip(grid.shape, best, strict=True):
        ends = np.linspace(0, n, count + 1).round().astype(int)
        found.append([(int(x), int(y)) for x, y in itertools.pairwise(ends)])
    return found


def make_tiles(grid: BoxGrid, wanted: BoolArray | None = None) -> Iterator[Tile]:
    """Cover the grid with tiles, or the boxes of it that are wanted, (n_boxes,), with smaller ones."""
    among = None if wanted is None else wanted.reshape(grid.shape)
    overlap = grid.width / grid.step
    for x, y, z in itertools.product(*cuts(grid)):
        whole = Tile((x[0], y[0], z[0]), (x[1], y[1], z[1]))
        yield from (whole,) if among is None else _around(whole, among, overlap)


def _around(tile: Tile, wanted: BoolArray, overlap: FloatArray) -> list[Tile]:
    """The parts of a tile around the boxes that are wanted, of the grid's shape: cut in two while that is less work.

    Args:
        tile: any.
        wanted: of the grid's shape.
        overlap: (3,), boxes that lie over a point, along each axis.
    """
    inside = np.argwhere(wanted[tuple(slice(a, b) for a, b in zip(tile.first, tile.stop, strict=True))])
    if not len(inside):
        return []
    part = Tile.between(inside.min(axis=0) + tile.first, inside.max(axis=0) + tile.first + 1)
    if len(inside) > DENSE * math.prod(part.shape):
        return [part]
    axis = int(np.argmax(part.shape))
    middle = part.first[axis] + part.shape[axis] // 2
    halves = [
        *_around(replace(part, stop=_with(part.stop, axis, middle)), wanted, overlap),
        *_around(replace(part, first=_with(part.first, axis, middle)), wanted, overlap),
    ]
    less = sum(_work(np.array(half.shape), overlap) for half in halves) < _work(np.array(part.shape), overlap)
    return halves if less else [part]


def _with(numbers: tuple[int, int, int], axis: int, number: int) -> tuple[int, int, int]:
    """Three numbers with another one along an axis."""
    x, y, z = (number if k == axis else numbers[k] for k in range(3))
    return x, y, z


def _work(shape: IntArray | FloatArray, overlap: FloatArray) -> FloatArray:
    """About how much work tiles of some shapes (..., 3) are: material that their boxes span, and what each takes."""
    return np.asarray((shape - 1 + overlap).prod(axis=-1) + EVERY_TILE)


def tiles_in_memory(context: Context, tiles: Sequence[Tile]) -> int:
    """How many of the tiles may be worked on at once without exceeding `memory_limit`.

    Raises:
        ValueError: not even one fits.
    """
    settings = context.settings
    l_max = settings.l_max if context.support is None else settings.l_max + MORE_DEGREES
    bytes_per_box = 0.0
    for (alpha, beta), (low, high) in context.survey.ranges.items():
        # The largest length scale is at the upper end of the search range, the finest knots at the lower.
        n_knots = settings.reach / KNOT * min(high / low / SEARCH_SPAN, SCALE_RATIO) + 3
        bytes_per_box = max(bytes_per_box, 4 * n_knots * row_length(l_max, parity_step(alpha, beta)))
    bytes_per_box += 16 * settings.n_features
    if context.support is not None or not context.grid.pbc.all():
        high = max((high for _, high in context.survey.ranges.values()), default=0.0)
        n_rings, n_angles = ring_counts(settings.l_max)
        # ratios of each box, and of those around (`pieces.WORTH`)
        bytes_per_box += 6 * n_rings * n_angles * node_count(context.grid, settings.reach * high)
    tile = bytes_per_box * max(math.prod(tile.shape) for tile in tiles)
    if context.support is not None:
        tile += batch_bytes(context.grid)
    limit = context.grid.settings.memory_limit * 2**30
    if tile > limit:
        raise InputError(
            f"`memory_limit` {context.grid.settings.memory_limit} GiB is too small: one tile of boxes takes "
            f"{tile / 2**30:.3f} GiB"
        )
    return int(limit // max(tile, 1.0))


def ring_counts(l_max: int) -> tuple[int, int]:
    """Rings around half a sphere on which corrections are known, and directions on each; see `pieces.sphere`."""
    return (l_max + 7) // 2, 2 * (l_max + 4)


def node_count(grid: BoxGrid, limit: float) -> int:
    """Lengths of pairs for which corrections are known, `NODE` apart, so that all up to `limit` (Å) lie between two.

    No pair is longer than a box.
    """
    longest = float(np.sqrt(((grid.width[:, None] * np.abs(grid.cell)).sum(axis=0) ** 2).sum()))
    return math.ceil(min(limit, longest) / (NODE * grid.spacing)) + 2


def row_length(l_max: int, l_step: int) -> int:
    """Room for the harmonics up to a degree, a multiple of what processors add at once."""
    return -(-n_harmonics(l_max, l_step) // 8) * 8


@lru_cache(maxsize=8)
def single_table(settings: DescriptorSettings, l_step: int) -> Float32Array:
    """`radial_table` in single precision, its last two axes as one."""
    table = radial_table(settings, l_step)
    return np.ascontiguousarray(table.reshape(*table.shape[:2], -1), dtype=np.float32)


def groups(scales: FloatArray) -> Iterator[BoolArray]:
    """Boxes of similar length scale, group after group, (n_boxes,); `scales` (n_boxes,) is NaN where there is none."""
    todo = np.isfinite(scales)
    while todo.any():
        group = todo & (scales <= SCALE_RATIO * float(scales[todo].min()))
        yield group
        todo &= ~group


class TileEngine:
    """Sums over pairs for all boxes of one tile."""

    def __init__(self, context: Context, tile: Tile) -> None:
        self.context = context
        self.tile = tile
        grid = context.grid
        assert max(tile.shape) <= 1 << loops.BITS  # else ranges of its boxes do not fit their keys
        self.widths = self._widths()
        self.u, self.numbers, self.first, self.last = self._atoms()
        self.positions = transformed(self.u, grid.cell)
        self.n_species_atoms = {int(s): self._count(self.numbers == s) for s in np.unique(self.numbers)}
        self.n_atoms = sum(self.n_species_atoms.values(), np.zeros(np.prod(tile.shape), dtype=np.int64))
        self._part: TileEngine | None = None  # the last that was asked for
        self._weights: dict[SpeciesPair, FloatArray] = {}
        self._runs: dict[bool, tuple[IntArray, FloatArray]] = {}

    def _widths(self) -> FloatArray:
        """Widths of the boxes of the tile along each axis, (3, n), fractions; 1 behind the last."""
        widths = np.ones((3, max(self.tile.shape)))
        for k in range(3):
            first, stop = self.tile.first[k], self.tile.stop[k]
            widths[k, : stop - first] = np.maximum(self.context.widths[k][first:stop], 1e-12)
        return widths

    def _runs_of(self, *, cut: bool) -> tuple[IntArray, FloatArray]:
        """Last box of the run of equal width that each box belongs to, and one over the widths, (3, n) each; kept.

        Args:
            cut: whether flat borders of the material cut boxes.
        """
        if cut not in self._runs:
            grid, widths = self.context.grid, self.widths
            if not cut:
                widths = np.repeat(grid.width[:, None], widths.shape[1], axis=1)
            ends = np.zeros(widths.shape, dtype=np.int64)
            for k, n in enumerate(self.tile.shape):
                change = np.abs(np.diff(widths[k, :n])) > 1e-12 * grid.width[k]
                last = np.append(np.flatnonzero(change), n - 1)
                ends[k, :n] = np.repeat(last, np.diff(last, prepend=-1))
            self._runs[cut] = ends, 1.0 / widths
        return self._runs[cut]

    @cached_property
    def boxes(self) -> IntArray:
        """Indices of the tile's boxes into the flattened grid, (n_boxes,)."""
        return self.tile.boxes(self.context.grid)

    def places(self, rows: IntArray) -> IntArray:
        """Numbers of some boxes of the tile along each axis of the grid, (n, 3)."""
        return np.stack(np.unravel_index(self.boxes[rows], self.context.grid.shape), axis=1)

    @cached_property
    def left(self) -> FloatArray:
        """Share of the width of each box that flat borders of the material leave, (n_boxes, 3)."""
        return np.asarray(self.context.box_widths(self.boxes) / self.context.grid.width)

    @cached_property
    def is_cut(self) -> BoolArray:
        """Which boxes a flat border of the material cuts, (n_boxes,)."""
        return np.asarray((self.left < 1 - 1e-9).any(axis=1))

    def _count(self, chosen: BoolArray) -> IntArray:
        """How many of the chosen atoms are in each box, (n_boxes,)."""
        counts = np.zeros((int(np.prod(self.tile.shape)), 1))
        loops.add_counts(self.first[chosen], self.last[chosen], self.tile.shape, counts)
        loops.accumulate(counts, self.tile.shape)
        return np.asarray(np.round(counts[:, 0]).astype(np.int64))

    def _atoms(self) -> tuple[FloatArray, IntArray, IntArray, IntArray]:
        """Atoms and images that lie in any box of the tile, with their ranges of boxes within it."""
        grid, tile = self.context.grid, self.tile
        low = grid.start + grid.step * np.array(tile.first)
        high = grid.start + grid.step * (np.array(tile.stop) - 1) + grid.width
        u, numbers = self.context.cells.within(low, high)
        ranges: list[tuple[IntArray, IntArray]] = []
        for axis in range(3):
            first, last = grid.span(axis, u[:, axis])
            first, last = first - tile.first[axis], last - tile.first[axis]
            n, size = grid.shape[axis], tile.shape[axis]
            shifts = range(0, 1)
            if grid.pbc[axis]:
                shifts = range(
                    -(int(last.max(initial=0)) // n) - 1, (size - int(first.min(initial=0))) // n + 2
                )
            kept = []
            for m in shifts:
                keep = np.flatnonzero((last + m * n >= 0) & (first + m * n < size))
                if len(keep):
                    kept.append((keep, m))
            rows = np.concatenate([k for k, _ in kept]) if kept else np.empty(0, dtype=np.int64)
            moved = np.concatenate([np.full(len(k), m) for k, m in kept]) if kept else rows
            u = u[rows].copy()
            u[:, axis] += moved
            numbers = numbers[rows]
            ranges = [(f[rows], la[rows]) for f, la in ranges]
            ranges.append(
                (np.maximum(first[rows] + moved * n, 0), np.minimum(last[rows] + moved * n, size - 1))
            )
        return u, numbers, np.stack([f for f, _ in ranges], 1), np.stack([la for _, la in ranges], 1)

    def features(self, chosen: BoolArray) -> Float32Array:
        """Descriptors of the chosen boxes, taken as full, (n_boxes, n_features); NaN where no species pair is left."""
        return self.over_pairs(chosen, self.add_pair)

    def over_pairs(
        self,
        chosen: BoolArray,
        add: AddPair,
        rows: IntArray | slice = slice(None),
        total: Float32Array | None = None,
    ) -> Float32Array:
        """Descriptors of boxes, joined from those of the pairs of species, (n, n_features); NaN where no pair is left.

        Args:
            chosen: which boxes, (n,).
            add: adds the descriptors of one pair of species.
            rows: the n boxes that all this is about, of those of the tile.
            total: (n, n_channels, channel_size), what has been added before; it is changed.
        """
        settings = self.context.settings
        if total is None:
            total = self.nothing(len(chosen))
        sums = np.zeros(total.shape[:2], dtype=np.float32)
        for pair in self.pairs():
            enough = chosen & self.enough(pair)[rows]
            if enough.any():
                weights = self.weights(pair)[rows].copy()
                weights[~add(pair, enough, weights, total)] = 0.0
                sums += weights
        shares = np.sqrt([c.share for c in settings.channels], dtype=np.float32)
        total *= ((1.0 / np.where(sums > 0, sums, np.float32(1))) * shares)[:, :, None]
        total[~sums.any(axis=1)] = np.nan
        return total.reshape(len(chosen), -1)

    def nothing(self, n: int) -> Float32Array:
        """Descriptors of n boxes to which nothing has been added, (n, n_channels, channel_size)."""
        settings = self.context.settings
        return np.zeros((n, len(settings.channels), settings.channel_size), dtype=np.float32)

    def pairs(self) -> list[SpeciesPair]:
        """The pairs of species in the tile, and any with any where the settings want that."""
        species = sorted(self.n_species_atoms)
        pairs = [(alpha, beta) for i, alpha in enumerate(species) for beta in species[i:]]
        return [pair for pair in [*pairs, (ANY, ANY)] if pair in self.context.survey.ranges]

    def enough(self, pair: SpeciesPair) -> BoolArray:
        """Which boxes have enough atoms of both species, (n_boxes,)."""
        if pair == (ANY, ANY):
            return ~self._alone
        least = self.context.grid.settings.min_atoms_per_species if self.context.settings.alike else 1
        alpha, beta = pair
        return (self.n_species_atoms[alpha] >= least) & (self.n_species_atoms[beta] >= least)

    @cached_property
    def _alone(self) -> BoolArray:
        """Which boxes hold atoms of one species only, (n_boxes,)."""
        return np.asarray(sum(n > 0 for n in self.n_species_atoms.values()) == 1)

    def weights(self, pair: SpeciesPair) -> FloatArray:
        """Weight of a pair of species in each box and channel, (n_boxes, n_channels); kept."""
        if pair not in self._weights:
            self._weights[pair] = self._weights_of(pair)
        return self._weights[pair]

    def _weights_of(self, pair: SpeciesPair) -> FloatArray:
        n_atoms = np.maximum(self.n_atoms, 1)
        alpha, beta = (self.n_species_atoms.get(s, self.n_atoms) / n_atoms for s in pair)
        settings = self.context.settings
        times = 1 if pair[0] == pair[1] else 2
        weights = pair_weights(pair, (alpha, beta), times, False, settings)
        if pair[0] == pair[1] != ANY:
            alone = pair_weights(pair, (alpha, beta), times, True, settings)
            weights = np.where(self._alone[:, None], alone, weights)
        return weights

    def add_pair(
        self, pair: SpeciesPair, enough: BoolArray, weights: FloatArray, total: Float32Array
    ) -> BoolArray:
        """Add the descriptors of one pair of species to `total`; which boxes have one, (n_boxes,)."""
        settings = self.context.settings
        scales = self.scales(*pair, enough)
        step = parity_step(*pair)
        table = single_table(settings, step)
        for group in groups(scales):
            part, rows = self.around(group)
            knot, sums = part.sums(pair, scales[rows], group[rows], settings.l_max, cut=True)
            own = total[rows]
            loops.contract(
                sums, row_length(settings.l_max, step), knot, scales[rows], group[rows], table,
                settings.reach / (len(table) - 1), settings.l_max, step, settings.n_max, len(settings.radials),
                np.array(settings.radial_of), weights[rows], own,
            )  # fmt: skip
            if part is not self:
                total[rows] = own
        return np.isfinite(scales)

    def around(self, chosen: BoolArray) -> tuple[TileEngine, IntArray | slice]:
        """An engine for some boxes, of the part of the tile that they span, and which boxes that part has."""
        places = np.argwhere(chosen.reshape(self.tile.shape))
        low, high = places.min(axis=0), places.max(axis=0) + 1
        if math.prod(high - low) > PART * len(chosen):
            return self, slice(None)
        tile = Tile.between(low + self.tile.first, high + self.tile.first)
        if self._part is None or self._part.tile != tile:
            self._part = TileEngine(self.context, tile)
        axes = [np.arange(a, b) for a, b in zip(low, high, strict=True)]
        rows = np.ravel_multi_index(np.meshgrid(*axes, indexing="ij"), self.tile.shape).ravel()
        return self._part, rows

    def sums(
        self, pair: SpeciesPair, scales: FloatArray, chosen: BoolArray, l_max: int, *, cut: bool
    ) -> tuple[float, Float32Array]:
        """Sums over the pairs of two species in some boxes of the tile, taken as full.

        Args:
            pair: the species.
            scales: of the boxes, (n_boxes,), Å; there are knots for those of the chosen ones.
            chosen: which boxes, (n_boxes,); sums of the others mean nothing.
            l_max: highest degree of the harmonics.
            cut: whether flat borders of the material cut boxes; else they are taken as whole.

        Returns:
            Distance of the knots, Å, and sums (n_boxes, n_knots * `row_length`).
        """
        step = parity_step(*pair)
        n_lm, n_row = n_harmonics(l_max, step), row_length(l_max, step)
        limit = self.context.settings.reach * float(scales[chosen].max())
        knot = KNOT * float(scales[chosen].min())
        n_knots = int(np.ceil(limit / knot)) + 3
        sums = np.zeros((int(np.prod(self.tile.shape)), n_knots * n_row), dtype=np.float32)
        loops.add_sums(
            *self._pair_arguments(*pair, limit, chosen, cut=cut),
            knot, l_max, step, n_lm, n_row, harmonics_norm(l_max), PAIRS, sums,
        )  # fmt: skip
        loops.accumulate(sums, self.tile.shape)
        return knot, sums

    def scales(self, alpha: int, beta: int, chosen: BoolArray) -> FloatArray:
        """Length scale of a species pair in each chosen box, (n_boxes,), Å; NaN elsewhere and without pairs."""
        density = PairDensity(*self.context.survey.ranges[alpha, beta])
        scales = np.full(len(chosen), np.nan)
        if not chosen.any():
            return scales
        part, rows = self.around(chosen)
        if part is not self:
            scales[rows] = part.scales(alpha, beta, chosen[rows])
            return scales
        histograms = np.zeros((len(chosen), density.n_bins))
        loops.add_histograms(
            *self._pair_arguments(alpha, beta, density.limit, chosen, cut=True),
            density.log_start, LOG_STEP, histograms,
        )  # fmt: skip
        loops.accumulate(histograms, self.tile.shape)
        # What is left by rounding of corners that cancel is no density.
        histograms[np.abs(histograms) < 1e-12 * np.abs(histograms).max(initial=0.0)] = 0.0
        scales[chosen] = density.scales(histograms[chosen])
        return scales

    def _pair_arguments(
        self, alpha: int, beta: int, limit: float, chosen: BoolArray, *, cut: bool
    ) -> tuple[object, ...]:
        """What the loops over pairs of atoms of two species in some boxes need, up to the shape of the tile."""
        grid, same = self.context.grid, alpha == beta
        a, b = (np.flatnonzero((self.numbers == s) | (s == ANY)) for s in (alpha, beta))
        points = self.positions[b]
        origin = points.min(axis=0)
        # atoms farther apart than a box is long have no box in common
        reach = np.minimum(
            limit, np.abs(self.widths.max(axis=1)[:, None] * grid.cell).sum(axis=0) * (1 + 1e-9)
        )
        size = float(reach.max()) / 4
        shape, size = fewer_bins(np.maximum((np.ptp(points, axis=0) // size).astype(np.int64) + 1, 1), size)
        order = np.empty(len(points), dtype=np.int64)
        start = np.empty(int(np.prod(shape)) + 1, dtype=np.int64)
        geometry_loops.bin_points(points, origin, size, shape, order, start)
        b = b[order]
        a = b if same else a
        below = np.zeros((0, 0, 0), dtype=np.int32)
        if not chosen.all():
            below = np.zeros(np.array(self.tile.shape) + 1, dtype=np.int32)
            below[1:, 1:, 1:] = chosen.reshape(self.tile.shape).cumsum(0).cumsum(1).cumsum(2)
        return (
            self.positions[a], self.first[a], self.last[a], self.positions[b], self.first[b], self.last[b], same, limit,
            reach, origin, size, shape, start, below, grid.to_fraction, *self._runs_of(cut=cut),
            self.context.settings.floor, self.tile.shape,
        )  # fmt: skip
