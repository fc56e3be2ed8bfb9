"""A piece of matter, unwrapped and open, in which periods are looked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components
from scipy.spatial import cKDTree

from arise_core.errors import InputError
from arise_core.geometry import builders
from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray
from arise_core.geometry.cell import perpendicular_heights, shortened
from arise_core.geometry.material import Material
from arise_core.geometry.neighbors import images, wrapped_points
from arise_core.geometry.structure import Structure

#: Atoms beyond the nearest to the middle of a piece are not looked at.
MOST = 4000
#: Small periodic structures are repeated until they have as many atoms.
FEWEST = 1000
#: Neighbours whose distance tells the density around an atom.
NEIGHBOURS = 30
#: Radius, in density spacings, of the ball that tells whether a point lies inside; share of the usual number of atoms.
AROUND = 1.6
FULL = 0.75


@dataclass(frozen=True, eq=False)
class Piece:
    """Atoms around a middle, without periodic images.

    Args:
        positions: (n, 3), Å, the middle at the origin.
        numbers: (n,), atomic numbers.
        index: (n,), which atom of the structure each is; repeated for images.
    """

    positions: FloatArray
    numbers: IntArray
    index: IntArray

    def __len__(self) -> int:
        return len(self.positions)

    @cached_property
    def independent(self) -> float:
        """Share of the atoms that are no images of others."""
        return len(np.unique(self.index)) / len(self.index)

    @cached_property
    def tree(self) -> cKDTree:
        """Of all atoms."""
        return cKDTree(self.positions)

    @cached_property
    def trees(self) -> dict[int, tuple[cKDTree, IntArray]]:
        """Of the atoms of each element, with their indices."""
        parts = {int(z): np.flatnonzero(self.numbers == z) for z in np.unique(self.numbers)}
        return {z: (cKDTree(self.positions[at]), at) for z, at in parts.items()}

    @cached_property
    def spacing(self) -> float:
        """Median distance to the nearest neighbour, Å."""
        distances, _ = self.tree.query(self.positions, k=2)
        return float(np.median(distances[:, 1]))

    @cached_property
    def radius(self) -> float:
        """Distance of the farthest atom from the middle, Å."""
        return float(np.linalg.norm(self.positions, axis=1).max())

    @cached_property
    def density(self) -> float:
        """Atoms per Å³, around the inner half of the atoms."""
        inner = self.positions[: max(1, len(self) // 2)]
        k = min(NEIGHBOURS, len(self) - 1)
        distances, _ = self.tree.query(inner, k=[k, k + 1])
        # The sphere that holds the atom and k neighbours ends between the k-th and the next.
        return float(np.median(k / (4 / 3 * np.pi * (distances**3).mean(axis=1))))

    @cached_property
    def _inside(self) -> tuple[BoolArray, float, FloatArray]:
        """Voxels inside the piece, their edge (Å), and the corner of the first."""
        edge = 0.5 * self.density ** (-1 / 3)
        reach = AROUND * self.density ** (-1 / 3)
        low = self.positions.min(axis=0) - edge
        shape = np.ceil((self.positions.max(axis=0) + edge - low) / edge).astype(int)
        centres = (
            np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1) * edge
            + low
            + edge / 2
        )
        counts = self.tree.query_ball_point(centres.reshape(-1, 3), reach, return_length=True)
        usual = 4 / 3 * np.pi * reach**3 * self.density
        return (counts >= FULL * usual).reshape(shape), edge, low

    def of(self, chosen: IntArray) -> Piece:
        """The piece of some of its atoms; indices ascending."""
        return Piece(self.positions[chosen], self.numbers[chosen], self.index[chosen])

    def around(self, atom: int) -> Piece:
        """The same atoms with another one in the middle."""
        moved = self.positions - self.positions[atom]
        order = np.argsort(np.linalg.norm(moved, axis=1), kind="stable")
        return Piece(moved[order], self.numbers[order], self.index[order])

    def places(self, count: int) -> list[int]:
        """Atoms far from each other, the middle first; deep inside if they can be."""
        deep = np.flatnonzero(self.inside(self.positions))
        chosen = [0]
        if len(deep) == 0:
            return chosen
        apart = np.linalg.norm(self.positions[deep], axis=1)
        while len(chosen) < min(count, len(deep)):
            chosen.append(int(deep[np.argmax(apart)]))
            apart = np.minimum(
                apart, np.linalg.norm(self.positions[deep] - self.positions[chosen[-1]], axis=1)
            )
        return chosen

    def inside(self, points: FloatArray) -> BoolArray:
        """Whether points (n, 3) Å have atoms all around them, (n,)."""
        voxels, edge, low = self._inside
        at = np.floor((points - low) / edge).astype(int)
        within = ((at >= 0) & (at < voxels.shape)).all(axis=1)
        found = np.zeros(len(points), dtype=bool)
        found[within] = voxels[tuple(at[within].T)]
        return found


def cut_piece(material: Material, atoms: IntArray | None = None, most: int = MOST) -> Piece:
    """The atoms of a region nearest to its middle, unwrapped.

    The middle is the atom of the region that lies deepest in its largest connected part.

    Args:
        material: the structure.
        atoms: indices of the atoms of the region; None: all.
        most: atoms at most.

    Raises:
        ValueError: `atoms` is empty, no list of indices, or out of range.
    """
    body = material.body
    chosen = _checked(atoms, len(material))
    chosen = chosen[material.in_body[chosen]]
    if len(chosen) == 0:
        raise InputError("`atoms` names only atoms far from all others")
    pbc = body.pbc
    cell = (
        shortened(body.complete_cell, pbc) if pbc.any() else body.complete_cell
    )  # a piece is as thick as can be
    positions = wrapped_points(material.atoms[chosen], cell, pbc)
    numbers, index = material.structure.numbers[chosen], chosen
    if pbc.any() and len(chosen) < len(body):
        positions = _unwrapped(positions, cell, pbc)
    elif pbc.any() and len(body) < FEWEST:
        positions, numbers, index = _repeated(Structure(positions, numbers, cell, pbc), chosen)
    elif pbc.any():  # the cell around one of its atoms
        corner = positions[0] - cell[pbc].sum(axis=0) / 2
        positions = wrapped_points(positions - corner, cell, pbc)
    return _around_middle(positions, numbers, index, most)


def _checked(atoms: IntArray | None, n_atoms: int) -> IntArray:
    if atoms is None:
        return np.arange(n_atoms)
    chosen = np.asarray(atoms)
    if chosen.ndim != 1 or len(chosen) == 0 or chosen.dtype.kind not in "iu":
        raise InputError(
            f"`atoms` must be a list of indices of atoms, got {chosen.dtype} of shape {chosen.shape}"
        )
    chosen = np.unique(chosen.astype(np.int64))
    if chosen[0] < 0 or chosen[-1] >= n_atoms:
        raise InputError(f"`atoms` must be from 0 to {n_atoms - 1}, got {chosen[0]} to {chosen[-1]}")
    return chosen


def _repeated(body: Structure, index: IntArray) -> tuple[FloatArray, IntArray, IntArray]:
    """Copies of a small cell along its periodic directions, about as thick in all of them."""
    heights = perpendicular_heights(body.complete_cell)
    counts = np.ones(3, dtype=int)
    while len(body) * counts.prod() < FEWEST:
        counts[int(np.argmin(np.where(body.pbc, heights * counts, np.inf)))] += 1
    cell = builders.repeat(body, counts.tolist())
    return cell.positions, cell.numbers, np.tile(index, int(counts.prod()))


@dataclass(frozen=True, eq=False)
class Bonds:
    """Pairs of neighbours, each both ways.

    Args:
        atom, other: (n,), indices.
        shifts: (n, 3), Å, from the place of `other` to that of its image beside `atom`.
        distances: (n,), Å.
    """

    atom: IntArray
    other: IntArray
    shifts: FloatArray
    distances: FloatArray

    def graph(self, n_atoms: int) -> Any:
        """Which atoms are neighbours, a sparse matrix (n_atoms, n_atoms)."""
        return coo_matrix(
            (np.ones(len(self.atom)), (self.atom, self.other)), shape=(n_atoms, n_atoms)
        ).tocsr()


def bonds(positions: FloatArray, cell: FloatArray, pbc: BoolArray, reach: float) -> Bonds:
    """Pairs of atoms up to `reach` (Å) apart, periodic images included.

    Args:
        positions: (n_atoms, 3), Å, inside the cell along its periodic directions.
        cell: (3, 3), Å, complete.
        pbc: (3,), periodic directions.
        reach: Å.
    """
    cloud = images(positions, cell, pbc, reach)
    tree = cKDTree(positions)
    pairs = cKDTree(cloud.positions).sparse_distance_matrix(tree, reach, output_type="coo_matrix")
    other = cloud.index[pairs.row]
    return Bonds(pairs.col, other, cloud.positions[pairs.row] - positions[other], pairs.data)


def _unwrapped(positions: FloatArray, cell: FloatArray, pbc: BoolArray) -> FloatArray:
    """Atoms of a region moved by cell vectors so that it hangs together, as far as it can."""
    neighbours = min(9, len(positions))
    reach = 1.5 * float(np.median(cKDTree(positions).query(positions, k=[neighbours])[0]))
    found = bonds(positions, cell, pbc, reach)
    n = len(positions)
    pairs = found.atom.astype(np.int64) * n + found.other
    nearest_first = np.lexsort((found.distances, pairs))
    known, first = np.unique(pairs[nearest_first], return_index=True)
    shifts = found.shifts[nearest_first[first]]  # of the nearest image of each pair
    graph = found.graph(n)
    total = np.zeros_like(positions)
    _, labels = connected_components(graph, directed=False)
    for part in range(labels.max() + 1):
        order, before = breadth_first_order(graph, int(np.flatnonzero(labels == part)[0]))
        others = order[1:].astype(np.int64)
        steps = shifts[np.searchsorted(known, before[others].astype(np.int64) * n + others)]
        for k, step in zip(others, steps, strict=True):
            total[k] = total[before[k]] + step
    return positions + total


def _around_middle(positions: FloatArray, numbers: IntArray, index: IntArray, most: int) -> Piece:
    """The piece around the densest place of the region, or near the middle of a small one."""
    tree = cKDTree(positions)
    sample = np.unique(np.linspace(0, len(positions) - 1, min(len(positions), 400)).astype(int))
    if len(positions) > most:
        distances, _ = tree.query(positions[sample], k=[most])
        centre = positions[sample[int(np.argmin(distances[:, 0]))]]
    else:
        reach = float(np.ptp(positions, axis=0).max()) / 3 + 1e-9
        counts = tree.query_ball_point(positions[sample], reach, return_length=True)
        full = positions[sample[counts >= 0.95 * counts.max()]]
        centre = full[int(np.argmin(np.linalg.norm(full - positions.mean(axis=0), axis=1)))]
    order = np.argsort(np.linalg.norm(positions - centre, axis=1), kind="stable")[:most]
    return Piece(positions[order] - centre, numbers[order], index[order])
