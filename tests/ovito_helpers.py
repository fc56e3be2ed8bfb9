"""Pipelines and settings that the tests of the OVITO adapter share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ase.data
import numpy as np
from ovito.data import DataCollection, ParticleType, SimulationCell
from ovito.pipeline import Pipeline, StaticSource

import arise_core as arise
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
