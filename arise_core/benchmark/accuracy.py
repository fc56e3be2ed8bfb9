"""Accuracy on the defective structures of the paper: models and other methods in one run, resumable.

The work falls into parts, one a column of the tables and random draw. A part depends on nothing but its own
seeds, is computed by one process and kept in a file, so that interrupts, workers and the number of draws do
not change a figure.
"""

from __future__ import annotations

import csv
from collections.abc import Generator, Sequence
from concurrent.futures import as_completed
from contextlib import closing
from dataclasses import dataclass, fields
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from arise_core.benchmark.bayes import TITLES, NaiveBayes, training_chunks, training_features
from arise_core.benchmark.methods import AriseModel, Method, Sample, baselines
from arise_core.benchmark.structures import COLUMNS, PRISTINE, Column, cases, column, labels_of
from arise_core.errors import InputError
from arise_core.geometry.arrays import Float32Array
from arise_core.model.zoo import load_model
from arise_core.progress import Job, Progress, Step, part, silent
from arise_core.progress import run as drive
from arise_core.runtime import threads
from arise_core.runtime.ledger import Facts, Ledger, facts
from arise_core.runtime.workers import processes
from arise_core.settings import DEFAULT_MODEL

NO_METHOD = "none"
PARTS = "parts"
TRAINING_FILE = "naive-bayes.npy"
#: What a run leaves to resume from.
WORK = ("settings.json", PARTS, TRAINING_FILE)
#: A column of the tables, and a random draw.
Piece = tuple[Column, int]


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
    def facts(self) -> Facts:
        """What kept parts depend on."""
        return facts(
            models=[digest for _, digest in self.models], methods=self.methods, classes=self.labels,
            passes=self.passes, seed=self.seed,
        )  # fmt: skip


@dataclass(frozen=True)
class Results:
    """Everything that was found, by column."""

    methods: list[Method]
    rows: dict[Column, list[Row]]
    draws: int
    settings: AccuracySettings


def run(
    settings: AccuracySettings, out: Path, progress: Progress = silent, *, workers: int | None = None
) -> Results:
    """Build the structures, ask all methods, and keep the answers in the folder `out`.

    Parts that `out` holds are not computed again, be they of an interrupted run or of one with fewer draws.

    Args:
        settings: what is compared on what.
        out: folder; `ledger.json`, `parts/` and the training data of naive Bayes are kept there.
        progress: called with the share of the work done.
        workers: processes; default: as many as threads in use. The results do not depend on it.

    Raises:
        ValueError: an unknown model, method, class or column, or a folder with work on other settings or of
            another version of this package; before any work.
        OSError: a worker process died, or a part is damaged.
    """
    return drive(run_steps(settings, out, workers=workers), progress)


def run_steps(settings: AccuracySettings, out: Path, *, workers: int | None = None) -> Job[Results]:
    """`run` as a job; closed, it leaves the parts that are done."""
    count = threads.count() if workers is None else workers
    if count < 1:
        raise InputError(f"`workers` must be at least 1, got {count}")
    plan = make_plan(settings, out)
    kinds = [column(name) for name in settings.columns] or list(COLUMNS)
    pieces = [(k, draw) for k in kinds for draw in range(settings.draws if k else 1)]
    ledger = Ledger.open(plan.out, plan.facts, WORK)
    missing = [p for p in pieces if not ledger.done(_name(*p))]
    training = bool(missing) and any(m in TITLES for m in plan.methods) and not ledger.done(TRAINING_FILE)
    share = 0.05 if training else 0.0
    if training:
        yield from part(_train_naive_bayes(ledger, count), 0, share, "training of naive Bayes")
    yield from part(_compute_steps(plan, ledger, missing, len(pieces), count), share, 1)
    found = {k: [r for kind, draw in pieces if kind is k for r in ledger.read(_name(k, draw), _read_part)]
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
        raise InputError(
            f"`method` must be one of {', '.join(known)} or {NO_METHOD}, got {name!r} (OVITO's: ovito-arise)"
        )
    models = [load_model(name) for name in settings.models]
    names = [m.name for m in models]
    if len({*names, *known}) < len(names) + len(known):
        raise InputError(
            f"`model` names must differ from each other and from methods, got {', '.join(names)}"
        )
    return Plan(
        models=tuple((str(m.path), f"{m.name} {m.sha256}") for m in models),
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


def compute_part(plan: Plan, piece: Piece) -> list[Row]:
    """All methods on the structures of one column and draw."""
    made = cases(*piece, plan.seed, plan.labels)
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


def _compute_steps(plan: Plan, ledger: Ledger, missing: Sequence[Piece], total: int, count: int) -> Job[None]:
    """Compute the missing pieces of `total`, each kept as soon as it is there."""
    done = total - len(missing)
    yield Step(done / total, f"{done} of {total} parts")
    with closing(_computed(plan, missing, count)) as computed:
        for piece, rows in computed:
            ledger.write(_name(*piece), partial(_write_part, rows))
            done += 1
            yield Step(done / total, f"{done} of {total} parts")


def _computed(
    plan: Plan, pieces: Sequence[Piece], count: int
) -> Generator[tuple[Piece, list[Row]], None, None]:
    if min(count, len(pieces)) <= 1:
        for piece in pieces:
            yield piece, compute_part(plan, piece)
        return
    with processes(min(count, len(pieces))) as pool:
        running = {pool.submit(compute_part, plan, piece): piece for piece in pieces}
        for future in as_completed(running):
            yield running[future], future.result()


def _train_naive_bayes(ledger: Ledger, count: int) -> Job[None]:
    chunks = training_chunks()
    found = []
    with closing(_training_features(chunks, count)) as computed:
        for features in computed:
            found.append(features)
            yield Step(len(found) / len(chunks))
    ledger.write(TRAINING_FILE, lambda path: np.save(path, np.concatenate(found)))


def _training_features(chunks: list[range], count: int) -> Generator[Float32Array, None, None]:
    if count == 1:
        yield from map(training_features, chunks)
        return
    with processes(count) as pool:
        yield from pool.map(training_features, chunks)


def _name(kind: Column, draw: int) -> str:
    return f"{PARTS}/{kind.name}-draw-{draw}.csv" if kind is not PRISTINE else f"{PARTS}/pristine.csv"


def _write_part(rows: list[Row], path: Path) -> None:
    with open(path, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([field.name for field in fields(Row)])
        writer.writerows(
            (r.method, r.label, r.form, r.size, r.found, r.count, int(r.right), f"{r.confidence:.6f}",
             int(r.rejected))
            for r in rows
        )  # fmt: skip


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
