"""Symbols and names of the 108 prototypes, and the search for them.

Expected space groups, Pearson symbols and multiplicities of the sites are typed here from the literature, by
Strukturbericht symbol; what the package says of them is worked out from the geometry.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import spglib

from arise_core.crystals.ideal import build, conventional
from arise_core.crystals.naming import FORMER_NAMES, short_name
from arise_core.crystals.picture import atoms_drawn, draw_cells
from arise_core.crystals.search import find_prototypes, pearson, same_stoichiometry_only
from arise_core.crystals.symbols import COMMON_NAMES, STRUKTURBERICHT
from arise_core.crystals.symmetry import pearson_symbol
from arise_core.crystals.table import prototype, prototypes
from arise_core.errors import InputError

#: Strukturbericht symbol: space group, Pearson symbol, atoms of the conventional cell at each kind of site.
#: International Tables and the AFLOW library of prototypes (https://aflow.org/p/).
LITERATURE = {
    "A1": (225, "cF4", (4,)), "A2": (229, "cI2", (2,)), "A3": (194, "hP2", (2,)), "A3'": (194, "hP4", (2, 2)),
    "A4": (227, "cF8", (8,)), "A5": (141, "tI4", (4,)), "A6": (139, "tI2", (2,)), "A7": (166, "hR2", (6,)),
    "A8": (152, "hP3", (3,)), "A9": (194, "hP4", (2, 2)), "A10": (166, "hR1", (3,)), "A11": (64, "oC8", (8,)),
    "A14": (64, "oC8", (8,)), "A17": (64, "oC8", (8,)), "A20": (63, "oC4", (4,)), "A_a": (139, "tI2", (2,)),
    "A_d": (129, "tP4", (2, 2)), "A_f": (191, "hP1", (1,)), "A_h": (221, "cP1", (1,)), "A_i": (166, "hR1", (3,)),
    "B1": (225, "cF8", (4, 4)), "B2": (221, "cP2", (1, 1)), "B3": (216, "cF8", (4, 4)), "B4": (186, "hP4", (2, 2)),
    "B8_1": (194, "hP4", (2, 2)), "B20": (198, "cP8", (4, 4)), "B27": (62, "oP8", (4, 4)),
    "B31": (62, "oP8", (4, 4)), "B33": (63, "oC8", (4, 4)), "C19": (166, "hR3", (3, 6)),
    "E2_1": (221, "cP5", (1, 1, 3)), "H2_6": (121, "tI16", (2, 2, 4, 8)), "L1_0": (123, "tP2", (1, 1)),
    "L1_2": (221, "cP4", (1, 3)),
}  # fmt: skip
#: Å. Distortion that is left out where the geometry of the table is a distorted one.
LOOSE = {"E2_1": 0.2}


def test_every_strukturbericht_symbol_is_in_the_literature_and_of_a_class():
    assert set(STRUKTURBERICHT.values()) == set(LITERATURE)
    assert max(Counter(STRUKTURBERICHT.values()).values()) == 1
    labels = {p.label for p in prototypes()}
    assert set(STRUKTURBERICHT) <= labels
    assert set(COMMON_NAMES) <= labels


@pytest.mark.filterwarnings("ignore::DeprecationWarning:spglib")
@pytest.mark.parametrize("symbol", LITERATURE)
def test_the_geometry_is_that_of_the_symbol(symbol):
    group, pearson_, sites = LITERATURE[symbol]
    p = prototype(symbol)
    assert p.strukturbericht == symbol
    structure, symprec = build(p), LOOSE.get(symbol, p.symprec)
    fractional = structure.positions @ np.linalg.inv(structure.cell)
    found = spglib.get_symmetry_dataset((structure.cell, fractional, structure.numbers), symprec=symprec)
    assert found.number == group
    assert pearson_symbol(structure, symprec) == pearson_
    share = len(found.std_types) / len(structure)
    counts = Counter(found.crystallographic_orbits.tolist())
    assert sorted(round(n * share) for n in counts.values()) == sorted(sites)


def test_pearson_symbols_are_those_in_the_labels_of_the_elements():
    elements = [p for p in prototypes() if p.material_type == "bulk, elemental"]
    assert len(elements) == 27
    for p in elements:
        assert p.label.split("_")[3] == pearson(p), p.label


def test_pearson_symbols_of_all_bulk_classes_fit_the_table():
    for p in prototypes():
        symbol = pearson(p)
        assert (symbol is None) == (p.dimension < 3)
        if symbol is not None:
            times = 3 if symbol[1] == "R" else 1
            assert int(symbol[2:]) * times == p.n_atoms_conventional, p.label


def test_no_word_stands_for_two_classes():
    owners: dict[str, set[str]] = {}
    for p in prototypes():
        words = {
            p.label,
            p.name,
            p.short,
            short_name(p.name),
            *p.common_names,
            *FORMER_NAMES.get(p.label, ()),
        }
        for word in {w.casefold() for w in words} | {(p.strukturbericht or p.label).casefold()}:
            owners.setdefault(word, set()).add(p.label)
    assert {word: labels for word, labels in owners.items() if len(labels) > 1} == {}


@pytest.mark.parametrize(
    ("word", "label"),
    [
        ("sphalerite", "Zincblende_ZnS"), ("Halite", "RockSalt_NaCl"), ("l1_2", "L12_Cu3Au"),
        ("cubic perovskite (SrTiO3 type)", "3_halides_cubic"), ("face-centered cubic", "fcc_Cu_A_cF4_225_a"),
        ("cubic perovskite", "3_cubic"),  # the name of 0.1 stays what it was
    ],
)  # fmt: skip
def test_names_that_people_use_are_understood_everywhere(word, label, model):
    assert prototype(word).label == label
    assert model.class_info[model.class_info.find(word)].label == label


def test_what_files_hold_has_not_changed(model):
    assert {prototype("B1").name, prototype("B1").short} == {"rock salt", "rock_salt"}
    info = model.class_info[model.class_info.find("SrTiO3 type")]
    assert (info.name, info.identifier) == ("cubic perovskite (E2_1)", "PEROVSKITE_E2_1")
    assert model.class_info.short[model.class_info.find("SrTiO3 type")] == "cubic_perovskite_E2_1"


@pytest.mark.parametrize(
    ("query", "shorts"),
    [
        ("B1", ["rock_salt"]),
        ("L12", ["L1_2"]),
        ("cF8", ["cubic_diamond", "rock_salt", "zinc_blende"]),
        ("hR6", ["alpha_As", "beta_O", "rhomb_graphite"]),
        ("oS4", ["alpha_U"]),
        ("225", ["fcc", "rock_salt"]),
        ("F m -3 m", ["fcc", "rock_salt"]),
        ("Fm-3m", ["fcc", "rock_salt"]),
        ("NaCl", ["rock_salt"]),
        ("zns", ["zinc_blende", "wurtzite"]),
        ("ALPHA-sm", ["alpha_Sm"]),
        ("Ruddlesden", ["Ruddlesden_Popper_214", "Ruddlesden_Popper_327"]),
        ("(5,1)", ["CNT_5_1"]),
        ("K2NiF4", ["Ruddlesden_Popper_214"]),
        ("nonsense", []),
        ("U7O3", []),
    ],
)
def test_search(query, shorts):
    assert [p.short for p in find_prototypes(query)] == shorts


def test_formulas_find_their_stoichiometry():
    found = {p.short for p in find_prototypes("ABX3")}
    assert found == {p.short for p in find_prototypes("BaZrO3")}
    assert {"perovskite_E2_1", "perovskite_polar", "perovskite_orthorhombic"} <= found
    assert "L1_2" not in found
    assert [p.short for p in find_prototypes("Ni3Al")] == [p.short for p in find_prototypes("AlNi3")]
    assert "L1_2" in [p.short for p in find_prototypes("Ni3Al")]
    assert find_prototypes("  ") == prototypes()


@pytest.mark.parametrize(
    ("name", "count"), [("fcc", 14), ("rock_salt", 27), ("CsCl", 9), ("hcp", 2), ("L1_2", 14)]
)
def test_atoms_on_the_border_are_drawn_on_all_sides(name, count):
    positions, numbers = atoms_drawn(conventional(prototype(name)))
    assert len(positions) == len(numbers) == count
    assert len(np.unique(positions.round(6), axis=0)) == count


def test_cells_of_all_kinds_are_drawn():
    figure = draw_cells([prototype(n) for n in ("rock_salt", "alpha_As", "MoS2_2D", "CNT_3_3", "E2_1")])
    assert [axes.get_title().split("\n")[1] for axes in figure.axes] == [
        "B1, cF8", "A7, hR2", "MoS2", "C", "E2_1, hR5"
    ]  # fmt: skip
    with pytest.raises(InputError, match=r"`chosen` must be 1 to 12 classes"):
        draw_cells(prototypes())


@pytest.mark.parametrize(
    ("query", "only"),
    [
        ("CaF2", True),
        ("TiO2", True),
        ("NaCl", False),
        ("AuCu3", False),
        ("ABX3", False),
        ("AB2", False),
        ("fcc", False),
    ],
)
def test_a_compound_that_is_no_class_is_told_from_one_that_is(query, only):
    assert same_stoichiometry_only(query, find_prototypes(query)) is only
