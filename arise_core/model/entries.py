"""Entries of JSON files of strangers: cards and calibrations. Each has a kind and bounds, or is refused.

`ValueError` says what is wrong; who reads the file says which file it is.
"""

from __future__ import annotations

import json
from typing import Any

#: Most levels of objects and lists in each other.
MAX_DEPTH = 50


def read_json(text: str) -> Any:
    """What a JSON text says, if no name stands twice in one of its objects and it is not nested too deeply.

    Raises:
        ValueError, RecursionError: it is no JSON, has a name twice, or is nested too deeply.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a name stands twice in an object")
        return found

    found = json.loads(text, object_pairs_hook=unique)
    level = [found]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
    if level:
        raise ValueError(f"objects and lists are nested more than {MAX_DEPTH} deep")
    return found


def object_of(value: Any, name: str) -> dict[str, Any]:
    """An entry that has to be an object."""
    if not isinstance(value, dict):
        raise ValueError(f"`{name}` must be an object, got {type(value).__name__}")
    return value


def list_of(value: Any, name: str, shortest: int, longest: int) -> list[Any]:
    """An entry that has to be a list of so many entries."""
    if not isinstance(value, list) or not shortest <= len(value) <= longest:
        raise ValueError(f"`{name}` must be a list of {shortest} to {longest} entries")
    return value


def text_of(value: Any, name: str, longest: int = 200, lines: bool = False) -> str:
    """Text that can be printed: no escape sequences for terminals, no halves of characters."""
    if not isinstance(value, str) or len(value) > longest:
        raise ValueError(f"`{name}` must be text of at most {longest} characters, got {value!r:.40}")
    if not (value.replace("\n", " ") if lines else value).isprintable():
        raise ValueError(f"`{name}` must be printable, got {value!r:.40}")
    return value


def whole_of(value: Any, name: str, low: int, high: int) -> int:
    """An entry that has to be a whole number in a range."""
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"`{name}` must be a whole number from {low} to {high}, got {_shown(value)}")
    return value


def number_of(value: Any, name: str, low: float, high: float) -> float:
    """An entry that has to be a number in a range; null and NaN are none."""
    if type(value) not in (int, float) or not low <= value <= high:
        raise ValueError(f"`{name}` must be a number from {low:g} to {high:g}, got {_shown(value)}")
    return float(value)


def _shown(value: Any) -> str:
    """A value for a message; Python refuses to write whole numbers of thousands of digits."""
    if type(value) is int and abs(value) >= 10**20:
        return "one of more than 20 digits"
    return f"{value!r:.40}"
