"""The viewport layer "ARISE class legend": the classes that are there, with their colours and numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from ovito.data import DataCollection
from ovito.vis import ViewportOverlayInterface
from traits.api import Bool, Enum, Range

from arise_core.crystals.table import Colour
from ovito_arise.outputs import RATES, TABLE, colour, kinds, said_rates
from ovito_arise.parameters import refuse_unknown

__all__ = ["AriseLegend"]

Row = tuple[str, Colour, int, float]


class AriseLegend(ViewportOverlayInterface):
    """Legend of the structures that `AriseModifier` found in the frame that is drawn, the most frequent first.

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

        lines: list[tuple[str, Colour | None]] = [(self._text(row), row[1]) for row in rows]
        lines += [(text, None) for text in self.rates(data)] if self.show_rates else []
        with canvas.qt_painter() as painter:
            height = painter.window().height()
            size = max(1, round(self.font_size * height))
            font = QtGui.QFont()
            font.setPixelSize(size)
            painter.setFont(font)
            metrics = QtGui.QFontMetricsF(font)
            step, margin = 1.5 * size, 0.8 * size
            wide = 1.6 * size + max(metrics.horizontalAdvance(text) for text, _ in lines)
            east, south = "east" in self.corner, "south" in self.corner
            left = painter.window().width() - margin - wide if east else margin
            top = height - margin - step * len(lines) if south else margin
            for k, (text, rgb) in enumerate(lines):
                y = top + k * step
                if rgb is not None:
                    painter.setPen(QtGui.QPen(QtGui.QColor(90, 90, 90), max(1.0, 0.04 * size)))
                    painter.setBrush(QtGui.QColor.fromRgbF(*rgb))
                    painter.drawEllipse(QtCore.QRectF(left, y + 0.15 * size, size, size))
                painter.setPen(QtGui.QColor(0, 0, 0))
                box = QtCore.QRectF(left + 1.6 * size, y, wide, 1.3 * size)
                painter.drawText(box, int(QtCore.Qt.AlignmentFlag.AlignVCenter), text)

    def rates(self, data: DataCollection) -> list[str]:
        """Lines that say which errors the reject threshold stands for; none where nothing is known."""
        suffix = "" if self.instance == 1 else f".{self.instance}"
        known = {name: data.attributes.get(f"ARISE.{name}{suffix}") for name in RATES}
        return said_rates({name: value for name, value in known.items() if value is not None})

    def rows(self, data: DataCollection) -> list[Row]:
        """Name, colour, number of particles and their share, of each line of the legend."""
        name = TABLE if self.instance == 1 else f"{TABLE}.{self.instance}"
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
