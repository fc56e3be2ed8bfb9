"""Slabs of crystals and atoms on them."""

import numpy as np
import pytest

import arise_core as arise
from arise_core.geometry import builders
from arise_core.geometry.neighbors import PairFinder
from arise_core.geometry.slabs import adsorbed, at_surface, random_slab, supercell


def crystal(name):
    return arise.build(arise.prototype(name))


def coordination(structure, distance):
    same = arise.Structure(
        structure.positions, np.ones(len(structure), dtype=int), structure.cell, structure.pbc
    )
    return sum(len(v) for v in PairFinder(same).vectors(1, 1, distance)) * 2 / len(structure)


@pytest.mark.parametrize("name", ["fcc", "hcp", "rock salt", "L1_2"])
def test_supercells_hold_the_crystal(name, rng):
    unit = crystal(name)
    rows = np.array([[1, 1, 0], [-1, 2, 1], [0, 1, 2]])
    found = supercell(unit, rows)
    times = round(abs(np.linalg.det(rows)))
    assert len(found) == times * len(unit)
    assert np.allclose(np.abs(np.linalg.det(found.cell)), times * np.abs(np.linalg.det(unit.cell)))
    reach = 1.2 * builders.nearest_neighbour_distance(unit)
    assert coordination(found, reach) == pytest.approx(coordination(unit, reach))
    assert np.array_equal(
        np.unique(found.numbers, return_counts=True)[1],
        times * np.unique(unit.numbers, return_counts=True)[1],
    )


@pytest.mark.parametrize("name", ["fcc", "bcc", "diamond", "CsCl"])
def test_slabs_are_crystal_inside_and_open_across(name, rng):
    unit = crystal(name)
    d = builders.nearest_neighbour_distance(unit)
    for _ in range(10):
        slab = random_slab(unit, 3 * d, 5 * d, 1, rng)
        assert slab.pbc.tolist() == [True, True, False]
        assert builders.nearest_neighbour_distance(slab) == pytest.approx(d)
        assert coordination(slab, 1.1 * d) < coordination(unit, 1.1 * d)
        surface = at_surface(slab, 0.3 * d)
        assert 0 < surface.sum() < len(slab)


def test_adsorbed_atoms_touch_the_slab_from_outside(rng):
    slab = random_slab(crystal("fcc"), 8.0, 8.0, 1, rng)
    normal = np.cross(slab.cell[0], slab.cell[1])
    height = slab.positions @ normal / np.linalg.norm(normal)
    seen = set()
    for _ in range(20):
        covered = adsorbed(slab, 8, 1.8, rng)
        assert len(covered) == len(slab) + 1
        assert PairFinder(covered).nearest(8, 29)[0] == pytest.approx(1.8, abs=1e-6)
        above = covered.positions[-1] @ normal / np.linalg.norm(normal) - height
        seen.add(bool(above.min() > 0) - bool(above.max() < 0))
    assert {1, -1} <= seen  # on both faces
