"""Screening: recognise every structure of a database, a folder or a file, and keep the results in a database.

The first process hands entries out in batches of fixed order, workers recognise them, and the first process
writes each batch in one transaction, in order. So a kill leaves whole batches only, and neither order nor
contents depend on the number of workers. A row's `unique_id` follows from its entry: the database itself
refuses a second one.
"""

from __future__ import annotations

import os
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ase.db
import numpy as np
import spglib
from ase import Atoms
from ase.db.core import now
from ase.db.row import AtomsRow

import arise_core as arise
from arise_core import threads
from arise_core.overview import Overview, OverviewSettings, overview
from arise_core.settings import SamplingSettings
from arise_core.soap import describe
from arise_core.workers import processes
from ase_arise.annotation import make_settings
from ase_arise.convert import ModelLike, as_model, checked
from ase_arise.defaults import DEFAULT_MODEL, SYMPREC, TOP
from ase_arise.entries import Entry, Files, Source, Task, open_source
from ase_arise.labels import fractions, record, short_labels
from ase_arise.storage import DATABASE_NAMES, searchable

#: Longest reason of a failure that is kept.
REASON = 400

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Job:
    """All that a worker needs to know."""

    model: str
    settings: OverviewSettings
    symprec: float
    top: int


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
        return self.pairs["arise_status"] == "failed"


@dataclass(frozen=True)
class Counts:
    """What a run did."""

    recognised: int
    failed: int
    kept: int  # rows that were there from an earlier run


def screen(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    model: ModelLike = DEFAULT_MODEL,
    *,
    workers: int | None = None,
    pattern: str = "*",
    symprec: float = SYMPREC,
    top: int = TOP,
    overwrite: bool = False,
    progress: Progress = lambda fraction, message: None,
    **options: Any,
) -> Counts:
    """Recognise all entries of a source; what `out` holds from an interrupted run is not done again.

    Args:
        source: an ASE database (file or URL), a folder of structure files, or a file with one or many frames.
        out: .db file (SQLite) or URL of a server for the results, see docs/ase.md for their keys.
        model: a `Model`, a name of the zoo, or a path.
        workers: processes; default: as many as cores. With more than one, a script needs
            `if __name__ == "__main__":`. The results do not depend on it.
        pattern: of the names of files in a folder.
        symprec: tolerance of the space group, Å.
        top: classes kept an entry, with their probabilities.
        overwrite: replace `out` instead of going on with it.
        progress: called with the share of the entries done and a message.
        **options: of `OverviewSettings`: passes, seed, mode, box_size, ...

    Raises:
        TypeError, ValueError, OSError, ImportError: an argument, a source or results that are refused, before
            any work. Entries that cannot be read or recognised are no error: they get a row with the reason.
    """
    settings = make_settings(options)
    count = _number_of_workers(workers)
    if not symprec > 0:
        raise ValueError(f"`symprec` must be a positive number of Å, got {symprec}")
    if top < 1:
        raise ValueError(f"`top` must be at least 1, got {top}")
    network = as_model(model)
    _check_out(os.fspath(out), os.fspath(source))
    found = open_source(source, pattern, os.fspath(out))
    job = Job(str(network.path), settings, float(symprec), int(top))
    results = Results.open(os.fspath(out), _facts(found, network, job, pattern), overwrite)
    return _run(found, job, results, count, progress)


def _run(source: Source, job: Job, results: Results, workers: int, progress: Progress) -> Counts:
    kept = len(results.done)
    recognised = failed = 0
    units = len({s for s, _ in results.done}) if source.kind == "folder" else kept
    for outcomes, size in _recognised(source.tasks(results.done), job, workers):
        results.write(outcomes)
        failed += sum(o.failed for o in outcomes)
        recognised += sum(not o.failed for o in outcomes)
        units += size
        share = units / source.total if source.total else 0.0
        progress(share, f"{recognised} recognised, {failed} failed")
    progress(1.0, f"{recognised} recognised, {failed} failed")
    return Counts(recognised, failed, kept)


def _recognised(tasks: Iterator[Task], job: Job, workers: int) -> Iterator[tuple[list[Outcome], int]]:
    """Outcomes of each task in order, and the size of the task."""
    if workers == 1:
        for task in tasks:
            yield recognise(task, job), _size(task)
        return
    try:
        with processes(workers) as pool:
            running: deque[tuple[Future[list[Outcome]], int]] = deque()
            for task in tasks:
                running.append((pool.submit(recognise, task, job), _size(task)))
                if len(running) > 2 * workers:
                    future, size = running.popleft()
                    yield future.result(), size
            for future, size in running:
                yield future.result(), size
    except BrokenProcessPool as error:
        raise OSError(
            "a worker process died (out of memory?): what is written is kept; the same command goes on, "
            "perhaps with fewer workers"
        ) from error


def _size(task: Task) -> int:
    return len(task.names) if isinstance(task, Files) else len(task)


def recognise(task: Task, job: Job) -> list[Outcome]:
    """All entries of a task; the small ones go through the network together."""
    model = as_model(job.model)
    entries = list(task.entries()) if isinstance(task, Files) else task
    outcomes: dict[int, Outcome] = {}
    small: list[tuple[int, arise.Structure, float]] = []
    features = []
    for k, entry in enumerate(entries):
        start = time.perf_counter()
        try:
            structure = _structure(entry, job.settings)
            if job.settings.is_local(structure):
                result = overview(structure, model, job.settings)
                outcomes[k] = _outcome(entry, result, None, time.perf_counter() - start, job)
                continue
            features.append(describe(structure, model.descriptor))
            small.append((k, structure, time.perf_counter() - start))
        except ValueError as error:
            outcomes[k] = _failure(entry, str(error))
        except Exception as error:  # one strange entry must not end a long run
            outcomes[k] = _failure(entry, f"{type(error).__name__}: {error}")
    if small:
        outcomes |= _recognise_small(entries, small, np.array(features), model, job)
    return [outcomes[k] for k in range(len(entries))]


def _recognise_small(
    entries: list[Entry],
    small: list[tuple[int, arise.Structure, float]],
    features: Any,
    model: arise.Model,
    job: Job,
) -> dict[int, Outcome]:
    start = time.perf_counter()
    sampling = SamplingSettings(passes=job.settings.passes, seed=job.settings.seed)
    prediction = model.predict(features, sampling, reject_threshold=job.settings.reject_threshold)
    each = (time.perf_counter() - start) / len(small)
    outcomes = {}
    for row, (k, structure, seconds) in enumerate(small):
        start = time.perf_counter()
        group = space_group(structure, job.symprec)
        seconds += each + time.perf_counter() - start
        outcomes[k] = _outcome(
            entries[k], Overview.of_whole(prediction, row, len(structure)), group, seconds, job
        )
    return outcomes


def _structure(entry: Entry, settings: OverviewSettings) -> arise.Structure:
    """The structure of an entry.

    :raises ValueError: it cannot be read or recognised.
    """
    if entry.atoms is None:
        raise ValueError(entry.error)
    structure = checked(entry.atoms)
    if not structure.pbc.any() and len(structure) < settings.min_atoms:
        raise ValueError(f"{len(structure)} atoms, fewer than `min_atoms` ({settings.min_atoms})")
    return structure


def space_group(structure: arise.Structure, symprec: float = SYMPREC) -> int | None:
    """Number of the space group that spglib finds; None without one, or unless periodic in all directions."""
    if not structure.pbc.all():
        return None
    fractional = structure.positions @ np.linalg.inv(structure.cell)
    with warnings.catch_warnings():  # spglib 2.7 and later warn about their own error handling
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            found = spglib.get_symmetry_dataset((structure.cell, fractional, structure.numbers), symprec)
        except getattr(spglib, "SpglibError", RuntimeError):  # instead of None, in versions to come
            return None
    return None if found is None else int(found.number)


def _outcome(entry: Entry, result: Overview, group: int | None, seconds: float, job: Job) -> Outcome:
    if not result.valid:
        return _failure(
            entry, f"no prediction: too few atoms for a descriptor (`min_atoms` {job.settings.min_atoms})"
        )
    assert entry.atoms is not None
    pairs = {f"arise_{DATABASE_NAMES.get(key, key)}": value for key, value in record(result).items()}
    if group is not None:
        pairs["arise_spacegroup"] = group
    best = result.top(job.top)
    names = short_labels([c for c, _ in best])
    pairs["arise_top"] = " ".join(f"{n}:{p:.4f}" for n, (_, p) in zip(names, best, strict=True))
    pairs["arise_time"] = seconds
    data = {
        "arise_top": {"labels": [c.label for c, _ in best], "probabilities": np.array([p for _, p in best])},
        "arise_fractions": fractions(result),
    }
    return Outcome(entry.unique_id, entry.atoms, {**_origin(entry), "arise_status": "ok", **pairs}, data)


def _failure(entry: Entry, reason: str) -> Outcome:
    pairs = {**_origin(entry), "arise_status": "failed", "arise_error": reason[:REASON]}
    return Outcome(entry.unique_id, entry.atoms if entry.atoms is not None else Atoms(), pairs, {})


def _origin(entry: Entry) -> dict[str, Any]:
    return {**entry.pairs, "arise_source": entry.source, "arise_entry": entry.number}


# --- the database of results ------------------------------------------------------------------------------


class Results:
    """The database that results go to. Create with `Results.open`."""

    def __init__(self, database: Any, done: set[tuple[str, int]]) -> None:
        self._database = database
        self.done = done  # (source, number) of the entries that are there

    @classmethod
    def open(cls, place: str, facts: dict[str, Any], overwrite: bool) -> Results:
        """Make a database, or go on with one that a run with the same facts left.

        Raises:
            ValueError: the place holds something else; nothing is changed.
        """
        on_server = "://" in place
        if overwrite and on_server:
            raise ValueError("`overwrite` does not empty a database on a server: name another one as `out`")
        if overwrite:
            Path(place).unlink(missing_ok=True)
        if not on_server:
            Path(place).parent.mkdir(parents=True, exist_ok=True)
        try:
            database = ase.db.connect(place, use_lock_file=False)  # a lock file would outlive a kill
            with database:
                rows = list(database.select(columns=["id", "key_value_pairs"], include_data=False))
                before = dict(database.metadata)
                if not rows and before.get("arise") != facts:
                    database.metadata = {**before, "arise": facts}
        except ImportError as error:
            raise ImportError(
                f"databases on a server need `pip install 'ovito-arise[db]'` ({error})"
            ) from error
        except Exception as error:  # each database has errors of its own
            raise ValueError(
                f"`out` cannot be used as an ASE database: {error}; nothing was changed"
            ) from error
        if rows:
            _check_same(before.get("arise"), facts)
        done = {(r.arise_source, int(r.arise_entry)) for r in rows if "arise_entry" in r}
        return cls(database, done)

    def write(self, outcomes: list[Outcome]) -> None:
        """Add rows, all or none."""
        rows = []
        for outcome in outcomes:
            row = AtomsRow(outcome.atoms)
            row.unique_id = outcome.unique_id
            row.ctime = now()
            row.user = os.getenv("USER")
            rows.append((row, {k: searchable(v) for k, v in outcome.pairs.items()}, outcome.data))
        try:
            with self._database:
                for row, pairs, data in rows:
                    self._database.write(row, pairs, data)
        except Exception as error:  # each database has errors of its own
            # ase-db-backends cannot roll back on PostgreSQL: its AttributeError hides the cause
            cause = error.__context__ or error
            raise OSError(f"`out`: a batch cannot be written, those before it are kept ({cause})") from error


def _check_same(before: dict[str, Any] | None, facts: dict[str, Any]) -> None:
    if before is None:
        raise ValueError("`out` is a database with other contents; nothing was changed. Use `--overwrite`")
    for key, value in facts.items():
        if before.get(key) != value:
            raise ValueError(
                f"`out` was made with another {key} ({before.get(key)!r}, now {value!r}); nothing was "
                "changed. Use `--overwrite` to start again or name another file"
            )


def _facts(source: Source, model: arise.Model, job: Job, pattern: str) -> dict[str, Any]:
    """What a run must share with the one that it goes on with; in types that JSON keeps."""
    return {
        "source": source.name,
        "pattern": pattern,
        "model": model.name,
        "weights_sha256": model.card.weights_sha256,
        "symprec": job.symprec,
        "top": job.top,
        "package_version": version("ovito-arise"),
        **asdict(job.settings),
    }


def _check_out(out: str, source: str) -> None:
    if "://" in out:
        if out == source:
            raise ValueError("`out` must not be the source")
        return
    if Path(out).suffix != ".db":
        raise ValueError(f"`out` must be a .db file or the URL of a server, got {out!r}")
    if Path(out).is_dir():
        raise ValueError(f"`out` {out!r} is a folder")
    if Path(out).resolve() == Path(source).resolve():
        raise ValueError(f"`out` {out!r} must not be the source")


def _number_of_workers(workers: int | None) -> int:
    if workers is None:
        return threads.count()
    if workers < 1:
        raise ValueError(f"`workers` must be at least 1, got {workers}")
    return workers
