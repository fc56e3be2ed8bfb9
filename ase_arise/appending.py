"""Files that grow while a simulation runs: what is added is whole, and what a kill left half is cut off."""

from __future__ import annotations

import errno
import io
import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import ase.io
from ase import Atoms
from ase.io.trajectory import TrajectoryWriter

from arise_core.errors import InputError
from arise_core.runtime.files import file_errors, write_atomically
from ase_arise.begins import with_begin
from ase_arise.storage import packed

#: Begin of .traj files, and the bytes of their header with the number of frames as the fifth of eight-byte words.
TRAJ = b"- of Ulm"
TRAJ_HEADER = 56
TRAJ_FRAMES = slice(32, 40)


def append_text(path: Path, text: str) -> None:
    """Append a text and see to it that it is on the disk; what does not fit there is taken back.

    :raises OSError: the system does not let it.
    """
    _append(path, text.encode())


def append_frame(path: Path, atoms: Atoms) -> None:
    """Append annotated `Atoms` to a .traj file or to one of extended XYZ: readers see the frame when it is whole.

    :raises OSError: the system does not let it.
    """
    if path.suffix == ".traj":
        _append_traj(path, packed(atoms))
        return
    text = io.StringIO()
    ase.io.write(text, with_begin(atoms), format="extxyz")
    append_text(path, text.getvalue())


def _append(path: Path, content: bytes | bytearray) -> None:
    with path.open("ab", buffering=0) as file:
        before = file.seek(0, os.SEEK_END)
        rest = memoryview(content)
        try:
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
        except BaseException:  # an interrupt too: half a frame would spoil those that come after it
            file.truncate(before)
            raise


def _append_traj(path: Path, atoms: Atoms) -> None:
    """Append to a .traj file: first what the frame holds, then the words before it by which readers find it.

    Not by ASE's writer alone: interrupted, it counts what it has written of a frame as a whole one.
    """
    if not path.parent.is_dir():  # it was there at the start; nobody's folder is made anew
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    if not path.exists() or path.stat().st_size == 0:
        write_atomically(path, lambda place: ase.io.write(place, atoms, format="traj"))
        return
    with path.open("rb") as file:
        added = _Added(file, path.stat().st_size)
        trajectory = TrajectoryWriter(added, "a")
        added.seek(0, os.SEEK_END)  # it has read there what all frames share
        trajectory.write(atoms)
    _append(path, added.content)
    with path.open("r+b", buffering=0) as file:
        for place, word in added.changes:  # the last one is the number of frames
            file.seek(place)
            file.write(word)
        os.fsync(file.fileno())


class _Added:
    """A file as ASE's writer of .traj sees it, that keeps what is written to it: behind its end, and before that."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.content = bytearray()  # to come behind the file
        self.changes: list[tuple[int, bytes]] = []  # places in the file and what is to come there
        self._file, self._size, self._at = file, size, 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As of files; never from here on."""
        self._at = offset if whence == os.SEEK_SET else self._size + len(self.content) + offset
        return self._at

    def tell(self) -> int:
        """As of files."""
        return self._at

    def read(self, size: int) -> bytes:
        """Of the file as it is."""
        self._file.seek(self._at)
        content = self._file.read(size)
        self._at += len(content)
        return content

    def write(self, content: bytes) -> None:
        """Keep what is to be written here."""
        if self._at < self._size:
            self.changes.append((self._at, content))
        else:
            begin = self._at - self._size
            self.content[begin : begin + len(content)] = content
        self._at += len(content)

    def flush(self) -> None:
        """Nothing: it is not written yet."""

    close = flush


def cut_frames(path: Path, what: str) -> None:
    """Cut off half a frame at the end of a trajectory; whole ones stay.

    Args:
        path: a .traj file, or one of extended XYZ.
        what: begin of messages, such as "`trajectory` 'a.xyz'".

    Raises:
        InputError: the file is something else, or damaged before its end; nothing is changed.
    """
    cut(path, _whole_traj if path.suffix == ".traj" else _whole_xyz, what)


def last_step(path: Path, what: str) -> int | None:
    """The step of the last frame that an observer wrote; None where there is none."""
    if path.stat().st_size == 0:
        return None
    try:
        frame = ase.io.read(path, -1)
    except Exception as error:  # readers raise anything
        raise InputError(f"{what} cannot be read: {error}; nothing was changed") from error
    step = frame.info.get("arise_step") if isinstance(frame, Atoms) else None
    return None if step is None else int(step)


def cut(path: Path, whole: Callable[[Path, str], int], what: str) -> None:
    """Cut a file off after its whole part.

    Args:
        path: of the file.
        whole: bytes of that part, from the path and `what`.
        what: begin of messages.
    """
    with file_errors(f"{what} cannot be read"):
        size, keep = path.stat().st_size, whole(path, what)
    if keep < size:
        with file_errors(f"{what} cannot be written"):
            os.truncate(path, keep)


def _whole_xyz(path: Path, what: str) -> int:
    """Bytes of the whole frames: a line with the number of atoms, one with all else, one an atom."""
    with path.open("rb") as file:
        end = line = 0
        while True:
            head = file.readline()
            if not head.endswith(b"\n"):
                return end
            if not head.strip():  # empty lines between frames
                line += 1
                continue
            try:
                count = int(head)
            except ValueError as error:
                raise InputError(
                    f"{what} is no extended XYZ, or damaged, at line {line + 1} ({head[:40].strip()!r} is no number of "
                    "atoms): no frame can be added; nothing was changed"
                ) from error
            last, lines = b"", 0
            for row in itertools.islice(file, max(count, 0) + 1):
                last, lines = row, lines + 1
            if lines < count + 1 or not last.endswith(b"\n"):
                return end
            end, line = file.tell(), line + lines + 1


def _whole_traj(path: Path, what: str) -> int:
    """All bytes, as ASE counts a frame when it is whole; none before the first one is."""
    with path.open("rb") as file:
        head = file.read(TRAJ_HEADER)
    if not head.startswith(TRAJ[: len(head)]):
        raise InputError(f"{what} is no .traj file of ASE; nothing was changed")
    if len(head) < TRAJ_HEADER or not any(head[TRAJ_FRAMES]):
        return 0
    return path.stat().st_size
