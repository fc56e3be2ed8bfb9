"""From names, numbers and masses of types to elements: the one place that decides what an atom is.

A recognition asks only which atoms are of one kind. So types that tell no element are no reason to refuse a structure:
each gets an element that stands for it, and a note says so. What must not happen is that different types become one
element without a word.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from arise_core.crystals.elements import ATOMIC_NUMBERS, SYMBOLS, element_of_mass
from arise_core.errors import InputError, InputTypeError
from arise_core.geometry.arrays import IntArray

#: What a user may say of types: "1=Cu, A=Si", "1: Cu, 2: Ni", or a mapping.
Types = Mapping[str, str] | Mapping[int, str] | str | None

#: Key that stands for every type that nothing else tells.
ANY_TYPE = "*"
#: What a user gives for a type that is to be left out, and how `parse_types` keeps it.
LEFT_OUT = "X"
WORDS_FOR_NOTHING = frozenset({"x", "none", "-"})
#: Isotopes with a name of their own.
ISOTOPES = {"D": 1, "T": 1}
#: Letters that are labels where other labels stand beside them.
LABELS = (*ISOTOPES, "X")
#: Sites that carry no mass: dummies, ghosts, vacancies, the charge sites of water models, Drude particles.
MASSLESS = frozenset(
    {"x", "xx", "bq", "gh", "mw", "ep", "lp", "va", "vac", "du", "dum", "dru", "drude", "ghost"}
)
#: Atoms of water as GROMACS and others call them.
WATER = {"ow": 8, "hw": 1}
#: u. A site lighter than this, beside atoms whose masses are those of elements, carries no mass of its own.
LIGHTEST = 0.5
#: u. Masses of one element that differ by more are those of its isotopes.
ISOTOPE = 0.5
#: u. Whole numbers below this, where there is nothing else, are masses in reduced units.
REDUCED = 12.0
#: What stands for types that tell no element: nothing that anyone would take for a finding.
STAND_INS = (18, 36, 54, 86, 10, 2)
#: What messages propose.
PROPOSED = ("Cu", "Zr", "Al", "Ni", "Ti", "Fe")

_NAME = re.compile(r"(?:\d{1,3}(?=[A-Z]))?([A-Za-z]{1,5})(?:[^A-Za-z].*)?")


@dataclass(frozen=True)
class Kind:
    """A type of atoms, as a file or a program has it.

    Args:
        key: by which a user may name it, such as "1"; empty: by its name only.
        name: empty if it has none.
        mass: in whatever unit; 0: not known.
    """

    key: str
    name: str = ""
    mass: float = 0.0

    @property
    def shown(self) -> str:
        """For messages: "2 (mass 1)"."""
        details = [f"mass {self.mass:g}"] if self.mass > 0 else []
        if self.key and self.name and self.name != self.key:
            details.insert(0, f"name {self.name!r}")
        word = self.key or self.name
        return f"{word} ({', '.join(details)})" if details else word


@dataclass(frozen=True)
class Assigned:
    """What the types of a structure are taken for."""

    numbers: IntArray  # atomic numbers of the kinds, or of atoms of these kinds, (n,); 0: left out
    notes: tuple[str, ...] = ()  # what was assumed


def element_of_name(name: str) -> int | None:
    """Atomic number by a name: "Cu", "CU", "D", "Mg2+", "Fe3", "Cu_1", "O1-", "18O"; 0 for a site without mass.

    None for what is no element.
    """
    name = name.strip()
    if name in ATOMIC_NUMBERS:
        return ATOMIC_NUMBERS[name]
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    word = found[1]
    if word in ISOTOPES:
        return ISOTOPES[word]
    if word in ATOMIC_NUMBERS:
        return ATOMIC_NUMBERS[word]
    if word.lower() in MASSLESS:
        return 0
    if word.lower() in WATER:
        return WATER[word.lower()]
    one_case = word.isupper() or word.islower()
    return ATOMIC_NUMBERS.get(word.capitalize()) if one_case else None


def parse_types(given: Types, argument: str = "types") -> dict[str, str]:
    """Element symbols by type, from "1=Cu, A=Si", "1: Cu, 2: Ni" or a mapping; "X" for a type that is left out.

    Args:
        given: None and empty text stand for nothing.
        argument: its name, for messages.

    Raises:
        InputError: an entry that is not "type=element", or what is no element.
    """
    if given is None:
        return {}
    if isinstance(given, str):
        entries = [_entry(part.strip(), argument) for part in re.split(r"[,;]", given) if part.strip()]
    elif isinstance(given, Mapping):
        entries = [(str(key), value) for key, value in given.items()]
    else:
        raise InputTypeError(
            f"`{argument}` must be a mapping or a text such as '1=Cu, A=Si', got {type(given).__name__}"
        )
    keys = Counter(key.strip() for key, _ in entries)
    twice = [key for key, times in keys.items() if times > 1]
    if twice:
        raise InputError(f"`{argument}` has two entries for {twice[0]!r}")
    for key, value in entries:
        if not isinstance(value, str):
            raise InputError(f"`{argument}` must give element symbols, got {value!r} for {key!r}")
    return {key.strip(): _symbol(value.strip(), key, argument) for key, value in entries}


def _entry(part: str, argument: str) -> tuple[str, str]:
    key, _, value = part.rpartition("=" if "=" in part else ":")
    if key.strip() and value.strip():
        return key, value
    raise InputError(f"`{argument}` has an entry that is not 'type: element' or 'type=element', {part!r}")


def _symbol(value: str, key: str, argument: str) -> str:
    if value.lower() in WORDS_FOR_NOTHING:
        return LEFT_OUT
    number = element_of_name(value)
    if not number:
        raise InputError(f"`{argument}` must give element symbols, got {value!r} for {key!r}")
    return SYMBOLS[number]


def assign(
    kinds: Sequence[Kind], types: Mapping[str, str], option: str = "types", known: Iterable[str] = ()
) -> Assigned:
    """What each of the types of a structure is: as the user says, else by its name, its mass, or a stand-in.

    Different types are different species unless the user or their names say otherwise. Masses are believed only where
    they are those of elements and differ from type to type.

    Args:
        kinds: the types that occur.
        types: from `parse_types`.
        option: by which a user maps types, for messages.
        known: keys and names of further types, which no atom has now.

    Raises:
        InputError: `types` of which none is here, or more types that tell nothing than there are elements.
    """
    here = {word for kind in kinds for word in (kind.key, kind.name)} | {ANY_TYPE, *known}
    _check_here(kinds, types, option, here)
    times = Counter((kind.name, kind.mass) for kind in kinds if kind.mass > 0)
    # one name and one mass of several types: OVITO made the name of the mass
    kinds = [
        replace(k, name="") if times[k.name, k.mass] > 1 and not types.keys() & {k.key, k.name} else k
        for k in kinds
    ]
    found = [_told(kind, types) for kind in kinds]
    notes: list[str] = []
    if any(z is None for z in found) or 0 in found:
        _letters(kinds, types, found)
    by_mass = _by_mass(kinds, found)
    found = [z if z is not None else m for z, m in zip(found, by_mass, strict=True)]
    if ANY_TYPE in types:
        found = [number_of(types[ANY_TYPE]) if z is None else z for z in found]
    unknown = [k for k, z in enumerate(found) if z is None]
    taken = {z for z in found if z}
    free = [z for z in (*STAND_INS, *range(3, len(SYMBOLS))) if z not in taken]
    if len(unknown) > len(free):
        raise InputError(
            f"{len(unknown)} types tell no element, and there are only {len(free)} to stand for them"
        )
    for k, z in zip(unknown, sorted(free[: len(unknown)]), strict=True):
        found[k] = z
    numbers = tuple(z or 0 for z in found)
    if unknown:
        notes.append(_of_stand_ins([(kinds[k], numbers[k]) for k in unknown], option))
        absent = [word for word in types if word not in here]
        if absent:  # meant for one of them, perhaps
            notes[-1] += f"; it names {_several('type', absent)} too, and there is no such type"
    dropped = [kinds[k].shown for k, z in enumerate(numbers) if z == 0 and not _is_asked(kinds[k], types)]
    if dropped:
        notes.append(
            f"{_several('type', dropped)} left out as sites without mass; `{option}` says what they are"
        )
    return Assigned(np.array(numbers, dtype=np.int64), tuple(notes))


def _check_here(kinds: Sequence[Kind], types: Mapping[str, str], option: str, here: set[str]) -> None:
    """Refuse what a user says of types if there is none of them: it is meant for others, or misspelled."""
    if types and not types.keys() & here:
        raise InputError(
            f"`{option}` names {_several('type', list(types))}, and there is no such type: here "
            f"{'is' if len(kinds) == 1 else 'are'} {_several('type', [kind.shown for kind in kinds])}"
        )


def number_of(symbol: str) -> int:
    """Atomic number of a symbol that `parse_types` let through, 0 for what is left out."""
    return ATOMIC_NUMBERS.get(symbol, 0)


def _is_asked(kind: Kind, types: Mapping[str, str]) -> bool:
    return any(word and word in types for word in (kind.name, kind.key)) or ANY_TYPE in types


def _told(kind: Kind, types: Mapping[str, str]) -> int | None:
    """What user or name tell of a type."""
    for word in (kind.name, kind.key):
        if word and word in types:
            return number_of(types[word])
    return element_of_name(kind.name) if kind.name else None


def _letters(kinds: Sequence[Kind], types: Mapping[str, str], found: list[int | None]) -> None:
    """Among letters that are mere labels, D, T and X are labels too; M is the charge site of water beside O and H."""
    named = {k: kind.name for k, kind in enumerate(kinds) if kind.name and not _is_asked(kind, types)}
    if any(name.isalpha() and name.isupper() and found[k] is None for k, name in named.items()):
        water = {1, 8} <= {z for z in found if z}
        for k, name in named.items():
            if name == "M" and water:
                found[k] = 0
            elif name in LABELS and not water:
                found[k] = None
    if not any(found):  # there is nothing but sites without mass: they are the structure
        for k in named:
            found[k] = None


def _by_mass(kinds: Sequence[Kind], found: Sequence[int | None]) -> list[int | None]:
    """Element of each type by its mass, 0 for a site without mass, None where masses tell nothing."""
    masses = [kind.mass for kind in kinds if kind.mass > 0]
    if all(abs(mass - round(mass)) < 1e-6 and mass < REDUCED for mass in masses):
        return [None] * len(kinds)
    elements = [element_of_mass(kind.mass) for kind in kinds]
    light = [0 < kind.mass < LIGHTEST for kind in kinds]
    real = all(
        z is not None
        for z, kind, small in zip(elements, kinds, light, strict=True)
        if kind.mass > 0 and not small
    )
    known = [f if f is not None else e for f, e in zip(found, elements, strict=True)]
    out: list[int | None] = []
    for k, (z, small) in enumerate(zip(elements, light, strict=True)):
        twin = any(
            j != k
            and known[j] == z
            and not (found[j] is None and abs(kinds[j].mass - kinds[k].mass) > ISOTOPE)
            for j in range(len(kinds))
        )
        out.append((0 if real else None) if small else None if twin else z)
    return out


def _of_stand_ins(chosen: Sequence[tuple[Kind, int]], option: str) -> str:
    shown = [kind.shown for kind, _ in chosen]
    symbols = [SYMBOLS[z] for _, z in chosen]
    example = ", ".join(
        f"{kind.key or kind.name}={PROPOSED[k % len(PROPOSED)]}"
        for k, (kind, _) in enumerate(chosen[: len(PROPOSED)])
    )
    if len(chosen) == 1:
        return (
            f"type {shown[0]} tells no element: {symbols[0]} stands for it; `{option}` says what it is, such as "
            f"{example}"
        )
    return (
        f"{_several('type', shown)} tell no elements: taken as different species, {_listed(symbols)} stand for them; "
        f"`{option}` says what they are, such as {example}"
    )


def _several(word: str, names: Sequence[str]) -> str:
    return f"{word}{'s' if len(names) > 1 else ''} {_listed(names)}"


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    shown = names if len(names) <= 8 else [*names[:7], f"{len(names) - 7} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
