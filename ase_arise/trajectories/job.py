"""One task of a trajectory: some frames in, a row each out."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from arise_core.errors import WorkError
from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.geometry.groups import connected_groups
from arise_core.geometry.material import Material
from arise_core.recognition.result import Recognition
from arise_core.recognition.shares import shares_of
from arise_core.runtime.patience import within
from ase_arise.batches import Found, Order, recognise_each
from ase_arise.reading import Reader
from ase_arise.trajectories.frames import FrameRef, forget, read_frame

#: Frames of a task, and atoms that they have together unless it is one frame.
MOST_FRAMES, MOST_ATOMS = 32, 20_000
#: Quantiles of the mutual information of the atoms that are kept.
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
#: Labels of atoms beside the numbers of the classes.
NO_LABEL, REJECTED_LABEL = -1, -2
#: Entries of `info` in which readers leave the time step of a frame.
STEPS = ("timestep", "step", "Step", "Timestep")


@dataclass(frozen=True)
class TrajectoryOrder(Order):
    """All that a worker needs to know."""

    reader: Reader = field(default_factory=Reader)
    atoms: bool = False  # whether values at atoms are kept


@dataclass(frozen=True)
class Row:
    """What is kept of a frame."""

    row: int  # its place in the store
    file: int
    number: int
    error: str = ""  # why there is nothing else
    step: int = -1  # time step as the file says
    n_atoms: int = 0
    share: FloatArray | None = None  # (n_classes + 2,), as `shares_of`
    share_low: FloatArray | None = None
    share_high: FloatArray | None = None
    mutual_information: float = np.nan  # mean over atoms, bit
    quantiles: FloatArray | None = None  # of it over atoms, (5,), bit
    largest: IntArray | None = None  # (n_classes,), atoms in the largest connected group of each class
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    label: NDArray[np.int16] | None = None  # (n_atoms,), class, -1 no prediction, -2 rejected
    doubt: NDArray[np.float16] | None = None  # (n_atoms,), mutual information, bit
    group: NDArray[np.int32] | None = None  # (n_atoms,), connected group of its class, -1 none


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
    result, material = found.result, found.material
    if result is None or material is None or found.atoms is None:
        return Row(ref.row, ref.file, ref.number, error=found.error)
    shares = shares_of(result)
    groups = connected_groups(material, result.atom_class)
    doubt = result.atoms.mutual_information
    known = doubt[np.isfinite(doubt)]
    at_atoms: dict[str, Any] = {}
    if order.atoms:
        label = np.where(result.atom_rejected, REJECTED_LABEL, result.atoms.index)
        at_atoms = {
            "label": _of_all(material, label.astype(np.int16), NO_LABEL),
            "doubt": _of_all(material, doubt.astype(np.float16), np.nan),
            "group": _of_all(material, groups.astype(np.int32), -1),
        }
    return Row(
        ref.row, ref.file, ref.number, step=_step(found.atoms.info), n_atoms=len(found.atoms),
        share=shares.share, share_low=shares.low, share_high=shares.high,
        mutual_information=float(known.mean()), quantiles=np.quantile(known, QUANTILES),
        largest=_largest(result, groups), seconds=found.seconds, notes=material.notes, **at_atoms,
    )  # fmt: skip


def _largest(result: Recognition, groups: IntArray) -> IntArray:
    """Atoms in the largest connected group of each class, (n_classes,)."""
    out = np.zeros(len(result.classes), dtype=np.int64)
    in_group = groups >= 0
    sizes = np.bincount(groups[in_group])
    first = np.full(len(sizes), -1)
    first[groups[in_group]] = result.atom_class[in_group]
    np.maximum.at(out, first, sizes)
    return out


def _of_all(material: Material, values: NDArray[Any], missing: Any) -> NDArray[Any]:
    """Values of the atoms that were looked at as values of all that the frame has."""
    if material.kept is None:
        return values
    out = np.full(len(material.kept), missing, dtype=values.dtype)
    out[material.kept] = values
    return out


def _step(info: dict[str, Any]) -> int:
    for name in STEPS:
        value = info.get(name)
        if isinstance(value, int | np.integer) and not isinstance(value, bool):
            return int(value)
    return -1
