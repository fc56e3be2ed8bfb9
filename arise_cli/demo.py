"""Commands that this adapter adds to `arise`. Heavy imports happen when a command runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""

    @app.command()
    def demo(
        out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("arise-demo"),
        overwrite: Annotated[
            bool, typer.Option("--overwrite", help="Write there even if it is not empty.")
        ] = False,
    ) -> None:
        """Analyse a shipped simulation in OVITO: a copper crystal that grows into its melt."""
        from ovito_arise.demo.run import run

        run(out, overwrite, typer.echo)
