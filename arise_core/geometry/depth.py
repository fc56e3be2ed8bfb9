"""How deep points lie below the surface of a material."""

from __future__ import annotations

import itertools

import numpy as np
from scipy.ndimage import binary_dilation
from scipy.spatial import cKDTree

from arise_core.geometry.arrays import BoolArray, FloatArray, checked_points
from arise_core.geometry.cell import transformed
from arise_core.geometry.material import Material
from arise_core.geometry.neighbors import wrapped_points
from arise_core.geometry.structure import Structure
from arise_core.geometry.support import Support, support


def depths(structure: Structure | Material, points: FloatArray | None = None) -> FloatArray:
    """Distance of points from the surface, Å, (n,), positive inside; the outermost atoms lie about half a spacing deep.

    The surface is that of the support, the closing of the atoms by balls of 1.1 atomic spacings, about half a spacing
    beyond the outermost atoms (`arise_core.geometry.support`); vacancies are none, cavities are. It is as rough as the
    atoms leave it, so depths of a ball are its radius less the distance from its middle to about half a spacing.

    Args:
        structure: a particle, slab or other structure with a surface.
        points: (n, 3), Å; default: its atoms.

    Returns:
        Depths, (n,), negative outside; infinite in a crystal without surface; NaN for atoms that are far from all
        others and no part of the material.

    Raises:
        InputError: points of another shape, or not finite.
        InputTypeError: no structure.
    """
    material = Material.of(structure)
    where = material.atoms if points is None else material.fold(checked_points("points", points))
    body = support(material)
    cell, pbc = material.body.complete_cell, material.body.pbc
    inside = _closed(body)
    if inside.all():
        return np.full(len(where), np.inf)
    known = np.isfinite(where).all(axis=1)
    places = wrapped_points(where[known], cell, pbc)
    steps = np.array(
        list(itertools.product(*[(-1, 0, 1) if periodic else (0,) for periodic in pbc])), dtype=np.float64
    )
    far = np.zeros(len(places))
    # Nodes on both sides of the surface: it lies half way between them.
    for side in (inside, ~inside):
        at = np.argwhere(side & binary_dilation(~side)).astype(np.float64) - 1.0
        nodes = transformed(at, body.step) + body.origin
        every = (nodes[None] + transformed(steps, cell)[:, None]).reshape(-1, 3)
        far += cKDTree(every).query(places)[0] / 2
    found = np.full(len(where), np.nan)
    found[known] = np.where(body.at(places) > 0.5, far, -far)
    return found


def _closed(body: Support) -> BoolArray:
    """Which nodes are inside; with one more at each end, the other end's or outside."""
    inside = np.pad(body.inside > 0.5, 1, mode="wrap")
    for k in np.flatnonzero(~body.pbc):
        for end in (0, -1):
            edge: list[slice | int] = [slice(None)] * 3
            edge[k] = end
            inside[tuple(edge)] = False
    return inside
