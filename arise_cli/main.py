"""The command line `arise`. Other packages add commands of theirs through the entry-point group `arise.commands`.

Such an entry point is a function that is called with the `typer.Typer` of this module.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from arise_cli import (
    benchmark,
    calibration,
    demo,
    explore,
    images,
    info,
    models,
    recognition,
    schemas,
    screening,
    suggestions,
    training,
    trajectories,
)
from arise_cli.console import FAILED, INTERRUPTED, TERMINATED, say
from arise_core.errors import AriseError
from arise_core.version import VERSION

ENTRY_POINTS = "arise.commands"
#: What the system says of a disk that takes no more.
FULL = (errno.ENOSPC, errno.EDQUOT)
#: Home of users whom the system does not know, as in containers.
NO_HOME = "/nonexistent"
#: Seconds until an interrupt that nobody heard is sent once more.
AGAIN = 0.2
#: How torch tells on a CPU that there is no memory left, in a RuntimeError.
NO_MEMORY = "DefaultCPUAllocator"

_as_python_does = warnings.formatwarning


class Terminated(KeyboardInterrupt):
    """SIGTERM, by which `kill`, `timeout` and queueing systems end a process: work stops as after Ctrl-C."""


class Commands(TyperGroup):
    """All commands. Errors of the user's making end in one line; all others are bugs and show where they are."""

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """Read the command line; `--version` is answered here."""
        with _errors_shown():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        with ends_cleanly(debug=bool(ctx.params.get("debug"))):
            return super().invoke(ctx)


@contextmanager
def ends_cleanly(debug: bool = False) -> Iterator[None]:
    """What is done inside ends as a command does: by one line and an exit code if it is not by a bug of ours.

    Raises:
        typer.Exit: with the code of a failure, an interrupt or SIGTERM.
    """
    with _errors_shown(debug), _terminable(), _interrupts_heard():
        yield


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM raises `Terminated` meanwhile, unless somebody else looks after it."""
    mine = threading.current_thread() is threading.main_thread()
    if not mine or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(number: int, frame: object) -> None:
    raise Terminated


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
def _errors_shown(debug: bool = False) -> Iterator[None]:
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


app = typer.Typer(
    name="arise",
    cls=Commands,
    help="Recognise crystal structures by Bayesian deep learning.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Entry point of the console script."""
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda p: p.name):
        point.load()(app)
    warnings.formatwarning = _in_a_line
    _have_a_home()
    app()


def _have_a_home() -> None:
    """ASE asks for the user's home when it is imported, and fails where there is none."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = NO_HOME


def _in_a_line(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> str:
    """A warning of ours as a user needs it; others as Python writes them."""
    return (
        f"arise: {message}\n"
        if category is UserWarning
        else _as_python_does(message, category, *where, **more)
    )


def _version(show: bool) -> None:
    if show:
        say(VERSION)
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of every error.")] = False,
) -> None:
    pass


for commands in (
    recognition,
    explore,
    images,
    screening,
    trajectories,
    suggestions,
    models,
    training,
    benchmark,
    calibration,
    demo,
    info,
    schemas,
):
    commands.register(app)


if __name__ == "__main__":
    main()
