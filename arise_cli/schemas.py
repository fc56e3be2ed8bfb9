"""`arise schema`: what `--json` prints, as JSON Schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from arise_cli.console import say
from arise_core.errors import InputError

#: Schemas of all commands, and what they share.
FILE = Path(__file__).with_name("schemas.json")
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("schema")(show_schema)


def known_commands() -> tuple[str, ...]:
    """Commands that have `--json`."""
    return tuple(_read()["commands"])


def schema_of(command: str) -> dict[str, Any]:
    """JSON Schema of what a command prints with `--json`.

    Raises:
        InputError: a command that prints none.
    """
    found = _read()
    if command not in found["commands"]:
        raise InputError(f"`command` must be one of {', '.join(found['commands'])}, got {command!r}")
    title = f"arise {command} --json"
    return {"$schema": DIALECT, "title": title, **found["commands"][command], "$defs": found["$defs"]}


def show_schema(
    command: Annotated[str, typer.Argument(help="A command that has --json.", autocompletion=known_commands)],
) -> None:
    """Show what `--json` of a command prints, as JSON Schema."""
    say(json.dumps(schema_of(command), indent=1))


def _read() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found
