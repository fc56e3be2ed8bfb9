"""Where a crystal ends, from the density waves of its own lattice: no neighbours, no templates, no network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import curve_fit

CORE = 0.25  # of the length of the cell: the slab in the middle of the crystal whose waves are taken
STRONGEST = 0.3  # amplitude of a wave over that of a crystal at rest, at least
LARGEST = 7.0  # 1/Å, wave number at most
SHORTEST = (
    1.25  # times the smallest wave number of a strong wave; those above it shrink with the heat of a surface
)
TEN_TO_NINETY = 2 * np.arctanh(0.8)  # width from 10 to 90 % of a tanh, over its length


@dataclass(frozen=True)
class Slab:
    """A crystal between two fronts: a profile low + (high - low) of a tanh at each front along x."""

    left: float  # Å, place of the fronts
    right: float
    left_width: float  # Å, from 10 to 90 %
    right_width: float
    low: float  # in the melt
    high: float  # in the crystal


def crystal_waves(positions: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """How much each atom is in phase with the crystal in the middle of the cell, (n,): on average 1 in it, 0 in a melt.

    Only waves with fronts along x count (wave vectors in the plane y, z), since those fit the periodic cell and so
    the whole crystal, however it is strained along x: the shortest wave vectors that are strong in the middle, weighted
    by their amplitude.
    The mean is linear in the atoms: in a profile of it the melt neither adds nor takes away.

    Args:
        positions: (n, 3), Å, the crystal around x = half of the cell.
        cell: (3, 3), Å, orthogonal.
    """
    edges = np.diag(cell)
    core = np.abs(positions[:, 0] - edges[0] / 2) < CORE * edges[0] / 2
    waves = []
    most = np.floor(LARGEST * edges[1:] / (2 * np.pi)).astype(int)
    for m in range(most[0] + 1):
        for n in range(1 if m == 0 else -most[1], most[1] + 1):
            ky, kz = 2 * np.pi * m / edges[1], 2 * np.pi * n / edges[2]
            amplitude = np.exp(1j * (ky * positions[core, 1] + kz * positions[core, 2])).mean()
            if abs(amplitude) > STRONGEST:
                waves.append((np.hypot(ky, kz), amplitude, ky * positions[:, 1] + kz * positions[:, 2]))
    if not waves:
        raise ValueError("there is no crystal around the middle of the cell")
    shortest = min(number for number, *_ in waves)
    waves = [wave for wave in waves if wave[0] < SHORTEST * shortest]
    total = sum(abs(a) * np.cos(phase - np.angle(a)) for _, a, phase in waves)
    return np.asarray(total / sum(abs(a) ** 2 for _, a, _ in waves))


def strongest_place(positions: np.ndarray, cell: np.ndarray, tries: int = 12) -> float:
    """x (Å) of the middle of the crystal: of where its waves are, taken at the place where they are strongest."""
    edges = np.diag(cell)
    best, place = -1.0, 0.0
    for k in range(tries):
        start = k / tries * edges[0]
        moved = positions.copy()
        moved[:, 0] = (moved[:, 0] - start + edges[0] / 2) % edges[0]
        try:
            waves = crystal_waves(moved, cell)
        except ValueError:
            continue
        angle = 2 * np.pi * moved[:, 0] / edges[0]
        middle = np.angle((waves * np.exp(1j * angle)).sum()) / (2 * np.pi) % 1 * edges[0]
        if waves.mean() > best:
            best, place = float(waves.mean()), start - edges[0] / 2 + middle
    return float(place % edges[0])


def fitted(x: np.ndarray, values: np.ndarray, length: float) -> Slab:
    """The profile of values (n,) of atoms at x (n,), Å, with the crystal around the middle of a cell of `length` Å."""

    def profile(
        x: np.ndarray, left: float, right: float, wl: float, wr: float, low: float, high: float
    ) -> np.ndarray:
        inside = 0.25 * (1 + np.tanh((x - left) / wl)) * (1 + np.tanh((right - x) / wr))
        return np.asarray(low + (high - low) * inside)

    lower = [0.02 * length, 0.55 * length, 0.2, 0.2, -0.3, 0.02]
    upper = [0.45 * length, 0.98 * length, 0.2 * length, 0.2 * length, 0.9, 1.5]
    core = np.abs(x - length / 2) < CORE * length / 2
    start = [0.2 * length, 0.8 * length, 2.0, 2.0, 0.0, float(np.clip(values[core].mean(), 0.1, 1.4))]
    found, _ = curve_fit(profile, x, values, p0=start, bounds=(lower, upper), max_nfev=5000)
    return Slab(
        float(found[0]), float(found[1]), float(found[2] * TEN_TO_NINETY), float(found[3] * TEN_TO_NINETY),
        float(found[4]), float(found[5]),
    )  # fmt: skip
