"""The viewport layer "ARISE class legend": the classes that are there, or the scale that particles are coloured by."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from ovito.data import DataCollection
from ovito.vis import ViewportOverlayInterface
from traits.api import Bool, Enum, Range

from arise_core.crystals.table import Colour
from ovito_arise.outputs import (
    RATES,
    TABLE,
    Scale,
    colour,
    colour_by_scale,
    kinds,
    said_rates,
    scale_of,
    suffix_of,
)
from ovito_arise.parameters import refuse_unknown

__all__ = ["AriseLegend"]

Row = tuple[str, Colour, int, float]
#: Length of the colour scale, font sizes.
LENGTH = 9.0
#: Shades of the colour scale.
SHADES = 64


class AriseLegend(ViewportOverlayInterface):
    """Legend of the structures that `AriseModifier` found in the frame that is drawn, the most frequent first.

    Where it colours particles by a number (mutual information, ...), the legend is the scale of its colours.

    Raises:
        TypeError: an unknown parameter.
    """

    __module__ = "ovito_arise"

    show = Enum("share", ["share", "count", "name only"], label="Show", desc="what stands beside the name")
    max_rows = Range(low=1, value=8, label="Classes, at most", desc="the rest is summed up in one line")
    min_share = Range(
        0.0,
        1.0,
        0.001,
        label="Smallest share",
        ovito_unit="percent",
        desc="rarer classes go to the last line",
    )
    show_other = Bool(True, label="Show Other", desc="particles that are none of the classes")
    show_scale = Bool(
        True,
        label="Show color scale",
        desc="in place of the structures, where particles are colored by a number",
    )
    show_rates = Bool(
        False,
        label="Show rates of errors",
        desc="what the reject threshold stands for, as far as it is known",
    )
    instance = Range(
        low=1, value=1, label="Modifier", desc="which ARISE modifier of the pipeline, 1 is the first"
    )
    corner = Enum(
        "north west",
        ["north west", "north east", "south west", "south east"],
        label="Corner",
        desc="where it is",
    )
    font_size = Range(0.005, 0.2, 0.03, label="Font size", desc="share of the height of the picture")

    def __init__(self, **parameters: Any) -> None:
        refuse_unknown(self, parameters)
        super().__init__(**parameters)

    def render(self, canvas: ViewportOverlayInterface.Canvas, *, data: DataCollection, **_: Any) -> None:
        """Draw the legend; a pipeline without the modifier is left without one."""
        rows = self.rows(data)
        if not rows:
            return
        from ovito.qt_compat import QtCore, QtGui

        scale = self.scale(data)
        lines: list[tuple[str, Colour | None]] = [(self._text(row), row[1]) for row in rows]
        if scale is not None:
            lines = [(scale.title, None), ("", None), ("", None)]  # of the colours, and of the numbers below
        lines += [(text, None) for text in self.rates(data)] if self.show_rates else []
        with canvas.qt_painter() as painter:
            height = painter.window().height()
            size = max(1, round(self.font_size * height))
            font = QtGui.QFont()
            font.setPixelSize(size)
            painter.setFont(font)
            metrics = QtGui.QFontMetricsF(font)
            step, margin, indent = 1.5 * size, 0.8 * size, 1.6 * size if scale is None else 0.0
            wide = indent + max(metrics.horizontalAdvance(text) for text, _ in lines)
            wide = max(wide, 0.0 if scale is None else LENGTH * size)
            east, south = "east" in self.corner, "south" in self.corner
            left = painter.window().width() - margin - wide if east else margin
            top = height - margin - step * len(lines) if south else margin
            middle = QtCore.Qt.AlignmentFlag.AlignVCenter
            for k, (text, rgb) in enumerate(lines):
                y = top + k * step
                if rgb is not None:
                    painter.setPen(QtGui.QPen(QtGui.QColor(90, 90, 90), max(1.0, 0.04 * size)))
                    painter.setBrush(QtGui.QColor.fromRgbF(*rgb))
                    painter.drawEllipse(QtCore.QRectF(left, y + 0.15 * size, size, size))
                painter.setPen(QtGui.QColor(0, 0, 0))
                painter.drawText(QtCore.QRectF(left + indent, y, wide, 1.3 * size), int(middle), text)
            if scale is not None:
                bar = QtCore.QRectF(left, top + step, LENGTH * size, 1.2 * size)
                colours = QtGui.QLinearGradient(bar.topLeft(), bar.topRight())
                for k, rgb in enumerate(shades()):
                    colours.setColorAt(k / (SHADES - 1), QtGui.QColor.fromRgbF(*rgb))
                painter.fillRect(bar, QtGui.QBrush(colours))
                numbers = QtCore.QRectF(left, top + 2 * step, LENGTH * size, 1.3 * size)
                ends = (
                    ("0", QtCore.Qt.AlignmentFlag.AlignLeft),
                    (scale.last, QtCore.Qt.AlignmentFlag.AlignRight),
                )
                for text, side in ends:
                    painter.drawText(numbers, int(middle | side), text)

    def scale(self, data: DataCollection) -> Scale | None:
        """The scale by which particles are coloured, if it is shown; None where structures are."""
        suffix = suffix_of(int(self.instance))
        by, end = (data.attributes.get(f"ARISE.color_{name}{suffix}") for name in ("by", "end"))
        return scale_of(str(by).replace("_", " "), float(end or 0.0)) if self.show_scale else None

    def rates(self, data: DataCollection) -> list[str]:
        """Lines that say which errors the reject threshold stands for; none where nothing is known."""
        suffix = suffix_of(int(self.instance))
        known = {name: data.attributes.get(f"ARISE.{name}{suffix}") for name in RATES}
        return said_rates({name: value for name, value in known.items() if value is not None})

    def rows(self, data: DataCollection) -> list[Row]:
        """Name, colour, number of particles and their share, of each line of the legend."""
        name = f"{TABLE}{suffix_of(int(self.instance))}"
        if name not in data.tables:
            return []
        table = data.tables[name]
        ids, counts = np.asarray(table["Structure Type"]), np.asarray(table["Count"])
        types = kinds(table)
        total = max(int(counts.sum()), 1)
        found = [
            (types[i].name, colour(types[i]), int(n), n / total)
            for i, n in zip(ids.tolist(), counts.tolist(), strict=True)
            if i != 0 or self.show_other
        ]
        shown = [row for row in found if row[3] >= self.min_share][: int(self.max_rows)]
        rest = sum(row[2] for row in found) - sum(row[2] for row in shown)
        if rest:
            shown.append((f"{len(found) - len(shown)} more", (1.0, 1.0, 1.0), rest, rest / total))
        return shown

    def _text(self, row: Row) -> str:
        name, _, count, share = row
        if self.show == "share":
            return f"{name}  {100 * share:.1f} %"
        return f"{name}  {count:,}" if self.show == "count" else name


@lru_cache(maxsize=1)
def shades() -> tuple[Colour, ...]:
    """Colours of the scale, evenly from its first to its last, as OVITO gives them to particles."""
    data = DataCollection()
    particles = data.create_particles(count=SHADES)
    particles.create_property("Position", data=np.zeros((SHADES, 3)))
    particles.create_property("value", data=np.linspace(0.0, 1.0, SHADES))
    colour_by_scale(data, "value", 1.0)
    return tuple((r, g, b) for r, g, b in np.asarray(data.particles["Color"]).tolist())
