"""Tables as Markdown and as CSV files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from arise_core.runtime.files import write_atomically


def markdown(columns: Sequence[str], rows: Iterable[Sequence[Any]], numbers: Iterable[int] = ()) -> list[str]:
    """Lines of a Markdown table.

    Args:
        columns: heads.
        rows: cells, shown as they are.
        numbers: positions of the columns that stand to the right.
    """
    right = set(numbers)
    text: str = _frame(columns, rows).to_markdown(
        index=False,
        disable_numparse=True,
        colalign=["right" if k in right else "left" for k in range(len(columns))],
    )
    return text.splitlines()


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table; None is an empty cell."""
    frame = _frame(columns, rows)
    write_atomically(path, lambda place: frame.to_csv(place, index=False, lineterminator="\n"))


def _frame(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Any:
    import pandas

    # numbers stay as they are: a column with a gap would become one of floats
    return pandas.DataFrame(list(rows), columns=list(columns), dtype=object)
