"""One case of a comparison, run by file name with some checkout on PYTHONPATH; prints figures as JSON,
saves what was computed as npz.

    python -P benchmarks/speed/compared.py CASE FILE [--quick]

Only what `import arise_core` names is used, so that it runs on checkouts with another layout.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import arise_core as arise

LATTICE = 3.73  # Å
BOX = 16.0  # Å
Work = Callable[[], list[Any]]  # computes something, returns arrays


def fcc(n: int, sigma: float = 0.1, pbc: bool = True) -> arise.Structure:
    """Hot fcc copper, n³ cubic cells."""
    corner = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]) + 0.25
    cells = np.stack(np.meshgrid(*[np.arange(n)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    positions = ((cells + corner) * LATTICE).reshape(-1, 3)
    moved = positions + np.random.default_rng(0).normal(0, sigma, positions.shape)
    cell = np.eye(3) * LATTICE * n if pbc else np.zeros((3, 3))
    return arise.Structure(moved, np.full(len(moved), 29), cell, pbc)


def alloy(n: int) -> arise.Structure:
    """The same of nickel and a quarter of aluminium."""
    s = fcc(n)
    numbers = np.where(np.random.default_rng(1).random(len(s)) < 0.25, 13, 28)
    return arise.Structure(s.positions, numbers, s.cell, s.pbc)


def slab(n: int) -> arise.Structure:
    """The same with 20 Å of vacuum along z, in a periodic cell."""
    s = fcc(n)
    return arise.Structure(s.positions, s.numbers, s.cell + np.diag([0, 0, 20.0]), True)


def mapped(structure: arise.Structure, stride: float = 3.0) -> Work:
    """Maps a structure."""
    model = arise.load_model("arise-108")

    def run() -> list[Any]:
        p = arise.strided_map(structure, model, box_size=BOX, stride=stride).prediction
        return [p.probabilities, p.mutual_information]

    return run


def described(structure: arise.Structure, stride: float = 3.0) -> Work:
    """Describes the boxes over a structure."""
    descriptor = arise.DescriptorSettings.corrected()

    def run() -> list[Any]:
        grid = arise.box_grid(structure, arise.MapSettings(box_size=BOX, stride=stride, edges="exact"))
        return [arise.describe_boxes(grid, descriptor).features]

    return run


def classified(count: int) -> Work:
    """Classifies unit cells of different crystals as a whole."""
    model = arise.load_model("arise-108")
    structures = [arise.build(p) for p in arise.prototypes()[:count]]

    def run() -> list[Any]:
        p = arise.classify(structures, model)
        return [p.probabilities, p.mutual_information]

    return run


def tiny(count: int) -> Work:
    """Maps a cell with one atom many times: what every call costs whatever it is about."""
    once = mapped(arise.build(arise.prototype("fcc")))
    return lambda: [a for _ in range(count) for a in once()]


#: Work by its name, in its full or in its short form.
CASES: dict[str, Callable[[bool], Work]] = {
    "hot fcc, map at 3 Å": lambda quick: mapped(fcc(5), 8.0) if quick else mapped(fcc(12)),
    "hot fcc, descriptors at 1 Å": lambda quick: described(fcc(5), 2.0) if quick else described(fcc(10), 1.0),
    "hot open cube, descriptors with exact edges": lambda quick: (
        described(fcc(5, pbc=False), 8.0) if quick else described(fcc(8, pbc=False))
    ),
    "slab, map": lambda quick: mapped(slab(5), 8.0) if quick else mapped(slab(8)),
    "alloy, descriptors": lambda quick: described(alloy(5), 8.0) if quick else described(alloy(14)),
    "melt, map": lambda quick: mapped(fcc(5, 0.5), 8.0) if quick else mapped(fcc(8, 0.5), 6.0),
    "20 whole structures": lambda quick: classified(3 if quick else 20),
    "tiny cell, 50 maps": lambda quick: tiny(2 if quick else 50),
}


def peak_mib() -> float:
    """Largest resident memory so far, MiB; `getrusage` would begin with that of the process that started this one."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line for line in text.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def measure(name: str, file: str, quick: bool) -> dict[str, object]:
    """Wall and processor time of the second call, s; peak memory, MiB; and which core it was."""
    work = CASES[name](quick)
    work()  # loads compiled loops, model and buffers
    wall, processor = time.perf_counter(), time.process_time()
    result = work()
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    peak = peak_mib()
    np.savez(file, *result)
    return {"seconds": wall, "processor": processor, "memory": peak, "core": arise.__file__}


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], sys.argv[2], "--quick" in sys.argv)))
