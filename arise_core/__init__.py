"""ARISE: recognition of crystal structures by Bayesian deep learning. The core, without OVITO and ASE.

Leitherer, Ziletti, Ghiringhelli, Nature Communications 12, 6234 (2021).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from arise_core.boxes import BoxGrid, automatic_box_size, box_grid
    from arise_core.maps import PointValues, StridedMap
    from arise_core.network import Model, ModelError, known_models, load_model
    from arise_core.prediction import Prediction
    from arise_core.prototypes import Prototype, build, prototype, prototypes
    from arise_core.recognise import classify, map_steps, strided_map
    from arise_core.settings import DescriptorSettings, MapSettings, SamplingSettings
    from arise_core.soap import describe
    from arise_core.strided import describe_boxes
    from arise_core.structure import Structure

# Loaded on first use: importing the core takes no second and starts no thread.
_PLACES = {
    "BoxGrid": "boxes", "automatic_box_size": "boxes", "box_grid": "boxes",
    "PointValues": "maps", "StridedMap": "maps",
    "Model": "network", "ModelError": "network", "known_models": "network", "load_model": "network",
    "Prediction": "prediction",
    "Prototype": "prototypes", "build": "prototypes", "prototype": "prototypes", "prototypes": "prototypes",
    "classify": "recognise", "map_steps": "recognise", "strided_map": "recognise",
    "DescriptorSettings": "settings", "MapSettings": "settings", "SamplingSettings": "settings",
    "describe": "soap", "describe_boxes": "strided", "Structure": "structure",
}  # fmt: skip

__all__ = [
    "BoxGrid",
    "DescriptorSettings",
    "MapSettings",
    "Model",
    "ModelError",
    "PointValues",
    "Prediction",
    "Prototype",
    "SamplingSettings",
    "StridedMap",
    "Structure",
    "automatic_box_size",
    "box_grid",
    "build",
    "classify",
    "describe",
    "describe_boxes",
    "known_models",
    "load_model",
    "map_steps",
    "prototype",
    "prototypes",
    "strided_map",
]


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(import_module(f"arise_core.{_PLACES[name]}"), name)
    raise AttributeError(f"module 'arise_core' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
