"""Types, names and masses: different types are different species, and what was assumed is said."""

import re

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from typer.testing import CliRunner

import ase_arise
from arise_cli.main import app
from arise_core.crystals.species import Kind, assign, element_of_name, parse_types
from arise_core.errors import InputError
from ase_arise import from_atoms
from ase_arise.convert import frames, to_material
from ase_arise.species import with_elements
from benchmarks.robustness.structure_files import dump
from ovito_arise import AriseModifier
from tests.robustness.doors import through_ase, through_command_line, through_ovito


def lammps_data(path, masses, n=3, a=1.29):
    """B2 in reduced units, as LAMMPS writes it."""
    p = np.stack(np.meshgrid(*[np.arange(n)] * 3, indexing="ij"), -1).reshape(-1, 3) * a
    x, kinds = np.concatenate([p, p + a / 2]), np.repeat([1, 2], len(p))
    text = f"LJ\n\n{len(x)} atoms\n2 atom types\n\n" + "".join(f"0 {n * a} {k}lo {k}hi\n" for k in "xyz")
    if masses:
        text += "\nMasses\n\n" + "".join(f"{k} {m}\n" for k, m in enumerate(masses, 1))
    rows = "".join(
        f"{k} {t} {r[0]:.6f} {r[1]:.6f} {r[2]:.6f}\n"
        for k, (t, r) in enumerate(zip(kinds, x, strict=True), 1)
    )
    path.write_text(f"{text}\nAtoms # atomic\n\n{rows}")
    return path


def said(*kinds, types=""):
    found = assign(kinds, parse_types(types))
    return found.numbers.tolist(), found.notes


# --- the mechanism --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("Cu", 29), ("CU", 29), ("cu", 29), ("D", 1), ("T", 1), ("Mg2+", 12), ("Fe3", 26), ("Cu_1", 29), ("O1-", 8),
        ("O-2", 8), ("Si4+", 14), ("Zr(4+)", 40), ("Na_pv", 11), ("18O", 8), ("Cl-", 17), ("OW", 8), ("HW1", 1),
        ("MW", 0), ("X", 0), ("Bq", 0), ("EP", 0), ("A", None), ("water", None), ("1", None), ("", None), ("Qq", None),
    ],
)  # fmt: skip
def test_names(name, number):
    assert element_of_name(name) == number


@pytest.mark.parametrize("masses", [(1.0, 1.0), (1.0, 2.0), (58.69, 58.69), (61.0, 61.0), (0.0, 0.0)])
def test_masses_that_tell_nothing(masses):
    numbers, notes = said(*(Kind(str(k), "", m) for k, m in enumerate(masses, 1)))
    assert len(set(numbers)) == 2
    assert 1 not in numbers
    assert "taken as different species" in notes[0]
    assert "1=Cu, 2=Zr" in notes[0]


@pytest.mark.parametrize(
    ("masses", "expected"),
    [
        ((15.999, 1.008), [8, 1]),
        ((12.0, 1.0), [6, 1]),
        ((1.008, 2.014), [1, 1]),
        ((15.999, 1.008, 0.1), [8, 1, 0]),
    ],
)
def test_masses_that_are_believed(masses, expected):
    numbers, notes = said(*(Kind(str(k), "", m) for k, m in enumerate(masses, 1)))
    assert numbers == expected
    assert [("left out" in n) for n in notes] == [True] * (0 in expected)


def test_letters_are_labels_among_labels():
    assert len(set(said(*(Kind("", n) for n in "ABDX"))[0])) == 4
    assert said(Kind("", "Cu"), Kind("", "X"))[0] == [29, 0]
    assert said(Kind("", "O"), Kind("", "H"), Kind("", "M"))[0] == [8, 1, 0]
    assert said(Kind("", "X"))[0] != [0]
    assert said(Kind("", "O"), Kind("", "D"))[0] == [8, 1]


def test_the_user_says_what_types_are():
    assert said(Kind("1", "", 1.0), Kind("2", "A"), types="1=Cu, A=D")[0] == [29, 1]
    assert said(Kind("1"), Kind("2"), types="*: Cu") == ([29, 29], ())
    assert said(Kind("1", "Cu"), Kind("2", "Zn"), types={2: "none"}) == ([29, 0], ())
    numbers, notes = said(Kind("1"), Kind("2"), types="1=Ni,3=Al")  # 3 for 2, it seems
    assert numbers == [28, 18]
    assert "type 2 tells no element" in notes[0]
    assert notes[0].endswith("it names type 3 too, and there is no such type")
    assert said(Kind("1"), Kind("2"), types="1=Ni,2=Al,3=Cu") == ([28, 13], ())  # for other files, perhaps
    assert parse_types({1: "Cu", "A": "X"}) == {"1": "Cu", "A": "X"}
    assert parse_types(None) == parse_types("") == {}
    for wrong in ("Cu", "1=", "=Cu", "1=Qq", {1: "Xyz"}):
        with pytest.raises(InputError, match="`--types`"):
            parse_types(wrong, "--types")


def test_more_types_than_elements():
    with pytest.raises(InputError, match="types tell no element"):
        assign([Kind(str(k)) for k in range(150)], {})


# --- through the doors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("masses", [(), (1.0, 1.0), (58.693, 58.693)])
def test_two_types_are_two_species(tmp_path, model, masses):
    path = lammps_data(tmp_path / "b2.lammps-data", masses)
    atoms = ase.io.read(path, format="lammps-data")
    before = atoms.copy()
    doors = [
        through_ase(atoms),
        through_command_line(_as_extxyz(tmp_path, atoms)),
        through_ovito(path, model),
    ]
    for door in doors:
        assert door.label == "CsCl"
        assert not door.rejected
        assert "tell no elements: taken as different species" in door.notes
    assert atoms == before
    assert "--types" in doors[1].notes
    assert "types_to_elements" in doors[2].notes


def test_types_that_the_user_maps(tmp_path, model):
    path = lammps_data(tmp_path / "b2.lammps-data", (1.0, 1.0))
    atoms = ase.io.read(path, format="lammps-data")
    given = _as_extxyz(tmp_path, atoms)
    doors = [
        through_ase(atoms, types={1: "Cu", 2: "Cu"}),
        through_command_line(given, "--types", "1=Cu,2=Cu"),
        through_ovito(path, model, types_to_elements="1=Cu, 2=Cu"),
    ]
    assert [d.label for d in doors] == ["bcc_W_A_cI2_229_a"] * 3
    assert not [d for d in doors if "tell" in d.notes]
    assert from_atoms(atoms, types="2=X").numbers.tolist() == [18] * 27
    wrong = CliRunner().invoke(app, ["classify", str(given), "--types", "1=Qq"])
    assert wrong.exit_code != 0


def _as_extxyz(folder, atoms):
    """As ASE writes it: with types and masses beside symbols that are no more than guesses."""
    ase.io.write(folder / "b2.xyz", atoms)
    return folder / "b2.xyz"


NAMED = {
    "isotopes and charges": ("Mg2+", "O2-", "RockSalt_NaCl", ""),
    "labels": ("Na_1", "Cl1", "RockSalt_NaCl", ""),
    "letters": ("A", "B", "RockSalt_NaCl", "tells no element"),
    "letters only": ("A", "G", "RockSalt_NaCl", "taken as different species"),
    "numbers": ("1", "2", "RockSalt_NaCl", "tell no elements"),
    "deuterium": ("Li", "D", "RockSalt_NaCl", ""),
}


@pytest.mark.parametrize("case", NAMED)
def test_names_in_files(tmp_path, model, case):
    first, second, label, note = NAMED[case]
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    path = tmp_path / "named.xyz"
    ase.io.write(path, atoms)
    text = path.read_text()
    lines = [
        line.replace("Na ", f"{first} ", 1).replace("Cl ", f"{second} ", 1) if k > 1 else line
        for k, line in enumerate(text.splitlines())
    ]
    path.write_text("\n".join(lines) + "\n")
    (read,) = frames(str(path))
    for door in (through_ase(read), through_command_line(path), through_ovito(path, model)):
        assert door.label == label
        assert note in door.notes
        assert bool(note) == ("tell" in door.notes)


def test_frames_of_named_files_keep_order_and_index(tmp_path):
    one = '2\nLattice="9 0 0 0 9 0 0 0 9" Properties=pos:R:3:species:S:1 energy={}\n0 0 0 D\n{} 0 0 A1\n'
    (tmp_path / "a.xyz").write_text("".join(one.format(k, 2 + k) for k in range(3)))
    found = list(frames(str(tmp_path / "a.xyz")))
    assert [a.positions[1, 0] for a in found] == [2, 3, 4]
    assert [a.positions[1, 0] for a in frames(f"{tmp_path / 'a.xyz'}@-1:")] == [4]
    assert [a.get_potential_energy() for a in found] == [0, 1, 2]
    counts = ase_arise.screen(tmp_path / "a.xyz", tmp_path / "out.db", workers=1, passes=4)
    assert (counts.recognised, counts.failed) == (3, 0)


def test_symbols_are_believed():
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    atoms.arrays["type"] = np.arange(8)  # of something else
    assert to_material(atoms).notes == ()
    assert (from_atoms(atoms).numbers == atoms.numbers).all()
    assert (from_atoms(atoms, types={"Na": "K"}).numbers == np.where(atoms.numbers == 11, 19, 17)).all()


def test_particles_of_a_colloid(tmp_path, model):
    """GSD: one type A, nothing else known."""
    from ovito.io import export_file

    from tests.ovito.helpers import collection, pipeline_of

    atoms = bulk("Cu", cubic=True, a=1.55) * (3, 3, 3)
    data = collection(from_atoms(atoms), named=False)
    data.particles_.particle_types_.types_[0].name = "A"
    export_file(pipeline_of(data), str(tmp_path / "a.gsd"), "gsd/hoomd")
    for door in (
        through_ovito(tmp_path / "a.gsd", model), through_command_line(tmp_path / "a.gsd", "--reader", "ovito"),
    ):  # fmt: skip
        assert (door.label, door.rejected) == ("fcc_Cu_A_cF4_225_a", False)
        assert "tells no element" in door.notes


# --- what is written -------------------------------------------------------------------------------------------------


@pytest.fixture
def numbered(tmp_path):
    """A LAMMPS dump of types; ASE takes their numbers for those of elements: H and He."""
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True) * (2, 2, 2)
    lines = dump(atoms).replace("id element x", "id type x").splitlines()
    path = tmp_path / "types.dump"
    path.write_text("".join(f"{line}\n".replace(" Na ", " 1 ").replace(" Cl ", " 2 ") for line in lines))
    assert set(ase.io.read(path, format="lammps-dump-text").symbols) == {"H", "He"}
    return path


WRITTEN = {"1=Mg,2=O": {"Mg", "O"}, "1=Mg,2=X": {"Mg", "X"}, "": {"Ar", "Kr"}}


@pytest.mark.parametrize("types", WRITTEN)
@pytest.mark.parametrize("reader", ["ase", "ovito"])
@pytest.mark.parametrize("command", ["map", "explore"])
def test_written_files_have_the_elements_that_were_used(numbered, tmp_path, command, reader, types):
    words = ["--types", types, "--reader", reader, "--box-size", "10", "--stride", "5", "--passes", "4"]
    words += ["--min-atoms", "10"] + ["--no-embed", "--min-cluster-size", "5"] * (command == "explore")
    out = tmp_path / "out.xyz"
    done = CliRunner().invoke(app, [command, str(numbered), "--atoms", str(out), *words])
    assert done.exit_code == 0, done.output
    (written,) = frames(str(out))
    assert set(written.symbols) == WRITTEN[types]
    read = ase.io.read(numbered, format="lammps-dump-text")
    assert np.abs(written.positions - read.positions).max() < 1e-6
    assert ("tell no elements" in done.stderr) == (types == "")
    # and they are those that the file has for its next reader
    assert set(from_atoms(written).numbers) == set(written.numbers) - {0}


def test_databases_and_annotated_files_have_the_elements_that_were_used(numbered, tmp_path):
    ase_arise.screen(numbered, tmp_path / "out.db", types="1=Mg,2=O", workers=1, passes=4)
    (row,) = ase_arise.read(tmp_path / "out.db")
    (annotated,) = ase_arise.annotate(str(numbered), types="1=Mg,2=O", passes=4, mode="whole")
    assert row.get_chemical_formula() == annotated.get_chemical_formula() == "Mg32O32"


def test_atoms_of_a_user_keep_their_numbers(numbered):
    atoms = ase.io.read(numbered, format="lammps-dump-text")
    before = atoms.numbers.copy()
    assert ase_arise.annotate(atoms, types="1=Mg,2=O", passes=4, mode="whole") is atoms
    assert (atoms.numbers == before).all()


def test_what_is_left_out_keeps_its_symbol_and_results_stay():
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    atoms.calc = SinglePointCalculator(atoms, energy=-1.0)
    assert with_elements(atoms, to_material(atoms, types="Cl=X")) is atoms
    changed = with_elements(atoms, to_material(atoms, types="Na=K, Cl=X"))
    assert changed.get_chemical_formula() == "Cl4K4"
    assert changed.get_potential_energy() == -1.0
    assert atoms.get_chemical_formula() == "Cl4Na4"


def test_symbols_that_were_set_since_are_believed_before_names():
    atoms = Atoms("X2", [(0, 0, 0), (3, 0, 0)])
    atoms.arrays["species_names"] = np.array(["A", "G"])
    assert "taken as different species" in to_material(atoms).notes[0]
    atoms.symbols = ["Cu", "Zn"]
    assert to_material(atoms).notes == ()
    assert from_atoms(atoms).numbers.tolist() == [29, 30]


# --- sites without mass ---------------------------------------------------------------------------------------------


def with_dummies():
    atoms = bulk("Cu", cubic=True) * (2, 2, 2)
    return atoms + Atoms("X4", atoms.positions[:4] + [0.5, 0.6, 0.7])


def test_sites_without_mass_are_left_out(tmp_path, model):
    atoms = with_dummies()
    ase.io.write(tmp_path / "x.xyz", atoms)
    doors = [
        through_ase(atoms), through_command_line(tmp_path / "x.xyz"), through_ovito(tmp_path / "x.xyz", model),
    ]  # fmt: skip
    for door in doors:
        assert (door.label, door.rejected) == ("fcc_Cu_A_cF4_225_a", False)
        assert "left out as sites without mass" in door.notes


def test_atoms_that_are_left_out_have_no_label():
    done = ase_arise.annotate(with_dummies(), copy=True, mode="whole", passes=4)
    assert (done.arrays["arise_label"][:32] == "fcc").all()
    assert (done.arrays["arise_label"][32:] == "none").all()
    assert np.isnan(done.arrays["arise_confidence"][32:]).all()
    assert not done.arrays["arise_rejected"][32:].any()
    again = ase_arise.annotate(done[:32], mode="whole", passes=4)
    assert "arise_notes" not in again.info


def test_left_out_particles_are_other_in_ovito(tmp_path):
    from ovito.io import import_file

    ase.io.write(tmp_path / "x.xyz", with_dummies())
    pipeline = import_file(str(tmp_path / "x.xyz"))
    pipeline.modifiers.append(AriseModifier(automatic_box=True, passes=4, tolerance=0.0))
    types = np.asarray(pipeline.compute().particles["Structure Type"])
    assert (types[32:] == 0).all()
    assert (types[:32] > 0).all()


# --- occupancies ----------------------------------------------------------------------------------------------------


def test_occupancies_of_extended_xyz_are_refused_everywhere(tmp_path, model):
    atoms = bulk("Cu", cubic=True)
    atoms.arrays["occupancy"] = np.array([1.0, 1.0, 1.0, 0.5])
    ase.io.write(tmp_path / "o.xyz", atoms)
    with pytest.raises(InputError, match="partly occupied"):
        through_ase(ase.io.read(tmp_path / "o.xyz"))
    done = CliRunner().invoke(app, ["classify", str(tmp_path / "o.xyz")])
    assert done.exit_code == 1
    assert "partly occupied" in done.output
    with pytest.raises(InputError, match="`occupancy` says that particles are partly occupied"):
        through_ovito(tmp_path / "o.xyz", model)


def test_a_cif_whose_symmetry_ovito_does_not_know(tmp_path, model):
    ase.io.write(tmp_path / "whole.cif", bulk("Cu", cubic=True))  # lists the operations of P 1
    assert through_ovito(tmp_path / "whole.cif", model).label == "fcc_Cu_A_cF4_225_a"
    from tests.conftest import cif

    (tmp_path / "group.cif").write_text(cif("Cu1 Cu 0 0 0 1"))
    with pytest.raises(InputError, match="lists no symmetry operations, and OVITO has 1 of its 4 atoms"):
        through_ovito(tmp_path / "group.cif", model)
    assert through_command_line(tmp_path / "group.cif").label == "fcc_Cu_A_cF4_225_a"


@pytest.mark.parametrize(
    ("types", "message"),
    [
        ("Cu=Ni,Cu=Al", "two entries for 'Cu'"),
        ({1: None}, "got None for '1'"),
        (5, "must be a mapping or a text"),
    ],
)
def test_types_that_say_nothing(types, message):
    with pytest.raises((InputError, TypeError), match=message):
        parse_types(types)


def test_types_that_are_not_there_are_refused():
    with pytest.raises(InputError, match="`types` names type 7, and there is no such type: here is type 1"):
        said(Kind("1", "Cu"), types="7=Ni")
    assert said(Kind("1"), types="1=Cu, 7=Ni") == ([29], ())
    assert assign([Kind("1", "Cu")], {"7": "Ni"}, known=("7",)).numbers.tolist() == [29]


def test_types_that_are_not_in_a_file(tmp_path, model):
    path = lammps_data(tmp_path / "b2.data", (1.0, 1.0))
    shown = r"3 and Cu, and there is no such type: here are types 1 \(.*mass 1\) and 2 \(.*mass 1\)"
    (atoms,) = frames(str(path))
    with pytest.raises(InputError, match=f"`types` names types {shown}"):
        through_ase(atoms, types="3=Cu, Cu=Ni")
    with pytest.raises(InputError, match=f"`types_to_elements` names types {shown}"):
        through_ovito(path, model, types_to_elements="3=Cu, Cu=Ni")
    for reader in ("ase", "ovito"):
        done = CliRunner().invoke(app, ["classify", str(path), "--types", "3=Cu,Cu=Ni", "--reader", reader])
        assert done.exit_code == 1
        assert re.search(f"`--types` names types {shown}", done.stderr), done.stderr


@pytest.mark.parametrize("masses", [(), (1.0, 1.0), (58.693, 35.45)])
def test_types_act_on_files_that_ovito_reads(tmp_path, masses):
    path = lammps_data(tmp_path / "b2.data", masses)
    by_ovito = ("--reader", "ovito")
    plain = through_command_line(path, *by_ovito)
    assert plain.label == "CsCl"
    assert ("tell no elements" in plain.notes) == (58.693 not in masses)
    mapped = through_command_line(path, *by_ovito, "--types", "1=Cu,2=Cu")
    assert (mapped.label, "tell" in mapped.notes) == ("bcc_W_A_cI2_229_a", False)
    left = CliRunner().invoke(
        app, ["classify", str(path), "--csv", "--passes", "4", "--types", "2=X", *by_ovito]
    )
    assert ",27," in left.stdout
