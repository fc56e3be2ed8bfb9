"""Layers with defects, tubes and cages: counts, bonds, radii, that nothing hangs on anything but the generator."""

import ase.build
import numpy as np
import pytest
from scipy.spatial import cKDTree

import arise_core as arise
from arise_core.geometry import builders, sheets
from arise_core.geometry.structure import Structure

BOND = 1.42


def layer(name):
    return arise.build(arise.prototype(name), one_period=True)


def coordination(structure, reach=1.25 * BOND):
    """Number of neighbours of each atom, (n,)."""
    pairs = sheets.bonds(structure, reach)
    return np.bincount(pairs.ravel(), minlength=len(structure))


def closest(positions):
    return cKDTree(positions).query(positions, k=2)[0][:, 1].min()


@pytest.fixture
def sheet(rng):
    return sheets.patch(layer("graphene"), (15, 12), rng)


@pytest.fixture
def periodic():
    return builders.repeat(layer("graphene"), (8, 8, 1))


# --- layers -------------------------------------------------------------------------------------------------------


def test_patch_is_a_piece_of_the_layer(sheet):
    assert not sheet.pbc.any()
    assert (np.abs(sheet.positions[:, :2]) < [15, 12]).all()
    inside = (np.abs(sheet.positions[:, :2]) < [13, 10]).all(axis=1)
    assert set(coordination(sheet)[inside]) == {3}
    cell = layer("graphene").cell
    area = np.linalg.norm(np.cross(cell[0], cell[1])) / 2
    assert len(sheet) == pytest.approx(30 * 24 / area, rel=0.05)


def test_bonds_through_the_border(periodic):
    assert set(coordination(periodic)) == {3}
    assert len(sheets.bonds(periodic, 1.25 * BOND)) == 3 * len(periodic) // 2
    pairs = sheets.bonds(periodic, 1.25 * BOND)
    vectors = sheets.between(periodic, periodic.positions[pairs[:, 1]] - periodic.positions[pairs[:, 0]])
    assert np.allclose(np.linalg.norm(vectors, axis=1), builders.nearest_neighbour_distance(periodic))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("graphene", True), ("hexagonal BN monolayer", True), ("C3N monolayer", True), ("MoS2 monolayer", False),
        ("PbSe monolayer", False), ("MnS2 monolayer", False), ("phosphorene", False),
    ],
)  # fmt: skip
def test_honeycombs(name, expected):
    assert sheets.is_honeycomb(layer(name)) is expected


@pytest.mark.parametrize("name", ["graphene", "MoS2 monolayer"])
@pytest.mark.parametrize("share", [0.5, 0.8])
def test_no_two_atoms_are_too_close_at_a_boundary(name, share, rng):
    unit = layer(name)
    d = builders.nearest_neighbour_distance(unit)
    for angle in (0.0, 7.0, 21.8, 40.0):
        found = sheets.tilt_boundary(unit, (16, 16), angle, 2.0, share, rng)
        assert closest(found.positions) >= share * d - 1e-9
        perfect = len(sheets.patch(unit, (16, 16), rng))
        assert 0.9 * perfect < len(found) < 1.07 * perfect


def test_halves_of_a_boundary_are_turned(rng):
    """Bonds far from the line have two sets of directions, apart by the angle."""
    unit = layer("graphene")
    found = sheets.tilt_boundary(unit, (25, 25), 17.0, 0.0, 0.7, rng)
    pairs = sheets.bonds(found, 1.02 * builders.nearest_neighbour_distance(unit))
    v = found.positions[pairs[:, 1]] - found.positions[pairs[:, 0]]
    turn = np.round(np.degrees(np.arctan2(v[:, 1], v[:, 0])) % 60, 3)
    values, counts = np.unique(turn, return_counts=True)
    two = np.sort(values[np.argsort(counts)[-2:]])
    assert min(two[1] - two[0], 60 - two[1] + two[0]) == pytest.approx(17.0, abs=0.01)
    assert counts.sum() - np.sort(counts)[-2:].sum() < 0.05 * len(pairs)


def test_place_of_the_boundary(rng):
    """Turned by nothing, the sheet is whole but for the shift; far away there is no line at all."""
    whole = sheets.tilt_boundary(layer("graphene"), (10, 10), 30.0, 99.0, 0.7, rng)
    assert set(coordination(whole)[(np.abs(whole.positions[:, :2]) < 8).all(axis=1)]) == {3}


@pytest.mark.parametrize("name", ["graphene", "hexagonal BN monolayer"])
@pytest.mark.parametrize("open_", [True, False])
def test_turned_bonds_make_pentagons_and_heptagons(name, open_, rng):
    sheet = builders.repeat(layer(name), (9, 9, 1))
    sheet = sheets.patch(layer(name), (12, 12), rng) if open_ else sheet
    found = sheets.stone_wales(sheet, 2, 40, rng)
    assert np.array_equal(found.numbers, sheet.numbers)
    assert np.array_equal(found.cell, sheet.cell)
    before, after = (
        {tuple(p) for p in sheets.bonds(s, 1.25 * builders.nearest_neighbour_distance(sheet)).tolist()}
        for s in (sheet, found)
    )
    assert len(before - after) == len(after - before) == 4  # two at each end of a turned bond
    moved = np.linalg.norm(sheets.between(sheet, found.positions - sheet.positions), axis=1)
    assert (moved > 0.6).sum() == 4
    pairs = np.array(sorted(after))
    lengths = np.linalg.norm(
        sheets.between(found, found.positions[pairs[:, 1]] - found.positions[pairs[:, 0]]), axis=1
    )
    assert lengths.min() > 0.9 * BOND
    assert lengths.max() < 1.15 * BOND
    assert np.ptp(found.positions[:, 2]) == 0


def test_a_sheet_too_small_for_turned_bonds_stays(rng):
    small = Structure(sheets.patch(layer("graphene"), (15, 15), rng).positions[:1], [6])
    assert len(sheets.stone_wales(small, 3, 10, rng)) == 1


def test_settling_brings_bonds_to_their_length(periodic, rng):
    shaken = Structure(
        periodic.positions + rng.normal(0, 0.1, (len(periodic), 3)) * [1, 1, 0], periodic.numbers, periodic.cell,
        periodic.pbc,
    )  # fmt: skip
    pairs = sheets.bonds(periodic, 1.25 * BOND)

    def spread(s):
        return np.linalg.norm(
            sheets.between(s, s.positions[pairs[:, 1]] - s.positions[pairs[:, 0]]), axis=1
        ).std()

    assert spread(sheets.settled(shaken, pairs, 60, BOND)) < 0.1 * spread(shaken)
    assert np.array_equal(sheets.settled(shaken, pairs, 0, BOND).positions, shaken.positions)


def test_ripples(sheet, periodic, rng):
    found = sheets.rippled(sheet, 0.4, 18.0, rng)
    z = found.positions[:, 2] - sheet.positions[:, 2]
    assert np.array_equal(found.positions[:, :2], sheet.positions[:, :2])
    assert 0.35 < np.abs(z).max() <= 0.4
    many = np.concatenate([sheets.rippled(sheet, 0.4, 12.0, rng, 3).positions[:, 2] for _ in range(30)])
    assert many.std() == pytest.approx(0.4 / np.sqrt(2), rel=0.15)
    for wavelength in (
        8.0,
        500.0,
    ):  # the waves fit into the cell: a bond through the border is as steep as others
        found = sheets.rippled(periodic, 0.4, wavelength, rng)
        assert np.ptp(found.positions[:, 2]) > 0.5
        pairs = sheets.bonds(periodic, 1.25 * BOND)
        fractions = periodic.positions @ np.linalg.inv(periodic.cell)
        through = (np.abs(fractions[pairs[:, 1]] - fractions[pairs[:, 0]]) > 0.5).any(axis=1)
        steps = np.abs(np.diff(found.positions[pairs, 2], axis=1)[:, 0])
        assert through.sum() > 10
        assert steps[through].max() <= steps[~through].max() * 1.1


def test_holes_are_round(periodic, rng):
    found = sheets.perforated(periodic, 0.25, rng)
    assert len(found) == 96
    gone = periodic.positions[~(periodic.positions[:, None] == found.positions).all(axis=2).any(axis=1)]
    spread = min(
        (sheets.between(periodic, gone - g) for g in gone), key=lambda v: np.linalg.norm(v, axis=1).max()
    )
    area = 128 * 0.25 * abs(np.linalg.det(periodic.cell[:2, :2])) / 128
    assert np.linalg.norm(spread, axis=1).max() < 1.25 * np.sqrt(area / np.pi)
    with pytest.raises(ValueError, match=r"`share` must be in \[0, 1\), got 1"):
        sheets.perforated(periodic, 1, rng)


def test_foreign_atoms(sheet, rng):
    found = sheets.doped(sheet, 0.1, (7, 5), rng)
    assert (found.numbers != 6).sum() == round(0.1 * len(sheet))
    assert set(found.numbers) == {5, 6, 7}
    assert (sheets.doped(sheet, 0.0, (7,), rng).numbers == 7).sum() == 1
    assert set(sheet.numbers) == {6}


@pytest.mark.parametrize("disc", [True, False])
def test_flakes(disc, rng):
    sheet = sheets.patch(layer("graphene"), (30, 30), rng)
    plain = sheets.flake(sheet, 300, rng, disc=disc)
    assert len(plain) == 300
    r = np.linalg.norm(plain.positions[:, :2], axis=1).max()
    edge = np.abs(plain.positions[:, :2]).max()
    assert r / edge == pytest.approx(1.0 if disc else np.sqrt(2), rel=0.05)
    long = sheets.flake(sheet, 300, rng, disc=disc, aspect=2.5)
    assert np.ptp(long.positions[:, 0]) / np.ptp(long.positions[:, 1]) == pytest.approx(2.5, rel=0.1)
    wavy = sheets.flake(sheet, 300, rng, disc=disc, wavy=0.2, rough=0.6)
    assert len(wavy) == 300
    assert (coordination(wavy) < 3).sum() > (coordination(plain) < 3).sum()


# --- tubes and cages ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "m"), [(3, 3), (5, 2), (6, 0), (10, 0), (7, 4), (11, 1), (3, 0)])
def test_tubes(n, m):
    tube = sheets.nanotube(n, m, periods=2)
    other = ase.build.nanotube(n, m, length=2, bond=BOND)
    assert len(tube) == len(other) == 2 * sheets.tube_period(n, m, BOND)[1]
    assert tube.cell[2, 2] == pytest.approx(other.cell[2, 2])
    assert tube.pbc.tolist() == [False, False, True]
    radius = np.linalg.norm(tube.positions[:, :2], axis=1)
    assert np.allclose(radius, sheets.tube_radius(n, m, BOND))
    xy = other.positions[:, :2] - other.positions[:, :2].mean(axis=0)
    assert np.allclose(radius, np.linalg.norm(xy, axis=1).mean(), rtol=1e-6)
    assert set(coordination(tube)) == {3}


def test_both_sites_of_a_tube_have_unlike_neighbours():
    tube = sheets.nanotube(6, 2, numbers=(5, 7), bond=1.45)
    pairs = sheets.bonds(tube, 1.25 * 1.45)
    assert (tube.numbers[pairs[:, 0]] != tube.numbers[pairs[:, 1]]).all()
    assert sheets.nanotube(6, 2, bond=2.84).cell[2, 2] == pytest.approx(2 * sheets.nanotube(6, 2).cell[2, 2])


@pytest.mark.parametrize(("n", "m"), [(6, 6), (9, 4)])
def test_pieces_of_tubes(n, m, rng):
    piece = sheets.tube_piece(n, m, 30.0, rng)
    period, atoms = sheets.tube_period(n, m, BOND)
    assert not piece.pbc.any()
    assert len(piece) == pytest.approx(30 * atoms / period, rel=0.04)
    assert 28 < np.ptp(piece.positions[:, 2]) <= 30
    z = piece.positions[:, 2]
    inside = (z > z.min() + 2) & (z < z.max() - 2)
    assert set(coordination(piece)[inside]) == {3}
    assert len(sheets.tube_piece(n, m, 3.0, rng)) > 20


@pytest.mark.parametrize(
    ("h", "k", "n"),
    [(1, 0, 20), (1, 1, 60), (2, 0, 80), (2, 1, 140), (1, 2, 140), (3, 0, 180), (2, 2, 240), (3, 2, 380)],
)
def test_cages(h, k, n):
    cage = sheets.cage(h, k)
    assert len(cage) == n
    assert set(coordination(cage, 1.3 * BOND)) == {3}
    pairs = sheets.bonds(cage, 1.3 * BOND)
    lengths = np.linalg.norm(cage.positions[pairs[:, 1]] - cage.positions[pairs[:, 0]], axis=1)
    assert lengths.mean() == pytest.approx(BOND)
    assert lengths.min() > 0.75 * BOND
    radius = np.linalg.norm(cage.positions, axis=1)
    assert np.allclose(radius, radius[0])


def test_c60_is_that_of_tables():
    """3.55 Å in radius at bonds of 1.40 and 1.46 Å (Hedberg et al. 1991, Science 254, 410)."""
    cage = sheets.cage(1, 1, bond=1.438)
    assert np.linalg.norm(cage.positions[0]) == pytest.approx(3.55, abs=0.02)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: sheets.nanotube(3, 4), r"`n` and `m` must be n >= m >= 0 and n > 0, got \(3, 4\)"),
        (lambda: sheets.nanotube(0, 0), r"got \(0, 0\)"),
        (lambda: sheets.nanotube(4, 4, periods=0), "`periods` must be at least 1, got 0"),
        (lambda: sheets.cage(0, 0), r"`h` and `k` must not be negative, nor both 0, got \(0, 0\)"),
        (lambda: sheets.cage(2, -1), r"got \(2, -1\)"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda s, rng: sheets.patch(layer("MoS2 monolayer"), (9, 9), rng),
        lambda s, rng: sheets.tilt_boundary(layer("graphene"), (9, 9), 20, 1, 0.7, rng),
        lambda s, rng: sheets.stone_wales(s, 3, 5, rng),
        lambda s, rng: sheets.rippled(s, 0.3, 15, rng, 2),
        lambda s, rng: sheets.perforated(s, 0.2, rng),
        lambda s, rng: sheets.doped(s, 0.1, (5, 7), rng),
        lambda s, rng: sheets.flake(s, 100, rng, disc=True, wavy=0.2, rough=0.3),
        lambda s, rng: sheets.tube_piece(7, 3, 12, rng),
    ],
)
def test_structures_hang_on_the_generator_alone(make, sheet):
    before = sheet.positions.copy(), sheet.numbers.copy()
    first, again, other = (make(sheet, np.random.default_rng(k)) for k in (1, 1, 2))
    assert np.array_equal(first.positions, again.positions)
    assert np.array_equal(first.numbers, again.numbers)
    same = first.positions.shape == other.positions.shape and np.array_equal(first.positions, other.positions)
    assert not (same and np.array_equal(first.numbers, other.numbers))
    assert np.array_equal(sheet.positions, before[0])
    assert np.array_equal(sheet.numbers, before[1])
