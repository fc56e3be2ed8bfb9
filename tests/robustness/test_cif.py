"""CIF files as programs write them: groups that readers do not look at, names that are no elements, unknown shares."""

import pytest
from ovito.io import import_file
from typer.testing import CliRunner

from arise_cli.main import app
from arise_core.errors import InputError
from ase_arise import classify
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
