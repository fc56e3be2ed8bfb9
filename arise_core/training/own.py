"""A user's own crystals: read from files, brought to a standard form, named, and compared with known classes."""

from __future__ import annotations

import colorsys
import hashlib
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ase.cell
import ase.io
import numpy as np
import spglib

from arise_core.card import ClassInfo
from arise_core.recognise import check_overlaps
from arise_core.structure import FloatArray, IntArray, Structure
from arise_core.training.crystals import Crystal
from arise_core.training.samples import DISORDERED
from arise_core.window import atomic_spacing, without_vacuum

#: Å. Symmetry that holds to this is taken as exact: files state coordinates with 3 to 5 digits.
SYMPREC = 0.01
#: Distance of normalised `paper` descriptors of periodic structures below which two crystals are one. The
#: closest pair of the 108 prototypes, the two graphites, is 0.0049 apart; copies of one crystal in another
#: cell, place, size and orientation less than 1e-8.
SAME_DISTANCE = 0.002
#: A class is made of one period of a crystal; larger cells are simulations, not crystal structures.
MAX_ATOMS = 300
#: Names that mean something else in the output.
RESERVED = ("other", "none", DISORDERED)
KINDS = ("elemental", "binary", "ternary", "quaternary")


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a class came from, for the card."""

    label: str
    file: str  # name without folder
    sha256: str

    def to_dict(self) -> dict[str, str]:
        """Plain types only."""
        return dict(vars(self))


def read_structure(path: Path) -> Structure:
    """The one structure in a file of any format that `ase.io` reads.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not readable, several structures, partly occupied or overlapping sites, or no element.
    """
    if not path.is_file():
        raise FileNotFoundError(f"structure file {str(path)!r} does not exist")
    try:
        with warnings.catch_warnings():  # ASE's remarks on the settings of space groups: the atoms are there
            warnings.simplefilter("ignore", UserWarning)
            images = ase.io.read(path, index=":")
    except Exception as error:  # readers of a hundred formats raise what they like
        raise ValueError(
            f"structure file {str(path)!r} cannot be read: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(images, list) or len(images) != 1:
        count = len(images) if isinstance(images, list) else 0
        raise ValueError(f"structure file {str(path)!r} must hold one structure, it holds {count}")
    atoms = images[0]
    for site, content in atoms.info.get("occupancy", {}).items():
        if len(content) > 1 or abs(sum(content.values()) - 1) > 1e-3:
            raise ValueError(
                f"structure file {str(path)!r}: site {site} is partly occupied, {content}; a class needs an "
                "ordered crystal"
            )
    try:
        structure = Structure(atoms.positions, atoms.numbers, atoms.cell[:], atoms.pbc)
        check_overlaps(structure)
    except ValueError as error:
        raise ValueError(f"structure file {str(path)!r}: {error}") from error
    return structure


def standard_form(structure: Structure) -> Structure:
    """One period in the frame that samples are made in: primitive, reduced; the open direction of a layer last.

    Raises:
        ValueError: nothing repeats, too many atoms, or a cell that spglib cannot work with.
    """
    structure = without_vacuum(structure)
    dimension = int(structure.pbc.sum())
    if dimension == 0:
        raise ValueError(
            "`structure` repeats in no direction; a class is made of a periodic crystal, layer or tube"
        )
    if dimension == 3:
        structure = _reduced(structure)
    elif dimension == 2:
        structure = _layer(structure)
    else:
        structure = _tube(structure)
    if len(structure) > MAX_ATOMS:
        raise ValueError(
            f"`structure` must have at most {MAX_ATOMS} atoms in its primitive cell, it has {len(structure)}"
        )
    return structure


def symmetry(structure: Structure) -> tuple[int | None, tuple[Any, ...]]:
    """Space group (None for tubes) and its orbits: how many atoms of one element on how many equivalent sites."""
    if structure.pbc.sum() < 2:
        return None, ()
    with warnings.catch_warnings():  # spglib 2.7 and later warn about their own error handling
        warnings.simplefilter("ignore", DeprecationWarning)
        found = spglib.get_symmetry_dataset(_spglib_cell(structure), symprec=SYMPREC)
    if found is None:
        raise ValueError(f"`structure` has no symmetry that spglib can find at {SYMPREC} Å")
    sizes = Counter(found.crystallographic_orbits.tolist())
    elements = {int(orbit): int(structure.numbers[orbit]) for orbit in sizes}
    by_element = [
        tuple(sorted(n for orbit, n in sizes.items() if elements[int(orbit)] == z))
        for z in sorted(set(elements.values()))
    ]
    return int(found.number), tuple(sorted(by_element))


def same_crystal(crystal: Crystal, others: Iterable[Crystal]) -> Crystal | None:
    """The first of the others that is the same crystal structure, if any."""
    for other in others:
        if np.linalg.norm(other.fingerprint - crystal.fingerprint) < SAME_DISTANCE:
            return other
    return None


def make_crystal(path: Path, name: str, known: Iterable[ClassInfo]) -> tuple[Crystal, Source]:
    """A class from a structure file, with a colour and an identifier that no known class has.

    Raises:
        FileNotFoundError, ValueError: as `read_structure`, `standard_form` and `check_name`.
    """
    classes = list(known)
    name = check_name(name, classes)
    structure = read_structure(path)
    try:
        unit = standard_form(structure)
        group, _ = symmetry(unit)
    except ValueError as error:
        raise ValueError(f"structure file {str(path)!r}: {error}") from error
    info = ClassInfo(
        label=name,
        name=name,
        identifier=new_identifier(name, classes),
        colour=new_colour([c.colour for c in classes]),
        space_group=group,
        material_type=material_type(unit),
    )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Crystal(info=info, unit=unit), Source(label=name, file=path.name, sha256=digest)


def material_type(unit: Structure) -> str:
    """As the table of prototypes has it: "bulk, binary", "2D", "nanotube"."""
    dimension = int(unit.pbc.sum())
    if dimension < 3:
        return {2: "2D", 1: "nanotube"}[dimension]
    n = len(unit.species)
    return f"bulk, {KINDS[n - 1] if n <= len(KINDS) else f'{n} elements'}"


def check_name(name: str, classes: Iterable[ClassInfo]) -> str:
    """The name of a new class without surrounding blanks.

    Raises:
        ValueError: empty, not printable, with a separator of tables, reserved, or taken.
    """
    name = name.strip()
    if not name or not name.isprintable() or any(c in name for c in ",;/\\\"'"):
        raise ValueError(
            f"`name` of a class must be printable text without , ; / \\ and quotes, got {name!r}"
        )
    if name.casefold() in RESERVED:
        raise ValueError(f"`name` {name!r} has another meaning in the output, choose a different one")
    for c in classes:
        if name.casefold() in (c.label.casefold(), c.name.casefold(), c.identifier.casefold()):
            raise ValueError(f"`name` {name!r} is taken by the class {c.label} ({c.name})")
    return name


def new_identifier(name: str, classes: Iterable[ClassInfo]) -> str:
    """The name in capitals, digits and underscores, made unique with a number."""
    base = re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_") or "CLASS"
    if base[0].isdigit():
        base = f"C_{base}"
    taken = {c.identifier for c in classes}
    identifier, k = base, 2
    while identifier in taken:
        identifier, k = f"{base}_{k}", k + 1
    return identifier


def new_colour(taken: Sequence[tuple[float, float, float]]) -> tuple[float, float, float]:
    """Of a palette of 144, the colour that is farthest from all that are taken (weighted red, green, blue)."""
    palette = np.array(
        [
            colorsys.hsv_to_rgb(hue / 24, saturation, value)
            for value in (0.95, 0.75, 0.55)
            for saturation in (0.9, 0.55)
            for hue in range(24)
        ]
    ).round(3)
    if not taken:
        red, green, blue = palette[0].tolist()
        return red, green, blue
    weight = np.sqrt([2.0, 4.0, 3.0])  # of what the eye sees
    distance = np.linalg.norm((palette[:, None] - np.array(taken)[None]) * weight, axis=2).min(axis=1)
    red, green, blue = palette[int(np.argmax(distance))].tolist()
    return red, green, blue


# --- standard forms -------------------------------------------------------------------------------------------


def _spglib_cell(structure: Structure) -> Any:
    """Cell, fractional coordinates and numbers."""
    cell = structure.complete_cell
    return cell, structure.positions @ np.linalg.inv(cell), structure.numbers


def _primitive(structure: Structure, *, idealise: bool) -> tuple[FloatArray, FloatArray, IntArray]:
    """Primitive cell (3, 3) Å, positions (n, 3) Å and numbers (n,), in the standard or the given orientation."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        found = spglib.standardize_cell(
            _spglib_cell(structure), to_primitive=True, no_idealize=not idealise, symprec=SYMPREC
        )
    if found is None:
        raise ValueError(f"`structure` has no primitive cell that spglib can find at {SYMPREC} Å")
    cell, fractional, numbers = found
    return np.asarray(cell), np.asarray(fractional) @ cell, np.asarray(numbers, dtype=np.int64)


def _reduced(structure: Structure) -> Structure:
    """Niggli-reduced primitive cell in the Cartesian frame of the standardised conventional one."""
    cell, positions, numbers = _primitive(structure, idealise=True)
    _, change = ase.cell.Cell(cell).niggli_reduce()  # type: ignore[no-untyped-call]
    cell = np.asarray(change, dtype=np.float64).T @ cell
    if np.linalg.det(cell) < 0:
        cell = -cell
    return _folded(cell, positions, numbers, np.ones(3, dtype=bool))


def _layer(structure: Structure) -> Structure:
    """Primitive cell with the first vector along x, the second in the xy plane and the third normal to both."""
    cell, positions, numbers = _primitive(_padded(structure), idealise=False)
    layer = without_vacuum(Structure(positions, numbers, cell, np.ones(3, dtype=bool)))
    return _turned(layer)


def _tube(structure: Structure) -> Structure:
    """The period along z."""
    return _turned(structure)


def _padded(structure: Structure) -> Structure:
    """A layer in a periodic cell whose third vector is normal to it, with wide vacuum."""
    turned = _turned(structure)
    height = float(np.ptp(turned.positions[:, 2])) + 10 * atomic_spacing(turned)
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
