"""Worker processes: started by spawn, one thread each, gone when the process that started them is gone."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.util import Finalize
from typing import ParamSpec, TypeVar

from arise_core.errors import FileError, WorkError
from arise_core.runtime import threads

P = ParamSpec("P")
T = TypeVar("T")

#: Code with which a process ends that would start processes while it is being started.
NO_GUARD = 97
#: How long a call in a kept process may wait, s, for a processor or for what never comes.
WAIT = 30.0
#: Calls after which such a process makes room for a new one, as libraries keep some memory of each.
CALLS = 100


class _Pool(ProcessPoolExecutor):
    """Starts its processes when work comes in. Only meanwhile is the environment another than the caller's."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        with _single_threaded_children():
            return super().submit(fn, *args, **kwargs)


@contextmanager
def processes(count: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of `count` processes. Left by an error or an interrupt, the processes end at once, with what they do.

    A script that uses it needs `if __name__ == "__main__":`, as with everything that spawns.

    Raises:
        WorkError: the script has no such line.
        FileError: a process died.
    """
    check_guard()
    pool = _Pool(count, mp_context=multiprocessing.get_context("spawn"), initializer=_start)
    try:
        yield pool
    except BrokenProcessPool as error:
        started = list((pool._processes or {}).values())
        for process in started:  # how it ended is known a moment after that it did
            process.join(5.0)
        if NO_GUARD in [process.exitcode for process in started]:
            raise WorkError(
                "each worker process runs the script again from its begin, and came to where it starts workers itself: "
                'put what the script does under `if __name__ == "__main__":`, or use one worker'
            ) from error
        raise FileError(
            "a worker process died (out of memory?): what is written is kept; the same command goes on, perhaps with "
            "fewer workers"
        ) from error
    except BaseException:  # a closed generator too
        for process in list((pool._processes or {}).values()):
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class KeptProcess:
    """One process, kept for call after call of what may hang, or end its process; started anew after such a call.

    Started with the first call; gone with this process. Not for several threads.
    """

    def __init__(self) -> None:
        self._pool: _Pool | None = None
        self._owner = self._calls = 0

    def call(self, seconds: float, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """What a function returns, or raises, in the process.

        Args:
            seconds: of the processor that it may take, its imports too, however busy the machine is; half a minute more
                by the clock at the least. (By the clock alone on Windows.)
            function: of a module.
            *args: its arguments.
            **kwargs: likewise.

        Raises:
            WorkError: it took longer.
            FileError: the process died.
        """
        pool = self._started()
        keep = False
        try:
            found = pool.submit(_limited, seconds, function, *args, **kwargs).result(WAIT + seconds)
            keep = True
            return found
        except TimeoutError as error:
            raise WorkError(f"it did not end within {WAIT + seconds:.0f} s") from error
        except BrokenProcessPool as error:
            code = self.end()
            if hasattr(signal, "SIGPROF") and code == -signal.SIGPROF:
                raise WorkError(f"it did not end within {seconds:.0f} s of work") from error
            raise FileError(f"its process died, exit code {code}") from error
        except Exception:
            keep = True
            raise
        finally:
            if not keep or self._calls >= CALLS:
                self.end()

    def _started(self) -> _Pool:
        if self._pool is None or self._owner != os.getpid():  # that of another process is not ours
            check_guard()
            self._pool = _Pool(1, mp_context=multiprocessing.get_context("spawn"), initializer=_start)
            if self._owner != os.getpid():
                # a worker that ends waits for its own processes before pools end theirs
                Finalize(None, self.end, exitpriority=0)
            self._owner, self._calls = os.getpid(), 0
        self._calls += 1
        return self._pool

    def end(self) -> int | None:
        """End the process, if it was started; its exit code. The next call starts another."""
        if self._pool is None or self._owner != os.getpid():
            return None
        pool, self._pool = self._pool, None
        started = list((pool._processes or {}).values())
        for process in started:  # one, or none at the end of Python
            process.kill()
        pool.shutdown(wait=True, cancel_futures=True)
        return started[0].exitcode if started else None


def _limited(seconds: float, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """In the process: the system ends it once it has worked for so long, whatever holds Python's lock."""
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        return function(*args, **kwargs)
    finally:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_PROF, 0.0)


def check_guard() -> None:
    """End a process that runs its script again because it is being started; the first process says why.

    To be called before anything is done that must not be done by each process.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        os._exit(NO_GUARD)


@contextmanager
def _single_threaded_children() -> Iterator[None]:
    """Processes started inside use one thread each: the work is spread over processes."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", *threads.ENVIRONMENT)
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _start() -> None:
    """Leave Ctrl-C to the first process, and end with it however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
