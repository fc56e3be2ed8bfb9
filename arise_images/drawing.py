"""What was found, drawn over the image itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from arise_core.errors import check_type
from arise_core.explore.palette import COLOURS, INFORMATION
from arise_images.layers import DOUBTFUL, ImageRecognition
from arise_images.preparation import checked

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Pixels of a picture along its longer edge, and dots an inch.
LONGER, DPI = 1400, 150
#: Grey levels: shares of the pixels that are black and white.
DARKEST, BRIGHTEST = 0.01, 0.995


def draw_layer(image: Any, found: ImageRecognition) -> Figure:
    """The columns over the image: elements on the left, doubt on the right, odd rings of five and seven filled.

    Args:
        image: that the columns were found in.
        found: what they are.

    Raises:
        InputTypeError: `found` of another kind.
    """
    check_type("found", found, ImageRecognition, "an ImageRecognition")
    from matplotlib.figure import Figure

    values = checked(image)
    rows, columns = values.shape
    width = LONGER / DPI * min(columns / rows, 1.0)
    figure = Figure(figsize=(2 * width + 1.2, width * rows / columns + 0.7), dpi=DPI, layout="constrained")
    left, right = figure.subplots(1, 2)
    low, high = np.quantile(values, [DARKEST, BRIGHTEST])
    for panel in (left, right):
        panel.imshow(values, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
        panel.set_axis_off()
    _columns(left, found)
    _doubt(right, found)
    _rings(right, found)
    doubt = "" if np.isnan(found.doubt) else f", doubt {found.doubt:.2f} bit"
    figure.suptitle(f"{found.label}{doubt}".replace("$", r"\$"), fontsize="medium")
    return figure


def _size(panel: Any, found: ImageRecognition) -> float:
    """Area of a marker that is a third of the distance of columns wide, points²."""
    inches = panel.figure.get_size_inches()[0] / 2 / panel.images[0].get_array().shape[1]
    spacing = found.columns.spacing / found.columns.pixel_size
    return float(max((0.33 * spacing * inches * 72) ** 2, 0.5))


def _columns(panel: Any, found: ImageRecognition) -> None:
    columns = found.columns
    for kind in range(int(columns.kinds.max()) + 1):
        here = columns.kinds == kind
        panel.scatter(
            columns.pixels[here, 1], columns.pixels[here, 0], s=_size(panel, found), facecolors="none",
            edgecolors=COLOURS[(kind + 1) % len(COLOURS)], linewidths=0.7,
        )  # fmt: skip
    panel.set_title(f"{len(columns)} columns", fontsize="small")


def _doubt(panel: Any, found: ImageRecognition) -> None:
    columns, atoms = found.columns, found.local.atoms
    bad = found.defective
    shown = panel.scatter(
        columns.pixels[:, 1], columns.pixels[:, 0], s=_size(panel, found), c=atoms.mutual_information,
        cmap=INFORMATION, vmin=0.0, vmax=2 * DOUBTFUL, linewidths=0,
    )  # fmt: skip
    panel.scatter(
        columns.pixels[bad, 1], columns.pixels[bad, 0], s=2 * _size(panel, found), facecolors="none",
        edgecolors=COLOURS[5], linewidths=0.8,
    )  # fmt: skip
    panel.figure.colorbar(shown, ax=panel, label="mutual information (bit)", shrink=0.8)
    panel.set_title(f"{bad.mean():.1%} of the columns in defective regions (ringed)", fontsize="small")


def _rings(panel: Any, found: ImageRecognition) -> None:
    from matplotlib.collections import PolyCollection

    for size, colour in ((5, COLOURS[6]), (7, COLOURS[3])):
        corners = [
            found.columns.pixels[list(found.rings.members[k])][:, ::-1]
            for k in found.odd_rings.tolist()
            if found.rings.size[k] == size
        ]
        panel.add_collection(PolyCollection(corners, facecolors=colour, alpha=0.6, linewidths=0))
