"""`arise prototypes`, `models` and `convert`: what there is to be recognised, and by what."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from arise_cli.console import check_places, print_table, say
from arise_core.crystals.naming import short_name
from arise_core.errors import InputError

#: Width of the tables where the output is no terminal.
WIDTH = 160


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("prototypes")(list_prototypes)
    app.command("models")(list_models)
    app.command("convert")(convert_model)


def list_prototypes(
    search: Annotated[str, typer.Argument(help="Only classes whose label or name contains this.")] = "",
) -> None:
    """List the 108 classes."""
    from arise_core.crystals.table import prototypes

    found = [
        p
        for p in prototypes()
        if search.casefold() in f"{p.label} {p.name} {short_name(p.name)} {p.material}".casefold()
    ]
    if not found:
        raise InputError(f"no class contains {search!r}")
    table = Table("No.", "Label", "Name", "Material", "Type", "Space group", "Atoms in cell")
    for p in found:
        group, atoms = (str(v) if v is not None else "" for v in (p.space_group, p.n_atoms_conventional))
        table.add_row(str(p.number), p.label, p.name, p.material, p.material_type, group, atoms)
    print_table(table, WIDTH)


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
