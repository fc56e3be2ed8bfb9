"""The pristine structures of the paper: a class's period and three open supercells; 396 of the 108 prototypes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from arise_core.crystals.crystal import Crystal
from arise_core.descriptor.soap import describe
from arise_core.geometry.arrays import FloatArray
from arise_core.geometry.structure import Structure
from arise_core.settings import DescriptorSettings
from arise_core.training.samples.job import SampleJob, given


def pristine_list(crystals: Sequence[Crystal] | None = None) -> list[tuple[str, Structure]]:
    """The pristine structures with their labels; 396 of the prototypes, which stand for None."""
    return [(c.label, structure) for c in given(crystals) for structure in c.pristine]


def pristine_jobs(
    crystals: Sequence[Crystal], copies: int, settings: DescriptorSettings
) -> Iterator[SampleJob]:
    """A job each pristine structure, with as many copies of its descriptor."""
    if copies:
        for c in crystals:
            for k in range(c.n_pristine):
                yield SampleJob(copies, partial(_compute, c, k, copies, settings))


def _compute(
    crystal: Crystal, index: int, copies: int, settings: DescriptorSettings
) -> tuple[FloatArray, list[str]]:
    features = describe(crystal.pristine[index], settings)
    return np.repeat(features[None], copies, axis=0), [crystal.label] * copies
