"""Files of an observer after a kill, a full disk, and with a second writer: whole frames stay, half ones go."""

import csv
import json
import os
import subprocess
import sys

import ase.io
import pytest
from ase import Atoms
from ase.build import bulk

from arise_core.errors import FileError, InputError
from ase_arise import AriseObserver, appending
from tests import ROOT

FAST = {"passes": 2, "stride": 8.0, "box_size": 8.0}


@pytest.fixture
def atoms() -> Atoms:
    return bulk("Cu", cubic=True) * (2, 2, 2)


@pytest.fixture
def three(atoms, tmp_path):
    """An extended XYZ of three frames, and where each begins and the last one ends."""
    path = tmp_path / "a.xyz"
    observer = AriseObserver(atoms, trajectory=path, **FAST)
    ends = [0]
    for _ in range(3):
        observer()
        ends.append(path.stat().st_size)
    return path, ends


def steps_of(path):
    return [a.info["arise_step"] for a in ase.io.read(path, ":")]


def test_half_a_frame_is_cut_off_wherever_the_kill_came(atoms, three):
    path, ends = three
    content = path.read_bytes()
    for size in {*range(ends[2] + 1, ends[3], 211), ends[2] + 1, ends[3] - 1}:
        path.write_bytes(content[:size])
        AriseObserver(atoms, trajectory=path, append=True, **FAST)
        assert path.read_bytes() == content[: ends[2]]
    AriseObserver(atoms, trajectory=path, append=True, **FAST).look(7)
    assert steps_of(path) == [0, 1, 7]


@pytest.mark.parametrize("frames", [0, 1, 3])
def test_whole_frames_stay(atoms, three, frames):
    path, ends = three
    content = path.read_bytes()[: ends[frames]]
    path.write_bytes(content)
    AriseObserver(atoms, trajectory=path, append=True, **FAST)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("text", "line"), [("no structure\n", 1), ("2\nx\nCu 0 0 0\nCu 0 0 2\nCu 1 1 1\n3\n", 5)]
)
def test_what_is_no_extended_xyz_is_left_alone(atoms, tmp_path, text, line):
    path = tmp_path / "a.xyz"
    path.write_text(text)
    with pytest.raises(
        InputError, match=f"a.xyz' is no extended XYZ, or damaged, at line {line} .*nothing was changed"
    ):
        AriseObserver(atoms, trajectory=path, append=True, **FAST)
    assert path.read_text() == text


@pytest.mark.parametrize("size", [0, 3, 30, 56, 400])
def test_a_traj_killed_in_its_first_frame_begins_again(atoms, tmp_path, size):
    path = tmp_path / "a.traj"
    AriseObserver(atoms, trajectory=path, **FAST)()
    content = bytearray(path.read_bytes())
    content[32:40] = bytes(8)  # no frame is counted before it is whole
    path.write_bytes(content[:size])
    AriseObserver(atoms, trajectory=path, append=True, **FAST).look(5)
    assert steps_of(path) == [5]


def test_a_traj_with_half_a_frame_keeps_the_whole_ones(atoms, tmp_path):
    path = tmp_path / "a.traj"
    observer = AriseObserver(atoms, trajectory=path, **FAST)
    observer()
    observer()
    with path.open("ab") as file:
        file.write(b"half of the third")
    AriseObserver(atoms, trajectory=path, append=True, **FAST).look(5)
    assert steps_of(path) == [0, 1, 5]
    path.write_text("something else, and longer than the header of such a file")
    with pytest.raises(InputError, match="a.traj' is no .traj file of ASE; nothing was changed"):
        AriseObserver(atoms, trajectory=path, append=True, **FAST)


@pytest.mark.parametrize("table", ["a.csv", "a.jsonl"])
@pytest.mark.parametrize("frames", ["a.xyz", "a.traj"])
def test_a_row_whose_frame_was_not_written_goes(atoms, tmp_path, monkeypatch, table, frames):
    places = {"table": tmp_path / table, "trajectory": tmp_path / frames}
    observer = AriseObserver(atoms, **places, **FAST)
    observer.look(0)
    observer.look(10)
    before = places["table"].read_bytes()
    AriseObserver(atoms, **places, append=True, **FAST)
    assert places["table"].read_bytes() == before  # each row has its frame
    monkeypatch.setattr("ase_arise.watching.append_frame", lambda path, frame: None)  # killed before
    observer.look(20)
    AriseObserver(atoms, **places, append=True, **FAST)
    assert places["table"].read_bytes() == before


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "xyz"])
def test_a_full_disk_leaves_no_half_and_the_run_goes_on_when_there_is_room(
    atoms, tmp_path, monkeypatch, suffix
):
    path = tmp_path / f"a.{suffix}"
    argument = "trajectory" if suffix == "xyz" else "table"
    observer = AriseObserver(atoms, **{argument: path}, **FAST)
    observer.look(0)
    before = path.read_bytes()
    real = appending.os.fsync

    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(appending.os, "fsync", full)
    with pytest.raises(FileError, match=f"`{argument}` .*cannot be written: No space left on device"):
        observer.look(1)
    assert path.read_bytes() == before
    monkeypatch.setattr(appending.os, "fsync", real)
    observer.look(2)
    if suffix == "xyz":
        assert steps_of(path) == [0, 2]
    elif suffix == "csv":
        with path.open() as file:
            assert [row["step"] for row in csv.DictReader(file)] == ["0", "2"]
    else:
        assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [0, 2]


def test_overwritten_links_stay_links(atoms, tmp_path):
    (tmp_path / "far").mkdir()
    for argument, name in (("table", "a.csv"), ("trajectory", "a.xyz"), ("trajectory", "a.traj")):
        link, target = tmp_path / name, tmp_path / "far" / name
        link.symlink_to(target)
        for _ in range(2):
            AriseObserver(atoms, **{argument: link}, overwrite=True, **FAST)()
            assert link.is_symlink()
            assert target.stat().st_size > 0
    assert steps_of(tmp_path / "far" / "a.xyz") == [0]


HOLD = """
import sys
from ase.build import bulk
from ase_arise import AriseObserver
observer = AriseObserver(bulk("Cu", cubic=True) * (2, 2, 2), trajectory=sys.argv[1], append=True)
print("at work", flush=True)
sys.stdin.read()
"""


def test_a_second_writer_is_refused_and_cuts_nothing_off(atoms, three):
    path, ends = three
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as other:
        assert other.stdout.readline() == "at work\n"
        os.truncate(path, ends[3] - 10)  # in the midst of a frame of the other one
        for choice in ("append", "overwrite"):
            with pytest.raises(FileError, match="`trajectory` .* is being written to by another process"):
                AriseObserver(atoms, trajectory=path, **{choice: True}, **FAST)
        assert path.stat().st_size == ends[3] - 10
        other.stdin.close()
    AriseObserver(atoms, trajectory=path, append=True, **FAST)
    assert path.stat().st_size == ends[2]


# --- .traj: frames that readers see when they are whole ---------------------------------------------------------------


def framed(atoms, step):
    frame = atoms.copy()
    frame.positions += step
    frame.info["arise_step"] = step
    return frame


class Snapshots:
    """A file that is written to in halves, and what is on the disk after each of them."""

    def __init__(self, file, path, seen):
        self.file, self.path, self.seen = file, path, seen

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, content):
        some = content[: max(1, len(content) // 2)] if len(content) > 8 else content
        self.file.write(some)
        self.seen.append(self.path.read_bytes())
        return len(some)


@pytest.mark.parametrize("frames", [1, 2, 42])  # the table of frames grows behind 1 and 42
def test_a_kill_at_any_stage_leaves_whole_frames_of_a_traj(atoms, tmp_path, monkeypatch, frames):
    path, seen, real = tmp_path / "a.traj", [], type(tmp_path).open
    for step in range(frames):
        appending.append_frame(path, framed(atoms, step))
    with monkeypatch.context() as patch:
        patch.setattr(
            type(path), "open",
            lambda self, mode="r", **more: Snapshots(real(self, mode, **more), path, seen)
            if mode != "rb" else real(self, mode, **more),
        )  # fmt: skip
        appending.append_frame(path, framed(atoms, frames))
    assert steps_of(path) == list(range(frames + 1))
    assert len(seen) > 5
    for content in seen[:-1]:
        path.write_bytes(content)
        assert steps_of(path) == list(range(frames))
        AriseObserver(atoms, trajectory=path, append=True, **FAST)
        appending.append_frame(path, framed(atoms, frames))
        assert steps_of(path) == list(range(frames + 1))


def test_an_interrupt_at_any_stage_leaves_a_traj_as_it_was(atoms, tmp_path, monkeypatch):
    path, real = tmp_path / "a.traj", appending.TrajectoryWriter
    appending.append_frame(path, framed(atoms, 0))
    before = path.read_bytes()
    for calls in range(3):
        made = []

        class Interrupted(real):
            def _open(self, *arguments, calls=calls, made=made):
                super()._open(*arguments)
                write = self.backend.write

                def interrupted(*values, **named):
                    made.append(1)
                    write(*values, **named)
                    if len(made) > calls:
                        raise KeyboardInterrupt

                self.backend.write = interrupted

        monkeypatch.setattr(appending, "TrajectoryWriter", Interrupted)
        if calls < 2:  # positions and cell, info
            with pytest.raises(KeyboardInterrupt):
                appending.append_frame(path, framed(atoms, 1))
            assert path.read_bytes() == before
        else:
            appending.append_frame(path, framed(atoms, 1))
            assert steps_of(path) == [0, 1]


def test_a_full_disk_leaves_a_traj_as_it_was(atoms, tmp_path, monkeypatch):
    path = tmp_path / "a.traj"
    observer = AriseObserver(atoms, trajectory=path, **FAST)
    observer.look(0)
    before = path.read_bytes()

    def full(number):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(appending.os, "fsync", full)
        with pytest.raises(FileError, match="`trajectory` .*cannot be written: No space left on device"):
            observer.look(1)
    assert path.read_bytes() == before
    observer.look(2)
    assert steps_of(path) == [0, 2]


def test_a_traj_has_the_bytes_of_ases_own(atoms, tmp_path):
    """Behind 1 and 42 frames its table grows; with other atoms, frames get heads of their own."""
    ours, theirs = tmp_path / "a.traj", tmp_path / "b.traj"
    for step in range(44):
        frame = framed(atoms[: 4 + step // 43], step)
        appending.append_frame(ours, frame)
        with ase.io.Trajectory(theirs, "a") as trajectory:
            trajectory.write(frame)
    assert ours.read_bytes() == theirs.read_bytes()
