"""How commands end: by a line and an exit code, whatever they met and whoever stops them.

Exit codes, for scripts: 0 done; 1 the input was refused or the work failed; 2 wrong usage; 3 with `--strict`: done,
but at least one structure was rejected, has no prediction or (in screenings) failed; 130 interrupted (Ctrl-C),
143 ended by SIGTERM.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import typer

from arise_core.errors import AriseError

FAILED = 1
DOUBTFUL = 3
INTERRUPTED = 130
TERMINATED = 143
#: What the system says of a disk that takes no more.
FULL = (errno.ENOSPC, errno.EDQUOT)
#: Seconds until an interrupt that nobody heard is sent once more.
AGAIN = 0.2
#: How torch tells on a CPU that there is no memory left, in a RuntimeError.
NO_MEMORY = "DefaultCPUAllocator"

#: What signals have raised in the command that runs.
_asked: list[type[KeyboardInterrupt]] = []


class Terminated(KeyboardInterrupt):
    """SIGTERM, by which `kill`, `timeout` and queueing systems end a process: work stops as after Ctrl-C."""


@contextmanager
def ends_cleanly(debug: bool = False) -> Iterator[None]:
    """What is done inside ends as a command does: by one line and an exit code if it is not by a bug of ours.

    Raises:
        typer.Exit: with the code of a failure, an interrupt or SIGTERM.
    """
    with errors_shown(debug), _signals_kept(), _interrupts_heard():
        yield


def check_interrupted() -> None:
    """To be called at each step of long work: what was raised before and did not arrive is raised again.

    Libraries lose what a signal raises in them: numpy takes it for an element that is no number and goes on.

    Raises:
        KeyboardInterrupt: Ctrl-C or SIGTERM was lost.
    """
    if _asked:
        raise _asked[-1]()


@contextmanager
def _signals_kept() -> Iterator[None]:
    """SIGINT and SIGTERM raise, and it is kept that they did, unless somebody else looks after them."""
    wanted: dict[int, tuple[Any, type[KeyboardInterrupt]]] = {
        signal.SIGINT: (signal.default_int_handler, KeyboardInterrupt),
        signal.SIGTERM: (signal.SIG_DFL, Terminated),
    }
    if threading.current_thread() is not threading.main_thread():
        wanted = {}
    ours = {n: (before, kind) for n, (before, kind) in wanted.items() if signal.getsignal(n) == before}
    for number, (_, kind) in ours.items():
        signal.signal(number, partial(_raise, kind))
    try:
        yield
    finally:
        for number, (before, _) in ours.items():
            signal.signal(number, before)
        if ours:
            _asked.clear()


def _raise(kind: type[KeyboardInterrupt], number: int, frame: object) -> None:
    _asked.append(kind)
    raise kind


@contextmanager
def _interrupts_heard() -> Iterator[None]:
    """An interrupt that comes while compiled code calls Python, where it cannot be raised, is sent once more.

    What fails because of it meanwhile, such as a compilation that was cut short, is the interrupt.
    """
    before = sys.unraisablehook
    lost: list[KeyboardInterrupt] = []
    again: list[threading.Timer] = []

    def hook(found: sys.UnraisableHookArgs) -> None:
        if not isinstance(found.exc_value, KeyboardInterrupt):
            before(found)
            return
        lost.append(found.exc_value)
        number = signal.SIGTERM if isinstance(found.exc_value, Terminated) else signal.SIGINT
        again.append(threading.Timer(AGAIN, os.kill, (os.getpid(), number)))
        again[-1].daemon = True
        again[-1].start()

    sys.unraisablehook = hook
    try:
        yield
    except Exception as error:
        if lost:
            raise lost[0] from error
        raise
    finally:
        sys.unraisablehook = before
        for timer in again:
            timer.cancel()


@contextmanager
def errors_shown(debug: bool = False) -> Iterator[None]:
    """What the user can mend, and interrupts, end in one line and an exit code; all else shows where it is.

    Raises:
        typer.Exit: with that code.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        ended = isinstance(error, Terminated)
        _tell("terminated" if ended else "interrupted")
        raise typer.Exit(TERMINATED if ended else INTERRUPTED) from error
    except (AriseError, MemoryError, OSError, RuntimeError) as error:
        text = _reason(error)
        if debug or text is None:
            raise
        _tell(f"arise: {text}")
        raise typer.Exit(FAILED) from error


def _reason(error: Exception) -> str | None:
    """What is said of an error that is no bug of ours; None: it may be one."""
    if isinstance(error, AriseError):
        return str(error)
    if isinstance(error, MemoryError) or NO_MEMORY in str(error):
        return f"not enough memory: {error}".removesuffix(": ")
    if isinstance(error, OSError) and error.errno in FULL:
        return f"{error.strerror}: {error.filename or 'the disk is full'}"
    return None


def _tell(text: str) -> None:
    with suppress(OSError):  # the error stream may lead to the full disk
        typer.echo(text, err=True)
