"""The descriptor of a structure or piece: sums over pairs of radial functions and spherical harmonics.

For centre species α and neighbour species β with length scale d,
c_nlm = Σ_{i∈α} Σ_{j∈β, j≠i} w(r_ij) R_nl(r_ij / d) Y_lm(r̂_ij), and
p_nn'l = π √(8 / (2l+1)) Σ_m c_nlm c_n'lm for n <= n', divided by its Euclidean norm
(Leitherer et al. 2021, supplement, eqs. 1-2; Bartók et al. 2013). The vectors of all S² pairs of species are
averaged. R_nl is the expansion of a Gaussian in dscribe's orthonormalised Gaussian-type orbitals
(Himanen et al. 2020), in closed form. The centre's own Gaussian is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from scipy.spatial import cKDTree

from arise_core.descriptor import loops
from arise_core.descriptor.covariance import Covariance, NoWindow, Window
from arise_core.descriptor.lengthscale import LOG_STEP, PairDensity, nearest_neighbour_scale, search_range
from arise_core.descriptor.radial import harmonics_norm, n_harmonics, parity_step, radial_table
from arise_core.errors import InputError
from arise_core.geometry import loops as geometry_loops
from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.geometry.material import Material
from arise_core.geometry.structure import Structure
from arise_core.geometry.support import support
from arise_core.settings import DescriptorSettings

SpeciesPair = tuple[int, int]
Backend = Literal["arise", "dscribe"]
#: Centres per pair of species whose nearest neighbours are looked at for the range of a length scale, at most.
SAMPLE = 20_000


@dataclass(frozen=True)
class Survey:
    """What is looked up in a whole structure before pieces of it are described."""

    spacing: float  # Å, cube root of the volume per atom inside the material
    ranges: Mapping[SpeciesPair, tuple[float, float]]  # Å, where the first peak of the pair density is sought


def survey(given: Structure | Material) -> Survey:
    """Atomic spacing and search ranges of the length scale of a structure.

    Args:
        given: the whole structure.
    """
    material = Material.of(given)
    species = [int(s) for s in material.body.species]
    ranges = {}
    for i, alpha in enumerate(species):
        for beta in species[i:]:
            found = search_range(material.nearest(alpha, beta, SAMPLE))
            if found is not None:
                ranges[alpha, beta] = found
    return Survey(material.spacing, ranges)


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
        loops.sum_pairs(v, window.weights(v), 1.0 / scale, table, step, settings.l_max, l_step, norm, sums)
    out = np.empty((len(settings.channels), settings.channel_size))
    loops.power_spectrum(sums, settings.l_max, l_step, settings.n_max, len(settings.channels), out)
    return out


def pair_scale(vectors: PairVectors, window: Window, low: float, high: float) -> float:
    """Length scale d of one species pair from its pair density, Å; NaN without pairs in range."""
    density = PairDensity(low, high)
    histogram = density.histogram()
    for v in vectors(density.limit):
        loops.log_histogram(v, window.weights(v), density.log_start, LOG_STEP, histogram)
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
    structure: Structure | Material,
    settings: DescriptorSettings | None = None,
    *,
    backend: Backend = "arise",
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
        raise InputError(f"`backend` must be 'arise' or 'dscribe', got {backend!r}")
    material = Material.of(structure)
    scales, window = _scales_and_window(material, settings)
    if backend == "dscribe":
        from arise_core.descriptor.dscribe_reference import pair_descriptors

        return average_pairs(pair_descriptors(material.body, scales, settings), settings)
    parts = {
        (alpha, beta): pair_descriptor(
            partial(material.pairs.vectors, alpha, beta), parity_step(alpha, beta), d, window, settings
        )
        for (alpha, beta), d in scales.items()
    }
    return average_pairs(parts, settings)


def _scales_and_window(
    material: Material, settings: DescriptorSettings
) -> tuple[dict[SpeciesPair, float], Window]:
    """Length scale of each species pair that has pairs, Å, and the window of the whole structure."""
    species = [int(s) for s in material.body.species]
    scales: dict[SpeciesPair, float] = {}
    if settings.length_scale == "nearest-neighbour":
        for alpha in species:
            for beta in species:
                scales[alpha, beta] = nearest_neighbour_scale(material.nearest(alpha, beta))
        ranges = {pair: (d, d) for pair, d in scales.items() if np.isfinite(d)}
    else:
        ranges = dict(survey(material).ranges)
    if not settings.window or not ranges:
        window: Window = NoWindow()
    else:
        limit = settings.reach * max(high for _, high in ranges.values())
        window = Covariance(support(material), settings.floor, limit)
    if settings.length_scale == "pair-peak":
        for (alpha, beta), (low, high) in ranges.items():
            scales[alpha, beta] = pair_scale(partial(material.pairs.vectors, alpha, beta), window, low, high)
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
    found = np.empty((geometry_loops.all_pairs(a, b, same, limit, np.empty((0, 3))), 3))
    geometry_loops.all_pairs(a, b, same, limit, found)
    return [found]
