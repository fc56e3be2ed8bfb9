"""Descriptors of all boxes of a grid, tile after tile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from threading import Event

import numpy as np

from arise_core.descriptor.soap import describe_piece
from arise_core.engine.context import Context
from arise_core.engine.grid import BoxGrid
from arise_core.engine.pieces import MANY, Corrected, Pieces
from arise_core.engine.tile import Tile, TileEngine, make_tiles, tiles_in_memory
from arise_core.errors import InputError, check_type
from arise_core.geometry.arrays import BoolArray, Float32Array, FloatArray, IntArray
from arise_core.geometry.cell import transformed
from arise_core.runtime import threads
from arise_core.settings import DescriptorSettings

#: Mostly filled boxes are described all at once if a point of their tile lies in at least so many of them, on average.
SHARED = 10.0


@dataclass(frozen=True)
class BoxDescriptors:
    """Descriptors of some boxes of a grid."""

    boxes: IntArray  # (n,), index into the flattened grid
    features: Float32Array  # (n, n_features), NaN for boxes with too few atoms
    n_atoms: IntArray  # (n,)

    @classmethod
    def joined(cls, parts: Sequence[BoxDescriptors]) -> BoxDescriptors:
        """Those of several parts, one after the other; of one part themselves."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.features for part in parts]),
            np.concatenate([part.n_atoms for part in parts]),
        )

    def take(self, rows: IntArray | BoolArray) -> BoxDescriptors:
        """Those of some boxes."""
        return BoxDescriptors(self.boxes[rows], self.features[rows], self.n_atoms[rows])


def describe_boxes(grid: BoxGrid, settings: DescriptorSettings, *, method: str = "auto") -> BoxDescriptors:
    """Descriptors of every box of a grid, in grid order.

    Args:
        grid: from `box_grid`.
        settings: of the descriptor.
        method: "auto", or "direct" to evaluate every box by itself, without binning (slow; the reference).
    """
    check_type("grid", grid, BoxGrid, "a BoxGrid, as `box_grid` makes it")
    check_type("settings", settings, DescriptorSettings, "DescriptorSettings")
    features = np.empty((len(grid), settings.n_features), dtype=np.float32)
    n_atoms = np.empty(len(grid), dtype=np.int64)
    for part in iterate_boxes(grid, settings, method=method):
        features[part.boxes] = part.features
        n_atoms[part.boxes] = part.n_atoms
    return BoxDescriptors(np.arange(len(grid)), features, n_atoms)


def iterate_boxes(
    grid: BoxGrid | Context,
    settings: DescriptorSettings,
    *,
    method: str = "auto",
    wanted: BoolArray | None = None,
) -> Iterator[BoxDescriptors]:
    """Descriptors of the boxes of a grid, tile after tile, each box once.

    Args:
        grid: from `box_grid`, or what its tiles share if the caller has it.
        settings: of the descriptor.
        method: see `describe_boxes`.
        wanted: (n_boxes,), which boxes are; the others cost next to nothing. None: all.
    """
    if method not in ("auto", "direct"):
        raise InputError(f"`method` must be 'auto' or 'direct', got {method!r}")
    context = Context.of(grid, settings) if isinstance(grid, BoxGrid) else grid
    tiles = list(make_tiles(context.grid, wanted))
    context = replace(context, wanted=wanted, stopped=Event())
    if not tiles:
        return
    engine = method == "auto" and is_smooth(settings)
    work = describe_tile if engine else describe_one_by_one
    most = min(threads.count(), tiles_in_memory(context, tiles)) if engine else threads.count()
    yield from threads.in_order(partial(work, context), tiles, most, "arise-boxes", context.stopped)


def gather_boxes(
    grid: BoxGrid | Context, settings: DescriptorSettings, size: int, wanted: BoolArray | None = None
) -> Iterator[tuple[int, BoxDescriptors | None]]:
    """`iterate_boxes` in batches: after each tile how many boxes are done, and those waiting if they are a batch.

    Args:
        grid: see `iterate_boxes`.
        settings: of the descriptor.
        size: boxes of a batch, at least; only the last one, and one near the end, may have fewer.
        wanted: see `iterate_boxes`.
    """
    waiting: list[BoxDescriptors] = []
    done = held = 0
    flushed = False
    boxes = grid if isinstance(grid, BoxGrid) else grid.grid
    n = len(boxes) if wanted is None else int(wanted.sum())
    for found in iterate_boxes(grid, settings, wanted=wanted):
        waiting.append(found)
        done += len(found.boxes)
        held += len(found.boxes)
        # the threads that have no tile any more get what is waiting
        rest = n - done
        last = 0 < rest <= (threads.count() - 1) * len(found.boxes) and not flushed
        flushed |= last
        if held < size and rest and not last:
            yield done, None
            continue
        batch = BoxDescriptors.joined(waiting)
        waiting.clear()
        held = 0
        yield done, batch


def describe_tile(context: Context, tile: Tile) -> BoxDescriptors:
    """All boxes of a tile: full and mostly full ones each all at once, the others a few at once."""
    engine = TileEngine(context, tile)
    boxes = engine.boxes
    n_atoms = engine.n_atoms
    wanted = context.is_wanted(boxes)
    enough = wanted & (n_atoms >= context.grid.settings.min_atoms)
    full = enough & context.is_full(boxes)
    flat = full & engine.is_cut & (n_atoms >= MANY)
    if full.all() and not flat.any():
        return BoxDescriptors(boxes, engine.features(full), n_atoms)
    features = np.full((len(boxes), context.settings.n_features), np.nan, dtype=np.float32)
    most = enough & (n_atoms >= MANY) & ~full & context.is_mostly_full(boxes)
    overlap = np.minimum(context.grid.width / context.grid.step, tile.shape)
    corrected = (most | flat).mean() * np.prod(overlap) >= SHARED
    most &= corrected
    at_once = full | most
    if at_once.any():
        found = Corrected(engine, most, full).features() if corrected else engine.features(full)
        features[at_once] = found[at_once]
    for pieces in Pieces.batches(engine, np.flatnonzero(enough & ~full & ~most)):
        features[pieces.rows] = pieces.features()
    if wanted.all():
        return BoxDescriptors(boxes, features, n_atoms)
    return BoxDescriptors(boxes[wanted], features[wanted], n_atoms[wanted])


def describe_one_by_one(context: Context, tile: Tile) -> BoxDescriptors:
    """All boxes of a tile, each by itself."""
    boxes = tile.boxes(context.grid)
    boxes = boxes[context.is_wanted(boxes)]
    n_atoms = np.zeros(len(boxes), dtype=np.int64)
    features = np.empty((len(boxes), context.settings.n_features), dtype=np.float32)
    for k, box in enumerate(boxes):
        if context.stopped.is_set():
            break
        features[k], n_atoms[k] = describe_box(context, int(box))
    return BoxDescriptors(boxes, features, n_atoms)


def describe_box(context: Context, box: int) -> tuple[FloatArray, int]:
    """Descriptor and number of atoms of one box (index into the flattened grid), every pair evaluated."""
    settings, grid = context.settings, context.grid
    u, numbers = grid.members(box)
    if len(u) < grid.settings.min_atoms:
        return np.full(settings.n_features, np.nan), len(u)
    features = describe_piece(
        transformed(u, grid.cell), numbers, context.window(box), context.survey.ranges, settings,
        grid.settings.min_atoms_per_species,
    )  # fmt: skip
    return features, len(u)


def is_smooth(settings: DescriptorSettings) -> bool:
    """Whether the engine can evaluate the settings: smooth radial weights, length scale from pairs, window."""
    smooth = all(c.taper > 0 or c.weight == "falling" for c in settings.channels)
    return smooth and settings.window and settings.length_scale == "pair-peak"
