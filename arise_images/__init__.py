"""ARISE for micrographs: atomic columns of an image as a `Structure`, and what layer they make.

Everything here turns images into structures, calls `arise_core`, and lays what comes back over the image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from arise_core.runtime.lazy import public_names

if TYPE_CHECKING:
    from arise_images.columns import Columns, find_atoms
    from arise_images.drawing import draw_layer
    from arise_images.elements import tell_elements
    from arise_images.files import Micrograph, read_image
    from arise_images.layers import ImageRecognition, recognise_layer
    from arise_images.rings import Rings, find_rings
    from arise_images.settings import ColumnSettings
    from arise_images.simulation import simulate_image

# Loaded on first use: importing the door takes no second. No module has the name of a function.
_PLACES = {
    "ColumnSettings": "settings",
    "Columns": "columns",
    "ImageRecognition": "layers",
    "Micrograph": "files",
    "Rings": "rings",
    "draw_layer": "drawing",
    "find_atoms": "columns",
    "find_rings": "rings",
    "read_image": "files",
    "recognise_layer": "layers",
    "simulate_image": "simulation",
    "tell_elements": "elements",
}

__all__ = [
    "ColumnSettings",
    "Columns",
    "ImageRecognition",
    "Micrograph",
    "Rings",
    "draw_layer",
    "find_atoms",
    "find_rings",
    "read_image",
    "recognise_layer",
    "simulate_image",
    "tell_elements",
]

_lookup = public_names(__name__, _PLACES)


def __getattr__(name: str) -> Any:
    return _lookup(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
