"""Connected groups of atoms: those with the same label that are neighbours."""

from __future__ import annotations

import numpy as np

from arise_core.geometry import loops
from arise_core.geometry.arrays import IntArray
from arise_core.geometry.material import Material
from arise_core.geometry.neighbors import fewer_bins, images, wrapped_points

#: Neighbours are no further apart than this many atomic spacings: the first shell of a close-packed crystal, both
#: shells of a bcc one.
REACH = 1.4
#: Stands for atoms in no group.
NO_GROUP = -1


def connected_groups(material: Material, labels: IntArray, reach: float = REACH) -> IntArray:
    """Group of each atom, (n_atoms,): 0 the largest, 1 the next, ...; -1 where the label is negative.

    Atoms are in one group if steps from neighbour to neighbour, all with the same label, lead from one to the other;
    across periodic borders too.

    Args:
        material: whose atoms they are.
        labels: (n_atoms,); negative for atoms that are in no group.
        reach: distance of neighbours, atomic spacings.
    """
    out = np.full(len(labels), NO_GROUP, dtype=np.int64)
    chosen = np.flatnonzero((labels >= 0) & material.in_body)
    if not len(chosen):
        return out
    body, far = material.body, reach * material.spacing
    kinds = labels[chosen]
    places = wrapped_points(material.atoms[chosen], body.complete_cell, body.pbc)
    cloud = images(places, body.complete_cell, body.pbc, far)
    origin = cloud.positions.min(axis=0)
    shape = np.maximum((np.ptp(cloud.positions, axis=0) / far).astype(np.int64) + 1, 1)
    shape, size = fewer_bins(shape, far)
    order = np.empty(len(cloud.positions), dtype=np.int64)
    start = np.empty(int(np.prod(shape)) + 1, dtype=np.int64)
    loops.bin_points(cloud.positions, origin, size, shape, order, start)
    first = np.arange(len(chosen))
    loops.join_neighbours(cloud.positions, cloud.index, kinds, far, origin, size, shape, order, start, first)
    found, group, sizes = np.unique(first, return_inverse=True, return_counts=True)
    rank = np.empty(len(found), dtype=np.int64)
    rank[np.lexsort((found, kinds[found], -sizes))] = np.arange(len(found))
    out[chosen] = rank[group]
    return out
