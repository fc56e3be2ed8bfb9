"""From OVITO's data collection to the core's structure."""

from __future__ import annotations

import re

import numpy as np
import pytest
from ovito.data import DataCollection, ParticleType, SimulationCell

import arise_core as arise
from ovito_arise.convert import to_atoms
from tests.ovito.helpers import collection

SKEWED = np.array([[6.0, 0.0, 0.0], [2.0, 5.0, 0.0], [1.0, -1.0, 7.0]])


def two_atoms(**types: object) -> DataCollection:
    """Two particles of types 1 and 2."""
    data = DataCollection()
    particles = data.create_particles(count=2)
    particles.create_property("Position", data=[[0.0, 0, 0], [2.0, 0, 0]])
    made = particles.create_property("Particle Type", data=np.array([1, 2], dtype=np.int32))
    made.types = [ParticleType(id=k, **types.get(f"t{k}", {})) for k in (1, 2)]
    return data


def numbers_of(data: DataCollection, mapping: dict[str, str] | None = None) -> list[int]:
    return to_atoms(data, mapping or {}).material.structure.numbers.tolist()


@pytest.mark.parametrize("origin", [(0.0, 0.0, 0.0), (-3.0, 40.0, 0.5)])
@pytest.mark.parametrize("pbc", [(True, True, True), (True, False, True), (False, False, False)])
def test_positions_cell_and_boundary_conditions_arrive(origin, pbc):
    structure = arise.Structure([[0.0, 0, 0], [2.5, 1, 0], [9.0, -3, 1]], [29, 28, 29], SKEWED, pbc)
    atoms = to_atoms(collection(structure, origin), {})
    found = atoms.material.structure
    assert found.positions == pytest.approx(structure.positions, abs=1e-12)
    assert (found.numbers == structure.numbers).all()
    assert found.cell == pytest.approx(SKEWED)
    assert found.pbc.tolist() == list(pbc)
    assert atoms.origin == pytest.approx(origin)
    assert atoms.selected is None


def test_the_collection_stays_as_it_is():
    data = collection(arise.Structure([[0.0, 0, 0], [2.5, 0, 0]], [29, 28], SKEWED, True), (1, 2, 3))
    before = {name: np.array(data.particles[name]) for name in data.particles}
    to_atoms(data, {})
    assert {*before} == {*data.particles}
    assert all((before[name] == np.asarray(data.particles[name])).all() for name in before)


def test_no_cell_and_a_flat_cell_are_open():
    data = two_atoms()
    assert not to_atoms(data, {"*": "Cu"}).material.structure.cell.any()
    cell = SimulationCell(pbc=(True, True, False), is2D=True)
    cell[:, :3] = np.diag([5.0, 5.0, 0.0])
    data.objects.append(cell)
    structure = to_atoms(data, {"*": "Cu"}).material.structure
    assert structure.pbc.tolist() == [True, True, False]
    assert np.linalg.det(structure.complete_cell) == pytest.approx(25)


def test_elements_from_names_masses_and_the_mapping_in_this_order():
    assert numbers_of(two_atoms(t1={"name": "Cu"}, t2={"name": "Ni"})) == [29, 28]
    assert numbers_of(two_atoms(t1={"mass": 63.55}, t2={"mass": 58.6934})) == [29, 28]
    assert numbers_of(two_atoms(t1={"name": "Cu", "mass": 58.69}, t2={"mass": 28.0855})) == [29, 14]
    named = two_atoms(t1={"name": "Cu"}, t2={"name": "Ni"})
    assert numbers_of(named, {"1": "Au", "Ni": "Pt"}) == [79, 78]
    assert numbers_of(two_atoms(t1={"name": "Cu"}), {"*": "O"}) == [29, 8]


@pytest.mark.parametrize(
    ("types", "numbers", "note"),
    [
        ({}, [18, 36], r"types 1 and 2 tell no elements.*`types_to_elements` .* such as 1=Cu, 2=Zr"),
        (
            {"t1": {"name": "Cu"}, "t2": {"name": "water"}},
            [29, 18],
            r"type 2 \(name 'water'\) tells no element",
        ),
        ({"t1": {"name": "Cu"}, "t2": {"mass": 61.0}}, [29, 18], r"type 2 \(mass 61\) tells no element"),
        ({"t1": {"name": "Cu"}, "t2": {"mass": 247.0}}, [29, 18], r"type 2 \(mass 247\)"),  # Cm or Bk
    ],
)
def test_types_that_tell_no_element_are_named(types, numbers, note):
    material = to_atoms(two_atoms(**types), {}).material
    assert material.structure.numbers.tolist() == numbers
    assert len(material.notes) == 1
    assert re.search(note, material.notes[0])


def test_types_that_do_not_occur_need_no_element():
    data = two_atoms(t1={"name": "Cu"})
    data.particles_.particle_types_[:] = 1
    assert numbers_of(data) == [29, 29]


def test_particles_without_types_are_of_one_kind():
    data = two_atoms()
    del data.particles_["Particle Type"]
    assert numbers_of(data) == [18, 18]
    with pytest.raises(ValueError, match=r"names type 1, and there is no such type: here is type \*"):
        numbers_of(data, {"1": "Cu"})
    assert "`types_to_elements` says what it is, such as *=Cu" in to_atoms(data, {}).material.notes[0]
    assert numbers_of(data, {"*": "Cu"}) == [29, 29]


def test_type_numbers_may_be_negative_or_huge():
    data = two_atoms()
    data.particles_.particle_types_[:] = [-5, 2_000_000_000]
    assert numbers_of(data, {"-5": "Cu", "2000000000": "Ni"}) == [29, 28]


def test_selection_picks_the_atoms():
    data = collection(arise.Structure(np.arange(12.0).reshape(4, 3), [29, 28, 27, 26]))
    data.particles_.create_property("Selection", data=[0, 1, 0, 1])
    atoms = to_atoms(data, {}, only_selected=True)
    assert atoms.material.structure.numbers.tolist() == [28, 26]
    assert atoms.selected.tolist() == [False, True, False, True]
    assert len(to_atoms(data, {}).material) == 4


def test_notes_are_of_selected_atoms_alone():
    data = two_atoms(t1={"name": "Cu"})
    data.particles_.create_property("Selection", data=[1, 0])
    assert "type 2" in to_atoms(data, {}, only_selected=False).material.notes[0]
    chosen = to_atoms(data, {}, only_selected=True).material
    assert chosen.structure.numbers.tolist() == [29]
    assert chosen.notes == ()
