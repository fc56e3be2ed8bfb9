"""Reconstructions of atom probes: `.pos`, `.epos` and `.apt` files. Each ion with its place and mass over charge.

`.pos`: four big-endian floats of 32 bits an ion: x, y, z in nm, mass / charge in Da. `.epos`: seven numbers more of the
detector, also of 32 bits. `.apt` (CAMECA's AP Suite 6): little-endian, a header of 540 bytes, then sections, each with
a header that says how many bytes follow it; of them `Position` (nm) and `Mass` (Da) are read. After the descriptions in
Larson et al., Local Electrode Atom Probe Tomography (2013), appendix A, and in CAMECA's wiki on `IonData` sections.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from scipy.spatial import cKDTree

from arise_core.crystals.ion_ranges import Ranges
from arise_core.errors import InputError
from arise_core.geometry.arrays import BoolArray, FloatArray
from arise_core.geometry.structure import OVERLAP_DISTANCE, Structure
from arise_core.runtime.files import file_errors

#: Å in a nm.
NM = 10.0
#: Bytes an ion takes.
ROWS = {".pos": 16, ".epos": 44}
APT = b"APT\0"
SECTION = b"SEC\0"
_APT_HEAD = struct.Struct("<4sii512sQQ")
_SECTION_HEAD = struct.Struct("<4sii64siIIIii32sQQ")
#: What reconstructions hold: places within this many nm, masses / charges within this many Da. A specimen is 100 nm
#: wide and a few µm long.
FARTHEST, HEAVIEST = 1e5, 1e4
#: Floats nearer to zero are none: whole numbers, or bytes in the wrong order.
SMALLEST = 1e-20
#: Share of the ions that may be what no reconstruction has.
ODD = 0.01
#: Share of the ions up to which those upon others are left out; more are no scatter of a reconstruction.
UPON = 0.01
#: Control characters that texts have: tab, line feed, form feed, carriage return.
_TEXT = frozenset(b"\t\n\f\r") | frozenset(range(32, 256))


@dataclass(frozen=True)
class Ions:
    """What an atom probe detected."""

    positions: FloatArray  # (n, 3), Å
    masses: FloatArray  # (n,), Da, mass over charge


def is_atom_probe(path: str | Path, head: bytes) -> bool:
    """Whether a file is a reconstruction of an atom probe: by its begin, or by its name, unless it is text.

    Args:
        path: of the file.
        head: first bytes of it, unpacked.
    """
    return head.startswith(APT) or (_suffix(path) in (*ROWS, ".apt") and not set(head[:4096]) <= _TEXT)


def _suffix(path: str | Path) -> str:
    """End of a file's name, small; without that of a compressed one."""
    path = Path(path)
    return (path.with_suffix("") if path.suffix in (".gz", ".bz2", ".xz") else path).suffix.lower()


def read_ions(path: str | Path, content: bytes | None = None) -> Ions:
    """All ions of a `.pos`, `.epos` or `.apt` file.

    Args:
        path: of the file.
        content: of it, if it had to be unpacked.

    Raises:
        MissingFileError, FileError: the system does not let it be read.
        InputError: it is cut off or damaged, in the wrong byte order, or holds what no reconstruction does.
    """
    shown = f"file {str(path)!r} cannot be read"
    with file_errors(shown):
        size = Path(path).stat().st_size if content is None else len(content)
        file: BinaryIO = Path(path).open("rb") if content is None else io.BytesIO(content)  # noqa: SIM115
        try:
            with file:
                apt = file.read(4) == APT or _suffix(path) == ".apt"
                file.seek(0)
                rows = _of_apt(file, size) if apt else _of_pos(file, size, _suffix(path))
        except InputError as error:
            raise InputError(f"{shown}: {error}") from None
    return Ions(rows[:, :3].astype(np.float64) * NM, rows[:, 3].astype(np.float64))


def ions_as_structure(ions: Ions, ranges: Ranges) -> tuple[Structure, tuple[str, ...]]:
    """Atoms of the ions that lie in a range of an element, in the order of the file, open in all directions.

    Places scatter, so that a few ions come to lie upon others: of ions closer than 0.1 Å the first is kept, as far as
    this is up to 1 % of them.

    Returns:
        The atoms; and notes, which count what was left out and what is molecular.

    Raises:
        InputError: no ion lies in a range of an element.
    """
    numbers, notes = ranges.elements(ions.masses)
    kept = np.flatnonzero(numbers)
    if not len(kept):
        low, high = ions.masses.min(), ions.masses.max()
        raise InputError(
            f"`ranges` fit none of the {len(numbers):,} ions, whose mass / charge is {low:.4g} to {high:.4g} Da: "
            "is it the range file of this reconstruction?"
        )
    upon = _upon_others(ions.positions[kept])
    if 0 < upon.mean() <= UPON:
        notes += (f"{int(upon.sum()):,} ions lie within {OVERLAP_DISTANCE} Å of others and are left out",)
        kept = kept[~upon]
    return Structure(ions.positions[kept], numbers[kept]), notes


def _upon_others(points: FloatArray) -> BoolArray:
    """Which of points (n, 3), Å, are closer than 0.1 Å to one before them, (n,)."""
    _, first = np.unique(points, axis=0, return_index=True)
    upon: BoolArray = np.ones(len(points), dtype=bool)
    upon[first] = False
    left = np.sort(first)
    while len(left) > 1:
        distance, near = cKDTree(points[left]).query(points[left], k=2, distance_upper_bound=OVERLAP_DISTANCE)
        close = np.isfinite(distance[:, 1])
        own = np.arange(len(left))
        other = np.where(near[:, 0] == own, near[:, 1], near[:, 0])
        later = close & (other < own)
        if not later.any():
            break
        upon[left[later]] = True
        left = left[close & ~later]
    return upon


def _of_pos(file: BinaryIO, size: int, suffix: str) -> FloatArray:
    row = ROWS.get(suffix, ROWS[".pos"])
    kind = suffix if suffix in ROWS else ".pos"
    if size == 0 or size % row:
        raise InputError(
            f"a {kind} file has {row} bytes an ion, this one {size:,} bytes in all: it is cut off, or no {kind} file"
        )
    content = np.frombuffer(file.read(size), dtype=">f4").reshape(-1, row // 4)
    if len(content) * row != size:
        raise InputError("it became shorter while it was read")
    rows = content[:, :4]
    _check_rows(rows, f"is it a {kind} file?")
    return rows


def _of_apt(file: BinaryIO, size: int) -> FloatArray:
    """The sections of places and masses.

    Nothing is taken for granted of what a section announces: all is within the file.
    """
    head = file.read(_APT_HEAD.size)
    if len(head) < _APT_HEAD.size or head[:4] != APT:
        raise InputError("it does not begin as an .apt file of AP Suite 6")
    _, head_size, version, _, _, n_ions = _APT_HEAD.unpack(head)
    if version != 2 or head_size < _APT_HEAD.size:
        raise InputError(f"its header is of version {version}; only version 2 is known")
    place, found = head_size, {}
    while place < size:
        file.seek(place)
        head = file.read(_SECTION_HEAD.size)
        if len(head) < _SECTION_HEAD.size:
            raise InputError("it ends within the header of a section: it is cut off")
        signature, own, _, name, _, relation, _, data, bits, record, unit, records, n_bytes = (
            _SECTION_HEAD.unpack(head)
        )
        if signature != SECTION or own < _SECTION_HEAD.size:
            raise InputError(f"at byte {place:,} there is no section where one should be")
        kind = _words(name)
        if place + own + n_bytes > size:
            raise InputError(f"it ends within section {kind!r}: it is cut off")
        if kind in ("Position", "Mass"):
            wanted = (1, 3, 32, 12 if kind == "Position" else 4)
            if (relation, data, bits, record) != wanted or records != n_ions or n_bytes < records * record:
                raise InputError(
                    f"section {kind!r} is not made of one record of 32-bit floats for each of {n_ions:,} ions"
                )
            if _words(unit).lower() not in (("nm",) if kind == "Position" else ("da", "amu", "")):
                raise InputError(
                    f"section {kind!r} is in {_words(unit)!r}, not in {'nm' if kind == 'Position' else 'Da'}"
                )
            file.seek(place + own)
            found[kind] = np.frombuffer(file.read(records * record), dtype="<f4").reshape(records, -1)
        place += own + n_bytes
    missing = [kind for kind in ("Position", "Mass") if kind not in found]
    if missing or n_ions == 0:
        raise InputError(
            f"it has no {' and no '.join(repr(kind) for kind in missing) or 'ions'}: export it with places and masses"
        )
    rows: FloatArray = np.hstack([found["Position"], found["Mass"]])
    _check_rows(rows, "is it damaged?")
    return rows


def _words(letters: bytes) -> str:
    """Text in 16-bit letters that ends at a zero."""
    return letters.decode("utf-16-le", errors="replace").split("\0", 1)[0]


def _check_rows(rows: FloatArray, question: str) -> None:
    """Refuse what no reconstruction has.

    Raises:
        InputError: the values are no places and masses, their bytes are in the wrong order, or some are not finite.
    """
    odd = _odd(rows)
    if odd > ODD:
        swapped = np.ascontiguousarray(rows).byteswap()
        if _odd(swapped) <= ODD:
            raise InputError(
                "its bytes are in the wrong order: little-endian instead of big-endian; write it anew"
            )
        raise InputError(
            f"{100 * odd:.0f} % of its values are no places in nm and masses / charges in Da: {question}"
        )
    bad = ~np.isfinite(rows).all(axis=1)
    if bad.any():
        first = int(bad.argmax())
        raise InputError(
            f"{int(bad.sum()):,} of {len(rows):,} ions have no place or mass, the first is ion {first} (NaN or inf)"
        )


def _odd(rows: FloatArray) -> float:
    """Share of ions with values that no reconstruction has."""
    with np.errstate(invalid="ignore", over="ignore"):
        far = (np.abs(rows[:, :3]) > FARTHEST).any(axis=1)
        heavy = (rows[:, 3] > HEAVIEST) | (rows[:, 3] < -1.0)
        tiny = ((rows != 0) & (np.abs(rows) < SMALLEST)).any(axis=1)
        return float((far | heavy | tiny).mean())
