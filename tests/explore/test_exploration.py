"""From structures to regions: the four grains of the paper, results in space and in files, and what has none."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

import arise_core as arise
from arise_core.errors import FileError, InputError
from arise_core.explore.job import explored_again
from arise_core.explore.storage import read_arrays, write_arrays
from arise_core.geometry import builders
from arise_core.geometry.grains import GRAINS, four_grains
from arise_core.progress import run
from tests.doors.systems import polycrystal

#: Half a box: boxes whose centre is further from where grains meet hold atoms of one grain.
HALF = 8.0
#: The paper's two forms: as built; 20 % of the atoms missing, the others displaced by 1 %.
FORMS = {"pristine": (0.0, 0.0), "defective": (0.2, 0.01)}


@pytest.fixture(scope="module", params=["pristine", pytest.param("defective", marks=pytest.mark.slow)])
def slab(request, model):
    """The four grains in 1,100 boxes, an eighth of the paper's, with its box size and its scan."""
    missing, displacement = FORMS[request.param]
    rng = np.random.default_rng(20212)
    structure, grain = four_grains(missing=missing, displacement=displacement, rng=rng)
    return grain, arise.exploration(structure, model, box_size=16.0, stride=3.0, passes=50, embed=False)


def places(found):
    """Distance of the boxes to where grains meet and to the border, Å, and the grain they are in."""
    centre = found.field.centers[:, :2]
    middle, edge = 49.0, 98.0
    to_others = np.abs(centre - middle).min(axis=1)
    to_border = np.minimum(centre, edge - centre).min(axis=1)
    return to_others, to_border, 2 * (centre[:, 0] > middle) + (centre[:, 1] > middle)


def test_each_grain_is_its_class_and_its_cluster(slab):
    _, found = slab
    to_others, to_border, grain = places(found)
    inside = (to_others > HALF) & (to_border > HALF)
    assert inside.sum() > 300
    names = found.prediction.classes.short_of(found.prediction.index)
    assert (names[inside] == np.array(GRAINS)[grain[inside]]).mean() > 0.99
    assert found.clusters.n_clusters == 4
    assert adjusted_rand_score(grain[inside], found.labels[inside]) >= 0.95
    with_border = to_others > HALF
    assert adjusted_rand_score(grain[with_border], found.labels[with_border]) >= 0.95
    groups = found.groups()
    assert {g.classes[0][0] for g in groups[:4]} == set(GRAINS)
    assert all(g.classes[0][1] > 0.95 for g in groups[:4])
    assert sum(g.share for g in groups) == pytest.approx(1)


def test_outliers_and_doubt_lie_where_grains_meet(slab):
    _, found = slab
    to_others, to_border, _ = places(found)
    inside = (to_others > HALF) & (to_border > HALF)
    meeting, border = to_others < 2, (to_border < 3) & (to_others > HALF)
    outliers, doubt = found.clusters.outliers, found.prediction.mutual_information
    assert outliers[meeting].mean() > 0.4
    assert outliers[inside].mean() < 0.02
    assert outliers[border].mean() >= outliers[inside].mean()
    assert doubt[meeting].mean() > 3 * doubt[inside].mean()


def test_clusters_at_atoms_are_the_grains(slab):
    grain, found = slab
    labels, share = found.labels_at_atoms(), found.strength_at_atoms()
    assert labels.shape == share.shape == grain.shape
    inside = share > 0.99
    assert inside.mean() > 0.7
    assert adjusted_rand_score(grain[inside & (labels >= 0)], labels[inside & (labels >= 0)]) > 0.95
    boxes = found.box_of_atoms()
    assert (found.labels[boxes] == labels).mean() > 0.95
    distance = np.abs(found.field.centers[boxes] - found.field.grid.material.positions)[:, :2]
    assert distance.max() <= 1.5 + 1.0  # half a stride, and what lies beyond the last centres


@pytest.fixture(scope="module")
def small(model):
    """Fcc copper beside bcc copper, open, a few hundred boxes; some empty."""
    rng = np.random.default_rng(3)
    structure, _ = four_grains((40.0, 40.0), rng=rng)
    far = arise.Structure(
        np.concatenate([structure.positions, structure.positions[:30] + [70.0, 0.0, 0.0]]),
        np.concatenate([structure.numbers, structure.numbers[:30]]),
    )
    return arise.exploration(far, model, stride=5.0, passes=10, min_cluster_size=5, n_neighbors=10)


def test_boxes_without_a_prediction(small):
    empty = ~small.prediction.valid
    assert 0 < empty.sum() < len(small)
    assert (small.labels[empty] == -1).all()
    assert np.isnan(small.points[empty]).all()
    assert np.isfinite(small.points[~empty]).all()
    assert sum(g.size for g in small.groups()) == (~empty).sum()


def test_the_map_is_the_same_as_without(small, model):
    field = arise.strided_map(
        small.field.grid.material, model, resolution="single", stride=5.0, passes=10, probabilities="all"
    )
    assert np.array_equal(field.prediction.probabilities, small.prediction.probabilities, equal_nan=True)
    again = arise.exploration(field, model, min_cluster_size=5, embed=False)
    assert np.array_equal(again.vectors, small.vectors, equal_nan=True)
    assert np.array_equal(again.labels, small.labels)
    assert again.embedding is None
    assert np.isnan(again.points).all()
    with pytest.raises(InputError, match="`model` must be 'arise-108', which made the map"):
        arise.exploration(field, arise.load_model("arise-108-paper"))


def test_saved_and_loaded(small, tmp_path):
    path = tmp_path / "found.npz"
    small.save(path)
    again = arise.Exploration.load(path)
    assert repr(again) == repr(small)
    assert again.settings == small.settings
    assert [repr(g) for g in again.groups()] == [repr(g) for g in small.groups()]
    assert again.prediction.classes == small.prediction.classes
    for name in ("labels", "vectors", "points"):
        assert np.array_equal(getattr(again, name), getattr(small, name), equal_nan=True)
    assert np.array_equal(again.clusters.tree, small.clusters.tree)
    assert np.array_equal(again.labels_at_atoms(), small.labels_at_atoms())
    assert np.array_equal(again.field.centers, small.field.centers)
    new = small.vectors[small.clusters.valid][:3] + np.float32(1e-3)
    assert np.array_equal(again.embedding.place(new), small.embedding.place(new))
    for name, value, said in (
        ("clusters_labels", small.labels + 50, "a label is no cluster"),
        ("vectors", small.vectors[1:], "not f"),
        ("n_atoms", None, "n_atoms"),
    ):
        arrays, facts = read_arrays(path, "exploration")
        arrays = {k: v for k, v in ({**arrays, name: value}).items() if v is not None}
        write_arrays(tmp_path / "damaged.npz", arrays, facts)
        with pytest.raises(FileError, match=f"holds no whole exploration: .*{said}"):
            arise.Exploration.load(tmp_path / "damaged.npz")
    arise.Representations((0,), (small.vectors,), np.arange(len(small)), "m").save(path)
    with pytest.raises(FileError, match="holds no exploration"):
        arise.Exploration.load(path)


def test_saved_where_the_cell_begins_elsewhere(model, tmp_path):
    """Also files from before cells could, which do not say where."""
    path, before = tmp_path / "found.npz", tmp_path / "before.npz"
    grains = polycrystal()
    for origin in ((3.0, -2.0, 1.5), (0.0, 0.0, 0.0)):
        moved = arise.Structure(grains.positions, grains.numbers, grains.cell, True, origin)
        found = arise.exploration(
            moved,
            model,
            resolution="single",
            box_size=10.0,
            stride=5.0,
            passes=5,
            min_cluster_size=5,
            embed=False,
        )
        found.save(path)
        again = arise.Exploration.load(path)
        assert np.array_equal(again.field.centers, found.field.centers)
        assert np.array_equal(again.labels_at_atoms(), found.labels_at_atoms())
    arrays, facts = read_arrays(path, "exploration")
    del facts["origin"]
    write_arrays(before, arrays, facts)
    assert np.array_equal(arise.Exploration.load(before).field.centers, found.field.centers)


def test_other_settings_without_the_network(small):
    settings = arise.ExploreSettings(min_cluster_size=10, layer=small.layer, embed=False)
    again = run(explored_again(small, settings))
    assert again.clusters.min_cluster_size == 10
    assert again.embedding is None
    with pytest.raises(InputError, match="`layer` must be 1"):
        run(explored_again(small, arise.ExploreSettings(layer=0)))


def test_several_structures_as_wholes(model, rng):
    crystals = [arise.build(arise.prototype(name)) for name in ("fcc", "bcc")]
    shaken = [builders.displace(builders.repeat(c, (4, 4, 4)), 0.02, rng) for c in crystals for _ in range(8)]
    found = arise.exploration(shaken, model, passes=10, min_cluster_size=4, n_neighbors=4)
    assert found.field is None
    assert found.labels.tolist() in ([0] * 8 + [1] * 8, [1] * 8 + [0] * 8)
    assert found.points.shape == (16, 2)
    with pytest.raises(InputError, match="several structures were explored"):
        found.labels_at_atoms()


def test_one_perfect_crystal_is_one_cluster(model):
    cell = builders.repeat(arise.build(arise.prototype("fcc")), (6, 6, 6))
    found = arise.exploration(cell, model, passes=5, stride=5.0)
    assert found.clusters.n_clusters in (0, 1)
    assert found.clusters.note
    assert np.isfinite(found.points).all()


def test_nothing_in_any_box(model):
    few = arise.Structure(np.arange(15.0).reshape(5, 3), np.full(5, 29))
    with pytest.warns(UserWarning, match="the map is NaN"):
        found = arise.exploration(few, model, passes=5)
    assert found.groups() == []
    assert found.clusters.note == "none has a representation"
    assert (found.labels_at_atoms() == -1).all()


@pytest.mark.parametrize(
    ("subject", "settings", "said"),
    [
        ([], {}, "`structures` is empty"),
        (5, {}, "`subject` must be a structure, a grid, a map or a list"),
        (None, {"stride": -1}, "`stride`"),
        (None, {"layer": 8}, "`layer` must be in"),
        (None, {"colour": 1}, "unknown argument 'colour'"),
    ],
)
def test_refused_before_any_work(model, fcc, subject, settings, said):
    with pytest.raises((ValueError, TypeError), match=said):
        arise.exploration(fcc if subject is None else subject, model, **settings)


def test_a_data_frame_of_the_rows(small, model):
    frame = small.to_dataframe()
    assert list(frame) == [
        "cluster", "strength", "label", "rejected", "mutual_information", "umap_1", "umap_2", "x", "y", "z", "n_atoms",
    ]  # fmt: skip
    assert np.array_equal(frame["cluster"], small.labels)
    assert np.array_equal(frame[["umap_1", "umap_2"]], small.points, equal_nan=True)
    assert np.array_equal(frame[["x", "y", "z"]], small.field.centers)
    assert set(frame["label"][~small.prediction.valid]) == {"none"}
    whole = arise.exploration(
        [small.field.grid.material] * 3, model, passes=5, min_cluster_size=2, embed=False
    )
    assert list(whole.to_dataframe())[-1] == "umap_2"
    assert whole.to_dataframe()["umap_1"].isna().all()
