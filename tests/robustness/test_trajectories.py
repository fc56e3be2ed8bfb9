"""Trajectories under trouble: others read the store meanwhile, files go, readers hang."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import ase.io
import numpy as np
import pytest
import xarray
from ase.build import bulk

from arise_core.errors import FileError
from ase_arise import TrajectoryResults, trajectory
from ase_arise.reading import Reader
from ase_arise.trajectories import job
from benchmarks.robustness.structure_files import dump
from tests.ase.test_trajectories import frame

FAST = {"passes": 8, "workers": 1}


def test_others_read_while_a_run_writes(tmp_path, model, monkeypatch):
    """What xarray and `TrajectoryResults` show is rows that are whole, more and more."""
    monkeypatch.setattr(job, "MOST_FRAMES", 1)
    ase.io.write(tmp_path / "md.xyz", [frame(k) for k in range(12)])
    out, ended, seen, wrong = tmp_path / "r.zarr", threading.Event(), [], []

    def look():
        while not ended.wait(0.005):  # it leaves the run time to write
            if not (out / "zarr.json").exists():
                continue
            try:
                with xarray.open_zarr(out, consolidated=False) as data:
                    data = data[["status", "share", "number"]].load()
                done = data["status"].values == 1
                assert np.isfinite(data["share"].values[done]).all()
                assert (data["number"].values[done] == np.flatnonzero(done)).all()
                results = TrajectoryResults.open(out)
                assert results.done.sum() >= done.sum()
                seen.append(int(done.sum()))
            except Exception as error:
                if "conflicting sizes for dimension 'frame'" in str(error):
                    continue  # arrays are made longer one after the other; the page says so
                wrong.append(error)
                return

    thread = threading.Thread(target=look)
    thread.start()
    try:
        trajectory(tmp_path / "md.xyz", out, model, atoms=True, **FAST)
    finally:
        ended.set()
        thread.join(60)
    assert not wrong, wrong
    assert seen == sorted(seen)
    assert len(set(seen)) > 3


def test_a_file_that_goes_meanwhile(tmp_path, model, monkeypatch):
    """Frames that were found have the reason; a file that is gone before ends the run, which goes on later."""
    monkeypatch.setattr(job, "MOST_FRAMES", 1)
    for name in ("a", "b"):
        with (tmp_path / f"{name}.dump").open("w") as file:
            for _ in range(4):
                file.write(dump(bulk("Cu", cubic=True) * (2, 2, 2)))
    ase.io.write(tmp_path / "c.traj", [frame(0) for _ in range(4)])

    def progress(step):
        for name in ("b.dump", "c.traj"):
            (tmp_path / name).unlink(missing_ok=True)

    names = ("a.dump", "c.traj", "b.dump")
    sources = [tmp_path / name for name in names]
    kept = {path: path.read_bytes() for path in sources}
    with pytest.raises(
        FileError, match=r"file '.*c.traj' is gone .*: what is written is kept; the same command"
    ):
        trajectory(sources, tmp_path / "r.zarr", model, progress=progress, **FAST)
    for path, content in kept.items():
        path.write_bytes(content)
    results = trajectory(sources, tmp_path / "r.zarr", model, **FAST)
    assert results.done.all()
    assert results.data["file"].values.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    names = ("b.dump", "a.dump")  # the first one goes when its frames are found
    monkeypatch.setattr(job, "MOST_FRAMES", 32)

    class Late(ThreadPoolExecutor):
        def submit(self, call, /, *arguments, **words):
            progress(0.0)
            return super().submit(call, *arguments, **words)

    with Late(1) as pool:
        results = trajectory(
            [tmp_path / name for name in names], tmp_path / "2.zarr", model, executor=pool, passes=8
        )
    assert results.done.tolist() == [False] * 4 + [True] * 4
    assert all(
        reason.startswith("cannot be read: ") and "b.dump" in reason for reason in results.failed.values()
    )


def hanging(path, first):
    """A reader that never gives the second frame."""
    for k in range(first, 4):
        if k == 1:
            time.sleep(600)
        yield bulk("Cu") * (3, 3, 3), ()


def test_a_reader_that_hangs_fails_its_frame_only(tmp_path, model):
    (tmp_path / "md.none").write_bytes(b"\0\1\2")
    reader = Reader(other=hanging, only_other=True, name="H", count=lambda path: (4, 27))
    results = trajectory(
        tmp_path / "md.none", tmp_path / "r.zarr", model, reader=reader, time_limit=2.0, **FAST
    )
    assert results.done.tolist() == [True, False, True, True]
    assert results.failed == {1: "cannot be read: it took longer than the time limit of 2 s"}
