"""Defects of a two-dimensional layer: a grain boundary and missing atoms in graphene.

    python examples/layer_defects.py [--out DIR] [--quick]

What one should see, from above: one sheet of graphene made of two grains, turned against each other by 22
degrees, with two boundaries (one in the middle, one through the periodic border), and a round patch in one grain
where every fifth atom is missing. The boundaries are where the mutual information is high, and some of their atoms
get another name or none. The patch keeps the name graphene with little doubt, for the model was trained with
missing atoms: what shows it is the number of atoms in the boxes, a field of the voxel grid. Leaves `layer.png` and
prints the mean of the mutual information in the perfect sheet, at the boundaries and in the patch.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

import arise_core as arise
from arise_core.geometry import builders
from ovito_arise import AriseModifier
from ovito_arise.convert import to_pipeline
from ovito_arise.demo import pictures

ANGLE = 21.8  # degrees, between the grains
MISSING = 0.2  # share of the atoms in the patch
THERMAL = 0.05  # Å, displacement of the atoms per coordinate
HALF_A_BOX = 8.0  # Å


def sheet(edge: float, radius: float) -> tuple[arise.Structure, np.ndarray, np.ndarray]:
    """Graphene with two grains and a patch; distance to the nearest boundary and to the middle of the patch, Å."""
    rng = np.random.default_rng(4)
    graphene = arise.build(arise.prototype("graphene"))
    flat = arise.Structure(
        graphene.positions - graphene.positions[0], graphene.numbers, graphene.cell, graphene.pbc
    )
    turns = [Rotation.from_euler("z", angle, degrees=True).as_matrix() for angle in (0.0, ANGLE)]
    height = 20.0
    seeds = np.array([[edge / 4, edge / 2, 0.0], [3 * edge / 4, edge / 2, 0.0]])
    grains = builders.polycrystal(
        [flat, flat], (edge, edge, height), seeds=seeds, rotations=turns, pbc=(True, True, False), rng=rng
    )
    to_patch = np.linalg.norm(grains.positions[:, :2] - [edge / 4, edge / 2], axis=1)
    keep = (to_patch > radius) | (rng.random(len(grains)) > MISSING)
    x = grains.positions[keep]
    moved = x + rng.normal(0, THERMAL, x.shape)
    to_boundary = np.min([np.abs(x[:, 0] - b) for b in (0, edge / 2, edge)], axis=0)
    structure = arise.Structure(
        moved, grains.numbers[keep], np.diag([edge, edge, height]), (True, True, False)
    )
    return structure, to_boundary, to_patch[keep]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out/layer"))
    parser.add_argument("--quick", action="store_true", help="a smaller sheet and a coarser map")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    edge, radius, stride = (80.0, 8.0, 4.0) if given.quick else (120.0, 12.0, 2.0)
    structure, to_boundary, to_patch = sheet(edge, radius)
    pipeline = to_pipeline(structure, radius=0.75)
    modifier = AriseModifier(stride=stride)
    pipeline.modifiers.append(modifier)
    data = pipeline.compute()
    print(f"{len(structure)} atoms; graphene: {100 * data.attributes['ARISE.fractions.GRAPHENE']:.1f} %")
    information = np.asarray(data.particles[pictures.INFORMATION])
    at_boundary = to_boundary < HALF_A_BOX / 2
    in_patch = to_patch < radius
    perfect = (to_boundary > 1.5 * HALF_A_BOX) & (to_patch > radius + 1.5 * HALF_A_BOX)
    places = {"perfect sheet": perfect, "boundaries": at_boundary, "patch": in_patch}
    for name, where in places.items():
        if where.any():
            print(f"  {name:<14} {np.nanmean(information[where]):.3f} bit")
    view = pictures.View(direction=(0.0, 0.0, -1.0), up=(0.0, 1.0, 0.0), size=(900, 900))
    *images, end = pictures.both_ways(pipeline, modifier, 0, view, pictures.can_render())
    figure = pictures.new_figure(15.0, 6.4)
    panels = figure.subplots(1, 3)
    for axes, image, title in zip(panels, images, ("structure", "doubt"), strict=False):
        pictures.show(axes, image, title)
    grid = data.grids["arise"]
    count = np.asarray(grid["Atoms"]).reshape(grid.shape, order="F")[:, :, 0]
    shown = panels[2].imshow(count.T, origin="lower", extent=(0, edge, 0, edge), cmap="cividis")
    panels[2].set(xticks=[], yticks=[])
    panels[2].set_title("atoms in the boxes", fontsize=11)
    figure.colorbar(
        shown, ax=panels[2], orientation="horizontal", fraction=0.04, pad=0.02, aspect=30, label="atoms"
    )
    pictures.information_bar(figure, panels[1], end)
    pictures.legend_of(figure, pictures.present(data), data)
    figure.savefig(given.out / "layer.png", dpi=110)
    print(f"layer.png is in {given.out}")


if __name__ == "__main__":
    main()
