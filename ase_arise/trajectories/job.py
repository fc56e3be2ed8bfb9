"""One task of a trajectory: some frames in, a row each out."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from ase import Atoms

from arise_core.errors import WorkError
from arise_core.runtime.patience import within
from arise_core.trajectories.rows import Row
from ase_arise.batches import Found, Order, batched, recognise_each
from ase_arise.reading import Reader
from ase_arise.trajectories.frames import FrameRef, forget, read_frame
from ase_arise.trajectories.windows import AS_READ, Smoothed

#: Frames of a task.
MOST_FRAMES = 32
#: Entries of `info` in which readers leave the time step of a frame.
STEPS = ("timestep", "step", "Step", "Timestep")


@dataclass(frozen=True)
class TrajectoryOrder(Order):
    """All that a worker needs to know."""

    reader: Reader = field(default_factory=Reader)
    atoms: bool = False  # whether values at atoms are kept
    maps: bool = False  # whether maps are

    @property
    def keep_map(self) -> bool:
        """Whether maps are kept."""
        return self.maps


def tasks_of(frames: Iterable[FrameRef | None]) -> Iterator[list[FrameRef]]:
    """Frames in tasks: large ones alone, small ones of a file together; None as in `batched`."""
    return batched(frames, MOST_FRAMES, lambda ref: ref.n_atoms, lambda ref: ref.path)


def recognise_task(task: Sequence[FrameRef], order: TrajectoryOrder) -> list[Row]:
    """Read and recognise the frames of a task."""
    averaged = Smoothed(partial(read, order=order))
    images = [averaged(ref) for ref in task]
    if threading.current_thread() is not threading.main_thread():
        forget()  # nobody knows when a thread ends
    found = recognise_each(images, order, [ref.name for ref in task])
    return [row_of(ref, one, order) for ref, one in zip(task, found, strict=True)]


def read(ref: FrameRef, order: TrajectoryOrder) -> Atoms | str:
    """A frame; a text says why it cannot be read."""
    try:
        with within(order.time_limit):
            return read_frame(ref, order.reader)
    except WorkError as error:
        forget()
        return f"cannot be read: {error}"
    finally:
        if threading.current_thread() is not threading.main_thread():
            forget()  # nobody knows when a thread ends


def row_of(ref: FrameRef, found: Found, order: TrajectoryOrder) -> Row:
    """What is kept of a frame."""
    if found.result is None or found.material is None or found.atoms is None:
        return Row(ref.row, ref.file, ref.number, error=found.error)
    return Row.of(
        found.result, found.material, ref.row, ref.file, ref.number, atoms=order.atoms,
        maps=order.maps, step=_step(found.atoms.info), seconds=found.seconds, places=found.atoms.arrays.get(AS_READ),
    )  # fmt: skip


def _step(info: dict[str, Any]) -> int:
    for name in STEPS:
        value = info.get(name)
        if isinstance(value, int | np.integer) and not isinstance(value, bool):
            return int(value)
    return -1
