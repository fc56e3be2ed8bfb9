"""Descriptors of all boxes of a grid: the engine for full boxes, evaluation box by box for the others."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from threading import Event

import numpy as np

from arise_core import _engine, _kernels, threads
from arise_core.boxes import BoxGrid
from arise_core.lengthscale import LOG_STEP, SEARCH_RANGE, PairDensity
from arise_core.settings import DescriptorSettings
from arise_core.soap import (
    Survey,
    Window,
    describe_piece,
    harmonics_norm,
    n_harmonics,
    parity_step,
    radial_table,
    survey,
)
from arise_core.structure import (
    BoolArray,
    Float32Array,
    FloatArray,
    IntArray,
    inverse,
    perpendicular_heights,
    transformed,
)
from arise_core.window import SURFACE, BoxWindow, Covariance, NoWindow, Support, support

#: Spacing of the radial splines in units of the smallest length scale in a tile.
KNOT = 0.125
#: Boxes of a tile with length scales within this ratio share one radial histogram.
SCALE_RATIO = 1.5
#: Ratio of the ends of the search range where all atoms have neighbours at one distance.
SEARCH_SPAN = SEARCH_RANGE[1] / SEARCH_RANGE[0]
#: Boxes in a tile, at most (a cube of 16). Fixed, so that results do not depend on threads or memory.
TILE_BOXES = 4096
#: A grid with more boxes than this along an axis is cut there, so that threads and progress have several tiles.
WHOLE = 12
#: A box is taken as full from this share of its volume (less what is cut off by flat borders).
FULL = 0.97
#: A layer thinner than a box counts as full inside if at least this share of its thickness is material.
THIN_LAYER = 0.75
#: The support dips between the atoms of a flat face: thickness of what it lacks there, atomic spacings.
DIP = 0.2
#: Voxels of the support of a whole structure, at most.
MAP_VOXELS = 16_000_000
#: Edge of the voxels in a partly filled box, atomic spacings.
BOX_VOXEL = 0.4


@dataclass(frozen=True)
class BoxDescriptors:
    """Descriptors of some boxes of a grid."""

    boxes: IntArray  # (n,), index into the flattened grid
    features: Float32Array  # (n, n_features), NaN for boxes with too few atoms
    n_atoms: IntArray  # (n,)


def describe_boxes(grid: BoxGrid, settings: DescriptorSettings, *, method: str = "auto") -> BoxDescriptors:
    """Descriptors of every box of a grid, in grid order.

    Args:
        grid: from `box_grid`.
        settings: of the descriptor.
        method: "auto", or "direct" to evaluate every box by itself, without binning (slow; the reference).
    """
    features = np.empty((len(grid), settings.n_features), dtype=np.float32)
    n_atoms = np.empty(len(grid), dtype=np.int64)
    for part in iterate_boxes(grid, settings, method=method):
        features[part.boxes] = part.features
        n_atoms[part.boxes] = part.n_atoms
    return BoxDescriptors(np.arange(len(grid)), features, n_atoms)


def iterate_boxes(
    grid: BoxGrid, settings: DescriptorSettings, *, method: str = "auto"
) -> Iterator[BoxDescriptors]:
    """Descriptors of the boxes of a grid, tile after tile, each box once."""
    if method not in ("auto", "direct"):
        raise ValueError(f"`method` must be 'auto' or 'direct', got {method!r}")
    context = Context.of(grid, settings)
    tiles = list(make_tiles(grid))
    engine = method == "auto" and is_smooth(settings)
    work = context.tile if engine else context.tile_directly
    count = min(threads.count(), len(tiles), context.tiles_in_memory(tiles) if engine else len(tiles))
    if count <= 1:
        for tile in tiles:
            yield work(tile)
        return
    pool = ThreadPoolExecutor(count, thread_name_prefix="arise-boxes")
    try:
        pending: list[Future[BoxDescriptors]] = []
        upcoming = iter(tiles)
        for tile in itertools.islice(upcoming, count + 1):
            pending.append(pool.submit(work, tile))
        while pending:
            done = pending.pop(0).result()
            for tile in itertools.islice(upcoming, 1):
                pending.append(pool.submit(work, tile))
            yield done
    finally:
        context.stopped.set()
        pool.shutdown(wait=True, cancel_futures=True)


def is_smooth(settings: DescriptorSettings) -> bool:
    """Whether the engine can evaluate the settings: smooth radial weights, length scale from pairs, window."""
    smooth = all(c.taper > 0 or c.weight == "falling" for c in settings.channels)
    return smooth and settings.window and settings.length_scale == "pair-peak"


def filled_share(grid: BoxGrid, material: Support) -> FloatArray:
    """Share of each box, less what flat borders cut off, that is material, of the grid's shape.

    Where a border cuts a box, the dips between the atoms of a flat face do not count as missing. A layer
    thinner than a box has a surface that is not flat: there the share is relative to that of the boxes inside
    the layer (nine tenths of the boxes may lie lower), so that they count as full.
    """
    overlaps = []
    spacing = grid.spacing / perpendicular_heights(grid.cell)
    to_nodes = np.diag(transformed(material.step, inverse(grid.cell)))
    first = transformed(material.origin, inverse(grid.cell))
    for k in range(3):
        lower = np.maximum(grid.start[k] + grid.step[k] * np.arange(grid.shape[k]), grid.low[k])
        upper = lower + grid.clipped_width(k)
        nodes = first[k] + to_nodes[k] * np.arange(material.inside.shape[k])
        overlap = np.zeros((grid.shape[k], len(nodes)))
        periods = range(math.floor(lower.min() - 1), math.ceil(upper.max()) + 1) if grid.pbc[k] else (0,)
        for m in periods:
            low = np.maximum(lower[:, None], nodes + m - to_nodes[k] / 2)
            high = np.minimum(upper[:, None], nodes + m + to_nodes[k] / 2)
            overlap += np.maximum(high - low, 0.0)
        depth = SURFACE * spacing[k]  # of the dips
        dips = np.clip((grid.low[k] + depth - lower) / depth, 0, 1)
        dips += np.clip((upper - grid.high[k] + depth) / depth, 0, 1)
        dips *= grid.shape[k] > 1  # see below for thin layers
        whole = 1.0 - np.minimum(dips * DIP * spacing[k] / np.maximum(upper - lower, 1e-300), 0.5)
        overlaps.append(overlap / np.maximum(overlap.sum(axis=1) * whole, 1e-300)[:, None])
    share = np.einsum("xa,abc->xbc", overlaps[0], material.inside)  # not `optimize`: that would be BLAS
    share = np.einsum("yb,xbc->xyc", overlaps[1], share)
    share = np.einsum("zc,xyc->xyz", overlaps[2], share)
    thin = ~grid.pbc & (np.array(grid.shape) == 1)
    if thin.sum() == 1:
        inside = float(np.quantile(share, 0.9))
        if inside >= THIN_LAYER:
            share = share / inside
    return np.asarray(share)


@dataclass(frozen=True)
class Tile:
    """A block of boxes: [first, stop) along each axis."""

    first: tuple[int, int, int]
    stop: tuple[int, int, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Boxes along each axis."""
        a, b = self.first, self.stop
        return b[0] - a[0], b[1] - a[1], b[2] - a[2]


def make_tiles(grid: BoxGrid) -> Iterator[Tile]:
    """Cover the grid with tiles."""
    edge = max(1, round(TILE_BOXES ** (1 / 3)))
    axes = []
    for n in grid.shape:
        pieces = max(-(-n // edge), 1 + (n > WHOLE))
        cuts = np.linspace(0, n, pieces + 1).round().astype(int)
        axes.append([(int(x), int(y)) for x, y in itertools.pairwise(cuts)])
    for x, y, z in itertools.product(*axes):
        yield Tile((x[0], y[0], z[0]), (x[1], y[1], z[1]))


@dataclass(frozen=True)
class Context:
    """What all tiles of a grid share."""

    grid: BoxGrid
    settings: DescriptorSettings
    survey: Survey
    support: Support | None  # None: every box is taken as full
    filled: FloatArray | None  # grid shape, share of each box (less what borders cut off) that is material
    sorted_by_x: IntArray  # atoms in the order of their first coordinate
    widths: tuple[FloatArray, ...]  # clipped width of the boxes along each axis, fractions
    stopped: Event = field(default_factory=Event)  # set when nobody wants the rest any more

    @classmethod
    def of(cls, grid: BoxGrid, settings: DescriptorSettings) -> Context:
        """Survey the structure and find its support if edges are to be exact."""
        found = survey(grid.structure)
        material: Support | None = None
        filled: FloatArray | None = None
        if settings.window and grid.settings.edges == "exact":
            material = support(grid.structure, grid.spacing, max_voxels=MAP_VOXELS)
            if material.full:
                material = None
            else:
                filled = filled_share(grid, material)
        order = np.argsort(grid.fractional[:, 0], kind="stable")
        widths = tuple(grid.clipped_width(k) for k in range(3))
        return cls(grid, settings, found, material, filled, order, widths)

    def boxes(self, tile: Tile) -> IntArray:
        """Indices of the tile's boxes into the flattened grid."""
        axes = [np.arange(a, b) for a, b in zip(tile.first, tile.stop, strict=True)]
        return np.asarray(np.ravel_multi_index(np.meshgrid(*axes, indexing="ij"), self.grid.shape).ravel())

    def width(self, box: int) -> FloatArray:
        """Clipped width of a box, (3,), fractions."""
        index = np.unravel_index(box, self.grid.shape)
        return np.array([self.widths[k][index[k]] for k in range(3)])

    def tiles_in_memory(self, tiles: Sequence[Tile]) -> int:
        """How many of the tiles may be worked on at once without exceeding `memory_limit`.

        Raises:
            ValueError: not even one fits.
        """
        settings = self.settings
        bytes_per_box = 0.0
        for (alpha, beta), (low, high) in self.survey.ranges.items():
            # The largest length scale is at the upper end of the search range, the finest knots at the lower.
            n_knots = settings.reach / KNOT * min(high / low / SEARCH_SPAN, SCALE_RATIO) + 3
            n_lm = n_harmonics(settings.l_max, parity_step(alpha, beta))
            bytes_per_box = max(bytes_per_box, 4 * n_knots * n_lm)
        bytes_per_box += 16 * settings.n_features
        tile = bytes_per_box * max(math.prod(tile.shape) for tile in tiles)
        limit = self.grid.settings.memory_limit * 2**30
        if tile > limit:
            raise ValueError(
                f"`memory_limit` {self.grid.settings.memory_limit} GiB is too small: one tile of boxes takes "
                f"{tile / 2**30:.3f} GiB"
            )
        return int(limit // max(tile, 1.0))

    # --- box by box -------------------------------------------------------------------------------------

    def tile_directly(self, tile: Tile) -> BoxDescriptors:
        """All boxes of a tile, each by itself."""
        boxes = self.boxes(tile)
        n_atoms = np.zeros(len(boxes), dtype=np.int64)
        features = np.empty((len(boxes), self.settings.n_features), dtype=np.float32)
        for k, box in enumerate(boxes):
            if self.stopped.is_set():
                break
            features[k], n_atoms[k] = self.one(int(box))
        return BoxDescriptors(boxes, features, n_atoms)

    def one(self, box: int, members: tuple[FloatArray, IntArray] | None = None) -> tuple[FloatArray, int]:
        """Descriptor and number of atoms of one box, every pair evaluated.

        Args:
            box: index into the flattened grid.
            members: `grid.members(box)`, in any order, if the caller has them.
        """
        u, numbers = members or self.grid.members(box)
        if len(u) < self.grid.settings.min_atoms:
            return np.full(self.settings.n_features, np.nan), len(u)
        window = self.window(box, self.width(box))
        return (
            describe_piece(
                transformed(u, self.grid.cell), numbers, window, self.survey.ranges, self.settings,
                self.grid.settings.min_atoms_per_species,
            ),
            len(u),
        )  # fmt: skip

    def window(self, box: int, width: FloatArray) -> Window:
        """The window of a box: its flat faces, or the material inside if that is not all of it."""
        if not self.settings.window:
            return NoWindow()
        if self.filled is not None and self.filled.ravel()[box] < FULL:
            inside = self._material(box, width)
            if inside.inside.any():
                return Covariance(inside, self.settings.floor, np.inf)
        return BoxWindow(self.grid.cell, width, self.settings.floor)

    def _material(self, box: int, width: FloatArray) -> Support:
        """The support inside a box, on a grid of its own whose cells fill the (clipped) box."""
        assert self.support is not None
        grid = self.grid
        index = np.array(np.unravel_index(box, grid.shape))
        lower = np.maximum(grid.start + index * grid.step, grid.low)
        edges = width / np.linalg.norm(inverse(grid.cell), axis=0)
        n = np.maximum(np.round(edges / (BOX_VOXEL * grid.spacing)).astype(int), 4)
        axes = [lower[k] + width[k] * (np.arange(n[k]) + 0.5) / n[k] for k in range(3)]
        u = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        inside = self.support.at(transformed(u, grid.cell)).reshape(tuple(n))
        return Support(
            inside.astype(np.float32),
            grid.cell * (width / n)[:, None],
            transformed(lower, grid.cell),
            np.zeros(3, dtype=bool),
        )

    # --- all boxes of a tile at once --------------------------------------------------------------------

    def tile(self, tile: Tile) -> BoxDescriptors:
        """All boxes of a tile: full ones by the engine, partly filled ones by themselves."""
        boxes = self.boxes(tile)
        engine = _TileEngine(self, tile)
        n_atoms = engine.n_atoms
        enough = n_atoms >= self.grid.settings.min_atoms
        full = enough.copy()
        if self.filled is not None:
            full &= self.filled.ravel()[boxes] >= FULL
        features = np.full((len(boxes), self.settings.n_features), np.nan, dtype=np.float32)
        if full.all():
            features = engine.features(full)
        elif full.any():
            features[full] = engine.features(full)[full]
        for k in np.flatnonzero(enough & ~full):
            if self.stopped.is_set():
                break
            features[k] = self.one(int(boxes[k]), engine.members(int(k)))[0]
        return BoxDescriptors(boxes, features, n_atoms)


@lru_cache(maxsize=8)
def _single_table(settings: DescriptorSettings, l_step: int) -> Float32Array:
    """`radial_table` in single precision, its last two axes as one."""
    table = radial_table(settings, l_step)
    return np.ascontiguousarray(table.reshape(*table.shape[:2], -1), dtype=np.float32)


class _TileEngine:
    """Sums over pairs for all boxes of one tile."""

    def __init__(self, context: Context, tile: Tile) -> None:
        self.context = context
        self.tile = tile
        grid = context.grid
        self.ends, self.widths = self._runs()
        self.u, self.numbers, self.first, self.last = self._atoms()
        self.positions = transformed(self.u, grid.cell)
        self.n_species_atoms = {int(s): self._count(self.numbers == s) for s in np.unique(self.numbers)}
        self.n_atoms = sum(self.n_species_atoms.values(), np.zeros(np.prod(tile.shape), dtype=np.int64))

    def members(self, k: int) -> tuple[FloatArray, IntArray]:
        """Coordinates u (m, 3) and atomic numbers (m,) of the atoms and images in box k of the tile."""
        index = np.unravel_index(k, self.tile.shape)
        inside = ((self.first <= index) & (self.last >= index)).all(axis=1)
        return self.u[inside], self.numbers[inside]

    def _runs(self) -> tuple[IntArray, FloatArray]:
        """Last box of the run of equal width that each box of the tile belongs to, and the widths, (3, n) each."""
        longest = max(self.tile.shape)
        ends = np.zeros((3, longest), dtype=np.int64)
        widths = np.ones((3, longest))
        for k in range(3):
            first, stop = self.tile.first[k], self.tile.stop[k]
            width = np.maximum(self.context.widths[k][first:stop], 1e-12)
            change = np.abs(np.diff(width)) > 1e-12 * self.context.grid.width[k]
            last = np.append(np.flatnonzero(change), stop - first - 1)
            ends[k, : stop - first] = np.repeat(last, np.diff(last, prepend=-1))
            widths[k, : stop - first] = width
        return ends, widths

    def _count(self, chosen: BoolArray) -> IntArray:
        """How many of the chosen atoms are in each box, (n_boxes,)."""
        counts = np.zeros((int(np.prod(self.tile.shape)), 1))
        _engine.add_counts(self.first[chosen], self.last[chosen], self.tile.shape, counts)
        _engine.accumulate(counts, self.tile.shape)
        return np.asarray(np.round(counts[:, 0]).astype(np.int64))

    def _atoms(self) -> tuple[FloatArray, IntArray, IntArray, IntArray]:
        """Atoms and images that lie in any box of the tile, with their ranges of boxes within it."""
        grid, tile = self.context.grid, self.tile
        u = grid.fractional[self.context.sorted_by_x]
        numbers = grid.structure.numbers[self.context.sorted_by_x]
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
        """Descriptors of the chosen boxes, (n_boxes, n_features); NaN where no species pair is left."""
        settings = self.context.settings
        minimum = self.context.grid.settings.min_atoms_per_species
        n_channels = len(settings.channels)
        total = np.zeros((len(chosen), n_channels, settings.channel_size), dtype=np.float32)
        count = np.zeros(len(chosen), dtype=np.float32)
        species = sorted(self.n_species_atoms)
        for i, alpha in enumerate(species):
            for beta in species[i:]:
                if (alpha, beta) not in self.context.survey.ranges:
                    continue
                enough = chosen.copy()
                for s in (alpha, beta):
                    enough &= self.n_species_atoms[s] >= minimum
                if not enough.any():
                    continue
                times = 1 if alpha == beta else 2
                found = self._add_pair(alpha, beta, enough, times, total)
                count += times * found
        shares = np.sqrt([c.share for c in settings.channels], dtype=np.float32)
        with np.errstate(invalid="ignore", divide="ignore"):
            total *= (1.0 / count)[:, None, None] * shares[None, :, None]
        total[count == 0] = np.nan
        return total.reshape(len(chosen), -1)

    def _add_pair(
        self, alpha: int, beta: int, enough: BoolArray, times: int, total: Float32Array
    ) -> BoolArray:
        """Add the descriptors of one species pair to `total`; which boxes have one, (n_boxes,)."""
        settings = self.context.settings
        scales = self.scales(alpha, beta, enough)
        found = np.isfinite(scales)
        step = parity_step(alpha, beta)
        n_lm = n_harmonics(settings.l_max, step)
        table = _single_table(settings, step)
        todo = found.copy()
        while todo.any():
            smallest = float(scales[todo].min())
            group = todo & (scales <= SCALE_RATIO * smallest)
            limit = settings.reach * float(scales[group].max())
            knot = KNOT * smallest
            n_knots = int(np.ceil(limit / knot)) + 3
            sums = np.zeros((len(enough), n_knots * n_lm), dtype=np.float32)
            _engine.add_sums(
                *self._pair_arguments(alpha, beta, limit), knot, settings.l_max, step, n_lm,
                harmonics_norm(settings.l_max), sums,
            )  # fmt: skip
            _engine.accumulate(sums, self.tile.shape)
            _engine.contract(
                sums, knot, scales, group, table, settings.reach / (len(table) - 1),
                settings.l_max, step, settings.n_max, len(settings.channels), times, total,
            )  # fmt: skip
            todo &= ~group
        return found

    def scales(self, alpha: int, beta: int, chosen: BoolArray) -> FloatArray:
        """Length scale of a species pair in each chosen box, (n_boxes,), Å; NaN elsewhere and without pairs."""
        density = PairDensity(*self.context.survey.ranges[alpha, beta])
        histograms = np.zeros((len(chosen), density.n_bins))
        _engine.add_histograms(
            *self._pair_arguments(alpha, beta, density.limit), density.log_start, LOG_STEP, histograms
        )
        _engine.accumulate(histograms, self.tile.shape)
        scales = np.full(len(chosen), np.nan)
        # What is left by rounding of corners that cancel is no density.
        histograms[np.abs(histograms) < 1e-12 * np.abs(histograms).max(initial=0.0)] = 0.0
        scales[chosen] = density.scales(histograms[chosen])
        return scales

    def _pair_arguments(self, alpha: int, beta: int, limit: float) -> tuple[object, ...]:
        """What the loops over pairs of atoms of two species need, up to the shape of the tile."""
        a, b = (np.flatnonzero(self.numbers == s) for s in (alpha, beta))
        points = self.positions[b]
        origin = points.min(axis=0)
        size = limit / 4
        shape = np.maximum((np.ptp(points, axis=0) // size).astype(np.int64) + 1, 1)
        order = np.empty(len(points), dtype=np.int64)
        start = np.empty(int(np.prod(shape)) + 1, dtype=np.int64)
        _kernels.bin_points(points, origin, size, shape, order, start)
        return (
            self.positions[a], self.first[a], self.last[a], points, self.first[b], self.last[b], alpha == beta, limit,
            origin, size, shape, order, start, inverse(self.context.grid.cell),
            self.ends, self.widths, self.context.settings.floor, self.tile.shape,
        )  # fmt: skip
