"""Where the cells of files begin, which some of ASE's readers forget, or forget to move atoms by."""

from __future__ import annotations

import io
import re
from functools import cache

import numpy as np
from ase import Atoms
from ase.io import read

from arise_core.geometry.arrays import FloatArray

#: The format of LAMMPS dumps, as ASE names it.
DUMP = "lammps-dump-text"
#: Where each axis of the cell begins in a LAMMPS data file.
LOWS = re.compile(rb"^\s*(\S+)\s+\S+\s+([xyz])lo\s+\2hi", re.M)
#: Columns of a dump with coordinates, in the order in which ASE looks for them, and whether they are fractions.
COORDINATES = {"x": False, "xs": True, "xu": False, "xsu": True}
#: Entry of the comment of an extended XYZ file, as OVITO writes it.
ORIGIN = "Origin"
#: A dump of one atom, a quarter of its cell behind where that begins, which is 8.
ONE_ATOM = """ITEM: TIMESTEP
0
ITEM: NUMBER OF ATOMS
1
ITEM: BOX BOUNDS pp pp pp
8 12
8 12
8 12
ITEM: ATOMS id type xs ys zs
1 1 0.25 0.25 0.25
"""


def place_of_cell(atoms: Atoms) -> FloatArray:
    """Where the cell begins, (3,), Å. Zero where that is unset, of which `Atoms.set_celldisp(None)` makes one NaN."""
    place = np.ravel(atoms.get_celldisp())
    return place if place.shape == (3,) and np.isfinite(place).all() else np.zeros(3)


def begin_of_data(atoms: Atoms, head: bytes) -> None:
    """Set where the cell of a LAMMPS data file begins, which ASE's reader forgets.

    Args:
        atoms: that were read.
        head: how the file begins.
    """
    lows = {axis: float(low) for low, axis in LOWS.findall(head)}
    if len(lows) == 3 and not place_of_cell(atoms).any():
        atoms.set_celldisp([lows[axis] for axis in (b"x", b"y", b"z")])


def move_scaled(atoms: Atoms, text: str) -> None:
    """Move atoms of a dump with scaled coordinates to where its cell begins.

    Args:
        atoms: that were read.
        text: of the frame.
    """
    columns = text.partition("ITEM: ATOMS")[2].partition("\n")[0].split()
    scaled = next((fractions for name, fractions in COORDINATES.items() if name in columns), False)
    begin = place_of_cell(atoms)
    if scaled and begin.any() and _forgets_to_move():
        atoms.positions += begin


@cache
def _forgets_to_move() -> bool:
    """Whether ASE's reader leaves scaled coordinates where those of a cell at zero would be (3.29 does)."""
    atoms = read(io.StringIO(ONE_ATOM), format=DUMP, parallel=False)
    assert isinstance(atoms, Atoms)
    return bool(abs(atoms.positions[0, 0] - 1.0) < 1e-6)


def begin_of_comment(atoms: Atoms) -> None:
    """Set where the cell of a frame of extended XYZ begins, if its comment says so (`ORIGIN`)."""
    place = np.asarray(atoms.info.get(ORIGIN, 0.0))
    if place.shape != (3,) or place.dtype.kind not in "if" or not np.isfinite(place).all():
        return
    if atoms.cell.any() and not place_of_cell(atoms).any():
        atoms.set_celldisp(place)


def with_begin(atoms: Atoms) -> Atoms:
    """Atoms whose `info` says where their cell begins, for extended XYZ; the same ones where that is zero."""
    place = place_of_cell(atoms)
    if not place.any() or not atoms.cell.any():
        return atoms
    found: Atoms = atoms.copy()
    found.calc = atoms.calc
    found.info[ORIGIN] = place
    return found
