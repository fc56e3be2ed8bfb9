"""Parameters of the modifier: labels, defaults, checks at once."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest
from ovito.pipeline import ModifierInterface
from ovito.vis import ViewportOverlayInterface
from traits.api import TraitError

import arise_core as arise
from arise_core.settings import MAP_TOLERANCE, MapSettings, SamplingSettings, options_of
from ovito_arise import AriseLegend, AriseModifier, AriseRegions, AriseStoredResults
from ovito_arise.parameters import class_indices, split_names
from tests import ROOT

DOCS = ROOT / "docs" / "ovito.md"


def shown_parameters(thing: type) -> list[str]:
    return [name for name in thing().editable_traits() if not name.startswith("_")]


@pytest.mark.parametrize(
    ("group", "name", "kind", "base"),
    [
        ("OVITO.Modifier", "ARISE: identify crystal structures", AriseModifier, ModifierInterface),
        ("OVITO.Modifier", "ARISE: find regions", AriseRegions, ModifierInterface),
        ("OVITO.Modifier", "ARISE: stored results", AriseStoredResults, ModifierInterface),
        ("OVITO.ViewportOverlay", "ARISE class legend", AriseLegend, ViewportOverlayInterface),
    ],
)
def test_entry_points_are_found_and_load_as_ovito_does_it(group, name, kind, base):
    found = [point for point in entry_points(group=group) if point.name == name]
    assert len(found) == 1
    loaded = found[0].load()
    assert loaded is kind
    assert issubclass(loaded, base)
    loaded()  # OVITO makes instances without arguments


def test_star_import_gives_the_public_names_as_generated_code_needs():
    names: dict[str, object] = {}
    exec("from ovito_arise import *", names)
    assert names["AriseModifier"] is AriseModifier
    assert names["AriseLegend"] is AriseLegend
    assert names["AriseRegions"] is AriseRegions
    assert names["AriseStoredResults"] is AriseStoredResults
    assert (
        AriseStoredResults.__module__ == AriseModifier.__module__ == AriseRegions.__module__ == "ovito_arise"
    )


def test_defaults_are_those_of_the_core():
    modifier = AriseModifier()
    for name in ("box_size", "stride", "padding", "edges", "min_atoms", "min_atoms_per_species"):
        assert getattr(modifier, name) == getattr(MapSettings, name), name
    assert modifier.passes == SamplingSettings.passes
    assert modifier.seed == SamplingSettings.seed
    assert modifier.tolerance == MAP_TOLERANCE
    assert modifier.model in arise.known_models()


@pytest.mark.parametrize("kind", [AriseModifier, AriseRegions, AriseStoredResults, AriseLegend])
def test_every_parameter_has_label_and_help_and_stands_in_the_docs(kind):
    text = DOCS.read_text(encoding="utf-8")
    thing = kind()
    for name in shown_parameters(kind):
        trait = thing.trait(name)
        if name == "grid_vis":  # an object with a panel of its own
            assert "`grid_vis`" in text
            continue
        assert trait.label, name
        assert trait.desc, name
        rows = [line for line in text.splitlines() if line.startswith("|") and f"| `{name}` |" in line]
        assert len(rows) == 1, name
        assert f"| {trait.label} |" in rows[0], (name, trait.label)
        if kind is not AriseLegend:
            assert trait.ovito_group, name


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("box_size", 0.0, "number > 0.0"),
        ("box_size", -1.0, "number > 0.0"),
        ("stride", 0.0, "number > 0.0"),
        ("stride", "3", "floating point"),
        ("thin", 0.5, "number >= 1.0"),
        ("passes", 0, "integer >= 1"),
        ("passes", 2.5, "integer"),
        ("tolerance", -0.1, "'auto' or a number >= 0.0"),
        ("tolerance", "exact", "'auto' or a number >= 0.0"),
        ("tolerance", False, "'auto' or a number >= 0.0"),
        ("seed", -1, "integer >= 0"),
        ("min_atoms", 0, "integer >= 1"),
        ("min_atoms_per_species", 0, "integer >= 1"),
        ("memory_limit", 0.0, "number > 0.0"),
        ("min_confidence", 1.5, "<= 1.0"),
        ("color_end", 0.0, "number > 0.0"),
        ("resolution", "fine", "'single'"),
        ("padding", "some", "'half'"),
        ("edges", "soft", "'exact'"),
        ("between", "cubic", "'linear'"),
        ("color_by", "rainbow", "'structure'"),
        ("device", "toaster", "'cpu'"),
        ("model", 3, "string"),
        ("classes", [1, 2], "names of classes"),
        ("probabilities", 7, "names of classes"),
        ("reject_threshold", 1.5, "0 to 1"),
        ("reject_threshold", "sometimes", "'card', 'never'"),
        ("reject_threshold", float("nan"), "0 to 1"),
        ("types_to_elements", {1: "Xx"}, "element symbols"),
        ("types_to_elements", "1 Cu", "element symbols"),
        ("types_to_elements", ":Cu", "element symbols"),
        ("only_selected", "yes", "boolean"),
        ("voxel_grid", 3, "boolean"),
        ("automatic_box", None, "boolean"),
        ("box_table", "a", "boolean"),
        ("whole_structure", "a", "boolean"),
        ("grid_vis", 3, "VoxelGridVis"),
    ],
)
def test_a_bad_value_is_refused_at_once_by_name(name, value, says):
    modifier = AriseModifier()
    before = getattr(modifier, name)
    with pytest.raises(TraitError, match=f"'{name}' trait") as error:
        setattr(modifier, name, value)
    assert says in str(error.value)
    assert getattr(modifier, name) == before
    with pytest.raises(TraitError, match=f"'{name}' trait"):
        AriseModifier(**{name: value})


def test_every_parameter_is_in_the_list_of_bad_values():
    tested = {
        mark.args[1][k][0]
        for mark in test_a_bad_value_is_refused_at_once_by_name.pytestmark
        for k in range(len(mark.args[1]))
    }
    assert tested == set(shown_parameters(AriseModifier))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"box_size": 4.0, "stride": 8.0}, r"`stride` must not exceed `box_size` \(4.0 Å\), got 8.0"),
        ({"box_size": float("inf")}, "`box_size` must be a positive number"),
        ({"model": "arise-999"}, "'arise-999'. The zoo has: .*arise-108"),
        ({"classes": ["FCX"]}, "`classes` must be a class of the model, got 'FCX'; close: .*FCC"),
        ({"probabilities": "HCP, nonsense"}, "`probabilities` must be a class of the model, got 'nonsense'"),
    ],
)
def test_parameters_that_do_not_fit_are_refused_by_the_constructor(parameters, message):
    with pytest.raises(ValueError, match=message):
        AriseModifier(**parameters)


@pytest.mark.parametrize(
    ("kind", "name", "close"), [(AriseModifier, "box_sise", "box_size"), (AriseLegend, "max_row", "max_rows")]
)
def test_an_unknown_parameter_is_refused_with_the_closest_name(kind, name, close):
    with pytest.raises(TypeError, match=f"no parameter '{name}'; close: {close}"):
        kind(**{name: 1})


def test_private_attributes_are_no_parameters():
    with pytest.raises(TypeError, match="'_results'"):
        AriseModifier(_results=None)


@pytest.mark.parametrize(
    ("given", "stored"),
    [({1: "Cu", 2: "Ni"}, "1: Cu, 2: Ni"), ("1:Cu ; 2 : Ni", "1: Cu, 2: Ni"), (None, ""), ("*: Fe", "*: Fe")],
)
def test_types_to_elements_takes_dictionaries_and_text(given, stored):
    assert AriseModifier(types_to_elements=given).types_to_elements == stored


@pytest.mark.parametrize(
    ("given", "stored"), [(None, "never"), ("card", "card"), (0.25, "0.25"), ("0.5", "0.5"), (0, "0.0")]
)
def test_reject_threshold_takes_numbers_and_words(given, stored):
    assert AriseModifier(reject_threshold=given).reject_threshold == stored


def test_class_names_are_identifiers_names_or_labels_in_any_case(model):
    classes = model.class_info
    for text in ("FCC", "fcc", "fcc_Cu_A_cF4_225_a"):
        (index,) = class_indices(text, classes, "classes")
        assert classes[index].identifier == "FCC"
    assert len(class_indices("all", classes, "classes")) == len(classes)
    assert class_indices("", classes, "classes") == ()
    both = class_indices("nanotube (5,1); HCP,hcp", classes, "classes")
    assert [classes[k].identifier for k in both] == ["HCP", "CNT_5_1"]


def test_names_are_split_outside_parentheses():
    assert split_names("a (1,2), b; c,,") == ["a (1,2)", "b", "c"]


def test_a_class_filter_of_nothing_or_of_all_considers_all(model):
    assert AriseModifier(classes=[])._rule(model).considered is None
    assert AriseModifier(classes="all")._rule(model).considered is None
    assert AriseModifier(classes="FCC")._rule(model).considered is not None


def test_a_device_that_is_missing_falls_back_with_a_warning(model):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.warns(UserWarning, match="'cuda:7' is not available"):
        loaded = AriseModifier(device="cuda:7")._model()
    assert loaded.device.type == "cpu"


def test_every_setting_is_a_parameter():
    assert {*options_of(MapSettings), *options_of(SamplingSettings)} <= {*AriseModifier().editable_traits()}


@pytest.mark.parametrize("given", [None, 0, "0"])
def test_all_passes_are_a_tolerance_that_a_session_can_hold(given):
    modifier = AriseModifier(tolerance=given)
    assert modifier._sampling() == SamplingSettings(passes=modifier.passes)
    assert AriseModifier(tolerance=modifier.tolerance)._sampling().tolerance is None
