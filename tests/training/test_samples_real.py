"""Samples of what real crystals are like: impure, mixed, cut, strained, hot, small, beside another; and relatives."""

import dataclasses

import numpy as np
import pytest

from arise_core.crystals.crystal import prototype_crystals, selected
from arise_core.crystals.naming import DISORDERED, UNKNOWN
from arise_core.errors import InputError
from arise_core.geometry import builders
from arise_core.geometry.neighbors import PairFinder
from arise_core.geometry.structure import Structure
from arise_core.settings import DescriptorSettings
from arise_core.training.samples import (
    elastic,
    few_atoms,
    gas,
    hot,
    impurities,
    interfaces,
    ionic,
    relatives,
    slabs,
    solutions,
)
from arise_core.training.samples.common import Common, Strains
from arise_core.training.samples.cuts import EMPTY
from arise_core.training.samples.kind import Task
from arise_core.training.samples.kinds import kinds
from arise_core.training.samples.mixture import PerturbedSamples
from arise_core.training.samples.noise import Noise

SETTINGS = DescriptorSettings.weighted()
STILL = Noise(uniform=0, gaussian=0, strain=0, missing=0, ideal=1.0)
OF_CLASS = ("impurities", "solutions", "slabs", "elastic", "few_atoms", "interfaces", "hot")


def named(name):
    (crystal,) = selected([name])
    return crystal


def task_of(kind, known=None, common=None, **own):
    settings = dataclasses.replace(kinds()[kind].settings, **own)
    return Task(
        known=known or prototype_crystals(), common=common or Common(), own=settings, descriptor=SETTINGS
    )


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("impurities", {"fcc": 5, "rock salt": 1, "graphene": None, "nanotube (5,3)": None}),
        ("solutions", {"fcc": 5, "rock salt": 1, "graphene": None}),
        (
            "slabs",
            {
                "fcc": 5,
                "rock salt": 1,
                "beta-Np": 1,
                "graphene": None,
                "orthorhombic halide perovskite": None,
            },
        ),
        *[
            (kind, {"fcc": 5, "sc": 0 if kind in ("few_atoms", "hot") else 2, "bcc": None, "graphene": None})
            for kind in OF_CLASS[3:]
        ],
    ],
)
def test_crystals_that_kinds_apply_to(kind, expected):
    common = Common(box_factors={named("fcc").label: 5, named("sc").label: 2, named("graphene").label: 2})
    known = kinds()[kind]
    assert {name: known.times(named(name), common, known.settings) for name in expected} == expected


@pytest.mark.parametrize("kind", OF_CLASS)
@pytest.mark.parametrize("name", ["fcc", "L1_2"])
def test_samples_have_the_label_of_the_crystal_and_hang_on_the_seed(kind, name):
    task = task_of(kind, common=Common(box_factors={named("fcc").label: 2, named("bcc").label: 2}))
    made = [kinds()[kind].make(named(name), task, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert {label for _, label in made} == {named(name).label}
    assert np.isfinite(made[0][0]).all()
    assert np.array_equal(made[0][0], made[1][0])
    assert not np.array_equal(made[0][0], made[2][0])


# --- foreign atoms ----------------------------------------------------------------------------------------------------


def contaminated(own, seeds=range(60)):
    """Shares of foreign atoms on sites and of filled holes an atom, of a block of copper."""
    host = named("fcc").unit
    _, kinds_of_holes = impurities.holes_of(named("fcc"))
    out = []
    for seed in seeds:
        decorate, chosen = impurities.contaminated(own, host, kinds_of_holes, np.random.default_rng(seed))
        numbers = np.append(host.numbers, np.full(chosen.sum(), EMPTY))
        block = np.tile(numbers, 4000)
        after = decorate(np.zeros((len(block), 3)), block)
        atoms, holes = block == 29, block == EMPTY
        out.append(((after[atoms] != 29).mean(), (after[holes] != EMPTY).sum() / atoms.sum()))
    return np.array(out).T


def test_shares_of_foreign_atoms():
    own = impurities.Impurities(on_sites=(0.01, 0.1), between=(0.02, 0.05))
    on_sites, between = contaminated(own)
    assert 0.3 < ((on_sites > 0) & (between == 0)).mean() < 0.7
    assert 0.2 < ((on_sites == 0) & (between > 0)).mean() < 0.6
    assert ((on_sites > 0) & (between > 0)).any()
    assert on_sites[on_sites > 0].min() > 0.005
    assert 0.05 < on_sites.max() < 0.11
    assert between[between > 0].min() > 0.014
    assert 0.03 < between.max() < 0.06


def test_whole_impure_structures_have_no_empty_places_left(monkeypatch):
    seen = []
    monkeypatch.setattr(impurities, "describe", lambda s, settings: seen.append(s) or np.zeros(3))
    task = task_of("impurities", whole=1.0, sites=0.0, interstitials=1.0, between=(0.05, 0.05))
    for seed in range(8):
        impurities.IMPURITIES.make(named("bcc"), task, np.random.default_rng(seed))
    assert all((s.numbers != EMPTY).all() for s in seen)
    assert np.mean([(s.numbers != 74).mean() for s in seen]) == pytest.approx(0.05, abs=0.02)
    assert min(len(s) for s in seen) > 40


def test_solutions_mix_the_sites_of_one_species(rng):
    salt = builders.repeat(named("rock salt").unit, (8, 8, 8))
    own = solutions.Solutions(elements=(4,), more=0.0, least=0.1)
    for seed in range(10):
        decorate = solutions.dissolved(own, salt.species, np.random.default_rng(seed))
        after = decorate(salt.positions, salt.numbers)
        mixed = [s for s in salt.species if (after[salt.numbers == s] != s).all()]
        assert len(mixed) == 1
        chosen = salt.numbers == mixed[0]
        assert len(np.unique(after[chosen])) == 4
        assert np.array_equal(after[~chosen], salt.numbers[~chosen])
        assert not set(after[chosen]) & set(after[~chosen])
    both = solutions.dissolved(dataclasses.replace(own, more=1.0), salt.species, rng)
    assert not set(both(salt.positions, salt.numbers)) & set(salt.numbers)


def test_slabs_are_clean_or_have_foreign_atoms_at_their_surface():
    own = slabs.Slabs(clean=0.4, foreign=(1, 3))
    made = [slabs.covered_slab(named("fcc").unit, own, np.random.default_rng(k)) for k in range(30)]
    foreign = np.array([(s.numbers != 29).sum() for s in made])
    assert 0.2 < (foreign == 0).mean() < 0.6
    assert foreign.max() <= 3
    assert all(own.atoms[0] <= len(s) <= own.atoms[1] + 3 for s in made)
    assert all(s.pbc.tolist() == [True, True, False] for s in made)


# --- strain -----------------------------------------------------------------------------------------------------------


def test_deformations_stay_within_their_ranges(rng):
    plain = elastic.Elastic(sheared=0, film=0)
    for own, most in (
        (plain, 0.061),
        (elastic.Elastic(sheared=1, film=0), 0.066),
        (elastic.Elastic(sheared=0, film=1), 0.075),
    ):
        sizes = [np.abs(elastic.random_deformation(own, rng) - np.eye(3)).max() for _ in range(300)]
        assert 0.6 * most < max(sizes) <= most
    shear = [
        np.linalg.det(elastic.random_deformation(elastic.Elastic(sheared=1, film=0), rng)) for _ in range(20)
    ]
    assert np.allclose(shear, 1)
    kept = dataclasses.replace(plain, across=(0.5, 0.5))
    assert np.allclose(
        [np.linalg.det(elastic.random_deformation(kept, rng)) for _ in range(50)], 1, atol=3e-3
    )


def test_what_is_strained_into_another_class_is_not_taken(rng):
    """fcc with the c / a of indium is indium."""
    fcc, indium = named("fcc"), named("In (bct)")
    own = elastic.Elastic(along=(0.0494, 0.0494), across=(0.5, 0.5), sheared=0, film=0, axes=1, largest=1)
    seen = []
    for seed in range(40):
        try_ = dataclasses.replace(own, along=(0.03, 0.055))
        seen.append(elastic.strained(fcc, (fcc, indium), try_, SETTINGS, np.random.default_rng(seed)).unit)
    reference = elastic.descriptors((fcc, indium), SETTINGS)[1]
    apart = [
        np.linalg.norm(elastic.descriptors((dataclasses.replace(fcc, unit=u),), SETTINGS)[0] - reference)
        for u in seen
    ]
    assert min(apart) >= own.apart
    assert min(apart) < 3 * own.apart  # up to there it is


def test_classes_that_are_strained_copies_have_less_strain_in_their_noise():
    label = named("In (bct)").label
    common = Common(strains=Strains(random={label: 0.002}))
    assert common.of_class(label).noise.strain == 0.002
    assert common.of_class(named("fcc").label) is common
    with pytest.raises(InputError, match=r"`strains.random` names unknown classes: \['indium'\]"):
        PerturbedSamples(strains=Strains(random={"indium": 0.1}))
    with pytest.raises(InputError, match="`random` must be numbers from 0 by label"):
        Strains(random={label: -0.1})


# --- small, hot, beside another ---------------------------------------------------------------------------------------


def test_number_of_atoms_of_small_and_hot_boxes(monkeypatch):
    seen = []
    monkeypatch.setattr(
        Common,
        "box",
        lambda self, unit, settings, rng, *, atoms, noise: seen.append((atoms, noise)) or np.zeros(3),
    )
    few_atoms.FEW_ATOMS.make(named("fcc"), task_of("few_atoms", open=0.0), np.random.default_rng(0))
    hot.HOT.make(named("fcc"), task_of("hot", whole=0.0), np.random.default_rng(0))
    assert seen == [(s.atoms, s.noise) for s in (few_atoms.FewAtoms(), hot.Hot())]
    pieces = []
    monkeypatch.setattr(few_atoms, "describe", lambda s, settings: pieces.append(s) or np.zeros(3))
    for seed in range(20):
        few_atoms.FEW_ATOMS.make(
            named("fcc"), task_of("few_atoms", open=1.0, noise=STILL), np.random.default_rng(seed)
        )
    assert all(12 <= len(s) <= 60 and not s.pbc.any() for s in pieces)


def test_small_disordered_boxes(monkeypatch):
    seen = []
    known = few_atoms.disordered_structure

    def look(own, atoms, rng):
        seen.append(atoms)
        return known(own, atoms, rng)

    monkeypatch.setattr(few_atoms, "disordered_structure", look)
    features, label = few_atoms.FEW_DISORDERED.make(task_of("few_disordered"), np.random.default_rng(0))
    assert (label, seen) == (DISORDERED, [(12, 60)])
    assert features.shape == (SETTINGS.n_features,)


def test_ions_of_equal_sign_keep_apart(rng):
    own = ionic.Ionic(pushes=(150, 150), unlike=(0.6, 0.6), filled=(0.4, 0.4), cations=(0.5, 0.5), kinds=(1,))
    melt = ionic.ionic_melt(own, 400, rng)
    a, b = melt.species
    unlike, like = (np.quantile(PairFinder(melt).nearest(*pair), 0.05) for pair in ((a, b), (a, a)))
    assert unlike < 0.75 * like
    features, label = ionic.IONIC.make(task_of("ionic", atoms=(20, 40)), rng)
    assert label == DISORDERED
    assert np.isfinite(features).all()


def test_atoms_of_a_gas_do_not_keep_apart(monkeypatch):
    seen = []
    monkeypatch.setattr(gas, "disordered_sample", lambda task, whole, *a: seen.append(whole) or np.zeros(3))
    for seed in range(20):
        assert gas.GAS.make(task_of("gas", atoms=(200, 300)), np.random.default_rng(seed))[1] == DISORDERED
    for structure in seen[:1] + [s for s in seen if len(s) > 300]:
        distances = PairFinder(with_one_number(structure)).nearest(1, 1)
        assert distances.min() < 0.9 * np.median(distances)


def with_one_number(structure):
    return Structure(structure.positions, np.ones(len(structure), dtype=int), structure.cell, structure.pbc)


def test_the_larger_crystal_of_an_interface_is_the_named_one(rng):
    own = interfaces.Interfaces()
    a, b = named("fcc").unit, named("bcc").unit
    scaled = interfaces._scaled(b, 2.556, np.full(1, 74))
    for larger in (0.6, 0.9):
        x, z = interfaces.bicrystal((a, scaled), np.full(3, 25.0), larger, own, rng)
        assert (z == 29).mean() == pytest.approx(larger, abs=0.06)
        assert builders.nearest_neighbour_distance(Structure(x, z)) > own.closest * 2.55


def test_two_grains_of_one_crystal(monkeypatch, rng):
    common = Common(box_factors={named("fcc").label: 1, named("rock salt").label: 1}, noise=STILL)
    seen = []
    monkeypatch.setattr(interfaces, "boxed", lambda s, *a: seen.append(len(s.species)) or np.zeros(3))
    for seed in range(12):
        interfaces.INTERFACES.make(
            named("fcc"), task_of("interfaces", common=common, same=1.0), np.random.default_rng(seed)
        )
    assert set(seen) == {1}
    for seed in range(12):
        task = task_of("interfaces", common=common, same=0.0, same_elements=0.0)
        interfaces.INTERFACES.make(named("rock salt"), task, np.random.default_rng(seed))
    assert max(seen) > 1


# --- relatives --------------------------------------------------------------------------------------------------------


def test_relatives_are_no_class():
    own, strains = relatives.Relatives(), Strains()
    known = prototype_crystals()
    prints = np.array([c.fingerprint for c in known])
    found = [relatives.relative(known, own, strains, np.random.default_rng(k)) for k in range(12)]
    nearest = [np.linalg.norm(prints - relatives.fingerprint(s), axis=1).min() for s in found]
    assert min(nearest) >= own.unlike[0]
    assert {len(s.species) for s in found} >= {2}
    assert all(builders.nearest_neighbour_distance(s) > 1 for s in found)
    features, label = relatives.RELATIVES.make(task_of("relatives"), np.random.default_rng(0))
    assert label == UNKNOWN
    assert np.isfinite(features).all()


def test_superlattice_of_fcc_that_is_l10_of_another_c_to_a_is_no_relative():
    """Of two atoms a period: layers of fcc along [001] are L1_0 of c / a = 1, further from CuAu than `unlike`."""
    own = relatives.Relatives(polytypes=0.0, atoms=4, empty=0.0, species=(2,))
    known = selected(["fcc", "L1_0"])
    cubic = builders.stretched(named("L1_0").unit, np.array([0.0, 0.0, 1.0]), 1 / 0.926 - 1)
    own_print = relatives.fingerprint(cubic)
    assert np.linalg.norm(named("L1_0").fingerprint - own_print) > own.unlike[1]
    drawn = [relatives.superlattice(named("fcc").unit, own, np.random.default_rng(k)) for k in range(20)]
    is_l10 = [np.linalg.norm(own_print - relatives.fingerprint(s)) < 0.01 for s in drawn]
    assert any(is_l10)
    found = [relatives.relative(known, own, Strains(), np.random.default_rng(k)) for k in range(20)]
    away = [np.linalg.norm(own_print - relatives.fingerprint(s)) for s in found]
    assert min(away) > 0.02


def test_parents_of_relatives_are_drawn_as_often_as_the_recipe_says():
    known = selected(["bcc", "sc"])
    own = relatives.Relatives(polytypes=0.0, empty=0.0, species=(2,), atoms=8, parents={known[0].label: 1000})
    found_on = []
    for k in range(20):
        found = relatives.relative(known, own, Strains(), np.random.default_rng(k))
        one = Structure(found.positions, np.ones(len(found), dtype=int), found.cell, found.pbc)
        d = [np.linalg.norm(c.fingerprint - relatives.fingerprint(one)) for c in known]
        found_on.append(known[int(np.argmin(d))].label)
    assert found_on == 20 * [known[0].label]


@pytest.mark.parametrize(
    ("parents", "message"),
    [
        ({"iron": 2}, r"`parents` names unknown classes: \['iron'\]"),
        ({"bcc_W_A_cI2_229_a": 0}, "`parents` must be numbers from 1 by label"),
    ],
)
def test_parents_of_relatives_are_checked(parents, message):
    with pytest.raises(InputError, match=message):
        relatives.Relatives(parents=parents)


def test_polytypes_have_four_neighbours_and_another_stacking(rng):
    own = relatives.Relatives()
    for _ in range(10):
        found = relatives.polytype(own, rng)
        d = builders.nearest_neighbour_distance(found)
        same = Structure(found.positions, np.ones(len(found), dtype=int), found.cell, found.pbc)
        assert sum(len(v) for v in PairFinder(same).vectors(1, 1, 1.1 * d)) == 2 * len(found)
        assert (PairFinder(found).nearest(*found.species) < 1.1 * d).all()


def test_without_a_class_of_a_small_period_there_are_polytypes():
    known = selected(["graphene", "orthorhombic halide perovskite"])
    found = relatives.relative(known, relatives.Relatives(polytypes=0.0), Strains(), np.random.default_rng(0))
    d = builders.nearest_neighbour_distance(found)
    assert (PairFinder(found).nearest(*found.species) < 1.1 * d).all()


def test_hard_cores_are_where_the_recipe_has_them():
    assert (Noise().cores, hot.Hot().noise.cores > 0, few_atoms.FewAtoms().noise.cores > 0) == (
        0.0,
        True,
        True,
    )
