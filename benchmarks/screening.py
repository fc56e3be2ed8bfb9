"""Structures a second of a screening: small periodic cells, descriptor, network, space group and the whole.

    python benchmarks/screening.py [--structures 512] [--passes 100] [--workers 2] [--json FILE]

Medians over repeats. Parts are measured on one thread; the whole with `arise screen`'s worker processes, once
with their start (imports) and once without it (the difference of two sources, one twice as long).
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

import arise_core as arise
from arise_core.builders import random_strain
from arise_core.prototypes import build, prototypes
from arise_core.soap import describe
from ase_arise import from_atoms, screen
from ase_arise.screening import space_group

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
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--structures", type=int, default=512)
    parser.add_argument("--passes", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found = measure(arguments.structures, arguments.passes, arguments.workers)
    for name, value in found.items():
        print(f"{name:36s}{value:10.4g}")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
