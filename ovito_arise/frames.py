"""All frames of a file that OVITO reads: waited for, and as structures."""

from __future__ import annotations

from collections.abc import Iterator

from ovito.io import import_file
from ovito.pipeline import FileSource

from arise_core import Structure
from ovito_arise.convert import to_atoms


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


def read_structures(name: str) -> Iterator[tuple[Structure, tuple[str, ...]]]:
    """All frames of a file that OVITO's readers read: structures, and notes on what was assumed of them.

    Raises:
        RuntimeError, ValueError: OVITO cannot read it, or says nothing of its elements.
    """
    pipeline = import_file(name)
    assert isinstance(pipeline.source, FileSource)
    for frame in range(wait_for_frames(pipeline.source)):
        material = to_atoms(pipeline.compute(frame), {}).material
        notes = (
            note.partition("; `")[0] for note in material.given_notes
        )  # without what the modifier offers
        yield material.structure, tuple(notes)
