"""Frames a second of a trajectory, beside OVITO's PTM, and bytes a frame; writes docs/benchmarks/trajectory.md.

    python -m benchmarks.trajectory [--frames 12] [--cells 17] [--small 2000] [--repeats 3] [--out DIR]

Frames are hot copper (displaced by 0.15 Å) in a LAMMPS dump. `arise trajectory` runs as a command, at two numbers of
frames: the difference is the time of the frames, without the start. PTM is OVITO's in the usual script (`for frame in
...: compute`), in one process and in two that share the frames, with one thread each.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ase.build import bulk

from ase_arise import TrajectoryResults
from benchmarks.measure import DOCS, ROOT, THREADS, seconds
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


def finished(*processes: subprocess.Popen[bytes]) -> None:
    """Wait for all.

    Raises:
        RuntimeError: one failed.
    """
    for process in processes:
        if process.wait() != 0:
            raise RuntimeError(f"{process.args!r} failed")


def arise_run(path: Path, frames: int, workers: int, out: Path, *words: str) -> float:
    """Seconds of `arise trajectory` on the first frames of a file."""
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
    given = [*start, "--last", str(frames - 1), "--workers", str(workers), *words]
    return seconds(lambda: finished(command(given, 1)))


def ptm_run(path: Path, frames: int, workers: int) -> float:
    """Seconds of PTM in so many processes, on every so-manieth frame each."""
    words = [
        [sys.executable, "-c", PTM, str(path), str(k), str(frames), str(workers)] for k in range(workers)
    ]
    return seconds(lambda: finished(*[command(w, 1) for w in words]))


def frames_a_second(run: Any, few: int, many: int, repeats: int) -> float:
    """From the difference of two numbers of frames; medians."""
    short = statistics.median(run(few) for _ in range(repeats))
    long = statistics.median(run(many) for _ in range(repeats))
    return (many - few) / max(long - short, 1e-9)


def size_of(folder: Path) -> int:
    """Bytes of all files."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def measure(count: int, cells: int, small: int, repeats: int) -> dict[str, float]:
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
    found["PTM over ours, one process"] = (
        found["frames a second, PTM in 1 processes"] / found["frames a second, 1 workers"]
    )
    return found


def write(found: Mapping[str, float], folder: Path) -> None:
    """The figures as a table and as JSON."""
    text = (
        "Made by `python -m benchmarks.trajectory`. Hot copper in a LAMMPS dump, boxes of 12 Å every 4 Å (small "
        "frames: as wholes, 100 passes); one thread a process; without the start. PTM: OVITO's, in the usual script."
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
    parser.add_argument("--out", type=Path, default=DOCS)
    given = parser.parse_args(arguments)
    found = measure(given.frames, given.cells, given.small, given.repeats)
    for name, value in found.items():
        print(f"{name:36s}{value:10.4g}")
    write(found, given.out)


if __name__ == "__main__":
    main()
