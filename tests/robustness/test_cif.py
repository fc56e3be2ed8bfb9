"""CIF files as programs write them: groups that readers do not look at, names that are no elements, unknown shares,
thousands of atoms."""

import ase.io
import pytest
from ase import Atoms
from ase.build import bulk
from ovito.io import import_file
from typer.testing import CliRunner

from arise_cli.main import app
from arise_core.errors import InputError
from ase_arise import classify
from ase_arise.large_cif import read_large
from ase_arise.reading import Reader, read_frames
from ovito_arise import AriseModifier
from tests.robustness.doors import through_command_line

CELL = """data_x
_cell_length_a 4.05
_cell_length_b 4.05
_cell_length_c 4.05
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
"""
SITES = """loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
"""
#: Groups that ASE's reader does not look at: it has one atom of four.
HIDDEN = (
    "_symmetry_space_group_name_Hall '-F 4 2 3'",
    "_space_group_name_Hall '-F 4 2 3'",
    "_space_group_name_H-M_ref 'F m -3 m'",
)


@pytest.fixture(params=HIDDEN)
def hidden(request, tmp_path):
    path = tmp_path / "hall.cif"
    path.write_text(f"{CELL}{request.param}\n{SITES}Al1 Al 0 0 0\n")
    return path


def test_a_group_without_operations_is_refused_by_ase(hidden):
    with pytest.raises(InputError, match="lists no symmetry operations"):
        classify(str(hidden))


def test_a_group_without_operations_is_refused_by_ovito(hidden):
    pipeline = import_file(str(hidden))
    pipeline.modifiers.append(AriseModifier())
    with pytest.raises(InputError, match="lists no symmetry operations, and OVITO has 1 of its atoms"):
        pipeline.compute()


def test_a_group_without_operations_is_refused_by_both_readers(tmp_path):
    """ASE cannot read the names; OVITO could, and would have one atom of four of each."""
    path = tmp_path / "labels.cif"
    sites = SITES.replace("_atom_site_type_symbol\n", "")
    path.write_text(f"{CELL}_symmetry_space_group_name_H-M 'F m -3 m'\n{sites}MG1 0 0 0\nOX1 0.5 0.5 0.5\n")
    done = CliRunner().invoke(app, ["classify", str(path)])
    assert done.exit_code == 1
    assert "lists no symmetry operations" in done.stderr


@pytest.mark.parametrize("share", ["?", "."])
def test_unknown_shares_are_full_sites(tmp_path, share):
    path = tmp_path / "shares.cif"
    columns = SITES + "_atom_site_occupancy\n"
    path.write_text(f"{CELL}_symmetry_space_group_name_H-M 'F m -3 m'\n{columns}Al1 Al 0 0 0 {share}\n")
    assert through_command_line(path).label == "fcc_Cu_A_cF4_225_a"
    assert classify(str(path), passes=16).names[0] == "fcc"


# --- large files ----------------------------------------------------------------------------------------------------


def test_large_files_are_read_as_ase_reads_them(tmp_path, monkeypatch):
    atoms = bulk("NaCl", "rocksalt", a=5.64) * (12, 12, 4)
    atoms.rattle(0.05, seed=1)
    ase.io.write(tmp_path / "large.cif", atoms)
    (found,) = read_large(str(tmp_path / "large.cif"))
    expected = ase.io.read(tmp_path / "large.cif")
    assert found == expected
    assert set(found.arrays) == set(expected.arrays)
    assert found.info["spacegroup"].no == expected.info["spacegroup"].no == 1
    # and ASE is not asked
    monkeypatch.setattr("ase_arise.reading.iread", None)
    for name in ("large.cif", "large.cif@-1"):
        (frame,) = read_frames(str(tmp_path / name), Reader())
        assert frame.atoms == expected


def test_crowds_at_one_place_are_refused_before_they_are_looked_at_one_by_one(tmp_path):
    path = tmp_path / "crowd.cif"
    ase.io.write(path, Atoms("Cu4000", cell=[20.0] * 3, pbc=True))
    done = CliRunner().invoke(app, ["classify", str(path), "--reader", "ase"])
    assert done.exit_code == 1
    assert "4,000 of 4,000 sites lie where others are" in done.stderr


def test_large_files_with_more_than_sites_are_left_to_ase(tmp_path):
    atoms = bulk("Cu", cubic=True) * (7, 7, 7)
    path = tmp_path / "file.cif"
    shared = atoms.copy()
    shared.positions[1] = shared.positions[0]
    for structure, change in (
        (shared, ("", "")),
        (atoms, ("  1.0000\n", "  0.5000\n")),
        (atoms, ("'x, y, z'", "'x, y, z'\n  '-x, -y, -z'")),
        (atoms, ("Cu  Cu9 ", "D   D9 ")),
    ):
        ase.io.write(path, structure)
        text = path.read_text()
        changed = text.replace(*change)
        assert changed != text or change == ("", "")
        path.write_text(changed)
        assert read_large(str(path)) is None
    ase.io.write(path, atoms)
    assert read_large(str(path)) is not None
    ase.io.write(path, bulk("Cu", cubic=True))
    assert read_large(str(path)) is None
