"""Files under their usual names, of other systems, cut off, hollow or hanging: read, or refused with the reason."""

import io
import time
from pathlib import Path

import ase.db
import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io.lammpsdata import write_lammps_data
from typer.testing import CliRunner

from arise_cli.main import app
from arise_core.errors import InputError, WorkError
from arise_core.runtime.patience import within
from ase_arise.convert import frames
from ase_arise.reading import Reader, last_of, read_frames, split_name
from ase_arise.screening import sources
from ase_arise.screening.run import screen
from benchmarks.robustness.structure_files import dump

FAST = {"passes": 8, "workers": 1}


def copper() -> Atoms:
    atoms = bulk("Cu", cubic=True) * (3, 3, 3)
    atoms.rattle(0.05, seed=1)
    return atoms


def data_file(path: Path, ends: str = "\n") -> Path:
    text = io.StringIO()
    write_lammps_data(text, copper(), masses=True)
    path.write_bytes(text.getvalue().replace("\n", ends).encode())
    return path


def cut_off(path: Path) -> Path:
    text = dump(copper())
    path.write_text(text * 3 + text[: len(text) * 2 // 3])
    return path


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("name", ["cu.data", "data.cu", "cu.lmp", "br[ack]ets.data", "at@1.data", "a@b@-1"])
def test_lammps_data_under_any_name(tmp_path, name, ends):
    (read,) = frames(data_file(tmp_path / name, ends))
    assert len(read) == 108
    assert set(read.symbols) == {"Cu"}
    assert np.abs(read.positions - copper().positions).max() < 1e-6


def test_dumps_with_windows_line_ends(tmp_path):
    path = tmp_path / "crlf.dump"
    path.write_bytes(dump(copper()).replace("\n", "\r\n").encode() * 2)
    assert [len(a) for a in frames(path)] == [108, 108]


def test_frames_of_a_dump_without_atoms(tmp_path):
    path = tmp_path / "run.dump"
    whole = dump(copper())
    none = whole.partition("ITEM: ATOMS")[0].replace("ATOMS\n108", "ATOMS\n0") + "ITEM: ATOMS id type x y z\n"
    assert "ATOMS\n0\n" in none
    path.write_text(none + whole + none)
    with pytest.warns(UserWarning, match="frame [02] holds no atoms"):  # and not of how ASE reads it
        assert [len(atoms) for atoms in frames(path)] == [108]
    path.write_text(none)
    with (
        pytest.warns(UserWarning, match="holds no atoms"),
        pytest.raises(InputError, match="holds no structure"),
    ):
        list(frames(path))


@pytest.mark.parametrize("make", [cut_off, None])
def test_a_run_cut_off_in_its_last_frame(tmp_path, make):
    if make is None:
        path = tmp_path / "cut.xyz"
        rows = "".join(f"Cu {x:.6f} {y:.6f} {z:.6f}\n" for x, y, z in copper().positions)
        frame = f"108\n\n{rows}"
        path.write_text(frame * 3 + frame[: len(frame) * 2 // 3])
    else:
        path = make(tmp_path / "cut.dump")
    with pytest.warns(UserWarning, match=r"ends in .*frame 3.*3 whole frames before it are kept"):
        assert len(list(frames(path))) == 3
    with pytest.warns(UserWarning, match="3 whole frames"):
        (last,) = frames(last_of(str(path)))
    assert len(last) == 108
    counts = screen(path, tmp_path / "r.db", **FAST)
    assert (counts.recognised, counts.failed) == (3, 1)
    with ase.db.connect(tmp_path / "r.db") as database:
        (row,) = database.select("arise_status=failed")
    assert "3 whole frames before it are kept" in row.arise_error


def test_a_run_cut_off_in_the_last_line(tmp_path):
    text = io.StringIO()
    ase.io.write(text, [copper()] * 3, format="extxyz")
    path = tmp_path / "cut.xyz"
    path.write_text(text.getvalue().rstrip()[:-20])
    with pytest.warns(
        UserWarning, match="the file ends in the last line of frame 2; 2 whole frames before it"
    ):
        assert len(list(frames(path))) == 2


def test_a_trajectory_of_ase_cut_off(tmp_path):
    path = tmp_path / "cut.traj"
    ase.io.write(path, [copper()] * 3)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.warns(UserWarning, match="2 whole frames before it are kept"):
        assert len(list(frames(path))) == 2


def test_a_run_cut_off_on_the_command_line(tmp_path):
    path = cut_off(tmp_path / "cut.dump")
    with pytest.warns(UserWarning, match="3 whole frames"):
        done = CliRunner().invoke(app, ["classify", str(path), "--csv", "--passes", "8"])
    assert done.exit_code == 0, done.output
    assert done.stdout.count("fcc") >= 3


HOLLOW = {
    "big.xyz": "1000000000\n\nCu 0 0 0\n",
    "big.data": "x\n\n1000000000 atoms\n1 atom types\n\n0 1 xlo xhi\n0 1 ylo yhi\n0 1 zlo zhi\n\nAtoms\n\n1 1 0 0 0\n",
    "big.dump": "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n1000000000\nITEM: BOX BOUNDS pp pp pp\n0 1\n0 1\n0 1\n",
    "POSCAR": "c\n1.0\n1 0 0\n0 1 0\n0 0 1\nCu\n1000000000\nDirect\n0 0 0\n",
}


@pytest.mark.parametrize("name", HOLLOW)
def test_announced_atoms_that_no_file_holds(tmp_path, name):
    (tmp_path / name).write_text(HOLLOW[name])
    with pytest.raises(InputError, match=r"1,000,000,000 atoms, but has .* bytes only"):
        list(frames(tmp_path / name))


def test_numbers_that_announce_nothing(tmp_path):
    """A title that is a number, bounds that are whole numbers."""
    atoms = copper()
    path = tmp_path / "POSCAR"
    atoms.write(path, format="vasp")
    path.write_text("20261127\n" + path.read_text().split("\n", 1)[1])
    assert len(next(frames(path))) == 108


def test_errors_name_file_frame_reader_and_reason(tmp_path):
    path = tmp_path / "odd.xyz"
    path.write_text("1\n\nCu 0 0 0\n1\n\nCu 0 zero 0\n")
    with pytest.raises(InputError, match=r"odd.xyz', frame 1, cannot be read: ASE's reader of \w+: .+"):
        list(frames(path))
    (tmp_path / "cu.what").write_text("nothing known\n")
    with pytest.raises(InputError, match=r"does not know what kind of file it is.*--format"):
        list(frames(tmp_path / "cu.what"))
    with pytest.raises(InputError, match="`format` must be one that ASE reads"):
        Reader(format="lamps")


def test_names_with_an_at(tmp_path):
    path = tmp_path / "at@1.xyz"
    path.write_text("1\n\nCu 0 0 0\n" * 3)
    assert len(list(frames(path))) == 3
    assert len(list(frames(f"{path}@-2:"))) == 2
    assert split_name(str(path)) == (str(path), "")
    assert split_name("md.xyz@-10:") == ("md.xyz", "-10:")
    assert last_of("a@b.xyz@3") == "a@b.xyz@3"


def test_frames_in_steps_of_zero(tmp_path):
    path = tmp_path / "cu.xyz"
    copper().write(path)
    for picked in ("::0", "1:2:0", "::-0"):
        with pytest.raises(InputError, match="in steps of 0"):
            list(frames(f"{path}@{picked}"))
    with pytest.raises(InputError, match="in steps of 0"):
        screen(f"{path}@::0", tmp_path / "r.db", **FAST)
    assert not (tmp_path / "r.db").exists()
    assert len(list(frames(f"{path}@::-10"))) == len(list(frames(f"{path}@0:"))) == 1


def other_reader(path, first):
    for _ in range(first, 3):
        yield copper(), ("a note",)


def test_another_reader_where_ase_fails(tmp_path):
    (tmp_path / "cu.what").write_text("nothing known\n")
    with pytest.warns(UserWarning, match=r"cu\.what': a note"):
        read = list(frames(tmp_path / "cu.what", Reader(other=other_reader)))
    assert [len(atoms) for atoms in read] == [108] * 3
    with pytest.warns(UserWarning, match="a note"):
        first, *_ = frames(data_file(tmp_path / "cu.data"), Reader(other=other_reader, only_other=True))
    assert "id" not in first.arrays  # not ASE's
    for picked, numbers in (
        ("1:", [1, 2]),
        ("-1", [2]),
        ("::2", [0, 2]),
        ("0:2", [0, 1]),
        ("::-1", [2, 1, 0]),
    ):
        with pytest.warns(UserWarning, match="a note"):
            found = list(read_frames(f"{tmp_path / 'cu.what'}@{picked}", Reader(other=other_reader)))
        assert [frame.number for frame in found] == numbers


def test_another_reader_that_fails_behind_whole_frames(tmp_path):
    (tmp_path / "cu.what").write_text("nothing known\n")

    def failing(path, first):
        yield copper(), ()
        raise RuntimeError("no more")

    whole, half = read_frames(str(tmp_path / "cu.what"), Reader(other=failing))
    assert (whole.number, len(whole.atoms)) == (0, 108)
    assert half.number == 1
    assert half.error.endswith("OVITO's reader: RuntimeError: no more")


def test_ovito_reads_what_it_is_told_to(tmp_path):
    pytest.importorskip("ovito")
    path = data_file(tmp_path / "cu.data")
    done = CliRunner().invoke(app, ["classify", str(path), "--reader", "ovito", "--csv", "--passes", "8"])
    assert done.exit_code == 0, done.output
    assert "fcc" in done.stdout
    refused = CliRunner().invoke(app, ["classify", str(path), "--reader", "vmd"])
    assert refused.exit_code == 2


@pytest.mark.slow
def test_what_hangs_ovito_ends_and_the_next_file_is_read(tmp_path, monkeypatch):
    """OVITO 3.17 reads a dump with a vertical tab in a number without end."""
    pytest.importorskip("ovito")
    monkeypatch.setattr("arise_cli.readers.SECONDS", 10.0)
    good, bad = tmp_path / "good.dump", tmp_path / "bad.dump"
    good.write_text(dump(copper()))
    bad.write_text(dump(copper()).replace(".", ".0\v", 12))
    for path in (good, bad, good):
        done = CliRunner().invoke(app, ["classify", str(path), "--reader", "ovito", "--passes", "8"])
        if path == good:
            assert done.exit_code == 0, done.output
        else:
            assert done.exit_code == 1
            assert (
                "bad.dump', frame 0, cannot be read: OVITO's reader: WorkError: it did not end" in done.stderr
            )


def test_ovito_particles_without_positions():
    pytest.importorskip("ovito")
    from ovito.data import DataCollection

    from ovito_arise.convert import to_atoms

    data = DataCollection()
    data.create_particles(count=3)
    with pytest.raises(InputError, match="no property `Position`"):
        to_atoms(data, {"*": "Cu"})


def test_time_is_limited_even_in_readers_that_catch_everything():
    def stubborn():
        while True:
            try:
                time.sleep(5)
            except Exception:
                continue

    with pytest.raises(WorkError, match="longer than the time limit of 0.05 s"), within(0.05):
        stubborn()


def test_a_file_that_hangs_fails_and_the_others_are_done(tmp_path, monkeypatch):
    folder = tmp_path / "all"
    folder.mkdir()
    for name in ("a.data", "b.data", "c.data"):
        data_file(folder / name)
    original = sources.read_frames

    def hanging(name, reader, behind=0):
        if name.endswith("b.data"):
            time.sleep(60)
        yield from original(name, reader, behind)

    monkeypatch.setattr(sources, "read_frames", hanging)
    counts = screen(folder, tmp_path / "r.db", time_limit=3.0, **FAST)
    assert (counts.recognised, counts.failed) == (2, 1)
    with ase.db.connect(tmp_path / "r.db") as database:
        (row,) = database.select("arise_status=failed")
    assert "longer than the time limit" in row.arise_error
    assert screen(folder, tmp_path / "r.db", **FAST).kept == 3
    with pytest.raises(InputError, match="`time_limit` must be a positive number"):
        screen(folder, tmp_path / "s.db", time_limit=0, **FAST)
