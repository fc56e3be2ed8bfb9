"""Twins and stacking faults of fcc and hcp."""

from __future__ import annotations

from dataclasses import dataclass

from arise_core.crystals.crystal import Crystal
from arise_core.geometry import builders
from arise_core.geometry.arrays import FloatArray
from arise_core.training.fields import Table, at_least, declared
from arise_core.training.samples.common import Common
from arise_core.training.samples.job import Generator
from arise_core.training.samples.kind import OfClass, Task

#: Names of the structures that have them.
FAULTED = ("fcc", "hcp")


@dataclass(frozen=True, kw_only=True)
class Faults(Table):
    """Stacking faults in close-packed layers.

    Args:
        layers: in a period, at least.
        distance: layers from one fault to the next, at least.
        rate: probability that a fault comes at the next layer from there on.
    """

    layers: int = at_least(1, 30)
    distance: int = at_least(0, 6)
    rate: float = declared(0.25, lambda v: "" if 0 < v <= 1 else "in (0, 1]")


def _times(crystal: Crystal, common: Common, own: Faults) -> int | None:
    return 1 if crystal.info.name in FAULTED else None


def _make(crystal: Crystal, task: Task[Faults], rng: Generator) -> tuple[FloatArray, str]:
    own = task.own
    hexagonal = crystal.info.name == "hcp"
    layers = builders.faulted_layers(hexagonal, own.layers, own.distance, rng, rate=own.rate)
    unit = builders.close_packed(layers)
    atoms = task.common.decidable_atoms
    return task.common.box(unit, task.descriptor, rng, atoms=atoms), crystal.label


FAULTS = OfClass(name="faults", settings=Faults(), times=_times, make=_make)
