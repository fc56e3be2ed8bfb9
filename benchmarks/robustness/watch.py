"""A process and those that it started, seen from outside: their work, memory, and time without work. Linux only."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

_PAGE, _TICK = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")
#: A look says how things were since the last one, but not for longer than this, s.
_BELIEVED = 0.3


class Watch:
    """Looks at a process and its descendants now and then.

    Processes that would work but get no processor on a busy machine are not idle: the limits on what a file may take
    then mean the same on any machine.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._ended = 0.0
        self._last: dict[int, float] = {}
        used, self._resident_before, _ = self._seen()
        self._used_before = used
        self._time = time.monotonic()
        self.seconds = 0.0  # of the processor
        self.most = 0.0  # memory above that at the begin, GiB
        self.idle = 0.0  # time in which no thread was at work or waited for a processor, s

    def look(self) -> None:
        """Bring all figures up to date."""
        used, resident, busy = self._seen()
        now = time.monotonic()
        self.seconds = used - self._used_before
        self.most = max(self.most, resident - self._resident_before)
        if not busy:
            self.idle += min(now - self._time, _BELIEVED)
        self._time = now

    def _seen(self) -> tuple[float, float, bool]:
        """Processor time, s, with that of processes that have ended; resident memory, GiB; whether a thread can run."""
        used, resident, busy = {}, 0.0, False
        for pid in family(self.pid):
            with contextlib.suppress(OSError, IndexError):
                fields = _stat(Path(f"/proc/{pid}/stat"))
                used[pid] = (int(fields[11]) + int(fields[12])) / _TICK
                resident += (
                    int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE / 2**30
                )
                busy = busy or any(_stat(t / "stat")[0] in "RD" for t in Path(f"/proc/{pid}/task").iterdir())
        self._ended += sum(self._last[pid] for pid in self._last.keys() - used.keys())
        self._last = used
        return sum(used.values()) + self._ended, resident, busy


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += map(int, (task / "children").read_text(encoding="ascii").split())
    return found


def end(pid: int) -> None:
    """Kill a process and its descendants."""
    for member in family(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(member, signal.SIGKILL)


def _stat(path: Path) -> list[str]:
    """Fields from the state on."""
    return path.read_text(encoding="ascii", errors="replace").rsplit(")", 1)[1].split()
