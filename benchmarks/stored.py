"""A frame in OVITO, computed and read from stored results, in seconds; writes docs/benchmarks/stored.md.

    python -m benchmarks.stored [--cells 29] [--frames 4] [--repeats 3] [--out DIR]

Frames are hot copper in a LAMMPS dump. `AriseModifier` computes them with boxes of 16 Å every 3 Å and two threads;
`AriseStoredResults` reads what `arise trajectory --atoms` kept of them. OVITO's own reading of the dump is taken off
both. Times are medians over frames and repeats.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

from ovito.io import import_file

from ase_arise import trajectory
from benchmarks.measure import DOCS, seconds
from benchmarks.tables import write_figures
from benchmarks.trajectory import write_frames
from ovito_arise import AriseModifier, AriseStoredResults


def a_frame(path: Path, modifiers: list[Any], frames: int, repeats: int) -> float:
    """Seconds of a frame in a pipeline, reading the file too; each frame is another than the one before."""
    pipeline = import_file(str(path))
    pipeline.modifiers.extend(modifiers)
    pipeline.compute(frames - 1)
    times = [seconds(lambda k=k: pipeline.compute(k)) for _ in range(repeats) for k in range(frames)]
    return statistics.median(times)


def measure(cells: int, frames: int, repeats: int, passes: int) -> dict[str, float]:
    """All figures."""
    with tempfile.TemporaryDirectory() as name:
        path, out = Path(name) / "md.dump", Path(name) / "run.zarr"
        found: dict[str, float] = {"frames": frames, "atoms a frame": write_frames(path, frames, cells)}
        settings: dict[str, Any] = {"box_size": 16.0, "stride": 3.0, "passes": passes}
        trajectory(path, out, atoms=True, workers=1, mode="local", **settings)
        read = a_frame(path, [], frames, repeats)
        stored = a_frame(path, [AriseStoredResults(results=out)], frames, repeats) - read
        computed = a_frame(path, [AriseModifier(**settings)], min(frames, 2), 1) - read
    return found | {
        "reading the dump, s": read,
        "stored results, s": stored,
        "computed, s": computed,
        "computed over stored": computed / stored,
    }


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.stored",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--cells", type=int, default=29, help="cubic cells along an edge: 29 are 97,556 atoms"
    )
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--passes", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=DOCS)
    given = parser.parse_args(arguments)
    found = measure(given.cells, given.frames, given.repeats, given.passes)
    for name, value in found.items():
        print(f"{name:26s}{value:10.4g}")
    text = (
        "Made by `python -m benchmarks.stored`. Hot copper in a LAMMPS dump, a frame after another in OVITO; without "
        "the time of OVITO's reading. Computed: boxes of 16 Å every 3 Å, at most 1000 passes."
    )
    write_figures("stored", "Stored results in OVITO", text, found, given.out)


if __name__ == "__main__":
    main()
