"""What all tiles of a grid share: survey and support of the structure, widths and windows of the boxes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from threading import Event

import numpy as np

from arise_core.descriptor.covariance import BoxWindow, Covariance, NoWindow, Window
from arise_core.descriptor.soap import Survey, survey
from arise_core.engine.cells import Cells
from arise_core.engine.fill import FULL, MAP_VOXELS, MOST, filled_share, material_inside, node_places
from arise_core.engine.grid import BoxGrid
from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray
from arise_core.geometry.support import Support, support
from arise_core.settings import DescriptorSettings


@dataclass(frozen=True)
class Context:
    """What all tiles of a grid share."""

    grid: BoxGrid
    settings: DescriptorSettings
    survey: Survey
    support: Support | None  # None: every box is taken as full
    filled: FloatArray | None  # grid shape, share of each box (less what borders cut off) that is material
    cells: Cells  # the atoms, so that those of a tile are found without looking at all
    widths: tuple[FloatArray, ...]  # clipped width of the boxes along each axis, fractions
    wanted: BoolArray | None = None  # (n_boxes,), which boxes are; None: all
    stopped: Event = field(default_factory=Event)  # set when nobody wants the rest any more

    @classmethod
    def of(cls, grid: BoxGrid, settings: DescriptorSettings) -> Context:
        """Survey the structure and find its support if edges are to be exact."""
        found = survey(grid.material, settings)
        material: Support | None = None
        filled: FloatArray | None = None
        if settings.window and grid.settings.edges == "exact":
            material = support(grid.material, max_voxels=MAP_VOXELS)
            if material.full:
                material = None
            else:
                filled = filled_share(grid, material)
        widths = tuple(grid.clipped_width(k) for k in range(3))
        return cls(grid, settings, found, material, filled, Cells.of(grid), widths)

    @cached_property
    def nodes(self) -> tuple[FloatArray, FloatArray]:
        """Where the nodes of the support are, see `node_places`."""
        assert self.support is not None  # else there is none
        return node_places(self.grid, self.support)

    def of_size(self, grid: BoxGrid) -> Context:
        """The same for boxes of another size over the same structure."""
        filled = None if self.support is None else filled_share(grid, self.support)
        widths = tuple(grid.clipped_width(k) for k in range(3))
        return replace(self, grid=grid, filled=filled, widths=widths, wanted=None, stopped=Event())

    def is_wanted(self, boxes: IntArray) -> BoolArray:
        """Which boxes (indices into the flattened grid) somebody wants, of the shape of `boxes`."""
        return np.ones(np.shape(boxes), dtype=bool) if self.wanted is None else self.wanted[boxes]

    def is_full(self, boxes: IntArray) -> BoolArray:
        """Which boxes (indices into the flattened grid) are taken as full of material, of the shape of `boxes`."""
        if self.filled is None:
            return np.ones(np.shape(boxes), dtype=bool)
        return np.asarray(self.filled.ravel()[boxes] >= FULL)

    def is_mostly_full(self, boxes: IntArray, share: float = MOST) -> BoolArray:
        """Which boxes are full, or so full that sums of full boxes can be corrected, of the shape of `boxes`.

        Args:
            boxes: indices into the flattened grid.
            share: of each that is material, at least.
        """
        if self.filled is None:
            return np.ones(np.shape(boxes), dtype=bool)
        return np.asarray(self.filled.ravel()[boxes] >= share)

    def width(self, box: int) -> FloatArray:
        """Clipped width of a box, (3,), fractions."""
        return np.asarray(self.box_widths(np.array([box]))[0])

    def box_widths(self, boxes: IntArray) -> FloatArray:
        """Clipped widths of some boxes (n,), (n, 3), fractions."""
        return self.widths_at(np.stack(np.unravel_index(boxes, self.grid.shape), axis=1))

    def widths_at(self, places: IntArray) -> FloatArray:
        """Clipped widths of boxes with some numbers along each axis (n, 3), also behind the grid where it repeats."""
        return np.stack([w[places[:, k] % len(w)] for k, w in enumerate(self.widths)], axis=1)

    def window(self, box: int) -> Window:
        """The window of a box: its flat faces, or the material inside if that is not all of it."""
        if not self.settings.window:
            return NoWindow()
        width = self.width(box)
        if self.support is not None and not self.is_full(np.array(box)):
            inside = material_inside(self.grid, self.support, box, width)
            if inside.inside.any():
                return Covariance(inside, self.settings.floor, np.inf)
        return BoxWindow(self.grid.cell, width, self.settings.floor)
