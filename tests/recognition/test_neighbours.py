"""Boxes that others answer for: which they are, what they get, how that compares with passes of their own."""

import itertools
import warnings
from dataclasses import replace

import numpy as np
import pytest

import arise_core as arise
from arise_core.engine.context import Context
from arise_core.engine.grid import box_grid, grid_around, grids_of_sizes
from arise_core.geometry import builders
from arise_core.model.top import room_for
from arise_core.recognition import asking, surroundings
from arise_core.recognition.asking import Asker
from arise_core.recognition.audit import CHANCE, LARGE, ONE_OF, ONE_OF_FEW, OTHER, Audit, chosen, total
from arise_core.recognition.neighbours import LEVELS, Neighbours
from arise_core.recognition.result import recognise
from arise_core.recognition.surroundings import MOST, Surroundings
from arise_core.runtime import threads
from arise_core.settings import MapSettings, RecognitionSettings, SamplingSettings
from benchmarks.structures import fcc
from tests.ovito.helpers import crystal_and_melt

SETTINGS = {"resolution": "sharp", "stride": 3.0}


@pytest.fixture(scope="module")
def model():
    return arise.load_model("arise-108")


@pytest.fixture(scope="module")
def front():
    """A crystal with a melt on top."""
    return crystal_and_melt(6, 6)[0]


@pytest.fixture(scope="module")
def both(model, front):
    """Its map as by default, and with all passes of every box."""
    every = arise.strided_map(front, model, passes=128, tolerance=None, **SETTINGS)
    return arise.strided_map(front, model, **SETTINGS), every


# --- who answers for whom -----------------------------------------------------------------------------------------


def made(shape, pbc=(True, True, True), blocks=None, axis=0):
    numbers = np.zeros(shape[axis], dtype=np.int64) if blocks is None else np.asarray(blocks)
    return Neighbours(shape, np.array(pbc), axis, numbers)


def counts(shape):
    level = made(shape).levels(np.arange(np.prod(shape)))
    return np.bincount(level, minlength=LEVELS).tolist()


def test_levels():
    """An eighth, another one, the rest; a quarter over a plane, half along an axis."""
    assert counts((8, 8, 8)) == [64, 64, 384]
    assert counts((8, 1, 8)) == [16, 16, 32]
    assert counts((1, 1, 8)) == [4, 4, 0]
    assert counts((1, 1, 1)) == [1, 0, 0]


def by_hand(known, sure, level, shape, pbc, blocks, box, lower, least):
    """As `Neighbours.alike` of one box along axis 0."""
    here = np.unravel_index(box, shape)
    near = set()
    for step in itertools.product((-1, 0, 1), repeat=3):
        at = [h + s for h, s in zip(here, step, strict=True)]
        if not any(step) or any(not p and not 0 <= a < n for a, n, p in zip(at, shape, pbc, strict=True)):
            continue
        at = [a % n for a, n in zip(at, shape, strict=True)]
        if blocks[at[0]] == blocks[here[0]]:
            near.add(int(np.ravel_multi_index(at, shape)))
    near = {k for k in near - {box} if known[k] >= 0 and not (lower and level[k] >= level[box])}
    said = {int(known[k]) for k in near}
    certain = sum(bool(sure[k]) for k in near)
    if len(said) != 1 or len(near) < least or certain < len(near) / 2:
        return -1, near
    return said.pop(), near


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("pbc", [(True, True, True), (False, True, False), (False, False, False)])
@pytest.mark.parametrize(
    ("shape", "least"),
    [((6, 5, 4), (4, 9)), ((2, 3, 5), (4, 9)), ((5, 1, 4), (4, 4)), ((7, 1, 1), (2, 2)), ((3, 2, 1), (4, 4))],
)
def test_what_neighbours_say(shape, least, pbc, lower):
    rng = np.random.default_rng(0)
    n = int(np.prod(shape))
    blocks = np.arange(shape[0]) // 3
    found = made(shape, pbc, blocks)
    for p in ([0.0, 0.97, 0.03], [0.2, 0.8, 0.0]):
        known, sure = rng.choice([-1, 0, 1], size=n, p=p), rng.random(n) < 0.6
        boxes = np.arange(n)
        found.note(boxes, known, sure)
        assert (found.answers(boxes) == known).all()
        level = found.levels(boxes)
        said, near = found.alike(boxes, lower=lower)
        for box in boxes:
            answer, theirs = by_hand(
                known, sure, level, shape, pbc, blocks, box, lower, least[0 if lower else 1]
            )
            assert said[box] == answer
            if answer >= 0:
                assert set(near[box][near[box] >= 0].tolist()) == theirs


@pytest.mark.parametrize("pbc", [(True, True, True), (False, True, False), (False, False, False)])
@pytest.mark.parametrize("axis", [0, 2])
@pytest.mark.parametrize(
    ("shape", "steps"), [((6, 5, 4), (2, 1, 0)), ((7, 1, 3), (1, 1, 3)), ((1, 1, 8), (0, 0, 9))]
)
def test_those_beside(shape, steps, axis, pbc):
    blocks = np.arange(shape[axis]) // 3
    boxes = np.arange(np.prod(shape))
    near = made(shape, pbc, blocks, axis).beside(boxes, np.array(steps))
    assert near.shape == (len(boxes), 6)
    for box, found in zip(boxes, near, strict=True):
        here = np.unravel_index(box, shape)
        expected = []
        for k, way in itertools.product(range(3), (-1, 1)):
            at = list(here)
            at[k] += way * steps[k]
            if pbc[k]:
                at[k] %= shape[k]
            elif not 0 <= at[k] < shape[k]:
                continue
            if at[k] != here[k] and blocks[at[axis]] == blocks[here[axis]]:
                expected.append(int(np.ravel_multi_index(at, shape)))
        assert sorted(found[found >= 0].tolist()) == sorted(expected)


def surroundings_of(model, pbc, cells=9):
    """Of a crystal, and the grids of its small and large boxes."""
    crystal = fcc(cells)
    structure = arise.Structure(crystal.positions, crystal.numbers, crystal.cell, pbc)
    grids = grids_of_sizes(box_grid(structure, MapSettings(stride=4.0, resolution="sharp")))
    large = grid_around(grids[-1])
    around = Surroundings(
        Context.of(large, model.descriptor), grids[0], model.sureness, Asker(model, SamplingSettings(), "card"),
        by_tiles=True,
    )  # fmt: skip
    return around, grids[0], large


@pytest.mark.parametrize("pbc", [True, (False, True, False)])
def test_whether_most_around_have_a_name(model, pbc, monkeypatch):
    """By hand: the centres nearest to a large box and to those beside it, in the same part of the grid."""
    monkeypatch.setattr(surroundings, "MANY", 2.0)  # never
    around, small, large = surroundings_of(model, pbc)
    rng = np.random.default_rng(0)
    boxes = np.flatnonzero(rng.random(len(small)) < 0.9)
    parts = np.unravel_index(boxes, small.shape)[0] // 4
    named = rng.random(len(boxes)) < MOST
    found = around.filled(boxes, parts, named)
    shape = np.array(large.shape)
    wraps = np.broadcast_to(pbc, 3)
    large = np.stack(np.unravel_index(around.around(boxes), tuple(shape)), axis=1)
    for k in range(0, len(boxes), 7):
        apart = np.abs(large - large[k])
        apart = np.where(wraps, np.minimum(apart, shape - apart), apart)
        near = (apart <= 1).all(axis=1) & (parts == parts[k])
        share = named[near].mean()
        if abs(share - MOST) > 0.05 or (shape > 2).all():  # beside each other on both sides: counted twice
            assert found[k] == (named[k] and share >= MOST)


@pytest.mark.parametrize("pbc", [True, False])
def test_whether_many_have_a_name_everywhere(model, pbc):
    """As where a crystal is none of the classes, not where a small one lies in a melt, however many are named in it."""
    around, small, _ = surroundings_of(model, pbc, cells=16)
    boxes, parts = np.arange(len(small)), np.zeros(len(small), dtype=int)
    rng = np.random.default_rng(1)
    scattered = rng.random(len(boxes)) < 0.45
    assert (around.filled(boxes, parts, scattered) == scattered).mean() > 0.99
    assert not around.filled(boxes, parts, rng.random(len(boxes)) < 0.1).any()
    from_middle = np.linalg.norm(small.centers - small.centers.mean(axis=0), axis=1)
    inside = (from_middle < 14.0) & (rng.random(len(boxes)) < 0.5)
    assert inside.sum() > 50
    assert not around.filled(boxes, parts, inside).any()


# --- what that does to a map --------------------------------------------------------------------------------------


def test_a_map_is_what_it_is_with_all_passes(both):
    quick, every = both
    p, q = quick.prediction, every.prediction
    settled = p.valid & (p.passes == 0)
    assert settled.mean() > 0.3
    assert (q.passes == 128).all()
    assert (p.valid == q.valid).all()
    assert (p.index == q.index).mean() > 0.99
    assert (p.rejected == q.rejected).mean() > 0.99
    assert (p.index[settled] == q.index[settled])[~p.rejected[settled]].all()
    assert (p.rejected[settled] == q.rejected[settled]).all()
    off = p.mutual_information[settled] - q.mutual_information[settled]
    assert np.sqrt((off**2).mean()) < 0.04
    assert (np.abs(off) <= 2 * np.hypot(p.standard_error, q.standard_error)[settled]).mean() > 0.67
    assert np.asarray(p.probabilities).sum(axis=1)[settled] == pytest.approx(1, abs=0.05)
    assert (p.mutual_information <= p.predictive_entropy + 1e-9)[settled].all()
    same = settled & (quick.size == every.size)
    assert same.sum() > 0.9 * settled.sum()
    assert (quick.n_atoms == every.n_atoms)[same].all()


def test_resolution_and_number_of_atoms_are_of_one_box(model):
    """Also where a centre that is not sure stays what it says amid others, whatever size that is of."""
    bcc = arise.build(arise.prototype("bcc"))
    s = builders.repeat(bcc, (9, 9, 9))
    x = s.positions + np.random.default_rng(0).normal(0, 0.28, s.positions.shape)
    field = arise.strided_map(arise.Structure(x, s.numbers, s.cell, True), model, **SETTINGS)
    grids = grids_of_sizes(field.grid)
    assert len(grids) == len(field.edges)
    counts = np.stack([grid.counts().ravel() for grid in grids])
    valid = field.prediction.valid
    settled = valid & (field.prediction.passes == 0)
    assert len(set(field.size[settled])) > 1
    assert (field.n_atoms == counts[field.size, np.arange(len(field))])[valid].all()


def test_what_has_no_answer_yet_is_looked_at_by_nobody(both, model, front, monkeypatch):
    """Room for answers holds whatever memory held: numbers whose squares overflow, too."""
    quick, _ = both

    def room(n, like):
        found = room_for(n, like)
        if isinstance(found, np.ndarray):
            found[:] = np.iinfo(found.dtype).max if found.dtype.kind in "iu" else np.finfo(found.dtype).max
        return found

    monkeypatch.setattr(asking, "room_for", room)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = arise.strided_map(front, model, **SETTINGS)
    for name in ("mutual_information", "reject_score", "standard_error", "passes", "index"):
        np.testing.assert_array_equal(getattr(again.prediction, name), getattr(quick.prediction, name))


def test_what_was_measured_stands_in_the_map(both, model, front):
    quick, every = both
    assert every.audit is not None
    assert every.audit == Audit()
    found = quick.audit
    assert found.settled == (quick.prediction.valid & (quick.prediction.passes == 0)).sum()
    one_of = max(ONE_OF_FEW, len(quick) // LARGE)
    assert 0.3 < found.asked * one_of / found.settled < 3
    assert found.different == found.failed == 0
    assert 0 < found.off < 0.06
    attributes = quick.to_xarray().attrs
    assert attributes["settled_boxes"] == found.settled
    assert attributes["audited_boxes"] == found.asked
    settings = RecognitionSettings.of({"mode": "local", **SETTINGS})
    for keep in (True, False):
        assert recognise(front, model, settings, keep_map=keep).audit == found
    single = arise.strided_map(front, model, resolution="single", stride=8.0)
    assert single.audit is None
    assert "settled_boxes" not in single.to_xarray().attrs


def test_a_map_that_fails_its_audit_asks_every_box(both, model, front, monkeypatch):
    quick, _ = both
    monkeypatch.setattr(Audit, "fails", property(lambda self: self.asked > 0))
    asked = arise.strided_map(front, model, **SETTINGS)
    p, q = asked.prediction, quick.prediction
    assert (p.passes[p.valid] > 0).all()
    assert asked.audit.settled == 0
    assert asked.audit.failed > 0
    assert (p.index == q.index).mean() > 0.99
    assert (p.rejected == q.rejected).mean() > 0.99


def test_the_same_for_any_number_of_threads(both, model, front):
    quick, _ = both
    for count in (1, 3):
        threads.set_count(count)
        try:
            other = arise.strided_map(front, model, **SETTINGS)
        finally:
            threads.set_count(None)
        assert other.audit == quick.audit
        for name in ("probabilities", "mutual_information", "reject_score", "passes", "standard_error"):
            same = getattr(other.prediction, name), getattr(quick.prediction, name)
            assert np.array_equal(*same, equal_nan=True), name


def test_every_box_is_asked_where_a_tolerance_is_given(model):
    """Its mutual information is known to that, which that of others is not."""
    field = arise.strided_map(fcc(6), model, tolerance=0.05, passes=64, **SETTINGS)
    assert (field.prediction.passes > 0).all()
    assert field.audit == Audit()


@pytest.mark.filterwarnings("ignore:no box holds `min_atoms`:UserWarning")
@pytest.mark.parametrize("kind", ["wire", "sheet", "cluster", "little"])
def test_other_shapes(kind, model):
    s = fcc(8, displacement=0.05)
    x = s.positions
    keep = {
        "wire": (np.linalg.norm(x[:, :2] - 14.0, axis=1) < 8, (False, False, True)),
        "sheet": (x[:, 2] < 9, (True, True, False)),
        "cluster": (np.linalg.norm(x - 14.0, axis=1) < 12, (False,) * 3),
        "little": (np.arange(len(x)) < 5, (False,) * 3),
    }[kind]
    part = arise.Structure(x[keep[0]], s.numbers[keep[0]], s.cell, keep[1])
    quick, every = (
        recognise(part, model, RecognitionSettings.of({"mode": "local", **SETTINGS, **more})).field.prediction
        for more in ({}, {"tolerance": None, "passes": 64})
    )
    assert (quick.valid == every.valid).all()
    settled = quick.valid & (quick.passes == 0)
    assert (quick.index[settled] == every.index[settled]).all()
    assert (quick.rejected[settled] == every.rejected[settled]).all()


# --- the audit ----------------------------------------------------------------------------------------------------


def test_audits_add_up():
    one = Audit.of(
        (np.array([1, 2, 3]), np.array([1, 2, 4])), (np.array([0.1, 0.2, 0.0]), np.array([0.1, 0.0, 0.0]))
    )
    assert (one.asked, one.different, one.largest) == (3, 1, pytest.approx(0.2))
    assert one.off == pytest.approx(0.2 / np.sqrt(3))
    both = one + Audit(settled=5, failed=2)
    assert both == replace(one, settled=5, failed=2)
    assert total([None, one, None]) == one
    assert total([None]) is None
    assert np.isnan(Audit().off)
    assert not Audit().fails


@pytest.mark.parametrize(
    ("asked", "different", "fails"),
    [
        (10, 0, False),
        (10, 1, True),
        (11, 1, False),
        (400, 4, False),
        (400, 5, False),
        (400, 6, True),
        (10_000, 80, True),
    ],
)
def test_when_an_audit_fails(asked, different, fails):
    """As soon as more than half a percent of other answers is improbable."""
    from scipy.stats import binom

    expected = different > 0 and binom.sf(different - 1, asked, OTHER) < CHANCE
    assert expected == fails
    assert Audit(asked=asked, different=different).fails == fails


def test_an_audit_fails_by_doubt():
    assert Audit(asked=20, squares=20 * 0.1**2).fails
    assert not Audit(asked=20, squares=20 * 0.07**2).fails
    assert not Audit(asked=3, squares=3 * 0.1**2).fails


@pytest.mark.parametrize(("n", "one_of"), [(200, 10), (3200, 50), (6400, 100), (10**6, 100)])
def test_boxes_are_chosen_as_if_at_random(n, one_of):
    """One of a hundred in large maps, more of small ones, which would have too few."""
    boxes = np.arange(10**6)
    found = np.flatnonzero(chosen(boxes, n))
    assert len(found) == pytest.approx(len(boxes) / one_of, rel=0.05)
    assert chosen(found, n).all()
    for period in (2, 3, 7, 64, 100, 1000):
        share = np.bincount(found % period, minlength=period) / len(found) * period
        assert share == pytest.approx(1, abs=6 * np.sqrt(period / len(found)))
    assert ONE_OF == 100


# --- what is around -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pbc", [True, False])
def test_tiles_cover_a_box(pbc, model, monkeypatch):
    """Every box that is no tile lies within its tiles, and all of these within the grid."""
    seen = []
    kept = Surroundings._tiles

    def tiles(self, boxes):
        found = kept(self, boxes)
        seen.append((self._context.grid, boxes, *found))
        return found

    monkeypatch.setattr(Surroundings, "_tiles", tiles)
    s = fcc(12)
    arise.strided_map(s if pbc else builders.opened(s), model, resolution="sharp", stride=4.0)
    some = 0
    for grid, boxes, found, covered in seen:
        shape = np.array(grid.shape)
        at, near = (np.stack(np.unravel_index(k, grid.shape), axis=-1) for k in (boxes, found))
        assert (near[covered] % 2 == 0).all() or (shape % 2 == 1).any()
        apart = near - at[:, None]
        apart -= np.where(grid.pbc, np.round(apart / shape) * shape, 0).astype(int)
        odd = at[:, None] % 2 == 1
        assert (np.abs(apart[covered]) == np.broadcast_to(odd, apart.shape)[covered]).all()
        for k in np.flatnonzero(covered):
            assert len(set(map(tuple, apart[k]))) == 2 ** odd[k].sum()
        some += covered.sum()
    assert some > 0
