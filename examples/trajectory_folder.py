"""Go over all trajectories of a folder with OVITO, one line a frame in one table.

    python examples/trajectory_folder.py [FOLDER] [--pattern "*.xyz"] [--types "1: Cu"] [--out DIR] [--quick]

What one should see: one curve a file, the share of the atoms in its most frequent crystal. Without a folder the
script makes one with three files, fcc copper, bcc iron and hcp magnesium, whose atoms are pushed further off their
sites from frame to frame, up to what a solid bears at its melting point; the last frame is a random packing like a
melt. Each file keeps its own structure at nearly 100 %, and loses it in the last frame. Leaves `table.csv` and
`shares.png`; a file that cannot be analysed is reported and left out.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from pathlib import Path

import ase
import ase.io
import numpy as np
from ovito.io import import_file

import arise_core as arise
from arise_core.geometry import builders
from ovito_arise import AriseModifier
from ovito_arise.demo import pictures
from ovito_arise.frames import wait_for_frames

COLUMNS = ("file", "frame", "atoms", "structure", "share", "other", "mutual_information_bit")
Row = dict[str, object]


def make_folder(folder: Path, frames: int, edge: float) -> None:
    """Three crystals whose atoms move more and more, and at last a random packing of the same density."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    for name, element in (("fcc", "Cu"), ("bcc", "Fe"), ("hcp", "Mg")):
        unit = arise.build(arise.prototype(name))
        crystal = builders.repeat(unit, builders.cell_heights_at_least(unit, edge))
        count, spacing = len(crystal), builders.nearest_neighbour_distance(crystal)
        images = []
        for size in np.linspace(0.02, 0.12, frames - 1):
            moved = crystal.positions + rng.normal(0, size * spacing / np.sqrt(3), (count, 3))
            images.append(ase.Atoms(f"{element}{count}", moved, cell=crystal.cell, pbc=True))
        width = float(np.cbrt(np.linalg.det(crystal.cell)))
        melt = builders.relieved(rng.uniform(0, width, (count, 3)), width, 0.93 * spacing, 300)
        images.append(ase.Atoms(f"{element}{count}", melt, cell=np.eye(3) * width, pbc=True))
        ase.io.write(folder / f"{name}-{element}.xyz", images, format="extxyz")


def rows(path: Path, modifier: AriseModifier) -> Iterator[Row]:
    """One row a frame of a file."""
    pipeline = import_file(str(path))
    pipeline.modifiers.append(modifier)
    for frame in range(wait_for_frames(pipeline.source)):
        found = pipeline.compute(frame)
        shares = {
            name.removeprefix("ARISE.fractions."): share
            for name, share in found.attributes.items()
            if name.startswith("ARISE.fractions.")
        }
        other = shares.pop("OTHER")
        best = max(shares, key=shares.__getitem__)
        values = (path.name, frame, found.particles.count, best, shares[best], other)
        information = found.attributes["ARISE.mutual_information.mean"]
        yield dict(zip(COLUMNS, (*values, information), strict=True))


def draw(table: list[Row], path: Path) -> None:
    """Share of the most frequent crystal and mutual information over the frames, one curve a file."""
    figure = pictures.new_figure(6.5, 5.4)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    for k, name in enumerate(dict.fromkeys(row["file"] for row in table)):
        mine = [row for row in table if row["file"] == name]
        kinds = dict.fromkeys(str(row["structure"]) for row in mine if row["share"] > 0.5)
        style = {"marker": "osD^v"[k % 5], "markersize": max(9 - 2 * k, 4), "linewidth": max(4 - 1.3 * k, 1)}
        frames = [row["frame"] for row in mine]
        label = f"{name}: {', '.join(kinds) or 'no crystal'}"
        upper.plot(frames, [100 * row["share"] for row in mine], label=label, **style)
        lower.plot(frames, [row["mutual_information_bit"] for row in mine], **style)
    upper.set(ylabel="atoms in the most\nfrequent crystal (%)", ylim=(-4, 104))
    upper.legend(frameon=False)
    lower.set(xlabel="frame", ylabel="mean mutual\ninformation (bit)", ylim=(0, None))
    lower.xaxis.get_major_locator().set_params(integer=True)
    for axes in (upper, lower):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", help="trajectories; by default three are made")
    parser.add_argument("--pattern", default="*", help="of the names of the files")
    parser.add_argument("--types", default="", help="elements of types without a name, such as '1: Cu'")
    parser.add_argument("--out", type=Path, default=Path("out/folder"))
    parser.add_argument("--quick", action="store_true", help="fewer frames and boxes")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    folder = given.folder or given.out / "trajectories"
    if given.folder is None:
        make_folder(folder, frames=3 if given.quick else 8, edge=16.0 if given.quick else 24.0)
    table: list[Row] = []
    for path in sorted(p for p in folder.glob(given.pattern) if p.is_file()):
        modifier = AriseModifier(stride=8.0 if given.quick else 4.0, types_to_elements=given.types)
        try:
            for row in rows(path, modifier):
                table.append(row)
                print(" ".join(f"{v:.3f}" if isinstance(v, float) else f"{v!s:>8}" for v in row.values()))
        except (ValueError, RuntimeError) as error:
            print(f"{path}: {error}", file=sys.stderr)
    if not table:
        raise SystemExit(f"nothing in {folder} could be analysed")
    with open(given.out / "table.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(table)
    draw(table, given.out / "shares.png")
    print(f"table.csv and shares.png are in {given.out}")


if __name__ == "__main__":
    main()
