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
from typing import ParamSpec, TypeVar

from arise_core.errors import FileError, WorkError
from arise_core.runtime import threads

P = ParamSpec("P")
T = TypeVar("T")

#: Code with which a process ends that would start processes while it is being started.
NO_GUARD = 97


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
