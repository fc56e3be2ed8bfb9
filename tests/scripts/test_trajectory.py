"""`python -m benchmarks.trajectory` on little."""

import json

import pytest

from benchmarks import trajectory


@pytest.mark.slow
def test_the_benchmark_writes_its_page(tmp_path):
    trajectory.main(
        [
            "--frames",
            "4",
            "--cells",
            "5",
            "--small",
            "12",
            "--repeats",
            "1",
            "--long",
            "4",
            "--out",
            str(tmp_path),
        ]
    )
    found = json.loads((tmp_path / "trajectory.json").read_text(encoding="utf-8"))
    assert found["share of fcc, mean"] == 1.0
    assert found["atoms a frame"] == 500
    assert found["frames a second, 2 workers"] > 0
    assert 2 < found["bytes an atom and frame, --atoms"] < 50
    assert found["long run, ours, 2 processes: MiB"] > found["long run, ours, 1 processes: MiB"] > 50
    assert found["long run, PTM, 2 processes: s"] > 0
    assert 2 < found["long run: bytes an atom and frame, --atoms"] < 50
    text = (tmp_path / "trajectory.md").read_text(encoding="utf-8")
    assert "`python -m benchmarks.trajectory`" in text
