"""Frames of structure files, one by one, and why one cannot be read.

ASE reads them. Files of many frames as text (extended XYZ, LAMMPS dumps) are cut into their frames here first: so a run
that still writes, or was killed, loses its last frame only, and a damaged frame is known by its number. LAMMPS data
files are known by what is in them, since they have no suffix of their own. Compressed files and text that is not in
UTF-8 are made plain before (`plain`). What ASE has no reader for, another one may read: the command line hands in
OVITO's.
"""

from __future__ import annotations

import io
import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.io import iread
from ase.io.formats import UnknownFileTypeError, filetype, ioformats
from ase.utils import string2index

from arise_core.crystals.atom_probe import is_atom_probe
from arise_core.crystals.cif_sites import SenselessError, read_cif
from arise_core.crystals.ion_ranges import Ranges
from arise_core.crystals.symmetric_cif import complete_source, lists_no_operations
from arise_core.errors import FileError, InputError, MissingFileError, check_type
from arise_core.runtime.files import file_errors
from ase_arise.atom_probe import probed
from ase_arise.begins import DUMP, begin_of_data
from ase_arise.cutting import CUT, Place, TextFrames, places, reason_of
from ase_arise.plain import ENDS, SUFFIXES, Plain, content_of, open_plain

#: Reads the frames of a file from one on, with notes on what was assumed of them. Names and types of the atoms are as
#: in the file, see `species_of`.
OtherReader = Callable[[str, int], Iterator[tuple[Atoms, tuple[str, ...]]]]
#: The format that is told by what is in a file.
DATA = "lammps-data"
#: What is said of reconstructions of atom probes, which are read here.
PROBE = "atom-probe"
#: Bytes at the begin of a file by which its format is known.
HEAD = 50_000
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
BOUNDS = re.compile(rb"^\s*\S+\s+\S+\s+(?:xlo\s+xhi|\S+\s+avec)", re.M)
#: What is said of files that are like nothing that ASE reads.
UNKNOWN = "ASE does not know what kind of file it is: name its format (`--format lammps-data`, `vasp`, `extxyz`, ...)"
#: What may follow an @: a number of a frame, or a range.
PICKED = re.compile(r"-?\d+|-?\d*:-?\d*(:-?\d*)?")
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
        count: frames of a file that the other reader reads, and atoms of the first one; a function as `other`.
        ranges: of ions, for files of atom probes.
    """

    format: str = ""
    other: OtherReader | None = None
    only_other: bool = False
    name: str = "OVITO"
    seconds: float = float("inf")
    count: Callable[[str], tuple[int, int]] | None = None
    ranges: Ranges | None = None

    def __post_init__(self) -> None:
        check_type("ranges", self.ranges, (Ranges, type(None)), "the Ranges of `read_ranges`")
        if self.format and not self.only_other and self.format not in ioformats:
            raise InputError(
                f"`format` must be one that ASE reads, such as 'lammps-data', 'extxyz' or 'vasp', got {self.format!r}"
            )

    def facts(self) -> dict[str, Any]:
        """What results depend on, in plain types; nothing where files tell their format."""
        return {
            **({"format": self.format} if self.format else {}),
            **({"reader": self.name} if self.only_other else {}),
            **({"ranges": self.ranges.key} if self.ranges is not None else {}),
        }


@dataclass(frozen=True)
class Frame:
    """A frame of a file, or why it cannot be read."""

    number: int  # from 0
    atoms: Atoms | None
    error: str = ""
    cut: bool = False  # the file ends within it, behind whole ones
    final: bool = False  # no other reader is to try


def split_name(name: str) -> tuple[str, str]:
    """File and frames of `name@frames`; a file that bears such a name itself stands for all its frames.

    Raises:
        InputError: frames in steps of 0.
    """
    path, at, picked = name.rpartition("@")
    if at and PICKED.fullmatch(picked) and not os.path.lexists(name):
        if picked.count(":") == 2 and picked.split(":")[2].lstrip("-0") == "" != picked.split(":")[2]:
            raise InputError(f"{name!r} picks frames in steps of 0: in begin:end:step the step must not be 0")
        return path, picked
    return name, ""


def last_of(name: str) -> str:
    """The name of a file with that of its last frame, unless it picks frames already."""
    path, picked = split_name(name)
    query = not picked and "@" in name and not os.path.lexists(name)
    return name if picked or query or Path(path).suffix in DATABASES else f"{name}@-1"


def whole_frames(name: str, reader: Reader) -> Iterator[Atoms]:
    """All frames that a name stands for. A last frame that is cut off, and empty ones, are left out, with a warning.

    Raises:
        OSError, ValueError: a file that is missing, cannot be read, or holds no structure; names file, frame, reader
            and reason.
    """
    count = met = 0
    for frame in read_frames(name, reader):
        met += 1
        if frame.atoms is not None and len(frame.atoms) == 0:
            warnings.warn(f"file {name!r}: frame {frame.number} holds no atoms and is left out", stacklevel=3)
        elif frame.atoms is not None:
            count += 1
            yield frame.atoms
        elif frame.cut:
            warnings.warn(f"file {name!r}: {frame.error}", stacklevel=3)
        else:
            raise InputError(f"file {name!r}, frame {frame.number}, cannot be read: {frame.error}")
    if count == 0:
        path, picked = split_name(name)
        if picked and not met and os.path.lexists(path):
            raise InputError(f"file {path!r} has no frame that {'@' + picked!r} picks (the first one is 0)")
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
    if not reader.format and is_probe(path):
        yield from _probed(path, reader, chosen)
        return
    if not reader.only_other:
        try:
            for k, frame in enumerate(_by_ase(path, reader, chosen)):
                if (
                    k == 0
                    and frame.atoms is None
                    and not (frame.cut or frame.final)
                    and reader.other is not None
                ):
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


def _probed(path: str, reader: Reader, chosen: slice) -> Iterator[Frame]:
    """The one frame of a reconstruction of an atom probe, if it is chosen."""
    for number in range(1)[chosen]:
        atoms, notes = probed(path, reader.ranges)
        for note in notes:
            warnings.warn(f"file {path!r}: {note}", stacklevel=2)
        yield Frame(number, atoms)


def is_probe(path: str) -> bool:
    """Whether a file is of an atom probe; False for what is none."""
    with file_errors(f"file {path!r} cannot be read"):
        return Path(path).is_file() and is_atom_probe(path, _begin_of(path)[0])


def _by_other(path: str, reader: Reader, chosen: slice, tried: str) -> Iterator[Frame]:
    if reader.other is None:
        raise InputError(f"file {path!r} cannot be read by {reader.name}: it is not installed")
    first, last, step = chosen.start or 0, chosen.stop, chosen.step or 1
    number = max(first, 0)
    said: set[str] = set()
    try:
        numbered: Iterable[tuple[int, tuple[Atoms, tuple[str, ...]]]]
        if first < 0 or (last or 0) < 0 or step < 0:
            numbered = list(enumerate(reader.other(path, 0)))[chosen]
        else:
            count = None if last is None else max(last - first, 0)
            numbered = islice(enumerate(reader.other(path, first), first), 0, count, step)
        for number, (atoms, notes) in numbered:
            for note in notes:
                if note not in said:
                    warnings.warn(f"file {path!r}: {note}", stacklevel=2)
            said.update(notes)
            yield Frame(number, atoms)
            number += step  # the one that an error is of
    except Exception as error:  # as ASE's
        reason = f"{reader.name}'s reader: {reason_of(error)}"
        yield Frame(number, None, f"{tried}; {reason}" if tried else reason)


def _by_ase(path: str, reader: Reader, chosen: slice) -> Iterator[Frame]:
    """Frames as ASE reads them; the first error of a reader ends them, unless frames were cut here."""
    kind, problem = reader.format, ""
    content: bytes | None = None
    head = b""
    if Path(path).suffix not in DATABASES and "*" not in path and path != "-":
        head, plain = _begin_of(path)
        try:
            kind = kind or _sniffed(head) or _kind_of(path, head)
        except Exception as error:  # as below
            yield Frame(0, None, UNKNOWN if isinstance(error, UnknownFileTypeError) else reason_of(error))
            return
        if kind in CUT:
            yield from _cut_frames(path, kind, chosen)
            return
        other = plain is not None or Path(path).suffix in SUFFIXES or (kind == DATA and b"\r\n" in head)
        if other and ioformats[kind].acceptsfd:
            content, problem = content_of(path)
            _refuse_announced(path, content[:HEAD], len(content))
    number = begin = chosen.start or 0
    try:
        options: dict[str, Any] = {
            "parallel": False,
            **({"format": kind} if kind else {}),
        }  # each MPI rank by itself
        if Path(path).is_file():
            options["do_not_split_by_at_sign"] = True
        index = None if chosen == slice(0, None) else chosen
        if problem and kind != "traj":
            raise ValueError(problem)
        source: Any = complete_source(path, content) if kind == "cif" else path
        completed = source is not path
        if content is not None and not completed:
            source = _stream(content, kind)
        sites = kind == "cif" and Path(path).is_file()
        for atoms in read_cif(source)[chosen] if sites else iread(source, index=index, **options):
            if kind == "cif" and not completed and _is_part(path, content, atoms):
                raise ValueError(
                    "it names a space group, but lists no symmetry operations, and the group is named in a way that "
                    "is not known here: it has the independent atoms only. Write it anew in P 1"
                )
            if kind == DATA:
                begin_of_data(atoms, head)
            yield Frame(max(number, 0), atoms)
            number += 1
    except Exception as error:  # readers of some hundred formats raise anything
        if isinstance(error, OSError) and error.errno is not None:
            raise
        kept = f"; {number} whole frames before it are kept" if number > 0 else ""
        cut = kind == "traj" and number > 0
        reason = f"ASE's reader of {kind or 'databases'}: {reason_of(error)}{kept if cut else ''}"
        yield Frame(max(number, 0), None, reason, cut=cut, final=isinstance(error, SenselessError))
        return
    if number == begin == 0 and kind not in ("",):
        yield Frame(0, None, f"ASE's reader of {kind} finds no structure in it")


def kind_in(path: str, kind: str = "") -> str:
    """The format of a file as ASE names it: the one that is given, or told by content and name; "" if none fits.

    Raises:
        MissingFileError, FileError: the system does not let it be read.
    """
    if kind or Path(path).suffix in DATABASES:
        return kind
    with file_errors(f"file {path!r} cannot be read"):
        head = _begin_of(path)[0]
    if is_atom_probe(path, head):
        return PROBE
    try:
        return _sniffed(head) or _kind_of(path, head)
    except Exception:  # what looks at some hundred formats raises anything
        return ""


def _begin_of(path: str) -> tuple[bytes, Plain | None]:
    """How the plain content of a file begins, and what unpacks it, as `open_plain`."""
    file, plain = open_plain(path)
    with file:
        return file.read(HEAD), plain


def _kind_of(path: str, head: bytes) -> str:
    """The format that ASE tells by a file's name and how it begins.

    :raises UnknownFileTypeError: none that it reads.
    """
    begin = io.BytesIO(head)
    begin.name = path
    kind = str(filetype(begin))
    if kind not in ioformats:
        raise UnknownFileTypeError(kind)
    return kind


def _stream(content: bytes, kind: str) -> Any:
    """What is in a file, for ASE's reader of a format."""
    if ioformats[kind].isbinary:
        return io.BytesIO(content)
    return io.StringIO(content.decode("utf-8", errors="replace").replace("\r\n", "\n"))


def _is_part(path: str, content: bytes | None, atoms: Atoms) -> bool:
    """Whether a CIF file has more atoms than were read, for want of symmetry operations."""
    group = atoms.info.get("spacegroup")
    return (group is None or group.no == 1) and lists_no_operations(path, content)


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
        head, plain = _begin_of(path)
    if not head and plain is not None and plain.problem:
        raise InputError(f"file {path!r} cannot be read: {plain.problem}")
    if not head:
        raise InputError(f"file {path!r} holds no structure: it is empty")
    if plain is None or not plain.packed:
        _refuse_announced(path, head, size)


def _refuse_announced(path: str, head: bytes, size: int) -> None:
    known = ANNOUNCED if Path(path).suffix in (".xyz", ".extxyz") else ANNOUNCED[1:]
    counts = [int(m.group(1)) for m in (p.search(head) for p in known) if m is not None]
    if POSCAR.match(head):
        counts += [sum(map(int, line.split())) for line in head.splitlines()[5:7] if COUNTS.fullmatch(line)]
    most = max(counts, default=0)
    if most > size:
        raise InputError(
            f"file {path!r} cannot be read: it announces {most:,} atoms, but has {size:,} bytes only"
        )


def _cut_frames(path: str, kind: str, chosen: slice) -> Iterator[Frame]:
    if (chosen.start or 0) < 0 or (chosen.stop or 0) < 0 or (chosen.step or 1) < 0:
        every = list(places(path, kind))
        cut = []
        if len(every) > 1 and every[-1].problem:  # counted from the end, whole frames count
            cut = [(len(every) - 1, every.pop())]
        numbered: Iterable[tuple[int, Place]] = [*list(enumerate(every))[chosen], *cut]
    else:
        numbered = _sliced(places(path, kind), chosen)
    frames = TextFrames(path, kind)
    try:
        for number, place in numbered:
            if place.problem:
                if number == 0 and place.problem.startswith(ENDS):
                    raise InputError(f"file {path!r} cannot be read: {place.problem}")
                kept = (
                    f"; {number} whole frames before it are kept"
                    if number and place.cut and place.last
                    else ""
                )
                cut_off = place.cut and (number > 0 or not place.last)
                yield Frame(number, None, place.problem + kept, cut=cut_off)
                if place.last:
                    return
                continue
            try:
                atoms = frames.read(place)
            except ValueError as error:
                yield Frame(number, None, str(error))
            else:
                yield Frame(number, atoms)
    finally:
        frames.close()


def _sliced(places: Iterable[Place], chosen: slice) -> Iterator[tuple[int, Place]]:
    """Those of a range that counts from the begin, and what is wrong with others."""
    wanted = range(chosen.start or 0, chosen.stop if chosen.stop is not None else 1 << 62, chosen.step or 1)
    for number, place in enumerate(places):
        if number >= wanted.stop:
            return
        if number in wanted or place.last:
            yield number, place
