"""Grids of boxes: where they lie, what they hold, for periodic, open, slab, triclinic and tiny structures."""

import itertools

import numpy as np
import pytest

import arise_core as arise
from arise_core.engine.grid import automatic_box_size, box_grid
from arise_core.geometry import builders
from arise_core.geometry.cell import perpendicular_heights
from arise_core.geometry.structure import Structure
from arise_core.settings import MapSettings
from tests.conftest import shaken


def block(counts=(8, 8, 8), pbc=True):
    """Simple cubic atoms, 3 Å apart, slightly shaken."""
    cell = np.eye(3) * 3.0
    s = builders.repeat(Structure(np.full((1, 3), 0.4), [29], cell, True), counts)
    return shaken(Structure(s.positions, s.numbers, s.cell, pbc), 0.05)


def sheared():
    cell = np.array([[24.0, 0, 0], [7, 21, 0], [-4, 5, 27]])
    points = np.random.default_rng(3).uniform(size=(600, 3)) @ cell
    return Structure(points, np.full(600, 29), cell, True)


SYSTEMS = {
    "periodic": block(),
    "open": block(pbc=False),
    "slab": block(pbc=(True, True, False)),
    "thin slab": block((8, 8, 2), pbc=(True, True, False)),
    "triclinic": sheared(),
    "period smaller than the box": block((2, 3, 8)),
    "no cell": builders.opened(block()),
}
SETTINGS = MapSettings(box_size=10.0, stride=3.3, min_atoms=1)


def in_box_by_hand(grid, box):
    """Atoms and images in a box from its definition alone, as sorted coordinates."""
    index = np.array(np.unravel_index(box, grid.shape))
    lower = grid.start + index * grid.step
    u = grid.fractional
    reach = [range(-8, 9) if p else (0,) for p in grid.pbc]
    found = [
        moved[((moved >= lower) & (moved < lower + grid.width)).all(axis=1)]
        for shift in itertools.product(*reach)
        for moved in [u + shift]
    ]
    return np.concatenate(found)


@pytest.mark.parametrize("name", SYSTEMS)
def test_members_and_counts(name, rng):
    grid = box_grid(SYSTEMS[name], SETTINGS)
    counts = grid.counts().ravel()
    for box in rng.choice(len(grid), min(20, len(grid)), replace=False):
        u, numbers = grid.members(int(box))
        by_hand = in_box_by_hand(grid, box)
        assert len(u) == len(numbers) == len(by_hand) == counts[box]
        assert np.allclose(np.sort(u @ [1, 1e3, 1e6]), np.sort(by_hand @ [1, 1e3, 1e6]), atol=1e-4)


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_atom_is_in_a_box_near_its_centre(name):
    grid = box_grid(SYSTEMS[name], SETTINGS)
    inverse = np.linalg.inv(grid.cell)
    difference = (grid.centers @ inverse)[None] - grid.fractional[:, None]
    difference -= np.where(grid.pbc, np.round(difference), 0)
    nearest = np.abs(difference / grid.step).max(axis=2).min(axis=1)
    assert nearest.max() <= 1.0 + 1e-9  # at most a stride from the nearest centre along each axis


def test_periodic_strides_divide_the_period():
    grid = box_grid(block((8, 8, 8)), SETTINGS)
    assert grid.shape == (8, 8, 8)  # 24 Å / 3.3 Å = 7.3
    assert grid.stride == pytest.approx([3, 3, 3])
    assert grid.box_edges == pytest.approx([10, 10, 10])
    assert np.allclose(grid.origin, 0, atol=1e-12)
    assert np.allclose(grid.domain, grid.cell)


def test_edges_of_skewed_boxes_are_perpendicular_heights():
    grid = box_grid(sheared(), SETTINGS)
    assert grid.box_edges == pytest.approx([10, 10, 10])
    assert (grid.stride <= 3.3).all()
    assert np.allclose(grid.shape * grid.stride, perpendicular_heights(sheared().cell))


@pytest.mark.parametrize(("padding", "inside"), [("none", True), ("half", False), ("full", False)])
def test_padding(padding, inside):
    structure = block(pbc=False)
    grid = box_grid(structure, MapSettings(box_size=10.0, stride=2.0, padding=padding))
    low, high = structure.positions.min(axis=0), structure.positions.max(axis=0)
    lower, upper = grid.centers - 5, grid.centers + 5
    within = (
        (lower >= grid.low * np.diag(grid.cell) - 1e-9) & (upper <= grid.high * np.diag(grid.cell) + 1e-9)
    ).all()
    assert within == inside
    if padding == "half":
        assert (grid.centers >= low - 1e-9).all()
        assert (grid.centers <= high + 1e-9).all()
    if padding == "full":
        assert (upper > low).all()
        assert (lower < high).all()
    shapes = [
        np.prod(box_grid(structure, MapSettings(box_size=10.0, stride=2.0, padding=p)).shape)
        for p in ("none", "half", "full")
    ]
    assert shapes[0] < shapes[1] < shapes[2]


def test_thin_direction_has_one_layer_over_its_thickness():
    structure = SYSTEMS["thin slab"]
    grid = box_grid(structure, SETTINGS)
    assert grid.shape[2] == 1
    assert grid.box_edges[2] > np.ptp(structure.positions[:, 2])
    assert sum(len(grid.members(k)[0]) == 0 for k in range(len(grid))) == 0
    middle = structure.positions[:, 2].min() + np.ptp(structure.positions[:, 2]) / 2
    assert np.allclose(grid.centers[:, 2], middle)


def test_box_over_a_small_period_holds_the_images():
    grid = box_grid(block((2, 3, 8)), MapSettings(box_size=12.0, stride=3.0))
    assert grid.counts() == pytest.approx(64, abs=16)  # (12 / 3)³ sites
    assert grid.counts().mean() == pytest.approx(64, rel=1e-6)


def test_vacuum_in_a_periodic_cell_counts_as_open():
    slab = block((8, 8, 3))
    cell = slab.cell + np.diag([0, 0, 30.0])
    across = slab.positions + [0, 0, 35.0]  # lies across the boundary
    grid = box_grid(Structure(across, slab.numbers, cell, True), SETTINGS)
    assert grid.pbc.tolist() == [True, True, False]
    assert np.ptp(grid.structure.positions[:, 2]) < 9


def test_clipped_widths_end_at_the_border():
    grid = box_grid(block(pbc=False), SETTINGS)
    for axis in range(3):
        width = grid.clipped_width(axis)
        assert width.max() == pytest.approx(grid.width[axis])
        assert width[0] < grid.width[axis]
        assert (width > 0).all()


def test_automatic_box_holds_a_hundred_atoms():
    for structure in (block(), block(pbc=False), arise.build(arise.prototype("fcc")), SYSTEMS["thin slab"]):
        size = automatic_box_size(structure)
        counts = box_grid(structure, MapSettings(box_size=size, stride=size / 2)).counts()
        assert np.median(counts[counts > 0]) >= 100
    few = builders.opened(block((3, 3, 3)))
    assert automatic_box_size(few) >= np.ptp(few.positions, axis=0).max()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"box_size": 0}, "`box_size` must be a positive number of Å or 'auto', got 0"),
        ({"box_size": float("nan")}, "`box_size`.*nan"),
        ({"stride": -1}, "`stride` must be a positive number of Å, got -1"),
        ({"stride": 17}, r"`stride` must not exceed `box_size` \(16.0 Å\), got 17 Å"),
        ({"thin": 0.9}, "`thin` must be at least 1, got 0.9"),
        ({"padding": "some"}, "`padding` must be"),
        ({"edges": "soft"}, "`edges` must be"),
        ({"min_atoms": 0}, "`min_atoms` must be at least 1, got 0"),
        ({"min_atoms_per_species": 0}, "`min_atoms_per_species`"),
    ],
)
def test_bad_settings(arguments, message):
    with pytest.raises(ValueError, match=message):
        MapSettings(**arguments)


def test_flat_faces_leave_boxes_full():
    """The support dips between the atoms of a face, which is no reason to evaluate boxes there one by one."""
    from arise_core.engine.fill import FULL, filled_share
    from arise_core.geometry import builders
    from arise_core.geometry.structure import Structure
    from arise_core.geometry.support import support

    block = builders.superalloy(edge=34.0, precipitate=17.0, rng=np.random.default_rng(0))
    notch = ~((block.positions < 8).all(axis=1))
    for structure, flat in ((block, True), (Structure(block.positions[notch], block.numbers[notch]), False)):
        grid = box_grid(structure, MapSettings(box_size=14.0, stride=4.0))
        share = filled_share(grid, support(grid.material))
        assert (share >= FULL).all() == flat
        assert share[-1, -1, -1] >= FULL
        assert (share[0, 0, 0] < FULL) != flat


@pytest.mark.parametrize("edge", [27.0, 45.0, 63.0])
def test_half_way_between_two_boxes_rounding_decides_nothing(edge):
    """Odd numbers of boxes over even ones: some centres lie half way between those of large boxes."""
    rng = np.random.default_rng(0)
    found = []
    for origin in (np.zeros(3), *rng.uniform(-50, 50, (20, 3))):
        u = (np.arange(8**3)[:, None] // np.array([64, 8, 1]) % 8 + 0.3) / 8
        structure = arise.Structure(u * edge + origin, np.full(len(u), 29), np.eye(3) * edge, True, origin)
        fine = arise.box_grid(structure, arise.MapSettings(box_size=8.0, stride=3.0))
        coarse = arise.box_grid(structure, arise.MapSettings(box_size=16.0, stride=8.0))
        found.append(np.stack(coarse.nearest(fine)))
    assert fine.shape[0] % 2 == 1
    assert coarse.shape[0] % 2 == 0
    assert all(np.array_equal(found[0], other) for other in found)
