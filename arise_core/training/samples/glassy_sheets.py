"""Layers without order: honeycombs in which so many bonds are turned that rings of all sizes are left.

Between them and a layer with a grain boundary, a row of pentagons and heptagons, a model is in doubt.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from arise_core.crystals.naming import DISORDERED
from arise_core.geometry.arrays import FloatArray
from arise_core.geometry.structure import Structure
from arise_core.training.fields import AS_DETAIL, share
from arise_core.training.samples.job import Generator
from arise_core.training.samples.kind import OfNone, Task
from arise_core.training.samples.other_tubes import BOND, CARBON, NITRIDE
from arise_core.training.samples.sheets import TURNED, Defects, Layers, layer_sample


def _glassy() -> Defects:
    return Defects(turned=(0.12, 0.3))


@dataclass(frozen=True, kw_only=True)
class GlassySheets(Layers):
    """Layers without order.

    Args:
        strength: of each defect; `turned` is the number of turned bonds an atom, as far as there are so many without
            an atom in common.
        nitride: share of layers of two elements, as boron nitride.
    """

    strength: Defects = field(default_factory=_glassy, metadata=AS_DETAIL)
    nitride: float = share(0.25)

    def drawn_defects(self, unit: Structure, rng: Generator) -> set[str]:
        """Turned bonds, and nothing else."""
        return {TURNED}


def honeycomb(numbers: tuple[int, int]) -> Structure:
    """One period of graphene, or of a layer of two elements in turn."""
    rows = BOND * np.array([[np.sqrt(3), 0, 0], [np.sqrt(0.75), 1.5, 0]])
    cell = np.vstack([rows, [0, 0, 15.0]])
    return Structure(
        np.array([[0, 0, 0], [0, BOND, 0]]), np.array(numbers), cell, np.array([True, True, False])
    )


def _make(task: Task[GlassySheets], rng: Generator) -> tuple[FloatArray, str]:
    unit = honeycomb(NITRIDE if rng.random() < task.own.nitride else CARBON)
    return layer_sample(unit, task, rng), DISORDERED


GLASSY_SHEETS = OfNone(name="glassy_sheets", settings=GlassySheets(), make=_make)
