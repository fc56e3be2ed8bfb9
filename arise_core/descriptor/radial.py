"""Radial functions, their weights and tables, and what belongs to spherical harmonics.

R_nl is the expansion of a Gaussian in dscribe's orthonormalised Gaussian-type orbitals (Himanen et al. 2020), in
closed form."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy.linalg import inv, sqrtm
from scipy.special import gamma as gamma_function

from arise_core.geometry.arrays import FloatArray
from arise_core.runtime import threads
from arise_core.settings import DescriptorSettings, RadialChannel

#: Node spacing of the table of radial functions, d. Cubic between nodes: agreement with dscribe to 1e-7.
TABLE_STEP = 0.01


@lru_cache(maxsize=16)
def gto_basis(n_max: int, l_max: int, r_cut: float) -> tuple[FloatArray, FloatArray]:
    """Exponents (l_max + 1, n_max) and orthonormalising matrices (l_max + 1, n_max, n_max) of dscribe's GTOs.

    Primitive k decays to 0.001 at a radius that runs from 1 to r_cut; Löwdin orthonormalisation.
    """
    decay = np.linspace(1.0, r_cut, n_max)
    exponents = np.array([-np.log(1e-3 / decay**l) / decay**2 for l in range(l_max + 1)])  # noqa: E741
    matrices = []
    for degree, a in enumerate(exponents):
        overlap = 0.5 * gamma_function(degree + 1.5) * (a[:, None] + a[None, :]) ** (-degree - 1.5)
        with threads.one_blas_thread():
            matrices.append(np.real(sqrtm(inv(overlap))))
    return exponents, np.array(matrices)


def radial_functions(settings: DescriptorSettings, x: FloatArray) -> FloatArray:
    """R_nl(x) of a Gaussian at distance x (in d), without any weight, (n, l_max + 1, n_max)."""
    exponents, matrices = gto_basis(settings.n_max, settings.l_max, settings.r_cut)
    eta = 1.0 / (2.0 * settings.sigma**2)
    x = np.asarray(x, dtype=np.float64)[:, None]
    out = np.empty((len(x), settings.l_max + 1, settings.n_max))
    for degree, (a, matrix) in enumerate(zip(exponents, matrices, strict=True)):
        primitive = (np.pi / (eta + a)) ** 1.5 * (eta / (eta + a)) ** degree
        values = primitive * x**degree * np.exp(-a * eta * x**2 / (a + eta))
        out[:, degree] = np.einsum("nk,jk->nj", values, matrix)  # not BLAS: see `structure.transformed`
    return out


def radial_weight(channel: RadialChannel, x: FloatArray, reach: float) -> FloatArray:
    """Weight w(x) of a neighbour at distance x (in d); 0 beyond the reach, (n,)."""
    x = np.asarray(x, dtype=np.float64)
    q = np.clip(x / reach, 0.0, 1.0)
    weight = 1.0 + q * q * (2.0 * q - 3.0) if channel.weight == "falling" else np.ones_like(x)
    if channel.taper > 0:
        t = np.clip((reach - x) / channel.taper, 0.0, 1.0)
        weight = weight * t * t * (3.0 - 2.0 * t)
    return np.where(x <= reach, weight, 0.0)


@lru_cache(maxsize=16)
def radial_table(settings: DescriptorSettings, l_step: int) -> FloatArray:
    """Values and scaled derivatives of w R_nl at x = k TABLE_STEP, (n_nodes, 2, n_l, n_radial).

    `l_step` 2 keeps even l only. The radial weights stand side by side in the last axis. The last node lies at the
    reach; a hard end is taken from below.
    """
    n_nodes = math.floor(settings.reach / TABLE_STEP) + 1
    step = settings.reach / (n_nodes - 1)
    nodes: FloatArray = step * np.arange(n_nodes, dtype=np.float64)

    def values(x: FloatArray) -> FloatArray:
        radial = radial_functions(settings, x)[:, ::l_step]
        weights = [radial_weight(c, np.minimum(x, settings.reach), settings.reach) for c in settings.radials]
        return np.concatenate([radial * w[:, None, None] for w in weights], axis=2)

    delta = 1e-3 * step
    slope = (values(nodes + delta) - values(np.abs(nodes - delta))) / (2 * delta)
    slope[0] = (values(nodes[:1] + delta) - values(nodes[:1]))[0] / delta
    slope[-1] = (values(nodes[-1:]) - values(nodes[-1:] - delta))[0] / delta
    table = np.ascontiguousarray(np.stack([values(nodes), slope * step], axis=1))
    table.flags.writeable = False
    return table


@lru_cache(maxsize=8)
def harmonics_norm(l_max: int) -> FloatArray:
    """Norms of real spherical harmonics, (l_max + 1, l_max + 1), with √2 for m > 0."""
    norm = np.zeros((l_max + 1, l_max + 1))
    for degree in range(l_max + 1):
        for m in range(degree + 1):
            ratio = math.factorial(degree - m) / math.factorial(degree + m)
            norm[degree, m] = math.sqrt((2 * degree + 1) / (4 * math.pi) * ratio * (2 if m else 1))
    norm.flags.writeable = False
    return norm


def n_harmonics(l_max: int, l_step: int) -> int:
    """Number of (l, m) with l = 0, l_step, ... l_max."""
    return sum(2 * degree + 1 for degree in range(0, l_max + 1, l_step))


def parity_step(alpha: int, beta: int) -> int:
    """2 for pairs of one species, whose odd-l sums vanish because pairs come in ±r; else 1."""
    return 2 if alpha == beta else 1
