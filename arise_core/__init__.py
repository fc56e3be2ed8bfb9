"""ARISE: recognition of crystal structures by Bayesian deep learning. The core, without OVITO and ASE.

Leitherer, Ziletti, Ghiringhelli, Nature Communications 12, 6234 (2021).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from arise_core import _moved
from arise_core.runtime.lazy import public_names

if TYPE_CHECKING:
    from arise_core.crystals.ideal import build
    from arise_core.crystals.table import Prototype, prototype, prototypes
    from arise_core.descriptor.soap import describe
    from arise_core.engine.boxes import describe_boxes
    from arise_core.engine.grid import BoxGrid, automatic_box_size, box_grid
    from arise_core.engine.windows import Cylinder, Layer, Sphere
    from arise_core.errors import ModelError
    from arise_core.explore.clusters import Clusters, find_clusters
    from arise_core.explore.embedding import Embedding, embed
    from arise_core.explore.job import exploration, exploration_steps
    from arise_core.explore.naming import Name, name_crystal
    from arise_core.explore.regions import unknown_regions
    from arise_core.explore.representations import Representations, represent
    from arise_core.explore.result import Exploration
    from arise_core.explore.suggestions import Suggestion, suggest, write_suggestions
    from arise_core.explore.unknown import NoCell, RebuiltCell, rebuild_cell
    from arise_core.geometry.alignment import aligned
    from arise_core.geometry.depth import depths
    from arise_core.geometry.structure import Structure
    from arise_core.model.calibration import Calibration
    from arise_core.model.model import Model
    from arise_core.model.prediction import Prediction
    from arise_core.model.zoo import known_models, load_model
    from arise_core.recognition.between import PointValues
    from arise_core.recognition.calibrating import calibrate
    from arise_core.recognition.maps import StridedMap, map_steps, strided_map
    from arise_core.recognition.shells import Shell, by_depth
    from arise_core.recognition.whole import classify
    from arise_core.recognition.windowed import Windows, classify_windows
    from arise_core.settings import DescriptorSettings, ExploreSettings, MapSettings, SamplingSettings
    from arise_core.trajectories.merging import merge
    from arise_core.trajectories.store import TrajectoryResults

# Loaded on first use: importing the core takes no second and starts no thread. No module has the name of a function.
_PLACES = {
    "BoxGrid": "engine.grid",
    "Calibration": "model.calibration",
    "Clusters": "explore.clusters",
    "Cylinder": "engine.windows",
    "DescriptorSettings": "settings",
    "Embedding": "explore.embedding",
    "Exploration": "explore.result",
    "ExploreSettings": "settings",
    "Layer": "engine.windows",
    "MapSettings": "settings",
    "Model": "model.model",
    "ModelError": "errors",
    "Name": "explore.naming",
    "NoCell": "explore.unknown",
    "PointValues": "recognition.between",
    "Prediction": "model.prediction",
    "Prototype": "crystals.table",
    "RebuiltCell": "explore.unknown",
    "Representations": "explore.representations",
    "SamplingSettings": "settings",
    "Shell": "recognition.shells",
    "Sphere": "engine.windows",
    "StridedMap": "recognition.maps",
    "Structure": "geometry.structure",
    "Suggestion": "explore.suggestions",
    "TrajectoryResults": "trajectories.store",
    "Windows": "recognition.windowed",
    "aligned": "geometry.alignment",
    "automatic_box_size": "engine.grid",
    "box_grid": "engine.grid",
    "build": "crystals.ideal",
    "by_depth": "recognition.shells",
    "calibrate": "recognition.calibrating",
    "classify": "recognition.whole",
    "classify_windows": "recognition.windowed",
    "depths": "geometry.depth",
    "describe": "descriptor.soap",
    "describe_boxes": "engine.boxes",
    "embed": "explore.embedding",
    "exploration": "explore.job",
    "exploration_steps": "explore.job",
    "find_clusters": "explore.clusters",
    "known_models": "model.zoo",
    "load_model": "model.zoo",
    "map_steps": "recognition.maps",
    "merge": "trajectories.merging",
    "name_crystal": "explore.naming",
    "prototype": "crystals.table",
    "prototypes": "crystals.table",
    "rebuild_cell": "explore.unknown",
    "represent": "explore.representations",
    "strided_map": "recognition.maps",
    "suggest": "explore.suggestions",
    "unknown_regions": "explore.regions",
    "write_suggestions": "explore.suggestions",
}

__all__ = [
    "BoxGrid",
    "Calibration",
    "Clusters",
    "Cylinder",
    "DescriptorSettings",
    "Embedding",
    "Exploration",
    "ExploreSettings",
    "Layer",
    "MapSettings",
    "Model",
    "ModelError",
    "Name",
    "NoCell",
    "PointValues",
    "Prediction",
    "Prototype",
    "RebuiltCell",
    "Representations",
    "SamplingSettings",
    "Shell",
    "Sphere",
    "StridedMap",
    "Structure",
    "Suggestion",
    "TrajectoryResults",
    "Windows",
    "aligned",
    "automatic_box_size",
    "box_grid",
    "build",
    "by_depth",
    "calibrate",
    "classify",
    "classify_windows",
    "depths",
    "describe",
    "describe_boxes",
    "embed",
    "exploration",
    "exploration_steps",
    "find_clusters",
    "known_models",
    "load_model",
    "map_steps",
    "merge",
    "name_crystal",
    "prototype",
    "prototypes",
    "rebuild_cell",
    "represent",
    "strided_map",
    "suggest",
    "unknown_regions",
    "write_suggestions",
]

_lookup = public_names(__name__, _PLACES)
_moved.install()


def __getattr__(name: str) -> Any:
    return _lookup(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
