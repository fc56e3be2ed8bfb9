"""One huge frame worked on in parts: tasks that recognise some of its boxes each, and the row that they make.

Whoever works on a part reads the frame, and keeps it for the next part. What boxes a part has follows from the frame
alone, and so do the numbers: they are bit for bit those of one process.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ase import Atoms

from arise_core.geometry.material import Material
from arise_core.progress import run
from arise_core.recognition import work
from arise_core.recognition.parts import Joined, MapPart, Reader, part_steps
from arise_core.recognition.result import Recognition
from arise_core.recognition.work import MapWork
from arise_core.trajectories.rows import Row
from ase_arise.batches import Found, attempt, found_of, looked_at
from ase_arise.convert import as_model
from ase_arise.trajectories.frames import FrameRef
from ase_arise.trajectories.job import TrajectoryOrder, read, row_of

#: Atoms of a frame from which several workers share it, and of a part, about.
HUGE, PART = 2_000_000, 500_000


@dataclass(frozen=True)
class FramePart:
    """A part of a frame that is to be worked on."""

    ref: FrameRef
    number: int
    count: int  # of parts
    slab_boxes: int  # see `MapWork`; the same for all parts, whoever works on them


@dataclass(frozen=True)
class PartFound:
    """What became of it."""

    part: FramePart
    found: MapPart | None = None  # None too where there are fewer slabs than parts
    seconds: float = 0.0
    error: str = ""  # why there is no row


@dataclass(frozen=True)
class _Frame:
    """A frame that is being worked on."""

    atoms: Atoms
    material: Material
    reader: Reader


class _Kept:
    """The frame that parts were worked on last in this process; its threads share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._key: Any = None
        self._frame: _Frame | str = ""

    def get(self, part: FramePart, order: TrajectoryOrder) -> _Frame | str:
        """The frame of a part; a text says why there is none."""
        ref = part.ref
        key = ref, part.slab_boxes, order, os.stat(ref.path).st_mtime_ns if os.path.exists(ref.path) else 0
        with self._lock:
            if self._key != key:
                self._key, self._frame = None, ""  # its memory is free for the next one
                frame = _frame(part, order)
                if isinstance(frame, str):  # another try may find it
                    return frame
                self._key, self._frame = key, frame
            return self._frame

    def forget(self) -> None:
        """Give its memory back."""
        with self._lock:
            self._key, self._frame = None, ""


_kept = _Kept()


def is_huge(ref: FrameRef, order: TrajectoryOrder) -> bool:
    """Whether a frame is mapped and so large that the memory may not hold one for each worker."""
    return ref.n_atoms >= HUGE and order.settings.is_local(ref.n_atoms)


def parts_of(ref: FrameRef, order: TrajectoryOrder) -> list[FramePart]:
    """The parts that several workers share a huge frame in; none where one worker does it."""
    if not is_huge(ref, order) or order.maps or ref.window:
        return []
    count = -(-ref.n_atoms // PART)
    return [FramePart(ref, k, count, work.SLAB_BOXES) for k in range(count)]


def recognise_part(part: FramePart, order: TrajectoryOrder) -> PartFound:
    """Read a frame, unless it is here already, and recognise a part of its boxes."""
    start = time.perf_counter()
    frame = _kept.get(part, order)
    if isinstance(frame, str):
        return PartFound(part, error=frame)
    n = len(frame.reader.work.slabs)
    slabs = range(part.number * n // part.count, (part.number + 1) * n // part.count)
    if not slabs:
        return PartFound(part)
    found = attempt(lambda: run(part_steps(frame.reader, slabs)), part.ref.name, order.time_limit)
    if isinstance(found, str):
        return PartFound(part, error=found)
    return PartFound(part, found, time.perf_counter() - start)


@dataclass
class Gathered:
    """Parts of frames that wait for the others."""

    order: TrajectoryOrder
    _parts: dict[int, dict[int, PartFound]] = field(default_factory=dict)  # by row and number

    def add(self, one: PartFound) -> list[Row]:
        """The row of a frame of which this was the last part; else none."""
        ref = one.part.ref
        parts = self._parts.setdefault(ref.row, {})
        parts[one.part.number] = one
        if len(parts) < one.part.count:
            return []
        del self._parts[ref.row]
        return [self._row(ref, [parts[k] for k in sorted(parts)])]

    def _row(self, ref: FrameRef, parts: list[PartFound]) -> Row:
        start = time.perf_counter()
        error = next((one.error for one in parts if one.error), "")
        frame = error or _kept.get(parts[0].part, self.order)
        _kept.forget()
        if isinstance(frame, str):
            return row_of(ref, Found(None, error=frame), self.order)
        join = partial(_joined, frame, [one.found for one in parts if one.found is not None])
        found = attempt(join, ref.name, float("inf"))
        if isinstance(found, str):
            return row_of(ref, Found(None, error=found), self.order)
        seconds = sum(one.seconds for one in parts) + time.perf_counter() - start
        whole = found_of(frame.atoms, frame.material, found, seconds, self.order)
        return row_of(ref, whole, self.order)


def _joined(frame: _Frame, parts: list[MapPart]) -> Recognition:
    joined = Joined(frame.reader)
    for part in parts:
        joined.add(part)
    return Recognition.of_parts(frame.reader.work.model.class_info, *joined.result())


def _frame(part: FramePart, order: TrajectoryOrder) -> _Frame | str:
    atoms = read(part.ref, order)
    if isinstance(atoms, str):
        return atoms
    return attempt(partial(_begun, atoms, part, order), part.ref.name, order.time_limit)


def _begun(atoms: Atoms, part: FramePart, order: TrajectoryOrder) -> _Frame:
    atoms, material = looked_at(atoms, order)
    s = order.settings
    whole = MapWork.of(
        material, as_model(order.model), s.map, s.sampling, s.reject_threshold, part.slab_boxes
    )
    whole.refuse_empty(kept=0)
    return _Frame(atoms, material, Reader(whole))
