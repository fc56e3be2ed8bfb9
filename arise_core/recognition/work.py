"""The work of a map: its boxes in slabs, one of which is described, asked and read off after the other.

A slab is some layers of tiles along the longest axis of the grid. Where slabs are cut follows from the grid alone, so
neither results nor sums of them depend on who worked on which. Small grids are one slab.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import overload

import numpy as np

from arise_core.engine.context import Context
from arise_core.engine.grid import BoxGrid, box_grid, grid_around, grids_of_sizes, refuse_empty
from arise_core.engine.tile import cuts
from arise_core.errors import InputError, check_type
from arise_core.geometry.arrays import BoolArray, IntArray
from arise_core.geometry.material import Material
from arise_core.geometry.structure import Structure
from arise_core.model.model import Model, check_model
from arise_core.model.sureness import Sureness
from arise_core.progress import Job
from arise_core.recognition.asking import Answers, Seen
from arise_core.recognition.sizes import answers_of_sizes
from arise_core.settings import MapSettings, SamplingSettings, Threshold, check_threshold

#: Species in a map, at most.
MAX_SPECIES = 20
#: Boxes of a slab, at least: enough tiles for all threads.
SLAB_BOXES = 65_536


@dataclass(frozen=True)
class Slab:
    """Layers of boxes [first, stop) along an axis of a grid."""

    number: int
    axis: int
    first: int
    stop: int

    def boxes(self, shape: tuple[int, int, int]) -> IntArray:
        """Indices of its boxes into the flattened grid, ascending, (n,)."""
        return layers(shape, self.axis, np.arange(self.first, self.stop))


def layers(shape: tuple[int, int, int], axis: int, chosen: IntArray) -> IntArray:
    """Indices of the boxes of some layers along an axis into the flattened grid, a block in their order, (n,)."""
    axes = [np.arange(n) for n in shape]
    axes[axis] = chosen
    return np.asarray(np.ravel_multi_index(np.meshgrid(*axes, indexing="ij"), shape).ravel())


def long_axis(grid: BoxGrid) -> int:
    """The axis along which a grid is cut into slabs."""
    return int(np.argmax(grid.shape))


def cuts_along(grid: BoxGrid, axis: int) -> list[tuple[int, int]]:
    """First layer of boxes and the one behind the last between places where a grid can be cut along an axis."""
    return cuts(grid)[axis]


def slabs_of(grid: BoxGrid, least: int) -> tuple[Slab, ...]:
    """The slabs of a grid, of so many boxes at least."""
    axis = long_axis(grid)
    layer = len(grid) // grid.shape[axis]
    ends = [0]
    for _, stop in cuts_along(grid, axis):
        if (stop - ends[-1]) * layer >= least:
            ends.append(stop)
    # what is left at the end is too little for a slab of its own
    ends = [*ends[:-1], grid.shape[axis]] if len(ends) > 1 else [0, grid.shape[axis]]
    return tuple(Slab(k, axis, *ends[k : k + 2]) for k in range(len(ends) - 1))


class _Contexts(Sequence[Context]):
    """What the tiles of the grids of all sizes share, each made when it is asked for first."""

    def __init__(self, grids: Sequence[BoxGrid], model: Model) -> None:
        self._grids, self._model = grids, model
        self._known: dict[int, Context] = {}

    def __len__(self) -> int:
        return len(self._grids)

    @overload
    def __getitem__(self, k: int) -> Context: ...
    @overload
    def __getitem__(self, k: slice) -> Sequence[Context]: ...
    def __getitem__(self, k: int | slice) -> Context | Sequence[Context]:
        assert isinstance(k, int)
        if k not in self._known:
            first = k == 0
            made = (
                Context.of(self._grids[0], self._model.descriptor)
                if first
                else self[0].of_size(self._grids[k])
            )
            self._known[k] = made
        return self._known[k]


@dataclass(frozen=True)
class MapWork:
    """All that a map of a structure is made of. Create with `MapWork.of`."""

    grids: tuple[BoxGrid, ...]  # of all sizes, the smallest boxes first
    model: Model
    rule: Sureness | None  # when a box is sure; None: there is one size
    sampling: SamplingSettings
    reject_threshold: Threshold
    slab_boxes: int  # of a slab, at least
    usual: int  # sizes up to the one asked for, or all if none is; larger ones are asked which class it is

    @classmethod
    def of(
        cls, structure: Structure | Material, model: Model, settings: MapSettings, sampling: SamplingSettings,
        reject_threshold: Threshold, slab_boxes: int | None = None,
    ) -> MapWork:  # fmt: skip
        """Checked: what cannot be done is refused before any work.

        Args:
            structure, model, settings, sampling, reject_threshold: see `strided_map`.
            slab_boxes: of a slab, at least; default: `SLAB_BOXES`.

        Raises:
            InputTypeError, InputError: see `strided_map`.
        """
        check_model(model)
        check_type("settings", settings, MapSettings, "MapSettings")
        check_type("sampling", sampling, SamplingSettings, "SamplingSettings")
        check_threshold(reject_threshold)
        settings = settings.resolved(several=model.knows_when_sure)
        largest = checked_grid(structure, settings)
        rule = sureness_for(model, settings)
        model.check_calibrated(reject_threshold, "local", settings, sampling)
        least = SLAB_BOXES if slab_boxes is None else slab_boxes
        grids = grids_of_sizes(largest)
        asked = float(largest.settings.box_size)
        usual = sum(float(g.settings.box_size) <= asked for g in grids) or len(grids)
        return cls(grids, model, rule, sampling, reject_threshold, least, usual)

    @property
    def grid(self) -> BoxGrid:
        """Of the largest boxes: that of the map."""
        return self.grids[-1]

    @property
    def edges(self) -> tuple[float, ...]:
        """Of the boxes of a sharp map, Å; (): all have one size."""
        return () if self.rule is None else tuple(float(g.settings.box_size) for g in self.grids)

    @cached_property
    def slabs(self) -> tuple[Slab, ...]:
        """Of the grid."""
        return slabs_of(self.grid, self.slab_boxes)

    @cached_property
    def _contexts(self) -> _Contexts:
        return _Contexts(self.grids, self.model)

    @cached_property
    def _around(self) -> Context | None:
        if self.rule is None:
            return None
        return self._contexts[0].of_size(grid_around(self.grids[self.usual - 1]))

    @cached_property
    def _layers(self) -> tuple[int, IntArray]:
        """The axis along which slabs are cut, and for each layer along it between which possible cuts it lies."""
        axis = long_axis(self.grid)
        ends = np.array([stop for _, stop in cuts_along(self.grid, axis)])
        return axis, np.searchsorted(ends, np.arange(self.grid.shape[axis]), side="right")

    def refuse_empty(self, kept: int) -> None:
        """Refuse boxes that are nearly all empty, or whose results are too much for the memory.

        Args:
            kept: probabilities that are kept of each box; 0: nothing is.

        Raises:
            MemoryLimitError: see `refuse_empty`.
        """
        layer = len(self.grid) // self.grid.shape[self.slabs[0].axis]
        at_once = layer * max(slab.stop - slab.first for slab in self.slabs)
        waiting = self.rule is not None and self.sampling.tolerance == "auto"  # for what their neighbours say
        held = 4 * self.model.descriptor.n_features if waiting else 0
        refuse_empty(self.grid, len(self.model.classes), at_once, kept, held)

    def answers(self, slab: Slab, seen: Seen | None = None) -> Job[Answers]:
        """What the model says of the boxes of a slab, as a job.

        Args:
            slab: one of `slabs`.
            seen: called with each batch of descriptors.
        """
        among: BoolArray | None = None
        if len(self.slabs) > 1:
            among = np.zeros(len(self.grid), dtype=bool)
            among[slab.boxes(self.grid.shape)] = True
        found = yield from answers_of_sizes(
            self._contexts,
            self.usual,
            self._around,
            self.model,
            self.rule,
            self.sampling,
            self.reject_threshold,
            self._layers,
            seen,
            among,
        )
        if self.grid.material.flat:
            found = replace(found, prediction=found.prediction.without_bulk(slice(None)))
        return found

    def warn_if_empty(self, valid: int, n_atoms: int) -> None:
        """Warn if no box has a prediction.

        Args:
            valid: boxes with one.
            n_atoms: in the fullest box.
        """
        if not valid:
            warnings.warn(
                f"no box holds `min_atoms` ({self.grid.settings.min_atoms}) atoms (at most {n_atoms}): the map is NaN",
                stacklevel=3,
            )


def checked_grid(structure: Structure | Material, settings: MapSettings) -> BoxGrid:
    """The boxes of a structure, which is refused if a map cannot be made of it.

    Raises:
        InputError: overlapping atoms, or more species than a map takes.
    """
    material = Material.of(structure)
    material.check_overlaps()
    grid = box_grid(material, settings)
    if len(grid.structure.species) > MAX_SPECIES:
        raise InputError(
            f"`numbers` has {len(grid.structure.species)} species, a map takes at most {MAX_SPECIES}: pairs of species "
            "grow as their square. Give alike ones one element, or recognise the structure as a whole"
        )
    return grid


def sureness_for(model: Model, settings: MapSettings) -> Sureness | None:
    """The rule by which boxes of several sizes answer; None where they have one.

    Raises:
        InputError: several sizes of a model that was never calibrated.
    """
    if settings.resolution != "sharp":
        return None
    if model.sureness is None:
        raise InputError(
            f"`resolution` must be 'single' with model {model.name!r}, which does not know when it is sure "
            f"(`arise sharpen` finds that out), got {settings.resolution!r}"
        )
    return model.sureness
