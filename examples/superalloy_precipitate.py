"""Find an ordered precipitate in a nickel superalloy, and draw its surface from the map.

    python examples/superalloy_precipitate.py [--out DIR] [--quick]

What one should see: a cube of L1_2 (Ni3Al) in the middle, in a matrix of fcc, on one and the same lattice, so
that only the order of the elements tells them apart. The surface at L1_2 probability 1/2 is a cube with rounded
edges, about as large as the one that was built. The mutual information is largest on its faces, where boxes
hold some of both. Leaves `precipitate.png` and the map as `map.dump` (open it in OVITO) and prints the volumes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from ovito.modifiers import CreateIsosurfaceModifier, SliceModifier
from ovito.pipeline import Pipeline

from arise_core import Structure
from arise_core.geometry import builders
from ovito_arise import AriseModifier
from ovito_arise.convert import to_pipeline
from ovito_arise.demo import pictures
from ovito_arise.grid_files import write_grid_dump

LATTICE = 3.57  # Å
ALUMINIUM = 0.1  # share in the matrix
THERMAL = 0.1  # Å, displacement of the atoms per coordinate
DIRECTION = (-0.45, 1.0, -0.4)  # of the view


def alloy(edge: float, precipitate: float) -> Structure:
    """The superalloy with thermal displacements."""
    rng = np.random.default_rng(2024)
    ideal = builders.superalloy(edge, precipitate, ALUMINIUM, LATTICE, pbc=True, rng=rng)
    moved = ideal.positions + rng.normal(0, THERMAL, ideal.positions.shape)
    return Structure(moved, ideal.numbers, ideal.cell, ideal.pbc)


def draw(pipeline: Pipeline, modifier: AriseModifier, middle: float, pixels: int, path: Path) -> None:
    """A cut through the middle by structure and by mutual information, and the surface of the precipitate."""
    view, rendered = pictures.View(direction=DIRECTION, size=(pixels, pixels)), pictures.can_render()
    cut = SliceModifier(distance=middle, normal=(0, 1, 0), inverse=True, operate_on={"particles"})
    pipeline.modifiers.append(cut)
    *images, end = pictures.both_ways(pipeline, modifier, 0, view, rendered)
    titles = ["structure, cut through the middle", "doubt, cut through the middle"]
    if rendered:
        pipeline.modifiers.remove(cut)
        surface = CreateIsosurfaceModifier(
            operate_on="voxels:arise", property="Probability.L1_2", isolevel=0.5
        )
        surface.smoothing_level = 6
        surface.vis.surface_color = (0.85, 0.45, 0.15)
        surface.vis.show_cap = False
        pipeline.modifiers.append(surface)
        pipeline.compute().particles.vis.enabled = False
        images.append(pictures.picture(pipeline, 0, view, rendered))
        titles.append("surface of L1$_2$ probability 1/2")
    figure = pictures.new_figure(4.6 * len(images), 5.4)
    panels = figure.subplots(1, len(images))
    for axes, image, title in zip(panels, images, titles, strict=True):
        pictures.show(axes, image, title)
    pictures.information_bar(figure, panels[1], end)
    pictures.legend_of(figure, pictures.present(pipeline.compute(), share=0.0005), pipeline.compute())
    figure.savefig(path, dpi=120)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out/superalloy"))
    parser.add_argument("--quick", action="store_true", help="a smaller alloy and a coarser map")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    edge, precipitate = (57.0, 28.5) if given.quick else (86.0, 46.0)
    structure = alloy(edge, precipitate)
    pipeline = to_pipeline(structure, radius=1.2)
    modifier = AriseModifier(box_size=12.0, stride=6.0 if given.quick else 3.5, probabilities=["L1_2"])
    pipeline.modifiers.append(modifier)
    data = pipeline.compute()
    share = data.attributes["ARISE.fractions.L1_2"]
    built = precipitate**3 / structure.cell[0, 0] ** 3
    print(f"{len(structure)} atoms; L1_2: {100 * share:.1f} % found, {100 * built:.1f} % built")
    grid = data.grids["arise"]
    volume = (np.asarray(grid["Probability"]) > 0.5).mean()
    print(f"voxels with L1_2 probability above 1/2: {100 * volume:.1f} %")
    write_grid_dump(given.out / "map.dump", grid)
    size = 300 if given.quick else 760
    draw(pipeline, modifier, structure.cell[1, 1] / 2, size, given.out / "precipitate.png")
    print(f"pictures are in {given.out}")


if __name__ == "__main__":
    main()
