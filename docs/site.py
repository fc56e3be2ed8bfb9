"""What MkDocs does to the pages beside rendering them: links that leave `docs/`, and the lists of the reference.

The pages are also read in the repository itself. There a link to a source file leads to it; on the site, which has
no such file, its text alone stays. `<!-- names: PACKAGE -->` stands for every public name of a package,
`<!-- module: MODULE -->` for what a module offers, `<!-- commands -->` for the commands of `arise`.
"""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
#: What those who read the reference in the repository are told.
ELSEWHERE = "The entries are written when the site is built: `python dev.py site`.\n"
LINK = re.compile(r"\[([^\]]+)\]\(([^)#\s]+)(#[^)\s]*)?\)")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """MkDocs's hook: the text of a page as it is to be rendered."""
    here = (DOCS / page.file.src_uri).parent
    text = LINK.sub(lambda found: _inside(found, here), markdown.replace(ELSEWHERE, ""))
    text = re.sub(r"<!-- names: (\S+) -->", lambda found: names(found[1]), text)
    text = re.sub(r"<!-- module: (\S+) -->", lambda found: module(found[1]), text)
    return text.replace("<!-- commands -->", commands()) if "<!-- commands -->" in text else text


def _inside(found: re.Match[str], here: Path) -> str:
    """A link, or its text if it leads out of the pages."""
    target = found[2]
    if "://" in target or target.startswith("mailto:"):
        return found[0]
    to = (here / target).resolve()
    if to.is_relative_to(DOCS) and not to.is_dir():
        return found[0]
    return found[1] if "`" in found[1] or not to.suffix else f"{found[1]} (`{to.name}`)"


def names(package: str) -> str:
    """An entry for every public name of a package, from the module that defines it."""
    found = importlib.import_module(package)
    entries = []
    for name in found.__all__:
        thing = getattr(found, name)
        if thing.__module__.startswith(f"{package}."):
            entries.append(entry(f"{thing.__module__}.{thing.__qualname__}", name, 2))
        else:
            entries.append(f"## {name}\n\nThe same as [`arise_core.{name}`](core.md).")
    return "\n\n".join(entries)


def module(name: str) -> str:
    """An entry for a module: what it is for, and its public functions and classes."""
    found = importlib.import_module(name)
    own = {key: thing for key, thing in vars(found).items() if getattr(thing, "__module__", "") == name}
    public = [
        key for key, thing in own.items()
        if not key.startswith("_") and (inspect.isfunction(thing) or inspect.isclass(thing))
    ]  # fmt: skip
    core = importlib.import_module("arise_core").__all__
    elsewhere = [f"[`arise_core.{key}`](core.md)" for key in public if key in core]
    head = (inspect.getdoc(found) or "").split("\n\n")[0] + (
        f"\n\nAlso: {', '.join(elsewhere)}." if elsewhere else ""
    )
    entries = [entry(f"{name}.{key}", key, 3) for key in public if key not in core]
    return "\n\n".join([f"## {name}\n\n{head}", *entries])


def entry(path: str, heading: str, level: int) -> str:
    """What mkdocstrings takes for the documentation of an object."""
    return f"::: {path}\n    options:\n      heading: {heading}\n      heading_level: {level}"


def commands() -> str:
    """Every command with its options, as Typer writes it."""
    import click
    import typer
    from typer.cli import get_docs_for_click

    from arise_cli.main import app

    command = typer.main.get_command(app)
    text = get_docs_for_click(
        obj=command, ctx=click.Context(command, info_name="arise"), name="arise", title=" "
    )
    return re.sub(r"^# .*\n", "", text)
