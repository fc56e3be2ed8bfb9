"""Connected groups of atoms with the same label."""

import numpy as np
import pytest
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

import arise_core as arise
from arise_core.geometry import builders
from arise_core.geometry.groups import REACH, connected_groups
from arise_core.geometry.material import Material
from arise_core.geometry.neighbors import images, wrapped_points


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


def by_pairs(material, labels):
    """The same from a list of all pairs of neighbours."""
    body, far = material.body, REACH * material.spacing
    chosen = np.flatnonzero(labels >= 0)
    places = wrapped_points(material.atoms[chosen], body.complete_cell, body.pbc)
    cloud = images(places, body.complete_cell, body.pbc, far)
    pairs = cloud.index[cKDTree(cloud.positions).query_pairs(far, output_type="ndarray")]
    pairs = pairs[labels[chosen[pairs[:, 0]]] == labels[chosen[pairs[:, 1]]]]
    graph = coo_matrix((np.ones(len(pairs)), pairs.T), shape=(len(chosen), len(chosen)))
    out = np.full(len(labels), -1)
    out[chosen] = connected_components(graph, directed=False)[1]
    return out


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("share", [0.9, 0.5, 0.2])
def test_groups_are_those_of_all_pairs(periodic, share):
    """Small and large groups of several labels, in cells that neighbours reach around too."""
    rng = np.random.default_rng(0)
    for times in ((8, 8, 8), (2, 2, 9)):
        s = builders.repeat(arise.build(arise.prototype("fcc")), times)
        moved = s.positions + rng.normal(0, 0.1, s.positions.shape)
        material = Material.of(
            arise.Structure(moved, s.numbers, s.cell if periodic else np.zeros((3, 3)), periodic)
        )
        labels = np.where(rng.random(len(s)) < share, rng.integers(0, 3, len(s)), -1)
        groups, expected = connected_groups(material, labels), by_pairs(material, labels)
        assert np.array_equal(groups < 0, expected < 0)
        found = groups >= 0
        both = np.unique(np.stack([groups[found], expected[found]]), axis=1)
        assert len(both[0]) == groups.max() + 1 == expected.max() + 1  # one to one
        assert (np.diff(np.bincount(groups[found])) <= 0).all()
