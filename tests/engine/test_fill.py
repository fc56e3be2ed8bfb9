"""Tiles cover a grid once; how full boxes are, and where the material lies in those that are not."""

import numpy as np
import pytest

import arise_core as arise
from arise_core.engine.context import Context
from arise_core.engine.fill import FULL, filled_share, material_inside
from arise_core.engine.grid import box_grid
from arise_core.engine.tile import TILE_BOXES, TILE_EDGES, cuts, make_tiles, tiles_in_memory
from arise_core.geometry import builders
from arise_core.geometry.support import support
from arise_core.settings import DescriptorSettings, MapSettings
from tests.doors.systems import ball, bulk

CORRECTED = DescriptorSettings.corrected()


def cavity(structure):
    """The structure without the atoms within 7 Å of the middle of its cell."""
    middle = structure.cell.sum(axis=0) / 2
    keep = np.linalg.norm(structure.positions - middle, axis=1) > 7.0
    return arise.Structure(structure.positions[keep], structure.numbers[keep], structure.cell, structure.pbc)


@pytest.mark.parametrize(
    ("build", "stride"), [(lambda: bulk("fcc", 9), 1.0), (lambda: ball("bcc", 12.0), 0.8)]
)
def test_every_box_is_in_one_tile(build, stride):
    grid = box_grid(build(), MapSettings(box_size=10.0, stride=stride))
    tiles = list(make_tiles(grid))
    boxes = np.concatenate([tile.boxes(grid) for tile in tiles])
    assert len(tiles) > 1
    assert np.array_equal(np.sort(boxes), np.arange(len(grid)))
    assert max(np.prod(tile.shape) for tile in tiles) <= TILE_BOXES


@pytest.mark.parametrize("times", [(1, 1, 1), (2, 1, 1), (4, 3, 1), (3, 3, 3)])
@pytest.mark.parametrize(("box_size", "stride"), [(6.0, 3.0), (12.0, 3.0), (12.0, 1.2)])
def test_tiles_are_neither_thin_nor_large(times, box_size, stride):
    """Tiles of a slab hold the layers that values at atoms need; all fit the keys of the loops over pairs."""
    structure = builders.repeat(bulk("fcc", 5), times)
    grid = box_grid(structure, MapSettings(box_size=box_size, stride=stride))
    along = cuts(grid)
    for n, parts in zip(grid.shape, along, strict=True):
        edges = [stop - first for first, stop in parts]
        assert [first for first, _ in parts] == [0, *(stop for _, stop in parts[:-1])]
        assert parts[-1][1] == n
        assert min(edges) >= min(n, TILE_EDGES[0])
        assert max(edges) <= TILE_EDGES[1]
        assert max(edges) - min(edges) <= 1
    assert np.prod([max(b - a for a, b in parts) for parts in along]) <= TILE_BOXES
    assert len(grid) <= TILE_BOXES or len(list(make_tiles(grid))) > 1


def test_memory_decides_how_many_tiles_are_worked_on():
    structure = bulk("fcc", 9)
    counts = []
    for limit in (0.05, 0.1, 4.0):
        grid = box_grid(structure, MapSettings(box_size=10.0, stride=1.0, memory_limit=limit))
        counts.append(tiles_in_memory(Context.of(grid, CORRECTED), list(make_tiles(grid))))
    assert 1 <= counts[0] < counts[1] < counts[2]
    tight = box_grid(structure, MapSettings(box_size=10.0, stride=1.0, memory_limit=1e-4))
    with pytest.raises(ValueError, match=r"`memory_limit` 0.0001 GiB is too small: one tile of boxes takes"):
        tiles_in_memory(Context.of(tight, CORRECTED), list(make_tiles(tight)))


def test_a_periodic_solid_is_full():
    context = Context.of(box_grid(bulk("fcc", 6), MapSettings(stride=8.0)), CORRECTED)
    assert context.support is None
    assert context.is_full(np.arange(len(context.grid))).all()


def test_boxes_inside_a_ball_are_full_and_others_are_not():
    grid = box_grid(ball("fcc", 14.0), MapSettings(box_size=8.0, stride=4.0, padding="full"))
    share = filled_share(grid, support(grid.material))
    distance = np.linalg.norm(grid.centers, axis=1).reshape(grid.shape)
    assert share[distance < 5.0].min() > FULL
    assert share[distance > 22.0].max() == 0.0
    assert ((share >= 0) & (share < 1.05)).all()


@pytest.mark.parametrize("build", [lambda: ball("fcc", 14.0), lambda: cavity(bulk("fcc", 8))])
def test_the_material_in_a_box_fills_the_share_that_is_said(build):
    grid = box_grid(build(), MapSettings(box_size=9.0, stride=6.0, padding="none"))
    whole = support(grid.material)
    context = Context.of(grid, CORRECTED)
    share = filled_share(grid, whole).ravel()
    uncut = [np.abs(context.width(k) - grid.width).max() < 1e-9 for k in range(len(grid))]
    chosen = np.flatnonzero((share > 0.2) & (share < 0.95) & uncut)
    assert len(chosen) > 3
    for box in chosen:
        inside = material_inside(grid, whole, int(box), context.width(int(box)))
        assert inside.inside.mean() == pytest.approx(share[box], abs=0.12)
        edges = np.linalg.norm(inside.step, axis=1) * inside.inside.shape
        assert np.allclose(edges, context.width(int(box)) * np.linalg.norm(grid.cell, axis=1))


def test_an_automatic_box_is_a_number_in_the_grid():
    structure = bulk("fcc", 6)
    grid = box_grid(structure, MapSettings(box_size="auto", stride=4.0))
    assert grid.settings.box_size == arise.automatic_box_size(structure)
    with pytest.raises(ValueError, match="`stride` must not exceed `box_size`"):
        box_grid(structure, MapSettings(box_size="auto", stride=16.0))


def test_a_grid_that_is_moved_is_the_same_for_its_user():
    structure = ball("bcc", 10.0)
    grid = box_grid(structure, MapSettings(box_size=9.0, stride=5.0))
    shift = np.array([5.0, -40.0, 0.3])
    moved = grid.moved(shift)
    assert np.allclose(moved.centers, grid.centers + shift)
    assert np.allclose(moved.origin, grid.origin + shift)
    assert np.allclose(moved.coordinates(structure.positions + shift), grid.coordinates(structure.positions))
    assert np.array_equal(moved.atom_coordinates, grid.atom_coordinates)
    assert np.allclose(grid.coordinates(grid.centers), np.indices(grid.shape).reshape(3, -1).T)
