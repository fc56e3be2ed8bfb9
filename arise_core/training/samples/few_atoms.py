"""Small pieces of crystals, cubes and spheres, as small boxes and clusters hold them, and small pieces of disorder."""

from __future__ import annotations

from dataclasses import dataclass, field

from arise_core.crystals.crystal import Crystal
from arise_core.crystals.naming import DISORDERED
from arise_core.descriptor.soap import describe
from arise_core.geometry.arrays import FloatArray
from arise_core.training.fields import AS_DETAIL, Table, at_least, share, span
from arise_core.training.samples.disorder import Disorder, disordered_sample, disordered_structure
from arise_core.training.samples.job import Generator
from arise_core.training.samples.kind import OfClass, OfNone, Task, common_times
from arise_core.training.samples.noise import Noise, imperfect
from arise_core.training.samples.pieces import random_piece


def _noise() -> Noise:
    return Noise(
        missing=0.1, whole=0.8, waves=0.9, independent=0.25, springs=0.4, anisotropy=(0.7, 6.0), cores=0.5
    )


@dataclass(frozen=True, kw_only=True)
class FewAtoms(Table):
    """Small pieces.

    Args:
        atoms: range of the number of atoms.
        common_from: box factor of a class from which it has samples: what is met often.
        open: share of pieces with surfaces, half of them spheres; the others are boxes.
        noise: imperfections.
    """

    atoms: tuple[int, int] = span(12, 60, least=1)
    common_from: int = at_least(0, 5)
    open: float = share(0.25)
    noise: Noise = field(default_factory=_noise, metadata=AS_DETAIL)


def _make(crystal: Crystal, task: Task[FewAtoms], rng: Generator) -> tuple[FloatArray, str]:
    own = task.own
    if rng.random() >= own.open:
        features = task.common.box(crystal.unit, task.descriptor, rng, atoms=own.atoms, noise=own.noise)
        return features, crystal.label
    n_atoms = int(rng.integers(own.atoms[0], own.atoms[1] + 1))
    piece = random_piece(crystal.unit, n_atoms, rng, task.common.structures.piece)
    return describe(imperfect(piece, own.noise, rng), task.descriptor), crystal.label


@dataclass(frozen=True, kw_only=True)
class FewDisordered(Disorder):
    """Disorder in small boxes.

    Args:
        atoms: range of the number of atoms.
    """

    atoms: tuple[int, int] = span(12, 60, least=1)


def _make_disordered(task: Task[FewDisordered], rng: Generator) -> tuple[FloatArray, str]:
    whole, wanted = disordered_structure(task.own, task.own.atoms, rng)
    return disordered_sample(task, whole, wanted, rng), DISORDERED


FEW_DISORDERED = OfNone(name="few_disordered", settings=FewDisordered(), make=_make_disordered)
FEW_ATOMS = OfClass(name="few_atoms", settings=FewAtoms(), times=common_times, make=_make)
