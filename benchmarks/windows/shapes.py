"""Tubes, wires and sheets: boxes, boxes that slide along one axis only, and whole layers, one beside the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase.build import nanotube

import arise_core as arise
from arise_core import Model, PointValues, Structure
from arise_core.geometry import builders
from benchmarks.measure import seconds

PASSES = 96
NOISE = 0.05  # Å a coordinate
Result = tuple[int, PointValues, float | None]  # pieces, values at atoms, reject threshold


@dataclass(frozen=True)
class Case:
    """A structure, what its atoms are, and where two parts meet."""

    name: str
    structure: Structure
    labels: np.ndarray  # (n_atoms,), of `arise_core.prototypes()`
    border: np.ndarray  # (n_atoms,), Å from the border between the parts


def shaken(positions: np.ndarray, seed: int = 0) -> np.ndarray:
    """Positions with thermal noise."""
    return np.asarray(positions + np.random.default_rng(seed).normal(0, NOISE, positions.shape))


def tubes(turned: bool) -> Case:
    """A (4,4) and a (6,0) carbon nanotube end to end, 40 Å each, along z or in a random direction; open."""
    parts, labels = [], []
    for k, (n, m, length) in enumerate(((4, 4, 17), (6, 0, 10))):
        tube = nanotube(n, m, length=length)
        x = shaken(tube.positions, k)
        x[:, :2] -= x[:, :2].mean(axis=0)
        x[:, 2] -= x[:, 2].max() + 0.71 if k == 0 else x[:, 2].min() - 0.71
        parts.append(x)
        labels += [arise.prototype(f"nanotube ({n},{m})").label] * len(x)
    x = np.concatenate(parts)
    border = np.abs(x[:, 2])
    if turned:
        x = x @ builders.random_rotation(np.random.default_rng(5)).T
    name = "two nanotubes end to end" + (", in a random direction" if turned else "")
    return Case(name, Structure(x, np.full(len(x), 6)), np.array(labels), border)


def twinned_wire(radius: float = 10.0) -> Case:
    """A round copper wire along [111], 20 Å thick, 79 Å long, periodic along its axis, with a twin every 40 Å."""
    half = 19  # layers
    block = builders.repeat(builders.close_packed([1] * half + [-1] * half), (14, 14, 1))
    layer = np.round(block.positions[:, 2] / block.cell[2, 2] * 2 * half).astype(int)
    x = block.positions - (block.cell[0] + block.cell[1]) / 2
    keep = np.hypot(x[:, 0], x[:, 1]) < radius
    x, layer = x[keep] + [30.0, 30.0, 0.0], layer[keep]
    cell = np.diag([60.0, 60.0, block.cell[2, 2]])
    away = np.minimum(np.abs(layer - half), np.minimum(layer, 2 * half - layer)) * cell[2, 2] / (2 * half)
    structure = Structure(shaken(x), np.full(len(x), 29), cell, [False, False, True])
    return Case("copper wire with twins", structure, np.full(len(x), arise.prototype("fcc").label), away)


def sheet() -> Case:
    """Graphene with a strip of boron nitride of 30 Å, periodic in its plane, 59 x 60 Å."""
    bond = 1.42
    corner = np.array([[0, 0, 0], [0, bond, 0], [np.sqrt(3) / 2 * bond, 1.5 * bond, 0],
                       [np.sqrt(3) / 2 * bond, 2.5 * bond, 0]])  # fmt: skip
    unit = Structure(corner + 0.1, [5, 7, 5, 7], np.diag([np.sqrt(3) * bond, 3 * bond, 30.0]), True)
    flat = builders.repeat(unit, (24, 14, 1))
    away = np.abs(flat.positions[:, 0] - flat.cell[0, 0] / 2) - 15.0
    numbers = np.where(away < 0, flat.numbers, 6)
    names = np.where(away < 0, "hexagonal BN monolayer", "graphene")
    labels = np.array([arise.prototype(str(name)).label for name in names])
    return Case("graphene with a strip of BN", Structure(shaken(flat.positions), numbers, flat.cell, True), labels,
                np.abs(away))  # fmt: skip


def mapped(model: Model, **settings: Any) -> Callable[[Structure], Result]:
    """Boxes."""

    def ask(structure: Structure) -> Result:
        field = arise.strided_map(structure, model, passes=PASSES, tolerance=None, **settings)
        return len(field), field.values_at_atoms(), field.prediction.reject_threshold

    return ask


def cut(model: Model, shape: Any, **settings: Any) -> Callable[[Structure], Result]:
    """Pieces along an axis."""

    def ask(structure: Structure) -> Result:
        found = arise.classify_windows(structure, model, shape, passes=PASSES, tolerance=None, **settings)
        return len(found), found.values_at_atoms(), found.prediction.reject_threshold

    return ask


def rows(model: Model) -> list[dict[str, Any]]:
    """A row a structure and way to cut it: pieces, atoms that are right (%), doubt inside and at borders, time."""
    boxes = {"boxes of 16 Å": mapped(model), "boxes of 8 Å": mapped(model, box_size=8.0)}
    one = {"boxes of 16 Å, one across (`thin=1.5`)": mapped(model, thin=1.5)}
    small = {"boxes of 8 Å, one across (`thin=1.5`)": mapped(model, box_size=8.0, thin=1.5)}
    sections = {f"cross-sections of {t:g} Å": cut(model, arise.Layer(t)) for t in (16.0, 8.0)}
    others = {"spheres of 8 Å radius": cut(model, arise.Sphere(8.0)),
              "cylinders, 8 Å radius, 16 Å long": cut(model, arise.Cylinder(8.0, 16.0))}  # fmt: skip
    thinner = {"cross-sections of 6 Å": cut(model, arise.Layer(6.0))}
    strips = {f"strips of {t:g} Å": cut(model, arise.Layer(t), axis="x") for t in (16.0, 8.0)}
    cases = [
        (tubes(False), boxes | small | sections | others), (tubes(True), boxes | sections | others),
        (twinned_wire(), boxes | one | sections | thinner), (sheet(), boxes | strips),
    ]  # fmt: skip
    out = []
    for case, ways in cases:
        for name, ask in ways.items():
            ask(case.structure)  # compiled by now
            found: list[Result] = []
            time = seconds(lambda: found.append(ask(case.structure)))  # noqa: B023 - called at once
            pieces, at, threshold = found[0]
            named = at.index >= 0
            labels = np.array([*model.classes, ""])[at.index]
            right = (labels == case.labels) & named
            if threshold is not None:
                right &= ~(at.reject_score >= threshold)
            inner = case.border > 8
            out.append({
                "structure": case.name, "pieces are": name, "pieces": pieces, "named": 100 * named.mean(),
                "right": 100 * right.mean(), "right inside": 100 * right[inner].mean(),
                "doubt inside": np.nanmean(at.mutual_information[inner]),
                "doubt at the border": np.nanmean(at.mutual_information[case.border < 2.1]), "seconds": time,
            })  # fmt: skip
            print(out[-1], flush=True)
    return out
