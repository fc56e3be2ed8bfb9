"""The materials of ``materials.toml`` and the crystals that start the runs."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk, make_supercell
from ase.spacegroup import crystal

TABLE = Path(__file__).with_name("materials.toml")
#: Elements, a and c (Å) to an orthogonal unit cell.
Builder = Callable[[list[str], float, float | None], Atoms]


@dataclass(frozen=True, kw_only=True)
class Material:
    """One row of the table: a potential and the crystal it is simulated in."""

    name: str
    label: str  # prototype label of the crystal
    lattice: str  # key of LATTICES
    a: float  # Å
    c: float | None = None  # Å, hexagonal lattices only
    elements: list[str]  # LAMMPS types 1, 2, ...
    pair_style: str
    pair_coeff: list[str]
    melting_guess: float  # K
    melting_source: str = ""  # where the guess is published as the potential's melting point
    timestep: float = 0.002  # ps
    coexistence_ps: float = 40.0
    charges: list[float] | None = None  # e, one a type
    liquid_pressure: float = 0.0  # bar


@dataclass(frozen=True, kw_only=True)
class Superheated(Material):
    """One row of the table: a crystal above `melting_guess`, which is that of `melting_source`, not searched."""

    spring: float = 0.0  # eV/Å², ties the atoms to their sites in the cell with `a` and `c`; 0: free
    pressure: float = 0.0  # bar, of free crystals
    fractions: list[float] = field(default_factory=lambda: [1.1, 1.2, 1.3])  # of the melting point


@dataclass(frozen=True, kw_only=True)
class Glass:
    """One row of the table: a melt to be quenched."""

    name: str
    lattice: str
    a: float  # Å
    c: float | None = None
    elements: list[str]
    fractions: list[float]  # atomic fractions of the elements
    pair_style: str
    pair_coeff: list[str]
    melt: float  # K
    fast_to: float  # K
    slow_to: float  # K
    rate: float  # K/ps
    timestep: float = 0.002  # ps
    charges: list[float] | None = None


def read_table(path: Path = TABLE) -> tuple[list[Material], list[Superheated], list[Glass]]:
    """Materials, superheated crystals and glasses of the table at `path`, in its order."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return (
        [Material(**row) for row in table["material"]],
        [Superheated(**row) for row in table["superheated"]],
        [Glass(**row) for row in table["glass"]],
    )


def _cubic(structure: str) -> Builder:
    return lambda elements, a, c: bulk("".join(elements), structure, a=a, cubic=True)


def _hcp(elements: list[str], a: float, c: float | None) -> Atoms:
    """Orthorhombic cell: x along a, z along c."""
    return bulk(elements[0], "hcp", a=a, c=c, orthorhombic=True)


def _l12(elements: list[str], a: float, c: float | None) -> Atoms:
    """Majority element first: Ni3Al is ["Ni", "Al"]."""
    return crystal(elements, [(0, 0.5, 0.5), (0, 0, 0)], spacegroup=221, cellpar=[a, a, a, 90, 90, 90])


LATTICES = {
    "fcc": _cubic("fcc"),
    "bcc": _cubic("bcc"),
    "diamond": _cubic("diamond"),
    "zincblende": _cubic("zincblende"),
    "rocksalt": _cubic("rocksalt"),
    "cesiumchloride": _cubic("cesiumchloride"),
    "hcp": _hcp,
    "l12": _l12,
}


def unit_cell(material: Material | Glass) -> Atoms:
    """Orthogonal unit cell of the crystal (the first element on all sites of elemental lattices), Å."""
    elements = material.elements if material.lattice in COMPOUNDS else material.elements[:1]
    return LATTICES[material.lattice](elements, material.a, material.c)


COMPOUNDS = {"zincblende", "rocksalt", "cesiumchloride", "l12"}


def supercell(cell: Atoms, edges: tuple[float, float, float]) -> Atoms:
    """Smallest supercell of the orthogonal `cell` whose edges are at least `edges` (Å)."""
    repeats = np.ceil(np.asarray(edges) / cell.cell.lengths()).astype(int)
    return make_supercell(cell, np.diag(repeats))


def near_cube(cell: Atoms, edge: float = 35.0, n_atoms: int = 4000) -> Atoms:
    """Supercell with edges of at least `edge` (Å) and at least `n_atoms` atoms."""
    atoms = supercell(cell, (edge, edge, edge))
    while len(atoms) < n_atoms:
        edge += 0.5
        atoms = supercell(cell, (edge, edge, edge))
    return atoms


def random_occupation(atoms: Atoms, elements: list[str], fractions: list[float], seed: int) -> Atoms:
    """Copy of `atoms` with the elements put on its sites at random, in the given fractions."""
    counts = np.diff(np.rint(np.cumsum([0.0, *fractions]) * len(atoms)).astype(int))
    symbols = np.repeat(elements, counts)
    np.random.default_rng(seed).shuffle(symbols)
    mixed = atoms.copy()
    mixed.symbols[:] = symbols
    return mixed
