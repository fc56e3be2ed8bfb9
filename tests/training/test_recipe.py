"""Recipes: what is read and written, tables in tables, bad keys and values, the files that ship."""

import dataclasses
import json

import pytest

import arise_core as arise
from arise_core.crystals.table import prototypes
from arise_core.runtime.files import zoo_root
from arise_core.training.recipe import parse_recipe, read_recipe, to_toml
from arise_core.training.samples.alloys import Alloys
from arise_core.training.samples.kinds import kinds
from arise_core.training.samples.mixture import PerturbedSamples
from arise_core.training.samples.noise import Noise
from tests.training.test_training import SMALL, small

#: Numbers of distributions, as tables of `[samples]`.
DETAILS = {
    "kind": "perturbed",
    "noise": {"independent": 0.1, "uniform": 0.2},
    "structures": {"periodic": 0.5, "open": 0.5, "pieces": 0, "piece": {"atoms": [50, 60]}},
    "cuts": {"edges": [1, 1], "turned": 1.0, "upright": 0},
    "strains": {"along_c": {"L10_CuAu": [0.0, 0.1]}},
    "settings": {
        "alloys": {"elements": [2], "whole": 1},
        "unknown": {"elements": [1.0], "distance": [0.1], "noise": {"ideal": 0.0}, "cell": {"long": 0.5}},
        "disorder": {"packing": {"steps": [1, 2]}},
    },
}


def with_samples(**samples):
    return small(samples={**SMALL["samples"], **samples})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": ""}, "`name` of a recipe"),
        ({"descriptor": "soap"}, "must be one of"),
        ({"samples": {}}, "`samples.kind` must be one of"),
        ({"samples": "paper"}, "`samples` must be a table, got 'paper'"),
        ({"samples": {"kind": "paper", "rcut": [3]}}, "unknown key `samples.rcut`"),
        ({"samples": {"kind": "perturbed", "boxes": 1.5}}, "`samples.boxes` must be of type int, got 1.5"),
        ({"samples": {"kind": "perturbed", "boxes": -1}}, "`boxes` must be at least 0, got -1"),
        ({"samples": {"kind": "perturbed", "boxs": 1}}, "unknown key `samples.boxs`; known are .*'boxes'"),
        ({"samples": {"kind": "perturbed", "noise": {"size": 1}}}, "unknown key `samples.noise.size`"),
        ({"samples": {"kind": "perturbed", "noise": {"waves": 2}}}, r"`waves` must be in \[0, 1\], got 2"),
        ({"samples": {"kind": "perturbed", "noise": 1}}, "`samples.noise` must be a table, got 1"),
        ({"samples": {"kind": "perturbed", "box_factors": {"foo": 2}}}, r"unknown classes: \['foo'\]"),
        (
            {"samples": {"kind": "perturbed", "box_factors": {"CsCl": 2.5}}},
            "`samples.box_factors.CsCl` must be",
        ),
        ({"samples": {"kind": "perturbed", "box_atoms": [20]}}, "`samples.box_atoms` must be a list of 2"),
        (
            {"samples": {"kind": "perturbed", "box_atoms": [90, 20]}},
            "`box_atoms` must be a range, the smaller",
        ),
        (
            {"samples": {"kind": "perturbed", "settings": {"alloy": {}}}},
            "unknown key `samples.settings.alloy`",
        ),
        (
            {"samples": {"kind": "perturbed", "settings": {"alloys": {"whole_": 1}}}},
            "unknown key `samples.settings.alloys.whole_`",
        ),
        (
            {"samples": {"kind": "perturbed", "settings": {"unknown": {"elements": [0.5, 0.4, 0.2]}}}},
            r"\[samples.settings.unknown\] `elements` must be probabilities that add up to 1",
        ),
        (
            {"samples": {"kind": "perturbed", "settings": {"unknown": {"elements": [1]}}}},
            "`distance` must be as many numbers as `elements`",
        ),
        ({"samples": {"kind": "perturbed", "structures": {"open": 0.5}}}, "must add up to 1"),
        ({"samples": {"kind": "perturbed", "cuts": {"turned": 0.9}}}, "must add up to 1 at most"),
        ({"samples": {"kind": "perturbed", "strains": {"along_c": {"CsCl": [1, 0]}}}}, "ranges of strain"),
        ({"samples": {"kind": "paper"}}, "needs disordered samples"),
        ({"further": 1}, "`further` must be a table, got 1"),
        (
            {"further": {"samples": {"whole": 1}}},
            r"needs disordered samples \(`further.samples.disorder` > 0\)",
        ),
        ({"further": {"samples": {"disorder": 9, "boxs": 1}}}, "unknown key `further.samples.boxs`"),
        (
            {"further": {"samples": {"disorder": 1.5}}},
            "`further.samples.disorder` must be of type int, got 1.5",
        ),
        (
            {"further": {"samples": {"disorder": 9, "kind": "paper"}}},
            "unknown key `further.samples.kind`",
        ),
        ({"further": {"samples": {"disorder": 9}, "members": 0}}, "`members` must be at least 1, got 0"),
        ({"fit": {"share": 0}}, "`share` must be above 0, got 0"),
        ({"further": {"passes": 1}}, "unknown key `further.passes`"),
        ({"further": {"fit": {"epochs": 0}}}, "`epochs` and `batch_size` must be >= 1"),
        ({"samples": {"kind": "paper"}, "network": {}, "further": {}}, "`further` needs samples of the kind"),
        ({"samples": {"kind": "perturbed", "disorder": 0}}, "needs disordered samples"),
        ({"network": {"dropout": 1.5}}, r"`dropout` must be in \[0, 1\)"),
        ({"network": {"inputs": "raw"}}, "`network.inputs` must be one of"),
        ({"network": {"hidden": []}}, "`hidden` must be positive"),
        ({"network": {"false_crystal_rate": 2}}, "`false_crystal_rate` must be in"),
        ({"fit": {"epochs": 0}}, "`epochs` and `batch_size`"),
        ({"fit": {"epochs": "many"}}, "`fit.epochs` must be of type int"),
        ({"fit": {"epochs": True}}, "`fit.epochs` must be of type int"),
        ({"fit": {"learning_rate": -1}}, "`learning_rate` must be positive"),
        ({"fit": {"weight_decay": -0.1}}, "`weight_decay` must be a number >= 0, got -0.1"),
        ({"fit": {"input_noise": float("nan")}}, "`input_noise` must be a number >= 0, got nan"),
        ({"fit": {"schedule": "steps"}}, "`fit.schedule` must be one of"),
        ({"fit": {"average": 1.5}}, r"\[fit\] `average` must be in \[0, 1\], got 1.5"),
        ({"fit": {"average_rate": 0.0}}, "`average_rate` must be positive, got 0.0"),
        ({"fit": {"average": 0.3}}, "`keep` must be 'last' where weights are averaged, got 'best'"),
        ({"classes": "fcc"}, "`classes` must be a list, got 'fcc'"),
        ({"extra": 1}, "unknown key `extra`"),
    ],
)
def test_bad_recipes(change, message):
    with pytest.raises(arise.errors.InputError, match=message):
        small(**change)


def test_recipe_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"recipe '.*none.toml' does not exist"):
        read_recipe(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("name = ")
    with pytest.raises(ValueError, match=r"bad.toml'"):
        read_recipe(tmp_path / "bad.toml")
    (tmp_path / "nameless.toml").write_text('[samples]\nkind = "paper"\n')
    with pytest.raises(ValueError, match="`name` is missing"):
        read_recipe(tmp_path / "nameless.toml")


def test_a_table_changes_what_it_names_and_nothing_else():
    recipe = with_samples(**DETAILS)
    samples, usual = recipe.samples, with_samples().samples
    assert samples.noise == Noise(independent=0.1, uniform=0.2)
    assert samples.structures.piece == dataclasses.replace(usual.structures.piece, atoms=(50, 60))
    assert samples.settings["alloys"] == Alloys(elements=(2,), whole=1)
    assert samples.settings["close_packed_alloys"] == Alloys()
    mild = usual.settings["unknown"].noise
    assert samples.settings["unknown"].noise == dataclasses.replace(
        mild, ideal=0.0
    )  # of that kind, not `Noise()`
    assert samples.settings["disorder"].packing.steps == (1, 2)
    assert samples.settings["disorder"].melt == usual.settings["disorder"].melt
    assert samples.strains.of("L10_CuAu") == (0.0, 0.1)
    assert (
        samples.strains.of("hcp_Mg_A_hP2_194_c") == samples.strains.usual
    )  # such a table is replaced as a whole
    assert (samples.counts, samples.box_atoms) == (usual.counts, usual.box_atoms)


@pytest.mark.parametrize("complete", [False, True])
@pytest.mark.parametrize("samples", [{}, DETAILS, {"box_factors": {"CsCl": 3}, "noise": {"missing": 0}}])
def test_recipes_survive_writing(samples, complete, tmp_path):
    recipe = with_samples(**samples)
    assert parse_recipe(recipe.to_dict(complete=complete)) == recipe
    (tmp_path / "recipe.toml").write_text(to_toml(recipe, complete=complete), encoding="utf-8")
    again = read_recipe(tmp_path / "recipe.toml")
    assert again == recipe
    assert again.digest() == recipe.digest()


#: Samples of a further training beside those of `DETAILS`.
MORE = {
    "disorder": 30,
    "box_factors": {"CsCl": 2},
    "noise": {"uniform": 0.3},
    "settings": {"alloys": {"whole": 0.5}, "hot": {"whole": 0.1}},
}


def test_further_samples_are_those_of_the_first_training_but_for_what_is_named():
    recipe = small(samples={**SMALL["samples"], **DETAILS}, further={"samples": MORE})
    first, second = recipe.samples, recipe.second()
    samples = second.samples
    assert {k: n for k, n in samples.counts.items() if n} == {"disorder": 30}
    assert (samples.pristine, samples.box_factors) == (0, {"CsCl": 2})
    assert samples.noise == dataclasses.replace(first.noise, uniform=0.3)
    assert samples.settings["alloys"] == dataclasses.replace(first.settings["alloys"], whole=0.5)
    assert samples.settings["hot"] == dataclasses.replace(kinds()["hot"].settings, whole=0.1)
    assert samples.settings["unknown"] == first.settings["unknown"]
    assert (samples.cuts, samples.strains) == (first.cuts, first.strains)
    assert (second.seed, second.fit) == (recipe.seed + 1, type(recipe.fit)())


@pytest.mark.parametrize("complete", [False, True])
def test_recipes_with_further_training_survive_writing(complete, tmp_path):
    further = {"samples": MORE, "fit": {"epochs": 2, "share": 0.5}, "members": 3}
    recipe = small(samples={**SMALL["samples"], **DETAILS}, further=further)
    (tmp_path / "recipe.toml").write_text(to_toml(recipe, complete=complete), encoding="utf-8")
    again = read_recipe(tmp_path / "recipe.toml")
    assert again == recipe
    assert again.digest() == recipe.digest() != small(further=further).digest()
    if not complete:
        assert again.to_dict()["further"]["samples"]["settings"] == MORE["settings"]


@pytest.mark.parametrize("name", ["arise-108", "arise-108-paper", "arise-108-ideal"])
@pytest.mark.parametrize("complete", [False, True])
def test_recipes_of_the_zoo_survive_writing(name, complete):
    recipe = read_recipe(zoo_root() / name / "recipe.toml")
    assert parse_recipe(recipe.to_dict(complete=complete)) == recipe


@pytest.mark.parametrize("name", ["𝛼-𝑇𝑖 🔬", 'a "quoted" \\ name', "line\nbreak", "Ω\x7f\u0001"])
def test_toml_of_any_name(name, tmp_path):
    recipe = small(name=name, description=name)
    (tmp_path / "recipe.toml").write_text(to_toml(recipe), encoding="utf-8", newline="")
    again = read_recipe(tmp_path / "recipe.toml")
    assert (again.name, again.description) == (name, name)


def test_details_are_written_where_they_differ():
    plain = with_samples(settings={"faults": {"layers": 40}}, cuts={"margin": 0.6}).to_dict()["samples"]
    assert plain["settings"] == {"faults": {"layers": 40}}
    assert not {"cuts", "structures", "strains"} & set(plain)
    assert "false_crystal_rate" not in small().to_dict()["network"]
    complete = small().to_dict(complete=True)
    assert complete["network"]["false_crystal_rate"] == 0.005
    assert complete["samples"]["cuts"]["decidable"] == 60
    assert set(complete["samples"]["settings"]) == {
        n for n, k in kinds().items() if dataclasses.fields(k.settings)
    }


@pytest.mark.parametrize("detail", [k for k in DETAILS if k != "kind"])
def test_digest_knows_every_detail(detail):
    assert with_samples(**{detail: DETAILS[detail]}).digest() != with_samples().digest()


def test_kinds_that_a_recipe_leaves_out_have_their_usual_number():
    samples = parse_recipe({"name": "a", "samples": {"kind": "perturbed", "boxes": 7}}).samples
    assert samples.counts == PerturbedSamples().counts | {"boxes": 7}
    assert samples.counts["whole"] == 150
    assert samples.counts["faults"] == 0


def docstring_names(cls):
    return {
        n.strip()
        for line in (cls.__doc__ or "").splitlines()
        if ": " in line
        for n in line.split(":")[0].split(",")
    }


def tables(settings):
    """A settings object and all that are in it."""
    yield settings
    for f in dataclasses.fields(settings):
        value = getattr(settings, f.name)
        if dataclasses.is_dataclass(value):
            yield from tables(value)


def test_every_number_has_a_line_of_documentation():
    found = [t for one in (PerturbedSamples(), *(k.settings for k in kinds().values())) for t in tables(one)]
    assert len({type(t) for t in found}) > 12
    for table in found:
        own = type(table).__annotations__
        assert set(own) <= docstring_names(type(table)), type(table)


# --- the models that ship ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", arise.known_models())
def test_cards_of_the_zoo(name):
    """Every model of the zoo: card inside and beside equal, hash right, recipe beside it, small enough."""
    model = arise.load_model(name)  # checks the hash
    folder = zoo_root() / name
    assert arise.load_model(folder).card == model.card
    assert json.loads((folder / "card.json").read_text()) == json.loads(model.card.to_json())
    assert model.name == name
    for file in ("model.safetensors", "model.pt"):
        assert arise.load_model(folder / file).card == model.card
        assert (folder / file).stat().st_size <= 3_000_000
    recipe = read_recipe(folder / "recipe.toml")
    written, noted = recipe.to_dict(), model.card.training["recipe"]
    for table in ("samples", "fit"):
        written[table] = {k: v for k, v in written[table].items() if v != 0 or k in noted[table]}
    assert noted == written  # kinds of samples and numbers that came later are 0
    assert parse_recipe(model.card.training["recipe"]) == recipe
    assert model.descriptor == recipe.settings
    assert [c.label for c in model.class_info] == [p.label for p in prototypes()]
    assert len({c.identifier for c in model.class_info}) == 108
    assert len({c.colour for c in model.class_info}) == 108
