"""A process that hands files to one door, one after the other; started by `benchmarks/robustness/fuzz.py`.

    python -m benchmarks.robustness.worker DOOR

Reads lines from its input, a path each, and answers each with a line of JSON: the outcome and what was said.
What the door prints goes to the error stream.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from arise_core.errors import AriseError

#: What becomes of a file at a door. The last three are seen from outside: no end, too much memory, the process ended.
ANSWER, ERROR, TRACEBACK, HANG, MEMORY, CRASH = (
    "answer",
    "clear error",
    "traceback",
    "hang",
    "memory",
    "crash",
)
#: What ends a file at a door while it is not ours yet.
READER = "OVITO's reader"
#: Memory that this reader may take, GiB.
GIB = 2.0
#: Passes are few: what is asked is whether there is an answer.
PASSES = 10


class OfReader(Exception):
    """OVITO's own reader wants more memory than there is."""


@contextmanager
def _memory(gib: float) -> Iterator[None]:
    """The system gives no more than this above what the process has."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + int(gib * 2**30), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def command(*arguments: str) -> Callable[[Path], str]:
    """A command of `arise`: `FILE` among the arguments is the file. The text of the error, or nothing."""

    def call(path: Path) -> str:
        from typer.testing import CliRunner

        from arise_cli.main import app

        found = CliRunner().invoke(app, [str(path) if a == "FILE" else a for a in arguments])
        if found.exception is not None and not isinstance(found.exception, SystemExit):
            raise found.exception
        lines = found.stderr.strip().splitlines()
        return (lines[-1] if lines else "no word") if found.exit_code else ""

    return call


def modifier(path: Path) -> str:
    """OVITO: its reader, the modifier, one frame. Errors of OVITO's reader are its own, and clear."""
    from ovito.io import import_file

    from ovito_arise import AriseModifier

    try:
        _say(READER)
        with _memory(GIB):
            pipeline = import_file(str(path))
            pipeline.compute()
        _say("")
    except (RuntimeError, ValueError, TypeError, OverflowError, MemoryError) as error:
        if isinstance(error, MemoryError) or "Not enough memory" in str(error):
            raise OfReader(str(error)) from error
        return f"OVITO's reader: {error}"
    pipeline.modifiers.append(AriseModifier(box_size=8.0, stride=4.0, passes=PASSES, tolerance=0.0))
    try:
        pipeline.compute()
    except AriseError as error:
        return str(error)
    except RuntimeError as error:
        # OVITO hands on what a modifier raised as a text with its traceback, the error in the last line.
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, AriseError):
            cause = cause.__cause__ or cause.__context__
        if cause is None:
            raise
        return str(cause)
    return ""


def model_file(path: Path) -> str:
    """A model file or folder: loaded, or refused."""
    from arise_core import load_model

    try:
        load_model(path)
    except AriseError as error:
        return str(error)
    return ""


DOORS: dict[str, Callable[[Path], str]] = {
    "classify": command("classify", "FILE", "--passes", str(PASSES)),
    "map": command("map", "FILE", "--passes", str(PASSES), "--tolerance", "0", "--box-size", "8", "--stride", "4"),
    "OVITO modifier": modifier,
    "model file": model_file,
}  # fmt: skip


_answers: TextIO = sys.stdout


def _say(phase: str) -> None:
    """Tell who is at work on the file; empty: we are."""
    _answers.write(json.dumps({"phase": phase}) + "\n")
    _answers.flush()


def main(door: str) -> None:
    """Answer until the input ends."""
    global _answers
    _answers = answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    call = DOORS[door]
    for number, line in enumerate(sys.stdin):
        try:
            said = call(Path(line.rstrip("\n")))
            outcome = ERROR if said else ANSWER
        except OfReader as error:
            outcome, said = READER, f"no memory: {error}"
        except Exception:  # whatever it is: that is what is asked
            outcome, said = TRACEBACK, traceback.format_exc()
        answers.write(json.dumps({"outcome": outcome, "said": said[-2000:]}) + "\n")
        answers.flush()
        if number == 0:
            gc.collect()
            gc.freeze()  # what was imported stays, and need not be looked through after each file
        gc.collect()


if __name__ == "__main__":
    main(sys.argv[1])
