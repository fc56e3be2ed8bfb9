"""Writing files so that an interrupt never leaves half of one, and never over what is there unasked."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


def write_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` fill a temporary file beside `path`, then put it in place in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def fresh_folder(path: Path, overwrite: bool) -> None:
    """Make a folder for results; refuse one that has contents unless they may be overwritten.

    Raises:
        FileExistsError: the folder is not empty and `overwrite` is False, or the path is a file.
    """
    if path.is_file():
        raise FileExistsError(f"`out` {str(path)!r} is a file, not a folder")
    if path.is_dir() and any(path.iterdir()) and not overwrite:
        raise FileExistsError(
            f"`out` {str(path)!r} exists and is not empty; nothing was changed. Use `--overwrite` to write there"
        )
    path.mkdir(parents=True, exist_ok=True)
