"""Names of classes: structure types as the field calls them, and the former ones are understood."""

import json

import pytest
from ase.spacegroup import crystal as of_group

import arise_core as arise
from arise_core.crystals.naming import FORMER_NAMES
from arise_core.crystals.table import prototypes
from tests.robustness.doors import through_ase, through_command_line, through_ovito


def strontium_titanate():
    sites = [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0)]
    return of_group(["Sr", "Ti", "O"], sites, spacegroup=221, cellpar=[3.905] * 3 + [90] * 3)


def test_no_oxide_is_called_a_halide(model):
    for names in (
        [c.name for c in model.class_info], model.class_info.short, model.class_info.identifiers,
        [p.name for p in prototypes()], [p.short for p in prototypes()],
    ):  # fmt: skip
        assert not [n for n in names if "halide" in n.lower()]


def test_strontium_titanate(tmp_path, model):
    atoms = strontium_titanate()
    atoms.write(tmp_path / "sto.xyz")
    doors = (
        through_ase(atoms), through_command_line(tmp_path / "sto.xyz"), through_ovito(tmp_path / "sto.xyz", model),
    )  # fmt: skip
    for door in doors:
        assert (door.label, door.rejected) == ("3_halides_cubic", False)
    assert arise.prototype("3_halides_cubic").name == "cubic perovskite (E2_1)"


@pytest.mark.parametrize("label", FORMER_NAMES)
def test_former_names_are_understood(model, label):
    for word in FORMER_NAMES[label]:
        assert arise.prototype(word).label == label
        assert model.class_info[model.class_info.find(word)].label == label


def test_cards_and_table_agree(model):
    table = {p.label: (p.name, p.identifier) for p in prototypes()}
    assert {c.label: (c.name, c.identifier) for c in model.class_info} == table
    written = json.loads(model.card.to_json())
    assert {c["name"] for c in written["classes"]} == {p.name for p in prototypes()}
