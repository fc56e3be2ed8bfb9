"""Crystals that are no class but built like one: superlattices on the sites of an element, polytypes of compounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from arise_core.crystals.crystal import Crystal, fingerprint
from arise_core.crystals.naming import UNKNOWN
from arise_core.geometry import builders
from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.geometry.slabs import supercell
from arise_core.geometry.structure import Structure
from arise_core.training.fields import at_least, several, share, span
from arise_core.training.samples.alloys import ELEMENTS
from arise_core.training.samples.job import Generator
from arise_core.training.samples.kind import OfNone, Task
from arise_core.training.samples.other_crystals import INFO, OtherCrystals


@dataclass(frozen=True, kw_only=True)
class Relatives(OtherCrystals):
    """Relatives of classes; noise and share of whole structures as for other crystals.

    Args:
        polytypes: share of polytypes; the others are superlattices.
        atoms: in the period of a superlattice, at most: in a small box nothing tells a larger one from a random alloy.
        species: numbers of elements of a superlattice, drawn from these.
        unlike: distance of normalised fingerprints from every class, at least.
        layers: range of the number of layers in the period of a polytype.
        hexagonal: range of the share of its layers that are stacked as in wurtzite; in zinc blende it is 0.
    """

    polytypes: float = share(0.25)
    atoms: int = at_least(2, 8)
    species: tuple[int, ...] = several(2, 2, 2, 3, low=2)
    unlike: float = at_least(0, 0.05)
    layers: tuple[int, int] = span(4, 12, least=2)
    hexagonal: tuple[float, float] = span(0.2, 0.8, least=0)


def superlattice(known: Sequence[Crystal], own: Relatives, rng: Generator) -> Structure:
    """Elements in a random order that repeats, on the sites of an elemental class."""
    parents = [
        c.unit
        for c in known
        if c.dimension == 3 and len(c.unit.species) == 1 and 2 * len(c.unit) <= own.atoms
    ]
    prints = np.array([c.fingerprint for c in known])
    while True:
        parent = parents[int(rng.integers(len(parents)))]
        cell = supercell(parent, _hermite(int(rng.integers(2, own.atoms // len(parent), endpoint=True)), rng))
        kinds = rng.integers(int(rng.choice(own.species)), size=len(cell))
        if len(np.unique(kinds)) < 2:
            continue
        elements = rng.choice(ELEMENTS, kinds.max() + 1, replace=False)
        found = Structure(cell.positions, elements[kinds], cell.cell, cell.pbc)
        if np.linalg.norm(prints - fingerprint(found), axis=1).min() >= own.unlike:
            return found


def _hermite(size: int, rng: Generator) -> IntArray:
    """A random matrix in Hermite normal form, whose rows span a lattice with `size` times the volume, (3, 3)."""
    divisors = [k for k in range(1, size + 1) if size % k == 0]
    a = int(rng.choice(divisors))
    b = int(rng.choice([k for k in divisors if (size // a) % k == 0]))
    c = size // a // b
    return np.array([[a, 0, 0], [rng.integers(a), b, 0], [rng.integers(a), rng.integers(b), c]])


def polytype(own: Relatives, rng: Generator) -> Structure:
    """A compound like zinc blende and wurtzite with another stacking of its layers."""
    while True:
        steps = rng.choice([-1, 1], int(rng.integers(*own.layers, endpoint=True)))
        hexagonal = (steps != np.roll(steps, 1)).mean()
        if own.hexagonal[0] <= hexagonal <= own.hexagonal[1]:
            break
    layers = builders.close_packed(steps.tolist())
    height = layers.cell[2, 2] / len(steps)
    above = layers.positions + [0, 0, 0.75 * height]
    elements = rng.choice(ELEMENTS, 2, replace=False)
    # Close-packed layers of copper stand √(2/3) d apart, as far as those of a sublattice of zinc blende.
    return Structure(
        np.concatenate([layers.positions, above]), np.repeat(elements, len(steps)), layers.cell, layers.pbc
    )


def _make(task: Task[Relatives], rng: Generator) -> tuple[FloatArray, str]:
    own, common = task.own, task.common
    like_zinc_blende = rng.random() < own.polytypes
    unit = polytype(own, rng) if like_zinc_blende else superlattice(task.known, own, rng)
    return common.whole_or_box(
        Crystal(info=INFO, unit=unit), own.whole, task.descriptor, rng, own.noise
    ), UNKNOWN


RELATIVES = OfNone(name="relatives", settings=Relatives(), make=_make)
