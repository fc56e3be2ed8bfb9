"""Any rigid motion, order of atoms, choice of cell and unit of length gives the same descriptor and the same answer."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

import arise_core as arise
from arise_core.geometry import builders
from arise_core.testing import ROUNDING, VOXELS, difference
from tests.conftest import shaken

#: The same examples at every run; failing ones are shrunk.
SEARCH = settings(
    max_examples=12, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
CRYSTALS = {
    "fcc": 0.0, "hcp": 0.0, "rock salt": 0.03, "cubic perovskite": 0.05, "alpha-As": 0.04, "L1_2": 0.0,
}  # fmt: skip


@st.composite
def crystals(draw):
    """A periodic crystal, pristine or shaken."""
    name = draw(st.sampled_from(sorted(CRYSTALS)))
    return shaken(arise.build(arise.prototype(name)), CRYSTALS[name])


@st.composite
def pieces(draw):
    """An open cube of a few dozen atoms, or a layer: their shape is found on voxels."""
    if draw(st.booleans()):
        return shaken(
            arise.build(arise.prototype(draw(st.sampled_from(["graphene", "MoS2 monolayer"])))), 0.02
        )
    name = draw(st.sampled_from(["fcc", "bcc", "rock salt"]))
    edge = draw(st.floats(7.0, 10.0))
    unit = arise.build(arise.prototype(name))
    x, z = builders.crystal_in_box(
        unit, np.zeros(3), np.full(3, edge), np.eye(3), np.array([0.11, 0.23, 0.37])
    )
    return shaken(arise.Structure(x, z), 0.03)


@st.composite
def motions(draw):
    """A rotation (3, 3) and a translation (3,), Å."""
    angles = [draw(st.floats(-np.pi, np.pi)) for _ in range(3)]
    shift = [draw(st.floats(-50.0, 50.0)) for _ in range(3)]
    return Rotation.from_euler("xyz", angles).as_matrix(), np.array(shift)


@st.composite
def cell_choices(draw):
    """An integer matrix of determinant 1: another cell of the same lattice."""
    matrix = np.eye(3, dtype=int)
    for _ in range(draw(st.integers(1, 3))):
        i, j = draw(st.sampled_from([(a, b) for a in range(3) for b in range(3) if a != b]))
        step = np.eye(3, dtype=int)
        step[i, j] = draw(st.integers(-1, 1))
        matrix = step @ matrix
    return matrix


def equivalent(structure, motion, seed, scale):
    """The structure turned, moved, its atoms in another order, in another unit of length."""
    turn, shift = motion
    order = np.random.default_rng(seed).permutation(len(structure))
    positions = (structure.positions @ turn + shift)[order] * scale
    return arise.Structure(positions, structure.numbers[order], structure.cell @ turn * scale, structure.pbc)


@SEARCH
@given(crystals(), motions(), st.integers(0, 9), st.floats(0.6, 2.0))
def test_crystals(structure, motion, seed, scale):
    reference = arise.describe(structure)
    assert difference(reference, arise.describe(equivalent(structure, motion, seed, scale))) < ROUNDING


@SEARCH
@given(crystals(), cell_choices())
def test_choice_of_the_cell(structure, choice):
    other = arise.Structure(structure.positions, structure.numbers, choice @ structure.cell, True)
    assert difference(arise.describe(structure), arise.describe(other)) < ROUNDING


@SEARCH
@given(pieces(), st.integers(0, 9), st.floats(0.6, 2.0), motions())
def test_open_pieces(structure, seed, scale, motion):
    """Order and unit exactly; rotations to the voxels on which the shape of the piece is found."""
    reference = arise.describe(structure)
    still = (np.eye(3), np.zeros(3))
    assert difference(reference, arise.describe(equivalent(structure, still, seed, scale))) < 1e-6
    assert difference(reference, arise.describe(equivalent(structure, motion, seed, scale))) < VOXELS


@SEARCH
@given(crystals(), motions(), st.integers(0, 9), st.floats(0.6, 2.0))
def test_answers(model, structure, motion, seed, scale):
    first, second = (
        arise.classify(s, model, passes=8) for s in (structure, equivalent(structure, motion, seed, scale))
    )
    assert first.labels[0] == second.labels[0]
    assert second.mutual_information[0] == pytest.approx(first.mutual_information[0], abs=1e-4)


@SEARCH
@given(st.integers(0, 5), st.tuples(*[st.integers(-2, 2)] * 3), st.integers(0, 9))
def test_maps_do_not_depend_on_order_and_images(seed, image, order):
    """Atoms in another order and in another image of the cell: the same boxes, bit for bit but for their sums."""
    structure = shaken(builders.repeat(arise.build(arise.prototype("fcc")), (5, 5, 5)), 0.08, seed)
    chosen = np.random.default_rng(order).permutation(len(structure))
    moved = structure.positions[chosen] + np.array(image) @ structure.cell
    other = arise.Structure(moved, structure.numbers[chosen], structure.cell, True)
    boxes = arise.MapSettings(box_size=9.0, stride=6.0)
    a, b = (
        arise.describe_boxes(arise.box_grid(s, boxes), arise.DescriptorSettings.corrected())
        for s in (structure, other)
    )
    assert (a.n_atoms == b.n_atoms).all()
    assert np.allclose(a.features, b.features, atol=5e-6)
