"""Slabs of crystals, and atoms on their surfaces."""

from __future__ import annotations

import numpy as np

from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray
from arise_core.geometry.cell import inverse, perpendicular_heights, transformed
from arise_core.geometry.neighbors import images, wrapped
from arise_core.geometry.structure import Structure

Generator = np.random.Generator


def supercell(structure: Structure, matrix: IntArray) -> Structure:
    """The crystal in a cell whose vectors are whole combinations of its own.

    Args:
        structure: periodic along all three directions.
        matrix: (3, 3), rows are the new vectors in terms of the old ones; its determinant is not 0.
    """
    cell = transformed(matrix.astype(float), structure.complete_cell)
    corners = np.array([bits @ matrix for bits in np.ndindex(2, 2, 2)])
    ranges = [np.arange(corners[:, k].min() - 1, corners[:, k].max() + 2) for k in range(3)]
    steps = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, 3).astype(float)
    shifts = transformed(steps, structure.complete_cell)
    positions = (shifts[:, None] + structure.positions[None]).reshape(-1, 3)
    fractional = transformed(positions, inverse(cell))
    inside = ((fractional > -1e-6) & (fractional < 1 - 1e-6)).all(axis=1)
    numbers = np.tile(structure.numbers, len(shifts))
    return Structure(positions[inside], numbers[inside], cell, np.ones(3, dtype=bool))


def random_slab(crystal: Structure, width: float, thickness: float, index: int, rng: Generator) -> Structure:
    """A slab of a crystal between two lattice planes, periodic in the plane, open across it.

    Args:
        crystal: one period.
        width: edges in the plane at least, Å.
        thickness: about, Å.
        index: largest component of the vectors in the plane, in terms of the crystal's own.
        rng: random numbers: orientation, and where the first plane cuts.
    """
    while True:
        rows = rng.integers(-index, index + 1, (3, 3))
        if round(float(np.linalg.det(rows))) == 0:
            continue
        heights = perpendicular_heights(transformed(rows.astype(float), crystal.complete_cell))
        lengths = np.linalg.norm(rows @ crystal.complete_cell, axis=1)
        if heights[:2].min() > 0.5 * lengths[:2].min():  # no needles
            break
    times = np.array([*np.ceil(width / heights[:2]), max(1, round(thickness / heights[2]))], dtype=int)
    shift = transformed(rng.uniform(size=(1, 3)), crystal.complete_cell)
    moved = Structure(crystal.positions + shift, crystal.numbers, crystal.cell, crystal.pbc)
    whole = supercell(Structure(wrapped(moved), moved.numbers, moved.cell, moved.pbc), rows * times[:, None])
    return Structure(whole.positions, whole.numbers, whole.cell, np.array([True, True, False]))


def at_surface(slab: Structure, depth: float) -> BoolArray:
    """Atoms of a slab within `depth` Å of its two faces, (n_atoms,)."""
    height = slab.positions @ _normal(slab)
    return np.asarray((height > height.max() - depth) | (height < height.min() + depth))


def adsorbed(slab: Structure, number: int, distance: float, rng: Generator) -> Structure:
    """The slab with one more atom on it, `distance` Å from the nearest one, at a random place of one of its faces."""
    up = bool(rng.random() < 0.5)
    across = transformed(slab.positions, inverse(slab.complete_cell))[:, 2]
    face = across.max() if up else across.min()
    place = transformed(np.array([[*rng.uniform(size=2), face]]), slab.complete_cell)[0]
    normal = _normal(slab) * (1.0 if up == (slab.cell[2] @ _normal(slab) > 0) else -1.0)
    near = images(slab.positions, slab.complete_cell, slab.pbc, 2 * distance).positions
    away = near - place
    height = away @ normal
    aside = np.linalg.norm(away - height[:, None] * normal, axis=1)
    reached = aside < distance
    # It comes down until it touches the first atom.
    touching = height[reached] + np.sqrt(distance**2 - aside[reached] ** 2)
    top = touching.max() if reached.any() else height.max()
    return Structure(
        np.vstack([slab.positions, place + top * normal]),
        np.append(slab.numbers, number),
        slab.cell,
        slab.pbc,
    )


def _normal(slab: Structure) -> FloatArray:
    """Unit vector across the slab, (3,)."""
    normal = np.cross(slab.cell[0], slab.cell[1])
    return np.asarray(normal / np.linalg.norm(normal))
