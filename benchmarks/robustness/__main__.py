"""Mutated structure files of seven formats and mutated model files through the doors: what becomes of them.

    python -m benchmarks.robustness [--minutes 10] [--structures 2000] [--models 1000] [--seed 0] [--out DIR]
                                    [--go-on] [--write]

Each door is a process of its own, with a limit of time and memory for each file. The table says how many files had an
answer, a clear error, a traceback, no end, too much memory, or ended the process; files of the last four are kept in
`DIR/failed`. A model file that nobody signed anew and that is loaded all the same is counted as altered. `--go-on`
takes what is in `DIR/outcomes.jsonl` from a run before it, of the same seed, and does the rest. Needs Linux.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from ase.build import bulk
from ase.io import write

from arise_core.runtime.files import zoo_root
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


class Record:
    """Outcomes on the disk, a line each, as they come.

    Args:
        path: of the file.
        seed: of the run.
        go_on: whether outcomes of a run before this one count.

    Raises:
        ValueError: they are of another seed.
    """

    def __init__(self, path: Path, seed: int, go_on: bool) -> None:
        self.found: list[Outcome] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = path.read_text(encoding="utf-8").splitlines(keepends=True) if go_on and path.exists() else []
        whole = [line for line in whole if line.endswith("\n")] or [json.dumps({"seed": seed}) + "\n"]
        if json.loads(whole[0])["seed"] != seed:
            raise ValueError(f"{path} is of another seed: {whole[0].strip()}")
        path.write_text("".join(whole), encoding="utf-8")
        self.found = [Outcome(**json.loads(line)) for line in whole[1:]]
        self._done = {(o.door, o.number) for o in self.found}
        self._path = path

    def has(self, door: str, number: int) -> bool:
        """Whether a file was at a door."""
        return (door, number) in self._done

    def add(self, outcome: Outcome) -> None:
        """One more."""
        self.found.append(outcome)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(outcome)) + "\n")


def structures(minutes: float, number: int, seed: int, failed: Path, record: Record) -> None:
    """Structure files, each through all doors."""
    doors = [Door(name) for name in STRUCTURE_DOORS]
    until = time.monotonic() + 60 * minutes
    with tempfile.TemporaryDirectory() as folder:
        good = Path(folder) / "good.xyz"
        write(good, bulk("Cu", cubic=True) * (4, 4, 4))
        try:
            for k in range(number):
                todo = [door for door in doors if not record.has(door.name, k)]
                if not todo:
                    continue
                if time.monotonic() > until:
                    return
                made = write_file(Path(folder), k, np.random.default_rng([seed, k]))
                for door in todo:
                    found = door.ask(k, made.path, f"{made.change}, {made.damage}", good)
                    _keep(found, made.path, failed)
                    record.add(found)
                made.path.unlink()
        finally:
            for door in doors:
                door.close()


def models(minutes: float, number: int, seed: int, failed: Path, record: Record) -> None:
    """Model files through `load_model`."""
    folder = zoo_root() / "arise-108"
    safe, script = ((folder / name).read_bytes() for name in ("model.safetensors", "model.pt"))
    door = Door(MODEL_DOOR)
    until = time.monotonic() + 60 * minutes
    made = model_files.mutated(safe, script, np.random.default_rng(seed))
    with tempfile.TemporaryDirectory() as place:
        try:
            for k, (kind, ending, content, refused) in zip(range(number), made, strict=False):
                if record.has(MODEL_DOOR, k):
                    continue
                if time.monotonic() > until:
                    return
                path = Path(place) / f"{k:05d}-{kind}{ending}"
                path.write_bytes(content)
                found = door.ask(k, path, kind, folder / "model.safetensors")
                if found.outcome == ANSWER and refused and content not in (safe, script):
                    found = found.but(ALTERED)
                _keep(found, path, failed)
                record.add(found)
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
    parser.add_argument("--go-on", action="store_true", help="with the run that was stopped in DIR")
    given = parser.parse_args(arguments)
    failed = given.out / "failed"
    record = Record(given.out / "outcomes.jsonl", given.seed, given.go_on)
    models(0.2 * given.minutes, given.models, given.seed, failed, record)
    structures(0.8 * given.minutes, given.structures, given.seed, failed, record)
    text = "\n\n".join(
        [
            f"Made by `python -m benchmarks.robustness`, seed {given.seed}; limits for one file: "
            f"{SECONDS:g} s of one core and "
            f"{GIB:g} GiB more than before. {machine()['processor']}.",
            table(record.found),
            kinds(record.found),
        ]
    )
    (given.out / "robustness.md").write_text(text + "\n", encoding="utf-8")
    print(text)
    if given.write:
        put("files", text)
    return 0 if all(o.outcome in GOOD for o in record.found) else 1


if __name__ == "__main__":
    sys.exit(main())
