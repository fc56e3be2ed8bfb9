"""Structure: validation, immutability, cells with missing vectors."""

import numpy as np
import pytest

from arise_core.geometry.cell import complete_cell, has_volume, perpendicular_heights
from arise_core.geometry.structure import Structure


def test_arrays_are_copies_and_read_only():
    positions = np.zeros((2, 3))
    positions[1] = 1
    structure = Structure(positions, [1, 2])
    positions[0] = 7
    assert (structure.positions[0] == 0).all()
    with pytest.raises(ValueError, match="read-only"):
        structure.positions[0] = 1


def test_one_boolean_stands_for_all_directions():
    assert Structure(np.zeros((1, 3)), [1], np.eye(3), True).pbc.tolist() == [True] * 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((0, 3)), []), "no atoms"),
        ((np.zeros((2, 2)), [1, 1]), r"shape \(n_atoms, 3\), got \(2, 2\)"),
        (([[0, 0, np.nan]], [1]), "NaN or infinite.*first atom 0"),
        (([[0, 0, 0], [0, np.inf, 0]], [1, 1]), "first atom 1"),
        ((np.zeros((2, 3)), [1]), r"`numbers` must have shape \(2,\)"),
        ((np.zeros((1, 3)), [0]), r"1 to 118, got \[0\]"),
        ((np.zeros((1, 3)), [119]), r"got \[119\]"),
        ((np.zeros((1, 3)), ["Xx"]), "`numbers` must be an array of int64"),
        ((np.zeros((1, 3)), [1], np.zeros((2, 3))), "`cell` must have shape"),
        ((np.zeros((1, 3)), [1], np.full((3, 3), np.nan)), "`cell` must be finite"),
        ((np.zeros((1, 3)), [1], [[1, 0, 0], [2, 0, 0], [0, 0, 1]], True), "non-zero volume"),
        (
            (np.zeros((1, 3)), [1], [[1, 0, 0], [1, 1e-9, 0], [0, 0, 1]], [True, False, False]),
            "non-zero volume",
        ),
        ((np.zeros((1, 3)), [1], np.zeros((3, 3)), [True, False, False]), "non-zero volume"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        Structure(*arguments)


def test_missing_cell_vectors_are_normal_to_the_others():
    cell = complete_cell(np.array([[2.0, 0, 0], [1, 2, 0], [0, 0, 0]]))
    assert np.allclose(cell[2], [0, 0, 1])
    cell = complete_cell(np.array([[0, 0, 0], [0, 3.0, 4.0], [0, 0, 0]]))
    assert has_volume(cell)
    assert np.allclose(cell @ cell[1], [0, 25, 0])
    assert (complete_cell(np.zeros((3, 3))) == np.eye(3)).all()


def test_heights_of_a_sheared_cell():
    cell = np.array([[2.0, 0, 0], [1, 1, 0], [0, 0, 3]])
    assert perpendicular_heights(cell) == pytest.approx([np.sqrt(2), 1, 3])
