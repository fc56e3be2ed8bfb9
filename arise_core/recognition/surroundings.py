"""What large boxes say of the surroundings of small ones, which cannot tell some crystals from each other."""

from __future__ import annotations

import itertools
from functools import cached_property
from typing import Any

import numpy as np

from arise_core.engine.context import Context
from arise_core.engine.grid import BoxGrid
from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray
from arise_core.model.classes import MISSING
from arise_core.model.prediction import Prediction
from arise_core.model.sureness import Sureness, answers, expected_error
from arise_core.progress import Job, part
from arise_core.recognition.asking import Asker

#: Shares of centres that are most, and of large boxes that are nearly all.
MOST, NEARLY_ALL = 0.6, 0.8
#: Share of centres that are many, and that are some; centres at a large box, at least, of which a share is looked at;
#: share of the large boxes that are everywhere.
MANY, SOME, LEAST, MOST_PLACES = 0.2, 0.05, 4, 0.87
#: How much the share of an element changes from one side of a border of two compositions to the other, at least.
PARTED = 0.3
#: Atoms in which shares of elements are looked at, at least.
FEW = 8
#: Boxes that lie side by side may be so far apart, as a share of their width.
TOUCHING = 0.05


class Surroundings:
    """What large boxes around the centres of a map say, asked as far as somebody wants to know it."""

    def __init__(
        self,
        context: Context,
        centers: BoxGrid,
        rule: Sureness,
        asker: Asker,
        by_tiles: bool,
    ) -> None:
        """
        Args:
            context: of the large boxes (`grid_around`).
            centers: boxes around which they are looked up.
            rule: see `answers_of_sizes`.
            asker: of boxes that are looked up.
            by_tiles: whether boxes of which those that cover them say the same need not be asked.
        """
        self._context, self._asker, self._error = context, asker, rule.error
        grid = context.grid
        self._by_tiles = by_tiles and bool((grid.width >= (2 - TOUCHING) * grid.step).all())
        self._shape, self._nearest = centers.shape, context.grid.nearest(centers)
        self._confused = rule.confused(asker.model.classes).astype(np.int32)
        n = len(context.grid)
        self._known = np.zeros(n, dtype=bool)
        self._answer = np.full(n, MISSING, dtype=np.int16)  # of what is sure, else -1
        self._told = np.zeros(n, dtype=bool)  # whether there is an answer, sure or not
        self._probabilities = np.zeros((n, len(asker.model.classes)), dtype=np.float32)

    def of_relatives(self, boxes: IntArray, found: Prediction, n_atoms: IntArray) -> Job[FloatArray]:
        """Probability that it is a class which such small boxes take for their answer, as a job, (n,).

        Args:
            boxes: indices into the flattened grid of the centres, (n,).
            found: their answers.
            n_atoms: in them, (n,).
        """
        confused = self._confused[answers(found)]
        rows = np.flatnonzero(found.valid & (confused > n_atoms[:, None]).any(axis=1))
        near = self.around(boxes[rows])
        yield from self._know(np.unique(near))
        out = np.zeros(len(boxes))
        out[rows] = (self._probabilities[near] * (confused[rows] > n_atoms[rows, None])).sum(axis=1)
        return out

    def around(self, boxes: IntArray) -> IntArray:
        """The large box whose centre is nearest to each of some centres, (n,)."""
        index = np.unravel_index(boxes, self._shape)
        nearest = [self._nearest[k][index[k]] for k in range(3)]
        return np.asarray(np.ravel_multi_index(nearest, self._context.grid.shape))

    def unknown(self, boxes: IntArray) -> Job[BoolArray]:
        """Whether the large box around each centre, and nearly all beside it, are not sure of a class, as a job, (n,).

        Boxes with a border of two compositions in them do not count.
        """
        large = self.around(boxes)
        yield from self._know(np.unique(large))
        out = self._unsure[large]
        some, place = np.unique(large[out], return_inverse=True)
        shape = np.array(self._context.grid.shape)
        steps = np.array(list(itertools.product((-1, 0, 1), repeat=3)))
        at = np.stack(np.unravel_index(some, tuple(shape)), axis=1)[:, None] + steps
        inside = (self._context.grid.pbc | ((at >= 0) & (at < shape))).all(axis=2)
        near = np.ravel_multi_index(tuple(np.moveaxis(at % shape, 2, 0)), tuple(shape))
        yield from self._know(np.unique(near[inside]))
        told = inside & self._told[near] & ~self._parted[near]
        out[out] = ((told & self._unsure[near]).sum(axis=1) >= NEARLY_ALL * told.sum(axis=1))[place]
        return out

    @property
    def _unsure(self) -> BoolArray:
        """Large boxes that are known to be rejected, or not sure of a class, and not `_parted`, (n_boxes,)."""
        named = (self._answer != MISSING) & (self._answer < self._probabilities.shape[1])
        unsure = self._told & ~named
        return np.asarray(unsure & ~self._parted) if unsure.any() else unsure

    @cached_property
    def _parted(self) -> BoolArray:
        """Large boxes with other elements on one side than in the middle or on the other, by `PARTED`, (n_boxes,)."""
        grid = self._context.grid
        species, kind = np.unique(grid.structure.numbers, return_inverse=True)
        parted = np.zeros(grid.shape, dtype=bool)
        if len(species) == 1:
            return parted.ravel()
        at = np.rint((grid.wrapped_coordinates() - grid.start - grid.width / 2) / grid.step).astype(np.int64)
        shape = np.array(grid.shape)
        at = np.where(grid.pbc, at % shape, at.clip(0, shape - 1))
        place = np.ravel_multi_index(tuple(at.T), grid.shape) * len(species) + kind
        atoms = np.bincount(place, minlength=len(grid) * len(species)).reshape(*grid.shape, -1)
        total = atoms.sum(axis=3, keepdims=True)
        share = np.where(total >= FEW, atoms / np.maximum(total, 1), np.nan)
        for axis in range(3):
            before, behind = (_moved(share, way, axis, bool(grid.pbc[axis]), np.nan) for way in (1, -1))
            for a, b in ((before, share), (behind, share), (before, behind)):
                parted |= (np.abs(a - b) > PARTED).any(axis=3)
        return parted.ravel()

    def filled(self, boxes: IntArray, parts: IntArray, named: BoolArray) -> BoolArray:
        """Which centres have a name and most (`MOST`) of those around them too, or many (`MANY`) everywhere, (n,).

        Around are those nearest to the same large box, and to the ones beside it. Everywhere is twice as far, and at
        nearly all large boxes there some have a name (`SOME`): beyond a small crystal in a melt none has.

        Args:
            boxes: all centres with an answer, (n,).
            parts: numbers of the parts of the grid that they lie in; those in other parts do not count.
            named: which have a name, (n,).
        """
        grid = self._context.grid
        names, number = np.unique(parts, return_inverse=True)
        shape = (len(names), *grid.shape)
        place = number * len(grid) + self.around(boxes)
        count = np.stack([
            np.bincount(some, minlength=len(names) * len(grid)).reshape(shape) for some in (place[named], place)
        ])  # fmt: skip
        told = count[1] >= LEAST
        some = told & (count[0] >= np.maximum(SOME * count[1], 1))
        near = self._summed_around(count)
        named_far, all_far, some_far, told_far = self._summed_around(
            self._summed_around(np.stack([*count, some, told]).astype(np.int64))
        )
        everywhere = (told_far > 0) & (some_far >= MOST_PLACES * told_far)
        filled = (near[0] >= MOST * near[1]) | (everywhere & (named_far >= MANY * all_far))
        return np.asarray(named & filled.ravel()[place])

    def _summed_around(self, count: IntArray) -> IntArray:
        """Numbers at large boxes, (..., *shape), with those of the ones beside them."""
        for axis in range(3):
            count = _with_those_beside(count, axis - 3, wrap=bool(self._context.grid.pbc[axis]))
        return count

    def _know(self, boxes: IntArray) -> Job[None]:
        """Find out what boxes say: by those that cover them, where these are sure and say the same, or by themselves.

        Boxes with even numbers along all axes (tiles) lie side by side; any other one is covered by two, four or eight
        of them. What is known of a box does not depend on which others somebody wanted.
        """
        boxes = boxes[~self._known[boxes]]
        tiles, covered = self._tiles(boxes)
        yield from part(self._ask(np.append(tiles[covered], boxes[~covered])), 0.0, 0.8)
        boxes, tiles = boxes[covered], tiles[covered]
        said = self._answer[tiles]
        same = (said == said[:, :1]).all(axis=1) & (said[:, 0] != MISSING)
        done = boxes[same]
        self._probabilities[done] = self._probabilities[tiles[same]].mean(axis=1)
        self._answer[done], self._known[done], self._told[done] = said[same, 0], True, True
        yield from part(self._ask(boxes[~same]), 0.8, 1.0)

    def _tiles(self, boxes: IntArray) -> tuple[IntArray, BoolArray]:
        """Tiles over boxes (n,), (n, 8), some of them more than once, and whether they cover these and are others."""
        grid = self._context.grid
        shape = np.array(grid.shape)
        index = np.stack(np.unravel_index(boxes, grid.shape), axis=1)
        odd = index % 2
        steps = np.array(list(itertools.product((-1, 1), repeat=3)))
        at = index[:, None] + odd[:, None] * steps
        inside = (grid.pbc | ((at >= 0) & (at < shape))).all(axis=(1, 2))
        covered = inside & odd.any(axis=1) & self._by_tiles
        return np.ravel_multi_index(tuple(np.moveaxis(at % shape, 2, 0)), grid.shape), np.asarray(covered)

    def _ask(self, boxes: IntArray) -> Job[None]:
        """Ask those of some boxes that are not known yet."""
        wanted = np.zeros(len(self._known), dtype=bool)
        wanted[boxes] = True
        wanted &= ~self._known
        if not wanted.any():
            return
        said = yield from self._asker.every(self._context, wanted)
        p = said.prediction
        named = np.where(p.valid, 1 - p.reject_score, 0.0)
        self._probabilities[said.boxes] = np.nan_to_num(p.probabilities) * named[:, None]
        self._told[said.boxes] = p.valid
        self._answer[said.boxes] = np.where(expected_error(p) <= self._error, answers(p), MISSING)
        self._known |= wanted


def _moved(values: Any, way: int, axis: int, wrap: bool, border: float) -> Any:
    """Values of a grid moved by one along an axis; what comes in where it does not repeat has a value of its own."""
    moved = np.roll(values, way, axis=axis)
    if not wrap:
        moved[tuple((0 if way > 0 else -1) if k == axis else slice(None) for k in range(values.ndim))] = (
            border
        )
    return moved


def _with_those_beside(count: IntArray, axis: int, wrap: bool) -> IntArray:
    """Each number along an axis with those before and behind it."""
    n, axis = count.shape[axis], axis % count.ndim
    ways = (1, -1) if n > 2 or not wrap else (1,) if n == 2 else ()
    return np.asarray(count + sum(_moved(count, way, axis, wrap, 0) for way in ways))
