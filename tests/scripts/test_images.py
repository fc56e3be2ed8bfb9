"""`python -m benchmarks.images`: the short form writes a page whose figures are those of the images."""

import numpy as np
import pytest

from benchmarks.images import __main__ as script
from benchmarks.images.samples import SAMPLES, block, columns_of
from benchmarks.images.scores import PIXEL, compared


@pytest.mark.slow
def test_the_short_form(tmp_path, capsys):
    script.main(["--quick", "--only", "graphene", "Cu [110]", "--out", str(tmp_path)])
    page = (tmp_path / "images.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith(("| graphene", "| Cu"))]
    assert len(rows) == 4
    assert all("100.0 %" in row for row in rows)
    assert (tmp_path / "images.png").stat().st_size > 10_000


def test_scores_of_known_places():
    rng = np.random.default_rng(0)
    truth = np.stack(np.meshgrid(range(0, 200, 10), range(0, 200, 10)), axis=-1).reshape(-1, 2).astype(float)
    moved = truth + rng.normal(0, 0.5, truth.shape)
    found = compared(moved, truth)
    assert found.recall == found.precision == 1
    assert found.rms == pytest.approx(0.5 * PIXEL, rel=0.1)
    fewer = compared(moved[truth[:, 0] < 100], truth)
    assert fewer.recall == pytest.approx(0.5, abs=0.05)
    more = compared(np.concatenate([moved, truth + 5]), truth)
    assert more.precision == pytest.approx(0.5, abs=0.05)


def test_samples_have_their_columns():
    counts = {}
    for sample in SAMPLES:
        structure = block(sample, 20.0, np.random.default_rng(0))
        places, bright, group = columns_of(structure)
        assert len(group) == len(structure)
        counts[sample.name] = (len(places), len(np.unique(np.round(bright / bright.max(), 3))))
    assert counts["graphene"][1] == 1
    assert counts["BN"][1] == 2
    assert counts["MoS2"][0] < 2 * len(block(SAMPLES[2], 20.0, np.random.default_rng(0))) / 3 + 1
