"""A user's own crystals as classes: read from files, named, and compared with known classes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from arise_core.crystals.crystal import Crystal
from arise_core.crystals.naming import ClassInfo, check_name, material_type, new_colour, new_identifier
from arise_core.crystals.standard import ReadStructure, read_structure, standard_form
from arise_core.crystals.symmetry import symmetry
from arise_core.errors import InputError

#: Distance of normalised `paper` descriptors of periodic structures below which two crystals are one. The
#: closest pair of the 108 prototypes, the two graphites, is 0.0049 apart; copies of one crystal in another
#: cell, place, size and orientation less than 1e-8.
SAME_DISTANCE = 0.002


@dataclass(frozen=True, kw_only=True)
class CrystalFile:
    """Where a class came from, for the card."""

    label: str
    file: str  # name without folder
    sha256: str

    def to_dict(self) -> dict[str, str]:
        """Plain types only."""
        return dict(vars(self))


def same_crystal(crystal: Crystal, others: Iterable[Crystal]) -> Crystal | None:
    """The first of the others that is the same crystal structure, if any."""
    for other in others:
        if np.linalg.norm(other.fingerprint - crystal.fingerprint) < SAME_DISTANCE:
            return other
    return None


def make_crystal(
    path: Path, name: str, known: Iterable[ClassInfo], read: ReadStructure = read_structure
) -> tuple[Crystal, CrystalFile]:
    """A class from a structure file, with a colour and an identifier that no known class has.

    Args:
        path: of the file.
        name: of the class.
        known: the classes that there are.
        read: the structure in the file.

    Raises:
        FileNotFoundError, ValueError: as `read_structure`, `standard_form` and `check_name`.
    """
    classes = list(known)
    name = check_name(name, classes)
    structure = read(path)
    try:
        unit = standard_form(structure)
        group, _ = symmetry(unit)
    except InputError as error:
        raise InputError(f"structure file {str(path)!r}: {error}") from error
    info = ClassInfo(
        label=name,
        name=name,
        identifier=new_identifier(name, classes),
        colour=new_colour([c.colour for c in classes]),
        space_group=group,
        material_type=material_type(unit),
    )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Crystal(info=info, unit=unit), CrystalFile(label=name, file=path.name, sha256=digest)
