"""ASE to the core: atoms, file names, generators, models, names of classes."""

import subprocess
import sys

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from ase.constraints import FixAtoms

import arise_core as arise
import ase_arise
from arise_core.crystals.naming import ClassInfo
from arise_core.model.classes import ClassTable
from ase_arise.convert import as_model, frames, from_atoms


def test_importing_the_adapter_costs_nothing():
    code = (
        "import sys, ase_arise; dir(ase_arise); "
        "print([m for m in ('ase', 'torch', 'numba', 'spglib') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_every_name_can_be_had():
    for name in ase_arise.__all__:
        assert callable(getattr(ase_arise, name))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ase_arise.nothing


def test_a_structure_has_the_atoms_of_its_atoms():
    atoms = fcc111("Al", (2, 3, 4), vacuum=8)
    atoms.set_constraint(FixAtoms([0]))
    structure = from_atoms(atoms)
    assert (structure.positions == atoms.positions).all()
    assert (structure.numbers == 13).all()
    assert (structure.cell == atoms.cell[:]).all()
    assert structure.pbc.tolist() == [True, True, False]
    before = atoms.positions.copy()
    atoms.positions += 1
    assert (structure.positions == before).all()  # a copy, not a view


def test_atoms_without_a_cell_are_open():
    assert not from_atoms(Atoms("CO", [[0, 0, 0], [0, 0, 1.1]])).pbc.any()


@pytest.mark.parametrize(
    ("atoms", "error", "message"),
    [
        ("Cu", TypeError, r"must be an ase.Atoms object, got 'Cu' \(str\)"),
        (Atoms(), ValueError, "no atoms"),
        (Atoms("Cu", [[0, 0, np.nan]]), ValueError, "NaN or infinite"),
        (Atoms("Cu", pbc=True), ValueError, "non-zero volume"),
    ],
)
def test_what_is_refused_is_named(atoms, error, message):
    with pytest.raises(error, match=message):
        from_atoms(atoms)
    with pytest.raises(error, match=r"^structure 3: "):
        from_atoms(atoms, "structure 3: ")


@pytest.mark.parametrize("suffix", ["xyz", "traj", "db"])
def test_file_names_stand_for_their_frames(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    ase.io.write(path, [bulk("Cu", a=3.5 + 0.1 * k) for k in range(4)])
    assert len(list(frames(path))) == len(list(frames(str(path)))) == 4
    last = list(frames(f"{path}@-2:"))
    assert [round(a.cell.lengths()[0] * 2**0.5, 3) for a in last] == [3.7, 3.8]
    assert len(list(frames(f"{path}@1"))) == 1
    if suffix != "db":  # whose rows are numbered as they were written
        with pytest.raises(
            ValueError, match=r"a\.[a-z]*' has no frame that '@7' picks \(the first one is 0\)"
        ):
            list(frames(f"{path}@7"))


def test_lists_generators_and_single_atoms_are_frames():
    atoms = bulk("Cu")
    assert list(frames(atoms)) == [atoms]
    assert len(list(frames([atoms, atoms]))) == len(list(frames(a for a in (atoms, atoms)))) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no structure|cannot be read"),
        ("3\n\nCu 0 0 0\n", "cannot be read: the file ends in frame 0, behind 1 of its 3 atoms"),
        ("?", "cannot"),
    ],
)
def test_files_that_cannot_be_read_are_named(tmp_path, content, message):
    path = tmp_path / "bad.xyz"
    path.write_text(content)
    with pytest.raises(ValueError, match=message) as caught:
        list(frames(path))
    assert "bad.xyz" in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.xyz"):
        list(frames(tmp_path / "nowhere.xyz"))


def test_models_come_by_name_path_or_as_they_are(model):
    assert as_model(model) is model
    assert as_model("arise-108") is as_model("arise-108")
    assert as_model(model.path).name == model.name
    with pytest.raises(arise.ModelError, match=r"no-such-model.*The zoo has: .*arise-108"):
        as_model("no-such-model")
    with pytest.raises(TypeError, match=r"got 3 \(int\)"):
        as_model(3)


def test_short_labels_can_be_queried_and_are_unique(model):
    labels = model.class_info.short
    assert len(set(labels)) == 108
    assert {"fcc", "L1_2", "rock_salt", "CsCl_B2", "nanotube_3_3", "alpha-As"} <= set(labels)
    assert not any(set(name) & set(" ,<>=!()'\"") for name in labels)


def test_short_labels_fall_back_to_labels_where_names_are_not_enough():
    def info(label, name):
        return ClassInfo(label, name, label.upper(), (0, 0, 0), None, "")

    classes = [info("a", "iron"), info("b", "iron"), info("c", "(?)"), info("d", "none"), info("e", "fine")]
    assert ClassTable(classes).short == ("a", "b", "c", "d", "fine")


def test_classes_are_found_by_any_of_their_names(model):
    index = model.classes.index("L12_Cu3Au")
    for name in ("L1_2", "l1_2", "L12_Cu3Au", "L1_2"):
        assert model.class_info.find(name) == index
    with pytest.raises(ValueError, match="got 'fccc'; close: .*fcc"):
        model.class_info.find("fccc")


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"file '.*nothing.xyz' does not exist"):
        list(frames(tmp_path / "nothing.xyz"))
