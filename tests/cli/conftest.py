"""The command line as a user calls it, and files for it."""

import sys
from collections.abc import Callable
from pathlib import Path

import ase.io
import pytest
from ase.build import bulk

from arise_cli import main as cli

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def arise(monkeypatch, capsys) -> Run:
    """Run a command line as the console script does: exit code, standard output, error stream."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["arise", *map(str, arguments)])
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def crystals(tmp_path) -> Path:
    ase.io.write(tmp_path / "crystals.xyz", [bulk("Cu"), bulk("Fe"), bulk("Mg")])
    return tmp_path / "crystals.xyz"


@pytest.fixture
def large(tmp_path) -> Path:
    atoms = bulk("Cu", cubic=True) * (3, 3, 3)
    atoms.rattle(0.05, seed=1)
    ase.io.write(tmp_path / "large.xyz", [atoms, atoms])
    return tmp_path / "large.xyz"
