"""Arrays and facts in one .npz file, read as data."""

from __future__ import annotations

import json
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from arise_core.errors import FileError, MemoryLimitError
from arise_core.runtime import memory
from arise_core.runtime.files import file_errors, write_atomically

#: Version of the files.
FORMAT = 1
FACTS = "facts"
END = ".npy"
#: Readers of the headers of arrays, by version of the format.
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
#: Characters of what a library says of damage.
LONGEST = 200
#: What the readers of Python and numpy raise of what is damaged or was not written here: the last three of a header
#: that is no Python, of what is encrypted or packed in an unknown way, of text that is nested too deeply.
DAMAGE = (
    zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, SyntaxError, tokenize.TokenError,
    NotImplementedError, RuntimeError,
)  # fmt: skip


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
    """Write arrays, and facts in JSON, in one step.

    Raises:
        FileError: another end than .npz, or the system does not let it.
    """
    if path.suffix != ".npz":
        raise FileError(f"`path` must end in .npz, got {str(path)!r}")
    text = json.dumps({"format": FORMAT, **facts})
    data = {**arrays, FACTS: np.frombuffer(text.encode(), dtype=np.uint8)}
    write_atomically(path, lambda place: np.savez_compressed(place, allow_pickle=False, **data))


def read_arrays(path: Path, kind: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Arrays and facts of a file of this kind; nothing in it is run.

    Raises:
        FileError: no such file, damaged, or of another kind or version.
        MemoryLimitError: it unpacks to more than the memory there is.
    """
    what = f"file {str(path)!r}"
    with file_errors(f"{what} cannot be read"):
        if path.is_dir():
            raise FileError(f"{what} cannot be read: it is a folder")
        try:
            with zipfile.ZipFile(path) as archive:
                size = sum(member.file_size for member in archive.infolist())
                if size > memory.available():
                    raise MemoryLimitError(f"{what} unpacks to {size / 2**30:.1f} GiB, more than there is")
                facts = json.loads(_member(archive, FACTS + END).tobytes().decode())
                _check_facts(facts, kind, what)
                arrays = {
                    name.removesuffix(END): _member(archive, name)
                    for name in archive.namelist()
                    if name != FACTS + END
                }
        except DAMAGE as error:
            raise FileError(f"{what} is no file of this package or damaged: {shown_error(error)}") from error
    return arrays, facts


def shown_error(error: Exception) -> str:
    """What a library says of damage, in one line."""
    text = " ".join(str(error).split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def check_array(name: str, array: NDArray[Any], kind: str, shape: tuple[int, ...]) -> None:
    """Raise unless an array is of some kind and shape.

    Args:
        name: of the array.
        array: that was read.
        kind: letter of numpy's: "f", "i", "b".
        shape: that it has to have; -1 for any length.

    :raises ValueError: it is another.
    """
    fits = len(array.shape) == len(shape) and all(
        b in (-1, a) for a, b in zip(array.shape, shape, strict=True)
    )
    if array.dtype.kind != kind or not fits:
        raise ValueError(f"{name!r} is {array.dtype} {array.shape}, not {kind} {shape}")


def _check_facts(facts: Any, kind: str, what: str) -> None:
    if not isinstance(facts, dict) or facts.get("kind") != kind:
        raise FileError(f"{what} holds no {kind}")
    if facts.get("format") != FORMAT or isinstance(facts["format"], bool):
        raise FileError(f"{what} has format version {facts.get('format')!r:.40}, this package reads {FORMAT}")


def _member(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """An array of numbers. Memory is taken for it only if as many bytes are there as it announces.

    :raises ValueError: it is none.
    """
    with archive.open(name) as file:
        version = npy.read_magic(file)
        if version not in HEADERS:
            raise ValueError(f"{name!r} is in version {version} of numpy's format")
        shape, _, dtype = HEADERS[version](file)
        there = archive.getinfo(name).file_size - file.tell()
    if dtype.hasobject or dtype.kind not in "biuf":
        raise ValueError(f"{name!r} holds no numbers, but {dtype}")
    if prod(shape) * dtype.itemsize != there:
        raise ValueError(f"{name!r} announces {shape} of {dtype}, and has {there} bytes")
    with archive.open(name) as file:
        return np.asarray(npy.read_array(file, allow_pickle=False))
