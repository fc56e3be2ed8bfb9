"""Atoms in cells: those that a tile needs are all found, in one order."""

import numpy as np
import pytest

import arise_core as arise
from arise_core.engine.cells import Cells
from arise_core.engine.grid import box_grid
from arise_core.engine.tile import make_tiles
from arise_core.geometry import builders
from arise_core.settings import MapSettings
from benchmarks.structures import fcc, in_a_ball


def skewed():
    s = builders.repeat(arise.build(arise.prototype("bcc")), (7, 6, 9))
    rng = np.random.default_rng(3)
    return arise.Structure(s.positions + rng.normal(0, 0.2, s.positions.shape), s.numbers, s.cell, s.pbc)


def sheet():
    s = fcc(6)
    return arise.Structure(s.positions[s.positions[:, 2] < 5], s.numbers[s.positions[:, 2] < 5])


SYSTEMS = {
    "periodic": lambda: fcc(8), "smaller than a box": lambda: fcc(2), "open": lambda: in_a_ball(fcc(9), 15.0),
    "skewed": skewed, "sheet": sheet,
}  # fmt: skip


@pytest.mark.parametrize("name", SYSTEMS)
def test_all_atoms_of_a_tile_are_found_in_the_order_of_their_first_coordinate(name):
    grid = box_grid(SYSTEMS[name](), MapSettings(box_size=9.0, stride=3.0, padding="full"))
    cells = Cells.of(grid)
    order = np.argsort(grid.fractional[:, 0], kind="stable")
    assert np.array_equal(cells.u, grid.fractional[order])
    rng = np.random.default_rng(0)
    corners = [
        (grid.start + grid.step * tile.first, grid.start + grid.step * (np.array(tile.stop) - 1) + grid.width)
        for tile in make_tiles(grid)
    ]
    ends = np.sort(rng.uniform(-1.2, 2.1, (40, 2, 3)), axis=1)
    seen = []
    for low, high in [*corners, *ends]:
        images = np.ceil(low - cells.u) <= np.floor(high - cells.u)
        inside = np.where(grid.pbc, images, (low <= cells.u) & (cells.u <= high)).all(axis=1)
        u, numbers = cells.within(low, high)
        assert len(u) == len(numbers)
        rows = np.flatnonzero((cells.u[:, None] == u[None]).all(axis=2).any(axis=1))
        assert np.array_equal(cells.u[rows], u)  # each once, in order
        assert np.isin(np.flatnonzero(inside), rows).all()
        seen.append(len(u) / len(cells.u))
    assert min(seen) < 0.8 or len(cells.u) < 100  # others are left out
