"""`arise demo`: what it leaves and prints, and that it keeps what is there. One frame; all ten take minutes."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import pytest
import xarray
from ovito.io import import_file
from PIL import Image

from arise_cli import main as cli
from arise_cli.ends import FAILED
from ovito_arise.demo import pictures
from ovito_arise.demo import run as demo
from ovito_arise.frames import wait_for_frames
from tests import ROOT


@pytest.fixture(scope="module")
def result(tmp_path_factory) -> tuple[Path, list[str], list[demo.Frame]]:
    """Folder, lines and frames of a demo of two frames, without Vulkan."""
    out, lines = tmp_path_factory.mktemp("demo") / "out", []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "can_render", lambda: False)
        patch.setattr(demo, "STRIDE", 7.0)
        frames = demo.run(out, overwrite=False, say=lines.append, last_frame=1)
    return out, lines, frames


def test_every_promised_file_is_there_and_nothing_else(result):
    out, lines, _ = result
    there = {str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()}
    promised = {name for name, _ in demo.CONTENTS if "*" not in name}
    assert there == promised | {"maps/frame-000.nc", "maps/frame-001.nc"}
    for name, _ in demo.CONTENTS:
        assert any(name in line for line in lines)


def test_the_table_has_a_line_a_frame_that_says_it_all(result):
    _, lines, frames = result
    rows = [line for line in lines if re.match(r" +\d+ ", line)]
    assert len(rows) == len(frames) == 2
    for row, frame in zip(rows, frames, strict=True):
        assert re.search(r"FCC \d+\.\d %.* bit +\d+\.\d s$", row)
        assert sum(frame.shares.values()) == pytest.approx(1)
        assert frame.shares["FCC"] > 0.2
        assert frame.shares["Other"] > 0.2
        assert 0 < frame.information < 2


def test_trajectories_hold_labels_and_doubt(result):
    out, _, frames = result
    for name in ("trajectory.xyz", "trajectory.dump"):
        pipeline = import_file(str(out / name), multiple_frames=True)
        assert pipeline.num_frames == 2
        for k, frame in enumerate(frames):
            particles = pipeline.compute(k).particles
            found = {key.casefold(): np.asarray(particles[key]) for key in particles}
            names = {t.id: t.name for t in particles["Structure Type"].types}
            # A LAMMPS dump holds numbers, 0 for Other; extended XYZ the names.
            other = [i == 0 or names.get(i) == "Other" for i in found["structure type"].tolist()]
            assert np.mean(other) == pytest.approx(frame.shares["Other"], abs=1e-6)
            assert found["arisemutualinformation"].mean() == pytest.approx(frame.information, rel=1e-3)


def test_attributes_maps_and_pictures_can_be_read(result):
    out, _, frames = result
    header, *rows = (out / "attributes.txt").read_text().splitlines()
    assert "ARISE.fractions.FCC" in header
    assert "ARISE.mutual_information.mean" in header
    assert len(rows) == len(frames)
    with xarray.open_dataset(out / "maps" / "frame-000.nc") as map_:
        assert {"probability", "mutual_information"} <= set(map_.data_vars)
    grids = import_file(str(out / "maps" / "map.dump"))
    assert wait_for_frames(grids.source) == grids.num_frames == 2
    for name in ("atoms.png", "over-time.png", "structures.png"):
        image = np.asarray(Image.open(out / name).convert("RGB"))
        assert len(np.unique(image.reshape(-1, 3), axis=0)) > 20


def test_without_vulkan_one_line_says_what_to_install(result):
    _, lines, _ = result
    assert [line for line in lines if "apt-get install" in line] == [pictures.WITHOUT_VULKAN]
    assert "\n" not in pictures.WITHOUT_VULKAN


@pytest.mark.parametrize("content", ["results.txt", "folder/results.txt"])
def test_a_folder_with_contents_is_refused_before_any_work_and_kept(tmp_path, content, monkeypatch, capsys):
    kept = tmp_path / "out" / content
    kept.parent.mkdir(parents=True)
    kept.write_text("months of work")
    monkeypatch.setattr(demo, "import_file", lambda *_: pytest.fail("work was begun"))
    monkeypatch.setattr("sys.argv", ["arise", "demo", "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == FAILED
    assert re.fullmatch(r"arise: `out` .* exists and is not empty.*--overwrite.*\n", capsys.readouterr().err)
    assert [p for p in (tmp_path / "out").rglob("*") if p.is_file()] == [kept]
    assert kept.read_text() == "months of work"


def test_overwriting_keeps_other_files(tmp_path, monkeypatch):
    (tmp_path / "notes.txt").write_text("mine")
    monkeypatch.setattr(pictures, "can_render", lambda: False)
    monkeypatch.setattr(demo, "STRIDE", 12.0)
    lines = []
    demo.run(tmp_path, overwrite=True, say=lines.append, last_frame=2)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert (tmp_path / "atoms.png").exists()
    (left,) = [line for line in lines if "frames left" in line]
    assert re.search(r"frames left: 1, about \d+ (s|min) at this rate", left)


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    path = tmp_path / "out"
    path.write_text("a file")
    with pytest.raises(FileExistsError, match="is a file"):
        demo.run(path, overwrite=True, say=lambda _: None)


def test_the_shipped_simulation_is_what_the_main_job_asks_for():
    assert demo.TRAJECTORY.stat().st_size <= 2e6
    script = ROOT / "examples" / "melting" / "in.melting"
    if script.parent.parent.exists():
        assert "dump" in script.read_text()
    with gzip.open(demo.TRAJECTORY, "rt") as file:
        counts = [int(next(file)) for line in file if line.startswith("ITEM: NUMBER OF ATOMS")]
    assert len(counts) >= 6
    assert min(counts) >= 4000
