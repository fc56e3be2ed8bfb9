"""Accuracy on the defective structures of the paper: models and other methods in one run, resumable.

The work falls into parts, one a column of the tables and random draw. A part depends on nothing but its own
seeds, is computed by one process and kept in a file, so that interrupts, workers and the number of draws do
not change a figure.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

import numpy as np

from arise_core.benchmark.bayes import TITLES, NaiveBayes, training_chunks, training_features
from arise_core.benchmark.methods import AriseModel, Method, Sample, baselines
from arise_core.benchmark.structures import COLUMNS, PRISTINE, Column, cases, column, labels_of
from arise_core.errors import ExistingFileError, FileError, InputError
from arise_core.model.zoo import load_model
from arise_core.runtime import threads
from arise_core.runtime.files import write_atomically
from arise_core.runtime.workers import processes

DEFAULT_MODEL = "arise-108"
Progress = Callable[[float, str], None]
NO_METHOD = "none"
SETTINGS_FILE = "settings.json"
TRAINING_FILE = "naive-bayes.npy"


@dataclass(frozen=True, kw_only=True)
class AccuracySettings:
    """What is compared on what.

    Args:
        models: names in the zoo, or paths.
        methods: names of other methods; empty: all; ("none",): only models.
        classes: labels or names; empty: all 108.
        columns: names of columns of the tables, such as "delta-4"; empty: all.
        draws: of the random defects; the paper has 10.
        passes: of the models' Monte Carlo dropout.
        seed: of the defects.
    """

    models: tuple[str, ...] = (DEFAULT_MODEL,)
    methods: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    draws: int = 1
    passes: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("draws", "passes"):
            if getattr(self, name) < 1:
                raise InputError(f"`{name}` must be at least 1, got {getattr(self, name)}")
        if self.seed < 0:
            raise InputError(f"`seed` must not be negative, got {self.seed}")


@dataclass(frozen=True, slots=True)
class Row:
    """What one method says of one structure, or of those of its atoms of which it says the same."""

    method: str
    label: str  # class that the structure was made from
    form: str
    size: int
    found: str
    count: int  # structures (1) or atoms
    right: bool
    confidence: float
    rejected: bool


@dataclass(frozen=True)
class Plan:
    """Settings made definite; travels to the workers."""

    models: tuple[tuple[str, str], ...]  # path and hash of the weights
    methods: tuple[str, ...]  # in the order of the tables
    labels: tuple[str, ...]
    passes: int
    seed: int
    out: Path

    @property
    def fingerprint(self) -> dict[str, object]:
        """What kept parts depend on."""
        return {
            "models": [digest for _, digest in self.models], "methods": self.methods,
            "classes": self.labels, "passes": self.passes, "seed": self.seed,
        }  # fmt: skip


@dataclass(frozen=True)
class Results:
    """Everything that was found, by column."""

    methods: list[Method]
    rows: dict[Column, list[Row]]
    draws: int
    settings: AccuracySettings


def run(
    settings: AccuracySettings, out: Path, progress: Progress = lambda fraction, message: None,
    *, workers: int | None = None,
) -> Results:  # fmt: skip
    """Build the structures, ask all methods, and keep the answers in the folder `out`.

    Parts that `out` holds are not computed again, be they of an interrupted run or of one with fewer draws.

    Args:
        settings: what is compared on what.
        out: folder; `settings.json`, `parts/` and the training data of naive Bayes are kept there.
        progress: called with the share of the work done and a message.
        workers: processes; default: as many as threads in use. The results do not depend on it.

    Raises:
        ValueError: an unknown model, method, class or column, or a folder with work on other settings; before
            any work.
        OSError: a worker process died.
    """
    count = threads.count() if workers is None else workers
    if count < 1:
        raise InputError(f"`workers` must be at least 1, got {count}")
    plan = make_plan(settings, out)
    kinds = [column(name) for name in settings.columns] or list(COLUMNS)
    parts = [(k, draw) for k in kinds for draw in range(settings.draws if k else 1)]
    _claim(plan)
    missing = [p for p in parts if not _part_file(out, *p).is_file()]
    training = bool(missing) and any(m in TITLES for m in plan.methods) and not (out / TRAINING_FILE).exists()
    share = 0.05 if training else 0.0
    if training:
        _train_naive_bayes(plan, count, lambda f: progress(share * f, "training of naive Bayes"))
    done = len(parts) - len(missing)
    progress(share + (1 - share) * done / len(parts), f"{done} of {len(parts)} parts")
    for part, rows in _computed(plan, missing, count):
        _write_part(_part_file(out, *part), rows)
        done += 1
        progress(share + (1 - share) * done / len(parts), f"{done} of {len(parts)} parts")
    found = {k: [r for kind, draw in parts if kind is k for r in _read_part(_part_file(out, k, draw))]
             for k in kinds}  # fmt: skip
    return Results(make_methods(plan), found, settings.draws, settings)


def make_plan(settings: AccuracySettings, out: Path) -> Plan:
    """Look up everything that settings name.

    Raises:
        ValueError: something is unknown, named twice, or the models have the same name.
    """
    for name in settings.columns:
        column(name)
    known = [*baselines(), *TITLES]
    wanted = set(settings.methods or known)
    for name in sorted(wanted - {*known, NO_METHOD}):
        raise InputError(f"`method` must be one of {', '.join(known)} or {NO_METHOD}, got {name!r}")
    models = [load_model(name) for name in settings.models]
    names = [m.name for m in models]
    if len({*names, *known}) < len(names) + len(known):
        raise InputError(
            f"`model` names must differ from each other and from methods, got {', '.join(names)}"
        )
    return Plan(
        models=tuple((str(m.path), f"{m.name} {m.card.weights_sha256}") for m in models),
        methods=tuple(m for m in known if m in wanted),
        labels=labels_of(settings.classes),
        passes=settings.passes,
        seed=settings.seed,
        out=out.resolve(),
    )


@lru_cache(maxsize=2)
def make_methods(plan: Plan) -> list[Method]:
    """The models and methods of a plan, in the order of the tables."""
    others = baselines()
    methods: list[Method] = [
        NaiveBayes(name, plan.out / TRAINING_FILE) if name in TITLES else others[name]
        for name in plan.methods
    ]
    return [*methods, *(AriseModel(load_model(path), plan.passes) for path, _ in plan.models)]


def compute_part(plan: Plan, part: tuple[Column, int]) -> list[Row]:
    """All methods on the structures of one column and draw."""
    made = cases(*part, plan.seed, plan.labels)
    samples = [Sample(case.structure) for case in made]
    rows = []
    for method in make_methods(plan):
        right = method.right_answers
        chosen = [
            k for k, case in enumerate(made)
            if case.label in right and (case.form == "periodic" if method.periodic_only else case.in_data_set)
        ]  # fmt: skip
        if not chosen:
            continue
        for k, answers in zip(chosen, method.answers([samples[k] for k in chosen]), strict=True):
            case = made[k]
            rows += [
                Row(method.name, case.label, case.form, case.size, a.found, a.count,
                    a.found == right[case.label], a.confidence, a.rejected)
                for a in answers
            ]  # fmt: skip
    return rows


def _computed(
    plan: Plan, parts: Sequence[tuple[Column, int]], count: int
) -> Iterator[tuple[tuple[Column, int], list[Row]]]:
    if min(count, len(parts)) <= 1:
        for part in parts:
            yield part, compute_part(plan, part)
        return
    with processes(min(count, len(parts))) as pool:
        running = {pool.submit(compute_part, plan, part): part for part in parts}
        try:
            for future in as_completed(running):
                yield running[future], future.result()
        except BrokenProcessPool as error:
            raise FileError(
                "a worker process died (out of memory?): finished parts are kept; the same command goes on"
            ) from error


def _train_naive_bayes(plan: Plan, count: int, progress: Callable[[float], None]) -> None:
    chunks = training_chunks()
    found = []
    if count == 1:
        for chunk in chunks:
            found.append(training_features(chunk))
            progress(len(found) / len(chunks))
    else:
        with processes(count) as pool:
            for features in pool.map(training_features, chunks):
                found.append(features)
                progress(len(found) / len(chunks))
    write_atomically(plan.out / TRAINING_FILE, lambda path: np.save(path, np.concatenate(found)))


def _claim(plan: Plan) -> None:
    """Note in the folder what it is for, or compare with what is noted there."""
    text = json.dumps(plan.fingerprint, indent=1) + "\n"
    note = plan.out / SETTINGS_FILE
    if note.is_file() and note.read_text(encoding="utf-8") != text:
        before, now = json.loads(note.read_text(encoding="utf-8")), json.loads(text)
        differ = ", ".join(k for k in now if now[k] != before.get(k))
        raise InputError(
            f"`out` {str(plan.out)!r} holds work on other settings ({differ}); choose another folder"
        )
    if plan.out.is_file():
        raise ExistingFileError(f"`out` {str(plan.out)!r} is a file, not a folder")
    write_atomically(note, lambda path: path.write_text(text, encoding="utf-8"))


def _part_file(out: Path, kind: Column, draw: int) -> Path:
    return out / "parts" / (f"{kind.name}-draw-{draw}.csv" if kind is not PRISTINE else "pristine.csv")


def _write_part(path: Path, rows: list[Row]) -> None:
    def write(file: Path) -> None:
        with open(file, "w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow([field.name for field in fields(Row)])
            writer.writerows(
                (r.method, r.label, r.form, r.size, r.found, r.count, int(r.right), f"{r.confidence:.6f}",
                 int(r.rejected))
                for r in rows
            )  # fmt: skip

    write_atomically(path, write)


def _read_part(path: Path) -> list[Row]:
    with open(path, newline="", encoding="utf-8") as stream:
        return [
            Row(
                method=r["method"], label=r["label"], form=r["form"], size=int(r["size"]), found=r["found"],
                count=int(r["count"]), right=r["right"] == "1", confidence=float(r["confidence"]),
                rejected=r["rejected"] == "1",
            )
            for r in csv.DictReader(stream)
        ]  # fmt: skip
