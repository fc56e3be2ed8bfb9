"""Results as small tables of HTML, which notebooks show in place of one line. All text is escaped."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence

#: Rows that are shown, at most.
MOST = 10


def html_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    count: int | None = None,
    notes: Iterable[str] = (),
) -> str:
    """A table with a title.

    Args:
        title: over the table.
        columns: heads.
        rows: cells: numbers are shown with three digits, NaN and None as a dash; only the first ten rows are.
        count: of all rows, where more are there than are handed in.
        notes: lines below.
    """
    shown = [row for _, row in zip(range(MOST), rows, strict=False)]
    lines = [f"<table><caption style='text-align:left'><b>{html.escape(title)}</b></caption>"]
    lines.append(f"<tr>{''.join(f'<th>{html.escape(c)}</th>' for c in columns)}</tr>")
    lines += [f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in shown]
    lines.append("</table>")
    if count is not None and count > len(shown):
        lines.append(f"<p>{count - len(shown)} more</p>")
    lines += [f"<p>{html.escape(note)}</p>" for note in notes]
    return "\n".join(lines)


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "<td style='text-align:right'>–</td>"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"<td style='text-align:left'>{html.escape(str(value))}</td>"
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return f"<td style='text-align:right'>{text}</td>"
