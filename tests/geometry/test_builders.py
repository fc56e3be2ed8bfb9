"""Structures made to measure: counts, defects, randomness from the given generator, alloys, polycrystals."""

import itertools

import numpy as np
import pytest
from ase import Atoms
from ovito.io.ase import ase_to_ovito
from ovito.modifiers import CommonNeighborAnalysisModifier
from ovito.pipeline import Pipeline, StaticSource
from scipy.spatial import cKDTree
from scipy.spatial.distance import pdist
from scipy.special import sici

import arise_core as arise
from arise_core.geometry import builders
from arise_core.geometry.material import Material
from arise_core.geometry.structure import Structure


def crystal(name):
    return arise.build(arise.prototype(name))


def test_nearest_neighbour_distance():
    assert builders.nearest_neighbour_distance(crystal("fcc")) == pytest.approx(3.61491 / np.sqrt(2))
    assert builders.nearest_neighbour_distance(crystal("rock salt")) == pytest.approx(5.63931 / 2)


def test_repeat_and_open():
    salt = crystal("rock salt")
    cell = builders.repeat(salt, (2, 3, 1))
    assert len(cell) == 6 * len(salt)
    assert np.allclose(cell.cell, salt.cell * [[2], [3], [1]])
    assert not builders.opened(cell).pbc.any()
    with pytest.raises(ValueError, match="`counts` must be three positive integers"):
        builders.repeat(salt, (2, 0, 1))


@pytest.mark.parametrize("name", ["fcc", "hcp", "MoS2 monolayer", "Cu2ZnSnS4 (kesterite)"])
def test_crystal_in_box_has_the_density_of_the_crystal(name, rng):
    unit = crystal(name)
    lower, upper = np.array([-30.0, -25, -40]), np.array([30.0, 35, 40])
    turn = np.eye(3) if name.startswith("MoS2") else builders.random_rotation(rng)
    positions, numbers = builders.crystal_in_box(unit, lower, upper, turn, rng.uniform(size=3) * unit.pbc)
    assert ((positions >= lower) & (positions < upper)).all()
    if unit.pbc.all():
        expected = len(unit) / abs(np.linalg.det(unit.cell)) * np.prod(upper - lower)
    else:
        expected = len(unit) / np.linalg.norm(np.cross(*unit.cell[:2])) * 60 * 60
    assert len(positions) == pytest.approx(expected, rel=0.02)
    assert np.unique(numbers).tolist() == unit.species.tolist()


def test_crystal_in_box_is_the_same_crystal(rng):
    """Shells of neighbours around the middle atom are those of the crystal."""
    unit = crystal("diamond")
    positions, _ = builders.crystal_in_box(
        unit, np.full(3, -12.0), np.full(3, 12.0), builders.random_rotation(rng), rng.uniform(size=3)
    )
    middle = positions[np.linalg.norm(positions, axis=1).argmin()]
    r = np.sort(np.linalg.norm(positions - middle, axis=1))[1:17]
    bond = 3.55 * np.sqrt(3) / 4
    assert r[:4] == pytest.approx(np.full(4, bond))
    assert r[4:] == pytest.approx(np.full(12, bond * np.sqrt(8 / 3)))


def test_displacements_are_uniform_in_the_interval(rng):
    large = builders.repeat(crystal("fcc"), (9, 9, 9))
    moved = builders.displace(large, 0.1, rng).positions - large.positions
    reach = 0.1 * 3.61491 / np.sqrt(2)
    assert np.abs(moved).max() <= reach
    assert moved.std() == pytest.approx(reach / np.sqrt(3), rel=0.05)
    with pytest.raises(ValueError, match="`delta` must not be negative"):
        builders.displace(large, -0.1, rng)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.999])
def test_missing_atoms(share, rng):
    large = builders.repeat(crystal("rock salt"), (5, 5, 5))
    left = builders.remove_atoms(large, share, rng)
    assert len(left) == max(1, 250 - round(share * 250))
    assert {tuple(x) for x in left.positions} <= {tuple(x) for x in large.positions}
    with pytest.raises(ValueError, match=r"`share` must be in \[0, 1\)"):
        builders.remove_atoms(large, 1.0, rng)


def test_thermal_noise_has_the_size_and_the_correlation_of_sound_waves(rng):
    """Debye model: correlation Si(k r) / (k r) at a distance r, equal in all directions on average."""
    positions = builders.repeat(crystal("fcc"), (12, 12, 12)).positions
    fields = [builders.thermal_noise(positions, 0.2, 0.6, 1.7, rng, modes=200) for _ in range(60)]
    assert np.std(fields) == pytest.approx(0.2, rel=0.03)
    for step in (1, 2, 3):
        apart = np.linalg.norm(positions[step] - positions[0])
        pairs = np.linalg.norm(positions[step:] - positions[:-step], axis=1) < apart + 1e-6
        found = np.mean([(f[:-step] * f[step:])[pairs].mean() for f in fields]) / 0.04
        assert found == pytest.approx(0.6 * sici(1.7 * apart)[0] / (1.7 * apart), abs=0.03)


def test_random_numbers_come_from_the_generator():
    large = builders.repeat(crystal("fcc"), (4, 4, 4))
    for make in (
        lambda g: builders.displace(large, 0.1, g).positions,
        lambda g: builders.remove_atoms(large, 0.2, g).positions,
        lambda g: builders.thermal_noise(large.positions, 0.1, 0.5, 2.0, g),
        lambda g: builders.disordered(60, 0.5, [1.0, 0.8], [0.5, 0.5], 5, g)[0],
        lambda g: builders.alternating(large.positions, 20.0, 3, g),
        lambda g: builders.superalloy(15, 8, rng=g).numbers,
        lambda g: builders.polycrystal([crystal("fcc")] * 2, (15, 15, 15), rng=g).positions,
    ):
        first, second, other = (make(np.random.default_rng(s)) for s in (1, 1, 2))
        assert np.array_equal(first, second)
        assert first.shape != other.shape or not np.array_equal(first, other)


def test_stretched():
    long = builders.stretched(crystal("rock salt"), [0, 0, 2.0], 0.1)
    assert np.allclose(long.cell, crystal("rock salt").cell * [1, 1, 1.1])
    assert np.allclose(long.positions, crystal("rock salt").positions * [1, 1, 1.1])
    slanted = builders.stretched(crystal("rock salt"), [1.0, 1, 0], -0.05)
    assert np.linalg.det(slanted.cell) == pytest.approx(0.95 * np.linalg.det(crystal("rock salt").cell))


def test_packings_have_density_and_no_order(rng):
    positions, kind, edge = builders.disordered(400, 0.55, [1.0, 0.8], [0.5, 0.5], 60, rng)
    d = np.where(kind == 0, 1.0, 0.8)
    assert np.pi / 6 * (d**3).sum() / edge**3 == pytest.approx(0.55)
    assert ((positions >= 0) & (positions < edge)).all()
    packed = Structure(positions, np.full(400, 29), np.eye(3) * edge, True)
    assert builders.nearest_neighbour_distance(packed) > 0.7


def test_alternating_kinds_make_unlike_neighbours(rng):
    positions, _, edge = builders.disordered(600, 0.5, [1.0], [1.0], 60, rng)
    neighbours = cKDTree(positions % edge, boxsize=edge).query(positions % edge, k=5)[1][:, 1:]
    kinds = builders.alternating(positions, edge, 12, rng)
    assert set(kinds) == {0, 1}
    assert 0.4 < kinds.mean() < 0.6
    assert (kinds[neighbours] == kinds[:, None]).mean() < 0.35
    assert builders.alternating(positions - 1e-18, edge, 0, rng).shape == (600,)


def test_superalloy(rng):
    whole = builders.superalloy(rng=rng)
    assert len(whole) == pytest.approx(132_000, rel=0.01)
    assert np.ptp(whole.positions[:, 0]) == pytest.approx(120, abs=4)
    middle = whole.positions.mean(axis=0)
    inside = (np.abs(whole.positions - middle) < 28).all(axis=1)
    aluminium = whole.numbers == 13
    assert aluminium[inside].mean() == pytest.approx(0.25, abs=1e-2)
    assert aluminium[~inside].mean() == pytest.approx(0.25, abs=0.01)
    ordered = Structure(whole.positions[inside & aluminium], np.full((inside & aluminium).sum(), 13))
    assert builders.nearest_neighbour_distance(ordered) == pytest.approx(3.74)
    Material.of(whole).check_overlaps()
    assert builders.superalloy(30, 10, pbc=True, rng=rng).pbc.all()


def test_polycrystal(rng):
    names = ("fcc", "bcc", "hcp", "diamond")
    size = (44.0, 44.0, 16.0)
    seeds = np.array([[11, 11, 8], [33, 11, 8], [11, 33, 8], [33, 33, 8.0]])
    whole = builders.polycrystal(
        [crystal(n) for n in names],
        size,
        seeds=seeds,
        rotations=[np.eye(3)] * 4,
        pbc=(True, True, False),
        rng=rng,
    )
    Material.of(whole).check_overlaps()
    assert whole.pbc.tolist() == [True, True, False]
    assert ((whole.positions >= 0) & (whole.positions < size)).all()
    density = len(whole) / np.prod(size)
    expected = np.mean([len(crystal(n)) / abs(np.linalg.det(crystal(n).cell)) for n in names])
    assert density == pytest.approx(expected, rel=0.15)
    same = Structure(whole.positions, np.ones(len(whole), dtype=int), whole.cell, whole.pbc)
    from arise_core.geometry.neighbors import PairFinder

    assert PairFinder(same).nearest(1, 1).min() > 0.7 * 1.5
    with pytest.raises(ValueError, match="`grains` is empty"):
        builders.polycrystal([], size, rng=rng)
    with pytest.raises(ValueError, match="2 `grains` need as many `seeds`"):
        builders.polycrystal([crystal("fcc")] * 2, size, seeds=seeds, rng=rng)


@pytest.mark.parametrize(
    ("steps", "hexagonal"),
    [([1], 0), ([-1] * 4, 0), ([1, -1], 1), ([1, 1, -1, -1], 1 / 2), ([1, -1, 1] * 3, 2 / 3)],
)
def test_close_packed_layers(steps, hexagonal):
    """fcc, fcc, hcp, dhcp and alpha-Sm by OVITO's common neighbour analysis."""
    layers = builders.repeat(builders.close_packed(steps), (6, 6, 12))
    atoms = Atoms(layers.numbers, layers.positions, cell=layers.cell, pbc=True)
    pipeline = Pipeline(source=StaticSource(data=ase_to_ovito(atoms)))
    pipeline.modifiers.append(CommonNeighborAnalysisModifier())
    types = np.asarray(pipeline.compute().particles["Structure Type"])
    kinds = CommonNeighborAnalysisModifier.Type
    assert (types == kinds.HCP).mean() == pytest.approx(hexagonal)
    assert (types == kinds.FCC).mean() == pytest.approx(1 - hexagonal)


@pytest.mark.parametrize("hexagonal", [False, True])
def test_faults_are_few_and_apart(hexagonal, rng):
    seen = set()
    for _ in range(50):
        steps = np.array(builders.faulted_layers(hexagonal, 30, 6, rng))
        assert len(steps) >= 30
        fault = (steps[1:] == steps[:-1]) == hexagonal  # layers of the other kind
        assert 0.02 < fault.mean() < 0.35
        places = np.flatnonzero(fault)
        runs = np.split(places, np.flatnonzero(np.diff(places) > 2) + 1)
        seen |= {tuple((run - run[0]).tolist()) for run in runs}
        assert all(b[0] - a[-1] >= 6 for a, b in itertools.pairwise(runs))
    assert seen == ({(0,), (0, 1)} if hexagonal else {(0,), (0, 1), (0, 2)})


def test_atoms_that_came_too_close_are_pushed_apart():
    copper = builders.opened(builders.repeat(crystal("fcc"), (4, 4, 4)))
    places, d = copper.positions, 3.61 / np.sqrt(2)
    rng = np.random.default_rng(0)
    moved = places + rng.normal(0.0, 0.11 * d, places.shape)
    apart = builders.kept_apart(moved, places, 0.83, d, 20)
    assert pdist(moved).min() < 0.7 * d
    assert pdist(apart).min() > 0.82 * d
    assert 0.9 < np.std(apart - places) / np.std(moved - places) < 1.0
    np.testing.assert_array_equal(builders.kept_apart(places, places, 0.83, d, 20), places)


def test_pairs_that_are_closer_than_others_may_stay_so():
    places = np.array([[0.0, 0, 0], [1.0, 0, 0], [4.0, 0, 0], [6.5, 0, 0]])
    moved = places + [[0, 0, 0], [-0.1, 0, 0], [0.2, 0, 0], [-1.0, 0, 0]]
    apart = builders.kept_apart(moved, places, 0.8, 2.5, 100)
    np.testing.assert_array_equal(apart[:2], moved[:2])
    assert apart[3, 0] - apart[2, 0] == pytest.approx(0.8 * 2.5)
