"""How much of a structure is solid."""

import numpy as np
import pytest
from ase.build import bulk

from arise_core.errors import InputError
from ase_arise import is_solid, solid_fraction

FAST = {"passes": 10, "stride": 6.0}


@pytest.fixture(scope="module")
def half():
    atoms = bulk("Cu", cubic=True) * (12, 6, 6)
    rng = np.random.default_rng(0)
    molten = atoms.get_scaled_positions()[:, 0] > 0.55
    atoms.positions += rng.normal(0, np.where(molten, 1.0, 0.1)[:, None], atoms.positions.shape)
    return atoms


def test_half_is_solid(half):
    found = solid_fraction(half, **FAST)
    assert 0.25 < found.low <= found.share <= found.high < 0.6
    assert solid_fraction(half, classes=["fcc", "bcc"], **FAST).share == pytest.approx(found.share, abs=0.03)
    assert solid_fraction(half, classes="bcc", **FAST).share < 0.02
    assert is_solid(half, threshold=0.3, **FAST)
    assert not is_solid(half, threshold=0.7, **FAST)
    assert not is_solid(half, classes="bcc", threshold=0.1, **FAST)


def test_crystals_and_melts(half):
    crystal = bulk("Fe", cubic=True) * (6, 6, 6)
    crystal.rattle(0.1, seed=1)
    before = crystal.copy()
    assert solid_fraction(crystal, **FAST) == (1.0, pytest.approx(1.0, abs=0.01), 1.0)
    assert crystal == before
    melt = crystal.copy()
    melt.rattle(0.9, seed=1)
    assert solid_fraction(melt, **FAST).high < 0.2


def test_classes_that_are_none(half):
    with pytest.raises(InputError, match="`classes` must be a class of the model, got 'fccc'; close: fcc"):
        solid_fraction(half, classes="fccc")
