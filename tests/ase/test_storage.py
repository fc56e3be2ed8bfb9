"""Results survive files: extended XYZ with ASE alone, .traj and databases with the helpers."""

import ase.db
import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from arise_core.errors import FileError, InputError
from ase_arise import annotate, from_row, read, row_fields, write
from ase_arise.storage import ARRAYS, packed, without_password

INFO = (
    "arise_label", "arise_class", "arise_confidence", "arise_mutual_information", "arise_predictive_entropy",
    "arise_rejected", "arise_mode", "arise_fractions", "arise_model", "arise_reject_score",
    "arise_rejection_uncertainty",
)  # fmt: skip


@pytest.fixture(scope="module")
def annotated() -> list[Atoms]:
    """A whole structure with a calculator, a map, and one without a prediction."""
    whole = bulk("Cu", cubic=True)
    whole.calc = EMT()
    whole.get_forces()
    local = bulk("Cu", cubic=True) * (3, 3, 3)
    local.rattle(0.1, seed=2)
    few = Atoms("Cu2", [[0, 0, 0], [2.5, 0, 0]])
    annotate(whole, passes=20)
    annotate(local, passes=20, mode="local", stride=5.0, box_size=10.0)
    with pytest.warns(UserWarning, match="fewer than"):
        annotate(few, passes=20)
    return [whole, local, few]


def assert_same(found: Atoms, wanted: Atoms, digits: float = 0.0) -> None:
    for name in ARRAYS:
        a, b = found.arrays[name], wanted.arrays[name]
        assert a.dtype.kind == b.dtype.kind, name
        if a.dtype.kind == "f":
            np.testing.assert_allclose(a, b, rtol=0, atol=digits)
        else:
            assert (a == b).all()
    for name in INFO:
        a, b = found.info[name], wanted.info[name]
        assert a == b or (np.isnan(a) and np.isnan(b)), name


@pytest.mark.parametrize("suffix", ["xyz", "extxyz", "traj", "db"])
def test_round_trip(annotated, tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    write(path, annotated)
    found = read(path)
    assert len(found) == 3
    for a, b in zip(found, annotated, strict=True):
        assert_same(a, b, digits=1e-8 if "xyz" in suffix else 0.0)  # extended XYZ writes eight digits
        assert (a.numbers == b.numbers).all()
    assert found[0].get_potential_energy() == pytest.approx(annotated[0].get_potential_energy())
    assert all("arise_atoms" not in a.info for a in found)


def test_extended_xyz_needs_no_helper(annotated, tmp_path):
    ase.io.write(tmp_path / "a.xyz", annotated)
    for a, b in zip(ase.io.read(tmp_path / "a.xyz", ":"), annotated, strict=True):
        assert list(a.arrays["arise_label"]) == list(b.arrays["arise_label"])
        assert (a.arrays["arise_rejected"] == b.arrays["arise_rejected"]).all()
        assert a.info["arise_label"] == b.info["arise_label"]
        assert a.info["arise_fractions"] == b.info["arise_fractions"]


def test_results_of_the_structure_survive_a_plain_traj(annotated, tmp_path):
    ase.io.write(tmp_path / "a.traj", annotated)
    found = ase.io.read(tmp_path / "a.traj", ":")
    assert [a.info["arise_label"] for a in found] == ["fcc", "fcc", "none"]
    assert found[1].info["arise_fractions"] == annotated[1].info["arise_fractions"]


def test_rows_of_a_database_can_be_searched(annotated, tmp_path):
    with ase.db.connect(tmp_path / "a.db") as database:
        for atoms in annotated:
            database.write(atoms, **row_fields(atoms))
    database = ase.db.connect(tmp_path / "a.db")
    rows = list(database.select("arise_label=fcc,arise_mi<0.3,arise_rejected=False"))
    assert [row.id for row in rows] == [1, 2]
    assert_same(from_row(rows[1]), annotated[1])
    assert "arise_mi" not in database.get(3)  # NaN is left out


def test_append_keeps_what_is_there(annotated, tmp_path):
    for name in ("a.xyz", "a.traj", "a.db"):
        write(tmp_path / name, annotated[:1])
        write(tmp_path / name, annotated[1:2], append=True)
        assert [len(a) for a in read(tmp_path / name)] == [4, 108]
        write(tmp_path / name, annotated[:1])
        assert len(read(tmp_path / name)) == 1


def test_frames_are_picked(annotated, tmp_path):
    write(tmp_path / "a.traj", annotated)
    assert_same(read(f"{tmp_path}/a.traj@1")[0], annotated[1])


def test_packing_leaves_the_original_alone(annotated):
    copy = packed(annotated[0])
    assert set(ARRAYS) <= set(annotated[0].arrays)
    assert not set(ARRAYS) & set(copy.arrays)
    assert copy.calc is annotated[0].calc


def test_atoms_without_results_pass_through(tmp_path):
    for name in ("a.traj", "a.db"):
        write(tmp_path / name, bulk("Cu"))
        assert read(tmp_path / name)[0] == bulk("Cu")
    assert row_fields(bulk("Cu")) == {"key_value_pairs": {}, "data": {}}


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
    def two():
        yield bulk("Cu")
        raise KeyboardInterrupt

    for name in ("a.xyz", "a.traj", "a.db"):
        write(tmp_path / name, bulk("Fe"))
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path / name, two())
        assert [a.get_chemical_formula() for a in read(tmp_path / name)] == ["Fe"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.db", "a.traj", "a.xyz"]


def test_names_without_a_suffix_stand_for_formats_too(tmp_path):
    write(tmp_path / "POSCAR", bulk("Cu"))
    assert read(tmp_path / "POSCAR")[0].get_chemical_formula() == "Cu"


@pytest.mark.parametrize("name", ["a.foo", "a", "a.stru.part"])
def test_formats_that_nobody_writes_are_refused(tmp_path, name):
    with pytest.raises(InputError, match="stands for no format that ASE writes"):
        write(tmp_path / name, bulk("Cu"))
    assert list(tmp_path.iterdir()) == []


def test_what_a_writer_or_reader_refuses_names_the_file(tmp_path):
    with pytest.raises(FileError, match=r"a.cube' cannot be written: .*only store 1 Atoms"):
        write(tmp_path / "a.cube", [bulk("Cu"), bulk("Fe")])
    (tmp_path / "a.db").write_text("no database")
    for append in (True, False):
        with pytest.raises(FileError, match=r"a.db' cannot be (read|written)"):
            write(tmp_path / "a.db", bulk("Cu"), append=append) if append else read(tmp_path / "a.db")
    assert (tmp_path / "a.db").read_text() == "no database"
    with pytest.raises(FileError, match="cannot be made"):
        write(tmp_path / "a.db" / "b.traj", bulk("Cu"))


def test_errors_of_the_caller_s_generator_are_the_caller_s(tmp_path):
    def broken():
        yield bulk("Cu")
        raise KeyError("theirs")

    for name in ("a.xyz", "a.traj", "a.db"):
        with pytest.raises(KeyError, match="theirs"):
            write(tmp_path / name, broken())


def test_passwords_are_not_shown():
    assert without_password("mysql://me:secret@host:1/name") == "…@host:1/name"
    assert without_password("a@1.xyz") == "a@1.xyz"


def test_a_database_that_is_missing_is_not_made(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nope.db' does not exist"):
        read(tmp_path / "nope.db")
    assert list(tmp_path.iterdir()) == []
