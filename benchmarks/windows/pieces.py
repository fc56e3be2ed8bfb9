"""Spheres against cubes of the same volume, around the same places of hot crystals, melts and fronts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from arise_core import Model, Sphere, Structure
from arise_core.descriptor.covariance import BoxWindow
from arise_core.descriptor.soap import describe_piece, survey
from arise_core.engine.windows import Cutter
from arise_core.geometry.builders import random_rotation
from arise_core.geometry.material import Material
from arise_core.geometry.neighbors import images, wrapped_points
from arise_core.settings import DescriptorSettings, SamplingSettings

#: Atoms in a piece, on average: those of cubes of about 7.5, 9.4 and 11.9 Å in copper.
ATOMS = (32, 64, 128)
SAMPLING = SamplingSettings(passes=96)
FEWEST = 8


@dataclass(frozen=True)
class Answers:
    """What the model says of pieces."""

    right: np.ndarray  # (n,), whether they have the right class and are not rejected
    crystal: np.ndarray  # (n,), whether they are not rejected
    doubt: np.ndarray  # (n,), mutual information, bit
    n_atoms: np.ndarray  # (n,)


def volume_of(structure: Structure, n_atoms: float) -> float:
    """Å³ that hold so many atoms of a structure that fills its cell."""
    return float(n_atoms * abs(np.linalg.det(structure.cell)) / len(structure))


def spheres(
    structure: Structure | Material, centers: np.ndarray, volume: float, settings: DescriptorSettings
) -> Iterator[tuple[np.ndarray, int]]:
    """Descriptor and atoms of the sphere around each centre."""
    shape = Sphere(float(np.cbrt(3 * volume / (4 * np.pi))))
    cutter = Cutter(Material.of(structure), shape, np.array([0.0, 0.0, 1.0]), settings, FEWEST)
    return cutter.describe(centers)


def cubes(
    structure: Structure,
    centers: np.ndarray,
    volume: float,
    settings: DescriptorSettings,
    turned: bool = True,
) -> Iterator[tuple[np.ndarray, int]]:
    """Descriptor and atoms of the cube around each centre, in a random orientation or along the axes."""
    material = Material.of(structure)
    edge = float(np.cbrt(volume))
    ranges = survey(material, settings).ranges
    body = material.body
    near = images(material.positions, body.cell, body.pbc, edge * np.sqrt(3) / 2, whole_cell=True)
    tree, numbers = cKDTree(near.positions), body.numbers[near.index]
    rng = np.random.default_rng(7)
    for center in wrapped_points(centers, body.cell, body.pbc):
        turn = random_rotation(rng) if turned else np.eye(3)
        found = np.array(tree.query_ball_point(center, edge * np.sqrt(3) / 2, return_sorted=True), dtype=int)
        inside = found[(np.abs((near.positions[found] - center) @ turn.T) < edge / 2).all(axis=1)]
        if len(inside) < FEWEST:
            yield np.full(settings.n_features, np.nan), len(inside)
            continue
        window = BoxWindow(turn * edge, np.ones(3), settings.floor)
        yield describe_piece(near.positions[inside], numbers[inside], window, ranges, settings), len(inside)


#: What is compared: how the pieces around centres are described.
KINDS = {
    "spheres": spheres,
    "cubes": cubes,
    "cubes along the cell": lambda *given: cubes(*given, turned=False),
}


def asked(
    model: Model, structure: Structure | Material, centers: np.ndarray, n_atoms: float, kind: str, right: int
) -> Answers:
    """What the model says of the pieces of one kind around some centres.

    Args:
        model: whose answers are wanted.
        structure: that fills its cell; of a `Material` what is known of it is kept.
        centers: (n, 3), Å.
        n_atoms: in a piece, on average.
        kind: of `KINDS`.
        right: index of the right class.
    """
    material = Material.of(structure)
    volume = volume_of(material.structure, n_atoms)
    parts = list(KINDS[kind](material, centers, volume, model.descriptor))
    said = model.predict(np.array([features for features, _ in parts], dtype=np.float32), SAMPLING)
    crystal = said.valid & ~said.rejected
    return Answers(
        crystal & (said.index == right), crystal, said.mutual_information, np.array([n for _, n in parts])
    )
