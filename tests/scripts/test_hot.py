"""`python -m benchmarks.hot`: crystals and melts at the melting point, on little."""

import numpy as np
import pandas as pd
import pytest
from ase.build import bulk
from scipy.spatial import cKDTree

from benchmarks.hot import averaging, intervals
from benchmarks.hot.frames import Series, main


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Frames that were not simulated: hot copper, and copper that is shaken to pieces."""
    rng = np.random.default_rng(0)
    crystal = bulk("Cu", cubic=True) * (4, 4, 4)
    for phase, spread in (("crystal", 0.15), ("melt", 1.2)):
        frames = crystal.positions + rng.normal(0, spread, (11, len(crystal), 3))
        cells = np.tile(crystal.cell.array, (11, 1, 1))
        np.savez(tmp_path / f"Cu-{phase}.npz", positions=frames, cells=cells, numbers=crystal.numbers)
    for module in (averaging, intervals):
        monkeypatch.setattr(module, "MATERIALS", ("Cu",))
        monkeypatch.setattr(module, "PASSES", 4)
    return tmp_path


def test_frames_that_are_there_are_kept(folder, capsys):
    main(["--out", str(folder), "--only", "Cu"])
    assert capsys.readouterr().out.splitlines() == ["Cu crystal", "Cu melt"]
    assert len(Series.load(folder, "Cu", "melt")) == 11


def test_a_sandwich_is_what_it_says(folder):
    crystal, melt = (Series.load(folder, "Cu", phase).frame(0) for phase in ("crystal", "melt"))
    before = melt.positions.copy()
    for axis in range(3):
        atoms, truth = intervals.sandwich(crystal, melt, axis, np.random.default_rng(axis))
        size = atoms.cell.lengths()
        assert size == pytest.approx([*crystal.cell.lengths()[:2], intervals.LENGTH])
        solid, liquid = (atoms.positions[part] % size for part in (truth, ~truth))
        thickness = np.ptp(atoms.positions[truth, 2])
        assert 0.1 * intervals.LENGTH < thickness < 0.9 * intervals.LENGTH
        assert truth.sum() == pytest.approx(
            len(crystal) / crystal.cell.volume * thickness * size[0] * size[1], rel=0.15
        )
        assert cKDTree(solid, boxsize=size).query(liquid)[0].min() > 0.8 * 2.2
    assert np.array_equal(melt.positions, before)


def test_windows_are_means(folder, monkeypatch):
    monkeypatch.setattr(averaging, "AVERAGES", (1, 3))
    monkeypatch.setattr(averaging, "SPACINGS", (0.02, 0.04))
    series = Series.load(folder, "Cu", "crystal")
    found = {(spacing, average): atoms for spacing, average, _, atoms in averaging.windows(series, 1)}
    assert set(found) == {(0.02, 1), (0.02, 3), (0.04, 3)}
    middle = 2  # the first whose widest window is whole
    assert np.allclose(found[0.02, 3].positions, series.positions[middle - 1 : middle + 2].mean(axis=0))
    assert np.allclose(
        found[0.04, 3].positions, series.positions[[middle - 2, middle, middle + 2]].mean(axis=0)
    )


@pytest.mark.slow
def test_pages(folder, monkeypatch, tmp_path):
    monkeypatch.setattr(averaging, "AVERAGES", (1, 3))
    monkeypatch.setattr(averaging, "SPACINGS", (0.02,))
    averaging.main(["--frames", str(folder), "--samples", "1", "--only", "Cu", "--out", str(tmp_path)])
    text = (tmp_path / "averaging.md").read_text(encoding="utf-8")
    assert "## Boxes of 24 atoms" in text
    assert len(pd.read_csv(tmp_path / "averaging.csv")) == 8
    intervals.main(["--frames", str(folder), "--samples", "1", "--out", str(tmp_path)])
    text = (tmp_path / "intervals.md").read_text(encoding="utf-8")
    assert "| solid" in text
    assert len(pd.read_csv(tmp_path / "intervals.csv")) == 2
