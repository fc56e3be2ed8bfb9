"""Text files of many frames, cut into them: (extended) XYZ and dumps of LAMMPS.

Where each frame lies is found before any is read. So a run that still writes, or was killed, loses its last frame only,
a damaged frame is known by its number, and whoever works on a frame can read it alone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms

from ase_arise.begins import DUMP
from ase_arise.long_frames import LONG, read_in_pieces
from ase_arise.named import frames_of, is_symbol_missing
from ase_arise.plain import ENDS, open_plain, skip

#: Formats that are cut, as ASE names them.
XYZ = "extxyz"
CUT = (XYZ, "xyz", DUMP)
#: Array of `Atoms`, and column of files, with the identifiers of the atoms.
IDENTIFIERS = "id"


class Place(NamedTuple):
    """Where a frame lies in a file, and what is wrong with it."""

    start: int  # first byte
    stop: int
    n_atoms: int = 0  # that it announces
    problem: str = ""
    cut: bool = False  # it is half, and left out
    last: bool = False  # nothing behind it can be read


class TextFrames:
    """Reads frames of a file at their places, and keeps it open; quickly, if they come in the order of the file.

    Args:
        path: of the file, compressed or not.
        kind: of `CUT`.
    """

    def __init__(self, path: str, kind: str) -> None:
        self._path, self._kind = path, kind
        self._file, self._at = open_plain(path)[0], 0

    def read(self, place: Place, identifiers: bool = False) -> Atoms:
        """The frame at a place.

        Args:
            place: of the frame.
            identifiers: keep those of a dump as an array; ASE's reader sorts by them and forgets them.

        :raises ValueError: it cannot be read; the text is the reason.
        """
        if place.n_atoms == 0 and not place.problem and self._kind == DUMP:
            return Atoms()  # ASE's reader warns of it
        try:
            if place.n_atoms >= LONG and (atoms := self._long(place, identifiers)) is not None:
                return atoms
            self._go_to(place.start)
            text = self._file.read(place.stop - place.start).decode("utf-8", errors="replace")
            self._at = place.stop
            images = frames_of(text.replace("\r\n", "\n"), self._kind)
            if len(images) != 1:
                raise ValueError(f"it holds {len(images)} structures")
            if identifiers and self._kind == DUMP:
                _keep_identifiers(images[0], text)
        except Exception as error:  # readers raise anything
            raise ValueError(f"ASE's reader of {self._kind}: {reason_of(error)}") from error
        return images[0]

    def _long(self, place: Place, identifiers: bool) -> Atoms | None:
        """A frame of many atoms, in pieces; None where it must be read whole."""
        self._go_to(place.start)
        self._at = sys.maxsize  # nobody knows where, if it fails
        read = partial(frames_of, kind=self._kind)
        keep = IDENTIFIERS if identifiers else ""
        atoms, size = read_in_pieces(self._file, place.n_atoms, self._kind == DUMP, read, keep)
        self._at = place.start + size
        return atoms

    def _go_to(self, start: int) -> None:
        if start < self._at:
            self._file.close()
            self._file, self._at = open_plain(self._path)[0], 0
        skip(self._file, start - self._at)
        self._at = start

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _keep_identifiers(atoms: Atoms, text: str) -> None:
    """Put the identifiers of a frame of a dump into its atoms, which are sorted by them."""
    names, _, rows = text.partition("ITEM: ATOMS ")[2].partition("\n")
    columns = names.split()
    if IDENTIFIERS in columns:
        k = columns.index(IDENTIFIERS)
        found = [int(line.split(None, k + 1)[k]) for line in rows.splitlines() if line.strip()]
        atoms.set_array(IDENTIFIERS, np.sort(np.array(found, dtype=np.int64)))


def places(path: str, kind: str, begin: int = 0) -> Iterator[Place]:
    """The frames of a file; where its compressed data end too early, this is what is wrong with the last one.

    Args:
        path: of the file, compressed or not.
        kind: of `CUT`.
        begin: where the first frame that is looked for begins, in bytes; 0 of compressed files.
    """
    file, plain = open_plain(path)
    place = Place(begin, begin)
    with file:
        skip(file, begin)
        for place in (_dump_frames if kind == DUMP else _xyz_frames)(file, begin):
            if plain is None or not plain.problem or not place.problem:
                yield place
    if plain is not None and plain.problem:
        yield Place(place.stop, place.stop, 0, plain.problem, plain.problem.startswith(ENDS), last=True)


def _xyz_frames(file: Any, start: int) -> Iterator[Place]:
    """Places of the frames of an (extended) XYZ file: number of atoms, comment, a line an atom, cell vectors."""
    number = 0
    line = file.readline()
    while True:
        while line and not line.strip():  # empty lines between frames
            start += len(line)
            line = file.readline()
        if not line:
            return
        at = start + len(line)
        try:
            count = int(line)
        except ValueError:
            text = line.strip()[:30]
            problem = f"{text!r} is no number of atoms, with which frame {number} should begin"
            yield Place(start, start, 0, problem, cut=True, last=True)
            return
        at += len(file.readline())
        columns, line = 0, b""
        for have in range(count):
            line = file.readline()
            if not line.strip():
                problem = f"{ENDS} in frame {number}, behind {have:,} of its {count:,} atoms"
                yield Place(start, start, 0, problem, cut=True, last=True)
                return
            at += len(line)
            columns = columns or len(line.split())
        if count and not line.endswith(b"\n") and len(line.split()) < columns:
            yield Place(start, start, 0, f"{ENDS} in the last line of frame {number}", cut=True, last=True)
            return
        while (line := file.readline())[:3] == b"VEC":
            at += len(line)
        yield Place(start, at, count)
        start, number = at, number + 1


def _dump_frames(file: Any, start: int) -> Iterator[Place]:
    """Places of the frames of a LAMMPS dump: from one `ITEM: TIMESTEP` to the next."""
    at, number, count, have, columns, last = start, 0, -1, 0, 0, b""
    section = b""
    began = False

    def place(end: bool) -> Place:
        if section != b"ATOMS" or have < count:
            some = f"{have:,} of its {max(count, 0):,} atoms"
            problem = f"{ENDS} in frame {number}, behind {some}" if end else f"frame {number} has {some} only"
            return Place(start, at, 0, problem, cut=True, last=end)
        if count < 0:
            return Place(start, at, 0, f"frame {number} does not say how many atoms it has", last=end)
        if have > count:
            return Place(
                start, at, 0, f"frame {number} has {have:,} lines of atoms, but announces {count:,} atoms"
            )
        if have and len(last.split()) < columns:
            where = f"the last line of frame {number}"
            problem = f"{ENDS} in {where}" if end else f"{where} is cut off"
            return Place(start, at, 0, problem, cut=True, last=end)
        return Place(start, at, count)

    for line in iter(file.readline, b""):
        if line.startswith(b"ITEM:"):
            words = line.split()
            name = words[1] if len(words) > 1 else b""
            if name in (b"UNITS", b"TIME", b"TIMESTEP") and section == b"ATOMS":
                yield place(end=False)
                start, number, count, have = at, number + 1, -1, 0
            section, began = name, True
            columns = len(words) - 2 if name == b"ATOMS" else 0
        elif section == b"NUMBER" and line.strip():
            count = int(line) if line.strip().isdigit() else -1
        elif section == b"ATOMS" and line.strip():
            have, last = have + 1, line
        at += len(line)
    if began:
        yield place(end=True)


def reason_of(error: Exception) -> str:
    """What an error says, in one line, with its kind where it says little."""
    if isinstance(error, KeyError) and is_symbol_missing(error):
        return f"{error.args[0]!r} is no symbol of an element"
    text = " ".join(str(error).split())
    kind = type(error).__name__
    return f"{kind}: {text}" if len(text) < 40 else text
