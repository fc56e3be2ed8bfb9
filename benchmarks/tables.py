"""Figures as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd


def number(value: object) -> str:
    """A figure for a table."""
    if isinstance(value, float):
        return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def markdown(
    rows: Iterable[Sequence[str]], columns: Sequence[str], align: Sequence[str] | None = None
) -> str:
    """A table of texts.

    Args:
        rows: cells.
        columns: heads.
        align: "left" or "right", one a column; all left if left out.
    """
    frame = pd.DataFrame(list(rows), columns=list(columns), dtype=str)
    return frame.to_markdown(
        index=False, disable_numparse=True, colalign=list(align or ["left"] * len(columns))
    )


def facts(found: Mapping[str, str]) -> str:
    """A table of two columns without heads."""
    return markdown(found.items(), ("", ""))
