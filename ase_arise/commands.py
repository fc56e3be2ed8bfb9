"""Commands that this adapter adds to `arise`. Heavy imports happen when a command runs."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
