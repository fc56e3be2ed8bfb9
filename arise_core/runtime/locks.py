"""One writer at a time: a file is claimed by a process, and free again however that process ends."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from arise_core.errors import FileError
from arise_core.runtime.files import file_errors, linked

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

#: Files that this process has claimed: the file of the lock, and by how many objects.
_held: dict[Path, tuple[int, int]] = {}
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_held.clear)  # what the first process claimed is not the child's


class Claim:
    """A file that nobody else may write to. Create with `Claim.of`.

    The lock is on a file beside it, `.NAME.lock`. A kill leaves that file but not the lock; the next who claims takes
    it over, and it goes with the claim. Where the file system knows no locks, everybody gets one.
    """

    def __init__(self, lock: Path) -> None:
        self._lock: Path | None = lock

    @classmethod
    def of(cls, path: Path, what: str, shared: bool = False) -> Claim:
        """Claim a file, there or not.

        Args:
            path: the file; of a symbolic link, what it leads to.
            what: begin of the message, such as "`out` 'a.db'".
            shared: others in this process may claim it too.

        Raises:
            FileError: another process has it, or this one, unless both share it; or the lock cannot be made.
        """
        target = linked(path).absolute()
        lock = target.with_name(f".{target.name}.lock")
        if lock in _held and shared:
            held, count = _held[lock]
            _held[lock] = (held, count + 1)
            return cls(lock)
        with file_errors(f"{what} cannot be written"):
            number = _locked(lock)
        if number is not None and lock in _held:  # where a file system knows no locks
            os.close(number)
            number = None
        if number is None:
            raise FileError(
                f"{what} is being written to by another process; nothing was changed. Wait for it, or choose another "
                "place"
            )
        _held[lock] = (number, 1)
        return cls(lock)

    def release(self) -> None:
        """Let others have the file; the second time nothing happens."""
        lock, self._lock = self._lock, None
        if lock is None or lock not in _held:
            return
        number, count = _held.pop(lock)
        if count > 1:
            _held[lock] = (number, count - 1)
            return
        if sys.platform != "win32":  # before it is closed: afterwards it may be another's
            with suppress(OSError):
                lock.unlink()
        os.close(number)
        if sys.platform == "win32":
            with suppress(OSError):
                lock.unlink()


def _locked(lock: Path) -> int | None:
    """The open and locked file; None: another process has it."""
    while True:
        number = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if not _lock(number):
                os.close(number)
                return None
            if sys.platform == "win32" or _is_at(number, lock):
                return number
        except BaseException:
            os.close(number)
            raise
        os.close(number)  # its owner removed it between our two steps


def _lock(number: int) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(number, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _is_at(number: int, path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    ours = os.fstat(number)
    return (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)
