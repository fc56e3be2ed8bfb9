"""The structures that more than one benchmark is about."""

from __future__ import annotations

import numpy as np

from arise_core import Structure
from arise_core.geometry import builders

LATTICE = (4 / 0.077) ** (1 / 3)  # Å, fcc of 0.077 atoms/Å³
THERMAL = 0.1  # Å, displacement of the atoms per coordinate


def fcc(n: int, seed: int = 0, displacement: float = THERMAL) -> Structure:
    """Thermal fcc copper, n³ cubic cells, periodic; `displacement` in Å a coordinate."""
    corner = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    unit = Structure((corner + 0.25) * LATTICE, np.full(4, 29), np.eye(3) * LATTICE, True)
    s = builders.repeat(unit, (n, n, n))
    moved = s.positions + np.random.default_rng(seed).normal(0, displacement, s.positions.shape)
    return Structure(moved, s.numbers, s.cell, s.pbc)


def in_a_ball(structure: Structure, radius: float) -> Structure:
    """What lies within a distance (Å) of the middle of a structure, open."""
    x = structure.positions - structure.positions.mean(axis=0)
    keep = np.linalg.norm(x, axis=1) < radius
    return Structure(x[keep], structure.numbers[keep])
