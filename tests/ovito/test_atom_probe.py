"""The file reader of OVITO for atom probes gives what ASE's door gives."""

from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint

import numpy as np
import pytest
from ovito.io import FileReaderInterface, import_file

from arise_core.errors import InputError
from ase_arise import read_atom_probe
from ovito_arise import AriseAtomProbeReader, AriseModifier
from ovito_arise.convert import to_atoms
from tests import ROOT
from tests.crystals.made_probe import RNG, RRNG, tip, write_apt, write_pos


@pytest.fixture
def folder(tmp_path):
    for suffix, write in ((".pos", write_pos), (".epos", write_pos), (".apt", write_apt)):
        write(tmp_path / f"tip{suffix}", *tip())
    (tmp_path / "other.rrng").write_text(RRNG, encoding="utf-8")
    return tmp_path


def test_ovito_finds_it_by_its_entry_point():
    points = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
    ((name, value),) = points["OVITO.FileReader"].items()
    loaded = EntryPoint(name, value, "OVITO.FileReader").load()
    assert loaded is AriseAtomProbeReader
    assert issubclass(loaded, FileReaderInterface)
    assert loaded.__module__ == "ovito_arise"
    loaded()


@pytest.mark.parametrize("suffix", [".pos", ".epos", ".apt"])
@pytest.mark.filterwarnings("ignore:file .* ions")
def test_the_same_atoms_as_through_ase(suffix, folder, capsys):
    path = folder / f"tip{suffix}"
    assert AriseAtomProbeReader.detect(str(path))
    pipeline = import_file(path, input_format=AriseAtomProbeReader, ranges=str(folder / "other.rrng"))
    data = pipeline.compute()
    atoms = read_atom_probe(path, folder / "other.rrng")
    structure = to_atoms(data, {}).material.structure
    assert np.array_equal(structure.numbers, atoms.numbers)
    assert np.allclose(structure.positions, atoms.positions)
    assert data.attributes["ARISE.ions.left_out"] == 10
    assert "10 of 500 ions (2.0 %) lie in no range" in capsys.readouterr().out


def test_ranges_beside_the_file_or_none(folder):
    path = folder / "tip.pos"
    with pytest.raises(InputError, match="Name its range file"):
        import_file(path, input_format=AriseAtomProbeReader).compute()
    (folder / "tip.rng").write_text(RNG, encoding="utf-8")
    data = import_file(path, input_format=AriseAtomProbeReader).compute()
    assert data.particles.count == 485  # this file knows no AlO


def test_it_leaves_other_files_alone(folder):
    for name, content in (
        ("a.pos", b"Cu\n1.0\n"),
        ("a.xyz", (folder / "tip.pos").read_bytes()),
        ("b.pos", b""),
    ):
        (folder / name).write_bytes(content)
        assert not AriseAtomProbeReader.detect(str(folder / name))
    assert not AriseAtomProbeReader.detect(str(folder / "none.pos"))


@pytest.mark.filterwarnings("ignore:file .* ions")
def test_the_modifier_takes_it(folder):
    pipeline = import_file(
        folder / "tip.pos", input_format=AriseAtomProbeReader, ranges=str(folder / "other.rrng")
    )
    pipeline.modifiers.append(AriseModifier(stride=8.0, passes=20))
    assert pipeline.compute().attributes["ARISE.fractions.L1_2"] > 0.9
