"""What is imaged: layers, and slabs of crystals seen along an axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

import arise_core as arise
from arise_core.crystals.ideal import conventional_cell
from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.geometry.builders import crystal_in_box, nearest_neighbour_distance
from arise_core.geometry.sheets import patch
from arise_core.geometry.structure import Structure
from arise_images.simulation import EXPONENT

Generator = np.random.Generator
#: Columns closer than this share of the nearest-neighbour distance of the crystal are one.
MERGED = 0.12


@dataclass(frozen=True)
class Sample:
    """What is imaged and what an image of it should give."""

    name: str
    crystal: str  # label of a prototype, or a crystal of `OTHERS`
    axis: tuple[int, int, int] | None  # along which it is seen; None: a layer, seen along its normal
    elements: tuple[str, ...]  # that a user names
    label: str  # right answer where the size of a pixel is known and nothing else is said
    pattern: str  # right answer for the pattern


SAMPLES = (
    Sample("graphene", "C", None, ("C",), "graphene", "graphene"),
    Sample("BN", "BN", None, ("B", "N"), "hexagonal_BN_monolayer", "hexagonal_BN_monolayer"),
    Sample("MoS2", "MoS2", None, ("Mo", "S"), "undecided", "hexagonal_BN_monolayer"),
    Sample("SrTiO3 [001]", "SrTiO3", (0, 0, 1), ("Sr", "Ti"), "undecided", "PbSe_monolayer"),
    Sample("Cu [110]", "fcc", (1, 1, 0), ("Cu",), "rejected", "rejected"),
)
#: Strontium titanate: lattice constant, Å.
TITANATE = 3.905


def crystal_of(sample: Sample) -> tuple[Structure, FloatArray]:
    """The crystal of a sample and its conventional cell."""
    if sample.crystal == "SrTiO3":
        cell = np.eye(3) * TITANATE
        places = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
        return Structure(places * TITANATE, np.array([38, 22, 8, 8, 8]), cell, np.ones(3, dtype=bool)), cell
    prototype = arise.prototype(sample.crystal)
    return arise.build(prototype), conventional_cell(prototype.cell)


def along(
    crystal: Structure, direction: FloatArray, half: FloatArray, turn: float, rng: Generator
) -> Structure:
    """An open block of a crystal whose direction is z: |x|, |y|, |z| up to `half`, Å, turned by an angle about z."""
    z = direction / np.linalg.norm(direction)
    x = np.cross(z, [1.0, 0, 0] if abs(z[0]) < 0.9 else [0, 1.0, 0])
    x /= np.linalg.norm(x)
    y = np.cross(z, x)
    first = np.cos(turn) * x + np.sin(turn) * y
    frame = np.array([first, np.cross(z, first), z]).T
    return Structure(*crystal_in_box(crystal, -half, half, frame, rng.uniform(size=3) * crystal.pbc))


def columns_of(structure: Structure) -> tuple[FloatArray, FloatArray, IntArray]:
    """Columns along z: places (n, 2) Å, brightness (n,) as a sum of Z^1.7, and to which each atom belongs."""
    flat = structure.positions[:, :2]
    pairs = cKDTree(flat).query_pairs(MERGED * nearest_neighbour_distance(structure), output_type="ndarray")
    joined = coo_array((np.ones(len(pairs)), pairs.T), shape=(len(flat), len(flat)))
    group = connected_components(joined, directed=False)[1]
    count = np.bincount(group)
    places = np.column_stack([np.bincount(group, flat[:, k]) / count for k in (0, 1)])
    return places, np.bincount(group, structure.numbers**EXPONENT), group


def block(sample: Sample, edge: float, rng: Generator) -> Structure:
    """The atoms of a sample, at random orientation in the plane, `edge` Å wide; crystals are two periods thick."""
    crystal, cell = crystal_of(sample)
    if sample.axis is None:
        return patch(crystal, (edge / 2, edge / 2), rng)
    direction = np.array(sample.axis) @ cell
    half = np.array([edge / 2, edge / 2, float(np.linalg.norm(direction))])
    return along(crystal, direction, half, float(rng.uniform(0, np.pi)), rng)
