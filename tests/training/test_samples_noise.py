"""Imperfections of samples: each number of the settings does what it says."""

import dataclasses

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from arise_core.crystals.crystal import selected
from arise_core.errors import InputError
from arise_core.geometry import builders
from arise_core.testing import global_numpy_state
from arise_core.training.samples.noise import Noise, imperfect

#: Nothing happens to any sample.
STILL = Noise(uniform=0, gaussian=0, strain=0, missing=0, ideal=0, whole=1)


@pytest.fixture(scope="module")
def crystal():
    return builders.repeat(selected(["rock salt"])[0].unit, (4, 4, 4))


def moved(crystal, seeds=range(40), **changes):
    noise = dataclasses.replace(STILL, **changes)
    return [imperfect(crystal, noise, np.random.default_rng(seed)) for seed in seeds]


def displacements(crystal, **changes):
    """In d_NN, (n_samples, n_atoms, 3)."""
    d = builders.nearest_neighbour_distance(crystal)
    return np.array([s.positions - crystal.positions for s in moved(crystal, **changes)]) / d


def test_without_noise_a_structure_stays(crystal):
    for s in moved(crystal):
        assert np.allclose(s.positions, crystal.positions, atol=1e-12)
        assert np.array_equal(s.numbers, crystal.numbers)
        assert np.allclose(s.cell, crystal.cell, atol=1e-12)


def test_ideal_samples_are_the_structure_itself(crystal):
    made = moved(crystal, range(200), ideal=0.3, uniform=0.1, gaussian=0.1, strain=0.1, missing=0.3)
    assert 0.2 < np.mean([s is crystal for s in made]) < 0.4
    assert all(s is crystal for s in moved(crystal, ideal=1.0, uniform=0.1))


def test_uniform_displacements_stay_within_their_reach(crystal):
    u = np.abs(displacements(crystal, uniform=0.1, independent=1.0))
    assert u.max() < 0.1
    assert u.max(axis=(1, 2)).max() > 0.08  # strengths are drawn anew, up to the reach
    assert u.max(axis=(1, 2)).min() < 0.02


@pytest.mark.parametrize("waves", [0.0, 1.0])
def test_gaussian_displacements_have_the_standard_deviation(crystal, waves):
    size = displacements(crystal, gaussian=0.1, independent=0.0, waves=waves).std(axis=(1, 2))
    assert size.max() < (0.11 if waves == 0 else 0.2)  # a few long waves make up much of a small crystal
    mean_square = 0.5 * 0.1**2  # the strength is drawn by its square
    assert 0.6 < (size**2).mean() / mean_square < 1.5


def test_waves_move_neighbours_together(crystal):
    def likeness(**changes):
        u = displacements(crystal, gaussian=0.1, independent=0.0, **changes)
        return (u[:, 0::2] * u[:, 1::2]).sum() / (u**2).sum() * 2  # atoms of a period, rock salt has two

    assert len(crystal) == 2 * 4**3
    assert abs(likeness(waves=0.0)) < 0.05
    assert likeness(waves=1.0, cutoff=1.0) > likeness(waves=1.0, cutoff=20.0) + 0.1


def test_share_of_independent_displacements(crystal):
    none = [np.allclose(s.positions, crystal.positions) for s in moved(crystal, range(200), gaussian=0.1)]
    assert 0.3 < np.mean(none) < 0.5  # `uniform` is zero in those


def test_strain_turns_the_cell_along(crystal):
    made = moved(crystal, strain=0.05)
    ratio = np.array([np.linalg.det(s.cell) / np.linalg.det(crystal.cell) for s in made])
    assert ratio.std() > 0.005
    assert np.abs(ratio - 1).max() < 0.4
    for s in made:
        deform = np.linalg.solve(crystal.cell, s.cell)
        assert np.allclose(crystal.positions @ deform, s.positions, atol=1e-9)
        assert np.allclose(deform, deform.T, atol=1e-9)


def test_missing_atoms(crystal):
    made = moved(crystal, range(200), missing=0.4, whole=0.25)
    left = np.array([len(s) for s in made]) / len(crystal)
    assert left.min() >= 0.6 - 1 / len(crystal)
    assert left.min() < 0.65
    assert 0.18 < np.mean(left == 1) < 0.35
    assert len(moved(crystal, range(1), missing=0.4, whole=1.0)[0]) == len(crystal)


def test_inputs_and_global_generators_are_left_alone(crystal):
    before, numbers = crystal.positions.copy(), global_numpy_state()
    imperfect(crystal, Noise(ideal=0.0), np.random.default_rng(0))
    assert np.array_equal(before, crystal.positions)
    assert np.array_equal(numbers, global_numpy_state())


@pytest.mark.parametrize(
    "bad",
    [
        {"uniform": -0.1}, {"gaussian": -1}, {"waves": 1.1}, {"ideal": -0.1}, {"missing": 1.5}, {"modes": 0},
        {"cutoff_spread": (1.0, 0.5)}, {"longitudinal": (-0.1, 0.5)},
    ],
)  # fmt: skip
def test_bad_noise(bad):
    with pytest.raises(InputError, match=f"`{next(iter(bad))}` must be"):
        Noise(**bad)


def test_atoms_with_hard_cores_keep_apart(crystal):
    d = builders.nearest_neighbour_distance(crystal)
    shaken = {"gaussian": 0.15, "weakest": 1.0, "waves": 0.0, "independent": 0.0}
    opened = builders.opened(crystal)

    def closest(**cores):
        return [pdist(s.positions).min() / d for s in moved(opened, range(3), **shaken, **cores)]

    assert max(closest()) < 0.7
    assert min(closest(cores=1.0, closest=(0.8, 0.8))) > 0.75
