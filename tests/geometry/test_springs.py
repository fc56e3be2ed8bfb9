"""Thermal motion of atoms joined by springs."""

import itertools

import numpy as np
import pytest
from ase.build import bulk
from scipy.spatial import cKDTree

from arise_core.geometry import builders
from arise_core.geometry.springs import spring_noise


def bcc(n=9):
    atoms = bulk("Fe", "bcc", a=2.87, cubic=True) * (n, n, n)
    return atoms.positions, 2.87 * np.sqrt(3) / 2


def test_standard_deviation_and_no_drift(rng):
    x, d = bcc()
    u = spring_noise(x, 0.12, d, 0.1, rng)
    assert np.sqrt((u**2).mean()) == pytest.approx(0.12)
    assert np.abs(u.mean(axis=0)).max() < 1e-12


def test_bcc_shears_towards_hcp(rng):
    """Waves at the zone boundary along [110]: polarised [1-10] far larger than [001] and the average."""
    x, d = bcc()
    soft, hard = [], []
    for _ in range(6):
        u = spring_noise(x, 0.1, d, 0.1, rng)
        for i, j in itertools.combinations(range(3), 2):
            wave, across, up = np.zeros((3, 3))
            wave[[i, j]], across[[i, j]], up[3 - i - j] = 1, (1, -1), 1
            phase = np.exp(-1j * x @ (wave * np.pi / 2.87))
            soft.append(abs(((u @ across) / np.sqrt(2) * phase).sum()) ** 2 / len(x) / 0.01)
            hard.append(abs(((u @ up) * phase).sum()) ** 2 / len(x) / 0.01)
    assert np.mean(soft) > 2
    assert np.mean(hard) < 1


def test_neighbours_move_together(rng):
    x, d = bcc()
    pairs = cKDTree(x).query_pairs(1.05 * d, output_type="ndarray")

    def relative(u):
        return ((u[pairs[:, 0]] - u[pairs[:, 1]]) ** 2).mean() / (2 * (u**2).mean())

    tight, loose = (
        np.mean([relative(spring_noise(x, 0.1, d, k, rng)) for _ in range(3)]) for k in (0.02, 20.0)
    )
    assert tight < 0.88
    assert loose > 0.97


def test_few_atoms(rng):
    assert spring_noise(np.zeros((1, 3)), 0.1, 1.0, 0.1, rng).shape == (1, 3)
    pair = spring_noise(np.array([[0.0, 0, 0], [1, 0, 0]]), 0.1, 1.0, 0.1, rng)
    assert np.isfinite(pair).all()


def test_anisotropic_waves(rng):
    """Along [110] waves polarised [1-10] have A times the mean square of those polarised [001]."""
    x = rng.uniform(0, 60, (4000, 3))
    frame = builders.random_rotation(rng)

    def ratio(anisotropy):
        c = builders._christoffel(np.array([[1, 1, 0]]) / np.sqrt(2), 0.3, anisotropy)[0]
        across, up = np.array([1, -1, 0]) / np.sqrt(2), np.array([0, 0, 1])
        return (up @ c @ up) / (across @ c @ across)

    assert ratio(4.0) == pytest.approx(4.0)
    assert ratio(1.0) == pytest.approx(1.0)
    sizes = [
        builders.thermal_noise(x, 0.1, 1.0, 1.5, rng, anisotropy=a, frame=frame).std()
        for a in (1.0, 4.0) * 20
    ]
    assert np.mean(sizes[::2]) == pytest.approx(0.1, rel=0.1)
    assert np.mean(sizes[1::2]) == pytest.approx(0.1, rel=0.15)
