"""Frames of files whose atoms have names that are no symbols of elements, such as D, Mg2+, Cu_1, A or 1."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import iread
from ase.io.formats import filetype, parse_filename

from arise_core.crystals.elements import ATOMIC_NUMBERS
from arise_core.crystals.species import element_of_name
from arise_core.errors import InputError
from ase_arise.species import NAMES

#: Formats in which names can be told from the rest of the text.
XYZ = ("extxyz", "xyz")
#: The properties of a frame that states none, and its atoms' names among them.
PLAIN = "Properties=species:S:1:pos:R:3"
SPECIES = re.compile(r"(Properties=\"?(?:[^\s\"]*:)?)species(:S:1)", re.IGNORECASE)


def read_frames(name: str, **picked: Any) -> Iterator[Atoms]:
    """As `ase.io.iread`; names that ASE does not know stand in the array `species_names`, see `species_of`.

    Args:
        name: of a file, `name@index` included.
        picked: `index`.
    """
    count = 0
    try:
        for atoms in iread(name, **picked):
            yield atoms
            count += 1
        return
    except KeyError as error:
        text = _with_names(name)
        if text is None:
            unknown = error.args[0] if error.args else None
            if isinstance(unknown, str) and unknown not in ATOMIC_NUMBERS:
                raise InputError(f"{unknown!r} is no symbol of an element") from error
            raise
    _, index = parse_filename(name, picked.get("index"))
    for atoms in islice(iread(io.StringIO(text), index=index, format="extxyz"), count, None):
        if NAMES in atoms.arrays:
            results, atoms.calc = atoms.calc, None
            atoms.numbers = [element_of_name(str(n)) or 0 for n in atoms.arrays[NAMES]]
            if results is not None:
                atoms.calc = SinglePointCalculator(atoms, **results.results)
        yield atoms


def _with_names(name: str) -> str | None:
    """An (extended) XYZ file whose column of symbols is one of names; None for other formats."""
    path, _ = parse_filename(name)
    if filetype(path, read=True) not in XYZ:
        return None
    with open(path, encoding="utf-8", errors="replace") as file:
        lines = file.read().splitlines()
    at = 0
    while at < len(lines) and lines[at].strip().isdigit():
        if at + 1 < len(lines):
            comment = lines[at + 1]
            if "properties=" not in comment.lower():
                comment = f"{PLAIN} {comment}" if "=" in comment else PLAIN
            lines[at + 1] = SPECIES.sub(rf"\g<1>{NAMES}\2", comment)
        at += int(lines[at]) + 2
    return "\n".join(lines) + "\n"
