"""Compiled loops of the strided engine: sums over pairs for many overlapping boxes at once.

A pair of atoms lies in an interval of boxes along each axis, so it changes eight corners of a difference
array; one cumulative sum per axis then gives every box its sum. What is added up is a radial histogram
(cubic B-splines) times spherical harmonics, because a box's length scale is known only afterwards. Loops
over the boxes of one tile; callers run tiles side by side.
"""

# ruff: noqa: E741 - l is the degree of a spherical harmonic
from __future__ import annotations

import math

import numpy as np

from arise_core._kernels import harmonics, jit, power_spectrum


@jit
def count_atoms(first, last, wrap, counts):  # type: ignore[no-untyped-def]
    """Add 1 to `counts` (nx, ny, nz) for each atom and each box that holds it.

    Ranges (n, 3) are inclusive; along axes with `wrap` they go round, along others they end at the border.
    """
    nx, ny, nz = counts.shape
    for i in range(first.shape[0]):
        for x in range(first[i, 0], last[i, 0] + 1):
            if not wrap[0] and (x < 0 or x >= nx):
                continue
            for y in range(first[i, 1], last[i, 1] + 1):
                if not wrap[1] and (y < 0 or y >= ny):
                    continue
                for z in range(first[i, 2], last[i, 2] + 1):
                    if wrap[2] or (0 <= z < nz):
                        counts[x % nx, y % ny, z % nz] += 1


@jit
def add_corners(values, n_values, at, fx, lx, fy, ly, fz, lz, sums):  # type: ignore[no-untyped-def]
    """Add values[:n_values] to sums[..., at : at + n_values] of the corners of a range of boxes."""
    nx, ny, nz = sums.shape[0], sums.shape[1], sums.shape[2]
    for cx in range(2):
        x = fx if cx == 0 else lx + 1
        if x >= nx:
            continue
        for cy in range(2):
            y = fy if cy == 0 else ly + 1
            if y >= ny:
                continue
            for cz in range(2):
                z = fz if cz == 0 else lz + 1
                if z >= nz:
                    continue
                if (cx + cy + cz) & 1:
                    for k in range(n_values):
                        sums[x, y, z, at + k] -= values[k]
                else:
                    for k in range(n_values):
                        sums[x, y, z, at + k] += values[k]


@jit
def deposit(  # type: ignore[no-untyped-def]
    a, a_first, a_last, b, b_first, b_last, same, limit, origin, size, shape, order, start,
    to_fraction, width, floor, log_start, log_step, knot, l_max, l_step, n_lm, norm, sums,
):  # fmt: skip
    """Add every pair closer than `limit` to the boxes that hold both atoms.

    Points `a` (n, 3) Å see binned points `b`; `*_first`, `*_last` (n, 3) are the ranges of boxes, within the
    tile. With `knot` > 0, cubic B-splines of that spacing (Å) times harmonics go to sums (nx, ny, nz, n_knots *
    n_lm); with `knot` = 0, w / r³ in bins of ln r goes to sums (nx, ny, nz, n_bins). Pairs are divided by
    the set covariance of a box of `width` (fractions).
    """
    square = limit * limit
    legendre = np.zeros((l_max + 1, l_max + 1))
    y_lm = np.zeros(n_lm)
    values = np.zeros(4 * n_lm)
    spline = np.zeros(4)
    n_bins = sums.shape[3]
    lo = np.empty(3, dtype=np.int64)
    hi = np.empty(3, dtype=np.int64)
    for i in range(a.shape[0]):
        ax, ay, az = a[i, 0], a[i, 1], a[i, 2]
        for k in range(3):
            lo[k] = max(int(math.floor((a[i, k] - limit - origin[k]) / size)), 0)
            hi[k] = min(int(math.floor((a[i, k] + limit - origin[k]) / size)), shape[k] - 1)
        for bx in range(lo[0], hi[0] + 1):
            for by in range(lo[1], hi[1] + 1):
                row = (bx * shape[1] + by) * shape[2]
                for slot in range(start[row + lo[2]], start[row + hi[2] + 1]):
                    j = order[slot]
                    if same and j <= i:
                        continue
                    dx, dy, dz = b[j, 0] - ax, b[j, 1] - ay, b[j, 2] - az
                    r2 = dx * dx + dy * dy + dz * dz
                    if r2 >= square or r2 == 0.0:
                        continue
                    fx, lx = max(a_first[i, 0], b_first[j, 0]), min(a_last[i, 0], b_last[j, 0])
                    fy, ly = max(a_first[i, 1], b_first[j, 1]), min(a_last[i, 1], b_last[j, 1])
                    fz, lz = max(a_first[i, 2], b_first[j, 2]), min(a_last[i, 2], b_last[j, 2])
                    if fx > lx or fy > ly or fz > lz:
                        continue
                    u = abs(dx * to_fraction[0, 0] + dy * to_fraction[1, 0] + dz * to_fraction[2, 0]) / width[0]
                    v = abs(dx * to_fraction[0, 1] + dy * to_fraction[1, 1] + dz * to_fraction[2, 1]) / width[1]
                    w = abs(dx * to_fraction[0, 2] + dy * to_fraction[1, 2] + dz * to_fraction[2, 2]) / width[2]
                    gamma = max(1.0 - u, 0.0) * max(1.0 - v, 0.0) * max(1.0 - w, 0.0)
                    weight = 1.0 / max(gamma, floor)
                    r = math.sqrt(r2)
                    if knot == 0.0:
                        at = (math.log(r) - log_start) / log_step
                        k = int(math.floor(at))
                        if k < 0 or k >= n_bins - 1:
                            continue
                        t = at - k
                        weight /= r2 * r
                        values[0] = weight * (1.0 - t)
                        values[1] = weight * t
                        add_corners(values, 2, k, fx, lx, fy, ly, fz, lz, sums)
                        continue
                    harmonics(dx / r, dy / r, dz / r, l_max, l_step, norm, legendre, y_lm)
                    t = r / knot
                    k = max(int(t) - 1, 0)  # the first of four knots
                    t -= k + 1
                    s = 1.0 - t
                    weight /= 6.0
                    spline[0] = weight * s * s * s
                    spline[1] = weight * (4.0 - 6.0 * t * t + 3.0 * t * t * t)
                    spline[2] = weight * (4.0 - 6.0 * s * s + 3.0 * s * s * s)
                    spline[3] = weight * t * t * t
                    for q in range(4):
                        for m in range(n_lm):
                            values[q * n_lm + m] = spline[q] * y_lm[m]
                    add_corners(values, 4 * n_lm, k * n_lm, fx, lx, fy, ly, fz, lz, sums)


@jit
def accumulate(sums):  # type: ignore[no-untyped-def]
    """Turn a difference array (nx, ny, nz, n) into sums over boxes, in place."""
    nx, ny, nz, n = sums.shape
    for x in range(nx):
        for y in range(ny):
            for z in range(1, nz):
                for k in range(n):
                    sums[x, y, z, k] += sums[x, y, z - 1, k]
        for y in range(1, ny):
            for z in range(nz):
                for k in range(n):
                    sums[x, y, z, k] += sums[x, y - 1, z, k]
        if x > 0:
            for y in range(ny):
                for z in range(nz):
                    for k in range(n):
                        sums[x, y, z, k] += sums[x - 1, y, z, k]


@jit
def contract(  # type: ignore[no-untyped-def]
    sums, knot, scales, chosen, table, step, l_max, l_step, n_max, n_channels, times, out,
):  # fmt: skip
    """Add `times` the descriptor of each chosen box to `out` (n_boxes, n_channels, channel_size).

    `sums` (n_boxes, n_knots * n_lm) from `deposit` and `accumulate`; `scales` (n_boxes,) length scales in Å;
    `table` of radial functions as in `_kernels.sum_pairs`.
    """
    n_l, n_radial = table.shape[2], table.shape[3]
    n_lm = 0
    for l in range(0, l_max + 1, l_step):
        n_lm += 2 * l + 1
    n_knots = sums.shape[1] // n_lm
    filtered = np.empty((n_knots, n_lm))
    pivot = np.empty(n_knots)
    radial = np.empty((n_l, n_radial))
    coefficients = np.empty((n_lm, n_radial))
    part = np.empty((n_channels, out.shape[2]))
    last = table.shape[0] - 1
    for box in range(sums.shape[0]):
        if not chosen[box]:
            continue
        # A function with values f at the knots is the spline with coefficients S^-1 f, S = tridiag(1, 4, 1) / 6.
        pivot[0] = 1.5
        for m in range(n_lm):
            filtered[0, m] = sums[box, m]
        for q in range(1, n_knots):
            ratio = pivot[q - 1] / 6.0
            pivot[q] = 1.0 / (4.0 / 6.0 - ratio / 6.0)
            for m in range(n_lm):
                filtered[q, m] = sums[box, q * n_lm + m] - ratio * filtered[q - 1, m]
        for m in range(n_lm):
            filtered[n_knots - 1, m] *= pivot[n_knots - 1]
        for q in range(n_knots - 2, -1, -1):
            for m in range(n_lm):
                filtered[q, m] = (filtered[q, m] - filtered[q + 1, m] / 6.0) * pivot[q]
        coefficients[:] = 0.0
        for q in range(1, n_knots):
            x = q * knot / scales[box] / step
            k = int(x)
            if k >= last:
                break
            t = x - k
            s = 1.0 - t
            a0, a1 = (1.0 + 2.0 * t) * s * s, t * s * s
            b0, b1 = t * t * (3.0 - 2.0 * t), -t * t * s
            for l in range(n_l):
                for n in range(n_radial):
                    radial[l, n] = (
                        a0 * table[k, 0, l, n] + a1 * table[k, 1, l, n]
                        + b0 * table[k + 1, 0, l, n] + b1 * table[k + 1, 1, l, n]
                    )  # fmt: skip
            lm = 0
            for l in range(n_l):
                for _ in range(2 * l * l_step + 1):
                    h = filtered[q, lm]
                    for n in range(n_radial):
                        coefficients[lm, n] += h * radial[l, n]
                    lm += 1
        power_spectrum(coefficients, l_max, l_step, n_max, n_channels, part)
        for channel in range(n_channels):
            for k in range(out.shape[2]):
                out[box, channel, k] += times * part[channel, k]
