"""Molten salts and oxides: ions of different sign come closer to each other than ions of one sign."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arise_core.crystals.naming import DISORDERED
from arise_core.geometry import builders
from arise_core.geometry.arrays import FloatArray
from arise_core.geometry.structure import Structure
from arise_core.training.fields import several, span
from arise_core.training.samples.alloys import ELEMENTS
from arise_core.training.samples.disorder import Disorder, disordered_sample, displaced
from arise_core.training.samples.job import Generator
from arise_core.training.samples.kind import OfNone, Task


@dataclass(frozen=True, kw_only=True)
class Ionic(Disorder):
    """Soft spheres pushed apart from random places, as in `Disorder`; less so between ions of different sign.

    Args:
        atoms: range of the number of atoms in a box.
        unlike: range of the closest distance of ions of different sign over that of equal sign.
        filled: range of the packing fraction of spheres of the closest distance of equal ions.
        pushes: range of the number of steps in which ions are pushed apart.
        cations: range of the share of cations.
        kinds: numbers of elements of each sign, drawn from these.
    """

    atoms: tuple[int, int] = span(12, 1100, least=1)
    unlike: tuple[float, float] = span(0.55, 0.85, least=0.1)
    filled: tuple[float, float] = span(0.35, 0.8, least=0.01)
    pushes: tuple[int, int] = span(20, 150, least=0)
    cations: tuple[float, float] = span(0.33, 0.5, least=0)
    kinds: tuple[int, ...] = several(1, 1, 1, 2, low=1)


def ionic_melt(own: Ionic, n_atoms: int, rng: Generator) -> Structure:
    """Ions in a periodic cube."""
    low, high = own.packing.diameters
    size = rng.uniform(low, high) if rng.random() < 0.5 else 1.0
    charges = (rng.random(n_atoms) < rng.uniform(*own.cations)).astype(int)
    diameters = np.where(charges == 1, size, 1.0)
    edge = float(np.cbrt(np.pi / 6 * (diameters**3).sum() / rng.uniform(*own.filled)))
    steps = int(rng.integers(own.pushes[0], own.pushes[1] + 1))
    start = rng.uniform(0.0, edge, (n_atoms, 3))
    positions = builders.relieved(start, edge, diameters, steps, charges, rng.uniform(*own.unlike))
    elements = rng.permutation(ELEMENTS)
    n = int(rng.choice(own.kinds))
    numbers = np.where(charges == 1, elements[rng.integers(0, n, n_atoms)], elements[n])
    return Structure(positions, numbers, np.eye(3) * edge, np.ones(3, dtype=bool))


def _make(task: Task[Ionic], rng: Generator) -> tuple[FloatArray, str]:
    own = task.own
    wanted = int(np.exp(rng.uniform(*np.log(own.atoms))))
    whole = displaced(ionic_melt(own, int(wanted * own.more) + own.extra, rng), own.displaced, rng)
    return disordered_sample(task, whole, wanted, rng), DISORDERED


IONIC = OfNone(name="ionic", settings=Ionic(), make=_make)
