"""Pairs of atoms of a structure, periodic images included, in chunks of bounded size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from arise_core.geometry import loops
from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray
from arise_core.geometry.cell import inverse, perpendicular_heights, transformed
from arise_core.geometry.structure import Structure

#: Pairs handed out at once (24 bytes each).
CHUNK = 2_000_000
#: Stands for all elements where an atomic number is asked for.
ANY = 0


@dataclass(frozen=True)
class Images:
    """Atoms of the cell and all their periodic images within a margin around it."""

    positions: FloatArray  # (n_images, 3), Å
    index: IntArray  # (n_images,), the atom that is imaged
    sign: IntArray  # (n_images,), 0 for the atom itself, +1/-1 for the two halves of the images


def wrapped(structure: Structure) -> FloatArray:
    """Positions moved into the cell along its periodic directions, (n_atoms, 3), Å."""
    return wrapped_points(structure.positions, structure.complete_cell, structure.pbc)


def wrapped_points(points: FloatArray, cell: FloatArray, pbc: BoolArray) -> FloatArray:
    """Points (n, 3) Å moved into a cell along its periodic directions; the same array where none has to move."""
    if not pbc.any():
        return points
    shift = np.where(pbc, np.floor(transformed(points, inverse(cell))), 0.0)
    return np.asarray(points - transformed(shift, cell)) if shift.any() else points


def images(
    positions: FloatArray, cell: FloatArray, pbc: BoolArray, margin: float, *, whole_cell: bool = False
) -> Images:
    """Atoms and periodic images within `margin` (Å) of the parallelepiped that holds the atoms.

    Args:
        positions: (n_atoms, 3), Å, as `wrapped` gives them.
        cell: (3, 3), Å, complete.
        pbc: (3,), periodic directions.
        margin: Å.
        whole_cell: within `margin` of the cell instead, even where it is empty.
    """
    index = np.arange(len(positions))
    points, sign = positions, np.zeros(len(positions), dtype=np.int64)
    reach = margin / perpendicular_heights(cell)
    fractional = transformed(positions, inverse(cell))
    for k in np.flatnonzero(pbc):
        low, high = (0.0, 1.0) if whole_cell else (fractional[:, k].min(), fractional[:, k].max())
        n = int(np.ceil(reach[k] + high - low))
        parts = [(points, index, sign, fractional)]
        for s in range(-n, n + 1):
            if s == 0:
                continue
            moved = fractional[:, k] + s
            keep = (moved > low - reach[k]) & (moved < high + reach[k])
            if keep.any():
                f = fractional[keep].copy()
                f[:, k] += s
                # The first direction with a shift decides which half of the images this one is in.
                half = np.where(sign[keep] == 0, np.sign(s), sign[keep])
                parts.append((points[keep] + s * cell[k], index[keep], half, f))
        points, index, sign, fractional = (np.concatenate(p) for p in zip(*parts, strict=True))
    return Images(points, index, sign)


class PairFinder:
    """Finds the pairs (α, β) of a structure within a distance.

    Args:
        structure: atoms.
        positions: `wrapped(structure)`, if the caller has them.
    """

    def __init__(self, structure: Structure, positions: FloatArray | None = None) -> None:
        self.numbers = structure.numbers
        self.cell = structure.complete_cell
        self.pbc = structure.pbc
        self.positions = wrapped(structure) if positions is None else positions

    def _of(self, species: int) -> BoolArray:
        """Which atoms are of a species, (n_atoms,)."""
        return np.ones(len(self.numbers), dtype=bool) if species == ANY else self.numbers == species

    def _images(self, species: int, margin: float) -> Images:
        chosen = np.flatnonzero(self._of(species))
        found = images(self.positions, self.cell, self.pbc, margin)
        keep = np.isin(found.index, chosen)
        return Images(found.positions[keep], found.index[keep], found.sign[keep])

    def nearest(self, alpha: int, beta: int, sample: int | None = None) -> FloatArray:
        """Distance from each α atom to its nearest β atom, (n_α,), Å; inf where there is none.

        Args:
            alpha: atomic number of the centres, or `ANY`.
            beta: atomic number of the neighbours; `ANY` if `alpha` is.
            sample: use this many centres, evenly spread over the list, if there are more.
        """
        centres = np.flatnonzero(self._of(alpha))
        if sample is not None and len(centres) > sample:
            centres = centres[np.linspace(0, len(centres) - 1, sample).astype(int)]
        same = alpha == beta
        chosen = self._of(beta)
        count = int(chosen.sum())
        if not self.pbc.any():
            if count < 1 + same:
                return np.full(len(centres), np.inf)
            tree = cKDTree(self.positions[chosen])
            return np.asarray(tree.query(self.positions[centres], k=[2 if same else 1])[0][:, 0])
        margin = self._start_margin(count)
        while True:
            near = self._images(beta, margin)
            if len(near.positions) > same:
                tree = cKDTree(near.positions)
                distance = tree.query(self.positions[centres], k=[2 if same else 1])[0][:, 0]
                if (distance <= margin).all():
                    return np.asarray(distance)
            margin *= 1.6

    def _start_margin(self, count: int) -> float:
        """A first guess at a distance within which every atom has a neighbour of a species."""
        heights = perpendicular_heights(self.cell)
        extent = np.where(self.pbc, heights, np.maximum(np.ptp(self.positions, axis=0).max(), 1.0))
        return float(2.0 * np.cbrt(np.prod(extent) / max(count, 1)))

    def vectors(self, alpha: int, beta: int, limit: float) -> Iterator[FloatArray]:
        """Displacements from α to β atoms shorter than `limit` Å, in chunks (m, 3).

        For α = β each pair counts once, with one of its two directions; for α ≠ β once as well. Both may be `ANY`.
        """
        centres = np.flatnonzero(self._of(alpha))
        near = self._images(beta, limit)
        if len(centres) == 0 or len(near.positions) == 0:
            return
        origin = near.positions.min(axis=0)
        extent = np.ptp(near.positions, axis=0)
        # Bins of about a quarter of the limit, but never many more bins than points.
        size = max(
            limit / 4, float(np.cbrt(np.prod(np.maximum(extent, limit / 4)) / (4 * len(near.positions))))
        )
        shape = np.maximum((extent / size).astype(np.int64) + 1, 1)
        order = np.empty(len(near.positions), dtype=np.int64)
        start = np.empty(int(np.prod(shape)) + 1, dtype=np.int64)
        loops.bin_points(near.positions, origin, size, shape, order, start)
        points = self.positions[centres]
        block = max(1, CHUNK // max(1, self._expected(near, limit, size, shape)))
        nothing = np.empty((0, 3))
        for first in range(0, len(centres), block):
            stop = min(first + block, len(centres))
            arguments = (
                points, first, stop, centres, near.positions, near.index, near.sign, alpha == beta, limit,
                origin, size, shape, order, start,
            )  # fmt: skip
            found = np.empty((loops.binned_pairs(*arguments, nothing), 3))
            loops.binned_pairs(*arguments, found)
            yield found

    @staticmethod
    def _expected(near: Images, limit: float, size: float, shape: IntArray) -> int:
        """A rough upper estimate of the neighbours of one atom."""
        volume = float(np.prod(shape * size))
        return int(len(near.positions) / volume * 4.2 * limit**3) + 8
