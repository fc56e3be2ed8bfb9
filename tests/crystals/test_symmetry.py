"""Symmetry by spglib: the table's space groups, operations that form groups, standard forms."""

import numpy as np
import pytest

import arise_core as arise
from arise_core.crystals.elements import ATOMIC_NUMBERS, SYMBOLS, element_of_mass
from arise_core.crystals.standard import standard_form
from arise_core.crystals.symmetry import (
    group_operations,
    primitive,
    setting_operations,
    space_group,
    symmetry,
)
from arise_core.geometry import builders
from tests.conftest import shaken

BULK = [p for p in arise.prototypes() if p.dimension == 3]


@pytest.mark.parametrize("kind", BULK[::6], ids=lambda p: p.short)
def test_space_groups_are_those_of_the_table(kind):
    unit = arise.build(kind)
    assert space_group(unit, kind.symprec) == kind.space_group
    twice = builders.repeat(unit, (2, 1, 2))
    assert space_group(twice, kind.symprec) == kind.space_group
    assert symmetry(unit)[0] == space_group(unit)


def test_what_has_no_space_group():
    fcc = arise.build(arise.prototype("fcc"))
    assert space_group(arise.Structure(fcc.positions, fcc.numbers, fcc.cell, [True, True, False])) is None
    assert space_group(shaken(builders.repeat(fcc, (3, 3, 3)), 0.2), 0.01) == 1
    assert space_group(shaken(builders.repeat(fcc, (2, 2, 2)), 0.02), 0.3, 10.0) == 225
    assert symmetry(arise.build(arise.prototype("nanotube (5,3)"), one_period=True)) == (None, ())


@pytest.mark.parametrize("group", [1, 2, 62, 139, 166, 194, 225, 230])
def test_operations_form_a_group(group):
    rotations, translations = group_operations(group)
    identity = (rotations == np.eye(3, dtype=int)).all(axis=(1, 2)) & (np.abs(translations) < 1e-9).all(
        axis=1
    )
    assert identity.sum() == 1
    known = {
        (r.tobytes(), tuple(np.round(t % 1, 6) % 1)) for r, t in zip(rotations, translations, strict=True)
    }
    assert len(known) == len(rotations)
    for a in range(0, len(rotations), 7):
        for b in range(0, len(rotations), 5):
            r = rotations[a] @ rotations[b]
            t = np.round((rotations[a] @ translations[b] + translations[a]) % 1, 6) % 1
            assert (r.tobytes(), tuple(t)) in known


def test_settings_are_numbered():
    with pytest.raises(ValueError, match="`hall_number` must be from 1 to 530, got 531"):
        setting_operations(531)
    assert len(setting_operations(1)[0]) == 1


@pytest.mark.parametrize("name", ["fcc", "hcp", "rock salt", "diamond", "cubic perovskite"])
def test_a_supercell_has_the_primitive_cell_of_its_crystal(name):
    unit = arise.build(arise.prototype(name))
    large = builders.repeat(unit, (2, 3, 1))
    cell, positions, numbers = primitive(large, idealise=True)
    assert len(numbers) == len(positions) == len(unit)
    assert abs(np.linalg.det(cell)) == pytest.approx(abs(np.linalg.det(unit.cell)), rel=1e-6)
    form = standard_form(large)
    assert len(form) == len(unit)
    assert np.linalg.det(form.cell) > 0
    features = [arise.describe(s, arise.DescriptorSettings.paper()) for s in (unit, form)]
    assert np.linalg.norm(features[0] - features[1]) < 1e-6


def test_standard_forms_of_layers_and_tubes():
    graphene = arise.build(arise.prototype("graphene"))
    turned = arise.Structure(
        np.roll(graphene.positions, 1, axis=1), graphene.numbers, np.roll(np.roll(graphene.cell, 1, axis=0), 1, axis=1),
        True,
    )  # fmt: skip
    layer = standard_form(turned)
    assert layer.pbc.tolist() == [True, True, False]
    assert np.ptp(layer.positions[:, 2]) < 1e-9
    assert np.allclose(layer.cell[:2, 2], 0)
    tube = standard_form(arise.build(arise.prototype("nanotube (5,3)"), one_period=True))
    assert tube.pbc.tolist() == [False, False, True]
    with pytest.raises(ValueError, match="repeats in no direction"):
        standard_form(arise.Structure(graphene.positions, graphene.numbers))
    with pytest.raises(ValueError, match="at most 300 atoms"):
        standard_form(shaken(builders.repeat(arise.build(arise.prototype("fcc")), (7, 7, 7)), 0.1))


def test_elements():
    assert (SYMBOLS[29], ATOMIC_NUMBERS["Cu"], "X" in ATOMIC_NUMBERS) == ("Cu", 29, False)
    for mass, number in ((63.55, 29), (26.98, 13), (1.008, 1), (0.0, None), (-1.0, None), (58.8, None)):
        assert element_of_mass(mass) == number, mass
