"""One batch of a screening: entries in, rows of results out."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms

from arise_core.crystals.symmetry import space_group
from arise_core.settings import SYMPREC, TOP
from ase_arise.batches import Found, Order, recognise_each
from ase_arise.screening.sources import Entry, Files, Task
from ase_arise.species import with_elements
from ase_arise.storage import DATABASE_NAMES

#: Longest reason of a failure that is kept.
REASON = 400


@dataclass(frozen=True)
class ScreeningOrder(Order):
    """All that a worker needs to know."""

    symprec: float = SYMPREC  # Å
    top: int = TOP  # classes kept an entry


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


def recognise_task(task: Task, job: ScreeningOrder) -> list[Outcome]:
    """All entries of a task; the small ones go through the network together."""
    entries = list(task.entries()) if isinstance(task, Files) else list(task)
    images = [e.error if e.atoms is None else e.atoms for e in entries]
    found = recognise_each(images, job, [f"{e.source}, entry {e.number}" for e in entries])
    return [_outcome(entry, one, job) for entry, one in zip(entries, found, strict=True)]


def _outcome(entry: Entry, found: Found, job: ScreeningOrder) -> Outcome:
    atoms = found.atoms if found.atoms is not None else Atoms()
    origin = {**entry.pairs, "arise_source": entry.source, "arise_entry": entry.number}
    result, material, seconds = found.result, found.material, found.seconds
    if result is None or material is None:
        pairs = {**origin, "arise_status": "failed", "arise_error": found.error[:REASON]}
        return Outcome(entry.unique_id, atoms, pairs, {})
    pairs = {
        f"arise_{DATABASE_NAMES.get(key, key)}": value
        for key, value in result.record().items()
        if value == value  # databases have no NaN
    }
    if result.mode == "whole":
        start = time.perf_counter()
        group = space_group(material.structure, job.symprec)
        seconds += time.perf_counter() - start
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
    named = with_elements(atoms, material)
    return Outcome(entry.unique_id, named, {**origin, "arise_status": "ok", **pairs}, data)
