"""Ideal crystals, layers and nanotubes of the prototypes, and their supercells."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import ase.build
import ase.cell
import ase.data
import ase.geometry
import numpy as np

from arise_core.crystals.symmetry import setting_operations
from arise_core.crystals.table import Prototype, prototypes
from arise_core.errors import InputError, check_type
from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.geometry.cell import perpendicular_heights
from arise_core.geometry.structure import Structure

#: Å. Images of a site closer than this are one atom on a special position. The table's coordinates have five
#: digits, so images that should coincide are up to 1e-3 Å apart; atoms are never closer than 0.7 Å.
MERGE_TOLERANCE = 0.02
#: Size from which the paper takes open structures (Methods, "Dataset creation").
MIN_ATOMS = 100
#: Open supercells a class in the paper's data set.
SUPERCELLS = 3


def build(prototype: Prototype, *, one_period: bool = False) -> Structure:
    """The smallest structure of a class.

    - Bulk: primitive cell, Niggli-reduced and right-handed, in the Cartesian frame of the conventional cell.
    - 2D: primitive cell in the plane, periodic along the first two vectors. The third one, along z, is
      perpendicular to them and as long as layer and vacuum of the source; the layer lies in its middle.
    - Nanotube: an open piece along z, of the fewest periods that have 100 atoms. Its cell has one vector, the
      length along z.

    Args:
        prototype: the class.
        one_period: for a nanotube, a single period instead, periodic along the third vector.

    Returns:
        Structure with positions (n_atoms, 3) and cell (3, 3) in Å, atoms of one element together.

    Raises:
        ValueError: the row is not a crystal: sites that overlap, or a layer with a tilted vacuum axis.
    """
    check_type("prototype", prototype, Prototype, "a Prototype, as `prototype(name)` gives it")
    if prototype.dimension == 1:
        return _tube(prototype, 1, periodic=True) if one_period else supercells(prototype, count=1)[0]
    cell, fractional, numbers, centrings = _conventional(prototype)
    if prototype.dimension == 2:
        cell, fractional, centrings = _vacuum_last(prototype, cell, fractional, centrings)
        primitive = _primitive_layer(cell, centrings)
    else:
        primitive = _primitive_bulk(cell, centrings)
    kept, numbers = _unique(fractional @ cell @ np.linalg.inv(primitive), numbers, primitive)
    if len(kept) * len(centrings) != len(fractional):
        raise InputError(f"the sites of {prototype.label} do not repeat with its lattice centring")
    periodic = np.arange(3) < prototype.dimension
    return Structure(positions=kept @ primitive, numbers=numbers, cell=primitive, pbc=periodic)


def supercells(
    prototype: Prototype, min_atoms: int = MIN_ATOMS, count: int = SUPERCELLS, *, periodic: bool = False
) -> tuple[Structure, ...]:
    """The smallest isotropic supercell with at least `min_atoms` atoms and the next `count` - 1 larger ones.

    Repeats are n x n x n of the primitive cell for bulk, n x n x 1 for 2D and n periods for nanotubes; see
    Leitherer et al. (2021), Methods, "Dataset creation".

    Args:
        prototype: the class.
        min_atoms: size of the smallest supercell, at least 1.
        count: number of supercells, at least 1.
        periodic: keep the periodicity of the class; by default the pieces are open in all directions.

    Returns:
        (count,) structures of growing size; the cell is that of the supercell, in open ones too.

    Raises:
        ValueError: `min_atoms` or `count` is below 1.
    """
    if min_atoms < 1 or count < 1:
        raise InputError(f"`min_atoms` and `count` must be at least 1, got {min_atoms} and {count}")
    unit = build(prototype, one_period=True)
    smallest = next(n for n in itertools.count(1) if len(unit) * n**prototype.dimension >= min_atoms)
    sizes = range(smallest, smallest + count)
    if prototype.dimension == 1:
        return tuple(_tube(prototype, n, periodic=periodic) for n in sizes)
    return tuple(
        _repeat(unit, (n, n, n if prototype.dimension == 3 else 1), periodic=periodic) for n in sizes
    )


def pristine() -> Iterator[tuple[str, Structure]]:
    """The 396 structures of the paper's data set, as (label, structure), class by class.

    Bulk and 2D: the periodic unit cell and three open supercells. Nanotubes: one open piece.
    """
    for kind in prototypes():
        yield kind.label, build(kind)
        if kind.dimension > 1:
            for structure in supercells(kind):
                yield kind.label, structure


def conventional(prototype: Prototype) -> Structure:
    """The conventional cell of a class with its atoms, as the table has it; one period of a nanotube.

    Args:
        prototype: the class.
    """
    if prototype.dimension == 1:
        return build(prototype, one_period=True)
    cell, fractional, numbers, _ = _conventional(prototype)
    return Structure(fractional @ cell, numbers, cell, np.ones(3, dtype=bool))


def conventional_cell(parameters: Sequence[float]) -> FloatArray:
    """Cell (3, 3), Å: first vector along x, second in the xy plane."""
    vectors = ase.geometry.cellpar_to_cell(parameters)
    return np.array(vectors, dtype=np.float64)


def _conventional(prototype: Prototype) -> tuple[FloatArray, FloatArray, IntArray, FloatArray]:
    """Cell (3, 3) in Å, fractional coordinates (n_atoms, 3), numbers (n_atoms,), centrings (n, 3)."""
    assert prototype.cell is not None
    assert prototype.hall_number is not None
    cell = conventional_cell(prototype.cell)
    rotations, translations = setting_operations(prototype.hall_number)
    orbits = []
    for _, *coordinates in prototype.sites:
        site = np.array(coordinates)
        images = rotations @ site + translations - site
        images -= np.round(images)
        on_site = np.linalg.norm(images @ cell, axis=1) < MERGE_TOLERANCE
        site = site + images[on_site].mean(axis=0)  # onto the special position that rounding moved it from
        orbits.append(rotations @ site + translations)
    numbers = [
        np.full(len(orbit), ase.data.atomic_numbers[element])
        for orbit, (element, *_) in zip(orbits, prototype.sites, strict=True)
    ]
    centrings = translations[(rotations == np.eye(3, dtype=int)).all(axis=(1, 2))]
    fractional, elements = _unique(np.concatenate(orbits), np.concatenate(numbers), cell)
    return cell, fractional, elements, centrings


def _unique(fractional: FloatArray, numbers: IntArray, cell: FloatArray) -> tuple[FloatArray, IntArray]:
    """Atoms folded into the cell, one of each set of coinciding ones, sorted by element.

    :raises ValueError: atoms of two elements coincide.
    """
    folded = fractional - np.floor(fractional + MERGE_TOLERANCE / perpendicular_heights(cell))
    kept: list[int] = []
    for atom in np.argsort(numbers, kind="stable"):
        separation = folded[kept] - folded[atom]
        separation -= np.round(separation)
        twins = np.flatnonzero(np.linalg.norm(separation @ cell, axis=1) < MERGE_TOLERANCE)
        if len(twins) == 0:
            kept.append(int(atom))
        elif numbers[kept[twins[0]]] != numbers[atom]:
            pair = (
                ase.data.chemical_symbols[numbers[kept[twins[0]]]],
                ase.data.chemical_symbols[numbers[atom]],
            )
            raise InputError(f"`sites` puts {pair[0]} and {pair[1]} in one place, {folded[atom].tolist()}")
    return folded[kept], numbers[kept]


def _vacuum_last(
    prototype: Prototype, cell: FloatArray, fractional: FloatArray, centrings: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Cell, coordinates and centrings of a layer whose vacuum is along the third vector, layer at 1/2."""
    assert prototype.cell is not None
    starts, gaps = np.transpose([_largest_gap(column) for column in fractional.T])
    vacuum = int(np.argmax(gaps * perpendicular_heights(cell)))
    order = [(vacuum + 1) % 3, (vacuum + 2) % 3, vacuum]  # cyclic: stays right-handed
    cell = conventional_cell([*(prototype.cell[k] for k in order), *(prototype.cell[3 + k] for k in order)])
    if not np.allclose(cell[:2] @ cell[2], 0):
        raise InputError(f"`cell` of {prototype.label} must have its vacuum axis normal to the layer")
    fractional = fractional[:, order]
    fractional[:, 2] = (fractional[:, 2] - starts[vacuum] + gaps[vacuum] / 2) % 1.0
    return cell, fractional, centrings[:, order]


def _largest_gap(coordinates: FloatArray) -> tuple[float, float]:
    """Where the atoms start again after the widest empty interval of a period, and its width; fractions."""
    ordered = np.sort(coordinates)
    gaps = np.diff(ordered, prepend=ordered[-1] - 1)
    return float(ordered[np.argmax(gaps)]), float(gaps.max())


def _shortest_lattice_vectors(cell: FloatArray, centrings: FloatArray, axes: int) -> FloatArray:
    """The shortest independent lattice vectors (axes, 3), Å, in the span of the first `axes` cell vectors."""
    steps = np.array(list(itertools.product((-1, 0, 1), repeat=3)))
    lattice = (centrings[:, None] + steps).reshape(-1, 3)
    vectors = lattice[np.abs(lattice[:, axes:]).max(axis=1, initial=0) < 1e-9] @ cell
    basis: list[FloatArray] = []
    for vector in vectors[np.argsort(np.linalg.norm(vectors, axis=1).round(6), kind="stable")]:
        if np.linalg.matrix_rank(np.array([*basis, vector]), tol=1e-3) > len(basis):
            basis.append(vector)
    return np.array(basis)


def _primitive_bulk(cell: FloatArray, centrings: FloatArray) -> FloatArray:
    """Niggli-reduced primitive cell (3, 3), Å, right-handed, in the frame of the conventional one."""
    basis = _shortest_lattice_vectors(cell, centrings, 3)
    basis *= np.sign(np.linalg.det(basis))
    _, change = ase.cell.Cell(basis).niggli_reduce()
    return np.asarray(change, dtype=np.float64).T @ basis


def _primitive_layer(cell: FloatArray, centrings: FloatArray) -> FloatArray:
    """Primitive cell (3, 3), Å, right-handed, that keeps the third vector."""
    if len(centrings) == 1:
        return cell
    first, second = _shortest_lattice_vectors(cell, centrings, 2)
    if np.cross(first, second) @ cell[2] < 0:
        second = -second
    return np.array([first, second, cell[2]])


def _repeat(unit: Structure, repeats: tuple[int, int, int], *, periodic: bool) -> Structure:
    """Copies of the unit cell side by side."""
    steps = np.array(list(itertools.product(*map(range, repeats))))
    positions = (unit.positions + (steps @ unit.cell)[:, None]).reshape(-1, 3)
    cell = unit.cell * np.array(repeats)[:, None]
    pbc = unit.pbc if periodic else np.zeros(3, dtype=bool)
    return Structure(positions=positions, numbers=np.tile(unit.numbers, len(steps)), cell=cell, pbc=pbc)


def _tube(prototype: Prototype, periods: int, *, periodic: bool) -> Structure:
    """A carbon nanotube of so many periods along z."""
    atoms = ase.build.nanotube(prototype.n, prototype.m, length=periods, bond=prototype.bond_length)
    pbc = np.array([False, False, periodic])
    return Structure(positions=atoms.positions, numbers=atoms.numbers, cell=atoms.cell[:], pbc=pbc)
