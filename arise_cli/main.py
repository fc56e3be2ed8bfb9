"""The command line `arise`. Other packages add commands of theirs through the entry-point group `arise.commands`.

Such an entry point is a function that is called with the `typer.Typer` of this module.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points, version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from arise_cli import benchmark, demo, models, recognition, screening, training
from arise_cli.console import FAILED, INTERRUPTED, say
from arise_core.errors import AriseError

ENTRY_POINTS = "arise.commands"


class Commands(TyperGroup):
    """All commands. Errors of the user's making end in one line; all others are bugs and show where they are."""

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """Read the command line; `--version` is answered here."""
        with _errors_shown():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        with _errors_shown(debug=bool(ctx.params.get("debug"))):
            return super().invoke(ctx)


@contextmanager
def _errors_shown(debug: bool = False) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as error:
        typer.echo("interrupted", err=True)
        raise typer.Exit(INTERRUPTED) from error
    except AriseError as error:
        if debug:
            raise
        typer.echo(f"arise: {error}", err=True)
        raise typer.Exit(FAILED) from error


app = typer.Typer(
    name="arise",
    cls=Commands,
    help="Recognise crystal structures by Bayesian deep learning.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Entry point of the console script."""
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda p: p.name):
        point.load()(app)
    app()


def _version(show: bool) -> None:
    if show:
        say(version("ovito-arise"))
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of every error.")] = False,
) -> None:
    pass


for commands in (recognition, screening, models, training, benchmark, demo):
    commands.register(app)


if __name__ == "__main__":
    main()
