"""A large image of graphene with a tilt boundary: what the map, the doubt and the rings say by distance from it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.spatial import cKDTree

import arise_core as arise
from arise_core.geometry.arrays import FloatArray
from arise_core.geometry.sheets import BOND, bonds, settled, tilt_boundary
from arise_core.geometry.structure import Structure
from arise_core.model.model import Model
from arise_core.settings import MapSettings, RecognitionSettings
from arise_images import ImageRecognition, find_atoms, find_rings, recognise_layer, simulate_image
from arise_images.rings import Rings

Generator = np.random.Generator
#: Bond of graphene, Å, and steps in which the boundary settles.
LENGTH, STEPS = 1.424, 300
#: Å from the boundary.
DISTANCES = (0.0, 3.0, 6.0, 10.0, 20.0, 80.0)


@dataclass(frozen=True)
class Boundary:
    """An image of a boundary, and what was found."""

    image: FloatArray
    found: ImageRecognition
    truth: Rings
    distance: FloatArray  # (n,), of each column from the nearest true ring of five or seven, Å


def bicrystal(half: float, angle: float, rng: Generator) -> Structure:
    """Two half-sheets of graphene, no atom with more than three bonds, settled."""
    sheet = arise.build(arise.prototype("C"))
    structure = tilt_boundary(sheet, (half, half), angle, 0.0, 0.75, rng)
    for _ in range(2):
        pairs = bonds(structure, BOND * LENGTH)
        count = np.bincount(pairs.ravel(), minlength=len(structure))
        while count.max() > 3:  # the atom with most bonds goes
            keep = np.arange(len(structure)) != count.argmax()
            structure = Structure(structure.positions[keep], structure.numbers[keep])
            pairs = bonds(structure, BOND * LENGTH)
            count = np.bincount(pairs.ravel(), minlength=len(structure))
        structure = settled(structure, pairs, STEPS, LENGTH)
    return structure


def boundary(
    model: Model, *, half: float = 45.0, angle: float = 21.8, dose: float = 30.0, stride: float = 4.0,
    box_size: float = MapSettings.box_size,
) -> Boundary:  # fmt: skip
    """An image of 2 `half` Å and what is in it."""
    rng = np.random.default_rng(3)
    structure = bicrystal(half, angle, rng)
    image, _ = simulate_image(
        structure, pixel_size=0.2, margin=1.0, dose=dose, jitter=0.06, blur=0.15, rng=rng
    )
    truth = find_rings(structure, BOND * LENGTH)
    columns = find_atoms(image, 0.2)
    found = recognise_layer(
        columns, model, settings=RecognitionSettings.of({"stride": stride, "box_size": box_size})
    )
    shift = structure.positions[:, :2].min(axis=0) - 1.0  # where the image begins
    odd = truth.centers[(truth.size == 5) | (truth.size == 7), :2] - shift
    distance = cKDTree(odd).query(columns.structure.positions[:, :2])[0]
    return Boundary(image, found, truth, distance)


def rows_of(one: Boundary) -> list[list[str]]:
    """By distance from the boundary: columns, share named graphene, doubt, rejection, share in defective regions."""
    local = one.found.local
    rows = []
    for low, high in pairwise(DISTANCES):
        here = (one.distance >= low) & (one.distance < high)
        doubt = local.atoms.mutual_information[here]
        rows.append([
            f"{low:g} to {high:g}", str(here.sum()), f"{(local.atom_labels[here] == 'graphene').mean():.1%}",
            f"{doubt.mean():.4f}", f"{doubt.max():.3f}", f"{local.atoms.reject_score[here].mean():.3f}",
            f"{one.found.defective[here].mean():.1%}",
        ])  # fmt: skip
    return rows
