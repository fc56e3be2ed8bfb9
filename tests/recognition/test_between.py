"""Reading a map off between its boxes: smoothly, where boxes that are sure of a class count more."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

import arise_core as arise
from arise_core.errors import InputError
from arise_core.geometry import builders
from arise_core.recognition import loops

FAST = {"box_size": 8.0, "stride": 4.0, "passes": 8}


@pytest.fixture(scope="module")
def model():
    return arise.load_model("arise-108")


@pytest.fixture(scope="module")
def crystal():
    unit = arise.build(arise.prototype("fcc"))
    copper = builders.repeat(
        arise.Structure(unit.positions, np.full(len(unit), 29), unit.cell, True), (4, 4, 4)
    )
    noise = np.random.default_rng(0).normal(0, 0.2, copper.positions.shape)
    return arise.Structure(copper.positions + noise, copper.numbers, copper.cell, True)


#: Where a block of nodes begins that is all of them.
ALL = np.zeros(3, dtype=np.int64)
#: Which fields nodes have that have all of them.
ALL_FIELDS = np.empty((0, 0, 0, 0), dtype=np.int16)


@pytest.mark.parametrize("wrap", [True, False])
def test_means_are_those_of_splines(wrap):
    rng = np.random.default_rng(1)
    values = rng.random((5, 6, 7, 3), dtype=np.float32)
    weights = rng.random((5, 6, 7))
    at = rng.uniform(-8, 8, (50, 3)) if wrap else rng.uniform(2, 3, (50, 3))
    found = np.empty((50, 3), dtype=np.float32)
    loops.smooth(values, ALL_FIELDS, weights, ALL, np.array(values.shape[:3]), at, np.full(3, wrap), found)

    def spline(field):
        return map_coordinates(field, at.T, order=3, mode="grid-wrap" if wrap else "nearest", prefilter=False)

    expected = np.stack([spline(weights * values[..., c]) / spline(weights) for c in range(3)], axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_nodes_without_values_are_left_out():
    values = np.ones((5, 5, 5, 1), dtype=np.float32)
    values[2, 2, 2] = np.nan
    found = np.empty((1, 1), dtype=np.float32)
    grid = ALL, np.full(3, 5), np.full((1, 3), 2.0), np.zeros(3, dtype=bool)
    loops.smooth(values, ALL_FIELDS, np.ones((5, 5, 5)), *grid, found)
    assert found == pytest.approx(1.0)
    loops.smooth(np.full_like(values, np.nan), ALL_FIELDS, np.ones((5, 5, 5)), *grid, found)
    assert np.isnan(found).all()


def test_only_classes_change(model, crystal):
    linear, sure = (
        arise.strided_map(crystal, model, between=between, probabilities="all", **FAST)
        for between in ("linear", "sure")
    )
    assert np.array_equal(linear.prediction.probabilities, sure.prediction.probabilities)
    a, b = linear.values_at_atoms((0, 2)), sure.values_at_atoms((0, 2))
    assert np.array_equal(a.mutual_information, b.mutual_information)
    assert np.array_equal(a.reject_score, b.reject_score)
    assert not np.array_equal(a.probabilities, b.probabilities)
    assert np.array_equal(b.probabilities, sure.probabilities_at_atoms((0, 2)))
    assert np.array_equal(sure.at(crystal.positions).probabilities[:, [0, 2]], b.probabilities)
    np.testing.assert_allclose(sure.at(crystal.positions).probabilities.sum(axis=1), 1.0, atol=1e-5)


def test_points_without_boxes_stay_without(model, crystal):
    cluster = arise.Structure(crystal.positions, crystal.numbers)
    given = {**FAST, "padding": "full", "min_atoms": 25}
    linear, sure = (
        arise.strided_map(cluster, model, between=between, **given) for between in ("linear", "sure")
    )
    assert np.isnan(linear.prediction.probabilities).any()
    points = np.random.default_rng(2).uniform(-6, 20, (300, 3))
    a, b = linear.values_at(points, (2,)), sure.values_at(points, (2,))
    assert np.isnan(a.probabilities).any()
    assert np.array_equal(np.isnan(a.probabilities), np.isnan(b.probabilities))
    assert np.array_equal(a.index == -1, b.index == -1)


def test_unknown_choices_are_refused(model, crystal):
    with pytest.raises(InputError, match="`between` must be 'linear' or 'sure', got 'cubic'"):
        arise.strided_map(crystal, model, between="cubic", **FAST)
