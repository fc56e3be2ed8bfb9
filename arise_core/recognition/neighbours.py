"""Centres of a map that need no passes of their own, since those around them say for sure what is there.

Centres are asked level after level: those with even numbers along all axes, those with odd ones, the others. In space
these are an eighth, another one (each in the middle of eight of the first), and the rest (with six around, at one to
1.4 strides). So what is larger than about a stride, planes among them, is met by centres that are asked in any case.
"""

from __future__ import annotations

import numpy as np

from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray
from arise_core.model.classes import MISSING
from arise_core.model.dropout import ABSOLUTE, REJECTED
from arise_core.recognition import loops

#: Neighbours of lower levels that must have an answer, at least, in space and over a plane; along an axis both. Of all
#: neighbours it is a third.
LEAST = 4
#: Of them so many must be sure, as a share.
SURE = 0.5
#: Levels of centres.
LEVELS = 3


class Neighbours:
    """What is known of the centres of a grid so far."""

    def __init__(self, shape: tuple[int, int, int], pbc: BoolArray, axis: int, blocks: IntArray) -> None:
        """
        Args:
            shape: centres along each axis.
            pbc: axes along which the grid repeats.
            axis: along which it may be worked on in parts.
            blocks: (shape[axis],), numbers of its layers; only layers with the same number know of each other, so
                that nothing depends on the parts.
        """
        long = np.array(shape) > 1
        odd = [np.arange(n) % 2 for n in shape]
        count = sum(odd[k].reshape([-1 if i == k else 1 for i in range(3)]) for k in np.flatnonzero(long))
        level = np.full(shape, LEVELS - 1, dtype=np.int8)
        level[np.broadcast_to(count == long.sum(), shape)] = 1
        level[np.broadcast_to(count == 0, shape)] = 0
        self._level = level.ravel()
        self._shape, self._wrap = np.array(shape), np.asarray(pbc, dtype=bool)
        self._axis, self._blocks = axis, blocks
        axes = int(long.sum())
        self._least = min(LEAST, 2**axes)
        self._least_of_all = max(self._least, 3**axes // 3)
        self._answer = np.full(len(self._level), MISSING, dtype=np.int16)
        self._sure = np.zeros(len(self._level), dtype=bool)

    def levels(self, boxes: IntArray) -> IntArray:
        """Levels of centres, 0, 1 or 2, (n,)."""
        return self._level[boxes].astype(np.int64)

    def note(self, boxes: IntArray, answers: IntArray, sure: BoolArray) -> None:
        """Answers of centres, -1 without one, and whether they are sure, (n,) each."""
        self._answer[boxes], self._sure[boxes] = answers, sure

    def answers(self, boxes: IntArray) -> IntArray:
        """What has been noted of centres, (n,)."""
        return self._answer[boxes].astype(np.int64)

    def alike(self, boxes: IntArray, *, lower: bool = True) -> tuple[IntArray, IntArray]:
        """What neighbours say of centres if all say the same, and which they are.

        Args:
            boxes: the centres, (n,).
            lower: whether only those of lower levels are asked, else all.

        Returns:
            (n,), the answer that all neighbours with an answer have if they are enough and at least half of them sure,
            else -1; and the numbers of these, (n, n_near), -1 behind the last.
        """
        near = np.full((len(boxes), 26), -1, dtype=np.int64)
        said = np.empty(len(boxes), dtype=np.int64)
        level, least = (self._level, self._least) if lower else (self._level[:0], self._least_of_all)
        loops.find_alike(
            boxes, self._answer, self._sure, level, self._shape, self._wrap, self._axis, self._blocks, least, SURE,
            near, said,
        )  # fmt: skip
        return said, near[:, : int((near >= 0).sum(axis=1).max(initial=1))]

    def blocks(self, boxes: IntArray) -> IntArray:
        """Numbers of the parts of the grid that centres lie in, (n,)."""
        return np.asarray(
            self._blocks[np.unravel_index(boxes, tuple(self._shape))[self._axis]], dtype=np.int64
        )

    def beside(self, boxes: IntArray, steps: IntArray) -> IntArray:
        """Centres so many steps (3,) away along each axis, both ways, (n, 6), -1 where there is none; 0 steps: none."""
        here = np.stack(np.unravel_index(boxes, tuple(self._shape)), axis=1)
        near = np.full((len(boxes), 6), -1, dtype=np.int64)
        for k, step in enumerate(steps):
            for j, way in enumerate((-step, step)):
                at = here.copy()
                at[:, k] += way
                if self._wrap[k]:
                    at[:, k] %= self._shape[k]
                inside = (at[:, k] >= 0) & (at[:, k] < self._shape[k]) & (at[:, k] != here[:, k])
                along = at[:, self._axis].clip(0, len(self._blocks) - 1)
                inside &= self._blocks[along] == self._blocks[here[:, self._axis]]
                near[inside, 2 * k + j] = np.ravel_multi_index(tuple(at[inside].T), tuple(self._shape))
        return near


def tolerated(answers: IntArray, n_classes: int) -> FloatArray:
    """How much the mutual information may scatter around centres that are not asked: what passes have to reach, bit.

    Args:
        answers: (n,), `n_classes` for what is rejected.
        n_classes: of the model.
    """
    return np.where(answers == n_classes, REJECTED, ABSOLUTE)
