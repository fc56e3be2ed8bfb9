"""Crystals of real materials that samples are made of, with lattice constants from tables of experiments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.build import bulk
from scipy.spatial import Voronoi, cKDTree

import arise_core as arise
from arise_core.geometry.builders import nearest_neighbour_distance
from ase_arise import from_atoms

Generator = np.random.Generator

EDGE = 16.0  # Å, of supercells at least: no box holds an atom twice
NOISE = 0.05  # root mean square displacement over the nearest-neighbour distance
#: Lattice constants in Å (of hcp: a and c) by lattice and material.
CONSTANTS: dict[str, dict[str, tuple[float, ...]]] = {
    "fcc": {"Cu": (3.615,), "Al": (4.050,), "Ni": (3.524,), "Ag": (4.085,), "Pd": (3.891,)},
    "bcc": {"Fe": (2.866,), "W": (3.165,), "Nb": (3.301,), "Cr": (2.885,)},
    "hcp": {"Mg": (3.209, 5.211), "Ti": (2.951, 4.684), "Co": (2.507, 4.069), "Zr": (3.232, 5.147)},
    "diamond": {"Si": (5.431,), "Ge": (5.658,), "C": (3.567,)},
    "rock salt": {"MgO": (4.212,), "NaCl": (5.640,), "TiN": (4.242,), "VC": (4.160,)},
    "zinc blende": {"GaAs": (5.653,), "ZnS": (5.409,), "SiC": (4.360,), "InP": (5.869,)},
    "B2": {"NiAl": (2.887,), "CuZn": (2.959,), "AgMg": (3.312,), "FeTi": (2.976,)},
    "L1_2": {"Ni3Al": (3.572,), "Cu3Au": (3.748,), "Al3Sc": (4.101,)},
}
LATTICES = tuple(CONSTANTS)
ELEMENTAL = ("fcc", "bcc", "hcp", "diamond")
#: Names that classes have under another one here.
NAMES = {
    "B2": "CsCl (B2)", "In": "In (bct)", "boron nitride": "hexagonal BN monolayer", "MoS2": "MoS2 monolayer",
}  # fmt: skip
ASE_NAMES = {"rock salt": "rocksalt", "zinc blende": "zincblende", "B2": "cesiumchloride"}


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A structure and what it is to be called.

    Args:
        group: such as the share of foreign atoms; a row of the tables.
        lattice: key of `CONSTANTS` or `NAMES`, or name of a class; of what has no class any name.
        detail: what else distinguishes it, such as a facet.
        structure: as it is asked.
        ways: how it is asked, see `benchmarks.samples.figures`.
        listed: whether it has a class. If not, it is to be rejected, or taken for a tube with doubt.
        counted: which atoms count in a map that is asked for atoms, (n,); None: all.
    """

    group: str
    lattice: str
    detail: str
    structure: arise.Structure
    ways: tuple[str, ...]
    listed: bool = True
    counted: np.ndarray | None = None

    @property
    def label(self) -> str | None:
        """Label of the class that is right; None if it has none."""
        return arise.prototype(NAMES.get(self.lattice, self.lattice)).label if self.listed else None


#: Makes the samples of a kind: random numbers, and how many there are to be of everything.
Maker = Callable[[Generator, int], Iterator[Sample]]


def unit(lattice: str, material: str, constants: tuple[float, ...] | None = None) -> Atoms:
    """Cubic cell of a material, of hcp the orthorhombic one."""
    a, *c = constants or CONSTANTS[lattice][material]
    if lattice == "L1_2":
        corners = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
        many, few = (str(s) for s in dict.fromkeys(Atoms(material).symbols))
        return Atoms([few] + [many] * 3, scaled_positions=corners, cell=[a] * 3, pbc=True)
    if lattice == "hcp":
        return bulk(material, "hcp", a=a, c=c[0], orthorhombic=True)
    return bulk(material, ASE_NAMES.get(lattice, lattice), a=a, cubic=True)


def material_of(lattice: str, k: int) -> str:
    """The k-th material of a lattice, and round again."""
    names = list(CONSTANTS[lattice])
    return names[k % len(names)]


def supercell(cell: Atoms, edge: float = EDGE) -> Atoms:
    """The fewest copies of a cell whose edges are at least so long, Å."""
    return cell * np.ceil(edge / cell.cell.lengths() - 1e-6).astype(int)


def spacing(atoms: Atoms) -> float:
    """Nearest-neighbour distance, Å."""
    return nearest_neighbour_distance(from_atoms(atoms))


def shaken(atoms: Atoms, distance: float, rng: Generator, share: float = NOISE) -> Atoms:
    """The atoms with independent normal displacements of root mean square `share` times a distance (Å)."""
    moved = atoms.copy()
    moved.positions += rng.normal(0, share * distance / np.sqrt(3), atoms.positions.shape)
    return moved


def holes(cell: Atoms, lattice: str, octahedral: bool = False) -> np.ndarray:
    """Middle of the octahedral and tetrahedral holes in a cell, or of the octahedral ones of a metal, (n, 3), Å.

    Corners of the Voronoi cells; the flat octahedral holes of bcc, where carbon sits in iron, are none and are added.
    """
    around = (cell * (3, 3, 3)).positions
    corners = Voronoi(around).vertices
    fractions = corners @ np.linalg.inv(cell.cell.array) - 1
    inside = ((fractions > -1e-6) & (fractions < 1 - 1e-6)).all(axis=1)
    corners, fractions = corners[inside], fractions[inside]
    if lattice in ("bcc", "B2"):
        flat = np.array([[0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
        fractions = flat if octahedral else np.concatenate([fractions, flat])
    elif octahedral:
        radius, _ = cKDTree(around).query(corners)
        fractions = fractions[radius > 0.99 * radius.max()]
    found = fractions[np.lexsort(np.round(fractions, 6).T)] @ cell.cell.array
    same = cKDTree(found).query_pairs(0.05)
    return np.delete(found, sorted({j for _, j in same}), axis=0)
