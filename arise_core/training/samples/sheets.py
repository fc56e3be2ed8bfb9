"""Layers as they are grown and seen: with vacancies, turned bonds, grain boundaries, foreign atoms, ripples, holes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from arise_core.crystals.crystal import Crystal
from arise_core.descriptor.soap import describe
from arise_core.geometry import builders, sheets
from arise_core.geometry.arrays import FloatArray
from arise_core.geometry.structure import Structure
from arise_core.training.fields import AS_DETAIL, CHECK, DETAIL, Table, at_least, several, share, span
from arise_core.training.samples.alloys import ELEMENTS
from arise_core.training.samples.common import Common
from arise_core.training.samples.cuts import boxed, random_edges
from arise_core.training.samples.job import Generator
from arise_core.training.samples.kind import OfClass, Task
from arise_core.training.samples.noise import Noise, imperfect

BOUNDARY, TURNED, HOLE, VACANCIES, DOPANTS, RIPPLES = (
    "boundary",
    "turned",
    "hole",
    "vacancies",
    "dopants",
    "ripples",
)


@dataclass(frozen=True, kw_only=True)
class Defects(Table):
    """How strong each defect of a sheet is.

    Args:
        angle: range of the angle between the lattices on both sides of a grain boundary, degrees.
        off_middle: range of its distance from the middle of a flake, over the radius.
        off_box: the same for a box, over half its edge: the larger part of the box stays whole.
        closest: range of the share of the nearest-neighbour distance below which atoms at a boundary are merged.
        turned: range of the number of turned bonds an atom (Stone-Wales defects), in a honeycomb.
        steps: range of the number of steps in which the bonds around relax.
        hole: range of the share of the atoms that a hole takes away.
        vacancies: range of the share of missing atoms.
        dopants: range of the share of foreign atoms.
        foreign: numbers of foreign elements, drawn from these.
        own: most elements of a layer that gets foreign atoms. Some ternary layers differ from binary ones by a few
            atoms only.
        amplitude: range of the amplitude of ripples, Å.
        wavelength: range of their wave length, Å.
        waves: range of the number of waves.
    """

    angle: tuple[float, float] = span(3.0, 57.0, least=0)
    off_middle: tuple[float, float] = span(0.0, 0.7, least=0)
    off_box: tuple[float, float] = span(0.15, 0.9, least=0)
    closest: tuple[float, float] = span(0.55, 0.9, least=0)
    turned: tuple[float, float] = span(0.003, 0.02, least=0)
    steps: tuple[int, int] = span(15, 60, least=0)
    hole: tuple[float, float] = span(0.02, 0.2, least=0)
    vacancies: tuple[float, float] = span(0.005, 0.08, least=0)
    dopants: tuple[float, float] = span(0.005, 0.1, least=0)
    foreign: tuple[int, ...] = several(1, 1, 2, low=1)
    own: int = at_least(0, 2)
    amplitude: tuple[float, float] = span(0.1, 0.6, least=0)
    wavelength: tuple[float, float] = span(10.0, 40.0, least=1)
    waves: tuple[int, int] = span(1, 3, least=1)


@dataclass(frozen=True, kw_only=True)
class Flakes(Table):
    """Whole sheets.

    Args:
        atoms: range of the number of atoms, even on a logarithmic scale.
        periods: as many periods more.
        periodic: share of periodic sheets (without grain boundary); the others are open flakes.
        discs: share of the flakes that are round; the others are rectangles.
        aspect: longest flake over its width.
        wavy: largest amplitude of the waves around a flake, over its radius.
        rough: largest standard deviation of the edge from atom to atom, d_NN.
    """

    atoms: tuple[int, int] = span(60, 600, least=1)
    periods: int = at_least(0, 4)
    periodic: float = share(0.25)
    discs: float = share(0.5)
    aspect: float = at_least(1, 2.0)
    wavy: float = share(0.2)
    rough: float = at_least(0, 0.6)


def _often() -> dict[str, int]:
    return {"C": 6, "BN": 5, "MoS2": 5}


def _mild() -> Noise:
    return Noise(uniform=0.09, gaussian=0.08, missing=0.1, ideal=0.15, whole=0.7)


def _counts(v: Mapping[str, int]) -> str:
    return "" if all(n >= 0 for n in v.values()) else "numbers from 0 by label"


@dataclass(frozen=True, kw_only=True)
class Layers(Table):
    """What all layers with defects share.

    Args:
        whole: share of whole sheets; the others are boxes.
        box_atoms: range of the number of atoms in a box.
        around: width of the sheet around a box from which atoms come in, d_NN.
        micrograph: share of sheets with positions as from a micrograph: no noise out of plane, no ripples.
        blur: range of the standard deviation of such positions, d_NN.
        unseen: range of the share of atoms that are missing there.
        noise: imperfections of the others.
        strength: of each defect.
        flakes: shape and size of whole sheets.
    """

    whole: float = share(0.5)
    box_atoms: tuple[int, int] = span(50, 500, least=1)
    around: float = at_least(0, 3.0)
    micrograph: float = share(0.35)
    blur: tuple[float, float] = span(0.01, 0.06, least=0)
    unseen: tuple[float, float] = span(0.0, 0.06, least=0)
    noise: Noise = field(default_factory=_mild, metadata=AS_DETAIL)
    strength: Defects = field(default_factory=Defects, metadata=AS_DETAIL)
    flakes: Flakes = field(default_factory=Flakes, metadata=AS_DETAIL)

    def drawn_defects(self, unit: Structure, rng: Generator) -> set[str]:
        """Kinds of defects of a sheet."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Sheets(Layers):
    """Layers with defects.

    Args:
        often: how many times as many samples a class gets, by label; 1 if it is not named.
        defects: numbers of kinds of defects in a sheet, drawn from these.
    """

    often: dict[str, int] = field(default_factory=_often, metadata={DETAIL: True, CHECK: _counts})
    defects: tuple[int, ...] = several(0, 1, 1, 1, 1, 2, 2, 3, low=0)

    def drawn_defects(self, unit: Structure, rng: Generator) -> set[str]:
        """Kinds of defects of a sheet, of those that the layer can have."""
        return random_defects(unit, self, rng)


L = TypeVar("L", bound=Layers)


def whole_sheet(unit: Structure, own: Layers, rng: Generator) -> Structure:
    """A flake or a periodic sheet of a layer with defects and noise."""
    f = own.flakes
    low, high = np.log(f.atoms)
    n_atoms = round(np.exp(rng.uniform(low, high))) + f.periods * len(unit)
    defects = own.drawn_defects(unit, rng)
    if BOUNDARY not in defects and rng.random() < f.periodic:
        return finished(damaged(_periodic(unit, n_atoms), defects, own, rng), defects, own, rng)
    d = builders.nearest_neighbour_distance(unit)
    aspect = rng.uniform(1, f.aspect)
    radius = np.sqrt(_area(unit) * n_atoms / np.pi)
    half = (1.4 * radius + 2 * d) * np.array([np.sqrt(aspect), 1 / np.sqrt(aspect)])
    offset = rng.uniform(*own.strength.off_middle) * radius
    sheet = _sheet(unit, half, offset, defects, own, rng)
    sheet = sheets.flake(
        sheet, n_atoms, rng, disc=rng.random() < f.discs, aspect=aspect, wavy=rng.uniform(0, f.wavy),
        rough=rng.uniform(0, f.rough) * d,
    )  # fmt: skip
    return finished(damaged(sheet, defects, own, rng), defects, own, rng)


def sheet_around_box(unit: Structure, edges: FloatArray, own: Layers, rng: Generator) -> Structure:
    """A sheet with defects and noise that is larger than a box about the origin."""
    defects = own.drawn_defects(unit, rng)
    half = edges[:2] / 2
    margin = own.around * builders.nearest_neighbour_distance(unit)
    offset = rng.uniform(*own.strength.off_box) * half.min()
    sheet = _sheet(unit, half + margin, offset, defects, own, rng)
    return finished(damaged(sheet, defects, own, rng), defects, own, rng)


def random_defects(unit: Structure, own: Sheets, rng: Generator) -> set[str]:
    """Kinds of defects of a sheet, of those that the layer can have."""
    possible = [BOUNDARY, HOLE, VACANCIES, RIPPLES]
    possible += [TURNED] if sheets.is_honeycomb(unit) else []
    possible += [DOPANTS] if len(unit.species) <= own.strength.own else []
    count = min(int(rng.choice(own.defects)), len(possible))
    return set(rng.choice(possible, count, replace=False).tolist())


def damaged(sheet: Structure, defects: set[str], own: Layers, rng: Generator) -> Structure:
    """A sheet with turned bonds, a hole, vacancies and foreign atoms, as far as they are among the defects."""
    s = own.strength
    if TURNED in defects:
        count = max(1, round(rng.uniform(*s.turned) * len(sheet)))
        sheet = sheets.stone_wales(sheet, count, _whole_number(s.steps, rng), rng)
    if HOLE in defects:
        sheet = sheets.perforated(sheet, rng.uniform(*s.hole), rng)
    if VACANCIES in defects:
        sheet = builders.remove_atoms(sheet, rng.uniform(*s.vacancies), rng)
    if DOPANTS in defects:
        others = np.setdiff1d(ELEMENTS, sheet.species)
        elements = rng.choice(others, int(rng.choice(s.foreign)), replace=False)
        sheet = sheets.doped(sheet, rng.uniform(*s.dopants), elements, rng)
    return sheet


def finished(sheet: Structure, defects: set[str], own: Layers, rng: Generator) -> Structure:
    """A sheet with positions as from a micrograph, or with ripples if they are among the defects, and with noise."""
    s = own.strength
    if rng.random() < own.micrograph:
        blur = rng.uniform(*own.blur) * builders.nearest_neighbour_distance(sheet)
        shift = rng.normal(0, blur, sheet.positions.shape) * [1, 1, 0]
        seen = Structure(sheet.positions + shift, sheet.numbers, sheet.cell, sheet.pbc)
        return builders.remove_atoms(seen, rng.uniform(*own.unseen), rng)
    if RIPPLES in defects:
        waves = _whole_number(s.waves, rng)
        sheet = sheets.rippled(sheet, rng.uniform(*s.amplitude), rng.uniform(*s.wavelength), rng, waves)
    return imperfect(sheet, own.noise, rng)


def _sheet(
    unit: Structure, half: FloatArray, offset: float, defects: set[str], own: Layers, rng: Generator
) -> Structure:
    if BOUNDARY not in defects:
        return sheets.patch(unit, half, rng)
    angle, closest = rng.uniform(*own.strength.angle), rng.uniform(*own.strength.closest)
    return sheets.tilt_boundary(unit, half, angle, offset, closest, rng)


def _periodic(unit: Structure, n_atoms: int) -> Structure:
    """A supercell about as long as it is wide."""
    heights = np.sqrt(_area(unit) * n_atoms)
    cells = builders.cell_heights_at_least(unit, 0.8 * heights)
    return builders.repeat(unit, (cells[0], cells[1], 1))


def _area(unit: Structure) -> float:
    """Of a layer, Å² an atom."""
    cell = unit.complete_cell
    return float(np.linalg.norm(np.cross(cell[0], cell[1]))) / len(unit)


def _whole_number(bounds: tuple[int, int], rng: Generator) -> int:
    return int(rng.integers(bounds[0], bounds[1] + 1))


def _times(crystal: Crystal, common: Common, own: Sheets) -> int | None:
    return own.often.get(crystal.label, 1) if crystal.dimension == 2 else None


def layer_sample(unit: Structure, task: Task[L], rng: Generator) -> FloatArray:
    """Descriptor of a whole sheet or of a box of one, (n_features,); NaN for too few atoms."""
    own, cuts = task.own, task.common.cuts
    if rng.random() < own.whole:
        return describe(whole_sheet(unit, own, rng), task.descriptor)
    edges = random_edges(unit, own.box_atoms, cuts, rng)
    return boxed(sheet_around_box(unit, edges, own, rng), edges, True, cuts, task.descriptor)


def _make(crystal: Crystal, task: Task[Sheets], rng: Generator) -> tuple[FloatArray, str]:
    return layer_sample(crystal.unit, task, rng), crystal.label


SHEETS = OfClass(name="sheets", settings=Sheets(), times=_times, make=_make)
