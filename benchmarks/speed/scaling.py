"""Cost against number of atoms, stride and box size, beside what it cannot be less than."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial import cKDTree

import arise_core as arise
from arise_core.engine.boxes import describe_boxes
from arise_core.engine.context import Context
from arise_core.engine.tile import Tile, TileEngine
from arise_core.runtime import threads
from benchmarks.measure import median_seconds
from benchmarks.speed.case import Given
from benchmarks.speed.engine import BOX, engine, grid, small_engine
from benchmarks.speed.maps import MODEL, small_map
from benchmarks.structures import fcc

#: Rows and passes by which the time of a pass is measured.
ROWS, PASSES = 512, 200


class Limits:
    """What descriptors and maps of thermal fcc cannot cost less than with the loops and the network that there are.

    Each pair of atoms once, as fast as where all pairs lie in the same box, by all threads; and one pass of the
    network a box.
    """

    def __init__(self, given: Given, model: arise.Model) -> None:
        structure = fcc(given.size(8, 5))
        whole = grid(structure, float(structure.cell[0, 0]), float(structure.cell[0, 0]))
        tile = TileEngine(Context.of(whole, model.descriptor), Tile((0, 0, 0), (1, 1, 1)))
        (pair,), every = tile.pairs(), np.ones(1, dtype=bool)
        scales = tile.scales(*pair, every)
        self.reach = model.descriptor.reach * float(scales[0])
        seconds = median_seconds(
            lambda: tile.sums(pair, scales, every, model.descriptor.l_max, cut=True), given.repeats
        )
        self.pair = seconds / len(cKDTree(tile.positions).query_pairs(self.reach)) / threads.count()
        features = describe_boxes(grid(fcc(6), 3.0), model.descriptor).features
        rows, passes = features[np.arange(ROWS) % len(features)], given.size(PASSES, 16)
        sampling = arise.SamplingSettings(passes=passes)
        self.one_pass = median_seconds(lambda: model.predict(rows, sampling), given.repeats) / ROWS / passes

    def pairs(self, structure: arise.Structure, box: float) -> int:
        """Pairs of atoms in reach of each other that a box of a periodic structure may hold."""
        period = np.diag(structure.cell)
        tree = cKDTree(structure.positions % period, boxsize=period)
        pairs = tree.query_pairs(self.reach, output_type="ndarray")
        apart = tree.data[pairs[:, 0]] - tree.data[pairs[:, 1]]
        apart -= period * np.round(apart / period)
        return int((np.abs(apart) < box).all(axis=1).sum())

    def of(self, structure: arise.Structure, n_boxes: int, box: float) -> tuple[float, float]:
        """Seconds of descriptors, and of a whole map."""
        descriptors = self.pairs(structure, box) * self.pair
        return descriptors, descriptors + n_boxes * self.one_pass


def scaling(given: Given) -> dict[str, Any]:
    """Cost of descriptors and of maps of thermal fcc, and what it cannot be less than: each pair once, one pass a box.

    Rows of x, seconds of descriptors, of a map, and both limits; by stride and box size a box.
    """
    model = arise.load_model(MODEL)
    small_engine()
    small_map()
    limits, few = Limits(given, model), min(given.repeats, 3)

    def row(structure: arise.Structure, stride: float = 3.0, box: float = BOX) -> tuple[int, list[float]]:
        n = len(grid(structure, stride, box))
        descriptors = median_seconds(engine(structure, stride, box), few)
        whole = median_seconds(
            lambda: arise.strided_map(structure, model, box_size=box, stride=stride), few, small_map
        )
        return n, [descriptors, whole, *limits.of(structure, n, box)]

    def a_box(n: int, seconds: list[float]) -> list[float]:
        return [s / n for s in seconds]

    structure = fcc(given.size(14, 6))
    strides = given.size((1.0, 1.5, 2.0, 3.0, 4.0, 6.0), (3.0, 6.0))
    boxes = given.size((8.0, 10.0, 12.0, 16.0, 20.0, 24.0), (8.0, 16.0))
    by_atoms = []
    for n in given.size((6, 10, 16, 24), (5, 6)):
        some = fcc(n)
        by_atoms.append([len(some), *row(some)[1]])
    return {
        "atoms": by_atoms,
        "stride": [[s, *a_box(*row(structure, s))] for s in strides],
        "box size": [[b, *a_box(*row(structure, 3.0, b))] for b in boxes],
        "boxes at 16 Å and 3 Å": len(grid(structure, 3.0)),
        "ns a pair": 1e9 * limits.pair,
        "µs a pass": 1e6 * limits.one_pass,
    }
