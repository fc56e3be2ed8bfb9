"""Pictures that commands draw."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from arise_core.geometry.arrays import FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(matrix: FloatArray, names: list[str], path: Path, layer: int) -> None:
    """Heat map of a similarity matrix in the order of the names, as PNG.

    Args:
        matrix: (n, n), cosines; NaN stays white.
        names: of the structures, n.
        path: of the picture.
        layer: hidden layer, for the scale.
    """
    from arise_core.explore.figures import draw_similarity

    axes = draw_similarity(matrix, names, layer, ordered=False)
    cast("Figure", axes.get_figure(root=True)).savefig(path, dpi=150, format="png", bbox_inches="tight")
