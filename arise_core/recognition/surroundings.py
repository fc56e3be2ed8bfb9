"""What large boxes say of the surroundings of small ones, which cannot tell some crystals from each other."""

from __future__ import annotations

import itertools

import numpy as np

from arise_core.engine.context import Context
from arise_core.engine.grid import BoxGrid
from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray
from arise_core.model.classes import MISSING
from arise_core.model.prediction import Prediction
from arise_core.model.sureness import Sureness, answers, expected_error
from arise_core.progress import Job, part
from arise_core.recognition.asking import Asker

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
        index = np.unravel_index(boxes[rows], self._shape)
        near = np.ravel_multi_index([self._nearest[k][index[k]] for k in range(3)], self._context.grid.shape)
        yield from self._know(np.unique(near))
        out = np.zeros(len(boxes))
        out[rows] = (self._probabilities[near] * (confused[rows] > n_atoms[rows, None])).sum(axis=1)
        return out

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
        self._answer[done], self._known[done] = said[same, 0], True
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
        self._answer[said.boxes] = np.where(expected_error(p) <= self._error, answers(p), MISSING)
        self._known |= wanted
