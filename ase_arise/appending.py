"""Files that grow while a simulation runs: what is added is whole, and what a kill left half is cut off."""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Callable
from pathlib import Path

import ase.io
from ase import Atoms

from arise_core.errors import InputError
from arise_core.runtime.files import file_errors
from ase_arise.storage import packed

#: Begin of .traj files, and the bytes of their header with the number of frames as the fifth of eight-byte words.
TRAJ = b"- of Ulm"
TRAJ_HEADER = 56
TRAJ_FRAMES = slice(32, 40)


def append_text(path: Path, text: str) -> None:
    """Append a text and see to it that it is on the disk; what does not fit there is taken back.

    :raises OSError: the system does not let it.
    """
    with path.open("ab", buffering=0) as file:
        before = file.seek(0, os.SEEK_END)
        rest = memoryview(text.encode())
        try:
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
        except BaseException:  # an interrupt too: half a frame would spoil those that come after it
            file.truncate(before)
            raise


def append_frame(path: Path, atoms: Atoms) -> None:
    """Append annotated `Atoms` to a .traj file or to one of extended XYZ.

    :raises OSError: the system does not let it.
    """
    if path.suffix == ".traj":
        with ase.io.Trajectory(path, "a") as trajectory:
            trajectory.write(packed(atoms))
        return
    text = io.StringIO()
    ase.io.write(text, atoms, format="extxyz")
    append_text(path, text.getvalue())


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
