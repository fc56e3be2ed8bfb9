"""The strided engine against the direct evaluation of the same boxes, unbinned."""

from functools import partial

import numpy as np
import pytest

import arise_core as arise
from arise_core.descriptor.covariance import BoxWindow
from arise_core.descriptor.soap import _piece_vectors, describe_piece, pair_scale
from arise_core.engine import loops as engine_loops
from arise_core.engine import tile as tiles
from arise_core.engine.boxes import describe_box, describe_boxes, iterate_boxes
from arise_core.engine.context import Context
from arise_core.engine.grid import box_grid
from arise_core.engine.tile import TileEngine, make_tiles
from arise_core.geometry import builders
from arise_core.geometry import loops as geometry_loops
from arise_core.geometry.material import Material
from arise_core.geometry.structure import Structure
from arise_core.runtime import threads
from arise_core.settings import DescriptorSettings, MapSettings
from tests.conftest import conventional, shaken

SETTINGS = DescriptorSettings.corrected()
#: Random boxes that are described one by one too; more of them in the slow tests.
N_BOXES, MANY = 100, 300
SIZES = [N_BOXES, pytest.param(MANY, marks=pytest.mark.slow)]


def crystal(name):
    return arise.build(arise.prototype(name))


def cubic_fcc(counts, sigma=0.1):
    return shaken(builders.repeat(conventional(crystal("fcc")), counts), sigma)


def alloy():
    """Random Ni-Al on fcc with a cube of L1_2 in the middle."""
    rng = np.random.default_rng(1)
    s = builders.repeat(conventional(crystal("fcc")), (10, 10, 10))
    numbers = builders.solid_solution(np.zeros(len(s)), [28, 13], [0.75, 0.25], rng)
    a = 3.61491
    corner = np.isclose(s.positions / a % 1, 0, atol=1e-3) | np.isclose(s.positions / a % 1, 1, atol=1e-3)
    middle = (np.abs(s.positions - s.cell[0, 0] / 2) < 9).all(axis=1)
    numbers[middle] = np.where(corner[middle].all(axis=1), 13, 28)
    return shaken(Structure(s.positions, numbers, s.cell, True), 0.08)


def particle():
    s = cubic_fcc((14, 14, 14), 0.08)
    inside = np.linalg.norm(s.positions - s.positions.mean(axis=0), axis=1) < 20
    return Structure(s.positions[inside], s.numbers[inside])


SYSTEMS = {  # structure, box size, stride, edges
    "thermal fcc": (lambda: cubic_fcc((9, 9, 9)), 16.0, 3.5, "exact"),
    "Ni-Al alloy with L1_2": (alloy, 16.0, 3.5, "exact"),
    "triclinic cell": (lambda: shaken(builders.repeat(crystal("hcp"), (9, 8, 6)), 0.1), 16.0, 3.5, "exact"),
    "cell smaller than the box": (lambda: cubic_fcc((2, 3, 6)), 16.0, 1.8, "exact"),
    "layer open along z": (lambda: shaken(builders.repeat(crystal("MoS2 monolayer"), (16, 16, 1)), 0.05), 16.0, 2.0,
                           "exact"),
    "nanoparticle, faces as borders": (particle, 12.0, 3.0, "box"),
    "nanoparticle, exact borders": (particle, 12.0, 3.0, "exact"),
    "four-species chalcogenide": (
        lambda: shaken(builders.repeat(crystal("Cu2ZnSnS4 (kesterite)"), (5, 5, 3)), 0.06), 16.0, 3.2, "exact"),
    "four-species perovskite": (lambda: four_species_perovskite(), 16.0, 3.5, "exact"),
}  # fmt: skip


def four_species_perovskite():
    """Cubic perovskite with two elements at random on its A sites."""
    s = builders.repeat(crystal("cubic perovskite"), (7, 7, 7))
    rng = np.random.default_rng(2)
    first = s.numbers == s.numbers.max()  # Ag, Nb, O: niobium or silver, whichever is heavier
    numbers = np.where(first & (rng.random(len(s)) < 0.5), 56, s.numbers)
    return shaken(Structure(s.positions, numbers, s.cell, True), 0.06)


def compared(structure, settings, count, seed=0):
    """Engine and direct evaluation of random boxes: features (n, 2, n_features) and length scales."""
    grid = box_grid(structure, settings)
    context = Context.of(grid, SETTINGS)
    fast = describe_boxes(grid, SETTINGS)
    filled = np.flatnonzero(fast.n_atoms >= settings.min_atoms)
    pick = np.random.default_rng(seed).choice(filled, min(count, len(filled)), replace=False)
    pairs = []
    for box in pick:
        direct, n_atoms = describe_box(context, int(box))
        assert n_atoms == fast.n_atoms[box]
        pairs.append((direct, fast.features[box]))
    return np.array(pairs)


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("name", SYSTEMS)
def test_engine_is_exact(name, count):
    build, box_size, stride, edges = SYSTEMS[name]
    pairs = compared(build(), MapSettings(box_size=box_size, stride=stride, edges=edges), count)
    assert len(pairs) == count
    direct, own = pairs[:, 0], pairs[:, 1]
    assert np.isfinite(pairs).all()
    norms = np.linalg.norm(pairs, axis=2)
    assert ((direct * own).sum(axis=1) / norms.prod(axis=1)).min() > 0.9999
    assert np.abs(norms[:, 1] / norms[:, 0] - 1).max() < 1e-3


@pytest.mark.parametrize("name", SYSTEMS)
def test_length_scales_of_the_engine(name):
    """d of each species pair in random boxes, against the pair density of that box alone."""
    build, box_size, stride, edges = SYSTEMS[name]
    settings = MapSettings(box_size=box_size, stride=stride, edges=edges)
    grid = box_grid(build(), settings)
    context = Context.of(grid, SETTINGS)
    filled = np.flatnonzero(grid.counts().ravel() >= settings.min_atoms)
    picked = set(np.random.default_rng(1).choice(filled, MANY, replace=False).tolist())
    compared = set()
    for tile in make_tiles(grid):
        boxes = tile.boxes(grid)
        here = np.array([box in picked for box in boxes.tolist()])
        if not here.any():
            continue
        engine = TileEngine(context, tile)
        for alpha, beta in context.survey.ranges:
            chosen = here.copy()
            for species in (alpha, beta):
                chosen &= engine.n_species_atoms.get(species, np.zeros(len(boxes))) >= 4
            if not chosen.any():
                continue
            scales = engine.scales(alpha, beta, chosen)
            for k in np.flatnonzero(chosen):
                u, numbers = grid.members(int(boxes[k]))
                window = BoxWindow(grid.cell, context.width(int(boxes[k])), SETTINGS.floor)
                a, b = (np.ascontiguousarray((u @ grid.cell)[numbers == s]) for s in (alpha, beta))
                vectors = partial(_piece_vectors, a, b, alpha == beta)
                direct = pair_scale(vectors, window, *context.survey.ranges[alpha, beta])
                assert scales[k] == pytest.approx(direct, rel=0.005, nan_ok=True)
                compared.add(int(boxes[k]))
    assert compared == picked


def all_boxes(structure, settings):
    return describe_boxes(box_grid(structure, settings), SETTINGS)


def test_threads_and_memory_change_nothing():
    """Bit for bit: tiles are laid by the grid alone, and each is worked on by one thread."""
    structure = alloy()
    results = []
    for count, memory in ((1, 4.0), (2, 4.0), (3, 0.025), (2, 0.07)):
        threads.set_count(count)
        try:
            results.append(all_boxes(structure, MapSettings(stride=2.5, memory_limit=memory)))
        finally:
            threads.set_count(None)
    assert len(list(make_tiles(box_grid(structure, MapSettings(stride=2.5))))) > 3
    for other in results[1:]:
        assert np.array_equal(results[0].features, other.features, equal_nan=True)
        assert np.array_equal(results[0].n_atoms, other.n_atoms)


def test_size_of_tiles_changes_rounding_alone(monkeypatch):
    """The order of summation differs: sums are kept in single precision, so to about 1e-5."""
    structure = cubic_fcc((7, 7, 7))
    reference = all_boxes(structure, MapSettings(stride=3.0)).features
    for boxes in (27, 216):
        monkeypatch.setattr(tiles, "TILE_BOXES", boxes)
        monkeypatch.setattr(tiles, "TILE_EDGES", (3, 16))
        assert len(list(make_tiles(box_grid(structure, MapSettings(stride=3.0))))) >= 512 / boxes
        assert np.abs(all_boxes(structure, MapSettings(stride=3.0)).features - reference).max() < 2e-5


@pytest.mark.parametrize("share", [0.01, 0.1, 0.6])
def test_few_wanted_boxes_are_found_in_small_tiles(share, rng):
    """Each once, with the descriptors that they have among all; tiles span less where fewer boxes are wanted.

    Knots of the splines go by the length scales in a tile, so descriptors differ by more than rounding.
    """
    grid = box_grid(cubic_fcc((9, 9, 9)), MapSettings(box_size=9.0, stride=2.5))
    wanted = rng.random(len(grid)) < share
    pieces = list(make_tiles(grid, wanted))
    covered = np.concatenate([tile.boxes(grid) for tile in pieces])
    assert len(np.unique(covered)) == len(covered)
    assert wanted[covered].sum() == wanted.sum()
    assert (len(covered) < 0.5 * len(grid)) == (share == 0.01)
    parts = list(iterate_boxes(grid, SETTINGS, wanted=wanted))
    boxes = np.concatenate([part.boxes for part in parts])
    assert np.array_equal(np.sort(boxes), np.flatnonzero(wanted))
    among_all = describe_boxes(grid, SETTINGS).features[boxes]
    assert np.abs(np.concatenate([part.features for part in parts]) - among_all).max() < 1e-4


def test_too_little_memory_is_refused_at_once():
    with pytest.raises(ValueError, match="`memory_limit` 1e-05 GiB is too small: one tile of boxes takes"):
        all_boxes(cubic_fcc((4, 4, 4)), MapSettings(memory_limit=1e-5))


def test_every_box_once():
    for name in ("nanoparticle, faces as borders", "layer open along z"):
        build, box_size, stride, edges = SYSTEMS[name]
        grid = box_grid(build(), MapSettings(box_size=box_size, stride=stride, edges=edges))
        boxes = np.concatenate([part.boxes for part in iterate_boxes(grid, SETTINGS)])
        assert np.array_equal(np.sort(boxes), np.arange(len(grid)))


def test_paper_preset_goes_box_by_box():
    """Free clusters: each box is described as the paper does, as a structure of its own."""
    from arise_core.descriptor.soap import describe

    paper = DescriptorSettings.paper()
    grid = box_grid(cubic_fcc((5, 5, 5)), MapSettings(box_size=12.0, stride=9.0))
    found = describe_boxes(grid, paper)
    for box in (0, len(grid) - 1):
        u, numbers = grid.members(box)
        assert np.allclose(found.features[box], describe(Structure(u @ grid.cell, numbers), paper), atol=1e-9)
    with pytest.raises(ValueError, match="`method` must be"):
        describe_boxes(grid, paper, method="fast")


def test_rare_species_is_treated_as_missing():
    """Three foreign atoms in a box change nothing; a hundred do."""
    fcc = cubic_fcc((5, 5, 5))
    settings = MapSettings(box_size=17.9, stride=17.9)
    pure = all_boxes(fcc, settings).features
    for foreign, equal in ((3, True), (100, False)):
        numbers = fcc.numbers.copy()
        numbers[:foreign] = 79
        doped = all_boxes(Structure(fcc.positions, numbers, fcc.cell, True), settings).features
        assert (np.abs(doped - pure).max() < 0.02) == equal


def test_boxes_with_few_atoms_are_nan():
    structure = particle()
    found = all_boxes(structure, MapSettings(box_size=12.0, stride=6.0, padding="full", min_atoms=30))
    few = found.n_atoms < 30
    assert few.any()
    assert np.isnan(found.features[few]).all()
    assert np.isfinite(found.features[~few]).all()


# --- parts that are far apart, or of different density ------------------------------------------------------


def far_and_near():
    """A point beyond all binned points along z, and what the loops need to know of the points."""
    points = np.random.default_rng(0).uniform(0, 6, (40, 3))
    origin, size = points.min(axis=0), 1.0
    shape = np.array([6, 6, 6])
    order, start = np.empty(40, dtype=np.int64), np.empty(6**3 + 1, dtype=np.int64)
    geometry_loops.bin_points(points, origin, size, shape, order, start)
    return np.array([[3.0, 3.0, 50.0], [5.9, 5.9, -50.0]]), points, (4.0, origin, size, shape, order, start)


def test_points_beyond_all_others_have_no_neighbours():
    """Run as Python, where an index out of bounds is an error: compiled it reads whatever is there."""
    far, points, bins = far_and_near()
    boxes = np.zeros((40, 3), dtype=np.int64)
    vector, key = np.empty((40, 4)), np.empty(40, dtype=np.int64)
    limit, origin, size, shape, order, start = bins
    for i in range(2):
        found = engine_loops.neighbours.py_func(
            i, far, boxes, boxes, points[order], boxes, boxes, False, limit, np.full(3, limit), origin, size, shape,
            start, np.zeros((0, 0, 0), dtype=np.int32), 0, vector, key,
        )  # fmt: skip
        assert found == 0
    identity, sign = np.arange(40), np.zeros(40, dtype=np.int64)
    pairs = geometry_loops.binned_pairs.py_func(
        far, 0, 2, identity + 100, points, identity, sign, False, *bins, np.empty((0, 3))
    )
    assert pairs == 0


def test_pairs_are_sorted_by_their_boxes():
    bits = engine_loops.BITS
    key = np.random.default_rng(0).integers(0, 1 << 6 * bits, 500)[
        np.random.default_rng(1).integers(0, 500, 3000)
    ]
    turn, other = np.empty(3500, dtype=np.int64), np.empty(3500, dtype=np.int64)
    engine_loops.sort_by_key(key, 3000, turn, other, np.empty((1 << 2 * bits) + 1, dtype=np.int64))
    assert (turn[:3000] == np.argsort(key, kind="stable")).all()


def test_a_range_holds_a_wanted_box():
    wanted = np.random.default_rng(0).random((5, 6, 7)) < 0.05
    below = np.zeros((6, 7, 8), dtype=np.int32)
    below[1:, 1:, 1:] = wanted.cumsum(0).cumsum(1).cumsum(2)
    found = []
    for box in np.random.default_rng(1).integers(0, 5, (200, 6)):
        (fx, lx), (fy, ly), (fz, lz) = np.sort(box.reshape(3, 2), axis=1)
        found.append(bool(engine_loops.any_in.py_func(below, fx, lx, fy, ly, fz, lz)))
        assert found[-1] == wanted[fx : lx + 1, fy : ly + 1, fz : lz + 1].any()
    assert 20 < sum(found) < 180
    assert engine_loops.any_in.py_func(below[:0], 0, 0, 0, 0, 0, 0)


def bicrystal(rng):
    """Magnesium (23 Å3 an atom) between two blocks of diamond (6 Å3 an atom), with a few far atoms of copper."""
    metal = crystal("hcp")
    diamond = conventional(crystal("diamond"))
    box = np.array([40.0, 40, 36])
    parts = []
    for unit, z in ((diamond, 0.0), (metal, 38.0), (diamond, 76.0)):
        positions, numbers = builders.crystal_in_box(
            unit, np.zeros(3), box, builders.random_rotation(rng), [0.1] * 3
        )
        parts.append((positions + [0, 0, z], numbers))
    parts.append((rng.uniform(0, 40, (30, 3)) + [0, 0, 200], np.full(30, 29)))
    return Structure(np.concatenate([p for p, _ in parts]), np.concatenate([n for _, n in parts]))


def test_a_loose_material_beside_a_dense_one_is_not_porous(rng):
    structure = bicrystal(rng)
    grid = box_grid(structure, MapSettings(box_size=16, stride=8))
    centres = grid.centers.reshape(-1, 3)
    inside = np.flatnonzero((np.abs(centres - [20, 20, 56]) < [8, 8, 9]).all(axis=1))
    assert len(inside) >= 8
    found = describe_boxes(grid, SETTINGS).features[inside]
    alone = structure.numbers == 12
    metal = Structure(structure.positions[alone], structure.numbers[alone])
    context = Context.of(box_grid(metal, MapSettings(box_size=16, stride=8)), SETTINGS)
    for features, centre in zip(found, centres[inside], strict=True):
        near = (np.abs(metal.positions - centre) < 8).all(axis=1)
        window = BoxWindow(np.eye(3), np.full(3, 16.0), SETTINGS.floor)
        expected = describe_piece(
            metal.positions[near], metal.numbers[near], window, context.survey.ranges, SETTINGS, 5
        )
        assert features @ expected / np.linalg.norm(features) / np.linalg.norm(expected) > 0.9999


@pytest.mark.parametrize("name", SYSTEMS)
def test_one_material_has_one_spacing(name):
    structure = SYSTEMS[name][0]()
    spacing = Material.of(structure).spacing
    assert Material.of(structure).loose_spacing == spacing
