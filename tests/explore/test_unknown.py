"""Cells rebuilt from noisy regions, their symmetry, names and files."""

from __future__ import annotations

import numpy as np
import pytest

import arise_core as arise
from arise_core.crystals.others import OTHERS, other, other_crystals
from arise_core.crystals.standard import read_structure, standard_form, write_structure
from arise_core.crystals.symmetry import space_group, symmetrised, symmetry
from arise_core.errors import InputError
from arise_core.explore.averages import averaged, supercell
from arise_core.explore.naming import CLOSE, formula_of
from arise_core.explore.pieces import bonds, cut_piece
from arise_core.explore.translations import basis, translations
from arise_core.geometry import builders
from arise_core.geometry.material import Material
from benchmarks.name_unknown.__main__ import hot, main, misplaced, molten, vacancies
from benchmarks.name_unknown.cases import case, chosen, same_cell

LAVES = "Laves C15, MgCu2"


def noisy(unit, counts, sigma, seed=0):
    ideal = builders.repeat(unit, counts)
    moves = np.random.default_rng(seed).normal(0, sigma, ideal.positions.shape)
    return arise.Structure(ideal.positions + moves, ideal.numbers, ideal.cell, ideal.pbc)


@pytest.fixture(scope="module")
def laves():
    """A periodic supercell with 5 % noise."""
    return noisy(other(LAVES), (5, 5, 5), 0.125)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if k % 4 == 0 else pytest.mark.slow) for k, name in enumerate(chosen())],
)
def test_cells_of_crystals_that_are_no_class(name):
    one = case(name, noise=0.05, atoms=1500)
    before = one.piece.positions.copy()
    found = arise.rebuild_cell(one.piece)
    assert isinstance(found, arise.RebuiltCell)
    assert found.group == one.group
    assert same_cell(found.structure, one.ideal)
    assert found.doubts == ()
    assert found.share > 0.95
    noise = 0.05 * builders.nearest_neighbour_distance(one.ideal)
    assert found.residual == pytest.approx(np.sqrt(3) * noise, rel=0.1)
    kind = arise.name_crystal(found).type
    assert kind is not None
    assert (kind.crystal.label, kind.known) == (name, False)
    np.testing.assert_array_equal(one.piece.positions, before)


@pytest.mark.parametrize("change", [vacancies, misplaced, molten, hot])
@pytest.mark.parametrize(
    "name",
    ["CaCu5", *(pytest.param(n, marks=pytest.mark.slow) for n in ("rutile, TiO2", "Laves C14, MgZn2"))],
)
def test_cells_of_worse_pieces(name, change):
    noise = 0.0 if change is hot else 0.05
    one = case(name, noise=noise, atoms=2000)
    found = arise.rebuild_cell(change(one.piece, np.random.default_rng(1)))
    assert isinstance(found, arise.RebuiltCell)
    assert found.group == one.group
    assert same_cell(found.structure, one.ideal)
    if change is molten:
        assert found.share == pytest.approx(0.55, abs=0.07)
        assert "fit" in found.doubts[0]


def test_classes_are_named_as_such():
    rock_salt = arise.build(arise.prototype("rock salt"), one_period=True)
    found = arise.rebuild_cell(noisy(rock_salt, (6, 6, 6), 0.1))
    name = arise.name_crystal(found)
    assert name.type is not None
    assert (name.type.crystal.info.name, name.type.known) == ("rock salt", True)
    assert "class rock salt: " in str(name)
    assert "Fm-3m (225), 2 atoms" in str(name)


def test_sites(laves):
    found = arise.rebuild_cell(laves)
    assert found.symbol == "Fd-3m"
    magnesium, copper = found.sites
    assert (magnesium.number, magnesium.count, magnesium.wyckoff[:1]) == (12, 2, "8")
    assert (copper.number, copper.count, copper.wyckoff[:2]) == (29, 4, "16")
    assert (magnesium.symmetry, copper.symmetry) == ("-43m", "-3m")
    assert magnesium.purity == copper.purity == 1
    assert formula_of(found) == "MgCu2"
    assert 0 < found.shift < 5 * found.error
    assert "6 atoms, Fd-3m (227), 100 % of" in repr(found)


def test_regions_across_the_border(laves):
    edge = laves.cell[0, 0]
    inside = (np.abs((laves.positions + edge / 3) % edge - edge / 3) < 9).all(axis=1)
    found = arise.rebuild_cell(laves, np.flatnonzero(inside))
    assert found.group == 227
    assert found.atoms == inside.sum()


def test_a_solid_solution_has_the_lattice_of_its_sites():
    fcc = arise.build(arise.prototype("fcc"), one_period=True)
    ideal = noisy(fcc, (9, 9, 9), 0.12)
    numbers = np.where(np.random.default_rng(0).random(len(ideal)) < 0.4, 79, 29)
    found = arise.rebuild_cell(arise.Structure(ideal.positions, numbers, ideal.cell, ideal.pbc))
    assert (found.group, len(found.structure), found.elements) == (225, 1, False)
    assert "(elements mixed on the sites)" in str(arise.name_crystal(found))
    assert found.sites[0].purity == pytest.approx(0.6, abs=0.05)
    assert found.share > 0.95


def test_one_of_two_grains_is_enough():
    first, second = (case(LAVES, noise=0.05, atoms=2500, seed=seed).piece for seed in (1, 2))
    left = first.positions[:, 0] < np.median(first.positions[:, 0])
    right = second.positions[:, 0] > np.median(second.positions[:, 0]) + 1
    places = [p - np.median(p, axis=0) for p in (first.positions, second.positions)]
    both = arise.Structure(
        np.concatenate([places[0][left], places[1][right]]),
        np.concatenate([first.numbers[left], second.numbers[right]]),
    )
    found = arise.rebuild_cell(both)
    assert found.group == 227
    assert 0.3 < found.share < 0.6
    assert found.doubts


def test_small_distortions_show_in_the_means():
    """Bcc of which every second plane is shifted by 0.22 Å, less than its noise of 0.28 Å (0.16 Å along each axis)."""
    bcc = arise.build(arise.prototype("bcc"), one_period=True)
    assert arise.rebuild_cell(noisy(bcc, (12, 12, 12), 0.16)).group == 229
    double = builders.repeat(bcc, (2, 1, 1))
    places = double.positions.copy()
    places[1] += [0.2, 0.1, 0.0]
    apart = arise.Structure(places, double.numbers, double.cell, double.pbc)
    found = arise.rebuild_cell(noisy(apart, (6, 12, 12), 0.16))
    assert len(found.structure) == 2
    nearest = builders.nearest_neighbour_distance(found.structure)
    assert nearest == pytest.approx(builders.nearest_neighbour_distance(apart), abs=0.02)
    assert builders.nearest_neighbour_distance(bcc) - nearest > 0.05


def test_no_cell_says_why():
    rng = np.random.default_rng(0)
    gas = arise.Structure(rng.uniform(0, 30, (1500, 3)), np.full(1500, 29), np.eye(3) * 30, np.ones(3, bool))
    none = arise.rebuild_cell(gas)
    assert not none
    assert "does not repeat" in none.reason
    places, kinds, edge = builders.disordered(1500, 0.6, [1.0, 0.8], [0.5, 0.5], 60, rng)
    glass = arise.Structure(places * 2.5, 29 + kinds, np.eye(3) * edge * 2.5, np.ones(3, bool))
    assert not arise.rebuild_cell(glass)
    few = arise.rebuild_cell(gas, np.arange(12))
    assert few.reason == "the region has 12 atoms; a cell needs 40"
    layer = builders.repeat(arise.build(arise.prototype("graphene"), one_period=True), (20, 20, 1))
    assert "do not span space" in arise.rebuild_cell(layer).reason


@pytest.mark.parametrize(
    ("atoms", "said"),
    [
        ([], "list of indices"),
        ([[1, 2]], "list of indices"),
        ([0.5], "list of indices"),
        ([0, 4000], "from 0 to 2999"),
        ([-1], "from 0 to 2999"),
    ],
)
def test_bad_atoms(laves, atoms, said):
    with pytest.raises(InputError, match=said):
        arise.rebuild_cell(laves, np.array(atoms))


def test_too_few_at_most(laves):
    with pytest.raises(InputError, match="`most` must be at least 40, got 3"):
        arise.rebuild_cell(laves, most=3)


def test_progress_ends_at_one(laves):
    steps = []
    arise.rebuild_cell(laves, progress=steps.append)
    assert steps == sorted(steps)
    assert steps[-1] == 1
    assert steps[-1].message == "cell found"


def test_orientation_and_order_change_nothing(laves):
    rng = np.random.default_rng(4)
    turn, order = builders.random_rotation(rng), rng.permutation(len(laves))
    turned = arise.Structure(
        (laves.positions @ turn.T)[order], laves.numbers[order], laves.cell @ turn.T, laves.pbc
    )
    one, two = arise.rebuild_cell(laves), arise.rebuild_cell(turned)
    assert one.group == two.group
    assert np.linalg.norm(one.structure.cell[0]) == pytest.approx(
        np.linalg.norm(two.structure.cell[0]), rel=2e-3
    )


def test_translations_of_a_perfect_crystal():
    piece = cut_piece(Material.of(builders.repeat(other("CaCu5"), (6, 6, 6))))
    found = translations(piece)
    assert found.shares.min() == 1
    cell = basis(found)
    assert abs(np.linalg.det(cell)) == pytest.approx(abs(np.linalg.det(other("CaCu5").cell)))
    average = averaged(piece, cell)
    assert len(average) == 6
    assert average.residual < 1e-6
    assert average.crowding == pytest.approx(1, abs=0.1)
    large = supercell(average, (2, 1, 1))
    assert len(large) == 12
    assert large.residual < 1e-6


def test_bonds_cross_the_border():
    fcc = builders.repeat(arise.build(arise.prototype("fcc"), one_period=True), (4, 4, 4))
    reach = 1.2 * builders.nearest_neighbour_distance(fcc)
    material = Material.of(fcc)
    near = bonds(material.positions, fcc.cell, fcc.pbc, reach)
    pairs = near.atom != near.other
    assert np.bincount(near.atom[pairs]).tolist() == [12] * 64


def test_symmetrised_keeps_place_and_orientation():
    ideal = standard_form(other("rutile, TiO2"))
    turn = builders.random_rotation(np.random.default_rng(1))
    moves = np.random.default_rng(0).normal(0, 0.01, ideal.positions.shape)
    rough = arise.Structure((ideal.positions + moves) @ turn.T, ideal.numbers, ideal.cell @ turn.T, ideal.pbc)
    assert space_group(rough, 1e-3) == 1
    found = symmetrised(rough, 0.1)
    assert found.group == 136
    assert space_group(found.structure, 1e-5) == 136
    assert np.abs(found.structure.positions - rough.positions).max() < 0.05
    assert np.abs(found.structure.cell - rough.cell).max() < 0.05
    assert 0.005 < found.shift < 0.03
    assert found.operations == 16
    assert found.conventional == 6


def test_the_table_of_other_crystals():
    crystals = other_crystals()
    assert [c.label for c in crystals] == list(OTHERS)
    for crystal in crystals:
        assert symmetry(crystal.unit)[0] == crystal.info.space_group
    prints = np.array([c.fingerprint for c in crystals])
    apart = np.linalg.norm(prints[:, None] - prints[None], axis=2)
    kinds = [symmetry(c.unit) for c in crystals]
    alike = [(a, b) for a in range(60) for b in range(a) if kinds[a] == kinds[b] and apart[a, b] < CLOSE]
    assert alike == []
    with pytest.raises(InputError, match="got 'kryptonite'"):
        other("kryptonite")


def test_the_file_for_add_class(laves, tmp_path):
    found = arise.rebuild_cell(laves)
    for end in ("cif", "xyz", "vasp"):
        path = tmp_path / f"unknown.{end}"
        write_structure(found.structure, path)
        again = standard_form(read_structure(path))
        assert same_cell(again, standard_form(other(LAVES)))
        assert symmetry(again) == symmetry(found.structure)
    with pytest.raises(InputError, match=r"`path` must end as a format"):
        write_structure(found.structure, tmp_path / "unknown.nothing")


def test_document(tmp_path, capsys):
    main(["--short", "--only", LAVES, "--out", str(tmp_path)])
    text = (tmp_path / "name_unknown.md").read_text(encoding="utf-8")
    assert text in capsys.readouterr().out
    row = next(line for line in text.splitlines() if line.startswith("| 5 %, 2,000 atoms"))
    assert [cell.strip() for cell in row.strip("|").split("|")][1:5] == ["1", "1", "0 of 0", "1"]
    assert "None." in text


@pytest.mark.parametrize("steps", [(1, 0, 0), (3, 5, -4)])
def test_a_skewed_cell_is_the_same_crystal(steps):
    """What is cut out is as thick as can be, however the cell of the lattice is chosen."""
    found = noisy(arise.build(arise.prototype("fcc"), one_period=True), (6, 6, 6), 0.1)
    cell = found.cell.copy()
    cell[1] += steps[0] * found.cell[0]
    cell[2] += steps[1] * found.cell[1] + steps[2] * found.cell[0]
    rebuilt = arise.rebuild_cell(arise.Structure(found.positions, found.numbers, cell, found.pbc))
    assert rebuilt, rebuilt
    assert (rebuilt.group, len(rebuilt.structure)) == (225, 1)


def test_overlapping_atoms_are_refused(laves):
    twice = np.tile(laves.positions, (2, 1))
    both = arise.Structure(twice, np.tile(laves.numbers, 2), laves.cell, laves.pbc)
    for structure in (both, arise.Structure(np.zeros((500, 3)), np.full(500, 29))):
        with pytest.raises(InputError, match="overlap"):
            arise.rebuild_cell(structure)
