"""Partly occupied sites: what ASE says of them, and structures drawn from them."""

from collections import Counter

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, graphene
from ase.spacegroup import crystal

from arise_core.crystals.occupancy import Sites, drawn, is_partial, sites_of
from arise_core.errors import InputError
from arise_core.geometry.structure import Structure
from tests.conftest import cif


def gas(share=0.02):
    """fcc palladium with hydrogen on a share of the octahedral sites."""
    return crystal(["Pd", "H"], [(0, 0, 0), (0.5, 0.5, 0.5)], [1, share], 225, cellpar=[3.95] * 3 + [90] * 3)


def alloy(gold=0.25):
    return crystal(
        ["Cu", "Au"],
        [(0, 0, 0)] * 2,
        [1 - gold, gold],
        225,
        cellpar=[3.7] * 3 + [90] * 3,
        onduplicates="keep",
    )


def shares(structure):
    count = Counter(structure.numbers.tolist())
    return {z: n / len(structure) for z, n in count.items()}


@pytest.mark.parametrize(
    ("content", "partial"),
    [
        ({"Cu": 1.0}, False), ({"Cu": 0.9995}, False), ({"Cu": 1.0, "Au": 0.0}, False), ({"Cu": 0.9}, True),
        ({"Cu": 0.5, "Au": 0.5}, True), ({"Cu": 0.0}, True), ({}, True), ({"Cu": 2.0}, True), ({"Cu": -1.0}, True),
    ],
)  # fmt: skip
def test_partial_sites(content, partial):
    assert is_partial(content) == partial


def test_what_the_reader_of_cif_says(tmp_path):
    (tmp_path / "h.cif").write_text(cif("Pd1 Pd 0 0 0 1", "H1 H 0.5 0.5 0.5 0.02"))
    sites = sites_of(ase.io.read(tmp_path / "h.cif"))
    assert sites.partial.tolist() == [False] * 4 + [True] * 4
    assert sites.shown() == "4 of 8, first 4: H 0.02"
    assert sites_of(alloy()).shown() == "4 of 4, first 0: Cu 0.75 + Au 0.25"
    full = crystal("Cu", [(0, 0, 0)], [1], 225, cellpar=[3.6] * 3 + [90] * 3)
    assert sites_of(full).shown() == ""
    assert sites_of(bulk("Cu")) is None


def test_without_hydrogen_nothing_is_partial():
    atoms = gas()
    del atoms[atoms.symbols == "H"]
    assert sites_of(atoms).shown() == ""


def test_kinds_that_were_lost_do_not_hide_it():
    atoms = gas()
    del atoms.arrays["spacegroup_kinds"]
    assert sites_of(atoms).shown() == "4 of 8, first 4: H 0.02"
    with pytest.raises(InputError, match="no array `spacegroup_kinds`"):
        drawn(atoms, sites_of(atoms))


@pytest.mark.parametrize("name", ["occupancy", "occupancies"])
def test_arrays_of_occupancies(name):
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    atoms.arrays[name] = np.ones(8)
    assert sites_of(atoms).shown() == ""
    atoms.arrays[name][3] = 0.5
    assert sites_of(atoms).shown() == "1 of 8, first 3: Cl 0.5"
    atoms.arrays[name] = np.zeros(8)  # a column that was not filled in
    assert sites_of(atoms) is None


def test_what_is_not_about_sites_is_left_alone():
    atoms = bulk("Cu")
    for value in (0.5, "high", {"level": 3}):
        atoms.info["occupancy"] = value
        assert sites_of(atoms) is None
    atoms.arrays["occupancy"] = np.array(["high"])
    assert sites_of(atoms) is None
    atoms.arrays["occupancy"] = np.array([None])  # a PDB file that leaves it out
    assert sites_of(atoms).shown() == ""


# --- draws --------------------------------------------------------------------------------------------------------


def test_the_composition_is_as_stated():
    found = drawn(gas(), sites_of(gas()))
    assert len(found) >= 500
    hydrogen, palladium = (found.numbers == z for z in (1, 46))
    assert hydrogen.sum() == round(0.02 * palladium.sum())
    mixed = drawn(alloy(), sites_of(alloy()))
    assert len(mixed) == 500
    assert shares(mixed) == {29: 0.75, 79: 0.25}
    vacant = crystal("Cu", [(0, 0, 0)], [0.9], 225, cellpar=[3.6] * 3 + [90] * 3)
    holes = drawn(vacant, sites_of(vacant))
    sites = round(abs(np.linalg.det(holes.cell)) / 3.6**3 * 4)
    assert len(holes) == round(0.9 * sites) >= 500


def test_atoms_stand_on_the_sites_and_the_input_stays():
    atoms = gas(0.3)
    before = atoms.copy()
    found = drawn(atoms, sites_of(atoms), 200)
    assert atoms == before
    assert atoms.info["occupancy"] == before.info["occupancy"]
    unit = found.positions / 3.95 * 2
    assert np.allclose(unit, np.round(unit))
    even = np.round(unit).sum(axis=1) % 2 == 0
    assert (even == (found.numbers == 46)).all()
    assert isinstance(found, Structure)


def test_the_seed_decides():
    first, same, other = (drawn(alloy(), sites_of(alloy()), seed=s).numbers for s in (0, 0, 1))
    assert (first == same).all()
    assert (first != other).any()
    state = np.random.get_state()[1].copy()  # noqa: NPY002 - the global generator must stay as it was
    drawn(alloy(), sites_of(alloy()))
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002


def test_layers_and_molecules():
    sheet = graphene()
    sheet.arrays["occupancy"] = np.array([1.0, 0.5])
    found = drawn(sheet, sites_of(sheet), 100)
    assert found.pbc.tolist() == [True, True, False]
    assert 100 <= len(found) < 150
    molecule = Atoms("CO", [[0, 0, 0], [0, 0, 1.2]])
    molecule.arrays["occupancy"] = np.array([1.0, 0.5])
    assert 1 <= len(drawn(molecule, sites_of(molecule))) <= 2


def test_atoms_at_one_place_are_one_site():
    """As two rows of a file for the two elements of a site."""
    atoms = Atoms("CuAu", np.zeros((2, 3)), cell=np.eye(3) * 2.6, pbc=True)
    atoms.arrays["occupancy"] = np.array([0.75, 0.25])
    found = drawn(atoms, sites_of(atoms), 200)
    assert len(found) == 6**3
    assert shares(found) == {29: 0.75, 79: 0.25}


def test_what_cannot_be_drawn():
    atoms = bulk("Cu")
    with pytest.raises(InputError, match=r"add up to 1 at most, got {'Cu': 0.8, 'Au': 0.7}"):
        drawn(atoms, Sites(({"Cu": 0.8, "Au": 0.7},), np.zeros(1, dtype=int)))
    with pytest.raises(InputError, match=r"must be of elements, got {'Vac': 0.5}"):
        drawn(atoms, Sites(({"Vac": 0.5},), np.zeros(1, dtype=int)))
    split = Atoms("Cu2", [[0, 0, 0], [0.3, 0, 0]], cell=np.eye(3) * 2.6, pbc=True)
    split.arrays["occupancy"] = np.array([0.9, 0.9])
    with pytest.raises(InputError, match=r"exclude each other: atoms drawn on them are 0.30 Å apart"):
        drawn(split, sites_of(split))
    nothing = bulk("Cu")
    nothing.pbc = False
    with pytest.raises(InputError, match="no atoms"):
        drawn(nothing, Sites(({"Cu": 0.1},), np.zeros(1, dtype=int)))
