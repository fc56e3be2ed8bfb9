"""ARISE for ASE: classify and annotate `Atoms`, a calculator, an observer for MD, screening of databases.

Everything here unwraps `Atoms`, calls `arise_core`, and wraps what comes back.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ase_arise.annotation import annotate, classify
    from ase_arise.calculator import AriseCalculator
    from ase_arise.comparison import similarity
    from ase_arise.convert import from_atoms
    from ase_arise.observer import AriseObserver, Row, StopSimulation
    from ase_arise.screening import screen
    from ase_arise.storage import from_row, read, row_fields, write

# Loaded on first use: importing the adapter takes no second. No module has the name of a function.
_PLACES = {
    "annotate": "annotation", "classify": "annotation", "AriseCalculator": "calculator",
    "similarity": "comparison", "from_atoms": "convert",
    "AriseObserver": "observer", "Row": "observer", "StopSimulation": "observer", "screen": "screening",
    "from_row": "storage", "read": "storage", "row_fields": "storage", "write": "storage",
}  # fmt: skip

__all__ = [
    "AriseCalculator",
    "AriseObserver",
    "Row",
    "StopSimulation",
    "annotate",
    "classify",
    "from_atoms",
    "from_row",
    "read",
    "row_fields",
    "screen",
    "similarity",
    "write",
]


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(import_module(f"ase_arise.{_PLACES[name]}"), name)
    raise AttributeError(f"module 'ase_arise' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
