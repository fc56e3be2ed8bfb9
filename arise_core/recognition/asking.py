"""Boxes asked what they are: described tile after tile, sent through the network batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arise_core.engine.boxes import BoxDescriptors, gather_boxes
from arise_core.engine.context import Context
from arise_core.geometry.arrays import BoolArray, IntArray
from arise_core.model.model import Model
from arise_core.model.prediction import ROWS, Prediction
from arise_core.model.top import put_rows, room_for, rows_of
from arise_core.progress import Job, Step, part
from arise_core.recognition.audit import Audit
from arise_core.recognition.whole import DESCRIPTOR_SHARE
from arise_core.settings import SamplingSettings, Threshold

#: Boxes whose descriptors are held before they go through the network.
BATCH = 4096

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
    audit: Audit | None = None  # of those that others answer for; None: there can be none

    @classmethod
    def joined(cls, parts: Sequence[Answers]) -> Answers:
        """Those of several parts, at least one, by their boxes."""
        boxes = np.concatenate([one.boxes for one in parts])
        order = np.argsort(boxes)
        out = replace(cls.room(len(boxes), parts[0]), boxes=boxes[order])
        for one in parts:
            out.put(np.searchsorted(out.boxes, one.boxes), one)
        return out

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


@dataclass(frozen=True)
class Asker:
    """Who is asked about boxes, and how."""

    model: Model
    sampling: SamplingSettings
    reject_threshold: Threshold
    seen: Seen | None = None  # is called with each batch of descriptors
    hopeless: float | None = (
        None  # expected error beyond which somebody else is asked, see `Model.predict_steps`
    )

    def batches(
        self, context: Context, wanted: BoolArray | None, size: int = BATCH
    ) -> Iterator[tuple[int, BoxDescriptors | None]]:
        """`gather_boxes` of the boxes that are wanted (None: all), so many at least, each batch seen."""
        for described, batch in gather_boxes(context, self.model.descriptor, size, wanted):
            if batch is not None and self.seen is not None:
                self.seen(batch)
            yield described, batch

    def ask(self, batch: BoxDescriptors) -> Job[Answers]:
        """Answers for described boxes, as a job."""
        said = yield from self.model.predict_steps(
            batch.features, self.sampling, reject_threshold=self.reject_threshold, hopeless=self.hopeless
        )
        return Answers(batch.boxes, said, batch.n_atoms)

    def look(self, batch: BoxDescriptors) -> Prediction:
        """What the network says of described boxes when nothing is dropped."""
        return self.model.predict_without_dropout(batch.features, reject_threshold=self.reject_threshold)

    def every(self, context: Context, wanted: BoolArray | None) -> Job[Answers]:
        """Answers for the boxes of a grid that are wanted (None: all), in grid order, as a job.

        Boxes go through the network as soon as there are enough of them, so that few descriptors are held at once.
        """
        boxes = np.arange(len(context.grid)) if wanted is None else np.flatnonzero(wanted)
        n = len(boxes)
        found: Answers | None = None
        described = predicted = 0

        def share() -> float:
            return DESCRIPTOR_SHARE * described / n + (1 - DESCRIPTOR_SHARE) * predicted / n

        for described, batch in self.batches(context, wanted):
            yield Step(share(), "descriptors of boxes")
            if batch is None:
                continue
            before, predicted = share(), described
            said = yield from part(self.ask(batch), before, share())
            found = replace(Answers.room(n, said), boxes=boxes) if found is None else found
            found.put(np.searchsorted(boxes, batch.boxes), said)
        yield Step(1.0)
        assert found is not None  # the last batch is given out however small it is
        return found
