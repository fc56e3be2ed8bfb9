"""What the modifier keeps of each frame, so that another colour or threshold needs no new descriptors."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from arise_core import Structure
from arise_core.recognition.result import Recognition

#: Bytes of results that a modifier keeps, over all frames. The last one is kept whatever its size.
BUDGET = 512 * 2**20


class Kept(Protocol):
    """What a store keeps of a frame."""

    @property
    def nbytes(self) -> int:
        """Memory of the arrays."""


T = TypeVar("T", bound=Kept)


@dataclass
class Result:
    """What was found of one frame."""

    local: Recognition  # box by box
    whole: Recognition | None = None  # of the structure as a whole, once asked for

    @property
    def nbytes(self) -> int:
        """Memory of the arrays."""
        found = (self.local, self.whole) if self.whole is not None else (self.local,)
        return sum(array.nbytes for recognition in found for array in recognition.arrays())


class ResultStore(Generic[T]):
    """The results of the last frames, by content of the input and settings; bounded in memory."""

    def __init__(self, budget: int = BUDGET) -> None:
        self.budget = budget
        self._results: OrderedDict[Hashable, T] = OrderedDict()
        self.without = ""  # why the frame evaluated last has none

    def __len__(self) -> int:
        return len(self._results)

    def get(self, key: Hashable) -> T | None:
        """The result, which now counts as used last."""
        if key in self._results:
            self._results.move_to_end(key)
            self._forget()  # results grow when more is asked of them
        return self._results.get(key)

    def put(self, key: Hashable, result: T) -> None:
        """Keep a result; those used longest ago go if there is no room."""
        self._results[key] = result
        self._forget()

    def _forget(self) -> None:
        total = sum(r.nbytes for r in self._results.values())
        while total > self.budget and len(self._results) > 1:
            total -= self._results.popitem(last=False)[1].nbytes

    def last(self) -> T | None:
        """The result used last."""
        return next(reversed(self._results.values()), None)


def fingerprint(structure: Structure) -> bytes:
    """Digest of everything in a structure."""
    digest = hashlib.blake2b(digest_size=16)
    arrays: list[Any] = [structure.positions, structure.numbers, structure.cell, structure.pbc]
    for array in arrays:
        digest.update(array.data)
    return digest.digest()


def memory_of(*owners: object) -> int:
    """Bytes of all arrays that objects hold, each counted once."""
    arrays = {id(a): a for owner in owners if owner is not None for a in vars(owner).values()}
    return sum(a.nbytes for a in arrays.values() if isinstance(a, np.ndarray))
