"""Crystals with a few foreign atoms, on sites of their own atoms or between them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from arise_core.crystals.crystal import Crystal
from arise_core.descriptor.soap import describe
from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.geometry.holes import holes
from arise_core.geometry.structure import Structure
from arise_core.training.fields import Table, several, share, span
from arise_core.training.samples.alloys import ELEMENTS
from arise_core.training.samples.common import Common
from arise_core.training.samples.cuts import EMPTY, Decorate, noisy_box, random_edges, without_empty
from arise_core.training.samples.job import Generator
from arise_core.training.samples.kind import OfClass, Task, bulk_times
from arise_core.training.samples.noise import imperfect
from arise_core.training.samples.pieces import whole_structure


@dataclass(frozen=True, kw_only=True)
class Impurities(Table):
    """Foreign atoms. Their shares are drawn evenly on a logarithmic scale.

    Args:
        elements: numbers of foreign elements, drawn from these.
        on_sites: range of the share of sites with a foreign atom.
        between: range of the number of interstitial atoms over that of the crystal's own.
        sites: share of the samples with foreign atoms on sites only.
        interstitials: share of the samples with interstitials only; the others have both.
        one_kind: share of the samples whose interstitials are all in holes of one kind.
        whole: share of whole structures; the others are boxes.
    """

    elements: tuple[int, ...] = several(1, 1, 1, 2, 3, low=1)
    on_sites: tuple[float, float] = span(0.002, 0.12, least=1e-6)
    between: tuple[float, float] = span(0.002, 0.07, least=1e-6)
    sites: float = share(0.5)
    interstitials: float = share(0.4)
    one_kind: float = share(0.8)
    whole: float = share(0.4)


def contaminated(
    own: Impurities, host: Structure, kinds: IntArray, rng: Generator
) -> tuple[Decorate, FloatArray]:
    """What gives a crystal foreign atoms, and which of its holes are to be there as sites, (n_holes,).

    Args:
        own: how many.
        host: one period of the crystal, without holes.
        kinds: of its holes, (n_holes,).
        rng: random numbers, also of the decoration.
    """
    foreign = rng.choice(np.setdiff1d(ELEMENTS, host.numbers), int(rng.choice(own.elements)), replace=False)
    which = rng.random()
    on_sites = 0.0 if own.sites < which < own.sites + own.interstitials else _drawn(own.on_sites, rng)
    chosen = np.zeros(len(kinds), dtype=bool)
    filled = 0.0
    if which > own.sites and len(kinds):
        chosen[:] = (kinds == rng.integers(kinds.max() + 1)) | (rng.random() >= own.one_kind)
        filled = min(_drawn(own.between, rng) * len(host) / chosen.sum(), 1.0)

    def decorate(positions: FloatArray, numbers: IntArray) -> IntArray:
        hole = numbers == EMPTY
        random = rng.random(len(numbers)) < np.where(hole, filled, on_sites)
        return np.where(random, rng.choice(foreign, len(numbers)), numbers)

    return decorate, chosen


def _drawn(limits: tuple[float, float], rng: Generator) -> float:
    return float(np.exp(rng.uniform(*np.log(limits))))


@cache
def holes_of(crystal: Crystal) -> tuple[FloatArray, IntArray]:
    """`holes` of a class; none of a layer or a tube."""
    return holes(crystal.unit) if crystal.dimension == 3 else (np.empty((0, 3)), np.empty(0, dtype=int))


def _make(crystal: Crystal, task: Task[Impurities], rng: Generator) -> tuple[FloatArray, str]:
    own, common, host = task.own, task.common, crystal.unit
    places, kinds = holes_of(crystal)
    decorate, chosen = contaminated(own, host, kinds, rng)
    numbers = np.append(host.numbers, np.full(chosen.sum(), EMPTY))
    unit = Structure(np.vstack([host.positions, places[chosen]]), numbers, host.cell, host.pbc)
    if rng.random() >= own.whole:
        edges = random_edges(host, common.box_atoms, common.cuts, rng)
        features = noisy_box(unit, edges, common.noise, common.cuts, task.descriptor, rng, decorate)
        return features, crystal.label
    s = whole_of(replace(crystal, unit=unit), len(unit) / len(host), common, rng)
    s = without_empty(Structure(s.positions, decorate(s.positions, s.numbers), s.cell, s.pbc))
    return describe(imperfect(s, common.noise, rng), task.descriptor), crystal.label


def whole_of(crystal: Crystal, more: float, common: Common, rng: Generator) -> Structure:
    """A whole structure of a crystal with `more` times as many sites as atoms: larger by so much."""
    pieces = common.structures.piece
    low, high = (int(n * more) for n in pieces.atoms)
    structures = replace(common.structures, piece=replace(pieces, atoms=(low, high)))
    return whole_structure(crystal, structures, rng, int(structures.atoms * more))


IMPURITIES = OfClass(name="impurities", settings=Impurities(), times=bulk_times, make=_make)
