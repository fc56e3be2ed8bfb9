"""The scripts of docs/ovito.md run, and its table of outputs names what the modifier makes."""

from __future__ import annotations

import re

import pytest

from ovito_arise import AriseRegions
from tests import ROOT
from tests.ovito.helpers import FAST, analysed, pipeline_of

TEXT = (ROOT / "docs" / "ovito.md").read_text(encoding="utf-8")
SCRIPTS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("number", range(len(SCRIPTS)))
def test_scripts_run(number, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(SCRIPTS[number], f"docs/ovito.md, script {number}", "exec"), {})
    assert capsys.readouterr().out.strip()


def test_outputs_are_all_in_the_table(fcc):
    data, _ = analysed(fcc, box_table=True, whole_structure=True, probabilities="FCC")
    names = {name for name in data.particles if name.startswith(("ARISE", "Structure"))}
    names |= set(data.grids["arise"]) | set(data.tables["arise-boxes"]) | {"arise", *data.tables}
    names |= {
        n for n in data.attributes if n.startswith("ARISE") and not re.match(r"ARISE\.(counts|frac|struc)", n)
    }
    assert [name for name in sorted(names) if f"`{name}`" not in TEXT] == []
    for name in (n for n in data.attributes if n.startswith("ARISE.structure")):
        assert f"`{name.removeprefix('ARISE.structure')}`" in TEXT or f"`{name}`" in TEXT


def test_outputs_of_regions_are_all_in_the_table(fcc):
    data = pipeline_of(fcc, AriseRegions(**FAST, select=1)).compute()
    names = {name for name in data.particles if name not in ("Position", "Particle Type")} | set(data.tables)
    names |= {column for table in data.tables.values() for column in table}
    names |= {name for name in data.attributes if name.startswith("ARISE")}
    assert {"ARISE Cluster", "arise-plane", "UMAP 1", "ARISE.clusters.notes"} <= names
    assert [name for name in sorted(names) if f"`{name}`" not in TEXT] == []
