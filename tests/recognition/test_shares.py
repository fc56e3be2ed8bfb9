"""Shares of classes and their credible intervals."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import arise_core as arise
from arise_core.errors import InputError
from arise_core.geometry import builders
from arise_core.model.prediction import Rule
from arise_core.recognition import shares
from arise_core.recognition.fronts import share_of_a_box
from arise_core.recognition.result import recognise
from arise_core.recognition.shares import _interval, share_of, shares_of
from arise_core.settings import RecognitionSettings

LOCAL = {"mode": "local", "box_size": 10.0, "stride": 5.0, "passes": 20, "tolerance": None}


@pytest.fixture(scope="module")
def model():
    return arise.load_model("arise-108")


@pytest.fixture(scope="module")
def half_molten(model):
    """A crystal whose second half is shaken to pieces."""
    unit = arise.build(arise.prototype("fcc"))
    s = builders.repeat(unit, builders.cell_heights_at_least(unit, 28.0))
    rng = np.random.default_rng(0)
    x = np.linalg.solve(s.cell.T, s.positions.T)[0] % 1
    moved = s.positions + rng.normal(0, np.where(x > 0.5, 1.0, 0.05)[:, None], s.positions.shape)
    return recognise(arise.Structure(moved, s.numbers, s.cell, s.pbc), model, RecognitionSettings.of(LOCAL))


def test_shares_are_those_of_the_labels(half_molten, model):
    found = shares_of(half_molten)
    assert found.share.sum() == pytest.approx(1)
    fcc, rejected = model.class_info.find("fcc"), len(model.classes)
    assert found.share[fcc] == half_molten.fractions["fcc"]
    assert found.share[rejected] == half_molten.rejected_share
    assert (found.low <= found.share).all()
    assert (found.share <= found.high).all()
    assert (found.high <= 1 + 1e-12).all()
    for k in (fcc, rejected):
        assert 0.005 < found.high[k] - found.low[k] < 0.4  # two fronts in 28 Å, seen by boxes of 10 Å
        assert found.low[k] < 0.5 < found.high[k]  # what it was made to be


def test_a_sure_crystal_has_a_narrow_interval_and_a_wider_one_at_more_probability(half_molten, model):
    sure = recognise(arise.build(arise.prototype("fcc")), model, RecognitionSettings.of({"passes": 20}))
    assert share_of(sure) == (1.0, 1.0, 1.0)
    narrow, wide = (share_of(half_molten, interval=p) for p in (0.5, 0.99))
    assert narrow.share == wide.share
    assert wide.low < narrow.low < narrow.high < wide.high


def test_classes_together(half_molten, model):
    fcc, hcp = (model.class_info.find(n) for n in ("fcc", "hcp"))
    crystal = share_of(half_molten)
    assert crystal.share == pytest.approx(1 - half_molten.rejected_share)
    assert share_of(half_molten, [fcc, hcp]).share <= crystal.share
    assert share_of(half_molten, [hcp]).share < 0.05
    without = share_of(half_molten.with_rule(Rule(reject_threshold=None)))
    assert without == (1.0, 1.0, 1.0)


def test_intervals_hold_the_share_as_often_as_they_say():
    """Atoms in blocks that are right or wrong together, with the probabilities that are stated."""
    rng = np.random.default_rng(1)
    blocks, size = 60, 20
    inside = []
    for _ in range(400):
        p = rng.beta(0.5, 0.5, blocks)
        truth = (rng.random(blocks) < p).mean()
        low, high = _interval(np.repeat(p, size), blocks * size, size, 0.9)
        inside.append(low <= truth <= high)
    assert 0.85 < np.mean(inside) < 0.95


CELLS = {"cube": np.eye(3) * 40, "tilted": np.array([[40.0, 0, 0], [15, 35, 0], [-10, 12, 50]])}


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("normal", [(1, 0, 0), (0, 0, 1), (1, 1, 0), (1, -1, 1)])
def test_a_shift_of_fronts_by_a_box_is_area_times_edge_over_volume(cell, normal):
    """Of two planes across the cell, straight or oblique."""
    cell = CELLS[cell]
    shape = (24, 24, 24)
    u = np.stack(np.meshgrid(*[np.arange(n) / n for n in shape], indexing="ij"), -1).reshape(-1, 3)
    away = np.abs((u @ normal) % 1 - 0.5)  # 0.25 at the planes
    values = np.clip(0.5 + (0.25 - away) * 6, 0, 1)
    grid = SimpleNamespace(shape=shape, cell=cell, step=1 / np.array(shape), pbc=np.ones(3, dtype=bool))
    edge, atoms = np.full(len(u), 12.0), np.ones(len(u), dtype=int)
    wanted = 2 * 12.0 * np.linalg.norm(np.linalg.inv(cell) @ normal)
    assert share_of_a_box(grid, values, edge, atoms) == pytest.approx(wanted, rel=0.02)
    edge = np.where(u @ normal % 1 < 0.5, 12.0, 6.0)  # one plane is seen by smaller boxes
    assert share_of_a_box(grid, values, edge, atoms) == pytest.approx(0.75 * wanted, rel=0.02)
    grid.pbc = np.zeros(3, dtype=bool)
    edge = np.where(u[:, 2] < 0.5, 12.0, np.nan)
    values[np.isnan(edge)] = np.nan  # no prediction: no front there either
    assert share_of_a_box(grid, values, edge, atoms) < 1.3 * wanted
    assert share_of_a_box(grid, np.where(np.isnan(values), np.nan, 1.0), edge, atoms) == 0.0
    assert share_of_a_box(grid, np.full(len(u), np.nan), edge, atoms) == 0.0


def test_a_whole_structure_has_no_fronts(model):
    whole = recognise(arise.build(arise.prototype("fcc")), model, RecognitionSettings.of({"passes": 20}))
    assert whole.fronts() == 0.0


def test_fronts_make_intervals_wider(half_molten, model, monkeypatch):
    """The other class too, and both by the same: what one has more the other has less."""
    with_fronts = shares_of(half_molten)
    monkeypatch.setattr(shares, "SHIFT", 0.0)
    without = shares_of(half_molten)
    fcc, rejected = model.class_info.find("fcc"), len(model.classes)
    for k in (fcc, rejected):
        assert with_fronts.high[k] - with_fronts.low[k] > 1.2 * (without.high[k] - without.low[k])
    assert np.array_equal(with_fronts.share, without.share)


def test_all_or_nothing_and_no_doubt():
    assert _interval(np.full(50, 0.5), 50, 50.0, 0.95) == (0.0, 1.0)
    assert _interval(np.full(50, 0.999), 50, 50.0, 0.95) == (1.0, 1.0)
    assert _interval(np.ones(50), 100, 10.0, 0.95) == (0.5, 0.5)


def test_no_prediction(half_molten):
    nothing = replace(half_molten.atoms, index=np.full(len(half_molten), -1))
    assert share_of(replace(half_molten, atoms=nothing)) == (0.0, 0.0, 0.0)
    assert shares_of(replace(half_molten, atoms=nothing)).share[-1] == 1.0


@pytest.mark.parametrize("wrong", [0, 1, -0.5, "x", None])
def test_intervals_are_checked(half_molten, wrong):
    with pytest.raises(InputError, match="`interval`"):
        share_of(half_molten, interval=wrong)
