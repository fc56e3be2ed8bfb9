"""Particles laid upon each other, and depths below their surface."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from arise_core.errors import InputError, InputTypeError
from arise_core.geometry.alignment import aligned
from arise_core.geometry.depth import depths
from arise_core.geometry.particles import tomography_particle
from arise_core.geometry.structure import Structure

FCC = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
A = 3.6
STRAY = [[300.0, 0, 0]]


def block(*shape: int) -> np.ndarray:
    """Positions of an fcc block of so many cells, (n, 3), Å."""
    steps = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), axis=-1).reshape(-1, 1, 3)
    return (steps + FCC).reshape(-1, 3) * A


def ball(radius: float) -> np.ndarray:
    """Positions of an fcc ball around the origin, (n, 3), Å."""
    n = int(2 * radius / A) + 3
    positions = block(n, n, n)
    positions -= positions.mean(axis=0)
    return positions[np.linalg.norm(positions, axis=1) < radius]


# --- alignment --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("degrees", "seed"), [(0, 0), (8, 1), (12, 2)])
def test_stages_of_a_particle_come_back(degrees, seed):
    rng = np.random.default_rng(seed)
    first, later = (tomography_particle(3_000, order, rng=rng)[0] for order in (0.6, 1.0))
    axis = rng.normal(size=3)
    turn = Rotation.from_rotvec(np.deg2rad(degrees) * axis / np.linalg.norm(axis)).as_matrix()
    moved = Structure(first.positions @ turn + [30, -20, 10], first.numbers)
    before = moved.positions.copy()
    back = aligned(moved, later)
    assert (
        np.linalg.norm(back.positions - first.positions, axis=1).max() < 1.0
    )  # 0.1 Å and 2 degrees at the rim
    assert np.array_equal(back.numbers, first.numbers)
    assert np.array_equal(moved.positions, before)
    assert np.array_equal(back.positions, aligned(moved, later).positions)


def test_a_particle_is_turned_as_a_whole():
    rng = np.random.default_rng(3)
    first, later = (tomography_particle(1_000, rng=rng)[0] for _ in range(2))
    back = aligned(first, later)
    a, b = (s.positions - s.positions.mean(axis=0) for s in (first, back))
    turn = np.linalg.lstsq(a, b, rcond=None)[0]
    assert np.allclose(turn @ turn.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(turn) == pytest.approx(1)


def test_alignment_refuses():
    particle = Structure(ball(8.0), np.full(len(ball(8.0)), 29))
    for radius in (0, -1.0, np.nan):
        with pytest.raises(InputError, match="`radius`"):
            aligned(particle, particle, radius)
    with pytest.raises(InputTypeError, match="`target`"):
        aligned(particle, particle.positions)
    one = Structure([[1.0, 2, 3]], [29])
    assert np.allclose(aligned(one, Structure([[5.0, 5, 5]], [29])).positions, [[5, 5, 5]])


# --- depth ------------------------------------------------------------------------------------------------


def test_depth_in_a_ball():
    positions = ball(16.0)
    found = depths(Structure(positions, np.full(len(positions), 29)))
    spacing = A / np.sqrt(2)
    radius = (3 / (4 * np.pi) * len(positions) * A**3 / 4) ** (1 / 3)  # of a ball of the same volume
    expected = radius - np.linalg.norm(positions, axis=1)
    assert np.abs(found - expected).max() < 0.6 * spacing  # the ball has facets
    assert np.abs(found - expected).mean() < 0.25 * spacing
    assert (found > 0).all()


def test_depth_outside_and_of_strays():
    positions = ball(16.0)
    structure = Structure(np.concatenate([positions, STRAY]), np.full(len(positions) + 1, 29))
    with pytest.warns(UserWarning, match="left out"):
        found = depths(structure)
    assert np.isnan(found[-1])
    assert np.isfinite(found[:-1]).all()
    structure = Structure(positions, np.full(len(positions), 29))
    outside = depths(structure, np.array([[25.0, 0, 0], [0, 0, 0]]))
    assert outside[0] == pytest.approx(-8, abs=1.0)
    assert outside[1] == pytest.approx(15, abs=1.0)


@pytest.mark.parametrize("shift", [0.0, 11.0])
def test_depth_in_a_slab_that_may_lie_across_the_border(shift):
    slab = block(4, 4, 6)
    cell = np.diag([4 * A, 4 * A, 6 * A + 15])
    positions = slab + [0.3, 0.3, shift]
    found = depths(Structure(positions, np.full(len(slab), 29), cell, True))
    z = slab[:, 2]
    expected = np.minimum(z - z.min(), z.max() - z) + A / np.sqrt(2) / 2
    assert np.abs(found - expected).max() < 1.0


def test_a_vacancy_is_no_surface_and_a_cavity_is():
    positions = ball(16.0)
    distance = np.linalg.norm(positions - positions[np.linalg.norm(positions, axis=1).argmin()], axis=1)
    for hole, middle in ((0.0, 13.2), (0.1, 13.2), (7.0, 4.5)):
        left = positions[distance > hole]
        found = depths(Structure(left, np.full(len(left), 29)))
        assert found.max() == pytest.approx(middle, abs=2.0)


def test_crystals_without_surface_and_bad_points():
    crystal = Structure(block(3, 3, 3), np.full(108, 29), np.eye(3) * 3 * A, True)
    assert np.isinf(depths(crystal)).all()
    for points in ("x", [[1.0, 2]], [1.0, 2, 3], [[np.nan, 0, 0]]):
        with pytest.raises(InputError, match="`points`"):
            depths(crystal, points)
    with pytest.raises(InputTypeError, match="`structure`"):
        depths(5)
