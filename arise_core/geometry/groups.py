"""Connected groups of atoms: those with the same label that are neighbours."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from arise_core.geometry.arrays import IntArray
from arise_core.geometry.material import Material
from arise_core.geometry.neighbors import images, wrapped_points

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
    places = wrapped_points(material.atoms[chosen], body.complete_cell, body.pbc)
    kinds = labels[chosen]
    parts = np.zeros(len(chosen), dtype=np.int64)
    n_parts = 0
    for kind in np.unique(kinds):
        of_kind = np.flatnonzero(kinds == kind)
        cloud = images(places[of_kind], body.complete_cell, body.pbc, far)
        pairs = cKDTree(cloud.positions).query_pairs(far, output_type="ndarray")
        first, second = cloud.index[pairs[:, 0]], cloud.index[pairs[:, 1]]
        n = len(of_kind)
        graph = coo_matrix((np.ones(len(pairs), dtype=np.int8), (first, second)), shape=(n, n)).tocsr()
        count, of_atom = connected_components(graph, directed=False)
        parts[of_kind] = of_atom + n_parts
        n_parts += count
    sizes = np.bincount(parts, minlength=n_parts)
    rank = np.empty(n_parts, dtype=np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(n_parts)
    out[chosen] = rank[parts]
    return out
