"""Boxes cut from crystals, as a strided map cuts them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from arise_core.descriptor.covariance import BoxWindow
from arise_core.descriptor.soap import describe_piece, survey
from arise_core.errors import InputError
from arise_core.geometry import builders
from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.geometry.material import Material
from arise_core.geometry.structure import Structure
from arise_core.geometry.support import SURFACE
from arise_core.settings import DescriptorSettings, MapSettings
from arise_core.training.fields import Table, at_least, share, span
from arise_core.training.samples.job import Generator
from arise_core.training.samples.noise import Noise, imperfect

#: Atomic number of a place in a crystal without an atom, which a decoration may give one.
EMPTY = 118
#: Gives the atoms at positions (n, 3), Å, with atomic numbers (n,) other numbers (n,).
Decorate = Callable[[FloatArray, IntArray], IntArray]


@dataclass(frozen=True, kw_only=True)
class Cuts(Table):
    """How boxes are cut from a crystal.

    Args:
        edges: range of each edge over the cube root of the volume that the wanted number of atoms takes.
        rarest: atoms of the rarest element wanted in a box, at least; the box is larger for it.
        widest: the largest box of a crystal over its smallest, at least.
        decidable: atoms in a box that is to tell a crystal from another one like it, at least.
        margin: width of the crystal around a box, d_NN, from which noise brings atoms in.
        atoms: atoms in a box without which it is drawn again.
        species_atoms: a species with fewer atoms in a box is treated as missing there, as in maps.
        turned: share of boxes at any orientation.
        upright: share of boxes along the conventional cell; the others have low-index directions along their edges.
        index: largest index of such a direction.
    """

    edges: tuple[float, float] = span(0.9, 1.1, least=1e-3)
    rarest: float = at_least(0, 6.0)
    widest: float = at_least(1, 1.5)
    decidable: int = at_least(1, 60)
    margin: float = at_least(0, 0.6)
    atoms: int = at_least(1, 8)
    species_atoms: int = at_least(1, MapSettings().min_atoms_per_species)
    turned: float = share(0.5)
    upright: float = share(0.25)
    index: int = at_least(1, 2)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.turned + self.upright > 1:
            raise InputError(
                f"`turned` and `upright` must add up to 1 at most, got {self.turned} and {self.upright}"
            )


def random_edges(crystal: Structure, atoms: tuple[int, int], cuts: Cuts, rng: Generator) -> FloatArray:
    """Edges of a box, (3,), Å, with a number of atoms drawn evenly on a logarithmic scale.

    Args:
        crystal: what is cut; a layer counts by its area.
        atoms: range of the number of atoms.
        cuts: bounds for crystals with a rare element, and spread of the edges.
        rng: random numbers.
    """
    counts = np.unique(crystal.numbers, return_counts=True)[1]
    low = max(atoms[0], cuts.rarest * len(crystal) / counts.min())
    wanted = np.exp(rng.uniform(np.log(low), np.log(max(atoms[1], cuts.widest * low))))
    cell = crystal.complete_cell
    if not crystal.pbc[2]:
        area = np.linalg.norm(np.cross(cell[0], cell[1])) / len(crystal)
        return np.asarray(np.sqrt(area * wanted) * rng.uniform(*cuts.edges, 3))
    volume = abs(np.linalg.det(cell)) / len(crystal)
    return np.asarray(np.cbrt(volume * wanted) * rng.uniform(*cuts.edges, 3))


def noisy_box(
    crystal: Structure, edges: FloatArray, noise: Noise, cuts: Cuts, settings: DescriptorSettings,
    rng: Generator, decorate: Decorate | None = None,
) -> FloatArray:  # fmt: skip
    """Descriptor of a box at a random place and orientation in an imperfect crystal, (n_features,).

    NaN for a box with too few atoms.
    """
    layer = not crystal.pbc[2]
    margin = cuts.margin * builders.nearest_neighbour_distance(without_empty(crystal))
    half = np.asarray(edges) / 2
    if layer:
        angle = rng.uniform(0, 2 * np.pi)
        turn = np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]])
        lower, upper = np.append(-half[:2] - margin, -1e3), np.append(half[:2] + margin, 1e3)
    else:
        turn = random_orientation(crystal, cuts, rng)
        lower, upper = -half - margin, half + margin
    shift = rng.uniform(size=3) * crystal.pbc
    positions, numbers = builders.crystal_in_box(crystal, lower, upper, turn, shift)
    if decorate is not None:
        numbers = decorate(positions, numbers)
        positions, numbers = positions[numbers != EMPTY], numbers[numbers != EMPTY]
    return boxed(imperfect(Structure(positions, numbers), noise, rng, turn), edges, layer, cuts, settings)


def boxed(
    structure: Structure, edges: FloatArray, layer: bool, cuts: Cuts, settings: DescriptorSettings
) -> FloatArray:
    """Descriptor of the box about the origin that is cut from an open structure, (n_features,).

    Args:
        structure: what is cut.
        edges: of the box along the axes, (3,), Å.
        layer: a layer across z; the box is as high as the layer.
        cuts: fewest atoms.
        settings: of the descriptor.
    """
    whole = Material.of(structure)
    positions, numbers = whole.structure.positions, whole.structure.numbers
    axes = 2 if layer else 3
    half = np.asarray(edges) / 2
    inside = (np.abs(positions[:, :axes]) < half[:axes]).all(axis=1)
    width = np.array(edges, dtype=float)
    if layer and inside.any():
        width[2] = np.ptp(positions[inside, 2]) + 2 * SURFACE * whole.spacing
    return described(whole, positions[inside], numbers[inside], np.diag(width), cuts, settings)


def without_empty(crystal: Structure) -> Structure:
    """The crystal without places that have no atom."""
    there = crystal.numbers != EMPTY
    if there.all():
        return crystal
    return Structure(crystal.positions[there], crystal.numbers[there], crystal.cell, crystal.pbc)


def described(
    whole: Material, positions: FloatArray, numbers: IntArray, edges: FloatArray, cuts: Cuts,
    settings: DescriptorSettings,
) -> FloatArray:  # fmt: skip
    """Descriptor of the atoms in a box, (n_features,); NaN if they are too few.

    Args:
        whole: the material around.
        positions: of the atoms inside, (n, 3), Å.
        numbers: their atomic numbers, (n,).
        edges: of the box, rows are vectors, (3, 3), Å.
        cuts: fewest atoms.
        settings: of the descriptor.
    """
    if len(positions) < cuts.atoms:
        return np.full(settings.n_features, np.nan)
    window = BoxWindow(edges, np.ones(3), settings.floor)
    ranges = survey(whole, settings).ranges
    return describe_piece(positions, numbers, window, ranges, settings, cuts.species_atoms)


def random_orientation(crystal: Structure, cuts: Cuts, rng: Generator) -> FloatArray:
    """Any rotation, or one that puts low-index directions along the axes, as simulation cells have them."""
    kind = rng.random()
    if kind < cuts.turned:
        return builders.random_rotation(rng)
    if kind < cuts.turned + cuts.upright:
        return np.eye(3)  # prototypes stand in the frame of their conventional cell
    while True:
        directions = rng.integers(-cuts.index, cuts.index + 1, (2, 3)) @ crystal.complete_cell
        normal = np.cross(*directions)
        if np.linalg.norm(normal) > 1e-6:
            frame = np.array([directions[0], np.cross(normal, directions[0]), normal])
            return np.asarray((frame / np.linalg.norm(frame, axis=1)[:, None]).T)
