"""Four grains in a slab: classes, doubt, and clusters that know no class; Figure 2a-g."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import adjusted_rand_score

import arise_core as arise
from arise_core.explore.figures import draw_plane
from arise_core.explore.figures_in_space import (
    draw_clusters,
    draw_labels,
    draw_mutual_information,
    draw_probabilities,
    draw_strides,
)
from arise_core.geometry.grains import GRAINS, four_grains
from arise_core.settings import SamplingSettings
from examples.gallery.page import MODEL, Case, Page, percent

HALF = 8.0  # Å, half a box
NEAR = 3.0  # Å, from a boundary or a border
FORMS = {"pristine": (0.0, 0.0), "20 % missing, 1 % displaced": (0.2, 0.01)}
HEXAGONAL = "hexagonal diamond"


class Places(NamedTuple):
    """Where boxes lie."""

    grain: np.ndarray  # (n,), number of the grain
    to_others: np.ndarray  # (n,), Å, distance to where grains meet
    to_border: np.ndarray  # (n,), Å, distance to the outer borders

    @property
    def inside(self) -> np.ndarray:
        return (self.to_others > HALF) & (self.to_border > HALF)

    @property
    def meeting(self) -> np.ndarray:
        return (self.to_others < NEAR) & (self.to_border > HALF)

    @property
    def border(self) -> np.ndarray:
        return (self.to_border < NEAR) & (self.to_others > HALF)


def places(field: arise.StridedMap, edge: float) -> Places:
    """The grains are quarters of a square: they meet in its middle lines."""
    x = field.centers[:, :2]
    to_others = np.abs(x - edge / 2).min(axis=1)
    to_border = np.minimum(x, edge - x).min(axis=1)
    return Places(2 * (x[:, 0] > edge / 2) + (x[:, 1] > edge / 2), to_others, to_border)


def make(page: Page) -> None:
    edge, stride, smallest, neighbours = (44.0, 4.0, 8, 20) if page.quick else (98.0, 1.0, 500, 500)
    passes = 30 if page.quick else SamplingSettings().passes
    model = arise.load_model(MODEL)
    found, atoms = {}, 0
    for k, (form, (missing, displacement)) in enumerate(FORMS.items()):
        rng = np.random.default_rng(20212)
        slab, _ = four_grains((edge, edge), missing=missing, displacement=displacement, rng=rng)
        atoms = atoms or len(slab)
        found[form] = arise.exploration(
            slab, model, box_size=16.0, stride=stride, min_cluster_size=smallest, n_neighbors=neighbours,
            min_dist=0.9, embed=k == 0, passes=passes,
        )  # fmt: skip
        if k == 0:
            coarse = arise.strided_map(slab, model, box_size=16.0, stride=3 * stride, passes=passes)
    whole, broken = found.values()
    page.say(
        f"A slab of 16 Å with {atoms:,} atoms: a grain each of fcc, bcc, hcp and diamond, turned at random, that meet "
        f"in the middle (`arise_core.geometry.grains.four_grains`); {len(whole):,} boxes."
    )
    compare(page, whole, broken, edge)
    draw(page, whole, broken, coarse)


def compare(page: Page, whole: arise.Exploration, broken: arise.Exploration, edge: float) -> None:
    """The rows; the grids of both forms begin at their outer atoms, so they differ a little."""
    right, doubt, share = {}, {}, {}
    for form, found in zip(FORMS, (whole, broken), strict=True):
        where = places(found.field, edge)
        names = found.prediction.classes.short_of(found.prediction.index)
        right[form] = float((grain_of(names) == where.grain)[where.inside].mean())
        bits = found.prediction.mutual_information
        doubt[form] = [float(np.nanmean(bits[k])) for k in (where.inside, where.meeting, where.border)]
        share[form] = [
            float(found.clusters.outliers[k].mean()) for k in (where.inside, where.meeting, where.border)
        ]
    first, second = FORMS
    where = places(whole.field, edge)
    page.row(
        "each grain its class", "each grain gets its class",
        f"{percent(right[first])} of the boxes inside grains", right[first] > 0.99,
    )  # fmt: skip
    inside, meeting, border = doubt[first]
    page.row(
        "doubt where grains meet", "mutual information is low in grains and high where they meet",
        f"means: {inside:.3f} bit inside, {meeting:.3f} within {NEAR:g} Å of where they meet", meeting > 5 * inside,
    )  # fmt: skip
    page.row(
        "doubt at the outer borders", "and at the outer borders",
        f"{border:.3f} bit within {NEAR:g} Å of the borders, {inside:.3f} inside", border > 5 * inside,
        "descriptors are corrected for the shape of the matter in a box: a surface is hardly in doubt",
    )  # fmt: skip
    there = broken.field.nearest(whole.field.centers)
    same = float((whole.prediction.index == broken.prediction.index[there])[where.inside].mean())
    page.row(
        "the same with missing and displaced atoms", "virtually the same with 20 % missing and 1 % displaced",
        f"{percent(right[second])} right inside grains, {percent(same)} as before; {doubt[second][0]:.3f} bit inside, "
        f"{doubt[second][1]:.3f} where they meet", same > 0.99,
    )  # fmt: skip
    n = whole.clusters.n_clusters
    rand = adjusted_rand_score(where.grain[where.inside], whole.labels[where.inside])
    page.row(
        "four clusters that are the grains", "HDBSCAN finds four clusters, the grains",
        f"{n} clusters, adjusted Rand index {rand:.3f} inside grains ({broken.clusters.n_clusters} in the other form)",
        n == 4 and rand > 0.95, divided(where, whole.labels),
    )  # fmt: skip
    page.row(
        "outliers where grains meet", "outliers lie where grains meet",
        f"{percent(share[first][1])} of the boxes there are outliers, {percent(share[first][0])} inside",
        share[first][1] > 0.5 and share[first][0] < 0.05,
    )  # fmt: skip
    page.row(
        "outliers at the outer borders", "and at the outer borders",
        f"{percent(share[first][2])} of the boxes there", share[first][2] > 0.5,
        "the same correction: boxes at the border are like those inside",
    )  # fmt: skip
    k = whole.prediction.classes.find(HEXAGONAL)
    between = where.meeting & (where.grain >= 2)
    between &= np.abs(whole.field.centers[:, 1] - whole.field.centers[:, 1].mean()) < NEAR
    most = float(np.nanmax(whole.prediction.probabilities[between, k], initial=0.0))
    called = float((whole.prediction.index[between] == k).mean()) if between.any() else 0.0
    page.row(
        "hexagonal diamond between diamond and hcp", "hexagonal diamond appears between diamond and hcp (stride 1 Å)",
        f"its probability reaches {most:.2f} there, and it leads in {percent(called)} of these boxes", called > 0,
        "boxes of two crystals are called one of them, or none of the classes",
    )  # fmt: skip
    page.keep(right=right, doubt=doubt, outliers=share, clusters=n, rand=float(rand), hexagonal_diamond=most)


def divided(where: Places, labels: np.ndarray) -> str:
    """Which grains have several clusters, and whether one of these is their boxes at the border of the slab."""
    found = []
    for g, name in enumerate(GRAINS):
        own = [k for k in np.unique(labels[labels >= 0]) if (where.grain[labels == k] == g).mean() > 0.5]
        if len(own) > 1:
            nearest = min(float(np.median(where.to_border[labels == k])) for k in own)
            found.append(f"{name}{', whose boxes at the outer border are one' if nearest < HALF else ''}")
    return f"several clusters have {'; '.join(found)}" if found else ""


def grain_of(names: np.ndarray) -> np.ndarray:
    """The number of the grain that is called so, -1 for other names."""
    numbers = {name: k for k, name in enumerate(GRAINS)}
    return np.array([numbers.get(str(name), -1) for name in names])


def draw(page: Page, whole: arise.Exploration, broken: arise.Exploration, coarse: arise.StridedMap) -> None:
    """The pictures."""
    page.say("## Map")
    page.picture(
        "probabilities",
        draw_probabilities(whole.field)[0].figure,
        "Probabilities of the leading classes (2b).",
    )
    page.picture("map", side_by_side(whole), "Classes, mutual information (2c) and clusters (2d).")
    page.say("## Clusters on a plane")
    figure = Figure(figsize=(14.5, 3.8), layout="constrained")
    for axes, by in zip(figure.subplots(1, 3), ("cluster", "class", "mutual information"), strict=True):
        draw_plane(whole, by, axes=axes)
    page.picture("plane", figure, "UMAP of the hidden layer by cluster, class and mutual information (2e-g).")
    page.say("## 20 % of the atoms missing, the others displaced by 1 %")
    page.picture(
        "defective", side_by_side(broken), "The same of the defective form (Supplementary Figure 4a)."
    )
    page.say("## Stride")
    page.picture(
        "strides", draw_strides([whole.field, coarse])[0][0].figure,
        "A third of the resolution (Supplementary Figure 8).",
    )  # fmt: skip


def side_by_side(found: arise.Exploration) -> Figure:
    """Classes, mutual information and clusters of a map."""
    figure = Figure(figsize=(13.5, 3.8), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    draw_labels(found.field, axes=left)
    draw_mutual_information(found.field, axes=middle)
    draw_clusters(found, axes=right)
    return figure


CASE = Case(
    "slab",
    "Four grains in a slab",
    "Figure 2a–g, Supplementary Figures 4a, 8",
    "Boxes of 16 Å and a stride of 1 Å, clusters of at least 500 boxes, a plane by 500 neighbours with a least "
    "distance of 0.9, all as in the paper. Clusters and plane are found on 50 principal components of the default "
    "layer, as by default, not on all its numbers, for time.",
    make,
)
