"""Clusters of representations by HDBSCAN, hard and soft, and which smallest size of a cluster to take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from arise_core.errors import InputError, check_type
from arise_core.explore.rows import all_alike, checked_settings, known, reduced
from arise_core.geometry.arrays import BoolArray, Float32Array, FloatArray, IntArray, Reals
from arise_core.progress import Job, Progress, Step, part, run, silent
from arise_core.runtime.packages import check_package, package
from arise_core.runtime.threads import one_blas_thread
from arise_core.runtime.watched import watched
from arise_core.settings import CLUSTER_SIZES, ExploreSettings, check_number

#: Label of what is in no cluster.
OUTLIER = -1
NEEDS = "clusters need HDBSCAN"


@dataclass(frozen=True)
class Trial:
    """What HDBSCAN finds with one smallest size of a cluster.

    The relative validity is the density-based one (DBCV) along the spanning tree, -1 to 1.
    """

    min_cluster_size: int
    n_clusters: int
    outlier_share: float  # of the rows with a representation
    persistence: float  # mean over clusters, 0 to 1: how long each lives in the tree; NaN without
    validity: float  # relative; NaN with less than two clusters

    @property
    def score(self) -> float:
        """Mean persistence times the share of the rows that are in clusters, 0 to 1; 0 without clusters."""
        return self.persistence * (1 - self.outlier_share) if self.n_clusters else 0.0


@dataclass(frozen=True, repr=False)
class Clusters:
    """Which rows belong together. Clusters are numbered by size, 0 the largest.

    The membership of soft clusters is HDBSCAN's; else it is the strength in the row's own cluster, and 0 elsewhere.
    The condensed tree has a row a branch: parent, child, λ, size of the child; its leaves are the valid rows, numbered
    among themselves.
    """

    labels: IntArray  # (n,), -1: an outlier, or no representation
    valid: BoolArray  # (n,), rows with a representation
    strength: Float32Array  # (n,), 0 at the rim to 1 inside; 0 for outliers, NaN if not valid
    membership: Float32Array  # (n, n_clusters), 0 to 1, NaN if not valid
    persistence: FloatArray  # (n_clusters,), how long each lives in the tree, 0 to 1
    nodes: IntArray  # (n_clusters,), node of each in the tree
    tree: FloatArray  # (m, 4)
    min_cluster_size: int
    soft: bool
    trials: tuple[Trial, ...] = ()  # of the scan, if there was one
    note: str = ""  # why there are no clusters, or one

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        text = f"{self.n_clusters} clusters of {len(self)}, {self.outlier_share:.1%} outliers"
        return f"<Clusters: {text}{f' ({self.note})' if self.note else ''}>"

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return int(self.membership.shape[1])

    @property
    def sizes(self) -> IntArray:
        """Rows in each cluster, (n_clusters,)."""
        return np.bincount(self.labels[self.labels >= 0], minlength=self.n_clusters)

    @property
    def outliers(self) -> BoolArray:
        """Rows with a representation that are in no cluster, (n,)."""
        return np.asarray(self.valid & (self.labels == OUTLIER))

    @property
    def outlier_share(self) -> float:
        """Share of outliers among the rows with a representation; 0 if there are none."""
        return float(self.outliers.sum() / max(1, self.valid.sum()))


def find_clusters(
    vectors: Reals, settings: ExploreSettings | None = None, *, progress: Progress = silent
) -> Clusters:
    """Clusters of representations.

    HDBSCAN (McInnes, Healy, Astels 2017) on Euclidean distances, as in Leitherer et al. (2021), Methods. With
    `min_cluster_size="auto"` the sizes of `CLUSTER_SIZES` are tried and `suggested` picks one. Rows that are all alike
    are one cluster; rows with NaN are in none.

    Args:
        vectors: (n, width), of `Representations.of` for example.
        settings: default `ExploreSettings()`.
        progress: called with the share of the work done.

    Raises:
        InputError: no table of numbers.
    """
    return run(cluster_steps(vectors, checked_settings(settings)), progress)


def cluster_steps(vectors: Reals, settings: ExploreSettings) -> Job[Clusters]:
    """`find_clusters` as a job: yields the share of the work done, returns the clusters."""
    check_package("hdbscan", NEEDS)
    valid, x = known(vectors)
    if all_alike(x):
        return _one(valid, settings)
    x = reduced(x, settings.components)
    trials: tuple[Trial, ...] = ()
    size, start = settings.min_cluster_size, 0.0
    if isinstance(size, str):
        sizes = tuple(k for k in CLUSTER_SIZES if 2 * k <= len(x))
        if not sizes:
            return _none(valid, settings, CLUSTER_SIZES[0])
        start = 0.8
        trials = yield from _scan(x, sizes, settings.min_samples, start)
        size = suggested(trials)
    if len(x) < max(size, settings.min_samples or 0):
        return _none(valid, settings, size)
    middle = start + (1 - start) / 2
    yield Step(start, _message(size))
    fit = partial(_fitted, x, size, settings.min_samples, soft=settings.soft)
    found = yield from part(watched(fit, _message(size)), start, middle)
    yield Step(middle, "memberships")
    return replace(_clusters(valid, found, size, settings), trials=trials)


def scan(
    vectors: Reals,
    sizes: Sequence[int] = CLUSTER_SIZES,
    settings: ExploreSettings | None = None,
    *,
    progress: Progress = silent,
) -> tuple[Trial, ...]:
    """What HDBSCAN finds with several smallest sizes of a cluster; those above half the rows are left out.

    Args:
        vectors: (n, width); rows with NaN are left out.
        sizes: smallest sizes of a cluster.
        settings: `components` and `min_samples` are used.
        progress: called with the share of the work done.

    Raises:
        InputError: a size below 2, or no table of numbers.
    """
    chosen = checked_settings(settings)
    check_type("sizes", sizes, Sequence, "several whole numbers")
    sizes = [check_number("sizes", k, whole=True, low=2) for k in sizes]
    _, x = known(vectors)
    if all_alike(x):
        return ()
    fits = tuple(k for k in sizes if 2 * k <= len(x))
    return run(_scan(reduced(x, chosen.components), fits, chosen.min_samples, 1.0), progress)


def suggested(trials: Sequence[Trial]) -> int:
    """The smallest size of a cluster to take.

    The rule: the one with the highest `score` of those that find at least two clusters; of equal ones the smaller. If
    none finds two, the smallest. The relative validity is reported and not used: it jumps between sizes that find the
    same clusters.

    Raises:
        InputError: no trial.
    """
    check_type("trials", trials, Sequence, "several Trials, as `scan` gives them")
    if not trials:
        raise InputError("`trials` is empty")
    several = [t for t in trials if t.n_clusters > 1]
    if not several:
        return min(t.min_cluster_size for t in trials)
    return max(several, key=lambda t: (t.score, -t.min_cluster_size)).min_cluster_size


# --- HDBSCAN ------------------------------------------------------------------------------------------------------


def _fitted(
    x: FloatArray, size: int, samples: int | None, *, soft: bool = False, validity: bool = False
) -> Any:
    """HDBSCAN in this process and thread: its other processes would be forks."""
    model = package("hdbscan", NEEDS).HDBSCAN(
        min_cluster_size=size, min_samples=samples, core_dist_n_jobs=1, gen_min_span_tree=validity,
        prediction_data=soft,
    )  # fmt: skip
    with one_blas_thread():
        return model.fit(x)


def _message(size: int) -> str:
    return f"clusters of at least {size}"


def _scan(x: FloatArray, sizes: Sequence[int], samples: int | None, share: float) -> Job[tuple[Trial, ...]]:
    trials = []
    for k, size in enumerate(sizes):
        at, after = share * k / len(sizes), share * (k + 1) / len(sizes)
        yield Step(at, _message(size))
        fit = partial(_fitted, x, size, samples, validity=True)
        found = yield from part(watched(fit, _message(size)), at, after)
        n_clusters = len(found.cluster_persistence_)
        trials.append(
            Trial(
                min_cluster_size=size,
                n_clusters=n_clusters,
                outlier_share=float((found.labels_ == OUTLIER).mean()),
                persistence=float(np.mean(found.cluster_persistence_)) if n_clusters else float("nan"),
                validity=float(found.relative_validity_) if n_clusters > 1 else float("nan"),
            )
        )
    return tuple(trials)


def _clusters(valid: BoolArray, found: Any, size: int, settings: ExploreSettings) -> Clusters:
    """What HDBSCAN found, at all rows, numbered by size."""
    labels = np.asarray(found.labels_, dtype=np.int64)
    strength = np.asarray(found.probabilities_, dtype=np.float64)
    n_clusters = len(found.cluster_persistence_)
    membership = _memberships(found, labels, strength, n_clusters, settings.soft)
    if settings.soft and n_clusters > 1:
        best = membership.argmax(axis=1)
        strength = membership[np.arange(len(best)), best]
        labels = np.where(strength >= settings.membership, best, OUTLIER)
        strength = np.where(labels == OUTLIER, 0.0, strength)
    sizes = np.bincount(labels[labels >= 0], minlength=n_clusters)
    order = np.argsort(-sizes, kind="stable")
    rank = np.empty(n_clusters + 1, dtype=np.int64)
    rank[order], rank[OUTLIER] = np.arange(n_clusters), OUTLIER
    tree = found.condensed_tree_.to_numpy()
    nodes = np.array(sorted(found.condensed_tree_._select_clusters()), dtype=np.int64)
    return Clusters(
        labels=_spread(rank[labels], valid, OUTLIER),
        valid=valid,
        strength=_spread(strength.astype(np.float32), valid, np.nan),
        membership=_spread(membership[:, order].astype(np.float32), valid, np.nan),
        persistence=np.asarray(found.cluster_persistence_, dtype=np.float64)[order],
        nodes=nodes[order],
        tree=np.column_stack([tree[name] for name in ("parent", "child", "lambda_val", "child_size")]).astype(float),
        min_cluster_size=size,
        soft=settings.soft,
        note="" if n_clusters else f"no {size} of them lie closer together than the others",
    )  # fmt: skip


def _memberships(
    found: Any, labels: IntArray, strength: FloatArray, n_clusters: int, soft: bool
) -> FloatArray:
    """Membership of each row in each cluster, (n, n_clusters)."""
    inside = np.flatnonzero(labels >= 0)
    membership = np.zeros((len(labels), n_clusters))
    membership[inside, labels[inside]] = strength[inside]
    if soft and n_clusters > 1:
        vectors_of = package("hdbscan", NEEDS).all_points_membership_vectors
        with np.errstate(invalid="ignore", divide="ignore"):
            found_soft = np.asarray(vectors_of(found))
        # Of rows that are the same HDBSCAN divides by a distance of zero.
        return np.where(np.isfinite(found_soft).all(axis=1)[:, None], found_soft, membership)
    return membership


def _one(valid: BoolArray, settings: ExploreSettings) -> Clusters:
    """All rows are alike: one cluster."""
    size = settings.min_cluster_size
    ones = np.ones(int(valid.sum()), dtype=np.float32)
    return Clusters(
        labels=_spread(np.zeros(len(ones), dtype=np.int64), valid, OUTLIER),
        valid=valid,
        strength=_spread(ones, valid, np.nan),
        membership=_spread(ones[:, None], valid, np.nan),
        persistence=np.ones(1),
        nodes=np.zeros(1, dtype=np.int64),
        tree=np.empty((0, 4)),
        min_cluster_size=len(ones) if isinstance(size, str) else size,
        soft=settings.soft,
        note="all are alike",
    )


def _none(valid: BoolArray, settings: ExploreSettings, size: int) -> Clusters:
    """Too few rows for a cluster."""
    n = int(valid.sum())
    return Clusters(
        labels=np.full(len(valid), OUTLIER, dtype=np.int64),
        valid=valid,
        strength=_spread(np.zeros(n, dtype=np.float32), valid, np.nan),
        membership=np.empty((len(valid), 0), dtype=np.float32),
        persistence=np.empty(0),
        nodes=np.empty(0, dtype=np.int64),
        tree=np.empty((0, 4)),
        min_cluster_size=size,
        soft=settings.soft,
        note=f"{n} with a representation are too few for clusters of at least {size}"
        if n
        else "none has a representation",
    )


def _spread(values: Any, valid: BoolArray, empty: Any) -> Any:
    """Values of the rows with a representation among all, the others `empty`."""
    out = np.full((len(valid), *values.shape[1:]), empty, dtype=values.dtype)
    out[valid] = values
    return out
