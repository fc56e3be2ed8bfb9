"""Boxes of several sizes around the same centres: each centre has the answer of the smallest box that is sure.

Small boxes cannot tell some crystals from each other. So what they are sure of is looked up in a coarse map of the
largest boxes (`Surroundings`), and does not hold where those around say a class that small boxes take for it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from arise_core.engine.boxes import BoxDescriptors
from arise_core.engine.context import Context
from arise_core.engine.grid import BoxGrid
from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray
from arise_core.model.classes import MISSING
from arise_core.model.model import Model
from arise_core.model.prediction import ROWS, Prediction
from arise_core.model.sureness import NO_ANSWER, NOT_SURE, Sureness, answers, expected_error
from arise_core.progress import Job, Step, part
from arise_core.recognition.asking import BATCH, Answers, Asker, Seen
from arise_core.recognition.neighbours import LEVELS, Neighbours, tolerated
from arise_core.settings import SamplingSettings, Threshold

#: Passes of boxes that a larger one may answer for, at most: as many as in calibration. What is sure has the tolerance
#: by then; what is not would run on and yet not be the answer.
TRIAL_PASSES = 64
#: Boxes that lie side by side may be so far apart, as a share of their width.
TOUCHING = 0.05
#: Share of the work on boxes of a size that is done when all of them are described.
DESCRIBED = 0.7


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


class _Found:
    """What is known of the centres so far: the best answer of each, its expected error, and who gave it."""

    def __init__(self, boxes: IntArray, n: int, rule: Sureness, surroundings: Surroundings) -> None:
        """
        Args:
            boxes: indices of the centres that are asked, ascending, (n_boxes,).
            n: centres of the grid.
            rule, surroundings: see `answers_of_sizes`.
        """
        self._boxes, self._rule, self._surroundings = boxes, rule, surroundings
        self._row = np.full(n, -1, dtype=np.int32)
        self._row[boxes] = np.arange(len(boxes))
        self.error = np.full(len(boxes), np.inf)
        self._size = np.full(len(boxes), -1, dtype=np.int8)
        self._kept: Answers | None = None
        self._smallest: list[
            tuple[IntArray, Prediction]
        ] = []  # rows, answers of smallest boxes that are not sure

    def take(self, said: Answers, k: int, last: bool) -> Job[tuple[IntArray, IntArray, BoolArray]]:
        """Take answers of boxes of size k where they are better than what there is, as a job.

        Args:
            said: the answers.
            k: number of the size.
            last: whether there is no larger one.

        Returns:
            What holds now and came from these: boxes, answers, and which are sure, (n,) each.
        """
        rows = self._row[said.boxes].astype(np.int64)
        new = self._rule.errors(said.prediction, said.n_atoms, last)
        mistaken = np.zeros(len(rows), dtype=bool)
        if not last:
            looking = self._surroundings.of_relatives(said.boxes, said.prediction, said.n_atoms)
            mistaken = (yield from looking) > self._rule.error
            new[mistaken] = NOT_SURE
        better = self._put(rows, said, new, k)
        if k == 0:
            unsure = (self.error[rows] > self._rule.error) & ~mistaken
            self._smallest.append((rows[unsure], said.prediction.take(unsure)))
        index = answers(said.prediction)[better]
        return said.boxes[better], index, self.error[rows[better]] <= self._rule.error

    def _put(self, rows: IntArray, said: Answers, error: FloatArray, k: int) -> BoolArray:
        """Keep what is better than what there is; which that was, (n,)."""
        if self._kept is None:
            self._kept = replace(Answers.room(len(self._boxes), said), boxes=self._boxes)
        better = error < self.error[rows]
        self.error[rows[better]] = error[better]
        self._size[rows[better & (error < NO_ANSWER)]] = k
        self._kept.put(rows[better], said, better)
        return np.asarray(better)

    def scatter(self, near: IntArray) -> FloatArray:
        """Standard deviation of the mutual information among neighbours (n, n_near), -1 for none, (n,), bit."""
        assert self._kept is not None
        values = self._kept.prediction.mutual_information[self._row[near]]
        return np.asarray(np.std(values, axis=1, where=near >= 0))

    def settle(self, boxes: IntArray, n_atoms: IntArray, error: FloatArray, near: IntArray, k: int) -> None:
        """Give centres the mean of what their neighbours have.

        The standard error of the mutual information has that among the neighbours on top.

        Args:
            boxes: of the centres, (n,).
            n_atoms: in their boxes of size k, (n,).
            error: expected, of what these say themselves, (n,).
            near: (n, n_near), the neighbours, -1 for none.
            k: number of the size.
        """
        assert self._kept is not None
        known = near >= 0
        weight = (known / known.sum(axis=1, keepdims=True)).astype(np.float32)
        rows = self._row[near]
        columns: dict[str, Any] = {}
        for name in ROWS:
            column = getattr(self._kept.prediction, name)
            columns[name] = np.zeros((len(boxes), *column.shape[1:]), dtype=column.dtype)
            if name == "passes":
                continue
            for j in range(near.shape[1]):
                share = weight[:, j].reshape(-1, *(1,) * (column.ndim - 1))
                columns[name] += share * np.where(share > 0, column[rows[:, j]], 0)
        columns["standard_error"] = np.hypot(columns["standard_error"], self.scatter(near))
        said = Answers(boxes, replace(self._kept.prediction, **columns), n_atoms)
        self._put(self._row[boxes].astype(np.int64), said, error, k)

    def settle_amid(self, neighbours: Neighbours, k: int) -> None:
        """Let centres that are not sure stay what they say if all around say the same, at least half of them for sure.

        A larger box would say so too, since it holds much of theirs. Not where small boxes are mistaken.
        """
        assert self._kept is not None
        rows = np.flatnonzero((self.error > self._rule.error) & (self.error < NOT_SURE))
        boxes = self._boxes[rows]
        around, near = neighbours.alike(boxes, lower=False)
        near[
            (near < 0) | (self.error[self._row[near]] > self._rule.error)
        ] = -1  # it has the mean of sure ones
        chosen = np.flatnonzero((around != MISSING) & (around == neighbours.answers(boxes)))
        n_classes = len(self._kept.prediction.classes)
        chosen = chosen[self.scatter(near[chosen]) <= tolerated(around[chosen], n_classes)]
        rows, boxes, near = rows[chosen], boxes[chosen], near[chosen]
        error = np.mean(self.error[self._row[near]], axis=1, where=near >= 0)
        self.settle(boxes, self._kept.n_atoms[rows], np.minimum(error, self._rule.error), near, k)
        neighbours.note(boxes, around[chosen], np.ones(len(boxes), dtype=bool))

    def result(self) -> Answers:
        """The best answers, where small boxes say something else with the doubt of both."""
        assert self._kept is not None  # the smallest boxes are wanted everywhere
        for rows, smallest in self._smallest:
            larger = self._size[rows] > 0
            replaced = rows[larger]
            both = doubt_of_both(smallest.take(larger), self._kept.prediction.take(replaced))
            for name in ("mutual_information", "predictive_entropy", "standard_error"):
                getattr(self._kept.prediction, name)[replaced] = getattr(both, name)
        return replace(self._kept, size=self._size)


def answers_of_sizes(
    contexts: Sequence[Context], around: Context | None, model: Model, rule: Sureness | None,
    sampling: SamplingSettings, reject_threshold: Threshold, layers: tuple[int, IntArray],
    seen: Seen | None = None, among: BoolArray | None = None,
) -> Job[Answers]:  # fmt: skip
    """Answers for all centres, or some of them, in grid order.

    The smallest boxes are asked everywhere, larger ones where none was sure yet. A centre of which no size is sure
    has the answer with the least expected error. Where the smallest box names another class than a larger one that
    answers, the doubt is that of both, see `doubt_of_both`; not where such boxes are known to mistake what is around.

    With the tolerance "auto" boxes whose neighbours have settled what they are need no passes: see `_level_by_level`.

    Args:
        contexts: of grids with the same centres, the smallest boxes first (`grids_of_sizes`).
        around: of large boxes that say what is around (`grid_around`); None: there is one size.
        model: whose answers are wanted.
        rule: when it is sure; None: there is one size, and nothing to decide.
        sampling: of the network; with a tolerance, boxes that a larger one may answer for have `TRIAL_PASSES` at most.
        reject_threshold: see `strided_map`.
        layers: an axis, and for each layer of boxes along it the number of its block, see `Neighbours`.
        seen: called with each batch of descriptors, in whatever order.
        among: (n_boxes,), the centres that are asked; None: all.
    """
    asker = Asker(model, sampling, reject_threshold, seen)
    if rule is None:
        return (yield from asker.every(contexts[0], among))
    trial = asker
    if sampling.tolerance is not None:
        few = replace(sampling, passes=min(sampling.passes, TRIAL_PASSES))
        trial = replace(asker, sampling=few, hopeless=rule.error)
    assert around is not None  # there are several sizes
    grid = contexts[0].grid
    by_others = sampling.tolerance == "auto"  # else each box is worth its own passes
    surroundings = Surroundings(around, grid, rule, replace(trial, seen=None, hopeless=None), by_others)
    n = len(grid)
    boxes = np.arange(n) if among is None else np.flatnonzero(among)
    found = _Found(boxes, n, rule, surroundings)
    neighbours = Neighbours(grid.shape, grid.pbc, *layers) if by_others else None
    for k in range(len(contexts)):
        last = k == len(contexts) - 1
        rows = np.flatnonzero(found.error > rule.error)
        if not len(rows):
            break
        wanted = np.zeros(n, dtype=bool)
        wanted[boxes[rows]] = True
        by = asker if last else trial
        if neighbours is None or last:  # few are settled there
            job = _all_at_once(contexts[k], wanted, by, found, k, last)
        else:
            job = _level_by_level(contexts[k], wanted, by, rule, found, neighbours, k, last)
        yield from part(job, 1 - 0.5**k, 1.0 if last else 1 - 0.5 ** (k + 1))
        if neighbours is not None and not last:
            found.settle_amid(neighbours, k)
    yield Step(1.0)
    return found.result()


def _all_at_once(
    context: Context, wanted: BoolArray, asker: Asker, found: _Found, k: int, last: bool
) -> Job[None]:
    """Boxes of a size, all of them asked."""
    said = yield from part(asker.every(context, wanted), 0.0, 0.8)
    yield from part(found.take(said, k, last), 0.8, 1.0)


def _level_by_level(
    context: Context, wanted: BoolArray, asker: Asker, rule: Sureness, found: _Found, neighbours: Neighbours, k: int,
    last: bool,
) -> Job[None]:  # fmt: skip
    """Boxes of a size, those of higher levels asked only where it is not settled what they are.

    A centre is settled if the network, nothing dropped, is sure of its own box, its neighbours of lower levels say the
    same (`Neighbours.alike`), and their mutual information scatters less than passes have to reach. Then it has the
    mean of what these have.
    """
    n, n_classes = int(wanted.sum()), len(asker.model.classes)
    waiting: list[BoxDescriptors] = []
    first: list[BoxDescriptors] = []
    said: list[Answers] = []
    held, before = 0, 0.0
    for described, batch in asker.batches(context, wanted):
        share = DESCRIBED * described / n
        yield Step(before, "descriptors of boxes")
        if batch is not None:
            lowest = np.flatnonzero(neighbours.levels(batch.boxes) == 0)
            first.append(batch.take(lowest))
            waiting.append(batch)
            held += len(lowest)
        if held >= BATCH or described == n:
            said.append((yield from part(asker.ask(BoxDescriptors.joined(first)), before, share)))
            first.clear()
            held, before = 0, share
    job = found.take(Answers.joined(said), k, last)
    neighbours.note(*(yield from part(job, DESCRIBED, 0.8)))
    for level in range(1, LEVELS):
        begin, end = 0.7 + 0.1 * level, 0.8 + 0.1 * level
        rest: list[BoxDescriptors] = []
        settled: list[tuple[IntArray, IntArray]] = []  # boxes, answers
        for batch in waiting:
            rows = np.flatnonzero(neighbours.levels(batch.boxes) == level)
            around, near = neighbours.alike(batch.boxes[rows])
            done = np.flatnonzero(around != MISSING)
            done = done[found.scatter(near[done]) <= tolerated(around[done], n_classes)]
            some = batch.take(rows[done])
            look = asker.look(some)
            error = rule.errors(look, some.n_atoms, last)
            agreed = (answers(look) == around[done]) & (error <= rule.error)
            done, some = done[agreed], some.take(agreed)
            found.settle(some.boxes, some.n_atoms, error[agreed], near[done], k)
            settled.append((some.boxes, around[done]))
            rest.append(batch.take(np.delete(rows, done)))
        if any(len(batch.boxes) for batch in rest):
            answer = yield from part(asker.ask(BoxDescriptors.joined(rest)), begin, end)
            neighbours.note(*(yield from part(found.take(answer, k, last), end, end)))
        for boxes, index in settled:
            neighbours.note(boxes, index, np.ones(len(boxes), dtype=bool))


def doubt_of_both(smaller: Prediction, answers: Prediction) -> Prediction:
    """Answers with the doubt that comes from smaller boxes around the same centres.

    Where both name a class, neither of them rejected, and it is not the same, the two boxes count as an ensemble, like
    the passes within each: the predictive entropy is that of the mean of both, and the mutual information what it has
    more than single passes on average. So a twin plane, at which a small box says hcp and a large one fcc, is in doubt.
    """
    other = smaller.valid & ~smaller.rejected & ~answers.rejected & (smaller.index != answers.index)
    pair = (smaller.take(other), answers.take(other))
    mean = sum(np.asarray(p.probabilities, dtype=np.float64) for p in pair) / 2
    entropy = -(mean * np.log2(np.maximum(mean, 1e-300))).sum(axis=1)
    of_passes = sum(p.predictive_entropy - p.mutual_information for p in pair) / 2
    columns = {
        "mutual_information": np.maximum(entropy - of_passes, 0.0),
        "predictive_entropy": entropy,
        "standard_error": np.hypot(*(p.standard_error for p in pair)) / 2,
    }
    for name, values in columns.items():
        columns[name] = getattr(answers, name).copy()
        columns[name][other] = values
    return replace(answers, **columns)
