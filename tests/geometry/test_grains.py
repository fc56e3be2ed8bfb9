"""The paper's four grains."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from arise_core.errors import InputError
from arise_core.geometry.grains import GRAINS, four_grains
from arise_core.geometry.support import SURFACE

#: Neighbours of an atom inside each crystal, at the distance of the nearest.
NEIGHBOURS = {"fcc": 12, "bcc": 8, "hcp": 12, "diamond": 4}


def test_the_slab():
    structure, grain = four_grains(rng=np.random.default_rng(0))
    assert 8500 < len(structure) < 9500  # "about 9,000"
    x = structure.positions
    assert np.ptp(x, axis=0)[:2] == pytest.approx([98, 98], abs=1)
    assert np.ptp(x[:, 2]) + 2 * SURFACE * 2.556 <= 16.0  # one layer of boxes of 16 Å
    assert not structure.pbc.any()
    assert (structure.numbers == 29).all()
    where = 2 * (x[:, 0] > 49) + (x[:, 1] > 49)
    assert (where == grain).all()
    distance = cKDTree(x).query(x, k=2)[0][:, 1]
    assert distance.min() > 0.69 * 2.556
    inner = (np.abs(x[:, :2] - 49).min(axis=1) > 4) & (np.abs(x[:, :2] - 49).max(axis=1) < 45)
    inner &= np.abs(x[:, 2] - x[:, 2].mean()) < 3
    for k, name in enumerate(GRAINS):
        mine = inner & (grain == k)
        assert mine.sum() > 100
        around = cKDTree(x).query_ball_point(x[mine], 1.05 * 2.556, return_length=True) - 1
        assert (around == NEIGHBOURS[name]).all()


def test_defects():
    whole, grain = four_grains(rng=np.random.default_rng(0))
    damaged, left = four_grains(missing=0.2, displacement=0.01, rng=np.random.default_rng(0))
    assert len(damaged) == round(0.8 * len(whole))
    assert len(left) == len(damaged)
    distance, nearest = cKDTree(whole.positions).query(damaged.positions)
    assert 0 < distance.max() <= 0.01 * 2.556 * np.sqrt(3) + 1e-9
    assert (grain[nearest] == left).all()
    with pytest.raises(InputError, match=r"`share` must be in \[0, 1\)"):
        four_grains(missing=1.0, rng=np.random.default_rng(0))
