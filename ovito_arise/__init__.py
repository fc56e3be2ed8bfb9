"""ARISE in OVITO: a modifier that identifies crystal structures, and a legend of the classes it found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from arise_core.runtime.lazy import public_names

if TYPE_CHECKING:
    from ovito_arise.legend import AriseLegend
    from ovito_arise.modifier import AriseModifier

# Loaded on first use: the command line imports this package at every start.
_PLACES = {"AriseLegend": "legend", "AriseModifier": "modifier"}

__all__ = ["AriseLegend", "AriseModifier"]

_lookup = public_names(__name__, _PLACES)


def __getattr__(name: str) -> Any:
    return _lookup(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
