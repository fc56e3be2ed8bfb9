"""`python -m benchmarks.stored` on little."""

import json

from benchmarks import stored


def test_the_benchmark_writes_its_page(tmp_path):
    stored.main(["--cells", "5", "--frames", "2", "--repeats", "1", "--passes", "8", "--out", str(tmp_path)])
    found = json.loads((tmp_path / "stored.json").read_text(encoding="utf-8"))
    assert found["atoms a frame"] == 500
    assert found["computed over stored"] == found["computed, s"] / found["stored results, s"]
    assert "`python -m benchmarks.stored`" in (tmp_path / "stored.md").read_text(encoding="utf-8")
