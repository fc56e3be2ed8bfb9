"""Arrays and facts in one .npz file, read as data."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arise_core.errors import FileError, MemoryLimitError
from arise_core.runtime import memory
from arise_core.runtime.files import file_errors, write_atomically

#: Version of the files.
FORMAT = 1
FACTS = "facts"


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
        try:
            with zipfile.ZipFile(path) as archive:
                size = sum(member.file_size for member in archive.infolist())
            if size > memory.available():
                raise MemoryLimitError(f"{what} unpacks to {size / 2**30:.1f} GiB, more than there is")
            with np.load(path, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            facts = json.loads(arrays.pop(FACTS).tobytes().decode())
        except (zipfile.BadZipFile, ValueError, KeyError, EOFError, UnicodeDecodeError) as error:
            raise FileError(f"{what} is no file of this package or damaged: {error}") from error
    if not isinstance(facts, dict) or facts.get("kind") != kind:
        raise FileError(f"{what} holds no {kind}")
    if facts.get("format") != FORMAT:
        raise FileError(f"{what} has format version {facts.get('format')!r:.40}, this package reads {FORMAT}")
    return arrays, facts
