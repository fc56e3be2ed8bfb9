"""How much memory there is for what is to come."""

from __future__ import annotations

import os
from pathlib import Path

#: Stands for no limit that is known.
UNKNOWN = 2.0**62


def available() -> float:
    """Bytes that this process may still take: of the system, of its group of processes, of its own limit.

    What cannot be told is taken as no limit.
    """
    return max(0.0, min(_of_system(), _of_group(), _of_process()))


def _of_system() -> float:
    for line in _text("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return float(line.split()[1]) * 1024
    try:
        return float(os.sysconf("SC_PAGE_SIZE")) * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not on this system
        return UNKNOWN


def _of_group() -> float:
    """Of a container."""
    most, used = _text("/sys/fs/cgroup/memory.max"), _text("/sys/fs/cgroup/memory.current")
    if most.strip().isdigit() and used.strip().isdigit():
        return float(most) - float(used)
    return UNKNOWN


def _of_process() -> float:
    """Of `ulimit -v`."""
    try:
        import resource
    except ImportError:  # Windows
        return UNKNOWN
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    pages = _text("/proc/self/statm").split()
    if limit == resource.RLIM_INFINITY or not pages:
        return UNKNOWN
    return float(limit) - float(pages[0]) * resource.getpagesize()


def _text(place: str) -> str:
    try:
        return Path(place).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""
