"""Strained crystals, and those whose own axial ratio looks like strain."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from ase import Atoms
from ase.spacegroup import crystal

from ase_arise import from_atoms
from benchmarks.samples.hosts import (
    LATTICES,
    Generator,
    Sample,
    material_of,
    shaken,
    spacing,
    supercell,
    unit,
)

STRETCHES = (-0.05, -0.04, -0.02, 0.02, 0.04, 0.05)
FILMS = (-0.03, -0.02, 0.02, 0.03)
SHEAR = 0.06
#: How the samples are asked by state.
WAYS = {"ideal": ("whole", "16"), "displaced": ("16",)}
INDIUM = 4.9463 / (3.2528 * np.sqrt(2))  # c / a of indium as a stretched fcc
LIKE_INDIUM = 0.012  # fcc this close to it
DIRECTIONS = {"[001]": (0, 0, 1), "[110]": (1, 1, 0), "[111]": (1, 1, 1), "random": None}
#: Shear planes and directions.
SYSTEMS = {
    "(010)[100]": ((0, 1, 0), (1, 0, 0)),
    "(001)[110]": ((0, 0, 1), (1, 1, 0)),
    "(111)[1-10]": ((1, 1, 1), (1, -1, 0)),
    "(110)[1-11]": ((1, 1, 0), (1, -1, 1)),
    "random": None,
}


def deformed(atoms: Atoms, matrix: np.ndarray) -> Atoms:
    """Atoms and cell under a deformation that acts on column vectors, (3, 3)."""
    out = atoms.copy()
    out.set_cell(atoms.cell.array @ matrix.T, scale_atoms=True)
    return out


def some_direction(rng: Generator) -> np.ndarray:
    """A random unit vector, (3,)."""
    v = rng.normal(size=3)
    return np.asarray(v / np.linalg.norm(v))


def axial(direction: np.ndarray, along: float, across: float) -> np.ndarray:
    """Deformation by the share `along` in a direction and `across` in the plane normal to it, (3, 3)."""
    n = direction / np.linalg.norm(direction)
    return np.asarray((1 + across) * np.eye(3) + (along - across) * np.outer(n, n))


def both(atoms: Atoms, matrix: np.ndarray, rng: Generator) -> dict[str, Atoms]:
    """A deformed supercell, ideal and with 3 to 5 % noise."""
    strained = deformed(supercell(atoms, 17.0), matrix)
    noise = float(rng.uniform(0.03, 0.05))
    return {"ideal": strained, "displaced": shaken(strained, spacing(atoms), rng, noise)}


def samples(
    group: str, lattice: str, detail: str, cell: Atoms, matrix: np.ndarray, rng: Generator
) -> Iterator[Sample]:
    """The ideal and the noisy sample of a deformation."""
    for state, atoms in both(cell, matrix, rng).items():
        yield Sample(
            group=group, lattice=lattice, detail=f"{detail}, {state}", structure=from_atoms(atoms), ways=WAYS[state],
        )  # fmt: skip


def like_indium(lattice: str, matrix: np.ndarray) -> bool:
    """Whether a stretch of fcc along a cube edge makes the axial ratio of indium."""
    square = np.allclose(matrix, np.diag(np.diag(matrix))) and np.isclose(matrix[0, 0], matrix[1, 1])
    return bool(lattice == "fcc" and square and abs(matrix[2, 2] / matrix[0, 0] - INDIUM) < LIKE_INDIUM)


def stretched(rng: Generator, draws: int) -> Iterator[Sample]:
    """Uniaxial strain, the directions across it fixed, relaxed (Poisson's ratio 0.3 to 0.4) or at constant volume."""
    for strain in STRETCHES:
        for lattice in LATTICES:
            for name, direction in DIRECTIONS.items():
                for k in range(draws):
                    laterals = (1 / np.sqrt(1 + strain) - 1, -rng.uniform(0.3, 0.4) * strain, 0.0)
                    n = some_direction(rng) if direction is None else np.array(direction)
                    matrix = axial(n, strain, laterals[k % 3])
                    like = like_indium(lattice, matrix)
                    yield from samples(
                        f"{100 * strain:+g} %" + (", c/a of indium" if like else ""), lattice, name,
                        unit(lattice, material_of(lattice, k)), matrix, rng,
                    )  # fmt: skip


def films(rng: Generator, draws: int) -> Iterator[Sample]:
    """Biaxial strain in (001) or (111), the direction across it relaxed (Poisson's ratio 0.3 to 0.4)."""
    for strain in FILMS:
        for lattice in LATTICES:
            for name, normal in {"(001)": (0, 0, 1), "(111)": (1, 1, 1)}.items():
                for k in range(draws):
                    poisson = rng.uniform(0.3, 0.4)
                    matrix = axial(np.array(normal), -2 * poisson / (1 - poisson) * strain, strain)
                    like = like_indium(lattice, matrix)
                    yield from samples(
                        f"{100 * strain:+g} %" + (", c/a of indium" if like else ""), lattice, name,
                        unit(lattice, material_of(lattice, k)), matrix, rng,
                    )  # fmt: skip


def sheared(rng: Generator, draws: int) -> Iterator[Sample]:
    """Simple shear by 6 %, either way."""
    for name, system in SYSTEMS.items():
        for lattice in LATTICES:
            for k in range(draws):
                plane = some_direction(rng) if system is None else np.array(system[0], dtype=float)
                along = np.cross(plane, some_direction(rng)) if system is None else np.array(system[1], float)
                dyad = np.outer(along / np.linalg.norm(along), plane / np.linalg.norm(plane))
                matrix = np.eye(3) + (-1) ** k * SHEAR * dyad
                yield from samples(name, lattice, name, unit(lattice, material_of(lattice, k)), matrix, rng)


def tetragonal(symbols: list[str], sites: list[tuple[float, ...]], a: float, c: float) -> Atoms:
    """A cell with a square base."""
    return Atoms(symbols, scaled_positions=sites, cell=[a, a, c], pbc=True)


def own_cells() -> dict[str, tuple[str, Atoms]]:
    """Material: class, cell. Those of beta-Sn and gamma-Pu from their space groups."""
    corners = [(0, 0, 0), (0.5, 0.5, 0.5)]
    tin = crystal("Sn", [(0, 0, 0)], spacegroup=141, setting=1, cellpar=[5.831, 5.831, 3.182, 90, 90, 90])
    plutonium = crystal(
        "Pu", [(1 / 8,) * 3], spacegroup=70, setting=2, cellpar=[3.159, 5.768, 10.162, 90, 90, 90]
    )
    return {
        "In": ("In", tetragonal(["In", "In"], corners, 3.2528, 4.9463)),
        "gamma-Pu": ("gamma-Pu", plutonium),
        "beta-Sn": ("beta-Sn", tin),
        "CuAu": ("L1_0", tetragonal(["Cu", "Au"], corners, 2.800, 3.670)),
        "FePt": ("L1_0", tetragonal(["Fe", "Pt"], corners, 2.724, 3.712)),
        "TiAl": ("L1_0", tetragonal(["Ti", "Al"], corners, 2.829, 4.071)),
        "NiPt": ("L1_0", tetragonal(["Ni", "Pt"], corners, 2.697, 3.587)),
    }


def own(rng: Generator, draws: int) -> Iterator[Sample]:
    """Crystals with an axial ratio of their own."""
    for name, (label, cell) in own_cells().items():
        for _ in range(draws):
            yield from samples(name, label, "unstrained", cell, np.eye(3), rng)
