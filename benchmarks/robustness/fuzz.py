"""Files through doors, each door a process with a limit of time and memory; outcomes are sorted and counted."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from benchmarks.measure import ROOT
from benchmarks.robustness.watch import Watch, end
from benchmarks.robustness.worker import ANSWER, CRASH, HANG, MEMORY

#: Processor time for one file, s (each process has one thread), and resident memory above that before, GiB.
SECONDS, GIB = 10.0, 2.0
#: Time without any work after which nothing will come, s.
IDLE = 60.0
#: The first file also waits for imports and for loops to be compiled.
FIRST_SECONDS = 240.0
#: Files after which a process makes room for a new one, as nobody opens more in one.
FILES = 500
_LOOK_EVERY = 0.2
_THREADS = dict.fromkeys(("ARISE_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Outcome:
    """What became of a file at a door."""

    number: int
    door: str
    file: str
    kind: str
    outcome: str
    seconds: float  # of the processor
    gib: float  # above what the process had before
    said: str

    def but(self, outcome: str) -> Outcome:
        """The same with another outcome."""
        return replace(self, outcome=outcome)


class Door:
    """A door in a process of its own, started when it is needed and anew after one that was ended.

    Args:
        name: of `worker.DOORS`.
        seconds, gib: limits for one file.
    """

    def __init__(self, name: str, seconds: float = SECONDS, gib: float = GIB) -> None:
        self.name = name
        self.seconds, self.gib = seconds, gib
        self.command = [sys.executable, "-m", "benchmarks.robustness.worker", name]
        self._process: subprocess.Popen[str] | None = None
        self._complaints: IO[str] | None = None
        self._files = 0
        self._answered = False

    def warm(self, file: Path) -> None:
        """Start the process, and let it import and compile what it needs with a file that has an answer."""
        if self._process is not None:
            return
        self._files = 0
        self._complaints = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            self.command,
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            env={**os.environ, **_THREADS},
        )
        outcome, _, said = self._ask(file, FIRST_SECONDS, 4 * self.gib)
        if outcome != ANSWER:
            raise RuntimeError(f"{self.name}: no answer for a good file, {file}: {outcome}, {said}")

    def ask(self, number: int, file: Path, kind: str, good: Path) -> Outcome:
        """Hand a file to the door.

        Args:
            number: of the file.
            file: what is asked about.
            kind: what was done to it.
            good: a file with an answer, for a process that has to be started.
        """
        self.warm(good)
        outcome, watch, said = self._ask(file, self.seconds, self.gib)
        self._files += 1
        if not self._answered or self._files >= FILES:
            self.close()
        return Outcome(number, self.name, file.name, kind, outcome, watch.seconds, watch.most, said)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            end(self._process.pid)
            self._process.communicate()
            self._process = None
        if self._complaints is not None:
            self._complaints.close()
            self._complaints = None

    def _ask(self, file: Path, seconds: float, gib: float) -> tuple[str, Watch, str]:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        watch = Watch(process.pid)
        self._answered = False
        process.stdin.write(f"{file}\n")
        process.stdin.flush()
        phase, answers = "", b""
        with selectors.DefaultSelector() as waiting:
            waiting.register(process.stdout, selectors.EVENT_READ)
            while True:
                # Not by a file object: of two lines that come together it would keep one, and no more would come.
                while b"\n" not in answers:
                    if waiting.select(_LOOK_EVERY):
                        answers += (more := os.read(process.stdout.fileno(), 1 << 16))
                        if not more:
                            return phase or CRASH, watch, f"exit code {process.wait()}: {self._tail()}"
                        continue
                    watch.look()
                    if watch.most > gib:
                        return phase or MEMORY, watch, self._tail()
                    if watch.seconds > seconds:
                        return phase or HANG, watch, f"worked for {watch.seconds:.1f} s. {self._tail()}"
                    if watch.idle > IDLE:
                        return phase or HANG, watch, f"did nothing for {watch.idle:.0f} s. {self._tail()}"
                watch.look()
                line, answers = answers.split(b"\n", 1)
                found = json.loads(line)
                if "phase" not in found:
                    self._answered = True
                    return found["outcome"], watch, found["said"]
                phase = found["phase"]

    def _tail(self) -> str:
        assert self._complaints is not None
        self._complaints.seek(0)
        return self._complaints.read()[-2000:]
