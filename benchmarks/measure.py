"""Time, memory and machine: what all benchmarks measure with."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
#: Where the figures of the documents are.
DOCS = ROOT / "docs" / "benchmarks"
#: Where those of a short form go.
QUICK = ROOT / "out" / "benchmarks"
PACKAGES = ("arise-core", "ovito-arise", "numpy", "numba", "torch", "dscribe", "ovito", "quippy-ase")
THREADS = ("ARISE_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OVITO_THREAD_COUNT")


def seconds(function: Callable[[], object]) -> float:
    """Wall time of a call, s."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def median_seconds(
    function: Callable[[], object], repeats: int, warm_up: Callable[[], object] | None = None
) -> float:
    """Median wall time of a call, s, after one of `warm_up` (default: of itself) that is not counted."""
    (warm_up or function)()
    return statistics.median(seconds(function) for _ in range(repeats))


def resident(field: str) -> float:
    """VmRSS (resident memory) or VmHWM (the largest so far) of this process, MiB.

    `getrusage` is no way to the latter: it begins with the memory of the process that started this one.
    """
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line for line in text.splitlines() if line.startswith(field)).split()[1]) / 1024


def peak_gib() -> float:
    """Largest resident memory of this process so far, GiB."""
    return resident("VmHWM") / 1024


def in_new_process(
    module: str, arguments: Sequence[object], threads: int | None = None, **environment: str
) -> Any:
    """What a benchmark prints as JSON in its last line when it runs in a process of its own.

    Args:
        module: such as "benchmarks.speed".
        arguments: of its command line.
        threads: of all libraries; None: as they like.
        **environment: more variables.

    Raises:
        RuntimeError: it failed; the message has the end of what it said.
    """
    counts = {} if threads is None else dict.fromkeys(THREADS, str(threads))
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | counts | environment,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[1:])}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def machine() -> Mapping[str, str]:
    """What the figures were measured with."""
    cpu = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if "model name" in line]
        cpu = f"{names[0]}, {len(names)} cores" if names else cpu
    packages = {}
    for package in PACKAGES:
        try:
            packages[package] = version(package)
        except PackageNotFoundError:
            packages[package] = "not installed"
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    return {"processor": cpu, "load before": load, "python": platform.python_version(), **packages}
