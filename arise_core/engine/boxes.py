"""Descriptors of all boxes of a grid: the engine for full boxes, evaluation box by box for the others."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from arise_core.descriptor.soap import describe_piece
from arise_core.engine.context import Context
from arise_core.engine.grid import BoxGrid
from arise_core.engine.tile import Tile, TileEngine, make_tiles, tiles_in_memory
from arise_core.errors import InputError
from arise_core.geometry.arrays import Float32Array, FloatArray, IntArray
from arise_core.geometry.cell import transformed
from arise_core.runtime import threads
from arise_core.settings import DescriptorSettings


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
        raise InputError(f"`method` must be 'auto' or 'direct', got {method!r}")
    context = Context.of(grid, settings)
    tiles = list(make_tiles(grid))
    engine = method == "auto" and is_smooth(settings)
    work = describe_tile if engine else describe_one_by_one
    count = min(threads.count(), len(tiles), tiles_in_memory(context, tiles) if engine else len(tiles))
    if count <= 1:
        for tile in tiles:
            yield work(context, tile)
        return
    pool = ThreadPoolExecutor(count, thread_name_prefix="arise-boxes")
    try:
        pending: list[Future[BoxDescriptors]] = []
        upcoming = iter(tiles)
        for tile in itertools.islice(upcoming, count + 1):
            pending.append(pool.submit(work, context, tile))
        while pending:
            done = pending.pop(0).result()
            for tile in itertools.islice(upcoming, 1):
                pending.append(pool.submit(work, context, tile))
            yield done
    finally:
        context.stopped.set()
        pool.shutdown(wait=True, cancel_futures=True)


def gather_boxes(
    grid: BoxGrid, settings: DescriptorSettings, size: int
) -> Iterator[tuple[int, BoxDescriptors | None]]:
    """`iterate_boxes` in batches: after each tile how many boxes are done, and those waiting if they are a batch.

    Args:
        grid: from `box_grid`.
        settings: of the descriptor.
        size: boxes of a batch, at least; only the last one may have fewer.
    """
    waiting: list[BoxDescriptors] = []
    done = 0
    for found in iterate_boxes(grid, settings):
        waiting.append(found)
        done += len(found.boxes)
        if sum(len(part.boxes) for part in waiting) < size and done < len(grid):
            yield done, None
            continue
        batch = BoxDescriptors(
            np.concatenate([part.boxes for part in waiting]),
            np.concatenate([part.features for part in waiting]),
            np.concatenate([part.n_atoms for part in waiting]),
        )
        waiting.clear()
        yield done, batch


def describe_tile(context: Context, tile: Tile) -> BoxDescriptors:
    """All boxes of a tile: full ones by the engine, partly filled ones by themselves."""
    boxes = tile.boxes(context.grid)
    engine = TileEngine(context, tile)
    n_atoms = engine.n_atoms
    enough = n_atoms >= context.grid.settings.min_atoms
    full = enough & context.is_full(boxes)
    features = np.full((len(boxes), context.settings.n_features), np.nan, dtype=np.float32)
    if full.all():
        features = engine.features(full)
    elif full.any():
        features[full] = engine.features(full)[full]
    for k in np.flatnonzero(enough & ~full):
        if context.stopped.is_set():
            break
        features[k] = describe_box(context, int(boxes[k]), engine.members(int(k)))[0]
    return BoxDescriptors(boxes, features, n_atoms)


def describe_one_by_one(context: Context, tile: Tile) -> BoxDescriptors:
    """All boxes of a tile, each by itself."""
    boxes = tile.boxes(context.grid)
    n_atoms = np.zeros(len(boxes), dtype=np.int64)
    features = np.empty((len(boxes), context.settings.n_features), dtype=np.float32)
    for k, box in enumerate(boxes):
        if context.stopped.is_set():
            break
        features[k], n_atoms[k] = describe_box(context, int(box))
    return BoxDescriptors(boxes, features, n_atoms)


def describe_box(
    context: Context, box: int, members: tuple[FloatArray, IntArray] | None = None
) -> tuple[FloatArray, int]:
    """Descriptor and number of atoms of one box, every pair evaluated.

    Args:
        context: of the grid.
        box: index into the flattened grid.
        members: `grid.members(box)`, in any order, if the caller has them.
    """
    settings, grid = context.settings, context.grid
    u, numbers = members or grid.members(box)
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
