"""Frames of structure files, one by one, and why one cannot be read.

ASE reads them. Files of many frames as text (extended XYZ, LAMMPS dumps) are cut into their frames here first: so a run
that still writes, or was killed, loses its last frame only, and a damaged frame is known by its number. LAMMPS data
files are known by what is in them, since they have no suffix of their own. What ASE has no reader for, another one may
read: the command line hands in OVITO's.
"""

from __future__ import annotations

import io
import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.io import iread
from ase.io.formats import UnknownFileTypeError, filetype, ioformats
from ase.utils import string2index

import arise_core as arise
from arise_core.crystals.symmetric_cif import lists_no_operations
from arise_core.errors import FileError, InputError, MissingFileError
from arise_core.runtime.files import file_errors
from ase_arise.large_cif import read_large
from ase_arise.named import frames_of, is_symbol_missing

#: Reads all frames of a file, as structures with notes on what was assumed of them.
OtherReader = Callable[[str], Iterator[tuple[arise.Structure, tuple[str, ...]]]]
#: Formats that are cut into frames here.
XYZ, DUMP, DATA = "extxyz", "lammps-dump-text", "lammps-data"
#: Bytes at the begin of a file by which its format is known.
HEAD = 16_384
#: How a file says how many atoms are to come.
ANNOUNCED = (
    re.compile(rb"\A\s*(\d+)\s*$", re.M),  # XYZ
    re.compile(rb"^ITEM: NUMBER OF ATOMS\s+(\d+)", re.M),
    re.compile(rb"^\s*(\d+)\s+atoms\s*(?:#.*)?$", re.M),  # LAMMPS data
    re.compile(rb"^\s*Number of particles\s*=\s*(\d+)", re.M),  # AtomEye
)
#: Numbers of atoms a species in a POSCAR file: a line of nothing else behind seven others at most.
COUNTS = re.compile(rb"^[ \t]*\d+(?:[ \t]+\d+)*[ \t]*$")
#: How such a file begins: a title, a scale, three vectors.
POSCAR = re.compile(rb".*\n[ \t]*\S+[ \t]*\r?\n(?:[ \t]*\S+[ \t]+\S+[ \t]+\S+[ \t]*\r?\n){3}")
#: Sections of a LAMMPS data file that begin it.
BOUNDS = re.compile(rb"^\s*\S+\s+\S+\s+xlo\s+xhi", re.M)
#: What may follow an @: a number of a frame, or a range.
PICKED = re.compile(r"-?\d+|-?\d*:-?\d*(:-?\d*)?")
#: First byte and end of a frame, and what is wrong with it.
Place = tuple[int, int, str]
#: How compressed files begin, and what is said of files that end too early.
COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ")
ENDS = "the file ends"
#: Databases, whose @ is a query of ASE's.
DATABASES = (".db", ".json", ".aselmdb")


@dataclass(frozen=True)
class Reader:
    """How files are read.

    Args:
        format: of ASE's readers, such as "lammps-data"; "": told by name and content.
        other: for files that ASE cannot read; a function of a module, so that worker processes find it.
        only_other: ASE is not tried.
        name: of the other reader, for messages.
        seconds: that a frame may take in screenings.
    """

    format: str = ""
    other: OtherReader | None = None
    only_other: bool = False
    name: str = "OVITO"
    seconds: float = float("inf")

    def __post_init__(self) -> None:
        if self.format and not self.only_other and self.format not in ioformats:
            raise InputError(
                f"`format` must be one that ASE reads, such as 'lammps-data', 'extxyz' or 'vasp', got {self.format!r}"
            )


@dataclass(frozen=True)
class Frame:
    """A frame of a file, or why it cannot be read."""

    number: int  # from 0
    atoms: Atoms | None
    error: str = ""
    cut: bool = False  # the file ends within it, behind whole ones


def split_name(name: str) -> tuple[str, str]:
    """File and frames of `name@frames`; a file that bears such a name itself stands for all its frames."""
    path, at, picked = name.rpartition("@")
    if at and PICKED.fullmatch(picked) and not os.path.lexists(name):
        return path, picked
    return name, ""


def last_of(name: str) -> str:
    """The name of a file with that of its last frame, unless it picks frames already."""
    path, picked = split_name(name)
    query = not picked and "@" in name and not os.path.lexists(name)
    return name if picked or query or Path(path).suffix in DATABASES else f"{name}@-1"


def whole_frames(name: str, reader: Reader) -> Iterator[Atoms]:
    """All frames that a name stands for. A last frame that is cut off is left out, with a warning.

    Raises:
        OSError, ValueError: a file that is missing, cannot be read, or holds no structure; names file, frame, reader
            and reason.
    """
    count = 0
    for frame in read_frames(name, reader):
        if frame.atoms is not None:
            count += 1
            yield frame.atoms
        elif frame.cut:
            warnings.warn(f"file {name!r}: {frame.error}", stacklevel=3)
        else:
            raise InputError(f"file {name!r}, frame {frame.number}, cannot be read: {frame.error}")
    if count == 0:
        raise InputError(f"file {name!r} holds no structure")


def read_frames(name: str, reader: Reader, behind: int = 0) -> Iterator[Frame]:
    """All frames that a name stands for, whole or not.

    Args:
        name: of a file; `name@index` picks frames, as in `ase.io.read`.
        reader: how it is read.
        behind: frames from this number on, for names that pick none.

    Raises:
        MissingFileError, FileError: the system does not let it.
    """
    path, picked = split_name(name)
    chosen: Any = string2index(picked) if picked else slice(behind, None)
    if isinstance(chosen, int):
        chosen = slice(chosen, chosen + 1 if chosen != -1 else None)
    tried = ""
    _refuse_hollow(path)
    if not reader.only_other:
        try:
            for k, frame in enumerate(_by_ase(path, reader, chosen)):
                if k == 0 and frame.atoms is None and not frame.cut and reader.other is not None:
                    tried = frame.error
                    break
                yield frame
            else:
                return
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                raise MissingFileError(f"file {path!r} does not exist") from error
            raise FileError(f"file {path!r} cannot be read: {error.strerror or error}") from error
    yield from _by_other(path, reader, chosen, tried)


def _by_other(path: str, reader: Reader, chosen: slice, tried: str) -> Iterator[Frame]:
    if reader.other is None:
        raise InputError(f"file {path!r} cannot be read by {reader.name}: it is not installed")
    number = 0
    try:
        found = list(reader.other(path))[chosen]
        for note in dict.fromkeys(note for _, notes in found for note in notes):
            warnings.warn(f"file {path!r}: {note}", stacklevel=2)
        for number, (structure, _) in enumerate(found):
            atoms = Atoms(structure.numbers, structure.positions, cell=structure.cell, pbc=structure.pbc)
            yield Frame(number + max(chosen.start or 0, 0), atoms)
    except Exception as error:  # as ASE's
        reason = f"{reader.name}'s reader: {_reason(error)}"
        yield Frame(number, None, f"{tried}; {reason}" if tried else reason)


def _by_ase(path: str, reader: Reader, chosen: slice) -> Iterator[Frame]:
    """Frames as ASE reads them; the first error of a reader ends them, unless frames were cut here."""
    kind = reader.format
    if Path(path).suffix not in DATABASES and "*" not in path and path != "-":
        with Path(path).open("rb") as file:
            head = file.read(HEAD)
        kind = kind or _sniffed(head)
        if not kind:
            try:
                kind = filetype(path)
                if kind not in ioformats:
                    raise UnknownFileTypeError(kind)
            except UnknownFileTypeError:
                yield Frame(
                    0, None, "ASE does not know what kind of file it is: name its format (`--format lammps-data`, "
                    "`vasp`, `extxyz`, ...)",
                )  # fmt: skip
                return
            except Exception as error:  # as below
                yield Frame(0, None, _reason(error))
                return
        if kind in (XYZ, "xyz", DUMP) and not head.startswith(COMPRESSED):
            yield from _cut_frames(path, kind, chosen)
            return
    number = begin = chosen.start or 0
    try:
        options: dict[str, Any] = {"format": kind} if kind else {}
        if Path(path).is_file():
            options["do_not_split_by_at_sign"] = True
        index = None if chosen == slice(0, None) else chosen
        source: Any = path
        if kind == DATA and b"\r\n" in head:
            source = io.StringIO(Path(path).read_text(encoding="utf-8", errors="replace"))
        large = (read_large(path) or [])[chosen] if kind == "cif" and Path(path).is_file() else []
        for atoms in large or iread(source, index=index, **options):
            if kind == "cif" and _is_part(path, atoms):
                raise ValueError(
                    "it names a space group, but lists no symmetry operations, and the group is named in a way that "
                    "this reader does not look at: it has the independent atoms only. Write it anew in P 1"
                )
            yield Frame(max(number, 0), atoms)
            number += 1
    except Exception as error:  # readers of some hundred formats raise anything
        if isinstance(error, OSError) and error.errno is not None:
            raise
        kept = f"; {number} whole frames before it are kept" if number > 0 else ""
        cut = kind == "traj" and number > 0
        reason = f"ASE's reader of {kind or 'databases'}: {_reason(error)}{kept if cut else ''}"
        yield Frame(max(number, 0), None, reason, cut=cut)
        return
    if number == begin == 0 and kind not in ("",):
        yield Frame(0, None, f"ASE's reader of {kind} finds no structure in it")


def _is_part(path: str, atoms: Atoms) -> bool:
    """Whether a CIF file has more atoms than were read, for want of symmetry operations."""
    group = atoms.info.get("spacegroup")
    return (group is None or group.no == 1) and lists_no_operations(path)


def _sniffed(head: bytes) -> str:
    """Format of a file by what is in it, where names mislead; empty if that says nothing."""
    if re.match(rb"\s*ITEM: (TIMESTEP|UNITS|TIME)\b", head):
        return DUMP
    if BOUNDS.search(head) and ANNOUNCED[2].search(head):
        return DATA
    return ""


def _refuse_hollow(path: str) -> None:
    """Refuse a file that is empty, or too small for the atoms it announces: readers would take memory for them.

    Raises:
        InputError: the file is refused.
    """
    with file_errors(f"file {path!r} cannot be read"):
        if not Path(path).is_file():
            return
        size = Path(path).stat().st_size
        with Path(path).open("rb") as file:
            head = file.read(HEAD)
    if size == 0:
        raise InputError(f"file {path!r} holds no structure: it is empty")
    if head.startswith(COMPRESSED):
        return
    known = ANNOUNCED if Path(path).suffix in (".xyz", ".extxyz") else ANNOUNCED[1:]
    counts = [int(m.group(1)) for m in (p.search(head) for p in known) if m is not None]
    if POSCAR.match(head):
        counts += [sum(map(int, line.split())) for line in head.splitlines()[5:7] if COUNTS.fullmatch(line)]
    most = max(counts, default=0)
    if most > size:
        raise InputError(
            f"file {path!r} cannot be read: it announces {most:,} atoms, but has {size:,} bytes only"
        )


# --- files that are cut into frames here -----------------------------------------------------------------------------


def _cut_frames(path: str, kind: str, chosen: slice) -> Iterator[Frame]:
    find = _dump_frames if kind == DUMP else _xyz_frames
    places: Iterable[Place] = _places(path, find)
    if (chosen.start or 0) < 0 or (chosen.stop or 0) < 0 or (chosen.step or 1) < 0:
        every = list(places)
        if every and every[-1][2] and len(every) > 1:  # counted from the end, whole frames count
            every, cut = every[:-1], [every[-1]]
        else:
            cut = []
        numbered = [*list(enumerate(every))[chosen], *[(len(every), c) for c in cut]]
    else:
        numbered = _sliced(places, chosen)  # type: ignore[assignment]
    with Path(path).open("rb") as file:
        for number, (start, stop, problem) in numbered:
            if problem and problem.startswith(ENDS) and number == 0:
                raise InputError(f"file {path!r} cannot be read: {problem}")
            if problem:
                kept = f"; {number} whole frames before it are kept" if number else ""
                yield Frame(number, None, problem + kept, cut=number > 0)
                return
            file.seek(start)
            text = file.read(stop - start).decode("utf-8", errors="replace")
            try:
                images = frames_of(text.replace("\r\n", "\n"), kind)
                if len(images) != 1:
                    raise ValueError(f"it holds {len(images)} structures")
                yield Frame(number, images[0])
            except Exception as error:  # as above
                yield Frame(number, None, f"ASE's reader of {kind}: {_reason(error)}")


def _sliced(places: Iterable[Place], chosen: slice) -> Iterator[tuple[int, Place]]:
    """Those of a range that counts from the begin, and one that is cut off."""
    wanted = range(chosen.start or 0, chosen.stop if chosen.stop is not None else 1 << 62, chosen.step or 1)
    for number, place in enumerate(places):
        if number >= wanted.stop:
            return
        if number in wanted or place[2]:
            yield number, place


def _places(path: str, find: Callable[[Any], Iterator[Place]]) -> Iterator[Place]:
    """First byte, end and what is wrong with each frame of a file."""
    with Path(path).open("rb") as file:
        yield from find(file)


def _xyz_frames(file: Any) -> Iterator[Place]:
    """Places of the frames of an (extended) XYZ file: number of atoms, comment, a line an atom, cell vectors."""
    number = 0
    while True:
        start = file.tell()
        line = file.readline()
        if not line.strip():
            rest = line and file.read(HEAD).strip()
            if line and rest:
                file.seek(start + len(line))
                continue
            return
        try:
            count = int(line)
        except ValueError:
            yield (
                start,
                start,
                f"{line.strip()[:30]!r} is no number of atoms, with which frame {number} should begin",
            )
            return
        file.readline()
        columns, line = 0, b""
        for have in range(count):
            line = file.readline()
            if not line.strip():
                yield start, start, f"{ENDS} in frame {number}, behind {have:,} of its {count:,} atoms"
                return
            columns = columns or len(line.split())
        if not line.endswith(b"\n") and len(line.split()) < columns:
            yield start, start, f"{ENDS} in the last line of frame {number}"
            return
        while (at := file.tell()) and file.readline()[:3] == b"VEC":
            pass
        file.seek(at)
        yield start, at, ""
        number += 1


def _dump_frames(file: Any) -> Iterator[Place]:
    """Places of the frames of a LAMMPS dump: from one `ITEM: TIMESTEP` to the next."""
    start, number, count, have, columns, last = 0, 0, -1, 0, 0, b""
    section = b""
    began = False

    def problem() -> str:
        if section != b"ATOMS" or have < count:
            return f"{ENDS} in frame {number}, behind {have:,} of its {max(count, 0):,} atoms"
        return "" if len(last.split()) >= columns else f"{ENDS} in the last line of frame {number}"

    while True:
        at = file.tell()
        line = file.readline()
        if not line:
            break
        if line.startswith(b"ITEM:"):
            words = line.split()
            name = words[1] if len(words) > 1 else b""
            if name in (b"UNITS", b"TIME", b"TIMESTEP") and section == b"ATOMS":
                yield start, at, problem()
                start, number, count, have = at, number + 1, -1, 0
            section, began = name, True
            columns = len(words) - 2 if name == b"ATOMS" else 0
        elif section == b"NUMBER" and line.strip():
            count = int(line) if line.strip().isdigit() else -1
        elif section == b"ATOMS" and line.strip():
            have, last = have + 1, line
    if began:
        yield start, file.tell(), problem()


def _reason(error: Exception) -> str:
    """What an error says, in one line, with its kind where it says little."""
    if isinstance(error, KeyError) and is_symbol_missing(error):
        return f"{error.args[0]!r} is no symbol of an element"
    text = " ".join(str(error).split())
    kind = type(error).__name__
    return f"{kind}: {text}" if len(text) < 40 else text
