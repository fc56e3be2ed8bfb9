"""Arrays in a Zarr store: written so that damage shows, and read as numbers only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arise_core.errors import FileError, MemoryLimitError
from arise_core.runtime import memory
from arise_core.runtime.files import file_errors
from arise_core.runtime.packages import package

#: What packs numbers in our stores; nothing else is unpacked, as some of what Zarr knows runs what it reads.
PACKINGS = ("BytesCodec", "ZstdCodec", "Crc32cCodec")
#: Version of Zarr's format.
FORMAT = 3
#: What Zarr and its packings raise of what is damaged or was not written here.
DAMAGE = (KeyError, TypeError, ValueError, RuntimeError, FileNotFoundError, NotImplementedError)


class StoredArray:
    """An array of a store, which is read when asked: `array[:]`."""

    def __init__(self, group: Any, name: str, path: Path) -> None:
        """Look at an array of a group, and read nothing of it.

        :raises KeyError, TypeError, ValueError: it is none that we write.
        """
        self._array = group[name]
        self._what = f"array {name!r} of folder {str(path)!r}"
        self.shape: tuple[int, ...] = tuple(int(n) for n in self._array.shape)
        self.dtype: np.dtype[Any] = self._array.dtype
        packings = {type(codec).__name__ for codec in self._array.metadata.codecs}
        if not packings <= set(PACKINGS) or self.dtype.kind not in "iuf":
            raise ValueError(f"{name!r} is packed by {sorted(packings)}, of {self.dtype}")

    @property
    def pieces(self) -> int:
        """How many of its pieces are there."""
        return int(self._array.nchunks_initialized)

    @property
    def whole(self) -> bool:
        """Whether all its pieces are there. A piece that has zeros only is never written."""
        return bool(self.pieces == self._array.nchunks)

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        """Read some rows.

        Raises:
            FileError: damaged, or it cannot be read.
            MemoryLimitError: they take more than the memory there is.
        """
        size = self._taken(rows) * self.dtype.itemsize
        if size > memory.available():
            raise MemoryLimitError(f"{self._what} takes {size / 2**30:.1f} GiB, more than there is")
        with file_errors(f"{self._what} cannot be read"):
            try:
                return np.asarray(self._array[rows])
            except DAMAGE as error:
                raise FileError(f"{self._what} is damaged: {error}") from error

    def _taken(self, rows: Any) -> int:
        """Numbers that rows have; of rows that are not picked by numbers and slices, all that there are."""
        picked = rows if isinstance(rows, tuple) else (rows,)
        if not all(isinstance(part, int | np.integer | slice) for part in picked):
            return prod(self.shape)
        lengths = [
            len(range(*part.indices(n))) if isinstance(part, slice) else 1
            for part, n in zip(picked, self.shape, strict=False)
        ]
        return prod(lengths) * prod(self.shape[len(picked) :])


def new_store(path: Path) -> Any:
    """An empty group at a place that is free.

    Raises:
        MissingPackageError: Zarr is not installed.
        FileError: the system does not let it.
    """
    zarr = zarr_package()
    with file_errors(f"store {str(path)!r} cannot be written"):
        return zarr.open_group(path, mode="w", zarr_format=FORMAT)


def new_array(
    group: Any, name: str, shape: Sequence[int], chunks: Sequence[int], dtype: str, **more: Any
) -> Any:
    """An array of a group, in pieces that carry a check sum each.

    Args:
        group, name, shape, chunks, dtype: as in Zarr.
        **more: of `create_array`.
    """
    from zarr.codecs import Crc32cCodec, ZstdCodec

    compressors = [ZstdCodec(), Crc32cCodec()]
    return group.create_array(
        name, shape=tuple(shape), chunks=tuple(chunks), dtype=dtype, compressors=compressors, **more
    )


@contextmanager
def all_pieces_written() -> Iterator[None]:
    """Pieces are written although they hold nothing but fill values: one that is missing is known to be lost then."""
    with zarr_package().config.set({"array.write_empty_chunks": True}):
        yield


def open_store(path: Path, mode: str = "r") -> Any:
    """The group in a folder, to read, or with "r+" to write too.

    :raises KeyError, TypeError, ValueError, FileNotFoundError: there is none.
    """
    return zarr_package().open_group(path, mode=mode, zarr_format=FORMAT)


def zarr_package() -> Any:
    """Zarr.

    Raises:
        MissingPackageError: it is not installed.
    """
    return package("zarr", "stores need Zarr")
