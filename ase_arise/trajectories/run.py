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
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import arise_core as arise
from arise_core.crystals.species import Types, parse_types
from arise_core.errors import FileError, InputError, check_type
from arise_core.progress import Job, Progress, Step, run, silent
from arise_core.runtime.ledger import Facts, facts, identity_of
from arise_core.runtime.patience import checked_time_limit
from arise_core.runtime.tasks import Hands, Task
from arise_core.settings import DEFAULT_MODEL, TIME_LIMIT, RecognitionSettings, check_number
from arise_core.trajectories.rows import Row
from arise_core.trajectories.store import Store, TrajectoryResults
from ase_arise.convert import Device, ModelLike, as_model
from ase_arise.reading import Reader
from ase_arise.trajectories.frames import FrameRef, files_of, forget, frames_in
from ase_arise.trajectories.job import TrajectoryOrder, recognise_task, tasks_of
from ase_arise.trajectories.parts import Gathered, PartFound, is_huge, parts_of, recognise_part
from ase_arise.trajectories.windows import Windows

#: Tasks that an executor has at most, as it may have a thousand workers. Fewer where values at atoms are kept: as many
#: as come back in so many bytes, of so many an atom, and at the least so many.
AHEAD, MOST_BYTES, BYTES, FEWEST = 4096, 1 << 30, 8, 256
#: Seconds from look to look whether a run has written more.
POLL = 1.0

Sources = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def trajectory(
    source: Sources,
    out: str | os.PathLike[str],
    model: ModelLike = DEFAULT_MODEL,
    *,
    device: Device = None,
    every: int = 1,
    first: int = 0,
    last: int | None = None,
    average: int = 1,
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
        device: where the network runs, such as "cuda"; None: where a `Model` is, else on the CPU.
        every: only each so-manieth frame, counted over all files.
        first: the first frame, counted over all files from 0.
        last: the last frame; None: the last one there is.
        atoms: keep label, doubt and connected group of each atom too.
        average: positions are means over so many frames of the files, an odd number, each frame in the middle of its
            own; 1: as they are. At the ends the first and the last frame count several times.
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
        source, out, model, device=device, every=every, first=first, last=last, average=average, atoms=atoms,
        maps=maps, workers=workers, executor=executor, shard=shard, follow=follow, overwrite=overwrite, types=types,
        draw=draw,
        time_limit=time_limit, reader=reader, **options,
    )  # fmt: skip
    return run(job, progress)


def trajectory_steps(
    source: Sources,
    out: str | os.PathLike[str],
    model: ModelLike = DEFAULT_MODEL,
    *,
    device: Device = None,
    every: int = 1,
    first: int = 0,
    last: int | None = None,
    average: int = 1,
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
    picked = Picked.of(every, first, last, average, shard)
    sources = _sources(source)
    check_type("out", out, (str, os.PathLike), "the name of a folder")
    check_type("atoms", atoms, bool, "True or False")
    check_type("maps", maps, bool, "True or False")
    check_type("reader", reader, (Reader, type(None)), "a Reader")
    follow = float(check_number("follow", follow, low=0, unit="seconds"))
    hands = Hands.of(workers, executor)
    time_limit = checked_time_limit(time_limit)
    network = as_model(model, device)
    # workers elsewhere may have what is missing here
    where = str(network.device) if executor is None or device is None else device
    settings = settings.resolved(several=network.knows_when_sure)
    order = TrajectoryOrder(
        os.path.abspath(network.path), settings, parse_types(types), time_limit, bool(draw), where,
        reader or Reader(), atoms, maps,
    )  # fmt: skip
    place = Path(out)
    files = files_of(sources, str(place))
    known = _facts(sources, files, picked, order, network)
    hands.check_guard()
    store = Store.open(place, known, network.class_info, atoms, maps, bool(overwrite))
    try:
        store.note_files(files)
        frames = Frames(sources, files, order.reader, picked, follow, store)
        yield from _steps(frames, order, store, hands, chosen=workers is not None or executor is not None)
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
    average: int  # frames over which positions are averaged
    shard: tuple[int, int]

    @classmethod
    def of(cls, every: object, first: object, last: object, average: object, shard: object) -> Picked:
        """Checked.

        Raises:
            InputError: a number that makes no sense.
        """
        step = int(check_number("every", every, whole=True, low=1))
        begin = int(check_number("first", first, whole=True, low=0))
        end = None if last is None else int(check_number("last", last, whole=True, low=begin))
        width = int(check_number("average", average, whole=True, low=1))
        if width % 2 == 0:
            raise InputError(
                f"`average` must be odd, as many frames before each one as after it, got {width}"
            )
        if not (isinstance(shard, tuple) and len(shard) == 2):
            raise InputError(f"`shard` must be a pair (k, n), the k-th of n parts, got {shard!r}")
        n = check_number("shard", shard[1], whole=True, low=1)
        k = check_number("shard", shard[0], whole=True, low=1)
        if k > n:
            raise InputError(f"`shard` must be the k-th of n parts with k from 1 to n, got {shard!r}")
        return cls(step, begin, end, width, (int(k), int(n)))

    def place(self, frame: int) -> tuple[int, bool] | None:
        """Row of a frame in the store of its part, and whether that part is this run; None: it is not taken."""
        if frame < self.first or (self.last is not None and frame > self.last):
            return None
        taken, rest = divmod(frame - self.first, self.every)
        row, part = divmod(taken, self.shard[1])
        return (row, part == self.shard[0] - 1) if rest == 0 else None

    def ended(self, frame: int) -> bool:
        """Whether no frame from this one on is taken, or needed for one that is."""
        return self.last is not None and frame > self.last + self.average // 2


class Frames:
    """The frames that a run takes, in order, as they are found."""

    def __init__(
        self, names: list[str], files: list[str], reader: Reader, picked: Picked, follow: float, store: Store
    ) -> None:
        self.files = list(files)
        self._names, self._reader, self._picked, self._follow = names, reader, picked, follow
        self._store = store
        self._before = store.frames  # that the run before had found when it came to its end
        self._windows = Windows(picked.average)
        self._count = 0  # all frames up to now
        self._given = 0  # those of them that went through the windows
        self.elsewhere = False  # whether other parts of the run have frames
        self.share = 0.0  # of the bytes of all files up to the frame that was found last

    def wanted(self, done: set[int]) -> Iterator[FrameRef | None]:
        """Frames that are taken and not done; None where time passed without any."""
        place = (0, 0)
        for file in range(len(self.files)):
            place = yield from self._of_file(file, (0, 0), done)
            if self._picked.ended(self._count):
                break
        quiet = 0.0
        while quiet < self._follow and not self._picked.ended(self._count):
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
        if self._windows.half:
            self._store.note_frames(self._count)
            yield from self._ready(self._windows.rest(), done)

    def _ready(self, refs: Iterator[FrameRef], done: set[int]) -> Iterator[FrameRef]:
        """Those that are taken and not done, or were done when frames of their windows had not come yet."""
        for ref in refs:
            if self._count > self._before and self._given + self._windows.half >= self._before > 0:
                self._store.reopen(ref.row)
                done.discard(ref.row)
            self._given += 1
            if ref.row >= 0 and ref.row not in done:
                yield ref

    def _more(self) -> list[str]:
        """Files that came behind those that there were."""
        now = files_of(self._names, str(self._store.path))
        return now[len(self.files) :] if now[: len(self.files)] == self.files else []

    def _of_file(
        self, file: int, begin: tuple[int, int], done: set[int]
    ) -> Generator[FrameRef, None, tuple[int, int]]:
        """Those of a file; returns the number, and the place in bytes, of what would come behind."""
        path, (number, at) = self.files[file], begin
        try:
            size = os.path.getsize(path)
        except OSError as error:  # rows of the files behind it would be others than with it
            raise FileError(
                f"file {path!r} is gone ({error.strerror}): what is written is kept; the same command goes on when it "
                "is back"
            ) from error
        for ref in frames_in(file, path, self._reader, begin):
            if ref.cut:
                if not self._follow:
                    warnings.warn(f"file {path!r}: {ref.problem}", stacklevel=2)
                break
            row, mine = self._picked.place(self._count) or (-1, True)
            self.elsewhere |= not mine
            self._count += 1
            number, at = ref.number + 1, ref.place.stop if ref.place is not None else 0
            part = at / max(size, 1) if ref.place is not None else number / max(ref.of, number)
            self.share = (file + min(part, 0.99)) / len(self.files)
            taken = row if mine else -1
            # workers may stand elsewhere
            placed = replace(ref, row=taken, path=os.path.abspath(path))
            yield from self._ready(self._windows.add(placed), done)
            if self._picked.ended(self._count):
                break
        return number, at


def _steps(frames: Frames, order: TrajectoryOrder, store: Store, hands: Hands, chosen: bool) -> Job[None]:
    """Do what is not done.

    Args:
        frames, order, store: what, how, and where results go.
        hands: who does it.
        chosen: whether the user said so: else huge frames are left to one process.
    """
    kept, before = len(store.done), store.failed
    new = 0
    share = 0.0
    wanted = frames.wanted(set(store.done))
    begin = next(wanted, None)
    if not chosen and begin is not None and is_huge(begin, order):
        hands = Hands(1)  # with all its threads: its memory is needed once only
    alone = hands.executor is None and hands.workers == 1
    tasks = _tasks(itertools.chain([begin], wanted), frames, order, alone)
    head = next(tasks, None)
    gathered = Gathered(order)
    with closing(hands.together(itertools.chain([head], tasks), ahead=_ahead(head, order))) as results:
        for some in results:
            rows: list[Row] = []
            for _, found in some:
                rows += gathered.add(found) if isinstance(found, PartFound) else found
            if rows:
                store.write(rows)
            new += len(rows)
            failed = store.failed - before
            share = max(share, *(task.share for task, _ in some))
            yield Step(share, f"{new - failed} recognised, {failed} failed")
    if not (new or kept or frames.elsewhere):  # a part of a run may have none: `merge` needs all parts
        raise InputError(f"`source` has no frame that is taken: {_listed(frames.files)}")
    yield Step(
        1.0, f"{new - (store.failed - before)} recognised, {store.failed - before} failed, {kept} from before"
    )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _ahead(task: Task[list[Row] | PartFound] | None, order: TrajectoryOrder) -> int:
    """Tasks that an executor has at most, so that what comes back fits the memory however slowly it is written."""
    if task is None or task.call is recognise_part:
        return FEWEST
    atoms = sum(ref.n_atoms for ref in task.arguments[0]) if order.atoms else 0
    return max(FEWEST, min(AHEAD, MOST_BYTES // (1 + BYTES * atoms)))


def _tasks(
    wanted: Iterable[FrameRef | None], frames: Frames, order: TrajectoryOrder, alone: bool
) -> Iterator[Task[list[Row] | PartFound] | None]:
    """Tasks of frames; None where time passed without any.

    Args:
        wanted: the frames.
        frames: tell how far it is.
        order: how.
        alone: whether one process does all: then no frame is done in parts.
    """
    for refs in tasks_of(wanted):
        parts = parts_of(refs[0], order) if len(refs) == 1 and not alone else []
        for part in parts:
            name = f"{part.ref.number}, {part.number + 1} of {part.count}, of {Path(part.ref.path).name}"
            yield Task("parts", name, recognise_part, (part, order), frames.share)
        if parts:
            continue
        if refs:
            numbers = "-".join(str(n) for n in dict.fromkeys((refs[0].number, refs[-1].number)))
            name = f"{numbers} of {Path(refs[0].path).name}"
            yield Task("frames", name, recognise_task, (refs, order), frames.share)
        else:
            yield None


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
        every=picked.every, first=picked.first, last=picked.last, average=picked.average, shard=list(picked.shard),
        atoms=order.atoms, maps=order.maps, **order.facts(model), **order.reader.facts(),
    )  # fmt: skip
