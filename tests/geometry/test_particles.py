"""The particle of tomography: its regions, order, strain and errors."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from arise_core.errors import InputError
from arise_core.geometry.particles import REGIONS, strained_particle, tomography_particle

EXACT = {"displacement": 0.0, "missing": 0.0, "misplaced": 0.0}


def test_regions_have_their_composition_and_order():
    structure, region, _ = tomography_particle(20_000, **EXACT, rng=np.random.default_rng(0))
    assert 19_000 < len(structure) < 21_000
    iron = structure.numbers == 26
    shares = [iron[region == k].mean() for k in range(len(REGIONS))]
    np.testing.assert_allclose(shares, [0.5, 0.5, 0.25], atol=0.02)
    random, _, _ = tomography_particle(20_000, order=0.0, **EXACT, rng=np.random.default_rng(0))
    in_planes = [np.unique(s.positions[(region == 1) & (s.numbers == 26), 2]) for s in (structure, random)]
    assert len(in_planes[1]) == pytest.approx(2 * len(in_planes[0]), abs=1)


def test_planes_of_iron_are_wider_by_the_strain_that_is_told():
    structure, region, strain = tomography_particle(
        20_000, strain=0.03, **EXACT, rng=np.random.default_rng(0)
    )
    assert np.isnan(strain[region != 1]).all()
    assert 0 <= np.nanmin(strain) < 0.005
    assert 0.025 < np.nanmax(strain) <= 0.0301
    for low, high in ((0.005, 0.01), (0.02, 0.025)):
        here = (strain > low) & (strain < high)
        means = []
        for number in (26, 78):
            x = structure.positions[here & (structure.numbers == number)]
            pairs = cKDTree(x).query_pairs(3.0, output_type="ndarray")
            means.append(np.linalg.norm(x[pairs[:, 0]] - x[pairs[:, 1]], axis=1).mean())
        assert (means[0] - means[1]) / np.mean(means) == pytest.approx((low + high) / 2, rel=0.15)


def test_errors_of_tomography_are_those_asked_for():
    exact, _, _ = tomography_particle(5_000, **EXACT, rng=np.random.default_rng(0))
    found, region, strain = tomography_particle(5_000, missing=0.2, rng=np.random.default_rng(0))
    assert len(found) == pytest.approx(0.8 * len(exact), abs=1)
    assert len(found) == len(region) == len(strain)


@pytest.mark.parametrize(
    ("name", "value"), [("order", 1.5), ("misplaced", -0.1), ("missing", 1.0), ("n_atoms", 10)]
)
def test_what_is_wrong_is_named(name, value):
    with pytest.raises(InputError):
        tomography_particle(**{name: value}, rng=np.random.default_rng(0))


def test_grains_are_strained_by_the_ratio_that_is_told():
    ratios = (0.9, 1.0)
    structure, region, ratio = strained_particle(20_000, ratios, **EXACT, rng=np.random.default_rng(0))
    assert set(np.unique(region)) == {0, 1, 2}
    assert np.isnan(ratio[region != 1]).all()
    assert (structure.numbers[region == 2] == 26).mean() == pytest.approx(0.25, abs=0.02)
    for value in ratios:
        here = ratio == value
        x, iron = structure.positions[here], structure.numbers[here] == 26
        assert iron.mean() == pytest.approx(0.5, abs=0.02)
        pairs = cKDTree(x).query_pairs(3.0, output_type="ndarray")
        length = np.linalg.norm(x[pairs[:, 0]] - x[pairs[:, 1]], axis=1)
        same = iron[pairs[:, 0]] == iron[pairs[:, 1]]
        seen = np.sqrt(
            2 * (length[~same].mean() / length[same].mean()) ** 2 - 1
        )  # c / a of face-centred cells
        assert seen == pytest.approx(value, abs=1e-3)


@pytest.mark.parametrize("ratios", [(), (0.9, -1.0)])
def test_ratios_are_positive(ratios):
    with pytest.raises(InputError, match="`ratios`"):
        strained_particle(5_000, ratios, rng=np.random.default_rng(0))
