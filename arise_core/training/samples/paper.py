"""Samples of the paper: every pristine structure under every descriptor setting (Leitherer et al. 2021, Methods)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from arise_core.crystals.crystal import Crystal
from arise_core.descriptor.covariance import NoWindow
from arise_core.descriptor.lengthscale import nearest_neighbour_scale
from arise_core.descriptor.radial import parity_step
from arise_core.descriptor.soap import average_pairs, pair_descriptor, species_counts
from arise_core.geometry.arrays import FloatArray
from arise_core.geometry.material import Material
from arise_core.geometry.structure import Structure
from arise_core.settings import DescriptorSettings
from arise_core.training.fields import Table
from arise_core.training.samples.job import SampleJob, given


@dataclass(frozen=True, kw_only=True)
class PaperSamples(Table):
    """Every pristine structure under every descriptor setting.

    Args:
        r_cut: cut-off radii, d.
        sigma: widths of the Gaussians, d.
        scale_factors: factors on the length scale.
    """

    r_cut: tuple[float, ...] = (3.0, 3.2, 3.4, 3.6, 3.8, 4.0, 4.2, 4.4, 4.6, 4.8, 5.0)
    sigma: tuple[float, ...] = (0.08, 0.10, 0.12)
    scale_factors: tuple[float, ...] = (0.95, 1.0, 1.05)

    def jobs(
        self, settings: DescriptorSettings, seed: int, crystals: Sequence[Crystal] | None = None
    ) -> list[SampleJob]:
        """One job a pristine structure, each with all settings.

        Args:
            settings: of the descriptor.
            seed: not used, nothing is random here.
            crystals: the classes; the 108 prototypes if left out.
        """
        del seed
        return [
            SampleJob(len(self.variants), partial(self._compute, crystal, k, settings))
            for crystal in given(crystals)
            for k in range(crystal.n_pristine)
        ]

    @property
    def variants(self) -> list[tuple[float, float, float]]:
        """All (r_cut, sigma, scale factor)."""
        return list(itertools.product(self.r_cut, self.sigma, self.scale_factors))

    def _compute(
        self, crystal: Crystal, index: int, settings: DescriptorSettings
    ) -> tuple[FloatArray, list[str]]:
        features = paper_descriptors(crystal.pristine[index], settings, self.variants)
        return features, [crystal.label] * len(features)


def paper_descriptors(
    structure: Structure, settings: DescriptorSettings, variants: Sequence[tuple[float, float, float]]
) -> FloatArray:
    """Descriptors of one structure for several (r_cut, sigma, scale factor), (n_variants, n_features)."""
    material = Material.of(structure)
    species = [int(s) for s in material.body.species]
    scales = {(a, b): nearest_neighbour_scale(material.nearest(a, b)) for a in species for b in species}
    scales = {pair: d for pair, d in scales.items() if np.isfinite(d)}
    out = []
    for r_cut, sigma, factor in variants:
        changed = replace(settings, r_cut=r_cut, sigma=sigma)
        parts = {
            (a, b): pair_descriptor(
                partial(material.pairs.vectors, a, b), parity_step(a, b), d * factor, NoWindow(), changed
            )
            for (a, b), d in scales.items()
        }
        out.append(average_pairs(parts, species_counts(material.body.numbers), changed))
    return np.array(out)
