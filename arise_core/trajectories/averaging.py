"""Positions averaged over neighbouring frames: what heat does to a crystal goes, where its atoms stand stays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arise_core.errors import InputError
from arise_core.geometry.arrays import BoolArray, FloatArray
from arise_core.geometry.cell import complete_cell, has_volume, inverse, transformed

#: Most that a cell vector may differ from that of the frame in the middle, as a share of the cell, beside whole ones.
MOST_STRAIN = 0.2


def averaged(
    positions: Sequence[FloatArray], cells: Sequence[FloatArray], pbc: BoolArray, middle: int
) -> tuple[FloatArray, FloatArray]:
    """Mean positions of atoms over frames, and the mean cell.

    Along periodic directions coordinates are averaged as shares of each frame's own cell, and an atom goes from the
    frame in the middle to another one the shortest way; along open directions they are averaged in Å. For cells that
    stay as they are this is what OVITO's SmoothTrajectoryModifier does; where they change, a crystal that is stretched
    evenly stays where it is in its cell.

    Args:
        positions: of each frame, (n, 3), Å, the same atoms in the same order; wrapped or not.
        cells: of each frame, (3, 3), Å, rows are vectors.
        pbc: periodic directions, (3,).
        middle: the frame that is shown.

    Returns:
        Positions (n, 3) and cell (3, 3), Å.

    Raises:
        InputError: a cell that has no volume, or is not that of the frame in the middle, deformed a little.
    """
    frame = complete_cell(cells[middle])
    if not has_volume(frame):
        raise InputError("the cell has no volume")
    bases = [_like(frame, cell, pbc) for cell in cells]
    start = transformed(positions[middle], inverse(frame))
    moved = np.zeros_like(start)
    for where, basis in zip(positions, bases, strict=True):
        step = transformed(where, inverse(basis)) - start
        step[:, pbc] -= np.round(step[:, pbc])
        moved += step
    mean = np.sum(bases, axis=0) / len(bases)
    cell = np.where(np.asarray(pbc)[:, None], mean, cells[middle])
    return transformed(start + moved / len(bases), mean), cell


def _like(frame: FloatArray, cell: FloatArray, pbc: BoolArray) -> FloatArray:
    """The vectors of a cell's lattice that are closest to those of another cell; open ones are those of the other.

    LAMMPS flips tilted cells: a vector becomes its sum with another one, and the lattice stays.

    Raises:
        InputError: there are none close to them.
    """
    basis = np.where(np.asarray(pbc)[:, None], cell, frame)
    if not has_volume(basis):
        raise InputError("the cell of a frame beside it has no volume")
    turns = np.round(transformed(frame, inverse(basis)))
    basis = transformed(turns, basis)
    strain = np.abs(transformed(basis, inverse(frame)) - np.eye(3)).max()
    if abs(round(float(np.linalg.det(turns)))) != 1 or strain > MOST_STRAIN:
        raise InputError("the cell of a frame beside it is another one")
    return basis
