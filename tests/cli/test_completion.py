"""Completion in shells."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from arise_cli.main import app
from tests import ROOT


def completed(line: str) -> list[str]:
    """What bash is told at the end of a line."""
    asked = {
        "_ARISE_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
    }
    done = CliRunner().invoke(app, [], prog_name="arise", env=asked)
    assert done.exit_code == 0, done.output
    return done.output.split()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("arise class", ["classify"]),
        ("arise map --model arise-108-", ["arise-108-ideal", "arise-108-paper"]),
        ("arise add-class a.cif --model arise-108-p", ["arise-108-paper"]),
        ("arise prototypes rock", ["rock_salt"]),
        ("arise calibrate a.xyz --label L1_", ["L1_2", "L1_0"]),
        ("arise remove-class nanotube_7", ["nanotube_7_1", "nanotube_7_0"]),
        ("arise map --resol", ["--resolution"]),
        ("arise map --resolution s", ["single", "sharp"]),
        ("arise map --box-size a", ["auto"]),
        ("arise screen a.db --mode w", ["whole"]),
        ("arise classify --reader o", ["ovito"]),
        ("arise schema cl", ["classify"]),
        ("arise classify a.x", []),  # the shell completes names of files
    ],
)
def test_words(line, words):
    assert completed(line) == words


def test_nothing_heavy_is_loaded_for_it():
    code = (
        "import sys; from arise_cli.completion import class_names, model_names; model_names(''); class_names(''); "
        "print([m for m in ('torch', 'ovito', 'matplotlib', 'ase', 'numba') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_for_shells(shell, monkeypatch):
    """That of the shell which runs it."""
    monkeypatch.setattr("shellingham.detect_shell", lambda: (shell, f"/bin/{shell}"))
    done = CliRunner().invoke(app, ["--show-completion"], prog_name="arise")
    assert done.exit_code == 0
    assert "_ARISE_COMPLETE" in done.output
