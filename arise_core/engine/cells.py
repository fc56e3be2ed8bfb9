"""The atoms under a grid in cells, so that those near some of its boxes are found without looking at all."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from arise_core.engine.grid import BoxGrid
from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray
from arise_core.geometry.cell import perpendicular_heights

#: Atoms of a cell, on average.
ATOMS = 64
#: What rounding may do to a place, as a share of the edge of a cell.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Cells:
    """Atoms in the order of their first coordinate, and which of them each cell holds. Create with `Cells.of`."""

    u: FloatArray  # (n_atoms, 3), coordinates in this order
    numbers: IntArray  # (n_atoms,)
    pbc: BoolArray  # (3,), directions along which cells wrap
    low: FloatArray  # (3,), where the first cells begin
    edge: FloatArray  # (3,)
    shape: tuple[int, int, int]
    members: IntArray  # (n_atoms,), atoms cell after cell, ascending in each
    start: IntArray  # (n_cells + 1,), where each cell begins in `members`

    @classmethod
    def of(cls, grid: BoxGrid) -> Cells:
        """Those of the atoms that the boxes of a grid lie over."""
        u = grid.wrapped_coordinates()
        order = np.argsort(u[:, 0], kind="stable")
        u, numbers = u[order], grid.structure.numbers[order]
        low = np.where(grid.pbc, 0.0, u.min(axis=0))
        heights = perpendicular_heights(grid.cell)
        extent = np.where(grid.pbc, 1.0, np.maximum(u.max(axis=0) - low, grid.spacing / heights))
        lengths = extent * heights
        edge = float(np.cbrt(lengths.prod() * ATOMS / len(u)))
        shape = np.clip(np.round(lengths / edge), 1, 2000).astype(int)
        cells = np.zeros(len(u), dtype=np.int64)
        for k in range(3):
            at = ((u[:, k] - low[k]) / (extent[k] / shape[k])).astype(np.int64)
            cells = cells * shape[k] + np.clip(at, 0, shape[k] - 1, out=at)
        members = np.argsort(cells, kind="stable")
        counts = np.bincount(cells, minlength=int(shape.prod()))
        start = np.concatenate([[0], np.cumsum(counts)])
        n0, n1, n2 = (int(n) for n in shape)
        return cls(u, numbers, grid.pbc, low, extent / shape, (n0, n1, n2), members, start)

    def within(self, low: FloatArray, high: FloatArray) -> tuple[FloatArray, IntArray]:
        """Coordinates (n, 3) and atomic numbers (n,) of the atoms between two corners, some others among them.

        In the order of `u`, each once; along periodic axes also those of which an image lies there.

        Args:
            low, high: corners, (3,).
        """
        x, y, z = (self._along(k, float(low[k]), float(high[k])) for k in range(3))
        pieces = []
        for i, j in itertools.product(np.concatenate(x), np.concatenate(y)):
            row = (i * self.shape[1] + j) * self.shape[2]
            pieces += [self.members[self.start[row + run[0]] : self.start[row + run[-1] + 1]] for run in z]
        found = np.sort(np.concatenate(pieces)) if pieces else self.members[:0]
        return self.u[found], self.numbers[found]

    def _along(self, axis: int, low: float, high: float) -> list[IntArray]:
        """Cells along an axis that reach between two places, in runs of consecutive ones; each once."""
        n = self.shape[axis]
        first = int(np.floor((low - self.low[axis]) / self.edge[axis] - ROUNDING))
        last = int(np.floor((high - self.low[axis]) / self.edge[axis] + ROUNDING))
        if not self.pbc[axis]:
            # atoms beyond the ends, by rounding, are in the cells there
            run = np.arange(min(max(first, 0), n - 1), min(max(last, 0), n - 1) + 1)
            return [run]
        if last - first + 1 >= n:
            return [np.arange(n)]
        run = np.arange(first, last + 1) % n
        return [part for part in np.split(run, np.flatnonzero(np.diff(run) != 1) + 1) if len(part)]
