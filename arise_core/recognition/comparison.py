"""How alike structures are to a network: cosines between activations of a hidden layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.metrics.pairwise import cosine_similarity

from arise_core.errors import InputError
from arise_core.geometry.arrays import FloatArray
from arise_core.geometry.material import Material
from arise_core.geometry.structure import Structure
from arise_core.model.model import Model, check_model
from arise_core.progress import Job, part
from arise_core.recognition.whole import describe_wholes
from arise_core.runtime import threads
from arise_core.settings import LAYER, MapSettings, check_number


def check_layer(model: Model, layer: int) -> None:
    """Raise InputError unless the model has this hidden layer; negative numbers count from the last."""
    layer = check_number("layer", layer, whole=True)
    if not -model.n_layers <= layer < model.n_layers:
        raise InputError(f"`layer` must be in [{-model.n_layers}, {model.n_layers - 1}], got {layer}")


def similarity_steps(
    structures: Sequence[Structure | Material],
    model: Model,
    layer: int = LAYER,
    min_atoms: int = MapSettings.min_atoms,
) -> Job[FloatArray]:
    """Cosine similarity of the representations of whole structures, (n, n), as a job; 1 on the diagonal.

    Activations before the ReLU, without dropout; as Figure 3d of Leitherer et al. (2021).

    Args:
        structures: at least one.
        model: from `load_model`.
        layer: hidden layer, 0 for the first; negative numbers count from the last.
        min_atoms: open structures with fewer atoms give NaN and a warning.

    Raises:
        ValueError: no structure, or no such layer.
    """
    check_model(model)
    check_layer(model, layer)
    MapSettings(min_atoms=min_atoms)
    if not structures:
        raise InputError("`images` is empty")
    materials = [Material.of(s) for s in structures]
    features = yield from part(describe_wholes(materials, model, min_atoms), 0.0, 1.0)
    vectors = model.representations(features, layer)
    good = np.flatnonzero(np.isfinite(vectors).all(axis=1))
    out = np.full((len(vectors), len(vectors)), np.nan)
    if len(good):
        with threads.one_blas_thread():
            out[np.ix_(good, good)] = cosine_similarity(vectors[good].astype(np.float64))
    return out
