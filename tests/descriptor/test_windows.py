"""Windows against the overlap that they stand for, length scales of known pair densities, radial tables."""

import numpy as np
import pytest

import arise_core as arise
from arise_core.descriptor.covariance import BoxWindow, Covariance, NoWindow
from arise_core.descriptor.lengthscale import (
    LOG_STEP,
    PairDensity,
    nearest_neighbour_scale,
    search_range,
)
from arise_core.descriptor.radial import TABLE_STEP, radial_functions, radial_table, radial_weight
from arise_core.geometry.material import Material
from arise_core.geometry.support import support
from arise_core.settings import DescriptorSettings, RadialChannel
from tests.doors.systems import ball, bulk

SKEWED = np.array([[8.0, 0, 0], [2, 9, 0], [-1, 3, 10]])


def test_a_box_overlaps_with_itself_as_said(rng):
    """γ(r) = |W ∩ (W + r)| / |W| of a parallelepiped, by random points."""
    window = BoxWindow(SKEWED, np.array([1.0, 0.8, 0.9]), 0.05)
    points = rng.uniform(0, 1, (200_000, 3)) * [1.0, 0.8, 0.9]
    for vector in rng.uniform(-4, 4, (8, 3)):
        u = points - vector @ np.linalg.inv(SKEWED)
        share = ((u >= 0) & (u < [1.0, 0.8, 0.9])).all(axis=1).mean()
        assert 1 / window.weights(vector[None])[0] == pytest.approx(max(share, 0.05), abs=0.005)


def test_weights_have_a_floor_and_no_window_has_none(rng):
    vectors = rng.uniform(-30, 30, (50, 3))
    assert BoxWindow(np.eye(3) * 5, np.ones(3), 0.1).weights(vectors).max() <= 10 + 1e-9
    assert (NoWindow().weights(vectors) == 1).all()
    whole = Covariance(support(Material.of(bulk("fcc"))), 0.05, 10.0)
    assert whole.full
    assert (whole.weights(vectors) == 1).all()


def test_a_ball_overlaps_as_balls_do():
    """Set covariance of a sphere: 1 - 3r / 4R + r³ / 16R³."""
    found = support(Material.of(ball("fcc", 12.0)))
    covariance = Covariance(found, 0.05, 20.0)
    radius = np.cbrt(3 / (4 * np.pi) * found.inside.sum() * abs(np.linalg.det(found.step)))
    for r in (2.0, 5.0, 9.0):
        expected = 1 - 3 * r / (4 * radius) + r**3 / (16 * radius**3)
        directions = np.eye(3) * r
        assert 1 / covariance.weights(directions) == pytest.approx(expected, abs=0.02)


def test_the_first_peak_of_a_pair_density_is_found():
    density = PairDensity(1.5, 5.0)
    r = np.exp(density.log_start + LOG_STEP * np.arange(density.n_bins))
    for first, second in ((2.55, 3.6), (2.0, 3.9)):
        histogram = np.exp(-0.5 * ((r - first) / 0.05) ** 2) + 2 * np.exp(-0.5 * ((r - second) / 0.05) ** 2)
        assert density.scale(histogram) == pytest.approx(first, rel=0.01)
        small = 0.05 * np.exp(-0.5 * ((r - first) / 0.05) ** 2) + np.exp(-0.5 * ((r - second) / 0.05) ** 2)
        assert density.scale(small) == pytest.approx(second, rel=0.01)  # too small to be the first
    assert np.isnan(density.scale(density.histogram()))
    both = density.scales(np.stack([histogram, density.histogram()]))
    assert both[0] == pytest.approx(2.0, rel=0.01)
    assert np.isnan(both[1])


def test_nearest_neighbours_give_range_and_scale():
    assert search_range(np.array([np.inf, np.inf])) is None
    low, high = search_range(np.array([2.0, 2.5, 2.5, 3.0, np.inf]))
    assert low < 2.0
    assert high > 3.0
    assert nearest_neighbour_scale(np.array([2.5] * 5)) == pytest.approx(2.5)
    assert nearest_neighbour_scale(np.array([2.5] * 50 + [3.4] * 5)) == pytest.approx(2.5, abs=0.01)
    assert np.isnan(nearest_neighbour_scale(np.array([np.inf])))


@pytest.mark.parametrize("preset", ["paper", "corrected"])
def test_tables_hold_values_and_derivatives(preset):
    settings = DescriptorSettings.preset(preset)
    table = radial_table(settings, 1)
    step = settings.reach / (len(table) - 1)
    assert step == pytest.approx(TABLE_STEP, rel=0.01)
    x = step * np.arange(len(table))
    weight = radial_weight(settings.channels[0], x, settings.reach)
    values = radial_functions(settings, x) * weight[:, None, None]
    assert np.allclose(table[:, 0, :, :], values, atol=1e-12)
    slope = np.gradient(table[:, 0, 2, 3])
    assert np.allclose(table[5:-5, 1, 2, 3], slope[5:-5], atol=3e-3 * np.abs(slope).max())
    assert np.array_equal(radial_table(settings, 2), table[:, :, ::2])


def test_weights_of_channels():
    x = np.linspace(0, 5, 501)
    flat = radial_weight(RadialChannel(weight="flat"), x, 4.37)
    falling = radial_weight(RadialChannel(weight="falling"), x, 4.37)
    tapered = radial_weight(RadialChannel(weight="flat", taper=0.5), x, 4.37)
    assert set(flat) == {0.0, 1.0}
    assert (np.diff(falling) <= 1e-12).all()
    assert (falling[0], falling[x > 4.37].max()) == (1.0, 0.0)
    assert (tapered[x < 3.86] == 1).all()
    assert (np.diff(tapered) <= 0).all()


def test_settings_go_into_cards_and_back():
    for settings in (
        DescriptorSettings.paper(),
        DescriptorSettings.corrected(),
        DescriptorSettings.weighted(),
    ):
        assert DescriptorSettings.from_dict(settings.to_dict()) == settings
    with pytest.raises(ValueError, match=r"unknown descriptor settings \['foo'\]"):
        DescriptorSettings.from_dict({**settings.to_dict(), "foo": 1})
    with pytest.raises(ValueError, match="preset must be one of"):
        DescriptorSettings.preset("best")
    assert arise.describe(arise.build(arise.prototype("fcc")), settings).shape == (settings.n_features,)
