"""Small frames without molecular dynamics, to try the scripts: noise for heat, random packings for melts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

import arise_core as arise
from arise_core import Structure
from arise_core.geometry import builders
from benchmarks.sharp import built
from benchmarks.sharp.frame import Frame
from benchmarks.sharp.simulated import front_frame, put_together, sphere_frame, with_spheres
from benchmarks.structures import fcc

EDGE = 10  # cells of fcc along the edge of a frame
RADII = (10, 8, 8, 6)  # Å


def melt(crystal: Structure, rng: np.random.Generator) -> Structure:
    """The atoms of a cubic crystal at random places, pushed apart."""
    edge = float(crystal.cell[0, 0])
    spacing = builders.nearest_neighbour_distance(crystal)
    x = builders.relieved(rng.uniform(0, edge, (len(crystal), 3)), edge, spacing, 200)
    return Structure(x, crystal.numbers, crystal.cell, True)


def front() -> Frame:
    """The middle half of a long cell is crystal."""
    rng = np.random.default_rng(0)
    solid = fcc(EDGE // 2)
    long = builders.repeat(solid, (4, 1, 1))
    x, length = long.positions, float(long.cell[0, 0])
    liquid = builders.repeat(melt(solid, rng), (4, 1, 1)).positions
    inside = np.abs(x[:, 0] % length - length / 2) < length / 4
    outside = np.abs(liquid[:, 0] % length - length / 2) > length / 4 + 1.0
    joined = np.concatenate([x[inside], liquid[outside]])
    whole = Structure(joined, np.full(len(joined), 29), long.cell, True)
    return front_frame("short-front", "Cu", arise.prototype("fcc").label, whole)


def abrupt() -> Frame:
    """Its crystal and its packing, put together."""
    return put_together(front(), "short-abrupt", np.random.default_rng(0))


def spheres() -> Frame:
    """Four crystal spheres in a random packing."""
    rng = np.random.default_rng(1)
    crystal = fcc(EDGE)
    structure, n, middles = with_spheres(melt(crystal, rng), crystal, RADII, rng)
    return sphere_frame("short-spheres", "Cu", arise.prototype("fcc").label, structure, n, middles, RADII)


def nanocrystal() -> Frame:
    """Four grains."""
    frame = built.nanocrystal("Cu", "fcc", 25.0, 4, np.random.default_rng(2))
    return replace(frame, name="short-nanocrystal")


def band() -> Frame:
    """A band of layers."""
    return replace(built.band(np.random.default_rng(3), repeats=(7, 4)), name="short-hcp-band")


def precipitates() -> Frame:
    """Four of them."""
    label = arise.prototype("CsCl").label
    made = built.precipitates(
        "NiAl", label, built.cubic_cell("NiAl"), 0.5, np.random.default_rng(4), edge=37.0
    )
    return replace(made, name="short-precipitates")


def bulk() -> Frame:
    """A crystal."""
    label = arise.prototype("fcc").label
    return Frame(name="short-bulk", goal="bulk", material="Cu", label=label, structure=fcc(EDGE // 2 + 1))


def growth() -> Frame:
    """The first frame of the demo."""
    [frame] = built.growth((0,))
    return replace(frame, name="short-growth")


MAKERS: dict[str, Callable[[], Frame]] = {
    "fronts": front,
    "abrupt": abrupt,
    "spheres": spheres,
    "nanocrystals": nanocrystal,
    "layers": band,
    "precipitates": precipitates,
    "growth": growth,
    "bulk": bulk,
}
