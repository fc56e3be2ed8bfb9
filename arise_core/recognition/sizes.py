"""Boxes of several sizes around the same centres: each centre has the answer of the smallest box that is sure.

Small boxes cannot tell some crystals from each other. So what they are sure of is looked up in a coarse map of the
largest boxes (`Surroundings`), and does not hold where those around say a class that small boxes take for it, or where
they are sure of no class (`Found.distrust`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from arise_core.engine.context import Context
from arise_core.engine.grid import BoxGrid
from arise_core.geometry.arrays import BoolArray, IntArray
from arise_core.model.model import Model
from arise_core.model.sureness import Sureness
from arise_core.progress import Job, Step, part
from arise_core.recognition.asking import Answers, Asker, Seen
from arise_core.recognition.audit import Audit
from arise_core.recognition.found import Found
from arise_core.recognition.levels import all_at_once, level_by_level
from arise_core.recognition.neighbours import Neighbours
from arise_core.recognition.surroundings import Surroundings
from arise_core.settings import SamplingSettings, Threshold

#: Passes of boxes that a larger one may answer for, at most: as many as in calibration. What is sure has the tolerance
#: by then; what is not would run on and yet not be the answer.
TRIAL_PASSES = 64


def answers_of_sizes(
    contexts: Sequence[Context], usual: int, around: Context | None, model: Model, rule: Sureness | None,
    sampling: SamplingSettings, reject_threshold: Threshold, layers: tuple[int, IntArray],
    seen: Seen | None = None, among: BoolArray | None = None,
) -> Job[Answers]:  # fmt: skip
    """Answers for all centres, or some of them, in grid order.

    The smallest boxes are asked everywhere, larger ones where none was sure yet. A centre of which no size is sure
    has the answer with the least expected error. Where the smallest box is rejected, or names another class than a
    larger one that answers, the doubt is that of both, see `doubt_of_both`; not where such boxes are known to mistake
    what is around. Where the smallest box is not sure, those beside count too, see `doubt_of_those_beside`.

    Sizes beyond the `usual` ones are there to tell classes apart: they are asked where it is sure that it is one of
    them, and answer which.

    With the tolerance "auto" boxes whose neighbours have settled what they are need no passes: see `levels`. If an
    `Audit` of these fails, all are asked.

    Args:
        contexts: of grids with the same centres, the smallest boxes first (`grids_of_sizes`).
        usual: so many sizes are usual.
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
    assert around is not None  # there are several sizes
    n = len(contexts[0].grid)
    boxes = np.arange(n) if among is None else np.flatnonzero(among)
    by_others = sampling.tolerance == "auto"  # else each box is worth its own passes
    neighbours = Neighbours(contexts[0].grid.shape, contexts[0].grid.pbc, *layers)
    job = _search(contexts, usual, around, asker, rule, boxes, neighbours, by_others=by_others)
    found = yield from part(job, 0.0, 1.0)
    audit = found.audit
    if audit is not None and audit.fails:
        asker = replace(asker, seen=None)
        again = _search(contexts, usual, around, asker, rule, boxes, neighbours, by_others=False)
        found = yield from part(again, 1.0, 1.0)
        audit = replace(audit, settled=0, failed=audit.settled)
    return replace(found, audit=audit)


def _search(
    contexts: Sequence[Context], usual: int, around: Context, asker: Asker, rule: Sureness, boxes: IntArray,
    neighbours: Neighbours, *, by_others: bool,
) -> Job[Answers]:  # fmt: skip
    """`answers_of_sizes` of some boxes, audited but whatever the audit says.

    Args:
        neighbours: of the centres, of which nothing has been noted.
        by_others: whether boxes that others answer for need not be asked.
    """
    sampling = asker.sampling
    trial = asker
    if sampling.tolerance is not None:
        few = replace(sampling, passes=min(sampling.passes, TRIAL_PASSES))
        trial = replace(asker, sampling=few, hopeless=rule.error)
    grid = contexts[0].grid
    surrounding = replace(trial, seen=None, hopeless=None)
    surroundings = Surroundings(around, grid, rule, surrounding, by_tiles=by_others)
    found = Found(boxes, len(grid), rule, surroundings)
    audit = Audit()
    for k in range(len(contexts)):
        last = k == len(contexts) - 1
        rows = found.unsure(largest=k >= usual - 1, which_class=k >= usual)
        if not len(rows):
            continue
        wanted = np.zeros(len(grid), dtype=bool)
        wanted[boxes[rows]] = True
        begin, end = 1 - 0.5**k, 1.0 if last else 1 - 0.5 ** (k + 1)
        by = asker if last else trial
        if not by_others or k >= usual - 1:  # few would be settled
            every = all_at_once(contexts[k], wanted, by, found, k, last=last, which_class=k >= usual)
            yield from part(every, begin, end)
        else:
            job = level_by_level(contexts[k], wanted, by, rule, found, neighbours, k)
            audit += yield from part(job, begin, end)
            audit += Audit(settled=found.settle_amid(neighbours))
        if k == 0 and usual > 1:
            yield from part(found.distrust(neighbours), end, end)
    yield Step(1.0)
    said = found.result(neighbours, _steps_beside(grid))
    assert said.audit is not None
    return replace(said, audit=audit + said.audit)


def _steps_beside(grid: BoxGrid) -> IntArray:
    """Centres along each axis to the box that half overlaps one of the smallest, (3,); 0 where none overlap."""
    strides = grid.box_edges / grid.stride
    return np.where(strides > 1, np.maximum(strides / 2, 1), 0).astype(np.int64)
