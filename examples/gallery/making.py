"""Makes the pages of the gallery, as many at a time as there are workers; those that are there already stay."""

from __future__ import annotations

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
from examples.gallery.page import MODEL, Case, Page

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
