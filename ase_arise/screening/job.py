"""One batch of a screening: entries in, rows of results out."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from ase import Atoms

import arise_core as arise
from arise_core.crystals.occupancy import sites_of
from arise_core.crystals.symmetry import space_group
from arise_core.descriptor.soap import describe
from arise_core.errors import AriseError, InputError
from arise_core.geometry.material import Material
from arise_core.recognition.result import Recognition, recognise
from arise_core.recognition.whole import is_large_enough
from arise_core.runtime.patience import within
from arise_core.settings import TIME_LIMIT, RecognitionSettings
from ase_arise.convert import as_model, to_material
from ase_arise.occupancy import occupied
from ase_arise.screening.sources import Entry, Files, Task
from ase_arise.species import with_elements
from ase_arise.storage import DATABASE_NAMES

#: Longest reason of a failure that is kept.
REASON = 400


@dataclass(frozen=True)
class Order:
    """All that a worker needs to know."""

    model: str
    settings: RecognitionSettings
    symprec: float
    top: int
    types: dict[str, str] = field(default_factory=dict)  # elements by type or name
    time_limit: float = TIME_LIMIT  # seconds
    draw: bool = False  # fill partly occupied sites at random


@dataclass(frozen=True)
class Outcome:
    """A row of the results, ready to be written."""

    unique_id: str
    atoms: Atoms
    pairs: dict[str, Any]
    data: dict[str, Any]

    @property
    def failed(self) -> bool:
        """Whether there is no prediction."""
        return bool(self.pairs["arise_status"] == "failed")


def recognise_task(task: Task, job: Order) -> list[Outcome]:
    """All entries of a task; the small ones go through the network together."""
    model = as_model(job.model)
    entries = list(task.entries()) if isinstance(task, Files) else list(task)
    outcomes: dict[int, Outcome] = {}
    small: list[tuple[int, Material, float]] = []
    features = []
    for k, entry in enumerate(entries):
        start = time.perf_counter()
        try:
            with within(job.time_limit):
                if job.draw and entry.atoms is not None:
                    entries[k] = entry = replace(entry, atoms=_drawn(entry.atoms, job))
                material = _material(entry, job)
                if job.settings.is_local(len(material)):
                    result = recognise(material, model, job.settings)
                    outcomes[k] = _outcome(entry, material, result, None, time.perf_counter() - start, job)
                    continue
                described = describe(material, model.descriptor)
            features.append(described)
            small.append((k, material, time.perf_counter() - start))
        except (AriseError, MemoryError) as error:
            outcomes[k] = _failure(entry, str(error) or "not enough memory")
        except Exception as error:  # a bug of this package: it must not end a long run, nor pass unseen
            reason = f"{type(error).__name__}: {error}"
            outcomes[k] = _failure(entry, reason)
            place = f"{entry.source}, entry {entry.number}"
            warnings.warn(f"{place}: a bug of this package, please report it ({reason})", stacklevel=2)
    if small:
        outcomes |= _recognise_small(entries, small, np.array(features), model, job)
    return [outcomes[k] for k in range(len(entries))]


def _recognise_small(
    entries: list[Entry],
    small: list[tuple[int, Material, float]],
    features: Any,
    model: arise.Model,
    job: Order,
) -> dict[int, Outcome]:
    start = time.perf_counter()
    sampling = replace(job.settings.sampling, tolerance=None)
    prediction = model.predict(features, sampling, reject_threshold=job.settings.reject_threshold)
    prediction = prediction.without_bulk([row for row, (_, material, _) in enumerate(small) if material.flat])
    each = (time.perf_counter() - start) / len(small)
    outcomes = {}
    for row, (k, material, seconds) in enumerate(small):
        start = time.perf_counter()
        group = space_group(material.structure, job.symprec)
        seconds += each + time.perf_counter() - start
        result = Recognition.of_whole(prediction, row, len(material))
        outcomes[k] = _outcome(entries[k], material, result, group, seconds, job)
    return outcomes


def _drawn(atoms: Atoms, job: Order) -> Atoms:
    """The structure with full sites only, as `occupied` draws it; nothing changes where all are full."""
    sites = sites_of(atoms)
    partly = sites is not None and sites.partial.any()
    return occupied(atoms, seed=job.settings.sampling.seed) if partly else atoms


def _material(entry: Entry, job: Order) -> Material:
    """The one look at the structure of an entry.

    Raises:
        InputError: it cannot be read or recognised.
    """
    if entry.atoms is None:
        raise InputError(entry.error)
    material = to_material(entry.atoms, types=job.types)
    least = job.settings.map.min_atoms
    if not is_large_enough(material.body, least):
        raise InputError(f"{len(material)} atoms, fewer than `min_atoms` ({least})")
    return material


def _outcome(
    entry: Entry, material: Material, result: Recognition, group: int | None, seconds: float, job: Order
) -> Outcome:
    if not result.valid:
        return _failure(
            entry, f"no prediction: too few atoms for a descriptor (`min_atoms` {job.settings.map.min_atoms})"
        )
    assert entry.atoms is not None
    pairs = {
        f"arise_{DATABASE_NAMES.get(key, key)}": value
        for key, value in result.record().items()
        if value == value  # databases have no NaN
    }
    if group is not None:
        pairs["arise_spacegroup"] = group
    best = result.top(job.top)
    pairs["arise_top"] = " ".join(f"{result.classes.short[k]}:{p:.4f}" for k, p in best)
    pairs["arise_time"] = seconds
    if material.notes:
        pairs["arise_notes"] = "; ".join(material.notes)[:REASON]
    data = {
        "arise_top": {
            "labels": [result.classes[k].label for k, _ in best],
            "probabilities": np.array([p for _, p in best]),
        },
        "arise_fractions": result.fractions,
    }
    atoms = with_elements(entry.atoms, material)
    return Outcome(entry.unique_id, atoms, {**_origin(entry), "arise_status": "ok", **pairs}, data)


def _failure(entry: Entry, reason: str) -> Outcome:
    pairs = {**_origin(entry), "arise_status": "failed", "arise_error": reason[:REASON]}
    return Outcome(entry.unique_id, entry.atoms if entry.atoms is not None else Atoms(), pairs, {})


def _origin(entry: Entry) -> dict[str, Any]:
    return {**entry.pairs, "arise_source": entry.source, "arise_entry": entry.number}
