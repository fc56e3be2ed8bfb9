"""Compiled loops of the strided engine: sums over pairs for many overlapping boxes at once.

A pair of atoms lies in an interval of boxes along each axis, so it changes eight corners of a difference
array; one cumulative sum per axis then gives every box its sum. What is added up is a radial histogram
(cubic B-splines) times spherical harmonics, because a box's length scale is known only afterwards. Loops
over the boxes of one tile; callers run tiles side by side.

A number that one loop hands to another begins as `np.int64(0)`: for a literal the other one would be compiled once
more.
"""

# ruff: noqa: E741 - l is the degree of a spherical harmonic
from __future__ import annotations

import math
from typing import Any

import numpy as np

from arise_core.runtime.compilation import jit, jit_inline

#: Bits that hold the place of a box along an axis of its tile.
BITS = 5
#: Multiplications of a matrix product that BLAS does by one thread; OpenBLAS takes more from 262,144 on.
ONE_THREAD = 200_000


@jit
def count_atoms(first, last, wrap, counts):
    """Add 1 to `counts` (nx, ny, nz) for each atom and each box of a whole grid that holds it.

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


@jit_inline
def line_of(box, cx, cy, shape):
    """Number of the first box of the line along z at a corner (0 or 1 along x and y) of a range; -1 beyond the tile."""
    x = box[0] if cx == 0 else box[1] + 1
    y = box[2] if cy == 0 else box[3] + 1
    return -1 if x >= shape[0] or y >= shape[1] else (x * shape[1] + y) * shape[2]


@jit_inline
def add_or_subtract(values, n_values, corner, target):
    """Add values[:n_values] at an even corner, subtract them at an odd one."""
    if corner & 1:
        for k in range(n_values):
            target[k] -= values[k]
    else:
        for k in range(n_values):
            target[k] += values[k]


@jit
def add_corners(values, n_values, sums, at, shape, row, box):
    """Add values[:n_values] to the corners of a range of boxes in flat `sums`, whose boxes have `row` entries.

    `box` (6,): first and last box along x, y, z.
    """
    for cx in range(2):
        for cy in range(2):
            line = line_of(box, cx, cy, shape)
            if line < 0:
                continue
            for cz in range(2):
                z = box[4] if cz == 0 else box[5] + 1
                if z >= shape[2]:
                    continue
                base = (line + z) * row + at
                add_or_subtract(values, n_values, cx + cy + cz, sums[base : base + n_values])


@jit_inline
def runs(box, ends, part):
    """Split a range of boxes (6,) into runs of equal width, into `part` (m, 6); their number.

    `box` has the first and last box along x, y, z, `ends` (3, n) the last box of the run that each box belongs to.
    """
    found = 0
    x = box[0]
    while x <= box[1]:
        to_x = min(ends[0, x], box[1])
        y = box[2]
        while y <= box[3]:
            to_y = min(ends[1, y], box[3])
            z = box[4]
            while z <= box[5]:
                to_z = min(ends[2, z], box[5])
                part[found, 0], part[found, 1], part[found, 2] = x, to_x, y
                part[found, 3], part[found, 4], part[found, 5] = to_y, z, to_z
                found += 1
                z = to_z + 1
            y = to_y + 1
        x = to_x + 1
    return found


@jit_inline
def weight_in_run(x, y, z, per_width, part, floor):
    """Weight of a pair in a run of boxes: 1 / max(γ, floor), γ = Π_k (1 - offset_k / width_k) their set covariance.

    x, y, z are its extent along the cell vectors, fractions, and `per_width` (3, n) is 1 over that of the boxes.
    """
    gamma = max(1.0 - x * per_width[0, part[0]], 0.0) * max(1.0 - y * per_width[1, part[2]], 0.0)
    return 1.0 / max(gamma * max(1.0 - z * per_width[2, part[4]], 0.0), floor)


@jit_inline
def unpacked(key, box):
    """Write the range of boxes that a key stands for into `box` (6,)."""
    for k in range(5, -1, -1):
        box[k] = key & ((1 << BITS) - 1)
        key >>= BITS


@jit_inline
def any_in(below, fx, lx, fy, ly, fz, lz):
    """Whether a range of boxes holds one that is wanted.

    `below` (nx + 1, ny + 1, nz + 1) counts those that are before each place along all axes; where it is empty all are.
    """
    if below.size == 0:
        return True
    near = below[lx + 1, ly + 1, fz] - below[fx, ly + 1, fz] - below[lx + 1, fy, fz] + below[fx, fy, fz]
    far = (
        below[lx + 1, ly + 1, lz + 1]
        - below[fx, ly + 1, lz + 1]
        - below[lx + 1, fy, lz + 1]
        + below[fx, fy, lz + 1]
    )
    return far > near


@jit
def neighbours(
    i, a, a_first, a_last, b, b_first, b_last, same, limit, reach, origin, size, shape, start, below, found, vector, key
):  # fmt: skip
    """Add the neighbours of point a[i] that share a wanted box with it to `found` ones; returns their number.

    Points `b` are in the order of their bins, `a` are the same points where `same`: then neighbours behind i are meant.
    None is farther than `limit`, nor along an axis than `reach` (3,), Å. `below` is that of `any_in`. Fills `vector`
    (n, 4), unit vector and distance, and `key` (n,), which stands for the first and last of the boxes that hold both,
    along x, y, z.
    """
    square = limit * limit
    ax, ay, az = a[i, 0], a[i, 1], a[i, 2]
    lo0 = max(math.floor((ax - reach[0] - origin[0]) / size), 0)
    lo1 = max(math.floor((ay - reach[1] - origin[1]) / size), 0)
    lo2 = max(math.floor((az - reach[2] - origin[2]) / size), 0)
    hi0 = min(math.floor((ax + reach[0] - origin[0]) / size), shape[0] - 1)
    hi1 = min(math.floor((ay + reach[1] - origin[1]) / size), shape[1] - 1)
    hi2 = min(math.floor((az + reach[2] - origin[2]) / size), shape[2] - 1)
    if lo2 > hi2:  # beyond all points: there is no such row to read
        return found
    least = 0
    if same:
        least = i + 1
        own = min(math.floor((ax - origin[0]) / size), shape[0] - 1)
        lo0 = max(lo0, own)  # bins before it hold points before this one
    for bx in range(lo0, hi0 + 1):
        for by in range(lo1, hi1 + 1):
            row = (bx * shape[1] + by) * shape[2]
            for j in range(max(start[row + lo2], least), start[row + hi2 + 1]):
                dx, dy, dz = b[j, 0] - ax, b[j, 1] - ay, b[j, 2] - az
                r2 = dx * dx + dy * dy + dz * dz
                if r2 >= square or r2 == 0.0:
                    continue
                fx, lx = max(a_first[i, 0], b_first[j, 0]), min(a_last[i, 0], b_last[j, 0])
                fy, ly = max(a_first[i, 1], b_first[j, 1]), min(a_last[i, 1], b_last[j, 1])
                fz, lz = max(a_first[i, 2], b_first[j, 2]), min(a_last[i, 2], b_last[j, 2])
                if fx > lx or fy > ly or fz > lz or not any_in(below, fx, lx, fy, ly, fz, lz):
                    continue
                r = math.sqrt(r2)
                inverse = 1.0 / r
                vector[found, 0], vector[found, 1], vector[found, 2] = (
                    dx * inverse,
                    dy * inverse,
                    dz * inverse,
                )
                vector[found, 3] = r
                low, high = (fx << BITS | lx) << BITS | fy, (ly << BITS | fz) << BITS | lz
                key[found] = low << 3 * BITS | high
                found += 1
    return found


@jit
def sort_by_key(key, n, turn, other, count):
    """Order of the first n keys into `turn` (n,), those of one key in their own order.

    A radix sort by what a key holds of z, of y, of x; `other` (n,) and `count` (2 ** (2 * BITS) + 1,) are room.
    """
    mask = count.shape[0] - 2
    for p in range(n):
        turn[p] = p
    for axis in range(3):
        shift = 2 * BITS * axis
        for p in range(n):  # a copy of slices would have numba compile what its error message is made of
            other[p] = turn[p]
        count[:] = 0
        for p in range(n):
            count[(key[p] >> shift & mask) + 1] += 1
        for k in range(mask + 1):
            count[k + 1] += count[k]
        for q in range(n):
            p = other[q]
            k = key[p] >> shift & mask
            turn[count[k]] = p
            count[k] += 1


@jit
def add_histograms(
    a, a_first, a_last, b, b_first, b_last, same, limit, reach, origin, size, shape, start, below,
    to_fraction, ends, per_width, floor, tile, log_start, log_step, sums,
):  # fmt: skip
    """Add w / r³ of every pair closer than `limit`, in bins of ln r, to the wanted boxes that hold both atoms.

    Points `a` (n, 3) Å see points `b`, see `neighbours`; `*_first`, `*_last` (n, 3) are ranges of boxes within the tile
    of shape `tile`; `ends` and `per_width` are those of `runs` and `weight_in_run`. `sums` (n_boxes, n_bins) takes the
    corners; `accumulate` makes sums of them.
    """
    most = b.shape[0]
    vector = np.empty((most, 4))
    key = np.empty(most, dtype=np.int64)
    box = np.empty(6, dtype=np.int64)
    part = np.empty((per_width.shape[1] ** 3, 6), dtype=np.int64)
    offset = np.empty(3)
    values = np.zeros(2)
    flat = sums.ravel()
    n_bins = sums.shape[1]
    for i in range(a.shape[0]):
        n = neighbours(
            i, a, a_first, a_last, b, b_first, b_last, same, limit, reach, origin, size, shape, start, below,
            np.int64(0), vector, key,
        )  # fmt: skip
        for p in range(n):
            r = vector[p, 3]
            at = (math.log(r) - log_start) / log_step
            k = math.floor(at)
            if k < 0 or k >= n_bins - 1:
                continue
            t = at - k
            for axis in range(3):
                x = vector[p, 0] * to_fraction[0, axis] + vector[p, 1] * to_fraction[1, axis]
                offset[axis] = r * abs(x + vector[p, 2] * to_fraction[2, axis])
            unpacked(key[p], box)
            for run in range(runs(box, ends, part)):
                w = weight_in_run(offset[0], offset[1], offset[2], per_width, part[run], floor) / (r * r * r)
                values[0] = w * (1.0 - t)
                values[1] = w * t
                add_corners(values, values.shape[0], flat, k, tile, n_bins, part[run])


@jit
def harmonics_of_many(vector, n, l_max, l_step, norm, power, legendre, y_lm):
    """Real spherical harmonics of n unit vectors (rows 0-2 of `vector`) into `y_lm` (n_lm, n).

    As `descriptor_loops.harmonics`, with the loop over vectors innermost.
    """
    for p in range(n):
        power[0, p], power[1, p] = 1.0, 0.0
    for m in range(l_max + 1):
        if m > 0:
            for p in range(n):
                re = power[0, p] * vector[0, p] - power[1, p] * vector[1, p]
                power[1, p] = power[0, p] * vector[1, p] + power[1, p] * vector[0, p]
                power[0, p] = re
        top = 1.0
        for k in range(1, m + 1):
            top *= 2 * k - 1
        for p in range(n):
            legendre[m, p] = top
        if m < l_max:
            for p in range(n):
                legendre[m + 1, p] = (2 * m + 1) * vector[2, p] * top
        for l in range(m + 2, l_max + 1):
            c0, c1 = (2 * l - 1) / (l - m), (l + m - 1) / (l - m)
            for p in range(n):
                legendre[l, p] = c0 * vector[2, p] * legendre[l - 1, p] - c1 * legendre[l - 2, p]
        at = 0
        for l in range(0, l_max + 1, l_step):
            if l >= m:
                c = norm[l, m]
                if m == 0:
                    for p in range(n):
                        y_lm[at + l, p] = c * legendre[l, p]
                else:
                    for p in range(n):
                        q = c * legendre[l, p]
                        y_lm[at + l + m, p] = q * power[0, p]
                        y_lm[at + l - m, p] = q * power[1, p]
            at += 2 * l + 1


@jit
def add_sums(
    a, a_first, a_last, b, b_first, b_last, same, limit, reach, origin, size, shape, start, below,
    to_fraction, ends, per_width, floor, tile, knot, l_max, l_step, n_lm, n_row, norm, room, sums,
):  # fmt: skip
    """Add radial splines times harmonics of every pair closer than `limit` to the wanted boxes that hold both atoms.

    As `add_histograms`; `sums` (n_boxes, n_knots * n_row) float32, cubic B-splines centred on k * `knot` Å, of each
    n_lm harmonics and nothing behind them. Some `room` pairs are held at once. Those that lie in the same boxes are
    added up first, and of those in the same boxes along x and y the ends along z, in a line of boxes: so corners are
    changed once for many of them.
    """
    few = 64
    most = room + b.shape[0]
    pairs = np.empty((most, 4))
    key = np.empty(most, dtype=np.int64)
    turn, other = np.empty(most, dtype=np.int64), np.empty(most, dtype=np.int64)
    count = np.empty((1 << 2 * BITS) + 1, dtype=np.int64)
    vector, power, offset = np.empty((4, few)), np.empty((2, few)), np.empty((3, few))
    legendre, y_lm = np.empty((l_max + 1, few)), np.empty((n_lm, few))
    harmonics = np.zeros((few, n_row), dtype=np.float32)
    box = np.empty(6, dtype=np.int64)
    part = np.empty((per_width.shape[1] ** 3, 6), dtype=np.int64)
    flat = sums.ravel()
    row = sums.shape[1]
    line = np.zeros((tile[2] + 1, row), dtype=np.float32)
    used, line_box, line_key = np.empty(4, dtype=np.int64), np.zeros(6, dtype=np.int64), np.int64(-1)
    nothing_used(used, tile, row)
    n_knots = row // n_row
    local = np.zeros((n_knots, n_row), dtype=np.float32)
    values = local.ravel()
    per_knot = 1.0 / knot
    i = np.int64(0)
    while i < a.shape[0]:
        found: Any = np.int64(0)
        while i < a.shape[0] and found < room:
            found = neighbours(
                i, a, a_first, a_last, b, b_first, b_last, same, limit, reach, origin, size, shape, start, below, found,
                pairs, key,
            )  # fmt: skip
            i += 1
        sort_by_key(key, found, turn, other, count)
        for begin in range(0, found, few):
            n = min(few, found - begin)
            for q in range(n):
                p = turn[begin + q]
                for axis in range(4):
                    vector[axis, q] = pairs[p, axis]
                for axis in range(3):
                    x = pairs[p, 0] * to_fraction[0, axis] + pairs[p, 1] * to_fraction[1, axis]
                    offset[axis, q] = pairs[p, 3] * abs(x + pairs[p, 2] * to_fraction[2, axis])
            harmonics_of_many(vector, n, l_max, l_step, norm, power, legendre, y_lm)
            for q in range(n):
                for m in range(n_lm):
                    harmonics[q, m] = y_lm[m, q]
            first = 0
            while first < n:
                same_boxes = key[turn[begin + first]]
                stop = first + 1
                while stop < n and key[turn[begin + stop]] == same_boxes:
                    stop += 1
                unpacked(same_boxes, box)
                if same_boxes >> 2 * BITS != line_key:
                    add_line(line, used, flat, tile, row, line_box)
                    line_box[:] = box
                    line_key = same_boxes >> 2 * BITS
                n_runs = runs(box, ends, part)
                for run in range(n_runs):
                    low, high = n_knots, 0
                    for q in range(first, stop):
                        weight = weight_in_run(
                            offset[0, q], offset[1, q], offset[2, q], per_width, part[run], floor
                        )
                        t = vector[3, q] * per_knot
                        k = max(int(t) - 1, 0)  # the first of four knots
                        low, high = min(low, k), max(high, k + 4)
                        t -= k + 1
                        add_spline(
                            harmonics[q], t, weight / 6.0, local[k], local[k + 1], local[k + 2], local[k + 3]
                        )
                    at, n_values = low * n_row, (high - low) * n_row
                    if n_runs == 1:
                        add_ends(values[at:], n_values, line, used, at, box)
                    else:
                        add_corners(values[at:], n_values, flat, at, tile, row, part[run])
                    values[at : at + n_values] = 0.0
                first = stop
    add_line(line, used, flat, tile, row, line_box)


@jit_inline
def nothing_used(used, shape, row):
    """Note that a line is empty, see `add_ends`."""
    used[0], used[1], used[2], used[3] = shape[2], -1, row, 0


@jit
def add_ends(values, n_values, line, used, at, box):
    """Add values[:n_values] to the two ends along z of a range of boxes in `line` (nz + 1, row).

    `used` (4,) notes what is not zero: first and last box, first entry of a box and the one behind the last.
    """
    begin, end = line[box[4], at : at + n_values], line[box[5] + 1, at : at + n_values]
    for k in range(n_values):
        begin[k] += values[k]
        end[k] -= values[k]
    used[0], used[1] = min(used[0], box[4]), max(used[1], box[5] + 1)
    used[2], used[3] = min(used[2], at), max(used[3], at + n_values)


@jit
def add_line(line, used, sums, shape, row, box):
    """Add a line to the four corners along x and y of a range of boxes, see `add_corners`, and empty it."""
    first, stop = used[2], used[3]
    for cx in range(2):
        for cy in range(2):
            begin = line_of(box, cx, cy, shape)
            if begin < 0:
                continue
            for z in range(used[0], min(used[1] + 1, shape[2])):
                base = (begin + z) * row
                add_or_subtract(line[z, first:stop], stop - first, cx + cy, sums[base + first : base + stop])
    for z in range(used[0], used[1] + 1):
        values = line[z, first:stop]
        for k in range(values.shape[0]):
            values[k] = 0.0
    nothing_used(used, shape, row)


@jit_inline
def add_spline(values, t, w, first, second, third, fourth):
    """Add w times `values` (n,) to four knots, (n,) each, of which a pair is `t` behind the second; float32."""
    s = 1.0 - t
    w0, w3 = np.float32(w * s * s * s), np.float32(w * t * t * t)
    w1 = np.float32(w * (4.0 - 6.0 * t * t + 3.0 * t * t * t))
    w2 = np.float32(w * (4.0 - 6.0 * s * s + 3.0 * s * s * s))
    for m in range(values.shape[0]):
        value = values[m]
        first[m] += w0 * value
        second[m] += w1 * value
        third[m] += w2 * value
        fourth[m] += w3 * value


@jit
def accumulate(sums, tile):
    """Turn corners (n_boxes, n) into sums over boxes, in place; boxes of shape `tile`, last axis fastest."""
    nx, ny, nz = tile[0], tile[1], tile[2]
    row = sums.shape[1]
    flat = sums.ravel()
    for x in range(nx):
        for y in range(ny):
            line = (x * ny + y) * nz * row
            for k in range(line + row, line + nz * row):
                flat[k] += flat[k - row]
        plane = x * ny * nz * row
        for k in range(plane + nz * row, plane + ny * nz * row):
            flat[k] += flat[k - nz * row]
        if x > 0:
            for k in range(plane, plane + ny * nz * row):
                flat[k] += flat[k - ny * nz * row]


@jit_inline
def pivots(pivot):
    """Pivots (n_knots,) of the system that makes spline coefficients of values at knots.

    A function with values f at the knots is the spline with coefficients S^-1 f, S = tridiag(1, 4, 1) / 6.
    """
    pivot[0] = 1.5
    for q in range(1, pivot.shape[0]):
        pivot[q] = 1.0 / (4.0 / 6.0 - pivot[q - 1] / 36.0)


@jit_inline
def unspline(sums, n_row, pivot, filtered):
    """S^-1 of the sums (n_knots * n_row,) of a box over knots into `filtered` (n_knots, n_lm), n_lm <= n_row."""
    sixth = np.float32(1.0 / 6.0)
    n_knots, n_lm = filtered.shape
    for m in range(n_lm):
        filtered[0, m] = sums[m]
    for q in range(1, n_knots):
        ratio = pivot[q - 1] * sixth
        for m in range(n_lm):
            filtered[q, m] = sums[q * n_row + m] - ratio * filtered[q - 1, m]
    for m in range(n_lm):
        filtered[n_knots - 1, m] *= pivot[n_knots - 1]
    for q in range(n_knots - 2, -1, -1):
        p = pivot[q]
        for m in range(n_lm):
            filtered[q, m] = (filtered[q, m] - filtered[q + 1, m] * sixth) * p


@jit_inline
def radial_at_knots(knot, scale, step, table, radial):
    """Radial functions at the knots q * `knot` Å into `radial` (n_knots, n_l * n_radial); see `contract`."""
    last = table.shape[0] - 1
    radial[:] = 0.0
    for q in range(1, radial.shape[0]):
        x = q * knot / scale / step
        k = int(x)
        if k >= last:
            break
        t = x - k
        s = 1.0 - t
        a0, a1 = np.float32((1.0 + 2.0 * t) * s * s), np.float32(t * s * s)
        b0, b1 = np.float32(t * t * (3.0 - 2.0 * t)), np.float32(-t * t * s)
        for n in range(radial.shape[1]):
            radial[q, n] = (
                a0 * table[k, 0, n] + a1 * table[k, 1, n] + b0 * table[k + 1, 0, n] + b1 * table[k + 1, 1, n]
            )


@jit_inline
def pick_degrees(product, l_max, l_step, n_radial, coefficients):
    """Of products (n_lm, n_l * n_radial) of harmonics with radial functions of all degrees those of their own."""
    lm = 0
    for l in range(0, l_max + 1, l_step):
        first = l // l_step * n_radial
        for _ in range(2 * l + 1):
            for n in range(n_radial):
                coefficients[lm, n] = product[lm, first + n]
            lm += 1


@jit
def contract(
    sums, n_row, knot, scales, chosen, table, step, l_max, l_step, n_max, n_radials, radial_of, weights, out,
):  # fmt: skip
    """Add the weighted descriptor of each chosen box to `out` (n_boxes, n_channels, channel_size), float32.

    `sums` (n_boxes, n_knots * n_row) from `add_sums` and `accumulate`, of whose harmonics those beyond `l_max` are left
    out; `scales` (n_boxes,) length scales in Å; `table` (n_nodes, 2, n_l * n_radial) of radial functions as in
    `descriptor_loops.sum_pairs`, single precision, under `n_radials` radial weights, of which channel c has number
    `radial_of[c]`; `weights` (n_boxes, n_channels).
    """
    n_radial = n_max * n_radials
    n_all = table.shape[2]
    n_knots = sums.shape[1] // n_row
    n_lm = 0
    for l in range(0, l_max + 1, l_step):
        n_lm += 2 * l + 1
    filtered = np.empty((n_knots, n_lm), dtype=np.float32)
    radial = np.empty((n_knots, n_all), dtype=np.float32)
    pivot = np.empty(n_knots, dtype=np.float32)
    coefficients = np.empty((n_lm, n_radial), dtype=np.float32)
    pivots(pivot)
    for box in range(sums.shape[0]):
        if not chosen[box]:
            continue
        unspline(sums[box], n_row, pivot, filtered)
        radial_at_knots(knot, scales[box], step, table, radial)
        # One product for all (lm, l', n), of which those with l' = l are used: faster than the right ones alone.
        product = np.dot(filtered.T, radial)
        pick_degrees(product, l_max, l_step, n_radial, coefficients)
        power_spectrum(coefficients, l_max, l_step, n_max, n_radials, radial_of, weights[box], out[box])


@jit
def power_spectrum(coefficients, l_max, l_step, n_max, n_radials, radial_of, weights, out):
    """Add the normalised rotation invariants, times the weight of each channel, to `out` (n_channels, channel_size)."""
    n_pairs = n_max * (n_max + 1) // 2
    size = out.shape[1]
    part = np.empty(size, dtype=np.float32)
    row = np.empty(n_max, dtype=np.float32)
    for radial in range(n_radials):
        first = radial * n_max
        square = 0.0
        part[:] = 0.0
        lm = 0
        for l in range(0, l_max + 1, l_step):
            factor = np.float32(math.pi * math.sqrt(8.0 / (2 * l + 1)))
            for m in range(2 * l + 1):
                for n in range(n_max):
                    row[n] = coefficients[lm + m, first + n]
                at = l * n_pairs
                for n in range(n_max):
                    c = factor * row[n]
                    for k in range(n, n_max):
                        part[at + k - n] += c * row[k]
                    at += n_max - n
            lm += 2 * l + 1
        for k in range(size):
            square += part[k] * part[k]
        if square > 0.0:
            for channel in range(len(radial_of)):
                if radial_of[channel] == radial and weights[channel] != 0.0:
                    scale = np.float32(weights[channel] / math.sqrt(square))
                    for k in range(size):
                        out[channel, k] += scale * part[k]


@jit
def add_counts(first, last, tile, counts):
    """Add the corners of the range of boxes of each atom (n, 3) to `counts` (n_boxes, 1); see `accumulate`."""
    one = np.ones(1)
    flat = counts.ravel()
    box = np.empty(6, dtype=np.int64)
    for i in range(first.shape[0]):
        for axis in range(3):
            box[2 * axis], box[2 * axis + 1] = first[i, axis], last[i, axis]
        add_corners(one, one.shape[0], flat, np.int64(0), tile, counts.shape[1], box)


# --- boxes that are filled in part: each has a set covariance of its own, so pairs are weighed box by box -------


@jit
def sample_support(padded, first, step, n, wrap, voxels):
    """Read an indicator off at the centres of the voxels of some boxes, linearly; 1 everywhere where all are 0.

    `padded` (m0, m1, m2): nodes with one more at each end. Voxel (i, j, k) of box b, one of `n` (n_boxes, 3), lies at
    the node coordinates first[b] + (i, j, k) * step[b], which go round along axes with `wrap`. Fills `voxels`
    (n_boxes, ...), which holds zeros.
    """
    node = np.empty((3, max(voxels.shape[1:])), dtype=np.int64)
    share = np.empty(node.shape)
    for box in range(voxels.shape[0]):
        for axis in range(3):
            nodes = padded.shape[axis] - 2
            for i in range(n[box, axis]):
                q = first[box, axis] + i * step[box, axis]
                if wrap[axis]:
                    q -= math.floor(q / nodes) * nodes
                    q = q if q < nodes else 0.0
                q += 1.0
                k = math.floor(q)
                if 0 <= k <= nodes:
                    node[axis, i], share[axis, i] = k, q - k
                else:
                    node[axis, i] = -1
        total = 0.0
        for i in range(n[box, 0]):
            x = node[0, i]
            for j in range(n[box, 1]):
                y = node[1, j]
                if x < 0 or y < 0:
                    continue
                w11 = share[0, i] * share[1, j]
                w10, w01 = share[0, i] - w11, share[1, j] - w11
                w00 = 1.0 - w11 - w10 - w01
                for k in range(n[box, 2]):
                    z = node[2, k]
                    if z < 0:
                        continue
                    t = share[2, k]
                    low = w00 * padded[x, y, z] + w01 * padded[x, y + 1, z]
                    low += w10 * padded[x + 1, y, z] + w11 * padded[x + 1, y + 1, z]
                    high = w00 * padded[x, y, z + 1] + w01 * padded[x, y + 1, z + 1]
                    high += w10 * padded[x + 1, y, z + 1] + w11 * padded[x + 1, y + 1, z + 1]
                    value = (1.0 - t) * low + t * high
                    voxels[box, i, j, k] = value
                    total += value
        if total == 0.0:
            voxels[box, : n[box, 0], : n[box, 1], : n[box, 2]] = 1.0


@jit_inline
def members(points, first, last, index, inside):
    """Copy the points (n, 3) whose ranges of boxes hold box `index` (3,) into `inside` (n, 3); their number."""
    found = 0
    for i in range(points.shape[0]):
        here = True
        for k in range(3):
            here = here and first[i, k] <= index[k] <= last[i, k]
            inside[found, k] = points[i, k]
        if here:
            found += 1
    return found


@jit_inline
def covariance_at(gamma, x, y, z):
    """The set covariance at the lag (x, y, z), voxels; linear between those of `gamma`, and 0 beyond them.

    `gamma` (n0 + 1, 2 n1 + 1, 2 n2 + 1) has the lags 0 ... n0 along x and -n ... n along y and z.
    """
    if x < 0.0:
        x, y, z = -x, -y, -z
    y, z = y + gamma.shape[1] // 2, z + gamma.shape[2] // 2
    if x >= gamma.shape[0] - 1 or y < 0.0 or y >= gamma.shape[1] - 1 or z < 0.0 or z >= gamma.shape[2] - 1:
        return 0.0
    i, j, k = int(x), int(y), int(z)
    x, y, z = x - i, y - j, z - k
    low = (1.0 - y) * ((1.0 - z) * gamma[i, j, k] + z * gamma[i, j, k + 1])
    low += y * ((1.0 - z) * gamma[i, j + 1, k] + z * gamma[i, j + 1, k + 1])
    high = (1.0 - y) * ((1.0 - z) * gamma[i + 1, j, k] + z * gamma[i + 1, j, k + 1])
    high += y * ((1.0 - z) * gamma[i + 1, j + 1, k] + z * gamma[i + 1, j + 1, k + 1])
    return (1.0 - x) * low + x * high


@jit_inline
def covariance_weight(gamma, x, y, z, floor):
    """1 / max(γ / γ(0), floor) at the lag (x, y, z), voxels; see `covariance_at`."""
    whole = gamma[0, gamma.shape[1] // 2, gamma.shape[2] // 2]
    return whole / max(covariance_at(gamma, x, y, z), floor * whole)


@jit
def add_piece_histograms(
    a, a_first, a_last, b, b_first, b_last, same, index, gamma, to_lag, floor, chosen, limit, log_start, log_step, sums,
):  # fmt: skip
    """Add w / r³ of every pair of a chosen box closer than `limit` to its bins of ln r, `sums` (n_boxes, n_bins).

    Points `a` (n, 3) Å see points `b`; `*_first`, `*_last` (n, 3) are the ranges of boxes that hold them. Box k has the
    place index[k] (3,), the covariance gamma[k] (see `covariance_weight`) and to_lag[k] (3, 3), from Å to its voxels.
    """
    inside_a, inside_b = np.empty((a.shape[0], 3)), np.empty((b.shape[0], 3))
    n_bins = sums.shape[1]
    for box in range(sums.shape[0]):
        if not chosen[box]:
            continue
        lag = to_lag[box]
        n_a = members(a, a_first, a_last, index[box], inside_a)
        n_b = members(b, b_first, b_last, index[box], inside_b)
        for i in range(n_a):
            for j in range(i + 1 if same else 0, n_b):
                dx, dy, dz = (
                    inside_b[j, 0] - inside_a[i, 0],
                    inside_b[j, 1] - inside_a[i, 1],
                    inside_b[j, 2] - inside_a[i, 2],
                )
                r2 = dx * dx + dy * dy + dz * dz
                if r2 >= limit * limit or r2 == 0.0:
                    continue
                at = (0.5 * math.log(r2) - log_start) / log_step
                k = math.floor(at)
                if k < 0 or k >= n_bins - 1:
                    continue
                t = at - k
                w = covariance_weight(
                    gamma[box],
                    dx * lag[0, 0] + dy * lag[1, 0] + dz * lag[2, 0],
                    dx * lag[0, 1] + dy * lag[1, 1] + dz * lag[2, 1],
                    dx * lag[0, 2] + dy * lag[1, 2] + dz * lag[2, 2],
                    floor,
                ) / (r2 * math.sqrt(r2))
                sums[box, k] += w * (1.0 - t)
                sums[box, k + 1] += w * t


@jit
def add_splines(pairs, found, l_max, l_step, norm, count, turn, vector, spline, power, legendre, y_lm, row):
    """Add splines times harmonics of the first `found` of `pairs` (n, 5) to `row` (n_knots * n_lm,), float32.

    A pair has a unit vector, its length in knots and its weight. They are taken in the order of length, as many at
    once as there is room (the last axis of `vector`, `spline`, `power`, `legendre` and `y_lm`).
    """
    room = vector.shape[1]
    n_lm = y_lm.shape[0]
    count[:] = 0
    for p in range(found):
        count[int(pairs[p, 3]) + 1] += 1
    for k in range(count.shape[0] - 1):
        count[k + 1] += count[k]
    for p in range(found):
        k = int(pairs[p, 3])
        turn[count[k]] = p
        count[k] += 1
    begin = 0
    for k in range(count.shape[0] - 1):
        first = max(k - 1, 0)  # of four knots
        while begin < count[k]:
            n = min(count[k] - begin, room)
            for q in range(n):
                p = turn[begin + q]
                vector[0, q], vector[1, q], vector[2, q] = pairs[p, 0], pairs[p, 1], pairs[p, 2]
                t = pairs[p, 3] - (first + 1)
                s = 1.0 - t
                w = pairs[p, 4] / 6.0
                spline[0, q], spline[3, q] = w * s * s * s, w * t * t * t
                spline[1, q] = w * (4.0 - 6.0 * t * t + 3.0 * t * t * t)
                spline[2, q] = w * (4.0 - 6.0 * s * s + 3.0 * s * s * s)
            harmonics_of_many(vector, n, l_max, l_step, norm, power, legendre, y_lm)
            at = first * n_lm
            for m in range(n_lm):
                s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
                for q in range(n):
                    y = y_lm[m, q]
                    s0 += spline[0, q] * y
                    s1 += spline[1, q] * y
                    s2 += spline[2, q] * y
                    s3 += spline[3, q] * y
                row[at + m] += s0
                row[at + n_lm + m] += s1
                row[at + 2 * n_lm + m] += s2
                row[at + 3 * n_lm + m] += s3
            begin += n


@jit
def add_piece_sums(
    a, a_first, a_last, b, b_first, b_last, same, index, gamma, to_lag, floor, scales, reach, knot, l_max, l_step, n_lm,
    norm, room, sums,
):  # fmt: skip
    """Add radial splines times harmonics of every pair of a box closer than `reach` d to its `sums`, float32.

    As `add_piece_histograms`; `scales` (n_boxes,) are the length scales d, Å, 0 where a box is left out, and knots
    lie at k * `knot` d. `room` pairs are held at once.
    """
    inside_a, inside_b = np.empty((a.shape[0], 3)), np.empty((b.shape[0], 3))
    pairs = np.empty((room, 5))
    turn = np.empty(room, dtype=np.int64)
    few = 256
    count = np.empty(sums.shape[1] // n_lm + 1, dtype=np.int64)
    vector, spline, power = np.empty((3, few)), np.empty((4, few)), np.empty((2, few))
    legendre, y_lm = np.empty((l_max + 1, few)), np.empty((n_lm, few))
    for box in range(sums.shape[0]):
        if not scales[box] > 0.0:
            continue
        lag = to_lag[box]
        square = (reach * scales[box]) ** 2
        per_knot = 1.0 / (knot * scales[box])
        n_a = members(a, a_first, a_last, index[box], inside_a)
        n_b = members(b, b_first, b_last, index[box], inside_b)
        found = np.int64(0)
        for i in range(n_a):
            for j in range(i + 1 if same else 0, n_b):
                dx, dy, dz = (
                    inside_b[j, 0] - inside_a[i, 0],
                    inside_b[j, 1] - inside_a[i, 1],
                    inside_b[j, 2] - inside_a[i, 2],
                )
                r2 = dx * dx + dy * dy + dz * dz
                if r2 >= square or r2 == 0.0:
                    continue
                if found == room:
                    add_splines(
                        pairs, found, l_max, l_step, norm, count, turn, vector, spline, power, legendre, y_lm, sums[box]
                    )  # fmt: skip
                    found = np.int64(0)
                r = math.sqrt(r2)
                pairs[found, 0], pairs[found, 1], pairs[found, 2] = dx / r, dy / r, dz / r
                pairs[found, 3] = r * per_knot
                pairs[found, 4] = covariance_weight(
                    gamma[box],
                    dx * lag[0, 0] + dy * lag[1, 0] + dz * lag[2, 0],
                    dx * lag[0, 1] + dy * lag[1, 1] + dz * lag[2, 1],
                    dx * lag[0, 2] + dy * lag[1, 2] + dz * lag[2, 2],
                    floor,
                )
                found += 1
        add_splines(
            pairs, found, l_max, l_step, norm, count, turn, vector, spline, power, legendre, y_lm, sums[box]
        )  # fmt: skip


@jit
def add_ratios(gamma, to_lag, whole, floor, directions, step, ratios):
    """By how much sums of whole boxes are to be corrected for pieces, into `ratios` (n_boxes, n_nodes, n_directions).

    `whole` (n_nodes, n_directions), max(γ of a whole box, floor), over max(γ of the material in it, floor), for pairs
    of length k * `step` Å along `directions` (n_directions, 3); nodes behind those of `whole` stay. gamma[k] and
    to_lag[k] are as in `add_piece_histograms`.
    """
    for k in range(ratios.shape[0]):
        lag = to_lag[k]
        for j in range(ratios.shape[2]):
            x, y, z = step * directions[j, 0], step * directions[j, 1], step * directions[j, 2]
            lx = x * lag[0, 0] + y * lag[1, 0] + z * lag[2, 0]
            ly = x * lag[0, 1] + y * lag[1, 1] + z * lag[2, 1]
            lz = x * lag[0, 2] + y * lag[1, 2] + z * lag[2, 2]
            for node in range(whole.shape[0]):
                weight = covariance_weight(gamma[k], node * lx, node * ly, node * lz, floor)
                ratios[k, node, j] = whole[node, j] * weight


@jit
def mean_ratios(inverse, corners, ratios):
    """`ratios` (n_boxes, n_nodes, n_directions) of boxes from one over those of others, `inverse` (m, ...).

    `corners` (n_boxes, n_around) tells which are around each; one over its ratio is the mean of theirs.
    """
    n_around, n_directions = corners.shape[1], ratios.shape[2]
    total = np.empty(n_directions, dtype=np.float32)
    for k in range(corners.shape[0]):
        for node in range(ratios.shape[1]):
            total[:] = 0.0
            for c in range(n_around):
                row = inverse[corners[k, c], node]
                for j in range(n_directions):
                    total[j] += row[j]
            for j in range(n_directions):
                ratios[k, node, j] = np.float32(n_around) / total[j]


@jit_inline
def product_in_parts(a, b, out):
    """The matrix product of `a` (n, m) and `b` (m, k), some rows at a time.

    Each part is so small that BLAS computes it by one thread: with several it sums in another order.
    """
    rows = max(1, ONE_THREAD // (b.shape[0] * b.shape[1]))
    for first in range(0, a.shape[0], rows):
        np.dot(a[first : first + rows], b, out[first : first + rows])


@jit
def contract_pieces(
    sums, n_row, knot, rows, scales, ratios, place, node_step, to_directions, back, table, step, l_max, l_step, n_max,
    n_radials, radial_of, weights, out,
):  # fmt: skip
    """As `contract`, for the boxes `rows` (n,) that are filled in part: sums of full boxes are corrected.

    At each knot the harmonics are added up in some directions, multiplied by the ratios there, and turned into
    harmonics again. Those of rows[k] are ratios[place[k]] (n_nodes, n_half), `node_step` Å apart and linear between,
    see `add_ratios`. `sums` has harmonics of higher degree than the descriptor: `to_directions` (n_all_lm,
    n_directions) has their values, `back` (n_directions, n_lm) brings values back. The directions are the `n_half` of
    the ratios or, behind them, their opposites too.
    """
    n_radial = n_max * n_radials
    n_lm, n_directions = back.shape[1], back.shape[0]
    n_knots, n_half = sums.shape[1] // n_row, ratios.shape[2]
    filtered = np.empty((n_knots, to_directions.shape[0]), dtype=np.float32)
    radial = np.empty((n_knots, table.shape[2]), dtype=np.float32)
    pivot = np.empty(n_knots, dtype=np.float32)
    coefficients = np.empty((n_lm, n_radial), dtype=np.float32)
    density = np.empty((n_knots, n_directions), dtype=np.float32)
    corrected = np.empty((n_knots, n_lm), dtype=np.float32)
    pivots(pivot)
    for k in range(rows.shape[0]):
        box = rows[k]
        unspline(sums[box], n_row, pivot, filtered)
        radial_at_knots(knot, scales[box], step, table, radial)
        product_in_parts(filtered, to_directions, density)
        for q in range(n_knots):
            at = q * knot / node_step
            node = int(at)
            if node + 1 >= ratios.shape[1]:
                break  # no pair is so long
            upper = np.float32(at - node)
            lower = np.float32(1.0) - upper
            near, far = ratios[place[k], node], ratios[place[k], node + 1]
            for first in range(0, n_directions, n_half):
                values = density[q, first : first + n_half]
                for j in range(n_half):
                    values[j] *= lower * near[j] + upper * far[j]
        product_in_parts(density, back, corrected)
        product = np.dot(corrected.T, radial)
        pick_degrees(product, l_max, l_step, n_radial, coefficients)
        power_spectrum(coefficients, l_max, l_step, n_max, n_radials, radial_of, weights[box], out[box])
