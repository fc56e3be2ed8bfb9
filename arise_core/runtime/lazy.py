"""Public names that are loaded on first use, for the `__init__` of a package."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def public_names(package: str, places: Mapping[str, str]) -> Callable[[str], Any]:
    """What a package's `__getattr__` calls: the object of a public name, from the module that defines it.

    Args:
        package: name of the package.
        places: module of each public name, relative to the package.
    """

    def lookup(name: str) -> Any:
        if name in places:
            return getattr(import_module(f"{package}.{places[name]}"), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return lookup
