"""`arise trajectory` and `arise merge`."""

import csv
import io
import json

import ase.io
import pytest
from ase.build import bulk

from arise_cli import trajectories
from ase_arise import TrajectoryResults
from benchmarks.robustness.structure_files import dump


@pytest.fixture
def frames(tmp_path):
    images = []
    for k in range(5):
        images.append(bulk("Cu" if k < 3 else "Fe") * (3, 3, 3))
        images[-1].rattle(0.02, seed=k)
    ase.io.write(tmp_path / "md.xyz", images)
    return tmp_path / "md.xyz"


FAST = ("--passes", "8", "--workers", "1")


def test_a_table_events_and_a_picture(arise, frames, tmp_path, monkeypatch):
    out, plot = tmp_path / "r.zarr", tmp_path / "time.png"
    monkeypatch.setattr(trajectories, "SHOWN", 4)
    _, table, errors = arise("trajectory", str(frames), "--out", str(out), "--plot", str(plot), *FAST)
    assert "fcc (%)" in table
    assert "100.0 [100.0, 100.0]" in table
    assert "Step" not in table  # this file tells none
    assert "4 of 5 frames; --json and --csv have all of them" in errors
    assert "5 of 5 frames have 1,000 atoms or fewer and were taken as a whole" in errors
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert "results: " in errors
    _, text, errors = arise("trajectory", str(frames), "--out", str(out), "--json", *FAST)
    record = json.loads(text)
    assert (record["frames"], record["recognised"], record["failed"]) == (5, 5, [])
    assert [frame["row"] for frame in record["shares"]] == list(range(5))
    assert [frame["n_atoms"] for frame in record["shares"]] == [27] * 5
    assert record["shares"][2]["shares"] == {
        "fcc": {"share": 1.0, "low": 1.0, "high": 1.0}, "bcc": {"share": 0.0, "low": 0.0, "high": 0.0},
    }  # fmt: skip
    assert record["shares"][4]["shares"]["bcc"]["share"] == 1.0
    assert record["shares"][0]["mutual_information"] >= 0
    (event,) = record["events"]
    assert (event["kind"], event["before"], event["after"], event["rows"]) == (
        "transformation",
        "fcc",
        "bcc",
        [2, 3],
    )
    assert "0 recognised, 0 failed, 5 from before" in errors
    _, text, _ = arise("trajectory", str(frames), "--out", str(out), "--csv", "--mode", "auto", *FAST)
    table = csv.DictReader(io.StringIO(text))
    rows = list(table)
    assert table.fieldnames == [
        "row", "step", "n_atoms", "mutual_information", "fcc", "fcc low", "fcc high", "bcc", "bcc low", "bcc high",
    ]  # fmt: skip
    assert [(row["row"], float(row["fcc"]), float(row["bcc high"])) for row in rows] == [
        *((str(k), 1.0, 0.0) for k in range(3)), *((str(k), 0.0, 1.0) for k in (3, 4)),
    ]  # fmt: skip


def test_small_frames_that_are_mapped(arise, frames, tmp_path):
    words = ("--mode", "local", "--box-size", "8", "--stride", "8", "--last", "0", *FAST)
    _, _, errors = arise("trajectory", str(frames), "--out", str(tmp_path / "r.zarr"), *words)
    assert "as a whole" not in errors


def test_positions_are_averaged(arise, frames, tmp_path):
    _, text, _ = arise(
        "trajectory", str(frames), "--out", str(tmp_path / "r.zarr"), "--average", "3", "--json", *FAST
    )
    record = json.loads(text)
    assert record["recognised"] == 3  # those beside the change have neighbours of another element
    assert "cannot be averaged: a frame beside it has other elements" in record["failed"][0]["reason"]
    assert [one["row"] for one in record["failed"]] == [2, 3]
    code, _, errors = arise(
        "trajectory", str(frames), "--out", str(tmp_path / "x.zarr"), "--average", "4", *FAST
    )
    assert code == 1
    assert "`average` must be odd" in errors


def test_maps_and_values_at_atoms_are_kept(arise, frames, tmp_path):
    words = ("--mode", "local", "--box-size", "8", "--stride", "8", "--last", "0", "--maps", "--atoms", *FAST)
    arise("trajectory", str(frames), "--out", str(tmp_path / "r.zarr"), *words)
    results = TrajectoryResults.open(tmp_path / "r.zarr")
    assert results.has_atoms
    assert (results.map_at(0)["label"] >= 0).all()


def test_parts_are_merged(arise, frames, tmp_path):
    for k in (1, 2):
        arise("trajectory", str(frames), "--out", str(tmp_path / f"{k}.zarr"), "--shard", f"{k}/2", *FAST)
    code, text, _ = arise(
        "merge",
        str(tmp_path / "1.zarr"),
        str(tmp_path / "2.zarr"),
        "--out",
        str(tmp_path / "r.zarr"),
        "--json",
    )
    assert code == 0
    assert json.loads(text)["recognised"] == 5
    _, _, errors = arise("trajectory", str(frames), "--out", str(tmp_path / "r.zarr"), *FAST)
    assert "5 from before" in errors


def test_a_part_without_frames(arise, frames, tmp_path):
    parts = [str(tmp_path / f"{k}.zarr") for k in range(1, 8)]
    for k, part in enumerate(parts, 1):
        code, text, errors = arise("trajectory", str(frames), "--out", part, "--shard", f"{k}/7", *FAST)
        assert code == 0, errors
    assert len(TrajectoryResults.open(parts[-1])) == 0
    code, text, errors = arise("merge", *parts, "--out", str(tmp_path / "r.zarr"), "--json")
    assert code == 0, errors
    assert json.loads(text)["recognised"] == 5
    none = str(tmp_path / "none.zarr")
    _, _, errors = arise("trajectory", str(frames), "--out", none, "--first", "9", "--shard", "1/7", *FAST)
    assert "has no frame that is taken" in errors


def test_frames_that_failed(arise, tmp_path):
    good = bulk("Cu") * (3, 3, 3)
    bad = good.copy()
    bad.positions[1] = bad.positions[0]
    ase.io.write(tmp_path / "md.xyz", [good, bad])
    words = ("trajectory", str(tmp_path / "md.xyz"), "--out", str(tmp_path / "r.zarr"), *FAST)
    code, _, errors = arise(*words)
    assert code == 0
    assert "frame 1 failed: " in errors
    assert "0.1 Å" in errors
    assert arise(*words, "--strict")[0] == 3
    ase.io.write(tmp_path / "bad.xyz", bad)
    words = ("trajectory", str(tmp_path / "bad.xyz"), "--out", str(tmp_path / "b.zarr"), "--csv", *FAST)
    code, text, errors = arise(*words)
    assert (code, text) == (1, "row,step,n_atoms,mutual_information\n")
    assert "frame 0 failed: " in errors


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (("--shard", "3"), 2, "must be a part and the number of parts"),
        (("--plot", "x.txt"), 2, "must end in .png, .pdf or .svg"),
        (("--dask", "local"), 2, "Dask has its own"),
        (("--every", "0"), 1, "`every` must be at least 1"),
        (("--overwrite",), 1, "holds something else; nothing was changed"),
    ],
)
def test_wrong_usage(arise, frames, tmp_path, words, code, reason):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("mine")
    ended, _, errors = arise("trajectory", str(frames), "--out", str(tmp_path / "mine"), *FAST, *words)
    assert ended == code
    assert reason in " ".join(errors.replace("│", " ").split())
    assert (tmp_path / "mine" / "file").read_text() == "mine"


def test_what_was_assumed_is_said_once(arise, tmp_path):
    path = tmp_path / "md.dump"
    path.write_text(
        2 * dump(bulk("Cu", cubic=True) * (2, 2, 2)).replace("element", "type").replace(" Cu ", " 1 ")
    )
    words = ("trajectory", str(path), "--out", str(tmp_path / "r.zarr"), *FAST)
    for more in ((), ("--json",)):  # the second time from the store
        _, text, errors = arise(*words, *more)
        assert errors.count("tells no element") == 1
    assert len(json.loads(text)["notes"]) == 1
    arise("trajectory", str(path), "--out", str(tmp_path / "1.zarr"), "--shard", "1/1", *FAST)
    _, _, errors = arise("merge", str(tmp_path / "1.zarr"), "--out", str(tmp_path / "m.zarr"))
    assert errors.count("tells no element") == 1


def test_ovito_reads_frames_and_their_steps(arise, tmp_path):
    pytest.importorskip("ovito")
    path = tmp_path / "md.dump"
    one = dump(bulk("Cu", cubic=True) * (2, 2, 2))
    path.write_text(one + one.replace("TIMESTEP\n0", "TIMESTEP\n500"))
    code, table, _ = arise("trajectory", path, "--out", tmp_path / "r.zarr", "--reader", "ovito", *FAST)
    assert code == 0
    assert "Step" in table
    assert "500" in table
    results = TrajectoryResults.open(tmp_path / "r.zarr")
    assert results.steps.tolist() == [0, 500]
    assert results.share("fcc")[:, 0].tolist() == [1.0, 1.0]
