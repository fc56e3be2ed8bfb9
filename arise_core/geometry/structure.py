"""The one form in which atoms enter the core: positions, atomic numbers, cell, periodicity."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from arise_core.errors import InputError, shown
from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray
from arise_core.geometry.cell import complete_cell, has_volume

MAX_ATOMIC_NUMBER = 118
#: Two atoms closer than this are a mistake in the input, not a bond (H2: 0.74 Å).
OVERLAP_DISTANCE = 0.1
#: Coordinates and cell vectors are no larger, Å: beyond, too few digits are left for the distances of neighbours.
FARTHEST = 1e9


@dataclass(frozen=True)
class Structure:
    """Atoms in space. Arrays are validated, copied and made read-only; the caller's stay untouched.

    Args:
        positions: (n_atoms, 3), Å. May lie outside the cell.
        numbers: (n_atoms,), atomic numbers, 1 to 118.
        cell: (3, 3), Å, rows are the cell vectors. Zeros: no cell; a zero row: no vector in that direction.
        pbc: (3,), whether the structure repeats along each cell vector. One boolean stands for all three.
        origin: (3,), Å, where the cell begins. Positions are not relative to it; boxes of maps are laid from there.

    Raises:
        ValueError: no atoms, NaN or infinite values, values above 1e9 Å, wrong shapes, an unknown element, or a
            periodic direction without a cell of non-zero volume.
    """

    positions: FloatArray
    numbers: IntArray
    cell: FloatArray = field(default_factory=lambda: np.zeros((3, 3)))
    pbc: BoolArray = field(default_factory=lambda: np.zeros(3, dtype=bool))
    origin: FloatArray = field(default_factory=lambda: np.zeros(3))

    def __post_init__(self) -> None:
        positions = _frozen(self.positions, np.float64, "positions")
        if positions.ndim != 2 or positions.shape[1] != 3:
            raise InputError(f"`positions` must have shape (n_atoms, 3), got {positions.shape}")
        if len(positions) == 0:
            raise InputError("`positions` is empty: the structure has no atoms")
        bad = np.flatnonzero(~np.isfinite(positions).all(axis=1))
        if len(bad):
            raise InputError(
                f"`positions` must be finite: {len(bad)} of {len(positions)} atoms have NaN or infinite "
                f"coordinates, first atom {bad[0]}: {positions[bad[0]]}"
            )
        far = np.flatnonzero((np.abs(positions) > FARTHEST).any(axis=1))
        if len(far):
            raise InputError(
                f"`positions` must not exceed {FARTHEST:g} Å, or too few digits are left for distances: {len(far)} of "
                f"{len(positions)} atoms do, first atom {far[0]}: {positions[far[0]]}"
            )
        numbers = _frozen(self.numbers, np.int64, "numbers")
        if numbers.shape != (len(positions),):
            raise InputError(f"`numbers` must have shape ({len(positions)},), got {numbers.shape}")
        unknown = np.unique(numbers[(numbers < 1) | (numbers > MAX_ATOMIC_NUMBER)])
        if len(unknown):
            raise InputError(
                f"`numbers` must be atomic numbers from 1 to {MAX_ATOMIC_NUMBER}, got {unknown[:5].tolist()}"
            )
        cell = _frozen(self.cell, np.float64, "cell")
        if cell.shape != (3, 3):
            raise InputError(f"`cell` must have shape (3, 3), got {cell.shape}")
        if not np.isfinite(cell).all():
            raise InputError(f"`cell` must be finite, got {cell.tolist()}")
        if (np.abs(cell) > FARTHEST).any():
            raise InputError(f"`cell` must not exceed {FARTHEST:g} Å, got {cell.tolist()}")
        pbc = _flags(self.pbc)
        origin = _frozen(self.origin, np.float64, "origin")
        if origin.shape != (3,) or not (np.abs(origin) <= FARTHEST).all():
            raise InputError(f"`origin` must be three numbers up to {FARTHEST:g} Å, got {origin.tolist()}")
        object.__setattr__(self, "positions", positions)
        object.__setattr__(self, "numbers", numbers)
        object.__setattr__(self, "cell", cell)
        object.__setattr__(self, "pbc", pbc)
        object.__setattr__(self, "origin", origin)
        if pbc.any() and not (cell[pbc].any(axis=1).all() and has_volume(self.complete_cell)):
            raise InputError(
                f"`cell` must have a non-zero volume along the periodic directions {pbc.tolist()}, "
                f"got {cell.tolist()}"
            )

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def species(self) -> IntArray:
        """Atomic numbers that occur, ascending, (n_species,)."""
        return np.unique(self.numbers)

    @property
    def complete_cell(self) -> FloatArray:
        """Cell whose missing (zero) vectors are replaced by unit vectors normal to the others, (3, 3), Å."""
        return complete_cell(self.cell)


def _flags(pbc: Any) -> Any:
    """Three read-only flags."""
    try:
        given = np.asarray(pbc)
    except ValueError:  # rows of different length
        given = np.empty(0, dtype=object)
    known = given.dtype.kind in "buif" and given.shape in ((), (3,)) and np.isin(given, (0, 1)).all()
    if not known:
        raise InputError(f"`pbc` must be True, False or three of them, got {shown(pbc)}")
    return _frozen(np.broadcast_to(given.astype(bool), (3,)), np.bool_, "pbc")


def _frozen(values: Any, dtype: Any, name: str) -> Any:
    """A read-only copy of the values as an array of the given type."""
    try:
        array = np.array(values, dtype=dtype, order="C", copy=True)
    except (TypeError, ValueError) as error:
        raise InputError(f"`{name}` must be an array of {np.dtype(dtype).name}: {error}") from error
    array.flags.writeable = False
    return array
