"""Structures a second of a screening, and seconds a look of an observer; writes docs/benchmarks/screening.md.

    python -m benchmarks.screening [--structures 512] [--passes 100] [--workers 2] [--out DIR]

Medians over repeats. The structures are small periodic cells: descriptor, network, space group and the whole.
Parts are measured on one thread; the whole with `arise screen`'s worker processes, once with their start
(imports) and once without it (the difference of two sources, one three times as long).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

import ase.db
import numpy as np
from ase import Atoms
from ase.build import bulk

import arise_core as arise
from arise_core.crystals.symmetry import space_group
from arise_core.geometry.builders import random_strain
from arise_core.runtime import threads
from ase_arise import AriseObserver, from_atoms, screen
from benchmarks.measure import DOCS, in_new_process, median_seconds, processes_over_one, seconds
from benchmarks.tables import write_figures

REPEATS = 5
#: The longer of the two sources of a screening, over the shorter one.
LONGER = 3


def entries(count: int) -> list[Atoms]:
    """Primitive cells of the bulk classes, strained by 1 %."""
    rng = np.random.default_rng(0)
    units = [arise.build(p) for p in arise.prototypes() if p.dimension == 3]
    out = []
    for k in range(count):
        unit = units[k % len(units)]
        strain = random_strain(0.01, rng)
        out.append(Atoms(unit.numbers, unit.positions @ strain, cell=unit.cell @ strain, pbc=unit.pbc))
    return out


def whole(images: list[Atoms], passes: int, workers: int) -> float:
    """Seconds of a screening from a database to a database."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source.db"
        with ase.db.connect(source) as database:
            for atoms in images:
                database.write(atoms)
        counts = []
        taken = seconds(
            lambda: counts.append(screen(source, Path(folder) / "results.db", passes=passes, workers=workers))
        )
    if counts[0].recognised != len(images):
        raise RuntimeError(f"{counts[0].recognised} of {len(images)} structures were recognised")
    return taken


def look(count: int, cells: int) -> float:
    """Seconds a look of an observer at hot copper of so many cubic cells an edge, box 16 Å, stride 4 Å."""
    atoms = bulk("Cu", cubic=True) * (cells, cells, cells)
    atoms.rattle(0.15, seed=1)
    observer = AriseObserver(atoms, stride=4.0)
    threads.set_count(count)
    try:
        return median_seconds(lambda: observer.look(0), REPEATS)
    finally:
        threads.set_count(None)


def measure(count: int, passes: int, workers: int, cells: int) -> dict[str, float]:
    """All figures, in this process and in those that `screen` starts."""
    images = entries(count)
    structures = [from_atoms(atoms) for atoms in images]
    model = arise.load_model("arise-108")
    features = np.array([arise.describe(s, model.descriptor) for s in structures])
    sampling = arise.SamplingSettings(passes=passes)
    part = structures[:100]
    times = {
        "descriptor, ms": median_seconds(lambda: [arise.describe(s, model.descriptor) for s in part], REPEATS)
        / len(part),
        "network, ms": median_seconds(lambda: model.predict(features, sampling), REPEATS) / count,
        "space group, ms": median_seconds(lambda: [space_group(s) for s in part], REPEATS) / len(part),
    }
    sizes, counts = (images, LONGER * images), tuple(dict.fromkeys((1, workers)))
    rounds = [[[whole(some, passes, n) for n in counts] for some in sizes] for _ in range(3)]
    shorts, longs = np.median(rounds, axis=0)
    short, long, alone = shorts[-1], longs[-1], longs[0] - shorts[0]
    more = (LONGER - 1) * count
    return {
        "structures": count,
        "atoms (mean)": float(np.mean([len(s) for s in structures])),
        "passes": passes,
        "workers": workers,
        **{name: 1e3 * value for name, value in times.items()},
        "structures a second, with start": count / short,
        "structures a second, without start": more / (long - short),
        "structures a second, without start, one worker": more / alone,
        "workers over one": alone / (long - short),
        "workers that share nothing over one": processes_over_one(workers),
        f"observer at {4 * cells**3:,} atoms, s a look": look(workers, cells),
    }


GOALS = {
    "structures a second, without start": "at least 50",
    "workers over one": "at least 1.8",
    "observer at 4,000 atoms, s a look": "at most 1",
}


def write(found: Mapping[str, float], folder: Path) -> None:
    """The figures as a table and as JSON."""
    text = (
        "Made by `python -m benchmarks.screening`. Medians. Structures: primitive cells of the bulk classes, strained "
        "by 1 %, read from one ASE database and written to another. Parts: one thread. Workers that share nothing "
        "describe crystals, each for itself: what this machine has to give."
    )
    write_figures("screening", "Screening and observer", text, found, folder, GOALS)


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.screening",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--structures", type=int, default=512)
    parser.add_argument("--passes", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cells", type=int, default=10, help="cubic cells along an edge that are observed")
    parser.add_argument("--out", type=Path, default=DOCS)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    numbers = (given.structures, given.passes, given.workers, given.cells)
    if given.measure:
        print(json.dumps(measure(*numbers)))
        return
    names = ("--structures", "--passes", "--workers", "--cells")
    options = [text for pair in zip(names, numbers, strict=True) for text in pair]
    found = in_new_process("benchmarks.screening", ["--measure", *options], threads=1)
    for name, value in found.items():
        print(f"{name:48s}{value:10.4g}")
    write(found, given.out)


if __name__ == "__main__":
    main()
