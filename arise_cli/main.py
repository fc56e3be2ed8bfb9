"""The command line `arise`. Adapters add their commands through the entry-point group `arise.commands`."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from arise_cli import benchmark as benchmark_commands
from arise_cli import training as training_commands
from arise_core.errors import InputError

app = typer.Typer(
    name="arise",
    help="Recognise crystal structures by Bayesian deep learning.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

#: Exit codes, for scripts: 0 done, 1 the input was refused or the work failed, 2 wrong usage, 130 interrupted.
FAILED = 1
INTERRUPTED = 130


def main() -> None:
    """Entry point of the console script: errors of the user's making end in one line, not in a traceback."""
    for point in sorted(entry_points(group="arise.commands"), key=lambda p: p.name):
        point.load()(app)
    try:
        app()
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        sys.exit(INTERRUPTED)
    except (ValueError, TypeError, OSError, ImportError) as error:
        typer.echo(f"arise: {error}", err=True)
        sys.exit(FAILED)


def _version(show: bool) -> None:
    if show:
        typer.echo(version("ovito-arise"))
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


@app.command("prototypes")
def list_prototypes(
    search: Annotated[str, typer.Argument(help="Only classes whose label or name contains this.")] = "",
) -> None:
    """List the 108 classes."""
    from arise_core.crystals.table import prototypes

    found = [p for p in prototypes() if search.casefold() in f"{p.label} {p.name} {p.material}".casefold()]
    if not found:
        raise InputError(f"no class contains {search!r}")
    table = Table("No.", "Label", "Name", "Material", "Type", "Space group", "Atoms in cell")
    for p in found:
        group, atoms = (str(v) if v is not None else "" for v in (p.space_group, p.n_atoms_conventional))
        table.add_row(str(p.number), p.label, p.name, p.material, p.material_type, group, atoms)
    Console(width=None if sys.stdout.isatty() else 160).print(table)


@app.command("models")
def list_models() -> None:
    """List the models of the zoo."""
    from arise_core.model.zoo import known_models, load_model

    table = Table("Name", "Classes", "Rejects", "Description")
    for name in known_models():
        card = load_model(name).card
        threshold = card.reject.threshold
        rejects = "never" if threshold is None else f"from {threshold:g} ({card.reject.kind})"
        table.add_row(name, str(len(card.classes)), rejects, card.description)
    Console(width=None if sys.stdout.isatty() else 160).print(table)


@app.command("train")
def train_model(
    recipe: Annotated[Path, typer.Argument(help="TOML file that says how the model is made.")],
    out: Annotated[Path, typer.Option(help="Folder for the model; work found there is resumed.")],
) -> None:
    """Train a model from a recipe. Interrupted, the same command goes on where it stopped."""
    from arise_core.training.recipe import read_recipe
    from arise_core.training.train import pristine_accuracy, train

    plan = read_recipe(recipe)
    with bar(f"training {plan.name}") as progress:
        model = train(plan, out, progress)
    typer.echo(f"{model.path}: {pristine_accuracy(model):.2%} of the pristine structures right")


training_commands.register(app)
app.add_typer(benchmark_commands.app, name="benchmark")


class bar:
    """Progress bar on the terminal's error stream: `with bar("text") as progress: progress(0.3, "message")`."""

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

    def __call__(self, fraction: float, message: str = "") -> None:
        """Show the fraction of the work done and what it is about."""
        self._bar.set_postfix_str(message, refresh=False)
        self._bar.update(max(fraction - self._bar.n, 0.0))

    def __exit__(self, *error: object) -> None:
        self._bar.close()
