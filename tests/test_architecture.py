"""docs/architecture.md: its figure is as drawn, its floors are those of the import rules, what it names is there."""

import re
import runpy
import subprocess
import sys
from importlib.util import find_spec
from xml.etree import ElementTree

import pytest

from arise_core import _moved
from tests import ROOT
from tests.test_imports import FLOORS

TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
DRAWING = ROOT / "docs" / "pictures" / "architecture.py"
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
#: Pages that name modules and files.
PAGES = ("README.md", "CONTRIBUTING.md", *sorted(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")))


def short(module: str) -> str:
    return module.removeprefix("arise_core.")


def test_the_figure_is_what_its_script_draws():
    drawn = subprocess.run(
        [sys.executable, "-I", DRAWING], capture_output=True, check=True, timeout=60
    ).stdout
    assert DRAWING.with_suffix(".svg").read_bytes() == drawn
    ElementTree.fromstring(drawn)


def test_the_figure_s_floors_are_those_of_the_import_rules():
    drawn = [set(room.split(", ")) for room, _, _ in runpy.run_path(str(DRAWING))["FLOORS"]]
    known = [{short(m) for m in floor} for floor in reversed(FLOORS) if "arise_core" not in floor]
    assert drawn == known


def test_the_table_s_floors_are_those_of_the_import_rules():
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \|", TEXT, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, len(FLOORS) + 1))
    for (_, rooms), floor in zip(rows, FLOORS, strict=True):
        for module in floor:
            if module not in ("arise_core", "arise_core._moved"):
                assert module.rpartition(".")[2] in rooms


@pytest.mark.parametrize("block", BLOCKS, ids=["flow", "progress"])
def test_examples_run(block, capsys):
    exec(compile(block, "docs/architecture.md", "exec"), {})
    assert capsys.readouterr().out.strip()


def exists(name: str) -> bool:
    """Whether a dotted name is a module or something in one."""
    module, rest = name, ""
    while module:
        try:
            spec = find_spec(module)
        except ModuleNotFoundError:
            spec = None
        if spec is not None and module not in _moved.MODULES:
            break
        module, _, last = module.rpartition(".")
        rest = f"{last}.{rest}" if rest else last
    found = __import__(module, fromlist=["_"])
    for part in rest.split(".") if rest else ():
        if not hasattr(found, part):
            return False
        found = getattr(found, part)
    return True


@pytest.mark.parametrize("page", PAGES)
def test_modules_that_are_named_are_there(page):
    text = (ROOT / page).read_text(encoding="utf-8").partition("## Old module paths")[0]
    names = set(
        re.findall(
            r"\b((?:arise_core|ase_arise|ovito_arise|arise_images|arise_cli)(?:\.[A-Za-z_]\w*)+)", text
        )
    )
    names = {n for n in names if not n.endswith((".py", ".benchmark_methods", ".commands"))}
    assert [n for n in sorted(names) if not exists(n)] == []


@pytest.mark.parametrize("page", PAGES)
def test_files_that_are_named_are_there(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    roots = "arise_core|ase_arise|ovito_arise|arise_images|arise_cli|tests|docs|benchmarks|examples|model_zoo"
    names = set(re.findall(rf"(?<![\w/.])((?:{roots})/[\w./-]*[\w/])", text))
    places = (ROOT, (ROOT / page).parent)
    assert [n for n in sorted(names) if "NAME" not in n and not any((p / n).exists() for p in places)] == []


def test_files_of_the_core_are_there():
    """Those whose folder is not spelled out, such as `geometry/cell.py`."""
    places = (ROOT, ROOT / "arise_core", ROOT / "arise_core" / "training")
    names = set(re.findall(r"`((?:[a-z_]+/)?[a-z_]+\.py)`", TEXT)) - {"loops.py"}
    assert len(names) > 15
    assert [n for n in sorted(names) if not any((p / n).is_file() for p in places)] == []


def test_a_wrong_name_would_be_noticed():
    assert exists("arise_core.geometry.material.Material.fold")
    assert not exists("arise_core.geometry.nothing")
    assert not exists("arise_core.builders")
