"""Pictures of maps: slabs, and slices of volumes. One function a figure; it returns the axes.

Save by `axes.figure.savefig("map.pdf")`, or .svg, .png.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from arise_core.errors import InputError
from arise_core.explore.palette import (
    EMPTY,
    INFORMATION,
    PROBABILITY,
    Kinds,
    kinds_of_classes,
    kinds_of_clusters,
)
from arise_core.explore.result import Exploration
from arise_core.geometry.arrays import FloatArray, IntArray, Reals
from arise_core.recognition.maps import StridedMap

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Width and height of a panel, inches; resolution of meshes, and of what is saved as PNG, dots an inch.
PANEL = (3.6, 3.2)
DPI = 200
#: Names in a column of a legend, and its width, inches.
LONGEST, COLUMN = 14, 1.7
#: A mutual information scale ends here at least, bit: what is certain everywhere shows no noise.
LEAST_INFORMATION = 0.1


@dataclass(frozen=True)
class Slice:
    """Boxes in one plane of a map."""

    rows: IntArray  # (na, nb), boxes of the flattened grid
    axes: tuple[int, int]  # of the grid, that it lies along
    x: FloatArray  # (na + 1, nb + 1), Å, corners between the boxes
    y: FloatArray
    names: tuple[str, str]  # of the two axes
    title: str  # where it lies; empty for the only one


def slice_of(field: StridedMap, axis: int | None = None, at: int | None = None) -> Slice:
    """A plane of boxes.

    Args:
        field: a map.
        axis: of the grid, across the plane; None: the one with a single box, else the third.
        at: number of the plane along it; None: the middle one.

    Raises:
        InputError: no such axis or plane.
    """
    single = [k for k in (2, 1, 0) if field.shape[k] == 1]
    axis = (single[0] if single else 2) if axis is None else axis
    if axis not in (0, 1, 2):
        raise InputError(f"`axis` must be 0, 1 or 2, got {axis!r}")
    n = field.shape[axis]
    at = n // 2 if at is None else at
    if not 0 <= at < n:
        raise InputError(f"`at` must be in [0, {n - 1}], got {at!r}")
    a, b = (k for k in (0, 1, 2) if k != axis)
    rows = np.take(np.arange(len(field)).reshape(field.shape), at, axis=axis)
    steps = field.grid.domain / np.array(field.shape)[:, None]
    i, j = np.meshgrid(*(np.arange(field.shape[k] + 1) for k in (a, b)), indexing="ij")
    corners = field.grid.origin + i[..., None] * steps[a] + j[..., None] * steps[b] + at * steps[axis]
    height = np.abs(steps[[a, b], axis]).max() < 1e-6 * np.abs(steps[[a, b]]).max()
    title = f"plane {at + 1} of {n} along {'abc'[axis]}" if n > 1 else ""
    if height:  # the plane lies along two axes of space
        if n > 1:
            title = f"{'xyz'[axis]} = {field.centers[rows[0, 0], axis]:.1f} Å"
        return Slice(
            rows, (a, b), corners[..., a], corners[..., b], (f"{'xyz'[a]} (Å)", f"{'xyz'[b]} (Å)"), title
        )
    along = steps[a] / np.linalg.norm(steps[a])
    across = steps[b] - (steps[b] * along).sum() * along
    across /= np.linalg.norm(across)
    away = corners - corners[0, 0]
    names = (f"along {'abc'[a]} (Å)", f"across {'abc'[a]} (Å)")
    return Slice(rows, (a, b), (away * along).sum(axis=-1), (away * across).sum(axis=-1), names, title)


def draw_probabilities(
    field: StridedMap, *, top: int = 4, axis: int | None = None, at: int | None = None
) -> list[Axes]:
    """Probability of the most probable classes in a slab or a slice, a panel each; Leitherer et al. (2021), Figure 2b.

    Args:
        field: a map.
        top: panels at most; classes of mean probability below 0.001 get none.
        axis: of the grid, across the slice; None: the one with a single box, else the third.
        at: number of the slice along it; None: the middle one.

    Raises:
        InputError: no such axis or slice, or `top` below 1.
    """
    if top < 1:
        raise InputError(f"`top` must be at least 1, got {top!r}")
    plane = slice_of(field, axis, at)
    p = field.prediction
    values = p.probabilities[plane.rows.ravel()]
    known = values[np.isfinite(values).all(axis=1)]
    mean = known.mean(axis=0) if len(known) else np.zeros(values.shape[1])
    shown = [k for k, share in p.classes.top(mean, top) if share >= 1e-3] or [0]
    panels = panels_of(1, len(shown))[0]
    for k, panel in zip(shown, panels, strict=True):
        mesh = _mesh(panel, plane, p.probabilities[:, k], cmap=PROBABILITY, vmin=0.0, vmax=1.0)
        panel.set_title(p.classes.short[k])
    panels[0].figure.colorbar(mesh, ax=panels, label="probability", shrink=0.9)
    _say_where(panels[0], plane)
    return panels


def draw_mutual_information(
    field: StridedMap, *, axis: int | None = None, at: int | None = None, axes: Axes | None = None
) -> Axes:
    """Mutual information in a slab or a slice, bit; Leitherer et al. (2021), Figure 2c.

    Args:
        field: a map.
        axis: of the grid, across the slice; None: the one with a single box, else the third.
        at: number of the slice along it; None: the middle one.
        axes: to draw into; None: of a new figure.

    Raises:
        InputError: no such axis or slice.
    """
    plane = slice_of(field, axis, at)
    panel = axes or panels_of(1, 1)[0][0]
    _information(panel, plane, field, _most(field, plane))
    _say_where(panel, plane)
    return panel


def draw_labels(
    field: StridedMap, *, axis: int | None = None, at: int | None = None, axes: Axes | None = None
) -> Axes:
    """The class of each box in a slab or a slice.

    Args:
        field: a map.
        axis: of the grid, across the slice; None: the one with a single box, else the third.
        at: number of the slice along it; None: the middle one.
        axes: to draw into; None: of a new figure.

    Raises:
        InputError: no such axis or slice.
    """
    (kinds,) = kinds_of_classes([field.prediction])
    return _draw_kinds(slice_of(field, axis, at), kinds, axes)


def draw_clusters(
    found: Exploration, *, axis: int | None = None, at: int | None = None, axes: Axes | None = None
) -> Axes:
    """The cluster of each box in a slab or a slice; Leitherer et al. (2021), Figure 2d.

    Args:
        found: an exploration of a map.
        axis: of the grid, across the slice; None: the one with a single box, else the third.
        at: number of the slice along it; None: the middle one.
        axes: to draw into; None: of a new figure.

    Raises:
        InputError: no such axis or slice, or several structures were explored.
    """
    if found.field is None:
        raise InputError("`found` must be of a map: several structures were explored, which have no boxes")
    return _draw_kinds(slice_of(found.field, axis, at), kinds_of_clusters(found.clusters), axes)


def _draw_kinds(plane: Slice, kinds: Kinds, axes: Axes | None) -> Axes:
    """The kind of each box of a slice, with their names."""
    panel = axes or new_axes(PANEL[0] + beside(kinds), PANEL[1])
    _labels(panel, plane, kinds)
    legend(panel, kinds, plane.rows.ravel())
    _say_where(panel, plane)
    return panel


def draw_strides(
    fields: Sequence[StridedMap], *, axis: int | None = None, at: int | None = None
) -> list[list[Axes]]:
    """The same matter mapped with several strides: classes above, mutual information below.

    Leitherer et al. (2021), Supplementary Figure 8.

    Args:
        fields: maps by models with the same classes.
        axis: of the grids, across the slices; None: the one with a single box, else the third.
        at: number of the slice along it; None: the middle one of each.

    Raises:
        InputError: no map, no such axis or slice, or maps of other classes.
    """
    if not fields:
        raise InputError("`fields` is empty")
    kinds = kinds_of_classes([field.prediction for field in fields])
    planes = [slice_of(field, axis, at) for field in fields]
    most = max(_most(field, plane) for field, plane in zip(fields, planes, strict=True))
    panels = panels_of(2, len(fields))
    for k, (field, plane) in enumerate(zip(fields, planes, strict=True)):
        _labels(panels[0][k], plane, kinds[k])
        stride = field.grid.stride[list(plane.axes)]
        same = abs(stride[0] - stride[1]) < 0.05
        panels[0][k].set_title(
            f"stride {stride[0]:.1f} Å" if same else f"strides {stride[0]:.1f}, {stride[1]:.1f} Å"
        )
        mesh = _mesh(
            panels[1][k], plane, field.prediction.mutual_information, cmap=INFORMATION, vmin=0.0, vmax=most
        )
    every = panels[0] + panels[1]  # all give way to the scale, so that columns stay columns
    panels[1][0].figure.colorbar(
        mesh, ax=every, label="mutual information (bit)", shrink=0.42, anchor=(0.0, 0.06)
    )
    shown = np.concatenate([k.of_rows[p.rows.ravel()] for k, p in zip(kinds, planes, strict=True)])
    together = Kinds(shown, kinds[0].names, kinds[0].colours, kinds[0].markers)
    marks = _marks(together, np.arange(len(shown)))
    if marks:
        columns = min(len(marks), 1 + 2 * len(fields))
        panels[0][0].figure.legend(handles=marks, loc="outside upper center", frameon=False, ncols=columns)
    return panels


# --- parts --------------------------------------------------------------------------------------------------------


def panels_of(rows: int, columns: int) -> list[list[Axes]]:
    """Axes of a new figure, row by row."""
    from matplotlib.figure import Figure

    size = (PANEL[0] * columns + 0.9, PANEL[1] * rows)
    figure = Figure(figsize=size, layout="constrained", dpi=DPI)
    return [list(row) for row in figure.subplots(rows, columns, squeeze=False)]


def new_axes(width: float = 4.6, height: float = 3.8) -> Axes:
    """Axes of a new figure, inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", dpi=DPI).subplots()


def _mesh(panel: Axes, plane: Slice, values: Reals, **style: Any) -> Any:
    shown = np.ma.masked_invalid(np.asarray(values, dtype=np.float64)[plane.rows])
    mesh = panel.pcolormesh(plane.x, plane.y, shown, rasterized=True, **style)
    panel.set_facecolor(EMPTY)
    panel.set_aspect("equal")
    panel.set_xlabel(plane.names[0])
    panel.set_ylabel(plane.names[1])
    return mesh


def _information(panel: Axes, plane: Slice, field: StridedMap, most: float) -> None:
    values = field.prediction.mutual_information
    mesh = _mesh(panel, plane, values, cmap=INFORMATION, vmin=0.0, vmax=most)
    panel.figure.colorbar(mesh, ax=panel, label="mutual information (bit)", shrink=0.9)


def _most(field: StridedMap, plane: Slice) -> float:
    """End of the scale of the mutual information in a slice, bit."""
    values = field.prediction.mutual_information[plane.rows]
    return float(np.nanmax(values[np.isfinite(values)], initial=LEAST_INFORMATION))


def _labels(panel: Axes, plane: Slice, kinds: Kinds) -> None:
    from matplotlib.colors import BoundaryNorm, ListedColormap

    values = np.where(kinds.of_rows < 0, np.nan, kinds.of_rows)
    norm = BoundaryNorm(np.arange(len(kinds) + 1) - 0.5, len(kinds))
    _mesh(panel, plane, values, cmap=ListedColormap(kinds.colours), norm=norm)


def beside(kinds: Kinds) -> float:
    """Width that a legend takes, inches."""
    return COLUMN * -(-len(kinds) // LONGEST)


def legend(panel: Axes, kinds: Kinds, rows: IntArray) -> None:
    """Names of the kinds that some rows have, beside the panel."""
    marks = _marks(kinds, rows)
    if marks:
        columns = -(-len(marks) // LONGEST)
        panel.legend(
            handles=marks, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, ncols=columns
        )


def _marks(kinds: Kinds, rows: IntArray) -> list[Any]:
    """What stands before the names of the kinds that some rows have."""
    from matplotlib.lines import Line2D

    there = np.unique(kinds.of_rows[rows])
    return [
        Line2D(
            [], [], linestyle="", color=kinds.colours[k], label=kinds.names[k],
            marker="s" if kinds.markers[k] == "o" else kinds.markers[k],
        )
        for k in there[there >= 0]
    ]  # fmt: skip


def _say_where(panel: Axes, plane: Slice) -> None:
    if plane.title:
        panel.figure.suptitle(plane.title, fontsize="medium")
