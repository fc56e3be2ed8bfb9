"""Reconstructions of atom probes as `Atoms`."""

from __future__ import annotations

import os
import warnings

from ase import Atoms

from arise_core.crystals.atom_probe import Ions, ions_as_structure, read_ions
from arise_core.crystals.ion_ranges import Ranges, read_ranges
from arise_core.errors import InputError, check_type
from arise_core.runtime.files import file_errors
from ase_arise.plain import content_of, open_plain


def read_atom_probe(path: str | os.PathLike[str], ranges: Ranges | str | os.PathLike[str]) -> Atoms:
    """Atoms of a reconstruction: a `.pos`, `.epos` or `.apt` file, compressed or not.

    An ion becomes one atom at its place: the heaviest element in it (TiO: Ti). Left out are ions in no range or in one
    without elements, and those closer than 0.1 Å to another (of up to 1 %). How many is said by a warning.

    Args:
        path: of the file.
        ranges: a range file (`.rrng`, `.rng` or `.env`), or what `read_ranges` made of it.

    Returns:
        Atoms in the order of the file, positions in Å, without a cell.

    Raises:
        InputError: a file that is cut off, damaged, in the wrong byte order, or no such file; ranges that overlap, or
            that fit no ion.
        MissingFileError, FileError: the system does not let a file be read.
    """
    check_type("path", path, (str, os.PathLike), "the name of a file")
    atoms, notes = probed(os.fspath(path), as_ranges(ranges))
    for note in notes:
        warnings.warn(f"file {os.fspath(path)!r}: {note}", stacklevel=2)
    return atoms


def as_ranges(ranges: Ranges | str | os.PathLike[str], argument: str = "ranges") -> Ranges:
    """The ranges themselves, or those of a file.

    Raises:
        InputTypeError, InputError, FileError: neither; see `read_ranges`.
    """
    check_type(argument, ranges, (Ranges, str, os.PathLike), "a range file, or the Ranges of one")
    return ranges if isinstance(ranges, Ranges) else read_ranges(os.fspath(ranges), argument)


def probed(path: str, ranges: Ranges | None) -> tuple[Atoms, tuple[str, ...]]:
    """Atoms of a reconstruction and notes on what was assumed.

    Raises:
        InputError, FileError: as `read_atom_probe`; no ranges.
    """
    if ranges is None:
        raise InputError(
            f"file {path!r} is of an atom probe: it has masses, no elements. Name its range file (.rrng, .rng, .env): "
            "`--ranges FILE`, in Python `ranges`"
        )
    ions = ions_in(path)
    try:
        structure, notes = ions_as_structure(ions, ranges)
    except InputError as error:
        raise InputError(f"file {path!r}: {error}") from None
    return Atoms(structure.numbers, structure.positions), notes


def ions_in(path: str) -> Ions:
    """Ions of a file that may be compressed."""
    with file_errors(f"file {path!r} cannot be read"):
        file, plain = open_plain(path)
        file.close()
    if plain is None or not plain.packed:
        return read_ions(path)
    content, problem = content_of(path)
    if problem:
        raise InputError(f"file {path!r} cannot be read: {problem}")
    return read_ions(path, content)
