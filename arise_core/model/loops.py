"""Compiled loops over what passes say of rows. No policy lives here."""

from __future__ import annotations

import math

import numpy as np

from arise_core.runtime.compilation import jit

#: One bit, nat.
BIT = np.float32(1.0 / math.log(2.0))


@jit
def first_layer(whole, inputs, starts, index, weights, begin, count, out):
    """The first layer of passes, from that of all inputs.

    `whole` (at least count, width) is the layer of all `inputs` (at least count, n_inputs). Of these pass t leaves out
    those of the numbers `index` (n_missing,) from `starts[t]` (n_passes + 1,) to the next; `weights` (n_missing, width)
    of each are added. Fills `out` (n, width) with what is from `begin` on of `count` rows, pass after pass.
    """
    width = out.shape[1]
    for r in range(out.shape[0]):
        t, i = (begin + r) // count, (begin + r) % count
        row = out[r]
        for c in range(width):
            row[c] = whole[i, c]
        for k in range(starts[t], starts[t + 1]):
            value, weight = inputs[i, index[k]], weights[k]
            for c in range(width):
                row[c] += value * weight[c]


@jit
def rectify(values, mask, begin, count):
    """ReLU of values (n, width) in place, and behind it the mask (n_passes, width) of the pass that each is of.

    They are those from `begin` on of `count` rows, pass after pass.
    """
    for r in range(values.shape[0]):
        t = (begin + r) // count
        for c in range(values.shape[1]):
            values[r, c] = max(values[r, c], np.float32(0.0)) * mask[t, c]


@jit
def add_passes(outputs, reference, reject, p_sum, p_square, votes, moments):
    """Add passes to sums, which are those of `DropoutMLP.sums_over_passes`.

    `outputs` (n_passes, n, n_classes [+ 1]) and `reference` (n, n_classes) float32; `reject` tells whether there is an
    output that rejects. `p_sum`, `p_square`, `votes` (n, n_classes) and `moments` (n, 7) float64.
    """
    n_classes = reference.shape[1]
    e = np.empty(n_classes, dtype=np.float32)
    for i in range(reference.shape[0]):
        top = 0
        for c in range(1, n_classes):
            if reference[i, c] > reference[i, top]:
                top = c
        for t in range(outputs.shape[0]):
            row = outputs[t, i]
            best, other = 0, np.float32(-1e9)
            for c in range(n_classes):
                if row[c] > row[best]:
                    best = c
                if row[c] > other and c != top:
                    other = row[c]
            highest = row[best]
            total = mean = cross = np.float32(0.0)
            for c in range(n_classes):
                e[c] = math.exp(row[c] - highest)
            for c in range(n_classes):
                total += e[c]
                mean += e[c] * (row[c] - highest)
                cross += e[c] * reference[i, c]
            share = np.float32(1.0) / total
            for c in range(n_classes):
                p = e[c] * share
                p_sum[i, c] += p
                p_square[i, c] += p * p
            votes[i, best] += 1.0
            entropy = (np.float32(math.log(total)) - mean * share) * BIT
            z = -cross * share - entropy
            r = np.float32(0.0)
            if reject:
                r = np.float32(1.0) / (np.float32(1.0) + np.float32(math.exp(-row[n_classes])))
            m = row[top] - other
            moments[i, 0] += entropy
            moments[i, 1] += z
            moments[i, 2] += z * z
            moments[i, 3] += r
            moments[i, 4] += r * r
            moments[i, 5] += m
            moments[i, 6] += m * m


@jit
def find_largest(values, index, found):
    """The largest values (n, n_values) of each row, best first, those that come first where some are equal.

    Fills their places `index` (n, k) and themselves `found` (n, k), of the type of `values`; -1 and NaN in rows that
    begin with NaN.
    """
    k = index.shape[1]
    for i in range(values.shape[0]):
        if math.isnan(values[i, 0]):
            index[i, :] = -1
            found[i, :] = math.nan
            continue
        index[i, :] = -1
        found[i, :] = -math.inf
        for c in range(values.shape[1]):
            v = values[i, c]
            if v <= found[i, k - 1]:
                continue
            at = k - 1
            while at > 0 and v > found[i, at - 1]:
                found[i, at], index[i, at] = found[i, at - 1], index[i, at - 1]
                at -= 1
            found[i, at], index[i, at] = v, c
