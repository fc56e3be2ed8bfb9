"""Training samples: what a model is trained on."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

#: Names of the module that was here in version 0.1, and where they are. Remove with 0.3.
_MOVED = {
    "DISORDERED": "arise_core.crystals.naming",
    "UNKNOWN": "arise_core.crystals.naming",
    "TO_REJECT": "arise_core.training.samples.job",
    "given": "arise_core.training.samples.job",
    "Noise": "arise_core.training.samples.noise",
    "imperfect": "arise_core.training.samples.noise",
    "random_piece": "arise_core.training.samples.pieces",
    "PaperSamples": "arise_core.training.samples.paper",
    "paper_descriptors": "arise_core.training.samples.paper",
    "PerturbedSamples": "arise_core.training.samples.mixture",
    "pristine_list": "arise_core.training.samples.pristine",
}


def __getattr__(name: str) -> Any:
    if name not in _MOVED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(f"{__name__}.{name} is now in {_MOVED[name]}", DeprecationWarning, stacklevel=2)
    return getattr(import_module(_MOVED[name]), name)
