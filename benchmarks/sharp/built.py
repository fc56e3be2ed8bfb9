"""Frames that are built, not simulated: nanocrystals, bands and lamellae of layers, precipitates; thermal noise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from ovito.io import import_file
from scipy.spatial import cKDTree

import arise_core as arise
from arise_core import Structure
from arise_core.geometry import builders
from ase_arise import from_atoms
from benchmarks.md.materials import read_table, unit_cell
from benchmarks.sharp.frame import Frame, places_of_four, surface_distance
from benchmarks.structures import THERMAL
from ovito_arise.demo import TRAJECTORY

COPPER = 3.615 / np.sqrt(2)  # Å, nearest neighbours
#: Grain size (Å), number of grains: the edge of the cell is that of as many spheres of that size.
NANOCRYSTALS = ((30.0, 8), (50.0, 4))
PRECIPITATE = 8.0  # Å, radius
ALUMINIUM = 0.25  # share in the disordered fcc
#: Radius over the lattice constant, and how many neighbours are within it.
SHELLS = {"fcc": (0.85, 12), "bcc": (1.2, 14)}
GROWTH = (0, 3, 6)  # frames of the demo
CUBIC, HEXAGONAL = 1, 2  # surroundings of a close-packed layer


def shaken(structure: Structure, rng: np.random.Generator, sigma: float = THERMAL) -> Structure:
    """With independent displacements of `sigma` Å a coordinate, about those of copper and iron at 300 K."""
    moved = structure.positions + rng.normal(0, sigma, structure.positions.shape)
    return Structure(moved, structure.numbers, structure.cell, structure.pbc)


def cubic_cell(name: str) -> Structure:
    """The unit cell of a row of the table of materials."""
    return from_atoms(unit_cell(next(m for m in read_table()[0] if m.name == name)))


def grains(positions: np.ndarray, seeds: np.ndarray, edge: float) -> tuple[np.ndarray, np.ndarray]:
    """Which Voronoi cell of a periodic cube points (n, 3) lie in, and how far from its faces (Å), (n,) each."""
    shifts = np.array(list(np.ndindex(3, 3, 3))) - 1
    images = (seeds[:, None] + shifts * edge).reshape(-1, 3)
    owner = np.empty(len(positions), dtype=int)
    distance = np.empty(len(positions))
    for k in range(0, len(positions), 4000):
        x = positions[k : k + 4000] % edge
        squares = ((x[:, None] - images[None]) ** 2).sum(axis=2)
        own = squares.argmin(axis=1)
        between = np.linalg.norm(images[own][:, None] - images[None], axis=2)
        squares -= squares.min(axis=1, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            distance[k : k + 4000] = np.where(between > 0, squares / (2 * between), np.inf).min(axis=1)
        owner[k : k + 4000] = own // len(shifts)
    return owner, distance


def complete(positions: np.ndarray, edge: float, owner: np.ndarray, shell: float, count: int) -> np.ndarray:
    """Which atoms (n,) of a periodic cube have `count` others within `shell` Å, all of their own grain."""
    pairs = cKDTree(positions % edge, boxsize=edge).query_pairs(shell, output_type="ndarray")
    same = owner[pairs[:, 0]] == owner[pairs[:, 1]]
    neighbours = np.bincount(pairs.ravel(), minlength=len(positions))
    own = np.bincount(pairs[same].ravel(), minlength=len(positions))
    return np.asarray((neighbours == count) & (own == count))


def nanocrystal(name: str, lattice: str, size: float, n: int, rng: np.random.Generator) -> Frame:
    """Voronoi grains of fcc or bcc of a row of the table; `size` (Å) is the diameter of a sphere as large as the mean.

    `inside`: atoms with all their first neighbours, in bcc the second too, in their own grain; `depth`: distance to
    the boundary, Å.
    """
    edge = float(np.cbrt(n * np.pi / 6) * size)
    apart = 0.95 * edge / np.cbrt(n)
    seeds = builders.relieved(rng.uniform(0, edge, (n, 3)), edge, apart, 500)
    crystal = cubic_cell(name)
    ideal = builders.polycrystal([crystal] * n, (edge,) * 3, seeds=seeds, pbc=True, closest=0.8, rng=rng)
    owner, depth = grains(ideal.positions, seeds, edge)
    reach, count = SHELLS[lattice]
    inside = complete(ideal.positions, edge, owner, reach * float(crystal.cell[0, 0]), count)
    return Frame(
        name=f"nanocrystal-{name}-{size / 10:g}nm", goal="nanocrystals", material=name,
        label=arise.prototype(lattice).label, structure=shaken(ideal, rng), facts={"size": size, "grains": n},
        atoms={"depth": depth, "inside": inside},
    )  # fmt: skip


def layered(steps: Sequence[int], along: int, across: int) -> tuple[Structure, np.ndarray]:
    """Close-packed copper in an orthogonal cell, and the layer of each atom, (n,).

    Args:
        steps: +1 or -1 from each layer to the next; their sum must be a multiple of 3.
        along, across: repeats in the plane, of two atoms each.
    """
    if sum(steps) % 3:
        raise ValueError(f"`steps` must add up to a multiple of 3, got {sum(steps)}")
    d, height = COPPER, COPPER * np.sqrt(2 / 3)
    offsets = np.array([0, *np.cumsum(steps)[:-1]]) % 3 * d / np.sqrt(3)
    layers = np.repeat(np.arange(len(steps)), 2)
    unit = np.zeros((2 * len(steps), 3))
    unit[1::2, :2] = d / 2, d * np.sqrt(3) / 2
    unit[:, 1] += offsets[layers]
    unit[:, 2] = (layers + 0.5) * height
    cell = np.diag([d, d * np.sqrt(3), height * len(steps)])
    whole = builders.repeat(Structure(unit, np.full(len(unit), 29), cell, True), (along, across, 1))
    return whole, np.tile(layers, along * across)


def surroundings(steps: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Of each layer whether it is `CUBIC` or `HEXAGONAL`, and how many layers it is from the nearest of the other."""
    s = np.asarray(steps)
    kind = np.where(s == np.roll(s, 1), CUBIC, HEXAGONAL)
    apart = np.abs(np.arange(len(s))[:, None] - np.arange(len(s)))
    apart = np.minimum(apart, len(s) - apart)
    return kind, np.where(kind[:, None] != kind, apart, len(s)).min(axis=1)


def layers_frame(
    name: str, steps: Sequence[int], rng: np.random.Generator, repeats: tuple[int, int] = (10, 6)
) -> Frame:
    """A frame of close-packed layers; `kind` and `apart` of each atom as in `surroundings`."""
    ideal, layer = layered(steps, *repeats)
    kind, apart = surroundings(steps)
    return Frame(
        name=name, goal="layers", material="Cu", label=arise.prototype("fcc").label, structure=shaken(ideal, rng),
        atoms={"layer": layer, "kind": kind[layer], "apart": apart[layer]},
    )  # fmt: skip


def band(rng: np.random.Generator, repeats: tuple[int, int] = (10, 6)) -> Frame:
    """fcc with bands of five hexagonal layers (two, so that the cell is periodic)."""
    steps = [1] * 13 + [-1, 1, -1, 1] + [-1] * 13 + [1, -1, 1, -1]
    return layers_frame("layers-hcp-band", steps, rng, repeats)


def lamella(rng: np.random.Generator) -> Frame:
    """fcc with a twin lamella: six cubic layers between two twin planes."""
    return layers_frame("layers-twin-lamella", [1] * 22 + [-1] * 7, rng)


def precipitates(
    name: str, label: str, ordered: Structure, share: float, rng: np.random.Generator, edge: float = 50.0
) -> Frame:
    """Four spheres of an ordered crystal of Ni and Al in the same lattice without order.

    Args:
        name: of the compound.
        label: of its class.
        ordered: cubic unit cell of the compound.
        share: of aluminium, in the matrix.
        rng: random numbers.
        edge: of the cell, about, Å.
    """
    n = round(edge / ordered.cell[0, 0])
    whole = builders.repeat(ordered, (n, n, n))
    middles = places_of_four(np.diag(whole.cell))
    radii = np.full(4, PRECIPITATE)
    beyond, nearest = surface_distance(whole.positions, whole.cell, middles, radii)
    random = builders.solid_solution(whole.numbers, (28, 13), (1 - share, share), rng)
    numbers = np.where(beyond < 0, whole.numbers, random)
    return Frame(
        name=f"precipitates-{name}", goal="precipitates", material=name, label=label,
        structure=shaken(Structure(whole.positions, numbers, whole.cell, True), rng),
        facts={"radii": radii.tolist()},
        atoms={"sphere": np.where(beyond < 0, nearest, -1), "beyond": beyond},
    )  # fmt: skip


def all_nanocrystals() -> Iterable[Frame]:
    """Of both sizes of copper and iron."""
    rng = np.random.default_rng(14)
    for size, n in NANOCRYSTALS:
        for name, lattice in (("Cu", "fcc"), ("Fe", "bcc")):
            yield nanocrystal(name, lattice, size, n, rng)


def all_layers() -> Iterable[Frame]:
    """The band and the lamella."""
    rng = np.random.default_rng(15)
    return [band(rng), lamella(rng)]


def all_precipitates() -> Iterable[Frame]:
    """L1_2 in fcc and B2 in bcc."""
    rng = np.random.default_rng(16)
    for name, compound, share in (("Ni3Al", "L1_2", ALUMINIUM), ("NiAl", "CsCl", 0.5)):
        yield precipitates(name, arise.prototype(compound).label, cubic_cell(name), share, rng)


def growth(frames: Sequence[int] = GROWTH) -> list[Frame]:
    """The demo's crystal of copper, which grows into its melt."""
    pipeline = import_file(str(TRAJECTORY), multiple_frames=True)
    label = arise.prototype("fcc").label
    made = []
    for k in frames:
        data = pipeline.compute(k)
        x = np.asarray(data.particles.positions[...]) - np.asarray(data.cell[:, 3])
        structure = Structure(x, np.full(len(x), 29), np.asarray(data.cell[:, :3]).T, True)
        made.append(
            Frame(name=f"growth-{k}", goal="growth", material=f"frame {k}", label=label, structure=structure)
        )
    return made


MAKERS = {
    "nanocrystals": all_nanocrystals,
    "layers": all_layers,
    "precipitates": all_precipitates,
    "growth": growth,
}
