"""Structures a second of a screening, and seconds a look of an observer; writes docs/benchmarks/screening.md.

    python benchmarks/screening.py [--structures 512] [--passes 100] [--workers 2] [--out DIR]

Medians over repeats. The structures are small periodic cells: descriptor, network, space group and the whole.
Parts are measured on one thread; the whole with `arise screen`'s worker processes, once with their start
(imports) and once without it (the difference of two sources, one twice as long).
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import ase.db
import numpy as np
from ase import Atoms
from ase.build import bulk
from speed import machine

import arise_core as arise
from arise_core.crystals.ideal import build
from arise_core.crystals.symmetry import space_group
from arise_core.crystals.table import prototypes
from arise_core.descriptor.soap import describe
from arise_core.geometry.builders import random_strain
from arise_core.runtime import threads
from ase_arise import AriseObserver, from_atoms, screen

REPEATS = 5


def entries(count: int) -> list[Atoms]:
    """Primitive cells of the bulk classes, strained by 1 %."""
    rng = np.random.default_rng(0)
    units = [build(p) for p in prototypes() if p.dimension == 3]
    out = []
    for k in range(count):
        unit = units[k % len(units)]
        strain = random_strain(0.01, rng)
        out.append(Atoms(unit.numbers, unit.positions @ strain, cell=unit.cell @ strain, pbc=unit.pbc))
    return out


def median_seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    work()
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return float(np.median(taken))


def whole(images: list[Atoms], passes: int, workers: int) -> float:
    """Seconds of a screening from a database to a database."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source.db"
        with ase.db.connect(source) as database:
            for atoms in images:
                database.write(atoms)
        start = time.perf_counter()
        counts = screen(source, Path(folder) / "results.db", passes=passes, workers=workers)
        seconds = time.perf_counter() - start
        assert counts.recognised == len(images)
    return seconds


def look(count: int) -> float:
    """Seconds a look of an observer at 4,000 atoms of hot copper, box 16 Å, stride 4 Å."""
    atoms = bulk("Cu", cubic=True) * (10, 10, 10)
    atoms.rattle(0.15, seed=1)
    observer = AriseObserver(atoms, stride=4.0)
    threads.set_count(count)
    try:
        return median_seconds(lambda: observer.look(0))
    finally:
        threads.set_count(None)


def measure(count: int, passes: int, workers: int) -> dict[str, float]:
    images = entries(count)
    structures = [from_atoms(atoms) for atoms in images]
    model = arise.load_model("arise-108")
    features = np.array([describe(s, model.descriptor) for s in structures])
    sampling = arise.SamplingSettings(passes=passes)
    part = structures[:100]
    out = {
        "structures": count,
        "atoms (mean)": float(np.mean([len(s) for s in structures])),
        "passes": passes,
        "workers": workers,
        "descriptor, ms": 1e3
        * median_seconds(lambda: [describe(s, model.descriptor) for s in part])
        / len(part),
        "network, ms": 1e3 * median_seconds(lambda: model.predict(features, sampling)) / count,
        "space group, ms": 1e3 * median_seconds(lambda: [space_group(s) for s in part]) / len(part),
    }
    short = np.median([whole(images, passes, workers) for _ in range(3)])
    long = np.median([whole(images + images, passes, workers) for _ in range(3)])
    out["structures a second, with start"] = count / float(short)
    out["structures a second, without start"] = count / float(long - short)
    out["observer at 4,000 atoms, s a look"] = look(workers)
    return out


GOALS = {
    "structures a second, without start": "at least 50",
    "observer at 4,000 atoms, s a look": "at most 1",
}


def write(found: dict[str, float], folder: Path) -> None:
    """The figures as a table and as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "screening.json").write_text(json.dumps({"machine": machine(), **found}, indent=1) + "\n")
    lines = [
        "# Screening and observer", "",
        "Made by `python benchmarks/screening.py`. Medians. Structures: primitive cells of the bulk classes, strained "
        "by 1 %, read from one ASE database and written to another. Parts: one thread.", "",
        "| | |", "|---|---|", *[f"| {k} | {v} |" for k, v in machine().items()], "",
        "| figure | value | goal |", "|---|---|---|",
        *[f"| {k} | {v:.4g} | {GOALS.get(k, '')} |" for k, v in found.items()], "",
    ]  # fmt: skip
    (folder / "screening.md").write_text("\n".join(lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--structures", type=int, default=512)
    parser.add_argument("--passes", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).resolve().parent.parent / "docs" / "benchmarks"
    )
    arguments = parser.parse_args()
    found = measure(arguments.structures, arguments.passes, arguments.workers)
    for name, value in found.items():
        print(f"{name:36s}{value:10.4g}")
    write(found, arguments.out)


if __name__ == "__main__":
    main()
