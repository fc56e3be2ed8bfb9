"""Trajectories: every frame once, by whoever, interrupted or not; what the store holds and what is made of it."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import ase.io
import numpy as np
import pytest
import xarray
from ase import Atoms
from ase.build import bulk
from ase.io.trajectory import Trajectory

import arise_core as arise
from arise_cli.readers import chosen_reader
from arise_core.errors import ExistingFileError, FileError, InputError, MissingFileError, WorkError
from arise_core.recognition import work
from arise_core.runtime import tasks
from arise_core.runtime.files import _host
from arise_core.runtime.locks import Claim
from arise_core.trajectories import columns, store
from arise_core.trajectories.nuclei import nuclei
from arise_core.trajectories.rows import REJECTED_LABEL, Row
from arise_core.trajectories.timeline import draw_timeline, events
from ase_arise import TrajectoryResults, annotate, batches, classify, merge, trajectory
from ase_arise.reading import Reader, read_frames
from ase_arise.trajectories import frames as ase_frames
from ase_arise.trajectories import job, parts, run
from ase_arise.trajectories.frames import files_of
from ase_arise.trajectories.job import MOST_FRAMES
from benchmarks.robustness.structure_files import dump
from tests.robustness.test_places import ended_process

FAST = {"passes": 8, "workers": 1}
CRYSTALS = (("Cu", "fcc"), ("Fe", "bcc"), ("Mg", "hcp"))


def frame(k: int) -> Atoms:
    """Small frames of three metals in turn."""
    atoms = bulk(CRYSTALS[k % 3][0]) * (3, 3, 3)
    atoms.rattle(0.02, seed=k)
    atoms.info["step"] = 10 * k
    return atoms


@pytest.fixture
def run_file(tmp_path):
    path = tmp_path / "md.xyz"
    ase.io.write(path, [frame(k) for k in range(7)])
    return path


def same(a, b):
    """All columns but the time that frames took are bit for bit the same."""
    assert a.data.drop_vars("seconds").identical(b.data.drop_vars("seconds").assign_attrs(a.data.attrs))
    for row in np.flatnonzero(a.done) if "label" in a._group else []:
        for name, values in a.at_atoms(int(row)).items():
            assert np.array_equal(values, b.at_atoms(int(row))[name], equal_nan=name == "doubt")


def main_class(results):
    return [str(results.data["class"].values[k]) for k in np.asarray(results.data["share"]).argmax(axis=1)]


def test_rows_are_those_of_the_frames(run_file, tmp_path, model):
    results = trajectory(run_file, tmp_path / "r.zarr", model, atoms=True, **FAST)
    assert len(results) == 7
    assert results.done.all()
    assert not results.failed
    assert main_class(results) == [CRYSTALS[k % 3][1] for k in range(7)]
    assert results.steps.tolist() == [10 * k for k in range(7)]
    assert results.data["number"].values.tolist() == list(range(7))
    assert (results.data["n_atoms"].values == [27 if k % 3 < 2 else 54 for k in range(7)]).all()
    alone = classify([frame(k) for k in range(7)], model, passes=8)
    assert np.allclose(
        results.data["mutual_information"], alone.mutual_information, rtol=1e-4
    )  # digits of the file
    share = results.share("fcc")
    assert share[0].tolist() == [1.0, 1.0, 1.0]
    assert share[1].tolist() == [0.0, 0.0, 0.0]
    with pytest.raises(InputError, match="`name` must be a class of the model or 'rejected', got 'gold'"):
        results.share("gold")
    values = results.at_atoms(1)
    assert set(values["label"]) == {model.class_info.find("bcc")}
    assert set(values["group"]) == {0}
    assert results.data["largest"].sel(crystal="bcc").values[1] == 27


def test_the_store_opens_in_xarray(run_file, tmp_path, model):
    results = trajectory(run_file, tmp_path / "r.zarr", model, atoms=True, **FAST)
    with xarray.open_zarr(tmp_path / "r.zarr", consolidated=False) as data:
        assert dict(data.sizes) == {
            "frame": 7, "class": 110, "crystal": 108, "quantile": 5, "byte": 400, "probe": 8, "axis": 3, "atom": 54,
        }  # fmt: skip
        assert np.array_equal(data["share"].values, results.data["share"].values)
        assert data["mutual_information"].attrs["units"] == "bit"
        assert data["label"].values[0, 27:].tolist() == [-1] * 27


def test_maps_of_large_frames_are_those_of_annotate(tmp_path, model):
    atoms = bulk("Cu", cubic=True) * (8, 8, 8)
    atoms.rattle(0.1, seed=0)
    melt = atoms.positions[:, 2] > 14
    atoms.positions[melt] += np.random.default_rng(0).normal(0, 0.9, (int(melt.sum()), 3))
    (tmp_path / "md.dump").write_text(dump(atoms))
    settings = {"box_size": 10.0, "stride": 5.0, "passes": 8}
    results = trajectory(
        tmp_path / "md.dump", tmp_path / "r.zarr", model, atoms=True, workers=1, types="Cu=Ag", **settings
    )
    (read,) = ase.io.iread(tmp_path / "md.dump", format="lammps-dump-text")
    found = annotate(read, model, copy=True, mode="local", types="Cu=Ag", **settings)
    values = results.at_atoms(0)
    assert np.array_equal(
        values["doubt"], found.arrays["arise_mutual_information"].astype(np.float16), equal_nan=True
    )
    rejected = found.arrays["arise_rejected"]
    assert np.array_equal(values["label"] == REJECTED_LABEL, rejected)
    share = results.share("fcc")[0]
    assert share[0] == pytest.approx(found.info["arise_fractions"]["fcc"], abs=1e-6)
    assert share[1] < share[0] < share[2]
    fcc = model.class_info.find("fcc")
    largest = results.data["largest"].sel(crystal="fcc").values[0]
    assert largest == np.bincount(values["group"][values["label"] == fcc]).max()
    assert results.data["quantiles"].values[0, -1] > results.data["mutual_information"].values[0]


def test_frames_are_picked(run_file, tmp_path, model):
    results = trajectory(run_file, tmp_path / "r.zarr", model, every=2, first=1, last=5, **FAST)
    assert results.data["number"].values.tolist() == [1, 3, 5]
    for wrong, words in (({"every": 0}, "every"), ({"last": 0, "first": 1}, "last"), ({"shard": (3, 2)}, "shard"),
                         ({"shard": 2}, "shard"), ({"follow": -1}, "follow"), ({"workers": 0}, "workers")):  # fmt: skip
        with pytest.raises(InputError, match=f"`{words}`"):
            trajectory(run_file, tmp_path / "x.zarr", model, **{**FAST, **wrong})
    assert not (tmp_path / "x.zarr").exists()
    with pytest.raises(InputError, match="`source` has no frame that is taken"):
        trajectory(run_file, tmp_path / "x.zarr", model, first=100, **FAST)


@pytest.mark.slow
def test_whoever_works_the_rows_are_the_same(run_file, tmp_path, model, monkeypatch):
    monkeypatch.setattr(job, "MOST_FRAMES", 2)
    one = trajectory(run_file, tmp_path / "1.zarr", model, atoms=True, **FAST)
    two = trajectory(run_file, tmp_path / "2.zarr", model, atoms=True, passes=8, workers=2)
    same(one, two)
    with ThreadPoolExecutor(3) as pool:
        same(one, trajectory(run_file, tmp_path / "3.zarr", model, atoms=True, passes=8, executor=pool))
        with pytest.raises(InputError, match="`workers` is for processes"):
            trajectory(run_file, tmp_path / "4.zarr", model, executor=pool, **FAST)
    parts = []
    for k in (1, 2, 3):
        parts.append(tmp_path / f"part-{k}.zarr")
        trajectory(run_file, parts[-1], model, atoms=True, shard=(k, 3), **FAST)
    same(one, merge(parts[::-1], tmp_path / "whole.zarr"))
    with pytest.raises(InputError, match="must be all parts of a run, each once, got 1 of 3, 2 of 3"):
        merge(parts[:2], tmp_path / "x.zarr")
    other = trajectory(
        run_file, tmp_path / "other.zarr", model, atoms=True, passes=9, workers=1, shard=(2, 3)
    )
    with pytest.raises(InputError, match=r"part '.*other.zarr' was made with another passes \(8, now 9\)"):
        merge([parts[0], other.path, parts[2]], tmp_path / "x.zarr")
    assert not (tmp_path / "x.zarr").exists()


def test_a_run_goes_on(run_file, tmp_path, model, monkeypatch):
    monkeypatch.setattr(job, "MOST_FRAMES", 2)
    out = tmp_path / "r.zarr"
    whole = trajectory(run_file, tmp_path / "whole.zarr", model, atoms=True, **FAST)

    class Stop(Exception):
        pass

    def stop(step):
        if step.message.startswith("4 "):
            raise Stop

    with pytest.raises(Stop):
        trajectory(run_file, out, model, atoms=True, progress=stop, **FAST)
    assert TrajectoryResults.open(out).done.tolist() == [True] * 4
    said = []
    same(
        whole, trajectory(run_file, out, model, atoms=True, progress=lambda s: said.append(s.message), **FAST)
    )
    assert said[-1] == "3 recognised, 0 failed, 4 from before"
    ase.io.write(run_file, frame(7), append=True)  # and when there are more
    more = trajectory(run_file, out, model, atoms=True, **FAST)
    assert len(more) == 8
    assert main_class(more)[-1] == "bcc"


def test_other_work_is_refused_and_kept(run_file, tmp_path, model):
    out = tmp_path / "r.zarr"
    before = trajectory(run_file, out, model, **FAST)
    for change, words in (({"passes": 9}, r"passes \(8, now 9\)"), ({"every": 2}, "every"), ({"atoms": True}, "atoms"),
                          ({"types": "Cu=Ag"}, "types")):  # fmt: skip
        with pytest.raises(InputError, match=rf"was made with another .*{words}.*nothing was changed"):
            trajectory(run_file, out, model, **{**FAST, **change})
    same(before, TrajectoryResults.open(out))
    assert len(trajectory(run_file, out, model, every=2, overwrite=True, **FAST)) == 4
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(ExistingFileError, match="holds something else; nothing was changed"):
            trajectory(run_file, tmp_path / "mine", model, overwrite=overwrite, **FAST)
        with pytest.raises(ExistingFileError, match="is no folder"):
            trajectory(run_file, tmp_path / "mine" / "file", model, overwrite=overwrite, **FAST)
    assert (tmp_path / "mine" / "file").read_text() == "mine"
    with pytest.raises(FileError, match="cannot be written"):
        trajectory(run_file, "/proc/r.zarr", model, **FAST)
    claim = Claim.of(tmp_path / "new.zarr", "other")
    with pytest.raises(FileError, match="is being written to by another process"):
        trajectory(run_file, tmp_path / "new.zarr", model, **FAST)
    claim.release()
    with pytest.raises(MissingFileError, match=r"results 'nothing' do not exist"):
        TrajectoryResults.open("nothing")
    with pytest.raises(ExistingFileError, match="holds something else"):
        TrajectoryResults.open(tmp_path / "mine")


def test_damaged_frames_have_rows_with_the_reason(tmp_path, model):
    good = dump(bulk("Cu", cubic=True) * (2, 2, 2))
    lines = good.splitlines()
    lines[-1] = lines[-2].replace(lines[-2].split()[0], lines[-1].split()[0], 1)  # two atoms at one place
    overlapping = "\n".join(lines) + "\n"
    half = "\n".join(good.splitlines()[:-5]) + "\n"
    path = tmp_path / "md.dump"
    path.write_text(good + half + overlapping + good.replace("pp", "?!", 1) + good + half)
    with pytest.warns(UserWarning, match=r"the file ends in frame 5, behind 27 of its 32 atoms"):
        results = trajectory(path, tmp_path / "r.zarr", model, **FAST)
    assert results.done.tolist()[:3] == [True, False, False]
    assert results.done.tolist()[4:] == [True]
    assert "cannot be read: frame 1 has 27 of its 32 atoms only" in results.failed[1]
    assert "0.1 Å" in results.failed[2]
    assert np.isnan(results.share("fcc")[1]).all()
    path.write_text(path.read_text() + "\n".join(good.splitlines()[-5:]) + "\n")  # the last one is whole now
    results = trajectory(path, tmp_path / "r.zarr", model, **FAST)
    assert results.done.tolist()[4:] == [True, True]


def test_what_a_kill_left_of_a_store_goes(run_file, tmp_path, model):
    left = tmp_path / f".r.{_host()}-{ended_process()}-0.part.zarr"
    left.mkdir()
    (left / "zarr.json").write_text("{")
    trajectory(run_file, tmp_path / "r.zarr", model, **FAST)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["md.xyz", "r.zarr"]


def test_a_link_stays_one(run_file, tmp_path, model):
    trajectory(run_file, tmp_path / "r.zarr", model, **FAST)
    (tmp_path / "link.zarr").symlink_to(tmp_path / "r.zarr")
    assert len(trajectory(run_file, tmp_path / "link.zarr", model, every=2, overwrite=True, **FAST)) == 4
    assert (tmp_path / "link.zarr").is_symlink()
    assert len(TrajectoryResults.open(tmp_path / "r.zarr")) == 4


def test_files_that_hold_nothing(tmp_path, model):
    (tmp_path / "empty.xyz").write_text("")
    (tmp_path / "nonsense.dat").write_text("nothing of the kind\n")
    for name, reason in (("empty.xyz", "it is empty"), ("nonsense.dat", "cannot be read")):
        results = trajectory(tmp_path / name, tmp_path / f"{name}.zarr", model, **FAST)
        assert results.done.tolist() == [False]
        assert reason in results.failed[0]
    with pytest.raises(MissingFileError, match="`source` 'nothing.xyz' does not exist"):
        trajectory("nothing.xyz", tmp_path / "r.zarr", model, **FAST)
    with pytest.raises(MissingFileError, match="does not exist"):
        trajectory(str(tmp_path / "no.*.xyz"), tmp_path / "r.zarr", model, **FAST)
    with pytest.raises(InputError, match="frames are picked by `every`"):
        trajectory(f"{tmp_path / 'nonsense.dat'}@3", tmp_path / "r.zarr", model, **FAST)


def test_many_files_in_natural_order(tmp_path, model):
    folder = tmp_path / "run"
    folder.mkdir()
    for k in (0, 2, 10):
        ase.io.write(folder / f"dump.{k}.xyz", frame(k))
    (folder / ".hidden").write_text("")
    files = [str(folder / f"dump.{k}.xyz") for k in (0, 2, 10)]
    assert files_of([folder]) == files
    assert files_of([str(folder / "dump.*.xyz")]) == files
    assert files_of([files[2], files[0]]) == [files[2], files[0]]
    out = tmp_path / "r.zarr"
    results = trajectory(folder, out, model, **FAST)
    assert results.steps.tolist() == [0, 20, 100]
    assert results.data["file"].values.tolist() == [0, 1, 2]
    ase.io.write(folder / "dump.11.xyz", frame(11))
    assert trajectory(folder, out, model, **FAST).steps.tolist() == [0, 20, 100, 110]
    ase.io.write(folder / "dump.5.xyz", frame(5))  # among those that there were: rows would be others
    with pytest.raises(
        InputError, match=r"was made of other files: file 2 was .*dump.10.xyz', now .*dump.5.xyz'"
    ):
        trajectory(folder, out, model, **FAST)


@pytest.mark.parametrize(
    "kind",
    ["xyz.gz", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("traj", "XDATCAR"))],
)
def test_other_formats(tmp_path, model, kind):
    images = [frame(0) for _ in range(3)]
    path = tmp_path / ("XDATCAR" if kind == "XDATCAR" else f"md.{kind}")
    ase.io.write(path, images, format="vasp-xdatcar" if kind == "XDATCAR" else None)
    results = trajectory(path, tmp_path / "r.zarr", model, passes=8, workers=2)
    assert main_class(results) == ["fcc"] * 3


def test_frames_are_picked_in_more_than_a_task_reads(tmp_path, model):
    with Trajectory(tmp_path / "more.traj", "w") as writer:
        for k in range(MOST_FRAMES + 3):
            writer.write(frame(k))
    results = trajectory(tmp_path / "more.traj", tmp_path / "m.zarr", model, every=5, **FAST)
    assert results.data["number"].values.tolist() == list(range(0, MOST_FRAMES + 3, 5))
    assert main_class(results) == [CRYSTALS[k % 3][1] for k in range(0, MOST_FRAMES + 3, 5)]


@pytest.mark.parametrize("kind", ["traj", "XDATCAR", "nc", "gsd"])
def test_frames_are_counted_and_read_once(tmp_path, model, kind, monkeypatch):
    """By the readers' own count, so that progress is told; `every` jumps."""
    path = tmp_path / ("XDATCAR" if kind == "XDATCAR" else f"md.{kind}")
    reader = Reader()
    if kind == "gsd":
        pytest.importorskip("ovito")
        write_gsd(path)
        reader = chosen_reader("auto", "")
    elif kind == "nc":
        pytest.importorskip("netCDF4")
        ase.io.write(path, cubic(), format="netcdftrajectory")
    else:
        ase.io.write(path, cubic(), format="vasp-xdatcar" if kind == "XDATCAR" else kind)
    read = []

    def spied(name, reader, behind=0):
        for found in read_frames(name, reader, behind):
            read.append(found.number)
            yield found

    monkeypatch.setattr(ase_frames, "read_frames", spied)
    monkeypatch.setattr(job, "MOST_FRAMES", 2)
    shares = []
    results = trajectory(
        path, tmp_path / "r.zarr", model, reader=reader,
        progress=lambda step: shares.append(float(step)), **FAST,
    )  # fmt: skip
    assert main_class(results) == ["fcc"] * 9
    assert read == list(range(9))
    assert shares == sorted(shares)
    assert len({s for s in shares if 0 < s < 1}) >= 4
    read.clear()
    results = trajectory(path, tmp_path / "4.zarr", model, every=4, reader=reader, **FAST)
    assert results.data["number"].values.tolist() == [0, 4, 8]
    assert kind != "traj" or read == [0, 4, 8]


def cubic():
    """Nine frames in a box that every format can keep."""
    return [bulk("Cu", cubic=True) * (3, 3, 3) for _ in range(9)]


def write_gsd(path):
    from ovito.io import export_file, import_file

    ase.io.write(path.with_suffix(".xyz"), cubic(), format="extxyz")
    pipeline = import_file(str(path.with_suffix(".xyz")))
    export_file(pipeline, str(path), "gsd/hoomd", multiple_frames=True)


def test_a_run_that_is_still_written_is_followed(run_file, tmp_path, model):
    def write():
        for k in range(7, 11):
            time.sleep(0.4)
            ase.io.write(run_file, frame(k), append=True)

    writer = threading.Thread(target=write)
    seen = []

    def progress(step):
        if not seen:
            writer.start()
        seen.append(step)

    results = trajectory(run_file, tmp_path / "r.zarr", model, follow=3.0, progress=progress, **FAST)
    writer.join()
    assert len(results) == 11
    assert results.steps.tolist() == [10 * k for k in range(11)]


def test_a_run_is_followed_to_its_last_frame_only(run_file, tmp_path, model, monkeypatch):
    monkeypatch.setattr(run.time, "sleep", lambda _: pytest.fail("it waits for frames that are not taken"))
    for average in (1, 3):
        out = tmp_path / f"{average}.zarr"
        assert len(trajectory(run_file, out, model, last=2, average=average, follow=60.0, **FAST)) == 3


PARTS = {"mode": "local", "box_size": 9.0, "stride": 4.5, "passes": 8, "atoms": True}


@pytest.fixture
def parted(tmp_path, monkeypatch):
    """Two large frames, which several workers share, and one that fails."""
    bar = bulk("Cu", cubic=True) * (40, 3, 3)
    frames = []
    for k in range(3):
        atoms = bar.copy()
        atoms.rattle(0.1, seed=k)
        molten = atoms.positions[:, 0] > 60 + 20 * k
        atoms.positions[molten] += np.random.default_rng(k).normal(0, 0.5, (int(molten.sum()), 3))
        frames.append(atoms)
    frames[1].positions[7] = frames[1].positions[8]
    ase.io.write(tmp_path / "md.xyz", frames)
    monkeypatch.setattr(batches, "ENOUGH", 1000)
    monkeypatch.setattr(parts, "HUGE", 1000)
    monkeypatch.setattr(parts, "PART", 300)
    monkeypatch.setattr(work, "SLAB_BOXES", 1)
    return tmp_path / "md.xyz"


def test_several_workers_share_a_huge_frame(parted, tmp_path, model, monkeypatch):
    """The results are bit for bit those of one process, which makes no parts."""
    done = []
    real = parts.recognise_part
    one = trajectory(parted, tmp_path / "1.zarr", model, workers=1, **PARTS)
    assert one.data["status"].values.tolist() == [1, 2, 1]
    assert "closer than 0.1" in one.failed[1]
    monkeypatch.setattr(run, "recognise_part", lambda part, order: done.append(part) or real(part, order))
    with ThreadPoolExecutor(3) as pool:
        same(one, trajectory(parted, tmp_path / "2.zarr", model, executor=pool, **PARTS))
    assert [sum(part.ref.number == k for part in done) for k in range(3)] == [5, 5, 5]
    assert parts._kept._frame == ""  # its memory is given back
    monkeypatch.setattr(run, "recognise_part", real)
    same(one, trajectory(parted, tmp_path / "3.zarr", model, workers=2, **PARTS))


@pytest.mark.parametrize("kept", [{}, {"maps": True}, {"average": 3}])
def test_huge_frames_are_left_to_one_process(parted, tmp_path, model, monkeypatch, kept):
    """So that the memory holds them, unless somebody asks for more."""

    def refused(*_):
        pytest.fail("several processes")

    monkeypatch.setattr(tasks, "processes", refused)
    monkeypatch.setattr(tasks.threads, "count", lambda: 2)
    monkeypatch.setattr(tasks, "check_guard", lambda: None)
    assert len(trajectory(parted, tmp_path / "r.zarr", model, last=0, **kept, **PARTS)) == 1


def test_parts_that_are_lost_are_done_again_and_none_counts_twice(parted, tmp_path, model, monkeypatch):
    """An executor that loses parts at random and does others twice; then one that fails, and the run goes on."""
    rng = np.random.default_rng(0)
    out, real = tmp_path / "r.zarr", parts.recognise_part

    class Lossy(ThreadPoolExecutor):
        def submit(self, task, *arguments, **words):
            if rng.random() < 0.3:
                lost = Future()
                lost.cancel()
                lost.set_running_or_notify_cancel()
                return lost
            if rng.random() < 0.3:
                super().submit(task)
            return super().submit(task, *arguments, **words)

    first = threading.Semaphore(0)

    def dies(part, order):
        if part.ref.number == 2 and part.number == 3:
            for _ in range(part.count):  # until the first frame is done, on a busy machine too
                assert first.acquire(timeout=300)
            time.sleep(1)
            raise SystemError("no memory")
        found = real(part, order)
        if part.ref.number == 0:
            first.release()
        return found

    monkeypatch.setattr(run, "recognise_part", dies)
    with (
        ThreadPoolExecutor(2) as pool,
        pytest.raises(WorkError, match=r"could not do parts 2, 4 of 5, of md.xyz"),
    ):
        trajectory(parted, out, model, executor=pool, **PARTS)
    before = TrajectoryResults.open(out)
    assert before.data["status"].values.tolist()[:2] == [1, 2]
    monkeypatch.setattr(run, "recognise_part", real)
    with Lossy(2) as pool:
        found = trajectory(parted, out, model, executor=pool, **PARTS)
    same(found, trajectory(parted, tmp_path / "1.zarr", model, workers=1, **PARTS))


def test_a_part_that_fails_is_the_row(parted, tmp_path, model, monkeypatch):
    real = parts.part_steps

    def fails(reader, slabs):
        if slabs[0]:
            raise MemoryError("no room")
        return (yield from real(reader, slabs))

    monkeypatch.setattr(parts, "part_steps", fails)
    with ThreadPoolExecutor(2) as pool:
        found = trajectory(parted, tmp_path / "r.zarr", model, executor=pool, last=0, **PARTS)
    assert found.failed == {0: "no room"}


SCRIPT = """
import sys
from ase_arise import trajectory
if __name__ == "__main__":
    trajectory(sys.argv[1], sys.argv[2], passes=8, workers=int(sys.argv[3]), atoms=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_kill_loses_frames_in_work_only(tmp_path, model, workers):
    path = tmp_path / "md.xyz"
    count = 5 * MOST_FRAMES
    ase.io.write(path, [frame(k) for k in range(count)])
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(path), str(tmp_path / "r.zarr"), str(workers)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and not _done(tmp_path / "r.zarr"):
            assert process.poll() is None
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    assert _done(tmp_path / "r.zarr") > 0
    subprocess.run(command, env=environment, check=True, timeout=300, stderr=subprocess.DEVNULL)
    again = TrajectoryResults.open(tmp_path / "r.zarr")
    whole = trajectory(path, tmp_path / "whole.zarr", atoms=True, **FAST)
    assert whole.done.all()
    same(whole, again)
    assert not [p for p in os.listdir(tmp_path) if p.endswith((".part", ".lock"))]


def _done(out: Path) -> int:
    try:
        return int(TrajectoryResults.open(out).done.sum())
    except (OSError, ValueError):
        return 0


def pieces(out, name):
    return sorted(p for p in (out / name / "c").rglob("*") if p.is_file())


def test_damage_of_the_results_shows(run_file, tmp_path, model):
    out, copy = tmp_path / "r.zarr", tmp_path / "copy.zarr"
    before = trajectory(run_file, out, model, atoms=True, **FAST)
    rng = np.random.default_rng(0)
    for name in (*columns.COLUMNS, *columns.AT_ATOMS):
        piece = pieces(out, name)[0].relative_to(out)
        for flip in (True, False):
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(out, copy)
            content = bytearray((copy / piece).read_bytes())
            if flip:
                content[rng.integers(len(content))] ^= 1 << rng.integers(8)
                (copy / piece).write_bytes(content)
            else:
                (copy / piece).unlink()
            if name in columns.AT_ATOMS:
                found = TrajectoryResults.open(copy)
                if flip or name == "label":
                    with pytest.raises(FileError, match="damaged"):
                        found.at_atoms(0)
                continue
            if name == "status" and not flip:  # nothing is known to be done: it is done again
                same(before, trajectory(run_file, copy, model, atoms=True, **FAST))
                continue
            with pytest.raises(FileError, match="damaged"):
                TrajectoryResults.open(copy)
            if flip:
                with pytest.raises(FileError, match="damaged"):
                    trajectory(run_file, copy, model, atoms=True, **FAST)
    (out / "zarr.json").write_text("{")
    with pytest.raises(ExistingFileError, match="holds something else"):
        TrajectoryResults.open(out)


def test_an_executor_that_fails(run_file, tmp_path, model):
    class Broken(ThreadPoolExecutor):
        def submit(self, *arguments, **words):
            raise RuntimeError("no workers left")

    with (
        Broken(1) as pool,
        pytest.raises(
            WorkError, match=r"could not do frames 0-6 of md.xyz \(RuntimeError: no workers left\)"
        ),
    ):
        trajectory(run_file, tmp_path / "r.zarr", model, passes=8, executor=pool)


# --- what is made of the rows -----------------------------------------------------------------------------------------


def made(tmp_path, model, shares, largest=None, groups=None, name="fcc", doubts=None):
    """Results of a run that never was: shares of a class, the rest rejected; half widths of their intervals."""
    k, n = model.class_info.find(name), len(model.classes)
    known = {"model": model.name, "package_version": "0"}
    place = store.Store.open(
        tmp_path / "made.zarr", known, model.class_info, groups is not None, False, False
    )
    rows = []
    for row, share in enumerate(shares):
        values = np.zeros(n + 2)
        values[k], values[n] = share, 1 - share
        doubt = np.where(values > 0, doubts[row] if doubts else 0.0, 0.0)
        sizes = np.zeros(n, dtype=int)
        sizes[k] = largest[row] if largest else 0
        more = {}
        if groups is not None:
            group = np.asarray(groups[row])
            label = np.where(group >= 0, k, REJECTED_LABEL).astype(np.int16)
            more = {
                "group": group.astype(np.int32),
                "label": label,
                "doubt": np.zeros(len(group), np.float16),
            }
        rows.append(Row(
            row, 0, row, step=100 * row, n_atoms=len(groups[row]) if groups is not None else 1000, share=values,
            share_low=np.maximum(values - doubt, 0), share_high=np.minimum(values + doubt, 1),
            mutual_information=0.1, quantiles=np.zeros(5), largest=sizes, **more,
        ))  # fmt: skip
    place.write(rows)
    place.close()
    return TrajectoryResults.open(tmp_path / "made.zarr")


def test_events(tmp_path, model):
    results = made(tmp_path, model, [0.9, 0.9, 0.4, 0.9, 0.2, 0.1, 0.1, 0.45, 0.9, 0.9, 0.9])
    found = [(e.kind, e.rows) for e in events(results)]
    assert found == [("melting", (3, 4)), ("crystallisation", (7, 8))]
    first = events(results)[0]
    assert (first.before, first.after, first.steps) == ("fcc", "rejected", (300, 400))
    assert str(first) == "melting: fcc → rejected, between frame 3 (step 300) and frame 4 (step 400)"
    axes = draw_timeline(results)
    assert axes.get_xlabel() == "time step"
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["fcc", "rejected", "event"]
    assert len(axes.lines) == 2 + 2


def test_frames_in_doubt_make_no_event(tmp_path, model):
    shares = [1.0, 0.6, 1.0, 0.4, 0.1, 0.45, 0.1, 0.0]
    results = made(tmp_path, model, shares, doubts=[0, 0.2, 0, 0.2, 0, 0.2, 0, 0])
    (event,) = events(results)  # frames 3 and 5 may be this or that, and break nothing
    assert (event.kind, event.rows) == ("melting", (2, 4))


def test_a_run_of_doubtful_answers_has_no_events(tmp_path, model):
    assert events(made(tmp_path, model, [1.0, 1.0, 0.0, 0.0, 0.0], doubts=[1.0] * 5)) == []


def test_the_first_stable_nucleus(tmp_path, model):
    results = made(tmp_path, model, [0.0] * 8, largest=[0, 60, 10, 55, 70, 90, 200, 300])
    (event,) = events(results)
    assert (event.kind, event.after, event.rows) == ("first stable nucleus", "fcc", (2, 3))
    assert not events(results, nucleus=1000)
    assert not events(results, lasting=6)


def test_what_is_left_of_a_crystal_is_no_nucleus(tmp_path, model):
    left = [900, 900, 600, 300, 200, 100, 90, 80]
    found = events(made(tmp_path, model, [1.0, 0.9, 0.7, 0.4, 0.3, 0.2, 0.1, 0.1], largest=left))
    assert [e.kind for e in found] == ["melting"]


def test_nuclei_are_followed(tmp_path, model):
    def groups(*spans):
        out = np.full(400, -1)
        for k, (begin, end) in enumerate(spans):
            out[begin:end] = k
        return out

    frames = [
        groups((0, 60)),
        groups((200, 290), (0, 80)),  # a second one is born, and is larger
        groups((200, 300), (0, 90)),
        groups((0, 350)),  # they merge: the second one lives on
        groups((150, 350), (0, 100)),  # it falls apart
        groups((150, 350)),
    ]
    results = made(tmp_path, model, [0.3] * 6, groups=frames)
    first, second, third = nuclei(results, "fcc")
    assert (first.rows, first.sizes, first.end, first.into) == ((0, 1, 2), (60, 80, 90), "merged", 1)
    assert (second.rows, second.end, second.largest) == ((1, 2, 3, 4, 5), "lasts", 350)
    assert (third.rows, third.origin, third.end) == ((4,), 1, "vanished")
    assert nuclei(results, "bcc") == []
    assert len(nuclei(results, "fcc", min_atoms=100)) == 2
    with pytest.raises(InputError, match="`name` must be a class"):
        nuclei(results, "gold")
    with pytest.raises(InputError, match="`common` must be in"):
        nuclei(results, "fcc", common=0)


def test_nuclei_need_values_at_atoms(run_file, tmp_path, model):
    results = trajectory(run_file, tmp_path / "r.zarr", model, every=3, **FAST)
    with pytest.raises(InputError, match="hold no values at atoms"):
        nuclei(results, "fcc")
    results = trajectory(run_file, tmp_path / "a.zarr", model, atoms=True, **FAST)
    with pytest.raises(InputError, match="other numbers of atoms"):
        nuclei(results, "fcc")


def test_nothing_done_yet(tmp_path, model):
    results = made(tmp_path, model, [0.5])
    empty = TrajectoryResults(
        results.path,
        results.data.isel(frame=slice(0)),
        results.facts,
        results.classes,
        (),
        (),
        results._group,
    )
    assert events(empty) == []
    assert empty.present == []
    with pytest.raises(InputError, match="no frame with results"):
        draw_timeline(empty)


@pytest.fixture(scope="module")
def model():
    return arise.load_model("arise-108")


def test_examples_of_the_page_run(tmp_path, monkeypatch, capsys):
    page = Path(__file__).parents[2] / "docs" / "trajectories.md"
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in re.findall(
        r"^```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    ):
        exec(compile(block, "docs/trajectories.md", "exec"), names)
    printed = capsys.readouterr().out
    assert "melting: fcc → rejected" in printed
    assert (tmp_path / "shares.png").exists()
