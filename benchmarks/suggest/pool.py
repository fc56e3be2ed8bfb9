"""Structures without labels, as a user has them, and the labels that an expert would give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

import arise_core as arise
from arise_core.crystals.crystal import Crystal
from arise_core.crystals.naming import DISORDERED, UNKNOWN, new_colour, new_identifier
from arise_core.crystals.others import OTHERS, other_crystals
from arise_core.geometry import builders
from arise_core.geometry.arrays import Float32Array, IntArray
from arise_core.training.samples.cuts import random_edges
from arise_core.training.samples.disorder import Disorder, disordered_structure
from arise_core.training.samples.interfaces import Interfaces, bicrystal
from arise_core.training.samples.mixture import PerturbedSamples
from arise_core.training.samples.noise import imperfect
from arise_core.training.samples.pieces import whole_structure

#: The crystals that are to become a class, one at a time.
NEW = ("fluorite, CaF2", "Laves C15, MgCu2", "A15, Cr3Si")
#: What a pool is made of, besides the new crystal.
SHARES = {"classes": 0.75, "boundaries": 0.1, "melts": 0.1, "other crystals": 0.05}
#: Share of the new crystal in a pool.
RARE = 0.03
#: Other crystals that are no class and stay none: the rest of the table.
STRANGERS = tuple(name for name in OTHERS if name not in NEW)
#: Atoms of melts and of structures with a boundary.
ATOMS = (60, 500)

Generator = np.random.Generator


@dataclass(frozen=True)
class Pool:
    """Structures by their descriptors, the kinds that they are of, and the labels of an expert."""

    features: Float32Array  # (n, n_features)
    labels: list[str]

    def __len__(self) -> int:
        return len(self.labels)

    def of(self, rows: IntArray) -> Pool:
        """Some of them."""
        return Pool(self.features[rows], [self.labels[k] for k in rows])

    def with_more(self, more: Pool) -> Pool:
        """Both, one after the other."""
        return Pool(np.concatenate([self.features, more.features]), self.labels + more.labels)


def new_crystals(model: arise.Model) -> tuple[Crystal, ...]:
    """The crystals that are to become a class, with all that a class of the model needs."""
    known = list(model.class_info)
    table = {c.label: c for c in other_crystals()}
    return tuple(
        replace(
            table[name],
            info=replace(
                table[name].info,
                identifier=new_identifier(name, known),
                colour=new_colour([c.colour for c in known]),
            ),
        )
        for name in NEW
    )


def of_crystal(crystal: Crystal, samples: PerturbedSamples, rng: Generator) -> arise.Structure:
    """A supercell or a piece of a crystal, with displacements, sound waves, strain and missing atoms."""
    whole = whole_structure(crystal, samples.structures, rng)
    return imperfect(whole, samples.of_class(crystal.label).noise, rng)


def boundary(
    crystals: Sequence[Crystal], samples: PerturbedSamples, rng: Generator
) -> tuple[arise.Structure, str]:
    """Two bulk crystals that meet, of one nearest-neighbour distance, and the label of the larger one."""
    one, two = (crystals[int(k)] for k in rng.integers(len(crystals), size=2))
    factor = builders.nearest_neighbour_distance(one.unit) / builders.nearest_neighbour_distance(two.unit)
    unit = two.unit
    scaled = arise.Structure(unit.positions * factor, unit.numbers, unit.cell * factor, unit.pbc)
    own = Interfaces()
    edges = random_edges(one.unit, ATOMS, samples.cuts, rng)
    places, numbers = bicrystal((one.unit, scaled), edges, rng.uniform(*own.larger), own, rng)
    return imperfect(arise.Structure(places, numbers), samples.noise, rng), one.label


def unlabelled(
    kind: str, crystals: Sequence[Crystal], samples: PerturbedSamples, rng: Generator
) -> tuple[arise.Structure, str]:
    """A structure of a kind of `SHARES`, and its label."""
    if kind == "melts":
        return disordered_structure(Disorder(), ATOMS, rng)[0], DISORDERED
    if kind == "boundaries":
        return boundary([c for c in crystals if c.dimension == 3], samples, rng)
    if kind == "other crystals":
        table = {c.label: c for c in other_crystals()}
        return of_crystal(table[STRANGERS[int(rng.integers(len(STRANGERS)))]], samples, rng), UNKNOWN
    crystal = crystals[int(rng.integers(len(crystals)))]
    return of_crystal(crystal, samples, rng), crystal.label


def mixed(
    number: int, crystals: Sequence[Crystal], samples: PerturbedSamples, model: arise.Model, seed: int
) -> Pool:
    """A pool without the new crystal."""
    parts = [
        described(
            partial(unlabelled, kind, crystals, samples), max(1, round(number * share)), model, [seed, k]
        )
        for k, (kind, share) in enumerate(SHARES.items())
    ]
    return Pool(np.concatenate([p.features for p in parts]), [label for p in parts for label in p.labels])


def pieces_of(
    crystal: Crystal, number: int, samples: PerturbedSamples, model: arise.Model, seed: int
) -> Pool:
    """Structures of one crystal."""
    return described(
        lambda rng: (of_crystal(crystal, samples, rng), crystal.label), number, model, [seed, len(SHARES)]
    )


def described(
    make: Callable[[Generator], tuple[arise.Structure, str]],
    number: int,
    model: arise.Model,
    seed: Sequence[int],
) -> Pool:
    """So many structures, each from a seed of its own."""
    features, labels = [], []
    for k in range(number):
        structure, label = make(np.random.default_rng([*seed, k]))
        features.append(arise.describe(structure, model.descriptor))
        labels.append(label)
    return Pool(np.array(features, dtype=np.float32), labels)
