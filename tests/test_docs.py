"""The pages of the site: their Python and their commands run from top to bottom, and the reference is complete."""

import importlib
import re
import runpy
import shlex

import pytest
from typer.testing import CliRunner

from arise_cli.main import app
from tests import ROOT

DOCS = ROOT / "docs"
#: Blocks of a page that run: Python, and commands of `arise` (`sh`). Others show what to type on another machine.
BLOCK = re.compile(r"```(python|sh)\n(.*?)```", re.DOTALL)
#: Pages whose blocks are run elsewhere: ovito in tests/ovito, ase and simulations in tests/ase, images in tests/images,
#: architecture beside its own figure.
ELSEWHERE = {"ovito.md", "ase.md", "simulations.md", "images.md", "architecture.md", "explore.md"}
PAGES = [
    str(p.relative_to(DOCS)) for p in sorted(DOCS.rglob("*.md"))
    if p.name not in ELSEWHERE or p.parent != DOCS
]  # fmt: skip
RUNNING = [page for page in PAGES if BLOCK.search((DOCS / page).read_text(encoding="utf-8"))]
SITE = runpy.run_path(str(DOCS / "site.py"))


def test_there_are_pages_that_run():
    assert {"tutorials/ovito-script.md", "howto/alloys.md", "trajectories.md"} <= set(RUNNING)


@pytest.mark.parametrize("page", RUNNING)
def test_what_a_page_shows_runs_from_top_to_bottom(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "page"}
    for kind, block in BLOCK.findall((DOCS / page).read_text(encoding="utf-8")):
        if kind == "python":
            exec(compile(block, f"docs/{page}", "exec"), names)
            continue
        for line in block.splitlines():
            command, *arguments = shlex.split(line, comments=True)
            assert command == "arise", line
            result = CliRunner().invoke(app, arguments)
            assert result.exit_code == 0, f"{line}\n{result.output}"
            assert result.output.strip(), line
    capsys.readouterr()


def test_links_out_of_the_pages_are_text():
    inside = SITE["_inside"]
    text = "[`x.py`](../x/x.py) [a](ovito.md#b) [b](https://c.d) [R](../README.md)"
    changed = SITE["LINK"].sub(lambda m: inside(m, DOCS), text)
    assert changed == "`x.py` [a](ovito.md#b) [b](https://c.d) R (`README.md`)"


@pytest.mark.parametrize("package", ["arise_core", "ase_arise", "ovito_arise", "arise_images"])
def test_every_public_name_is_in_the_reference(package):
    pages = "".join(p.read_text(encoding="utf-8") for p in (DOCS / "reference").glob("*.md"))
    assert f"<!-- names: {package} -->" in pages
    entries = SITE["names"](package)
    for name in importlib.import_module(package).__all__:
        assert f"heading: {name}\n" in entries or f"## {name}\n" in entries


def test_every_command_is_in_the_reference():
    text = SITE["commands"]()
    for command in ("classify", "map", "trajectory", "benchmark accuracy"):
        assert f"`arise {command}`" in text
    assert "--box-size" in text
