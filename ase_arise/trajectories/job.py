"""One task of a trajectory: some frames in, a row each out."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ase import Atoms

from arise_core.errors import WorkError
from arise_core.runtime.patience import within
from arise_core.trajectories.rows import Row
from ase_arise.batches import Found, Order, recognise_each
from ase_arise.reading import Reader
from ase_arise.trajectories.frames import FrameRef, forget, read_frame

#: Frames of a task, and atoms that they have together unless it is one frame.
MOST_FRAMES, MOST_ATOMS = 32, 20_000
#: Entries of `info` in which readers leave the time step of a frame.
STEPS = ("timestep", "step", "Step", "Timestep")


@dataclass(frozen=True)
class TrajectoryOrder(Order):
    """All that a worker needs to know."""

    reader: Reader = field(default_factory=Reader)
    atoms: bool = False  # whether values at atoms are kept
    maps: bool = False  # whether maps are


def tasks_of(frames: Iterable[FrameRef | None]) -> Iterator[list[FrameRef]]:
    """Frames in tasks: large ones alone, small ones of a file together.

    None stands for time that passed without a frame: what has gathered becomes a task, which may be empty.
    """
    task: list[FrameRef] = []
    atoms = 0
    for ref in frames:
        full = ref is None or len(task) >= MOST_FRAMES or atoms + ref.n_atoms > MOST_ATOMS
        if ref is None or (task and (full or ref.path != task[0].path)):
            yield task
            task, atoms = [], 0
        if ref is not None:
            task.append(ref)
            atoms += ref.n_atoms
    if task:
        yield task


def recognise_task(task: Sequence[FrameRef], order: TrajectoryOrder) -> list[Row]:
    """Read and recognise the frames of a task."""
    images = [_read(ref, order) for ref in task]
    if threading.current_thread() is not threading.main_thread():
        forget()  # nobody knows when a thread ends
    found = recognise_each(images, order, [ref.name for ref in task])
    return [_row(ref, one, order) for ref, one in zip(task, found, strict=True)]


def _read(ref: FrameRef, order: TrajectoryOrder) -> Atoms | str:
    try:
        with within(order.time_limit):
            return read_frame(ref, order.reader)
    except WorkError as error:
        forget()
        return f"cannot be read: {error}"


def _row(ref: FrameRef, found: Found, order: TrajectoryOrder) -> Row:
    if found.result is None or found.material is None or found.atoms is None:
        return Row(ref.row, ref.file, ref.number, error=found.error)
    return Row.of(
        found.result, found.material, ref.row, ref.file, ref.number, atoms=order.atoms,
        maps=order.maps, step=_step(found.atoms.info), seconds=found.seconds,
    )  # fmt: skip


def _step(info: dict[str, Any]) -> int:
    for name in STEPS:
        value = info.get(name)
        if isinstance(value, int | np.integer) and not isinstance(value, bool):
            return int(value)
    return -1
