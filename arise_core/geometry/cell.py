"""Cells of three vectors: coordinates, volume, heights. Without BLAS, so that no thread count changes a bit."""

from __future__ import annotations

import itertools

import numpy as np

from arise_core.errors import InputError
from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray

#: A cell is skewed if a perpendicular height is a smaller share of the length of its vector. Below the first one
#: nothing can be done with it; below the second one boxes of its shape are unlike those that models know.
SKEWED = 0.05
ASKEW = 0.7


def transformed(vectors: FloatArray | IntArray, matrix: FloatArray) -> FloatArray:
    """`vectors @ matrix` for vectors (n, 3) or (3,) and a matrix (3, 3), without BLAS.

    The last bits of a BLAS product depend on the number of its threads and on the processor; these do not.
    """
    v = np.asarray(vectors)
    out = np.asarray(v[..., 0:1] * matrix[0])
    one = np.asarray(v[..., 1:2] * matrix[1])  # one room for both products: there may be millions of vectors
    out += one
    out += np.multiply(v[..., 2:3], matrix[2], out=one)
    return out


def inverse(matrix: FloatArray) -> FloatArray:
    """Inverse of a (3, 3) matrix by cofactors, without BLAS; see `transformed`.

    Raises:
        ValueError: the determinant is zero.
    """
    a, b, c = np.asarray(matrix, dtype=np.float64)
    columns = np.array([cross(b, c), cross(c, a), cross(a, b)]).T
    determinant = volume(matrix)
    if determinant == 0:
        raise InputError(f"`matrix` has no inverse: {np.asarray(matrix).tolist()}")
    return np.ascontiguousarray(columns / determinant)


def volume(cell: FloatArray) -> float:
    """Triple product of three vectors (3, 3), Å³; negative for left-handed ones."""
    a, b, c = np.asarray(cell, dtype=np.float64)
    return float((a * cross(b, c)).sum())


def cross(a: FloatArray, b: FloatArray) -> FloatArray:
    """Cross product of two vectors (3,), with the bits of `np.cross`, which takes twenty times as long for so few."""
    (x, y, z), (u, v, w) = a.tolist(), b.tolist()
    return np.array((y * w - z * v, z * u - x * w, x * v - y * u))


def has_volume(cell: FloatArray) -> bool:
    """Whether three vectors span a volume that is more than rounding error."""
    lengths = np.linalg.norm(cell, axis=1)
    return bool(lengths.min() > 0 and abs(volume(cell)) > 1e-6 * np.prod(lengths))


def complete_cell(cell: FloatArray) -> FloatArray:
    """Fill zero rows with unit vectors normal to the rows that are there, (3, 3), Å."""
    full = np.array(cell, dtype=np.float64)
    missing = [k for k in range(3) if not full[k].any()]
    if len(missing) == 3:
        return np.eye(3)
    for k in missing:
        a, b = full[(k + 1) % 3], full[(k + 2) % 3]
        normal = np.cross(a, b)
        if not normal.any():  # two rows are missing: take the axis least along the one that is there
            there = a if a.any() else b
            normal = np.cross(there, np.eye(3)[np.argmin(np.abs(there))])
        full[k] = normal / np.linalg.norm(normal)
    return full


def perpendicular_heights(cell: FloatArray) -> FloatArray:
    """Distance between opposite faces of the cell along each cell vector, (3,), Å."""
    return np.asarray(1.0 / np.linalg.norm(inverse(cell), axis=0))


def unskewed(cell: FloatArray, pbc: BoolArray, least: float = SKEWED) -> FloatArray:
    """The same cell; for a skewed one, a cell of the same lattice with short vectors, (3, 3), Å.

    The lattice is that of the periodic directions; vectors along the others become normal to them.

    Args:
        cell: (3, 3), Å, complete.
        pbc: (3,), periodic directions.
        least: share of a vector's length that the height along it is in a cell that is not skewed.
    """
    if has_volume(cell):
        share = perpendicular_heights(cell) / np.linalg.norm(cell, axis=1)
        if share.min() >= least:
            return cell
    return shortened(cell, pbc)


def shortened(cell: FloatArray, pbc: BoolArray) -> FloatArray:
    """A cell of the same lattice with short vectors, as `unskewed` makes it of a skewed one, (3, 3), Å."""
    vectors = np.where(pbc[:, None], cell, 0.0)
    chosen = np.flatnonzero(pbc)
    others = {k: [j for j in chosen if j != k] for k in chosen}
    changed = True
    while changed:  # each step makes a vector shorter, so it ends
        changed = False
        for k in chosen:
            for signs in itertools.product((-1, 0, 1), repeat=len(others[k])):
                base = sum((s * vectors[j] for s, j in zip(signs, others[k], strict=True)), np.zeros(3))
                square = float((base**2).sum())
                if square == 0:
                    continue
                shorter = vectors[k] - np.round((vectors[k] * base).sum() / square) * base
                if (shorter**2).sum() < (1 - 1e-9) * (vectors[k] ** 2).sum():
                    vectors[k], changed = shorter, True
    return complete_cell(vectors)
