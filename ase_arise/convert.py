"""From ASE to the core and back: `Atoms` to `Structure`, file names to frames, names of models to models."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import numpy as np
from ase import Atoms
from ase.io import iread

import arise_core as arise
from arise_core.errors import FileError, InputError, InputTypeError, MissingFileError
from arise_core.geometry.material import Material
from ase_arise.occupancy import check_occupancies

Images = Atoms | str | os.PathLike[str] | Iterable[Atoms]
ModelLike = arise.Model | str | os.PathLike[str]


def from_atoms(atoms: Atoms, where: str = "") -> arise.Structure:
    """The structure of an `Atoms` object, which stays as it is.

    Args:
        atoms: positions, atomic numbers, cell and pbc are used; constraints, momenta and calculator are not.
        where: begin of error messages, such as "structure 3: ".

    Raises:
        TypeError: not an `Atoms` object.
        ValueError: no atoms, ghost atoms (atomic number 0), partly occupied sites, NaN or infinite coordinates, or a
            periodic cell without volume.
    """
    if not isinstance(atoms, Atoms):
        raise InputTypeError(f"{where}`atoms` must be an ase.Atoms object, got {type(atoms).__name__}")
    check_occupancies(atoms, where)
    ghosts = np.flatnonzero(atoms.numbers == 0)
    if len(ghosts):
        raise InputError(
            f"{where}`atoms` has {len(ghosts)} of {len(atoms)} atoms without an element (X, number 0), "
            f"first atom {ghosts[0]}: give them one, or `del atoms[atoms.numbers == 0]`"
        )
    try:
        return arise.Structure(atoms.positions, atoms.numbers, atoms.cell[:], atoms.pbc)
    except InputError as error:
        raise InputError(f"{where}{error}") from error


def to_material(atoms: Atoms, where: str = "") -> Material:
    """The one look at an `Atoms` object: `from_atoms`, and atoms that overlap are refused.

    Raises:
        TypeError, ValueError: as `from_atoms`, and for atoms closer than 0.1 Å.
    """
    material = Material.of(from_atoms(atoms, where))
    material.check_overlaps(where)
    return material


def numbered(images: list[Atoms]) -> list[Material]:
    """The materials of several `Atoms`; errors say which of them it is, where there are more than one.

    Raises:
        TypeError, ValueError: as `to_material`.
    """
    several = len(images) > 1
    return [to_material(atoms, f"structure {k}: " if several else "") for k, atoms in enumerate(images)]


def to_atoms(structure: arise.Structure) -> Atoms:
    """A structure as `Atoms`."""
    return Atoms(structure.numbers, structure.positions, cell=structure.cell, pbc=structure.pbc)


def is_file_name(images: object) -> bool:
    """Whether images are given as the name of a file."""
    return isinstance(images, str | os.PathLike)


def frames(images: Images) -> Iterator[Atoms]:
    """One `Atoms` after the other, from one, a list, a generator, or a file that `ase.io` reads.

    A file name stands for all its frames; `name@index` picks some, as in `ase.io.read("md.xyz@-10:")`.

    Raises:
        OSError, ValueError: a file that is missing, cannot be read, or holds no structure.
    """
    if isinstance(images, Atoms):
        yield images
    elif isinstance(images, str | os.PathLike):
        yield from _read(os.fspath(images))
    else:
        yield from images


def _read(name: str) -> Iterator[Atoms]:
    count = 0
    try:
        for atoms in iread(name):
            yield atoms
            count += 1
    except Exception as error:  # readers of some hundred formats raise anything
        reason = str(error) or type(error).__name__
        system = (
            isinstance(error, OSError) and error.errno is not None
        )  # some readers raise OSError of bad text
        if isinstance(error, FileNotFoundError) and count == 0:
            raise MissingFileError(f"file {name!r} does not exist") from error
        refuse = FileError if system else InputError
        raise refuse(f"file {name!r} cannot be read after {count} frames: {reason}") from error
    if count == 0:
        raise InputError(f"file {name!r} holds no structure")


def as_model(model: ModelLike) -> arise.Model:
    """The model itself, or the one of this name or path; loaded once.

    Raises:
        ModelError: no such model, or a file that is none.
    """
    if isinstance(model, str | os.PathLike):
        from arise_core.model.zoo import shared_model  # torch comes with it

        return shared_model(os.fspath(model))
    if not isinstance(model, arise.Model):
        raise InputTypeError(f"`model` must be a Model, a name or a path, got {type(model).__name__}")
    return model
