"""`python -m benchmarks.overhead` on little."""

from __future__ import annotations

import argparse
import subprocess
import sys

import numpy as np
import pytest

import arise_core as arise
from benchmarks import overhead
from tests import ROOT

LITTLE = argparse.Namespace(repeats=1, cells=5, million=8)


def test_as_a_user_runs_it(tmp_path):
    command = [sys.executable, "-m", "benchmarks.overhead", "--only", "conversion", "--million", "8"]
    subprocess.run([*command, "--out", tmp_path], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    text = (tmp_path / "ovito.md").read_text(encoding="utf-8")
    assert "conversion of 2,048 atoms from OVITO to the core" in text
    assert "at most 0.5 s" in text
    assert f"- `conversion`: {overhead.CASES['conversion'].__doc__}" in text


def test_memory_is_what_the_work_adds():
    rise = overhead.memory(LITTLE, lambda structure: np.ones(100 * 2**20, np.uint8))["rise, MiB"]
    assert rise == pytest.approx(100, abs=20)


def test_what_is_shown_again_is_computed_once(monkeypatch):
    maps = []
    original = arise.map_steps

    def counted(*given, **options):
        maps.append(given)
        return original(*given, **options)

    monkeypatch.setattr(arise, "map_steps", counted)
    overhead.shown_again(LITTLE)
    assert len(maps) == 1


def test_every_case_and_the_document(tmp_path):
    found = {name: case(LITTLE) for name, case in overhead.CASES.items()}
    assert found["time_over_core"]["atoms"] == 500
    ratio = found["time_over_core"]["modifier over core"]
    assert ratio == pytest.approx(found["time_over_core"]["modifier, s"] / found["time_over_core"]["core, s"])
    shown = found["shown_again"]
    assert {f"`{name}`, s" for name in overhead.CHANGES} < set(shown)
    assert shown["slowest, s"] == max(shown[f"`{name}`, s"] for name in overhead.CHANGES)
    for name in ("memory_core", "memory_modifier"):
        assert found[name]["before, MiB"] > 50
    # So little work may need no page that the process has not had, and the document divides by the core's rise.
    found["memory_core"]["rise, MiB"] = max(found["memory_core"]["rise, MiB"], 1.0)
    overhead.write(found, tmp_path / "ovito.md")
    rows = (tmp_path / "ovito.md").read_text(encoding="utf-8")
    assert f"{ratio:.3f}" in rows
    assert rows.count("\n|") == 2 + 5
