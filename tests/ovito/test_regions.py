"""The modifier that finds regions: clusters in space, on the plane, in tables; alone and after the other modifier."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import ovito
import pytest
from ovito.data import DataCollection, DataTable
from ovito.modifiers import DeleteSelectedModifier, ExpressionSelectionModifier, PythonModifier
from ovito.pipeline import Pipeline, PythonSource
from traits.api import TraitError

import arise_core as arise
from arise_core.explore import job
from arise_core.explore.palette import COLOURS, OUTLIERS
from arise_core.geometry import builders
from arise_core.settings import ExploreSettings, MapSettings, SamplingSettings, options_of
from ovito_arise import AriseModifier, AriseRegions
from ovito_arise.clusters import cluster_types, show_clusters
from ovito_arise.parameters import cluster_numbers
from tests.ovito.helpers import FAST, collection, pipeline_of
from tests.ovito.test_pipelines import Changing, in_new_process

#: 432 boxes of the two crystals, a second or two.
QUICK: dict[str, Any] = {**FAST, "stride": 5.0, "n_neighbors": 15}
WIDTH = 28.8


@pytest.fixture(scope="module")
def two_crystals() -> arise.Structure:
    """Thermal copper, fcc below and bcc above, periodic; 28.8 x 28.8 x 58 Å."""
    rng = np.random.default_rng(3)
    fcc = builders.repeat(arise.Structure(
        3.6 * np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]), [29] * 4, 3.6 * np.eye(3), True
    ), (8, 8, 8)).positions  # fmt: skip
    bcc = builders.repeat(
        arise.Structure(2.88 * np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), [29] * 2, 2.88 * np.eye(3), True),
        (10, 10, 10),
    ).positions
    positions = np.concatenate([fcc, bcc + [0, 0, WIDTH]])
    positions = positions + rng.normal(0, 0.05, positions.shape)
    return arise.Structure(positions, [29] * len(positions), np.diag([WIDTH, WIDTH, 2 * WIDTH + 0.4]), True)


@pytest.fixture(scope="module")
def alone(two_crystals):
    """Output of a pipeline without any class, and the modifier."""
    modifier = AriseRegions(**QUICK)
    return pipeline_of(two_crystals, modifier).compute(), modifier


def middles(structure: arise.Structure, depth: float = 7.0) -> tuple[np.ndarray, np.ndarray]:
    """Atoms of the lower and the upper crystal that are deeper inside than this, Å."""
    z = structure.positions[:, 2]
    return np.abs(z - WIDTH / 2) < WIDTH / 2 - depth, np.abs(z - 1.5 * WIDTH) < WIDTH / 2 - depth


def ids_of(data, name="ARISE Cluster") -> np.ndarray:
    return np.asarray(data.particles[name])


def names_of(typed) -> list[str]:
    return [kind.name for kind in typed.types]


# --- what is found ----------------------------------------------------------------------------------------------


def test_each_crystal_is_its_own_region(alone, two_crystals):
    data, modifier = alone
    ids = ids_of(data)
    regions = [np.unique(ids[some]) for some in middles(two_crystals)]
    assert [len(r) for r in regions] == [1, 1]
    assert {int(r[0]) for r in regions} == {1, 2}
    assert data.attributes["ARISE.clusters.count"] == modifier.exploration.clusters.n_clusters
    to_border = np.abs(np.mod(two_crystals.positions[:, 2] + WIDTH / 2, WIDTH) - WIDTH / 2)
    assert (
        to_border[~np.isin(ids, [1, 2])].max() < 8
    )  # half a box: what holds both may be a region, or in none
    assert "Structure Type" not in data.particles
    assert {*data.tables} == {"arise-clusters", "arise-plane"}


def test_particles_have_what_the_core_says_one_more(alone, two_crystals, model):
    data, modifier = alone
    core = arise.exploration(two_crystals, model, **{**QUICK, "tolerance": None})
    assert (ids_of(data) == core.labels_at_atoms() + 1).all()
    assert (modifier.exploration.labels == core.labels).all()
    assert data.attributes["ARISE.clusters.outlier_share"] == core.clusters.outlier_share
    assert data.attributes["ARISE.clusters.min_cluster_size"] == core.clusters.min_cluster_size
    assert data.attributes["ARISE.clusters.model"] == model.name
    assert (data.attributes["ARISE.clusters.box_size"], data.attributes["ARISE.clusters.stride"]) == (
        16.0,
        5.0,
    )


def test_types_have_names_and_the_colours_of_the_pictures(alone):
    data, _ = alone
    types = data.particles["ARISE Cluster"].types
    n = data.attributes["ARISE.clusters.count"]
    assert [(t.id, t.name) for t in types] == [
        (0, "No cluster"),
        *((k, f"Cluster {k}") for k in range(1, n + 1)),
    ]
    shown = ["#" + bytes(round(255 * c) for c in t.color).hex() for t in types]
    assert shown == [OUTLIERS, *COLOURS[:n]]
    colours = np.array([t.color for t in types])
    assert np.asarray(data.particles.colors) == pytest.approx(colours[ids_of(data)], abs=1e-6)
    assert tuple(cluster_types(8)[8].color) == tuple(cluster_types(8)[1].color)


def test_bar_chart_counts_particles_and_boxes(alone):
    data, modifier = alone
    table = data.tables["arise-clusters"]
    assert table.plot_mode == DataTable.PlotMode.BarChart
    clusters = modifier.exploration.clusters
    n = clusters.n_clusters + 1
    assert np.asarray(table.x).tolist() == list(range(n))
    assert names_of(table.x) == names_of(data.particles["ARISE Cluster"])
    assert (np.asarray(table.y) == np.bincount(ids_of(data), minlength=n)).all()
    assert np.asarray(table["Boxes"]).tolist() == [clusters.outliers.sum(), *clusters.sizes]
    names = {t.id: t.name for t in table["Main Class"].types}
    assert {names[k] for k in np.asarray(table["Main Class"])[1:3]} == {"FCC", "BCC"}
    assert np.asarray(table["Persistence"])[1:] == pytest.approx(clusters.persistence)


def test_the_plane_is_a_scatter_plot_whose_points_have_clusters(alone):
    data, modifier = alone
    found, table = modifier.exploration, data.tables["arise-plane"]
    assert table.plot_mode == DataTable.PlotMode.Scatter
    rows = np.asarray(table["Box"])
    assert (rows == np.arange(len(found))).all()  # all boxes are full
    assert table.xy() == pytest.approx(found.points)
    assert (np.asarray(table["Cluster"]) == found.labels + 1).all()
    assert names_of(table["Cluster"]) == names_of(data.particles["ARISE Cluster"])
    assert np.asarray(table["Center"]) == pytest.approx(found.field.centers)
    assert np.asarray(table["Mutual Information"]) == pytest.approx(found.prediction.mutual_information)
    index = np.where(found.prediction.rejected, 0, found.prediction.index + 1)
    assert (np.asarray(table["Structure Type"]) == index).all()


def test_no_plane_if_it_is_not_asked_for(fcc):
    data = pipeline_of(fcc, AriseRegions(**QUICK, embed=False)).compute()
    assert {*data.tables} == {"arise-clusters"}


# --- selection --------------------------------------------------------------------------------------------------


def test_a_region_selects_its_particles_and_nothing_is_computed_again(two_crystals, monkeypatch):
    modifier = AriseRegions(**QUICK, select=2, embed=False, color_particles=False)
    data = collection(two_crystals)
    data.particles_.create_property("Selection", data=np.ones(len(two_crystals), dtype=np.int8))
    pipeline = pipeline_of(data, modifier)
    out = pipeline.compute()
    ids = ids_of(out)
    assert (np.asarray(out.particles.selection) == (ids == 2)).all()
    assert (ids == 2).any()
    assert "Color" not in out.particles
    monkeypatch.setattr(job, "map_steps", None)
    for value, chosen in ((1, [1]), ([0, 2], [0, 2]), ("1,2", [1, 2]), (9, [9])):
        modifier.select = value
        assert (np.asarray(pipeline.compute().particles.selection) == np.isin(ids, chosen)).all()
    modifier.select = None
    assert np.asarray(pipeline.compute().particles.selection).all()  # the user's own
    modifier.color_particles = True
    assert "Color" in pipeline.compute().particles
    assert (np.asarray(data.particles.selection) == 1).all()


# --- after the other modifier -----------------------------------------------------------------------------------


@pytest.fixture
def maps(monkeypatch) -> list[int]:
    """Boxes of every map that the finder of regions makes itself."""
    made: list[int] = []
    real = job.map_steps

    def counted(*arguments, **options):
        field = yield from real(*arguments, **options)
        made.append(len(field))
        return field

    monkeypatch.setattr(job, "map_steps", counted)
    return made


def test_the_map_of_the_modifier_before_is_taken(two_crystals, alone, maps):
    first = AriseModifier(**FAST | {"stride": 5.0}, resolution="single")
    regions = AriseRegions(n_neighbors=15, stride=11.0)
    origin = np.array([3.0, -40.0, 7.0])
    data = pipeline_of(collection(two_crystals, origin), first, regions).compute()
    assert maps == []
    assert regions.exploration.field is first.strided_map
    assert (ids_of(data) == ids_of(alone[0])).all()
    assert np.asarray(data.tables["arise-plane"]["Center"]) == pytest.approx(first.strided_map.centers)
    assert data.attributes["ARISE.clusters.stride"] == 5.0
    assert {"arise-structures", "arise-clusters", "arise-plane"} == {*data.tables}
    names = {t.id: t.name for t in data.particles["Structure Type"].types}
    lower, upper = middles(two_crystals)
    types = np.asarray(data.particles["Structure Type"])
    assert {names[k] for k in types[lower]} == {"FCC"}
    assert {names[k] for k in types[upper]} == {"BCC"}


def test_its_own_boxes_if_told_so_or_the_other_is_off_or_particles_are_gone_in_between(fcc, maps):
    first = AriseModifier(**FAST, resolution="single")
    regions = AriseRegions(**FAST | {"stride": 11.0}, embed=False)
    pipeline = pipeline_of(fcc, first, regions)
    pipeline.compute()
    assert maps == []
    regions.reuse = False
    assert pipeline.compute().attributes["ARISE.clusters.stride"] == 11.0
    assert maps == [8]
    regions.reuse = True
    pipeline.modifiers[0].enabled = False
    assert pipeline.compute().attributes["ARISE.clusters.stride"] == 11.0
    assert maps == [8]  # kept
    pipeline.modifiers[0].enabled = True
    pipeline.modifiers.insert(1, ExpressionSelectionModifier(expression="Position.X < 10"))
    pipeline.modifiers.insert(2, DeleteSelectedModifier())
    data = pipeline.compute()
    assert data.attributes["ARISE.clusters.stride"] == 8.0  # the other's boxes, over what is left
    assert len(maps) == 2
    assert len(ids_of(data)) == data.particles.count < len(fcc)


def test_boxes_of_one_size_where_the_modifier_before_has_several(fcc, maps):
    origin = np.array([3.0, -40.0, 7.0])
    first, regions = AriseModifier(**FAST), AriseRegions(embed=False)
    pipeline_of(collection(fcc, origin), first, regions).compute()
    assert first.strided_map.sharp
    assert len(maps) == 1
    field = regions.exploration.field
    assert not field.sharp
    assert field.grid.settings.box_size == first.box_size
    assert field.centers == pytest.approx(first.strided_map.centers)


def test_an_origin_moves_centres_only(fcc):
    origin = np.array([5.0, -7.0, 100.0])
    there, here = (AriseRegions(**QUICK, embed=False) for _ in range(2))
    pipeline_of(collection(fcc, origin), there).compute()
    pipeline_of(fcc, here).compute()
    assert there.exploration.field.centers == pytest.approx(here.exploration.field.centers + origin)


def test_only_selected_leaves_the_others_in_no_cluster(two_crystals):
    data = collection(two_crystals)
    lower = two_crystals.positions[:, 2] < WIDTH
    data.particles_.create_property("Selection", data=lower.astype(np.int8))
    modifier = AriseRegions(**QUICK, only_selected=True, embed=False, soft=True)
    ids = ids_of(pipeline_of(data, modifier).compute())
    assert (ids[~lower] == 0).all()
    assert (ids[lower] == modifier.exploration.labels_at_atoms() + 1).all()


def test_a_second_one_is_numbered(fcc):
    first, second = (AriseRegions(**QUICK, layer=k) for k in (0, -1))
    data = pipeline_of(fcc, first, second).compute()
    assert {*data.tables} == {"arise-clusters", "arise-plane", "arise-clusters.2", "arise-plane.2"}
    assert {"ARISE Cluster", "ARISE Cluster 2"} <= {*data.particles}
    assert data.attributes["ARISE.clusters.layer"] == 0
    assert data.attributes["ARISE.clusters.layer.2"] == len(arise.load_model("arise-108").card.hidden) - 1


def test_clusters_found_elsewhere_look_the_same_and_take_the_place(fcc):
    first = AriseModifier(**FAST, box_table=True, resolution="single")
    data = pipeline_of(fcc, first, AriseRegions(embed=False)).compute()
    labels = np.arange(len(first.strided_map)) % 3 - 1
    show_clusters(data, first.strided_map, labels)
    for typed in (
        data.particles["ARISE Cluster"],
        data.grids["arise"]["Cluster"],
        data.tables["arise-boxes"]["Cluster"],
    ):
        assert names_of(typed) == ["No cluster", "Cluster 1", "Cluster 2"]
    nearest = first.strided_map.nearest(np.asarray(data.particles.positions))
    assert (ids_of(data) == labels[nearest] + 1).all()


# --- what is computed again -------------------------------------------------------------------------------------


def test_other_clusters_of_the_same_layer_need_no_new_map(fcc, maps):
    modifier = AriseRegions(**QUICK, embed=False)
    pipeline = pipeline_of(fcc, modifier)
    pipeline.compute()
    boxes = len(modifier.exploration)
    for name, value in {
        "min_cluster_size": 5,
        "min_samples": 3,
        "soft": True,
        "components": 4,
        "embed": True,
    }.items():
        setattr(modifier, name, value)
        found = pipeline.compute()
        assert str(getattr(modifier.exploration.settings, name)) == str(value)
        assert len(maps) == 1, name
    assert found.attributes["ARISE.clusters.min_cluster_size"] == 5
    assert "arise-plane" in found.tables
    modifier.layer = -1
    pipeline.compute()
    modifier.layer = modifier.exploration.layer  # the same one by another number
    pipeline.compute()
    modifier.stride = 9.0
    pipeline.compute()
    assert maps[:2] == [boxes, boxes]
    assert len(maps) == 3


def test_an_interrupt_leaves_nothing_and_the_next_one_is_complete(fcc, monkeypatch):
    modifier = AriseRegions(**QUICK, embed=False)
    pipeline = pipeline_of(fcc, modifier)
    real, closed = job.map_steps, []

    def interrupted(*arguments, **options):
        steps = real(*arguments, **options)
        try:
            yield next(steps)
            raise KeyboardInterrupt
        finally:
            steps.close()
            closed.append(True)

    monkeypatch.setattr(job, "map_steps", interrupted)
    with pytest.raises((KeyboardInterrupt, RuntimeError)):
        pipeline.compute()
    assert closed == [True]
    assert len(modifier._results) == 0
    with pytest.raises(RuntimeError, match="no frame was evaluated"):
        _ = modifier.exploration
    monkeypatch.setattr(job, "map_steps", real)
    assert "ARISE Cluster" in pipeline.compute().particles


def test_it_tells_how_far_it_is_and_what_it_does(fcc):
    steps = list(AriseRegions(**QUICK).modify(pipeline_of(fcc).compute()))
    texts = [s for s in steps if isinstance(s, str)]
    shares = [s for s in steps if not isinstance(s, str)]
    assert texts[0] == "ARISE: descriptors of boxes"
    assert "ARISE: plane" in texts
    assert any("clusters of at least" in t for t in texts)
    assert shares == sorted(shares)
    assert all(0 <= s <= 1 for s in shares)


# --- nothing to find ----------------------------------------------------------------------------------------------


def test_a_perfect_crystal_is_one_cluster(model):
    crystal = builders.repeat(
        arise.Structure(3.6 * np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]), [29] * 4,
                        3.6 * np.eye(3), True), (5, 5, 5),
    )  # fmt: skip
    data = pipeline_of(crystal, AriseRegions(**FAST | {"stride": 9.0})).compute()
    assert data.attributes["ARISE.clusters.count"] == 1
    assert data.attributes["ARISE.clusters.notes"] == "all are alike"
    assert (ids_of(data) == 1).all()


def test_too_few_boxes_are_no_cluster(fcc):
    data = pipeline_of(fcc, AriseRegions(**FAST | {"stride": 11.0}, select=1)).compute()
    assert data.attributes["ARISE.clusters.count"] == 0
    assert data.attributes["ARISE.clusters.outlier_share"] == 1.0
    assert "too few" in data.attributes["ARISE.clusters.notes"]
    assert (ids_of(data) == 0).all()
    assert not np.asarray(data.particles.selection).any()
    assert "`select` names 1, the last cluster is 0" in data.attributes["ARISE.clusters.notes"]
    assert np.asarray(data.tables["arise-clusters"].y).tolist() == [len(fcc)]


def test_fewer_atoms_than_a_box_needs_are_no_cluster_and_a_warning():
    piece = arise.Structure(np.eye(3) * 2.5, [29, 29, 29])
    with pytest.warns(UserWarning, match=r"no box holds `min_atoms` \(20\) atoms"):
        data = pipeline_of(piece, AriseRegions(**FAST)).compute()
    assert (ids_of(data) == 0).all()
    assert "none has a representation" in data.attributes["ARISE.clusters.notes"]
    assert data.tables["arise-plane"].count == 0


def test_no_particles_are_refused_as_by_the_other_modifier():
    with pytest.raises(ValueError, match="requires particles"):
        list(AriseRegions().modify(DataCollection()))


def test_a_frame_without_particles_or_selection_is_refused(fcc):
    empty = DataCollection()
    empty.create_particles(count=0).create_property("Position", data=np.zeros((0, 3)))
    with pytest.raises(ValueError, match="requires particles, but the pipeline has none"):
        list(AriseRegions().modify(empty))
    data = collection(fcc)
    data.particles_.create_property("Selection", data=np.zeros(len(fcc), dtype=np.int8))
    with pytest.raises(ValueError, match="No particle is selected"):
        list(AriseRegions(only_selected=True).modify(data))


def test_each_frame_has_clusters_of_its_own():
    modifier = AriseRegions(**FAST, embed=False, min_cluster_size=2)
    pipeline = Pipeline(source=PythonSource(delegate=Changing()))
    pipeline.modifiers.append(modifier)
    forwards = [ids_of(pipeline.compute(k)) for k in range(3)]
    assert [len(ids) for ids in forwards] == [4 * (5 + k) * 25 for k in range(3)]
    assert len(modifier._results) == 3
    modifier._results.budget = 1
    backwards = [ids_of(pipeline.compute(k)) for k in (2, 1, 0)][::-1]
    assert all((a == b).all() for a, b in zip(forwards, backwards, strict=True))
    assert len(modifier._results) == 1


# --- parameters ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("reuse", "maybe", "boolean"),
        ("layer", 1.5, "integer"),
        ("components", -1, "integer >= 0"),
        ("min_cluster_size", 1, "'auto' or a whole number >= 2"),
        ("min_cluster_size", "many", "'auto' or a whole number >= 2"),
        ("min_cluster_size", 25.5, "'auto' or a whole number >= 2"),
        ("min_samples", -1, "integer >= 0"),
        ("soft", 2, "boolean"),
        ("membership", -0.1, "number >= 0.0"),
        ("embed", 2, "boolean"),
        ("n_neighbors", 1, "integer >= 2"),
        ("min_dist", -0.1, "number >= 0.0"),
        ("embed_seed", -1, "integer >= 0"),
        ("select", "first", "numbers of clusters"),
        ("select", -1, "numbers of clusters"),
        ("select", 1.5, "numbers of clusters"),
        ("color_particles", "yes", "boolean"),
        ("box_size", 0.0, "number > 0.0"),
    ],
)
def test_a_bad_value_is_refused_at_once_by_name(name, value, says):
    modifier = AriseRegions()
    before = getattr(modifier, name)
    with pytest.raises(TraitError, match=f"'{name}' trait") as error:
        setattr(modifier, name, value)
    assert says in str(error.value)
    assert getattr(modifier, name) == before
    with pytest.raises(TraitError, match=f"'{name}' trait"):
        AriseRegions(**{name: value})


def test_every_parameter_of_its_own_is_in_the_list_of_bad_values():
    (mark,) = test_a_bad_value_is_refused_at_once_by_name.pytestmark
    own = {
        n for n in {*AriseRegions().editable_traits()} - {*AriseModifier().editable_traits()} if n[0] != "_"
    }
    assert own <= {row[0] for row in mark.args[1]}
    assert {*options_of(MapSettings), *options_of(SamplingSettings), *options_of(ExploreSettings)} <= {
        *AriseRegions().editable_traits()
    }


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"box_size": 4.0, "stride": 8.0}, ValueError, "`stride` must not exceed `box_size`"),
        ({"membership": 1.5}, ValueError, r"`membership` must be in \[0, 1\], got 1.5"),
        ({"layer": 9}, ValueError, "`layer`"),
        ({"min_clustersize": 9}, TypeError, "no parameter 'min_clustersize'; close: min_cluster_size"),
    ],
)
def test_parameters_that_do_not_fit_are_refused_by_the_constructor(parameters, error, message):
    with pytest.raises(error, match=message):
        AriseRegions(**parameters)


def test_defaults_are_those_of_the_core():
    assert AriseRegions()._explore_settings() == ExploreSettings()
    assert AriseRegions(min_cluster_size="50")._explore_settings().min_cluster_size == 50
    assert AriseRegions(min_cluster_size=50).min_cluster_size == "50"
    assert cluster_numbers("") == []


SETTINGS = {
    "stride": 8.0, "passes": 16, "tolerance": 0.0, "min_cluster_size": "5", "layer": 0, "select": "1",
    "components": 10, "embed": False, "color_particles": False, "reuse": False,
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(
    sys.version_info >= (3, 13), reason="OVITO 3.17 crashes saving a session with any Python modifier class"
)
def test_a_saved_session_keeps_everything(tmp_path, fcc):
    pipeline = pipeline_of(fcc, PythonModifier(delegate=AriseRegions(**SETTINGS), title="regions"))
    expected = np.bincount(ids_of(pipeline.compute())).tolist()
    pipeline.add_to_scene()
    try:
        ovito.scene.save(str(tmp_path / "session.ovito"))
    finally:
        pipeline.remove_from_scene()
    script = """
import sys, json, ovito
import numpy as np
ovito.scene.load(sys.argv[1])
pipeline = ovito.scene.pipelines[0]
delegate = pipeline.modifiers[0].delegate
found = {name: getattr(delegate, name) for name in json.loads(sys.argv[2])}
counts = np.bincount(pipeline.compute().particles["ARISE Cluster"]).tolist()
print(json.dumps([type(delegate).__name__, found, counts]))
"""
    kind, found, counts = json.loads(
        in_new_process(script, str(tmp_path / "session.ovito"), json.dumps(list(SETTINGS)))
    )
    assert (kind, found, counts) == ("AriseRegions", SETTINGS, expected)
