"""ARISE in OVITO: modifiers that identify structures, find regions and show stored results; a legend, a file reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from arise_core.runtime.lazy import public_names

if TYPE_CHECKING:
    from ovito_arise.atom_probe import AriseAtomProbeReader
    from ovito_arise.legend import AriseLegend
    from ovito_arise.modifier import AriseModifier
    from ovito_arise.regions import AriseRegions
    from ovito_arise.stored import AriseStoredResults

# Loaded on first use: the command line imports this package at every start.
_PLACES = {
    "AriseAtomProbeReader": "atom_probe",
    "AriseLegend": "legend",
    "AriseModifier": "modifier",
    "AriseRegions": "regions",
    "AriseStoredResults": "stored",
}

__all__ = ["AriseAtomProbeReader", "AriseLegend", "AriseModifier", "AriseRegions", "AriseStoredResults"]

_lookup = public_names(__name__, _PLACES)


def __getattr__(name: str) -> Any:
    return _lookup(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
