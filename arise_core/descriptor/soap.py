"""The descriptor of a structure or piece: sums over pairs of radial functions and spherical harmonics.

For centre species α and neighbour species β with length scale d,
c_nlm = Σ_{i∈α} Σ_{j∈β, j≠i} w(r_ij) R_nl(r_ij / d) Y_lm(r̂_ij), and
p_nn'l = π √(8 / (2l+1)) Σ_m c_nlm c_n'lm for n <= n', divided by its Euclidean norm
(Leitherer et al. 2021, supplement, eqs. 1-2; Bartók et al. 2013). The vectors of all S² pairs of species are
averaged, in each channel under weights of its own: all alike as there, or by the shares of the species; a channel may
also take all atoms as one species. R_nl is the expansion of a Gaussian in dscribe's orthonormalised Gaussian-type
orbitals (Himanen et al. 2020), in closed form. The centre's own Gaussian is left out.
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
from arise_core.errors import InputError, check_type
from arise_core.geometry import loops as geometry_loops
from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.geometry.material import Material
from arise_core.geometry.neighbors import ANY, PairFinder
from arise_core.geometry.structure import Structure
from arise_core.geometry.support import support
from arise_core.runtime.packages import check_package
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


def survey(given: Structure | Material, settings: DescriptorSettings) -> Survey:
    """Atomic spacing and search ranges of the length scale of a structure.

    Args:
        given: the whole structure.
        settings: of the descriptor; they say whether pairs of any species are wanted, too.
    """
    material = Material.of(given)
    species = [int(s) for s in material.body.species]
    pairs = [(alpha, beta) for i, alpha in enumerate(species) for beta in species[i:]]
    if settings.blind and len(species) > 1:
        pairs.append((ANY, ANY))
    found = {pair: search_range(material.nearest(*pair, SAMPLE)) for pair in pairs}
    return Survey(material.spacing, {pair: r for pair, r in found.items() if r is not None})


def pair_weights(
    pair: SpeciesPair,
    shares: tuple[FloatArray, FloatArray],
    times: int,
    alone: bool,
    settings: DescriptorSettings,
) -> FloatArray:
    """Weight of a pair of species in each channel, (..., n_channels).

    Args:
        pair: atomic numbers α, β, or `ANY` twice.
        shares: of α and of β among the atoms, (...,) each.
        times: 2 where the pair stands for (β, α), too.
        alone: whether there are pairs of this species only, so that they are those of any species, too.
        settings: of the descriptor.
    """
    blind = pair == (ANY, ANY)
    out = np.zeros((*np.shape(shares[0]), len(settings.channels)))
    for k, channel in enumerate(settings.channels):
        if channel.pairs == "blind":
            out[..., k] = times * (blind or alone)
        elif not blind:
            out[..., k] = times * (shares[0] * shares[1]) ** channel.pairs
    return out


PairVectors = Callable[[float], Iterable[FloatArray]]


def pair_descriptor(
    vectors: PairVectors, l_step: int, scale: float, window: Window, settings: DescriptorSettings
) -> FloatArray:
    """Descriptor of one species pair under each radial weight, (n_radials, channel_size), of norm 1 (0 without pairs).

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
    out = np.empty((len(settings.radials), settings.channel_size))
    loops.power_spectrum(sums, settings.l_max, l_step, settings.n_max, len(settings.radials), out)
    return out


def pair_scale(vectors: PairVectors, window: Window, low: float, high: float) -> float:
    """Length scale d of one species pair from its pair density, Å; NaN without pairs in range."""
    density = PairDensity(low, high)
    histogram = density.histogram()
    for v in vectors(density.limit):
        loops.log_histogram(v, window.weights(v), density.log_start, LOG_STEP, histogram)
    return density.scale(histogram)


def average_pairs(
    parts: Mapping[SpeciesPair, FloatArray], counts: Mapping[int, int], settings: DescriptorSettings
) -> FloatArray:
    """Mean over all S² ordered species pairs, channels joined by their shares, (n_features,).

    Where (α, β) stands for (β, α) too, having the same power spectrum, it counts twice.

    Args:
        parts: descriptor of each pair, (n_radials, channel_size).
        counts: atoms of each species.
        settings: of the descriptor.
    """
    total = np.zeros((len(settings.channels), settings.channel_size))
    sums = np.zeros(len(settings.channels))
    n_atoms = sum(counts.values())
    for (alpha, beta), part in parts.items():
        times = 1 if alpha == beta or (beta, alpha) in parts else 2
        both = tuple(np.array(counts.get(s, n_atoms) / n_atoms) for s in (alpha, beta))
        weights = pair_weights((alpha, beta), (both[0], both[1]), times, len(counts) == 1, settings)
        total += weights[:, None] * part[list(settings.radial_of)]
        sums += weights
    shares = np.sqrt([c.share for c in settings.channels])
    return np.asarray((total / np.where(sums > 0, sums, 1.0)[:, None] * shares[:, None]).ravel())


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
    settings = DescriptorSettings.corrected() if settings is None else settings
    check_type("settings", settings, DescriptorSettings, "DescriptorSettings")
    if backend not in ("arise", "dscribe"):
        raise InputError(f"`backend` must be 'arise' or 'dscribe', got {backend!r}")
    material = Material.of(structure)
    scales, window = _scales_and_window(material, settings)
    if backend == "dscribe":
        check_package("dscribe", "the backend 'dscribe' needs DScribe")
        from arise_core.descriptor.dscribe_reference import pair_descriptors

        return average_pairs(
            pair_descriptors(material.body, scales, settings), species_counts(material.body.numbers), settings
        )
    parts = {
        (alpha, beta): pair_descriptor(
            partial(material.pairs.vectors, alpha, beta), parity_step(alpha, beta), d, window, settings
        )
        for (alpha, beta), d in scales.items()
    }
    return average_pairs(parts, species_counts(material.body.numbers), settings)


def species_counts(numbers: IntArray) -> dict[int, int]:
    """Atoms of each species, by atomic number, of atoms (n,)."""
    found, counts = np.unique(numbers, return_counts=True)
    return {int(s): int(c) for s, c in zip(found, counts, strict=True)}


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
        if settings.blind and len(species) > 1:
            scales[ANY, ANY] = nearest_neighbour_scale(material.nearest(ANY, ANY))
        ranges = {pair: (d, d) for pair, d in scales.items() if np.isfinite(d)}
    else:
        ranges = dict(survey(material, settings).ranges)
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
    pairs: PairFinder | None = None,
) -> FloatArray:
    """Descriptor of the atoms of one box, taken as open, every pair evaluated, (n_features,).

    Args:
        positions: (n, 3), Å.
        numbers: (n,), atomic numbers.
        window: weights of pairs; the caller knows the box's shape.
        ranges: where the first peak is sought, from the survey of the whole structure.
        settings: of the descriptor.
        min_atoms_per_species: a species with fewer atoms is treated as missing, where pairs weigh all alike.
        pairs: finds the pairs of pieces that are large or repeat; None: all are looked at.

    Returns:
        NaN everywhere if no species pair is left.
    """
    least = min_atoms_per_species if settings.alike else 1
    counts = {s: c for s, c in species_counts(numbers).items() if c >= least}
    groups = {s: np.ascontiguousarray(positions[numbers == s]) for s in counts}
    several = [(alpha, beta, a, b) for alpha, a in groups.items() for beta, b in groups.items()]
    if settings.blind and len(groups) > 1:
        several.append((ANY, ANY, positions, positions))
    parts = {}
    for alpha, beta, a, b in several:
        same = alpha == beta
        vectors: PairVectors = partial(_piece_vectors, a, b, same)
        if pairs is not None:
            vectors = partial(pairs.vectors, alpha, beta)
        if settings.length_scale == "nearest-neighbour":
            if pairs is not None:
                d = nearest_neighbour_scale(pairs.nearest(alpha, beta))
            elif len(b) < 1 + same:
                continue
            else:
                d = nearest_neighbour_scale(cKDTree(b).query(a, k=[1 + same])[0][:, 0])
        else:
            if beta < alpha or (alpha, beta) not in ranges:
                continue
            d = pair_scale(vectors, window, *ranges[alpha, beta])
        if np.isfinite(d):
            parts[alpha, beta] = pair_descriptor(vectors, parity_step(alpha, beta), d, window, settings)
    if not parts:
        return np.full(settings.n_features, np.nan)
    return average_pairs(parts, counts, settings)


def _piece_vectors(a: FloatArray, b: FloatArray, same: bool, limit: float) -> list[FloatArray]:
    """All displacements from points a to points b shorter than `limit` Å."""
    found = np.empty((geometry_loops.all_pairs(a, b, same, limit, np.empty((0, 3))), 3))
    geometry_loops.all_pairs(a, b, same, limit, found)
    return [found]
