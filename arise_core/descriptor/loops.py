"""Compiled loops over pairs: spherical harmonics, sums, set covariance. No policy lives here.

They release the interpreter lock, run on one thread and touch only their arguments. `vectors` (m, 3) are pair
displacements; lm runs over l = 0 ... l_max in steps of `l_step` (2 where odd l vanish) and m = -l ... l, in this
order.
"""

# ruff: noqa: E741 - l is the degree of a spherical harmonic
from __future__ import annotations

import math

import numpy as np

from arise_core.runtime.compilation import jit, jit_inline

#: Below it no logarithm is taken.
TINY = np.finfo(np.float64).tiny


@jit_inline
def harmonics(x, y, z, l_max, l_step, norm, legendre, out):
    """Real spherical harmonics of a unit vector into `out`; `norm` (l_max + 1, l_max + 1) as in soap.py."""
    # legendre[l, m] leaves out the factor sin(theta)^m, which comes with (x + iy)^m below.
    legendre[0, 0] = 1.0
    for m in range(1, l_max + 1):
        legendre[m, m] = (2 * m - 1) * legendre[m - 1, m - 1]
    for m in range(l_max):
        legendre[m + 1, m] = (2 * m + 1) * z * legendre[m, m]
    for m in range(l_max - 1):
        for l in range(m + 2, l_max + 1):
            legendre[l, m] = ((2 * l - 1) * z * legendre[l - 1, m] - (l + m - 1) * legendre[l - 2, m]) / (
                l - m
            )
    start = 0
    for l in range(0, l_max + 1, l_step):
        out[start + l] = norm[l, 0] * legendre[l, 0]
        start += 2 * l + 1
    re, im = 1.0, 0.0
    for m in range(1, l_max + 1):
        re, im = re * x - im * y, re * y + im * x
        start = 0
        for l in range(0, l_max + 1, l_step):
            if l >= m:
                q = norm[l, m] * legendre[l, m]
                out[start + l + m] = q * re
                out[start + l - m] = q * im
            start += 2 * l + 1


@jit
def sum_pairs(vectors, weights, scale, table, step, l_max, l_step, norm, sums):
    """Add w R_nl(r / d) Y_lm to `sums` (n_lm, n_radial) for each pair, with 1 / d = `scale`.

    `table` (n_nodes, 2, n_l, n_radial) holds values and derivatives x `step` of the radial functions at
    x = k `step`; between nodes they are cubic (Hermite). Pairs beyond the last node are left out.
    """
    legendre = np.zeros((l_max + 1, l_max + 1))
    y_lm = np.zeros(sums.shape[0])
    n_l, n_radial = table.shape[2], table.shape[3]
    radial = np.zeros((n_l, n_radial))
    last = table.shape[0] - 1
    for p in range(vectors.shape[0]):
        vx, vy, vz = vectors[p, 0] * scale, vectors[p, 1] * scale, vectors[p, 2] * scale
        r = math.sqrt(vx * vx + vy * vy + vz * vz)
        k = int(r / step)
        if k >= last or r == 0.0:
            continue
        harmonics(vx / r, vy / r, vz / r, l_max, l_step, norm, legendre, y_lm)
        t = r / step - k
        s = 1.0 - t
        w = weights[p]
        a0 = w * (1.0 + 2.0 * t) * s * s
        a1 = w * t * s * s
        b0 = w * t * t * (3.0 - 2.0 * t)
        b1 = -w * t * t * s
        for l in range(n_l):
            for n in range(n_radial):
                radial[l, n] = (
                    a0 * table[k, 0, l, n] + a1 * table[k, 1, l, n]
                    + b0 * table[k + 1, 0, l, n] + b1 * table[k + 1, 1, l, n]
                )  # fmt: skip
        lm = 0
        for l in range(n_l):
            for _ in range(2 * l * l_step + 1):
                y = y_lm[lm]
                for n in range(n_radial):
                    sums[lm, n] += y * radial[l, n]
                lm += 1


@jit
def power_spectrum(sums, l_max, l_step, n_max, n_channels, out):
    """Rotation invariants of `sums` (n_lm, n_channels * n_max) into `out` (n_channels, l, n <= n').

    p_nn'l = pi sqrt(8 / (2l + 1)) sum_m c_nlm c_n'lm, each channel divided by its Euclidean norm.
    """
    n_pairs = n_max * (n_max + 1) // 2
    for channel in range(n_channels):
        first = channel * n_max
        square = 0.0
        lm = 0
        for i in range(out.shape[1]):
            out[channel, i] = 0.0
        for l in range(0, l_max + 1, l_step):
            factor = math.pi * math.sqrt(8.0 / (2 * l + 1))
            at = l * n_pairs
            for n in range(n_max):
                for k in range(n, n_max):
                    s = 0.0
                    for m in range(2 * l + 1):
                        s += sums[lm + m, first + n] * sums[lm + m, first + k]
                    out[channel, at] = factor * s
                    square += factor * s * factor * s
                    at += 1
            lm += 2 * l + 1
        if square > 0.0:
            inverse = 1.0 / math.sqrt(square)
            for i in range(out.shape[1]):
                out[channel, i] *= inverse


@jit
def log_histogram(vectors, weights, log_start, log_step, out):
    """Add w / r³ of each pair to `out`, bins of ln r centred on log_start + k log_step, shared linearly."""
    last = out.shape[0] - 1
    for p in range(vectors.shape[0]):
        square = vectors[p, 0] ** 2 + vectors[p, 1] ** 2 + vectors[p, 2] ** 2
        if square == 0.0:
            continue
        at = (0.5 * math.log(square) - log_start) / log_step
        k = math.floor(at)
        if k < 0 or k >= last:
            continue
        t = at - k
        w = weights[p] / (square * math.sqrt(square))
        out[k] += w * (1.0 - t)
        out[k + 1] += w * t


@jit
def box_covariance(vectors, to_fraction, width, floor, out):
    """1 / max(gamma, floor) for a full parallelepiped: gamma = prod_k (1 - |f_k| / width_k)."""
    for p in range(vectors.shape[0]):
        gamma = 1.0
        for k in range(3):
            f = 0.0
            for j in range(3):
                f += vectors[p, j] * to_fraction[j, k]
            gamma *= max(1.0 - abs(f) / width[k], 0.0)
        out[p] = 1.0 / max(gamma, floor)


@jit
def grid_covariance(vectors, to_voxel, covariance, floor, out):
    """1 / max(gamma, floor) with gamma read off a periodic grid of displacements (linear interpolation)."""
    n0, n1, n2 = covariance.shape
    for p in range(vectors.shape[0]):
        x, y, z = vectors[p, 0], vectors[p, 1], vectors[p, 2]
        a = x * to_voxel[0, 0] + y * to_voxel[1, 0] + z * to_voxel[2, 0]
        b = x * to_voxel[0, 1] + y * to_voxel[1, 1] + z * to_voxel[2, 1]
        c = x * to_voxel[0, 2] + y * to_voxel[1, 2] + z * to_voxel[2, 2]
        fa, fb, fc = math.floor(a), math.floor(b), math.floor(c)
        a, b, c = a - fa, b - fb, c - fc
        i0, j0, k0 = int(fa) % n0, int(fb) % n1, int(fc) % n2
        i1, j1, k1 = (i0 + 1) % n0, (j0 + 1) % n1, (k0 + 1) % n2
        low = (1 - b) * ((1 - c) * covariance[i0, j0, k0] + c * covariance[i0, j0, k1])
        low += b * ((1 - c) * covariance[i0, j1, k0] + c * covariance[i0, j1, k1])
        high = (1 - b) * ((1 - c) * covariance[i1, j0, k0] + c * covariance[i1, j0, k1])
        high += b * ((1 - c) * covariance[i1, j1, k0] + c * covariance[i1, j1, k1])
        out[p] = 1.0 / max((1 - a) * low + a * high, floor)


@jit
def first_peaks(histograms, kernel, log_low, log_step, least, out):
    """Position of the first peak of each histogram (n, n_bins) smoothed by a kernel, NaN for an empty one, (n,).

    Values of r are exp(`log_low` + k `log_step`) where the kernel has its middle at the bin behind k times half of it;
    `least` is the share of the largest peak that the first one has. Without an inner peak the largest value stands in.
    The peak is refined by a parabola through the logarithms of three values.
    """
    n_kernel = kernel.shape[0]
    n_grid = histograms.shape[1] - n_kernel + 1
    density = np.empty(n_grid)
    for i in range(histograms.shape[0]):
        top = 0
        for k in range(n_grid):
            total = 0.0
            for j in range(n_kernel):
                total += kernel[j] * histograms[i, k + j]
            density[k] = total
            if total > density[top]:
                top = k
        if not density[top] > 0.0:
            out[i] = math.nan
            continue
        first = top
        for k in range(1, n_grid - 1):
            here = density[k]
            if here >= density[k - 1] and here > density[k + 1] and here >= least * density[top]:
                first = k
                break
        first = min(max(first, 1), n_grid - 2)
        a, b, c = (
            math.log(max(density[first - 1], TINY)),
            math.log(max(density[first], TINY)),
            math.log(max(density[first + 1], TINY)),
        )
        curvature = a - 2.0 * b + c
        shift = 0.5 * (a - c) / curvature if curvature < 0.0 else 0.0
        out[i] = math.exp(log_low + log_step * (first + min(max(shift, -1.0), 1.0)))
