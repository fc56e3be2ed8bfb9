"""A grain boundary in an image of graphene: graphene on both sides, doubt and odd rings at the boundary."""

import numpy as np
import pytest

from arise_images import draw_layer
from benchmarks.images.boundary import bicrystal, boundary, rows_of


@pytest.fixture(scope="module")
def seen(model):
    return boundary(model, half=25.0, stride=6.0)


def test_graphene_on_both_sides_and_doubt_between(seen):
    found = seen.found
    near, far = seen.distance < 3, seen.distance > 12
    assert found.label == "graphene"
    assert (found.local.atom_labels[far] == "graphene").mean() > 0.99
    doubt = found.local.atoms.mutual_information
    assert doubt[near].mean() > 5 * doubt[far].mean()
    assert found.defective[near].mean() > 0.6
    assert found.defective[far].mean() < 0.05


def test_pentagons_and_heptagons_are_found(seen):
    for size in (5, 7):
        true = seen.truth.centers[seen.truth.size == size, :2]
        found = seen.found.rings.centers[seen.found.rings.size == size, :2]
        assert len(true) > 0
        assert abs(len(found) - len(true)) <= max(1, len(true) // 3)
    assert set(seen.found.rings.size[seen.found.odd_rings]) >= {5, 7}
    assert 6 not in seen.found.rings.size[seen.found.odd_rings]


def test_the_table(seen):
    rows = rows_of(seen)
    assert sum(int(row[1]) for row in rows) == len(seen.found.columns)
    assert rows[0][0] == "0 to 3"


def test_it_is_drawn_over_the_image(seen):
    figure = draw_layer(seen.image, seen.found)
    left, right, bar = figure.axes
    np.testing.assert_array_equal(left.images[0].get_array(), seen.image)
    assert len(left.collections[0].get_offsets()) == len(seen.found.columns)
    assert len(right.collections[1].get_offsets()) == seen.found.defective.sum()
    assert [len(c.get_paths()) for c in right.collections[2:]] == [
        (seen.found.rings.size == size).sum() for size in (5, 7)
    ]
    assert "mutual information" in bar.get_ylabel()


def test_no_atom_has_more_than_three_bonds():
    from arise_core.geometry.sheets import BOND, bonds

    structure = bicrystal(15.0, 21.8, np.random.default_rng(0))
    assert np.bincount(bonds(structure, BOND * 1.424).ravel()).max() <= 3
