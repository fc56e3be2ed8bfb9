"""Pictures of every frame and a movie from stored results: nothing is computed, each frame costs a read.

    python examples/stored_movie.py [TRAJECTORY RESULTS] [--out DIR] [--quick]

RESULTS is what `arise trajectory TRAJECTORY --atoms --out RESULTS` wrote; without both, the simulation that comes along
is recognised first (a second call goes on with what is there, and only reads). What one should see: above, by
structure, the green crystal reaches across the box; in the middle, by mutual information, all doubt lies in the melt,
most of it at the two fronts, which run towards each other and vanish; below, the shares over time with their intervals,
and a line at the frame that is shown.
Frames without results are left out. Leaves `frames/0000.png`, ..., `movie.gif`, and the first, middle and last frame
as `movie.png`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from ovito.io import import_file
from ovito.pipeline import Pipeline
from PIL import Image

from arise_core.trajectories.timeline import draw_timeline
from ase_arise import TrajectoryResults, trajectory
from ovito_arise import AriseStoredResults
from ovito_arise.demo import TRAJECTORY, pictures
from ovito_arise.frames import wait_for_frames


def frames_with_results(pipeline: Pipeline) -> dict[int, int]:
    """Row in the results of each frame that has one."""
    found = {}
    for frame in range(wait_for_frames(pipeline.source)):
        row = pipeline.compute(frame).attributes["ARISE.stored.row"]
        if row >= 0:
            found[frame] = row
    return found


def page(
    pipeline: Pipeline, results: TrajectoryResults, frame: int, row: int, end: float, names: list[str],
    view: pictures.View, rendered: bool,
) -> pictures.Image:  # fmt: skip
    """A frame by structure and by mutual information, above the shares over time."""
    shown = pipeline.modifiers[-1].delegate
    figure = pictures.new_figure(6.4, 8.0)
    panels = figure.subplots(3, 1, height_ratios=(1, 1, 0.9))
    shown.color_by = "structure"
    pictures.show(panels[0], pictures.picture(pipeline, frame, view, rendered), f"step {results.steps[row]}")
    shown.color_by, shown.color_end = "mutual information", end
    pictures.show(panels[1], pictures.picture(pipeline, frame, view, rendered))
    pictures.information_bar(figure, panels[1], end)
    draw_timeline(results, axes=panels[2])
    panels[2].get_legend().set_loc("center right")  # the same in all frames
    panels[2].axvline(float(results.steps[row]), color="black", linewidth=1.2)
    pictures.legend_of(figure, names, pipeline.compute(frame))
    return pictures.pixels_of(figure)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trajectory", type=Path, nargs="?", help="by default the one of `arise demo`")
    parser.add_argument("results", type=Path, nargs="?", help="of `arise trajectory --atoms`")
    parser.add_argument("--out", type=Path, default=Path("out/stored"))
    parser.add_argument(
        "--quick", action="store_true", help="every fourth frame, fewer boxes, small pictures"
    )
    given = parser.parse_args(arguments)
    if given.trajectory is not None and given.results is None:
        parser.error("name the results of the trajectory too")
    (given.out / "frames").mkdir(parents=True, exist_ok=True)
    source, place = given.trajectory or TRAJECTORY, given.results or given.out / "run.zarr"
    if given.results is None:
        trajectory(
            source, place, every=4 if given.quick else 1, atoms=True, types="1=Cu", mode="local",
            stride=8.0 if given.quick else 4.0, workers=1,
        )  # fmt: skip
    pipeline = import_file(str(source))
    pipeline.modifiers.append(AriseStoredResults(results=place, missing="pass on"))
    rows = frames_with_results(pipeline)
    some = sorted({*list(rows)[:: max(1, len(rows) // 4)], max(rows)})  # of these the scales are
    seen = [pipeline.compute(frame) for frame in some]
    end, names = pictures.scale_end(*seen), pictures.present(*seen)
    size = (320, 140) if given.quick else (800, 350)
    view = pictures.View(direction=(-0.25, 1.0, -0.35), up=(1.0, 0.0, 0.0), size=size)
    rendered, pages, results = pictures.can_render(), [], TrajectoryResults.open(place)
    for frame, row in rows.items():
        pages.append(page(pipeline, results, frame, row, end, names, view, rendered))
        Image.fromarray(pages[-1]).save(given.out / "frames" / f"{frame:04d}.png")
    movie = [Image.fromarray(image).quantize(128) for image in pages]
    movie[0].save(given.out / "movie.gif", save_all=True, append_images=movie[1:], duration=600, loop=0)
    chosen = [pages[k] for k in sorted({0, len(pages) // 2, len(pages) - 1})]
    Image.fromarray(np.hstack(chosen)).save(given.out / "movie.png")
    print(f"{len(pages)} frames are in {given.out / 'movie.gif'}, their pictures in {given.out / 'frames'}")


if __name__ == "__main__":
    main()
