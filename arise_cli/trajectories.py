"""`arise trajectory` and `arise merge`: all frames of a run, recognised once, and what happened in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from arise_cli.clusters import Dask, Workers, cluster
from arise_cli.console import (
    Output,
    Record,
    bar,
    check_places,
    finish,
    print_table,
    say,
    say_csv,
    say_json,
    write_file,
)
from arise_cli.ends import FAILED
from arise_cli.options import (
    Csv,
    DeviceOption,
    Draw,
    Format,
    Json,
    ModelOption,
    ModeOption,
    RangesOption,
    ReaderOption,
    TypesOption,
    check_picture,
    takes,
)
from arise_cli.readers import chosen_reader
from arise_core.settings import (
    DEFAULT_MODEL,
    LOCAL_ATOMS,
    MAP_TOLERANCE,
    TIME_LIMIT,
    MapSettings,
    SamplingSettings,
)

if TYPE_CHECKING:
    from arise_core.geometry.arrays import IntArray
    from arise_core.trajectories.store import TrajectoryResults

#: Frames of which a table is printed.
SHOWN = 20
#: Columns that every row has.
COLUMNS = ("row", "step", "n_atoms", "mutual_information")
#: Classes of which it tells the shares.
CLASSES = 4

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Start again instead of going on.")]
Out = Annotated[Path, typer.Option(help="Folder for the results (Zarr).")]
Plot = Annotated[
    Path | None, typer.Option(help="Draw the shares of the classes over time here (.png, .pdf, .svg).")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("trajectory")(trajectory_of)
    app.command("merge")(merge_parts)


@takes(MapSettings, SamplingSettings, tolerance=MAP_TOLERANCE)
def trajectory_of(
    files: Annotated[
        list[str], typer.Argument(help="Files of frames, folders, or patterns in quotes ('md.*.dump').")
    ],
    out: Out,
    model: ModelOption = DEFAULT_MODEL,
    device: DeviceOption = "cpu",
    mode: ModeOption = "auto",
    every: Annotated[int, typer.Option(help="Take each so-manieth frame.")] = 1,
    first: Annotated[int, typer.Option(help="Frame to begin with, from 0.")] = 0,
    last: Annotated[int | None, typer.Option(help="Frame to end with.")] = None,
    average: Annotated[
        int,
        typer.Option(
            help="Average positions over so many frames of the files, an odd number, around each one."
        ),
    ] = 1,
    atoms: Annotated[
        bool, typer.Option("--atoms", help="Keep label, doubt and connected group of each atom too.")
    ] = False,
    maps: Annotated[
        bool, typer.Option("--maps", help="Keep the maps of frames that are mapped too.")
    ] = False,
    workers: Workers = None,
    dask: Dask = "",
    shard: Annotated[
        str, typer.Option(help="Only a part of the frames, such as 3/64; `arise merge` joins the parts.")
    ] = "",
    follow: Annotated[
        float, typer.Option(help="Wait so many seconds for more frames of a run that is still written.")
    ] = 0.0,
    plot: Plot = None,
    as_json: Json = False,
    as_csv: Csv = False,
    draw: Draw = False,
    types: TypesOption = "",
    overwrite: Overwrite = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 if frames failed.")] = False,
    time_limit: Annotated[
        float, typer.Option(help="Seconds that a frame may take; then it has failed.")
    ] = TIME_LIMIT,
    reader: ReaderOption = "auto",
    kind: Format = "",
    ranges: RangesOption = "",
    **settings: Any,
) -> None:
    """Recognise all frames of a trajectory; interrupted, the same command goes on where it stopped."""
    from arise_core.crystals.species import parse_types
    from ase_arise.trajectories.run import trajectory

    output = _output(plot, as_json, as_csv)
    with cluster(dask, workers) as executor, bar("trajectory") as progress:
        results = trajectory(
            files, out, model, device=device, every=every, first=first, last=last, average=average, atoms=atoms,
            maps=maps, workers=workers, executor=executor, shard=_shard(shard), follow=follow, overwrite=overwrite,
            types=parse_types(types, "--types"), draw=draw, time_limit=time_limit,
            reader=chosen_reader(reader, kind, ranges), progress=progress, mode=mode, **settings,
        )  # fmt: skip
    _tell(results, plot, output)
    if mode == "auto":
        _tell_of_wholes(results)
    if results.failed and not results.done.any():
        raise typer.Exit(FAILED)  # why is said
    finish(strict and bool(results.failed))


def merge_parts(
    parts: Annotated[list[Path], typer.Argument(help="Folders that `arise trajectory --shard` wrote.")],
    out: Out,
    plot: Plot = None,
    as_json: Json = False,
    as_csv: Csv = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace results that are there.")] = False,
) -> None:
    """Join the results of all parts of a trajectory."""
    from arise_core.trajectories.merging import merge

    output = _output(plot, as_json, as_csv)
    with bar("merge") as progress:
        results = merge(parts, out, overwrite=overwrite, progress=progress)
    _tell(results, plot, output)


def _output(plot: Path | None, as_json: bool, as_csv: bool) -> Output:
    """How results are told; a picture that cannot be written is refused before any work."""
    check_picture(plot)
    check_places([plot], overwrite=True)
    return Output.checked(as_json, as_csv, None, overwrite=True)


def _shard(text: str) -> tuple[int, int]:
    """Part and number of parts of "3/64"; all of "".

    Raises:
        typer.BadParameter: another form.
    """
    if not text:
        return 1, 1
    k, slash, n = text.partition("/")
    if not slash or not k.isdigit() or not n.isdigit():
        raise typer.BadParameter(
            f"must be a part and the number of parts, such as 3/64, got {text!r}", param_hint="--shard"
        )
    return int(k), int(n)


def _tell(results: TrajectoryResults, plot: Path | None, output: Output) -> None:
    """What was found, and the picture."""
    from arise_core.trajectories.timeline import draw_timeline, events

    found = events(results)
    for note in results.notes:
        say(note.replace("`types`", "`--types`"), error=True)
    failed = results.failed
    if output.form == "csv":
        say_csv([_row(record) for record in _shares(results)], COLUMNS)
    elif output.form == "json":
        record = {
            "results": str(results.path), "frames": len(results), "recognised": int(results.done.sum()),
            "notes": list(results.notes),
            "failed": [{"row": row, "reason": reason} for row, reason in failed.items()],
            "shares": _shares(results),
            "events": [
                {"kind": e.kind, "before": e.before, "after": e.after, "rows": list(e.rows), "steps": list(e.steps)}
                for e in found
            ],
        }  # fmt: skip
        say_json(record)
    else:
        shown = _shown(results)
        print_table(_table(results, shown))
        if len(shown) < results.done.sum():
            say(f"{len(shown)} of {results.done.sum()} frames; --json and --csv have all of them", error=True)
        for event in found:
            say(str(event))
    for row, reason in list(failed.items())[:SHOWN]:
        say(f"frame {row} failed: {reason}", error=True)
    if len(failed) > SHOWN:
        say(f"{len(failed) - SHOWN} more failed", error=True)
    if plot is not None and results.done.any():
        figure: Any = draw_timeline(results).figure
        write_file(plot, lambda path: figure.savefig(path, dpi=200))
    say(
        f"results: {results.path} (open with ase_arise.TrajectoryResults.open, or xarray.open_zarr)",
        error=True,
    )


def _tell_of_wholes(results: TrajectoryResults) -> None:
    """Which frames the mode "auto" has given one answer for all of their atoms."""
    atoms = results.data["n_atoms"].values[results.done]
    if small := int((atoms <= LOCAL_ATOMS).sum()):
        say(
            f"{small} of {len(atoms)} frames have {LOCAL_ATOMS:,} atoms or fewer and were taken as a whole, with one "
            "answer for all of them; --mode local maps them",
            error=True,
        )


def _row(record: Record) -> Record:
    """One of `_shares` as a row of a table: of each class the share and the ends of its interval."""
    row = {name: value for name, value in record.items() if name != "shares"}
    for name, share in record["shares"].items():
        row |= {name: share["share"], f"{name} low": share["low"], f"{name} high": share["high"]}
    return row


def _shares(results: TrajectoryResults) -> list[Record]:
    """Of each frame that was recognised: the share of each class that is anywhere in the run, and its interval."""
    data = results.data
    shares = {name: results.share(name) for name in results.present}
    return [
        {
            "row": int(k), "step": int(data["step"].values[k]), "n_atoms": int(data["n_atoms"].values[k]),
            "mutual_information": float(data["mutual_information"].values[k]),
            "shares": {
                name: dict(zip(("share", "low", "high"), of_class[k].tolist(), strict=True))
                for name, of_class in shares.items()
            },
        }
        for k in results.done.nonzero()[0]
    ]  # fmt: skip


def _shown(results: TrajectoryResults) -> IntArray:
    """Frames for the table, evenly over the trajectory."""
    import numpy as np

    rows = np.flatnonzero(results.done)
    if len(rows) > SHOWN:
        rows = rows[np.unique(np.linspace(0, len(rows) - 1, SHOWN).astype(int))]
    return rows


def _table(results: TrajectoryResults, rows: IntArray) -> Table:
    """Frames with the shares of the most frequent classes, and with their time step if the files tell it."""
    names = results.present[:CLASSES]
    steps = results.data["step"].values[rows]
    told = bool((steps >= 0).any())
    table = Table("Frame", *(["Step"] if told else []), "Atoms", *(f"{n} (%)" for n in names), "MI (bit)")
    shares = {n: 100 * results.share(n)[rows] for n in names}
    for i, k in enumerate(rows):
        cells = [f"{mean:.1f} [{low:.1f}, {high:.1f}]" for mean, low, high in (shares[n][i] for n in names)]
        step = [str(int(steps[i])) if steps[i] >= 0 else "–"] if told else []
        table.add_row(
            str(k), *step, str(int(results.data["n_atoms"].values[k])), *cells,
            f"{float(results.data['mutual_information'].values[k]):.3f}",
        )  # fmt: skip
    return table
