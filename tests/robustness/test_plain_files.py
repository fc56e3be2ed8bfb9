"""Compressed files, whatever their names say, text of other encodings, and frames with too much or nothing in them."""

import bz2
import gzip
import io
import lzma

import ase.db
import ase.io
import pytest
from ase import Atoms
from ase.build import bulk
from typer.testing import CliRunner

from arise_cli.main import app
from arise_core.errors import InputError
from ase_arise.convert import frames
from ase_arise.screening.run import screen
from benchmarks.robustness.structure_files import dump

PACK = {"gz": gzip, "bz2": bz2, "xz": lzma}


def copper() -> Atoms:
    atoms = bulk("Cu", cubic=True) * (6, 6, 6)
    atoms.rattle(0.05, seed=1)
    return atoms


def written(kind: str, count: int = 4) -> bytes:
    """Frames in a format."""
    images = [copper()] * count
    if kind == "dump":
        return (dump(copper()) * count).encode()
    if kind in ("traj", "cif"):
        binary = io.BytesIO()
        images = [copper()[:8]] if kind == "cif" else images  # a slow reader
        ase.io.write(binary, images, format=kind)
        return binary.getvalue()
    text = io.StringIO()
    options = {"masses": True} if kind == "lammps-data" else {}
    ase.io.write(text, images if kind == "extxyz" else images[0], format=kind, **options)
    return text.getvalue().encode()


NAMES = {
    "a.xyz": "extxyz",
    "a.dump": "dump",
    "a.traj": "traj",
    "a.cif": "cif",
    "POSCAR": "vasp",
    "a.data": "lammps-data",
}


@pytest.mark.parametrize("pack", PACK)
@pytest.mark.parametrize("name", NAMES)
def test_compressed_files_under_their_names_and_under_others(tmp_path, name, pack):
    content = written(NAMES[name])
    packed = PACK[pack].compress(content)
    for place, inside in ((name, content), (f"{name}.{pack}", packed), (f"{pack}-{name}", packed)):
        (tmp_path / place).write_bytes(inside)
    plain = list(frames(tmp_path / name))
    assert plain
    assert list(frames(tmp_path / f"{name}.{pack}")) == plain
    assert list(frames(tmp_path / f"{pack}-{name}")) == plain


@pytest.mark.parametrize("name", ["a.xyz.gz", "a.cif.bz2"])
def test_a_name_of_a_compressed_file_on_one_that_is_not(tmp_path, name):
    (tmp_path / name).write_bytes(written("cif" if "cif" in name else "extxyz", 1))
    assert len(list(frames(tmp_path / name))) == 1


@pytest.mark.parametrize("kind", ["extxyz", "dump"])
def test_a_compressed_run_cut_off_keeps_its_whole_frames(tmp_path, kind):
    path = tmp_path / {"extxyz": "a.xyz.gz", "dump": "a.dump.gz"}[kind]
    packed = gzip.compress(written(kind))
    path.write_bytes(packed[: len(packed) * 2 // 3])
    kept = "the file ends before its compressed data do; 2 whole frames before it are kept"
    for name, count in ((str(path), 2), (f"{path}@-1", 1), (f"{path}@::-1", 2)):
        with pytest.warns(UserWarning, match=kept):
            assert [len(a) for a in frames(name)] == [864] * count
    counts = screen(path, tmp_path / "r.db", passes=8, workers=1, stride=12.0)
    assert (counts.recognised, counts.failed) == (2, 1)
    with ase.db.connect(tmp_path / "r.db") as database:
        (row,) = database.select("arise_status=failed")
    assert kept in row.arise_error


def test_a_compressed_run_cut_off_on_the_command_line(tmp_path):
    path = tmp_path / "a.xyz.gz"
    packed = gzip.compress(written("extxyz"))
    path.write_bytes(packed[: len(packed) * 2 // 3])
    with pytest.warns(UserWarning, match="2 whole frames before it are kept"):
        done = CliRunner().invoke(app, ["classify", str(path), "--csv", "--passes", "8"])
    assert done.exit_code == 0, done.output
    assert "fcc" in done.stdout


def test_a_compressed_run_cut_off_between_two_frames(tmp_path):
    path = tmp_path / "a.xyz.gz"
    stream = io.BytesIO()
    with gzip.GzipFile(fileobj=stream, mode="wb") as file:
        file.write(written("extxyz", 2))
        file.flush()
        path.write_bytes(stream.getvalue())  # all of two frames, and no end
    with pytest.warns(UserWarning, match="the file ends before its compressed data do; 2 whole frames"):
        assert len(list(frames(path))) == 2


@pytest.mark.parametrize("pack", PACK)
@pytest.mark.parametrize("name", ["a.xyz", "a.cif"])
def test_damaged_and_cut_compressed_files_are_refused_in_a_line(tmp_path, name, pack):
    path = tmp_path / f"{name}.{pack}"
    packed = bytearray(PACK[pack].compress(written(NAMES[name], 1)))
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(InputError, match="the file ends before its compressed data do"):
        list(frames(path))
    packed[-5 if pack == "gz" else 20] ^= 0xFF  # of a checksum
    path.write_bytes(packed)
    with pytest.raises(InputError, match=f"{name}.{pack}'.* cannot be read: .+") as caught:
        list(frames(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("name", [n for n in NAMES if n != "a.traj"])
def test_text_of_other_encodings_with_a_mark(tmp_path, name, encoding):
    content = written(NAMES[name], 2)
    for place, bytes_ in ((name, content), (f"{encoding}-{name}", content.decode().encode(encoding))):
        (tmp_path / place).write_bytes(bytes_)
    plain = list(frames(tmp_path / name))
    assert plain
    assert list(frames(tmp_path / f"{encoding}-{name}")) == plain


def test_a_compressed_cif_file_that_leaves_its_operations_out_is_refused(tmp_path):
    text = (
        "data_x\n_cell_length_a 4\n_cell_length_b 4\n_cell_length_c 4\n_cell_angle_alpha 90\n_cell_angle_beta 90\n"
        "_cell_angle_gamma 90\n_space_group_name_H-M_ref 'F m -3 m of old'\nloop_\n_atom_site_label\n"
        "_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\nCu 0 0 0\n"
    )
    for name, content in (("a.cif", text.encode()), ("a.cif.gz", gzip.compress(text.encode()))):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match="names a space group, but lists no symmetry operations"):
            list(frames(tmp_path / name))


# --- frames with nothing or too much in them ------------------------------------------------------------------------


def test_an_empty_frame_among_others_is_left_out(tmp_path):
    path = tmp_path / "a.xyz"
    one = written("extxyz", 1)
    path.write_bytes(one + b"0\n\n" + one)
    with pytest.warns(UserWarning, match="a.xyz': frame 1 holds no atoms and is left out"):
        assert [len(a) for a in frames(path)] == [864, 864]
    counts = screen(path, tmp_path / "r.db", passes=8, workers=1, stride=12.0)
    assert (counts.recognised, counts.failed) == (2, 1)
    path.write_text("0\n\n")
    with (
        pytest.raises(InputError, match="holds no structure"),
        pytest.warns(UserWarning, match="frame 0 holds no atoms"),
    ):
        list(frames(path))


def test_a_dump_with_more_lines_than_it_announces_is_refused(tmp_path):
    path = tmp_path / "a.dump"
    one = dump(copper())
    path.write_text(one + one + "1 1 0 0 0\n" + one)
    with pytest.raises(InputError, match="frame 1 has 865 lines of atoms, but announces 864 atoms"):
        list(frames(path))
    assert [len(a) for a in frames(f"{path}@0")] == [864]
    counts = screen(path, tmp_path / "r.db", passes=8, workers=1, stride=12.0)
    assert (counts.recognised, counts.failed) == (2, 1)
    path.write_text(one.replace("ITEM: NUMBER OF ATOMS\n864\n", "ITEM: NUMBER OF ATOMS\nmany\n"))
    with pytest.raises(InputError, match="frame 0 does not say how many atoms it has"):
        list(frames(path))


def test_half_a_frame_in_the_midst_of_a_dump_is_left_out(tmp_path):
    """As a restart leaves it that appends to the dump of a killed run."""
    path = tmp_path / "a.dump"
    one = dump(copper())
    half = "\n".join(one.split("\n")[:200]) + "\n"
    path.write_text(one + half + one)
    with pytest.warns(UserWarning, match="frame 1 has 191 of its 864 atoms only"):
        assert [len(a) for a in frames(path)] == [864, 864]
