"""Crystals that are no class but built like one: superlattices on the sites of a species, polytypes of compounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from arise_core.crystals.crystal import Crystal, fingerprint
from arise_core.crystals.naming import UNKNOWN
from arise_core.geometry import builders
from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.geometry.slabs import supercell
from arise_core.geometry.structure import Structure
from arise_core.training.fields import CHECK, DETAIL, at_least, several, share, span
from arise_core.training.samples.alloys import ELEMENTS
from arise_core.training.samples.common import Strains, check_labels
from arise_core.training.samples.cuts import EMPTY
from arise_core.training.samples.job import Generator
from arise_core.training.samples.kind import OfNone, Task
from arise_core.training.samples.other_crystals import INFO, OtherCrystals, stretched_fingerprints


@dataclass(frozen=True, kw_only=True)
class Relatives(OtherCrystals):
    """Relatives of classes; noise and share of whole structures as for other crystals.

    Args:
        polytypes: share of polytypes; the others are superlattices.
        parents: how many times as often a class is the one whose sites a superlattice orders, by label.
        atoms: in the period of a superlattice, at most, and half as many on the sites of an element: in a small box
            nothing tells a larger one from a random alloy.
        species: numbers of elements on the sites of a superlattice, drawn from these.
        empty: share of superlattices in which the first of these elements stands for empty places.
        most_empty: share of all sites that is empty, at most.
        unlike: distance of normalised fingerprints from every class, at least, of polytypes and of superlattices.
        layers: range of the number of layers in the period of a polytype.
        hexagonal: range of the share of its layers that are stacked as in wurtzite; in zinc blende it is 0.
    """

    polytypes: float = share(0.25)
    parents: dict[str, int] = field(
        default_factory=dict,
        metadata={
            DETAIL: True,
            CHECK: lambda v: "" if min(v.values(), default=1) > 0 else "numbers from 1 by label",
        },
    )
    atoms: int = at_least(2, 16)
    species: tuple[int, ...] = several(2, 2, 2, 3, low=2)
    empty: float = share(0.2)
    most_empty: float = share(0.3)
    unlike: tuple[float, float] = span(0.015, 0.05, least=0)
    layers: tuple[int, int] = span(4, 12, least=2)
    hexagonal: tuple[float, float] = span(0.2, 0.8, least=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_labels(self.parents, "parents")


def relative(known: Sequence[Crystal], own: Relatives, strains: Strains, rng: Generator) -> Structure:
    """A random superlattice or polytype that is none of the known crystals, whatever the c / a of these.

    Args:
        known: the classes.
        own: how a relative is drawn.
        strains: of the classes.
        rng: random numbers.
    """
    prints = np.concatenate([_fingerprints(c, own, strains) for c in known])
    parents = [c for c in known if _is_parent(c, own)]
    weights = np.array([own.parents.get(c.label, 1) for c in parents], dtype=float)
    chances = weights / weights.sum()
    stacked = not parents or rng.random() < own.polytypes
    while True:
        if stacked:
            found = polytype(own, rng)
        else:
            parent = parents[int(rng.choice(len(parents), p=chances))]
            found = superlattice(parent.unit, own, rng)
        if np.linalg.norm(prints - fingerprint(found), axis=1).min() >= own.unlike[0 if stacked else 1]:
            return found


def _is_parent(crystal: Crystal, own: Relatives) -> bool:
    few = (4 if len(crystal.unit.species) == 1 else 2) * len(crystal.unit) <= own.atoms
    return crystal.dimension == 3 and few


def _fingerprints(crystal: Crystal, own: Relatives, strains: Strains) -> FloatArray:
    """Of a class and, if its c / a differs from material to material, of its stretched copies, (n, 315)."""
    low, high = strains.along_c.get(crystal.label, (0.0, 0.0))
    return stretched_fingerprints(crystal, low, high, own.strain_step)


def superlattice(parent: Structure, own: Relatives, rng: Generator) -> Structure:
    """Elements, or an element and empty places, in an order that repeats on the sites of one species of a crystal."""
    while True:
        most = own.atoms // (2 if len(parent.species) == 1 else 1) // len(parent)
        size = int(rng.integers(2, most, endpoint=True))
        cell = supercell(parent, _hermite(size, rng))
        sites = np.flatnonzero(cell.numbers == rng.choice(parent.species))
        n = min(int(rng.choice(own.species)), len(sites))
        kinds = np.append(rng.permutation(n), rng.integers(n, size=len(sites) - n))
        elements = rng.choice(np.setdiff1d(ELEMENTS, parent.species), n, replace=False)
        numbers = cell.numbers.copy()
        numbers[sites] = elements[rng.permutation(kinds)]
        empty = rng.random() < own.empty
        if empty and (numbers == elements[0]).mean() > own.most_empty:
            continue
        kept = numbers != (elements[0] if empty else EMPTY)
        return Structure(cell.positions[kept], numbers[kept], cell.cell, cell.pbc)


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
    crystal = Crystal(info=INFO, unit=relative(task.known, own, common.strains, rng))
    return common.whole_or_box(crystal, own.whole, task.descriptor, rng, own.noise), UNKNOWN


RELATIVES = OfNone(name="relatives", settings=Relatives(), make=_make)
