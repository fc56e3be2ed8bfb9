"""What the atoms of `Atoms` are: by their symbols, or by the types and names that a file had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.data import atomic_masses
from numpy.typing import NDArray

from arise_core.crystals.elements import SYMBOLS
from arise_core.crystals.species import Kind, assign, element_of_name
from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray
from arise_core.geometry.material import Material

#: Array of the names that a file gives its atoms, where not all of them are symbols of elements.
NAMES = "species_names"
#: Array of the numbers of the types that have these names, from files that were not read by ASE.
NUMBERS_OF_TYPES = "species_types"
#: Array of numeric types, as ASE's readers of LAMMPS files leave it.
TYPES = "type"


@dataclass(frozen=True)
class Species:
    """What the atoms are taken for."""

    numbers: IntArray  # (n_kept,), atomic numbers
    kept: BoolArray | None = None  # (n_atoms,), which atoms are not left out; None: all
    notes: tuple[str, ...] = ()  # what was assumed


def species_of(atoms: Atoms, types: dict[str, str], option: str = "types") -> Species:
    """What the atoms are: their numbers, unless those are nothing but types of a file, or the user says otherwise.

    Args:
        atoms: stay as they are.
        types: from `parse_types`.
        option: by which the user says it, for messages.

    Raises:
        InputError: more types than there are elements, or `types` that are not here.
    """
    kinds, which = _kinds(atoms, types)
    if not kinds:
        return Species(atoms.numbers)
    found = assign(kinds, types, option)
    numbers = found.numbers[which]
    kept = numbers > 0
    if kept.all():
        return Species(numbers, None, found.notes)
    return Species(numbers[kept], kept, found.notes)


def with_kinds(
    positions: FloatArray, cell: FloatArray, pbc: BoolArray, kinds: Sequence[Kind], which: IntArray
) -> Atoms:
    """Atoms of which a file tells types; `species_of` says what they are.

    Args:
        positions: (n, 3), Å.
        cell: (3, 3), Å.
        pbc: (3,).
        kinds: the types.
        which: (n,), index of the type of each atom.
    """
    names = [kind.name or kind.key for kind in kinds]
    numbers = np.array([element_of_name(name) or 0 for name in names])
    atoms = Atoms(numbers[which], positions, cell=cell, pbc=pbc)
    atoms.set_array(NAMES, np.array(names)[which])
    if all(kind.key.lstrip("-").isdigit() for kind in kinds):
        atoms.set_array(NUMBERS_OF_TYPES, np.array([int(kind.key) for kind in kinds])[which])
    if any(kind.mass > 0 for kind in kinds):
        atoms.set_array("masses", np.array([kind.mass for kind in kinds])[which])
    return atoms


def with_elements(atoms: Atoms, material: Material) -> Atoms:
    """`atoms` with the elements that they were taken for, in place of those that a reader made of types and names.

    Atoms that were left out keep theirs, or are X where it was made up. Results of a calculator stay.

    Args:
        atoms: stay as they are; handed back if nothing is to be changed.
        material: of them.
    """
    kinds, which = _kinds(atoms, {})
    made_up = (
        np.array([not kind.name for kind in kinds])[which] if kinds else np.zeros(len(atoms), dtype=bool)
    )
    used = material.spread(material.structure.numbers, 0)
    left_out = material.spread(np.zeros(len(material), dtype=bool), True)
    numbers = np.where(left_out & ~made_up, atoms.numbers, used)
    if (numbers == atoms.numbers).all():
        return atoms
    changed: Atoms = atoms.copy()
    changed.numbers = numbers
    results = getattr(atoms.calc, "results", None)
    if results:
        changed.calc = SinglePointCalculator(changed, **results)
    return changed


def _kinds(atoms: Atoms, types: dict[str, str]) -> tuple[list[Kind], NDArray[np.intp]]:
    """The kinds of the atoms and which of them each is; no kinds where atomic numbers are to be believed."""
    names = atoms.arrays.get(NAMES)
    if names is not None and names.shape == atoms.numbers.shape and _are_of_names(atoms.numbers, names):
        numbered = atoms.arrays.get(NUMBERS_OF_TYPES)
        if numbered is not None and numbered.shape == names.shape:
            present, first, which = np.unique(numbered, return_index=True, return_inverse=True)
            masses = _masses(atoms, first)
            of_types = zip(present, names[first], masses, strict=True)
            return [Kind(str(t), "" if str(n) == str(t) else str(n), float(m)) for t, n, m in of_types], which
        present, which = np.unique(names.astype(str), return_inverse=True)
        return [Kind("", str(name)) for name in present], which
    labels = atoms.arrays.get(TYPES)
    if labels is not None and labels.shape == atoms.numbers.shape and labels.dtype.kind in "iu":
        present, first, which = np.unique(labels, return_index=True, return_inverse=True)
        if (atoms.numbers == atoms.numbers[first][which]).all():  # else they are types of something else
            guessed = _are_guessed(atoms, present, first)
            if guessed or types:
                return _of_types(atoms, present, first, guessed), which
    if types or (atoms.numbers == 0).any():
        present, which = np.unique(atoms.numbers, return_inverse=True)
        return [Kind("", SYMBOLS[z]) for z in present], which
    return [], np.zeros(0, dtype=np.intp)


def _are_of_names(numbers: IntArray, names: NDArray[np.str_]) -> bool:
    """Whether atomic numbers are what names say, and not set since."""
    present, which = np.unique(names.astype(str), return_inverse=True)
    return bool((numbers == np.array([element_of_name(name) or 0 for name in present])[which]).all())


def _are_guessed(atoms: Atoms, present: IntArray, first: NDArray[np.intp]) -> bool:
    """Whether the atomic numbers are no more than what ASE's readers make of LAMMPS's types or their masses."""
    numbers = atoms.numbers[first]
    if not numbers.any():
        return True
    if "masses" not in atoms.arrays:  # a dump with a column of masses does not leave them
        return bool((numbers == present).all()) or (len(present) > 1 and bool((numbers == 1).all()))
    masses = atoms.arrays["masses"][first]
    nearest = np.abs(atomic_masses[None, :] - masses[:, None]).argmin(axis=1)
    return bool((numbers == nearest).all())


def _of_types(atoms: Atoms, present: IntArray, first: NDArray[np.intp], guessed: bool) -> list[Kind]:
    masses = _masses(atoms, first)
    names = ["" if guessed or z == 0 else SYMBOLS[z] for z in atoms.numbers[first]]
    return [Kind(str(t), name, float(m)) for t, name, m in zip(present, names, masses, strict=True)]


def _masses(atoms: Atoms, first: NDArray[np.intp]) -> FloatArray:
    """Masses of some atoms, u; 0: not known."""
    return np.asarray(atoms.arrays["masses"][first] if "masses" in atoms.arrays else np.zeros(len(first)))
