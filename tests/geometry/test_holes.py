"""Holes of crystals: those that textbooks name, each once."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

import arise_core as arise
from arise_core.errors import InputError
from arise_core.geometry import builders
from arise_core.geometry.holes import holes
from arise_core.geometry.neighbors import images


def crystal(name):
    return arise.build(arise.prototype(name))


def room(unit, places):
    near = images(unit.positions, unit.complete_cell, unit.pbc, 12.0).positions
    return cKDTree(near).query(places)[0] / builders.nearest_neighbour_distance(unit)


#: Holes an atom and distance to the nearest atom in nearest-neighbour distances, the widest first.
KNOWN = {
    "fcc": [(1, np.sqrt(0.5)), (2, np.sqrt(3 / 8))],  # octahedral, tetrahedral
    "bcc": [(6, np.sqrt(5 / 12)), (3, np.sqrt(1 / 3))],  # tetrahedral, octahedral
    "diamond": [(1, 1.0)],  # tetrahedral
    "rock salt": [(1, np.sqrt(3 / 4))],  # amid eight atoms
}


@pytest.mark.parametrize("name", KNOWN)
def test_widest_holes(name):
    unit = crystal(name)
    places, kinds = holes(unit)
    for kind, (count, distance) in enumerate(KNOWN[name]):
        chosen = places[kinds == kind]
        assert len(chosen) == count * len(unit)
        assert np.allclose(room(unit, chosen), distance, atol=2e-3)


def test_holes_do_not_depend_on_the_cell():
    small, large = crystal("fcc"), builders.repeat(crystal("fcc"), (2, 2, 1))
    assert np.array_equal(4 * np.bincount(holes(small)[1]), np.bincount(holes(large)[1]))


def test_layers_have_no_holes_to_look_for():
    with pytest.raises(InputError, match="`crystal` must be periodic along all directions"):
        holes(crystal("graphene"))
