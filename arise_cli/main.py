"""The command line `arise`. Other packages add commands of theirs through the entry-point group `arise.commands`.

Such an entry point is a function that is called with the `typer.Typer` of this module.
"""

from __future__ import annotations

import os
import warnings
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from arise_cli import (
    benchmark,
    calibration,
    demo,
    explore,
    images,
    info,
    models,
    recognition,
    schemas,
    screening,
    suggestions,
    training,
    trajectories,
)
from arise_cli.console import say
from arise_cli.ends import ends_cleanly, errors_shown
from arise_core.version import VERSION

ENTRY_POINTS = "arise.commands"
#: Home of users whom the system does not know, as in containers.
NO_HOME = "/nonexistent"

_as_python_does = warnings.formatwarning


class Commands(TyperGroup):
    """All commands. Errors of the user's making end in one line; all others are bugs and show where they are."""

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """Read the command line; `--version` is answered here."""
        with errors_shown():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        with ends_cleanly(debug=bool(ctx.params.get("debug"))):
            return super().invoke(ctx)


app = typer.Typer(
    name="arise",
    cls=Commands,
    help="Recognise crystal structures by Bayesian deep learning.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Entry point of the console script."""
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda p: p.name):
        point.load()(app)
    warnings.formatwarning = _in_a_line
    _have_a_home()
    app()


def _have_a_home() -> None:
    """ASE asks for the user's home when it is imported, and fails where there is none."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = NO_HOME


def _in_a_line(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> str:
    """A warning of ours as a user needs it; others as Python writes them."""
    return (
        f"arise: {message}\n"
        if category is UserWarning
        else _as_python_does(message, category, *where, **more)
    )


def _version(show: bool) -> None:
    if show:
        say(VERSION)
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of every error.")] = False,
) -> None:
    pass


for commands in (
    recognition,
    explore,
    images,
    screening,
    trajectories,
    suggestions,
    models,
    training,
    benchmark,
    calibration,
    demo,
    info,
    schemas,
):
    commands.register(app)


if __name__ == "__main__":
    main()
