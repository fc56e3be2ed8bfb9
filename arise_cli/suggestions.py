"""`arise suggest`: what to label next."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from arise_cli.console import bar, print_table, say
from arise_cli.options import (
    DeviceOption,
    Format,
    ModelOption,
    ModeOption,
    Overwrite,
    RangesOption,
    ReaderOption,
    TypesOption,
    takes,
)
from arise_cli.readers import chosen_reader
from arise_core.errors import AriseError, InputError
from arise_core.settings import (
    DEFAULT_MODEL,
    LAYER,
    LEAST_DOUBT,
    MAP_TOLERANCE,
    MARGIN,
    SUGGESTED,
    MapSettings,
    SamplingSettings,
)

if TYPE_CHECKING:
    from arise_core.explore.suggestions import Suggestion
    from arise_core.geometry.material import Material
    from ase_arise.reading import Reader


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("suggest")(suggest_samples)


@takes(MapSettings, SamplingSettings, tolerance=MAP_TOLERANCE)
def suggest_samples(
    source: Annotated[str, typer.Argument(help="Folder, ASE database, or file; `md.xyz@-10:` picks frames.")],
    n: Annotated[int, typer.Option("--n", min=1, help="Samples, at most.")] = SUGGESTED,
    out: Annotated[Path, typer.Option(help="Folder for the samples and their table.")] = Path("suggestions"),
    model: ModelOption = DEFAULT_MODEL,
    device: DeviceOption = "cpu",
    mode: ModeOption = "auto",
    layer: Annotated[
        int, typer.Option(help="Hidden layer by which samples are told apart: 0 the first.")
    ] = LAYER,
    least: Annotated[float, typer.Option(help="Doubt below which nothing is suggested, bit.")] = LEAST_DOUBT,
    unknown: Annotated[
        float, typer.Option(help="Bits by which the doubt of what is rejected counts more.")
    ] = 0.0,
    spread: Annotated[
        float, typer.Option(help="How much samples are to differ: power of the distance; 0: not.")
    ] = 1.0,
    margin: Annotated[float, typer.Option(help="Å around a box that are written with it.")] = MARGIN,
    pattern: Annotated[str, typer.Option(help="Names of files in a folder, such as '*.cif'.")] = "*",
    types: TypesOption = "",
    overwrite: Overwrite = False,
    reader: ReaderOption = "auto",
    kind: Format = "",
    ranges: RangesOption = "",
    **settings: Any,
) -> None:
    """Suggest which structures or boxes to label, so that a model learns most from them: in doubt, and not alike."""
    from arise_core.explore.suggestions import suggest, write_suggestions
    from arise_core.runtime.files import check_folder, fresh_folder
    from ase_arise.convert import as_model

    if os.path.lexists(out):
        fresh_folder(out, overwrite)  # refuses what is in it, before any work
    check_folder(out, f"`out` {str(out)!r}")
    names, materials = _read(source, pattern, chosen_reader(reader, kind, ranges), types)
    with bar("suggest") as progress:
        found = suggest(
            materials, as_model(model, device), n, layer=layer, least=least, unknown=unknown, spread=spread,
            margin=margin, progress=progress, **{"mode": mode, **settings},
        )  # fmt: skip
    if not found:
        say(f"nothing is in doubt by {least:g} bit or more; `--least 0` and `--unknown 0.5` suggest more")
        return
    files = write_suggestions(found, out, names, overwrite=overwrite)
    _show(found, names)
    more = "" if len(found) == n else f"; no more are in doubt by {least:g} bit or more and differ"
    say(f"wrote {len(found)} samples and {files[-1]}{more}", error=True)


def _read(source: str, pattern: str, reader: Reader, types: str) -> tuple[list[str], list[Material]]:
    """Structures of a folder, database or file, and their names; what cannot be taken is left out, and said.

    Raises:
        InputError: nothing is left.
    """
    from arise_core.crystals.species import parse_types
    from ase_arise.convert import to_material
    from ase_arise.screening.sources import Files, open_source

    elements = parse_types(types, "--types")
    names, materials = [], []
    said: set[tuple[str, str]] = set()  # what was assumed of a file's atoms is said once
    for task in open_source(source, pattern, reader=reader).tasks(set()):
        for entry in task.entries() if isinstance(task, Files) else task:
            name = f"{entry.source}@{entry.number}"
            try:
                if entry.atoms is None:
                    raise InputError(entry.error)
                material = to_material(entry.atoms, "", elements, "--types")
                material.check_overlaps("")
            except AriseError as error:
                say(f"{name} is left out: {error}", error=True)
                continue
            for note in material.notes:
                if (entry.source, note) not in said:
                    said.add((entry.source, note))
                    say(f"{entry.source}: {note}", error=True)
            names.append(name)
            materials.append(material)
    if not materials:
        raise InputError(f"`source` {source!r} has no structure that can be recognised")
    return names, materials


def _show(found: list[Suggestion], names: list[str]) -> None:
    from rich.table import Table

    table = Table("rank", "structure", "box", "centre / Å", "doubt / bit", "the model says")
    for s in found:
        where = ("", "") if s.box < 0 else (str(s.box), " ".join(f"{c:.1f}" for c in s.center))
        said = f"{s.label} (rejected)" if s.rejected else s.label
        table.add_row(str(s.rank), names[s.source], *where, f"{s.doubt:.2f}", said)
    print_table(table)
