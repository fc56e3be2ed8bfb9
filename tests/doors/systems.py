"""The structures that every door is shown: open, periodic, across borders, tiny, skewed, of many species."""

from collections.abc import Callable

import numpy as np

import arise_core as arise
from arise_core.geometry import builders
from tests.conftest import shaken

OFF = np.array([0.11, 0.23, 0.37])
Array = np.ndarray


def crystal(name: str) -> arise.Structure:
    return arise.build(arise.prototype(name))


def bulk(name: str, n: int = 6, sigma: float = 0.07) -> arise.Structure:
    return shaken(builders.repeat(crystal(name), (n, n, n)), sigma)


def changed(
    structure: arise.Structure, positions: Array = None, cell: Array = None, pbc=None
) -> arise.Structure:
    """The structure with something else."""
    return arise.Structure(
        structure.positions if positions is None else positions,
        structure.numbers,
        structure.cell if cell is None else cell,
        structure.pbc if pbc is None else pbc,
    )


def ball(name: str, radius: float) -> arise.Structure:
    low = np.full(3, -radius)
    x, z = builders.crystal_in_box(crystal(name), low, -low, np.eye(3), OFF)
    inside = np.linalg.norm(x, axis=1) < radius
    return shaken(arise.Structure(x[inside], z[inside]), 0.05)


def in_vacuum(structure: arise.Structure, shift: float, vacuum: float = 25.0) -> arise.Structure:
    """A slab normal to the third vector in a periodic cell, moved along it by a share of the cell and wrapped."""
    longer = 1 + vacuum / np.linalg.norm(structure.cell[2])
    cell = structure.cell * [[1], [1], [longer]]
    u = structure.positions @ np.linalg.inv(cell)
    u[:, 2] = (u[:, 2] + shift) % 1.0
    return arise.Structure(u @ cell, structure.numbers, cell, True)


def bilayer(shift: float) -> arise.Structure:
    """Half fcc, half bcc, in a cell with vacuum along z, moved by a share of the cell and wrapped."""
    size = np.array([21.7, 21.7, 14.0])
    a, b = (builders.crystal_in_box(crystal(n), np.zeros(3), size, np.eye(3), OFF) for n in ("fcc", "bcc"))
    x = np.concatenate([a[0], b[0] + [0, 0, 15.5]])
    x = shaken(arise.Structure(x, np.full(len(x), 29)), 0.05).positions.copy()
    height = 60.0
    x[:, 2] = (x[:, 2] + shift * height) % height
    return arise.Structure(x, np.full(len(x), 29), np.diag([40.0, 40.0, height]), [False, False, True])


def skewed(structure: arise.Structure) -> arise.Structure:
    deform = np.array([[1, 0, 0], [0.4, 1, 0], [-0.25, 0.3, 1]])
    u = structure.positions @ np.linalg.inv(structure.cell)
    cell = deform @ structure.cell
    return arise.Structure(u @ cell, structure.numbers, cell, structure.pbc)


def alloy(name: str, elements: tuple[int, ...]) -> arise.Structure:
    s = bulk(name, 7)
    shares = np.full(len(elements), 1 / len(elements))
    numbers = builders.solid_solution(s.numbers, elements, shares, np.random.default_rng(3))
    return arise.Structure(s.positions, numbers, s.cell, s.pbc)


def unwrapped(structure: arise.Structure) -> arise.Structure:
    """Every atom in another image of the cell."""
    images = np.random.default_rng(1).integers(-3, 4, structure.positions.shape) * structure.pbc
    return changed(structure, structure.positions + images @ structure.cell)


def no_vector(structure: arise.Structure) -> arise.Structure:
    """Open along the third direction, of which the cell says nothing."""
    cell = structure.cell.copy()
    cell[2] = 0
    return arise.Structure(structure.positions, structure.numbers, cell, [True, True, False])


def straight(structure: arise.Structure) -> arise.Structure:
    """The third vector normal to the others."""
    cell = np.diag(np.linalg.norm(structure.cell, axis=1))
    return arise.Structure(structure.positions, structure.numbers, cell, structure.pbc)


def polycrystal() -> arise.Structure:
    names = ("fcc", "bcc", "hcp", "diamond")
    return builders.polycrystal([crystal(n) for n in names], (25.0, 25.0, 14.0), rng=np.random.default_rng(5))


def holes(structure: arise.Structure) -> arise.Structure:
    return builders.remove_atoms(structure, 0.25, np.random.default_rng(4))


SYSTEMS: dict[str, Callable[[], arise.Structure]] = {
    "bulk fcc": lambda: bulk("fcc"),
    "bulk rock salt": lambda: bulk("rock salt", 4),
    "bulk hcp": lambda: bulk("hcp", 5),
    "melt": lambda: bulk("fcc", 7, 0.5),
    "crystal with holes": lambda: holes(bulk("bcc", 7)),
    "open cube": lambda: changed(bulk("fcc"), pbc=False),
    "ball in vacuum": lambda: ball("fcc", 9.0),
    "ball in a large periodic cell": lambda: changed(ball("bcc", 9.0), cell=np.eye(3) * 60, pbc=True),
    "ball across the corner of its cell": lambda: changed(
        ball("bcc", 9.0), ball("bcc", 9.0).positions % 60, np.eye(3) * 60, True
    ),
    "slab": lambda: in_vacuum(bulk("fcc", 6), 0.2),
    "slab across the border": lambda: in_vacuum(bulk("fcc", 6), 0.75),
    "slab across the border, unwrapped": lambda: unwrapped(in_vacuum(bulk("fcc", 6), 0.75)),
    "bilayer": lambda: bilayer(0.1),
    "bilayer across the border": lambda: bilayer(0.6),
    "skewed slab across the border": lambda: in_vacuum(skewed(bulk("bcc", 6)), 0.7),
    "graphene": lambda: builders.repeat(crystal("graphene"), (9, 9, 1)),
    "graphene across the border": lambda: in_vacuum(
        builders.repeat(crystal("graphene"), (9, 9, 1)), 0.5, 1.0
    ),
    "nanotube": lambda: crystal("nanotube (5,3)"),
    "wire": lambda: changed(bulk("fcc", 6), pbc=[False, False, True]),
    "triclinic": lambda: skewed(bulk("L1_2", 5)),
    "left-handed": lambda: changed(bulk("fcc", 6), cell=bulk("fcc", 6).cell[[1, 0, 2]]),
    "unwrapped": lambda: unwrapped(bulk("diamond", 5)),
    "tiny cell": lambda: crystal("fcc"),
    "tiny cell of a compound": lambda: crystal("cubic perovskite"),
    "two species at random": lambda: alloy("fcc", (29, 79)),
    "five species": lambda: alloy("bcc", (22, 40, 41, 72, 73)),
    "no cell": lambda: ball("rock salt", 10.0),
    "a direction without a vector": lambda: no_vector(straight(bulk("sc", 7))),
    "four grains": polycrystal,
}
