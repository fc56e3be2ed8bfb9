"""Pictures that commands draw."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from arise_core.geometry.arrays import FloatArray

#: Up to so many structures the picture shows numbers.
NUMBERS = 14
#: Longest name in the picture.
WIDEST = 32


def draw(matrix: FloatArray, names: list[str], path: Path, layer: int) -> None:
    """Heat map of a similarity matrix, as PNG.

    Args:
        matrix: (n, n), cosines; NaN stays white.
        names: of the structures, n.
        path: of the picture.
        layer: hidden layer, for the scale.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    n = len(names)
    names = [name if len(name) <= WIDEST else f"…{name[-WIDEST:]}" for name in names]
    names = [name.replace("$", r"\$") for name in names]  # a name is no formula
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
