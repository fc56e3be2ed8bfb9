"""Frames of millions of atoms, read some lines at a time: ASE's readers take much more memory than what they return."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io.extxyz import per_atom_properties

from arise_core.geometry.arrays import IntArray

#: Atoms of a frame from which it is read in pieces, and those of a piece.
LONG, PIECE = 400_000, 200_000
#: Reads a text of one frame; with `order` False its atoms are not sorted by their identifiers.
ReadText = Callable[..., list[Atoms]]


class Head(NamedTuple):
    """Lines before those of the atoms."""

    lines: list[bytes]
    at: int  # which of them has the number of atoms
    columns: list[bytes]  # of a dump, else none

    def text(self, n_atoms: int) -> bytes:
        """The same for another number of atoms."""
        lines = list(self.lines)
        lines[self.at] = b"%d\n" % n_atoms
        return b"".join(lines)


def read_in_pieces(
    file: BinaryIO, n_atoms: int, dump: bool, read: ReadText, identifiers: str = ""
) -> tuple[Atoms | None, int]:
    """A frame, as the reader would read it whole, and how many bytes were read.

    None where pieces do not fit together: then it must be read whole.

    Args:
        file: at the begin of the frame, which is whole; somewhere in it afterwards.
        n_atoms: that the frame announces.
        dump: whether it is of a LAMMPS dump; else of (extended) XYZ.
        read: the reader.
        identifiers: array in which those of a dump are kept; "": they are not.
    """
    head = _head_of_dump(file) if dump else Head([file.readline(), file.readline()], 0, [])
    where = head.columns.index(b"id") if b"id" in head.columns else None
    size = sum(len(line) for line in head.lines)
    parts: list[Atoms] = []
    numbers: list[IntArray] = []
    for done in range(0, n_atoms, PIECE):
        lines = list(islice(file, min(PIECE, n_atoms - done)))
        size += sum(len(line) for line in lines)
        if where is not None:
            numbers.append(np.array([int(line.split(None, where + 1)[where]) for line in lines]))
        text = (
            (head.text(len(lines)) + b"".join(lines)).decode("utf-8", errors="replace").replace("\r\n", "\n")
        )
        del lines
        found = read(text, order=False) if dump else read(text)
        if len(found) != 1 or not _alike(found[0], parts):
            return None, size
        parts += found
    if not dump:  # cell vectors may stand behind the atoms
        line = file.readline()
        size += len(line)
        if line[:3] == b"VEC":
            return None, size
    if not numbers:
        return _joined(parts, None), size
    known = np.concatenate(numbers)
    order = np.argsort(known)  # that of ASE's reader, which sorts in the same way
    atoms = _joined(parts, order)
    if identifiers:
        atoms.set_array(identifiers, known[order])
    return atoms, size


def _head_of_dump(file: BinaryIO) -> Head:
    lines: list[bytes] = []
    count = 0
    while True:
        lines.append(file.readline())
        if lines[-1].startswith(b"ITEM: NUMBER OF ATOMS"):
            count = len(lines)
        elif lines[-1].startswith(b"ITEM: ATOMS"):
            return Head(lines, count, lines[-1].split()[2:])


def _alike(atoms: Atoms, parts: list[Atoms]) -> bool:
    """Whether a piece has what those before it have."""
    if atoms.constraints:
        return False
    return not parts or (
        atoms.arrays.keys() == parts[0].arrays.keys() and _results(atoms).keys() == _results(parts[0]).keys()
    )


def _results(atoms: Atoms) -> dict[str, Any]:
    return {} if atoms.calc is None else atoms.calc.results


def _joined(parts: list[Atoms], order: IntArray | None) -> Atoms:
    """Pieces as one frame; they are emptied on the way, so that no array is there twice for long."""
    whole: Atoms = parts[0].copy()[:0]
    whole.info = parts[0].info
    results = dict(_results(parts[0]))

    def together(columns: list[Any]) -> Any:
        column = np.concatenate(columns)
        return column if order is None else column[order]

    for name in per_atom_properties:
        if name in results:
            results[name] = together([_results(part).pop(name) for part in parts])
    for name in list(parts[0].arrays):
        whole.arrays[name] = together([part.arrays.pop(name) for part in parts])
    if parts[0].calc is not None:
        whole.calc = SinglePointCalculator(whole, **results)
    return whole
