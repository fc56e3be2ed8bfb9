"""How alike structures are to the network: cosines between activations of a hidden layer."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics.pairwise import cosine_similarity

from arise_core.settings import MapSettings
from arise_core.soap import describe
from ase_arise.convert import Images, ModelLike, as_model, checked, frames
from ase_arise.defaults import DEFAULT_MODEL, LAYER

#: Up to so many structures the picture shows numbers.
NUMBERS = 14
#: Longest name in the picture.
WIDEST = 32


def similarity(
    images: Images,
    model: ModelLike = DEFAULT_MODEL,
    *,
    layer: int = LAYER,
    min_atoms: int = MapSettings.min_atoms,
    progress: Callable[[float], None] = lambda fraction: None,
) -> NDArray[np.float64]:
    """Cosine similarity of the representations of whole structures, (n, n); 1 on the diagonal.

    Activations before the ReLU, without dropout; as Figure 3d of Leitherer et al. (2021).

    Args:
        images: `Atoms`, a list or generator of them, or a file name.
        model: a `Model`, a name of the zoo, or a path.
        layer: hidden layer, 0 for the first; negative numbers count from the last.
        min_atoms: open structures with fewer atoms give NaN and a warning.
        progress: called with the share of the work done.

    Raises:
        TypeError, ValueError, OSError: input that is refused; before any descriptor is computed.
    """
    network = as_model(model)
    if not -network.n_layers <= layer < network.n_layers:
        raise ValueError(f"`layer` must be in [{-network.n_layers}, {network.n_layers - 1}], got {layer}")
    structures = [checked(atoms, f"structure {k}: ") for k, atoms in enumerate(frames(images))]
    if not structures:
        raise ValueError("`images` is empty")
    features = np.full((len(structures), network.descriptor.n_features), np.nan)
    for k, structure in enumerate(structures):
        if structure.pbc.any() or len(structure) >= min_atoms:
            features[k] = describe(structure, network.descriptor)
        else:
            warnings.warn(
                f"structure {k} has {len(structure)} atoms, fewer than `min_atoms` ({min_atoms}): NaN",
                stacklevel=2,
            )
        progress((k + 1) / len(structures))
    vectors = network.representations(features, layer)
    good = np.flatnonzero(np.isfinite(vectors).all(axis=1))
    out = np.full((len(vectors), len(vectors)), np.nan)
    if len(good):
        out[np.ix_(good, good)] = cosine_similarity(vectors[good].astype(np.float64))
    return out


def draw(matrix: NDArray[np.float64], names: list[str], path: Path, layer: int) -> None:
    """Heat map of a similarity matrix, as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    n = len(names)
    names = [name if len(name) <= WIDEST else f"…{name[-WIDEST:]}" for name in names]
    size = min(3.5 + 0.45 * n, 20.0)
    figure = Figure(figsize=(size + 1.0, size))
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    low = min(float(np.nanmin(matrix, initial=1.0)), 0.99)
    picture = axes.imshow(matrix, cmap="viridis", vmin=low, vmax=1.0)
    axes.set_xticks(range(n), names, rotation=90)
    axes.set_yticks(range(n), names)
    figure.colorbar(picture, ax=axes, label=f"cosine similarity, hidden layer {layer}", shrink=0.8)
    if n <= NUMBERS:
        middle = (low + 1.0) / 2
        for (row, column), value in np.ndenumerate(matrix):
            colour = "black" if value > middle else "white"
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=8)
    figure.savefig(path, dpi=150, format="png", bbox_inches="tight")
