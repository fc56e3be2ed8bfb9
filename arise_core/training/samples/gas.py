"""Gases: atoms at random places, or hardly pushed apart. No material, but nothing may be sure that it is a crystal."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from arise_core.crystals.naming import DISORDERED
from arise_core.geometry.arrays import FloatArray
from arise_core.training.fields import AS_DETAIL, span
from arise_core.training.samples.alloys import ELEMENTS
from arise_core.training.samples.disorder import Disorder, Packings, disordered_sample, displaced, packing
from arise_core.training.samples.job import Generator
from arise_core.training.samples.kind import OfNone, Task


def _loose() -> Packings:
    return Packings(density=(0.05, 0.6), steps=(0, 2), alternating=0.0)


@dataclass(frozen=True, kw_only=True)
class Gas(Disorder):
    """Atoms that do not keep apart.

    Args:
        atoms: range of the number of atoms in a box.
        packing: density, and the number of steps in which they are pushed apart.
    """

    atoms: tuple[int, int] = span(12, 1100, least=1)
    packing: Packings = field(default_factory=_loose, metadata=AS_DETAIL)


def _make(task: Task[Gas], rng: Generator) -> tuple[FloatArray, str]:
    own = task.own
    wanted = int(np.exp(rng.uniform(*np.log(own.atoms))))
    n = int(rng.choice(own.elements))
    shares = np.maximum(rng.dirichlet(np.full(n, own.concentration)), own.least)
    elements = rng.choice(ELEMENTS, n, replace=False)
    whole = packing(own, elements, shares / shares.sum(), int(wanted * own.more) + own.extra, rng)
    return disordered_sample(task, displaced(whole, own.displaced, rng), wanted, rng), DISORDERED


GAS = OfNone(name="gas", settings=Gas(), make=_make)
