"""Random imperfections of structures: displacements, strain, missing atoms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arise_core.geometry import builders
from arise_core.geometry.arrays import FloatArray
from arise_core.geometry.springs import spring_noise
from arise_core.geometry.structure import Structure
from arise_core.training.fields import Table, at_least, share, span
from arise_core.training.samples.job import Generator

#: Steps in which atoms with hard cores are pushed apart.
PUSHES = 20


@dataclass(frozen=True, kw_only=True)
class Noise(Table):
    """Random imperfections of a sample; every strength is drawn anew from 0 to its maximum.

    Args:
        uniform: half-width of uniform displacements per coordinate, d_NN.
        gaussian: standard deviation of Gaussian displacements per coordinate, d_NN.
        waves: share of the Gaussian displacements that contain sound waves.
        cutoff: largest wave number, 1 / d_NN.
        strain: standard deviation of the elements of a random strain.
        missing: share of atoms taken out.
        ideal: share of samples that stay free of any noise.
        whole: share of the others without missing atoms.
        independent: share of the samples with displacements that have uniform ones; the others Gaussian ones.
        cutoff_spread: range of factors on the largest wave number.
        longitudinal: range of the mean square amplitude of longitudinal waves over that of transverse ones.
        modes: number of waves.
        anisotropy: range of Zener's ratio of the waves, even on a logarithmic scale.
        weakest: smallest standard deviation of Gaussian displacements over the largest.
        springs: share of the Gaussian displacements that are those of atoms joined by springs.
        tether: range of the stiffness that holds an atom in its place over that of a spring, even on a logarithmic
            scale.
        cores: share of the samples with displacements in which atoms have hard cores and keep apart.
        closest: range of the distance below which they do not come, over that of nearest neighbours.
    """

    uniform: float = at_least(0, 0.13, detail=False)
    gaussian: float = at_least(0, 0.115, detail=False)
    waves: float = share(0.7, detail=False)
    cutoff: float = at_least(0, 4.0, detail=False)
    strain: float = at_least(0, 0.015, detail=False)
    missing: float = share(0.32, detail=False)
    ideal: float = share(0.1, detail=False)
    whole: float = share(0.5, detail=False)
    independent: float = share(0.4)
    cutoff_spread: tuple[float, float] = span(0.85, 1.15, least=0)
    longitudinal: tuple[float, float] = span(0.15, 0.6, least=0)
    modes: int = at_least(1, 64)
    anisotropy: tuple[float, float] = span(1.0, 1.0, least=0.05)
    weakest: float = share(0.0)
    springs: float = share(0.0)
    tether: tuple[float, float] = span(0.02, 0.4, least=1e-6)
    cores: float = share(0.0)
    closest: tuple[float, float] = span(0.75, 0.9, least=0)


def imperfect(
    structure: Structure, noise: Noise, rng: Generator, frame: FloatArray | None = None
) -> Structure:
    """A structure with random displacements, strain and missing atoms.

    Args:
        structure: as it should be.
        noise: how much.
        rng: random numbers.
        frame: rows are the axes of the crystal, (3, 3), if they are not those of the coordinates.
    """
    if rng.random() < noise.ideal:
        return structure
    d = builders.nearest_neighbour_distance(structure)
    deform = builders.random_strain(rng.uniform(0, noise.strain), rng)
    places = structure.positions @ deform
    positions = places + _displacements(places, d, noise, rng, frame)
    if noise.cores and rng.random() < noise.cores:
        positions = builders.kept_apart(positions, places, rng.uniform(*noise.closest), d, PUSHES)
    moved = Structure(positions, structure.numbers, structure.cell @ deform, structure.pbc)
    if rng.random() < noise.whole:
        return moved
    return builders.remove_atoms(moved, rng.uniform(0, noise.missing), rng)


def _displacements(
    positions: FloatArray, d: float, noise: Noise, rng: Generator, frame: FloatArray | None
) -> FloatArray:
    if rng.random() < noise.independent:
        reach = noise.uniform * d * rng.uniform()
        return rng.uniform(-reach, reach, positions.shape)
    correlated = np.sqrt(rng.uniform()) * (rng.random() < noise.waves)
    sigma = noise.gaussian * d * np.sqrt(rng.uniform(noise.weakest**2, 1.0))
    if noise.springs and rng.random() < noise.springs:
        tether = float(np.exp(rng.uniform(*np.log(noise.tether))))
        return spring_noise(positions, sigma, d, tether, rng)
    cutoff = noise.cutoff / d * rng.uniform(*noise.cutoff_spread)
    longitudinal = rng.uniform(*noise.longitudinal)
    low, high = noise.anisotropy
    ratio = low if low == high else float(np.exp(rng.uniform(np.log(low), np.log(high))))
    return builders.thermal_noise(
        positions, sigma, correlated, cutoff, rng,
        longitudinal=longitudinal, modes=noise.modes, anisotropy=ratio, frame=frame,
    )  # fmt: skip
