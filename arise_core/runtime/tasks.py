"""Tasks that somebody does: this process, worker processes of this machine, or any executor.

A task is a call with its arguments and a name. They are handed out as they are made, so many ahead of what is done, and
come back as they end, or in order. What works on them has no part in the results.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import takewhile
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from arise_core.errors import AriseError, InputError, WorkError, check_type
from arise_core.runtime import threads
from arise_core.runtime.workers import check_guard, processes
from arise_core.settings import check_number

T = TypeVar("T")

#: Tasks ahead of what is done, times the worker processes; and of an executor of unknown size.
AHEAD, AHEAD_UNKNOWN = 3, 256
#: Tasks that are done and wait for an earlier one, where they come back in order, times those ahead.
WAITING = 8
#: Times that a task is handed out again which an executor lost, as Dask does when its scheduler goes and comes back.
AGAIN = 2


@dataclass(frozen=True, eq=False)
class Task(Generic[T]):
    """A call that somebody makes. It is one itself, and goes by its name on the dashboards of clusters.

    Args:
        kind: one word, the same for all tasks that are alike: "frames".
        name: which it is: "0-31 of md.dump".
        call: a function of a module, so that other processes find it.
        arguments: of the call; small, as they are sent.
        share: of all work up to and with this task, for whoever tells how far it is.
    """

    kind: str
    name: str
    call: Callable[..., T]
    arguments: tuple[Any, ...] = ()
    share: float = 0.0

    @property
    def __name__(self) -> str:
        """Kind and name; Dask counts together what has the same letters before the first number."""
        return f"{self.kind}-{self.name}"

    def __call__(self) -> T:
        """What the call returns."""
        return self.call(*self.arguments)


@dataclass(frozen=True)
class Hands:
    """Who does the work. Create with `Hands.of`."""

    workers: int  # processes of this machine
    executor: Executor | None = None  # does the work instead

    @classmethod
    def of(cls, workers: object, executor: object) -> Hands:
        """Checked.

        Args:
            workers: processes of this machine; None: as many as threads are in use.
            executor: does the work instead, any `concurrent.futures.Executor`.

        Raises:
            InputTypeError, InputError: not such, or both.
        """
        check_type("executor", executor, (Executor, type(None)), "a concurrent.futures.Executor")
        assert executor is None or isinstance(executor, Executor)
        if workers is None:
            return cls(threads.count(), executor)
        count = int(check_number("workers", workers, whole=True, low=1))
        if executor is not None:
            raise InputError("`workers` is for processes of this one: leave it out with an `executor`")
        return cls(count)

    def check_guard(self) -> None:
        """`workers.check_guard`, where processes are going to be started."""
        if self.executor is None and self.workers != 1:
            check_guard()

    def do(
        self, tasks: Iterable[Task[T] | None], *, ordered: bool = False, ahead: int = AHEAD_UNKNOWN
    ) -> Generator[tuple[Task[T], T], None, None]:
        """Tasks with what their calls return. Closed, it leaves what is done; processes of this machine end at once.

        Args:
            tasks, ordered, ahead: as of `together`.

        Raises:
            Exception: as `together` does.
        """
        with closing(self.together(tasks, ordered=ordered, ahead=ahead)) as found:
            for some in found:
                yield from some

    def together(
        self, tasks: Iterable[Task[T] | None], *, ordered: bool = False, ahead: int = AHEAD_UNKNOWN
    ) -> Generator[list[tuple[Task[T], T]], None, None]:
        """As `do`, in lists of what has ended meanwhile, for whoever writes many results as fast as one.

        Args:
            tasks: made as they are needed; None stands for time that passed: what has ended meanwhile comes back.
            ordered: in the order of the tasks; else as they end.
            ahead: tasks that an executor has at most.

        Raises:
            WorkError: an executor could not do a task.
            FileError: a process of this machine died.
            Exception: what a call raises; of an executor only our own errors, as others may be the executor's.
        """
        if self.executor is not None:
            yield from _handed(tasks, self.executor, ahead, ordered, ours=False)
        elif self.workers == 1:
            yield from ([(task, task())] for task in tasks if task is not None)
        else:
            with processes(self.workers) as pool:
                yield from _handed(tasks, pool, AHEAD * self.workers, ordered, ours=True)


class _Run(Generic[T]):
    """A task that an executor has."""

    def __init__(self, task: Task[T], ended: SimpleQueue[_Run[T]]) -> None:
        self.task = task
        self._ended, self._left = ended, AGAIN
        self._future: Future[T] | None = None

    def begin(self, executor: Executor) -> None:
        """Hand it out."""
        self._future = executor.submit(self.task)
        self._future.add_done_callback(lambda _: self._ended.put(self))

    def lost(self) -> bool:
        """Whether it ended without an end, and is to be handed out again."""
        assert self._future is not None
        self._left -= self._future.cancelled()
        return self._future.cancelled() and self._left >= 0

    def result(self) -> T:
        """What its call returned, or its error."""
        assert self._future is not None
        return self._future.result(0.0)

    def cancel(self) -> None:
        """Nobody waits for it any more."""
        if self._future is not None:
            self._future.cancel()


def _handed(
    tasks: Iterable[Task[T] | None], executor: Executor, ahead: int, ordered: bool, ours: bool
) -> Generator[list[tuple[Task[T], T]], None, None]:
    """Let an executor do tasks, not more than so many ahead."""
    ended: SimpleQueue[_Run[T]] = SimpleQueue()
    running: dict[_Run[T], bool] = {}  # in the order of the tasks: whether they have ended

    def begin(run: _Run[T]) -> None:
        running[run] = False
        with _told(run.task, ours):
            run.begin(executor)

    def back(most: int) -> Iterator[list[tuple[Task[T], T]]]:
        """Those that come back; waited for while more than so many are out."""
        while running:
            waiting = sum(running.values())
            over = len(running) - waiting > most or waiting > WAITING * most
            if not (found := _taken(ended, over)):
                return
            lost = [run for run in found if run.lost()]
            for run in found:
                running[run] = run not in lost
            heads = list(takewhile(running.__getitem__, running))
            done, error = _results(heads if ordered else [r for r in found if running[r]], ours)
            for run, _ in done:
                del running[run]
            if done:
                yield [(run.task, result) for run, result in done]
            if error is not None:
                raise error
            for run in lost:
                begin(run)

    try:
        for task in tasks:
            if task is not None:
                begin(_Run(task, ended))
            yield from back(ahead)
        yield from back(0)
    finally:
        for run in running:
            run.cancel()


def _taken(ended: SimpleQueue[_Run[T]], wait: bool) -> list[_Run[T]]:
    """Those that have ended; one at the least, if it is waited for."""
    found: list[_Run[T]] = []
    try:
        while True:
            found.append(ended.get(wait and not found))
    except Empty:
        return found


def _results(runs: Iterable[_Run[T]], ours: bool) -> tuple[list[tuple[_Run[T], T]], Exception | None]:
    """What their calls returned, up to the first error."""
    done: list[tuple[_Run[T], T]] = []
    for run in runs:
        try:
            with _told(run.task, ours):
                done.append((run, run.result()))
        except Exception as error:  # raised when those before it are handed on
            return done, error
    return done, None


@contextmanager
def _told(task: Task[Any], ours: bool) -> Iterator[None]:
    """What goes wrong with an executor that is not ours, as our error; `processes` tells it of ours."""
    try:
        yield
    except AriseError:
        raise
    except Exception as error:  # executors raise anything
        if ours:
            raise
        reason = " ".join(str(error).split())
        raise WorkError(
            f"`executor` could not do {task.kind} {task.name} ({type(error).__name__}: {reason}): what is written is "
            "kept; the same command goes on"
        ) from error
