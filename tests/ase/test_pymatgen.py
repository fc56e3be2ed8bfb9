"""Structures of pymatgen in and out."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from ase.build import bulk, molecule

import arise_core as arise
from arise_core.errors import InputError, MissingPackageError
from ase_arise import annotate, classify, occupied, similarity, to_pymatgen
from ase_arise.convert import from_atoms
from ase_arise.pymatgen_structures import as_atoms, is_pymatgen
from tests import ROOT

pytestmark = pytest.mark.filterwarnings(
    "ignore::UserWarning:pymatgen", "ignore::FutureWarning:pymatgen", "ignore::DeprecationWarning:spglib"
)
core = pytest.importorskip("pymatgen.core", reason="needs pymatgen")

FAST = {"passes": 20}


@pytest.fixture
def salt():
    """Rock salt with oxidation states, as pymatgen's users have them."""
    lattice = core.Lattice.cubic(5.64)
    return core.Structure.from_spacegroup("Fm-3m", lattice, ["Na+", "Cl-"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_one_and_several_and_a_generator(salt):
    copper = core.Structure.from_spacegroup("Fm-3m", core.Lattice.cubic(3.61), ["Cu"], [[0, 0, 0]])
    assert classify(salt, **FAST).names.tolist() == ["rock salt"]
    assert classify([copper, bulk("Fe"), salt], **FAST).names.tolist() == ["fcc", "bcc", "rock salt"]
    assert classify((s for s in (copper, salt)), **FAST).names.tolist() == ["fcc", "rock salt"]
    assert similarity([copper, bulk("Cu")])[0, 1] == pytest.approx(1, abs=1e-3)
    same = classify([copper, bulk("Cu", a=3.61, cubic=True)], **FAST)
    assert same.probabilities[0] == pytest.approx(same.probabilities[1], abs=1e-5)


def test_a_structure_is_one_structure_and_not_its_sites(salt):
    single = core.Structure(salt.lattice, salt.species, salt.frac_coords)
    assert len(classify(single, **FAST)) == 1
    assert len(annotate(single, copy=True, **FAST)) == len(salt)


def test_what_is_kept_of_a_structure(salt):
    structure = from_atoms(salt)
    assert structure.numbers.tolist() == [11] * 4 + [17] * 4
    assert structure.positions == pytest.approx(salt.cart_coords)
    assert structure.cell == pytest.approx(salt.lattice.matrix)
    assert structure.pbc.all()
    slab = core.Structure(
        core.Lattice([[3, 0, 0], [0, 3, 0], [0, 0, 20]], pbc=(True, True, False)), ["Cu"], [[0, 0, 0]]
    )
    assert from_atoms(slab).pbc.tolist() == [True, True, False]
    water = core.Molecule(["O", "H", "D"], [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    assert (from_atoms(water).numbers.tolist(), from_atoms(water).pbc.any()) == ([8, 1, 1], False)
    dummy = core.Structure(
        core.Lattice.cubic(4), ["Cu", core.DummySpecies("X")], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    assert from_atoms(dummy).numbers.tolist() == [29]


def test_annotations_are_site_properties(salt):
    kept = annotate(salt, copy=True, **FAST)
    assert not salt.site_properties
    assert is_pymatgen(kept)
    assert kept.site_properties["arise_label"] == ["rock_salt"] * 8
    assert kept.properties["arise_label"] == "rock_salt"
    assert kept.properties["arise_fractions"] == {"rock_salt": 1.0}
    assert kept.species == salt.species
    assert annotate(salt, **FAST) is salt
    assert salt.site_properties == kept.site_properties
    salt.make_supercell(3)
    annotate(salt, mode="local", box_size=10.0, stride=6.0, resolution="sharp", **FAST)
    assert len(salt.site_properties["arise_resolution"]) == 216
    several = annotate([salt, bulk("Cu")], **FAST)
    assert "arise_resolution" not in salt.site_properties
    assert several[0] is salt
    assert several[1].info["arise_label"] == "fcc"
    lazy = list(annotate((s for s in [salt]), copy=True, **FAST))
    assert lazy[0].properties["arise_label"] == "rock_salt"


def test_partly_occupied_sites_are_refused_and_drawn(salt):
    alloy = core.Structure(
        core.Lattice.cubic(3.6), [{"Cu": 0.75, "Au": 0.25}] * 4, bulk("Cu", cubic=True).get_scaled_positions()
    )
    with pytest.raises(
        InputError, match=r"partly occupied sites \(4 of 4, first 0: Cu \+ |partly occupied sites \(4 of 4"
    ):
        classify(alloy)
    drawn = occupied(alloy, seed=1)
    assert is_pymatgen(drawn)
    counts = {str(k): v for k, v in drawn.composition.items()}
    assert counts["Au"] / (counts["Au"] + counts["Cu"]) == pytest.approx(0.25, abs=0.01)
    assert classify(drawn, **FAST).names[0] == "fcc"
    mixed = core.Structure(core.Lattice.cubic(3), [{"Fe2+": 0.5, "Fe3+": 0.5}], [[0, 0, 0]])
    assert from_atoms(mixed).numbers.tolist() == [26]  # one element, whatever its charge
    vacant = core.Structure(core.Lattice.cubic(3), [{"Fe": 0.9}], [[0, 0, 0]])
    with pytest.raises(InputError, match="partly occupied"):
        from_atoms(vacant)


def test_out(salt):
    found = to_pymatgen(arise.build(arise.prototype("rock_salt")))
    assert found.get_space_group_info()[1] == 225
    assert found.composition.reduced_formula == "NaCl"
    layer = to_pymatgen(arise.build(arise.prototype("graphene")))
    assert layer.lattice.pbc == (True, True, False)
    water = to_pymatgen(molecule("H2O"))
    assert type(water).__name__ == "Molecule"
    atoms = as_atoms(salt)
    again = as_atoms(to_pymatgen(atoms))
    assert again.numbers.tolist() == atoms.numbers.tolist()
    assert again.positions == pytest.approx(atoms.positions)
    chain = arise.Structure(np.zeros((1, 3)), [6], [[2.5, 0, 0], [0, 0, 0], [0, 0, 0]], [True, False, False])
    assert to_pymatgen(chain).lattice.pbc == (True, False, False)


def test_without_pymatgen_it_is_not_asked_for(monkeypatch):
    code = (
        "import sys; from ase.build import bulk; from ase_arise import classify; "
        "classify(bulk('Cu'), passes=2); print(any(m.startswith('pymatgen') for m in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, timeout=120
    )
    assert done.stdout.strip() == "False"
    monkeypatch.setitem(sys.modules, "pymatgen.core", None)
    with pytest.raises(MissingPackageError, match="pymatgen, which is not installed"):
        to_pymatgen(bulk("Cu"))
