"""Whole structures, pieces and boxes that samples are cut from."""

import dataclasses

import numpy as np
import pytest

from arise_core.crystals.crystal import selected
from arise_core.descriptor.soap import describe
from arise_core.errors import InputError
from arise_core.geometry import builders
from arise_core.settings import DescriptorSettings
from arise_core.training.samples.common import Common
from arise_core.training.samples.cuts import Cuts, noisy_box, random_edges, random_orientation
from arise_core.training.samples.noise import Noise
from arise_core.training.samples.pieces import Pieces, Structures, random_piece, whole_structure

SETTINGS = DescriptorSettings.corrected()
IDEAL = Noise(ideal=1.0)
NAMES = ["fcc", "rock salt", "graphene", "nanotube (5,3)"]


def named(name):
    (crystal,) = selected([name])
    return crystal


def structures_of(name, n=60, **changes):
    settings = dataclasses.replace(Structures(), **changes)
    return [whole_structure(named(name), settings, np.random.default_rng(k)) for k in range(n)]


# --- whole structures ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_whole_structures_are_periodic_or_open(name):
    made = structures_of(name)
    periodic = np.mean([bool(s.pbc.any()) for s in made])
    assert 0.15 < periodic < 0.6
    assert min(map(len, made)) >= 100 or name == "nanotube (5,3)"
    assert {tuple(s.pbc) for s in made if s.pbc.any()} == {tuple(named(name).unit.pbc)}


@pytest.mark.parametrize("name", NAMES)
def test_shares_of_whole_structures(name):
    assert all(s.pbc.any() for s in structures_of(name, 10, periodic=1.0, open=0.0, pieces=0.0))
    assert not any(s.pbc.any() for s in structures_of(name, 10, periodic=0.0, open=1.0, pieces=0.0))
    assert not any(s.pbc.any() for s in structures_of(name, 10, periodic=0.0, open=0.0, pieces=1.0))


def test_sizes_of_supercells():
    sizes = {len(s) for s in structures_of("fcc", 40, periodic=1.0, open=0.0, pieces=0.0)}
    assert sizes == {125, 216, 343}
    few = {len(s) for s in structures_of("fcc", 10, periodic=1.0, open=0.0, pieces=0.0, atoms=20, sizes=1)}
    assert few == {27}
    (one,) = {len(whole_structure(named("fcc"), Structures(periodic=1, open=0, pieces=0, sizes=1),
                                  np.random.default_rng(0), 500))}  # fmt: skip
    assert one == 512


def test_sizes_of_pieces():
    shape = Pieces(atoms=(40, 50), periods=3)
    made = structures_of("rock salt", 60, periodic=0.0, open=0.0, pieces=1.0, piece=shape)
    sizes = {len(s) for s in made}
    assert min(sizes) == 46
    assert max(sizes) == 56  # both ends are drawn


@pytest.mark.parametrize("name", ["fcc", "graphene"])
def test_spheres_are_rounder_than_polyhedra(name, rng):
    def roundness(spheres):
        made = [random_piece(named(name).unit, 300, rng, Pieces(spheres=spheres)) for _ in range(12)]
        axes = [np.linalg.svd(s.positions - s.positions.mean(axis=0), compute_uv=False) for s in made]
        return np.mean([a[1] / a[0] for a in axes])

    assert roundness(1.0) > 0.97 > roundness(0.0)


def test_bad_structures():
    with pytest.raises(InputError, match=r"must add up to 1, got \(0.5, 0.4, 0.25\)"):
        Structures(periodic=0.5)
    with pytest.raises(InputError, match="`atoms` must be a range"):
        Pieces(atoms=(5, 4))
    with pytest.raises(InputError, match="`faces` must be at least 4, got 3"):
        Pieces(faces=3)


# --- boxes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fcc", "cubic perovskite", "graphene"])
def test_boxes_hold_the_wanted_number_of_atoms(name, rng):
    """Volume (area, of a layer) of boxes without a spread of edges, in atoms."""
    unit = named(name).unit
    cuts = Cuts(edges=(1.0, 1.0), rarest=0.0)
    per_atom = (
        np.linalg.norm(np.cross(*unit.complete_cell[:2])) if name == "graphene" else np.linalg.det(unit.complete_cell)
    ) / len(unit)  # fmt: skip
    axes = 2 if name == "graphene" else 3
    atoms = [np.prod(random_edges(unit, (50, 200), cuts, rng)[:axes]) / abs(per_atom) for _ in range(400)]
    assert min(atoms) >= 50 - 1e-9
    assert max(atoms) <= 200 + 1e-9
    assert abs(np.mean(np.log(atoms)) - np.log(100)) < 0.1  # even on a logarithmic scale


def test_edges_of_a_box_differ_within_their_range(rng):
    edges = np.array([random_edges(named("fcc").unit, (100, 100), Cuts(edges=(0.8, 1.2), widest=1.0), rng)
                      for _ in range(200)])  # fmt: skip
    mean = np.cbrt(100 * abs(np.linalg.det(named("fcc").unit.complete_cell)))
    assert ((edges >= 0.8 * mean) & (edges <= 1.2 * mean)).all()
    assert edges.max() > 1.15 * mean
    assert edges.min() < 0.85 * mean


def test_boxes_of_compounds_with_a_rare_element_are_larger(rng):
    unit = named("cubic perovskite").unit  # 1 : 1 : 3
    cell = abs(np.linalg.det(unit.complete_cell))
    edges = [random_edges(unit, (5, 5), Cuts(edges=(1, 1), rarest=10.0), rng) for _ in range(50)]
    cells = np.prod(edges, axis=1) / cell
    assert cells.min() >= 10 - 1e-9
    assert cells.max() <= 15 + 1e-9


def test_orientations(rng):
    unit = named("fcc").unit
    for _ in range(30):
        for cuts in (Cuts(), Cuts(turned=0.0, upright=0.0), Cuts(turned=1.0, upright=0.0)):
            turn = random_orientation(unit, cuts, rng)
            assert np.allclose(turn @ turn.T, np.eye(3), atol=1e-12)
            assert np.linalg.det(turn) > 0
    assert np.array_equal(random_orientation(unit, Cuts(turned=0.0, upright=1.0), rng), np.eye(3))


def test_low_indices_lie_along_the_axes(rng):
    unit = named("fcc").unit
    for _ in range(20):
        turn = random_orientation(unit, Cuts(turned=0.0, upright=0.0, index=1), rng)
        indices = np.linalg.solve(unit.complete_cell.T, turn[:, 0])  # the direction along x, in cell vectors
        assert np.allclose(
            np.round(indices / np.abs(indices).max()), indices / np.abs(indices).max(), atol=1e-9
        )


def test_upright_ideal_box_is_like_the_crystal(rng):
    unit = named("fcc").unit
    cuts = Cuts(turned=0.0, upright=1.0)
    found = noisy_box(unit, np.full(3, 14.0), IDEAL, cuts, SETTINGS, rng)
    assert found @ describe(unit) / np.linalg.norm(found) / np.linalg.norm(describe(unit)) > 0.99


@pytest.mark.parametrize("name", ["fcc", "graphene"])
def test_boxes_with_too_few_atoms_are_drawn_again(name, rng):
    crystal = named(name)
    assert np.isnan(noisy_box(crystal.unit, np.full(3, 1.0), IDEAL, Cuts(), SETTINGS, rng)).all()
    edges = np.full(3, 9.0)
    n = noisy_box(crystal.unit, edges, IDEAL, Cuts(atoms=4), SETTINGS, rng)
    assert np.isfinite(n).all()
    assert np.isnan(noisy_box(crystal.unit, edges, IDEAL, Cuts(atoms=10_000), SETTINGS, rng)).all()


@pytest.mark.parametrize("margin", [0.0, 0.6, 2.0])
def test_the_crystal_goes_on_around_the_box(margin, rng):
    """By the margin, so that displacements bring atoms in as well as out."""
    unit = named("fcc").unit
    reach = 6.0 + margin * builders.nearest_neighbour_distance(unit)

    def look(positions, numbers):
        assert reach - 0.5 < np.abs(positions).max() <= reach
        return numbers

    noisy_box(unit, np.full(3, 12.0), IDEAL, Cuts(margin=margin), SETTINGS, rng, look)


def test_decoration_comes_before_noise(rng):
    """The decoration sees all atoms around the box, as the crystal has them."""
    seen = []

    def look(positions, numbers):
        seen.append((positions, numbers))
        return np.full(len(numbers), 79)

    unit = named("rock salt").unit
    noisy_box(unit, np.full(3, 12.0), Noise(ideal=0.0), Cuts(), SETTINGS, rng, look)
    ((positions, numbers),) = seen
    assert set(numbers) == set(unit.numbers)
    d = np.linalg.norm(positions[:, None] - positions[None], axis=2) + 99 * np.eye(len(positions))
    assert np.allclose(d.min(axis=1), builders.nearest_neighbour_distance(unit), atol=1e-6)


def test_boxes_that_must_tell_crystals_apart_are_larger():
    assert Common(box_atoms=(20, 1000)).decidable_atoms == (60, 1000)
    assert Common(box_atoms=(80, 1000)).decidable_atoms == (80, 1000)
    assert Common(box_atoms=(20, 1000), cuts=Cuts(decidable=30)).decidable_atoms == (30, 1000)


def test_whole_or_box(rng):
    common = Common(box_atoms=(30, 40), noise=IDEAL)
    crystal = named("fcc")
    whole = [common.whole_or_box(crystal, 1.0, SETTINGS, np.random.default_rng(k)) for k in range(4)]
    reference = [common.whole(crystal, SETTINGS, drawn_once(k)) for k in range(4)]
    assert np.array_equal(whole, reference)
    boxes = [common.whole_or_box(crystal, 0.0, SETTINGS, np.random.default_rng(k)) for k in range(4)]
    assert np.array_equal(boxes[0], common.box(crystal.unit, SETTINGS, drawn_once(0), atoms=(60, 40)))
    assert not np.array_equal(boxes, whole)


def drawn_once(seed):
    """A generator of which one number is used up."""
    rng = np.random.default_rng(seed)
    rng.random()
    return rng


def test_other_noise_than_the_common_one():
    common = Common(box_atoms=(60, 80), noise=Noise(ideal=0.0))
    crystal = named("fcc")
    calm, usual = (common.whole(crystal, SETTINGS, np.random.default_rng(0), n) for n in (IDEAL, None))
    assert np.array_equal(usual, common.whole(crystal, SETTINGS, np.random.default_rng(0), common.noise))
    assert not np.array_equal(calm, usual)


@pytest.mark.parametrize(
    "bad",
    [
        {"edges": (1.1, 0.9)},
        {"atoms": 0},
        {"turned": 1.5},
        {"widest": 0.5},
        {"species_atoms": 0},
        {"index": 0},
    ],
)
def test_bad_cuts(bad):
    with pytest.raises(InputError, match=f"`{next(iter(bad))}` must be"):
        Cuts(**bad)
