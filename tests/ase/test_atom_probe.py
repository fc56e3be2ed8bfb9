"""Atom probes and tomography by way of ASE and the command line: what comes in, and what is said of it."""

from __future__ import annotations

import gzip
import json

import ase.db
import numpy as np
import pytest
from ase.build import bulk

from arise_cli.readers import chosen_reader
from arise_core.crystals.ion_ranges import read_ranges
from arise_core.errors import InputError, InputTypeError, MissingFileError
from arise_core.model.zoo import load_model
from ase_arise import read_atom_probe, screen, trajectory
from ase_arise.convert import frames
from ase_arise.reading import Reader
from tests.cli.conftest import arise  # noqa: F401 - a fixture
from tests.crystals.made_probe import RRNG, tip, write_apt, write_pos

FAST = ("--passes", "20")


@pytest.fixture
def folder(tmp_path):
    """A reconstruction in which nothing is in doubt, and its ranges."""
    positions, masses = tip()
    masses = np.where(np.arange(len(masses)) % 4 == 0, 27.0, 58.0)
    write_pos(tmp_path / "tip.pos", positions, masses)
    (tmp_path / "tip.rrng").write_text(RRNG, encoding="utf-8")
    return tmp_path


def test_atoms_of_a_reconstruction(folder):
    positions, masses = tip()
    for path in (
        write_pos(folder / "tip.epos", positions, masses),
        write_apt(folder / "tip.apt", positions, masses),
    ):
        with pytest.warns(UserWarning, match="ions") as said:
            atoms = read_atom_probe(path, folder / "tip.rrng")
        assert [str(w.message).split(" ions")[0] for w in said] == [
            f"file {str(path)!r}: 10 of 500", f"file {str(path)!r}: 5 of 500"
        ]  # fmt: skip
        assert np.allclose(atoms.positions, positions[masses != 35], atol=1e-5)
        assert atoms.symbols.formula.count() == {"Al": 120, "Ni": 370}
        assert not atoms.pbc.any()
        assert not atoms.cell.any()


def test_it_is_the_same_compressed_or_from_ranges_that_were_read(folder):
    (folder / "b.pos.gz").write_bytes(gzip.compress((folder / "tip.pos").read_bytes()))
    one = read_atom_probe(folder / "tip.pos", folder / "tip.rrng")
    other = read_atom_probe(folder / "b.pos.gz", read_ranges(folder / "tip.rrng"))
    assert one == other
    (folder / "b.pos.gz").write_bytes(gzip.compress((folder / "tip.pos").read_bytes())[:-40])
    with pytest.raises(InputError, match="ends before its compressed data do"):
        read_atom_probe(folder / "b.pos.gz", folder / "tip.rrng")


def test_what_is_refused(folder):
    with pytest.raises(InputTypeError, match="`ranges`"):
        read_atom_probe(folder / "tip.pos", 5)
    with pytest.raises(MissingFileError):
        read_atom_probe(folder / "none.pos", folder / "tip.rrng")
    with pytest.raises(InputError, match="`--ranges FILE`"):
        list(frames(folder / "tip.pos"))
    with pytest.raises(InputTypeError, match="`ranges`"):
        Reader(ranges=str(folder / "tip.rrng"))


def test_command_line_classifies_and_maps(arise, folder):  # noqa: F811
    tip_, ranges = folder / "tip.pos", folder / "tip.rrng"
    code, out, err = arise("classify", tip_, "--ranges", ranges, "--json", *FAST)
    assert code == 0, err
    assert json.loads(out)[0]["label"] == "L1_2"
    code, out, err = arise("map", tip_, "--ranges", ranges, "--json", "--stride", "8", *FAST)
    assert code == 0, err
    assert json.loads(out)[0]["fractions"]["L1_2"] > 0.9
    positions, masses = tip()
    masses[masses == 43] = 27
    write_pos(tip_, positions, masses)
    with pytest.warns(UserWarning, match=r"10 of 500 ions \(2\.0 %\) lie in no range"):
        code, out, err = arise("classify", tip_, "--ranges", ranges, *FAST)
    assert code == 0


def test_command_line_says_what_is_missing(arise, folder):  # noqa: F811
    for command in ("classify", "map", "similarity"):
        code, _, err = arise(command, folder / "tip.pos", *(FAST if command != "similarity" else ()))
        assert code == 1
        assert "`--ranges FILE`" in err
    code, _, err = arise("classify", folder / "tip.pos", "--ranges", folder / "none.rrng", *FAST)
    assert code == 1
    assert "`--ranges`" in err
    (folder / "bad.rrng").write_text(RRNG.replace("26,9 27,1", "26.9 60"), encoding="utf-8")
    code, _, err = arise("map", folder / "tip.pos", "--ranges", folder / "bad.rrng", *FAST)
    assert code == 1
    assert "overlap" in err


def test_a_series_of_reconstructions_and_a_folder(folder):
    reader = chosen_reader("auto", "", str(folder / "tip.rrng"))
    run = trajectory(
        folder / "tip.pos",
        folder / "run.zarr",
        reader=reader,
        mode="whole",
        passes=20,
        workers=1,
    )
    (row,) = run.rows()
    assert row.n_atoms == 500
    assert row.share.argmax() == load_model("arise-108").class_info.find("L1_2")
    assert reader.facts() == {"ranges": reader.ranges.key}
    screen(folder, folder / "out.db", pattern="*.pos", reader=reader, mode="whole", passes=20, workers=1)
    with ase.db.connect(folder / "out.db") as found:
        assert [row.arise_label for row in found.select()] == ["L1_2"]


# --- atomic electron tomography ---------------------------------------------------------------------------


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "comment", ["", "FePt, 3 atoms, r = 2 Å = 0.2 nm", 'Atomic model of "particle 1"; a=3.85; error=0.1']
)
@pytest.mark.parametrize(
    "row", ["{} {:.4f} {:.4f} {:.4f}", "  {}\t{:.4f}\t{:.4f}\t{:.4f} ", "{} {:.4f} {:.4f} {:.4f} 0.93"]
)
def test_xyz_files_with_names_of_elements(row, comment, ends, tmp_path):
    atoms = bulk("Pt", cubic=True) * 2
    atoms.symbols[::2] = "Fe"
    rows = [row.format(s, *p) for s, p in zip(atoms.symbols, atoms.positions, strict=True)]
    path = tmp_path / "particle.xyz"
    path.write_bytes(ends.join([str(len(rows)), comment, *rows, ""]).encode("utf-8"))
    (found,) = frames(path)
    assert list(found.symbols) == list(atoms.symbols)
    assert np.allclose(found.positions, atoms.positions, atol=1e-4)
    assert not found.pbc.any()


def test_xyz_files_with_numbers_of_types(arise, tmp_path):  # noqa: F811
    atoms = bulk("Pt", cubic=True) * 3
    rows = [f"{1 + k % 2} {p[0]:.4f} {p[1]:.4f} {p[2]:.4f}" for k, p in enumerate(atoms.positions)]
    path = tmp_path / "particle.xyz"
    path.write_text("\n".join([str(len(rows)), "types", *rows, ""]), encoding="utf-8")
    code, out, err = arise("classify", path, "--types", "1=Fe,2=Pt", "--json", *FAST)
    assert code == 0, err
    assert json.loads(out)[0]["formula"] == "Fe54Pt54"
