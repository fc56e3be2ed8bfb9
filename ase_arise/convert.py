"""From ASE to the core and back: `Atoms` to `Structure`, file names to frames, names of models to models."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ase import Atoms
from ase.symbols import Symbols

import arise_core as arise
from arise_core.crystals.species import Types, parse_types
from arise_core.crystals.standard import check_one, check_ordered
from arise_core.errors import InputError, InputTypeError, MissingFileError, check_type, shown
from arise_core.geometry.material import Material
from ase_arise.begins import place_of_cell
from ase_arise.occupancy import check_occupancies
from ase_arise.pymatgen_structures import as_atoms, is_pymatgen
from ase_arise.reading import Reader, whole_frames
from ase_arise.species import Species, species_of

Images = Atoms | str | os.PathLike[str] | Iterable[Atoms]
ModelLike = arise.Model | str | os.PathLike[str]
#: Where a network runs: a device of torch; None: where a `Model` is, else the CPU.
Device = str | None


def from_atoms(atoms: Atoms, where: str = "", types: Types = None) -> arise.Structure:
    """The structure of an `Atoms` object, or of a structure of pymatgen, which stays as it is.

    Args:
        atoms: positions, atomic numbers, cell, its displacement and pbc are used; constraints, momenta and calculator
            are not. Sites without mass (X, number 0) are left out. Where atomic numbers are no more than what ASE's
            readers make of the types of a LAMMPS file, different types are different elements.
        where: begin of error messages, such as "structure 3: ".
        types: elements by type or name, such as `{1: "Cu", "A": "Si"}` or "1=Cu, A=Si"; "X" leaves a type out.

    Raises:
        TypeError: not an `Atoms` object.
        ValueError: no atoms, partly occupied sites, NaN or infinite coordinates, a periodic cell without volume,
            types that are no elements, or `types` of which `atoms` has none.
    """
    return _structure(atoms, where, types)[0]


def _structure(
    atoms: Atoms, where: str, types: Types, option: str = "types"
) -> tuple[arise.Structure, Species]:
    atoms = as_atoms(atoms)
    if not isinstance(atoms, Atoms):
        raise InputTypeError(f"{where}`atoms` must be an ase.Atoms object, got {shown(atoms)}")
    check_occupancies(atoms, where)
    elements = parse_types(types, option)
    try:
        species = species_of(atoms, elements, option)
        positions = atoms.positions if species.kept is None else atoms.positions[species.kept]
        begin = place_of_cell(atoms)
        return arise.Structure(positions, species.numbers, atoms.cell[:], atoms.pbc, begin), species
    except InputError as error:
        raise InputError(f"{where}{error}") from error


def to_material(atoms: Atoms, where: str = "", types: Types = None, option: str = "types") -> Material:
    """The one look at an `Atoms` object: `from_atoms`, and atoms that overlap are refused.

    It knows which atoms were left out, and what was assumed.

    Args:
        atoms, where, types: see `from_atoms`.
        option: what `types` are called where the user gives them, for messages.

    Raises:
        TypeError, ValueError: as `from_atoms`, and for atoms closer than 0.1 Å.
    """
    structure, species = _structure(atoms, where, types, option)
    material = Material(structure, species.notes, species.kept)
    material.check_overlaps(where)
    return material


def numbered(images: list[Atoms], types: Types = None) -> list[Material]:
    """The materials of several `Atoms`; errors say which of them it is, where there are more than one.

    Raises:
        TypeError, ValueError: as `to_material`.
    """
    several = len(images) > 1
    return [
        to_material(atoms, f"structure {k}: " if several else "", types) for k, atoms in enumerate(images)
    ]


def to_atoms(structure: arise.Structure) -> Atoms:
    """A structure as `Atoms`."""
    return Atoms(
        structure.numbers,
        structure.positions,
        cell=structure.cell,
        pbc=structure.pbc,
        celldisp=structure.origin,
    )


def formula(material: Material) -> str:
    """Formula of the atoms that were looked at, in the order of Hill."""
    return str(Symbols(material.structure.numbers).formula.format("hill"))


def is_one(images: object) -> bool:
    """Whether images are one structure, of ASE or of pymatgen (which is a sequence of sites)."""
    return isinstance(images, Atoms) or is_pymatgen(images)


def is_file_name(images: object) -> bool:
    """Whether images are given as the name of a file."""
    return isinstance(images, str | os.PathLike)


def check_images(images: object) -> None:
    """Raise InputTypeError for what `frames` cannot take."""
    check_type(
        "images", images, (Atoms, str, os.PathLike, Iterable), "Atoms, several of them, or a file name"
    )


def frames(images: Images, reader: Reader | None = None) -> Iterator[Atoms]:
    """One `Atoms` after the other, from one, a list, a generator, or a file that `ase.io` reads.

    Structures of pymatgen are taken for `Atoms`.

    A file name stands for all its frames; `name@index` picks some, as in `ase.io.read("md.xyz@-10:")`. A last frame
    that is cut off is left out, with a warning.

    Args:
        images: `Atoms`, several, or the name of a file.
        reader: how a file is read; default: by ASE, the format told by name and content.

    Raises:
        OSError, ValueError: a file that is missing, cannot be read, or holds no structure.
    """
    check_images(images)
    if is_one(images):
        yield as_atoms(images)
    elif isinstance(images, str | os.PathLike):
        yield from whole_frames(os.fspath(images), reader or Reader())
    else:
        assert not isinstance(images, Atoms)
        yield from map(as_atoms, images)


def crystal_in(path: Path, reader: Reader, types: Types = None, option: str = "types") -> Material:
    """The one ordered structure in a file, for a class of a model.

    Args:
        path: of the file.
        reader: how it is read.
        types, option: see `to_material`.

    Raises:
        OSError, ValueError: as `frames` and `to_material`; several structures, or partly occupied sites.
    """
    if not path.is_file():
        raise MissingFileError(f"structure file {str(path)!r} does not exist")
    images = list(frames(path, reader))
    check_one(path, len(images))
    check_ordered(path, images[0])
    return to_material(images[0], f"structure file {str(path)!r}: ", types, option)


def as_model(model: ModelLike, device: Device = None) -> arise.Model:
    """The model itself, or the one of this name or path; loaded once.

    Args:
        model: a `Model`, a name of the zoo, or a path.
        device: where its network is to run; None: where a `Model` is, else on the CPU.

    Raises:
        ModelError: no such model, or a file that is none.
        InputError: torch has no device of this name.
    """
    if isinstance(model, str | os.PathLike):
        from arise_core.model.zoo import shared_model  # torch comes with it

        return shared_model(os.fspath(model), "cpu" if device is None else device)
    if not isinstance(model, arise.Model):
        raise InputTypeError(f"`model` must be a Model, a name or a path, got {shown(model)}")
    return model if device is None else model.on(device)
