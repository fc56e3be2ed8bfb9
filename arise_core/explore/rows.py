"""Rows of representations: which there are, whether they differ, and their principal components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arise_core.errors import InputError, check_type
from arise_core.geometry.arrays import BoolArray, FloatArray, Reals
from arise_core.runtime.threads import one_blas_thread
from arise_core.settings import ExploreSettings

#: Largest difference between rows that are all alike, as a share of the length of the longest.
ALIKE = 1e-4
#: Largest number of a row: UMAP squares it in single precision.
LARGEST = 1e15


def known(vectors: Reals) -> tuple[BoolArray, FloatArray]:
    """Rows without NaN, (n,), and their numbers in double precision.

    Raises:
        InputError: no table of numbers, or so large that distances overflow.
    """
    values = np.asarray(vectors)
    if values.ndim != 2 or values.dtype.kind != "f" or values.shape[1] == 0:
        raise InputError(f"`vectors` must be numbers of shape (n, width), got {values.dtype} {values.shape}")
    valid = np.asarray(np.isfinite(values).all(axis=1))
    x = values[valid].astype(np.float64)
    if np.abs(x).max(initial=0.0) > LARGEST:
        raise InputError(f"`vectors` must be up to {LARGEST:g} in size, got {np.abs(x).max():g}")
    return valid, x


def checked_settings(settings: ExploreSettings | None) -> ExploreSettings:
    """Settings that were given, or those by default.

    Raises:
        InputTypeError: something else.
    """
    if settings is None:
        return ExploreSettings()
    check_type("settings", settings, ExploreSettings, "ExploreSettings")
    return settings


def all_alike(x: FloatArray) -> bool:
    """Whether all rows are the same but for rounding; no row counts as none."""
    if len(x) == 0:
        return False
    length = float(np.sqrt((x**2).sum(axis=1).max()))
    return bool(np.abs(x - x[0]).max() <= ALIKE * length)


@dataclass(frozen=True)
class Components:
    """The first principal components of some rows."""

    mean: FloatArray  # (width,)
    axes: FloatArray  # (width, n_components)

    @classmethod
    def of(cls, x: FloatArray, number: int | None) -> Components | None:
        """Those of rows (n, width); None for all numbers as they are, and if there are no more.

        Deterministic: eigenvectors of the covariance, by one thread.
        """
        if number is None or number >= min(x.shape):
            return None
        from sklearn.decomposition import PCA

        with one_blas_thread():
            fitted = PCA(number, svd_solver="covariance_eigh").fit(x)
        return cls(np.asarray(fitted.mean_), np.asarray(fitted.components_.T))

    def apply(self, x: FloatArray) -> FloatArray:
        """Components of rows, (n, n_components)."""
        with one_blas_thread():
            return np.asarray((x - self.mean) @ self.axes)


def reduced(x: FloatArray, number: int | None) -> FloatArray:
    """The first principal components of rows, (n, number); the rows as they are if they have no more."""
    found = Components.of(x, number)
    return x if found is None else found.apply(x)
