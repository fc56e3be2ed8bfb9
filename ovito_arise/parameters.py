"""The modifier's parameters: traits made from the settings of the core, and types that OVITO has none for.

The latter are texts (names, elements, a threshold, a device) that are checked at once.

What depends on the machine (whether a model file exists) is not checked here: OVITO assigns the values of a
saved session, and a value that is refused then costs all the others.
"""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from traits.api import BaseStr, Bool, Enum, Float, HasTraits, Int, Range

from arise_core.crystals.species import parse_types
from arise_core.errors import InputError, InputTypeError
from arise_core.model.classes import ClassTable
from arise_core.settings import DEVICES, Option, check_threshold, options_of

OPTION = "types_to_elements"
NEVER = "never"
CARD = "card"


class _Text(BaseStr):
    """A text."""

    def validate(self, obj: HasTraits, name: str, value: Any) -> str:
        """The text as it is."""
        text: str = super().validate(obj, name, value)  # type: ignore[misc]  # missing in the stubs of traits
        return text


class ClassNames(_Text):
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


class TypesToElements(_Text):
    """Element symbols of particle types, "1: Cu, 2: Ni" or "1=Cu,2=Ni"; a dictionary is taken too."""

    info_text = "element symbols by particle type, such as {1: 'Cu', 2: 'Ni'} or '1: Cu, 2: Ni'"

    def validate(self, obj: HasTraits, name: str, value: Any) -> str:
        """The mapping as text."""
        given = value
        if value is not None and not isinstance(value, Mapping):
            value = super().validate(obj, name, value)
        try:
            mapping = parse_types(value, OPTION)
        except InputError:
            self.error(obj, name, given)
        return ", ".join(f"{k}: {v}" for k, v in mapping.items())


class RejectThreshold(_Text):
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


class NumberOrWord(_Text):
    """A number, or a word that may stand for it; `plain` makes one of the text."""

    def __init__(self, value: str, name: str, known: Option, **words: Any) -> None:
        self._setting, self._known = name, known
        low = "" if known.low is None else f" >= {known.low}"
        kind = "whole number" if isinstance(known.low, int) else "number"
        self.info_text = f"{' or '.join(repr(w) for w in known.words)} or a {kind}{low}"
        super().__init__(value, **words)

    def validate(self, obj: HasTraits, name: str, value: Any) -> str:
        """The number or word as text."""
        try:
            number = plain(value) if isinstance(value, str) else value
            number = self._known.none if number is None else number
            if isinstance(number, bool) or self._known.none is None or number != self._known.none:
                self._known.check(self._setting, number, 0 if isinstance(self._known.low, int) else 0.0)
        except ValueError:
            self.error(obj, name, value)
        return f"{number}"


class Clusters(_Text):
    """Numbers of clusters, "1, 3"; 0 stands for what is in none. A number and a list are taken too, None for none."""

    info_text = "numbers of clusters, 0 for what is in none, as a list or separated by commas"

    def validate(self, obj: HasTraits, name: str, value: Any) -> str:
        """The numbers separated by commas."""
        given = [] if value is None else [value] if isinstance(value, int | str) else value
        if isinstance(given, bytes | Mapping):
            self.error(obj, name, value)
        try:
            numbers = cluster_numbers(", ".join(str(v) for v in given))
        except (TypeError, ValueError):
            self.error(obj, name, value)
        return ", ".join(str(k) for k in numbers)


class Device(_Text):
    """A device of torch."""

    info_text = "'cpu', 'cuda', 'cuda:1', ..."

    def validate(self, obj: HasTraits, name: str, value: Any) -> str:
        """The name as it is."""
        text = super().validate(obj, name, value)
        if not re.fullmatch(rf"({'|'.join(DEVICES)})(:\d+)?", text):
            self.error(obj, name, text)
        return text


def refuse_unknown(owner: Any, parameters: Iterable[str]) -> None:
    """Raise InputTypeError, with the closest names, for a parameter that an object with traits has not."""
    known = [name for name in owner.editable_traits() if not name.startswith("_")]
    for name in parameters:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
            hint = f"; close: {', '.join(close)}" if close else ""
            raise InputTypeError(f"{type(owner).__name__} has no parameter {name!r}{hint}")


def split_names(text: str) -> list[str]:
    """Names in a text, separated by commas or semicolons outside parentheses ("nanotube (5,1)" is one)."""
    return [part.strip() for part in re.split(r"[,;](?![^(]*\))", text) if part.strip()]


def cluster_numbers(text: str) -> list[int]:
    """Numbers of clusters in a text.

    Raises:
        ValueError: something else.
    """
    numbers = [int(word) for word in split_names(text)]
    if any(k < 0 for k in numbers):
        raise ValueError(text)
    return numbers


def plain(text: str) -> int | float | str:
    """The number that a text is, or the text."""
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text


def class_indices(text: str, classes: ClassTable, parameter: str) -> tuple[int, ...]:
    """Indices of the named classes of a model, in its order; "all" names all.

    Args:
        text: identifiers ("FCC"), display names or labels; capitals do not matter.
        classes: of the model.
        parameter: where the text comes from, for the message.

    Raises:
        ValueError: a name that is none of the model's, with the closest ones.
    """
    return classes.find_all(split_names(text), parameter, classes.identifiers)


def traits_of(settings: type, group: str, **defaults: Any) -> dict[str, Any]:
    """A trait for every option of a settings class, with its label, range and help text.

    Args:
        settings: `MapSettings`, `SamplingSettings` or `ExploreSettings`.
        group: of the panel.
        defaults: other defaults than those of the class.
    """
    made: dict[str, Any] = {}
    for name, (default, known) in options_of(settings).items():
        value: Any = defaults.get(name, default)
        value = known.none if value is None else value
        words: dict[str, Any] = {"label": known.label, "ovito_group": group, "desc": known.text}
        if isinstance(value, str) and known.words:
            made[name] = NumberOrWord(value, name, known, **words)
        elif known.choices:
            made[name] = Enum(value, list(known.choices), **words)
        elif isinstance(value, bool):
            made[name] = Bool(value, **words)
        elif known.low is None:
            made[name] = (Int if isinstance(value, int) else Float)(value, **words)
        else:
            made[name] = Range(
                low=type(value)(known.low if known.none is None else min(known.low, known.none)),
                value=value,
                exclude_low=known.above and known.none is None,
                **words,
            )
    return made
