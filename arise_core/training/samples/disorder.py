"""Disorder: boxes and whole cells of soft packings and of molten crystals."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from arise_core.crystals.crystal import prototype_crystals
from arise_core.crystals.naming import DISORDERED
from arise_core.descriptor.soap import describe
from arise_core.geometry import builders
from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.geometry.material import Material
from arise_core.geometry.structure import Structure
from arise_core.training.fields import AS_DETAIL, Table, at_least, positive, several, share, span
from arise_core.training.samples.alloys import ELEMENTS
from arise_core.training.samples.cuts import described
from arise_core.training.samples.job import Generator
from arise_core.training.samples.kind import OfNone, Task


@dataclass(frozen=True, kw_only=True)
class Packings(Table):
    """Soft spheres pushed apart from random places.

    Args:
        density: range of the packing fraction.
        diameters: range of the diameters of several elements; that of a single one is 1.
        steps: range of the number of steps in which spheres are pushed apart.
        alternating: share of the packings of two elements in which unlike atoms are neighbours, as in melts of
            salts and compounds.
        sweeps: range of the number of sweeps that bring unlike atoms together.
    """

    density: tuple[float, float] = span(0.25, 0.75, least=1e-3)
    diameters: tuple[float, float] = span(0.75, 1.0, least=1e-3)
    steps: tuple[int, int] = span(5, 79, least=0)
    alternating: float = share(0.6)
    sweeps: tuple[int, int] = span(1, 11, least=0)


@dataclass(frozen=True, kw_only=True)
class Melts(Table):
    """Crystals shaken until nothing of their order is left.

    Args:
        shaken: range of the standard deviation of the displacements, d_NN.
        closest: range of the distance below which atoms are pushed apart afterwards, d_NN.
        steps: range of the number of steps of that.
    """

    shaken: tuple[float, float] = span(0.22, 0.45, least=0)
    closest: tuple[float, float] = span(0.75, 0.95, least=1e-3)
    steps: tuple[int, int] = span(5, 59, least=0)


@dataclass(frozen=True, kw_only=True)
class Disorder(Table):
    """Packings and melts.

    Args:
        elements: numbers of elements, drawn from these.
        concentration: of the Dirichlet distribution of the shares of the elements; 1: all compositions alike.
        least: smallest share of an element, before they are scaled to add up to 1.
        packed: share of packings; the others are melts.
        more: atoms of the periodic cube over those wanted in the box.
        extra: atoms of the cube beyond that.
        displaced: range of the standard deviation of the final displacements, d_NN.
        whole: share of whole cubes; the others are boxes.
        largest: volume of a box over that of its cube, at most.
        packing: how spheres are packed.
        melt: how crystals are molten.
    """

    elements: tuple[int, ...] = several(1, 1, 1, 2, 2, 2, 3, low=1)
    concentration: float = positive(1.0)
    least: float = share(0.05)
    packed: float = share(0.6)
    more: float = at_least(1, 1.4)
    extra: int = at_least(0, 30)
    displaced: tuple[float, float] = span(0.0, 0.06, least=0)
    whole: float = share(0.25)
    largest: float = share(0.9)
    packing: Packings = field(default_factory=Packings, metadata=AS_DETAIL)
    melt: Melts = field(default_factory=Melts, metadata=AS_DETAIL)


def disordered_structure(own: Disorder, box_atoms: tuple[int, int], rng: Generator) -> tuple[Structure, int]:
    """A packing or a melt in a periodic cube, and how many atoms a box is to hold that is cut from it."""
    n = int(rng.choice(own.elements))
    elements = rng.choice(ELEMENTS, n, replace=False)
    shares = np.maximum(rng.dirichlet(np.full(n, own.concentration)), own.least)
    wanted = int(np.exp(rng.uniform(np.log(box_atoms[0]), np.log(box_atoms[1]))))
    make = packing if rng.random() < own.packed else melt
    n_atoms = int(wanted * own.more) + own.extra
    return displaced(make(own, elements, shares / shares.sum(), n_atoms, rng), own.displaced, rng), wanted


def displaced(whole: Structure, limits: tuple[float, float], rng: Generator) -> Structure:
    """With displacements of a standard deviation from a range, d_NN."""
    sigma = rng.uniform(*limits) * builders.nearest_neighbour_distance(whole)
    moved = whole.positions + rng.normal(0, sigma, whole.positions.shape)
    return Structure(moved, whole.numbers, whole.cell, whole.pbc)


def packing(own: Disorder, elements: IntArray, shares: FloatArray, n_atoms: int, rng: Generator) -> Structure:
    """Soft spheres pushed apart from random places, periodic cube."""
    p = own.packing
    diameters = rng.uniform(*p.diameters, len(elements)) if len(elements) > 1 else np.ones(1)
    density = rng.uniform(*p.density)
    positions, kind, edge = builders.disordered(
        n_atoms, density, diameters, shares, _whole_number(p.steps, rng), rng
    )
    if len(elements) == 2 and rng.random() < p.alternating:
        kind = builders.alternating(positions, edge, _whole_number(p.sweeps, rng), rng)
    return Structure(positions, elements[kind], np.eye(3) * edge, np.ones(3, dtype=bool))


def melt(own: Disorder, elements: IntArray, shares: FloatArray, n_atoms: int, rng: Generator) -> Structure:
    """A crystal shaken until nothing of its order is left and relieved of overlaps, periodic cube."""
    m = own.melt
    bulk = [c.unit for c in prototype_crystals() if c.dimension == 3]
    crystal = bulk[int(rng.integers(len(bulk)))]
    volume = abs(np.linalg.det(crystal.complete_cell)) / len(crystal)
    edge = float(np.cbrt(volume * n_atoms))
    positions, numbers = builders.crystal_in_box(
        crystal, np.zeros(3), np.full(3, edge), builders.random_rotation(rng), rng.uniform(size=3)
    )
    if len(np.unique(numbers)) == 1:
        numbers = builders.solid_solution(numbers, elements, shares, rng)
    d = builders.nearest_neighbour_distance(Structure(positions, numbers))
    positions = positions + rng.normal(0, rng.uniform(*m.shaken) * d, positions.shape)
    closest = rng.uniform(*m.closest) * d
    relaxed = builders.relieved(positions % edge, edge, closest, _whole_number(m.steps, rng))
    return Structure(relaxed, numbers, np.eye(3) * edge, np.ones(3, dtype=bool))


def _whole_number(ends: tuple[int, int], rng: Generator) -> int:
    return int(rng.integers(ends[0], ends[1] + 1))


def _make(task: Task[Disorder], rng: Generator) -> tuple[FloatArray, str]:
    whole, wanted = disordered_structure(task.own, task.common.box_atoms, rng)
    return disordered_sample(task, whole, wanted, rng), DISORDERED


def disordered_sample(task: Task[Any], whole: Structure, wanted: int, rng: Generator) -> FloatArray:
    """Descriptor of a box or of the whole cube, (n_features,); NaN for too few atoms.

    Args:
        task: with settings of disorder.
        whole: disorder in a periodic cube.
        wanted: atoms in a box.
        rng: random numbers.
    """
    own, common, settings = task.own, task.common, task.descriptor
    if rng.random() < own.whole:
        return describe(whole, settings)
    edge = float(np.cbrt(abs(np.linalg.det(whole.cell)) * min(wanted / len(whole), own.largest)))
    if edge > whole.cell[0, 0]:
        return describe(whole, settings)
    start = rng.uniform(0, whole.cell[0, 0] - edge, 3)
    positions = whole.positions % whole.cell[0, 0] - start
    inside = ((positions >= 0) & (positions < edge)).all(axis=1)
    return described(
        Material.of(whole), positions[inside], whole.numbers[inside], np.eye(3) * edge, common.cuts, settings
    )


DISORDER = OfNone(name="disorder", count=6000, settings=Disorder(), make=_make)
