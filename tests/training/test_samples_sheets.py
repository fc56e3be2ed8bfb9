"""Samples of layers with defects, and of tubes and cages that are no class."""

import dataclasses

import numpy as np
import pytest
from scipy.spatial import cKDTree

from arise_core.crystals.crystal import Crystal, prototype_crystals, selected
from arise_core.crystals.naming import DISORDERED, UNKNOWN
from arise_core.errors import InputError
from arise_core.geometry import builders
from arise_core.geometry import sheets as made_of
from arise_core.settings import DescriptorSettings
from arise_core.training.recipe import parse_recipe
from arise_core.training.samples import glassy_sheets, other_tubes, sheets
from arise_core.training.samples.common import Common
from arise_core.training.samples.kind import Task
from arise_core.training.samples.noise import Noise
from arise_core.training.samples.other_tubes import OTHER_TUBES, OtherTubes
from arise_core.training.samples.sheets import SHEETS, Defects, Flakes, Sheets

SETTINGS = DescriptorSettings.corrected()
STILL = Noise(ideal=1.0)
#: No noise and no edge from atom to atom.
PLAIN = Sheets(micrograph=0.0, noise=STILL)
ALL = {sheets.BOUNDARY, sheets.TURNED, sheets.HOLE, sheets.VACANCIES, sheets.DOPANTS, sheets.RIPPLES}


def unit(name):
    return selected([name])[0].unit


def wholes(own, name="graphene", n=20):
    return [sheets.whole_sheet(unit(name), own, np.random.default_rng(k)) for k in range(n)]


def task(own, known=()):
    return Task(known=known, common=Common(), own=own, descriptor=SETTINGS)


# --- sheets ---------------------------------------------------------------------------------------------------------


def test_layers_alone_have_them_and_some_more_often():
    times = {c.label: SHEETS.times(c, Common(), Sheets()) for c in prototype_crystals()}
    assert (times["C"], times["BN"], times["MoS2"], times["GaS"]) == (6, 5, 5, 1)
    assert {times[c.label] is None for c in prototype_crystals() if c.dimension != 2} == {True}
    assert SHEETS.times(selected(["graphene"])[0], Common(), Sheets(often={"C": 0})) == 0


@pytest.mark.parametrize("whole", [0.0, 1.0])
@pytest.mark.parametrize("name", ["graphene", "MoS2 monolayer", "PbA2I4 monolayer"])
def test_samples_of_sheets_are_named_by_their_class(name, whole):
    (crystal,) = selected([name])
    own = Sheets(whole=whole)
    made = [SHEETS.make(crystal, task(own), np.random.default_rng(k)) for k in (0, 0, 1)]
    assert {label for _, label in made} == {crystal.label}
    assert all(f.shape == (SETTINGS.n_features,) for f, _ in made)
    assert np.isfinite([f for f, _ in made]).all()
    assert np.array_equal(made[0][0], made[1][0])
    assert not np.array_equal(made[0][0], made[2][0])


def test_defects_that_layers_can_have():
    own = Sheets(defects=(6,))
    found = {
        name: sheets.random_defects(unit(name), own, np.random.default_rng(0))
        for name in ("graphene", "hexagonal BN monolayer", "MoS2 monolayer", "MoSSe monolayer")
    }
    assert found["graphene"] == found["hexagonal BN monolayer"] == ALL
    assert found["MoS2 monolayer"] == ALL - {sheets.TURNED}
    assert found["MoSSe monolayer"] == ALL - {sheets.TURNED, sheets.DOPANTS}
    counts = [
        len(sheets.random_defects(unit("graphene"), Sheets(defects=(0, 2)), np.random.default_rng(k)))
        for k in range(40)
    ]
    assert set(counts) == {0, 2}


def test_size_and_period_of_whole_sheets():
    own = dataclasses.replace(PLAIN, defects=(0,), flakes=Flakes(atoms=(100, 200), periods=2, periodic=0.5))
    found = wholes(own, n=60)
    assert 0.3 < np.mean([s.pbc.any() for s in found]) < 0.7
    flakes = [len(s) for s in found if not s.pbc.any()]
    assert 104 <= min(flakes) < 130
    assert 170 < max(flakes) <= 204
    for s in found:
        if s.pbc.any():
            assert s.pbc.tolist() == [True, True, False]
            assert np.bincount(made_of.bonds(s, 1.8).ravel()).tolist() == [3] * len(s)
            assert 60 < len(s) < 300


def only(defect, monkeypatch, own=PLAIN, name="graphene", n=12, **strength):
    monkeypatch.setattr(sheets, "random_defects", lambda *a: {defect})
    return wholes(dataclasses.replace(own, strength=Defects(**strength)), name, n)


def test_sheets_with_a_boundary_are_open(monkeypatch):
    """And no two atoms in them are closer than the numbers allow."""
    d = builders.nearest_neighbour_distance(unit("graphene"))
    own = dataclasses.replace(PLAIN, flakes=Flakes(periodic=1.0))
    for s in only(sheets.BOUNDARY, monkeypatch, own, closest=(0.8, 0.8), off_middle=(0.0, 0.0)):
        assert not s.pbc.any()
        v = s.positions[:, None] - s.positions
        distance = np.linalg.norm(v, axis=2) + 9 * np.eye(len(s))
        assert distance.min() >= 0.8 * d - 1e-9
        assert (distance.min(axis=1) < 0.999 * d).any() or (distance < 1.01 * d).sum(axis=1).min() < 3


def test_larger_part_of_a_box_is_on_one_side_of_the_boundary(monkeypatch):
    seen = []
    real = made_of.tilt_boundary

    def look(layer, half, angle, offset, closest, rng):
        seen.append((offset, angle, np.asarray(half)))
        return real(layer, half, angle, offset, closest, rng)

    monkeypatch.setattr(made_of, "tilt_boundary", look)
    monkeypatch.setattr(sheets, "random_defects", lambda *a: {sheets.BOUNDARY})
    edges = np.array([20.0, 24.0, 20.0])
    for k in range(30):
        sheets.sheet_around_box(unit("graphene"), edges, Sheets(), np.random.default_rng(k))
    offsets, angles, halves = (np.array(v) for v in zip(*seen, strict=True))
    assert offsets.min() >= 0.15 * 10
    assert offsets.max() <= 0.9 * 10
    assert angles.min() >= 3
    assert angles.max() <= 57
    d = builders.nearest_neighbour_distance(unit("graphene"))
    assert np.allclose(halves, edges[:2] / 2 + Sheets().around * d)


def test_numbers_of_the_defects_hold(monkeypatch):
    flakes = Flakes(atoms=(200, 200), periods=0, periodic=0.0)
    own = dataclasses.replace(PLAIN, flakes=flakes)
    assert {len(s) for s in only(sheets.VACANCIES, monkeypatch, own, vacancies=(0.1, 0.1))} == {180}
    assert {len(s) for s in only(sheets.HOLE, monkeypatch, own, hole=(0.2, 0.2))} == {160}
    foreign = only(sheets.DOPANTS, monkeypatch, own, dopants=(0.05, 0.05), foreign=(2,))
    assert {int((s.numbers != 6).sum()) for s in foreign} == {10}
    assert max(len(s.species) for s in foreign) == 3
    waves = only(sheets.RIPPLES, monkeypatch, own, amplitude=(0.5, 0.5), wavelength=(12, 12), waves=(1, 1))
    assert all(0.9 < np.ptp(s.positions[:, 2]) <= 1.0 for s in waves)
    turned = only(sheets.TURNED, monkeypatch, own, turned=(0.02, 0.02))
    plain = only("none", monkeypatch, own)
    assert all(np.ptp(s.positions[:, 2]) == 0 for s in turned)
    for s, t in zip(turned, plain, strict=True):
        assert len(s) == len(t) == 200
        moved = np.linalg.norm(s.positions - t.positions, axis=1)
        assert 4 <= (moved > 0.6).sum() <= 8


@pytest.mark.parametrize("name", ["graphene", "MoS2 monolayer"])
def test_micrographs_have_no_noise_out_of_plane(name):
    own = Sheets(micrograph=1.0, blur=(0.03, 0.03), unseen=(0.05, 0.05), defects=(0,))
    own = dataclasses.replace(own, flakes=Flakes(atoms=(300, 300), periods=0, periodic=0.0, rough=0.0))
    heights = np.unique(unit(name).positions[:, 2].round(6))
    for s in wholes(own, name, 5):
        assert len(s) == 285
        assert np.array_equal(np.unique(s.positions[:, 2].round(6)), heights)
        assert len(np.unique(s.positions[:, 0])) == 285


# --- tubes and cages ------------------------------------------------------------------------------------------------


def tubes(own, n=40, known=()):
    return [other_tubes.other_tube(known, own, np.random.default_rng(k)) for k in range(n)]


def test_samples_of_tubes_are_no_class():
    own = OtherTubes()
    made = [OTHER_TUBES.make(task(own, prototype_crystals()), np.random.default_rng(k)) for k in (0, 0, 1, 2)]
    assert {label for _, label in made} == {UNKNOWN}
    assert np.isfinite([f for f, _ in made]).all()
    assert np.array_equal(made[0][0], made[1][0])
    assert not np.array_equal(made[0][0], made[2][0])


def drawn(known, monkeypatch, n=1000):
    """Indices of the tubes that are built."""
    seen = []
    monkeypatch.setattr(made_of, "tube_piece", lambda n, m, *a, **k: seen.append((n, m)))
    tubes(OtherTubes(cages=0.0, double=0.0, periodic=0.0, nitride=0.0, indices=(3, 8)), n, known)
    return set(seen)


def test_tubes_of_the_classes_are_left_out(monkeypatch):
    classes = {(c.tube.n, c.tube.m) for c in prototype_crystals() if c.tube is not None}
    assert len(classes) == 12
    found = drawn(prototype_crystals(), monkeypatch)
    assert not found & classes
    everything = {(n, m) for n in range(3, 9) for m in range(n + 1)}
    assert found == everything - classes
    assert drawn(selected(["fcc", "nanotube (4,4)"]), monkeypatch) == everything - {(4, 4)}


def test_own_tubes_are_left_out_too(monkeypatch):
    """They have no indices: what counts is how similar they are, whatever their size and period."""
    (like,) = selected(["nanotube (6,1)"])
    mine = Crystal(info=like.info, unit=made_of.nanotube(5, 5, bond=2.5, periods=2))
    assert (5, 5) not in drawn([mine], monkeypatch)
    assert (6, 1) in drawn([mine], monkeypatch)


def test_numbers_of_the_tubes_hold():
    one = OtherTubes(cages=0.0, double=0.0, nitride=0.0, atoms=300, indices=(5, 12))
    found = tubes(one, 120)
    assert max(map(len, found)) <= 320
    assert {tuple(s.pbc.tolist()) for s in found} == {(False, False, True), (False,) * 3}
    radii = [np.linalg.norm(s.positions[:, :2], axis=1).mean() for s in found]
    assert min(radii) >= made_of.tube_radius(5, 0, other_tubes.BOND) - 1e-6
    assert max(radii) <= made_of.tube_radius(12, 12, other_tubes.BOND) + 1e-6
    assert {len(s.species) for s in tubes(dataclasses.replace(one, nitride=1.0), 10)} == {2}


def test_walls_of_double_tubes_are_a_gap_apart():
    for s in tubes(OtherTubes(cages=0.0, double=1.0, gap=(3.2, 3.4)), 10):
        radius = np.sort(np.linalg.norm(s.positions[:, :2], axis=1))
        steps = np.diff(radius)
        assert (steps > 0.01).sum() == 1
        assert 3.2 <= steps.max() <= 3.4
        assert not s.pbc.any()


def test_cages_have_three_neighbours_each():
    found = tubes(OtherTubes(cages=1.0, steps=(1, 3)), 30)
    assert {len(s) for s in found} == {20, 60, 80, 140, 180}
    for s in found:
        assert set(np.bincount(made_of.bonds(s, 1.3 * other_tubes.BOND).ravel())) == {3}


# --- recipes --------------------------------------------------------------------------------------------------------


def test_numbers_stand_in_recipes():
    samples = {
        "kind": "perturbed", "sheets": 3, "other_tubes": 2,
        "settings": {
            "sheets": {"often": {"C": 2}, "strength": {"angle": [10, 20]}, "flakes": {"atoms": [50, 60]}},
            "other_tubes": {"indices": [4, 9], "noise": {"uniform": 0.0}},
        },
    }  # fmt: skip
    recipe = parse_recipe({"name": "a", "samples": samples})
    own = recipe.samples.settings["sheets"]
    assert (own.often, own.strength.angle, own.flakes.atoms) == ({"C": 2}, (10, 20), (50, 60))
    assert recipe.samples.settings["other_tubes"].noise.gaussian == OtherTubes().noise.gaussian
    assert parse_recipe(recipe.to_dict()) == recipe
    crystals = selected(["graphene", "MoS2 monolayer", "fcc"])
    few = recipe.samples.at_most({"sheets": 3, "other_tubes": 2}, others=0)
    jobs = few.jobs(SETTINGS, 0, crystals)
    assert [j.n_samples for j in jobs if j.n_samples < 10] == [6, 3, 2]
    labels = [j.compute()[1] for j in jobs[-2:]]
    assert labels == [["MoS2"] * 3, [UNKNOWN] * 2]


@pytest.mark.parametrize(
    ("settings", "bad"),
    [
        (Sheets, {"often": {"C": -1}}), (Sheets, {"defects": ()}), (Defects, {"vacancies": (0.2, 0.1)}),
        (Flakes, {"aspect": 0.5}), (OtherTubes, {"steps": (0, 3)}), (OtherTubes, {"gap": (30.0, 30.1)}),
    ],
)  # fmt: skip
def test_bad_numbers(settings, bad):
    with pytest.raises(InputError, match=f"`{next(iter(bad))}` must be"):
        settings(**bad)


def second_neighbours(sheet):
    """Median over the atoms in the middle: how much the distances of the second neighbours scatter, over a bond."""
    x = sheet.positions - sheet.positions.mean(axis=0)
    middle = np.linalg.norm(x, axis=1) < 0.5 * np.linalg.norm(x, axis=1).max()
    return np.median(cKDTree(x).query(x[middle], 10)[0][:, 4:].std(axis=1)) / 1.42


def test_glassy_sheets_have_no_order_in_their_rings(monkeypatch):
    seen = []
    monkeypatch.setattr(sheets, "describe", lambda s, *_: seen.append(s) or np.zeros(3))
    monkeypatch.setattr(sheets, "boxed", lambda s, *_: seen.append(s) or np.zeros(3))
    own = glassy_sheets.GlassySheets(micrograph=0.0, noise=STILL, box_atoms=(80, 500))
    for seed in range(12):
        assert glassy_sheets.GLASSY_SHEETS.make(task(own), np.random.default_rng(seed))[1] == DISORDERED
    assert min(second_neighbours(s) for s in seen) > 0.07
    few = dataclasses.replace(own, strength=Defects(turned=(0.01, 0.01)))
    assert second_neighbours(sheets.whole_sheet(unit("graphene"), few, np.random.default_rng(0))) < 0.02


@pytest.mark.parametrize("whole", [0.0, 1.0])
def test_samples_of_glassy_sheets_are_disordered(whole):
    own = glassy_sheets.GlassySheets(whole=whole)
    features, label = glassy_sheets.GLASSY_SHEETS.make(task(own), np.random.default_rng(1))
    assert label == DISORDERED
    assert np.isfinite(features).all()
