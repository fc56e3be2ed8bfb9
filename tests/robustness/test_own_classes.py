"""Crystals of own classes are read as all commands read structures."""

from pathlib import Path

import pytest

from arise_cli.training import _crystals
from arise_core.errors import InputError
from arise_core.training import edit_classes, folder
from arise_core.training.own_crystals import make_crystal
from tests.conftest import cif
from tests.robustness.test_types import lammps_data

NAMED = "2\nLattice='{a} 0 0 0 {a} 0 0 0 {a}' Properties=species:S:1:pos:R:3 pbc='T T T'\n{x} 0 0 0\n{y} {h} {h} {h}\n"


def two(path: Path, first: str, second: str) -> Path:
    path.write_text(NAMED.format(a=4.2, h=2.1, x=first, y=second).replace("'", '"'))
    return path


def test_names_charges_and_isotopes(tmp_path):
    read = _crystals("", "auto", "")
    assert read(two(tmp_path / "a.xyz", "Cs1+", "Cl-")).numbers.tolist() == [55, 17]
    assert read(two(tmp_path / "b.xyz", "Li", "D")).numbers.tolist() == [3, 1]
    crystal, source = make_crystal(two(tmp_path / "c.xyz", "Cs+", "Cl_1"), "mine", (), read)
    assert sorted(crystal.unit.numbers.tolist()) == [17, 55]
    assert source.file == "c.xyz"


def test_types_and_formats(tmp_path, capsys):
    path = lammps_data(tmp_path / "b2.what", (1.0, 1.0))
    assert set(_crystals("1=Cu,2=Zn", "ase", "")(path).numbers.tolist()) == {29, 30}
    assert "tell no elements" not in capsys.readouterr().err
    assert len(set(_crystals("", "ase", "lammps-data")(path).numbers.tolist())) == 2
    assert "taken as different species" in capsys.readouterr().err
    with pytest.raises(InputError, match="`--types` names type 7"):
        _crystals("7=Cu", "ase", "")(path)


def test_what_is_no_crystal_of_a_class(tmp_path):
    read = _crystals("", "auto", "")
    (tmp_path / "half.cif").write_text(cif("Pd1 Pd 0 0 0 1", "H1 H 0.5 0.5 0.5 0.02"))
    with pytest.raises(InputError, match="a class needs an ordered crystal"):
        read(tmp_path / "half.cif")
    two(tmp_path / "twice.xyz", "Cs", "Cl").write_text((tmp_path / "twice.xyz").read_text() * 2)
    with pytest.raises(InputError, match="must hold one structure, it holds 2"):
        read(tmp_path / "twice.xyz")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        read(tmp_path / "nothing.cif")


class Enough(Exception):
    pass


@pytest.mark.parametrize("command", ["add-class", "train-folder"])
def test_the_commands_read_so(command, tmp_path, monkeypatch):
    """Up to where the work begins."""
    from typer.testing import CliRunner

    from arise_cli.main import app

    seen = []

    def stop(path, name, known, read):
        seen.append(read(path).numbers.tolist())
        raise Enough

    monkeypatch.setattr(edit_classes, "make_crystal", stop)
    monkeypatch.setattr(folder, "make_crystal", stop)
    (tmp_path / "all").mkdir()
    for name in ("a.xyz", "b.xyz"):
        two(tmp_path / "all" / name, "A", "B1")
    given = tmp_path / "all" / ("a.xyz" if command == "add-class" else "")
    words = [command, str(given), "--out", str(tmp_path / "out"), "--types", "A=Cu,B1=Zn"]
    done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, Enough), done.output
    assert seen == [[29, 30]]
