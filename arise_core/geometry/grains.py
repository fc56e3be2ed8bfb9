"""The polycrystal of four grains of Leitherer et al. (2021), Figure 2a."""

from __future__ import annotations

import numpy as np

from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.geometry.builders import Generator, close_packed, displace, kept_atoms, voronoi_grains
from arise_core.geometry.structure import Structure
from arise_core.geometry.support import SURFACE

#: The grains, in the order of their numbers.
GRAINS = ("fcc", "bcc", "hcp", "diamond")


def four_grains(
    size: tuple[float, float] = (98.0, 98.0),
    thickness: float = 16.0,
    distance: float = 2.556,
    missing: float = 0.0,
    displacement: float = 0.0,
    *,
    rng: Generator,
) -> tuple[Structure, IntArray]:
    """Grains of fcc, bcc, hcp and diamond copper side by side in an open slab, about 9,000 atoms.

    The grains meet in the middle; each is turned at random. The published ones have the same thickness, made by Atomsk.

    Args:
        size: edges of the slab, Å.
        thickness: of the slab with half an atomic spacing beyond the outer atoms, Å: one box of 16 Å spans it.
        distance: of nearest neighbours in all four crystals, Å.
        missing: share of the atoms that are taken away at random; the paper's defective form has 0.2.
        displacement: largest displacement along each axis in distances of neighbours; the paper's has 0.01.
        rng: random numbers.

    Returns:
        The structure, and the number of each atom's grain in `GRAINS`, (n_atoms,).

    Raises:
        InputError: a slab thinner than a layer, a share outside [0, 1) or a negative displacement.
    """
    crystals = [_crystal(name, distance) for name in GRAINS]
    inner = thickness - 2 * SURFACE * distance
    seeds = np.array([[x * size[0], y * size[1], inner / 2] for x in (0.25, 0.75) for y in (0.25, 0.75)])
    slab, grain = voronoi_grains(crystals, (*size, inner), seeds=seeds, rng=rng)
    keep = kept_atoms(len(slab), missing, rng)
    left = Structure(slab.positions[keep], slab.numbers[keep])
    return (displace(left, displacement, rng) if displacement else left), grain[keep]


def _crystal(name: str, distance: float) -> Structure:
    """A crystal of copper by the distance of its nearest neighbours, Å."""
    if name in ("fcc", "hcp"):
        found = close_packed((1, 1, 1) if name == "fcc" else (1, -1))
        scale = distance / float(np.linalg.norm(found.cell[0]))
        return Structure(found.positions * scale, found.numbers, found.cell * scale, found.pbc)
    corners: FloatArray = np.array([[0, 0, 0], [0.5, 0.5, 0.5]])
    edge = distance * 2 / np.sqrt(3)
    if name == "diamond":
        face = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
        corners, edge = np.concatenate([face, face + 0.25]), distance * 4 / np.sqrt(3)
    return Structure(corners * edge, np.full(len(corners), 29), np.eye(3) * edge, np.ones(3, dtype=bool))
