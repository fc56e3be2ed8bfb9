"""Screening: recognise every structure of a database, a folder or a file, and keep the results in a database.

The first process hands entries out in batches of fixed order, workers recognise them, and the first process
writes each batch in one transaction, in order. So a kill leaves whole batches only, and neither order nor
contents depend on the number of workers. A row's `unique_id` follows from its entry: the database itself
refuses a second one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from arise_core.crystals.species import Types, parse_types
from arise_core.errors import check_type
from arise_core.progress import Job, Progress, Step, run, silent
from arise_core.runtime.patience import checked_time_limit
from arise_core.runtime.tasks import Hands, Task
from arise_core.settings import DEFAULT_MODEL, SYMPREC, TIME_LIMIT, TOP, RecognitionSettings, check_number
from ase_arise.convert import Device, ModelLike, as_model
from ase_arise.reading import Reader
from ase_arise.screening.job import Outcome, ScreeningOrder, recognise_task
from ase_arise.screening.results import Results, check_out, facts_of
from ase_arise.screening.sources import Files, Source, open_source

#: Tasks that an executor has at most, with their structures.
AHEAD = 1024


@dataclass(frozen=True)
class Counts:
    """What a run did."""

    recognised: int
    failed: int
    kept: int  # rows that were there from an earlier run
    failed_before: int = 0  # those of them that failed


def screen(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    model: ModelLike = DEFAULT_MODEL,
    *,
    device: Device = None,
    workers: int | None = None,
    executor: Executor | None = None,
    pattern: str = "*",
    symprec: float = SYMPREC,
    top: int = TOP,
    overwrite: bool = False,
    types: Types = None,
    draw: bool = False,
    time_limit: float = TIME_LIMIT,
    reader: Reader | None = None,
    progress: Progress = silent,
    **options: Any,
) -> Counts:
    """Recognise all entries of a source; what `out` holds from an interrupted run is not done again.

    Args:
        source: an ASE database (file or URL), a folder of structure files, or a file with one or many frames.
        out: .db file (SQLite) or URL of a server for the results, see docs/ase.md for their keys.
        model: a `Model`, a name of the zoo, or a path.
        device: where the network runs, such as "cuda"; None: where a `Model` is, else on the CPU.
        workers: processes; default: as many as cores. With more than one, a script needs
            `if __name__ == "__main__":`. The results do not depend on it.
        executor: does the work instead of processes of this one, as in `trajectory`. It must see the files of a folder
            under the same names; entries of databases and files are sent to it.
        pattern: of the names of files in a folder.
        symprec: tolerance of the space group, Å.
        top: classes kept an entry, with their probabilities.
        overwrite: replace `out` instead of going on with it.
        types: elements by type or name, see `from_atoms`.
        draw: fill partly occupied sites at random (by `seed`), see `occupied`; else such entries fail.
        time_limit: seconds to read and to recognise an entry, each; then it has failed (not on Windows).
        reader: how files are read; default: by ASE.
        progress: called with the share of the entries done.
        **options: of `RecognitionSettings.of`: passes, seed, mode, box_size, ...

    Raises:
        TypeError, ValueError, OSError, ImportError: an argument, a source or results that are refused, before
            any work. Entries that cannot be read or recognised are no error: they get a row with the reason.
        WorkError, FileError: a worker died, or the results cannot be written; what is written is kept.
    """
    job = screen_steps(
        source, out, model, device=device, workers=workers, executor=executor, pattern=pattern, symprec=symprec,
        top=top, overwrite=overwrite, types=types, draw=draw, time_limit=time_limit, reader=reader, **options,
    )  # fmt: skip
    return run(job, progress)


def screen_steps(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    model: ModelLike = DEFAULT_MODEL,
    *,
    device: Device = None,
    workers: int | None = None,
    executor: Executor | None = None,
    pattern: str = "*",
    symprec: float = SYMPREC,
    top: int = TOP,
    overwrite: bool = False,
    types: Types = None,
    draw: bool = False,
    time_limit: float = TIME_LIMIT,
    reader: Reader | None = None,
    **options: Any,
) -> Job[Counts]:
    """`screen` as a job, a step a batch; closed, it leaves the batches that are written."""
    settings = RecognitionSettings.of(options)
    hands = Hands.of(workers, executor)
    for name, value in (("source", source), ("out", out)):
        check_type(name, value, (str, os.PathLike), "the name of a place")
    check_type("pattern", pattern, str, "a pattern of file names, such as '*.cif'")
    check_type("reader", reader, (Reader, type(None)), "a Reader")
    symprec = check_number("symprec", symprec, low=0, above=True, unit="Å")
    top = check_number("top", top, whole=True, low=1)
    hands.check_guard()
    time_limit = checked_time_limit(time_limit)
    network = as_model(model, device)
    check_out(os.fspath(out), os.fspath(source))
    found = open_source(source, pattern, os.fspath(out), replace(reader or Reader(), seconds=time_limit))
    settings = settings.resolved(several=network.knows_when_sure)
    work = ScreeningOrder(
        os.path.abspath(network.path), settings, parse_types(types), time_limit, bool(draw), str(network.device),
        float(symprec), int(top),
    )  # fmt: skip
    results = Results.open(os.fspath(out), facts_of(found, network, work, pattern), overwrite)
    try:
        return (yield from _screen_steps(found, work, results, hands))
    finally:
        results.close()


def _screen_steps(source: Source, order: ScreeningOrder, results: Results, hands: Hands) -> Job[Counts]:
    kept = len(results.done)
    recognised = failed = 0
    with closing(hands.do(_tasks(source, order, results.done), ordered=True, ahead=AHEAD)) as batches:
        for task, outcomes in batches:
            results.write(outcomes)
            failed += sum(o.failed for o in outcomes)
            recognised += sum(not o.failed for o in outcomes)
            yield Step(task.share, f"{recognised} recognised, {failed} failed")
    yield Step(1.0, f"{recognised} recognised, {failed} failed")
    return Counts(recognised, failed, kept, results.failed)


def _tasks(
    source: Source, order: ScreeningOrder, done: set[tuple[str, int]]
) -> Iterator[Task[list[Outcome]]]:
    """Tasks of the entries that are not done."""
    files = source.kind == "folder"
    # of the files those that are there: of a folder some may have gone
    units = len(source.files) - len(source.unread(done)) if files else len(done)
    for batch in source.tasks(done):
        names = batch.names if isinstance(batch, Files) else [str(entry.number) for entry in batch]
        units += len(names)
        several = f"{names[0]} and {len(names) - 1} more" if len(names) > 1 else names[0]
        share = units / source.total if source.total else 0.0
        yield Task(
            "files" if files else "entries",
            f"{several} of {source.name}",
            recognise_task,
            (batch, order),
            share,
        )
