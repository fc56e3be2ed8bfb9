"""All frames of a file that OVITO reads: waited for, and with their types as they are in the file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from ovito.io import import_file
from ovito.pipeline import FileSource

from arise_core.crystals.species import Kind
from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray
from ovito_arise.convert import kinds_of, to_atoms


def wait_for_frames(source: FileSource) -> int:
    """Wait for the complete list of frames of the file that was just loaded.

    While it reads the first frame, OVITO 3.17 notices in a thread that more follow, and posts this to the main
    thread. Once the process has a Qt application (rendering a picture makes one), `import_file` and
    `FileSource.load` may return before that message is delivered. `num_frames` is then 1 until the next one
    happens to deliver it; `FileSource.wait_for_frames_list` alone does not. The option `multiple_frames=True`
    helps too, but several readers (ASE trajectories, LAMMPS grid dumps, VTK grids) refuse it.

    Args:
        source: `pipeline.source` of `import_file`, or `LoadTrajectoryModifier().source` after its `load`.

    Returns:
        The number of frames.
    """
    from ovito.qt_compat import QtCore

    if QtCore.QCoreApplication.instance() is not None:
        # Not QCoreApplication.processEvents: with Python 3.11, PySide 6.12 takes a reference from None at every
        # call that returns nothing, and Python aborts when none is left.
        QtCore.QEventLoop().processEvents(QtCore.QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
    source.wait_for_frames_list()  # type: ignore[attr-defined]  # missing in OVITO's stubs
    return source.num_frames


@dataclass(frozen=True)
class FileFrame:
    """A frame of a file as OVITO reads it. What its types are is not decided yet."""

    positions: FloatArray  # (n, 3), Å
    cell: FloatArray  # (3, 3), Å
    origin: FloatArray  # (3,), Å, where the cell begins
    pbc: BoolArray  # (3,)
    kinds: list[Kind]
    which: IntArray  # (n,), index of the kind of each particle
    notes: tuple[str, ...]  # what was assumed, but of types
    step: int | None = None  # time step, if the file tells it


def count_frames(name: str) -> tuple[int, int]:
    """Frames of a file that OVITO's readers read, and atoms of the first one, which alone is read.

    Raises:
        RuntimeError: OVITO cannot read it.
    """
    pipeline = import_file(name)
    assert isinstance(pipeline.source, FileSource)
    particles = pipeline.compute(0).particles
    return wait_for_frames(pipeline.source), 0 if particles is None else particles.count


def read_file(name: str, first: int = 0) -> Iterator[FileFrame]:
    """Frames of a file that OVITO's readers read, from one on.

    Atoms have the order of their identifiers, if they have any.

    Raises:
        RuntimeError, ValueError: OVITO cannot read it, or it holds what `to_atoms` refuses.
    """
    pipeline = import_file(name)
    assert isinstance(pipeline.source, FileSource)
    for frame in range(first, wait_for_frames(pipeline.source)):
        data = pipeline.compute(frame)
        found = to_atoms(data, {})
        where = np.asarray(data.particles["Position"])
        structure = found.material.structure
        kinds, which = kinds_of(data.particles)
        order = np.arange(len(where))
        if "Particle Identifier" in data.particles:
            order = np.argsort(np.asarray(data.particles["Particle Identifier"]), kind="stable")
        step = data.attributes.get("Timestep")
        yield FileFrame(
            where[order], structure.cell, found.origin, structure.pbc, kinds, which[order], found.notes,
            None if step is None else int(step),
        )  # fmt: skip
