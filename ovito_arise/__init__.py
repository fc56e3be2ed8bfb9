"""ARISE in OVITO: a modifier that identifies crystal structures, and a legend of the classes it found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ovito_arise.legend import AriseLegend
    from ovito_arise.modifier import AriseModifier

__all__ = ["AriseLegend", "AriseModifier"]


def __getattr__(name: str) -> Any:
    # Loaded on first use: the command line imports this package at every start.
    if name == "AriseModifier":
        from ovito_arise.modifier import AriseModifier

        return AriseModifier
    if name == "AriseLegend":
        from ovito_arise.legend import AriseLegend

        return AriseLegend
    raise AttributeError(f"module 'ovito_arise' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
