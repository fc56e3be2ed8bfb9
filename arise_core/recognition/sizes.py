"""Boxes of several sizes around the same centres: each centre has the answer of the smallest box that is sure.

Small boxes cannot tell some crystals from each other. So what they are sure of is looked up in a coarse map of the
largest boxes (`Surroundings`), and does not hold where those around say a class that small boxes take for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arise_core.engine.boxes import BoxDescriptors, gather_boxes
from arise_core.engine.context import Context
from arise_core.engine.grid import BoxGrid
from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray
from arise_core.model.model import Model
from arise_core.model.prediction import ROWS, Prediction
from arise_core.model.sureness import NO_ANSWER, NOT_SURE, Sureness, answers
from arise_core.model.top import put_rows, room_for, rows_of
from arise_core.progress import Job, Step, part
from arise_core.recognition.whole import DESCRIPTOR_SHARE
from arise_core.settings import SamplingSettings, Threshold

#: Boxes whose descriptors are held before they go through the network.
BATCH = 4096

#: Passes of boxes that a larger one may answer for, at most: as many as in calibration. What is sure has the tolerance
#: by then; what is not would run on and yet not be the answer.
TRIAL_PASSES = 64

#: Called with each batch of descriptors.
Seen = Callable[[BoxDescriptors], object]


@dataclass(frozen=True)
class Answers:
    """What a model says of boxes."""

    boxes: IntArray  # (n,), index into the flattened grid, ascending
    prediction: Prediction
    n_atoms: IntArray  # (n,)
    size: NDArray[np.int8] | None = (
        None  # (n,), which size each is from, -1 without an answer; None: there is one
    )

    @classmethod
    def room(cls, n: int, like: Answers) -> Answers:
        """Room for the answers of n boxes, such as others are, to be put in."""
        columns: dict[str, Any] = {}
        for name in ROWS:
            columns[name] = room_for(n, getattr(like.prediction, name))
        size = None if like.size is None else np.empty(n, dtype=np.int8)
        return cls(np.arange(n), replace(like.prediction, **columns), np.empty(n, dtype=np.int64), size)

    def put(self, rows: IntArray, other: Answers, chosen: BoolArray | slice = slice(None)) -> None:
        """Put chosen answers of others into rows of these."""
        for name in ROWS:
            put_rows(getattr(self.prediction, name), rows, rows_of(getattr(other.prediction, name), chosen))
        self.n_atoms[rows] = other.n_atoms[chosen]
        if self.size is not None and other.size is not None:
            self.size[rows] = other.size[chosen]


class Surroundings:
    """What large boxes around the centres of a map say, asked as far as somebody wants to know it."""

    def __init__(
        self, context: Context, centers: BoxGrid, model: Model, rule: Sureness, sampling: SamplingSettings,
        reject_threshold: Threshold,
    ) -> None:  # fmt: skip
        """
        Args:
            context: of the large boxes (`grid_around`).
            centers: boxes around which they are looked up.
            model, rule, reject_threshold: see `answers_of_sizes`.
            sampling: of boxes that are looked up only.
        """
        self._context, self._model, self._sampling = context, model, sampling
        self._reject_threshold = reject_threshold
        self._shape, self._nearest = centers.shape, context.grid.nearest(centers)
        self._confused = rule.confused(model.classes).astype(np.int32)
        self._asked = np.zeros(len(context.grid), dtype=bool)
        self._probabilities = np.zeros((len(context.grid), len(model.classes)), dtype=np.float32)

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
        wanted = np.zeros(len(self._asked), dtype=bool)
        wanted[near] = True
        wanted &= ~self._asked
        if wanted.any():
            job = _answers(self._context, wanted, self._model, self._sampling, self._reject_threshold, None)
            said = yield from job
            named = np.where(said.prediction.valid, 1 - said.prediction.reject_score, 0.0)
            self._probabilities[said.boxes] = np.nan_to_num(said.prediction.probabilities) * named[:, None]
            self._asked |= wanted
        out = np.zeros(len(boxes))
        out[rows] = (self._probabilities[near] * (confused[rows] > n_atoms[rows, None])).sum(axis=1)
        return out


def answers_of_sizes(
    contexts: Sequence[Context], around: Context | None, model: Model, rule: Sureness | None,
    sampling: SamplingSettings, reject_threshold: Threshold, seen: Seen | None = None, among: BoolArray | None = None,
) -> Job[Answers]:  # fmt: skip
    """Answers for all centres, or some of them, in grid order.

    The smallest boxes are asked everywhere, larger ones where none was sure yet. A centre of which no size is sure
    has the answer with the least expected error. Where the smallest box names another class than a larger one that
    answers, the doubt is that of both, see `doubt_of_both`; not where such boxes are known to mistake what is around.

    Args:
        contexts: of grids with the same centres, the smallest boxes first (`grids_of_sizes`).
        around: of large boxes that say what is around (`grid_around`); None: there is one size.
        model: whose answers are wanted.
        rule: when it is sure; None: there is one size, and nothing to decide.
        sampling: of the network; with a tolerance, boxes that a larger one may answer for have `TRIAL_PASSES` at most.
        reject_threshold: see `strided_map`.
        seen: called with each batch of descriptors, in whatever order.
        among: (n_boxes,), the centres that are asked; None: all.
    """
    if rule is None:
        return (yield from _answers(contexts[0], among, model, sampling, reject_threshold, seen))
    trial = sampling
    if sampling.tolerance is not None:
        trial = replace(sampling, passes=min(sampling.passes, TRIAL_PASSES))
    assert around is not None  # there are several sizes
    surroundings = Surroundings(around, contexts[0].grid, model, rule, trial, reject_threshold)
    n = len(contexts[0].grid)
    boxes = np.arange(n) if among is None else np.flatnonzero(among)
    error = np.full(len(boxes), np.inf)
    size = np.full(len(boxes), -1, dtype=np.int8)
    kept: Answers | None = None
    smallest: Prediction | None = None
    for k in range(len(contexts)):
        last = k == len(contexts) - 1
        rows = np.flatnonzero(error > rule.error)
        if not len(rows):
            break
        wanted = np.zeros(n, dtype=bool)
        wanted[boxes[rows]] = True
        job = _answers(contexts[k], wanted, model, sampling if last else trial, reject_threshold, seen)
        first, middle, end = 1 - 0.5**k, 1 - 0.6 * 0.5**k, 1.0 if last else 1 - 0.5 ** (k + 1)
        found = yield from part(job, first, end if last else middle)
        new = rule.errors(found.prediction, found.n_atoms, last)
        mistaken = np.zeros(len(rows), dtype=bool)
        if not last:
            looking = surroundings.of_relatives(found.boxes, found.prediction, found.n_atoms)
            mistaken = (yield from part(looking, middle, end)) > rule.error
            new[mistaken] = NOT_SURE
        better = new < error[rows]
        error[rows[better]] = new[better]
        size[rows[better & (new < NO_ANSWER)]] = k
        if kept is None:
            kept = found
            unsure = np.flatnonzero((error > rule.error) & ~mistaken)
            smallest = found.prediction.take(unsure)
        else:
            kept.put(rows[better], found, better)
    assert kept is not None  # the smallest boxes are wanted everywhere
    assert smallest is not None
    by_larger = size[unsure] > 0
    replaced = unsure[by_larger]
    both = doubt_of_both(smallest.take(by_larger), kept.prediction.take(replaced))
    for name in ("mutual_information", "predictive_entropy", "standard_error"):
        getattr(kept.prediction, name)[replaced] = getattr(both, name)
    yield Step(1.0)
    return replace(kept, size=size)


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


def _answers(
    context: Context, wanted: BoolArray | None, model: Model, sampling: SamplingSettings,
    reject_threshold: Threshold, seen: Seen | None,
) -> Job[Answers]:  # fmt: skip
    """Answers for the boxes of a grid that are wanted (None: all), in grid order.

    Boxes go through the network as soon as there are enough of them, so that few descriptors are held at once.
    """
    boxes = np.arange(len(context.grid)) if wanted is None else np.flatnonzero(wanted)
    n = len(boxes)
    found: Answers | None = None
    described = predicted = 0

    def share() -> float:
        return DESCRIPTOR_SHARE * described / n + (1 - DESCRIPTOR_SHARE) * predicted / n

    for described, batch in gather_boxes(context, model.descriptor, BATCH, wanted):
        yield Step(share(), "descriptors of boxes")
        if batch is None:
            continue
        if seen is not None:
            seen(batch)
        before, predicted = share(), described
        job = model.predict_steps(batch.features, sampling, reject_threshold=reject_threshold)
        said = Answers(batch.boxes, (yield from part(job, before, share())), batch.n_atoms)
        found = replace(Answers.room(n, said), boxes=boxes) if found is None else found
        found.put(np.searchsorted(boxes, batch.boxes), said)
    yield Step(1.0)
    assert found is not None  # the last batch is given out however small it is
    return found
