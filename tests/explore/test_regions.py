"""Regions of atoms that a map does not know."""

from __future__ import annotations

import numpy as np
import pytest

import arise_core as arise
from arise_core.errors import InputError
from arise_core.geometry import builders
from arise_core.model.prediction import Rule
from arise_core.recognition.maps import PointValues
from arise_core.recognition.result import Recognition


@pytest.fixture(scope="module")
def crystal():
    return builders.repeat(arise.build(arise.prototype("sc"), one_period=True), (12, 12, 12))


def recognition(crystal, score, information):
    """What a map might say: all atoms of class 0."""
    n = len(crystal)
    atoms = PointValues(
        index=np.zeros(n, dtype=int),
        confidence=np.ones(n),
        mutual_information=information,
        predictive_entropy=information,
        variation_ratio=np.zeros(n),
        reject_score=score,
        reject_deviation=np.zeros(n),
        probabilities=np.empty((n, 0), dtype=np.float32),
    )
    return Recognition("local", arise.load_model("arise-108").classes, atoms, Rule(reject_threshold=0.2))


def places(crystal):
    edge = crystal.cell[0, 0] / 12
    return np.round(crystal.positions / edge).astype(int) % 12


def test_regions_are_connected_across_the_border_and_sorted_by_size(crystal):
    at = places(crystal)
    small = (at < 4).all(axis=1)
    large = ((at[:, 0] >= 10) | (at[:, 0] == 0)) & (at[:, 1] > 5) & (at[:, 1] < 10)
    found = recognition(crystal, np.where(small | large, 0.9, 0.0), np.zeros(len(crystal)))
    regions = arise.unknown_regions(found, crystal)
    assert [len(r) for r in regions] == [3 * 4 * 12, 64]
    np.testing.assert_array_equal(regions[0], np.flatnonzero(large))
    np.testing.assert_array_equal(regions[1], np.flatnonzero(small))
    assert [len(r) for r in arise.unknown_regions(found, crystal, min_atoms=100)] == [144]


def test_doubt_counts_unless_it_is_not_asked_for(crystal):
    inside = (places(crystal) < 5).all(axis=1)
    found = recognition(crystal, np.zeros(len(crystal)), np.where(inside, 0.8, 0.1))
    assert [len(r) for r in arise.unknown_regions(found, crystal)] == [125]
    assert arise.unknown_regions(found, crystal, doubt=None) == []
    assert arise.unknown_regions(found, crystal, doubt=0.9) == []


def test_another_structure_is_refused(crystal):
    found = recognition(crystal, np.zeros(len(crystal)), np.zeros(len(crystal)))
    with pytest.raises(InputError, match="must have the 1728 atoms of `found`, got 1"):
        arise.unknown_regions(found, arise.build(arise.prototype("sc"), one_period=True))
