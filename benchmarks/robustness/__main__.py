"""Mutated structure files of seven formats and mutated model files through the doors: what becomes of them.

    python -m benchmarks.robustness [--minutes 10] [--structures 2000] [--models 1000] [--seed 0] [--out DIR] [--write]

Each door is a process of its own, with a limit of time and memory for each file. The table says how many files had an
answer, a clear error, a traceback, no end, too much memory, or ended the process; files of the last four are kept in
`DIR/failed`. A model file that nobody signed anew and that is loaded all the same is counted as altered.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from ase.build import bulk
from ase.io import write

from arise_core.runtime.files import zoo_root
from arise_core.runtime.tables import write_csv
from benchmarks.measure import QUICK, machine
from benchmarks.robustness import model_files
from benchmarks.robustness.fuzz import GIB, SECONDS, Door, Outcome
from benchmarks.robustness.page import put
from benchmarks.robustness.structure_files import write_file
from benchmarks.robustness.worker import ANSWER, CRASH, ERROR, HANG, MEMORY, READER, TRACEBACK
from benchmarks.tables import markdown

STRUCTURE_DOORS = ("classify", "map", "OVITO modifier")
MODEL_DOOR = "model file"
#: A model file that was changed and is loaded all the same, with its old hash.
ALTERED = "altered"
#: What may be, and what must not. Where OVITO's own reader does not end or ends the process, we are not asked.
GOOD, BAD = (ANSWER, ERROR, READER), (TRACEBACK, HANG, MEMORY, CRASH, ALTERED)


def structures(minutes: float, number: int, seed: int, failed: Path) -> Iterator[Outcome]:
    """Structure files, each through all doors."""
    doors = [Door(name) for name in STRUCTURE_DOORS]
    rng = np.random.default_rng(seed)
    until = time.monotonic() + 60 * minutes
    with tempfile.TemporaryDirectory() as folder:
        good = Path(folder) / "good.xyz"
        write(good, bulk("Cu", cubic=True) * (4, 4, 4))
        try:
            for k in range(number):
                if time.monotonic() > until:
                    return
                made = write_file(Path(folder), k, rng)
                kind = f"{made.change}, {made.damage}"
                for door in doors:
                    found = door.ask(made.path, kind, good)
                    _keep(found, made.path, failed)
                    yield found
                made.path.unlink()
        finally:
            for door in doors:
                door.close()


def models(minutes: float, number: int, seed: int, failed: Path) -> Iterator[Outcome]:
    """Model files through `load_model`."""
    folder = zoo_root() / "arise-108"
    safe, script = ((folder / name).read_bytes() for name in ("model.safetensors", "model.pt"))
    door = Door(MODEL_DOOR)
    until = time.monotonic() + 60 * minutes
    made = model_files.mutated(safe, script, np.random.default_rng(seed))
    with tempfile.TemporaryDirectory() as place:
        try:
            for k, (kind, ending, content, refused) in zip(range(number), made, strict=False):
                if time.monotonic() > until:
                    return
                path = Path(place) / f"{k:05d}-{kind}{ending}"
                path.write_bytes(content)
                found = door.ask(path, kind, folder / "model.safetensors")
                if found.outcome == ANSWER and refused and content not in (safe, script):
                    found = found.but(ALTERED)
                _keep(found, path, failed)
                yield found
                path.unlink()
        finally:
            door.close()


def _keep(found: Outcome, path: Path, failed: Path) -> None:
    if found.outcome in BAD:
        failed.mkdir(parents=True, exist_ok=True)
        kept = failed / f"{found.door.replace(' ', '-')}-{found.outcome}-{path.name}"
        kept.write_bytes(path.read_bytes())
        kept.with_name(kept.name + ".txt").write_text(found.said, encoding="utf-8")
        print(f"{found.outcome}: {kept}", flush=True)


def table(found: Sequence[Outcome]) -> str:
    """Counts by door."""
    doors = list(dict.fromkeys(o.door for o in found))
    rows = []
    for door in doors:
        here = [o for o in found if o.door == door]
        counts = Counter(o.outcome for o in here)
        slowest, largest = max(o.seconds for o in here), max(o.gib for o in here)
        rows.append(
            [
                door,
                f"{len(here):,}",
                *(f"{counts[o]:,}" for o in (*GOOD, *BAD)),
                f"{slowest:.1f}",
                f"{largest:.2f}",
            ]
        )
    columns = ("door", "files", *GOOD, *BAD, "slowest, s", "most memory, GiB")
    return markdown(rows, columns, ["left"] + ["right"] * (len(columns) - 1))


def kinds(found: Sequence[Outcome]) -> str:
    """Counts by what was done to the file, over all doors."""
    rows = []
    for kind in sorted({part for o in found for part in o.kind.split(", ")} - {"unchanged", "undamaged"}):
        counts = Counter(o.outcome for o in found if kind in o.kind.split(", "))
        rows.append([kind, *(f"{counts[o]:,}" for o in GOOD), f"{sum(counts[o] for o in BAD):,}"])
    return markdown(rows, ("what was done", *GOOD, "others"), ["left"] + ["right"] * 3)


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.robustness",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--minutes", type=float, default=10.0, help="for all; a fifth of them for model files"
    )
    parser.add_argument("--structures", type=int, default=2000)
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=QUICK / "robustness")
    parser.add_argument("--write", action="store_true", help="put the table into docs/robustness.md")
    given = parser.parse_args(arguments)
    failed = given.out / "failed"
    found = [
        *models(0.2 * given.minutes, given.models, given.seed, failed),
        *structures(0.8 * given.minutes, given.structures, given.seed, failed),
    ]
    given.out.mkdir(parents=True, exist_ok=True)
    columns = ("door", "file", "kind", "outcome", "seconds", "gib", "said")
    write_csv(given.out / "robustness.csv", columns, [[getattr(o, c) for c in columns] for o in found])
    text = "\n\n".join(
        [
            f"Made by `python -m benchmarks.robustness`, seed {given.seed}; limits for one file: "
            f"{SECONDS:g} s of one core and "
            f"{GIB:g} GiB more than before. {machine()['processor']}.",
            table(found),
            kinds(found),
        ]
    )
    (given.out / "robustness.md").write_text(text + "\n", encoding="utf-8")
    print(text)
    if given.write:
        put("files", text)
    return 0 if all(o.outcome in GOOD for o in found) else 1


if __name__ == "__main__":
    sys.exit(main())
