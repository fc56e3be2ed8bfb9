"""The most probable classes of boxes, instead of all: what a map keeps of its probabilities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

from arise_core.geometry.arrays import Float32Array, IntArray
from arise_core.model.classes import MISSING

#: Most probable classes that are kept of each row.
RANKS = 5


@dataclass(frozen=True, eq=False)
class TopProbabilities(NDArrayOperatorsMixin):
    """Probabilities of which each row keeps those of its most probable classes only.

    Reads as the array (n, n_classes) that it stands for, with 0 for classes that are not kept: rows, columns and
    `numpy.asarray` of it are arrays, made when they are asked for, as is all else that arrays can do. It cannot be
    changed.
    """

    index: NDArray[np.int16]  # (n, RANKS), most probable classes, best first; -1 without a prediction
    kept: Float32Array  # (n, RANKS), their probabilities; NaN without a prediction
    n_classes: int

    @classmethod
    def of(cls, probabilities: Float32Array) -> TopProbabilities:
        """Those of an array (n, n_classes), NaN in rows without a prediction."""
        return cls(*largest(probabilities, min(RANKS, probabilities.shape[1])), probabilities.shape[1])

    def of_rows(self, rows: Any) -> TopProbabilities:
        """The rows picked by an index, slice or mask."""
        return TopProbabilities(self.index[rows], self.kept[rows], self.n_classes)

    def of_classes(self, classes: IntArray) -> Float32Array:
        """Of some classes, (n, n_chosen); 0 where a class is none of those that are kept."""
        different, again = np.unique(classes, return_inverse=True)
        column = np.full(self.n_classes + 1, -1)  # where a class goes; the last for rows without a prediction
        column[different] = np.arange(len(different))
        out = np.zeros((len(self), len(different)), dtype=np.float32)
        at = column[self.index]
        rows, ranks = np.nonzero(at >= 0)
        out[rows, at[rows, ranks]] = self.kept[rows, ranks]
        out[self.index[:, 0] == MISSING] = np.nan
        return out[:, again.ravel()]

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
        return self.index.nbytes + self.kept.nbytes

    def __len__(self) -> int:
        return len(self.index)

    def __iter__(self) -> Iterator[Float32Array]:
        return iter(np.asarray(self))

    def __contains__(self, value: object) -> bool:
        return value in np.asarray(self)

    def __bool__(self) -> bool:
        return bool(np.asarray(self))

    def __repr__(self) -> str:
        rows, n_classes = self.shape
        ranks = self.index.shape[1]
        return f"<Probabilities of {rows} x {n_classes} classes, the {ranks} largest of each row>"

    def __getitem__(self, key: Any) -> Any:
        """Rows, columns or elements, as of the array that it stands for; some without making all of it."""
        if _is_plain(key):
            return self._dense(key)
        if isinstance(key, tuple) and len(key) == 2 and isinstance(key[0], slice) and _is_plain(key[1]):
            classes = np.arange(self.n_classes)[key[1]]
            found = self.of_rows(key[0]).of_classes(np.atleast_1d(classes))
            return found if np.ndim(classes) else found[:, 0]
        if isinstance(key, tuple) and len(key) == 2 and _is_number(key[0]) and _is_plain(key[1]):
            return self._dense(key[0])[key[1]]
        return np.asarray(self)[key]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("probabilities of which the largest are kept are no array without making one")
        found = self._dense(slice(None))
        return found if dtype is None else found.astype(dtype, copy=False)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        array = np.asarray(self)
        array.flags.writeable = False  # what would change it in place must not seem to
        return getattr(array, name)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if method == "at" or any(isinstance(x, TopProbabilities) for x in options.get("out", ())):
            raise TypeError("probabilities of which the largest are kept cannot be changed")
        plain = [np.asarray(x) if isinstance(x, TopProbabilities) else x for x in inputs]
        return getattr(ufunc, method)(*plain, **options)

    def _dense(self, rows: Any) -> Float32Array:
        """Rows as they are without those that are left out."""
        index, kept = self.index[rows], self.kept[rows]
        out = np.zeros((*index.shape[:-1], self.n_classes), dtype=np.float32)
        np.put_along_axis(out, np.maximum(index, 0).astype(np.int64), kept, axis=-1)
        out[index[..., 0] == MISSING] = np.nan
        return out


def _is_number(key: Any) -> bool:
    """Whether a key is the number of a row or column."""
    return isinstance(key, (int, np.integer)) and not isinstance(key, bool)


def _is_plain(key: Any) -> bool:
    """Whether a key picks along one axis alone: a number, a slice, a list or array of numbers, a mask."""
    if _is_number(key) or isinstance(key, slice):
        return True
    return isinstance(key, (list, np.ndarray)) and np.ndim(key) == 1 and np.asarray(key).dtype.kind in "iub"


#: Probabilities of classes in rows, all of them or the largest ones.
Probabilities = Float32Array | TopProbabilities


def largest(values: NDArray[Any], k: int) -> tuple[NDArray[np.int16], NDArray[Any]]:
    """Places and values of the k largest of each row of values (n, n_classes), best first, (n, k) each.

    Of equal ones that come first; -1 and NaN in rows that begin with NaN.
    """
    from arise_core.model import loops  # waits for numba, which completion in a shell has no time for

    index = np.empty((len(values), k), dtype=np.int16)
    found = np.empty((len(values), k), dtype=values.dtype)
    loops.find_largest(values, index, found)
    return index, found


def rows_of(column: Any, rows: Any) -> Any:
    """Rows of a column of a prediction picked by an index, slice or mask; what keeps the largest only still does."""
    return column.of_rows(rows) if isinstance(column, TopProbabilities) else column[rows]


def room_for(n: int, like: Any) -> Any:
    """Room for n rows such as those of a column of a prediction, for `put_rows`."""
    if isinstance(like, TopProbabilities):
        return TopProbabilities(room_for(n, like.index), room_for(n, like.kept), like.n_classes)
    return np.empty((n, *like.shape[1:]), dtype=like.dtype)


def put_rows(column: Any, rows: Any, other: Any) -> None:
    """Put a column of a prediction into rows of another one."""
    if isinstance(column, TopProbabilities):
        column.index[rows], column.kept[rows] = other.index, other.kept
    else:
        column[rows] = other
