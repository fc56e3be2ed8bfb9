"""Windows: weights 1 / γ that undo what the shape of a piece takes from its long pairs.

A finite piece of crystal has too few of them; each pair at displacement r is divided by the set covariance
γ(r) = |W ∩ (W + r)| / |W| of the support W (translation correction of spatial statistics: Ohser 1983; Stoyan &
Stoyan 1994).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy import fft

from arise_core.descriptor import loops
from arise_core.geometry.arrays import FloatArray
from arise_core.geometry.cell import inverse, perpendicular_heights
from arise_core.geometry.support import Support


class Covariance:
    """Set covariance of a support, as a weight 1 / max(γ, floor) for pair vectors."""

    def __init__(self, support: Support, floor: float, limit: float) -> None:
        """Compute γ by FFT for displacements up to `limit` Å."""
        self.floor = floor
        self.full = support.full
        if self.full:
            return
        heights = perpendicular_heights(support.step)
        n = np.array(support.inside.shape)
        pad = np.minimum(n, np.ceil(np.minimum(limit / heights, n)) + 2).astype(int)
        shape = [
            int(n[k]) if support.pbc[k] else fft.next_fast_len(int(n[k] + pad[k]), real=(k == 2))
            for k in range(3)
        ]
        spectrum = fft.rfftn(support.inside.astype(np.float64), shape)
        gamma = fft.irfftn(np.abs(spectrum) ** 2, shape)
        self.gamma = np.ascontiguousarray(gamma / gamma[0, 0, 0])
        self.to_voxel = inverse(support.step)

    def weights(self, vectors: FloatArray) -> FloatArray:
        """1 / max(γ(r), floor) of displacements (m, 3) Å, (m,)."""
        if self.full:
            return np.ones(len(vectors))
        out = np.empty(len(vectors))
        loops.grid_covariance(vectors, self.to_voxel, self.gamma, self.floor, out)
        return out


class BoxWindow:
    """Set covariance of a full parallelepiped, γ = Π (1 - |f_k| / width_k), as weights for pair vectors."""

    def __init__(self, cell: FloatArray, width: FloatArray, floor: float) -> None:
        """`cell` (3, 3) Å: directions of the edges; `width` (3,): edges in units of the cell vectors."""
        self.to_fraction = inverse(cell)
        self.width = np.asarray(width, dtype=np.float64)
        self.floor = floor

    def weights(self, vectors: FloatArray) -> FloatArray:
        """1 / max(γ(r), floor) of displacements (m, 3) Å, (m,)."""
        out = np.empty(len(vectors))
        loops.box_covariance(vectors, self.to_fraction, self.width, self.floor, out)
        return out


class NoWindow:
    """γ = 1: pieces are taken as free clusters."""

    def weights(self, vectors: FloatArray) -> FloatArray:
        """Ones, (m,)."""
        return np.ones(len(vectors))


class Window(Protocol):
    """Anything that weighs pair vectors (m, 3) Å by 1 / γ."""

    def weights(self, vectors: FloatArray) -> FloatArray:
        """(m,)."""
        ...
