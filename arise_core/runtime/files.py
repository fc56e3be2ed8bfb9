"""Writing files so that an interrupt never leaves half of one, and never over what is there unasked."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from arise_core.errors import AriseError, ExistingFileError, FileError, MissingFileError


@contextmanager
def file_errors(what: str) -> Iterator[None]:
    """What the system says against a file becomes a `FileError` that names the file; all else passes.

    Args:
        what: begin of the message, such as "file 'a.xyz'".

    Raises:
        FileError: no permission, no space left, no such folder, ...; its subclasses for missing and existing files.
    """
    try:
        yield
    except (AriseError, BrokenPipeError):  # the latter is how a reader says that it has seen enough
        raise
    except OSError as error:
        kinds = ((FileNotFoundError, MissingFileError), (FileExistsError, ExistingFileError))
        kind = next((ours for theirs, ours in kinds if isinstance(error, theirs)), FileError)
        raise kind(f"{what}: {error.strerror or error}") from error


def write_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` fill a temporary file beside `path`, then put it in place in one step.

    Raises:
        FileError: the system does not let it.
    """
    with file_errors(f"folder {str(path.parent)!r} cannot be made"):
        path.parent.mkdir(parents=True, exist_ok=True)
    with file_errors(f"file {str(path)!r} cannot be written"):
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
        FileError: the system does not let it.
    """
    with file_errors(f"`out` {str(path)!r} cannot be used"):
        if path.is_file():
            raise ExistingFileError(f"`out` {str(path)!r} is a file, not a folder")
        if path.is_dir() and any(path.iterdir()) and not overwrite:
            raise ExistingFileError(
                f"`out` {str(path)!r} exists and is not empty; nothing was changed. Use `--overwrite` to write there"
            )
        path.mkdir(parents=True, exist_ok=True)


def zoo_root() -> Path:
    """The folder `model_zoo`, with the table of prototypes and one folder a model.

    A wheel carries it as `arise_core/model_zoo`; in a checkout (an editable install too) it stands next to
    `arise_core`.

    Raises:
        FileNotFoundError: neither place has a table of prototypes.
    """
    package = Path(__file__).resolve().parents[1]
    places = (package / "model_zoo", package.parent / "model_zoo")
    for folder in places:
        if (folder / "prototypes.toml").is_file():
            return folder
    raise MissingFileError(
        f"the model zoo (a folder with `prototypes.toml`) is missing, looked in {places[0]} and {places[1]}: "
        "install ovito-arise again"
    )
