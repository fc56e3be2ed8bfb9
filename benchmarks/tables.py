"""Figures as Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from benchmarks.measure import machine


def mark(reached: bool) -> str:
    """Whether a goal is reached, behind a figure."""
    return " ✓" if reached else " ✗"


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


def write_figures(
    name: str,
    title: str,
    text: str,
    found: Mapping[str, float],
    folder: Path,
    goals: Mapping[str, str] | None = None,
) -> None:
    """Figures as a page with a table, and as JSON.

    Args:
        name: of the two files, without their ends.
        title: of the page.
        text: how the figures were made.
        found: the figures.
        folder: for the files, made if missing.
        goals: what some of them should be; None: no such column.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with_what = machine()
    (folder / f"{name}.json").write_text(
        json.dumps({"machine": with_what, **found}, indent=1) + "\n", encoding="utf-8"
    )
    heads = ("figure", "value") if goals is None else ("figure", "value", "goal")
    rows = [(k, f"{v:.4g}") if goals is None else (k, f"{v:.4g}", goals.get(k, "")) for k, v in found.items()]
    page = "\n\n".join([f"# {title}", text, facts(with_what), markdown(rows, heads)])
    (folder / f"{name}.md").write_text(page + "\n", encoding="utf-8")
