"""CIF files that name a space group and leave its operations to the reader: the operations are put in.

ASE's reader looks at some names of a group only, and takes the first setting where a number stands beside the name of
another one. So the operations come from spglib's table of 530 settings: by the Hall symbol, by the Hermann-Mauguin name
with its setting, or by the number, whichever is there first. What no name decides follows from the cell (hexagonal or
rhombohedral axes, the unique axis of a monoclinic group).
"""

from __future__ import annotations

import gzip
import io
import re
import warnings
import zlib
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from ase import Atoms
from ase.io import read
from ase.io.cif import old_spacegroup_names

from arise_core.crystals.symmetry import Setting, setting_operations, settings
from arise_core.errors import InputError

#: Loops of symmetry operations, in old and new dictionaries.
OPERATIONS = ("_symmetry_equiv_pos", "_space_group_symop")
_VALUE = r"\s+(\".*?\"(?=\s)|'.*?'(?=\s)|[^'\"\s]\S*)"
_NAMES = {
    "hall": r"_(?:symmetry_space_group|space_group)[_.]name_Hall",
    "name": r"_(?:symmetry_space_group[_.]name_H-M|space_group[_.]name_H-M(?:_alt|_ref|_full)?)",
    "number": r"_(?:symmetry_Int_Tables_number|space_group[_.]IT_number)",
    "code": r"_space_group[_.]IT_coordinate_system_code",
    "setting": r"_symmetry_space_group_setting",
    "system": r"_(?:space_group_crystal_system|symmetry_cell_setting)",
    "magnetic": r"_space_group_magn\.number_BNS",
}
_TAGS = {
    key: re.compile(rf"^[ \t]*{name}{_VALUE}", re.IGNORECASE | re.MULTILINE) for key, name in _NAMES.items()
}
_BLOCK = re.compile(r"^(?=[ \t]*data_)", re.IGNORECASE | re.MULTILINE)
_ANGLE = re.compile(
    r"^[ \t]*_cell[_.]angle_(alpha|beta|gamma)\s+['\"]?([\d.]+)", re.IGNORECASE | re.MULTILINE
)
_LABELLED = re.compile(r"(.*\S)(?:\s*:\s*(\S+)|\s+([SZHR]))", re.IGNORECASE)
#: What the group without symmetry is called, without quotes and blanks, and what stands for nothing.
NO_SYMMETRY = frozenset({"p1", "1", "?", ".", ""})
#: How databases write the choice of the origin (ICSD).
ORIGINS = {"s": "1", "z": "2"}
#: Degrees by which an angle differs from another one.
OFF = 0.05
#: Bytes of a file that are looked at; larger ones are not completed.
MOST = 5_000_000
#: How files begin that gzip packed, whatever their names; OVITO reads no other packed ones.
GZIP = b"\x1f\x8b"
#: Bytes at the begin of a file in which a CIF file begins, behind its comments.
HEAD = 50_000


def complete_source(path: str, content: bytes | None = None) -> str | io.StringIO:
    """What ASE is to read for a CIF file: its name, or its text with the operations of its groups put in.

    Args:
        path: of the file.
        content: what is in it, if that is known, such as of a compressed file.

    Raises:
        InputError: a file that names a setting which its group has not.
        OSError: the system does not let it be read.
    """
    text = _text(path, content)
    if len(text) >= MOST:  # it may be a part of the file only
        return path
    parts = _BLOCK.split(text)
    done = [_completed(part, path) for part in parts]
    return path if done == parts else io.StringIO("".join(done))


def is_cif(path: str) -> bool:
    """Whether a file is a CIF file, whatever its name; no if it cannot be read."""
    try:
        head = _text(path, None, HEAD)
    except (OSError, EOFError, zlib.error):
        return False
    lines = (line.strip().lower() for line in head.splitlines())
    return next((line for line in lines if line and not line.startswith("#")), "").startswith("data_")


def whole_text(path: str) -> str | None:
    """What is in a CIF file; None if it is too large, or cannot be read."""
    try:
        text = _text(path, None)
    except (OSError, EOFError, zlib.error):
        return None
    return text if len(text) < MOST else None


def lists_no_operations(path: str, content: bytes | None = None) -> bool:
    """Whether a CIF file names a space group other than P 1 and lists none of its operations.

    Args:
        path: of the file.
        content: what is in it, if that is known, such as of a compressed file.
    """
    try:
        return any(_wants_operations(part) for part in _BLOCK.split(_text(path, content)))
    except OSError:
        return False


def atoms_in_cell(path: str) -> int | None:
    """Atoms in the cell of a CIF file with its symmetry; None if that cannot be told."""
    try:
        source = complete_source(path)
        atoms = read(source, format="cif")
    except Exception:  # the reader raises anything
        return None
    whole = isinstance(atoms, Atoms) and not isinstance(source, str)
    return len(atoms) if whole else None


def _text(path: str, content: bytes | None, most: int = MOST) -> str:
    if content is not None:
        return content[:most].decode("utf-8", errors="replace")
    with Path(path).open("rb") as file:
        packed = file.read(2) == GZIP
        file.seek(0)
        found: bytes = gzip.GzipFile(fileobj=file).read(most) if packed else file.read(most)
    return found.decode("latin-1")  # as ASE does: a character a byte


def _wants_operations(block: str) -> bool:
    if any(word in block.lower() for word in OPERATIONS):
        return False
    found = [_value(block, key) for key in ("hall", "name", "number", "magnetic")]
    return any(_bare(value) not in NO_SYMMETRY for value in found)


def _completed(block: str, path: str) -> str:
    """A block of a CIF file with the operations of its group, and without the names that readers might look at."""
    if not _wants_operations(block):
        return block
    setting = _setting_of(block, path)
    if setting is None:
        return block
    for tag in _TAGS.values():
        block = tag.sub("", block)
    rows = "".join(f"'{_as_xyz(r, t)}'\n" for r, t in zip(*setting_operations(setting.hall), strict=True))
    return (
        f"{block}\n_symmetry_Int_Tables_number {setting.number}\nloop_\n_symmetry_equiv_pos_as_xyz\n{rows}\n"
    )


def _value(block: str, key: str) -> str:
    """The first value of a tag that says something, without quotes."""
    found = _TAGS[key].findall(block)
    values = [(v[1:-1] if v[0] in "'\"" else v).strip() for v in found]
    return next((v for v in values if v not in ("?", ".", "")), "")


def _bare(name: str) -> str:
    """A name of a group as names are compared."""
    return re.sub(r"[\s_]", "", name).lower()


def _spaced(symbol: str) -> str:
    """A Hall symbol as they are compared: "P 32" is another one than "P 3 2"."""
    return " ".join(symbol.replace("_", " ").split()).lower()


@lru_cache(maxsize=1)
def _by_name() -> tuple[dict[str, list[Setting]], dict[str, list[Setting]]]:
    """Settings by Hall symbol and by Hermann-Mauguin name, former and short ones included."""
    halls: dict[str, list[Setting]] = defaultdict(list)
    names: dict[str, list[Setting]] = defaultdict(list)
    for one in settings():
        halls[_spaced(one.symbol)].append(one)
        for name in {_bare(n) for n in _names_of(one)}:
            names[name].append(one)
    for name, found in list(names.items()):
        if found[0].number >= 195:  # cubic groups were written without the bar: F m 3 m
            names.setdefault(name.replace("-3", "3"), found)
    for old, new in old_spacegroup_names.items():
        names.setdefault(_bare(old), names.get(_bare(new), []))
    return halls, names


def _names_of(one: Setting) -> tuple[str, ...]:
    """Hermann-Mauguin names of a setting; the short one of a monoclinic group is that of its own axes: P 21/n."""
    if not 3 <= one.number <= 15:
        return one.names
    full = one.names[-1].split()
    return *one.names[1:], one.names[-1], "".join([full[0], *(word for word in full[1:] if word != "1")])


def _setting_of(block: str, path: str) -> Setting | None:
    """The setting of a space group that a block names; None if it names none that is known.

    Raises:
        InputError: it names a setting which the group has not.
    """
    halls, names = _by_name()
    by_hall = halls.get(_spaced(_value(block, "hall")))
    if by_hall:  # several, where two settings have the same operations
        return by_hall[0]
    name, choice = _value(block, "name"), ""
    labelled = _LABELLED.fullmatch(name)
    if labelled and _bare(labelled[1]) in names:
        name, choice = labelled[1], labelled[2] or labelled[3]
    number = _value(block, "number")
    found = names.get(_bare(name), [])
    if number.isdigit() and name and not found and _bare(name) not in NO_SYMMETRY:
        return None  # another name of it, which may be that of another setting
    if number.isdigit():
        found = [s for s in found or settings() if s.number == int(number)]
    if not found:
        return None
    one, sure = _chosen(found, (choice or _value(block, "code")).lower(), _value(block, "setting"), block)
    if not sure:
        warnings.warn(
            f"file {path!r} does not say which setting of space group {one.number} it has: the first is taken, with "
            "its first choice of the origin",
            stacklevel=2,
        )
    return one


def _chosen(found: Sequence[Setting], choice: str, setting: str, block: str) -> tuple[Setting, bool]:
    """One of the settings that have the name, and whether there is a reason to take it and no other.

    Args:
        found: at least one.
        choice: as the file calls it, in small letters: 1, 2, h, r, b1, ...; empty: not stated.
        setting: 1 or 2, as ASE has it; empty: not stated.
        block: of the file, for the angles of its cell.
    """
    axes = {"alpha": "a", "beta": "b", "gamma": "c"}
    angles = {axes[name.lower()]: float(value) for name, value in _ANGLE.findall(block)}
    choice = ORIGINS.get(choice, choice).replace("abc", "")
    if len(found) == 1:
        return found[0], True
    if choice:
        stated = [s for s in found if s.choice.lower() == choice]
        if not stated:
            known = ", ".join(s.choice for s in found if s.choice)
            raise InputError(f"it names the setting {choice!r} of a space group that has {known}")
        return stated[0], True
    choices = {s.choice: s for s in reversed(found)}
    if {"H", "R"} <= choices.keys():
        hexagonal = abs(angles.get("c", 120.0) - 120.0) < OFF and abs(angles.get("a", 90.0) - 90.0) < OFF
        return choices["H" if hexagonal else "R"], True
    if 3 <= found[0].number <= 15:
        oblique = [axis for axis, angle in angles.items() if abs(angle - 90.0) > OFF]
        axis = oblique[0] if len(oblique) == 1 else "b"
        return next((s for s in found if axis in s.choice), found[0]), True
    if setting in choices:
        return choices[setting], True
    return found[0], "" in choices


def _as_xyz(rotation: Sequence[Sequence[int]], translation: Sequence[float]) -> str:
    """An operation as CIF files write it: "-x+1/2,y,z"."""
    return ",".join(
        "".join(f"{'+' if c > 0 else '-'}{axis}" for c, axis in zip(row, "xyz", strict=True) if c)
        + (f"+{round(24 * shift)}/24" if round(24 * shift) else "")
        for row, shift in zip(rotation, translation, strict=True)
    )
