"""The README's commands are CI's, its examples run, its links lead somewhere."""

import ast
import builtins
import importlib
import re
import subprocess
import sys

import pytest

from tests import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
#: Text of the one warning that may come, from ASE 3.29; pyproject.toml has it too.
ASE_WITH_NUMPY_2_5 = "Setting the shape on a NumPy array"
PAGES = ("README.md", "CONTRIBUTING.md", *sorted(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")))
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_first_two_commands_are_the_main_job_and_the_tests():
    commands = re.findall(r"```\n(.*?)\n```", README, re.DOTALL)[:2]
    assert commands[0] == "python -m pip install . && arise demo"
    assert commands[1] == 'python -m pip install ".[test]" && python dev.py test'
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    for part in commands[1].split(
        " && "
    ):  # a line each: `set -e` does not end a script at what fails before `&&`
        assert part.replace("pip install", "pip install -q") in script, part


@pytest.mark.parametrize("block", BLOCKS, ids=["ovito", "ase", "core", "modifier"])
def test_examples_run(block, tmp_path):
    script = tmp_path / "example.py"
    script.write_text(block, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-W", "error", "-W", f"ignore:{ASE_WITH_NUMPY_2_5}:DeprecationWarning", script],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip()


EXPLORE = (ROOT / "docs" / "explore.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", EXPLORE, re.DOTALL))
def test_examples_of_exploring_stand_alone(block):
    """Each uses only names of its own, and what it imports is there; run as a whole they would take minutes."""
    nodes = list(ast.walk(ast.parse(block)))
    names = [n for n in nodes if isinstance(n, ast.Name)]
    bound = {n.id for n in names if isinstance(n.ctx, ast.Store)} | set(dir(builtins))
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            if node.module.startswith("arise_core"):
                module = importlib.import_module(node.module)
                assert [a.name for a in node.names if not hasattr(module, a.name)] == []
        elif not isinstance(node, ast.Import):
            continue
        bound |= {a.asname or a.name for a in node.names}
    assert {n.id for n in names} <= bound


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", text)
    missing = [t for t in targets if not (ROOT / page).parent.joinpath(t).exists()]
    assert missing == []
