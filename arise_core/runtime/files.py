"""Writing files so that an interrupt never leaves half of one, and never over what is there unasked.

A file is written under another name, `.NAME.HOST-PROCESS-NUMBER.part`, and put in place when it is whole. What a kill
leaves of it goes when the next one writes there: it is known by its process that has ended. A place is tried before
the work that ends in it (`check_place`).
"""

from __future__ import annotations

import itertools
import os
import platform
import re
import shutil
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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


#: Ends of the files that SQLite and ASE lay beside a database while they write.
BESIDE = ("-journal", "-wal", "-shm", ".lock")
#: Bytes that a place must take to count as not full.
ROOM = 1 << 20
#: Seconds after which a temporary file of another machine, whose processes cannot be seen, counts as left behind.
OLD = 86_400.0

_TEMPORARY = re.compile(
    r"\.(?P<stem>.+?)\.(?:(?P<host>[0-9a-f]{8})-)?(?P<process>\d+)(?:-\d+)?\.part"
    rf"(?P<suffix>\.[^.]*?)?(?:{'|'.join(BESIDE)})?"
)
_numbers = itertools.count()
_being_written: set[str] = set()


def write_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` fill a temporary file beside `path`, then put it in place in one step.

    A symbolic link stays one: the file that it names is replaced. What a killed process left here goes.

    Raises:
        FileError: the system does not let it, or the disk is full.
    """
    with file_errors(f"folder {str(path.parent)!r} cannot be made"):
        path.parent.mkdir(parents=True, exist_ok=True)
    with file_errors(f"file {str(path)!r} cannot be written"):
        target = linked(path)
        remove_leftovers(target.parent, target.name)
        temporary = _temporary(target)
        _being_written.add(temporary.name)
        try:
            write(temporary)
            if target.exists():
                shutil.copymode(target, temporary)
            os.replace(temporary, target)
        except (
            Exception
        ) as error:  # torch, numpy, SQLite and NetCDF tell of a full disk in words of their own
            _refuse_full(target.parent, error)
            raise
        finally:
            for end in ("", *BESIDE):
                Path(f"{temporary}{end}").unlink(missing_ok=True)
            _being_written.discard(temporary.name)


@contextmanager
def temporary_place(path: Path) -> Iterator[Path]:
    """Where a folder that is to become `path` is made; goes afterwards, after a kill when the next one writes there."""
    temporary = _temporary(path)
    _being_written.add(temporary.name)
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        _being_written.discard(temporary.name)


def linked(path: Path) -> Path:
    """The file that a symbolic link leads to, there or not; any other path itself."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _temporary(path: Path) -> Path:
    name = f"{_host()}-{os.getpid()}-{next(_numbers)}"
    return path.with_name(f".{path.stem}.{name}.part{path.suffix}")


def _host() -> str:
    return f"{zlib.crc32(platform.node().encode()):08x}"


def remove_leftovers(folder: Path, name: str | None = None) -> None:
    """Remove temporary files and folders whose process has ended; those of a process at work stay.

    Args:
        folder: where they lie, there or not.
        name: of the file that they were to become; None: of any.
    """
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        found = [(e.name, _TEMPORARY.fullmatch(e.name)) for e in entries if ".part" in e.name]
    for file, parts in found:
        if parts is None or name not in (None, parts["stem"] + (parts["suffix"] or "")):
            continue
        with suppress(OSError):  # of another user, or gone meanwhile
            if _left_behind(folder / file, parts["host"] or _host(), int(parts["process"])):
                _remove(folder / file)


def _remove(path: Path) -> None:
    """A file, a link, or a folder with what is in it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _left_behind(path: Path, host: str, process: int) -> bool:
    """Whether nobody writes a temporary file any more."""
    if host != _host() or os.name == "nt":  # a process of another machine cannot be asked for
        return time.time() - path.stat().st_mtime > OLD
    if process == os.getpid():  # ours, or of one before us that had our number
        name = next((path.name.removesuffix(end) for end in BESIDE if path.name.endswith(end)), path.name)
        return name not in _being_written
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # another user's
        return False
    return False


def _refuse_full(folder: Path, error: Exception) -> None:
    """Turn an error into one that says so where the disk is full.

    :raises OSError: nothing can be written to the folder.
    """
    try:
        _try_out(folder, ROOM)
    except OSError as reason:
        raise OSError(reason.errno, reason.strerror) from error


def _try_out(folder: Path, size: int) -> None:
    """Write a file without a name and forget it.

    :raises OSError: the folder takes no file of this size.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(size))
        file.flush()


def check_place(path: Path, what: str, overwrite: bool) -> None:
    """Refuse, before any work, a place where a file is to come. Nothing is changed but what a kill left there.

    Args:
        path: of the file.
        what: begin of messages, such as "file 'a.nc'".
        overwrite: a file that is there may be replaced.

    Raises:
        ExistingFileError: a file is there and may not be replaced.
        FileError: a folder is there, the file may not be written to, or its folder takes no file: it is no folder, is
            read-only or another user's, or its disk is full.
    """
    with file_errors(f"{what} cannot be written"):
        target = linked(path)
        there = target.exists()
        if there and target.is_dir():
            raise FileError(f"{what} cannot be written: it is a folder")
        if there and not target.is_file():
            raise FileError(f"{what} cannot be written: it is no regular file")
    if there and not overwrite:
        raise ExistingFileError(f"{what} exists; nothing was changed. Use `--overwrite` to replace it")
    if there and not os.access(target, os.W_OK):
        raise FileError(f"{what} cannot be written: Permission denied")
    check_folder(target.parent, what)
    remove_leftovers(target.parent, target.name)


def check_folder(folder: Path, what: str) -> None:
    """Refuse, before any work, a folder that is to take files, there or not yet.

    Args:
        folder: the folder.
        what: begin of the message, such as "file 'a.nc'".

    Raises:
        FileError: it, or what it is to be made in, is no folder that takes a file.
    """
    with file_errors(f"{what} cannot be written"):
        above = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
        if not above.is_dir():
            raise FileError(f"{what} cannot be written: {str(above)!r} is no folder")
    with file_errors(f"{what} cannot be written: {str(above)!r} takes no file"):
        _try_out(above, 4096)


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
    check_folder(path, f"`out` {str(path)!r}")
    remove_leftovers(path)


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
        "install arise-core again"
    )
