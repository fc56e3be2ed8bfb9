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
