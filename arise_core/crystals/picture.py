"""Pictures of the cells of prototypes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import ase.data
import ase.data.colors
import numpy as np

from arise_core.crystals.ideal import conventional
from arise_core.crystals.search import pearson
from arise_core.crystals.table import Prototype
from arise_core.errors import InputError
from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.geometry.cell import inverse, transformed
from arise_core.geometry.structure import Structure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Cells in one picture, at most, and side by side.
MOST = 12
ACROSS = 4
#: Fraction of a cell within which an atom lies on its border, and is drawn on all sides that it belongs to.
BORDER = 0.01


def draw_cells(chosen: Sequence[Prototype]) -> Figure:
    """The conventional cells of some classes with their atoms, side by side in one figure of matplotlib.

    Atoms on a face, edge or corner are drawn on each that they belong to; colours are those of the elements.

    Args:
        chosen: classes, up to 12.

    Raises:
        InputError: none, or more.
    """
    from matplotlib.figure import Figure

    if not 1 <= len(chosen) <= MOST:
        raise InputError(
            f"`chosen` must be 1 to {MOST} classes to be drawn, got {len(chosen)}: ask for fewer"
        )
    across = min(ACROSS, len(chosen))
    down = -(-len(chosen) // across)
    figure = Figure(figsize=(3.6 * across, 4.0 * down))
    for k, prototype in enumerate(chosen):
        panel: Any = figure.add_subplot(down, across, k + 1, projection="3d")
        _draw(panel, conventional(prototype))
        symbols = [prototype.strukturbericht, pearson(prototype)]
        below = ", ".join(s for s in symbols if s) or prototype.material
        panel.set_title(f"{prototype.name}\n{below}", fontsize=10)
    figure.subplots_adjust(
        left=0.02, right=0.98, bottom=0.02, top=1 - 0.5 / (4.0 * down), wspace=0.05, hspace=0.15
    )
    return figure


def atoms_drawn(structure: Structure) -> tuple[FloatArray, IntArray]:
    """Positions (n, 3) Å and numbers (n,) of the atoms of a cell, those on its border on all sides of it."""
    periodic = structure.pbc
    fractional = transformed(structure.positions, inverse(structure.complete_cell))
    fractional -= np.where(periodic, np.floor(fractional + BORDER), 0.0)
    steps = np.array(list(itertools.product(*((0, 1) if p else (0,) for p in periodic))))
    images = (fractional[:, None] + steps).reshape(-1, 3)
    inside = (np.where(periodic, images, 0.0) <= 1 + BORDER).all(axis=1)
    numbers = np.repeat(structure.numbers, len(steps))
    return transformed(images[inside], structure.complete_cell), numbers[inside]


def _draw(panel: Any, structure: Structure) -> None:
    cell = structure.complete_cell
    corners = np.array(list(itertools.product((0.0, 1.0), repeat=3)))
    for a, b in itertools.combinations(corners, 2):
        if np.abs(a - b).sum() == 1:
            panel.plot(*transformed(np.array([a, b]), cell).T, color="0.5", linewidth=0.8)
    positions, numbers = atoms_drawn(structure)
    size = np.ptp(transformed(corners, cell), axis=0).max()
    for z in np.unique(numbers):
        radius = ase.data.covalent_radii[z] * 0.5
        panel.scatter(
            *positions[numbers == z].T, s=(150 * radius / size) ** 2, color=[ase.data.colors.jmol_colors[z]],
            edgecolors="black", linewidths=0.5, depthshade=False, label=ase.data.chemical_symbols[z],
        )  # fmt: skip
    panel.legend(loc="lower right", fontsize=8, markerscale=0.5)
    panel.set_proj_type("ortho")
    panel.set_box_aspect(np.ptp(transformed(corners, cell), axis=0))
    panel.view_init(elev=14, azim=-68)
    panel.set_axis_off()
