"""Boxes of one size asked, all of them or level by level: then those that others answer for need no passes.

A centre is settled if the network, nothing dropped, is sure of its own box, its neighbours of lower levels say the same
(`Neighbours.alike`), and their mutual information scatters less than passes have to reach. Then it has the mean of what
these have. Some are asked all the same, see `audit`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from arise_core.engine.boxes import BoxDescriptors
from arise_core.engine.context import Context
from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray
from arise_core.model.classes import MISSING
from arise_core.model.sureness import Sureness, answers
from arise_core.progress import Job, Step, part
from arise_core.recognition.asking import BATCH, Answers, Asker
from arise_core.recognition.audit import Audit, chosen
from arise_core.recognition.found import Found
from arise_core.recognition.neighbours import LEVELS, Neighbours, tolerated
from arise_core.runtime import threads

#: Boxes that wait together, at least: large tiles are not copied, looks at small ones fill blocks of the network.
TOGETHER = 512
#: Share of the work on boxes of a size that is done when all are described, and when the lowest level is asked.
DESCRIBED, LOWEST = 0.7, 0.8


def all_at_once(
    context: Context, wanted: BoolArray, asker: Asker, found: Found, k: int, *, last: bool, which_class: bool
) -> Job[None]:
    """Boxes of a size, all of them asked.

    Args:
        context: of their grid.
        wanted: (n_boxes,), which of them are.
        asker: by whom.
        found: takes the answers.
        k: number of the size.
        last: whether there is no larger one.
        which_class: see `Found.take`.
    """
    said = yield from part(asker.every(context, wanted), 0.0, LOWEST)
    yield from part(found.take(said, k, last=last, which_class=which_class), LOWEST, 1.0)


@dataclass(frozen=True)
class _Settled:
    """Boxes of a level in a batch, by what is done with them."""

    rest: BoxDescriptors  # are asked
    boxes: IntArray  # others answer for
    n_atoms: IntArray  # of these
    error: FloatArray  # expected, of what these say themselves
    near: IntArray  # their neighbours, see `Neighbours.alike`
    answers: IntArray  # of these
    #: Are asked all the same: boxes, answers of others, their mutual information.
    tried: tuple[IntArray, IntArray, FloatArray]


def _audited(level: Sequence[_Settled], said: Answers) -> Audit:
    """How those compare that are asked all the same."""
    boxes, theirs, doubt = (np.concatenate(c) for c in zip(*(some.tried for some in level), strict=True))
    order = np.argsort(said.boxes)
    own = said.prediction.take(order[np.searchsorted(said.boxes, boxes, sorter=order)])
    return Audit.of((theirs, answers(own)), (doubt, own.mutual_information))


def level_by_level(
    context: Context,
    wanted: BoolArray,
    asker: Asker,
    rule: Sureness,
    found: Found,
    neighbours: Neighbours,
    k: int,
) -> Job[Audit]:
    """Boxes of a size, those of higher levels asked only where it is not settled what they are.

    Args:
        context, wanted, asker, k: see `all_at_once`; there is a larger size.
        rule: when an answer is sure.
        found: takes the answers.
        neighbours: knows them.
    """
    batches = yield from part(_lowest_level(context, wanted, asker, found, neighbours, k), 0.0, LOWEST)
    audit = Audit()
    for number in range(1, LEVELS):
        end = LOWEST + (1 - LOWEST) * number / (LEVELS - 1)
        settle = partial(_settle, number, asker, rule, found, neighbours)
        with threads.one_torch_thread():  # this thread is the first inside, and the last
            level = list(threads.in_order(settle, batches, name="arise-levels"))
        for some in level:
            found.settle(some.boxes, some.n_atoms, some.error, some.near, k)
        rest = BoxDescriptors.joined([some.rest for some in level])
        if len(rest.boxes):
            said = yield from part(asker.ask(rest), end - (1 - LOWEST) / (LEVELS - 1), end)
            audit += _audited(level, said)
            neighbours.note(*(yield from part(found.take(said, k, last=False), end, end)))
        boxes = np.concatenate([some.boxes for some in level])
        theirs = np.concatenate([some.answers for some in level])
        neighbours.note(boxes, theirs, np.ones(len(boxes), dtype=bool))
        audit += Audit(settled=len(boxes))
    return audit


def _lowest_level(
    context: Context, wanted: BoolArray, asker: Asker, found: Found, neighbours: Neighbours, k: int
) -> Job[list[BoxDescriptors]]:
    """Describe all boxes that are wanted and ask those of the lowest level; returns the descriptors."""
    n = int(wanted.sum())
    batches: list[BoxDescriptors] = []
    waiting: list[BoxDescriptors] = []
    said: list[Answers] = []
    held, before = 0, 0.0
    for described, batch in asker.batches(context, wanted, TOGETHER):
        yield Step(before, "descriptors of boxes")
        if batch is not None:
            described_at_all = np.isfinite(batch.features[:, 0])
            now = (neighbours.levels(batch.boxes) == 0) | ~described_at_all
            waiting.append(batch.take(now))
            batches.append(batch if described_at_all.all() else batch.take(described_at_all))
            held += int((now & described_at_all).sum())
        if held >= BATCH or described == n:
            share = DESCRIBED / LOWEST * described / n
            said.append((yield from part(asker.ask(BoxDescriptors.joined(waiting)), before, share)))
            waiting.clear()
            held, before = 0, share
    job = found.take(Answers.joined(said), k, last=False)
    neighbours.note(*(yield from part(job, before, 1.0)))
    return batches


def _settle(
    number: int, asker: Asker, rule: Sureness, found: Found, neighbours: Neighbours, batch: BoxDescriptors
) -> _Settled:
    """Which boxes of a level of a batch others can answer for; the rest is asked with those of its level."""
    rows = np.flatnonzero(neighbours.levels(batch.boxes) == number)
    around, near = neighbours.alike(batch.boxes[rows])
    able = np.flatnonzero(around != MISSING)
    able = able[found.scatter(near[able]) <= tolerated(around[able], len(asker.model.classes))]
    some = batch.take(rows[able])
    look = asker.look(some)
    error = rule.errors(look, some.n_atoms, largest=False)
    agreed = (answers(look) == around[able]) & (error <= rule.error)
    tried = agreed & chosen(some.boxes, found.n)
    here = able[tried]
    agreed &= ~tried
    done = able[agreed]
    return _Settled(
        rest=batch.take(np.delete(rows, done)),
        boxes=some.boxes[agreed],
        n_atoms=some.n_atoms[agreed],
        error=error[agreed],
        near=near[done],
        answers=around[done],
        tried=(some.boxes[tried], around[here], found.information(near[here])),
    )
