"""Boxes of several sizes around the same centres: each centre has the answer of the smallest box that is sure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arise_core.engine.boxes import BoxDescriptors, gather_boxes
from arise_core.engine.context import Context
from arise_core.engine.grid import BoxGrid
from arise_core.geometry.arrays import BoolArray, IntArray
from arise_core.model.model import Model
from arise_core.model.prediction import ROWS, Prediction, concatenate
from arise_core.model.sureness import NO_ANSWER, Sureness
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

    boxes: IntArray  # (n,), index into the flattened grid
    prediction: Prediction
    n_atoms: IntArray  # (n,)


def answers_of_sizes(
    grids: Sequence[BoxGrid], model: Model, rule: Sureness | None, sampling: SamplingSettings,
    reject_threshold: Threshold, seen: Seen | None = None,
) -> Job[tuple[Answers, NDArray[np.int8] | None]]:  # fmt: skip
    """Answers for all centres, in grid order, and the size that each is from, (n,), -1 without an answer.

    The smallest boxes are asked everywhere, larger ones where none was sure yet. A centre of which no size is sure
    has the answer with the least expected error.

    Args:
        grids: with the same centres, the smallest boxes first (`grids_of_sizes`).
        model: whose answers are wanted.
        rule: when it is sure; None: there is one size, and nothing to decide.
        sampling: of the network; with a tolerance, boxes that a larger one may answer for have `TRIAL_PASSES` at most.
        reject_threshold: see `strided_map`.
        seen: called with each batch of descriptors, in whatever order.
    """
    context = Context.of(grids[0], model.descriptor)
    n = len(grids[0])
    if rule is None:
        return (yield from _answers(context, None, model, sampling, reject_threshold, seen)), None
    trial = sampling
    if sampling.tolerance is not None:
        trial = replace(sampling, passes=min(sampling.passes, TRIAL_PASSES))
    error = np.full(n, np.inf)
    size = np.full(n, -1, dtype=np.int8)
    kept: Answers | None = None
    for k, grid in enumerate(grids):
        last = k == len(grids) - 1
        wanted = error > rule.error
        if not wanted.any():
            break
        here = context.of_size(grid) if k else context
        job = _answers(here, wanted, model, sampling if last else trial, reject_threshold, seen)
        found = yield from part(job, 1 - 0.5**k, 1.0 if last else 1 - 0.5 ** (k + 1))
        new = rule.errors(found.prediction, found.n_atoms, last)
        better = new < error[found.boxes]
        error[found.boxes[better]] = new[better]
        size[found.boxes[better & (new < NO_ANSWER)]] = k
        kept = found if kept is None else _merged(kept, found, better)
    assert kept is not None  # the smallest boxes are wanted everywhere
    yield Step(1.0)
    return kept, size


def _merged(kept: Answers, found: Answers, better: BoolArray) -> Answers:
    """Answers for all centres, where some have better ones now."""
    rows = found.boxes[better]
    columns: dict[str, Any] = {name: getattr(kept.prediction, name) for name in ROWS}
    for name, values in columns.items():
        values[rows] = getattr(found.prediction, name)[better]
    kept.n_atoms[rows] = found.n_atoms[better]
    return kept


def _answers(
    context: Context, wanted: BoolArray | None, model: Model, sampling: SamplingSettings,
    reject_threshold: Threshold, seen: Seen | None,
) -> Job[Answers]:  # fmt: skip
    """Answers for the boxes of a grid that are wanted (None: all), in grid order.

    Boxes go through the network as soon as there are enough of them, so that few descriptors are held at once.
    """
    n = len(context.grid) if wanted is None else int(wanted.sum())
    order: list[IntArray] = []
    counts: list[IntArray] = []
    parts: list[Prediction] = []
    described = predicted = 0

    def share() -> float:
        return DESCRIPTOR_SHARE * described / n + (1 - DESCRIPTOR_SHARE) * predicted / n

    for described, batch in gather_boxes(context, model.descriptor, BATCH, wanted):
        yield Step(share(), "descriptors of boxes")
        if batch is None:
            continue
        order.append(batch.boxes)
        counts.append(batch.n_atoms)
        if seen is not None:
            seen(batch)
        before, predicted = share(), described
        job = model.predict_steps(batch.features, sampling, reject_threshold=reject_threshold)
        parts.append((yield from part(job, before, share())))
    yield Step(1.0)
    boxes = np.concatenate(order)
    back = np.argsort(boxes, kind="stable")
    return Answers(boxes[back], concatenate(parts).take(back), np.concatenate(counts)[back])
