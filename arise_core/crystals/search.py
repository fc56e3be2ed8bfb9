"""Prototypes by what is known of a crystal: names, symbols, space group, composition."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from functools import cache
from math import gcd

from arise_core.crystals.elements import ATOMIC_NUMBERS
from arise_core.crystals.ideal import build
from arise_core.crystals.naming import FORMER_NAMES, short_name
from arise_core.crystals.symmetry import pearson_symbol, settings
from arise_core.crystals.table import Prototype, prototypes
from arise_core.errors import check_type
from arise_core.settings import SYMPREC

#: Letters that stand for any element in a formula, such as ABX3, beside those that are elements.
ANY = frozenset("ADEJLMQRTXZ")
_PART = re.compile(r"([A-Z][a-z]?)(\d*)")


@cache
def pearson(prototype: Prototype) -> str | None:
    """Pearson symbol of a class, found by spglib in its geometry; None for layers and nanotubes."""
    if prototype.dimension < 3:
        return None
    return pearson_symbol(build(prototype), prototype.symprec or SYMPREC)


def find_prototypes(query: str) -> tuple[Prototype, ...]:
    """The classes that a word fits, in the order of their numbers; empty if none.

    The first of these that finds something: all of a name, label, material, Strukturbericht symbol, Pearson symbol
    (hR6 and oS8 stand for hR2 and oC8), or space group (number or Hermann-Mauguin symbol); a part of a name, label or
    material; for a formula, the same stoichiometry. Capitals do not matter but in formulas.

    Args:
        query: "sphalerite", "B3", "cF8", "216", "F-43m", "ZnS", "SrTiO3", "ABX3"; empty: all classes.
    """
    check_type("query", query, str, "a text")
    asked = query.strip()
    if not asked:
        return prototypes()
    exact = tuple(p for p in prototypes() if _plain(asked) in _words(p))
    if exact:
        return exact
    part = tuple(p for p in prototypes() if any(asked.casefold() in text for text in _texts(p)))
    if part:
        return part
    wanted = _stoichiometry(asked)
    return tuple(p for p in prototypes() if wanted is not None and wanted == _stoichiometry(p.formula or ""))


def same_stoichiometry_only(query: str, found: tuple[Prototype, ...]) -> bool:
    """Whether a query for a compound, such as CaF2, found classes of its stoichiometry but none of its elements.

    Args:
        query: as of `find_prototypes`; letters that stand for any element (ABX3) ask for no more than that.
        found: what that found.
    """
    asked = _reduced(query.strip())
    if asked is None or not asked.keys() <= ATOMIC_NUMBERS.keys():
        return False
    return not any(asked == _reduced(p.material) or _plain(query) in _words(p) for p in found)


def closest_names(query: str) -> list[str]:
    """Up to three names of classes that are spelled much like a word that finds none."""
    known = sorted({text for p in prototypes() for text in _texts(p)})
    return difflib.get_close_matches(query.strip().casefold(), known, n=3, cutoff=0.7)


def _plain(text: str) -> str:
    """Small letters without blanks and underscores, in which symbols are written or not."""
    return re.sub(r"[\s_]", "", text).casefold()


@cache
def _texts(prototype: Prototype) -> tuple[str, ...]:
    """All that a class is called, in small letters."""
    p = prototype
    names = (p.label, p.name, p.short, short_name(p.name), p.material, *p.common_names)
    return tuple(text.casefold() for text in (*names, *FORMER_NAMES.get(p.label, ())))


@cache
def _words(prototype: Prototype) -> frozenset[str]:
    """What finds a class if it is all that is asked for."""
    words = {*_texts(prototype), prototype.strukturbericht or "", *_pearsons(prototype)}
    groups = {g for g in (prototype.space_group, prototype.published_space_group) if g is not None}
    words |= {str(g) for g in groups} | {name for g in groups for name in _group_names()[g]}
    return frozenset(_plain(word) for word in words if word)


@cache
def _group_names() -> dict[int, frozenset[str]]:
    """Hermann-Mauguin symbols by number of the space group, of all settings."""
    found: dict[int, set[str]] = {}
    for setting in settings():
        found.setdefault(setting.number, set()).update(setting.names)
    return {number: frozenset(names) for number, names in found.items()}


def _pearsons(prototype: Prototype) -> tuple[str, ...]:
    """The Pearson symbol in the conventions that are in use."""
    symbol = pearson(prototype)
    if symbol is None:
        return ()
    kind, atoms = symbol[:2], int(symbol[2:])
    other = {"hR": f"hR{3 * atoms}", "oC": f"oS{atoms}", "mC": f"mS{atoms}"}.get(kind)
    return (symbol,) if other is None else (symbol, other)


def _stoichiometry(formula: str) -> tuple[int, ...] | None:
    """How many atoms there are of each kind, ascending and without common divisor; None for no formula of a compound.

    Args:
        formula: of elements, or of letters that stand for any.
    """
    counts = _reduced(formula)
    return None if counts is None else tuple(sorted(counts.values()))


def _reduced(formula: str) -> dict[str, int] | None:
    """How many atoms there are of each element or letter, without common divisor; None for no formula of a compound."""
    parts = _PART.findall(formula)
    if "".join(symbol + number for symbol, number in parts) != formula:
        return None
    counts: Counter[str] = Counter()
    for symbol, number in parts:
        if symbol not in ATOMIC_NUMBERS and symbol not in ANY:
            return None
        counts[symbol] += int(number or 1)
    if len(counts) < 2 or not all(counts.values()):
        return None
    common = gcd(*counts.values())
    return {symbol: n // common for symbol, n in counts.items()}
