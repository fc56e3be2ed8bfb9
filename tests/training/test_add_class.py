"""Own classes: read, standard form, equal ones refused, added, removed, trained alone; bad input before work."""

import json
import shutil
import sys
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, mx2, nanotube
from ase.spacegroup import crystal

import arise_core as arise
from arise_cli import main as cli
from arise_core.crystals.crystal import Crystal, from_plain, prototype_crystals, to_plain
from arise_core.crystals.naming import material_type, new_colour, new_identifier
from arise_core.crystals.standard import read_structure, standard_form
from arise_core.crystals.symmetry import symmetry
from arise_core.crystals.table import prototypes
from arise_core.descriptor.soap import describe
from arise_core.errors import InputError
from arise_core.geometry import builders
from arise_core.runtime import threads
from arise_core.runtime.files import zoo_root
from arise_core.training import calibration
from arise_core.training import edit_classes as extend
from arise_core.training.edit_classes import AddSettings, add_classes, crystals_of, remove_classes
from arise_core.training.folder import train_folder
from arise_core.training.own_crystals import SAME_DISTANCE, same_crystal
from arise_core.training.recipe import parse_recipe, read_recipe, recipe_of, to_toml
from arise_core.training.samples.mixture import PerturbedSamples
from arise_core.training.samples.paper import PaperSamples
from arise_core.training.samples.pristine import pristine_list
from arise_core.training.train import train

SMALL = parse_recipe(
    {
        "name": "six",
        "classes": ["fcc", "bcc", "hcp", "diamond", "rock salt", "wurtzite"],
        "samples": {
            "kind": "perturbed", "pristine": 2, "whole": 8, "boxes": 8, "alloys": 0,
            "close_packed_alloys": 4, "disorder": 24, "unknown": 24, "box_atoms": [36, 250],
            "noise": {"gaussian": 0.06, "uniform": 0.06, "missing": 0.1},
        },
        "network": {"hidden": [64, 64], "reject": True, "inputs": "whitened", "components": 60},
        "fit": {"epochs": 30, "batch_size": 16, "learning_rate": 3e-3, "schedule": "cosine", "keep": "last"},
    }
)  # fmt: skip
QUICK = AddSettings(
    replay_whole=4,
    replay_boxes=6,
    replay_alloys=4,
    replay_disorder=12,
    replay_unknown=12,
    near=4,
    epochs=25,
    learning_rate=2e-3,
    passes=30,
)
FLUORITE = crystal(
    ["Ca", "F"], [(0, 0, 0), (0.25, 0.25, 0.25)], spacegroup=225, cellpar=[5.46] * 3 + [90] * 3
)
RUTILE = crystal(
    ["Ti", "O"], [(0, 0, 0), (0.3053, 0.3053, 0)], spacegroup=136, cellpar=[4.594, 4.594, 2.959, 90, 90, 90]
)
CUPRITE = crystal(["Cu", "O"], [(0.25, 0.25, 0.25), (0, 0, 0)], spacegroup=224, cellpar=[4.27] * 3 + [90] * 3)


def structure(atoms: Atoms) -> arise.Structure:
    return arise.Structure(atoms.positions, atoms.numbers, atoms.cell[:], atoms.pbc)


@pytest.fixture(scope="module", autouse=True)
def one_process():
    """Small work is done here, not in worker processes."""
    threads.set_count(1)
    yield
    threads.set_count(None)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A model of six classes."""
    return train(SMALL, tmp_path_factory.mktemp("six") / "six")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    for name, atoms in (("fluorite", FLUORITE), ("rutile", RUTILE), ("cuprite", CUPRITE)):
        ase.io.write(folder / f"{name}.cif", atoms)
    return {name: folder / f"{name}.cif" for name in ("fluorite", "rutile", "cuprite")}


@pytest.fixture(scope="module")
def added(base, files, tmp_path_factory):
    """Fluorite and rutile added at once: model, report and folder."""
    out = tmp_path_factory.mktemp("added") / "eight"
    made = [files["fluorite"], files["rutile"]]
    return *add_classes(made, ["Fluorite", "rutile (TiO2)"], out, model=base.path, settings=QUICK), out


@pytest.fixture
def no_work(monkeypatch):
    """Sampling must not be reached."""

    def reached(*_):
        raise AssertionError("work was started")

    monkeypatch.setattr(extend, "collect_steps", reached)


# --- adding -----------------------------------------------------------------------------------------------


def test_further_training_averages_no_weights(base):
    """It is as short as it is, whatever the recipe of the model did at its end."""
    averaged = replace(SMALL, fit=replace(SMALL.fit, average=0.5))
    assert extend.fine_tuning(base, averaged, QUICK, "more").fit.average == 0


def test_added_classes_are_recognised(added):
    model = added[0]
    assert len(model.classes) == 8
    ceria = structure(bulk("CeO2", "fluorite", a=5.41))
    tin_oxide = structure(
        crystal(
            ["Sn", "O"],
            [(0, 0, 0), (0.306, 0.306, 0)],
            spacegroup=136,
            cellpar=[4.737, 4.737, 3.186] + [90] * 3,
        )
    )
    old = [structure(bulk(e)) for e in ("Cu", "Fe", "Mg", "Si")]
    found = arise.classify([ceria, tin_oxide, *old], model, passes=100)
    assert found.names.tolist() == ["Fluorite", "rutile (TiO2)", "fcc", "bcc", "hcp", "diamond"]
    assert not found.rejected.any()


def test_classes_of_the_card(added, base):
    infos = {c.label: c for c in added[0].class_info}
    assert [*infos][:6] == list(base.classes)
    fluorite, rutile = infos["Fluorite"], infos["rutile (TiO2)"]
    assert (fluorite.name, fluorite.identifier, fluorite.space_group) == ("Fluorite", "FLUORITE", 225)
    assert (rutile.identifier, rutile.space_group, rutile.material_type) == (
        "RUTILE_TIO2",
        136,
        "bulk, binary",
    )
    assert len({c.colour for c in infos.values()}) == len({c.identifier for c in infos.values()}) == 8


def test_card_says_where_the_classes_came_from(added, base, files):
    import hashlib

    training = added[0].card.training
    assert training["recipe"] == SMALL.to_dict()
    (step,) = training["steps"]
    assert step["base"] == {"name": "six", "weights_sha256": base.card.weights_sha256}
    assert step["files"][0] == {
        "label": "Fluorite", "file": "fluorite.cif",
        "sha256": hashlib.sha256(files["fluorite"].read_bytes()).hexdigest(),
    }  # fmt: skip
    assert AddSettings(**step["settings"]) == QUICK
    assert [row["label"] for row in training["crystals"]] == ["Fluorite", "rutile (TiO2)"]


def test_input_map_stays_and_base_is_untouched(added, base):
    before, after = base.weights(), added[0].weights()
    assert np.array_equal(before["mean"], after["mean"])
    assert np.array_equal(before["transform"], after["transform"])
    assert arise.load_model(base.path).card == base.card


def test_report(added):
    _, text, out = added
    assert (out / "report.md").read_text() == text
    assert sorted(p.name for p in out.iterdir()) == [
        "card.json", "model.pt", "model.safetensors", "report.md",
    ]  # fmt: skip
    assert "Disorder rejected, held-out samples" in text
    assert "Crystals that are no class rejected, held-out samples" in text
    for part in (
        "## Fluorite",
        "nearest class",
        "others taken for it",
        "## The old classes",
        "loss, points",
        "Disorder",
    ):
        assert part in text
    accuracy = json.loads((out / "card.json").read_text())["accuracy"]
    for figure in (accuracy["held-out samples"], accuracy["defects"]):
        assert 0 <= figure["old"]["right_after"] <= 1
        assert set(figure["new"]) == {"Fluorite", "rutile (TiO2)"}
    assert accuracy["defects"]["old"]["samples"] == 6 * 3


def test_added_model_works_from_ase_and_ovito(added):
    from ovito.io.ase import ase_to_ovito
    from ovito.pipeline import Pipeline, StaticSource

    from ase_arise import classify
    from ovito_arise import AriseModifier

    assert classify(FLUORITE, model=added[2], passes=30).names[0] == "Fluorite"
    pipeline = Pipeline(source=StaticSource(data=ase_to_ovito(FLUORITE * (4, 4, 4))))
    pipeline.modifiers.append(AriseModifier(model=str(added[2] / "model.pt"), passes=30, stride=8.0))
    types = pipeline.compute().particles["Structure Type"]
    assert "FLUORITE" in [t.name for t in types.types]


@pytest.mark.slow
def test_one_more_on_top(added, files, tmp_path, monkeypatch):
    """The card carries the first two crystals, so that a third can be added, and an equal one is refused."""
    model = added[0]
    out = tmp_path / "nine"
    third, _ = add_classes(
        [files["cuprite"]], [], out, model=added[2], settings=replace(QUICK, epochs=2, replay_whole=2)
    )
    assert third.classes == (*model.classes, "cuprite")
    assert len(third.card.training["steps"]) == 2
    kept = crystals_of(third.card)
    assert [c.label for c in kept] == list(third.classes)
    assert np.allclose(kept[6].unit.positions, crystals_of(model.card)[6].unit.positions, atol=1e-8)
    ase.io.write(tmp_path / "zirconia.cif", bulk("ZrO2", "fluorite", a=5.1) * (2, 1, 1))
    with pytest.raises(ValueError, match="is the crystal structure of the class Fluorite"):
        add_classes([tmp_path / "zirconia.cif"], ["zirconia"], tmp_path / "other", model=out, settings=QUICK)


# --- refused before work ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "b"], "got 2 names and 1 files"),
        ([" "], "`name` of a class must be printable text .* got ''"),
        (["a\tb"], r"got 'a\\tb'"),
        (["a/b"], "got 'a/b'"),
        (["FCC"], r"`name` 'FCC' is taken by the class fcc_Cu_A_cF4_225_a \(fcc\)"),
        (["hcp_Mg_A_hP2_194_c"], "is taken by"),
        (["Other"], "`name` 'Other' has another meaning"),
    ],
)
@pytest.mark.usefixtures("no_work")
def test_bad_names(base, files, tmp_path, names, message):
    with pytest.raises(ValueError, match=message):
        add_classes([files["fluorite"]], names, tmp_path / "out", model=base.path, settings=QUICK)
    assert not (tmp_path / "out").exists()


def known_crystals():
    rng = np.random.default_rng(3)
    turned = bulk("KCl", "rocksalt", a=6.29) * (2, 1, 3)
    turned.rotate(33, (1, 2, 3), rotate_cell=True)
    turned.translate(rng.uniform(0, 3, 3))
    return [
        (bulk("Al"), "is the crystal structure of the class fcc_Cu_A_cF4_225_a"),
        (bulk("Al", cubic=True), "is the crystal structure of the class fcc_Cu_A_cF4_225_a"),
        (turned, "is the crystal structure of the class RockSalt_NaCl"),
        (bulk("Ti"), "is of the type of the class hcp_Mg_A_hP2_194_c .*allow-similar"),
        (bulk("GaN", "wurtzite", a=3.19, c=5.19), "class Wurtzite_ZnS"),
    ]


@pytest.mark.parametrize(("atoms", "message"), known_crystals())
@pytest.mark.usefixtures("no_work")
def test_known_crystals_are_refused_with_their_name(base, tmp_path, atoms, message):
    ase.io.write(tmp_path / "x.cif", atoms)
    with pytest.raises(ValueError, match=message):
        add_classes([tmp_path / "x.cif"], ["new"], tmp_path / "out", model=base.path, settings=QUICK)
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("no_work")
def test_same_crystal_twice(base, files, tmp_path):
    ase.io.write(tmp_path / "b.cif", bulk("UO2", "fluorite", a=5.47))
    with pytest.raises(ValueError, match="b.cif' is the crystal structure of the class a "):
        add_classes([files["fluorite"], tmp_path / "b.cif"], ["a", "b"], tmp_path / "out", model=base.path)


@pytest.mark.usefixtures("no_work")
def test_similar_ones_are_taken_when_asked_for(base, tmp_path):
    ase.io.write(tmp_path / "ti.cif", bulk("Ti"))
    settings = replace(QUICK, allow_similar=True)
    with pytest.raises(AssertionError, match="work was started"):
        add_classes([tmp_path / "ti.cif"], ["titanium"], tmp_path / "out", model=base.path, settings=settings)


@pytest.mark.usefixtures("no_work")
def test_bad_files(base, tmp_path):
    def add(path, **options):
        return add_classes([path], ["new"], tmp_path / "out", model=base.path, settings=QUICK, **options)

    with pytest.raises(FileNotFoundError, match="structure file '.*none.cif' does not exist"):
        add(tmp_path / "none.cif")
    (tmp_path / "text.cif").write_text("nothing of this kind")
    with pytest.raises(ValueError, match="text.cif'"):
        add(tmp_path / "text.cif")
    ase.io.write(tmp_path / "two.xyz", [bulk("Cu"), bulk("Al")])
    with pytest.raises(ValueError, match="must hold one structure, it holds 2"):
        add(tmp_path / "two.xyz")
    ase.io.write(tmp_path / "cluster.xyz", Atoms("Cu4", positions=np.eye(4, 3) * 2.5))
    with pytest.raises(ValueError, match="cluster.xyz': `structure` repeats in no direction"):
        add(tmp_path / "cluster.xyz")
    ase.io.write(
        tmp_path / "double.xyz", Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 0.01]], cell=[3] * 3, pbc=True)
    )
    with pytest.raises(ValueError, match="double.xyz': `positions` has overlapping atoms"):
        add(tmp_path / "double.xyz")
    large = bulk("Cu") * (7, 7, 7)
    large.rattle(0.1, seed=0)
    ase.io.write(tmp_path / "large.xyz", large)
    with pytest.raises(ValueError, match="at most 300 atoms in its primitive cell, it has 343"):
        add(tmp_path / "large.xyz")
    mixed = bulk("Cu", cubic=True)
    mixed.info["occupancy"] = {"0": {"Cu": 0.5, "Au": 0.5}}
    mixed.arrays["spacegroup_kinds"] = np.zeros(4, dtype=int)
    ase.io.write(tmp_path / "mixed.cif", mixed)
    with pytest.raises(ValueError, match="partly occupied"):
        add(tmp_path / "mixed.cif")


@pytest.mark.usefixtures("no_work")
def test_folder_with_results_is_left_alone(base, files, tmp_path):
    (tmp_path / "result.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="not empty; nothing was changed"):
        add_classes([files["fluorite"]], [], tmp_path, model=base.path, settings=QUICK)
    with pytest.raises(FileExistsError, match="not empty"):
        remove_classes(["fcc"], tmp_path, model=base.path)
    assert [p.name for p in tmp_path.iterdir()] == ["result.txt"]


@pytest.mark.parametrize("change", [{"whole": 0}, {"epochs": 0}, {"boxes": -1}, {"learning_rate": 0}])
def test_bad_settings(change):
    with pytest.raises(ValueError, match=f"`{next(iter(change))}` must .* got {next(iter(change.values()))}"):
        replace(QUICK, **change)


def test_models_without_recipe_or_crystals(base):
    with pytest.raises(ValueError, match="`model` 'old' cannot be trained on"):
        recipe_of(replace(base.card, name="old", training={}))
    strange = replace(base.card.classes[0], label="strange")
    with pytest.raises(ValueError, match=r"what its classes \['strange'\] look like"):
        crystals_of(replace(base.card, classes=(strange, *base.card.classes[1:])))


# --- removing ---------------------------------------------------------------------------------------------


def test_removed_classes(added, tmp_path):
    model = added[0]
    fewer, text = remove_classes(["Fluorite", "wurtzite"], tmp_path / "fewer", model=added[2])
    assert fewer.classes == tuple(c for c in model.classes if c not in ("Fluorite", "Wurtzite_ZnS"))
    features = np.array([describe(structure(bulk(e))) for e in ("Cu", "Fe", "Si")])
    assert fewer.predict(features).labels.tolist() == model.predict(features).labels.tolist()
    assert [row["label"] for row in fewer.card.training["crystals"]] == ["rutile (TiO2)"]
    assert fewer.card.training["steps"][-1]["labels"] == ["Fluorite", "Wurtzite_ZnS"]
    assert "| Fluorite |" in " ".join(text.split())
    last = "layers.2.weight"
    assert np.array_equal(fewer.weights()[last], np.delete(model.weights()[last], [5, 6], axis=0))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], "`labels` is empty"),
        (["perovskite"], "`labels` must be a class of the model, got 'perovskite'"),
        (["fcc", "FCC"], "names a class twice"),
        (
            ["fcc", "bcc", "hcp", "diamond", "wurtzite"],
            "must leave at least two of the 6 classes, 1 are left",
        ),
    ],
)
def test_bad_removals(base, tmp_path, labels, message):
    with pytest.raises(ValueError, match=message):
        remove_classes(labels, tmp_path / "out", model=base.path)
    assert not (tmp_path / "out").exists()


# --- a folder of structures -------------------------------------------------------------------------------


@pytest.fixture
def recipe_file(tmp_path):
    samples = SMALL.samples.with_counts({"whole": 4, "boxes": 4, "close_packed_alloys": 0, "disorder": 10})
    recipe = replace(SMALL, classes=(), samples=samples, fit=replace(SMALL.fit, epochs=10))
    (tmp_path / "recipe.toml").write_text(to_toml(recipe))
    assert read_recipe(tmp_path / "recipe.toml") == recipe
    return tmp_path / "recipe.toml"


def test_folder(files, recipe_file, tmp_path):
    folder = files["fluorite"].parent
    out = tmp_path / "own"
    model = train_folder(folder, out, recipe=recipe_file)
    assert model.classes == ("cuprite", "fluorite", "rutile")
    assert arise.classify(structure(FLUORITE), model, passes=50).names[0] == "fluorite"
    assert [f["file"] for f in model.card.training["files"]] == ["cuprite.cif", "fluorite.cif", "rutile.cif"]
    assert [c.label for c in crystals_of(model.card)] == list(model.classes)
    again = train_folder(folder, out, recipe=recipe_file)  # everything is found
    assert again.card.weights_sha256 == model.card.weights_sha256
    other = tmp_path / "other"
    other.mkdir()
    for name in ("rutile", "cuprite"):
        (other / f"{name}.cif").write_bytes(files[name].read_bytes())
    with pytest.raises(
        ValueError, match=r"another recipe.description \('Own crystals: cuprite, fluorite, rutile.', now"
    ):
        train_folder(other, out, recipe=recipe_file)


def test_default_recipe_of_a_folder():
    from arise_core.training.folder import FolderSettings, default_recipe

    recipe = default_recipe(4, FolderSettings())
    assert isinstance(recipe.samples, PerturbedSamples)
    assert (recipe.samples.counts["disorder"], recipe.samples.counts["unknown"]) == (1000, 1074)
    assert (recipe.samples.box_factors, recipe.network.reject) == ({}, True)


def test_bad_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match="`folder` '.*none' does not exist"):
        train_folder(tmp_path / "none", tmp_path / "out")
    ase.io.write(tmp_path / "a.cif", bulk("Cu"))
    with pytest.raises(ValueError, match="at least two structure files, it has 1"):
        train_folder(tmp_path, tmp_path / "out")
    ase.io.write(tmp_path / "b.cif", bulk("Al", cubic=True))
    with pytest.raises(ValueError, match="b.cif' is the crystal structure of a, whatever"):
        train_folder(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


# --- crystals ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["fcc", "wurtzite", "alpha-As", "polar perovskite (PbTiO3)", "MoS2 monolayer", "graphene"]
)
def test_standard_form_of_a_prototype(name, tmp_path):
    """A turned supercell in a file comes back as the period of the table."""
    (known,) = [c for c in prototype_crystals() if c.info.name == name]
    cell = builders.repeat(known.unit, (2, 1, 1))
    turn = builders.random_rotation(np.random.default_rng(0))
    atoms = Atoms(cell.numbers, cell.positions @ turn, cell=cell.cell @ turn, pbc=True)
    ase.io.write(tmp_path / "x.cif", atoms)
    unit = standard_form(read_structure(tmp_path / "x.cif"))
    assert len(unit) == len(known.unit)
    assert unit.pbc.tolist() == known.unit.pbc.tolist()
    assert symmetry(unit)[0] == known.info.space_group
    assert same_crystal(replace(known, unit=unit), prototype_crystals()) is known
    if known.dimension == 2:
        assert np.allclose(unit.cell[:2, 2], 0)
        assert np.allclose(unit.cell[2, :2], 0)


def test_prototypes_are_no_equals_of_each_other():
    prints = np.array([c.fingerprint for c in prototype_crystals()])
    distance = np.linalg.norm(prints[:, None] - prints[None], axis=2) + 9 * np.eye(108)
    assert distance.min() > 2 * SAME_DISTANCE


def test_layers_and_tubes_from_ase():
    layer = standard_form(structure(mx2("WS2", vacuum=10.0)))
    assert layer.pbc.tolist() == [True, True, False]
    assert material_type(layer) == "2D"
    tube = nanotube(5, 0, length=1)
    tube.rotate(90, "x", rotate_cell=True)
    unit = standard_form(structure(tube))
    assert unit.pbc.tolist() == [False, False, True]
    assert material_type(unit) == "nanotube"
    assert symmetry(unit) == (None, ())


def test_crystals_in_cards(added):
    crystals = crystals_of(added[0].card)[6:]
    again = from_plain(json.loads(json.dumps(to_plain(crystals))), added[0].card.classes)
    assert [c.info for c in again] == [c.info for c in crystals]
    with pytest.raises(ValueError, match="incomplete"):
        from_plain([{"label": "Fluorite"}], added[0].card.classes)


def test_pieces_of_own_crystals():
    unit = standard_form(structure(FLUORITE))
    c = Crystal(info=replace(prototype_crystals()[0].info, label="x"), unit=unit)
    pieces = [len(s) for _, s in pristine_list([c])]
    assert pieces == [3, 3 * 4**3, 3 * 5**3, 3 * 6**3]
    assert not c.supercells()[0].pbc.any()
    assert c.supercells(periodic=True)[0].pbc.all()


def test_new_colours_differ_from_all_others():
    taken = [p.colour for p in prototypes()]
    for _ in range(10):
        taken.append(new_colour(taken))
    colours = np.array(taken)
    distance = np.linalg.norm(colours[:, None] - colours[None], axis=2) + 9 * np.eye(len(taken))
    assert distance[108:].min() > 0.08


def test_identifiers():
    infos = [c.info for c in prototype_crystals()]
    assert new_identifier("α-PbO2", infos) == "PBO2"
    assert new_identifier("fcc!", infos) == "FCC_2"
    assert new_identifier("4H", infos) == "C_4H"
    assert new_identifier("γ", infos) == "CLASS"


def test_replay_is_small():
    paper = read_recipe(zoo_root() / "arise-108-paper" / "recipe.toml").samples
    few = extend.reduced(paper, AddSettings())
    assert isinstance(few, PaperSamples)
    assert len(few.variants) == 18
    assert len(extend.enough(paper, AddSettings()).variants) == 99
    recipe = read_recipe(zoo_root() / "arise-108" / "recipe.toml")
    jobs = extend.reduced(recipe.samples, AddSettings()).jobs(recipe.settings, 0)
    assert 3000 < sum(job.n_samples for job in jobs) < 7000
    jobs = extend.unknown_only(recipe.samples, AddSettings()).jobs(recipe.settings, 0)
    assert sum(job.n_samples for job in jobs) == 150 + 2 * 50  # random crystals, relatives and tubes


def test_old_classes_that_are_like_a_new_one_are_learnt_again_beside_it(tmp_path):
    """With one impure sample each, boxes of B2 with interstitials became fluorite."""
    model = arise.load_model("arise-108")
    ase.io.write(tmp_path / "fluorite.cif", FLUORITE)
    old = extend.crystals_of(model.card)
    new, _ = extend.read_new([tmp_path / "fluorite.cif"], [], model, old, AddSettings())
    near = extend.alike(model, old, new)
    assert "CsCl" in [c.label for c in near]
    assert len(near) < 8
    samples = recipe_of(model.card).samples
    again, few = (extend.near_only(samples, AddSettings(near=n)).counts for n in (30, 0))
    assert {again[name] for name in ("boxes", "impurities", "solutions", "hot")} == {15}
    assert again["disorder"] == 0
    assert not any(few.values())
    assert extend.enough(samples, AddSettings(near=30)).counts["impurities"] == 30
    assert not any(extend.near_only(PaperSamples(), AddSettings()).counts.values())


# --- command line -----------------------------------------------------------------------------------------


def test_commands(base, files, tmp_path, monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["arise", *map(str, arguments)])
        try:
            cli.main()
        except SystemExit as end:
            return int(end.code or 0), *capsys.readouterr()
        return 0, *capsys.readouterr()

    few = partial(AddSettings, **{**vars(QUICK), "epochs": 1, "allow_similar": False})
    monkeypatch.setattr(extend, "AddSettings", lambda **k: few(**k))
    out = tmp_path / "seven"
    code, text, _ = run(
        "add-class", files["fluorite"], "--name", "CaF2", "--model", base.path.parent, "--out", out
    )
    assert code == 0
    assert "## CaF2" in text
    assert arise.load_model(out).classes[-1] == "CaF2"
    code, _, err = run(
        "add-class", files["rutile"], "--name", "caf2", "--model", out, "--out", tmp_path / "x"
    )
    assert code == 1
    assert "is taken by the class CaF2" in err
    code, text, _ = run("remove-class", "CaF2", "fcc", "--model", out, "--out", tmp_path / "five")
    assert code == 0
    assert len(arise.load_model(tmp_path / "five").classes) == 5
    code, _, err = run("train-folder", tmp_path / "none", "--out", tmp_path / "y")
    assert code == 1
    assert "`folder`" in err


@pytest.fixture
def few_boxes(monkeypatch):
    """Few samples of few sizes, to find out when a model is sure."""
    monkeypatch.setattr(calibration, "SIZES", (45, 128))
    counts = {"boxes": 8, "hot": 4, "solutions": 2, "disorder": 12, "unknown": 8}
    monkeypatch.setattr(calibration, "COUNTS", counts)
    monkeypatch.setattr(calibration, "PASSES", 8)


def test_a_model_is_sharpened(added, few_boxes, tmp_path, files):
    folder = tmp_path / "sharp"
    shutil.copytree(added[2], folder)
    before = arise.load_model(folder)
    assert not before.knows_when_sure
    steps = []
    made = calibration.sharpen(folder, steps.append)
    assert steps == sorted(steps)
    assert steps[0].message.startswith("boxes of 45 atoms")
    assert list(made.sureness.answered) == ["45", "128"]
    for name in ("model.safetensors", "model.pt"):
        again = arise.load_model(folder / name)
        assert again.sureness == made.sureness
        assert again.knows_when_sure
        assert again.card.weights_sha256 == before.card.weights_sha256
        assert again.sha256 != before.sha256  # maps of it are others
    crystal = structure(FLUORITE * (4, 4, 4))
    assert arise.strided_map(crystal, made, passes=8).sharp
    assert not arise.strided_map(crystal, before, passes=8).sharp
    # what other weights are sure of is not known
    more, _ = add_classes([files["cuprite"]], [], tmp_path / "more", model=folder, settings=QUICK)
    fewer, _ = remove_classes(["fcc"], tmp_path / "fewer", model=folder)
    assert more.sureness is None
    assert fewer.sureness is None


def test_sharpening_that_is_stopped_leaves_the_model_as_it_is(added, few_boxes):
    files = {path: path.read_bytes() for path in added[2].iterdir()}
    job = calibration.sharpen_steps(added[2])
    for _ in range(3):
        next(job)
    job.close()
    assert {path: path.read_bytes() for path in added[2].iterdir()} == files


def test_models_that_are_not_sharpened(base, tmp_path, monkeypatch):
    monkeypatch.setattr(calibration, "collect_steps", None)  # no work is begun
    with pytest.raises(InputError, match="`model` must not be of the zoo.*'arise-108'"):
        calibration.sharpen("arise-108")
    with pytest.raises(arise.ModelError, match="nowhere"):
        calibration.sharpen(tmp_path / "nowhere")
    monkeypatch.setattr(calibration, "recipe_of", lambda card: SimpleNamespace(samples=PaperSamples()))
    with pytest.raises(InputError, match="must be trained on perturbed samples"):
        calibration.sharpen(base.path)


def test_model_of_the_paper_can_be_added_to(files, tmp_path):
    """Ideal structures, no reject output, the paper's descriptor."""
    recipe = parse_recipe(
        {
            "name": "ideal", "descriptor": "paper", "classes": ["fcc", "bcc", "hcp"],
            "samples": {"kind": "paper", "r_cut": [3.8, 4.0, 4.2], "sigma": [0.1], "scale_factors": [1.0]},
            "network": {"hidden": [32]},
            "fit": {"epochs": 40, "batch_size": 8, "learning_rate": 3e-3},
        }
    )  # fmt: skip
    base = train(recipe, tmp_path / "three")
    model, text = add_classes(
        [files["fluorite"]], [], tmp_path / "four", model=base.path, settings=replace(QUICK, epochs=40)
    )
    assert model.card.reject == base.card.reject
    assert "Disorder" not in text
    found = arise.classify([structure(FLUORITE), structure(bulk("Fe"))], model, passes=50)
    assert found.names.tolist() == ["fluorite", "bcc"]
