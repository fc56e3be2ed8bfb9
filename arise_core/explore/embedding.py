"""A plane on which alike representations lie together, by UMAP, and where new ones lie on it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from arise_core.errors import InputError
from arise_core.explore.rows import Components, all_alike, checked_settings, known, reduced
from arise_core.geometry.arrays import Float32Array, FloatArray, Reals
from arise_core.progress import Job, Progress, Step, run, silent
from arise_core.runtime.packages import check_package, package
from arise_core.runtime.threads import one_blas_thread
from arise_core.runtime.watched import watched
from arise_core.settings import ExploreSettings

#: Rows of which a plane can be made, at least.
FEWEST = 5
NEEDS = "a plane needs UMAP"


@dataclass(frozen=True, repr=False)
class Embedding:
    """Places on the plane, and what they were made of. Axes have no unit and no meaning; distances to neighbours do.

    No fitted object of UMAP is kept in files: it would have to be pickled. `place` makes its graph of neighbours anew
    from `vectors` and `settings`, which the seed determines, and holds it to `points` as they are.
    """

    points: Float32Array  # (n, 2), NaN for rows with NaN
    vectors: Float32Array  # (n, width), of which they were made
    settings: ExploreSettings
    note: str = ""  # why they are no map

    def __len__(self) -> int:
        return len(self.points)

    def __repr__(self) -> str:
        return f"<Embedding of {len(self)}{f' ({self.note})' if self.note else ''}>"

    def place(self, vectors: Reals) -> Float32Array:
        """Where new rows (m, width) of the same layer lie among the others, which stay, (m, 2); NaN for NaN.

        Raises:
            InputError: rows of another width.
        """
        valid, x = known(vectors)
        if np.shape(vectors)[1] != self.vectors.shape[1]:
            raise InputError(
                f"`vectors` must have {self.vectors.shape[1]} columns, got {np.shape(vectors)[1]}"
            )
        out = np.full((len(valid), 2), np.nan, dtype=np.float32)
        if self.note:
            out[valid] = 0.0 if np.isfinite(self.points).any() else np.nan
        elif len(x):
            x = x if self._components is None else self._components.apply(x)
            with one_blas_thread(), _quiet():
                out[valid] = self._fitted.transform(x.astype(np.float32))
        return out

    @cached_property
    def _components(self) -> Components | None:
        return Components.of(known(self.vectors)[1], self.settings.components)

    @cached_property
    def _fitted(self) -> Any:
        """UMAP with the graph of these vectors, which is determined by them, and with these points."""
        valid, x = known(self.vectors)
        x = x if self._components is None else self._components.apply(x)
        fitted = _umap(self.settings, len(x), n_epochs=0, init="random")
        with one_blas_thread(), _quiet():
            fitted.fit(x.astype(np.float32))
        fitted.embedding_ = np.ascontiguousarray(self.points[valid])
        fitted.n_epochs = None
        return fitted


def embed(
    vectors: Reals, settings: ExploreSettings | None = None, *, progress: Progress = silent
) -> Embedding:
    """Places of representations on a plane, by UMAP (McInnes, Healy, Melville 2018).

    Deterministic: the seed is a setting, and one thread works. Fewer than five rows give NaN, rows that are all alike
    zeros.

    Args:
        vectors: (n, width), of `Representations.of` for example.
        settings: `components`, `n_neighbors`, `min_dist` and `embed_seed` are used; default `ExploreSettings()`.
        progress: called with the share of the work done.

    Raises:
        InputError: no table of numbers.
    """
    return run(embed_steps(vectors, checked_settings(settings)), progress)


def embed_steps(vectors: Reals, settings: ExploreSettings) -> Job[Embedding]:
    """`embed` as a job: yields the share of the work done, returns the embedding."""
    check_package("umap", NEEDS)
    valid, x = known(vectors)
    kept = np.asarray(vectors, dtype=np.float32)
    points = np.full((len(valid), 2), np.nan, dtype=np.float32)
    if len(x) < FEWEST:
        return Embedding(points, kept, settings, f"{len(x)} with a representation are too few for a plane")
    if all_alike(x):
        points[valid] = 0.0
        return Embedding(points, kept, settings, "all are alike")
    yield Step(0.0, "plane")
    rows = reduced(x, settings.components)
    points[valid] = yield from watched(partial(_laid_out, rows, settings), "plane")
    yield Step(1.0)
    return Embedding(points, kept, settings)


def _laid_out(x: FloatArray, settings: ExploreSettings) -> Float32Array:
    with one_blas_thread(), _quiet():
        return np.asarray(_umap(settings, len(x)).fit_transform(x.astype(np.float32)), dtype=np.float32)


def _umap(settings: ExploreSettings, n: int, **more: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImportWarning)  # of TensorFlow, which is not used
        umap = package("umap", NEEDS)
    return umap.UMAP(
        n_neighbors=min(settings.n_neighbors, n - 1), min_dist=settings.min_dist, random_state=settings.embed_seed,
        n_jobs=1, **more,
    )  # fmt: skip


@contextmanager
def _quiet() -> Iterator[None]:
    """Warnings of UMAP about graphs in several parts stay unsaid: grains are such parts."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module="umap|sklearn")
        yield
