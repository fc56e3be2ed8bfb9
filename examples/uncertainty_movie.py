"""A movie of where the model is in doubt, frame by frame, as animated GIF.

    python examples/uncertainty_movie.py [TRAJECTORY] [--types "1: Cu"] [--out DIR] [--quick]

What one should see, with the simulation that comes along (a copper crystal growing into its melt): above, the
green crystal reaches across the box; below, two bright planes of high mutual information, the fronts, run towards
each other through the periodic boundary, meet and vanish. The melt between them is evenly dim: disorder is known to
the model, the mixture of both in one box is what it doubts. Behind the fronts the crystal is mostly dark; at 90 % of
its melting temperature patches of doubt come and go in it. The scale of colours is the same in all frames. Leaves
`doubt.gif`, and its first, middle and last frame as `doubt.png`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from ovito.io import import_file
from ovito.pipeline import Pipeline
from PIL import Image

from ovito_arise import AriseModifier
from ovito_arise.demo import pictures
from ovito_arise.demo.run import TRAJECTORY
from ovito_arise.frames import wait_for_frames


def images(
    pipeline: Pipeline, modifier: AriseModifier, frames: list[int], view: pictures.View, rendered: bool
) -> list[pictures.Image]:
    """Each frame as a page with both colourings, all of the same size."""
    found = [pipeline.compute(frame) for frame in frames]
    end = pictures.scale_end(*found)
    names = pictures.present(*found)
    pages = []
    for frame, data in zip(frames, found, strict=True):
        modifier.color_by = "structure"
        upper = pictures.picture(pipeline, frame, view, rendered)
        modifier.color_by, modifier.color_end = "mutual information", end
        lower = pictures.picture(pipeline, frame, view, rendered)
        figure = pictures.new_figure(6.4, 6.2)
        panels = figure.subplots(2, 1)
        for axes, image in zip(panels, (upper, lower), strict=True):
            axes.imshow(image)
            axes.set_axis_off()
        information = data.attributes["ARISE.mutual_information.mean"]
        panels[0].set_title(f"frame {frame}, mean mutual information {information:.3f} bit", fontsize=10)
        pictures.information_bar(figure, panels[1], end)
        pictures.legend_of(figure, names, data)
        pages.append(pictures.pixels_of(figure))
    return pages


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trajectory", type=Path, nargs="?", help="by default the one of `arise demo`")
    parser.add_argument("--types", default="", help="elements of types without a name, such as '1: Cu'")
    parser.add_argument("--out", type=Path, default=Path("out/movie"))
    parser.add_argument("--quick", action="store_true", help="three frames, fewer boxes, small pictures")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    pipeline = import_file(str(given.trajectory or TRAJECTORY))
    modifier = AriseModifier(
        stride=8.0 if given.quick else 4.0,
        types_to_elements=given.types or ("" if given.trajectory else "1: Cu"),
    )
    pipeline.modifiers.append(modifier)
    last = wait_for_frames(pipeline.source) - 1
    frames = sorted({0, last // 2, last}) if given.quick else list(range(last + 1))
    size = (320, 140) if given.quick else (800, 350)
    view = pictures.View(direction=(-0.25, 1.0, -0.35), up=(1.0, 0.0, 0.0), size=size)
    pages = images(pipeline, modifier, frames, view, pictures.can_render())
    movie = [Image.fromarray(page).quantize(128) for page in pages]
    movie[0].save(given.out / "doubt.gif", save_all=True, append_images=movie[1:], duration=600, loop=0)
    Image.fromarray(np.hstack([pages[k] for k in sorted({0, len(pages) // 2, len(pages) - 1})])).save(
        given.out / "doubt.png"
    )
    print(f"{len(pages)} frames are in {given.out / 'doubt.gif'}")


if __name__ == "__main__":
    main()
