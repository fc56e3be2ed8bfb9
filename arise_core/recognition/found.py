"""What is known of the centres of a map while boxes of several sizes are asked: the best answer of each so far."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray
from arise_core.model.classes import MISSING
from arise_core.model.dropout import entropy
from arise_core.model.prediction import ROWS, Prediction
from arise_core.model.sureness import NO_ANSWER, NOT_SURE, Sureness, answers
from arise_core.progress import Job
from arise_core.recognition.asking import Answers
from arise_core.recognition.audit import Audit, chosen
from arise_core.recognition.neighbours import Neighbours, tolerated
from arise_core.recognition.surroundings import Surroundings

#: Expected error from which on a centre asks larger boxes, whatever is around.
DOUBTFUL = 0.3
#: How much the centres beside one count in the ensemble with it.
BESIDE = 1 / 3
#: Rows whose neighbours are looked at together.
TOGETHER = 4096
#: Columns of a prediction that ensembles of boxes change.
DOUBTS = ("mutual_information", "predictive_entropy", "standard_error")


class Found:
    """What is known of the centres so far: the best answer of each, its expected error, and who gave it."""

    def __init__(self, boxes: IntArray, n: int, rule: Sureness, surroundings: Surroundings) -> None:
        """
        Args:
            boxes: indices of the centres that are asked, ascending, (n_boxes,).
            n: centres of the grid.
            rule, surroundings: see `answers_of_sizes`.
        """
        self.n = n
        self._boxes, self._rule, self._surroundings = boxes, rule, surroundings
        self._row = np.full(n, -1, dtype=np.int32)
        self._row[boxes] = np.arange(len(boxes))
        self.error = np.full(len(boxes), np.inf)
        self._size = np.full(len(boxes), -1, dtype=np.int8)
        self._kept: Answers | None = None
        #: Rows, and what boxes say there that are not sure: the smallest ones, and those of usual sizes where larger
        #: ones say which class it is.
        self._unsure: list[tuple[IntArray, Prediction]] = []
        #: Rows that are not settled although they could be, what they would be, and their mutual information.
        self._tried: list[tuple[IntArray, IntArray, FloatArray]] = []

    def unsure(self, *, which_class: bool) -> IntArray:
        """Rows of the centres without a sure answer; or of those that are surely one of the classes, but not which."""
        unsure = self.error > self._rule.error
        if which_class:
            assert self._kept is not None  # smaller boxes were asked
            some = self._kept.prediction
            unsure &= some.valid & ~some.rejected & (some.reject_score <= self._rule.error)
        return np.flatnonzero(unsure)

    def take(
        self, said: Answers, k: int, *, last: bool, which_class: bool = False
    ) -> Job[tuple[IntArray, IntArray, BoolArray]]:
        """Take answers of boxes of size k where they are better than what there is, as a job.

        Args:
            said: the answers.
            k: number of the size.
            last: whether there is no larger one.
            which_class: whether these are asked which class it is: then those that are rejected say nothing, and where
                they say another class than there was, there is doubt.

        Returns:
            What holds now and came from these: boxes, answers, and which are sure, (n,) each.
        """
        rows = self._row[said.boxes].astype(np.int64)
        new = self._rule.errors(said.prediction, said.n_atoms, last)
        if which_class:
            new[said.prediction.rejected] = NO_ANSWER
        mistaken = np.zeros(len(rows), dtype=bool)
        if not last:
            looking = self._surroundings.of_relatives(said.boxes, said.prediction, said.n_atoms)
            mistaken = (yield from looking) > self._rule.error
            new[mistaken] = NOT_SURE
        before = self._kept.prediction.take(rows) if which_class and self._kept is not None else None
        better = self._put(rows, said, new, k)
        if k == 0:
            unsure = (self.error[rows] > self._rule.error) & ~mistaken
            self._unsure.append((rows[unsure], said.prediction.take(unsure)))
        if before is not None:
            self._unsure.append((rows[better], before.take(better)))
        index = answers(said.prediction)[better]
        return said.boxes[better], index, self.error[rows[better]] <= self._rule.error

    def _put(self, rows: IntArray, said: Answers, error: FloatArray, k: int | NDArray[np.int8]) -> BoolArray:
        """Keep what is better than what there is; which that was, (n,)."""
        if self._kept is None:
            self._kept = replace(Answers.room(len(self._boxes), said), boxes=self._boxes)
        better = error < self.error[rows]
        self.error[rows[better]] = error[better]
        answered = better & (error < NO_ANSWER)
        self._size[rows[answered]] = np.broadcast_to(k, len(rows))[answered]
        self._kept.put(rows[better], said, better)
        return np.asarray(better)

    def information(self, near: IntArray) -> FloatArray:
        """Mean mutual information of neighbours (n, n_near), -1 for none, (n,), bit."""
        assert self._kept is not None
        values = self._kept.prediction.mutual_information[self._row[near]]
        return np.asarray(np.mean(values, axis=1, where=near >= 0))

    def scatter(self, near: IntArray) -> FloatArray:
        """Standard deviation of the mutual information among neighbours (n, n_near), -1 for none, (n,), bit."""
        assert self._kept is not None
        values = self._kept.prediction.mutual_information[self._row[near]]
        values = np.where(near >= 0, values, 0.0)  # numpy squares all of them
        return np.asarray(np.std(values, axis=1, where=near >= 0))

    def settle(
        self,
        boxes: IntArray,
        n_atoms: IntArray,
        error: FloatArray,
        near: IntArray,
        k: int | NDArray[np.int8],
    ) -> None:
        """Give centres the mean of what their neighbours have.

        The standard error of the mutual information has that among the neighbours on top.

        Args:
            boxes: of the centres, (n,).
            n_atoms: in their boxes of size k, (n,).
            error: expected, of what these say themselves, (n,).
            near: (n, n_near), the neighbours, -1 for none.
            k: number of the size, of all or of each, (n,).
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

    def settle_amid(self, neighbours: Neighbours) -> int:
        """Let centres that are not sure stay what they say if all around say the same, at least half of them for sure.

        A larger box would say so too, since it holds much of theirs. They have the mean of the sure ones. Not where
        small boxes are mistaken, or more in doubt than `DOUBTFUL`. Returns how many these are.
        """
        assert self._kept is not None
        rows = np.flatnonzero((self.error > self._rule.error) & (self.error < DOUBTFUL))
        around, near = neighbours.alike(self._boxes[rows], lower=False)
        near[self.error[self._row[near]] > self._rule.error] = -1
        n_classes = len(self._kept.prediction.classes)
        amid = np.flatnonzero((around != MISSING) & (around == neighbours.answers(self._boxes[rows])))
        amid = amid[self.scatter(near[amid]) <= tolerated(around[amid], n_classes)]
        tried = chosen(self._boxes[rows[amid]], self.n)
        self._tried.append((rows[amid[tried]], around[amid[tried]], self.information(near[amid[tried]])))
        amid = amid[~tried]
        rows, near, boxes = rows[amid], near[amid], self._boxes[rows[amid]]
        error = np.minimum(np.mean(self.error[self._row[near]], axis=1, where=near >= 0), self._rule.error)
        self.settle(boxes, self._kept.n_atoms[rows], error, near, self._size[rows])
        neighbours.note(boxes, around[amid], np.ones(len(boxes), dtype=bool))
        return len(boxes)

    def result(self, neighbours: Neighbours, steps: IntArray) -> Answers:
        """The best answers with the doubt of small boxes and of those beside, and how `settle_amid` did.

        Args:
            neighbours: knows which are beside.
            steps: (3,), centres that these are away along each axis.
        """
        assert self._kept is not None  # the smallest boxes are wanted everywhere
        for rows, unsure in self._unsure:
            larger = self._size[rows] > 0
            replaced = rows[larger]
            both = doubt_of_both(unsure.take(larger), self._kept.prediction.take(replaced))
            for name in DOUBTS:
                getattr(self._kept.prediction, name)[replaced] = getattr(both, name)
        audit = Audit()
        for rows, theirs, doubt in self._tried:
            own = self._kept.prediction.take(rows)
            audit += Audit.of((theirs, answers(own)), (doubt, own.mutual_information))
        self._doubt_of_those_beside(neighbours, steps)
        return replace(self._kept, size=self._size, audit=audit)

    def _doubt_of_those_beside(self, neighbours: Neighbours, steps: IntArray) -> None:
        """Let those beside count too where the smallest box was not sure and a class is named."""
        assert self._kept is not None
        kept = self._kept.prediction
        unsure = (self._size > 0) | (self.error > self._rule.error)
        rows = np.flatnonzero(unsure & kept.valid & ~kept.rejected)
        doubts: list[dict[str, FloatArray]] = []
        parts = [rows[k : k + TOGETHER] for k in range(0, len(rows), TOGETHER)]
        for some in parts:
            boxes = neighbours.beside(self._boxes[some], steps)
            near = np.where(boxes >= 0, self._row[boxes], -1)
            near[~kept.valid[near]] = -1
            known, place = np.unique(np.concatenate([some[:, None], near], axis=1), return_inverse=True)
            place = place.reshape(len(some), -1) - int(known[0] < 0)
            said = kept.take(known[known >= 0])
            doubts.append(doubt_of_those_beside(said, place[:, 0], np.where(near >= 0, place[:, 1:], -1)))
        for some, doubt in zip(parts, doubts, strict=True):  # all look at what is before any changes
            for name, values in doubt.items():
                getattr(kept, name)[some] = values


def doubt_of_both(smaller: Prediction, larger: Prediction) -> Prediction:
    """Answers of larger boxes, with the doubt that comes from smaller ones around the same centres.

    Where the larger box names a class and the smaller one another, or none (it is rejected), the two count as an
    ensemble, like the passes within each. With p the probabilities and r the reject score of a box, it says
    q = (p (1 - r), r): "none of these" is one more class here. The predictive entropy is that of the mean of both q,
    the mutual information what it has more than single passes on average; the entropy of these is H(q) less 1 - r times
    the mutual information of the box. So a twin plane, at which a small box says hcp and a large one fcc, is in doubt,
    and a grain boundary, at which a small box sees no crystal.
    """
    named = larger.valid & ~larger.rejected
    other = smaller.valid & named & (answers(smaller) != answers(larger))
    pair = (smaller.take(other), larger.take(other))
    said = [_with_none(p) for p in pair]
    of_passes = [_of_passes(p, q) for p, q in zip(pair, said, strict=True)]
    of_both = entropy((said[0] + said[1]) / 2)
    columns: dict[str, Any] = {
        "mutual_information": np.maximum(of_both - (of_passes[0] + of_passes[1]) / 2, 0.0),
        "predictive_entropy": of_both,
        "standard_error": np.hypot(*(p.standard_error for p in pair)) / 2,
    }
    for name, values in columns.items():
        columns[name] = getattr(larger, name).copy()
        columns[name][other] = values
    return replace(larger, **columns)


def doubt_of_those_beside(said: Prediction, rows: IntArray, near: IntArray) -> dict[str, FloatArray]:
    """Doubt about boxes that comes from those beside them, by column of a prediction, (n,) each.

    Where one of those beside a box says something else, the box and the mean of those beside count as an ensemble, by
    1 - `BESIDE` and `BESIDE`, with "none of these" as one more class, as in `doubt_of_both`. Where that has no more
    mutual information than the box itself, that stays.

    Args:
        said: answers of all these boxes.
        rows: the boxes, (n,).
        near: those beside, (n, n_near), -1 for none.
    """
    q = _with_none(said)
    of_passes = _of_passes(said, q)
    variance = said.standard_error.astype(np.float64) ** 2
    own = said.take(rows)
    doubts = {name: getattr(own, name).astype(np.float64) for name in DOUBTS}
    count = (near >= 0).sum(axis=1)
    share = np.where(count > 0, BESIDE / np.maximum(count, 1), 0.0)
    rest = 1 - share * count
    mean, single, error = rest[:, None] * q[rows], rest * of_passes[rows], rest**2 * variance[rows]
    for at in near.T:
        weight = np.where(at >= 0, share, 0.0)
        mean += weight[:, None] * q[at]
        single += weight * of_passes[at]
        error += weight**2 * np.where(weight > 0, variance[at], 0.0)
    together = entropy(mean)
    answer = answers(said)
    differ = ((answer[near] != answer[rows, None]) & (near >= 0)).any(axis=1)
    more = differ & (together - single > doubts["mutual_information"])
    for name, values in zip(DOUBTS, (together - single, together, np.sqrt(error)), strict=True):
        doubts[name][more] = values[more]
    return doubts


def _of_passes(said: Prediction, with_none: FloatArray) -> FloatArray:
    """Mean entropy of single passes, where "none of these" is a class; see `doubt_of_both`, (n,), bit."""
    return np.asarray(entropy(with_none) - (1 - with_none[:, -1]) * said.mutual_information)


def _with_none(said: Prediction) -> FloatArray:
    """Probabilities of the classes and, behind them, of none of them, (n, n_classes + 1)."""
    score = said.reject_score if said.reject_threshold is not None else np.zeros(len(said))
    named = np.asarray(said.probabilities, dtype=np.float64) * (1 - score)[:, None]
    return np.concatenate([named, score[:, None]], axis=1)
