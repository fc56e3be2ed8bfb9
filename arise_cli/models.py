"""`arise prototypes`, `models` and `convert`: what there is to be recognised, and by what."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from arise_cli.completion import class_names
from arise_cli.console import Record, check_places, print_table, say, say_json, write_file
from arise_cli.options import Json, Overwrite, check_picture
from arise_core.errors import InputError

if TYPE_CHECKING:
    from arise_core.crystals.table import Prototype

#: Width of the tables where the output is no terminal.
WIDTH = 270


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("prototypes")(list_prototypes)
    app.command("models")(list_models)
    app.command("convert")(convert_model)


def list_prototypes(
    search: Annotated[
        str,
        typer.Argument(
            help="Only these: a name or part of one, Strukturbericht (B1) or Pearson symbol (cF8), space group (225, "
            "Fm-3m), or formula (NaCl, ABX3).",
            autocompletion=class_names,
        ),
    ] = "",
    plot: Annotated[Path | None, typer.Option(help="Draw the cells here (.png, .pdf, .svg).")] = None,
    as_json: Json = False,
    overwrite: Overwrite = False,
) -> None:
    """List the 108 classes, or find some of them by name, symbol, space group or formula."""
    from arise_core.crystals.naming import short_name
    from arise_core.crystals.search import find_prototypes, pearson, same_stoichiometry_only

    check_picture(plot)
    check_places([plot], overwrite)
    found = find_prototypes(search)
    if not found:
        raise InputError(f"no class is found by {search!r}" + _instead(search))
    if same_stoichiometry_only(search, found):
        say(
            f"no class is named after {search}: these have its stoichiometry, not always its structure",
            error=True,
        )
    if plot is not None:
        from arise_core.crystals.picture import draw_cells

        figure = draw_cells(found)
        form = plot.suffix.removeprefix(".")
        write_file(plot, lambda place: figure.savefig(place, dpi=150, format=form))
    if as_json:
        say_json([_described(p) for p in found])
        return
    table = Table(
        "No.",
        "In results",
        "Label",
        "Name",
        "Also called",
        "Strukturbericht",
        "Pearson",
        "Space group",
        "Material",
        "Type",
    )
    for p in found:
        group = "" if p.space_group is None else str(p.space_group)
        table.add_row(
            str(p.number), short_name(p.name), p.label, p.name, ", ".join(p.common_names), p.strukturbericht or "",
            pearson(p) or "", group, p.material, p.material_type,
        )  # fmt: skip
    print_table(table, WIDTH)


def _instead(search: str) -> str:
    """What a word that finds no class may stand for."""
    from arise_core.crystals.others import find_others
    from arise_core.crystals.search import closest_names

    if others := find_others(search):
        return (
            "; none of the classes, but known to `arise_core.name_crystal` (docs/explore.md, Name the unknown): "
            + "; ".join(others)
        )
    close = closest_names(search)
    return f"; closest: {', '.join(close)}" if close else ""


def _described(p: Prototype) -> Record:
    from arise_core.crystals.search import pearson

    return {
        "number": p.number,
        "label": p.label,
        "short": p.short,
        "name": p.name,
        "common_names": list(p.common_names),
        "strukturbericht": p.strukturbericht,
        "pearson": pearson(p),
        "space_group": p.space_group,
        "published_space_group": p.published_space_group,
        "n_atoms_conventional": p.n_atoms_conventional,
        "formula": p.formula,
        "material": p.material,
        "material_type": p.material_type,
    }


def list_models() -> None:
    """List the models of the zoo."""
    from arise_core.model.zoo import known_models, load_model

    table = Table("Name", "Classes", "Rejects", "Description")
    for name in known_models():
        card = load_model(name).card
        threshold = card.reject.threshold
        rejects = "never" if threshold is None else f"from {threshold:g} ({card.reject.kind})"
        table.add_row(name, str(len(card.classes)), rejects, card.description)
    print_table(table, WIDTH)


def convert_model(
    file: Annotated[Path, typer.Argument(help="A TorchScript file, such as `model.pt` of ARISE 0.1.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> None:
    """Write a TorchScript model file as `.safetensors` beside it. Nothing in the file is run."""
    from arise_core.model.contents import read_script
    from arise_core.training.export import write_safe

    target = file.with_suffix(".safetensors")
    check_places([target], overwrite)
    found = read_script(file)
    write_safe(found, target)
    say(f"{target}: {found.card.name}, {len(found.card.classes)} classes")
