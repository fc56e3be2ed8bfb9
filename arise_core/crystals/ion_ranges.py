"""Range files of atom probes: which ions have which ratio of mass to charge. `.rrng`, `.rng` and `.env` files.

An ion is a composition, such as Ti or TiO. It stands at one place, so it becomes one atom: the heaviest element in it
(TiO: Ti, AlH2: Al, C2: C). What lies in no range, or in one without elements, is left out.

After what is published of the formats: Larson et al., Local Electrode Atom Probe Tomography (2013), appendix A; Miller
and Forbes, Atom-Probe Tomography (2014), appendix; the `.env` files are those of the GPM in Rouen.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from arise_core.crystals.elements import SYMBOLS
from arise_core.crystals.species import element_of_name
from arise_core.errors import InputError
from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.runtime.files import file_errors

#: Ends of the names of range files.
RANGE_SUFFIXES = (".rrng", ".rng", ".env")
#: Da; ranges of different ions may overlap by this much, as numbers are rounded.
OVERLAP = 1e-3
#: Bytes of a range file, at most; others are none.
MOST = 10_000_000

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RRNG = re.compile(rf"Range(\d+)\s*=\s*({_NUMBER})\s+({_NUMBER})(.*)", re.I)
_PART = re.compile(r"([A-Za-z]+)\s*:\s*(\S*)")
_FORMULA = re.compile(r"([A-Z][a-z]?)(\d*)")
#: Words of a line of an `.rrng` file that are no elements.
_WORDS = ("vol", "name", "color")


@dataclass(frozen=True)
class IonRange:
    """Ions of one kind."""

    low: float  # Da, of mass / charge
    high: float  # Da; an ion with just this value lies outside
    parts: tuple[tuple[int, int], ...]  # atomic number, and how many; none: an ion without elements
    name: str = ""  # of ions without elements, as the file has it

    @property
    def number(self) -> int:
        """Atomic number of the atom that such an ion becomes, the heaviest; 0: none."""
        return max((z for z, _ in self.parts), default=0)

    @property
    def molecular(self) -> bool:
        """Whether several atoms stand at one place."""
        return sum(count for _, count in self.parts) > 1

    @property
    def shown(self) -> str:
        """For messages: "TiO"."""
        return (
            "".join(SYMBOLS[z] + (str(n) if n > 1 else "") for z, n in self.parts)
            or self.name
            or "no element"
        )


@dataclass(frozen=True)
class Ranges:
    """What a range file says; ranges by mass, none overlapping another."""

    ranges: tuple[IonRange, ...]

    @property
    def key(self) -> str:
        """The same for the same ranges, and else another."""
        facts = repr([(r.low, r.high, r.parts) for r in self.ranges])
        return hashlib.sha256(facts.encode()).hexdigest()[:16]

    def of(self, masses: FloatArray) -> IntArray:
        """Which range each ratio of mass to charge (Da), (n,), lies in, (n,); -1: none."""
        low = np.array([r.low for r in self.ranges])
        high = np.array([r.high for r in self.ranges])
        place = np.searchsorted(low, masses, side="right") - 1
        return np.where((place >= 0) & (masses < high[place]), place, -1)

    def elements(self, masses: FloatArray) -> tuple[IntArray, tuple[str, ...]]:
        """Atomic numbers by the ratio of mass to charge.

        Args:
            masses: (n,), Da.

        Returns:
            Numbers, (n,), 0 for what is left out; and notes that count what was left out, and molecular ions.
        """
        place = self.of(masses)
        numbers = np.array([r.number for r in self.ranges] + [0])[place]
        counts = np.bincount(place + 1, minlength=len(self.ranges) + 1)
        notes = []
        if counts[0]:
            notes.append(f"{_share(counts[0], len(masses))} lie in no range and are left out")
        unknown, molecular = Counter[str](), Counter[tuple[str, str]]()
        for r, count in zip(self.ranges, counts[1:].tolist(), strict=True):
            if count and not r.number:
                unknown[r.shown] += count
            elif count and r.molecular:
                molecular[r.shown, SYMBOLS[r.number]] += count
        if unknown:
            names = ", ".join(repr(name) for name in sorted(unknown))
            notes.append(
                f"{_share(unknown.total(), len(masses))} lie in ranges without elements ({names}) and are left out"
            )
        if molecular:
            kinds = ", ".join(f"{ion} as {atom}" for (ion, atom), _ in molecular.most_common())
            notes.append(
                f"{_share(molecular.total(), len(masses))} are molecular, each taken for its heaviest atom ({kinds})"
            )
        return numbers, tuple(notes)


def _share(count: int, of: int) -> str:
    return f"{count:,} of {of:,} ions ({100 * count / of:.1f} %)"


def read_ranges(path: str | Path, argument: str = "ranges") -> Ranges:
    """Ranges of a `.rrng`, `.rng` or `.env` file; decimal commas and comments (#) may be in it.

    Args:
        path: of the file.
        argument: how its name was given, for messages.

    Raises:
        MissingFileError, FileError: the system does not let it be read.
        InputError: it is no range file or damaged, has no range, one that ends before it begins, or ranges of
            different ions that overlap.
    """
    shown = f"`{argument}` {str(path)!r}"
    suffix = Path(path).suffix.lower()
    with file_errors(f"{shown} cannot be read"), Path(path).open("rb") as file:
        content = file.read(MOST + 1)
    text = content.decode("utf-8-sig", errors="replace")
    lines = [line.strip().replace(",", ".") for line in text.splitlines()]
    try:
        if len(content) > MOST or "\0" in text:
            raise InputError("it is no text")
        if re.search(r"^\[Ranges\]", "\n".join(lines), re.M | re.I) or suffix == ".rrng":
            found = list(_of_rrng(lines))
        elif suffix == ".env":
            found = list(_of_env(lines))
        else:
            found = list(_of_rng(lines))
        return Ranges(_in_order(found))
    except InputError as error:
        raise InputError(f"{shown} is no range file that can be read: {error}") from None


def _of_rrng(lines: list[str]) -> Iterator[IonRange]:
    """Lines such as `Range1=26.9 27.1 vol:0.016 Al:1 Name:x Color:33FFFF` of the section `[Ranges]`."""
    announced = None
    begun = False
    count = 0
    for line in lines:
        if line.startswith("["):
            begun = line.lower().startswith("[ranges]")
        elif begun and line and not line.startswith("#"):
            number = re.fullmatch(r"Number\s*=\s*(\d+)", line, re.I)
            if number:
                announced = int(number[1])
                continue
            found = _RRNG.match(line)
            if not found:
                raise InputError(f"line {line!r} is not 'Range1=low high vol:... Al:1 ...'")
            words = _PART.findall(found[4])
            names = [value for word, value in words if word.lower() == "name"]
            parts = [(word, value) for word, value in words if word.lower() not in _WORDS]
            yield _ion(line, found[2], found[3], parts, names[0] if names else "")
            count += 1
    if announced and count < announced:
        raise InputError(f"it announces {announced} ranges, but has {count}: it is cut off")


def _of_rng(lines: list[str]) -> Iterator[IonRange]:
    """Numbers of elements and ranges; a line `---- Ni Al` and below it `. low high 1 0`, a number an element."""
    rows = [line.split() for line in lines if line and not line.startswith("#")]
    heads = [k for k, row in enumerate(rows) if re.fullmatch(r"-{2,}", row[0])]
    if not heads or len(rows[0]) < 2 or not all(word.isdigit() for word in rows[0][:2]):
        raise InputError(
            "it has neither a section '[Ranges]' nor numbers of elements and ranges and a line '---- Ni Al'"
        )
    names = rows[heads[0]][1:]
    announced = int(rows[0][1])
    of_ranges = rows[heads[0] + 1 : heads[0] + 1 + announced]
    if len(of_ranges) < announced:
        raise InputError(f"it announces {announced} ranges, but has {len(of_ranges)}: it is cut off")
    for row in of_ranges:
        line = " ".join(row)
        if row[0] != "." or len(row) != 3 + len(names):
            raise InputError(f"line {line!r} is not '. low high' and a number for each of {' '.join(names)}")
        parts = [(name, count) for name, count in zip(names, row[3:], strict=True) if count != "0"]
        yield _ion(line, row[1], row[2], parts)


def _of_env(lines: list[str]) -> Iterator[IonRange]:
    """Lines `AlO 42.9 43.2 ...` between `# Definition of ...` and the next comment `# Atom probe definition`."""
    begun = False
    for line in lines:
        if line.startswith("#"):
            begun = line.startswith("# Definition of") or (
                begun and not line.startswith("# Atom probe definition")
            )
        elif begun and line:
            row = line.split()
            if len(row) < 3:
                raise InputError(f"line {line!r} is not 'name low high ...'")
            whole = re.fullmatch(rf"({_FORMULA.pattern})+", row[0])
            parts = [(name, count or "1") for name, count in _FORMULA.findall(row[0])] if whole else []
            known = all(element_of_name(name) for name, _ in parts)
            yield _ion(line, row[1], row[2], parts if known else [], row[0])


def _ion(line: str, low: str, high: str, parts: Iterable[tuple[str, str]], name: str = "") -> IonRange:
    """An ion of a line. With an element that is none it counts as an ion without elements, of that name.

    Raises:
        InputError: what are numbers are none, or no ends of a range.
    """
    try:
        ends = float(low), float(high)
        counts = [(element, int(count)) for element, count in parts]
    except ValueError:
        raise InputError(f"line {line!r} has a number that is none") from None
    if not (np.isfinite(ends).all() and 0 <= ends[0] < ends[1]):
        raise InputError(
            f"line {line!r} is a range from {low} to {high} Da: it must end above its begin, both finite"
        )
    if any(not 0 <= count < 100 for _, count in counts):
        raise InputError(f"line {line!r} counts atoms of an element outside 0 to 99")
    unknown = [element for element, count in counts if count and not element_of_name(element)]
    if unknown:
        return IonRange(*ends, (), name or unknown[0])
    total: Counter[int] = Counter()
    for element, count in counts:
        total[element_of_name(element) or 0] += count
    return IonRange(*ends, tuple((z, n) for z, n in total.items() if n), name)


def _in_order(found: list[IonRange]) -> tuple[IonRange, ...]:
    """Ranges by mass; those of one ion that overlap are joined.

    Raises:
        InputError: none, or ranges of different ions overlap.
    """
    if not found:
        raise InputError("it has no ranges")
    ordered: list[IonRange] = []
    for r in sorted(found, key=lambda r: (r.low, r.high)):
        last = ordered[-1] if ordered else None
        if last is None or r.low >= last.high:
            ordered.append(r)
        elif (sorted(r.parts), r.shown) == (sorted(last.parts), last.shown):
            ordered[-1] = IonRange(last.low, max(last.high, r.high), last.parts, last.name)
        elif r.low >= last.high - OVERLAP and r.high > last.high:
            ordered.append(IonRange(last.high, r.high, r.parts, r.name))
        else:
            raise InputError(
                f"ranges of {last.shown} ({last.low:g} to {last.high:g} Da) and {r.shown} ({r.low:g} to {r.high:g} Da) "
                "overlap: ions between them would be both; narrow one of them"
            )
    return tuple(ordered)
