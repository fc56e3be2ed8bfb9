"""The picture of the README and of docs/ovito.md: the shipped simulation, rendered by OVITO with the legend.

    python examples/readme_picture.py [--out docs/pictures/ovito.png] [--frame 4] [--quick]

What one should see: a copper crystal (green) and its melt (pale) between two fronts. On the left the structures,
with the legend "ARISE class legend" in the corner; on the right the mutual information: mostly dark in
the hot crystal, bright planes at the two fronts, evenly dim in the melt. Needs Vulkan.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from ovito.io import import_file
from PIL import Image

from ovito_arise import AriseLegend, AriseModifier
from ovito_arise.demo import pictures
from ovito_arise.demo.run import TRAJECTORY

DEFAULT = Path(__file__).resolve().parents[1] / "docs" / "pictures" / "ovito.png"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=DEFAULT)
    parser.add_argument("--frame", type=int, default=4)
    parser.add_argument("--quick", action="store_true", help="a coarser map and a smaller picture")
    given = parser.parse_args(arguments)
    if not pictures.can_render():
        raise SystemExit(pictures.WITHOUT_VULKAN)
    pipeline = import_file(str(TRAJECTORY), multiple_frames=True)
    modifier = AriseModifier(types_to_elements={1: "Cu"}, stride=8.0 if given.quick else 3.0)
    pipeline.modifiers.append(modifier)
    view = pictures.View(
        direction=(-0.25, 1.0, -0.35), up=(1.0, 0.0, 0.0), size=(440, 200) if given.quick else (1240, 560)
    )
    data = pipeline.compute(given.frame)
    left = pictures.render(pipeline, given.frame, view, [AriseLegend(font_size=0.05)])
    modifier.color_by, modifier.color_end = "mutual information", pictures.scale_end(data)
    right = pictures.render(pipeline, given.frame, view)
    figure = pictures.new_figure(12.0, 3.7)
    axes = figure.subplots()
    pictures.show(axes, np.hstack([left, right]))
    axes.set_title("structure", loc="left", fontsize=11)
    axes.set_title("mutual information: doubt of the model", loc="right", fontsize=11)
    pictures.information_bar(figure, axes, modifier.color_end, fraction=0.06)
    page = Image.fromarray(pictures.pixels_of(figure))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    page.quantize(256, Image.Quantize.FASTOCTREE).save(given.out, optimize=True)
    print(f"{given.out}: {given.out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
