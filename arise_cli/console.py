"""What the commands print and write: progress, tables, JSON, CSV."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from arise_cli.ends import DOUBTFUL, check_interrupted
from arise_core.errors import ExistingFileError
from arise_core.progress import Step
from arise_core.runtime.files import check_place, file_errors, write_atomically

if TYPE_CHECKING:
    from arise_core.geometry.arrays import FloatArray

Record = dict[str, Any]
#: Version of what `--json` prints, which `arise schema` describes: raised when a field goes or means something else.
SCHEMA_VERSION = 1
#: Width of tables where the output is no terminal.
WIDTH = 250
#: Columns of recognitions that narrow terminals go without, the first first.
SPARE = ("Formula", "Most probable classes", "Atoms", "Rejection doubt (bit)")


class bar:
    """Progress bar on the terminal's error stream: `with bar("text") as progress: run(job, progress)`."""

    def __init__(self, text: str) -> None:
        from tqdm import tqdm

        self._bar = tqdm(
            total=1.0,
            desc=text,
            bar_format="{desc}: {percentage:3.0f}% |{bar}| {elapsed} <{remaining} {postfix}",
            leave=True,
            mininterval=0.5,
        )

    def __enter__(self) -> bar:
        return self

    def __call__(self, step: Step) -> None:
        """Show the share of the work done and what it is about.

        Raises:
            KeyboardInterrupt: Ctrl-C or SIGTERM came before, and a library lost it.
        """
        check_interrupted()
        self._bar.set_postfix_str(step.message, refresh=False)
        self._bar.update(max(step - self._bar.n, 0.0))

    def __exit__(self, *error: object) -> None:
        self._bar.close()


def say(text: object, *, error: bool = False, end: bool = True) -> None:
    """Print a text.

    Args:
        text: any.
        error: to the error stream.
        end: with the end of a line.

    Raises:
        FileError: the stream leads to a place that cannot be written to, such as a full disk.
    """
    with file_errors("the output cannot be written"):
        typer.echo(text, err=error, nl=end)


def print_table(table: Table, width: int = WIDTH, spare: Iterable[str] = ()) -> None:
    """Print a table as wide as the terminal, or `width` where the output is none.

    Its cells are taken as they are: the brackets in the name of a file are no markup. Nothing in them is cut off.

    Args:
        table: is printed.
        width: characters.
        spare: columns that are left out, one after the other, where words would have to be split.
    """
    console = Console(width=None if sys.stdout.isatty() else width, markup=False, emoji=False)
    for name in spare:
        if console.measure(table, options=console.options.update(max_width=WIDTH)).minimum <= console.width:
            break
        table.columns[:] = [column for column in table.columns if column.header != name]
    for column in table.columns:
        column.overflow = "fold"
    with file_errors("the output cannot be written"):
        console.print(table)


def finish(doubtful: bool) -> None:
    """End the command with the code of `--strict` if something is doubtful."""
    if doubtful:
        raise typer.Exit(DOUBTFUL)


def check_places(paths: Iterable[Path | None], overwrite: bool) -> None:
    """Refuse, before any work, places of files to come; None stands for no file.

    Raises:
        ExistingFileError: a file is there and may not be replaced.
        FileError: as `check_place`.
    """
    for path in paths:
        if path is not None:
            check_place(path, f"file {str(path)!r}", overwrite)


def refuse_source(file: str, paths: Iterable[Path | None]) -> None:
    """Refuse files to come that are the one that is read: its other frames, and what it says of atoms, would be lost.

    Args:
        file: as it is named on the command line, with frames or without.
        paths: of files to come; None stands for no file.

    Raises:
        ExistingFileError: one is the same file.
    """
    from ase_arise.reading import split_name

    source = Path(split_name(file)[0])
    for path in paths:
        if path is not None and path.exists() and source.exists() and path.samefile(source):
            raise ExistingFileError(f"file {str(path)!r} is the one that is read: choose another name")


def write_file(path: Path, write: Callable[[Path], Any]) -> None:
    """Write a file in one step, and say so."""
    write_atomically(path, write)
    say_written(path)


def say_written(path: Path) -> None:
    """Tell of a file that was written."""
    say(f"wrote {path}", error=True)


# --- records ------------------------------------------------------------------------------------------------------


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
                raise typer.BadParameter(
                    f"must end in .json or .csv, as the format, got {str(path)!r}", param_hint="--out"
                )
            form = "json" if suffix == "json" else "csv"
            check_places([path], overwrite)
        return cls(form, path)

    def write(self, records: list[Record]) -> None:
        """To the file, or to the terminal."""
        if self.form == "table":
            print_table(_table(records), spare=SPARE)
            return
        text = _json(records) if self.form == "json" else _csv(records)
        if self.path is None:
            say(text, end=False)
        else:
            write_file(self.path, lambda path: path.write_text(text, encoding="utf-8"))


def say_csv(rows: list[Record], columns: Sequence[str]) -> None:
    """Print rows as CSV, under the names of their columns; without any, under these."""
    say(_as_csv(rows) if rows else ",".join(columns) + "\n", end=False)


def say_json(value: Record | list[Record]) -> None:
    """Print records as JSON."""
    say(_json(value), end=False)


def _json(value: Record | list[Record]) -> str:
    """The text of a record or several, each with the version of its schema."""
    several = value if isinstance(value, list) else [value]
    records = [{"version": SCHEMA_VERSION, **_plain(r)} for r in several]
    return json.dumps(records if isinstance(value, list) else records[0], indent=1) + "\n"


def _plain(value: Any) -> Any:
    """Records for JSON: NaN, which it has no word for, becomes null."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _as_csv(rows: list[Record]) -> str:
    from pandas import DataFrame

    return str(DataFrame(rows, dtype=object).to_csv(index=False, na_rep="nan", lineterminator="\n"))


def _csv(records: list[Record]) -> str:
    ranks = max((len(r["top"]) for r in records), default=0)
    nothing = {"class": "", "probability": ""}
    rows = []
    for record in records:
        row = {k: v for k, v in record.items() if not isinstance(v, list | dict)}
        best = [*record["top"], *[nothing] * ranks][:ranks]  # the same columns for all
        for rank, one in enumerate(best, start=1):
            row[f"class_{rank}"], row[f"probability_{rank}"] = one["class"], one["probability"]
        if "fractions" in record:
            row["fractions"] = _shares(record["fractions"])
        rows.append(row)
    return _as_csv(rows)


def _table(records: list[Record]) -> Table:
    table = Table(
        "Structure",
        "Formula",
        "Atoms",
        "Label",
        "Confidence",
        "MI (bit)",
        "Rejection doubt (bit)",
        "Most probable classes",
    )
    local = any("fractions" in r for r in records)
    if local:
        table.add_column("Shares of the atoms")
    for r in records:
        best = ", ".join(f"{b['label']} {b['probability']:.1%}" for b in r["top"])
        cells = [r["file"], r["formula"], str(r["n_atoms"]), r["label"], number(r["confidence"]),
                 number(r["mutual_information"]), number(r["rejection_uncertainty"]), best]  # fmt: skip
        table.add_row(*cells, *([_shares(r["fractions"])] if local else []))
    return table


def _shares(shares: dict[str, float]) -> str:
    return ", ".join(f"{name} {share:.1%}" for name, share in shares.items())


def number(value: float) -> str:
    """A number with three digits, a dash for NaN."""
    return "–" if math.isnan(value) else f"{value:.3f}"


# --- matrices -----------------------------------------------------------------------------------------------------


def matrix_csv(names: list[str], matrix: FloatArray) -> str:
    """A square matrix with its names as first row and column."""
    from pandas import DataFrame

    frame = DataFrame(matrix, index=names, columns=names)
    return str(frame.to_csv(float_format="%.6f", na_rep="nan", lineterminator="\n"))


def matrix_table(names: list[str], matrix: FloatArray) -> Table:
    """A square matrix for the terminal, its columns numbered."""
    table = Table("", "", *(str(k + 1) for k in range(len(names))))
    for k, (name, row) in enumerate(zip(names, matrix, strict=True)):
        table.add_row(str(k + 1), name, *(number(float(v)) for v in row))
    return table
