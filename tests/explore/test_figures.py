"""Pictures of explorations: what stands on them, and that nothing breaks where there is nothing to show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.image import imread

from arise_core.engine.grid import box_grid
from arise_core.errors import InputError
from arise_core.explore import figures, figures_in_space
from arise_core.explore.clusters import find_clusters
from arise_core.explore.embedding import Embedding
from arise_core.explore.palette import COLOURS, EMPTY, OTHERS, OUTLIERS, REJECTED, kinds_of_classes
from arise_core.explore.result import Exploration
from arise_core.geometry.material import Material
from arise_core.geometry.structure import Structure
from arise_core.recognition.maps import StridedMap
from arise_core.settings import ExploreSettings, MapSettings
from tests.explore import made


@pytest.fixture(scope="module")
def slab():
    return made.exploration(missing=7)


@pytest.fixture(scope="module")
def empty():
    return made.exploration(0)


@pytest.fixture(scope="module")
def one():
    return made.exploration(1)


def mesh(panel):
    return panel.collections[0].get_array()


def legend(panel):
    return [text.get_text() for text in panel.get_legend().get_texts()]


def seen(panel, tmp_path):
    """Draws, which is where much would break, as vectors and as pixels."""
    for end in ("png", "pdf", "svg"):
        panel.figure.savefig(tmp_path / f"a.{end}")
        assert (tmp_path / f"a.{end}").stat().st_size > 1000
    return imread(tmp_path / "a.png")


# --- in space -----------------------------------------------------------------------------------------------------


def test_probabilities_have_a_panel_a_class(slab, tmp_path):
    panels = figures_in_space.draw_probabilities(slab.field)
    assert {p.get_title() for p in panels} == set(made.CLASSES)
    assert len(figures_in_space.draw_probabilities(slab.field, top=2)) == 2
    nx, ny, _ = slab.field.shape
    for panel in panels:
        assert (panel.get_xlabel(), panel.get_ylabel()) == ("x (Å)", "y (Å)")
        assert mesh(panel).shape == (nx, ny)
        assert mesh(panel).mask.sum() == 7  # boxes without a prediction
        assert panel.collections[0].get_clim() == (0.0, 1.0)
        assert to_hex(panel.get_facecolor()) == to_hex(EMPTY)
    total = sum(mesh(p) for p in panels)
    np.testing.assert_allclose(total.compressed(), 1.0)
    seen(panels[0], tmp_path)


def test_boxes_lie_where_they_are(slab):
    plane = figures_in_space.slice_of(slab.field)
    centres = slab.field.centers[plane.rows]
    middle_x = (plane.x[:-1, :-1] + plane.x[1:, 1:]) / 2
    middle_y = (plane.y[:-1, :-1] + plane.y[1:, 1:]) / 2
    np.testing.assert_allclose(middle_x, centres[..., 0], atol=1e-9)
    np.testing.assert_allclose(middle_y, centres[..., 1], atol=1e-9)
    assert plane.title == ""


def test_mutual_information_has_its_unit(slab, tmp_path):
    panel = figures_in_space.draw_mutual_information(slab.field)
    bar = panel.figure.axes[-1]
    assert bar.get_ylabel() == "mutual information (bit)"
    low, high = panel.collections[0].get_clim()
    assert low == 0.0
    assert high == pytest.approx(np.nanmax(slab.prediction.mutual_information))
    seen(panel, tmp_path)


def test_labels_have_colours_and_names(slab, tmp_path):
    panel = figures_in_space.draw_labels(slab.field)
    assert set(legend(panel)) == set(made.CLASSES)
    shown = panel.collections[0].to_rgba(mesh(panel)).reshape(-1, 4)
    assert {to_hex(c) for c in shown if c[3]} == set(COLOURS[:4])
    seen(panel, tmp_path)


def test_clusters_are_shown_in_space(slab, tmp_path):
    assert slab.clusters.n_clusters == 4
    panel = figures_in_space.draw_clusters(slab)
    assert legend(panel)[:4] == [f"cluster {k}" for k in range(4)]
    seen(panel, tmp_path)
    with pytest.raises(InputError, match="several structures"):
        figures_in_space.draw_clusters(replace(slab, field=None))


def test_a_slice_of_a_volume_is_named(tmp_path):
    found = made.exploration(stride=4.0, times=(8, 7, 8), periodic=True)
    nx, ny, nz = found.field.shape
    assert nz > 2
    panel = figures_in_space.draw_labels(found.field, axis=0, at=1)
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("y (Å)", "z (Å)")
    assert mesh(panel).shape == (ny, nz)
    x = found.field.centers.reshape(nx, ny, nz, 3)[1, 0, 0, 0]
    assert panel.figure.get_suptitle() == f"x = {x:.1f} Å"
    with pytest.raises(InputError, match="`at` must be in"):
        figures_in_space.draw_labels(found.field, at=nz)
    with pytest.raises(InputError, match="`axis` must be 0, 1 or 2, got 3"):
        figures_in_space.draw_labels(found.field, axis=3)
    seen(panel, tmp_path)


def test_a_skewed_cell_keeps_its_lengths():
    cell = np.array([[20.0, 0, 3.0], [6.0, 19.0, 0], [0, 0, 21.0]])
    fractions = np.stack(np.meshgrid(*(np.arange(8) / 8,) * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    structure = Structure(fractions @ cell, np.full(512, 29), cell, np.ones(3, dtype=bool))
    grid = box_grid(Material.of(structure), MapSettings(box_size=8.0, stride=5.0))
    ones = np.ones(len(grid), dtype=bool)
    said = made.prediction(np.zeros(len(grid), dtype=int), np.zeros(len(grid)), ones)
    plane = figures_in_space.slice_of(StridedMap(grid, said, np.ones(len(grid)), "made"))
    assert plane.names == ("along a (Å)", "across a (Å)")
    edges = plane.x[-1, 0] - plane.x[0, 0], plane.y[-1, 0] - plane.y[0, 0]
    assert np.hypot(*edges) == pytest.approx(np.linalg.norm(grid.domain[0]))
    edges = plane.x[0, -1] - plane.x[0, 0], plane.y[0, -1] - plane.y[0, 0]
    assert np.hypot(*edges) == pytest.approx(np.linalg.norm(grid.domain[1]))


def test_strides_are_compared_in_the_same_colours(slab, tmp_path):
    coarse = made.exploration(stride=3.0).field
    panels = figures_in_space.draw_strides([slab.field, coarse])
    assert [p.get_title() for p in panels[0]] == ["stride 1.0 Å", "stride 3.0 Å"]
    assert mesh(panels[0][0]).size > 4 * mesh(panels[0][1]).size
    assert panels[1][0].collections[0].get_clim() == panels[1][1].collections[0].get_clim()
    corner = [to_hex(p.collections[0].to_rgba(mesh(p))[-1, -1]) for p in panels[0]]
    assert corner[0] == corner[1]
    seen(panels[0][0], tmp_path)
    with pytest.raises(InputError, match="`fields` is empty"):
        figures_in_space.draw_strides([])


def test_rare_classes_share_a_colour_and_rejected_ones_have_their_own():
    n = 60
    index = np.repeat(np.arange(10), 6)
    score = np.where(np.arange(n) == 0, 1.0, 0.0)
    (kinds,) = kinds_of_classes([made.prediction(index, np.zeros(n), np.arange(n) != 1, score)])
    assert kinds.colours == (*COLOURS, OTHERS, REJECTED)
    assert kinds.names[-2:] == ("other classes", "none of the classes")
    assert kinds.of_rows[0] == 8
    assert kinds.of_rows[1] == -1
    assert (kinds.of_rows == 7).sum() == 4 + 2 * 6  # class 0 lost two of its rows, and so is the rarest


# --- representations ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["cluster", "class", "mutual information"])
def test_the_plane_shows_every_box_once(slab, by, tmp_path):
    panel = figures.draw_plane(slab, by)
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("UMAP 1 (no unit)", "UMAP 2 (no unit)")
    assert sum(len(c.get_offsets()) for c in panel.collections) == len(slab) - 7
    if by == "mutual information":
        assert panel.figure.axes[-1].get_ylabel() == "mutual information (bit)"
    else:
        assert len(legend(panel)) >= 4
    seen(panel, tmp_path)


def test_another_colour_of_the_plane_is_refused(slab):
    with pytest.raises(
        InputError, match="`by` must be one of cluster, class, mutual information, got 'size'"
    ):
        figures.draw_plane(slab, "size")


def test_least_distances_are_compared(slab, tmp_path):
    embeddings = [
        Embedding(slab.points * k, slab.vectors, replace(slab.settings, min_dist=k)) for k in (0.1, 0.5)
    ]
    panels = figures.draw_min_dists(slab, embeddings)
    assert [p.get_title() for p in panels] == ["boxes in space", "least distance 0.1", "least distance 0.5"]
    assert panels[0].get_xlabel() == "x (Å)"
    assert all(len(p.collections[0].get_offsets()) == len(slab) - 7 for p in panels)
    assert panels[0].figure.axes[-1].get_ylabel() == "angle around the middle (°)"
    seen(panels[0], tmp_path)
    with pytest.raises(InputError, match=f"`embeddings` must have {len(slab)} rows, got 3 in number 0"):
        figures.draw_min_dists(slab, [Embedding(np.zeros((3, 2)), np.zeros((3, 4)), slab.settings)])


def test_the_tree_has_a_coloured_branch_for_each_cluster(slab, tmp_path):
    panel = figures.draw_tree(slab.clusters)
    colours = {to_hex(bar.get_facecolor()) for bar in panel.patches}
    assert set(COLOURS[:4]) <= colours
    assert {t.get_text() for t in panel.texts} == {"0", "1", "2", "3"}
    assert "λ" in panel.get_ylabel()
    assert panel.get_ylim()[0] > panel.get_ylim()[1]  # density grows downwards
    seen(panel, tmp_path)


def test_rows_that_are_the_same_have_a_tree(tmp_path):
    rng = np.random.default_rng(0)
    x = np.repeat(rng.normal(size=(6, 3)).astype(np.float32), 10, axis=0)
    clusters = find_clusters(x, ExploreSettings(min_cluster_size=5))
    assert np.isinf(clusters.tree[:, 2]).any()
    panel = figures.draw_tree(clusters)
    assert np.isfinite(panel.get_ylim()).all()
    seen(panel, tmp_path)


def test_a_quantity_has_a_histogram_a_cluster(slab, tmp_path):
    values = slab.field.centers[:, 0].copy()
    values[20] = np.nan
    panel = figures.draw_quantity(slab, values, "place", "Å", bins=10)
    assert panel.get_xlabel() == "place (Å)"
    assert panel.get_ylabel() == "share of the cluster (%)"
    texts = legend(panel)
    assert len(texts) == slab.clusters.n_clusters + bool(slab.clusters.outliers.any())
    counted = sum(int(t.rpartition("= ")[2].replace(",", "")) for t in texts)
    assert counted == len(slab) - 8
    seen(panel, tmp_path)
    with pytest.raises(InputError, match="`values` must have shape"):
        figures.draw_quantity(slab, values[1:], "place", "Å")


def test_similar_structures_stand_side_by_side(tmp_path):
    x = np.array([[1, 0, 0], [0, 1, 0], [1, 0.1, 0], [0, 1, 0.1], [1, 0, 0.1]])
    x /= np.linalg.norm(x, axis=1)[:, None]
    matrix = np.full((6, 6), np.nan)
    matrix[:5, :5] = x @ x.T
    order = figures.dendrogram_order(matrix).tolist()
    assert order[-1] == 5
    assert sorted(order[:5]) == [0, 1, 2, 3, 4]
    assert abs(order.index(1) - order.index(3)) == 1
    panel = figures.draw_similarity(matrix, list("abcdef"), 2)
    assert [t.get_text() for t in panel.get_xticklabels()] == ["abcdef"[k] for k in order]
    assert panel.figure.axes[-1].get_ylabel() == "cosine similarity, hidden layer 2"
    as_given = figures.draw_similarity(matrix, list("abcdef"), 2, ordered=False)
    assert [t.get_text() for t in as_given.get_xticklabels()] == list("abcdef")
    seen(panel, tmp_path)
    with pytest.raises(InputError, match="`names` must name the 6 rows of the matrix, got 1"):
        figures.draw_similarity(matrix, ["a"], 2)


# --- nothing to show ----------------------------------------------------------------------------------------------


def test_a_map_without_predictions_is_shown_empty(empty, tmp_path):
    for panel in (
        figures_in_space.draw_probabilities(empty.field)[0],
        figures_in_space.draw_mutual_information(empty.field),
        figures_in_space.draw_labels(empty.field),
        figures_in_space.draw_clusters(empty),
    ):
        assert mesh(panel).mask.all()
        seen(panel, tmp_path)
    for panel in (
        figures.draw_plane(empty),
        figures.draw_plane(empty, "mutual information"),
        figures.draw_tree(empty.clusters),
        figures.draw_quantity(empty, np.zeros(len(empty)), "a", "Å"),
    ):
        assert any(t.get_text() for t in panel.texts)  # says why
        seen(panel, tmp_path)
    seen(figures.draw_min_dists(empty, [empty.embedding])[0], tmp_path)


def test_one_cluster_is_shown(one, tmp_path):
    assert one.clusters.n_clusters == 1
    for panel in (
        figures.draw_plane(one),
        figures.draw_tree(one.clusters),
        figures.draw_quantity(one, np.ones(len(one)), "a", "Å"),
        figures_in_space.draw_clusters(one),
    ):
        seen(panel, tmp_path)


def test_the_plane_says_that_it_was_not_asked_for(tmp_path):
    panel = figures.draw_plane(made.exploration(embed=False))
    assert panel.texts[0].get_text() == "no plane was asked for"


def test_many_clusters_have_room(tmp_path):
    n = 40
    rng = np.random.default_rng(0)
    middles = np.stack(np.meshgrid(range(8), range(5)), axis=-1).reshape(-1, 2) * 10.0
    points = (np.repeat(middles, 20, axis=0) + rng.normal(0, 0.3, (20 * n, 2))).astype(np.float32)
    clusters = find_clusters(points, ExploreSettings(min_cluster_size=10, min_samples=5))
    assert clusters.n_clusters >= n - 5
    settings = ExploreSettings()
    said = made.prediction(np.zeros(20 * n, dtype=int), np.zeros(20 * n), np.ones(20 * n, dtype=bool))
    found = Exploration(said, points, 2, clusters, Embedding(points, points, settings), settings, "made")
    panel = figures.draw_plane(found)
    looks = {(to_hex(c.get_facecolor()[0]), c.get_paths()[0].vertices.tobytes()) for c in panel.collections}
    assert len(looks) == len(panel.collections)  # no two clusters look the same
    quantity = figures.draw_quantity(found, points[:, 0], "a", "Å")
    for axes in (panel, figures.draw_tree(clusters), quantity):
        seen(axes, tmp_path)  # a warning is an error: all fits
        assert axes.get_position().width > 0.3


def test_outliers_are_grey(slab):
    labels = slab.labels.copy()
    labels[50:60] = -1
    found = replace(slab, clusters=replace(slab.clusters, labels=labels))
    panel = figures.draw_plane(found)
    grey = [c for c in panel.collections if to_hex(c.get_facecolor()[0]) == OUTLIERS]
    assert [len(c.get_offsets()) for c in grey] == [int(found.clusters.outliers.sum())]
    assert legend(panel)[-1] == "outliers"
