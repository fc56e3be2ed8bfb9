"""The plane: alike rows together, the same every time, and new rows among them."""

import numpy as np
import pytest

import arise_core as arise
from arise_core.errors import InputError
from tests.explore.test_clusters import blobs


@pytest.fixture(scope="module")
def laid_out():
    x, truth = blobs((60, 50, 40), stray=0, width=60)
    return x, truth, arise.embed(x, arise.ExploreSettings(n_neighbors=15))


def centres(points, truth):
    return np.array([points[truth == k].mean(axis=0) for k in range(3)])


def test_alike_rows_lie_together(laid_out):
    _, truth, found = laid_out
    middle = centres(found.points, truth)
    nearest = np.linalg.norm(found.points[:, None] - middle, axis=2).argmin(axis=1)
    assert (nearest == truth).all()
    assert found.points.dtype == np.float32


def test_the_seed_decides(laid_out):
    x, _, found = laid_out
    again = arise.embed(x, arise.ExploreSettings(n_neighbors=15))
    assert np.array_equal(again.points, found.points)
    other = arise.embed(x, arise.ExploreSettings(n_neighbors=15, embed_seed=1))
    assert not np.array_equal(other.points, found.points)


def test_new_rows_find_their_place_and_the_others_stay(laid_out):
    x, truth, found = laid_out
    before = found.points.copy()
    new = x[:30] + np.random.default_rng(1).normal(0, 0.02, (30, x.shape[1])).astype(np.float32)
    placed = found.place(np.insert(new, 3, np.nan, axis=0))
    assert np.isnan(placed[3]).all()
    placed = np.delete(placed, 3, axis=0)
    nearest = np.linalg.norm(placed[:, None] - centres(found.points, truth), axis=2).argmin(axis=1)
    assert (nearest == truth[:30]).all()
    assert np.array_equal(found.points, before)
    assert np.array_equal(found.place(new), found.place(new))


def test_nan_too_few_and_all_alike():
    x, _ = blobs((30,), stray=0)
    holed = np.insert(x, 4, np.nan, axis=0)
    found = arise.embed(holed)
    assert np.isnan(found.points[4]).all()
    assert np.isfinite(np.delete(found.points, 4, axis=0)).all()
    few = arise.embed(x[:4])
    assert np.isnan(few.points).all()
    assert "too few for a plane" in repr(few)
    assert np.isnan(few.place(x)).all()
    same = arise.embed(np.ones((20, 4)))
    assert (same.points == 0).all()
    assert same.note == "all are alike"
    assert (same.place(np.ones((2, 4))) == 0).all()


def test_rows_of_another_width(laid_out):
    with pytest.raises(InputError, match="`vectors` must have 60 columns, got 3"):
        laid_out[2].place(np.zeros((1, 3)))
