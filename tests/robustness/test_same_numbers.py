"""Threads, memory, order of atoms, cells and motions: equal bits, or a bound that holds (docs/robustness.md)."""

import numpy as np
import pytest

from benchmarks.robustness.same_numbers import BITS, CHANGES, Change, Found

#: Those that take longest.
SLOW = {"turn map", "fraction 2", "fraction 6"}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n in SLOW else ()) for n in CHANGES]
)
def test_the_bound_holds(name):
    found = CHANGES[name].measure()
    assert CHANGES[name].holds(found), found


def test_a_front_is_cut_otherwise_when_it_moves_by_a_part_of_a_stride():
    """What the docs say of it: that labels change, and that it is not hidden by the bound."""
    found = CHANGES["fraction 4"].measure()
    assert found.labels > 0


@pytest.mark.parametrize(
    ("found", "bounds", "holds"),
    [
        (BITS, BITS, True),
        (Found(1e-9, 0, 0), BITS, False),
        (Found(0, 0.01, 0), BITS, False),
        (Found(0, 0, 1e-12), BITS, False),
        (Found(np.nan, 0.01, 0.1), Found(np.nan, 0.02, 0.2), True),
        (Found(np.nan, 0.03, 0.1), Found(np.nan, 0.02, 0.2), False),
    ],
)
def test_bounds(found, bounds, holds):
    assert Change("", "", lambda: found, bounds).holds(found) == holds
