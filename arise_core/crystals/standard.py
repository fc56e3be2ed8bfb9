"""Crystals from files, brought to a standard form."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.cell
import ase.io
import ase.io.formats
import numpy as np
from ase import Atoms

from arise_core.crystals.cif_sites import read_cif
from arise_core.crystals.occupancy import sites_of
from arise_core.crystals.symmetric_cif import complete_source
from arise_core.crystals.symmetry import primitive
from arise_core.errors import InputError, MissingFileError
from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.geometry.material import Material
from arise_core.geometry.structure import Structure
from arise_core.runtime.files import write_atomically

#: A class is made of one period of a crystal; larger cells are simulations, not crystal structures.
MAX_ATOMS = 300


#: The one structure in a file. `arise` hands in what reads files as all its commands do.
ReadStructure = Callable[[Path], Structure]


def read_structure(path: Path) -> Structure:
    """The one structure in a file of any format that `ase.io` reads.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not readable, several structures, partly occupied or overlapping sites, or no element.
    """
    if not path.is_file():
        raise MissingFileError(f"structure file {str(path)!r} does not exist")
    try:
        with warnings.catch_warnings():  # ASE's remarks on the settings of space groups: the atoms are there
            warnings.simplefilter("ignore", UserWarning)
            images: Any
            if path.suffix.lower() == ".cif":
                images = read_cif(complete_source(str(path)))
            else:
                images = ase.io.read(path, index=":")
    except Exception as error:  # readers of a hundred formats raise what they like
        raise InputError(
            f"structure file {str(path)!r} cannot be read: {type(error).__name__}: {error}"
        ) from error
    check_one(path, len(images) if isinstance(images, list) else 0)
    atoms = images[0]
    check_ordered(path, atoms)
    try:
        structure = Structure(atoms.positions, atoms.numbers, atoms.cell[:], atoms.pbc)
        Material.of(structure).check_overlaps()
    except InputError as error:
        raise InputError(f"structure file {str(path)!r}: {error}") from error
    return structure


def check_one(path: Path, count: int) -> None:
    """Raise InputError unless a file has one structure."""
    if count != 1:
        raise InputError(f"structure file {str(path)!r} must hold one structure, it holds {count}")


def check_ordered(path: Path, atoms: Atoms) -> None:
    """Raise InputError for sites that are partly occupied."""
    sites = sites_of(atoms)
    if sites is not None and sites.shown():
        raise InputError(
            f"structure file {str(path)!r}: sites are partly occupied ({sites.shown()}); a class needs an ordered "
            "crystal"
        )


def write_structure(structure: Structure, path: Path) -> None:
    """Write a structure as a file that `read_structure` reads, in the format that the end of its name tells.

    Raises:
        ValueError: no format of `ase.io` has this end.
        OSError: the system does not let it.
    """
    atoms = Atoms(structure.numbers, structure.positions, cell=structure.cell, pbc=structure.pbc)
    form = ase.io.formats.ioformats.get(ase.io.formats.filetype(str(path), read=False))
    if form is None or not form.can_write:
        raise InputError(
            f"`path` must end as a format that ASE writes, such as .cif or .xyz, got {str(path)!r}"
        )
    write_atomically(path, lambda place: ase.io.write(place, atoms, format=form.name))


def standard_form(structure: Structure) -> Structure:
    """One period in the frame that samples are made in: primitive, reduced; the open direction of a layer last.

    Raises:
        ValueError: nothing repeats, too many atoms, or a cell that spglib cannot work with.
    """
    structure = Material.of(structure).body
    dimension = int(structure.pbc.sum())
    if dimension == 0:
        raise InputError(
            "`structure` repeats in no direction; a class is made of a periodic crystal, layer or tube"
        )
    if dimension == 3:
        structure = _reduced(structure)
    elif dimension == 2:
        structure = _layer(structure)
    else:
        structure = _tube(structure)
    if len(structure) > MAX_ATOMS:
        raise InputError(
            f"`structure` must have at most {MAX_ATOMS} atoms in its primitive cell, it has {len(structure)}"
        )
    return structure


def _reduced(structure: Structure) -> Structure:
    """Niggli-reduced primitive cell in the Cartesian frame of the standardised conventional one."""
    cell, positions, numbers = primitive(structure, idealise=True)
    _, change = ase.cell.Cell(cell).niggli_reduce()
    cell = np.asarray(change, dtype=np.float64).T @ cell
    if np.linalg.det(cell) < 0:
        cell = -cell
    return _folded(cell, positions, numbers, np.ones(3, dtype=bool))


def _layer(structure: Structure) -> Structure:
    """Primitive cell with the first vector along x, the second in the xy plane and the third normal to both."""
    cell, positions, numbers = primitive(_padded(structure), idealise=False)
    layer = Material.of(Structure(positions, numbers, cell, np.ones(3, dtype=bool))).body
    return _turned(layer)


def _tube(structure: Structure) -> Structure:
    """The period along z."""
    return _turned(structure)


def _padded(structure: Structure) -> Structure:
    """A layer in a periodic cell whose third vector is normal to it, with wide vacuum."""
    turned = _turned(structure)
    height = float(np.ptp(turned.positions[:, 2])) + 10 * Material.of(turned).spacing
    cell = np.array([*turned.cell[:2], [0, 0, height]])
    return Structure(turned.positions, turned.numbers, cell, np.ones(3, dtype=bool))


def _turned(structure: Structure) -> Structure:
    """Layer into the xy plane, tube along z, with a cell that holds the atoms in the open directions."""
    pbc = structure.pbc
    cell = structure.complete_cell
    if pbc.sum() == 2:
        vacuum = int(np.flatnonzero(~pbc)[0])
        a, b = cell[(vacuum + 1) % 3], cell[(vacuum + 2) % 3]
        x = a / np.linalg.norm(a)
        z = np.cross(a, b)
        z /= np.linalg.norm(z)
        frame = np.array([x, np.cross(z, x), z])
        positions = structure.positions @ frame.T
        height = float(np.ptp(positions[:, 2])) + 10.0
        turned = np.array([a @ frame.T, b @ frame.T, [0, 0, height]])
        positions[:, 2] += height / 2 - (positions[:, 2].min() + positions[:, 2].max()) / 2
        return _folded(turned, positions, structure.numbers, np.array([True, True, False]))
    axis = int(np.flatnonzero(pbc)[0])
    z = cell[axis] / np.linalg.norm(cell[axis])
    x = np.cross(np.eye(3)[int(np.argmin(np.abs(z)))], z)
    x /= np.linalg.norm(x)
    frame = np.array([x, np.cross(z, x), z])
    positions = structure.positions @ frame.T
    positions[:, :2] -= (positions[:, :2].min(axis=0) + positions[:, :2].max(axis=0)) / 2
    width = np.ptp(positions[:, :2], axis=0) + 10.0
    positions[:, :2] += width / 2
    turned = np.diag([*width, np.linalg.norm(cell[axis])])
    return _folded(turned, positions, structure.numbers, np.array([False, False, True]))


def _folded(cell: FloatArray, positions: FloatArray, numbers: IntArray, pbc: Any) -> Structure:
    """Atoms inside the cell along periodic directions, sorted by element."""
    fractional = positions @ np.linalg.inv(cell)
    fractional -= np.where(pbc, np.floor(fractional + 1e-6), 0.0)
    order = np.argsort(numbers, kind="stable")
    return Structure((fractional @ cell)[order], numbers[order], cell, pbc)
