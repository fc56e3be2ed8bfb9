"""A trajectory on a thousand workers, on paper: what one frame costs each part; writes docs/benchmarks/scale.md.

    python -m benchmarks.scale [--frames 10] [--cells 17] [--many 10000] [--out DIR]

Measured here: processor seconds of frames (copper of which more and more is molten, so that they differ), frames a
second by 1, 2 and 4 processes, Dask's and the process pool's time of an empty task, processor seconds of finding
frames in a file and of writing rows, and the memory of the first process. Simulated: more workers. The first process
hands out tasks one after the other, each taking the longer of finding it and of the scheduler; workers draw their
times from the measured ones; the first process writes all that has ended meanwhile, in a fixed time and a time a row.
"""

from __future__ import annotations

import argparse
import heapq
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk

import arise_core as arise
from arise_core.progress import Step
from arise_core.runtime.tasks import Hands, Task
from arise_core.settings import RecognitionSettings
from arise_core.trajectories.rows import Row
from arise_core.trajectories.store import Store
from ase_arise import trajectory
from ase_arise.begins import DUMP
from ase_arise.cutting import places
from ase_arise.reading import Reader
from ase_arise.trajectories.frames import frames_in
from ase_arise.trajectories.job import TrajectoryOrder, recognise_task
from benchmarks.measure import DOCS, in_new_process, peak_gib, resident
from benchmarks.robustness.structure_files import dump
from benchmarks.tables import write_figures
from benchmarks.trajectory import SETTINGS

WORKERS = (1, 2, 4, 16, 64, 256, 1000, 4000)
#: Tasks a worker that are simulated, and that are measured empty.
EACH, EMPTY = 50, 1000
#: Rows that are written at once for the fixed time and the time a row.
FEW, MANY = 1, 64


def write_melting(path: Path, count: int, cells: int) -> int:
    """Copper of which more and more is molten, from one frame to the next; atoms of a frame."""
    atoms = bulk("Cu", cubic=True) * (cells, cells, cells)
    sites = atoms.positions.copy()
    rng = np.random.default_rng(0)
    with path.open("w", encoding="utf-8") as file:
        for k in range(count):
            molten = atoms.get_scaled_positions()[:, 0] > 1 - k / max(count - 1, 1)
            scale = np.where(molten, 0.5, 0.15)[:, None]
            atoms.positions = sites + rng.normal(0, 1, sites.shape) * scale
            file.write(dump(atoms))
            atoms.positions = sites
    return len(atoms)


def settings() -> dict[str, Any]:
    """Those of benchmarks.trajectory, for Python."""
    return {
        k.strip("-").replace("-", "_"): float(v) for k, v in zip(SETTINGS[::2], SETTINGS[1::2], strict=True)
    }


def frame_seconds(path: Path) -> list[float]:
    """Processor seconds of each frame of a file, read and recognised."""
    model = arise.load_model("arise-108")
    order = TrajectoryOrder(str(model.path), RecognitionSettings.of(settings()))
    found = []
    refs = list(frames_in(0, str(path), Reader()))
    for ref in [refs[0], *refs]:  # the first time loads the model and the loops
        begin = time.process_time()
        (row,) = recognise_task([ref], order)
        found.append(time.process_time() - begin)
        if row.error:
            raise RuntimeError(f"{ref.name}: {row.error}")
    return found[1:]


def rate(path: Path, out: Path, workers: int) -> float:
    """Frames a second by the clock, without the start of the processes: from the first one that is done to the last."""
    stamps: list[tuple[float, int]] = []

    def progress(step: Step) -> None:
        stamps.append((time.perf_counter(), int(step.message.split()[0])))

    trajectory(path, out, workers=workers, overwrite=True, progress=progress, **settings())
    (begin, before), (end, after) = stamps[0], stamps[-2]
    return (after - before) / (end - begin)


def nothing(k: int) -> int:
    """An empty task."""
    return k


def seconds_a_task(executor: Executor | None) -> float:
    """Of empty tasks, by Dask's or by two processes."""
    tasks = [Task("nothing", str(k), nothing, (k,)) for k in range(EMPTY)]
    job = Hands.of(2 if executor is None else None, executor).do(tasks)
    for _ in range(EMPTY // 10):  # they start
        next(job)
    begin = time.perf_counter()
    count = sum(1 for _ in job)
    return (time.perf_counter() - begin) / count


def of_dask() -> float:
    """Seconds of an empty task on a cluster of two workers in processes of their own; NaN without Dask."""
    try:
        from dask import distributed
    except ImportError:
        return float("nan")
    make: Any = distributed.Client
    with make(n_workers=2, threads_per_worker=1, dashboard_address=None) as client:
        return seconds_a_task(client.get_executor())


def made_row(row: int, file: int, number: int, n_atoms: int, values: bool) -> Row:
    """A row as of a hot crystal."""
    rng = np.random.default_rng(row)
    share = np.zeros(110)
    share[0] = 1.0
    more: dict[str, Any] = {}
    if values:
        label = np.where(rng.random(n_atoms) < 0.95, 3, -2).astype(np.int16)
        doubt = np.abs(rng.normal(0, 0.02, n_atoms)).astype(np.float16)
        more = {"label": label, "doubt": doubt, "group": np.zeros(n_atoms, np.int32)}
    return Row(
        row, file, number, step=number, n_atoms=n_atoms, share=share, share_low=share, share_high=share,
        mutual_information=0.1, quantiles=np.zeros(5), largest=np.zeros(108, int), **more,
    )  # fmt: skip


def of_writing(folder: Path, n_atoms: int, values: bool) -> tuple[float, float]:
    """Processor seconds of a write, and of each row in it."""
    model = arise.load_model("arise-108")
    known = {"model": model.name, "package_version": "0"}
    store = Store.open(folder / f"{values}.zarr", known, model.class_info, values, False, False)
    found = {}
    for size in (FEW, MANY, FEW, MANY):
        rows = [made_row(len(store.done) + k, 0, k, n_atoms, values) for k in range(5 * size)]
        begin = time.process_time()
        for k in range(5):
            store.write(rows[k * size : (k + 1) * size])
        found[size] = (time.process_time() - begin) / 5
    store.close()
    each = max((found[MANY] - found[FEW]) / (MANY - FEW), 1e-6)
    return max(found[FEW] - each, 0.0), each


class Instant(Executor):
    """Makes rows up, at once: what is left is the work of the first process."""

    def __init__(self, n_atoms: int) -> None:
        self._row = made_row(0, 0, 0, n_atoms, values=True)

    def submit(self, call: Callable[..., Any], /, *arguments: Any, **words: Any) -> Future[Any]:
        """Rows of the frames of a task."""
        future: Future[Any] = Future()
        refs = call.arguments[0]  # type: ignore[attr-defined]
        future.set_result([replace(self._row, row=r.row, number=r.number, step=r.number) for r in refs])
        return future


def first_process(count: int, n_atoms: int) -> dict[str, float]:
    """Memory of the first process, in so many frames, with values at so many atoms; to be called in a new one."""
    atoms = Atoms("Cu", cell=[4, 4, 4], pbc=True)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "md.dump"
        path.write_text(dump(atoms) * count, encoding="utf-8")
        trajectory(path, Path(name) / "warm.zarr", last=0, executor=Instant(n_atoms), atoms=True)
        before = resident("VmRSS")
        trajectory(path, Path(name) / "r.zarr", executor=Instant(n_atoms), atoms=True)
        return {"before, MiB": before, "peak, MiB": 1024 * peak_gib()}


def simulated(
    workers: int, seconds: Sequence[float], handing: float, fixed: float, each: float, seed: int = 0
) -> float:
    """Tasks a second, from the first to the last.

    Args:
        workers: how many.
        seconds: of a frame, drawn from these.
        handing: seconds from task to task that is handed out.
        fixed, each: seconds of a write, and of a row in it.
        seed: of the draws.
    """
    count = EACH * workers
    drawn = np.random.default_rng(seed).choice(np.asarray(seconds), count)
    drawn *= np.mean(seconds) / drawn.mean()  # few draws of few times have another mean
    free = [0.0] * workers
    ends = np.empty(count)
    for k, taken in enumerate(drawn):
        ends[k] = max(heapq.heappop(free), k * handing) + taken
        heapq.heappush(free, float(ends[k]))
    ends.sort()
    now, written = 0.0, 0
    while written < count:
        now = max(now, float(ends[written]))
        ready = int(np.searchsorted(ends, now, side="right"))
        now += fixed + each * (ready - written)
        written = ready
    return count / now


def measure(frames: int, cells: int, many: int) -> dict[str, float]:
    """All that is measured, and what is simulated with it."""
    found: dict[str, float] = {"frames": frames}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "md.dump"
        n = write_melting(path, frames, cells)
        found["atoms a frame"] = n
        begin = time.process_time()
        found["bytes a frame of the file"] = path.stat().st_size / len(list(places(str(path), DUMP)))
        finding = (time.process_time() - begin) / frames
        times = np.array(frame_seconds(path))
        for workers in (1, 2, 4):
            found[f"frames a second, {workers} workers, measured"] = rate(path, folder / "r.zarr", workers)
        pool, dask = seconds_a_task(None), of_dask()
        found |= {
            "processor s a frame, least": float(times.min()), "processor s a frame, mean": float(times.mean()),
            "processor s a frame, most": float(times.max()), "ms to find a frame": 1e3 * finding,
            "ms an empty task, processes": 1e3 * pool, "ms an empty task, Dask": 1e3 * dask,
        }  # fmt: skip
        writing = {values: of_writing(folder, n, values) for values in (False, True)}
        for values, (fixed, each) in writing.items():
            what = "with values at atoms" if values else "shares only"
            found[f"ms a write, {what}"], found[f"ms a row, {what}"] = 1e3 * fixed, 1e3 * each
    for few in (many // 10, many):
        words = ["--first-process", few, "--values", n]
        memory = in_new_process("benchmarks.scale", words, threads=1)
        found[f"MiB of the first process, {few:,} frames"] = memory["peak, MiB"]
        found["MiB of the first process, one frame"] = memory["before, MiB"]
    handing = max(finding, pool if np.isnan(dask) else dask)
    for workers in WORKERS:
        for values, (fixed, each) in writing.items():
            what = "with values at atoms" if values else "shares only"
            tasks = simulated(workers, times.tolist(), handing, fixed, each)
            found[f"efficiency, {workers:,} workers, {what}"] = tasks * float(times.mean()) / workers
    mean = float(times.mean())
    found["workers that the scheduler feeds"] = mean / handing
    found["workers that one file feeds"] = mean / finding
    for values, (_, each) in writing.items():
        found[f"workers whose rows are written, {'with values at atoms' if values else 'shares only'}"] = (
            mean / each
        )
    return found


def draw(found: Mapping[str, float], path: Path) -> None:
    """Efficiency against workers."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.subplots()
    for what, colour in (("shares only", "#1f6f8b"), ("with values at atoms", "#c05640")):
        values = [found[f"efficiency, {w:,} workers, {what}"] for w in WORKERS]
        axes.plot(WORKERS, values, "o-", color=colour, label=f"simulated, {what}")
    one = found["frames a second, 1 workers, measured"]
    measured = [found[f"frames a second, {w} workers, measured"] / one / w for w in (1, 2)]
    axes.plot((1, 2), measured, "ks", mfc="none", ms=9, label="measured on two cores, shares only")
    axes.set_xscale("log")
    axes.set_xticks(WORKERS, [f"{w:,}" for w in WORKERS])
    axes.minorticks_off()
    axes.set_ylim(0, 1.1)
    axes.set_xlabel("workers, one core each")
    axes.set_ylabel("efficiency")
    axes.set_title(f"Frames of {found['atoms a frame']:,.0f} atoms", fontsize=10)
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=130, metadata={"Software": None})


def write(found: Mapping[str, float], folder: Path) -> None:
    """The figures as a table, as JSON and as a picture."""
    text = (
        "Made by `python -m benchmarks.scale`, which says how the rest is simulated. Copper of which more and more is "
        "molten, in a LAMMPS dump, boxes of 12 Å every 4 Å; one thread a process; without the start. Efficiency: mean "
        "seconds a frame times frames a second over workers.\n\n![Efficiency against workers](scale.png)"
    )
    write_figures("scale", "Trajectories on many workers", text, found, folder)
    draw(found, folder / "scale.png")


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--frames", type=int, default=10)
    parser.add_argument(
        "--cells", type=int, default=17, help="cubic cells along an edge: 17 are 19,652 atoms"
    )
    parser.add_argument("--many", type=int, default=10_000, help="frames by which the memory is measured")
    parser.add_argument("--out", type=Path, default=DOCS)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--first-process", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--values", type=int, default=1, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.first_process:
        print(json.dumps(first_process(given.first_process, given.values)))
    elif given.measure:
        print(json.dumps(measure(given.frames, given.cells, given.many)))
    else:
        words = ["--measure", "--frames", given.frames, "--cells", given.cells, "--many", given.many]
        found = in_new_process("benchmarks.scale", words, threads=1)
        for name, value in found.items():
            print(f"{name:56s}{value:10.4g}")
        write(found, given.out)


if __name__ == "__main__":
    main()
