"""Clusters of rows whose groups are known."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

import arise_core as arise
from arise_core.errors import InputError, InputTypeError
from arise_core.explore.clusters import Trial, scan, suggested


def blobs(sizes=(120, 90, 60), spread=0.1, stray=20, width=8, seed=0):
    """Rows around far points, and strays between them; the group of each row, -1 for strays."""
    rng = np.random.default_rng(seed)
    places = rng.normal(0, 5, (len(sizes), width))
    rows = [rng.normal(p, spread, (n, width)) for p, n in zip(places, sizes, strict=True)]
    rows.append(rng.uniform(-10, 10, (stray, width)))
    truth = np.repeat([*range(len(sizes)), -1], [*sizes, stray])
    order = rng.permutation(len(truth))
    return np.concatenate(rows)[order].astype(np.float32), truth[order]


def settings(**given):
    return arise.ExploreSettings(**{"min_cluster_size": 25, **given})


def test_groups_are_found_and_numbered_by_size():
    x, truth = blobs()
    found = arise.find_clusters(x, settings())
    assert found.n_clusters == 3
    inside = np.flatnonzero(truth >= 0)
    assert found.labels[inside].tolist() == truth[inside].tolist()
    assert (np.diff(found.sizes) < 0).all()
    assert found.outliers.sum() == len(x) - found.sizes.sum() > 10
    assert (found.strength[found.outliers] == 0).all()
    assert found.membership[inside, truth[inside]] == pytest.approx(found.strength[inside])
    assert len(found.persistence) == len(found.nodes) == 3
    # the tree: nodes of the clusters have the rows of the clusters below them
    children = {int(c): int(n) for _, c, _, n in found.tree if n > 1}
    assert [children[int(k)] >= n for k, n in zip(found.nodes, found.sizes, strict=True)] == [True] * 3


def test_rows_with_nan_are_in_no_cluster_and_change_nothing():
    x, _ = blobs()
    before = arise.find_clusters(x, settings())
    holed = np.insert(x, [0, 50, 290], np.nan, axis=0)
    found = arise.find_clusters(holed, settings())
    there = np.isfinite(holed).all(axis=1)
    assert found.labels[there].tolist() == before.labels.tolist()
    assert (found.labels[~there] == -1).all()
    assert np.isnan(found.membership[~there]).all()
    assert not found.outliers[~there].any()
    assert found.outlier_share == before.outlier_share


def test_soft_clusters_take_in_outliers_above_the_threshold():
    x, truth = blobs(spread=1.2, stray=60)
    hard = arise.find_clusters(x, settings())
    soft = arise.find_clusters(x, settings(soft=True))
    assert soft.n_clusters == hard.n_clusters == 3
    assert soft.outlier_share < hard.outlier_share
    best = soft.membership.max(axis=1)
    assert (soft.labels[best < 0.1] == -1).all()
    assert (soft.labels[best >= 0.1] == soft.membership.argmax(axis=1)[best >= 0.1]).all()
    inside = (hard.labels >= 0) & (soft.labels >= 0)
    assert adjusted_rand_score(hard.labels[inside], soft.labels[inside]) > 0.95
    everything = arise.find_clusters(x, settings(soft=True, membership=0.0))
    assert everything.outlier_share == 0
    assert np.isfinite(soft.membership).all()
    assert adjusted_rand_score(truth[inside], soft.labels[inside]) > 0.9


def test_components_keep_the_clusters():
    x, truth = blobs(width=80)
    inside = truth >= 0
    for components in (5, None):
        found = arise.find_clusters(x, settings(components=components))
        assert found.labels[inside].tolist() == truth[inside].tolist()


def test_the_scan_tries_what_fits_and_suggests_by_its_rule():
    x, truth = blobs()
    trials = scan(x)
    assert [t.min_cluster_size for t in trials] == [25, 50, 100]
    assert [t.n_clusters for t in trials][:2] == [3, 3]
    assert suggested(trials) == max(trials[:2], key=lambda t: t.score).min_cluster_size
    found = arise.find_clusters(x)
    assert [repr(t) for t in found.trials] == [repr(t) for t in trials]  # NaN is not equal to itself
    assert found.min_cluster_size == suggested(trials)
    assert found.labels[truth >= 0].tolist() == truth[truth >= 0].tolist()


def test_the_rule():
    def trial(size, number, outliers, persistence):
        return Trial(size, number, outliers, persistence, float("nan"))

    many = trial(25, 44, 0.15, 0.08)
    four = [trial(k, 4, 0.15, p) for k, p in ((250, 0.4), (500, 0.45), (1000, 0.6))]
    two = trial(2000, 2, 0.5, 0.9)
    assert suggested([many, *four]) == 1000
    assert suggested([many, *four, two]) == 1000  # half of the rows left out count against the two
    assert suggested([trial(50, 4, 0.15, 0.6), *four]) == 50  # the smaller of equal ones
    assert suggested([many, trial(50, 1, 0.0, 1.0)]) == 25  # one cluster tells nothing
    assert suggested([trial(25, 0, 1.0, float("nan")), trial(50, 0, 1.0, float("nan"))]) == 25
    with pytest.raises(InputError, match="`trials` is empty"):
        suggested([])


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("size", ["auto", 25])
@pytest.mark.parametrize(
    ("rows", "n_clusters", "note"),
    [
        (np.empty((0, 4), dtype=np.float32), 0, "none has a representation"),
        (np.full((40, 4), np.nan), 0, "none has a representation"),
        (np.random.default_rng(0).normal(size=(10, 4)), 0, "10 with a representation are too few"),
        (np.ones((60, 4)), 1, "all are alike"),
        (np.zeros((60, 4)), 1, "all are alike"),
        (np.ones((1, 4)), 1, "all are alike"),
        (np.random.default_rng(0).normal(size=(300, 30)), 0, "no 25 of them lie closer together"),
    ],
)
def test_nothing_to_cluster_is_said(rows, n_clusters, note, size, soft):
    found = arise.find_clusters(rows, arise.ExploreSettings(min_cluster_size=size, soft=soft))
    assert found.n_clusters == n_clusters
    assert note in found.note
    assert note in repr(found)
    assert found.membership.shape == (len(rows), n_clusters)
    valid = np.isfinite(rows).all(axis=1)
    assert (found.labels[valid] == n_clusters - 1).all()
    assert (found.labels[~valid] == -1).all()


def test_same_again():
    x, _ = blobs(spread=0.8)
    first, second = (arise.find_clusters(x, settings(soft=True)) for _ in range(2))
    assert np.array_equal(first.membership, second.membership)
    assert np.array_equal(first.labels, second.labels)


@pytest.mark.parametrize("vectors", [np.zeros(3), np.zeros((3, 0)), np.zeros((3, 3), dtype=int)])
def test_no_table_of_numbers(vectors):
    with pytest.raises(InputError, match="`vectors` must be numbers of shape"):
        arise.find_clusters(vectors)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"min_cluster_size": 1}, "`min_cluster_size` must be at least 2 or 'auto', got 1"),
        ({"min_cluster_size": 2.5}, "`min_cluster_size` must be a whole number, got 2.5"),
        ({"min_cluster_size": "big"}, "got 'big'"),
        ({"membership": 1.5}, r"`membership` must be in \[0, 1\], got 1.5"),
        ({"n_neighbors": 1}, "`n_neighbors` must be at least 2, got 1"),
        ({"min_dist": 2.0}, r"`min_dist` must be in \[0, 1\]"),
        ({"components": -1}, "`components` must be at least 1 or None, got -1"),
    ],
)
def test_settings_that_are_refused(given, said):
    with pytest.raises(InputError, match=said):
        arise.ExploreSettings(**given)


def test_settings_from_doors():
    found = arise.ExploreSettings(min_cluster_size=50.0, components=0, min_samples=np.int64(3))
    assert (found.min_cluster_size, found.components, found.min_samples) == (50, None, 3)
    assert type(found.min_cluster_size) is int


def test_soft_clusters_of_rows_that_are_the_same():
    """Each row of two values is in the cluster of its value, though HDBSCAN divides by their distance there."""
    found = arise.find_clusters(np.repeat(np.eye(2, 8), 50, axis=0), settings(soft=True))
    assert found.n_clusters == 2
    assert len(set(found.labels[:50].tolist())) == len(set(found.labels[50:].tolist())) == 1
    assert found.outlier_share == 0


def test_what_overflows_and_what_is_of_another_kind_is_refused():
    x, _ = blobs()
    with pytest.raises(InputError, match="`vectors` must be up to 1e\\+15 in size, got"):
        arise.find_clusters(x.astype(float) * 1e200)
    for call in (arise.find_clusters, arise.embed, scan):
        with pytest.raises((InputError, InputTypeError), match="must be"):
            call(x, "auto")
    for sizes in (5, [2.5], [1], ["x"]):
        with pytest.raises((InputError, InputTypeError), match="`sizes` must be"):
            scan(x, sizes)
