"""Maps read off at the atoms slab by slab, before their probabilities go, by one process or in parts by several.

Atoms whose boxes all lie in one slab are read off with it. The others lie between two slabs, and are read off when the
boxes at both borders are there. So no more than the probabilities of a slab are held, and the numbers are bit for bit
those of the whole map. Sums over atoms are added in the order of the slabs, whoever made them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from arise_core.engine.grid import BoxGrid
from arise_core.geometry.arrays import IntArray
from arise_core.model.prediction import Prediction, Rule
from arise_core.progress import Job, part
from arise_core.recognition.asking import Answers
from arise_core.recognition.audit import Audit, total
from arise_core.recognition.between import Nodes, PointValues, Sums
from arise_core.recognition.fronts import BoxShares
from arise_core.recognition.work import MapWork, Slab, layers

#: Boxes before and behind that of an atom, along an axis, that its values need.
NEEDED = {"linear": (0, 1), "sure": (1, 2)}
#: Atoms whose places among the boxes are found at once.
ATOMS = 200_000


@dataclass(frozen=True)
class Piece:
    """Values at the atoms of a place: 2 k for those in slab k, 2 k + 1 for those between it and the next one."""

    place: int
    values: PointValues  # at these atoms, in their order
    sums: Sums


@dataclass(frozen=True)
class Border:
    """Answers for the first or last layers of a slab, which the atoms beyond them need too."""

    boxes: IntArray  # (n,)
    prediction: Prediction


@dataclass(frozen=True)
class MapPart:
    """What is known of some slabs that follow each other; small beside their probabilities."""

    slabs: range
    pieces: tuple[Piece, ...]
    lower: Border  # of the first slab
    upper: Border  # of the last one
    shares: tuple[tuple[int, BoxShares], ...]  # of the boxes of each slab, by its number
    audit: Audit | None = None  # of these boxes, see `Audit`


@dataclass(frozen=True)
class MapSummary:
    """What is left of a map that is not kept, beside the values at atoms."""

    sums: Sums
    rule: Rule  # by which sums are named
    grid: BoxGrid
    boxes: BoxShares  # by the same rule
    audit: Audit | None = None  # of those that others answer for


@dataclass(frozen=True)
class Reader:
    """Reads the slabs of a map off at the atoms."""

    work: MapWork

    @cached_property
    def rule(self) -> Rule:
        """By which atoms are named."""
        return Rule(reject_threshold=self.work.model.threshold(self.work.reject_threshold))

    @property
    def _needed(self) -> tuple[int, int]:
        return NEEDED[self.work.grid.settings.between]

    @cached_property
    def places(self) -> NDArray[np.int16]:
        """The place (see `Piece`) of each atom, -1 far from all boxes, (n_atoms,)."""
        grid, slabs = self.work.grid, self.work.slabs
        axis, (before, behind) = slabs[0].axis, self._needed
        count = grid.shape[axis]
        slab_of = np.repeat(np.arange(len(slabs)), [slab.stop - slab.first for slab in slabs])
        out = np.full(len(grid.material), -1, dtype=np.int16)
        for k in range(0, len(out), ATOMS):
            at = grid.coordinates_of_atoms(slice(k, k + ATOMS))
            known = np.flatnonzero(~np.isnan(at).any(axis=1))
            box = np.floor(at[known, axis]).astype(np.int64)
            if grid.pbc[axis]:
                low, high = slab_of[(box - before) % count], slab_of[(box + behind) % count]
            else:
                low, high = slab_of[np.clip([box - before, box + behind], 0, count - 1)]
            out[k + known] = 2 * low + (low != high)
        return out

    def slab(self, slab: Slab, answers: Answers) -> MapPart:
        """What is known of a slab by the answers for its boxes."""
        width = sum(self._needed)
        return MapPart(
            range(slab.number, slab.number + 1),
            (self._piece(2 * slab.number, slab.first, slab.stop - slab.first, answers.prediction),),
            self._border(answers, np.arange(slab.first, slab.first + width)),
            self._border(answers, np.arange(slab.stop - width, slab.stop)),
            ((slab.number, self._shares(answers)),),
            answers.audit,
        )  # fmt: skip

    def _shares(self, answers: Answers) -> BoxShares:
        edges = self.work.edges or (float(self.work.grid.settings.box_size),)
        size = np.zeros(len(answers.boxes), dtype=np.int8) if answers.size is None else answers.size
        edge = np.append(edges, np.nan)[size]
        return BoxShares.of(answers.prediction, self.rule, edge, answers.n_atoms)

    def seam(self, number: int, upper: Border, lower: Border) -> Piece:
        """Values at the atoms between a slab, of which the upper border is given, and the next one."""
        slab, shape, width = self.work.slabs[number], self.work.grid.shape, sum(self._needed)
        first = slab.stop - width
        boxes = layers(shape, slab.axis, np.arange(first, first + 2 * width) % shape[slab.axis])
        known = np.concatenate([upper.boxes, lower.boxes])
        order = np.argsort(known)
        rows = order[np.searchsorted(known, boxes, sorter=order)]
        one, other = upper.prediction, lower.prediction
        both = Answers.room(len(known), Answers(upper.boxes, one, upper.boxes))
        both.put(np.arange(len(one)), Answers(upper.boxes, one, upper.boxes))
        both.put(np.arange(len(one), len(known)), Answers(lower.boxes, other, lower.boxes))
        return self._piece(2 * number + 1, first, 2 * width, both.prediction.take(rows))

    def _border(self, answers: Answers, chosen: IntArray) -> Border:
        alone = len(self.work.slabs) == 1
        boxes = layers(self.work.grid.shape, self.work.slabs[0].axis, chosen[:0] if alone else chosen)
        return Border(boxes, answers.prediction.take(np.searchsorted(answers.boxes, boxes)))

    def _piece(self, place: int, first: int, count: int, prediction: Prediction) -> Piece:
        """Values at the atoms of a place from a block of layers."""
        grid, axis = self.work.grid, self.work.slabs[0].axis
        shape, start = list(grid.shape), np.zeros(3, dtype=np.int64)
        shape[axis], start[axis] = count, first
        nodes = Nodes(
            prediction, (shape[0], shape[1], shape[2]), np.array(grid.shape), grid.pbc, grid.settings.between,
            bool(self.work.edges), start,
        )  # fmt: skip
        at = grid.coordinates_of_atoms(np.flatnonzero(self.places == place))
        return Piece(place, *nodes.summed(at, rule=self.rule))


def part_steps(reader: Reader, slabs: range) -> Job[MapPart]:
    """Some slabs of a map, described, asked and read off, as a job.

    Args:
        reader: of the map.
        slabs: their numbers, at least one.
    """
    parts: list[MapPart] = []
    pieces: list[Piece] = []
    for k, number in enumerate(slabs):
        slab = reader.work.slabs[number]
        answers = yield from part(reader.work.answers(slab), k / len(slabs), (k + 1) / len(slabs))
        parts.append(reader.slab(slab, answers))
        pieces += parts[-1].pieces
        if k:
            pieces.append(reader.seam(number - 1, parts[-2].upper, parts[-1].lower))
    return MapPart(
        slabs, tuple(pieces), parts[0].lower, parts[-1].upper, tuple(one for p in parts for one in p.shares),
        total(p.audit for p in parts),
    )  # fmt: skip


class Joined:
    """The parts of a map put together, in any order."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self._values = PointValues.nowhere(len(reader.work.grid.material))
        self._sums: dict[int, Sums] = {}
        self._lower: dict[int, Border] = {}
        self._upper: dict[int, Border] = {}
        self._boxes: BoxShares | None = None
        self._audit: Audit | None = None

    def add(self, part: MapPart) -> None:
        """One more part; each slab must come once."""
        for piece in part.pieces:
            self._put(piece)
        grid, slabs = self.reader.work.grid, self.reader.work.slabs
        for number, shares in part.shares:
            if self._boxes is None:
                self._boxes = BoxShares.room(len(grid), shares)
            self._boxes.put(slabs[number].boxes(grid.shape), shares)
        self._audit = total((self._audit, part.audit))
        first, last = part.slabs[0], part.slabs[-1]
        self._lower[first], self._upper[last] = part.lower, part.upper
        for number in (first - 1, last):
            self._close(number)

    def _close(self, number: int) -> None:
        """Read off the atoms behind a slab, if there are such and the borders at both of their sides are known."""
        work = self.reader.work
        count = len(work.slabs)
        if count == 1 or (not 0 <= number < count - 1 and not work.grid.pbc[work.slabs[0].axis]):
            return
        number, behind = number % count, (number + 1) % count
        if number in self._upper and behind in self._lower:
            self._put(self.reader.seam(number, self._upper.pop(number), self._lower.pop(behind)))

    def _put(self, piece: Piece) -> None:
        self._values.put(np.flatnonzero(self.reader.places == piece.place), piece.values)
        self._sums[piece.place] = piece.sums

    def result(self) -> tuple[PointValues, MapSummary]:
        """Values at all atoms, and what is left of the map."""
        work = self.reader.work
        assert self._boxes is not None
        work.warn_if_empty(int(self._boxes.known.sum()), int(self._boxes.atoms.max()))
        sums = Sums.nothing(len(work.model.classes), named=True)
        for place in sorted(self._sums):
            sums += self._sums[place]
        return self._values, MapSummary(sums, self.reader.rule, work.grid, self._boxes, self._audit)


def read_steps(work: MapWork) -> Job[tuple[PointValues, MapSummary]]:
    """Values at the atoms from a map that is not kept, as a job."""
    work.refuse_empty(kept=0)
    reader = Reader(work)
    joined = Joined(reader)
    count = len(work.slabs)
    for k in range(count):
        found = yield from part(part_steps(reader, range(k, k + 1)), k / count, (k + 1) / count)
        joined.add(found)
    return joined.result()
