"""The main job from one end to the other: a shipped MD trajectory through OVITO and the modifier, to files."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ovito.data import DataCollection
from ovito.io import export_file, import_file
from ovito.modifiers import ColorCodingModifier
from ovito.pipeline import Pipeline

from arise_core.crystals.table import Colour
from arise_core.runtime.files import fresh_folder, write_atomically
from ovito_arise import AriseModifier
from ovito_arise.demo import TRAJECTORY, pictures
from ovito_arise.grid_files import write_grid_dump
from ovito_arise.outputs import GRID, OTHER_COLOUR, TABLE, kinds

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Å. Copper at 1220 K needs no finer map to show its two fronts.
STRIDE = 4.0
TIME_STEP = 0.003  # ps, of the simulation
COLUMNS = [
    "Particle Identifier", "Particle Type", "Position.X", "Position.Y", "Position.Z",
    "Structure Type", "ARISE Confidence", "ARISE Mutual Information",
]  # fmt: skip

Say = Callable[[str], None]


@dataclass(frozen=True)
class Frame:
    """What the table shows of a frame."""

    number: int
    picoseconds: float
    shares: dict[str, float]  # of the particles, by name of the structure, the largest first
    information: float  # mean over the particles, bit
    seconds: float


def run(out: Path, overwrite: bool, say: Say, last_frame: int | None = None) -> list[Frame]:
    """Analyse the shipped trajectory and leave all results in a folder.

    Args:
        out: folder for the results.
        overwrite: write into it though it is not empty.
        say: called with each line of the report.
        last_frame: end the analysis with this frame; by default the last one of the trajectory.

    Raises:
        FileExistsError: the folder has contents and may not be overwritten; before any work.
    """
    fresh_folder(out, overwrite)
    pipeline = import_file(str(TRAJECTORY), multiple_frames=True)
    modifier = AriseModifier(types_to_elements={1: "Cu"}, stride=STRIDE, probabilities=["FCC"])
    pipeline.modifiers.append(modifier)
    last = pipeline.num_frames - 1 if last_frame is None else last_frame
    assert pipeline.source is not None
    say(
        f"Copper crystal growing into its melt, {pipeline.source.compute(0).particles.count} atoms, {last + 1} frames "
        f"(boxes of up to {modifier.box_size:g} Å, stride {modifier.stride:g} Å, model {modifier.model})"
    )
    frames = analyse(pipeline, modifier, last, out, say)
    export(pipeline, last, out)
    bar_chart(pipeline, last, out / "structures.png")
    time_series(frames, pictures.colours_of(pipeline.compute(0)), out / "over-time.png")
    rendered = pictures.can_render()
    if not rendered:
        say(pictures.WITHOUT_VULKAN)
    atoms(pipeline, last, out / "atoms.png", rendered)
    say(f"Results are in {out}:")
    for name, text in CONTENTS:
        say(f"  {name:<24} {text}")
    return frames


CONTENTS = (
    ("atoms.png", "atoms coloured by structure and by mutual information"),
    ("over-time.png", "shares of the structures and mean mutual information over time"),
    ("structures.png", "bar chart: atoms per structure, first and last frame"),
    ("trajectory.xyz", "atoms with structure type, confidence and mutual information (extended XYZ)"),
    ("trajectory.dump", "the same as LAMMPS dump"),
    ("attributes.txt", "numbers of each frame: counts, fractions, mean mutual information"),
    ("maps/frame-*.nc", "the map of each frame, with the five most probable classes of each box (NetCDF)"),
    ("maps/map.dump", "the map for OVITO: voxel grid of all frames (LAMMPS grid dump)"),
)


def analyse(pipeline: Pipeline, modifier: AriseModifier, last: int, out: Path, say: Say) -> list[Frame]:
    """Evaluate all frames, save their maps and report them line by line."""
    say(f"{'frame':>5} {'time':>8}  {'structures':<32} {'mutual information':>18} {'':>9}")
    frames, grids, steps = [], [], []
    fresh_folder(out / "maps", overwrite=True)
    for number in range(last + 1):
        start = time.perf_counter()
        data = pipeline.compute(number)
        found = _frame(data, number, time.perf_counter() - start)
        modifier.strided_map.to_netcdf(out / "maps" / f"frame-{number:03d}.nc")
        grids.append(data.grids[GRID])
        steps.append(data.attributes["Timestep"])
        shares = ", ".join(f"{name} {100 * share:.1f} %" for name, share in list(found.shares.items())[:3])
        say(
            f"{number:>5} {found.picoseconds:>5.1f} ps  {shares:<32} {found.information:>14.3f} bit "
            f"{found.seconds:>7.1f} s"
        )
        frames.append(found)
        if number == 1 and last > 1:  # the first frame also compiled what had not been compiled
            say(f"{'':>5} frames left: {last - 1}, about {minutes(found.seconds * (last - 1))} at this rate")
    write_grid_dump(out / "maps" / "map.dump", grids, steps)
    return frames


def minutes(seconds: float) -> str:
    """How long that is, roughly."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _frame(data: DataCollection, number: int, seconds: float) -> Frame:
    table = data.tables[TABLE]
    types = kinds(table)
    count = data.particles.count
    ids, counts = np.asarray(table["Structure Type"]).tolist(), np.asarray(table["Count"]).tolist()
    shares = {types[i].name: n / count for i, n in zip(ids, counts, strict=True)}
    information = data.attributes["ARISE.mutual_information.mean"]
    return Frame(number, data.attributes["Timestep"] * TIME_STEP, shares, information, seconds)


def export(pipeline: Pipeline, last: int, out: Path) -> None:
    """Particles and attributes of all frames, through OVITO's own writers."""
    values = [dict(pipeline.compute(f).attributes) for f in range(last + 1)]
    counted = [n for n in values[0] if n.startswith("ARISE.") and any(found[n] for found in values)]
    frames = {"multiple_frames": True, "start_frame": 0, "end_frame": last}

    def write(name: str, kind: str, columns: list[str]) -> None:
        write_atomically(
            out / name, lambda path: export_file(pipeline, str(path), kind, columns=columns, **frames)
        )

    write("trajectory.xyz", "xyz", COLUMNS)
    write("trajectory.dump", "lammps/dump", COLUMNS)
    write("attributes.txt", "txt/attr", ["SourceFrame", "Timestep", *counted])


def bar_chart(pipeline: Pipeline, last: int, path: Path) -> None:
    """Atoms per structure in the first and in the last frame."""
    first, final = (_frame(pipeline.compute(f), f, 0.0) for f in (0, last))
    names = sorted({*first.shares, *final.shares}, key=lambda n: -final.shares.get(n, 0.0))
    colours = pictures.colours_of(pipeline.compute(0))
    count = pipeline.compute(0).particles.count
    figure = pictures.new_figure(5.5, 1.4 + 0.75 * len(names))
    axes = figure.subplots()
    for k, (found, hatch) in enumerate(((first, "///"), (final, ""))):
        y = np.arange(len(names)) + 0.2 * (2 * k - 1)
        values = [count * found.shares.get(n, 0.0) for n in names]
        bars = axes.barh(
            y, values, 0.38, color=[colours[n] for n in names], edgecolor="0.3", linewidth=0.8, hatch=hatch
        )  # fmt: skip
        axes.bar_label(bars, [f"{v:,.0f}" for v in values], padding=4, fontsize=9)
    axes.set(yticks=range(len(names)), yticklabels=names, xlabel="atoms", xlim=(0, 1.15 * count))
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    _neutral_legend(axes, [f"{f.picoseconds:.0f} ps" for f in (first, final)])
    axes.set_title("Structures before and after the crystal has grown", fontsize=11)
    write_atomically(path, lambda p: figure.savefig(p, dpi=150))


def _neutral_legend(axes: Axes, labels: list[str]) -> None:
    """Legend of the hatches alone: the colours are told by the axis."""
    from matplotlib.patches import Patch

    patches = [
        Patch(facecolor="white", edgecolor="0.3", hatch=h, label=t)
        for h, t in zip(("///", ""), labels, strict=True)
    ]
    axes.legend(handles=patches, frameon=False, loc="lower right")


def time_series(frames: list[Frame], colours: dict[str, Colour], path: Path) -> None:
    """Shares of the structures, stacked, and mean mutual information, over time."""
    names = sorted(
        {n for f in frames for n in f.shares}, key=lambda n: (n == "Other", -frames[-1].shares.get(n, 0))
    )
    x = [f.picoseconds for f in frames]
    figure = pictures.new_figure(6.0, 4.6)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    shares = [[100 * f.shares.get(n, 0.0) for f in frames] for n in names]
    upper.stackplot(
        x, shares, labels=names, colors=[colours[n] for n in names], edgecolor="0.4", linewidth=0.8
    )
    upper.set(ylabel="share of atoms (%)", ylim=(0, 100), xlim=(x[0], max(x[-1], x[0] + 1e-9)))
    upper.legend(loc="upper left", frameon=True, framealpha=0.85)
    upper.set_title("A copper crystal grows into its melt at 1220 K", fontsize=11)
    lower.plot(x, [f.information for f in frames], "o-", color="#30478a", markersize=4)
    lower.set(xlabel="time (ps)", ylabel="mean mutual\ninformation (bit)", ylim=(0, None))
    lower.grid(color="0.9")
    for axes in (upper, lower):
        axes.spines[["top", "right"]].set_visible(False)
    write_atomically(path, lambda p: figure.savefig(p, dpi=150))


def atoms(pipeline: Pipeline, last: int, path: Path, rendered: bool) -> None:
    """Some frames, coloured by structure (left) and by mutual information (right)."""
    chosen = sorted({round(k * last / 3) for k in range(4)})
    view = pictures.View(direction=(-0.25, 1.0, -0.35), up=(1.0, 0.0, 0.0), size=(660, 288))
    data = [pipeline.compute(f) for f in chosen]
    end = pictures.scale_end(*data)
    left = [pictures.picture(pipeline, f, view, rendered) for f in chosen]
    colouring = ColorCodingModifier(
        property=pictures.INFORMATION, start_value=0.0, end_value=end, gradient=ColorCodingModifier.Viridis()
    )
    pipeline.modifiers.append(colouring)
    right = [pictures.picture(pipeline, f, view, rendered) for f in chosen]
    pipeline.modifiers.remove(colouring)
    figure = pictures.new_figure(11.0, 1.0 + 2.3 * len(chosen))
    grid = figure.subplots(len(chosen), 2, squeeze=False)
    for row, found, *images in zip(grid, data, left, right, strict=True):
        for axes, image in zip(row, images, strict=True):
            pictures.show(axes, image)
        picoseconds = found.attributes["Timestep"] * TIME_STEP
        row[0].set_title(f"{picoseconds:.1f} ps", loc="left", fontsize=10)
    present = {n for d in data for n in _frame(d, 0, 0.0).shares}
    colours = {n: c for n, c in pictures.colours_of(data[0]).items() if n in present and n != "Other"}
    pictures.class_legend(
        figure,
        [*colours, "Other (melt)"],
        [*colours.values(), OTHER_COLOUR],
        ncols=6,
        loc="outside lower left",
    )
    pictures.information_bar(figure, grid[:, 1], end, fraction=0.03)
    write_atomically(path, lambda p: figure.savefig(p, dpi=120))
