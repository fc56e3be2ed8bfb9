"""Find the grains of a polycrystal and the boundaries between them.

    python examples/grain_boundary.py [--out DIR] [--quick]

What one should see: grains of fcc and bcc iron, each in one colour whatever its orientation, for the descriptor
does not depend on it. At boundaries a box holds two orientations at once: reject score and mutual information are
high there, and many of the atoms become Other. The curve shows both as a function of the distance to the nearest
boundary that was built: largest at the boundary, gone at about the edge of a box. Leaves `grains.png` and prints
how many atoms got the structure of their grain.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from ovito.modifiers import SliceModifier
from scipy.spatial import cKDTree

import arise_core as arise
from arise_core.geometry import builders
from ovito_arise import AriseModifier
from ovito_arise.convert import to_pipeline
from ovito_arise.demo import pictures

THERMAL = 0.1  # Å, displacement of the atoms per coordinate
VIEW = pictures.View(direction=(-0.4, 1.0, -0.35), size=(760, 700))


def polycrystal(edge: float, count: int) -> tuple[arise.Structure, np.ndarray, np.ndarray]:
    """Grains of iron, the distance of each atom to the nearest boundary (Å), and whether its grain is bcc."""
    rng = np.random.default_rng(11)
    seeds = well_apart(count, edge, rng)
    bcc = np.arange(count) % 3 == 1
    crystals = [iron("bcc" if b else "fcc") for b in bcc]
    ideal = builders.polycrystal(crystals, (edge,) * 3, seeds=seeds, pbc=True, rng=rng)
    moved = ideal.positions + rng.normal(0, THERMAL, ideal.positions.shape)
    structure = arise.Structure(moved, ideal.numbers, ideal.cell, ideal.pbc)
    # The boundaries are the planes half-way between the seed of an atom's grain and the others.
    shifts = np.array(np.meshgrid(*[(-1, 0, 1)] * 3, indexing="ij")).reshape(3, -1).T * edge
    images = (seeds[:, None] + shifts).reshape(-1, 3)
    near, which = cKDTree(images).query(ideal.positions % edge, k=16)
    apart = np.linalg.norm(images[which[:, 1:]] - images[which[:, :1]], axis=2)
    distance = ((near[:, 1:] ** 2 - near[:, :1] ** 2) / (2 * apart)).min(axis=1)
    return structure, distance, bcc[which[:, 0] // len(shifts)]


def iron(name: str) -> arise.Structure:
    """A crystal of the zoo, made of iron."""
    crystal = arise.build(arise.prototype(name))
    return arise.Structure(crystal.positions, np.full(len(crystal), 26), crystal.cell, crystal.pbc)


def well_apart(count: int, edge: float, rng: np.random.Generator) -> np.ndarray:
    """Places in a periodic cube, the best-spread of some random sets, (count, 3)."""
    sets = rng.uniform(0, edge, (200, count, 3))
    spread = [cKDTree(s, boxsize=edge).query(s, k=2)[0][:, 1].min() for s in sets]
    return sets[int(np.argmax(spread))]


def profile(distance: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of values over shells of 1 Å of the distance."""
    shell = np.floor(distance).astype(int)
    good = np.isfinite(values)
    count = np.bincount(shell[good])
    total = np.bincount(shell[good], weights=values[good])
    enough = np.flatnonzero(count >= 20)
    return enough + 0.5, total[enough] / count[enough]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out/grains"))
    parser.add_argument("--quick", action="store_true", help="a smaller polycrystal and a coarser map")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    edge, count, stride = (54.0, 3, 6.75) if given.quick else (80.0, 7, 3.5)
    structure, distance, bcc = polycrystal(edge, count)
    pipeline = to_pipeline(structure)
    modifier = AriseModifier(box_size=12.0, stride=stride)
    pipeline.modifiers.append(modifier)
    data = pipeline.compute()
    names = {t.id: t.name for t in data.particles["Structure Type"].types}
    found = np.array([names[i] for i in np.asarray(data.particles["Structure Type"]).tolist()])
    right = found == np.where(bcc, "BCC", "FCC")
    inner = distance > 6.0
    print(
        f"{len(structure)} atoms in {count} grains: {100 * right.mean():.1f} % have the structure of their grain, "
    )
    print(f"{100 * right[inner].mean():.1f} % of those more than half a box from a boundary")
    curves = {
        "mutual information (bit)": np.asarray(data.particles[pictures.INFORMATION]),
        "reject score": np.asarray(data.particles["ARISE Reject Score"]),
    }
    figure = pictures.new_figure(13.8, 5.2)
    left, middle, right_axes = figure.subplots(1, 3)
    for (label, values), colour in zip(curves.items(), ("#30478a", "#b5532a"), strict=True):
        right_axes.plot(*profile(distance, values), "o-", ms=4, color=colour, label=label)
    right_axes.set(
        xlabel="distance to the nearest boundary (Å)", ylabel="mean over the atoms", ylim=(0, None)
    )
    right_axes.legend(frameon=False)
    right_axes.spines[["top", "right"]].set_visible(False)
    cut = SliceModifier(distance=edge / 2, normal=(0, 1, 0), inverse=True, operate_on={"particles"})
    pipeline.modifiers.append(cut)
    *images, end = pictures.both_ways(pipeline, modifier, 0, VIEW, pictures.can_render())
    for axes, image, title in zip((left, middle), images, ("structure", "doubt"), strict=True):
        pictures.show(axes, image, f"{title}, cut through the middle")
    pictures.information_bar(figure, middle, end)
    pictures.legend_of(figure, pictures.present(data), data)
    figure.savefig(given.out / "grains.png", dpi=110)
    print(f"grains.png is in {given.out}")


if __name__ == "__main__":
    main()
