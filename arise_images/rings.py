"""Rings of a layer: faces of the graph of bonded columns, by the planar embedding of networkx."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arise_core.errors import check_type
from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.geometry.sheets import BOND, bonds
from arise_core.geometry.structure import Structure
from arise_core.settings import check_number
from arise_images.columns import neighbour_distance

#: Rings of more columns are holes or the outside.
LARGEST = 12


@dataclass(frozen=True)
class Rings:
    """Rings of bonded columns. Arrays run over the rings."""

    members: tuple[tuple[int, ...], ...]  # columns of each ring, in its order
    size: IntArray  # (n,), columns in each
    centers: FloatArray  # (n, 3), Å

    def __len__(self) -> int:
        return len(self.members)

    @property
    def counts(self) -> dict[int, int]:
        """How many rings of each size there are."""
        sizes, numbers = np.unique(self.size, return_counts=True)
        return {int(k): int(v) for k, v in zip(sizes, numbers, strict=True)}


def find_rings(structure: Structure, reach: float | None = None) -> Rings:
    """Rings of a flat layer, up to twelve columns each.

    Args:
        structure: flat, open, across z.
        reach: columns so close are bonded, Å; None: 1.3 times the mean distance of neighbours.

    Raises:
        MissingPackageError: networkx is not installed.
        InputError: a reach that is not positive.
    """
    check_type("structure", structure, Structure, "a Structure")
    if reach is not None:
        check_number("reach", reach, low=0.0, above=True, unit="Å")
    from networkx import PlanarEmbedding

    x = structure.positions
    if len(x) < 3:
        return Rings((), np.zeros(0, dtype=np.int64), np.zeros((0, 3)))
    if reach is None:
        reach = BOND * neighbour_distance(x)
    around: list[list[int]] = [[] for _ in x]
    for i, j in bonds(structure, reach).tolist():
        around[i].append(j)
        around[j].append(i)
    embedding = PlanarEmbedding()
    for i, near in enumerate(around):
        vectors = x[near, :2].reshape(-1, 2) - x[i, :2]
        order = np.argsort(-np.arctan2(vectors[:, 1], vectors[:, 0]), kind="stable")  # clockwise
        last = None
        for k in order.tolist():
            embedding.add_half_edge(i, near[k], ccw=last)
            last = near[k]
    seen: set[tuple[int, int]] = set()
    members = []
    for i, j in list(embedding.edges()):
        if (i, j) not in seen:
            face = embedding.traverse_face(i, j, mark_half_edges=seen)
            if 3 <= len(face) <= LARGEST and len(set(face)) == len(face) and _is_inside(x[face, :2]):
                members.append(tuple(face))
    size = np.array([len(m) for m in members], dtype=np.int64)
    centers = np.array([x[list(m)].mean(axis=0) for m in members]).reshape(-1, 3)
    return Rings(tuple(members), size, centers)


def _is_inside(corners: FloatArray) -> bool:
    """Whether a face is run around clockwise, as those inside are; the outside is run around the other way."""
    x, y = corners.T
    return bool((x * np.roll(y, -1) - y * np.roll(x, -1)).sum() < 0)
