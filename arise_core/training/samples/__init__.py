"""Training samples: what a model is trained on."""

from __future__ import annotations

from typing import Any

from arise_core.runtime.lazy import moved_names

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


_lookup = moved_names(__name__, _MOVED)


def __getattr__(name: str) -> Any:
    return _lookup(name)
