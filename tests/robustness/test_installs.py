"""Installed by one user and used by another: read-only packages, no home, nothing written where it should not be."""

import ctypes
import os
import shutil
import stat
import subprocess
import sys

import pytest
from ase.build import bulk

from tests import ROOT
from tests.runtime.test_compilation import USE

PACKAGES = ("arise_core",)
NO_HOME = """
import pwd
def unknown(*_):
    raise KeyError("uid not found")
pwd.getpwuid = unknown  # a user whom the system does not know, as in containers
"""


@pytest.fixture
def site(tmp_path):
    """The core in a folder that nobody may write to."""
    folder = tmp_path / "site"
    for name in PACKAGES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "model_zoo"))
    places = [folder, *folder.rglob("*")]
    for place in places:
        place.chmod(place.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    yield folder
    for place in places:
        place.chmod(place.stat().st_mode | stat.S_IWUSR)


def as_anybody() -> None:
    """Without the right of root to write everywhere (Linux: CAP_DAC_OVERRIDE, 1)."""
    if os.geteuid() == 0:
        ctypes.CDLL(None, use_errno=True).prctl(24, 1, 0, 0, 0)  # PR_CAPBSET_DROP


def run(site, work, code, **environment):
    names = ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "HOME", "PYTHONDONTWRITEBYTECODE")
    clean = {k: v for k, v in os.environ.items() if k not in names}
    work.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False, cwd=work,
        env={**clean, "PYTHONPATH": str(site), **environment}, preexec_fn=as_anybody,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not list(work.iterdir()), "something was written where the user is"
    assert not list(site.rglob("__pycache__"))
    return done.stdout.strip(), done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="rights as on Linux")
def test_a_user_of_read_only_packages_compiles_once(site, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    result, said = run(site, tmp_path / "work", USE, HOME=str(home))
    assert result == "1.371742"
    assert f"the first time only); kept in {home}" in said
    assert run(site, tmp_path / "work", USE, HOME=str(home)) == (result, "")


@pytest.mark.skipif(sys.platform != "linux", reason="rights as on Linux")
@pytest.mark.parametrize("home", ["none", "one that cannot be made"])
def test_without_a_home_it_works_and_is_said(site, tmp_path, home):
    if home == "none":
        result, said = run(site, tmp_path / "work", NO_HOME + USE)
    else:
        result, said = run(site, tmp_path / "work", USE, HOME=str(site / "home"))
    assert result == "1.371742"
    assert said.count("ARISE compiles its loops") == 1
    assert "in every process: no directory to keep them in can be written; set NUMBA_CACHE_DIR to one" in said


@pytest.mark.skipif(sys.platform != "linux", reason="rights as on Linux")
def test_the_command_line_of_a_user_without_a_name(tmp_path):
    """ASE cannot be imported by a user whom the system does not know and who has no HOME."""
    bulk("Cu").write(tmp_path / "cu.xyz")
    clean = {k: v for k, v in os.environ.items() if k not in ("HOME", "XDG_CACHE_HOME")}
    words = ["arise", "classify", str(tmp_path / "cu.xyz"), "--csv", "--passes", "4"]
    code = f"{NO_HOME}\nimport sys\nsys.argv = {words}\nfrom arise_cli.main import main\nmain()"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path,
        env={**clean, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "fcc" in done.stdout
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cu.xyz"]
