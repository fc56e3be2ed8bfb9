"""`arise benchmark …`. Heavy imports happen when a command runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arise_cli.console import bar, say
from arise_cli.options import ModelOption
from arise_core.settings import DEFAULT_MODEL

app = typer.Typer(help="Compare models with published results and other methods.", no_args_is_help=True)

PAPER_DRAWS = 10


def register(commands: typer.Typer) -> None:
    """Add the commands to the command line."""
    commands.add_typer(app, name="benchmark")


@app.callback()
def _root() -> None:
    pass


@app.command("accuracy")
def accuracy(
    out: Annotated[Path, typer.Option(help="Folder for the work, kept to go on from, and the results.")],
    model: Annotated[
        list[str] | None,
        typer.Option(help="Name in the zoo or path; repeatable. Default: the default model."),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(help="Other method to compare with, or none; repeatable. Default: all."),
    ] = None,
    classes: Annotated[
        list[str] | None, typer.Option(help="Label or name of a class; repeatable. Default: all 108.")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help='Column of the tables, such as "eta-20"; repeatable. Default: all.'),
    ] = None,
    draws: Annotated[int, typer.Option(help="Random draws of the defects; one is the quick mode.")] = 1,
    full: Annotated[bool, typer.Option("--full", help="As many draws as the paper has, 10.")] = False,
    passes: Annotated[int | None, typer.Option(help="Monte Carlo passes of the models.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the defects.")] = 0,
    workers: Annotated[int | None, typer.Option(help="Processes; default: as many as cores.")] = None,
    report: Annotated[Path | None, typer.Option(help="Folder for tables and pictures. Default: OUT.")] = None,
    card: Annotated[
        bool, typer.Option("--card", help="Write the figures into the models' cards too.")
    ] = False,
) -> None:
    """Accuracy on the defective structures of the paper, beside OVITO's methods, spglib and naive Bayes.

    Interrupted, the same command goes on where it stopped; with more draws it adds to those it has.
    """
    from arise_core.benchmark.accuracy import AccuracySettings, run
    from arise_core.benchmark.report import check_complete, record, write_report
    from arise_core.runtime.files import check_folder

    given = {"models": model, "methods": method, "classes": classes, "columns": column}
    options = {name: tuple(values) for name, values in given.items() if values}
    if passes is not None:
        options["passes"] = passes  # type: ignore[assignment]
    settings = AccuracySettings(draws=PAPER_DRAWS if full else draws, seed=seed, **options)  # type: ignore[arg-type]
    if card:
        check_complete(settings)
    if report is not None:
        check_folder(report, f"`report` {str(report)!r}")
    with bar("accuracy") as progress:
        results = run(settings, out, progress, workers=workers)
    for path in write_report(results, report or out):
        say(path)
    for path in record(results) if card else ():
        say(path)


@app.command("loss")
def loss(
    out: Annotated[Path, typer.Option(help="Folder for the tables.")],
    model: ModelOption = DEFAULT_MODEL,
    classes: Annotated[
        list[str] | None,
        typer.Option(help="Label or name of a class; repeatable. Default: all but nanotubes."),
    ] = None,
    draws: Annotated[int, typer.Option(help="Samples of each class and kind.")] = 3,
    passes: Annotated[int, typer.Option(help="Monte Carlo passes of the model.")] = 200,
    seed: Annotated[int, typer.Option(help="Seed of the samples.")] = 0,
) -> None:
    """What to trust where atoms are lost and their places are wrong, as in atom probe and electron tomography."""
    from arise_core.benchmark.lost_atoms import LostAtomsSettings, ask, write_report
    from arise_core.runtime.files import check_folder

    given = tuple(classes or ())
    settings = LostAtomsSettings(model=model, classes=given, draws=draws, passes=passes, seed=seed)
    check_folder(out, f"`out` {str(out)!r}")
    with bar("lost atoms") as progress:
        found = ask(settings, progress)
    for path in write_report(found, settings, out):
        say(path)
