"""What borders, pores and grain boundaries cost: descriptors of boxes that are filled in part."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import arise_core as arise
from arise_core.engine.boxes import describe_box, iterate_boxes
from arise_core.engine.context import Context
from arise_core.engine.fill import FULL
from arise_core.geometry import builders
from benchmarks.speed.case import Given
from benchmarks.speed.engine import small_engine
from benchmarks.structures import fcc, in_a_ball

STRIDE = 2.0  # Å
ONE_BY_ONE = 40  # boxes that are described one by one
PORE = 8.0  # Å, radius of the pores of the foam


def slab(given: Given) -> arise.Structure:
    """Four thermal grains, fcc, bcc, hcp and diamond, in an open slab of 16 Å."""
    rng = np.random.default_rng(0)
    crystals = [arise.build(arise.prototype(name)) for name in ("fcc", "bcc", "hcp", "diamond")]
    edge = given.size(90.0, 30.0)
    found = builders.polycrystal(crystals, (edge, edge, 16.0), rng=rng)
    return arise.Structure(found.positions + rng.normal(0, 0.05, found.positions.shape), found.numbers)


def particle(given: Given) -> arise.Structure:
    """A ball of fcc."""
    atoms, cells = given.size((23_000, 24), (1_000, 9))
    return in_a_ball(fcc(cells), (atoms * 3 / (4 * np.pi * 0.077)) ** (1 / 3))


def foam(given: Given) -> arise.Structure:
    """Periodic fcc with pores of 16 Å at random."""
    whole = fcc(given.size(12, 6))
    edge = whole.cell[0, 0]
    pores = np.random.default_rng(3).uniform(0, edge, (int(0.5 * (edge / (2 * PORE)) ** 3), 3))
    moves = whole.positions[:, None] - pores
    moves -= edge * np.round(moves / edge)
    keep = (np.linalg.norm(moves, axis=2) > PORE).all(axis=1)
    return arise.Structure(whole.positions[keep], whole.numbers[keep], whole.cell, whole.pbc)


def cube(given: Given) -> arise.Structure:
    """An open cube of fcc."""
    whole = fcc(given.size(10, 5))
    return arise.Structure(whole.positions, whole.numbers)


#: Structures by their names, and the boxes they are looked at with, Å.
SHAPES: dict[str, tuple[Callable[[Given], arise.Structure], float]] = {
    "four-grain slab": (slab, 16.0),
    "nanoparticle": (particle, 12.0),
    "foam": (foam, 16.0),
    "open cube": (cube, 16.0),
}


def processor_seconds(function: Callable[[], object], repeats: int) -> float:
    """Median processor time of a call, s."""
    spent = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        spent.append(time.process_time() - start)
    return statistics.median(spent)


def borders(given: Given) -> dict[str, Any]:
    """Descriptors every 2 Å, partly filled boxes exactly, over all boxes taken as full; processor time a box."""
    settings = arise.DescriptorSettings.weighted()
    small_engine()
    out: dict[str, Any] = {}
    for name, (build, box) in SHAPES.items():
        structure = build(given)
        costs = {}
        for edges in ("box", "exact"):
            grid = arise.box_grid(
                structure,
                arise.MapSettings(box_size=box, stride=given.size(STRIDE, 2 * STRIDE), edges=edges),
            )

            def run(grid: arise.BoxGrid = grid) -> None:
                for _ in iterate_boxes(grid, settings):
                    pass

            costs[edges] = processor_seconds(run, min(given.repeats, 3))
        context = Context.of(grid, settings)
        enough = grid.counts().ravel() >= grid.settings.min_atoms
        partly = np.flatnonzero(enough & ~context.is_full(np.arange(len(grid))))
        picked = np.random.default_rng(0).permutation(partly)[:ONE_BY_ONE]
        out |= {
            f"{name}: atoms": len(structure),
            f"{name}: boxes": int(enough.sum()),
            f"{name}: share less than {FULL:.0%} full": len(partly) / int(enough.sum()),
            f"{name}: ms a box, all taken as full": 1e3 * costs["box"] / int(enough.sum()),
            f"{name}: ms a box, exact": 1e3 * costs["exact"] / int(enough.sum()),
            f"{name}: ratio": costs["exact"] / costs["box"],
            f"{name}: ms a partly filled box, described one by one": 1e3
            * processor_seconds(lambda: [describe_box(context, int(k)) for k in picked], 1)  # noqa: B023
            / len(picked),
        }
    return out
