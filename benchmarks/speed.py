"""Speed and memory of the strided engine, as ratios measured in one run; writes docs/benchmarks/speed.md.

`python benchmarks/speed.py [--out DIR] [--repeats 5] [--only CASE ...]`

Each case runs in a process of its own, so that its peak memory is its own. Times are medians over repeats;
every ratio compares figures of the same run on the same number of threads. quippy is measured if it is
installed (`pip install "ovito-arise[benchmark]"`). Nothing else should run on the machine meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
LATTICE = (4 / 0.077) ** (1 / 3)  # Å, fcc of 0.077 atoms/Å³
BOX = 16.0


def fcc(n: int, seed: int = 0):
    """Thermal fcc, n³ cubic cells, periodic."""
    from arise_core import Structure
    from arise_core.geometry import builders

    corner = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    unit = Structure((corner + 0.25) * LATTICE, np.full(4, 29), np.eye(3) * LATTICE, np.ones(3, dtype=bool))
    s = builders.repeat(unit, (n, n, n))
    moved = s.positions + np.random.default_rng(seed).normal(0, 0.1, s.positions.shape)
    return Structure(moved, s.numbers, s.cell, s.pbc)


def median_seconds(
    function: Callable[[], object], repeats: int, warm_up: Callable[[], object] | None = None
) -> float:
    """Median wall time of a call, s, after one of `warm_up` (default: of itself) that is not counted."""
    (warm_up or function)()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def engine(structure, stride: float, box: float = BOX) -> Callable[[], object]:
    """A call that computes the descriptors of all boxes and keeps none."""
    from arise_core.engine.boxes import iterate_boxes
    from arise_core.engine.grid import box_grid
    from arise_core.settings import DescriptorSettings, MapSettings

    def run() -> int:
        grid = box_grid(structure, MapSettings(box_size=box, stride=stride))
        return sum(len(part.boxes) for part in iterate_boxes(grid, DescriptorSettings.corrected()))

    return run


def small_engine() -> None:
    """The engine on little: compiles what is not compiled yet."""
    engine(fcc(5), 4.0)()


def small_map() -> None:
    """A map of little, likewise."""
    import arise_core as arise

    arise.strided_map(fcc(5), arise.load_model("arise-108"), stride=4.0)


def n_boxes(structure, stride: float, box: float = BOX) -> int:
    """Boxes of the grid."""
    from arise_core.engine.grid import box_grid
    from arise_core.settings import MapSettings

    return len(box_grid(structure, MapSettings(box_size=box, stride=stride)))


def sample_of_boxes(structure, count: int):
    """Atoms of some boxes, as open structures."""
    from arise_core import Structure
    from arise_core.engine.grid import box_grid
    from arise_core.settings import MapSettings

    grid = box_grid(structure, MapSettings(box_size=BOX, stride=3.0))
    out = []
    for k in np.random.default_rng(1).choice(len(grid), count, replace=False):
        u, numbers = grid.members(int(k))
        out.append(Structure(u @ grid.cell, numbers))
    return out


def peak_gib() -> float:
    """Largest resident memory of this process so far, GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


# --- the cases: each returns a dictionary of figures ----------------------------------------------------------


def against_dscribe(repeats: int) -> dict:
    """16 Å boxes in fcc: the engine at 3 Å and 1 Å stride against dscribe box by box, one thread each."""
    from arise_core.descriptor.soap import describe
    from arise_core.settings import DescriptorSettings

    structure = fcc(14)
    boxes = sample_of_boxes(structure, 50)
    settings = DescriptorSettings.paper()

    def by_dscribe() -> None:
        for box in boxes:
            describe(box, settings, backend="dscribe")

    dscribe = median_seconds(by_dscribe, repeats) / len(boxes)
    out = {"atoms": len(structure), "dscribe, ms a box": 1e3 * dscribe}
    for stride in (3.0, 1.0):
        ours = median_seconds(engine(structure, stride), repeats) / n_boxes(structure, stride)
        out[f"engine at {stride:g} Å, ms a box"] = 1e3 * ours
        out[f"ratio at {stride:g} Å"] = dscribe / ours
    return out


def against_quippy(repeats: int) -> dict:
    """The same against quippy with the paper's parameters, one thread each."""
    try:
        from quippy.descriptors import Descriptor
    except ImportError:
        return {"skipped": "quippy-ase is not installed"}
    from ase import Atoms

    structure = fcc(14)
    boxes = sample_of_boxes(structure, 50)
    d = LATTICE / np.sqrt(2)
    soap = Descriptor(
        "soap cutoff=4.0 l_max=6 n_max=9 atom_sigma=0.1 cutoff_transition_width=0.5 average=T "
        "normalise=T central_weight=0.0 n_species=1 species_Z={29} n_Z=1 Z={29}"
    )
    atoms = [Atoms(numbers=b.numbers, positions=b.positions / d) for b in boxes]

    def by_quippy() -> None:
        for a in atoms:
            soap.calc(a)

    quippy = median_seconds(by_quippy, repeats, lambda: soap.calc(atoms[0])) / len(boxes)
    ours = median_seconds(engine(structure, 3.0), repeats) / n_boxes(structure, 3.0)
    return {
        "quippy, ms a box": 1e3 * quippy,
        "engine at 3 Å, ms a box": 1e3 * ours,
        "ratio at 3 Å": quippy / ours,
    }


def superalloy_descriptors(repeats: int) -> dict:
    """Descriptors of the paper's superalloy model: two species, box 16 Å, stride 3 Å, open."""
    from arise_core.geometry import builders

    structure = builders.superalloy(rng=np.random.default_rng(0))
    seconds = median_seconds(engine(structure, 3.0), repeats, small_engine)
    return {
        "atoms": len(structure),
        "boxes": n_boxes(structure, 3.0),
        "seconds": seconds,
        "peak GiB": peak_gib(),
    }


def superalloy_map(repeats: int) -> dict:
    """The whole map of the same, mutual information to a standard error of 0.01 bit."""
    import arise_core as arise
    from arise_core.geometry import builders

    structure = builders.superalloy(rng=np.random.default_rng(0))
    model = arise.load_model("arise-108")
    result: list = []

    def run() -> None:
        result[:] = [arise.strided_map(structure, model, box_size=BOX, stride=3.0, tolerance=0.01)]

    seconds = median_seconds(run, repeats, small_map)
    p = result[0].prediction
    return {
        "atoms": len(structure), "boxes": len(p), "seconds": seconds, "peak GiB": peak_gib(),
        "mean passes": float(p.passes.mean()),
        "share of boxes at the limit of 1000 passes": float((p.passes >= 1000).mean()),
        "largest standard error of the others, bit": float(p.standard_error[p.passes < 1000].max()),
    }  # fmt: skip


def in_a_ball(structure, radius: float):
    """What lies within a distance of the middle of a structure, open."""
    from arise_core import Structure

    x = structure.positions - structure.positions.mean(axis=0)
    keep = np.linalg.norm(x, axis=1) < radius
    return Structure(x[keep], structure.numbers[keep])


def nanoparticle(repeats: int) -> dict:
    """Map of a particle of 23,000 atoms in vacuum, partly filled boxes exactly: box 12 Å, stride 2 Å."""
    import arise_core as arise

    structure = in_a_ball(fcc(24), (23_000 * 3 / (4 * np.pi * 0.077)) ** (1 / 3))
    model = arise.load_model("arise-108")
    result: list = []

    def run() -> None:
        result[:] = [arise.strided_map(structure, model, box_size=12.0, stride=2.0)]

    seconds = median_seconds(run, min(repeats, 3), small_map)
    p = result[0].prediction
    return {
        "atoms": len(structure), "boxes with enough atoms": int(p.valid.sum()), "seconds": seconds,
        "peak GiB": peak_gib(), "share of these boxes called fcc": float((p.names[p.valid] == "fcc").mean()),
    }  # fmt: skip


def surfaces(repeats: int) -> dict:
    """Boxes that stick out of flat and curved fcc surfaces and hold at least 100 atoms: share called fcc."""
    import arise_core as arise
    from arise_core import Structure

    model = arise.load_model("arise-108")
    whole = fcc(16)
    x = whole.positions - whole.positions.mean(axis=0)

    def part(keep: np.ndarray) -> Structure:
        return Structure(x[keep], whole.numbers[keep])

    radius = np.linalg.norm(x, axis=1)
    shapes = {
        "flat (001)": part((np.abs(x) < (22, 22, 16)).all(axis=1)),
        "flat (123)": part((radius < 26) & (x @ (1, 2, 3) < 3 * 14**0.5)),
        "curved, radius 20 Å": part(radius < 20),
    }
    out: dict = {}
    for box in (12.0, 16.0):
        for shape, structure in shapes.items():
            for edges in ("exact", "box"):
                field = arise.strided_map(
                    structure, model, box_size=box, stride=4.0, edges=edges, padding="full", passes=100
                )
                partly = (field.n_atoms >= 100) & (field.n_atoms < 0.95 * field.n_atoms.max())
                right = (field.prediction.names == "fcc") & ~field.prediction.rejected
                out[f"{shape}, boxes of {box:g} Å, edges={edges!r}"] = float(right[partly].mean())
    return out


def many_atoms(repeats: int, n: int) -> dict:
    """Descriptors of periodic fcc at 3 Å stride."""
    structure = fcc(n)
    seconds = median_seconds(engine(structure, 3.0), repeats, small_engine)
    return {
        "atoms": len(structure), "boxes": n_boxes(structure, 3.0), "seconds": seconds,
        "µs an atom": 1e6 * seconds / len(structure), "peak GiB": peak_gib(),
    }  # fmt: skip


def scaling(repeats: int) -> dict:
    """Cost against number of atoms, stride and box size."""
    small_engine()
    atoms = {}
    for n in (6, 10, 16, 24):
        structure = fcc(n)
        atoms[len(structure)] = median_seconds(engine(structure, 3.0), repeats)
    structure = fcc(14)
    strides = {
        s: median_seconds(engine(structure, s), repeats) / n_boxes(structure, s)
        for s in (1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
    }
    boxes = {
        b: median_seconds(engine(structure, 3.0, b), repeats) / n_boxes(structure, 3.0, b)
        for b in (8.0, 10.0, 12.0, 16.0, 20.0, 24.0)
    }
    return {
        "atoms": list(atoms.items()), "stride": list(strides.items()), "box size": list(boxes.items()),
        "boxes at 16 Å and 3 Å": n_boxes(structure, 3.0),
    }  # fmt: skip


def breakdown(repeats: int) -> dict:
    """Where the time goes in a map of thermal fcc at 3 Å and 1 Å stride, one thread, share of the whole."""
    import arise_core as arise
    from arise_core import network, strided
    from arise_core.model import dropout as sampling

    spent: dict[str, float] = {}

    def timed(owner: object, name: str, label: str) -> None:
        real = getattr(owner, name)

        def wrapper(*args, **kwargs):
            start = time.perf_counter()
            try:
                return real(*args, **kwargs)
            finally:
                spent[label] = spent.get(label, 0.0) + time.perf_counter() - start

        setattr(owner, name, wrapper)

    timed(engine_loops, "add_histograms", "pair densities (length scales)")
    timed(strided.PairDensity, "scales", "pair densities (length scales)")
    timed(engine_loops, "add_sums", "pairs: search, harmonics, corners")
    timed(engine_loops, "accumulate", "sums over boxes")
    timed(engine_loops, "contract", "contraction and power spectrum")
    timed(network._Runner, "log_probabilities", "network")
    timed(network._Runner, "evaluate", "network")
    timed(sampling.Statistics, "add", "Monte Carlo statistics")
    timed(sampling.Statistics, "settled", "Monte Carlo statistics")
    model = arise.load_model("arise-108")
    structure = fcc(8)
    out = {}
    for stride in (3.0, 1.0):
        run = lambda stride=stride: arise.strided_map(structure, model, stride=stride)  # noqa: E731
        run()
        rows = []
        for _ in range(repeats):
            spent.clear()
            start = time.perf_counter()
            run()
            whole = time.perf_counter() - start
            rows.append({**spent, "the rest": whole - sum(spent.values()), "whole": whole})
        out[f"{stride:g} Å"] = {k: statistics.median(r[k] for r in rows) for k in rows[0]}
    return out


def against_ovito(repeats: int) -> dict:
    """OVITO's structure identification on the same thermal fcc, and a whole map at 3 Å, same threads."""
    from ovito.data import DataCollection, Particles
    from ovito.modifiers import (
        AcklandJonesModifier,
        CommonNeighborAnalysisModifier,
        PolyhedralTemplateMatchingModifier,
    )

    import arise_core as arise

    structure = fcc(29)  # 97,556 atoms
    data = DataCollection()
    particles = Particles()
    particles.create_property("Position", data=structure.positions)
    data.objects.append(particles)
    cell = np.zeros((3, 4))
    cell[:, :3] = structure.cell.T
    data.create_cell(cell, pbc=(True, True, True))
    modes = CommonNeighborAnalysisModifier.Mode
    methods = {
        "PTM": PolyhedralTemplateMatchingModifier(),
        "CNA": CommonNeighborAnalysisModifier(mode=modes.FixedCutoff, cutoff=0.854 * LATTICE),
        "a-CNA": CommonNeighborAnalysisModifier(mode=modes.AdaptiveCutoff),
        "Ackland-Jones": AcklandJonesModifier(),
    }
    out: dict = {"atoms": len(structure)}
    for name, modifier in methods.items():
        seconds = median_seconds(lambda m=modifier: data.clone().apply(m), repeats)
        out[f"{name}, atoms a second"] = len(structure) / seconds
    model = arise.load_model("arise-108")
    seconds = median_seconds(lambda: arise.strided_map(structure, model, stride=3.0), repeats, small_map)
    out["ARISE map at 3 Å, atoms a second"] = len(structure) / seconds
    for name in methods:
        out[f"{name} over ARISE"] = out[f"{name}, atoms a second"] / out["ARISE map at 3 Å, atoms a second"]
    return out


def monte_carlo(repeats: int) -> dict:
    """Cost of a forward pass, and how many passes a tolerance of 0.01 bit takes."""
    import arise_core as arise
    from arise_core.descriptor.soap import describe

    model = arise.load_model("arise-108")
    rng = np.random.default_rng(0)
    fcc_cell = arise.build(arise.prototype("fcc"))
    base = describe(fcc_cell, model.descriptor)
    x = base + rng.normal(0, 0.01, (4096, len(base)))
    seconds = median_seconds(lambda: model.predict(x, arise.SamplingSettings(passes=64)), repeats)
    return {
        "rows": len(x),
        "µs a row and pass": 1e6 * seconds / len(x) / 64,
        "passes that independent masks need over those of balanced ones": masks_compared(model),
        **adaptive_compared(model),
    }


def masks_compared(model) -> float:
    """Ratio of the variances of the mutual information over seeds, independent over balanced masks, 64 passes.

    Rows between fcc and hcp, so that there is doubt; median over rows.
    """
    import arise_core as arise
    from arise_core import network
    from arise_core.descriptor.soap import describe
    from arise_core.model import dropout as sampling

    rng = np.random.default_rng(0)
    a, b = (describe(arise.build(arise.prototype(n)), model.descriptor) for n in ("fcc", "hcp"))
    share = np.linspace(0.2, 0.8, 64)[:, None]
    x = (1 - share) * a + share * b + rng.normal(0, 5e-4, (64, len(a)))

    def spread() -> np.ndarray:
        values = [
            model.predict(x, arise.SamplingSettings(passes=64, seed=s)).mutual_information for s in range(100)
        ]
        return np.var(values, axis=0)

    def independent(seed: int, block: int, widths: tuple[int, ...], rate: float) -> list[np.ndarray]:
        g = np.random.default_rng((seed, block))
        return [((g.random((sampling.BLOCK, w)) >= rate) / (1 - rate)).astype(np.float32) for w in widths]

    balanced, real = spread(), network.dropout_masks
    network.dropout_masks = independent
    try:
        theirs = spread()
    finally:
        network.dropout_masks = real
    doubtful = theirs > 1e-4
    return float(np.median(theirs[doubtful] / balanced[doubtful])) if doubtful.any() else float("nan")


def adaptive_compared(model) -> dict:
    """Adaptive passes (0.01 bit, at most 1000) against 10,000 with other masks, boxes of a polycrystal."""
    import arise_core as arise
    from arise_core import Structure
    from arise_core.engine.boxes import describe_boxes
    from arise_core.geometry import builders

    rng = np.random.default_rng(3)
    grains = [arise.build(arise.prototype(n)) for n in ("fcc", "bcc", "hcp", "fcc", "diamond")]
    s = builders.polycrystal(grains, (48, 48, 48), pbc=True, rng=rng)
    s = Structure(s.positions + rng.normal(0, 0.1, s.positions.shape), s.numbers, s.cell, s.pbc)
    grid = arise.box_grid(s, arise.MapSettings(box_size=12.0, stride=6.0))
    x = describe_boxes(grid, model.descriptor).features
    a = model.predict(x, arise.SamplingSettings(tolerance=0.01))
    b = model.predict(x, arise.SamplingSettings(passes=10_000, seed=1))
    error = np.abs(a.mutual_information - b.mutual_information)
    stated = np.maximum(3 * np.hypot(a.standard_error, b.standard_error), 0.01)
    return {
        "boxes of a polycrystal": len(x),
        "mean passes there": float(a.passes.mean()),
        "share within 3 standard errors (or the tolerance) of 10,000 passes": float((error < stated).mean()),
        "share with the label of 10,000 passes": float((a.labels == b.labels).mean()),
    }


def importing(repeats: int) -> dict:
    """Importing the packages, in new processes."""
    out = {}
    for module in ("arise_core", "ase_arise"):
        command = [sys.executable, "-c", f"import {module}"]
        out[f"import {module}, s"] = median_seconds(lambda c=command: subprocess.run(c, check=True), repeats)
    return out


CASES: dict[str, tuple[Callable[[int], dict], int]] = {  # function, threads
    "against dscribe": (against_dscribe, 1),
    "against quippy": (against_quippy, 1),
    "superalloy, descriptors": (superalloy_descriptors, 2),
    "superalloy, whole map": (superalloy_map, 2),
    "132,000 atoms": (lambda repeats: many_atoms(repeats, 32), 2),
    "1,000,000 atoms": (lambda repeats: many_atoms(repeats, 63), 2),
    "nanoparticle": (nanoparticle, 2),
    "surfaces": (surfaces, 2),
    "scaling": (scaling, 2),
    "where the time goes": (breakdown, 1),
    "against OVITO": (against_ovito, 2),
    "Monte Carlo": (monte_carlo, 2),
    "import": (importing, 2),
}
#: What was aimed at; "shape" in the name of a figure stands for all shapes.
GOALS = {
    ("against dscribe", "ratio at 3 Å"): "at least 100",
    ("against dscribe", "ratio at 1 Å"): "at least 1000",
    ("against quippy", "ratio at 3 Å"): "at least 2000",
    ("superalloy, descriptors", "seconds"): "at most 40",
    ("superalloy, descriptors", "peak GiB"): "at most 4",
    ("superalloy, whole map", "seconds"): "at most 120",
    ("1,000,000 atoms", "peak GiB"): "at most 8",
    ("nanoparticle", "seconds"): "at most 120",
    ("Monte Carlo", "share within 3 standard errors (or the tolerance) of 10,000 passes"): "at least 0.99",
    ("import", "import arise_core, s"): "at most 2",
}


# --- running and writing ---------------------------------------------------------------------------------------


def run_case(name: str, repeats: int) -> dict:
    """One case in a process of its own."""
    _, count = CASES[name]
    names = ("ARISE_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OVITO_THREAD_COUNT")
    environment = os.environ | dict.fromkeys(names, str(count))
    command = [sys.executable, __file__, "--case", name, "--repeats", str(repeats)]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if result.returncode:
        raise RuntimeError(f"{name}: {result.stderr[-2000:]}")
    return {"threads": count, **json.loads(result.stdout.splitlines()[-1])}


def machine() -> dict[str, str]:
    """What the figures were measured with."""
    cpu = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if "model name" in line
        ]
        cpu = f"{names[0]}, {len(names)} cores" if names else cpu
    packages = {}
    for package in ("ovito-arise", "numpy", "numba", "torch", "dscribe", "ovito", "quippy-ase"):
        try:
            packages[package] = version(package)
        except PackageNotFoundError:
            packages[package] = "not installed"
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    python = platform.python_version()
    return {"processor": cpu, "load before": load, "python": python, **packages}


def number(value: object) -> str:
    """A figure for a table."""
    if isinstance(value, float):
        return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def write(results: dict[str, dict], folder: Path) -> None:
    """Tables as Markdown, plots as PNG, all figures as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "speed.json").write_text(json.dumps(results, indent=1) + "\n")
    lines = [
        "# Speed and memory", "",
        "Made by `python benchmarks/speed.py`. Medians; each ratio is from one run on the same number of threads.", "",
        "| | |", "|---|---|", *[f"| {k} | {v} |" for k, v in results["machine"].items()], "",
    ]  # fmt: skip
    for name, figures in results.items():
        if name in ("machine", "scaling", "where the time goes"):
            continue
        lines += [f"## {name}", ""]
        about = CASES[name][0].__doc__
        lines += [about.splitlines()[0], ""] if about else []
        lines += ["| figure | value | goal |", "|---|---|---|"]
        lines += [f"| {k} | {number(v)} | {GOALS.get((name, k), '')} |" for k, v in figures.items()]
        lines.append("")
    small, large = results.get("132,000 atoms"), results.get("1,000,000 atoms")
    if small and large:
        ratio = large["µs an atom"] / small["µs an atom"]
        lines += [
            f"Cost per atom at 1,000,000 atoms over that at 132,000: {ratio:.2f} (goal: at most 1.3).",
            "",
        ]
    if "where the time goes" in results:
        about = (breakdown.__doc__ or "").splitlines()[0]
        table = {k: v for k, v in results["where the time goes"].items() if isinstance(v, dict)}
        lines += [
            "## where the time goes",
            "",
            about,
            "",
            "| part | " + " | ".join(table) + " |",
            "|---|" + "---|" * len(table),
        ]
        for part in next(iter(table.values())):
            shares = [
                f"{column[part]:.2f} s ({column[part] / column['whole']:.0%})" for column in table.values()
            ]
            lines.append(f"| {part} | " + " | ".join(shares) + " |")
        lines.append("")
    if "scaling" in results:
        plot(results["scaling"], folder / "scaling.png")
        lines += ["## scaling", "", "![cost against atoms, stride and box size](scaling.png)", ""]
    (folder / "speed.md").write_text("\n".join(lines))


def plot(figures: dict, path: Path) -> None:
    """Cost against number of atoms, stride and box size."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(11, 3.3), constrained_layout=True)
    for axis, (key, label, unit) in zip(
        axes,
        [
            ("atoms", "number of atoms", "time (s), 16 Å boxes every 3 Å"),
            ("stride", "stride (Å)", "time a box (ms), 16 Å boxes"),
            ("box size", "box size (Å)", "time a box (ms), every 3 Å"),
        ],
        strict=True,
    ):
        x, y = np.array(figures[key], dtype=float).T
        axis.loglog(x, y if key == "atoms" else 1e3 * y, "o-")
        axis.set_xlabel(label)
        axis.set_ylabel(unit)
        if key != "atoms":
            axis.set_xticks(x, [f"{value:g}" for value in x])
            axis.minorticks_off()
        axis.grid(alpha=0.3)
    figure.savefig(path, dpi=130)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=list(CASES), default=list(CASES), metavar="CASE")
    parser.add_argument("--case", choices=list(CASES), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(CASES[arguments.case][0](arguments.repeats)))
        return
    file = arguments.out / "speed.json"
    results = json.loads(file.read_text()) if file.exists() and len(arguments.only) < len(CASES) else {}
    results["machine"] = machine()
    for name in arguments.only:
        print(name, flush=True)
        results[name] = run_case(name, arguments.repeats)
        for key, value in results[name].items():
            print(f"    {key}: {value if not isinstance(value, float) else number(value)}", flush=True)
        write({name: results[name] for name in ("machine", *CASES) if name in results}, arguments.out)


if __name__ == "__main__":
    main()
