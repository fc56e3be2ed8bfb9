"""Recognise the frames of a trajectory, by any number of workers, and keep the results in a store.

The first process finds where frames lie and hands out tasks; workers read the frames themselves; the first process
writes the rows as they come. A row's place follows from its frame alone, so neither order nor contents depend on who
worked on it, and a run that was ended goes on where it stopped.
"""

from __future__ import annotations

import itertools
import os
import time
import warnings
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import arise_core as arise
from arise_core.crystals.species import Types, parse_types
from arise_core.errors import AriseError, InputError, WorkError, check_type
from arise_core.progress import Job, Progress, Step, run, silent
from arise_core.runtime import threads
from arise_core.runtime.ledger import Facts, facts, identity_of
from arise_core.runtime.patience import checked_time_limit
from arise_core.runtime.workers import check_guard, processes
from arise_core.settings import DEFAULT_MODEL, TIME_LIMIT, RecognitionSettings, check_number
from arise_core.trajectories.rows import Row
from arise_core.trajectories.store import Store, TrajectoryResults
from ase_arise.convert import ModelLike, as_model
from ase_arise.reading import Reader
from ase_arise.trajectories.frames import FrameRef, files_of, forget, frames_in
from ase_arise.trajectories.job import TrajectoryOrder, recognise_task, tasks_of

#: Tasks that wait for a worker, beside those in work, times the workers; and of an executor of unknown size.
AHEAD = 3
AHEAD_UNKNOWN = 256
#: Atoms of a frame from which one process with all its threads does the work: its memory is needed once only.
HUGE = 2_000_000
#: Seconds from look to look whether a run has written more.
POLL = 1.0

Sources = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def trajectory(
    source: Sources,
    out: str | os.PathLike[str],
    model: ModelLike = DEFAULT_MODEL,
    *,
    every: int = 1,
    first: int = 0,
    last: int | None = None,
    atoms: bool = False,
    maps: bool = False,
    workers: int | None = None,
    executor: Executor | None = None,
    shard: tuple[int, int] = (1, 1),
    follow: float = 0.0,
    overwrite: bool = False,
    types: Types = None,
    draw: bool = False,
    time_limit: float = TIME_LIMIT,
    reader: Reader | None = None,
    progress: Progress = silent,
    **options: object,
) -> TrajectoryResults:
    """Recognise the frames of a trajectory; what `out` holds from an interrupted run is not done again.

    Args:
        source: a file, a folder, a pattern such as "md.*.dump", or several of them, one after the other.
        out: folder for the results (Zarr), see `TrajectoryResults` and docs/trajectories.md.
        model: a `Model`, a name of the zoo, or a path.
        every: only each so-manieth frame, counted over all files.
        first: the first frame, counted over all files from 0.
        last: the last frame; None: the last one there is.
        atoms: keep label, doubt and connected group of each atom too.
        maps: keep the maps of frames that are mapped too, see `TrajectoryResults.map_at`.
        workers: processes; default: as many as cores, one for frames of more than two million atoms. With more than
            one, a script needs `if __name__ == "__main__":`. The results do not depend on it.
        executor: does the work instead of processes of this one: any `concurrent.futures.Executor`, such as those of
            Dask (`client.get_executor()`) or mpi4py. It must see the same files under the same names.
        shard: (k, n): only the k-th of n parts of the frames, for runs that know nothing of each other; `merge` joins
            the results.
        follow: seconds to wait for more frames of a run that is still written; it ends when none has come for so long.
        overwrite: replace the results of another run in `out`.
        types: elements by type or name, see `from_atoms`.
        draw: fill partly occupied sites at random (by `seed`), see `occupied`; else such frames fail.
        time_limit: seconds to read and to recognise a frame, each; then it has failed (not on Windows).
        reader: how files are read; default: by ASE.
        progress: called with the share of the work done.
        **options: of `RecognitionSettings.of`: passes, seed, mode, box_size, ...

    Returns:
        The results, opened.

    Raises:
        TypeError, ValueError, OSError, ImportError: an argument, a source or results that are refused, before any
            work. Frames that cannot be read or recognised are no error: they get a row with the reason.
        WorkError, FileError: a worker died, or the results cannot be written; what is written is kept.
    """
    job = trajectory_steps(
        source, out, model, every=every, first=first, last=last, atoms=atoms, maps=maps, workers=workers,
        executor=executor, shard=shard, follow=follow, overwrite=overwrite, types=types, draw=draw,
        time_limit=time_limit, reader=reader, **options,
    )  # fmt: skip
    return run(job, progress)


def trajectory_steps(
    source: Sources,
    out: str | os.PathLike[str],
    model: ModelLike = DEFAULT_MODEL,
    *,
    every: int = 1,
    first: int = 0,
    last: int | None = None,
    atoms: bool = False,
    maps: bool = False,
    workers: int | None = None,
    executor: Executor | None = None,
    shard: tuple[int, int] = (1, 1),
    follow: float = 0.0,
    overwrite: bool = False,
    types: Types = None,
    draw: bool = False,
    time_limit: float = TIME_LIMIT,
    reader: Reader | None = None,
    **options: object,
) -> Job[TrajectoryResults]:
    """`trajectory` as a job, a step a task; closed, it leaves the rows that are written."""
    settings = RecognitionSettings.of(options)
    picked = Picked.of(every, first, last, shard)
    sources = _sources(source)
    check_type("out", out, (str, os.PathLike), "the name of a folder")
    check_type("atoms", atoms, bool, "True or False")
    check_type("maps", maps, bool, "True or False")
    check_type("reader", reader, (Reader, type(None)), "a Reader")
    check_type("executor", executor, (Executor, type(None)), "a concurrent.futures.Executor")
    follow = float(check_number("follow", follow, low=0, unit="seconds"))
    if workers is not None:
        workers = int(check_number("workers", workers, whole=True, low=1))
        if executor is not None:
            raise InputError("`workers` is for processes of this one: leave it out with an `executor`")
    time_limit = checked_time_limit(time_limit)
    network = as_model(model)
    order = TrajectoryOrder(
        str(network.path),
        settings,
        parse_types(types),
        time_limit,
        bool(draw),
        reader or Reader(),
        atoms,
        maps,
    )
    place = Path(out)
    files = files_of(sources, str(place))
    known = _facts(sources, files, picked, order, network)
    if executor is None and workers != 1:
        check_guard()
    store = Store.open(place, known, network.class_info, atoms, maps, bool(overwrite))
    try:
        store.note_files(files)
        frames = Frames(sources, files, order.reader, picked, follow, place)
        yield from _steps(frames, order, store, workers, executor)
    finally:
        forget()
        store.close()
    return TrajectoryResults.open(place)


@dataclass(frozen=True)
class Picked:
    """Which frames are taken, counted over all files of a run, and which of those are this run's."""

    every: int
    first: int
    last: int | None
    shard: tuple[int, int]

    @classmethod
    def of(cls, every: object, first: object, last: object, shard: object) -> Picked:
        """Checked.

        Raises:
            InputError: a number that makes no sense.
        """
        step = int(check_number("every", every, whole=True, low=1))
        begin = int(check_number("first", first, whole=True, low=0))
        end = None if last is None else int(check_number("last", last, whole=True, low=begin))
        if not (isinstance(shard, tuple) and len(shard) == 2):
            raise InputError(f"`shard` must be a pair (k, n), the k-th of n parts, got {shard!r}")
        n = check_number("shard", shard[1], whole=True, low=1)
        k = check_number("shard", shard[0], whole=True, low=1)
        if k > n:
            raise InputError(f"`shard` must be the k-th of n parts with k from 1 to n, got {shard!r}")
        return cls(step, begin, end, (int(k), int(n)))

    def row(self, frame: int) -> int | None:
        """Row of a frame in the store of this run; None: it is not taken."""
        if frame < self.first or (self.last is not None and frame > self.last):
            return None
        taken, rest = divmod(frame - self.first, self.every)
        row, part = divmod(taken, self.shard[1])
        return row if rest == 0 and part == self.shard[0] - 1 else None

    def ended(self, frame: int) -> bool:
        """Whether no frame from this one on is taken."""
        return self.last is not None and frame > self.last


class Frames:
    """The frames that a run takes, in order, as they are found."""

    def __init__(
        self, names: list[str], files: list[str], reader: Reader, picked: Picked, follow: float, out: Path
    ) -> None:
        self.files = list(files)
        self._names, self._reader, self._picked, self._follow, self._out = (
            names,
            reader,
            picked,
            follow,
            str(out),
        )
        self._count = 0  # all frames up to now
        self.share = 0.0  # of the bytes of all files up to the frame that was found last

    def wanted(self, done: set[int]) -> Iterator[FrameRef | None]:
        """Frames that are taken and not done; None where time passed without any."""
        place = (0, 0)
        for file in range(len(self.files)):
            place = yield from self._of_file(file, (0, 0), done)
        quiet = 0.0
        while quiet < self._follow:
            wait_for = min(POLL, self._follow)
            time.sleep(wait_for)
            quiet += wait_for
            yield None
            before = len(self.files), place
            place = yield from self._of_file(len(self.files) - 1, place, done)
            for path in self._more():
                self.files.append(path)
                place = yield from self._of_file(len(self.files) - 1, (0, 0), done)
            if before != (len(self.files), place):
                quiet = 0.0

    def _more(self) -> list[str]:
        """Files that came behind those that there were."""
        now = files_of(self._names, self._out)
        return now[len(self.files) :] if now[: len(self.files)] == self.files else []

    def _of_file(
        self, file: int, begin: tuple[int, int], done: set[int]
    ) -> Generator[FrameRef, None, tuple[int, int]]:
        """Those of a file; returns the number, and the place in bytes, of what would come behind."""
        path, (number, at) = self.files[file], begin
        size = os.path.getsize(path)
        for ref in frames_in(file, path, self._reader, begin):
            if ref.cut:
                if not self._follow:
                    warnings.warn(f"file {path!r}: {ref.problem}", stacklevel=2)
                break
            row = self._picked.row(self._count)
            self._count += 1
            number, at = ref.number + 1, ref.place.stop if ref.place is not None else 0
            self.share = (file + min(at / max(size, 1), 0.99)) / len(self.files)
            if row is not None and row not in done:
                yield replace(ref, row=row)
            if self._picked.ended(self._count):
                break
        return number, at


def _steps(
    frames: Frames, order: TrajectoryOrder, store: Store, workers: int | None, executor: Executor | None
) -> Job[None]:
    kept, before = len(store.done), store.failed
    new = 0
    with closing(_recognised(frames, order, store.done, workers, executor)) as results:
        for rows, share in results:
            store.write(rows)
            new += len(rows)
            failed = store.failed - before
            yield Step(share, f"{new - failed} recognised, {failed} failed")
    if not new and not kept:
        raise InputError(f"`source` has no frame that is taken: {_listed(frames.files)}")
    yield Step(
        1.0, f"{new - (store.failed - before)} recognised, {store.failed - before} failed, {kept} from before"
    )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _recognised(
    frames: Frames, order: TrajectoryOrder, done: set[int], workers: int | None, executor: Executor | None
) -> Generator[tuple[list[Row], float], None, None]:
    """Rows of each task as it ends, and the share of the frames up to it."""
    tasks = tasks_of(frames.wanted(set(done)))
    if executor is not None:
        yield from _driven(tasks, frames, order, executor, AHEAD_UNKNOWN)
        return
    begin = next(tasks, [])
    if workers is None:
        workers = 1 if begin and begin[0].n_atoms > HUGE else threads.count()
    tasks = itertools.chain([begin], tasks)
    if workers == 1:
        for task in tasks:
            if task:
                yield recognise_task(task, order), frames.share
        return
    with processes(workers) as pool:
        yield from _driven(tasks, frames, order, pool, AHEAD * workers)


def _driven(
    tasks: Iterator[list[FrameRef]], frames: Frames, order: TrajectoryOrder, executor: Executor, ahead: int
) -> Generator[tuple[list[Row], float], None, None]:
    """Let an executor do the tasks, not more than so many ahead."""
    running: dict[Future[list[Row]], float] = {}
    share = 0.0

    def ended(most: int) -> Iterator[tuple[list[Row], float]]:
        """Those that are done; waited for while more than so many run."""
        nonlocal share
        while running:
            found, _ = wait(running, 0.0 if len(running) <= most else None, FIRST_COMPLETED)
            if not found:
                return
            for future in found:
                share = max(share, running.pop(future))
                yield future.result(), share

    try:
        for task in tasks:
            if task:
                running[executor.submit(recognise_task, task, order)] = frames.share
            yield from ended(ahead)
        yield from ended(0)
    except (AriseError, BrokenProcessPool):  # the latter is told by `processes`
        raise
    except Exception as error:
        if type(executor).__module__.startswith("arise_core"):
            raise
        raise WorkError(
            f"`executor` could not do a task ({type(error).__name__}: {error}): what is written is kept; the same "
            "command goes on"
        ) from error
    finally:
        for future in running:
            future.cancel()


def _sources(source: Sources) -> list[str]:
    wanted = "a file, a folder, a pattern, or several of them"
    check_type("source", source, (str, os.PathLike, Sequence), wanted)
    several = [source] if isinstance(source, str | os.PathLike) else list(source)
    for one in several:
        check_type("source", one, (str, os.PathLike), wanted)
    return [os.fspath(one) for one in several]


def _facts(
    sources: list[str], files: list[str], picked: Picked, order: TrajectoryOrder, model: arise.Model
) -> Facts:
    """What a run must share with the one that it goes on with. Files may grow, and more may come behind them."""
    return facts(
        source=[os.path.abspath(name) for name in sources], first_file=identity_of(Path(files[0])),
        every=picked.every, first=picked.first, last=picked.last, shard=list(picked.shard), atoms=order.atoms,
        maps=order.maps, **order.facts(model), **order.reader.facts(),
    )  # fmt: skip
