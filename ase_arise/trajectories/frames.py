"""Frames of files as indices: where each lies is found by one process, what is in it is read by whoever works on it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path
from typing import Any

from ase import Atoms

from arise_core.errors import AriseError, InputError, MissingFileError
from arise_core.runtime.files import file_errors
from ase_arise.counting import counted
from ase_arise.cutting import CUT, Place, TextFrames, places
from ase_arise.reading import PROBE, Reader, is_probe, kind_in, read_frames, split_name

#: Kinds of frames: places in a text file; anything that ASE or another reader reads one after the other.
TEXT, SERIES = "text", "series"
#: Formats of ASE of which a frame is read without those before.
JUMPS = ("traj",)


@dataclass(frozen=True)
class FrameRef:
    """A frame that is to be worked on; small, so that it can be sent to other processes."""

    file: int  # position of its file among those of the run
    path: str
    number: int  # in the file, from 0
    kind: str  # `TEXT` or `SERIES`
    format: str  # as ASE names it
    place: Place | None  # of `TEXT`
    n_atoms: int = 0  # as announced, or as in the first frame of the file
    problem: str = ""  # why it cannot be read
    cut: bool = False  # the file ends within it
    of: int = 0  # frames of its file; 0: not known before they are read
    row: int = -1  # of the results
    window: tuple[FrameRef, ...] = ()  # frames over which its positions are averaged; none: as they are
    identifiers: bool = False  # keep those of its atoms

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return f"file {self.path!r}, frame {self.number}"


def files_of(sources: Sequence[str | os.PathLike[str]], out: str = "") -> list[str]:
    """Files of a run, in order: those that are named, and of folders and patterns all, in natural order.

    Args:
        sources: files, folders, patterns such as "md.*.dump".
        out: the results, which are left out.

    Raises:
        MissingFileError: there is nothing of a name.
        InputError: a folder without files, or no source at all.
    """
    found: list[str] = []
    for source in sources:
        name = os.fspath(source)
        path = Path(name)
        with file_errors(f"`source` {name!r} cannot be read"):
            if path.is_dir():
                here = [str(p) for p in path.iterdir() if p.is_file() and not p.name.startswith(".")]
            elif os.path.lexists(name):
                here = [name]
            elif has_magic(name):
                here = [p for p in glob(name) if Path(p).is_file()]
            elif os.path.lexists(split_name(name)[0]):
                raise InputError(
                    f"`source` {name!r}: frames are picked by `every`, `first` and `last`, not by @"
                )
            else:
                here = []
        if not here:
            kind = InputError if path.is_dir() else MissingFileError
            reason = "is a folder without files" if path.is_dir() else "does not exist"
            raise kind(f"`source` {name!r} {reason}")
        found += sorted((p for p in here if not _is_in(p, out)), key=_natural) if len(here) > 1 else here
    if not found:
        raise InputError("`source` names no file")
    return found


def _is_in(path: str, folder: str) -> bool:
    return bool(folder) and Path(path).resolve().is_relative_to(Path(folder).resolve())


def _natural(name: str) -> list[tuple[int, int | str]]:
    """A key by which frame.9 stands before frame.10."""
    words: list[tuple[int, int | str]] = []
    digits, text = "", ""
    for letter in f"{name}\0":
        if letter.isdigit():
            if text:
                words.append((1, text))
            digits, text = digits + letter, ""
        else:
            if digits:
                words.append((0, int(digits)))
            digits, text = "", text + letter
    return [*words, (1, text)]


def frames_in(file: int, path: str, reader: Reader, begin: tuple[int, int] = (0, 0)) -> Iterator[FrameRef]:
    """All frames of a file from one on.

    Args:
        file: position among the files of the run.
        path: of the file.
        reader: how it is read.
        begin: number of the first frame that is wanted and, in uncompressed text, its place in bytes.
    """
    number = begin[0]
    try:
        for ref in _found(file, path, reader, begin):
            number = ref.number + 1
            yield ref
    except (AriseError, OSError) as error:
        yield FrameRef(file, path, number, SERIES, "", None, problem=" ".join(str(error).split()))


def _found(file: int, path: str, reader: Reader, begin: tuple[int, int]) -> Iterator[FrameRef]:
    kind = (PROBE if is_probe(path) else "") if reader.only_other else kind_in(path, reader.format)
    if kind in CUT:
        for k, place in enumerate(places(path, kind, begin[1]), begin[0] if begin[1] else 0):
            if k >= begin[0]:
                cut = place.cut and place.last
                yield FrameRef(file, path, k, TEXT, kind, place, place.n_atoms, place.problem, cut)
        return
    known = counted(path, kind, reader)
    if known is not None:
        for number in range(begin[0], known[0]):
            yield FrameRef(file, path, number, SERIES, kind, None, known[1], of=known[0])
        return
    n_atoms = 0
    for frame in read_frames(path, reader, begin[0]):
        n_atoms = n_atoms or (0 if frame.atoms is None else len(frame.atoms))
        yield FrameRef(file, path, frame.number, SERIES, kind, None, n_atoms, frame.error, frame.cut)


class _Kept(threading.local):
    """What the last frame was read from, open, since the next one mostly follows it; one a thread."""

    key: Any = None
    read: Callable[[FrameRef], Atoms] | None = None
    close: Callable[[], None] | None = None


_kept = _Kept()


def read_frame(ref: FrameRef, reader: Reader) -> Atoms | str:
    """A frame; a text says why it cannot be read."""
    if ref.problem:
        return f"cannot be read: {ref.problem}"
    key = (
        ref.path,
        ref.kind,
        ref.format,
        reader,
        os.stat(ref.path).st_mtime_ns if os.path.exists(ref.path) else 0,
    )
    try:
        if _kept.key != key or _kept.read is None:
            forget()
            _kept.read, _kept.close = _of_text(ref) if ref.kind == TEXT else _of_series(ref, reader)
            _kept.key = key
        return _kept.read(ref)
    except (OSError, AriseError, ValueError) as error:
        forget()
        return f"cannot be read: {' '.join(str(error).split()) or type(error).__name__}"


def forget() -> None:
    """Close what is kept open."""
    if _kept.close is not None:
        _kept.close()
    _kept.key = _kept.read = _kept.close = None


def _of_text(ref: FrameRef) -> tuple[Callable[[FrameRef], Atoms], Callable[[], None]]:
    text = TextFrames(ref.path, ref.format)

    def read(ref: FrameRef) -> Atoms:
        assert ref.place is not None
        return text.read(ref.place, ref.identifiers)

    return read, text.close


def _of_series(ref: FrameRef, reader: Reader) -> tuple[Callable[[FrameRef], Atoms], Callable[[], None]]:
    found = read_frames(ref.path, reader, ref.number)
    at = ref.number

    def read(ref: FrameRef) -> Atoms:
        nonlocal found, at
        if ref.number < at or (ref.number > at and ref.format in JUMPS):
            found, at = read_frames(ref.path, reader, ref.number), ref.number
        for frame in found:
            at = frame.number + 1
            if frame.number == ref.number:
                if frame.atoms is None:
                    raise InputError(frame.error)
                return frame.atoms
        raise InputError(f"it has no frame {ref.number} any more")

    return read, lambda: None
