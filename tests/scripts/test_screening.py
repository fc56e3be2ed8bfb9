"""`python -m benchmarks.screening` on little."""

from __future__ import annotations

import json

import pytest

from benchmarks import screening
from benchmarks.measure import processes_over_one


@pytest.mark.slow
def test_what_processes_that_share_nothing_bring():
    assert 0.2 < processes_over_one(2, lasting=0.5, repeats=1) < 5


@pytest.mark.slow
def test_figures_and_document(tmp_path, capsys):
    screening.main(
        ["--structures", "6", "--passes", "8", "--workers", "1", "--cells", "4", "--out", str(tmp_path)]
    )
    found = json.loads((tmp_path / "screening.json").read_text(encoding="utf-8"))
    assert found["structures"] == 6
    assert found["passes"] == 8
    assert found["descriptor, ms"] > 0
    assert found["structures a second, with start"] > 0
    assert found["observer at 256 atoms, s a look"] > 0
    text = (tmp_path / "screening.md").read_text(encoding="utf-8")
    assert "`python -m benchmarks.screening`" in text
    assert found["machine"]["python"] in text
    assert f"{found['descriptor, ms']:.4g}" in text
    assert f"{found['descriptor, ms']:.4g}" in capsys.readouterr().out


def test_the_goals_are_of_figures_that_there_are(monkeypatch):
    monkeypatch.setattr(screening, "whole", lambda images, passes, workers: float(len(images)))
    monkeypatch.setattr(screening, "look", lambda workers, cells: 0.5)
    monkeypatch.setattr(screening, "processes_over_one", lambda count: float(count))
    monkeypatch.setattr(screening, "REPEATS", 1)
    found = screening.measure(3, 2, 1, 10)
    assert set(screening.GOALS) <= set(found)
    assert found["structures a second, without start"] == 1
