"""Files through doors, each door a process with a limit of time and memory; outcomes are sorted and counted."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from benchmarks.measure import ROOT
from benchmarks.robustness.worker import ANSWER, CRASH, ERROR, HANG, MEMORY, TRACEBACK

#: Processor time for one file, s (each process has one thread), and resident memory above that before, GiB.
SECONDS, GIB = 10.0, 2.0
#: A process that waits for nothing has this many times as long, by the clock.
PATIENCE = 4
#: The first file also waits for imports and for loops to be compiled.
FIRST_SECONDS = 240.0
_LOOK_EVERY = 0.05
_PAGE, _TICK = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")
_THREADS = dict.fromkeys(("ARISE_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Outcome:
    """What became of a file at a door."""

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
        self._process: subprocess.Popen[str] | None = None
        self._complaints: IO[str] | None = None

    def warm(self, file: Path) -> None:
        """Start the process, and let it import and compile what it needs with a file that has an answer."""
        if self._process is not None:
            return
        self._complaints = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.robustness.worker", self.name],
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            env={**os.environ, **_THREADS},
        )
        outcome, _, _, said = self._ask(file, FIRST_SECONDS, 4 * self.gib)
        if outcome != ANSWER:
            raise RuntimeError(f"{self.name}: no answer for a good file, {file}: {outcome}, {said}")

    def ask(self, file: Path, kind: str, good: Path) -> Outcome:
        """Hand a file to the door.

        Args:
            file: what is asked about.
            kind: what was done to it.
            good: a file with an answer, for a process that has to be started.
        """
        self.warm(good)
        outcome, took, gib, said = self._ask(file, self.seconds, self.gib)
        if outcome not in (ANSWER, ERROR, TRACEBACK):
            self.close()
        return Outcome(self.name, file.name, kind, outcome, took, gib, said)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
        if self._complaints is not None:
            self._complaints.close()
            self._complaints = None

    def _ask(self, file: Path, seconds: float, gib: float) -> tuple[str, float, float, str]:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        before = _resident(process.pid)
        most = 0.0
        start, used = time.monotonic(), _processor(process.pid)
        process.stdin.write(f"{file}\n")
        process.stdin.flush()
        phase = ""
        while True:
            with selectors.DefaultSelector() as waiting:
                waiting.register(process.stdout, selectors.EVENT_READ)
                while not waiting.select(_LOOK_EVERY):
                    most = max(most, _resident(process.pid) - before)
                    took = _processor(process.pid) - used
                    if most > gib:
                        return phase or MEMORY, took, most, self._tail()
                    if took > seconds or time.monotonic() - start > PATIENCE * seconds:
                        return phase or HANG, took, most, self._tail()
            took = _processor(process.pid) - used
            line = process.stdout.readline()
            if not line:
                return phase or CRASH, took, most, f"exit code {process.wait()}: {self._tail()}"
            found = json.loads(line)
            if "phase" not in found:
                return found["outcome"], took, most, found["said"]
            phase = found["phase"]

    def _tail(self) -> str:
        assert self._complaints is not None
        self._complaints.seek(0)
        return self._complaints.read()[-2000:]


def _resident(pid: int) -> float:
    """Resident memory of a process, GiB; 0 if it has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE / 2**30
    except (OSError, IndexError):
        return 0.0


def _processor(pid: int) -> float:
    """Processor time of a process so far, s; 0 if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / _TICK
    except (OSError, IndexError):
        return 0.0
