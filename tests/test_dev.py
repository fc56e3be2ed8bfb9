"""The developers' verbs (dev.py) and CI's script: what fails ends them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import ROOT

PYTHON = """#!/bin/sh
# Stands in for Python: notes what it is asked for, makes a hollow environment, fails where it is told to.
echo "$*" >> "$LOG"
if [ "$2" = venv ]; then
    mkdir -p "$3/bin"
    cp "$0" "$3/bin/python"
    echo "PATH=$3/bin:\\$PATH" > "$3/bin/activate"
fi
if [ "$2" = pip ]; then
    cat "$PIP_CONSTRAINT" >> "$LOG.constraints"
fi
[ "$*" != "$FAILS" ]
"""
STEPS = [
    "-m pip install -q --upgrade pip",
    "-m pip install -q .[test]",
    "dev.py test",
    "-m pip install -q .[dev]",
]
#: What then runs side by side.
CHAINS = (["dev.py lint", "dev.py types", "dev.py site"], ["dev.py dist", "dev.py lean"])


def ci(folder: Path, fails: str) -> tuple[int, list[str]]:
    """Exit code of CI's script with a stand-in for Python, and what Python was asked for once it had an environment."""
    for name, text in (("python3", PYTHON), ("apt-get", "#!/bin/sh\n")):
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)
    environment = {
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "LOG": str(folder / "log"),
        "FAILS": fails,
    }
    done = subprocess.run(
        ["bash", ROOT / ".ci" / "run"],
        env=os.environ | environment,
        check=False,
        timeout=60,
        capture_output=True,
    )
    first, *rest = (folder / "log").read_text(encoding="utf-8").splitlines()
    assert first.startswith("-m venv ")
    assert not Path(first.split()[-1]).exists(), "the environment was left behind"
    return done.returncode, rest


needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")


@needs_bash
@pytest.mark.parametrize("step", STEPS)
def test_ci_ends_with_what_fails(tmp_path, step):
    code, done = ci(tmp_path, step)
    assert code != 0
    assert done == STEPS[: STEPS.index(step) + 1]


@needs_bash
@pytest.mark.parametrize("fails", [step for chain in CHAINS for step in chain])
def test_what_runs_side_by_side_ends_with_what_fails(tmp_path, fails):
    code, done = ci(tmp_path, fails)
    assert code != 0
    for chain in CHAINS:
        expected = chain[: chain.index(fails) + 1] if fails in chain else chain
        assert [step for step in done if step in chain] == expected


@needs_bash
def test_ci_does_all_with_a_torch_for_the_cpu(tmp_path):
    code, done = ci(tmp_path, "")
    assert code == 0
    assert done[: len(STEPS)] == STEPS
    assert sorted(done[len(STEPS) :]) == sorted(step for chain in CHAINS for step in chain)
    assert set((tmp_path / "log.constraints").read_text(encoding="utf-8").split()) == {"torch==2.13.0"}


# --- verbs ----------------------------------------------------------------------------------------------------


@pytest.fixture
def dev(monkeypatch):
    """dev.py, and the commands that it would run; those that begin with `dev.fails` fail."""
    spec = spec_from_file_location("dev", ROOT / "dev.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    module.asked, module.fails = [], "-"

    def note(*arguments: str, **_: object) -> int:
        module.asked.append(" ".join(arguments))
        return int(module.asked[-1].startswith(module.fails))

    monkeypatch.setattr(module, "module", note)
    return module


def test_check_is_lint_types_and_test(dev):
    assert dev.main(["check", "-k", "golden"]) == 0
    assert dev.asked == ["ruff check .", "ruff format --check .", "mypy", "pytest -q -k golden"]


@pytest.mark.parametrize(
    ("fails", "count"), [("ruff check", 2), ("ruff format", 2), ("mypy", 3), ("pytest", 4)]
)
def test_check_stops_at_what_fails(dev, fails, count):
    dev.fails = fails
    assert dev.main(["check"]) == 1
    assert len(dev.asked) == count


def test_lint_mends(dev):
    assert dev.main(["lint", "--fix"]) == 0
    assert dev.asked == ["ruff check --fix .", "ruff format ."]


def test_lean_takes_the_newest_python_of_this_machine(dev, tmp_path, monkeypatch):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["requires-python"].endswith(f"<3.{dev.NEWEST + 1}")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setattr(dev.sys, "version_info", SimpleNamespace(minor=11))
    assert dev.newest() == sys.executable
    if os.name == "nt":
        return
    for name, code in (("python3.13", 1), ("python3.12", 0), ("python3.11", 0), ("python3.99", 0)):
        (tmp_path / name).write_text(f"#!/bin/sh\nexit {code}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    assert dev.newest() == str(tmp_path / "python3.12"), "3.13 only points to one that is not installed"
    (tmp_path / "pyenv/versions/3.13.0/bin").mkdir(parents=True)
    shutil.copy(tmp_path / "python3.12", tmp_path / "pyenv/versions/3.13.0/bin/python3.13")
    assert dev.newest() == str(tmp_path / "pyenv/versions/3.13.0/bin/python3.13")


def test_all_tests_run_over_the_cores(dev):
    assert dev.main(["test"]) == 0
    (asked,) = dev.asked
    assert re.fullmatch(r"pytest -q -n [1-4] --dist loadfile --no-loadscope-reorder", asked)


def test_docs_tells_of_a_figure_that_is_not_as_drawn(dev, tmp_path, monkeypatch, capsys):
    assert dev.main(["docs"]) == 0
    assert dev.asked == [f"pytest -q -m slow or not slow {' '.join(dev.DOCS_TESTS)}"]
    assert all((ROOT / path).is_file() for path in dev.DOCS_TESTS)
    (tmp_path / "figure.py").write_text("print('new')", encoding="utf-8")
    figure = tmp_path / "figure.svg"
    figure.write_text("old", encoding="utf-8")
    monkeypatch.setattr(dev, "ROOT", tmp_path)
    monkeypatch.setattr(dev, "DRAWN", (figure,))
    dev.asked.clear()
    assert dev.main(["docs"]) == 1
    assert dev.asked == []
    assert "figure.svg is not what its script draws" in capsys.readouterr().out
    assert dev.main(["docs", "--write"]) == 0
    assert figure.read_text(encoding="utf-8").strip() == "new"


def test_bench_runs_what_there_is(dev, tmp_path, monkeypatch):
    monkeypatch.setattr(dev, "BENCH_OUT", tmp_path / "out")
    assert dev.main(["bench"]) == 0
    assert [a.split()[0] for a in dev.asked] == [f"benchmarks.{name}" for name in dev.BENCHMARKS]
    dev.asked.clear()
    dev.fails = "benchmarks.speed"
    assert dev.main(["bench", "speed", "unknown"]) == 1
    assert len(dev.asked) == 2


@pytest.mark.parametrize("words", [[], ["cheque"], ["lint", "that"], ["docs", "--draw"], ["bench", "slow"]])
def test_wrong_usage_lists_the_verbs(dev, words, capsys):
    assert dev.main(words) == 2
    assert dev.asked == []
    said = capsys.readouterr().err
    assert all(f"python dev.py {verb}" in said for verb in dev.VERBS)
    assert all(word in said for word in words[-1:])


def test_it_needs_no_package():
    """Before anything is installed it can at least say what it does."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", ROOT / "dev.py"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr.startswith("The developers' verbs")


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", ".ci/run", ".pre-commit-config.yaml"])
def test_all_use_the_verbs(dev, page):
    text = (ROOT / page).read_text(encoding="utf-8")
    used = {line.split("dev.py ")[1].split()[0] for line in text.splitlines() if "dev.py " in line}
    used = {u.strip("`") for u in used} - {"…"}
    assert used
    assert used <= set(dev.VERBS)
    assert "-m pytest" not in text
