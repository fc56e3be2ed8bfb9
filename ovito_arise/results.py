"""What the modifier keeps of each frame, so that another colour or threshold needs no new descriptors."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arise_core import PointValues, Prediction, StridedMap, Structure

#: Bytes of results that a modifier keeps, over all frames. The last one is kept whatever its size.
BUDGET = 512 * 2**20


@dataclass
class Result:
    """Map of one structure and its values at the atoms."""

    field: StridedMap
    points: PointValues  # at the atoms of the structure, in their order
    whole: Prediction | None = None  # of the structure as a whole, once asked for
    _probabilities: tuple[tuple[int, ...], NDArray[np.float32]] | None = field(default=None, repr=False)

    def probabilities(self, classes: tuple[int, ...]) -> NDArray[np.float32]:
        """Probabilities of some classes at the atoms, (n_atoms, n_chosen)."""
        if self._probabilities is None or self._probabilities[0] != classes:
            points = self.field.grid.structure.positions
            self._probabilities = classes, self.field.probabilities_at(points, classes)
        return self._probabilities[1]

    @property
    def nbytes(self) -> int:
        """Memory of the arrays."""
        return sum(
            value.nbytes
            for part in (
                self.field,
                self.field.grid,
                self.field.grid.structure,
                self.field.prediction,
                self.points,
            )
            for value in vars(part).values()
            if isinstance(value, np.ndarray)
        )


class ResultStore:
    """The results of the last frames, by content of the input and settings; bounded in memory."""

    def __init__(self, budget: int = BUDGET) -> None:
        self.budget = budget
        self._results: OrderedDict[Hashable, Result] = OrderedDict()

    def __len__(self) -> int:
        return len(self._results)

    def get(self, key: Hashable) -> Result | None:
        """The result, which now counts as used last."""
        if key in self._results:
            self._results.move_to_end(key)
        return self._results.get(key)

    def put(self, key: Hashable, result: Result) -> None:
        """Keep a result; those used longest ago go if there is no room."""
        self._results[key] = result
        total = sum(r.nbytes for r in self._results.values())
        while total > self.budget and len(self._results) > 1:
            total -= self._results.popitem(last=False)[1].nbytes

    def last(self) -> Result | None:
        """The result used last."""
        return next(reversed(self._results.values()), None)


def fingerprint(structure: Structure) -> bytes:
    """Digest of everything in a structure."""
    digest = hashlib.blake2b(digest_size=16)
    arrays: list[Any] = [structure.positions, structure.numbers, structure.cell, structure.pbc]
    for array in arrays:
        digest.update(array.data)
    return digest.digest()
