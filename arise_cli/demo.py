"""`arise demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arise_cli.console import say
from arise_core.runtime.packages import check_package


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("demo")(demo)


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("arise-demo"),
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Write there even if it is not empty.")
    ] = False,
) -> None:
    """Analyse a shipped simulation in OVITO: a copper crystal that grows into its melt."""
    check_package("ovito_arise", "`arise demo` needs the OVITO modifier")
    from ovito_arise.demo.run import run

    run(out, overwrite, say)
