"""Flat runs and thin films: layers, open along their normal, and never a bulk crystal."""

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bcc110, bulk, fcc111, graphene

import arise_core as arise
from arise_core.geometry import builders
from arise_core.geometry.material import Material
from ase_arise.convert import from_atoms, to_material
from tests.ovito.helpers import collection
from tests.robustness.doors import through_ase, through_command_line, through_ovito

LATTICES = {"hexagonal": (0.5, 3**0.5 / 2), "square": (0.0, 1.0), "oblique": (0.3, 1.1)}
NOTE = "taken as a layer"


def flat(lattice="hexagonal", height=1.0, n=10, noise=0.04, z=0.5):
    """A run in two dimensions with one period along z."""
    b = np.array(LATTICES[lattice])
    i, j = np.mgrid[:n, :n]
    xy = i[..., None] * np.array([1.0, 0.0]) + j[..., None] * b
    x = np.column_stack([xy.reshape(-1, 2), np.full(n * n, z)])
    x[:, :2] += np.random.default_rng(0).normal(0, noise, (n * n, 2))
    cell = [[n, 0, 0], [*(n * b), 0], [0, 0, height]]
    return Atoms(f"Cu{n * n}", x, cell=cell, pbc=True)


# --- the mechanism --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lattice", LATTICES)
@pytest.mark.parametrize("height", [0.05, 0.2, 1.0, 2.0])
@pytest.mark.parametrize("z", [0.0, 0.5, -1e-17])
@pytest.mark.parametrize("noise", [0.0, 0.04])
def test_a_flat_run_is_open_along_its_normal(lattice, height, z, noise):
    atoms = flat(lattice, height, z=z * height, noise=noise)
    material = to_material(atoms)
    assert material.body.pbc.tolist() == [True, True, False]
    assert material.flat
    assert any(NOTE in note for note in material.notes)
    lone = Material.of(arise.Structure(atoms.positions, atoms.numbers, atoms.cell[:], [True, True, False]))
    assert material.spacing == pytest.approx(lone.spacing, rel=1e-9)
    above = material.fold(atoms.positions + [0, 0, 3 * height])
    assert above[:, 2] == pytest.approx(material.positions[:, 2], abs=1e-9)


def test_along_any_of_the_vectors():
    atoms = flat()
    for k in range(3):
        order = np.roll([0, 1, 2], k)
        turned = arise.Structure(
            atoms.positions[:, order], atoms.numbers, atoms.cell[:][order][:, order], True
        )
        assert (Material.of(turned).body.pbc == np.array([True, True, False])[order]).all()


BULK = ("sc", "simple hexagonal", "fcc", "bcc", "alpha-Hg", "rhombohedral graphite", "In (bct)", "CsCl (B2)")


@pytest.mark.parametrize("name", BULK)
@pytest.mark.parametrize("counts", [(1, 1, 1), (3, 2, 1), (2, 2, 2)])
def test_bulk_crystals_stay_bulk(name, counts):
    material = Material.of(builders.repeat(arise.build(arise.prototype(name)), counts))
    assert material.body is material.structure
    assert material.notes == ()
    assert not material.flat


@pytest.mark.parametrize("vacuum", [5.0, 6.0, 10.0])
@pytest.mark.parametrize("layers", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "make", [lambda n, v: fcc111("Au", (4, 4, n), vacuum=v), lambda n, v: bcc110("W", (4, 4, n), vacuum=v)]
)
def test_films_of_few_layers_are_open(make, layers, vacuum):
    atoms = make(layers, vacuum)
    atoms.pbc = True
    assert to_material(atoms).body.pbc.tolist() == [True, True, False]
    atoms.positions[:, 2] += 0.5 * atoms.cell[2, 2]
    assert to_material(atoms).body.pbc.tolist() == [True, True, False]


@pytest.mark.parametrize("period", [3.35, 3.6])
def test_stacked_layers_are_bulk(period):
    sheet = graphene(size=(3, 3, 1), vacuum=None)
    sheet.cell[2] = [1.23, 0.71, period]  # shifted from layer to layer
    sheet.pbc = True
    assert to_material(sheet).body.pbc.all()


# --- through the doors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lattice", LATTICES)
def test_no_door_takes_a_flat_run_for_bulk(tmp_path, model, lattice):
    atoms = flat(lattice)
    ase.io.write(tmp_path / "flat.xyz", atoms)
    kinds = {c.label: c.material_type for c in model.class_info}
    doors = [
        through_ase(atoms), through_command_line(tmp_path / "flat.xyz"), through_ovito(tmp_path / "flat.xyz", model),
    ]  # fmt: skip
    for door in doors:
        assert door.rejected or kinds[door.label].startswith("2D")
        assert NOTE in door.notes


def test_two_dimensions_in_ovito(model):
    """A cell that OVITO knows as flat needs no look at the atoms."""
    structure = from_atoms(flat(n=3))
    data = collection(structure)
    data.cell_.is2D = True
    from ovito_arise.convert import to_atoms

    assert to_atoms(data, {}).material.structure.pbc.tolist() == [True, True, False]
    data.cell_[:, 2] = 0
    assert to_atoms(data, {}).material.structure.pbc.tolist() == [True, True, False]


def test_a_flat_layer_of_a_class_keeps_its_name(model):
    sheet = graphene(size=(5, 5, 1), vacuum=None)
    sheet.cell[2] = [0, 0, 1.0]
    sheet.pbc = True
    done = through_ase(sheet)
    assert (done.label, done.rejected) == ("C", False)


def test_bulk_classes_are_no_answer_for_what_is_flat(model):
    found = arise.classify(from_atoms(bulk("Cu")), model, passes=4)
    assert not found.rejected[0]
    assert found.without_bulk([]) is found
    assert found.without_bulk([0]).rejected[0]
    assert found.without_bulk([0]).rejection_uncertainty[0] == 0
    layer = arise.classify(arise.build(arise.prototype("graphene")), model, passes=4)
    assert layer.without_bulk([0]) is layer
