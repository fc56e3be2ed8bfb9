"""Compiled loops over points: pairs of atoms, distances on a grid. No policy lives here.

They release the interpreter lock, run on one thread and touch only their arguments, so that callers may run several
side by side."""

from __future__ import annotations

import math

import numpy as np

from arise_core.runtime.compilation import jit, jit_inline


@jit
def all_pairs(a, b, same, limit, vectors):
    """Displacements from points `a` to points `b` closer than `limit`, every pair; returns their number.

    With `same`, a and b are the same array and each pair counts once. Call with `vectors` of length 0 to
    count, then with an array of that length.
    """
    square = limit * limit
    found = 0
    room = vectors.shape[0]
    for i in range(a.shape[0]):
        for j in range(i + 1 if same else 0, b.shape[0]):
            dx, dy, dz = b[j, 0] - a[i, 0], b[j, 1] - a[i, 1], b[j, 2] - a[i, 2]
            if dx * dx + dy * dy + dz * dz < square:
                if found < room:
                    vectors[found, 0], vectors[found, 1], vectors[found, 2] = dx, dy, dz
                found += 1
    return found


@jit
def bin_points(points, origin, size, shape, order, start):
    """Sort points into cubic bins of edge `size`: bin b holds order[start[b] : start[b + 1]]."""
    n = points.shape[0]
    index = np.empty(n, dtype=np.int64)
    start[:] = 0
    for i in range(n):
        b = 0
        for k in range(3):
            q = int((points[i, k] - origin[k]) / size)
            b = b * shape[k] + min(max(q, 0), shape[k] - 1)
        index[i] = b
        start[b + 1] += 1
    for b in range(start.shape[0] - 1):
        start[b + 1] += start[b]
    fill = start[:-1].copy()
    for i in range(n):
        order[fill[index[i]]] = i
        fill[index[i]] += 1


@jit
def binned_pairs(
    centres, first, stop, centre_id, points, point_id, point_sign, same, limit, origin, size, shape, order, start,
    vectors,
):  # fmt: skip
    """As `all_pairs`, for centres[first:stop] and binned points (which include periodic images).

    With `same`, a pair counts from the centre of lower id to the point of higher id, and an atom sees its
    own image only if the image's `point_sign` is positive, so that each pair counts once.
    """
    square = limit * limit
    found = 0
    room = vectors.shape[0]
    lo = np.empty(3, dtype=np.int64)
    hi = np.empty(3, dtype=np.int64)
    for i in range(first, stop):
        for k in range(3):
            lo[k] = max(math.floor((centres[i, k] - limit - origin[k]) / size), 0)
            hi[k] = min(math.floor((centres[i, k] + limit - origin[k]) / size), shape[k] - 1)
        if lo[2] > hi[2]:  # beyond all points: there is no such row to read
            continue
        me = centre_id[i]
        for bx in range(lo[0], hi[0] + 1):
            for by in range(lo[1], hi[1] + 1):
                row = (bx * shape[1] + by) * shape[2]
                for slot in range(start[row + lo[2]], start[row + hi[2] + 1]):
                    j = order[slot]
                    other = point_id[j]
                    if other == me and point_sign[j] == 0:
                        continue
                    if same and (other < me or (other == me and point_sign[j] < 0)):
                        continue
                    dx = points[j, 0] - centres[i, 0]
                    dy = points[j, 1] - centres[i, 1]
                    dz = points[j, 2] - centres[i, 2]
                    if dx * dx + dy * dy + dz * dz < square:
                        if found < room:
                            vectors[found, 0], vectors[found, 1], vectors[found, 2] = dx, dy, dz
                        found += 1
    return found


@jit
def nearest_on_grid(points, step, to_nodes, radius, low, begin, end, field):
    """Lower `field` (n0, n1, n2) to the distance of each node from the nearest point, within `radius`.

    Of nodes [begin, end) along the first axis; `field` is inf there before. Node (i, j, k) stands at i step[0] +
    j step[1] + k step[2] (rows of `step`, Å, whose inverse is `to_nodes`) and `low[k]` is the number of nodes that a
    distance of one Å spans along direction k at most.
    """
    square = np.full((end - begin, field.shape[1], field.shape[2]), np.inf)
    lo = np.empty(3, dtype=np.int64)
    hi = np.empty(3, dtype=np.int64)
    for p in range(points.shape[0]):
        for k in range(3):
            q = points[p, 0] * to_nodes[0, k] + points[p, 1] * to_nodes[1, k] + points[p, 2] * to_nodes[2, k]
            lo[k] = max(math.ceil(q - radius * low[k]), 0)
            hi[k] = min(math.floor(q + radius * low[k]), field.shape[k] - 1)
        for i in range(max(lo[0], begin), min(hi[0] + 1, end)):
            for j in range(lo[1], hi[1] + 1):
                x = i * step[0, 0] + j * step[1, 0] - points[p, 0]
                y = i * step[0, 1] + j * step[1, 1] - points[p, 1]
                z = i * step[0, 2] + j * step[1, 2] - points[p, 2]
                row = square[i - begin, j]
                for k in range(lo[2], hi[2] + 1):
                    dx, dy, dz = x + k * step[2, 0], y + k * step[2, 1], z + k * step[2, 2]
                    row[k] = min(row[k], dx * dx + dy * dy + dz * dz)
    for i in range(begin, end):
        for j in range(field.shape[1]):
            for k in range(field.shape[2]):
                d = math.sqrt(square[i - begin, j, k])
                if d < radius:
                    field[i, j, k] = d


@jit_inline
def root(parent, i):
    """The point that stands for the group of point i; the way to it is halved."""
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@jit
def join_neighbours(points, point_id, kinds, limit, origin, size, shape, order, start, parent):
    """Join the groups of points of one kind that are no further than `limit` from each other.

    `points` are binned (see `bin_points`), first those of ids 0, 1, ..., then their images; `kinds` (n,) and `parent`
    (n,), filled with 0, 1, ... before, are of the ids. In the end the first of each group is its `root`, and its
    `parent` that of all others.
    """
    square = limit * limit
    lo = np.empty(3, dtype=np.int64)
    hi = np.empty(3, dtype=np.int64)
    for i in range(kinds.shape[0]):
        for k in range(3):
            lo[k] = max(math.floor((points[i, k] - limit - origin[k]) / size), 0)
            hi[k] = min(math.floor((points[i, k] + limit - origin[k]) / size), shape[k] - 1)
        for bx in range(lo[0], hi[0] + 1):
            for by in range(lo[1], hi[1] + 1):
                row = (bx * shape[1] + by) * shape[2]
                for slot in range(start[row + lo[2]], start[row + hi[2] + 1]):
                    j = order[slot]
                    other = point_id[j]
                    if j <= i or kinds[other] != kinds[i]:
                        continue
                    dx, dy, dz = (
                        points[j, 0] - points[i, 0],
                        points[j, 1] - points[i, 1],
                        points[j, 2] - points[i, 2],
                    )
                    if dx * dx + dy * dy + dz * dz > square:
                        continue
                    a, b = root(parent, i), root(parent, other)
                    if a < b:
                        parent[b] = a
                    elif b < a:
                        parent[a] = b
    for i in range(kinds.shape[0]):
        parent[i] = root(parent, i)
