"""Sheets, tubes and cages of `python -m benchmarks.samples`: whether they are what they are said to be."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

import arise_core as arise
from ase_arise import from_atoms
from benchmarks.samples import layers, rolled
from benchmarks.samples.figures import DOUBT, REJECTED, ask, right_ones
from benchmarks.samples.hosts import Sample
from benchmarks.samples.kinds import KINDS, samples_of
from tests.conftest import shaken

TUBE, BCC = arise.prototype("nanotube (6,2)").label, arise.prototype("bcc").label


@pytest.fixture(scope="module")
def sheets() -> list[Sample]:
    return list(samples_of("sheets", 1))


@pytest.fixture(scope="module")
def tubes() -> list[Sample]:
    return list(samples_of("tubes", 1))


def bonds(positions: np.ndarray, longest: float) -> np.ndarray:
    """Number of neighbours within so many Å."""
    return np.array([len(n) - 1 for n in cKDTree(positions).query_ball_point(positions, longest)])


def test_goals():
    assert (KINDS["sheets"].goal, KINDS["tubes"].goal) == (97, 95)
    assert KINDS["sheets"].part == KINDS["tubes"].part == "Sheets and tubes"


def test_sheets_are_of_three_materials_open_and_large_enough(sheets):
    assert {s.label for s in sheets} == {"C", "BN", "MoS2"}
    assert not any(s.structure.pbc.any() for s in sheets)
    assert min(len(s.structure) for s in sheets) >= 150
    groups = {m: {s.group for s in sheets if s.lattice == m} for m in layers.BONDS}
    assert groups["graphene"] == groups["boron nitride"] == groups["MoS2"] | {"Stone-Wales"}


def test_atoms_near_the_defect_do_not_count_in_maps(sheets):
    maps = [s for s in sheets if s.ways == ("fine",)]
    assert {s.group for s in maps} == {"Stone-Wales", "tilt boundary", "hole"}
    assert all(s.counted is None for s in sheets if s.ways == ("whole",))
    for s in maps:
        assert s.counted.shape == (len(s.structure),)
        assert 0.3 < s.counted.mean() < 0.98
    for s in (s for s in maps if s.group == "tilt boundary"):
        near = np.abs(s.structure.positions[:, 0])
        assert near[s.counted].min() > layers.FAR - 0.7
        assert near[~s.counted].max() < layers.FAR + 0.7


def test_a_turned_bond_makes_two_fives_and_two_sevens_with_bonds_of_graphene():
    flat = layers.flat("graphene", 14.0)
    turned, middles = layers.turned_bonds(flat, 2, np.random.default_rng(0))
    assert middles.shape == (2, 3)
    assert np.linalg.norm(middles[0] - middles[1]) >= 7
    inner = np.abs(flat.positions[:, :2]).max(axis=1) < 11
    np.testing.assert_array_equal(bonds(turned.positions, 1.75)[inner], 3)
    pairs = cKDTree(turned.positions).query_pairs(1.75, output_type="ndarray")
    lengths = np.linalg.norm(turned.positions[pairs[:, 0]] - turned.positions[pairs[:, 1]], axis=1)
    assert lengths.min() > 1.25
    assert lengths.max() < 1.65


def test_tubes_have_the_radius_of_their_indices():
    for n, m in (*rolled.OTHERS, *rolled.LISTED):
        atoms = rolled.tube(n, m, 8)
        radius = np.linalg.norm(atoms.positions[:, :2] - atoms.positions[:, :2].mean(axis=0), axis=1)
        assert radius == pytest.approx(1.42 * np.sqrt(3 * (n * n + n * m + m * m)) / (2 * np.pi), rel=0.01)


def test_boron_and_nitrogen_are_neighbours_of_each_other_alone():
    atoms = rolled.nitride(rolled.cut(rolled.tube(6, 4, 15)))
    for i, near in enumerate(layers.neighbours(atoms, 1.25 * 1.42)):
        assert {atoms.numbers[j] for j in near} == {12 - atoms.numbers[i]}


def test_a_cage_of_twenty():
    cage = rolled.dodecahedron()
    np.testing.assert_array_equal(bonds(cage.positions, 1.5), 3)


def test_tubes_of_the_list_are_all_that_are_classes_and_the_others_none(tubes):
    classes = {p.label for p in arise.prototypes() if p.dimension == 1}
    assert {s.label for s in tubes} == classes | {None}
    assert not set(rolled.OTHERS) & set(rolled.LISTED)
    assert {s.group for s in tubes if s.label} == {"tube of the list"}


def test_what_is_right():
    said = np.array([TUBE, TUBE, REJECTED, BCC], dtype=object)
    bits = np.array([DOUBT - 0.01, DOUBT, 0.0, 2.0])
    c20 = from_atoms(rolled.dodecahedron())
    cage = Sample(group="cage", lattice="C20", detail="", structure=c20, ways=("whole",), listed=False)
    assert right_ones(cage, said, bits).tolist() == [False, True, True, False]
    bcc = Sample(group="", lattice="bcc", detail="", structure=c20, ways=("whole",))
    assert right_ones(bcc, said, bits).tolist() == [False, False, False, True]


def test_asking_for_the_atoms_that_count(model):
    sheet = shaken(from_atoms(layers.flat("graphene", 11.0)), 0.02)
    counted = sheet.positions[:, 0] > 6
    labels, bits = ask(sheet, model, "fine", counted)
    assert len(labels) == len(bits) == counted.sum()
    assert set(labels) == {"C"}
    assert len(ask(sheet, model, "whole", counted)[0]) == 1
