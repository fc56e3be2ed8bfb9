"""Compiled loops that read a map off at points. No policy lives here."""

from __future__ import annotations

import math

import numpy as np

from arise_core.runtime.compilation import jit


@jit
def interpolate(values, at, wrap, out):
    """Trilinear values at grid coordinates `at` (m, 3) into `out` (m, n_fields), NaN nodes left out.

    `values` (n0, n1, n2, n_fields); node (i, j, k) has coordinates (i, j, k). Along axes with `wrap` the grid
    repeats, along others values beyond the border are those of the border. NaN where all nodes around are.
    """
    base = np.empty((3, 2), dtype=np.int64)
    share = np.empty((3, 2))
    n_fields = values.shape[3]
    for p in range(at.shape[0]):
        for k in range(3):
            n = values.shape[k]
            q = at[p, k]
            f = math.floor(q)
            t = q - f
            if wrap[k]:
                base[k, 0], base[k, 1] = int(f) % n, (int(f) + 1) % n
            else:
                base[k, 0], base[k, 1] = min(max(int(f), 0), n - 1), min(max(int(f) + 1, 0), n - 1)
            share[k, 0], share[k, 1] = 1.0 - t, t
        for c in range(n_fields):
            out[p, c] = 0.0
        total = 0.0
        for x in range(2):
            for y in range(2):
                for z in range(2):
                    w = share[0, x] * share[1, y] * share[2, z]
                    i, j, k = base[0, x], base[1, y], base[2, z]
                    if w == 0.0 or math.isnan(values[i, j, k, 0]):
                        continue
                    total += w
                    for c in range(n_fields):
                        out[p, c] += w * values[i, j, k, c]
        for c in range(n_fields):
            out[p, c] = out[p, c] / total if total > 0.0 else math.nan


@jit
def smooth(values, weights, at, wrap, out):
    """Weighted means with cubic B-splines at grid coordinates `at` (m, 3) into `out` (m, n_fields).

    As `interpolate`, but over four nodes along each axis, whose `weights` (n0, n1, n2) come on top.
    """
    base = np.empty((3, 4), dtype=np.int64)
    share = np.empty((3, 4))
    n_fields = values.shape[3]
    for p in range(at.shape[0]):
        for k in range(3):
            n = values.shape[k]
            f = math.floor(at[p, k])
            t = at[p, k] - f
            share[k, 0] = (1.0 - t) ** 3 / 6.0
            share[k, 1] = (3.0 * t**3 - 6.0 * t**2 + 4.0) / 6.0
            share[k, 3] = t**3 / 6.0
            share[k, 2] = 1.0 - share[k, 0] - share[k, 1] - share[k, 3]
            for j in range(4):
                node = int(f) - 1 + j
                base[k, j] = node % n if wrap[k] else min(max(node, 0), n - 1)
        for c in range(n_fields):
            out[p, c] = 0.0
        total = 0.0
        for x in range(4):
            for y in range(4):
                for z in range(4):
                    i, j, k = base[0, x], base[1, y], base[2, z]
                    if math.isnan(values[i, j, k, 0]):
                        continue
                    w = share[0, x] * share[1, y] * share[2, z] * weights[i, j, k]
                    total += w
                    for c in range(n_fields):
                        out[p, c] += w * values[i, j, k, c]
        for c in range(n_fields):
            out[p, c] = out[p, c] / total if total > 0.0 else math.nan
