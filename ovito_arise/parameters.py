"""Trait types of the modifier's parameters that OVITO has no type for. Each is a text that is checked at once.

What depends on the machine (whether a model file exists) is not checked here: OVITO assigns the values of a
saved session, and a value that is refused then costs all the others.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from traits.api import BaseStr, HasTraits

from arise_core.card import ClassInfo
from arise_core.prediction import check_threshold

ALL_CLASSES = "all"
NEVER = "never"
CARD = "card"


class ClassNames(BaseStr):
    """Names of classes; a list is taken too. `class_indices` finds what they stand for."""

    info_text = "names of classes, as a list or separated by commas"

    def validate(self, obj: HasTraits, name: str, value: Any) -> str:
        """The names separated by commas."""
        if value is None:
            return ""
        if isinstance(value, Iterable) and not isinstance(value, str):
            value = list(value)
            if not all(isinstance(v, str) for v in value):
                self.error(obj, name, value)
            value = ", ".join(value)
        return ", ".join(split_names(super().validate(obj, name, value)))


class TypesToElements(BaseStr):
    """Element symbols of particle types, "1: Cu, 2: Ni"; a dictionary is taken too."""

    info_text = "element symbols by particle type, such as {1: 'Cu', 2: 'Ni'} or '1: Cu, 2: Ni'"

    def validate(self, obj: HasTraits, name: str, value: Any) -> str:
        """The mapping as text."""
        from ovito_arise.convert import ATOMIC_NUMBERS

        given = value
        if value is None:
            return ""
        if isinstance(value, Mapping):
            value = ", ".join(f"{k}: {v}" for k, v in value.items())
        try:
            mapping = parse_types(super().validate(obj, name, value))
        except ValueError:
            self.error(obj, name, given)
        if not all(element in ATOMIC_NUMBERS for element in mapping.values()):
            self.error(obj, name, given)
        return ", ".join(f"{k}: {v}" for k, v in mapping.items())


class RejectThreshold(BaseStr):
    """ "card" (the model's own threshold), "never", or a number from 0 to 1; None is taken as "never"."""

    info_text = "'card', 'never' or a number from 0 to 1"

    def validate(self, obj: HasTraits, name: str, value: Any) -> str:
        """The threshold as text."""
        if value is None:
            return NEVER
        if value in (CARD, NEVER):
            return str(value)
        try:
            number = float(value)
            check_threshold(number)
        except (TypeError, ValueError):
            self.error(obj, name, value)
        return f"{number!r}"


class Device(BaseStr):
    """A device of torch."""

    info_text = "'cpu', 'cuda', 'cuda:1', ..."

    def validate(self, obj: HasTraits, name: str, value: Any) -> str:
        """The name as it is."""
        value = super().validate(obj, name, value)
        if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", value):
            self.error(obj, name, value)
        return value


def split_names(text: str) -> list[str]:
    """Names in a text, separated by commas or semicolons outside parentheses ("nanotube (5,1)" is one)."""
    return [part.strip() for part in re.split(r"[,;](?![^(]*\))", text) if part.strip()]


def parse_types(text: str) -> dict[str, str]:
    """Element symbols by type from "1: Cu, 2: Ni".

    Raises:
        ValueError: an entry that is not of the form "type: element".
    """
    mapping = {}
    for part in split_names(text):
        key, colon, element = part.rpartition(":")
        if not colon or not key.strip():
            raise ValueError(f"`types_to_elements` has an entry that is not 'type: element', {part!r}")
        mapping[key.strip()] = element.strip()
    return mapping


def class_indices(text: str, classes: Sequence[ClassInfo], parameter: str) -> tuple[int, ...]:
    """Indices of the named classes of a model, in its order; "all" names all.

    Args:
        text: identifiers ("FCC"), display names or labels; capitals do not matter.
        classes: of the model.
        parameter: where the text comes from, for the message.

    Raises:
        ValueError: a name that is none of the model's, with the closest ones.
    """
    if text.casefold() == ALL_CLASSES:
        return tuple(range(len(classes)))
    known = {name.casefold(): k for k, c in enumerate(classes) for name in (c.name, c.label, c.identifier)}
    found = set()
    for name in split_names(text):
        if name.casefold() not in known:
            close = difflib.get_close_matches(name.casefold(), known, n=4, cutoff=0.4)
            names = [classes[k].identifier for k in dict.fromkeys(known[c] for c in close)]
            hint = f"; close: {', '.join(names)}" if names else ""
            raise ValueError(f"`{parameter}` has a name that is none of the model's classes, {name!r}{hint}")
        found.add(known[name.casefold()])
    return tuple(sorted(found))
