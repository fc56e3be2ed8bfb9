"""Time, memory and machine: what all benchmarks measure with."""

from __future__ import annotations

import argparse
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


def page_options(module: str, description: str | None, quick: str) -> argparse.ArgumentParser:
    """Options of a benchmark that writes a page.

    Args:
        module: that is run.
        description: its docstring.
        quick: what its short form is.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m {module}", description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--out", type=Path, help="folder of the page; default: docs/benchmarks")
    parser.add_argument("--quick", action="store_true", help=f"{quick}; writes to out/benchmarks")
    return parser


def page_folder(given: argparse.Namespace) -> Path:
    """Where the page goes by these options; it is there then."""
    folder: Path = given.out or (QUICK if given.quick else DOCS)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


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


#: Describes one crystal over and over between two times that it is told, and says how often.
ALONE = """
import time
import arise_core as arise
crystal, settings = arise.build(arise.prototype("fcc")), arise.load_model("arise-108").descriptor
arise.describe(crystal, settings)
print("ready", flush=True)
begin, end = map(float, input().split())
time.sleep(max(0.0, begin - time.time()))
done = 0
while time.time() < end:
    arise.describe(crystal, settings)
    done += 1
print(done)
"""


def processes_over_one(count: int, lasting: float = 5.0, repeats: int = 3) -> float:
    """Work a second of so many processes that share nothing, of one thread each, over that of one, median.

    It is what this machine has to give: cores share caches, memory, clock and, if virtual, more.

    Args:
        count: processes.
        lasting: seconds for which they work.
        repeats: of one, then of all.
    """
    environment = os.environ | dict.fromkeys(THREADS, "1")
    command, pipe = [sys.executable, "-c", ALONE], subprocess.PIPE

    def done(n: int) -> int:
        several = [
            subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT, env=environment)
            for _ in range(n)
        ]
        pairs = [(p.stdin, p.stdout) for p in several if p.stdin is not None and p.stdout is not None]
        for _, answer in pairs:
            if answer.readline() != "ready\n":
                raise RuntimeError("a process that was to describe crystals did not start")
        begin = time.time() + 0.2
        for question, _ in pairs:
            print(begin, begin + lasting, file=question, flush=True)
        return sum(int(process.communicate()[0]) for process in several)

    return 1.0 if count == 1 else statistics.median(done(count) / done(1) for _ in range(repeats))


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
