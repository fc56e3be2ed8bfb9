"""What is published: built, checked, installed from and tried away from the checkout, as a user has it."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from importlib.util import find_spec
from pathlib import Path
from sysconfig import get_path

import pytest

from tests import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_spec("build") is None or find_spec("twine") is None, reason="needs build and twine (extra dev)"
    ),
]
DISTRIBUTIONS = {"arise_core": "distributions/arise-core", "ovito_arise": "."}
PACKAGES = {
    "arise_core": {"arise_core", "ase_arise", "arise_images", "arise_cli"},
    "ovito_arise": {"ovito_arise"},
}
#: A program of a user: two errors that only the types of the packages show.
USER = """\
import arise_core as arise
from ase_arise import classify

passes: str = arise.SamplingSettings().passes
classify(5, passes="many")
prediction: arise.Prediction = classify([])
"""


def run(*words: str | Path, folder: Path, code: int = 0) -> str:
    """What a command prints, in a folder that knows nothing of the checkout."""
    known = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "MYPYPATH")}
    done = subprocess.run(
        list(map(str, words)), cwd=folder, capture_output=True, text=True, timeout=600, check=False, env=known
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="session")
def dist(tmp_path_factory) -> Path:
    """Source distributions, and the wheels that are made of them."""
    folder = tmp_path_factory.mktemp("dist")
    for place in DISTRIBUTIONS.values():
        run(sys.executable, "-m", "build", "-o", folder, ROOT / place, folder=folder)
    return folder


@pytest.fixture(scope="session")
def user(dist, tmp_path_factory) -> Path:
    """A virtual environment with the wheels, and all that they need from the one of the tests."""
    folder = tmp_path_factory.mktemp("user")
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv", folder=folder)
    python = folder / "venv" / "bin" / "python"
    run(
        sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", *dist.glob("*.whl"),
        folder=folder,
    )  # fmt: skip
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(run(python, "-c", code, folder=folder).strip())
    (site / "zz-of-the-tests.pth").write_text(get_path("purelib"), encoding="utf-8")
    return folder


def test_they_are_checked(dist):
    assert len(list(dist.iterdir())) == 4
    assert "FAILED" not in run(
        sys.executable, "-m", "twine", "check", "--strict", *dist.iterdir(), folder=dist
    )


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_wheel_has_its_packages_and_nothing_else(dist, name):
    (file,) = dist.glob(f"{name}-*.whl")
    with zipfile.ZipFile(file) as wheel:
        names = wheel.namelist()
        (metadata,) = (message_from_bytes(wheel.read(n)) for n in names if n.endswith("/METADATA"))
    tops = {n.partition("/")[0] for n in names}
    assert {t for t in tops if not t.endswith(".dist-info")} == PACKAGES[name]
    assert {f"{package}/py.typed" for package in PACKAGES[name]} <= set(names)
    assert any(n.endswith("/licenses/LICENSE") for n in names)
    assert not [n for n in names if n.endswith((".pyc", ".pth"))]
    needed = metadata.get_all("Requires-Dist")
    assert not [line for line in needed if "@" in line], "an index takes no reference to a place"
    if name == "ovito_arise":
        assert f"arise-core[dscribe,explore,netcdf]=={metadata['Version']}" in needed
    else:
        zoo = {n.partition("model_zoo/")[2] for n in names if "/model_zoo/" in n}
        there = {p.relative_to(ROOT / "model_zoo").as_posix() for p in (ROOT / "model_zoo").rglob("*.*")}
        assert zoo == there
        assert not [line for line in needed if "ovito" in line]


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_source_distribution_has_no_tests(dist, name):
    (file,) = dist.glob(f"{name}-*.tar.gz")
    with tarfile.open(file) as archive:
        inside = {n.split("/", 1)[1] for n in archive.getnames() if "/" in n}
    assert {"LICENSE", "README.md", "pyproject.toml", "PKG-INFO"} <= inside
    assert not [n for n in inside if n.startswith(("tests", "benchmarks", "shared"))]


@pytest.mark.skipif(os.name == "nt", reason="an environment as on Linux and macOS")
def test_they_work_away_from_the_checkout(user, tmp_path):
    bin = user / "venv" / "bin"
    code = "import arise_core, ovito_arise; print(arise_core.__file__, ovito_arise.__file__)"
    for place in run(bin / "python", "-c", code, folder=tmp_path).split():
        assert place.startswith(str(user))
    run(bin / "python", "-c", "from ase.build import bulk; bulk('Cu').write('cu.xyz')", folder=tmp_path)
    assert '"label": "fcc"' in run(
        bin / "arise", "classify", "cu.xyz", "--json", "--passes", "20", folder=tmp_path
    )
    code = (
        "from importlib.metadata import entry_points as e\n"
        "for group in ('OVITO.Modifier', 'OVITO.FileReader', 'OVITO.ViewportOverlay', 'arise.benchmark_methods'):\n"
        "    print(*sorted(p.load().__name__ for p in e(group=group) if 'ARISE' in p.name or p.name == 'ovito'))"
    )
    found = run(bin / "python", "-c", code, folder=tmp_path).splitlines()
    assert found == [
        "AriseModifier AriseRegions AriseStoredResults", "AriseAtomProbeReader", "AriseLegend", "methods"
    ]  # fmt: skip
    listed = run(bin / "python", "-m", "ase", "info", "--plugins", folder=tmp_path)
    assert "CalculatorPlugin\n----------------\narise\n" in listed


@pytest.mark.skipif(os.name == "nt", reason="an environment as on Linux and macOS")
def test_a_user_s_mypy_knows_the_types(user, tmp_path):
    (tmp_path / "program.py").write_text(USER, encoding="utf-8")
    python = user / "venv" / "bin" / "python"
    said = run(
        sys.executable, "-m", "mypy", "--strict", "--python-executable", python, "--cache-dir", tmp_path / "cache",
        "program.py", folder=tmp_path, code=1,
    )  # fmt: skip
    assert 'program.py:4: error: Incompatible types in assignment (expression has type "int"' in said
    assert "program.py:5: error: Argument 1" in said
    assert "py.typed" not in said
    assert not [line for line in said.splitlines() if line.startswith("program.py:6")]
