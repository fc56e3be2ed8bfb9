"""The most probable classes of boxes, instead of all: what a map keeps of its probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

from arise_core.geometry.arrays import Float32Array, IntArray
from arise_core.model import loops
from arise_core.model.classes import MISSING

#: Most probable classes that are kept of each row.
RANKS = 5


@dataclass(frozen=True, eq=False)
class TopProbabilities(NDArrayOperatorsMixin):
    """Probabilities of which each row keeps those of its most probable classes only.

    Reads as the array (n, n_classes) that it stands for, with 0 for classes that are not kept: rows, columns and
    `numpy.asarray` of it are arrays, made when they are asked for, as is all else that arrays can do.
    """

    index: NDArray[np.int16]  # (n, RANKS), most probable classes, best first; -1 without a prediction
    values: Float32Array  # (n, RANKS), their probabilities; NaN without a prediction
    n_classes: int

    @classmethod
    def of(cls, probabilities: Float32Array) -> TopProbabilities:
        """Those of an array (n, n_classes), NaN in rows without a prediction."""
        return cls(*largest(probabilities, min(RANKS, probabilities.shape[1])), probabilities.shape[1])

    @classmethod
    def room(cls, n: int, like: TopProbabilities) -> TopProbabilities:
        """Room for those of n rows, to be put in."""
        ranks = like.index.shape[1]
        return cls(np.empty((n, ranks), np.int16), np.empty((n, ranks), np.float32), like.n_classes)

    def __setitem__(self, rows: Any, other: TopProbabilities) -> None:
        """Put others into rows of these."""
        self.index[rows], self.values[rows] = other.index, other.values

    def take(self, rows: Any) -> TopProbabilities:
        """The rows picked by an index, slice or mask."""
        return TopProbabilities(self.index[rows], self.values[rows], self.n_classes)

    # --- as an array --------------------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, int]:
        """Of the array that it stands for."""
        return len(self.index), self.n_classes

    @property
    def ndim(self) -> int:
        """Of the array that it stands for."""
        return 2

    @property
    def dtype(self) -> np.dtype[np.float32]:
        """Of the array that it stands for."""
        return np.dtype(np.float32)

    @property
    def nbytes(self) -> int:
        """What it takes itself."""
        return self.index.nbytes + self.values.nbytes

    def __len__(self) -> int:
        return len(self.index)

    def __repr__(self) -> str:
        rows, n_classes = self.shape
        return (
            f"<Probabilities of {rows} x {n_classes} classes, the {self.index.shape[1]} largest of each row>"
        )

    def __getitem__(self, key: Any) -> Any:
        """Rows, columns or elements, as of the array that it stands for."""
        if not isinstance(key, tuple) or len(key) == 1:
            return self._dense(key[0] if isinstance(key, tuple) else key)
        rows, columns = (*key, slice(None))[:2]
        if len(key) > 2 or columns is None or not isinstance(rows, (slice, int, np.integer)):
            return np.asarray(self)[key]
        some = self.take(rows)
        if isinstance(columns, slice) or not isinstance(rows, slice):
            return some._dense(slice(None))[..., columns]
        classes = np.arange(self.n_classes)[columns]
        found = some.of_classes(np.atleast_1d(classes))
        return found if np.ndim(classes) else found[:, 0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        found = self._dense(slice(None))
        return found if dtype is None else found.astype(dtype, copy=False)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(np.asarray(self), name)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        plain = [np.asarray(x) if isinstance(x, TopProbabilities) else x for x in inputs]
        return getattr(ufunc, method)(*plain, **options)

    def of_classes(self, classes: IntArray) -> Float32Array:
        """Of some classes, (n, n_chosen); 0 where a class is none of those that are kept."""
        different, again = np.unique(classes, return_inverse=True)
        column = np.full(self.n_classes + 1, -1)  # where a class goes; the last for rows without a prediction
        column[different] = np.arange(len(different))
        out = np.zeros((len(self), len(different)), dtype=np.float32)
        at = column[self.index]
        rows, ranks = np.nonzero(at >= 0)
        out[rows, at[rows, ranks]] = self.values[rows, ranks]
        out[self.index[:, 0] == MISSING] = np.nan
        return out[:, again.ravel()]

    def _dense(self, rows: Any) -> Float32Array:
        """Rows as they are without those that are left out."""
        index, values = self.index[rows], self.values[rows]
        out = np.zeros((*index.shape[:-1], self.n_classes), dtype=np.float32)
        np.put_along_axis(out, np.maximum(index, 0).astype(np.int64), values, axis=-1)
        out[index[..., 0] == MISSING] = np.nan
        return out


#: Probabilities of classes in rows, all of them or the largest ones.
Probabilities = Float32Array | TopProbabilities


def largest(values: NDArray[Any], k: int) -> tuple[NDArray[np.int16], NDArray[Any]]:
    """Places and values of the k largest of each row of values (n, n_classes), best first, (n, k) each.

    Of equal ones that come first; -1 and NaN in rows that begin with NaN.
    """
    index = np.empty((len(values), k), dtype=np.int16)
    found = np.empty((len(values), k), dtype=values.dtype)
    loops.find_largest(values, index, found)
    return index, found


def rows_of(column: Any, rows: Any) -> Any:
    """Rows of a column of a prediction picked by an index, slice or mask; what keeps the largest only still does."""
    return column.take(rows) if isinstance(column, TopProbabilities) else column[rows]


def room_for(n: int, like: Any) -> Any:
    """Room for n rows such as those of a column of a prediction, to be put in."""
    if isinstance(like, TopProbabilities):
        return TopProbabilities.room(n, like)
    return np.empty((n, *like.shape[1:]), dtype=like.dtype)
