"""CIF files that name a space group and leave its operations to the reader."""

from __future__ import annotations

import re
from pathlib import Path

from ase import Atoms
from ase.io import read

#: Loops of symmetry operations, in old and new dictionaries.
OPERATIONS = ("_symmetry_equiv_pos", "_space_group_symop")
GROUP = re.compile(
    r"^\s*_(?:symmetry|space_group)_(?:space_group_)?(?:name_H-M(?:_alt|_ref)?|Int_Tables_number|IT_number|name_Hall"
    r"|magn\.number_BNS)"
    r"\s+(\S.*)$",
    re.IGNORECASE | re.MULTILINE,
)
#: What the group without symmetry is called, without quotes and blanks.
NO_SYMMETRY = frozenset({"p1", "1", "?", "."})
#: Bytes of a file that are looked at.
MOST = 5_000_000


def lists_no_operations(path: str, content: bytes | None = None) -> bool:
    """Whether a CIF file names a space group other than P 1 and lists none of its operations.

    Args:
        path: of the file.
        content: what is in it, if that is known, such as of a compressed file.
    """
    try:
        if content is None:
            with Path(path).open("rb") as file:
                content = file.read(MOST)
    except OSError:
        return False
    text = content[:MOST].decode("utf-8", errors="replace")
    if any(word in text.lower() for word in OPERATIONS):
        return False
    groups = {re.sub(r"[\s'\"]", "", found).lower() for found in GROUP.findall(text)}
    return bool(groups - NO_SYMMETRY)


def atoms_in_cell(path: str) -> int | None:
    """Atoms in the cell of a CIF file as ASE reads it; None if it cannot, or did not find the space group."""
    try:
        atoms = read(path, format="cif")
    except Exception:  # the reader raises anything
        return None
    if not isinstance(atoms, Atoms):
        return None
    group = atoms.info.get("spacegroup")
    return None if group is None or group.no == 1 else len(atoms)
