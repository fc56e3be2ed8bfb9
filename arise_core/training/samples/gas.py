"""Gases: atoms at random places, or hardly pushed apart. No material, but nothing may be sure that it is a crystal."""

from __future__ import annotations

from dataclasses import dataclass, field

from arise_core.crystals.naming import DISORDERED
from arise_core.geometry.arrays import FloatArray
from arise_core.training.fields import AS_DETAIL, share, span
from arise_core.training.samples.disorder import Disorder, Packings, disordered_sample, disordered_structure
from arise_core.training.samples.job import Generator
from arise_core.training.samples.kind import OfNone, Task


def _loose() -> Packings:
    return Packings(density=(0.05, 0.6), steps=(0, 2), alternating=0.0)


@dataclass(frozen=True, kw_only=True)
class Gas(Disorder):
    """Atoms that do not keep apart.

    Args:
        atoms: range of the number of atoms in a box.
        packed: all are packings.
        packing: density, and the number of steps in which they are pushed apart.
    """

    atoms: tuple[int, int] = span(12, 1100, least=1)
    packed: float = share(1.0)
    packing: Packings = field(default_factory=_loose, metadata=AS_DETAIL)


def _make(task: Task[Gas], rng: Generator) -> tuple[FloatArray, str]:
    whole, wanted = disordered_structure(task.own, task.own.atoms, rng)
    return disordered_sample(task, whole, wanted, rng), DISORDERED


GAS = OfNone(name="gas", settings=Gas(), make=_make)
