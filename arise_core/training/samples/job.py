"""Jobs: pieces of sampling work, each computed on its own from its own seed.

So the result does not depend on the number of worker processes or on interruptions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from arise_core.crystals.crystal import Crystal, prototype_crystals
from arise_core.crystals.naming import DISORDERED, UNKNOWN
from arise_core.geometry.arrays import FloatArray

Generator = np.random.Generator

#: What stands for them where classes are numbers.
TO_REJECT = {DISORDERED: -1, UNKNOWN: -2}
#: Samples a job, at most. Seeds hang on it: another number gives other samples.
PER_JOB = 50

#: Makes one sample: its descriptor, NaN for one that is to be drawn again, and its label.
Make = Callable[[Generator], tuple[FloatArray, str]]


@dataclass(frozen=True)
class SampleJob:
    """A piece of sampling work: `compute()` gives (n_samples, n_features) and as many labels."""

    n_samples: int
    compute: Callable[[], tuple[FloatArray, list[str]]]


def jobs_of(make: Make, total: int, seed: tuple[int, int]) -> Iterator[SampleJob]:
    """Jobs that make `total` samples; each sample has a seed of its own.

    Args:
        make: one sample.
        total: how many.
        seed: of the recipe, and the number of this part of the samples.
    """
    for first in range(0, total, PER_JOB):
        count = min(PER_JOB, total - first)
        yield SampleJob(count, partial(_compute, make, count, (*seed, first)))


def _compute(make: Make, count: int, seed: tuple[int, ...]) -> tuple[FloatArray, list[str]]:
    features, labels = [], []
    for k in range(count):
        rng = np.random.default_rng((*seed, k))
        one, name = make(rng)
        while not np.isfinite(one).all():  # too few atoms of every species: draw again
            one, name = make(rng)
        features.append(one)
        labels.append(name)
    return np.array(features), labels


def given(crystals: Sequence[Crystal] | None) -> Sequence[Crystal]:
    """The crystals, or the 108 prototypes if there are none."""
    return prototype_crystals() if crystals is None else crystals
