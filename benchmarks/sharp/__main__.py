"""How sharp maps are, beside OVITO's own methods; writes docs/benchmarks/sharp.md, sharp.csv and pictures.

    python -m benchmarks.sharp [--frames DIR] [--out DIR] [--quick] [--md DIR] [--only GOAL ...] [--method NAME ...]

Makes the frames that are not there yet (``frames.py``) and asks every method of ``methods.py`` what each atom is.
Answers are kept beside the frames, by model and method: take ``--again`` after a change of the code of maps, or after
one to a method. The short form takes small frames without molecular dynamics, and writes to out/benchmarks.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pandas as pd

import arise_core as arise
from benchmarks.measure import DOCS, QUICK
from benchmarks.sharp.frame import GOALS, Frame
from benchmarks.sharp.frames import hot_crystals, make
from benchmarks.sharp.methods import Answer, Method, methods
from benchmarks.sharp.page import COARSE, document, draw_fronts, draw_spheres
from benchmarks.sharp.scores import score
from benchmarks.structures import fcc

#: Methods that have answered before, so that nothing is compiled or loaded any more.
warm: set[str] = set()


def answer(frame: Frame, name: str, method: Method, folder: Path, again: bool) -> Answer:
    """What a method says of a frame; from its file in `folder` if it has been asked before."""
    path = folder / f"{frame.name}, {name}.npz"
    if again or not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        if name not in warm:
            method(fcc(4))
            warm.add(name)
        start = time.process_time()
        said = method(frame.structure)
        replace(said, seconds=time.process_time() - start).save(path)
    return Answer.load(path)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sharp", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )  # fmt: skip
    parser.add_argument("--frames", type=Path, help="folder of the frames; default: in out/")
    parser.add_argument("--out", type=Path, help="of page, table and pictures; default: docs/benchmarks")
    parser.add_argument(
        "--md", type=Path, metavar="DIR", help="more hot crystals: what benchmarks.md.run has made there"
    )
    parser.add_argument("--model", default="arise-108")
    parser.add_argument("--quick", action="store_true", help="small frames without molecular dynamics")
    parser.add_argument("--only", nargs="+", choices=GOALS, default=GOALS, metavar="GOAL")
    parser.add_argument("--method", nargs="+", metavar="NAME", help="some of the methods; default: all")
    parser.add_argument("--again", nargs="*", metavar="NAME", help="methods to ask again; no name: all")
    given = parser.parse_args(arguments)
    model = arise.load_model(given.model)
    known = methods(model)
    for name in [*(given.method or []), *(given.again or [])]:
        if name not in known:
            parser.error(f"no method {name!r}; there are {', '.join(known)}")
    chosen = {name: known[name] for name in given.method or known}
    again = set() if given.again is None else set(given.again or known)
    home = given.frames or QUICK / ("sharp-quick" if given.quick else "sharp")
    out = given.out or (QUICK if given.quick else DOCS)
    kept = home / f"answers-{model.name}-{model.card.weights_sha256[:12]}"
    rows, fronts = [], []
    hot = hot_crystals(given.md) if given.md and "bulk" in given.only else ()
    for frame in chain((Frame.load(path) for path in make(home, given.only, given.quick)), hot):
        said = {n: answer(frame, n, method, kept, n in again) for n, method in chosen.items()}
        for name, one in said.items():
            rows += score(frame, name, one, said.get(COARSE))
        if frame.goal == "fronts":
            fronts.append((frame, said))
        print(frame.name, flush=True)
    table = pd.DataFrame(rows)
    out.mkdir(parents=True, exist_ok=True)
    table.to_csv(out / "sharp.csv", index=False, float_format="%.4f", lineterminator="\n")
    draw_fronts(fronts, out / "sharp-fronts.png")
    draw_spheres(table, out / "sharp-spheres.png")
    text = document(table, model, given.quick)
    (out / "sharp.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
