"""`python -m benchmarks.scale` on little, and what it simulates."""

import json

import pytest

from benchmarks import scale


def test_what_is_simulated_has_its_limits():
    """Workers, the handing out, or the writing, whichever is slowest; a fixed time of a write does not matter."""
    for workers in (1, 7):
        assert scale.simulated(workers, [2.0], 0.0, 0.0, 0.0) == pytest.approx(workers / 2)
    assert scale.simulated(1000, [2.0], 0.01, 0.0, 0.0) == pytest.approx(100, rel=0.01)
    assert scale.simulated(1000, [2.0], 0.0, 0.0, 0.02) == pytest.approx(50, rel=0.01)
    assert scale.simulated(1000, [1.5, 2.5], 0.0, 0.1, 0.0) == pytest.approx(500, rel=0.03)
    assert scale.simulated(1000, [1.0, 3.0], 0.001, 0.0, 0.0, seed=1) < 500


@pytest.mark.slow
def test_the_benchmark_writes_its_page(tmp_path):
    scale.main(["--frames", "4", "--cells", "14", "--many", "500", "--out", str(tmp_path)])
    found = json.loads((tmp_path / "scale.json").read_text(encoding="utf-8"))
    assert found["atoms a frame"] == 10_976
    assert found["frames a second, 2 workers, measured"] > 0
    assert found["efficiency, 1 workers, shares only"] <= 1.01
    assert found["MiB of the first process, 500 frames"] > found["MiB of the first process, one frame"] > 50
    assert (tmp_path / "scale.png").stat().st_size > 5000
    assert "`python -m benchmarks.scale`" in (tmp_path / "scale.md").read_text(encoding="utf-8")
