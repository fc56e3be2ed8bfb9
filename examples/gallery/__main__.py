"""Make the pages of the gallery, as many at a time as there are cores; those that are there already stay.

python -m examples.gallery [NAME ...] [--quick] [--out DIR] [--again] [--workers N]
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import platform
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import as_completed
from pathlib import Path

import arise_core as arise
from arise_core.runtime.workers import processes
from arise_core.version import VERSION
from examples.gallery.page import DOCS, MODEL, QUICK, Case, Page, index

#: Modules that make a page each, by the name of the page.
PAGES = (
    "slab", "superalloy", "particle", "boundaries", "unknown", "bain", "temperature", "pattern", "graphene", "tilings",
)  # fmt: skip


def case(name: str) -> Case:
    """What makes a page."""
    found: Case = importlib.import_module(f"examples.gallery.{name}").CASE
    return found


def state(name: str, quick: bool) -> dict[str, str | bool]:
    """What a page was made by: one that was made by the same need not be made again."""
    code = Path(__file__).with_name(f"{name}.py").read_bytes()
    weights = arise.load_model(MODEL).card.weights_sha256
    return {"quick": quick, "code": hashlib.sha256(code).hexdigest()[:12], "weights": weights}


def make(name: str, folder: Path, quick: bool, again: bool) -> bool:
    """Make a page unless it is there; whether it was made."""
    now, file = state(name, quick), folder / f"{name}.json"
    if not again and file.exists():
        then = json.loads(file.read_text("utf-8"))
        if all(then.get(k) == v for k, v in now.items()):
            return False
    page = Page(case(name), folder, quick)
    start = time.process_time()  # of all threads: wall time would be that of a busy machine
    page.case.make(page)
    seconds = time.process_time() - start
    command = f"python -m examples.gallery {name}" + (" --quick" if quick else "")
    machine = f"{platform.system()}, {platform.machine()}, {os.cpu_count()} cores"
    facts = {"command": command, "model": MODEL, "machine": machine}
    page.write(seconds, facts | now | {"version": VERSION})
    print(f"{name}: {seconds:.1f} s of one core", flush=True)
    return True


def made(
    names: Iterable[str], folder: Path, quick: bool, again: bool, workers: int
) -> Iterator[tuple[str, bool]]:
    """Make pages, each with one core unless it is the only one; name of each that is done, and whether it was made."""
    if workers == 1:
        for name in names:
            yield name, make(name, folder, quick, again)
        return
    with processes(workers) as pool:
        running = {pool.submit(make, name, folder, quick, again): name for name in names}
        for done in as_completed(running):
            yield running[done], done.result()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.gallery", description=__doc__.splitlines()[0])
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"pages, all if left out: {', '.join(PAGES)}"
    )
    parser.add_argument("--quick", action="store_true", help="small structures and coarse maps")
    parser.add_argument("--out", type=Path, help="default: docs/gallery, with --quick out/gallery")
    parser.add_argument("--again", action="store_true", help="pages that are there too")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="pages at a time; default: one a core"
    )
    given = parser.parse_args(arguments)
    unknown = [name for name in given.names if name not in PAGES]
    if unknown:
        parser.error(f"no page {', '.join(unknown)}; there are {', '.join(PAGES)}")
    folder = given.out or (QUICK if given.quick else DOCS)
    names = given.names or PAGES
    for name, new in made(names, folder, given.quick, given.again, max(1, min(given.workers, len(names)))):
        if not new:
            print(f"{name}: is there", flush=True)
        (folder / "index.md").write_text(index(folder), "utf-8")
    print(f"pages are in {folder}")


if __name__ == "__main__":
    main()
