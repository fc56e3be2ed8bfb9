"""Defective structures of the paper as samples: displaced atoms, missing atoms, both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from arise_core.crystals.crystal import Crystal
from arise_core.descriptor.soap import describe
from arise_core.geometry import builders
from arise_core.geometry.arrays import FloatArray
from arise_core.settings import DescriptorSettings
from arise_core.training.samples.job import SampleJob, given

#: (η, δ): shares of atoms missing and largest displacement in d_NN. Those by which Leitherer et al. (2021,
#: Methods) rank their best models, the pristine structure first.
MILD = ((0.0, 0.0), (0.0, 0.001), (0.0, 0.006), (0.01, 0.0), (0.05, 0.0), (0.01, 0.001), (0.05, 0.006))
#: Beyond them, to tell models apart that are equally good there.
STRONG = ((0.0, 0.04), (0.0, 0.1), (0.2, 0.0), (0.3, 0.0), (0.2, 0.04), (0.3, 0.1))


@dataclass(frozen=True, kw_only=True)
class DefectSamples:
    """One random supercell a class and level, open or periodic, of the three sizes of the paper.

    Args:
        levels: (η, δ) pairs.
        draws: samples a class and level.
        periodic: share of periodic supercells (of classes that repeat along more than one direction).
    """

    levels: tuple[tuple[float, float], ...] = MILD + STRONG
    draws: int = 1
    periodic: float = 0.5

    def jobs(
        self, settings: DescriptorSettings, seed: int, crystals: Sequence[Crystal] | None = None
    ) -> list[SampleJob]:
        """A job a class; its samples in the order of the levels."""
        return [
            SampleJob(len(self.levels) * self.draws, partial(self._compute, c, settings, (seed, k)))
            for k, c in enumerate(given(crystals))
        ]

    def _compute(
        self, crystal: Crystal, settings: DescriptorSettings, seed: tuple[int, int]
    ) -> tuple[FloatArray, list[str]]:
        rng = np.random.default_rng(seed)
        cells = {periodic: crystal.supercells(periodic=periodic) for periodic in (False, True)}
        features = []
        for missing, delta in self.levels:
            for _ in range(self.draws):
                sizes = cells[crystal.dimension > 1 and rng.random() < self.periodic]
                structure = sizes[int(rng.integers(len(sizes)))]
                structure = builders.remove_atoms(structure, missing, rng)
                features.append(describe(builders.displace(structure, delta, rng), settings))
        return np.array(features), [crystal.label] * len(features)
