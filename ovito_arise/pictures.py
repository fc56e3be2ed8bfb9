"""Pictures of pipelines without a screen: OVITO's renderer, or matplotlib where its Vulkan is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from ovito.data import DataCollection
from ovito.pipeline import Pipeline
from ovito.vis import TachyonRenderer, Viewport

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Image = NDArray[np.uint8]

WITHOUT_VULKAN = (
    "OVITO cannot render here (no Vulkan); pictures are drawn by matplotlib instead. "
    "For rendered ones: apt-get install libvulkan1 mesa-vulkan-drivers"
)


@dataclass(frozen=True, kw_only=True)
class View:
    """From where, and how large.

    Args:
        direction: (3,), in which the camera looks.
        up: (3,), axis of space that points up in the picture.
        size: pixels, width and height.
        perspective: or parallel projection.
        margin: share of the picture left free around the scene.
    """

    direction: tuple[float, float, float] = (-1.0, 0.6, -0.35)
    up: tuple[float, float, float] = (0.0, 0.0, 1.0)
    size: tuple[int, int] = (900, 700)
    perspective: bool = False
    margin: float = 0.03


def can_render() -> bool:
    """Whether OVITO's renderers work on this machine."""
    from ovito.data import SimulationCell
    from ovito.pipeline import StaticSource

    data = DataCollection()
    data.objects.append(SimulationCell(pbc=(False, False, False)))
    pipeline = Pipeline(source=StaticSource(data=data))
    try:
        render(pipeline, 0, View(size=(8, 8)))
    except RuntimeError:
        return False
    return True


def render(pipeline: Pipeline, frame: int, view: View) -> Image:
    """Picture of one frame, (height, width, 3); the scene is left without the pipeline.

    Raises:
        RuntimeError: the renderer does not work here (no Vulkan).
    """
    pipeline.add_to_scene()
    try:
        pipeline.compute(frame)
        kind = Viewport.Type.Perspective if view.perspective else Viewport.Type.Ortho
        viewport = Viewport(type=kind, camera_dir=view.direction, camera_up=view.up)
        viewport.zoom_all(view.size)
        viewport.fov *= 1 + view.margin
        image = viewport.render_image(
            size=view.size, frame=frame, background=(1.0, 1.0, 1.0), renderer=TachyonRenderer(shadows=False)
        )
    finally:
        pipeline.remove_from_scene()
    return pixels(image)


def pixels(image: object) -> Image:
    """The colours of a Qt image, (height, width, 3)."""
    from ovito.qt_compat import QtGui

    image = image.convertToFormat(QtGui.QImage.Format_RGB888)
    rows = np.frombuffer(image.constBits(), dtype=np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


def draw(data: DataCollection, view: View, radius: float = 1.3) -> Image:
    """The same by matplotlib: discs of the particles' colours, the far ones first."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.collections import EllipseCollection
    from matplotlib.figure import Figure

    figure = Figure(figsize=(view.size[0] / 100, view.size[1] / 100), dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.01, 0.01, 0.98, 0.98), aspect="equal")
    axes.axis("off")
    right, upward, depth = _camera(view)
    positions = np.asarray(data.particles.positions)
    order = np.argsort(-(positions @ depth))
    flat = np.column_stack([positions @ right, positions @ upward])[order]
    colours = np.asarray(data.particles.colors)[order] if data.particles.colors is not None else "0.7"
    diameters = np.full(len(flat), 2 * radius)
    axes.add_collection(
        EllipseCollection(
            diameters, diameters, np.zeros(len(flat)), units="xy", offsets=flat,
            offset_transform=axes.transData, facecolors=colours, edgecolors="0.25", linewidths=0.3,
        )
    )  # fmt: skip
    low, high = flat.min(axis=0) - radius, flat.max(axis=0) + radius
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def picture(pipeline: Pipeline, frame: int, view: View, rendered: bool) -> Image:
    """Picture of one frame by OVITO's renderer, or by matplotlib."""
    return render(pipeline, frame, view) if rendered else draw(pipeline.compute(frame), view)


def trimmed(image: Image, border: int = 6) -> Image:
    """The image without its white margins, but for `border` pixels."""
    ink = (image < 250).any(axis=2)
    if not ink.any():
        return image
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    top, left = max(rows[0] - border, 0), max(columns[0] - border, 0)
    return image[top : rows[-1] + border + 1, left : columns[-1] + border + 1]


def new_figure(width: float, height: float) -> Figure:
    """A matplotlib figure that needs no screen and no global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def class_legend(
    figure: Figure, names: Sequence[str], colours: Sequence[tuple[float, float, float]], **options: object
) -> None:
    """Coloured discs with names, below the pictures of a figure."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D(
            [], [], linestyle="", marker="o", markersize=9, markerfacecolor=c, markeredgecolor="0.3", label=n
        )
        for n, c in zip(names, colours, strict=True)
    ]
    figure.legend(handles=handles, frameon=False, **options)


def information_bar(figure: Figure, axes: object, end: float, **options: object) -> None:
    """Scale of the mutual information, 0 to `end` bit, below some axes."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    scale = ScalarMappable(Normalize(0, end), "viridis")
    layout = {"orientation": "horizontal", "fraction": 0.04, "pad": 0.02, "aspect": 30, **options}
    figure.colorbar(scale, ax=axes, label="mutual information (bit)", **layout)


def show(axes: object, image: Image, title: str = "") -> None:
    """An image without frame and margins, with a title."""
    axes.imshow(trimmed(image))
    axes.set_axis_off()
    axes.set_title(title, fontsize=11)


def _camera(view: View) -> tuple[NDArray, NDArray, NDArray]:
    """Unit vectors of the picture in space: to the right, upwards, and away from the camera."""
    depth = np.array(view.direction) / np.linalg.norm(view.direction)
    right = np.cross(depth, view.up)
    right /= np.linalg.norm(right)
    return right, np.cross(right, depth), depth
