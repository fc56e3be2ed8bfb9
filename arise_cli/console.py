"""What the commands print and write: tables, JSON, CSV."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from arise_core.errors import ExistingFileError
from arise_core.runtime.files import write_atomically

Record = dict[str, Any]
#: Width of tables where the output is no terminal.
WIDTH = 250


@dataclass(frozen=True)
class Output:
    """Where and how records are written. Create with `Output.checked`."""

    form: Literal["table", "json", "csv"]
    path: Path | None

    @classmethod
    def checked(cls, as_json: bool, as_csv: bool, path: Path | None, overwrite: bool) -> Output:
        """From the options of a command.

        Raises:
            typer.BadParameter: options that exclude each other.
            FileExistsError: the file exists and may not be replaced.
        """
        if as_json and as_csv:
            raise typer.BadParameter("--json and --csv exclude each other")
        form: Literal["table", "json", "csv"] = "json" if as_json else "csv" if as_csv else "table"
        if path is not None:
            suffix = path.suffix.removeprefix(".")
            if suffix not in ("json", "csv") or form not in ("table", suffix):
                raise typer.BadParameter(f"must end in .json or .csv, as the format, got {str(path)!r}")
            form = "json" if suffix == "json" else "csv"
            refuse_existing([path], overwrite)
        return cls(form, path)

    def write(self, records: list[Record]) -> None:
        """To the file, or to the terminal."""
        if self.form == "table":
            Console(width=None if sys.stdout.isatty() else WIDTH).print(_table(records))
            return
        text = _json(records) if self.form == "json" else _csv(records)
        if self.path is None:
            typer.echo(text, nl=False)
            return
        write_file(self.path, lambda path: path.write_text(text, encoding="utf-8"))


def refuse_existing(paths: Iterable[Path], overwrite: bool) -> None:
    """Raise FileExistsError if a file is there and may not be replaced."""
    for path in paths:
        if path.exists() and not overwrite:
            raise ExistingFileError(
                f"{str(path)!r} exists; nothing was changed. Use `--overwrite` to replace it"
            )


def write_file(path: Path, write: Callable[[Path], Any]) -> None:
    """Write a file in one step, and say so."""
    write_atomically(path, write)
    typer.echo(f"wrote {path}", err=True)


def _json(records: list[Record]) -> str:
    return json.dumps([_plain(r) for r in records], indent=1) + "\n"


def _plain(value: Any) -> Any:
    """NaN, which JSON has no word for, becomes null."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _csv(records: list[Record]) -> str:
    rows = []
    for record in records:
        row = {k: v for k, v in record.items() if not isinstance(v, list | dict)}
        for rank, best in enumerate(record["top"], start=1):
            row[f"class_{rank}"], row[f"probability_{rank}"] = best["class"], best["probability"]
        if "fractions" in record:
            row["fractions"] = _shares(record["fractions"])
        rows.append(row)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _table(records: list[Record]) -> Table:
    table = Table("Structure", "Atoms", "Label", "Confidence", "MI (bit)", "Most probable classes")
    local = any("fractions" in r for r in records)
    if local:
        table.add_column("Shares of the atoms")
    for r in records:
        best = ", ".join(f"{b['label']} {b['probability']:.1%}" for b in r["top"])
        cells = [r["file"], str(r["n_atoms"]), r["label"], _number(r["confidence"]),
                 _number(r["mutual_information"]), best]  # fmt: skip
        table.add_row(*cells, *([_shares(r["fractions"])] if local else []))
    return table


def _shares(shares: dict[str, float]) -> str:
    return ", ".join(f"{name} {share:.1%}" for name, share in shares.items())


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def matrix_csv(names: list[str], matrix: NDArray[np.float64]) -> str:
    """A square matrix with its names as first row and column."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["", *names])
    for name, row in zip(names, matrix, strict=True):
        writer.writerow([name, *(f"{v:.6f}" for v in row)])
    return text.getvalue()


def print_matrix(names: list[str], matrix: NDArray[np.float64]) -> None:
    """A square matrix on the terminal, its columns numbered."""
    table = Table("", "", *(str(k + 1) for k in range(len(names))))
    for k, (name, row) in enumerate(zip(names, matrix, strict=True)):
        table.add_row(str(k + 1), name, *(_number(float(v)) for v in row))
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table)
