"""Kinds of samples one by one: which crystals they apply to, labels, and that their numbers hold."""

import dataclasses

import numpy as np
import pytest

from arise_core.crystals.crystal import prototype_crystals, selected
from arise_core.crystals.naming import DISORDERED
from arise_core.descriptor.soap import describe
from arise_core.errors import InputError
from arise_core.geometry import builders
from arise_core.runtime.files import zoo_root
from arise_core.settings import DescriptorSettings
from arise_core.training.recipe import read_recipe
from arise_core.training.samples import alloys, axial
from arise_core.training.samples import disorder as disordered
from arise_core.training.samples.antisites import ANTISITES, shuffled
from arise_core.training.samples.axial import Axial
from arise_core.training.samples.common import Common, Strains
from arise_core.training.samples.defects import MILD, STRONG, DefectSamples
from arise_core.training.samples.disorder import Disorder, Packings
from arise_core.training.samples.faults import FAULTS, Faults
from arise_core.training.samples.kind import Task
from arise_core.training.samples.kinds import kinds
from arise_core.training.samples.mixture import PerturbedSamples
from arise_core.training.samples.ordering import LATTICE_OF, ORDERING, Ordering, partly_ordered
from arise_core.training.samples.paper import PaperSamples
from arise_core.training.samples.pristine import pristine_jobs, pristine_list

SETTINGS = DescriptorSettings.corrected()


def named(name):
    (crystal,) = selected([name])
    return crystal


def times(kind, name, common=None, own=None):
    """How many times as many samples a class gets of a kind."""
    return kinds()[kind].times(named(name), common or Common(), own or kinds()[kind].settings)


def only(kind, number, **other):
    return PerturbedSamples(pristine=0, **other).at_most({}, others=0).with_counts({kind: number})


def labels_of(samples, crystals=None):
    return [label for job in samples.jobs(SETTINGS, 0, crystals) for label in job.compute()[1]]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("whole", {"fcc": 1, "rock salt": 1, "graphene": 1, "nanotube (5,3)": 1}),
        ("boxes", {"fcc": 1, "rock salt": 1, "graphene": 1, "nanotube (5,3)": None}),
        ("alloys", {"fcc": None, "diamond": 1, "rock salt": None, "graphene": None}),
        ("close_packed_alloys", {"fcc": 1, "bcc": 1, "hcp": 1, "diamond": None, "L1_2": None}),
        ("antisites", {"fcc": None, "rock salt": 1, "L1_2": 1, "MoS2 monolayer": None}),
        ("ordering", {"L1_2": 1, "L1_0": 1, "CsCl": 1, "rock salt": None, "fcc": None}),
        ("faults", {"fcc": 1, "hcp": 1, "bcc": None, "dhcp": None}),
        ("axial", {"L1_0": 10, "hcp": 10, "rock salt": 1, "fcc": None, "MoS2 monolayer": None}),
    ],
)
def test_crystals_that_kinds_apply_to(kind, expected):
    assert {name: times(kind, name) for name in expected} == expected


def test_numbers_that_say_how_many():
    assert times("boxes", "fcc", Common(box_factors={named("fcc").label: 4})) == 4
    assert times("boxes", "fcc", Common(box_factors={named("fcc").label: 0})) == 0
    assert times("axial", "hcp", own=Axial(along_c_times=3)) == 3
    assert times("axial", "fcc", Common(strains=Strains(along_c={named("fcc").label: (0.0, 0.1)}))) == 10
    assert times("axial", "hcp", Common(strains=Strains(along_c={}))) is None


def test_faults_antisites_and_strain_keep_the_label():
    samples = PerturbedSamples(pristine=0).at_most({}, others=0)
    labels = labels_of(samples.with_counts({"antisites": 1, "axial": 1, "faults": 2}))
    compounds = [c.label for c in prototype_crystals() if c.dimension == 3 and len(c.unit.species) > 1]
    others = ["fcc_Cu_A_cF4_225_a"] * 2 + ["hcp_Mg_A_hP2_194_c"] * (2 + 10) + ["L10_CuAu"] * 9
    assert sorted(labels) == sorted([*compounds, *compounds, *others])


# --- alloys and antisites -------------------------------------------------------------------------------------------


def box_of(monkeypatch, kind, name, common=None, own=None, n=60):
    """Numbers of a block of a crystal after the decorations of n samples; all boxes."""
    crystal, seen = named(name), []
    block = builders.repeat(crystal.unit, (6, 6, 6))
    common = common or Common()

    def look(self, unit, settings, rng, *, atoms=None, noise=None, decorate=None):
        seen.append(decorate(block.positions, block.numbers))
        return np.zeros(3)

    monkeypatch.setattr(Common, "box", look)
    task = Task(known=(crystal,), common=common, own=own or kind.settings, descriptor=SETTINGS)
    made = [kind.make(crystal, task, np.random.default_rng(k)) for k in range(n)]
    assert {label for _, label in made} == {crystal.label}
    return block.numbers, seen


def test_alloys_have_the_numbers_of_elements_that_the_settings_list(monkeypatch):
    own = alloys.Alloys(elements=(2, 2, 5), whole=0.0, least=0.2)
    _, made = box_of(monkeypatch, alloys.ALLOYS, "diamond", own=own)
    counts = [len(np.unique(m)) for m in made]
    assert set(counts) == {2, 5}
    assert 0.45 < np.mean(np.array(counts) == 2) < 0.9


def test_least_share_of_an_element(monkeypatch):
    def smallest(least):
        own = alloys.Alloys(elements=(3,), whole=0.0, least=least)
        _, made = box_of(monkeypatch, alloys.ALLOYS, "diamond", own=own)
        return min(np.unique(m, return_counts=True)[1].min() / len(m) for m in made)

    assert smallest(0.0) < 0.05
    assert smallest(0.3) > 0.15  # 0.3 over 1.6 at least


def test_whole_alloys_are_at_least_as_large_as_the_settings_say(monkeypatch):
    seen = []
    monkeypatch.setattr(alloys, "describe", lambda s, settings: seen.append(len(s)) or np.zeros(3))
    own = alloys.Alloys(whole=1.0, whole_atoms=400)
    structures = dataclasses.replace(Common().structures, periodic=1.0, open=0.0, pieces=0.0, sizes=1)
    common = Common(structures=structures, noise=dataclasses.replace(Common().noise, ideal=1.0))
    task = Task(known=(), common=common, own=own, descriptor=SETTINGS)
    alloys.ALLOYS.make(named("fcc"), task, np.random.default_rng(0))
    assert seen == [512]


def test_antisites_exchange_at_most_the_share_of_the_settings(monkeypatch):
    before, made = box_of(monkeypatch, ANTISITES, "rock salt")
    changed = [(m != before).mean() for m in made]
    assert all(np.array_equal(np.sort(m), np.sort(before)) for m in made)
    assert 0.03 < max(changed) < 0.15
    _, made = box_of(
        monkeypatch, ANTISITES, "rock salt", own=dataclasses.replace(ANTISITES.settings, most=0.0)
    )
    assert all(np.array_equal(m, before) for m in made)


def test_shuffled_atoms_stay_on_the_chosen_sites(rng):
    numbers = rng.integers(1, 5, 200)
    chosen = rng.random(200) < 0.5
    after = shuffled(numbers, chosen, rng)
    assert np.array_equal(after[~chosen], numbers[~chosen])
    assert np.array_equal(np.sort(after[chosen]), np.sort(numbers[chosen]))
    assert not np.array_equal(after, numbers)


# --- ordering -------------------------------------------------------------------------------------------------------


def decorated(own, has_lattice, name="L1_2", n=200):
    """Share of changed sites of each sample, whether it keeps its name, and the numbers."""
    block = builders.repeat(named(name).unit, (6, 6, 6))
    out = []
    for k in range(n):
        decorate, ordered = partly_ordered(own, has_lattice, np.random.default_rng(k))
        after = decorate(block.positions, block.numbers)
        assert set(after) <= set(block.numbers)
        out.append(((after != block.numbers).mean(), ordered, after))
    changed, ordered, numbers = zip(*out, strict=True)
    return np.array(changed), np.array(ordered), block, numbers


@pytest.mark.parametrize("name", ["L1_2", "CsCl", "L1_0"])
def test_partly_ordered_alloys_are_named_by_the_larger_part(name):
    changed, ordered, _, _ = decorated(Ordering(), True, name)
    assert 0.5 < ordered.mean() < 0.7
    assert changed[ordered].max() < 0.45
    assert changed[~ordered].min() > 0.1
    assert np.median(changed[~ordered]) > 2 * np.median(changed[ordered])
    _, ordered, _, _ = decorated(Ordering(), False, name, 20)
    assert ordered.all()


def test_random_sites_beyond_a_plane_or_everywhere():
    own = Ordering(alloy_in_ordered=(0.4, 0.4), ordered=1.0, same=1.0)
    for scattered in (0.0, 1.0):
        _, _, block, numbers = decorated(dataclasses.replace(own, scattered=scattered), True, n=12)
        middle = block.positions.mean(axis=0)
        off = [np.linalg.norm(block.positions[m != block.numbers].mean(axis=0) - middle) for m in numbers]
        size = np.ptp(block.positions, axis=0).max()
        assert (np.median(off) > 0.15 * size) == (scattered == 0.0)


def test_composition_of_the_random_sites():
    keep = Ordering(alloy_in_lattice=(1.0, 1.0), ordered=0.0, same=1.0)
    _, _, block, numbers = decorated(keep, True, n=12)
    assert all(np.array_equal(np.sort(m), np.sort(block.numbers)) for m in numbers)
    other = Ordering(alloy_in_lattice=(1.0, 1.0), ordered=0.0, same=0.0, minority=(0.1, 0.2))
    _, _, block, numbers = decorated(other, True, n=40)
    first = np.array([(m == block.numbers.min()).mean() for m in numbers])
    assert first.min() > 0.06
    assert first.max() < 0.26


@pytest.mark.parametrize("label", LATTICE_OF)
def test_names_of_partly_ordered_alloys(label, monkeypatch):
    monkeypatch.setattr(Common, "box", lambda *a, **k: np.zeros(3))
    (crystal,) = (c for c in prototype_crystals() if c.label == label)

    def names(known):
        task = Task(known=known, common=Common(), own=Ordering(), descriptor=SETTINGS)
        return {ORDERING.make(crystal, task, np.random.default_rng(k))[1] for k in range(40)}

    assert names([crystal]) == {label}  # the lattice is no class of this model
    assert names(prototype_crystals()) == {label, LATTICE_OF[label] or label}


# --- faults and strain ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fcc", "hcp"])
def test_layers_of_faulted_crystals(name, monkeypatch):
    seen = []
    monkeypatch.setattr(
        Common, "box", lambda self, unit, *a, atoms, **k: seen.append((len(unit), atoms)) or np.zeros(3)
    )
    task = Task(known=(), common=Common(), own=Faults(layers=50), descriptor=SETTINGS)
    made = [FAULTS.make(named(name), task, np.random.default_rng(k)) for k in range(10)]
    assert {label for _, label in made} == {named(name).label}
    assert min(n for n, _ in seen) >= 50
    assert {atoms for _, atoms in seen} == {Common().decidable_atoms}


def test_rate_of_faults(rng):
    def hexagonal(rate):
        steps = np.array(builders.faulted_layers(False, 3000, 2, rng, rate=rate))
        return (steps[1:] != steps[:-1]).mean()  # layers between opposite steps are hexagonal

    assert hexagonal(1.0) > hexagonal(0.25) > hexagonal(0.02) > 0
    assert np.array_equal(
        builders.faulted_layers(True, 60, 3, np.random.default_rng(0)),
        builders.faulted_layers(True, 60, 3, np.random.default_rng(0), rate=Faults().rate),
    )


@pytest.mark.parametrize(
    ("name", "low", "high"), [("L1_0", -0.07, 0.13), ("hcp", -0.05, 0.17), ("CsCl", -0.05, 0.05)]
)
def test_strain_stays_within_its_range(name, low, high, monkeypatch):
    seen = []

    def look(self, crystal, share, settings, rng, noise=None):
        seen.append(crystal.unit.complete_cell)
        return np.zeros(3)

    monkeypatch.setattr(Common, "whole_or_box", look)
    task = Task(known=(), common=Common(), own=Axial(), descriptor=SETTINGS)
    for k in range(60):
        axial.AXIAL.make(named(name), task, np.random.default_rng(k))
    strain = [np.linalg.det(cell) / np.linalg.det(named(name).unit.complete_cell) - 1 for cell in seen]
    assert low <= min(strain) < low + 0.02
    assert high - 0.02 < max(strain) <= high
    if name != "CsCl":  # along c alone
        assert np.allclose(np.array(seen)[:, :2], named(name).unit.complete_cell[:2], atol=1e-9)


# --- disorder ---------------------------------------------------------------------------------------------------------


def cubes(n=25, box_atoms=(40, 60), **changes):
    own = dataclasses.replace(Disorder(), **changes)
    return [disordered.disordered_structure(own, box_atoms, np.random.default_rng(k)) for k in range(n)]


def test_disorder_has_the_numbers_of_elements_that_the_settings_list():
    assert {len(s.species) for s, _ in cubes(packed=1.0)} == {1, 2, 3}
    assert {len(s.species) for s, _ in cubes(packed=1.0, elements=(4,), least=0.2)} == {4}


@pytest.mark.parametrize("packed", [0.0, 1.0])
def test_cubes_hold_more_atoms_than_the_box(packed):
    for structure, wanted in cubes(8, packed=packed, more=2.0, extra=10):
        assert 40 <= wanted <= 60
        expected = 2 * wanted + 10
        assert abs(len(structure) - expected) <= (0 if packed else 0.25 * expected)
        assert structure.pbc.all()
        assert np.allclose(structure.cell, np.eye(3) * structure.cell[0, 0])


def test_density_of_packings():
    packing = Packings(density=(0.5, 0.5))
    for structure, _ in cubes(6, packed=1.0, elements=(1,), packing=packing):
        volume = np.linalg.det(structure.cell)
        assert np.isclose(len(structure) * np.pi / 6 / volume, 0.5)


def test_unlike_atoms_are_neighbours_where_the_settings_want_it():
    def unlike(alternating):
        packing = Packings(alternating=alternating, sweeps=(8, 8), diameters=(1.0, 1.0))
        shares = []
        for s, _ in cubes(8, packed=1.0, elements=(2,), least=0.5, packing=packing, displaced=(0.0, 0.0)):
            x = s.positions % s.cell[0, 0]
            v = x[:, None] - x[None]
            d = np.linalg.norm(v - s.cell[0, 0] * np.round(v / s.cell[0, 0]), axis=2) + 99 * np.eye(len(x))
            shares.append((s.numbers[d.argmin(axis=1)] != s.numbers).mean())
        return np.mean(shares)

    assert unlike(1.0) > unlike(0.0) + 0.15


def test_disordered_samples_and_their_label():
    samples = only("disorder", 3, box_atoms=(30, 60))
    (job,) = samples.jobs(SETTINGS, 0, selected(["fcc", "bcc"]))
    features, labels = job.compute()
    assert labels == [DISORDERED] * 3
    assert np.isfinite(features).all()


# --- pristine, of the paper, defects ----------------------------------------------------------------------------------


def test_perturbed_pristine_samples_are_ideal():
    features, labels = PerturbedSamples(pristine=2).jobs(SETTINGS, 0)[5].compute()
    label, structure = pristine_list()[5]
    assert labels == [label, label]
    assert np.array_equal(features[1], describe(structure))
    assert list(pristine_jobs(prototype_crystals(), 0, SETTINGS)) == []


def test_paper_recipe_counts():
    """396 pristine structures, each under 11 cut-offs, 3 widths and 3 scale factors: 39,204 samples."""
    recipe = read_recipe(zoo_root() / "arise-108-paper" / "recipe.toml")
    assert len(pristine_list()) == 396
    jobs = recipe.samples.jobs(recipe.settings, recipe.seed)
    assert len(jobs) == 396
    assert sum(job.n_samples for job in jobs) == 39_204
    assert recipe.settings == DescriptorSettings.paper()
    assert (recipe.network.hidden, recipe.network.dropout) == ((256, 512, 256), 0.0317)
    assert (recipe.fit.epochs, recipe.fit.batch_size, recipe.fit.learning_rate) == (300, 64, 2.16e-4)


def test_paper_samples_are_descriptors_under_each_setting():
    recipe = read_recipe(zoo_root() / "arise-108-paper" / "recipe.toml")
    label, structure = pristine_list()[8]
    features, labels = recipe.samples.jobs(recipe.settings, 0)[8].compute()
    assert features.shape == (99, 315)
    assert set(labels) == {label}
    variants = recipe.samples.variants
    for k in (0, variants.index((4.0, 0.10, 1.0)), 98):
        r_cut, sigma, factor = variants[k]
        settings = dataclasses.replace(recipe.settings, r_cut=r_cut, sigma=sigma)
        if factor == 1.0:
            assert np.allclose(features[k], describe(structure, settings), atol=1e-12)
    assert len(np.unique(features.round(9), axis=0)) == 99


def test_paper_samples_of_own_crystals_and_few_variants():
    samples = PaperSamples(r_cut=(3.5, 4.5), sigma=(0.1,), scale_factors=(1.0,))
    jobs = samples.jobs(DescriptorSettings.paper(), 0, selected(["fcc", "nanotube (5,3)"]))
    assert [job.n_samples for job in jobs] == [2] * (4 + 1)


def test_defect_samples():
    crystals = selected(["fcc", "nanotube (5,3)"])
    samples = DefectSamples(levels=(MILD[0], STRONG[-1]), draws=2)
    jobs = samples.jobs(SETTINGS, 3, crystals)
    assert [job.n_samples for job in jobs] == [4, 4]
    features, labels = jobs[0].compute()
    assert labels == [crystals[0].label] * 4
    ideal, bad = features[:2], features[2:]
    reference = describe(crystals[0].unit)
    assert np.abs(ideal - reference).max() < np.abs(bad - reference).max()
    assert np.array_equal(features, samples.jobs(SETTINGS, 3, crystals)[0].compute()[0])
    assert not np.array_equal(bad, samples.jobs(SETTINGS, 4, crystals)[0].compute()[0][2:])


@pytest.mark.parametrize(
    ("settings", "bad"),
    [
        (alloys.Alloys, {"elements": ()}), (alloys.Alloys, {"concentration": 0}), (Faults, {"rate": 0}),
        (Ordering, {"minority": (0.6, 0.5)}), (Axial, {"along_c_times": -1}), (Disorder, {"more": 0.5}),
        (Packings, {"density": (0.0, 0.5)}),
    ],
)  # fmt: skip
def test_bad_numbers(settings, bad):
    with pytest.raises(InputError, match=f"`{next(iter(bad))}` must be"):
        settings(**bad)
