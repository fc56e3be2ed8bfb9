"""Examples in docs/ase.md and the example script run."""

import re
import runpy
import subprocess
import sys

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
