"""Work of others that does not say how far it is: done in a thread, as a job that says how long it has taken."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from arise_core.progress import Job, Step

T = TypeVar("T")

#: Seconds from step to step.
EVERY = 1.0


class _Stopped(BaseException):
    """Raised in the thread when nobody wants its work any more; no `Exception`, which would pass for a failure."""


def watched(work: Callable[[], T], message: str) -> Job[T]:
    """What `work` returns or raises; a step each second, at share 0, says for how long it has been at work.

    Closed or interrupted before its end, the job ends the work at its next line of Python, and waits for it.

    Args:
        work: without arguments.
        message: what it does.
    """
    found: list[T] = []
    failed: list[BaseException] = []

    def call() -> None:
        try:
            found.append(work())
        except BaseException as error:
            failed.append(error)

    begin = time.monotonic()
    thread = threading.Thread(target=call, name="arise-watched", daemon=True)
    thread.start()
    try:
        thread.join(EVERY)
        while thread.is_alive():
            yield Step(0.0, f"{message}, {time.monotonic() - begin:.0f} s")
            thread.join(EVERY)
    finally:
        while thread.is_alive():
            _stop(thread)
            thread.join(EVERY)
    if failed:
        raise failed[0]
    return found[0]


def _stop(thread: threading.Thread) -> None:
    """Raise `_Stopped` in a thread, at its next line of Python."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(_Stopped))
