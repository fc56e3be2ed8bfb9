"""Whole structures that samples are made of: periodic cells, open supercells, open pieces of random shape."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from arise_core.crystals.crystal import Crystal
from arise_core.crystals.ideal import MIN_ATOMS, SUPERCELLS
from arise_core.errors import InputError
from arise_core.geometry import builders
from arise_core.geometry.structure import Structure
from arise_core.training.fields import AS_DETAIL, Table, at_least, share, span
from arise_core.training.samples.job import Generator


@dataclass(frozen=True, kw_only=True)
class Pieces(Table):
    """Open pieces of a crystal.

    Args:
        atoms: range of the number of atoms.
        periods: as many periods more.
        spheres: share of spheres (discs, for a layer); the others are convex polyhedra.
        faces: faces of a polyhedron at most.
        sides: the same of a flake of a layer.
        distances: range of a face's distance from the centre, before the number of atoms scales all of them.
        reach: half the edge of the block that a piece is cut from, over the radius of a sphere of as many atoms.
    """

    atoms: tuple[int, int] = span(100, 499, least=1)
    periods: int = at_least(0, 2)
    spheres: float = share(0.5)
    faces: int = at_least(4, 14)
    sides: int = at_least(3, 6)
    distances: tuple[float, float] = span(0.75, 1.25, least=1e-3)
    reach: float = at_least(1, 1.6)


@dataclass(frozen=True, kw_only=True)
class Structures(Table):
    """Whole structures of a class.

    Args:
        periodic: share of periodic supercells.
        open: share of the paper's open supercells.
        pieces: share of open pieces of random shape; the three add up to 1. Nanotubes have periodic and open cells
            instead.
        atoms: atoms of a supercell, at least.
        sizes: number of supercells, from the smallest on, of which one is drawn.
        piece: shape and size of the pieces.
    """

    periodic: float = share(0.35)
    open: float = share(0.4)
    pieces: float = share(0.25)
    atoms: int = at_least(1, MIN_ATOMS)
    sizes: int = at_least(1, SUPERCELLS)
    piece: Pieces = field(default_factory=Pieces, metadata=AS_DETAIL)

    def __post_init__(self) -> None:
        super().__post_init__()
        shares = (self.periodic, self.open, self.pieces)
        if abs(sum(shares) - 1) > 1e-9:
            raise InputError(f"`periodic`, `open` and `pieces` must add up to 1, got {shares}")


def whole_structure(
    crystal: Crystal, settings: Structures, rng: Generator, min_atoms: int | None = None
) -> Structure:
    """A periodic supercell, one of the paper's open supercells, or an open piece of random shape.

    Args:
        crystal: the class.
        settings: how often which, and their sizes.
        rng: random numbers.
        min_atoms: atoms of a supercell at least, if not as the settings say.
    """
    shares = [settings.periodic, settings.open, settings.pieces]
    kind = rng.choice(["periodic", "open", "piece"], p=shares)
    if crystal.dimension > 1 and kind == "piece":
        low, high = settings.piece.atoms
        n_atoms = int(rng.integers(low, high + 1)) + settings.piece.periods * len(crystal.unit)
        return random_piece(crystal.unit, n_atoms, rng, settings.piece)
    least = settings.atoms if min_atoms is None else min_atoms
    cells = crystal.supercells(least, settings.sizes, periodic=kind == "periodic")
    smallest = crystal.dimension == 1 and kind == "open"
    return cells[0 if smallest else int(rng.integers(len(cells)))]


def random_piece(
    crystal: Structure, n_atoms: int, rng: Generator, settings: Pieces | None = None
) -> Structure:
    """An open sphere (disc, for a layer) or convex polyhedron of about `n_atoms` atoms of a crystal."""
    settings = settings or Pieces()
    cell = crystal.complete_cell
    layer = not crystal.pbc[2]
    if layer:
        area = np.linalg.norm(np.cross(cell[0], cell[1])) / len(crystal)
        half = settings.reach * np.sqrt(area * n_atoms / np.pi)
        rotation = np.eye(3)
        box = np.array([half, half, 1e3])
    else:
        volume = abs(np.linalg.det(cell)) / len(crystal)
        half = settings.reach * np.cbrt(volume * n_atoms * 3 / (4 * np.pi))
        rotation = builders.random_rotation(rng)
        box = np.full(3, half)
    positions, numbers = builders.crystal_in_box(
        crystal, -box, box, rotation, rng.uniform(size=3) * crystal.pbc
    )
    flat = positions * [1, 1, 0] if layer else positions
    if rng.random() < settings.spheres:
        distance = np.linalg.norm(flat, axis=1)
    else:
        faces = settings.sides if layer else settings.faces
        normals = rng.normal(size=(faces, 3)) * ([1, 1, 0] if layer else [1, 1, 1])
        normals /= np.linalg.norm(normals, axis=1)[:, None]
        distance = (flat @ normals.T / rng.uniform(*settings.distances, len(normals))).max(axis=1)
    chosen = np.argsort(distance)[:n_atoms]
    return Structure(positions[chosen], numbers[chosen])
