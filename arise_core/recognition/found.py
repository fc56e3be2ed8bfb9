"""What is known of the centres of a map while boxes of several sizes are asked: the best answer of each so far."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray
from arise_core.model.classes import MISSING
from arise_core.model.prediction import ROWS, Prediction
from arise_core.model.sureness import NO_ANSWER, NOT_SURE, Sureness, answers
from arise_core.model.top import put_rows
from arise_core.progress import Job
from arise_core.recognition.asking import Answers
from arise_core.recognition.audit import Audit, chosen
from arise_core.recognition.ensembles import Ensemble, of_both, otherwise
from arise_core.recognition.neighbours import Neighbours, tolerated
from arise_core.recognition.surroundings import Surroundings

#: Expected error from which on a centre asks larger boxes, whatever is around.
DOUBTFUL = 0.3
#: How much the boxes beside one count in the ensemble with it.
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
        self._distrusted = np.zeros(len(boxes), dtype=bool)
        #: Class that the smallest box comes closest to where it is not sure, else -1.
        self._closest = np.full(len(boxes), MISSING, dtype=np.int16)
        self._kept: Answers | None = None
        #: Rows, and what boxes say there that are not sure: the smallest ones, and those of usual sizes where larger
        #: ones say which class it is.
        self._unsure: list[tuple[IntArray, Prediction]] = []
        #: What several boxes say, and where that of each row stands, else -1.
        self._ensembles: list[Ensemble] = []
        self._place = np.full(len(boxes), -1, dtype=np.int64)
        #: Rows that are not settled although they could be, what they would be, and their mutual information.
        self._tried: list[tuple[IntArray, IntArray, FloatArray]] = []

    def unsure(self, *, largest: bool, which_class: bool) -> IntArray:
        """Rows of the centres without a sure answer; or of those that are surely one of the classes, but not which.

        Args:
            largest: whether boxes of the largest usual size, or beyond, are to be asked, else smaller ones.
            which_class: whether those beyond are.
        """
        unsure = (self.error > self._rule.error) & (largest | ~self._distrusted)
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
            self._closest[rows[unsure]] = said.prediction.index[unsure]
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
        said = Answers(boxes, self._mean_of(near), n_atoms)
        self._put(self._row[boxes].astype(np.int64), said, error, k)

    def _mean_of(self, near: IntArray) -> Prediction:
        """Mean of neighbours (n, n_near), -1 for none; without passes, see `settle`."""
        assert self._kept is not None
        known = near >= 0
        weight = (known / known.sum(axis=1, keepdims=True)).astype(np.float32)
        rows = self._row[near]
        columns: dict[str, Any] = {}
        for name in ROWS:
            column = getattr(self._kept.prediction, name)
            columns[name] = np.zeros((len(near), *column.shape[1:]), dtype=column.dtype)
            if name == "passes":
                continue
            for j in range(near.shape[1]):
                share = weight[:, j].reshape(-1, *(1,) * (column.ndim - 1))
                columns[name] += share * np.where(share > 0, column[rows[:, j]], 0)
        columns["standard_error"] = np.hypot(columns["standard_error"], self.scatter(near))
        return replace(self._kept.prediction, **columns)

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

    def distrust(self, neighbours: Neighbours) -> Job[None]:
        """Do not believe what most small boxes are sure of where nearly all large ones are sure of no class.

        These know better: that is a crystal which is none of the classes, but locally like some. Only boxes of the
        largest usual size count there. Where there is a melt or a boundary in large boxes, many small ones are rejected
        or not sure, or large ones beside are sure; and the border of two compositions is looked for.
        """
        assert self._kept is not None
        kept = self._kept.prediction
        sure = (self.error <= self._rule.error) & ~kept.rejected
        named = sure.copy()
        for tried, theirs, _ in self._tried:
            named[tried] = theirs < len(kept.classes)  # as those beside them that were settled
        rows = np.flatnonzero(self.error < NO_ANSWER)
        boxes = self._boxes[rows]
        rows = rows[self._surroundings.filled(boxes, neighbours.blocks(boxes), named[rows])]
        unknown = yield from self._surroundings.unknown(self._boxes[rows])
        self._distrusted[rows[unknown]] = True
        rows = rows[unknown & sure[rows]]
        self.error[rows] = NOT_SURE
        neighbours.note(self._boxes[rows], answers(kept.take(rows)), np.zeros(len(rows), dtype=bool))
        for k, (tried, theirs, doubt) in enumerate(self._tried):
            trusted = ~self._distrusted[tried]
            self._tried[k] = (tried[trusted], theirs[trusted], doubt[trusted])

    def result(self, neighbours: Neighbours, steps: IntArray) -> Answers:
        """The best answers with the doubt of small boxes and of those beside, and how `settle_amid` did.

        Where the larger box that answers names a class, and a smaller one around the same centre another, or none, both
        are an `Ensemble`; where the smallest box was not sure, those beside count too.

        Args:
            neighbours: knows which are beside.
            steps: (3,), centres that these are away along each axis.
        """
        assert self._kept is not None  # the smallest boxes are wanted everywhere
        kept = self._kept.prediction
        audit = Audit()
        for rows, theirs, doubt in self._tried:
            own = kept.take(rows)
            audit += Audit.of((theirs, answers(own)), (doubt, own.mutual_information))
        self._name_between(neighbours, steps)
        several: list[tuple[IntArray, Ensemble]] = []
        for rows, unsure in self._unsure:
            larger = (self._size[rows] > 0) & (self._place[rows] < 0)
            smaller, rows = unsure.take(larger), rows[larger]
            other = otherwise(smaller, kept.take(rows)) & ~self._everywhere(rows, neighbours, steps)
            several.append((rows[other], of_both(smaller.take(other), kept.take(rows[other]))))
        for rows, ensemble in several:  # all look at what is before any changes
            self._together(rows, ensemble)
        self._doubt_of_those_beside(neighbours, steps)
        return replace(self._kept, size=self._size, audit=audit)

    def _everywhere(self, rows: IntArray, neighbours: Neighbours, steps: IntArray) -> BoolArray:
        """Where all those beside have the same answer, from larger boxes as well, (n,).

        The smallest boxes are too small for what is there, wherever they lie: that is no doubt about a place.
        """
        assert self._kept is not None
        said = answers(self._kept.prediction)
        near = self._rows_beside(rows, neighbours, steps)
        known = near >= 0
        same = (said[near] == said[rows, None]) & (self._size[near] > 0)
        return np.asarray((same | ~known).all(axis=1) & known.any(axis=1))

    def _rows_beside(self, rows: IntArray, neighbours: Neighbours, steps: IntArray) -> IntArray:
        """Rows of the centres beside some that have an answer, (n, 6), -1 for none."""
        assert self._kept is not None
        boxes = neighbours.beside(self._boxes[rows], steps)
        near = np.where(boxes >= 0, self._row[boxes], -1)
        return np.where((near >= 0) & self._kept.prediction.valid[near], near, -1)

    def _together(self, rows: IntArray, ensemble: Ensemble) -> None:
        """Note that ensembles answer for rows, and put their doubt in."""
        assert self._kept is not None
        self._place[rows] = np.arange(len(rows)) + sum(map(len, self._ensembles))
        self._ensembles.append(ensemble)
        self._put_doubt(rows, ensemble)

    def _put_doubt(self, rows: IntArray, doubt: Ensemble) -> None:
        assert self._kept is not None
        for name in DOUBTS:
            getattr(self._kept.prediction, name)[rows] = getattr(doubt, name)

    def _ensemble_of(self, rows: IntArray, ensembles: Ensemble | None) -> Ensemble:
        """What answers for rows, their own box or an ensemble."""
        assert self._kept is not None
        found = Ensemble.of(self._kept.prediction.take(rows))
        several = self._place[rows] >= 0
        if ensembles is not None and several.any():
            found.put(several, ensembles.take(self._place[rows[several]]))
        return found

    def _name_between(self, neighbours: Neighbours, steps: IntArray) -> None:
        """Name what is rejected between boxes that say the same for sure, if the smallest box comes closest to that.

        Larger boxes that hold the border of two elements on one lattice know no such crystal. Along an axis the nearest
        sure box on both sides counts, of two. Such a centre has their mean, and the doubt of both that and its own.
        """
        assert self._kept is not None
        kept = self._kept.prediction
        rows = np.flatnonzero((self._closest != MISSING) & kept.rejected)
        closest = self._closest[rows].astype(np.int64)
        said = answers(kept)
        sure = (self.error <= self._rule.error) & ~((self._closest != MISSING) & kept.rejected)
        near = np.full((len(rows), 6), -1, dtype=np.int64)
        for far in (1, 2):
            boxes = neighbours.beside(self._boxes[rows], far * steps)
            known = (boxes >= 0) & (self._row[boxes] >= 0) & sure[self._row[boxes]]
            near = np.where((near < 0) & known, boxes, near)
        near[said[self._row[near]] != closest[:, None]] = -1
        sides = (near[:, 0::2] >= 0) & (near[:, 1::2] >= 0)
        between = np.asarray(sides).any(axis=1)
        near[~np.repeat(sides, 2, axis=1)] = -1
        rows, near = rows[between], near[between]
        if not len(rows):
            return
        own, mean = kept.take(rows), self._mean_of(near)
        for name in ROWS:
            if name != "passes":
                put_rows(getattr(kept, name), rows, getattr(mean, name))
        self._together(rows, of_both(own, mean))

    def _doubt_of_those_beside(self, neighbours: Neighbours, steps: IntArray) -> None:
        """Let those beside count too where the smallest box was not sure and a class is named."""
        assert self._kept is not None
        kept = self._kept.prediction
        unsure = (self._size > 0) | (self.error > self._rule.error)
        rows = np.flatnonzero(unsure & kept.valid & ~kept.rejected)
        said = answers(kept)
        ensembles = Ensemble.joined(self._ensembles) if self._ensembles else None
        doubts: list[tuple[IntArray, Ensemble]] = []
        for k in range(0, len(rows), TOGETHER):
            some = rows[k : k + TOGETHER]
            near = self._rows_beside(some, neighbours, steps)
            differ = ((said[near] != said[some, None]) & (near >= 0)).any(axis=1)
            some, near = some[differ], near[differ]
            if not len(some):
                continue
            known, place = np.unique(np.append(some[:, None], near, axis=1), return_inverse=True)
            if known[0] < 0:
                known, place = known[1:], place - 1
            place = place.reshape(len(some), -1)
            together = self._ensemble_of(known, ensembles).with_others(place[:, 0], place[:, 1:], BESIDE)
            more = np.flatnonzero(together.mutual_information > kept.mutual_information[some])
            doubts.append((some[more], together.take(more)))
        for some, doubt in doubts:  # as above
            self._put_doubt(some, doubt)
