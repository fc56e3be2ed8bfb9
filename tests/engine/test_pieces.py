"""Partly filled boxes: voxels and covariances of a few at once, pairs one by one, sums of full boxes corrected."""

from functools import partial

import numpy as np
import pytest

import arise_core as arise
from arise_core.descriptor.covariance import Covariance
from arise_core.descriptor.soap import _piece_vectors, pair_scale
from arise_core.engine import boxes as box_module
from arise_core.engine import pieces as piece_module
from arise_core.engine.boxes import describe_box, describe_boxes, iterate_boxes
from arise_core.engine.context import Context
from arise_core.engine.fill import FULL, MOST, batch_bytes, material_inside
from arise_core.engine.grid import box_grid
from arise_core.engine.pieces import LEFT, MANY, NEARLY, Corrected, Pieces, covariances, nodes_around, sphere
from arise_core.engine.tile import MORE_DEGREES, Tile, TileEngine, make_tiles, tiles_in_memory
from arise_core.geometry import builders
from arise_core.geometry.cell import perpendicular_heights
from arise_core.geometry.support import Support
from arise_core.runtime import threads
from arise_core.settings import DescriptorSettings, MapSettings
from tests.conftest import conventional, shaken
from tests.doors.systems import ball, bulk

SETTINGS = DescriptorSettings.weighted()


def crystal(name):
    return arise.build(arise.prototype(name))


def foam():
    """Thermal bcc in a skewed cell with three voids."""
    s = shaken(builders.repeat(crystal("bcc"), (13, 12, 12)), 0.08)
    centres = np.array([[0.2, 0.3, 0.4], [0.7, 0.6, 0.1], [0.5, 0.9, 0.8]])
    u = s.positions @ np.linalg.inv(s.cell)
    moves = u[:, None] - centres
    distance = np.linalg.norm((moves - np.round(moves)) @ s.cell, axis=2)
    keep = (distance > 7.5).all(axis=1)
    return arise.Structure(s.positions[keep], s.numbers[keep], s.cell, True)


def grains():
    """Two grains of compounds in an open slab, oblique faces."""
    names = ("rock salt", "CsCl")
    rng = np.random.default_rng(4)
    found = builders.polycrystal([crystal(n) for n in names], (30.0, 28.0, 15.0), rng=rng)
    return shaken(found, 0.05)


def cube():
    """An open cube of thermal fcc: its faces are flat, but not quite."""
    s = shaken(builders.repeat(conventional(crystal("fcc")), (7, 7, 7)), 0.1)
    return arise.Structure(s.positions, s.numbers)


SYSTEMS = {  # structure, box size, stride, padding
    "foam": (foam, 12.0, 4.0, "half"),
    "grains": (grains, 13.0, 4.0, "half"),
    "cube": (cube, 13.0, 4.0, "half"),
    "ball": (lambda: ball("fcc", 14.0), 11.0, 3.0, "full"),
}


def laid(name):
    build, box_size, stride, padding = SYSTEMS[name]
    return box_grid(build(), MapSettings(box_size=box_size, stride=stride, padding=padding))


def partly_filled(context, tile):
    """Engine of a tile, and which of its boxes are filled in part."""
    engine = TileEngine(context, tile)
    boxes = tile.boxes(context.grid)
    return engine, boxes, (engine.n_atoms >= context.grid.settings.min_atoms) & ~context.is_full(boxes)


def cosines(a, b):
    return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


@pytest.mark.parametrize("shared", [0.0, np.inf])
@pytest.mark.parametrize("name", SYSTEMS)
def test_partly_filled_boxes_are_exact(name, shared, monkeypatch):
    """Both ways, against every pair of every box by itself, 60 of them."""
    monkeypatch.setattr(box_module, "SHARED", shared)
    grid = laid(name)
    context = Context.of(grid, SETTINGS)
    found = describe_boxes(grid, SETTINGS)
    partly = (found.n_atoms >= grid.settings.min_atoms) & ~context.is_full(np.arange(len(grid)))
    picked = np.random.default_rng(0).permutation(np.flatnonzero(partly))[:60]
    assert len(picked) > 20
    direct = np.array([describe_box(context, int(k))[0] for k in picked])
    own = found.features[picked].astype(np.float64)
    assert cosines(direct, own).min() > 0.9999
    assert np.abs(np.linalg.norm(own, axis=1) / np.linalg.norm(direct, axis=1) - 1).max() < 1e-3


@pytest.mark.parametrize("name", ["foam", "cube", "grains"])
def test_corrected_sums_are_those_of_pairs_one_by_one(name):
    grid = laid(name)
    context = Context.of(grid, SETTINGS)
    compared = 0
    for tile in make_tiles(grid):
        engine, boxes, chosen = partly_filled(context, tile)
        chosen &= context.is_mostly_full(boxes)
        rows = np.flatnonzero(chosen)[:40]
        if len(rows) == 0:
            continue
        one_by_one = np.concatenate([p.features() for p in Pieces.batches(engine, rows)])
        corrected = Corrected(engine, chosen, np.zeros_like(chosen)).features()[rows]
        assert cosines(corrected.astype(float), one_by_one.astype(float)).min() > 0.9999
        compared += len(rows)
    assert compared > 20


@pytest.mark.parametrize("name", ["foam", "cube"])
def test_boxes_between_others_are_exact(name, monkeypatch):
    """Where boxes lie close, those with even numbers tell what the others have, if these are nearly full."""
    structure = SYSTEMS[name][0]()
    edge = 0.4 * arise.box_grid(structure, MapSettings()).spacing
    cell = structure.complete_cell / np.linalg.norm(structure.complete_cell, axis=1)[:, None]
    # a few boxes at a surface
    grid = box_grid(structure, MapSettings(box_size=16.0, stride=edge * perpendicular_heights(cell).min()))
    context = Context.of(grid, SETTINGS)
    places = np.stack(np.unravel_index(np.arange(len(grid)), grid.shape), axis=1)
    share = context.filled.ravel()
    centre = places[np.argmin(np.abs(share - 0.9))]
    apart = np.abs(places - centre)
    apart = np.where(grid.pbc, np.minimum(apart, grid.shape - apart), apart)
    wanted = (apart <= 5).all(axis=1)
    looked = []
    real = piece_module.nodes_around

    def around(grid, places):
        looked.append((len(places), real(grid, places)))
        return looked[-1][1]

    monkeypatch.setattr(piece_module, "nodes_around", around)

    def described():
        parts = list(iterate_boxes(context, SETTINGS, wanted=wanted))
        boxes = np.concatenate([p.boxes for p in parts])
        return boxes, np.concatenate([p.features for p in parts]).astype(np.float64)

    boxes, found = described()
    between = sum(n for n, nodes in looked if nodes is not None)
    assert between > 100
    assert all(len(nodes[0]) < 0.5 * n for n, nodes in looked if nodes is not None)
    monkeypatch.setattr(piece_module, "nodes_around", lambda *_: None)
    again, own = described()
    assert np.array_equal(boxes, again)
    known = np.isfinite(own[:, 0])
    changed = 1 - cosines(found[known], own[known])
    assert 1e-9 < changed.max() < 1e-4
    odd = (places[boxes[known]] % 2 == 1).any(axis=1) & (share[boxes[known]] >= NEARLY)
    assert changed[~odd].max() < 1e-9
    picked = np.random.default_rng(0).permutation(np.flatnonzero(odd))[:60]
    direct = np.array([describe_box(context, int(k))[0] for k in boxes[known][picked]])
    assert cosines(direct, found[known][picked]).min() > 0.9999


def test_nodes_lie_around_the_boxes():
    """Also behind the end of a periodic axis; at the end of an open one a box is its own."""
    structure = builders.repeat(conventional(crystal("fcc")), (5, 5, 5))
    half = arise.Structure(structure.positions, structure.numbers, structure.cell, (True, True, False))
    edge = 0.4 * arise.box_grid(half, MapSettings()).spacing
    grid = box_grid(half, MapSettings(box_size=16.0, stride=edge))
    places = np.stack(np.unravel_index(np.arange(len(grid)), grid.shape), axis=1)
    nodes, corners = nodes_around(grid, places)
    assert corners.shape == (len(places), 8)
    around = nodes[corners]
    assert np.array_equal(around.mean(axis=1), places)
    assert (np.abs(around - places[:, None]) <= 1).all()
    last = np.array(grid.shape) - 1
    odd_end = ~grid.pbc & (last % 2 == 1)
    assert ((nodes % 2 == 0) | (odd_end & (nodes == last))).all()
    assert (nodes[:, ~grid.pbc] <= last[~grid.pbc]).all()
    assert nodes_around(grid, places[:8]) is None
    coarse = box_grid(half, MapSettings(box_size=12.0, stride=1.2 * edge))
    assert (
        nodes_around(coarse, np.stack(np.unravel_index(np.arange(len(coarse)), coarse.shape), axis=1)) is None
    )


def block(padding, skewed=False, alloy=False, edges="exact"):
    """Boxes over an open crystal whose faces are flat, and which of them these cut."""
    s = shaken(builders.repeat(conventional(crystal("fcc")), (9, 8, 8)), 0.02)
    rng = np.random.default_rng(5)
    numbers = np.where(rng.random(len(s)) < 0.3, 13, 28) if alloy else s.numbers
    shear = np.array([[1.0, 0.0, 0.0], [0.2, 1.0, 0.0], [0.0, -0.15, 1.0]]) if skewed else np.eye(3)
    structure = arise.Structure(s.positions @ shear, numbers, s.cell @ shear, False)
    context = Context.of(
        box_grid(structure, MapSettings(box_size=14.0, stride=3.5, padding=padding, edges=edges)), SETTINGS
    )
    grid = context.grid
    left = context.box_widths(np.arange(len(grid))) / grid.width
    n_atoms = grid.counts().ravel()
    cut = context.is_full(np.arange(len(grid))) & (left.min(axis=1) < 1 - 1e-9) & (n_atoms > 0)
    return context, np.flatnonzero(cut), left.min(axis=1), n_atoms


@pytest.mark.parametrize("more", [{}, {"skewed": True}, {"alloy": True}, {"edges": "box"}])
@pytest.mark.parametrize("padding", ["half", "full"])
def test_boxes_cut_by_flat_borders_are_exact(padding, more):
    """Against every pair of every box by itself: corrected ones, those with few atoms, and slivers."""
    context, cut, left, n_atoms = block(padding, **more)
    found = describe_boxes(context.grid, SETTINGS).features.astype(float)
    picked = np.random.default_rng(0).permutation(cut[n_atoms[cut] >= context.grid.settings.min_atoms])[:60]
    assert len(picked) > 40
    corrected = (left[picked] >= LEFT) & (n_atoms[picked] >= MANY)
    assert corrected.sum() > 15
    assert padding == "half" or (~corrected).sum() > 5
    direct = np.array([describe_box(context, int(k))[0] for k in picked])
    assert cosines(direct, found[picked]).min() > 0.9999


def test_whole_boxes_serve_those_that_borders_cut(monkeypatch):
    """Sums are made with the widths of boxes that hold few atoms alone."""
    made = []
    sums = TileEngine.sums

    def counted(self, pair, scales, chosen, l_max, *, cut):
        made.append((cut, int(chosen.sum()), l_max))
        return sums(self, pair, scales, chosen, l_max, cut=cut)

    monkeypatch.setattr(TileEngine, "sums", counted)
    context, cut, left, n_atoms = block("half")
    few = cut[n_atoms[cut] < MANY]
    assert (left >= LEFT).all()
    assert 0 < len(few) < len(cut)
    describe_boxes(context.grid, SETTINGS)
    assert sum(n for own, n, _ in made if own) == len(few)
    assert sum(n for own, n, _ in made if not own) == len(context.grid) - len(few)
    assert {l_max for *_, l_max in made} <= {SETTINGS.l_max, SETTINGS.l_max + MORE_DEGREES}


def test_boxes_of_a_part_of_a_tile_have_an_engine_of_their_own():
    """Bit for bit they hold the same atoms; descriptors differ by the order of sums."""
    context, *_ = block("half")
    tile = next(iter(make_tiles(context.grid)))
    engine = TileEngine(context, tile)
    everything = np.ones(len(engine.n_atoms), dtype=bool)
    assert engine.around(everything)[0] is engine
    chosen = np.zeros(tile.shape, dtype=bool)
    chosen[1, 0, 1] = chosen[2, 1, 1] = True
    part, rows = engine.around(chosen.ravel())
    assert part.tile.shape == (2, 2, 1)
    assert np.array_equal(part.tile.boxes(context.grid), tile.boxes(context.grid)[rows])
    assert np.array_equal(part.n_atoms, engine.n_atoms[rows])
    found = engine.features(chosen.ravel())[chosen.ravel()]
    assert np.abs(found - engine.features(everything)[chosen.ravel()]).max() < 2e-5


def test_pairs_of_few_atoms_share_what_is_known_of_their_box(monkeypatch):
    """Each partly filled box is looked at once, whatever the number of its species."""
    looked = []
    known = piece_module.covariances
    monkeypatch.setattr(
        piece_module, "covariances", lambda inside: looked.append(len(inside)) or known(inside)
    )
    monkeypatch.setattr(box_module, "SHARED", 0.0)
    grid = laid("grains")
    context = Context.of(grid, SETTINGS)
    n_atoms = describe_boxes(grid, SETTINGS).n_atoms
    partly = (context.filled.ravel() < FULL) & (n_atoms >= grid.settings.min_atoms)
    assert sum(looked) == partly.sum()


def test_both_ways_are_taken(monkeypatch):
    """Mostly filled boxes all at once where there are enough of them, the others a few at once."""
    grid = laid("foam")
    ways = {"corrected": 0, "pieces": 0}

    def corrected(engine, most, full):
        ways["corrected"] += int(most.sum())
        return Corrected(engine, most, full)

    class Counted(Pieces):
        def features(self):
            ways["pieces"] += len(self.rows)
            return super().features()

    monkeypatch.setattr(box_module, "Corrected", corrected)
    monkeypatch.setattr(box_module, "Pieces", Counted)
    monkeypatch.setattr(box_module, "SHARED", 0.0)
    share = Context.of(grid, SETTINGS).filled.ravel()
    n_atoms = describe_boxes(grid, SETTINGS).n_atoms
    partly = (share < FULL) & (n_atoms >= grid.settings.min_atoms)
    most = int((partly & (share >= MOST) & (n_atoms >= MANY)).sum())
    assert ways == {"corrected": most, "pieces": int(partly.sum()) - most}
    assert min(ways.values()) > 0
    monkeypatch.setattr(box_module, "SHARED", np.inf)
    describe_boxes(grid, SETTINGS)
    assert ways == {"corrected": most, "pieces": 2 * int(partly.sum()) - most}


@pytest.mark.parametrize("name", SYSTEMS)
def test_voxels_and_covariances_are_those_of_one_box(name):
    """Also of boxes of different widths in one batch: weights of random displacements of its atoms."""
    grid = laid(name)
    context = Context.of(grid, SETTINGS)
    tile = next(iter(make_tiles(grid)))
    engine, boxes, chosen = partly_filled(context, tile)
    rows = np.random.default_rng(1).permutation(np.flatnonzero(chosen))[:12]
    for pieces in Pieces.batches(engine, rows):
        for k, row in enumerate(pieces.rows):
            box = int(boxes[row])
            inside = material_inside(grid, context.support, box, context.width(box))
            window = Covariance(inside, SETTINGS.floor, np.inf)
            u = grid.members(box)[0] @ grid.cell
            vectors = (u[:, None] - u[None, :]).reshape(-1, 3)
            lag = vectors @ pieces.to_lag[k]
            weights = [
                piece_module.loops.covariance_weight(pieces.gamma[k], *x, SETTINGS.floor) for x in lag[::7]
            ]
            assert np.allclose(weights, window.weights(vectors)[::7], rtol=2e-4)


def test_a_box_without_material_counts_as_full():
    """Atoms at the very surface may lie in a box in which no voxel's centre is inside."""
    grid = laid("ball")
    context = Context.of(grid, SETTINGS)
    nothing = Support(
        np.zeros_like(context.support.inside),
        context.support.step,
        context.support.origin,
        context.support.pbc,
    )
    context = Context(grid, SETTINGS, context.survey, nothing, context.filled, context.cells, context.widths)
    engine, boxes, chosen = partly_filled(context, next(iter(make_tiles(grid))))
    rows = np.flatnonzero(chosen)[:8]
    for pieces in Pieces.batches(engine, rows):
        width = context.box_widths(boxes[pieces.rows[:1]])[0]
        n = np.round((pieces.to_lag[0] @ np.linalg.inv(grid.to_fraction)).diagonal() * width).astype(int)
        _, y, z = np.array(pieces.gamma[0].shape) // 2
        expected = (1 - 2 / n[0]) * (1 - 1 / n[1]) * (1 - 3 / n[2])
        assert pieces.gamma[0][2, y + 1, z - 3] == pytest.approx(
            expected * pieces.gamma[0][0, y, z], rel=1e-5
        )


def test_covariances_of_random_voxels():
    inside = np.random.default_rng(0).random((3, 5, 4, 6)).astype(np.float32)
    found = covariances(inside)
    for x, y, z in ((0, 0, 0), (2, -1, 3), (4, 3, -5), (5, 0, 0), (1, -3, 0)):
        moved = np.zeros((3, 15, 12, 18), dtype=np.float32)
        moved[:, 5 - x : 10 - x, 4 - y : 8 - y, 6 - z : 12 - z] = inside
        expected = (moved[:, 5:10, 4:8, 6:12] * inside).sum(axis=(1, 2, 3))
        assert np.allclose(found[:, x, 4 + y, 6 + z], expected, atol=1e-4)


@pytest.mark.parametrize("l_step", [1, 2])
def test_the_sphere_brings_harmonics_back(l_step):
    directions, to_directions, back = sphere(6, l_step, MORE_DEGREES)
    assert np.allclose(np.linalg.norm(directions, axis=1), 1.0)
    assert np.allclose(to_directions @ back, np.eye(len(to_directions), back.shape[1]), atol=1e-5)
    assert len(to_directions) == sum(2 * k + 1 for k in range(0, 6 + MORE_DEGREES + 1, l_step))


def test_threads_and_memory_change_nothing():
    """Bit for bit, with boxes of all kinds."""
    results = []
    for count, memory in ((1, 4.0), (2, 4.0), (3, 0.2)):
        threads.set_count(count)
        try:
            grid = box_grid(foam(), MapSettings(box_size=10.0, stride=2.2, memory_limit=memory))
            results.append(describe_boxes(grid, SETTINGS))
        finally:
            threads.set_count(None)
    assert len(list(make_tiles(grid))) > 1
    for other in results[1:]:
        assert np.array_equal(results[0].features, other.features, equal_nan=True)


def test_length_scales_of_pieces():
    grid = laid("ball")
    context = Context.of(grid, SETTINGS)
    tile = next(iter(make_tiles(grid)))
    engine, boxes, chosen = partly_filled(context, tile)
    ((pair, limits),) = context.survey.ranges.items()
    for pieces in Pieces.batches(engine, np.flatnonzero(chosen)[:24]):
        found = pieces.scales(*pair, np.ones(len(pieces.rows), dtype=bool))
        for k, row in enumerate(pieces.rows):
            box = int(boxes[row])
            x = np.ascontiguousarray(grid.members(box)[0] @ grid.cell)
            vectors = partial(_piece_vectors, x, x, True)
            expected = pair_scale(vectors, context.window(box), *limits)
            assert found[k] == pytest.approx(expected, rel=1e-4, nan_ok=True)


def test_pieces_that_nobody_wants_are_not_described():
    grid = laid("ball")
    context = Context.of(grid, SETTINGS)
    engine, _, chosen = partly_filled(context, next(iter(make_tiles(grid))))
    batches = Pieces.batches(engine, np.flatnonzero(chosen))
    next(batches)
    context.stopped.set()
    assert list(batches) == []


def test_memory_of_pieces_is_counted():
    solid, porous = bulk("fcc", 9), foam()
    for structure, extra in ((solid, False), (porous, True)):
        grid = box_grid(structure, MapSettings(box_size=10.0, stride=3.0, memory_limit=1.0))
        context = Context.of(grid, SETTINGS)
        assert (context.support is not None) == extra
    tiles = [Tile((0, 0, 0), (1, 1, 1))]
    limit = batch_bytes(grid) / 2**30
    tight = box_grid(porous, MapSettings(box_size=10.0, stride=3.0, memory_limit=limit))
    with pytest.raises(ValueError, match="`memory_limit` .* is too small"):
        tiles_in_memory(Context.of(tight, SETTINGS), tiles)
    assert sum(len(part.boxes) for part in iterate_boxes(grid, SETTINGS)) == len(grid)
