"""Tubes and cages: rolled layers, most of them no class."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from ase import Atoms
from ase.build import molecule, nanotube

from ase_arise import from_atoms
from benchmarks.samples.hosts import Generator, Sample
from benchmarks.samples.layers import BONDS, neighbours

NOISE = (0.01, 0.03)  # standard deviation of a coordinate over the bond length
#: Indices of the tubes that are classes.
LISTED = ((3, 3), (4, 2), (4, 3), (4, 4), (5, 1), (5, 2), (5, 3), (6, 0), (6, 1), (6, 2), (7, 0), (7, 1))
#: Of tubes that are none.
OTHERS = (
    (5, 5), (6, 6), (8, 8), (10, 10), (8, 0), (10, 0), (13, 0), (5, 0), (5, 4), (6, 3), (6, 4), (7, 2), (8, 3), (9, 1),
    (10, 5), (11, 4),
)  # fmt: skip
DOUBLE = (((4, 0), (13, 0)), ((5, 5), (10, 10)), ((6, 4), (11, 8)))


def tube(n: int, m: int, length: float) -> Atoms:
    """A carbon tube of so many Å at least, periodic along z."""
    period = nanotube(n, m, length=1).cell[2, 2]
    return nanotube(n, m, length=int(np.ceil(length / period)))


def cut(atoms: Atoms) -> Atoms:
    """The same atoms without period."""
    out = atoms.copy()
    out.pbc = False
    out.set_cell(np.zeros((3, 3)))
    return out


def nitride(atoms: Atoms) -> Atoms:
    """Boron and nitrogen on the two sites of an open tube."""
    out, near = atoms.copy(), neighbours(atoms, 1.25 * BONDS["graphene"])
    side: dict[int, int] = {0: 5}
    todo = [0]
    while todo:
        i = todo.pop()
        for j in near[i] - side.keys():
            side[j] = 12 - side[i]
            todo.append(j)
    out.numbers = [side.get(k, 5) for k in range(len(out))]
    return out


def dodecahedron() -> Atoms:
    """C20."""
    g = (1 + np.sqrt(5)) / 2
    points = [(a, b, c) for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)]
    points += [tuple(np.roll([0, a / g, b * g], s)) for a in (-1, 1) for b in (-1, 1) for s in range(3)]
    return Atoms("C20", np.array(points) * 1.44 / (2 / g))


def made(rng: Generator) -> Iterator[tuple[str, str, Atoms]]:
    """What it is, its name and the atoms without noise."""
    for n, m in OTHERS:
        yield "tube outside the list, open", f"nanotube ({n},{m})", cut(tube(n, m, rng.uniform(12, 25)))
        yield "tube outside the list, periodic", f"nanotube ({n},{m})", tube(n, m, 8)
    for n, m in OTHERS[:8]:
        yield "BN tube", f"BN nanotube ({n},{m})", nitride(cut(tube(n, m, 15)))
    for inner, outer in DOUBLE:
        name = "({},{}) in ({},{})".format(*inner, *outer)
        yield "double-walled", name, cut(tube(*inner, 12)) + cut(tube(*outer, 12))
    yield "cage", "C60", molecule("C60")
    yield "cage", "C20", dodecahedron()
    for n, m in LISTED:
        yield "tube of the list", f"nanotube ({n},{m})", cut(tube(n, m, 12))


def tubes(rng: Generator, draws: int) -> Iterator[Sample]:
    """Carbon tubes that are no class, tubes of BN and in each other, and cages: right is rejected, or the class of a
    tube with a mutual information of 0.3 bit and more. Tubes of the list have their class. Noise of 1 to 3 % of the
    bond length along each axis.
    """
    for _ in range(draws):
        for group, name, atoms in made(rng):
            atoms.positions += rng.normal(0, rng.uniform(*NOISE) * BONDS["graphene"], (len(atoms), 3))
            yield Sample(
                group=group, lattice=name, detail="", structure=from_atoms(atoms), ways=("whole",),
                listed=group == "tube of the list",
            )  # fmt: skip
