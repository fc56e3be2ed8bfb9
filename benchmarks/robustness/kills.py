"""Kill works at random times, interrupt them, fill their disk, run two at once; count what is lost and doubled.

python -m benchmarks.robustness.kills [--kills 20] [--works screen map] [--write]

Needs Linux; the full disk is a small tmpfs, for which one has to be root. `--write` puts the table into
docs/robustness.md. Exit code 1 if anything is not as promised.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import typer

from arise_cli.main import ends_cleanly
from benchmarks.robustness.page import put
from benchmarks.robustness.works import WORKS, Work, one_thread
from benchmarks.tables import markdown

#: Exit code of a work that ends with a traceback.
TRACEBACK = 70
#: Seconds after which a work counts as hanging.
PATIENCE = 1800.0
INTERRUPTS = {signal.SIGINT: 130, signal.SIGTERM: 143}


@dataclass
class Counts:
    """What became of a work."""

    kills: int = 0
    interrupts: int = 0
    lost: int = 0  # pieces that were told and are not there
    doubled: int = 0  # pieces that are there twice
    unreadable: int = 0  # times that something could not be read after a kill
    left: set[str] = field(default_factory=set)  # files that are there at the end and should not
    other: int = 0  # runs that came to another result than one that nobody disturbed
    codes: int = 0  # wrong exit codes, tracebacks among them
    full_disk: str = "–"
    two_writers: str = "–"

    @property
    def good(self) -> bool:
        """Whether all is as promised."""
        bad = self.lost + self.doubled + self.unreadable + len(self.left) + self.other + self.codes
        return not bad and {self.full_disk, self.two_writers} <= {"–", "good"}


class Child:
    """A work in a process of its own, forked from this one, in which everything is compiled and loaded."""

    def __init__(self, work: Work, inputs: Path, out: Path) -> None:
        self._read, write = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", DeprecationWarning
            )  # threads of BLAS: the fork is part of the test
            self.pid = os.fork()
        if self.pid == 0:
            os.close(self._read)
            os._exit(_work(work, inputs, out, write))
        os.close(write)

    def begun(self) -> bool:
        """Wait until the work has begun."""
        return os.read(self._read, 1) == b">"

    def kill(self, how: int = signal.SIGKILL) -> None:
        """Send it a signal."""
        os.kill(self.pid, how)

    def end(self, patience: float = PATIENCE, stop: int = signal.SIGKILL) -> int:
        """Wait for its end, so many seconds; then stop it. The exit code, negative for a signal."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.002)
        self.kill(stop)
        if patience < PATIENCE:
            return self.end()
        os.waitpid(self.pid, 0)
        return TRACEBACK

    def told(self) -> set[str]:
        """Pieces that it said were safe; once, after its end."""
        with open(self._read, encoding="utf-8") as stream:
            text = stream.read()
        return set(text[: text.rfind("\n") + 1].split("\n")) - {"", ">"}


def _work(work: Work, inputs: Path, out: Path, write: int) -> int:
    said: set[str] = set()

    def say(piece: str) -> None:
        if piece not in said:
            said.add(piece)
            os.write(write, f"{piece}\n".encode())

    signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs of a shell ignore it
    try:
        with open(out.parent / "stderr.txt", "ab") as errors:
            os.dup2(errors.fileno(), 2)
        with ends_cleanly():
            os.write(write, b">\n")
            work.run(inputs, out, say)
    except typer.Exit as end:
        return end.exit_code
    except BaseException:
        traceback.print_exc()
        return TRACEBACK
    return 0


@dataclass
class Trial:
    """A work, its inputs, and what it comes to when nobody disturbs it."""

    work: Work
    inputs: Path
    folder: Path  # for the outputs
    seconds: float = 0.0
    result: str = ""
    files: frozenset[str] = frozenset()
    size: int = 0
    number: int = 0

    def fresh(self) -> Path:
        """An empty folder to work in."""
        self.number += 1
        out = self.folder / str(self.number) / "out"
        out.mkdir(parents=True)
        return out

    def undisturbed(self) -> None:
        """Find out what should come out, and how long it takes."""
        self.work.run(
            self.inputs, self.fresh(), lambda piece: None
        )  # loops are compiled and loaded in this process
        out = self.fresh()
        child = Child(self.work, self.inputs, out)
        assert child.begun()
        start = time.monotonic()
        code = child.end()
        self.seconds = time.monotonic() - start
        assert code == 0, (out.parent / "stderr.txt").read_text()
        child.told()
        self.result, self.files = self.work.result(out), listing(out)
        self.size = sum((out / name).stat().st_size for name in self.files)

    def look(self, out: Path, told: set[str], counts: Counts) -> None:
        """Count what is lost and doubled."""
        try:
            found = self.work.found(out)
        except Exception:
            traceback.print_exc()
            counts.unreadable += 1
            return
        counts.lost += len(told - set(found))
        counts.doubled += len(found) - len(set(found))

    def finish(self, out: Path, told: set[str], counts: Counts) -> None:
        """Go on to the end, and compare with what should come out."""
        child = Child(self.work, self.inputs, out)
        counts.codes += child.end() != 0
        self.look(out, told | child.told(), counts)
        counts.other += self.work.result(out) != self.result
        counts.left |= listing(out) - self.files

    def stopped(self, number: int, how: int, counts: Counts, rng: np.random.Generator) -> None:
        """Stop it so many times at random times by a signal, and let it go on."""
        done, out, told = 0, self.fresh(), set[str]()
        whole = True  # it begins with nothing
        while done < number:
            child = Child(self.work, self.inputs, out)
            child.begun()
            start = time.monotonic()
            code = child.end(rng.uniform(0.0, self.seconds), how)
            told |= child.told()
            self.look(out, told, counts)
            if code == 0:  # it was faster
                if whole:  # the machine is less busy now
                    self.seconds = time.monotonic() - start
                self.finish(out, told, counts)
                out, told, whole = self.fresh(), set(), True
                continue
            done, whole = done + 1, False
            if how == signal.SIGKILL:
                counts.kills += 1
            else:
                counts.interrupts += 1
                counts.codes += code != INTERRUPTS[signal.Signals(how)]
        self.finish(out, told, counts)

    def on_a_full_disk(self, counts: Counts) -> None:
        """A clear error, nothing lost, and the same result when there is room again."""
        out = self.fresh()
        with tmpfs(out, max(64 << 10, int(0.6 * self.size))) as there:
            if not there:
                return
            child = Child(self.work, self.inputs, out)
            code, told = child.end(), child.told()
            self.look(out, told, counts)
            subprocess.run(["mount", "-o", "remount,size=256m", str(out)], check=True)
            self.finish(out, told, counts)
        counts.full_disk = "good" if code == 1 else f"exit code {code}"

    def with_two_writers(self, counts: Counts) -> None:
        """Both come to an end, or one is told that the other is at work."""
        out = self.fresh()
        children = [Child(self.work, self.inputs, out) for _ in range(2)]
        codes = [child.end() for child in children]
        told = set[str]().union(*(child.told() for child in children))
        counts.two_writers = "good" if sorted(codes) in ([0, 0], [0, 1]) else f"exit codes {codes}"
        self.finish(out, told, counts)


def listing(folder: Path) -> frozenset[str]:
    """Files in a folder and its folders."""
    return frozenset(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


@contextmanager
def tmpfs(folder: Path, size: int) -> Iterator[bool]:
    """A small disk, where one is root."""
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    try:
        yield made.returncode == 0
    finally:
        if made.returncode == 0:
            subprocess.run(["umount", str(folder)], check=True)


def measure(name: str, kills: int, folder: Path, seed: int = 0) -> Counts:
    """All that can happen to one work."""
    one_thread()
    rng = np.random.default_rng(seed)
    inputs = folder / "inputs"
    inputs.mkdir(parents=True)
    work = WORKS[name]
    work.prepare(inputs)
    trial = Trial(work, inputs, folder)
    trial.undisturbed()
    counts = Counts()
    trial.stopped(kills, signal.SIGKILL, counts, rng)
    for how in INTERRUPTS:
        trial.stopped(max(1, kills // 5), how, counts, rng)
    trial.on_a_full_disk(counts)
    trial.with_two_writers(counts)
    return counts


COLUMNS = (
    "work", "`kill -9`", "SIGINT, SIGTERM", "lost", "doubled", "unreadable", "left behind", "other result",
    "wrong exit code", "full disk", "two writers",
)  # fmt: skip


def table(found: dict[str, Counts]) -> str:
    """Markdown."""
    cells = [
        (
            name, c.kills, c.interrupts, c.lost, c.doubled, c.unreadable, len(c.left), c.other, c.codes, c.full_disk,
            c.two_writers,
        )
        for name, c in found.items()
    ]  # fmt: skip
    return markdown([list(map(str, row)) for row in cells], COLUMNS, ["left", *["right"] * 8, "left", "left"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--works", nargs="+", default=list(WORKS), choices=list(WORKS))
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args(arguments)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, name in enumerate(given.works):
            found[name] = measure(name, given.kills, Path(folder) / str(number))
            print(name, found[name], flush=True)
    text = table(found)
    print(text)
    if given.write:
        put("kills", text)
    return 0 if all(counts.good for counts in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
