"""The mixture of samples and the registry of its kinds: order, seeds, counts, a kind that a test adds."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest

from arise_core.crystals.crystal import prototype_crystals, selected
from arise_core.errors import InputError
from arise_core.settings import DescriptorSettings
from arise_core.training.fields import Table, share
from arise_core.training.recipe import parse_recipe
from arise_core.training.samples import kinds as registry
from arise_core.training.samples.job import PER_JOB
from arise_core.training.samples.kind import OfClass, OfNone
from arise_core.training.samples.mixture import PerturbedSamples

SETTINGS = DescriptorSettings.corrected()
FEW = selected(["fcc", "hcp", "L1_2", "graphene"])
COUNTS = {
    "whole": 2, "boxes": 2, "alloys": 2, "close_packed_alloys": 2, "disorder": 2, "antisites": 2, "ordering": 2,
    "faults": 2, "axial": 1, "unknown": 1,
}  # fmt: skip


def mixture_of(counts=COUNTS, **other):
    return (
        PerturbedSamples(**{"pristine": 0, "box_atoms": (20, 60), **other})
        .at_most({}, others=0)
        .with_counts(counts)
    )


def sampled(samples, crystals=FEW, seed=0):
    """Features and labels of each job."""
    return [job.compute() for job in samples.jobs(SETTINGS, seed, crystals)]


def same(a, b):
    return len(a) == len(b) and all(
        np.array_equal(x, y) and m == n for (x, m), (y, n) in zip(a, b, strict=True)
    )


@pytest.fixture(scope="module")
def usual():
    return sampled(mixture_of())


def test_names_of_kinds_are_unique_and_no_other_keys():
    names = [kind.name for one_round in registry.ROUNDS for kind in one_round]
    assert len(set(names)) == len(names)
    assert not set(names) & {f.name for f in dataclasses.fields(PerturbedSamples)}


def test_kinds_of_no_class_are_alone_in_their_round():
    for one_round in registry.ROUNDS:
        assert len(one_round) == 1 or all(isinstance(kind, OfClass) for kind in one_round)


def test_every_kind_gives_as_many_samples_as_it_says(usual):
    jobs = mixture_of().jobs(SETTINGS, 0, FEW)
    assert [job.n_samples for job in jobs] == [len(labels) for _, labels in usual]
    assert all(f.shape == (len(labels), SETTINGS.n_features) for f, labels in usual)
    assert all(np.isfinite(f).all() for f, _ in usual)


@pytest.mark.parametrize("seed", [0, 7])
def test_a_job_hangs_on_the_seed_and_its_place_alone(usual, seed):
    """Computed alone, in another order and twice, a job gives the same; so workers and interrupts do not matter."""
    jobs = mixture_of().jobs(SETTINGS, seed, FEW)
    backwards = [job.compute() for job in reversed(jobs)][::-1]
    assert same(backwards, usual) == (seed == 0)
    again = mixture_of().jobs(SETTINGS, seed, FEW)[5].compute()
    assert same([again], [backwards[5]])


def test_samples_do_not_hang_on_how_many_there_are(usual):
    """More samples of a kind leave the first ones and all other kinds as they are."""
    more = sampled(mixture_of({**COUNTS, "boxes": 3}))
    changed = 0
    for (f, labels), (g, names) in zip(usual, more, strict=True):
        assert np.array_equal(f, g[: len(f)])
        changed += len(names) - len(labels)
    assert changed == len(FEW)


def test_kinds_without_samples_keep_their_place(usual):
    without = sampled(mixture_of({**COUNTS, "disorder": 0, "alloys": 0}))
    places = {features.tobytes() for features, _ in usual}
    assert len(without) == len(usual) - 1
    assert all(features.tobytes() in places for features, _ in without)


def test_jobs_hold_at_most_fifty_samples():
    jobs = mixture_of({"whole": 2 * PER_JOB + 20}).jobs(SETTINGS, 0, FEW[:1])
    assert [job.n_samples for job in jobs] == [PER_JOB, PER_JOB, 20]
    first, again = (mixture_of({"whole": n}).jobs(SETTINGS, 0, FEW[:1]) for n in (PER_JOB + 1, PER_JOB + 2))
    assert np.array_equal(first[1].compute()[0][0], again[1].compute()[0][0])


def test_counts_of_the_default_mixture():
    """Samples of all 108 prototypes, kind by kind, as the formula of each kind has it."""
    samples = PerturbedSamples()
    jobs = samples.jobs(SETTINGS, 0)
    counts = samples.counts
    n = prototype_crystals()
    elemental = [c for c in n if c.info.material_type == "bulk, elemental"]
    close = [c for c in elemental if c.info.name in ("fcc", "bcc", "hcp")]
    assert len(close) == 3
    assert sum(job.n_samples for job in jobs) == (
        4 * sum(c.n_pristine for c in n)
        + counts["whole"] * len(n)
        + counts["boxes"] * sum(c.dimension > 1 for c in n)
        + counts["alloys"] * (len(elemental) - 3)
        + counts["close_packed_alloys"] * 3
        + counts["disorder"]
    )


def test_box_factors_multiply_boxes_alone():
    factors = {"fcc_Cu_A_cF4_225_a": 3, "hcp_Mg_A_hP2_194_c": 0}
    plain, more = (mixture_of(box_factors=f).jobs(SETTINGS, 0, FEW) for f in ({}, factors))
    assert sum(j.n_samples for j in more) - sum(j.n_samples for j in plain) == 2 * 2 - 2


@pytest.mark.parametrize(
    ("change", "touched"),
    [
        ({"settings": {"close_packed_alloys": {"elements": [5]}}}, "close_packed_alloys"),
        ({"settings": {"antisites": {"most": 0.9}}}, "antisites"),
        ({"settings": {"ordering": {"scattered": 0.0, "alloy_in_ordered": [0.4, 0.4]}}}, "ordering"),
        ({"settings": {"faults": {"layers": 8, "distance": 1}}}, "faults"),
        ({"settings": {"axial": {"along_c": 0.0, "whole": 1.0}}}, "axial"),
        ({"settings": {"disorder": {"displaced": [0.3, 0.3]}}}, "disorder"),
        ({"settings": {"unknown": {"loosest": [1.0, 1.0], "symmetric": 0.0}}}, "unknown"),
        ({"structures": {"periodic": 0.0, "open": 1.0, "pieces": 0.0, "atoms": 30}}, "whole"),
    ],
)
def test_a_changed_number_changes_its_kind_and_nothing_else(usual, change, touched):
    counts = {
        **COUNTS,
        **({"close_packed_alloys": 0, "axial": 0, "unknown": 0} if "structures" in change else {}),
    }
    data = {"kind": "perturbed", "pristine": 0, "box_atoms": [20, 60], **counts, **change}
    samples = parse_recipe({"name": "a", "samples": data}).samples
    places = {features.tobytes() for features, _ in usual}
    new = [f for f, _ in sampled(samples) if f.tobytes() not in places]
    alone = [f.tobytes() for f, _ in sampled(samples.at_most({touched: 99}, others=0))]
    assert new
    assert {f.tobytes() for f in new} <= set(alone)


# --- a kind of one's own ----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Ones(Table):
    """Rows of one number.

    Args:
        value: the number.
    """

    value: float = share(0.5)


MINE = OfClass(
    name="ones", count=1, settings=Ones(), times=lambda c, common, own: 2 if c.dimension == 3 else None,
    make=lambda crystal, task, rng: (np.full(task.descriptor.n_features, task.own.value + rng.random()), crystal.label),
)  # fmt: skip
NONE = OfNone(
    name="zeros", settings=Ones(), make=lambda task, rng: (np.zeros(task.descriptor.n_features), "disordered")
)


@pytest.fixture
def added(monkeypatch):
    monkeypatch.setattr(registry, "ROUNDS", (*registry.ROUNDS, (MINE,), (NONE,)))


@pytest.mark.usefixtures("added")
def test_a_kind_can_be_added(usual):
    """It has its key and its table in the recipe, comes after all others and leaves them as they are."""
    data = {"kind": "perturbed", "pristine": 0, "box_atoms": [20, 60], **COUNTS, "ones": 3, "zeros": 1}
    recipe = parse_recipe({"name": "a", "samples": {**data, "settings": {"ones": {"value": 0.25}}}})
    assert parse_recipe(recipe.to_dict()) == recipe
    assert recipe.to_dict()["samples"]["settings"] == {"ones": {"value": 0.25}}
    made = sampled(recipe.samples)
    assert same(made[: len(usual)], usual)
    mine = made[len(usual) :]
    assert [labels for _, labels in mine] == [*([c.label] * 6 for c in FEW[:3]), ["disordered"]]
    values = np.concatenate([f[:, 0] for f, _ in mine[:3]])
    assert len(set(values)) == 18
    assert ((values >= 0.25) & (values < 1.25)).all()


@pytest.mark.usefixtures("added")
def test_an_added_kind_is_found_by_what_adds_classes():
    """Old classes are remembered by a few samples of it, and of new classes there is none without a class."""
    from arise_core.training.edit_classes import AddSettings, enough, reduced, unknown_only

    samples = mixture_of({**COUNTS, "ones": 100, "zeros": 100, "unknown": 5})
    few = reduced(samples, AddSettings(replay_alloys=40)).counts
    assert (few["ones"], few["zeros"], few["unknown"]) == (7, 7, 0)
    assert (
        enough(samples, AddSettings()).counts["ones"],
        enough(samples, AddSettings()).counts["zeros"],
    ) == (100, 0)
    assert unknown_only(samples, AddSettings()).counts == dict.fromkeys(samples.counts, 0) | {"unknown": 5}


def test_mixtures_from_bad_values():
    with pytest.raises(InputError, match="unknown key `counts.foo`"):
        PerturbedSamples(counts={"foo": 1})
    with pytest.raises(InputError, match="unknown key `settings.foo`"):
        PerturbedSamples(settings={"foo": Ones()})
    with pytest.raises(InputError, match="`settings` of 'alloys' must be Alloys"):
        PerturbedSamples(settings={"alloys": Ones()})
    with pytest.raises(InputError, match="unknown key `limits.foo`"):
        PerturbedSamples().at_most({"foo": 1})
    with pytest.raises(InputError, match="`whole` must be at least 0, got -1"):
        PerturbedSamples().with_counts({"whole": -1})


def test_at_most():
    samples = PerturbedSamples(counts={"whole": 10, "boxes": 20, "faults": 5})
    few = samples.at_most({"whole": 3, "pristine": 1, "boxes": 99}, others=2)
    assert (few.pristine, few.counts["whole"], few.counts["boxes"], few.counts["faults"]) == (1, 3, 20, 2)
    assert samples.at_most({"whole": 3}).counts == samples.counts | {"whole": 3}
    assert samples.at_most({}) == samples


def test_names_of_the_old_module_are_found_with_a_warning():
    from arise_core.training import samples

    for name, place in samples._MOVED.items():
        with pytest.warns(DeprecationWarning, match=f"samples.{name} is now in {place}"):
            assert getattr(samples, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'foo'"):
        _ = samples.foo
