"""Pictures of representations: the plane, the tree of clusters, quantities, similarities.

One function a figure; it returns the axes. Save by `axes.figure.savefig("plane.pdf")`, or .svg, .png.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from arise_core.errors import InputError
from arise_core.explore.clusters import Clusters
from arise_core.explore.embedding import Embedding
from arise_core.explore.figures_in_space import (
    LEAST_INFORMATION,
    beside,
    legend,
    new_axes,
    panels_of,
    slice_of,
)
from arise_core.explore.palette import (
    ANGLE,
    COLOURS,
    INFORMATION,
    OUTLIERS,
    Kinds,
    kinds_of_classes,
    kinds_of_clusters,
)
from arise_core.explore.result import Exploration
from arise_core.geometry.arrays import FloatArray, IntArray, Reals
from arise_core.runtime.packages import package

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: What colours the plane.
By = Literal["cluster", "class", "mutual information"]
#: Points of so many rows are pixels in vector files too.
MANY = 3000
#: Up to so many structures the picture of similarities shows numbers; longest name in it.
NUMBERS = 14
WIDEST = 32


def draw_plane(found: Exploration, by: By = "cluster", *, axes: Axes | None = None) -> Axes:
    """The plane on which alike boxes or structures lie together; Leitherer et al. (2021), Figures 2e-g.

    Args:
        found: an exploration.
        by: what colours the points.
        axes: to draw into; None: of a new figure.

    Raises:
        InputError: another `by`.
    """
    if by not in get_args(By):
        raise InputError(f"`by` must be one of {', '.join(get_args(By))}, got {by!r}")
    if by == "mutual information":
        panel = axes or new_axes()
        values = found.prediction.mutual_information
        there = np.isfinite(found.points).all(axis=1) & np.isfinite(values)
        order = np.flatnonzero(there)[np.argsort(values[there], kind="stable")]  # doubt lies on top
        most = float(values[order].max(initial=LEAST_INFORMATION))
        points = _points(panel, found.points[order], c=values[order], cmap=INFORMATION, vmin=0.0, vmax=most)
        panel.figure.colorbar(points, ax=panel, label="mutual information (bit)")
    else:
        kinds = (
            kinds_of_clusters(found.clusters) if by == "cluster" else kinds_of_classes([found.prediction])[0]
        )
        panel = axes or new_axes(3.8 + beside(kinds))
        _kinds(panel, found.points, kinds)
    _plane(panel, found.points, _why(found))
    return panel


def draw_min_dists(found: Exploration, embeddings: Sequence[Embedding]) -> list[Axes]:
    """Where around the middle of a map boxes lie, and where on planes of several least distances.

    Leitherer et al. (2021), Supplementary Figure 9. Colour is the angle around the middle of the map.

    Args:
        found: an exploration of a map.
        embeddings: of `found.vectors`, with several settings of `min_dist`.

    Raises:
        InputError: several structures were explored, or an embedding of other rows.
    """
    if found.field is None:
        raise InputError("`found` must be of a map: several structures were explored, which have no boxes")
    for k, embedding in enumerate(embeddings):
        if len(embedding) != len(found):
            raise InputError(f"`embeddings` must have {len(found)} rows, got {len(embedding)} in number {k}")
    x = found.field.centers
    known = found.clusters.valid
    a, b = slice_of(found.field).axes
    middle = x[known].mean(axis=0) if known.any() else x.mean(axis=0)
    angle = np.degrees(np.arctan2(x[:, b] - middle[b], x[:, a] - middle[a]))
    panels = panels_of(1, 1 + len(embeddings))[0]
    style: dict[str, Any] = {"cmap": _cyclic(), "vmin": -180.0, "vmax": 180.0}
    points = _points(panels[0], x[known][:, [a, b]], c=angle[known], **style)
    panels[0].set_aspect("equal")
    panels[0].set_xlabel(f"{'xyz'[a]} (Å)")
    panels[0].set_ylabel(f"{'xyz'[b]} (Å)")
    panels[0].set_title("boxes in space")
    for panel, embedding in zip(panels[1:], embeddings, strict=True):
        there = np.isfinite(embedding.points).all(axis=1)
        _points(panel, embedding.points[there], c=angle[there], **style)
        _plane(panel, embedding.points, embedding.note)
        panel.set_title(f"least distance {embedding.settings.min_dist:g}")
    bar = panels[0].figure.colorbar(points, ax=panels, label="angle around the middle (°)", shrink=0.9)
    bar.set_ticks([-180, -90, 0, 90, 180])
    return panels


def draw_tree(clusters: Clusters, *, axes: Axes | None = None) -> Axes:
    """The condensed tree of HDBSCAN: bars as wide as branches have rows, at growing density; clusters in colour.

    Args:
        clusters: of `find_clusters`.
        axes: to draw into; None: of a new figure.
    """
    panel = axes or new_axes(5.4, 4.2)
    panel.set_ylabel("density λ = 1 / distance (1 / unit of the representation)")
    panel.set_xlabel("branches, as wide as they have rows")
    panel.set_xticks([])
    if not len(clusters.tree):
        _say(panel, clusters.note or "no tree")
        return panel
    data, tops = _tree_data(clusters)
    parts = list(zip(*(data[f"bar_{k}"] for k in ("centers", "bottoms", "widths", "tops")), strict=True))
    colour = _bar_colours(data["cluster_bounds"], clusters, parts)
    for (centre, bottom, width, height), shade in zip(parts, colour, strict=True):
        panel.bar(centre, height, bottom=bottom, width=width, color=shade, align="center", linewidth=0)
    for x, y in zip(data["line_xs"], data["line_ys"], strict=True):
        panel.plot(x, y, color="black", linewidth=0.8)
    for k, node in enumerate(clusters.nodes):
        left, right, _, top = data["cluster_bounds"][int(node)]
        panel.annotate(
            str(k),
            ((left + right) / 2, top),
            ha="center",
            va="top",
            xytext=(0, -4),
            textcoords="offset points",
        )
    panel.set_ylim(1.06 * tops, 0.0)
    for side in ("top", "right", "bottom"):
        panel.spines[side].set_visible(False)
    return panel


def draw_quantity(
    found: Exploration,
    values: Reals,
    name: str,
    unit: str,
    *,
    bins: int = 40,
    axes: Axes | None = None,
) -> Axes:
    """Histogram of a quantity of the boxes or structures, a colour a cluster; Leitherer et al. (2021), Figure 4b.

    Args:
        found: an exploration.
        values: (n,), in `unit`; NaN is left out.
        name: of the quantity, for the axis.
        unit: of it, "Å" for example.
        bins: of all clusters together.
        axes: to draw into; None: of a new figure.

    Raises:
        InputError: `values` of another length.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.shape != (len(found),):
        raise InputError(f"`values` must have shape ({len(found)},), got {values.shape}")
    kinds = kinds_of_clusters(found.clusters)
    panel = axes or new_axes(7.2, max(3.4, 0.2 * len(kinds) + 0.4))
    panel.set_xlabel(f"{name} ({unit})")
    panel.set_ylabel("share of the cluster (%)")
    there = np.isfinite(values) & (kinds.of_rows >= 0)
    if not there.any():
        _say(panel, "no values")
        return panel
    edges = np.histogram_bin_edges(values[there], bins).tolist()
    for k in range(len(kinds)):
        own = values[there & (kinds.of_rows == k)]
        if len(own):
            style: dict[str, Any] = {"weights": np.full(len(own), 100 / len(own)), "color": kinds.colours[k]}
            label = f"{kinds.names[k]}: {own.mean():.3g} ± {own.std():.2g} {unit}, n = {len(own):,}"
            line = "-" if k < len(COLOURS) else "--"
            panel.hist(own, edges, histtype="stepfilled", alpha=0.25, **style)
            panel.hist(own, edges, histtype="step", linewidth=1.5, linestyle=line, label=label, **style)
    panel.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    return panel


def draw_similarity(
    matrix: FloatArray, names: Sequence[str], layer: int, *, ordered: bool = True, axes: Axes | None = None
) -> Axes:
    """Heat map of similarities; Leitherer et al. (2021), Figure 3d.

    Args:
        matrix: (n, n), cosines of `similarity_steps`; NaN stays white.
        names: of the structures, n.
        layer: hidden layer, for the scale.
        ordered: structures stand in the order of a dendrogram (average linkage), alike ones side by side.
        axes: to draw into; None: of a new figure.

    Raises:
        InputError: `names` of another number.
    """
    n = len(names)
    if np.shape(matrix) != (n, n):
        raise InputError(f"`names` must name the {np.shape(matrix)[0]} rows of the matrix, got {n}")
    order = dendrogram_order(matrix) if ordered else np.arange(n)
    matrix = np.asarray(matrix)[np.ix_(order, order)]
    names = [names[k] for k in order]
    names = [name if len(name) <= WIDEST else f"…{name[-WIDEST:]}" for name in names]
    names = [name.replace("$", r"\$") for name in names]  # a name is no formula
    size = min(3.5 + 0.45 * n, 20.0)
    panel = axes or new_axes(size + 1.0, size)
    low = min(float(np.nanmin(matrix, initial=1.0)), 0.99)
    picture = panel.imshow(matrix, cmap="viridis", vmin=low, vmax=1.0)
    panel.set_xticks(range(n), names, rotation=90)
    panel.set_yticks(range(n), names)
    panel.figure.colorbar(picture, ax=panel, label=f"cosine similarity, hidden layer {layer}", shrink=0.8)
    if n <= NUMBERS:
        middle = (low + 1.0) / 2
        for (row, column), value in np.ndenumerate(matrix):
            colour = "black" if value > middle else "white"
            panel.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=8)
    return panel


def dendrogram_order(matrix: FloatArray) -> IntArray:
    """Rows of a matrix of cosines so that alike ones are neighbours, (n,); rows of NaN last.

    Average linkage of 1 - cosine, leaves in the order that makes neighbours most alike.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    matrix = np.asarray(matrix, dtype=np.float64)
    good = np.flatnonzero(np.isfinite(np.diagonal(matrix)))
    bad = np.setdiff1d(np.arange(len(matrix)), good)
    if len(good) > 2:
        apart = np.clip(1 - matrix[np.ix_(good, good)], 0.0, None)
        apart = (apart + apart.T) / 2
        np.fill_diagonal(apart, 0.0)
        good = good[leaves_list(linkage(squareform(apart), "average", optimal_ordering=True))]
    return np.concatenate([good, bad])


# --- parts --------------------------------------------------------------------------------------------------------


def _cyclic() -> Any:
    """Colours of angles, the lightest dark enough for white paper."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(colormaps[ANGLE](np.linspace(0, 1, 256))[:, :3] * 0.8)


def _points(panel: Axes, points: Reals, **style: Any) -> Any:
    size = float(np.clip(12000 / max(1, len(points)), 2.0, 30.0))
    return panel.scatter(
        points[:, 0], points[:, 1], s=size, linewidths=0, rasterized=len(points) > MANY, **style
    )


def _kinds(panel: Axes, points: Reals, kinds: Kinds) -> None:
    there = np.isfinite(points).all(axis=1) & (kinds.of_rows >= 0)
    size = float(np.clip(12000 / max(1, there.sum()), 2.0, 30.0))
    for k in reversed(range(len(kinds))):  # outliers below
        own = there & (kinds.of_rows == k)
        if own.any():
            panel.scatter(
                points[own, 0], points[own, 1], s=size, linewidths=0, color=kinds.colours[k],
                marker=kinds.markers[k], label=kinds.names[k], rasterized=int(there.sum()) > MANY,
            )  # fmt: skip
    legend(panel, kinds, np.flatnonzero(there))


def _plane(panel: Axes, points: Reals, why: str) -> None:
    panel.set_xlabel("UMAP 1 (no unit)")
    panel.set_ylabel("UMAP 2 (no unit)")
    panel.set_xticks([])
    panel.set_yticks([])
    if not np.isfinite(points).all(axis=1).any():
        _say(panel, why)


def _why(found: Exploration) -> str:
    return "no plane was asked for" if found.embedding is None else found.embedding.note


def _say(panel: Axes, text: str) -> None:
    panel.text(0.5, 0.5, text, transform=panel.transAxes, ha="center", va="center", wrap=True)


def _tree_data(clusters: Clusters) -> tuple[dict[str, Any], float]:
    """Bars and lines of the condensed tree, by HDBSCAN, and the largest λ."""
    tree_of = package("hdbscan.plots", "a picture of the tree needs HDBSCAN").CondensedTree
    kinds = [("parent", np.intp), ("child", np.intp), ("lambda_val", float), ("child_size", np.intp)]
    tree = np.empty(len(clusters.tree), dtype=kinds)
    for k, (name, _) in enumerate(kinds):
        tree[name] = clusters.tree[:, k]
    density = tree["lambda_val"]
    finite = density[np.isfinite(density)]
    most = float(finite.max()) if len(finite) else 1.0
    tree["lambda_val"] = np.minimum(density, most)  # rows that are the same have no distance
    return tree_of(tree, clusters.labels[clusters.valid]).get_plot_data(), most


def _bar_colours(bounds: dict[int, Any], clusters: Clusters, parts: list[Any]) -> list[str]:
    """Colours of clusters for their bars and those below, grey for the others."""
    kinds = kinds_of_clusters(clusters)
    boxes = [(bounds[int(node)], kinds.colours[k]) for k, node in enumerate(clusters.nodes)]
    return [
        next(
            (shade for (left, right, low, _), shade in boxes if left <= x <= right and bottom >= low - 1e-12),
            OUTLIERS,
        )
        for x, bottom, _, _ in parts
    ]
