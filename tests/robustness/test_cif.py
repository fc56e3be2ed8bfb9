"""CIF files as programs write them: groups that readers do not look at, names that are no elements, unknown shares,
thousands of atoms."""

import re

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io.cif import CIFBlock
from ovito.io import import_file
from typer.testing import CliRunner

from arise_cli.main import app
from arise_core.crystals import symmetric_cif
from arise_core.crystals.cif_sites import read_cif
from arise_core.crystals.standard import read_structure
from arise_core.crystals.symmetry import setting_operations, settings
from arise_core.errors import InputError
from ase_arise import classify
from ase_arise.convert import frames
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
#: Groups that ASE's reader does not look at, or takes for another setting: it has one atom of four.
HIDDEN = (
    "_symmetry_space_group_name_Hall '-F 4 2 3'",
    "_space_group_name_Hall '-F 4 2 3'",
    "_space_group_name_H-M_ref 'F m -3 m'",
    "_symmetry_space_group_name_H-M 'F m 3 m'",
)
#: Settings whose groups have another one: number, what names it.
SETTINGS = {
    14: ("H-M 'P 1 21/n 1'", "H-M 'P 21/n'", "Hall '-P 2yn'"),
    15: ("H-M 'I 1 2/a 1'", "Hall '-I 2ya'"),
    64: ("H-M 'C m c a'", "H-M 'C m c e'", "Hall '-C 2ac 2'"),
    62: ("H-M 'P b n m'", "Hall '-P 2c 2ab'"),
    166: ("H-M 'R -3 m :R'", "H-M 'R -3 m'", "Hall '-P 3* 2'"),
    227: ("H-M 'F d -3 m :2'", "H-M 'F d -3 m Z'", "Hall '-F 4vw 2vw 3'"),
}


@pytest.fixture(params=HIDDEN)
def hidden(request, tmp_path):
    path = tmp_path / "hall.cif"
    path.write_text(f"{CELL}{request.param}\n{SITES}Al1 Al 0 0 0\n")
    return path


def test_a_group_without_operations_has_all_atoms(hidden):
    (atoms,) = frames(str(hidden))
    assert len(atoms) == len(read_structure(hidden)) == 4
    assert through_command_line(hidden).label == "fcc_Cu_A_cF4_225_a"
    assert classify(str(hidden), passes=16).names[0] == "fcc"


def test_a_group_without_operations_is_refused_by_ovito(hidden):
    pipeline = import_file(str(hidden))
    pipeline.modifiers.append(AriseModifier())
    with pytest.raises(InputError, match="lists no symmetry operations, and OVITO has 1 of its 4 atoms"):
        pipeline.compute()


def general_site(path, setting, *names):
    """A file with one general site in a cell that the setting allows, and where its copies are."""
    rotations, translations = setting_operations(setting.hall)
    metric = np.diag([25.0, 36.0, 64.0]) + [[0, 1, 2], [1, 0, 3], [2, 3, 0]]
    metric = np.mean([r.T @ metric @ r for r in rotations], axis=0)
    lengths = np.sqrt(np.diag(metric))
    angles = [
        np.degrees(np.arccos(metric[i, j] / lengths[i] / lengths[j])) for i, j in ((1, 2), (0, 2), (0, 1))
    ]
    parts = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    cell = "".join(f"_cell_{n} {x:.6f}\n" for n, x in zip(parts, (*lengths, *angles), strict=True))
    site = np.array([0.0731, 0.1927, 0.3119])
    lines = "".join(f"{name}\n" for name in names)
    path.write_text(f"data_x\n{cell}{lines}{SITES}Cu1 Cu {' '.join(map(str, site))}\n")
    return rounded(rotations @ site + translations)


def rounded(fractional):
    return {tuple(p) for p in (np.round(fractional % 1, 4) % 1).tolist()}


@pytest.mark.parametrize("first", range(7))
def test_settings_by_their_symbols(tmp_path, first):
    """One general site in each setting of spglib's table, named in three ways."""
    path = tmp_path / "site.cif"
    for one in settings()[first::35]:
        label = f" :{one.choice}" if one.choice else ""
        for names in (
            (f"_symmetry_space_group_name_Hall '{one.symbol}'", "_symmetry_Int_Tables_number 1"),
            (f"_space_group_name_H-M_alt '{one.names[-1].strip()}{label}'", f"_space_group_IT_number {one.number}"),
            (f"_space_group_IT_number {one.number}", f"_space_group_IT_coordinate_system_code {one.choice or 'abc'}"),
        ):  # fmt: skip
            expected = general_site(path, one, *names)
            (atoms,) = frames(str(path))
            assert rounded(atoms.get_scaled_positions()) == expected, names
            assert len(atoms) == len(expected)


@pytest.mark.parametrize("number", SETTINGS)
def test_settings_that_are_not_the_first(tmp_path, number):
    hall = SETTINGS[number][-1].removeprefix("Hall ").strip("'")
    (one,) = [s for s in settings() if s.symbol == hall]
    for name in SETTINGS[number]:
        names = (f"_symmetry_space_group_name_{name}", f"_symmetry_Int_Tables_number {number}")
        expected = general_site(tmp_path / "site.cif", one, *names)
        (atoms,) = frames(str(tmp_path / "site.cif"))
        assert rounded(atoms.get_scaled_positions()) == expected, name


def test_diamond_with_its_origin_at_the_centre(tmp_path):
    path = tmp_path / "si.cif"
    cell = CELL.replace("4.05", "5.43")
    for name in ("H-M 'F d -3 m :2'", "Hall '-F 4vw 2vw 3'"):
        path.write_text(f"{cell}_symmetry_space_group_name_{name}\n{SITES}Si1 Si 0.125 0.125 0.125\n")
        assert through_command_line(path).label == "diam_C_A_cF8_227_a"
    path.write_text(f"{cell}_symmetry_space_group_name_H-M 'F d -3 m'\n{SITES}Si1 Si 0 0 0\n")
    with pytest.warns(UserWarning, match="does not say which setting of space group 227"):
        assert len(next(frames(str(path)))) == 8
    path.write_text(f"{cell}_symmetry_space_group_name_H-M 'F d -3 m :5'\n{SITES}Si1 Si 0 0 0\n")
    with pytest.raises(InputError, match="setting '5' of a space group that has 1, 2"):
        list(frames(str(path)))


def test_a_file_too_large_to_complete_is_refused(hidden, monkeypatch):
    """Rather than cut."""
    monkeypatch.setattr(symmetric_cif, "MOST", 250)
    with pytest.raises(InputError, match="lists no symmetry operations|invalid spacegroup"):
        list(frames(str(hidden)))


def test_a_group_that_nobody_knows_is_refused(tmp_path):
    path = tmp_path / "unknown.cif"
    path.write_text(f"{CELL}_space_group_name_Hall 'F 9 9 9'\n{SITES}Al1 Al 0 0 0\n")
    with pytest.raises(InputError, match="lists no symmetry operations"):
        classify(str(path))


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


# --- sites -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sites", "said"),
    [
        ("Cu1 Cu 0 0 1e118\nCu2 Cu 0 0.5 0.5", "site 0 is at"),
        ("Cu1 Cu 0 0 0\nCu2 Cu 0 0.5 123456789012345", "site 1 is at"),
        ("Cu1 Cu 0 0 0\nNi1 Ni 0 1 0", "lie at one place, and both are full"),
    ],
)
def test_sites_that_make_no_sense_are_refused(sites, said, tmp_path):
    path = tmp_path / "file.cif"
    lengths = "".join(f"_cell_length_{k} 3.6\n" for k in "abc")
    angles = "".join(f"_cell_angle_{k} 90\n" for k in ("alpha", "beta", "gamma"))
    columns = "".join(f"_atom_site_{k}\n" for k in ("label", "type_symbol", "fract_x", "fract_y", "fract_z"))
    path.write_text(
        f"data_x\n{lengths}{angles}_symmetry_space_group_name_H-M 'P 1'\nloop_\n{columns}{sites}\n"
    )
    done = CliRunner().invoke(app, ["classify", str(path), "--reader", "ase"])
    assert done.exit_code == 1
    assert said in done.stderr
    with pytest.raises(InputError, match=re.escape(said)):
        classify(str(path), passes=16)


def test_all_blocks_are_read_as_ase_reads_them(tmp_path):
    path = tmp_path / "blocks.cif"
    text = "".join(
        f"{CELL.replace('data_x', f'data_{k}')}_symmetry_space_group_name_H-M 'P 1'\n{SITES}{k}1 {k} 0 0 0\n"
        for k in ("Al", "Cu")
    )
    path.write_text(f"{text}data_without_structure\n_cell_length_a 3\n")
    expected = ase.io.read(path, ":")
    assert read_cif(str(path)) == expected
    for picked, chosen in (("", expected), ("@1", expected[1:]), ("@::-1", expected[::-1]), ("@5", [])):
        found = [frame.atoms for frame in read_frames(f"{path}{picked}", Reader()) if frame.atoms is not None]
        assert found == chosen


# --- large files ----------------------------------------------------------------------------------------------------


def test_large_files_are_read_as_ase_reads_them(tmp_path, monkeypatch):
    atoms = bulk("NaCl", "rocksalt", a=5.64) * (10, 9, 4)  # a few more sites than are left to ASE
    atoms.rattle(0.05, seed=1)
    ase.io.write(tmp_path / "large.cif", atoms)
    expected = ase.io.read(tmp_path / "large.cif")
    monkeypatch.setattr(CIFBlock, "get_atoms", None)  # which compares all sites
    (found,) = read_cif(str(tmp_path / "large.cif"))
    assert found == expected
    assert set(found.arrays) == set(expected.arrays)
    assert found.info["spacegroup"].no == expected.info["spacegroup"].no == 1
    for name in ("large.cif", "large.cif@-1"):
        (frame,) = read_frames(str(tmp_path / name), Reader())
        assert frame.atoms == expected


def test_crowds_at_one_place_are_refused_before_they_are_looked_at_one_by_one(tmp_path):
    path = tmp_path / "crowd.cif"
    ase.io.write(path, Atoms("Cu4000", cell=[20.0] * 3, pbc=True))
    done = CliRunner().invoke(app, ["classify", str(path), "--reader", "ase"])
    assert done.exit_code == 1
    assert "4,000 of 4,000 sites lie where others are" in done.stderr


def test_large_files_with_more_than_sites_are_left_to_ase(tmp_path, monkeypatch):
    by_ase = Atoms("H")
    monkeypatch.setattr(CIFBlock, "get_atoms", lambda _: by_ase)
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
        assert read_cif(str(path)) == [by_ase]
    ase.io.write(path, atoms)
    assert read_cif(str(path)) == [atoms]
    ase.io.write(path, bulk("Cu", cubic=True))
    assert read_cif(str(path)) == [by_ase]
