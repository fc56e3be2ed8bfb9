"""Screening: recognise every structure of a database, a folder or a file, and keep the results in a database."""

from __future__ import annotations

from typing import Any

from arise_core.runtime.lazy import moved_names

#: Names of the module that was here in version 0.1, and where they are. Remove with 0.3.
_MOVED = {
    "BATCH": "ase_arise.screening.sources",
    "Counts": "ase_arise.screening.run",
    "Entry": "ase_arise.screening.sources",
    "Files": "ase_arise.screening.sources",
    "Outcome": "ase_arise.screening.job",
    "REASON": "ase_arise.screening.job",
    "Results": "ase_arise.screening.results",
    "Source": "ase_arise.screening.sources",
    "Task": "ase_arise.screening.sources",
    "open_source": "ase_arise.screening.sources",
    "screen": "ase_arise.screening.run",
    "space_group": "arise_core.crystals.symmetry",
}

_lookup = moved_names(__name__, _MOVED)


def __getattr__(name: str) -> Any:
    return _lookup(name)
