"""What the modifier puts out, compared with the core."""

from __future__ import annotations

import numpy as np
import pytest
from ovito.data import DataTable, ElementType
from ovito.modifiers import PolyhedralTemplateMatchingModifier

import arise_core as arise
from arise_core.model.prediction import Rule
from ovito_arise import AriseModifier
from ovito_arise.clusters import show_clusters
from ovito_arise.outputs import OTHER_COLOUR, instance_suffix
from tests.conftest import shaken
from tests.ovito.helpers import FAST, analysed, collection, crystal_and_melt, pipeline_of

NEVER_REJECT = {"reject_threshold": None}


@pytest.fixture(scope="module")
def two_phases() -> arise.Structure:
    """Crystal below, random packing above; 21.7 x 21.7 x 55 Å, periodic."""
    return crystal_and_melt(6, 9)[0]


@pytest.fixture(scope="module")
def field(two_phases, model) -> arise.StridedMap:
    return arise.strided_map(two_phases, model, stride=8.0, passes=16, tolerance=None)


@pytest.fixture(scope="module")
def output(two_phases):
    return analysed(two_phases, probabilities=["HCP", "FCC"], box_table=True)[0]


def test_values_at_particles_are_those_of_the_core(output, two_phases, field, model):
    values = field.values_at(two_phases.positions)
    rejected = values.reject_score >= model.card.reject.threshold
    particles = output.particles
    assert np.asarray(particles["ARISE Confidence"]) == pytest.approx(values.confidence, abs=1e-5)
    assert np.asarray(particles["ARISE Mutual Information"]) == pytest.approx(
        values.mutual_information, abs=1e-5
    )
    assert np.asarray(particles["ARISE Reject Score"]) == pytest.approx(values.reject_score, abs=1e-5)
    doubt = Rule(reject_threshold=model.card.reject.threshold).rejection_uncertainty(values)
    assert np.asarray(particles["ARISE Rejection Uncertainty"]) == pytest.approx(doubt, abs=1e-3)
    assert doubt.max() > 0.5  # at the border of crystal and melt
    assert np.median(doubt) < 0.05
    assert (np.asarray(particles["Structure Type"]) == np.where(rejected, 0, values.index + 1)).all()
    assert 0.2 < rejected.mean() < 0.8  # the structure has both


def test_probabilities_of_chosen_classes_have_their_names(output, two_phases, field, model):
    names = [c.identifier for c in model.class_info]
    found = output.particles["ARISE Probability"]
    assert found.component_names == ("FCC", "HCP")  # the order of the model
    assert found.dtype == np.float32
    values = field.values_at(two_phases.positions, (names.index("FCC"), names.index("HCP")))
    assert np.asarray(found) == pytest.approx(values.probabilities, abs=1e-5)


def test_structure_types_are_the_full_list_with_the_colours_of_the_card(output, model):
    types = output.particles["Structure Type"].types
    assert [t.id for t in types] == list(range(len(model.classes) + 1))
    assert types[0].name == "Other"
    assert tuple(types[0].color) == pytest.approx(OTHER_COLOUR)
    for kind, info in zip(types[1:], model.class_info, strict=True):
        assert isinstance(kind, ElementType)
        assert kind.name == info.identifier
        assert tuple(kind.color) == pytest.approx(info.colour)


def test_bar_chart_has_the_classes_present_the_most_frequent_first(output):
    table = output.tables["arise-structures"]
    ids = np.asarray(output.particles["Structure Type"])
    kinds, counts = np.asarray(table["Structure Type"]), np.asarray(table["Count"])
    assert table.plot_mode == DataTable.PlotMode.BarChart
    assert {*kinds} == {*np.unique(ids)}
    assert (np.diff(counts) <= 0).all()
    assert all((ids == k).sum() == n for k, n in zip(kinds, counts, strict=True))
    names = {t.id: t.name for t in output.particles["Structure Type"].types}
    colours = {t.id: tuple(t.color) for t in output.particles["Structure Type"].types}
    assert np.asarray(table.x).tolist() == list(range(len(kinds)))  # as OVITO's bar charts want it
    assert [(t.id, t.name, tuple(t.color)) for t in table.x.types] == [
        (k, names[i], colours[i]) for k, i in enumerate(kinds)
    ]
    assert (np.asarray(table.y) == counts).all()


def test_attributes_count_all_classes_and_add_up(output, model):
    attributes = output.attributes
    ids = np.asarray(output.particles["Structure Type"])
    names = ["OTHER", *(c.identifier for c in model.class_info)]
    for k, name in enumerate(names):
        assert attributes[f"ARISE.counts.{name}"] == (ids == k).sum()
    assert sum(attributes[f"ARISE.fractions.{name}"] for name in names) == pytest.approx(1)
    mean = np.asarray(output.particles["ARISE Mutual Information"]).mean()
    assert attributes["ARISE.mutual_information.mean"] == pytest.approx(mean)
    doubt = np.asarray(output.particles["ARISE Rejection Uncertainty"]).mean()
    assert attributes["ARISE.rejection_uncertainty.mean"] == pytest.approx(doubt)
    assert attributes["ARISE.without_answer"] == 0
    assert attributes["ARISE.model"] == model.name
    assert (attributes["ARISE.box_size"], attributes["ARISE.stride"]) == (16.0, 8.0)
    assert "ARISE.structure.name" not in attributes


def test_box_table_has_the_predictions_of_all_boxes(output, field):
    table = output.tables["arise-boxes"]
    p = field.prediction
    assert np.asarray(table["Center"]) == pytest.approx(field.centers)
    assert (np.asarray(table["Atoms"]) == field.n_atoms).all()
    assert (np.asarray(table["Structure Type"]) == np.where(p.rejected, 0, p.index + 1)).all()
    for name, values in {
        "Confidence": p.confidence, "Mutual Information": p.mutual_information, "Variation Ratio": p.variation_ratio,
        "Predictive Entropy": p.predictive_entropy, "Reject Score": p.reject_score, "Passes": p.passes,
        "Rejection Uncertainty": p.rejection_uncertainty,
    }.items():  # fmt: skip
        assert np.asarray(table[name]) == pytest.approx(values), name


def test_colours_follow_the_types(output):
    table = np.array([t.color for t in output.particles["Structure Type"].types])
    assert np.asarray(output.particles.colors) == pytest.approx(
        table[output.particles["Structure Type"]], abs=1e-6
    )


@pytest.mark.parametrize(
    ("color_by", "name", "end"),
    [
        ("mutual information", "ARISE Mutual Information", 0.1),
        ("rejection uncertainty", "ARISE Rejection Uncertainty", 0.1),
        ("confidence", "ARISE Confidence", 1.0),
    ],
)
def test_colours_follow_a_scale_of_fixed_ends(two_phases, color_by, name, end):
    data, _ = analysed(two_phases, color_by=color_by, color_end=0.1)
    values = np.asarray(data.particles[name])
    brightness = np.asarray(data.particles.colors).sum(axis=1)
    assert np.corrcoef(np.clip(values, 0, end), brightness)[0, 1] > 0.9  # viridis gets brighter
    assert tuple(np.asarray(data.particles.colors)[values.argmin()]) != OTHER_COLOUR


def test_nothing_else_is_touched(two_phases):
    data = collection(two_phases)
    rng = np.random.default_rng(0)
    mine = {
        "Selection": rng.integers(0, 2, len(two_phases)).astype(np.int8),
        "Color": rng.random((len(two_phases), 3)),
        "Charge": rng.random(len(two_phases)),
    }
    for name, values in mine.items():
        data.particles_.create_property(name, data=values)
    before = {name: np.array(data.particles[name]) for name in data.particles}
    out = pipeline_of(data, AriseModifier(**FAST, color_by="nothing")).compute()
    for name, values in before.items():
        assert (np.asarray(out.particles[name]) == values).all(), name
    assert {*out.particles} - {*before} == {
        "Structure Type", "ARISE Confidence", "ARISE Mutual Information", "ARISE Reject Score",
        "ARISE Rejection Uncertainty", "ARISE Resolution",
    }  # fmt: skip
    assert "Structure Type" not in data.particles  # the pipeline's input


def test_no_color_is_made_when_not_asked_for(two_phases):
    data, _ = analysed(two_phases, color_by="nothing")
    assert "Color" not in data.particles


def test_classes_not_considered_become_other(two_phases, output):
    data, _ = analysed(two_phases, classes=["HCP", "BCC"])
    ids = np.asarray(data.particles["Structure Type"])
    assert (ids == 0).all()
    assert len(data.particles["Structure Type"].types) == len(output.particles["Structure Type"].types)
    counted = [k for k in data.attributes if k.startswith("ARISE.counts.")]
    assert sorted(counted) == ["ARISE.counts.BCC", "ARISE.counts.HCP", "ARISE.counts.OTHER"]
    confidence = np.asarray(data.particles["ARISE Confidence"])
    assert confidence == pytest.approx(np.asarray(output.particles["ARISE Confidence"]))


@pytest.mark.parametrize("parameters", [{"reject_threshold": 0.0}, {"min_confidence": 1.0, **NEVER_REJECT}])
def test_thresholds_make_other(two_phases, parameters):
    data, _ = analysed(two_phases, **parameters)
    assert (np.asarray(data.particles["Structure Type"]) == 0).mean() > 0.99


def test_rejection_can_be_turned_off(two_phases):
    data, _ = analysed(two_phases, **NEVER_REJECT)
    assert (np.asarray(data.particles["Structure Type"]) > 0).all()


def test_min_confidence_is_a_bound(two_phases):
    data, _ = analysed(two_phases, min_confidence=0.7, **NEVER_REJECT)
    other = np.asarray(data.particles["Structure Type"]) == 0
    assert (other == (np.asarray(data.particles["ARISE Confidence"]) < 0.7)).all()
    assert other.any()


def test_whole_structure_gives_attributes(fcc, model):
    data, _ = analysed(fcc, whole_structure=True)
    whole = arise.classify(fcc, model, passes=16)
    assert data.attributes["ARISE.structure.name"] == "FCC"
    assert data.attributes["ARISE.structure.confidence"] == pytest.approx(whole.confidence[0], abs=1e-6)
    assert data.attributes["ARISE.structure.mutual_information"] == pytest.approx(
        whole.mutual_information[0], abs=1e-6
    )
    assert data.attributes["ARISE.structure.reject_score"] == pytest.approx(whole.reject_score[0], abs=1e-6)
    assert data.attributes["ARISE.structure.rejection_uncertainty"] == pytest.approx(
        whole.rejection_uncertainty[0], abs=1e-6
    )
    in_between, _ = analysed(fcc, whole_structure=True, reject_threshold=float(whole.reject_score[0]))
    assert in_between.attributes["ARISE.structure.rejection_uncertainty"] > 0.5
    filtered, _ = analysed(fcc, whole_structure=True, classes="HCP")
    assert filtered.attributes["ARISE.structure.name"] == "OTHER"


def test_only_selected_leaves_the_others_out(two_phases, model):
    data = collection(two_phases)
    lower = two_phases.positions[:, 2] < 32
    data.particles_.create_property("Selection", data=lower.astype(np.int8))
    out = pipeline_of(
        data, AriseModifier(**FAST, only_selected=True, probabilities="FCC", color_by="confidence")
    ).compute()
    alone = arise.Structure(two_phases.positions[lower], two_phases.numbers[lower], two_phases.cell, True)
    expected = arise.strided_map(alone, model, stride=8.0, passes=16, tolerance=None)
    values = expected.values_at(expected.grid.structure.positions)
    assert np.asarray(out.particles["ARISE Confidence"])[lower] == pytest.approx(values.confidence, abs=1e-5)
    for name in (
        "ARISE Confidence",
        "ARISE Mutual Information",
        "ARISE Reject Score",
        "ARISE Rejection Uncertainty",
        "ARISE Probability",
    ):
        assert np.isnan(np.asarray(out.particles[name])[~lower]).all()
    assert (np.asarray(out.particles["Structure Type"])[~lower] == 0).all()
    assert np.asarray(out.particles.colors)[~lower] == pytest.approx(
        np.tile(OTHER_COLOUR, ((~lower).sum(), 1))
    )
    assert out.attributes["ARISE.counts.OTHER"] >= (~lower).sum()
    assert (np.asarray(out.particles["Selection"]) == lower).all()


def test_second_and_third_instance_are_numbered_and_the_first_stays(fcc):
    first, second = (
        AriseModifier(**FAST),
        AriseModifier(**FAST, classes="HCP", box_table=True, probabilities="FCC"),
    )
    pipeline = pipeline_of(fcc, first, second)
    data = pipeline.compute()
    assert {"arise-structures", "arise-structures.2", "arise-boxes.2"} == {*data.tables}
    assert {"arise", "arise.2"} == {*data.grids}
    assert data.attributes["ARISE.fractions.FCC"] > 0.9
    assert data.attributes["ARISE.fractions.OTHER.2"] == 1.0
    assert {"ARISE Confidence", "ARISE Confidence 2", "ARISE Probability 2"} <= {*data.particles}
    assert instance_suffix(data) == ".3"
    alone = pipeline_of(fcc, AriseModifier(**FAST)).compute()
    kept = np.asarray(data.particles["ARISE Mutual Information"])
    assert kept == pytest.approx(np.asarray(alone.particles["ARISE Mutual Information"]))


def test_the_output_of_a_built_in_identification_is_replaced_like_any_other(fcc):
    data = pipeline_of(fcc, PolyhedralTemplateMatchingModifier(), AriseModifier(**FAST)).compute()
    assert {"structures", "arise-structures"} <= {*data.tables}
    names = {t.id: t.name for t in data.particles["Structure Type"].types}
    assert names[0] == "Other"
    assert len(names) > 100
    ids = np.asarray(data.particles["Structure Type"])
    assert {names[k] for k in np.unique(ids)} == {"FCC"}


def test_fewer_atoms_than_a_box_needs_give_nan_and_a_warning():
    cluster = arise.Structure(np.eye(3) * 2.5, [29, 29, 29])
    modifier = AriseModifier(**FAST, whole_structure=True)
    with (
        pytest.warns(UserWarning, match=r"no box holds `min_atoms` \(20\) atoms"),
        pytest.warns(UserWarning, match=r"3 atoms, fewer than `min_atoms` \(20\)"),
    ):
        data = pipeline_of(cluster, modifier).compute()
    assert np.isnan(np.asarray(data.particles["ARISE Mutual Information"])).all()
    assert np.isnan(np.asarray(data.particles["ARISE Confidence"])).all()
    assert (np.asarray(data.particles["Structure Type"]) == 0).all()
    assert np.isnan(data.attributes["ARISE.mutual_information.mean"])
    assert data.attributes["ARISE.counts.OTHER"] == 3
    assert data.attributes["ARISE.without_answer"] == 3
    assert data.attributes["ARISE.structure.name"] == "OTHER"
    assert (np.asarray(data.grids["arise"]["Mutual Information"]) == 0).all()


def test_probabilities_of_all_classes_add_up(fcc):
    data, _ = analysed(fcc, probabilities="all")
    found = np.asarray(data.particles["ARISE Probability"])
    assert found.shape == (len(fcc), 108)
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-4)


def test_a_probability_property_of_another_size_is_replaced(fcc):
    data = collection(fcc)
    data.particles_.create_property("ARISE Probability", data=np.zeros((len(fcc), 7)))
    out = pipeline_of(data, AriseModifier(**FAST, probabilities=["FCC"])).compute()
    assert np.asarray(out.particles["ARISE Probability"]).reshape(len(fcc), -1).shape == (len(fcc), 1)


def test_automatic_box_is_the_core_s(fcc):
    data, modifier = analysed(fcc, automatic_box=True)
    size = arise.automatic_box_size(fcc)
    assert data.attributes["ARISE.box_size"] == size
    assert data.attributes["ARISE.stride"] == pytest.approx(size / 4)
    assert modifier.strided_map.grid.settings.box_size == size


def test_the_strided_map_of_the_last_frame_is_in_the_coordinates_of_ovito(fcc):
    modifier = AriseModifier(**FAST)
    with pytest.raises(RuntimeError, match="no frame was evaluated"):
        _ = modifier.strided_map
    origin = np.array([5.0, -7.0, 100.0])
    data = pipeline_of(collection(fcc, origin), modifier).compute()
    found = modifier.strided_map
    assert found.grid.origin == pytest.approx(origin)
    values = found.values_at(np.asarray(data.particles.positions))
    assert values.confidence == pytest.approx(np.asarray(data.particles["ARISE Confidence"]), abs=1e-5)
    centred, _ = analysed(fcc)
    for name in ("ARISE Confidence", "ARISE Mutual Information"):
        assert np.asarray(data.particles[name]) == pytest.approx(
            np.asarray(centred.particles[name]), abs=1e-4
        )


def test_colours_of_a_class_do_not_depend_on_frame_or_content(fcc):
    hot = shaken(fcc, 0.6)
    a, b = (analysed(s)[0].particles["Structure Type"].types for s in (fcc, hot))
    assert [(t.name, tuple(t.color)) for t in a] == [(t.name, tuple(t.color)) for t in b]


@pytest.mark.parametrize("number", [1, 2])
def test_clusters_of_boxes_reach_particles_grid_and_table(two_phases, number):
    modifiers = [AriseModifier(**FAST, box_table=True) for _ in range(number)]
    data = pipeline_of(two_phases, *modifiers).compute()
    field = modifiers[-1].strided_map
    suffix, words = ("", "") if number == 1 else (".2", " 2")
    middle = field.centers[:, 2].mean()
    labels = np.where(field.centers[:, 2] < middle, 0, 1)
    labels[0] = -1
    show_clusters(data, field, labels, suffix)
    table, grid = data.tables[f"arise-boxes{suffix}"], data.grids[f"arise{suffix}"]
    assert (np.asarray(table["Cluster"]) == labels + 1).all()
    assert (np.asarray(grid["Cluster"]) == (labels + 1).reshape(field.shape).ravel(order="F")).all()
    found = np.asarray(data.particles[f"ARISE Cluster{words}"])
    z = np.asarray(data.particles.positions)[:, 2]
    assert set(found[np.abs(z - middle) < 3]) <= {1, 2}
    assert (found[(z > middle + 1) & (z < middle + 8)] == 2).all()
    for bad in (labels[:-1], labels.astype(float)):
        with pytest.raises(ValueError, match="`labels` must be"):
            show_clusters(data, field, bad)
