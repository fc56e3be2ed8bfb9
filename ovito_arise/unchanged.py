"""A frame as its file has it, whatever modifiers did to it since, and which of its atoms are still there."""

from __future__ import annotations

from glob import has_magic
from typing import Any

import numpy as np
from ovito.data import DataCollection, Property
from ovito.modifiers import LoadTrajectoryModifier
from ovito.pipeline import FileSource, ModificationNode

from arise_core.errors import InputError
from arise_core.geometry.arrays import IntArray
from arise_core.trajectories.matching import SeenFrame


def unchanged(data: DataCollection, frame: int, node: ModificationNode | None) -> DataCollection:
    """The frame before all modifiers but those that load it; `data` itself where there are none.

    Args:
        data: that a modifier is handed.
        frame: of the animation.
        node: of the modifier in its pipeline.
    """
    place = node.input if isinstance(node, ModificationNode) else None
    if not isinstance(place, ModificationNode) or isinstance(place.modifier, LoadTrajectoryModifier):
        return data
    found: DataCollection = _origin(place).compute(frame)
    return found


def _origin(place: Any) -> Any:
    """Where frames come from: a source, or a modifier that loads them."""
    while isinstance(place, ModificationNode) and not isinstance(place.modifier, LoadTrajectoryModifier):
        place = place.input
    return place


def frame_seen(source: DataCollection, node: ModificationNode | None) -> SeenFrame:
    """What is known of a frame by which its results are found.

    Args:
        source: the frame, unchanged.
        node: of the modifier that asks, in its pipeline.

    Raises:
        InputError: no particles.
    """
    particles = source.particles
    if particles is None or particles.count == 0:
        raise InputError("The operation requires particles, but the pipeline has none")
    cell, pbc, origin = np.zeros((3, 3)), np.zeros(3, dtype=bool), np.zeros(3)
    if source.cell is not None:
        matrix = np.asarray(source.cell)  # (3, 4): cell vectors are columns, the origin is the last one
        cell, origin = matrix[:, :3].T.copy(), matrix[:, 3].copy()
        pbc = np.array(source.cell.pbc, dtype=bool) & [True, True, not source.cell.is2D]
    file, number, step = (source.attributes.get(n) for n in ("SourceFile", "SourceFrame", "Timestep"))
    return SeenFrame(
        np.asarray(particles.positions), cell, pbc, origin, _identifiers(source),
        file if isinstance(file, str) else "",
        int(number) if isinstance(number, int) and _of_one_file(node) else -1,
        int(step) if isinstance(step, int) else -1,
    )  # fmt: skip


def places_in(source: DataCollection, data: DataCollection) -> IntArray:
    """Which atom of an unchanged frame each particle is, (n_particles,).

    Raises:
        InputError: particles that are not of the frame, or cannot be told apart.
    """
    count, before = data.particles.count, source.particles.count
    here, there = _identifiers(data), _identifiers(source)
    if here is not None and there is not None:
        order = np.argsort(there, kind="stable")
        at = order[np.minimum(np.searchsorted(there, here, sorter=order), before - 1)]
        new = np.flatnonzero(there[at] != here)
        if len(new):
            raise InputError(
                f"{len(new)} particles are not of the frame that was recognised, first identifier {here[new[0]]}: "
                "place `ARISE: stored results` before the modifier that makes them"
            )
        return np.asarray(at)
    if count != before:
        raise InputError(
            f"{count} particles are left of {before}, and without identifiers it is not known which: place "
            "`ARISE: stored results` before the modifier that deletes or makes particles"
        )
    return np.arange(count)


def _of_one_file(node: ModificationNode | None) -> bool:
    """Whether OVITO counts the frames of one file, as a run does, and not of several one after the other."""
    place = _origin(node.input) if isinstance(node, ModificationNode) else None
    if isinstance(place, ModificationNode):
        assert isinstance(place.modifier, LoadTrajectoryModifier)
        place = place.modifier.source
    if not isinstance(place, FileSource):
        return True
    paths = [place.source_path] if isinstance(place.source_path, str) else list(place.source_path)
    return len(paths) == 1 and not has_magic(paths[0])


def _identifiers(data: DataCollection) -> IntArray | None:
    """Identifiers of the particles, if they have any and no two the same."""
    found = data.particles.get("Particle Identifier")
    if not isinstance(found, Property):
        return None
    identifiers = np.asarray(found)
    return identifiers if len(np.unique(identifiers)) == len(identifiers) else None
