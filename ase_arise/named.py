"""Frames of files whose atoms have names that are no symbols of elements, such as D, Mg2+, Cu_1, A or 1."""

from __future__ import annotations

import io
import re
from typing import Any

from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import iread

from arise_core.crystals.elements import ATOMIC_NUMBERS
from arise_core.crystals.species import element_of_name
from ase_arise.begins import DUMP, begin_of_comment, move_scaled
from ase_arise.species import NAMES

#: Formats in which names can be told from the rest of the text.
XYZ = ("extxyz", "xyz")
#: The properties of a frame that states none, and its atoms' names among them.
PLAIN = "Properties=species:S:1:pos:R:3"
SPECIES = re.compile(r"(Properties=\"?(?:[^\s\"]*:)?)species(:S:1)", re.IGNORECASE)


def frames_of(text: str, kind: str, **options: Any) -> list[Atoms]:
    """Frames in a text; names that ASE does not know stand in the array `species_names`, see `species_of`.

    Args:
        text: of a file, or of a frame of it.
        kind: format as ASE names it.
        **options: of ASE's reader of that format.
    """
    try:
        found = list(iread(io.StringIO(text), index=slice(None), format=kind, parallel=False, **options))
    except KeyError as error:
        if kind not in XYZ or not is_symbol_missing(error):
            raise
        found = _frames_with_names(text)
    for atoms in found:
        if kind in XYZ:
            begin_of_comment(atoms)
        elif kind == DUMP:
            move_scaled(atoms, text)
    return found


def _frames_with_names(text: str) -> list[Atoms]:
    """Frames of (extended) XYZ whose column of symbols is one of names."""
    found = list(iread(io.StringIO(_with_names(text)), index=slice(None), format="extxyz", parallel=False))
    for atoms in found:
        if NAMES in atoms.arrays:
            results, atoms.calc = atoms.calc, None
            atoms.numbers = [element_of_name(str(n)) or 0 for n in atoms.arrays[NAMES]]
            if results is not None:
                atoms.calc = SinglePointCalculator(atoms, **results.results)
    return found


def is_symbol_missing(error: KeyError) -> bool:
    """Whether a reader of ASE failed at a name that is no symbol of an element."""
    name = error.args[0] if error.args else None
    return isinstance(name, str) and name not in ATOMIC_NUMBERS


def _with_names(text: str) -> str:
    """(Extended) XYZ whose column of symbols is one of names."""
    lines = text.splitlines()
    at = 0
    while at < len(lines) and lines[at].strip().isdigit():
        if at + 1 < len(lines):
            comment = lines[at + 1]
            if "properties=" not in comment.lower():
                comment = f"{PLAIN} {comment}" if "=" in comment else PLAIN
            lines[at + 1] = SPECIES.sub(rf"\g<1>{NAMES}\2", comment)
        at += int(lines[at]) + 2
    return "\n".join(lines) + "\n"
