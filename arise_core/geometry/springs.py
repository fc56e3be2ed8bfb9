"""Thermal motion of a crystal whose atoms are joined by springs: soft where the lattice is soft.

The displacements have the covariance K⁻¹ of a harmonic crystal, K = BᵀB + k₀, in which each row of B holds the unit
vector of a bond on its two atoms. In bcc this makes the zone-boundary shear towards hcp several times as large as other
modes, as it is in molecular dynamics, which isotropic waves do not.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import cg
from scipy.spatial import cKDTree

from arise_core.geometry.arrays import FloatArray
from arise_core.runtime.threads import one_blas_thread

#: Longest bond over the nearest-neighbour distance: the first with `NEIGHBOURS` a atom, so that the network is rigid.
BONDS = (1.1, 1.3, 1.75, 2.1)
NEIGHBOURS = 6.0
#: Accuracy and number of steps of the conjugate gradients.
ACCURACY = 1e-3
STEPS = 200


def spring_noise(
    positions: FloatArray, sigma: float, distance: float, tether: float, rng: np.random.Generator
) -> FloatArray:
    """Displacements of atoms joined by springs, (n, 3), Å.

    Atoms with fewer bonds than most, at the border of a piece, are held by as much instead.

    Args:
        positions: (n, 3), Å, not periodic.
        sigma: standard deviation per coordinate, Å.
        distance: of nearest neighbours, Å.
        tether: stiffness k₀ that holds each atom in its place, over that of a spring.
        rng: random numbers.
    """
    n = len(positions)
    for factor in BONDS:
        pairs = cKDTree(positions).query_pairs(factor * distance, output_type="ndarray")
        if 2 * len(pairs) >= NEIGHBOURS * n:
            break
    vectors = positions[pairs[:, 1]] - positions[pairs[:, 0]]
    units = vectors / np.linalg.norm(vectors, axis=1)[:, None]
    rows = np.repeat(np.arange(len(pairs)), 6)
    columns = (3 * pairs[:, :, None] + np.arange(3)).ravel()
    bonds = sparse.csr_matrix(
        (np.concatenate([units, -units], axis=1).ravel(), (rows, columns)), shape=(len(pairs), 3 * n)
    )
    count = np.bincount(pairs.ravel(), minlength=n)
    held = np.repeat(tether + np.maximum(np.quantile(count, 0.75) - count, 0) / 3, 3)
    force = bonds.T @ rng.normal(size=len(pairs)) + np.sqrt(held) * rng.normal(size=3 * n)
    with one_blas_thread():
        moved, _ = cg(bonds.T @ bonds + sparse.diags(held), force, rtol=ACCURACY, maxiter=STEPS)
    moved = moved.reshape(-1, 3) - moved.reshape(-1, 3).mean(axis=0)
    return np.asarray(moved * (sigma / max(float(np.sqrt((moved**2).mean())), 1e-300)))
