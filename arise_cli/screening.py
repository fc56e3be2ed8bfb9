"""`arise screen`."""

from __future__ import annotations

from shlex import quote
from typing import Annotated, Any

import typer

from arise_cli.clusters import Dask, Workers, cluster
from arise_cli.console import bar, finish, say
from arise_cli.options import (
    DeviceOption,
    Draw,
    Format,
    ModelOption,
    ModeOption,
    RangesOption,
    ReaderOption,
    Top,
    TypesOption,
    takes,
)
from arise_cli.readers import chosen_reader
from arise_core.settings import (
    DEFAULT_MODEL,
    MAP_TOLERANCE,
    SYMPREC,
    TIME_LIMIT,
    TOP,
    MapSettings,
    SamplingSettings,
)


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("screen")(screen_source)


@takes(MapSettings, SamplingSettings, tolerance=MAP_TOLERANCE)
def screen_source(
    source: Annotated[
        str, typer.Argument(help="ASE database (file or URL), folder, or file with many frames.")
    ],
    out: Annotated[str, typer.Option(help="Database for the results: a .db file, or the URL of a server.")],
    model: ModelOption = DEFAULT_MODEL,
    device: DeviceOption = "cpu",
    mode: ModeOption = "auto",
    workers: Workers = None,
    dask: Dask = "",
    pattern: Annotated[str, typer.Option(help="Names of files in a folder, such as '*.cif'.")] = "*",
    symprec: Annotated[float, typer.Option(help="Tolerance of the space group, Å.")] = SYMPREC,
    top: Top = TOP,
    draw: Draw = False,
    types: TypesOption = "",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Start again instead of going on.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 if entries failed.")] = False,
    time_limit: Annotated[
        float, typer.Option(help="Seconds that an entry may take; then it has failed.")
    ] = TIME_LIMIT,
    reader: ReaderOption = "auto",
    kind: Format = "",
    ranges: RangesOption = "",
    **settings: Any,
) -> None:
    """Recognise every structure of a database; interrupted, the same command goes on where it stopped."""
    from arise_core.crystals.species import parse_types
    from ase_arise.screening.run import screen

    with cluster(dask, workers) as executor, bar("screen") as progress:
        counts = screen(
            source, out, model, device=device, workers=workers, executor=executor, pattern=pattern, symprec=symprec,
            top=top, overwrite=overwrite, types=parse_types(types, "--types"), draw=draw, time_limit=time_limit,
            reader=chosen_reader(reader, kind, ranges), progress=progress, mode=mode, **settings,
        )  # fmt: skip
    earlier = f", {counts.failed_before} of them failed" if counts.failed_before else ""
    say(f"{counts.recognised} recognised, {counts.failed} failed, {counts.kept} from before{earlier}")
    failed = counts.failed + counts.failed_before
    place = quote(out)
    if counts.recognised + counts.kept > counts.failed_before:
        say(f"look at them with: ase db {place} arise_status=ok -c formula,arise_label,arise_mi,arise_top")
    if failed:
        say(
            f"why {failed} failed: ase db {place} arise_status=failed -c arise_source,arise_entry,arise_error --cut 0"
        )
    finish(strict and failed > 0)
