"""Commands that make models: training, own classes, and the search for hyperparameters."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from arise_cli.completion import class_names, model_names
from arise_cli.console import bar, say
from arise_cli.options import Format, ReaderOption, TypesOption
from arise_cli.readers import chosen_reader
from arise_core.settings import DEFAULT_MODEL

if TYPE_CHECKING:
    from arise_core.crystals.standard import ReadStructure
    from arise_core.geometry.structure import Structure
    from arise_core.model.model import Model

Out = Annotated[Path, typer.Option(help="Folder for the model.")]
Overwrite = Annotated[bool, typer.Option(help="Write into a folder that is not empty.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `arise`."""
    app.command("train")(train_model)
    app.command("add-class")(add_class)
    app.command("remove-class")(remove_class)
    app.command("train-folder")(train_folder)
    app.command("sharpen")(sharpen)
    app.command("tune")(tune)


def train_model(
    recipe: Annotated[Path, typer.Argument(help="TOML file that says how the model is made.")],
    out: Annotated[Path, typer.Option(help="Folder for the model; work found there is resumed.")],
    start: Annotated[
        str,
        typer.Option(
            help="Model that the recipe's first training has made: only the further one is done.",
            autocompletion=model_names,
        ),
    ] = "",
) -> None:
    """Train a model from a recipe. Interrupted, the same command goes on where it stopped."""
    from arise_core.model.zoo import load_model
    from arise_core.training.recipe import read_recipe
    from arise_core.training.train import pristine_accuracy, train

    plan = read_recipe(recipe)
    first = load_model(start) if start else None
    with bar(f"training {plan.name}") as progress:
        model = train(plan, out, progress, start=first)
    say(f"{model.path}: {pristine_accuracy(model):.2%} of the pristine structures right")
    _say_how_to_sharpen(model)


def add_class(
    files: Annotated[
        list[Path], typer.Argument(help="Structure files, one crystal each (CIF, POSCAR, ...).")
    ],
    out: Out,
    name: Annotated[
        list[str] | None,
        typer.Option(help="Name of the class; once a file, in their order. Default: file names."),
    ] = None,
    model: Annotated[
        str,
        typer.Option(help="Model to go on from: a name of the zoo, or a path.", autocompletion=model_names),
    ] = DEFAULT_MODEL,
    allow_similar: Annotated[
        bool, typer.Option(help="Also a crystal of the type of a known class, with other lattice parameters.")
    ] = False,
    overwrite: Overwrite = False,
    types: TypesOption = "",
    reader: ReaderOption = "auto",
    kind: Format = "",
) -> None:
    """Teach a model new crystals, from a structure file each; minutes. Prints a report. Stopped, it starts anew."""
    from arise_core.training.edit_classes import AddSettings, add_classes

    settings = AddSettings(allow_similar=allow_similar)
    read = _crystals(types, reader, kind)
    with bar("adding classes") as progress:
        made, text = add_classes(
            files, name or [], out, model=model, settings=settings, overwrite=overwrite, read=read,
            progress=progress,
        )  # fmt: skip
    say(text)
    say(f"{made.path}: {len(made.classes)} classes. The report is also in {out / 'report.md'}")
    _say_how_to_sharpen(made)


def remove_class(
    labels: Annotated[
        list[str], typer.Argument(help="Classes, by label or name.", autocompletion=class_names)
    ],
    out: Out,
    model: Annotated[
        str,
        typer.Option(help="Model to start from: a name of the zoo, or a path.", autocompletion=model_names),
    ] = DEFAULT_MODEL,
    overwrite: Overwrite = False,
) -> None:
    """Make a model that no longer knows some classes. Prints what their crystals are taken for then."""
    from arise_core.training.edit_classes import remove_classes

    made, text = remove_classes(labels, out, model=model, overwrite=overwrite)
    say(text)
    say(f"{made.path}: {len(made.classes)} classes")
    _say_how_to_sharpen(made)


def train_folder(
    folder: Annotated[Path, typer.Argument(help="Structure files, a class each, named after the file.")],
    out: Annotated[Path, typer.Option(help="Folder for the model; work found there is resumed.")],
    recipe: Annotated[
        Path | None, typer.Option(help="Recipe (TOML) to follow. Default: that of arise-108.")
    ] = None,
    types: TypesOption = "",
    reader: ReaderOption = "auto",
    kind: Format = "",
) -> None:
    """Train a model from scratch on a folder of structures. Interrupted, the same command goes on."""
    from arise_core.training.edit_classes import crystals_of
    from arise_core.training.folder import train_folder as train_on
    from arise_core.training.train import pristine_accuracy

    read = _crystals(types, reader, kind)
    with bar(f"training on {folder.name}") as progress:
        model = train_on(folder, out, recipe=recipe, read=read, progress=progress)
    right = pristine_accuracy(model, crystals=crystals_of(model.card))
    say(f"{model.path}: {len(model.classes)} classes, {right:.2%} of the pristine structures right")
    _say_how_to_sharpen(model)


def sharpen(
    model: Annotated[str, typer.Argument(help="Folder or file of a model that was made by `arise`.")],
) -> None:
    """Find out when a model is sure of a small box, so that its maps have boxes of several sizes; minutes."""
    from arise_core.training.calibration import sharpen as find_out

    with bar("sharpening") as progress:
        made = find_out(model, progress)
    assert made.sureness is not None
    shares = ", ".join(f"{n}: {share:.0%}" for n, share in made.sureness.answered.items())
    say(f"{made.path}: maps have boxes of several sizes now. Sure of crystals, by atoms in a box: {shares}")


def _say_how_to_sharpen(model: Model) -> None:
    """Say what a new model lacks for maps as sharp as those of the zoo."""
    if model.sureness is None and model.card.reject.kind == "head":
        say(f"its maps have boxes of one size until `arise sharpen {model.path.parent}` was run (minutes)")


def tune(
    recipe: Annotated[Path, typer.Argument(help="Recipe (TOML) to search around.")],
    out: Annotated[Path, typer.Option(help="Folder for the results; a search found there is resumed.")],
    trials: Annotated[int | None, typer.Option(help="Networks to try in all. Default: 50.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of each. Default: the recipe's.")] = None,
    top: Annotated[
        int | None, typer.Option(help="How many of the best to rank by robustness. Default: 15.")
    ] = None,
) -> None:
    """Search for the best layers, batch size, learning rate and dropout; rank the best by robustness."""
    from arise_core.training.recipe import read_recipe
    from arise_core.training.tune import TuneSettings
    from arise_core.training.tune import tune as search

    given: dict[str, Any] = {"trials": trials, "epochs": epochs, "top": top}
    settings = replace(TuneSettings(), **{k: v for k, v in given.items() if v is not None})
    plan = read_recipe(recipe)
    with bar(f"tuning {plan.name}") as progress:
        search(plan, out, settings, progress)
    say((out / "report.md").read_text(encoding="utf-8"))
    say(f"{out / 'model.safetensors'}: the first of the ranking; its recipe is {out / 'recipe.toml'}")


def _crystals(types: str, reader: str, kind: str) -> ReadStructure:
    """What reads the crystals of classes as other commands read structures; notes go to the error stream."""
    from arise_core.crystals.species import parse_types
    from ase_arise.convert import crystal_in

    elements, read_by = parse_types(types, "--types"), chosen_reader(reader, kind)

    def read(path: Path) -> Structure:
        material = crystal_in(path, read_by, elements, "--types")
        for note in material.notes:
            say(f"{path}: {note}", error=True)
        return material.structure

    return read
