"""Names that are loaded on first use, for the `__init__` of a package: public ones, and those that have moved."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def public_names(package: str, places: Mapping[str, str]) -> Callable[[str], Any]:
    """What a package's `__getattr__` calls: the object of a public name, from the module that defines it.

    Args:
        package: name of the package.
        places: module of each public name, relative to the package; in full, where another package of ours has it.
    """

    def lookup(name: str) -> Any:
        if name in places:
            place = places[name]
            module = place if place.startswith("arise_core.") else f"{package}.{place}"
            return getattr(import_module(module), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return lookup


def moved_names(package: str, places: Mapping[str, str]) -> Callable[[str], Any]:
    """What `__getattr__` calls in a package that was a module: an object of it, with a warning that says where it is.

    Args:
        package: name of the package.
        places: module that holds each name now.
    """

    def lookup(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        warnings.warn(f"{package}.{name} is now in {places[name]}", DeprecationWarning, stacklevel=3)
        return getattr(import_module(places[name]), name)

    return lookup
