"""Frames a second of a trajectory, beside OVITO's PTM, and bytes a frame; writes docs/benchmarks/trajectory.md.

    python -m benchmarks.trajectory [--frames 12] [--cells 17] [--small 2000] [--repeats 3] [--long 200] [--out DIR]

Frames are hot copper (displaced by 0.15 Å) in a LAMMPS dump. `arise trajectory` runs as a command, at two numbers of
frames: the difference is the time of the frames, without the start. PTM is OVITO's in the usual script (`for frame in
...: compute`), in one process and in two that share the frames, with one thread each. The long run is timed from begin
to end, with the largest memory of all its processes together; `--long 0` leaves it out.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ase.build import bulk

from ase_arise import TrajectoryResults
from benchmarks.measure import DOCS, ROOT, THREADS, processes_over_one, seconds
from benchmarks.robustness.structure_files import dump
from benchmarks.tables import write_figures

#: Settings of the maps.
SETTINGS = ("--box-size", "12", "--stride", "4")

PTM = """
import sys
from ovito.io import import_file
from ovito.modifiers import PolyhedralTemplateMatchingModifier
pipeline = import_file(sys.argv[1])
pipeline.modifiers.append(PolyhedralTemplateMatchingModifier())
for frame in range(int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])):
    pipeline.compute(frame).attributes["PolyhedralTemplateMatching.counts.FCC"]
"""


def write_frames(path: Path, count: int, cells: int) -> int:
    """Hot copper in a dump, one frame after the other; atoms of a frame."""
    atoms = bulk("Cu", cubic=True) * (cells, cells, cells)
    places = atoms.positions.copy()
    rng = np.random.default_rng(0)
    with path.open("w", encoding="utf-8") as file:
        for _ in range(count):
            atoms.positions = places + rng.normal(0, 0.15, places.shape)
            file.write(dump(atoms))
    return len(atoms)


def command(words: list[str], threads: int) -> subprocess.Popen[bytes]:
    """A process with so many threads."""
    environment = os.environ | dict.fromkeys(THREADS, str(threads))
    return subprocess.Popen(
        words, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def finished(*processes: subprocess.Popen[bytes]) -> float:
    """Wait for all; the largest resident memory of them and what they started, MiB, looked at now and then.

    Raises:
        RuntimeError: one failed.
    """
    most = 0.0
    while any(process.poll() is None for process in processes):
        most = max(most, sum(memory_of_all(process.pid) for process in processes))
        time.sleep(0.1)
    for process in processes:
        if process.wait() != 0:
            raise RuntimeError(f"{process.args!r} failed")
    return most


def memory_of_all(pid: int) -> float:
    """Resident memory of a process and of all that it started, MiB; 0 of those that are gone."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return 0.0
    own = [int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith("VmRSS")]
    return sum(own) + sum(memory_of_all(int(child)) for child in children)


def arise_words(path: Path, frames: int, workers: int, out: Path, *words: str) -> list[str]:
    """`arise trajectory` on the first frames of a file."""
    start = [
        sys.executable,
        "-m",
        "arise_cli.main",
        "trajectory",
        str(path),
        "--out",
        str(out),
        "--overwrite",
    ]
    return [*start, "--last", str(frames - 1), "--workers", str(workers), *words]


def ptm_words(path: Path, frames: int, workers: int) -> list[list[str]]:
    """PTM in so many processes, on every so-manieth frame each."""
    return [[sys.executable, "-c", PTM, str(path), str(k), str(frames), str(workers)] for k in range(workers)]


def arise_run(path: Path, frames: int, workers: int, out: Path, *words: str) -> float:
    """Seconds of `arise trajectory`."""
    return seconds(lambda: finished(command(arise_words(path, frames, workers, out, *words), 1)))


def ptm_run(path: Path, frames: int, workers: int) -> float:
    """Seconds of PTM."""
    return seconds(lambda: finished(*[command(w, 1) for w in ptm_words(path, frames, workers)]))


def frames_a_second(run: Any, few: int, many: int, repeats: int) -> float:
    """From the difference of two numbers of frames; medians."""
    short = statistics.median(run(few) for _ in range(repeats))
    long = statistics.median(run(many) for _ in range(repeats))
    return (many - few) / max(long - short, 1e-9)


def size_of(folder: Path) -> int:
    """Bytes of all files."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def end_to_end(count: int, cells: int) -> dict[str, float]:
    """Of a long run, with values at atoms: seconds from begin to end, memory, bytes on the disk."""
    found: dict[str, float] = {"long run: frames": count}
    with tempfile.TemporaryDirectory() as name:
        path, out = Path(name) / "md.dump", Path(name) / "run.zarr"
        n = write_frames(path, count, cells)
        for workers in (1, 2):
            for who, words in (
                ("ours", [arise_words(path, count, workers, out, "--atoms", *SETTINGS)]),
                ("PTM", ptm_words(path, count, workers)),
            ):
                begin = time.perf_counter()
                memory = finished(*[command(w, 1) for w in words])
                what = f"long run, {who}, {workers} processes"
                found[f"{what}: s"], found[f"{what}: MiB"] = time.perf_counter() - begin, memory
        found["long run: kB a frame, --atoms"] = size_of(out) / count / 1e3
        found["long run: bytes an atom and frame, --atoms"] = size_of(out) / count / n
    return found


def measure(count: int, cells: int, small: int, repeats: int, long: int) -> dict[str, float]:
    """All figures."""
    few = max(2, count // 6)
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path, out = folder / "md.dump", folder / "run.zarr"
        found["frames"], found["atoms a frame"] = count, write_frames(path, count, cells)
        arise_run(path, 1, 1, out, *SETTINGS)  # loops are compiled
        for workers in (1, 2):
            found[f"frames a second, {workers} workers"] = frames_a_second(
                lambda n, w=workers: arise_run(path, n, w, out, *SETTINGS), few, count, repeats
            )
        for workers in (1, 2):
            found[f"frames a second, PTM in {workers} processes"] = frames_a_second(
                lambda n, w=workers: ptm_run(path, n, w), few, count, repeats
            )
        arise_run(path, few, 2, out, *SETTINGS)
        begin = size_of(out)
        arise_run(path, count, 2, out, *SETTINGS)
        without = size_of(out)
        arise_run(path, count, 2, out, "--atoms", *SETTINGS)
        results = TrajectoryResults.open(out)
        found["share of fcc, mean"] = float(results.data["share"].sel({"class": "fcc"}).mean())
        found["kB a frame"] = (without - begin) / (count - few) / 1e3
        found["kB of a store beside its frames"] = begin / 1e3 - few * found["kB a frame"]
        found["bytes an atom and frame, --atoms"] = (size_of(out) - without) / count / found["atoms a frame"]
        tiny = folder / "small.dump"
        found["small frames"], found["atoms a small frame"] = small, write_frames(tiny, small, 2)
        for workers in (1, 2):
            found[f"small frames a second, {workers} workers"] = frames_a_second(
                lambda n, w=workers: arise_run(tiny, n, w, out, "--passes", "100"), small // 6, small, 1
            )
    found["two workers over one"] = found["frames a second, 2 workers"] / found["frames a second, 1 workers"]
    found["two processes that share nothing over one"] = processes_over_one(2)
    found["PTM over ours, one process"] = (
        found["frames a second, PTM in 1 processes"] / found["frames a second, 1 workers"]
    )
    return found | (end_to_end(long, cells) if long else {})


def write(found: Mapping[str, float], folder: Path) -> None:
    """The figures as a table and as JSON."""
    text = (
        "Made by `python -m benchmarks.trajectory`. Hot copper in a LAMMPS dump, boxes of 12 Å every 4 Å (small "
        "frames: as wholes, 100 passes); one thread a process; without the start, but the long run from begin to end. "
        "PTM: OVITO's, in the usual script. Processes that share nothing describe crystals, each for itself: what this "
        "machine has to give."
    )
    write_figures("trajectory", "Trajectories", text, found, folder)


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.trajectory",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument(
        "--cells", type=int, default=17, help="cubic cells along an edge: 17 are 19,652 atoms"
    )
    parser.add_argument("--small", type=int, default=2000, help="frames of 32 atoms")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--long", type=int, default=200, help="frames of the run that is timed from begin to end"
    )
    parser.add_argument("--out", type=Path, default=DOCS)
    given = parser.parse_args(arguments)
    found = measure(given.frames, given.cells, given.small, given.repeats, given.long)
    for name, value in found.items():
        print(f"{name:48s}{value:10.4g}")
    write(found, given.out)


if __name__ == "__main__":
    main()
