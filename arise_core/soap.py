"""The descriptor of a structure or piece: sums over pairs of radial functions and spherical harmonics.

For centre species α and neighbour species β with length scale d,
c_nlm = Σ_{i∈α} Σ_{j∈β, j≠i} w(r_ij) R_nl(r_ij / d) Y_lm(r̂_ij), and
p_nn'l = π √(8 / (2l+1)) Σ_m c_nlm c_n'lm for n <= n', divided by its Euclidean norm
(Leitherer et al. 2021, supplement, eqs. 1-2; Bartók et al. 2013). The vectors of all S² pairs of species are
averaged. R_nl is the expansion of a Gaussian in dscribe's orthonormalised Gaussian-type orbitals
(Himanen et al. 2020), in closed form. The centre's own Gaussian is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Literal, Protocol

import numpy as np
from scipy.linalg import inv, sqrtm
from scipy.spatial import cKDTree
from scipy.special import gamma as gamma_function

from arise_core import _kernels, threads
from arise_core.lengthscale import LOG_STEP, PairDensity, nearest_neighbour_scale, search_range
from arise_core.neighbors import PairFinder
from arise_core.settings import DescriptorSettings, RadialChannel
from arise_core.structure import FloatArray, IntArray, Structure
from arise_core.window import Covariance, NoWindow, atomic_spacing, support, without_vacuum

#: Node spacing of the table of radial functions, d. Cubic between nodes: agreement with dscribe to 1e-7.
TABLE_STEP = 0.01

SpeciesPair = tuple[int, int]
Backend = Literal["arise", "dscribe"]


class Window(Protocol):
    """Anything that weighs pair vectors (m, 3) Å by 1 / γ."""

    def weights(self, vectors: FloatArray) -> FloatArray:
        """(m,)."""
        ...


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
    """Values and scaled derivatives of w R_nl of all channels at x = k TABLE_STEP, (n_nodes, 2, n_l, n_radial).

    `l_step` 2 keeps even l only. The channels stand side by side in the last axis. The last node lies at the
    reach; a hard end is taken from below.
    """
    n_nodes = math.floor(settings.reach / TABLE_STEP) + 1
    step = settings.reach / (n_nodes - 1)
    nodes: FloatArray = step * np.arange(n_nodes, dtype=np.float64)

    def values(x: FloatArray) -> FloatArray:
        radial = radial_functions(settings, x)[:, ::l_step]
        weights = [radial_weight(c, np.minimum(x, settings.reach), settings.reach) for c in settings.channels]
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


@dataclass(frozen=True)
class Survey:
    """What is looked up in a whole structure before pieces of it are described."""

    spacing: float  # Å, cube root of the volume per atom inside the material
    ranges: Mapping[SpeciesPair, tuple[float, float]]  # Å, where the first peak of the pair density is sought


def survey(structure: Structure, sample: int = 20_000) -> Survey:
    """Atomic spacing and search ranges of the length scale of a structure.

    Args:
        structure: the whole structure.
        sample: centre atoms per species pair looked at, at most.
    """
    finder = PairFinder(structure)
    species = [int(s) for s in structure.species]
    ranges = {}
    for i, alpha in enumerate(species):
        for beta in species[i:]:
            found = search_range(finder.nearest(alpha, beta, sample))
            if found is not None:
                ranges[alpha, beta] = found
    return Survey(atomic_spacing(structure), ranges)


PairVectors = Callable[[float], Iterable[FloatArray]]


def pair_descriptor(
    vectors: PairVectors, l_step: int, scale: float, window: Window, settings: DescriptorSettings
) -> FloatArray:
    """Descriptor of one species pair, (n_channels, channel_size), each channel of norm 1 (0 without pairs).

    Args:
        vectors: called with a distance in Å, gives chunks (m, 3) of the displacements shorter than it.
        l_step: 2 where odd l vanish, else 1.
        scale: length scale d, Å.
        window: weights of pairs.
        settings: of the descriptor.
    """
    table = radial_table(settings, l_step)
    step = settings.reach / (len(table) - 1)
    sums = np.zeros((n_harmonics(settings.l_max, l_step), table.shape[3]))
    norm = harmonics_norm(settings.l_max)
    for v in vectors(settings.reach * scale):
        _kernels.sum_pairs(v, window.weights(v), 1.0 / scale, table, step, settings.l_max, l_step, norm, sums)
    out = np.empty((len(settings.channels), settings.channel_size))
    _kernels.power_spectrum(sums, settings.l_max, l_step, settings.n_max, len(settings.channels), out)
    return out


def pair_scale(vectors: PairVectors, window: Window, low: float, high: float) -> float:
    """Length scale d of one species pair from its pair density, Å; NaN without pairs in range."""
    density = PairDensity(low, high)
    histogram = density.histogram()
    for v in vectors(density.limit):
        _kernels.log_histogram(v, window.weights(v), density.log_start, LOG_STEP, histogram)
    return density.scale(histogram)


def average_pairs(parts: Mapping[SpeciesPair, FloatArray], settings: DescriptorSettings) -> FloatArray:
    """Mean over all S² ordered species pairs, channels joined by their shares, (n_features,).

    Where (α, β) stands for (β, α) too, having the same power spectrum, it counts twice.
    """
    total = np.zeros((len(settings.channels), settings.channel_size))
    count = 0
    for (alpha, beta), part in parts.items():
        times = 1 if alpha == beta or (beta, alpha) in parts else 2
        total += times * part
        count += times
    shares = np.sqrt([c.share for c in settings.channels])
    return np.asarray((total / max(count, 1) * shares[:, None]).ravel())


def describe(
    structure: Structure, settings: DescriptorSettings | None = None, *, backend: Backend = "arise"
) -> FloatArray:
    """Descriptor of a whole structure, (n_features,); every pair is evaluated, nothing is binned.

    Invariant under rotation, translation, order of the atoms, choice of the periodic cell and the unit of
    length. A species pair without pairs (a single atom of an element in an open structure) contributes
    nothing.

    Args:
        structure: at least one atom.
        settings: default `DescriptorSettings.corrected()`.
        backend: "dscribe" evaluates the sums with dscribe, for settings that it can express (no window, no
            taper).

    Raises:
        ValueError: unknown backend, or settings that dscribe cannot express.
    """
    settings = settings or DescriptorSettings.corrected()
    if backend not in ("arise", "dscribe"):
        raise ValueError(f"`backend` must be 'arise' or 'dscribe', got {backend!r}")
    structure = without_vacuum(structure)
    finder = PairFinder(structure)
    scales, window = _scales_and_window(structure, finder, settings)
    if backend == "dscribe":
        from arise_core.dscribe_backend import pair_descriptors

        return average_pairs(pair_descriptors(structure, scales, settings), settings)
    parts = {
        (alpha, beta): pair_descriptor(
            partial(finder.vectors, alpha, beta), parity_step(alpha, beta), d, window, settings
        )
        for (alpha, beta), d in scales.items()
    }
    return average_pairs(parts, settings)


def _scales_and_window(
    structure: Structure, finder: PairFinder, settings: DescriptorSettings
) -> tuple[dict[SpeciesPair, float], Window]:
    """Length scale of each species pair that has pairs, Å, and the window of the whole structure."""
    species = [int(s) for s in structure.species]
    scales: dict[SpeciesPair, float] = {}
    if settings.length_scale == "nearest-neighbour":
        for alpha in species:
            for beta in species:
                scales[alpha, beta] = nearest_neighbour_scale(finder.nearest(alpha, beta))
        ranges = {pair: (d, d) for pair, d in scales.items() if np.isfinite(d)}
    else:
        ranges = dict(survey(structure).ranges)
    if not settings.window or not ranges:
        window: Window = NoWindow()
    else:
        limit = settings.reach * max(high for _, high in ranges.values())
        spacing = atomic_spacing(structure)
        window = Covariance(support(structure, spacing), settings.floor, limit)
    if settings.length_scale == "pair-peak":
        for (alpha, beta), (low, high) in ranges.items():
            scales[alpha, beta] = pair_scale(partial(finder.vectors, alpha, beta), window, low, high)
    return {pair: d for pair, d in scales.items() if np.isfinite(d)}, window


def describe_piece(
    positions: FloatArray,
    numbers: IntArray,
    window: Window,
    ranges: Mapping[SpeciesPair, tuple[float, float]],
    settings: DescriptorSettings,
    min_atoms_per_species: int = 1,
) -> FloatArray:
    """Descriptor of the atoms of one box, taken as open, every pair evaluated, (n_features,).

    Args:
        positions: (n, 3), Å.
        numbers: (n,), atomic numbers.
        window: weights of pairs; the caller knows the box's shape.
        ranges: where the first peak is sought, from the survey of the whole structure.
        settings: of the descriptor.
        min_atoms_per_species: a species with fewer atoms is treated as missing.

    Returns:
        NaN everywhere if no species pair is left.
    """
    found, counts = np.unique(numbers, return_counts=True)
    groups = {
        int(s): np.ascontiguousarray(positions[numbers == s])
        for s, c in zip(found, counts, strict=True)
        if c >= min_atoms_per_species
    }
    parts = {}
    for alpha, a in groups.items():
        for beta, b in groups.items():
            same = alpha == beta
            if settings.length_scale == "nearest-neighbour":
                if len(b) < 1 + same:
                    continue
                d = nearest_neighbour_scale(cKDTree(b).query(a, k=[1 + same])[0][:, 0])
                vectors = partial(_piece_vectors, a, b, same)
            else:
                if beta < alpha or (alpha, beta) not in ranges:
                    continue
                vectors = partial(_piece_vectors, a, b, same)
                d = pair_scale(vectors, window, *ranges[alpha, beta])
            if np.isfinite(d):
                parts[alpha, beta] = pair_descriptor(vectors, parity_step(alpha, beta), d, window, settings)
    if not parts:
        return np.full(settings.n_features, np.nan)
    return average_pairs(parts, settings)


def _piece_vectors(a: FloatArray, b: FloatArray, same: bool, limit: float) -> list[FloatArray]:
    """All displacements from points a to points b shorter than `limit` Å."""
    found = np.empty((_kernels.all_pairs(a, b, same, limit, np.empty((0, 3))), 3))
    _kernels.all_pairs(a, b, same, limit, found)
    return [found]
