"""Pictures of pipelines without a screen: OVITO's renderer, or matplotlib where its Vulkan is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from ovito.data import DataCollection
from ovito.pipeline import Pipeline
from ovito.vis import PythonViewportOverlay, TachyonRenderer, Viewport, ViewportOverlayInterface

from arise_core.crystals.table import Colour
from arise_core.geometry.arrays import BoolArray, FloatArray
from ovito_arise.outputs import OTHER_COLOUR, TABLE, colour, kinds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from PySide6.QtGui import QImage

    from ovito_arise.modifier import AriseModifier

Image = NDArray[np.uint8]
#: Samples of ambient light and of the pixels: half of what OVITO takes, in a third of the time.
SAMPLES = 4
INFORMATION = "ARISE Mutual Information"

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


def render(
    pipeline: Pipeline, frame: int, view: View, overlays: Sequence[ViewportOverlayInterface] = ()
) -> Image:
    """Picture of one frame, (height, width, 3); the scene is left without the pipeline.

    Args:
        pipeline: what to show.
        frame: of its trajectory.
        view: from where.
        overlays: drawn over it, such as `AriseLegend()`.

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
        viewport.overlays.extend([PythonViewportOverlay(delegate=overlay) for overlay in overlays])
        renderer = TachyonRenderer(
            shadows=False, ambient_occlusion_samples=SAMPLES, antialiasing_samples=SAMPLES
        )
        image = viewport.render_image(
            size=view.size, frame=frame, background=(1.0, 1.0, 1.0), renderer=renderer
        )
    finally:
        pipeline.remove_from_scene()
    return pixels(image)


def pixels(image: QImage) -> Image:
    """The colours of a Qt image, (height, width, 3)."""
    from ovito.qt_compat import QtGui

    image = image.convertToFormat(QtGui.QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), dtype=np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


def draw(data: DataCollection, view: View, radius: float = 1.3) -> Image:
    """The same by matplotlib: discs of the particles' colours, the far ones first."""
    from matplotlib.collections import EllipseCollection

    figure = new_figure(view.size[0] / 100, view.size[1] / 100, layout=None)
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
    return pixels_of(figure)


def picture(pipeline: Pipeline, frame: int, view: View, rendered: bool) -> Image:
    """Picture of one frame by OVITO's renderer, or by matplotlib."""
    return render(pipeline, frame, view) if rendered else draw(pipeline.compute(frame), view)


def both_ways(
    pipeline: Pipeline, modifier: AriseModifier, frame: int, view: View, rendered: bool
) -> tuple[Image, Image, float]:
    """A frame by structure and by mutual information, and the end of the latter's colour scale, bit.

    The modifier colours the particles; it is left with the settings that it had.
    """
    before = modifier.color_by, modifier.color_end
    try:
        modifier.color_by = "structure"
        by_structure = picture(pipeline, frame, view, rendered)
        end = scale_end(pipeline.compute(frame))
        modifier.color_by, modifier.color_end = "mutual information", end
        by_information = picture(pipeline, frame, view, rendered)
    finally:
        modifier.color_by, modifier.color_end = before
    return by_structure, by_information, end


def scale_end(*frames: DataCollection) -> float:
    """Mutual information below which all but half a percent of the particles lie, bit; at least 0.01."""
    ends = [np.nanpercentile(data.particles[INFORMATION], 99.5) for data in frames]
    return max(0.01, *(float(end) for end in ends))


def colours_of(data: DataCollection) -> dict[str, Colour]:
    """Colour of every structure, by name."""
    return {t.name: colour(t) for t in kinds(data.particles).values()}


def present(*frames: DataCollection, share: float = 0.005) -> list[str]:
    """Structures that make up at least a share of the particles in one of the frames, Other last."""
    largest: dict[str, float] = {}
    for data in frames:
        table = data.tables[TABLE]
        types = kinds(table)
        for kind, count in zip(table["Structure Type"], table["Count"], strict=True):
            name = types[int(kind)].name
            largest[name] = max(largest.get(name, 0.0), int(count) / data.particles.count)
    found = [name for name in largest if largest[name] >= share]
    return sorted(found, key=lambda name: (name == "Other", -largest[name]))


def legend_of(figure: Figure, names: Sequence[str], data: DataCollection, **options: Any) -> None:
    """Legend of some structures with their colours, below the pictures of a figure."""
    colours = {**colours_of(data), "Other": OTHER_COLOUR}
    layout: dict[str, Any] = {"ncols": 6, "loc": "outside lower left", **options}
    class_legend(figure, names, [colours[name] for name in names], **layout)


def trimmed(image: Image, border: int = 6) -> Image:
    """The image without its white margins, but for `border` pixels."""
    ink: BoolArray = np.any(image < 250, axis=2)
    if not ink.any():
        return image
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    top, left = max(rows[0] - border, 0), max(columns[0] - border, 0)
    return image[top : rows[-1] + border + 1, left : columns[-1] + border + 1]


def new_figure(width: float, height: float, layout: Literal["constrained"] | None = "constrained") -> Figure:
    """A matplotlib figure that needs no screen and no global state; 100 pixels an inch unless saved otherwise."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=100, layout=layout)
    FigureCanvasAgg(figure)
    return figure


def pixels_of(figure: Figure) -> Image:
    """What is drawn in a figure of `new_figure`, (height, width, 3)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def class_legend(figure: Figure, names: Sequence[str], colours: Sequence[Colour], **options: Any) -> None:
    """Coloured discs with names, below the pictures of a figure."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D(
            [], [], linestyle="", marker="o", markersize=9, markerfacecolor=c, markeredgecolor="0.3", label=n
        )
        for n, c in zip(names, colours, strict=True)
    ]
    figure.legend(handles=handles, frameon=False, **options)


def information_bar(figure: Figure, axes: Axes | Iterable[Axes], end: float, **options: Any) -> None:
    """Scale of the mutual information, 0 to `end` bit, below some axes."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    scale = ScalarMappable(Normalize(0, end), "viridis")
    layout: dict[str, Any] = {
        "orientation": "horizontal",
        "fraction": 0.04,
        "pad": 0.02,
        "aspect": 30,
        **options,
    }
    figure.colorbar(scale, ax=axes, label="mutual information (bit)", **layout)


def show(axes: Axes, image: Image, title: str = "") -> None:
    """An image without frame and margins, with a title."""
    axes.imshow(trimmed(image))
    axes.set(xticks=[], yticks=[])  # an axis that is off gets no room for its title
    axes.spines[:].set_visible(False)
    axes.set_anchor("N")
    axes.set_title(title, fontsize=11)


def _camera(view: View) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Unit vectors of the picture in space: to the right, upwards, and away from the camera."""
    depth = np.array(view.direction) / np.linalg.norm(view.direction)
    right = np.cross(depth, view.up)
    right /= np.linalg.norm(right)
    return right, np.cross(right, depth), depth
