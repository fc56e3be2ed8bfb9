"""A limit to how long something may take."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from arise_core.errors import WorkError
from arise_core.settings import check_number


def checked_time_limit(value: object) -> float:
    """A limit in seconds, which may be infinite.

    Raises:
        InputError: none.
    """
    if isinstance(value, float) and value == float("inf"):
        return value
    return float(check_number("time_limit", value, low=0, above=True, unit="seconds"))


class _TimeIsUp(BaseException):
    """No `Exception`, so that readers which take any for a damaged file let it pass."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """End what is in the block once it has taken longer.

    Works in the main thread of systems with alarms (not Windows); elsewhere, and for infinite times, there is no limit.
    A compiled loop ends first.

    Raises:
        WorkError: it took longer.
    """
    alarms = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    if not alarms or seconds > threading.TIMEOUT_MAX:
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise _TimeIsUp

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except _TimeIsUp:
        raise WorkError(f"it took longer than the time limit of {seconds:g} s") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
