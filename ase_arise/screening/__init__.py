"""Screening: recognise every structure of a database, a folder or a file, and keep the results in a database."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

#: Modules that hold what this one held in 0.1, when it was a module; goes with `arise_core._moved`.
_ROOMS = ("run", "job", "results", "sources")


def __getattr__(name: str) -> Any:
    if name in _ROOMS:  # asked for before it was imported; `run` is a name in some of them, too
        return import_module(f"{__name__}.{name}")
    for room in _ROOMS if not name.startswith("_") else ():
        module = import_module(f"{__name__}.{room}")
        if name in vars(module):
            warnings.warn(
                f"{__name__}.{name} is now {module.__name__}.{name}", DeprecationWarning, stacklevel=2
            )
            return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
