"""Similarity of `Atoms` to a network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from arise_core.crystals.species import Types
from arise_core.progress import Progress, run, silent
from arise_core.recognition.comparison import check_layer, similarity_steps
from arise_core.settings import DEFAULT_MODEL, LAYER, MapSettings
from ase_arise.convert import Device, Images, ModelLike, as_model, frames, to_material


def similarity(
    images: Images,
    model: ModelLike = DEFAULT_MODEL,
    *,
    device: Device = None,
    layer: int = LAYER,
    min_atoms: int = MapSettings.min_atoms,
    types: Types = None,
    progress: Progress = silent,
) -> NDArray[np.float64]:
    """Cosine similarity of the representations of whole structures, (n, n); 1 on the diagonal.

    Activations before the ReLU, without dropout; as Figure 3d of Leitherer et al. (2021).

    Args:
        images: `Atoms`, a list or generator of them, or a file name.
        model: a `Model`, a name of the zoo, or a path.
        device: where the network runs, such as "cuda"; None: where a `Model` is, else on the CPU.
        layer: hidden layer, 0 for the first; negative numbers count from the last.
        min_atoms: open structures with fewer atoms give NaN and a warning.
        types: elements by type or name, see `from_atoms`.
        progress: called with the share of the work done.

    Raises:
        TypeError, ValueError, OSError: input that is refused; before any descriptor is computed.
    """
    network = as_model(model, device)
    check_layer(network, layer)
    materials = [to_material(atoms, f"structure {k}: ", types) for k, atoms in enumerate(frames(images))]
    return run(similarity_steps(materials, network, layer, min_atoms), progress)
