"""Classes and doubt by depth below the surface."""

from __future__ import annotations

import numpy as np
import pytest

import arise_core as arise
from arise_core.errors import InputError, InputTypeError
from arise_core.geometry.depth import depths
from arise_core.model.prediction import Rule
from arise_core.recognition.between import PointValues
from arise_core.recognition.result import Recognition
from tests.geometry.test_alignment import ball


@pytest.fixture(scope="module")
def particle():
    positions = ball(14.0)
    return arise.Structure(positions, np.full(len(positions), 29))


def recognition(model, index, doubt, score):
    """What a model could have said of atoms."""
    n = len(index)
    values = {
        name: np.full(n, 0.5)
        for name in ("confidence", "predictive_entropy", "variation_ratio", "reject_deviation")
    }
    atoms = PointValues(
        index=index,
        mutual_information=doubt,
        reject_score=score,
        probabilities=np.empty((n, 0), np.float32),
        **values,
    )
    return Recognition("local", model.class_info, atoms, Rule(reject_threshold=0.5))


def test_shells_say_what_their_atoms_are_called(particle, model):
    depth = depths(particle)
    index = np.where(depth < 5, 3, 7)
    index[np.argmin(depth)] = -1
    doubt = np.where(index == -1, np.nan, np.where(depth < 5, 0.5, 0.25))
    score = np.where(depth >= 10, 0.9, 0.1)
    outer, middle, core = arise.by_depth(recognition(model, index, doubt, score), particle, (5, 10))
    n = int((depth < 5).sum())
    assert (outer.n_atoms, middle.n_atoms, core.n_atoms) == (
        n,
        ((depth >= 5) & (depth < 10)).sum(),
        (depth >= 10).sum(),
    )
    assert outer.n_atoms + middle.n_atoms + core.n_atoms == len(particle)
    assert outer.fractions == {model.class_info.short[3]: pytest.approx((n - 1) / n)}
    assert middle.fractions == {model.class_info.short[7]: 1.0}
    assert core.fractions == {}
    assert (outer.rejected, middle.rejected, core.rejected) == (0, 0, 1)
    assert (outer.mutual_information, middle.mutual_information) == (0.5, 0.25)
    assert core.high == np.inf
    assert (middle.low, middle.high) == (5, 10)
    deep = arise.by_depth(recognition(model, index, doubt, score), particle, (5, 100))[-1]
    assert deep.n_atoms == 0
    assert np.isnan(deep.mutual_information)


def test_what_is_refused(particle, model):
    n = len(particle)
    found = recognition(model, np.zeros(n, dtype=int), np.zeros(n), np.zeros(n))
    for edges in ((), (0.0, 5.0), (5.0, 5.0), (9.0, 5.0), (np.nan,), "ab", 5):
        with pytest.raises(InputError, match="`edges`"):
            arise.by_depth(found, particle, edges)
    with pytest.raises(InputError, match=f"`structure` has 1 atoms, `found` is of {n}"):
        arise.by_depth(found, arise.Structure([[0.0, 0, 0]], [29]))
    with pytest.raises(InputTypeError, match="`found`"):
        arise.by_depth("x", particle)
