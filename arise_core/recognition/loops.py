"""Compiled loops that read a map off at points. No policy lives here."""

from __future__ import annotations

import math

import numpy as np

from arise_core.runtime.compilation import jit, jit_inline


@jit_inline
def node(number, first, count, wrap):
    """The node that a number stands for, going round or the one at the border, as counted from `first`."""
    at = number % count if wrap else min(max(number, 0), count - 1)
    return (at - first) % count


@jit_inline
def mean(values, fields, weights, base, share, out):
    """Mean of the fields of nodes into `out` (n_fields,), NaN nodes left out; NaN without any other.

    Along each axis there are nodes `base` (3, n) with shares `share` (3, n); `weights` (n0, n1, n2) come on top where
    they are not empty. Where `fields` (n0, n1, n2, n_kept) is not empty it tells which fields the values of each node
    are; its others are 0.
    """
    for c in range(out.shape[0]):
        out[c] = 0.0
    total = 0.0
    for x in range(base.shape[1]):
        for y in range(base.shape[1]):
            for z in range(base.shape[1]):
                w = share[0, x] * share[1, y] * share[2, z]
                i, j, k = base[0, x], base[1, y], base[2, z]
                if weights.size > 0:
                    w *= weights[i, j, k]
                if w == 0.0 or math.isnan(values[i, j, k, 0]):
                    continue
                total += w
                if fields.size > 0:
                    for c in range(values.shape[3]):
                        out[fields[i, j, k, c]] += w * values[i, j, k, c]
                else:
                    for c in range(out.shape[0]):
                        out[c] += w * values[i, j, k, c]
    for c in range(out.shape[0]):
        out[c] = out[c] / total if total > 0.0 else math.nan


@jit
def interpolate(values, fields, first, count, at, wrap, out):
    """Trilinear values at grid coordinates `at` (m, 3) into `out` (m, n_fields), NaN nodes left out.

    Node (i, j, k) of `count` (3,) has coordinates (i, j, k). `values` (n0, n1, n2, n_fields or n_kept) are those from
    node `first` (3,) on, all that are needed; for `fields` see `mean`. Along axes with `wrap` the grid repeats, along
    others values beyond the border are those of the border. NaN where all nodes around are.
    """
    base = np.empty((3, 2), dtype=np.int64)
    share = np.empty((3, 2))
    none = np.empty((0, 0, 0))
    for p in range(at.shape[0]):
        for k in range(3):
            f = math.floor(at[p, k])
            t = at[p, k] - f
            share[k, 0], share[k, 1] = 1.0 - t, t
            for j in range(2):
                base[k, j] = node(int(f) + j, first[k], count[k], wrap[k])
        mean(values, fields, none, base, share, out[p])


@jit
def smooth(values, fields, weights, first, count, at, wrap, out):
    """Weighted means with cubic B-splines at grid coordinates `at` (m, 3) into `out` (m, n_fields).

    As `interpolate`, but over four nodes along each axis, whose `weights` (n0, n1, n2) come on top.
    """
    base = np.empty((3, 4), dtype=np.int64)
    share = np.empty((3, 4))
    for p in range(at.shape[0]):
        for k in range(3):
            f = math.floor(at[p, k])
            t = at[p, k] - f
            share[k, 0] = (1.0 - t) ** 3 / 6.0
            share[k, 1] = (3.0 * t**3 - 6.0 * t**2 + 4.0) / 6.0
            share[k, 3] = t**3 / 6.0
            share[k, 2] = 1.0 - share[k, 0] - share[k, 1] - share[k, 3]
            for j in range(4):
                base[k, j] = node(int(f) - 1 + j, first[k], count[k], wrap[k])
        mean(values, fields, weights, base, share, out[p])


@jit_inline
def beside(number, step, count, wrap):
    """The node a step of -1, 0 or 1 away, each once; -1 where there is none."""
    at = number + step
    if wrap:
        if (count == 1 and step != 0) or (count == 2 and step > 0):
            return -1
        return at % count
    return at if 0 <= at < count else -1


@jit
def find_alike(boxes, known, sure, level, shape, wrap, axis, blocks, least, share, near, said):
    """What the neighbours of nodes say of them if all say the same, and which they are; see `Neighbours.alike`.

    `boxes` (n,) are nodes of the flattened grid, over all of which `known`, `sure` and `level` run; where `level` is
    empty those of all levels count, else lower ones. Into `said` (n,) and `near` (n, 26), which is filled with -1.
    """
    here = np.empty(3, dtype=np.int64)
    at = np.empty(3, dtype=np.int64)
    for r in range(boxes.shape[0]):
        b = boxes[r]
        here[2] = b % shape[2]
        here[1] = b // shape[2] % shape[1]
        here[0] = b // (shape[2] * shape[1])
        count, certain = 0, 0
        said[r] = -1
        for step in range(27):
            at[0] = beside(here[0], step // 9 - 1, shape[0], wrap[0])
            at[1] = beside(here[1], step // 3 % 3 - 1, shape[1], wrap[1])
            at[2] = beside(here[2], step % 3 - 1, shape[2], wrap[2])
            if min(at[0], at[1], at[2]) < 0 or blocks[at[axis]] != blocks[here[axis]]:
                continue
            other = (at[0] * shape[1] + at[1]) * shape[2] + at[2]
            if other == b or known[other] < 0 or (level.size > 0 and level[other] >= level[b]):
                continue
            if count > 0 and known[other] != said[r]:
                count = 0
                break
            said[r] = known[other]
            near[r, count] = other
            count += 1
            certain += sure[other]
        if count < least or certain < share * count:
            said[r] = -1
