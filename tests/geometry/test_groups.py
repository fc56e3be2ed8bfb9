"""Connected groups of atoms with the same label."""

import numpy as np
import pytest

import arise_core as arise
from arise_core.geometry import builders
from arise_core.geometry.groups import connected_groups
from arise_core.geometry.material import Material


@pytest.fixture
def block():
    unit = arise.build(arise.prototype("fcc"))
    s = builders.repeat(unit, (16, 8, 8))
    return arise.Structure(s.positions + 0.1, s.numbers, s.cell, s.pbc)


def bands(structure, *spans):
    """Labels 0 where the fraction along the first axis is in one of the spans, else -1."""
    x = np.linalg.solve(structure.cell.T, structure.positions.T)[0] % 1
    return np.where(np.any([(x >= a) & (x < b) for a, b in spans], axis=0), 0, -1)


def test_groups_are_numbered_by_size(block):
    groups = connected_groups(Material.of(block), bands(block, (0.1, 0.25), (0.5, 0.8)))
    sizes = np.bincount(groups[groups >= 0])
    assert len(sizes) == 2
    assert sizes[0] > sizes[1] > 0
    x = np.linalg.solve(block.cell.T, block.positions.T)[0] % 1
    assert set(groups[(x > 0.5) & (x < 0.8)]) == {0}
    assert set(groups[(x > 0.1) & (x < 0.25)]) == {1}
    assert set(groups[x < 0.1]) == {-1}


def test_groups_hang_together_across_periodic_borders_only(block):
    labels = bands(block, (0.0, 0.2), (0.8, 1.0))
    assert connected_groups(Material.of(block), labels).max() == 0
    opened = arise.Structure(block.positions, block.numbers, block.cell, [False, True, True])
    assert connected_groups(Material.of(opened), labels).max() == 1


def test_neighbours_of_other_classes_part_groups(block):
    labels = bands(block, (0.0, 1.0))
    labels[::2] = 1
    groups = connected_groups(Material.of(block), labels)
    assert (groups >= 0).all()
    for group in np.unique(groups):
        assert len(set(labels[groups == group])) == 1


def test_nothing_labelled(block):
    assert set(connected_groups(Material.of(block), np.full(len(block), -1))) == {-1}
