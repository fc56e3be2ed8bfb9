"""Pipelines and settings that the tests of the OVITO adapter share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ase.data
import numpy as np
from ovito.data import DataCollection, ParticleType, SimulationCell
from ovito.pipeline import Pipeline, StaticSource

import arise_core as arise
from arise_core.geometry import builders
from ovito_arise import AriseModifier

#: Few boxes and passes: a fraction of a second.
FAST: dict[str, Any] = {"stride": 8.0, "passes": 16, "tolerance": 0.0}


def collection(
    structure: arise.Structure, origin: Sequence[float] = (0, 0, 0), named: bool = True
) -> DataCollection:
    """A structure as OVITO holds it; types have names, or numbers only."""
    data = DataCollection()
    if structure.cell.any():
        cell = SimulationCell(pbc=tuple(bool(b) for b in structure.pbc))
        cell[:, :3] = structure.complete_cell.T
        cell[:, 3] = origin
        data.objects.append(cell)
    particles = data.create_particles(count=len(structure))
    particles.create_property("Position", data=structure.positions + np.asarray(origin))
    types = particles.create_property("Particle Type", data=structure.numbers.astype(np.int32))
    types.types = [
        ParticleType(id=int(z), name=ase.data.chemical_symbols[z] if named else "") for z in structure.species
    ]
    return data


def pipeline_of(data: DataCollection | arise.Structure, *modifiers: Any) -> Pipeline:
    """A pipeline with a fixed input."""
    if isinstance(data, arise.Structure):
        data = collection(data)
    pipeline = Pipeline(source=StaticSource(data=data))
    pipeline.modifiers.extend(modifiers)
    return pipeline


def analysed(
    data: DataCollection | arise.Structure, **parameters: Any
) -> tuple[DataCollection, AriseModifier]:
    """Output of a pipeline with the modifier, and the modifier."""
    modifier = AriseModifier(**{**FAST, **parameters})
    return pipeline_of(data, modifier).compute(), modifier


def crystal_and_melt(cells: int, layers: int, pbc: object = True) -> tuple[arise.Structure, float]:
    """Thermal fcc copper with a random packing of the same density on top, and the height of the border.

    Args:
        cells: cubic cells along x and y; the packing is as high as this is wide.
        layers: cubic cells of the crystal along z.
        pbc: of the structure.
    """
    a, rng = 3.615, np.random.default_rng(5)
    corners = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]) * a
    unit = arise.Structure(corners, [29] * 4, np.eye(3) * a, True)
    crystal = builders.repeat(unit, (cells, cells, layers)).positions
    crystal = crystal + rng.normal(0, 0.1, crystal.shape)
    width, height = cells * a, layers * a
    packing = builders.relieved(rng.uniform(0, width, (4 * cells**3, 3)), width, 2.35, 200)
    positions = np.concatenate([crystal, packing + [0, 0, height + 0.5]])
    cell = np.diag([width, width, width + height + 1.0])
    return arise.Structure(positions, np.full(len(positions), 29), cell, pbc), height
