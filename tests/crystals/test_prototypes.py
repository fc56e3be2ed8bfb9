"""The table of 108 classes and the structures built from it.

Expected distances are computed here from the table's rows by brute force; those of well-known materials are
compared with textbook values as well.
"""

from __future__ import annotations

import itertools
import random
import re
import tomllib
import warnings
from collections import Counter
from dataclasses import replace

import ase.data
import ase.formula
import ase.geometry
import numpy as np
import pytest
import spglib

import arise_core as arise
from arise_core.crystals.ideal import build, pristine, supercells
from arise_core.crystals.table import Prototype, prototype, prototypes
from arise_core.geometry.structure import Structure
from arise_core.runtime import files

CRYSTALS = [p for p in prototypes() if p.dimension > 1]
LAYERS = [p for p in prototypes() if p.dimension == 2]
TUBES = [p for p in prototypes() if p.dimension == 1]
#: Å. The table's fractional coordinates have five digits, the longest cell is 30 Å.
ROUNDING = 1e-3


def by_short(p: Prototype) -> str:
    return p.short


def spglib_number(cell, fractional, numbers, symprec) -> int:
    with warnings.catch_warnings():  # spglib 2.7 and later warn about their own error handling
        warnings.simplefilter("ignore", DeprecationWarning)
        return spglib.get_symmetry_dataset((cell, fractional, numbers), symprec=symprec).number


def fractional(structure: Structure) -> np.ndarray:
    return structure.positions @ np.linalg.inv(structure.cell)


def shortest_distance(cell, positions, pbc) -> float:
    """Brute force over the neighbouring images, Å."""
    steps = np.array(list(itertools.product(*[(-1, 0, 1) if periodic else (0,) for periodic in pbc])))
    images = (positions + (steps @ cell)[:, None]).reshape(-1, 3)
    distances = np.linalg.norm(images[None] - positions[:, None], axis=2)
    return distances[distances > 0.1].min()


def brute_force(p: Prototype) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Conventional cell, fractional coordinates and numbers, straight from the row."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        operations = spglib.get_symmetry_from_database(p.hall_number)
    cell = ase.geometry.cellpar_to_cell(p.cell)
    atoms: list[np.ndarray] = []
    numbers: list[int] = []
    for element, *site in p.sites:
        for rotation, translation in zip(operations["rotations"], operations["translations"], strict=True):
            image = (rotation @ site + translation) % 1.0
            separation = np.array(atoms).reshape(-1, 3) - image
            separation -= np.round(separation)
            if np.all(np.linalg.norm(separation @ cell, axis=1) > 0.05):
                atoms.append(image)
                numbers.append(ase.data.atomic_numbers[element])
    return cell, np.array(atoms), np.array(numbers)


# The table


def test_numbering_and_counts():
    assert [p.number for p in prototypes()] == list(range(1, 109))
    assert Counter(p.material_type for p in prototypes()) == {
        "bulk, elemental": 27,
        "bulk, binary": 11,
        "bulk, ternary": 6,
        "bulk, quaternary": 6,
        "2D": 46,
        "nanotube": 12,
    }


@pytest.mark.parametrize("field", ["label", "name", "short", "identifier", "colour"])
def test_unique(field):
    assert len({getattr(p, field) for p in prototypes()}) == 108


def test_no_name_belongs_to_two_classes():
    owners: dict[str, set[str]] = {}
    for p in prototypes():
        for name in (p.name, p.short):
            owners.setdefault(name.casefold(), set()).add(p.label)
    assert {name: labels for name, labels in owners.items() if len(labels) > 1} == {}


@pytest.mark.parametrize("p", prototypes(), ids=by_short)
def test_row_is_complete(p):
    assert re.fullmatch("[A-Z][A-Z0-9_]*", p.identifier)
    assert p.label
    assert p.material
    assert len(p.source) > 80
    assert len(p.colour) == 3
    assert all(0 <= channel <= 1 for channel in p.colour)
    crystal = (p.space_group, p.hall_number, p.symprec, p.n_atoms_conventional, p.formula, p.cell)
    tube = (p.n, p.m, p.bond_length)
    present, absent = (tube, crystal) if p.dimension == 1 else (crystal, tube)
    assert None not in present
    assert set(absent) == {None}
    assert bool(p.sites) == (p.dimension > 1)
    hash(p)


def test_colours_are_apart_from_each_other_and_from_other():
    colours = np.array([p.colour for p in prototypes()])
    distances = np.linalg.norm(colours[:, None] - colours[None], axis=2) + 9 * np.eye(108)
    assert distances.min() > 0.1
    assert np.linalg.norm(colours - 0.95, axis=1).min() > 0.2


@pytest.mark.parametrize(
    ("short", "rgb"),
    [
        # OVITO's colours for polyhedral template matching
        ("fcc", (0.4, 1, 0.4)),
        ("hcp", (1, 0.4, 0.4)),
        ("bcc", (0.4, 0.4, 1)),
        ("sc", (160 / 255, 20 / 255, 254 / 255)),
        ("cubic_diamond", (19 / 255, 160 / 255, 254 / 255)),
        ("hex_diamond", (254 / 255, 137 / 255, 0)),
        ("graphene", (160 / 255, 120 / 255, 254 / 255)),
    ],
)
def test_colours_that_users_know(short, rgb):
    assert prototype(short).colour == pytest.approx(rgb, abs=1e-3)


def test_labels_that_models_depend_on():
    known = {
        1: "bcc_W_A_cI2_229_a",
        3: "fcc_Cu_A_cF4_225_a",
        30: "L12_Cu3Au",
        51: "C",
        105: "chiral_cnt_nm_6_2_13.9_5.65",
    }
    assert {n: prototypes()[n - 1].label for n in known} == known


# Look-up


@pytest.mark.parametrize("p", prototypes(), ids=by_short)
def test_found_by_every_name(p):
    for name in (p.label, p.name, p.short, p.identifier):
        assert prototype(name) is p


def test_wrong_name_lists_close_ones():
    with pytest.raises(ValueError, match=r"`label_or_name`.* 108 .*'wurzite'.*wurtzite"):
        prototype("wurzite")


def test_hopeless_name_says_where_to_look():
    with pytest.raises(ValueError, match=r"`prototypes\(\)`"):
        prototype("§§§")


def test_table_is_found_in_a_checkout_and_in_a_wheel(monkeypatch, tmp_path):
    assert (files.zoo_root() / "prototypes.toml").is_file()
    package = tmp_path / "site-packages" / "arise_core"
    package.mkdir(parents=True)
    monkeypatch.setattr(files, "__file__", str(package / "runtime" / "files.py"))
    with pytest.raises(FileNotFoundError, match=r"prototypes\.toml"):
        files.zoo_root()
    for folder in (package.parent / "model_zoo", package / "model_zoo"):  # the second wins
        folder.mkdir()
        (folder / "prototypes.toml").touch()
        assert files.zoo_root() == folder.resolve()


def test_table_is_plain_toml_with_cited_sources():
    with open(files.zoo_root() / "prototypes.toml", "rb") as file:
        table = tomllib.load(file)
    assert {row["source"] for row in table["prototype"]} == set(table["sources"])


# Crystals


@pytest.mark.parametrize("p", CRYSTALS, ids=by_short)
def test_atoms_and_formula(p):
    cell, atoms, numbers = brute_force(p)
    assert len(atoms) == p.n_atoms_conventional
    formula = Counter(ase.data.chemical_symbols[z] for z in numbers)
    assert formula == ase.formula.Formula(p.formula).count()
    structure = build(p)
    per_atom = abs(np.linalg.det(cell)) / len(atoms)
    assert np.linalg.det(structure.cell) == pytest.approx(per_atom * len(structure), rel=1e-6)  # right-handed
    assert len(atoms) % len(structure) == 0
    multiple = len(atoms) // len(structure)
    primitive = Counter(ase.data.chemical_symbols[z] for z in structure.numbers)
    assert {element: count * multiple for element, count in primitive.items()} == formula


@pytest.mark.parametrize("p", CRYSTALS, ids=by_short)
def test_cell_is_primitive(p):
    structure = build(p)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        _, _, atoms = spglib.find_primitive(
            (structure.cell, fractional(structure), structure.numbers), symprec=0.01
        )
    assert len(atoms) == len(structure)


@pytest.mark.parametrize("p", CRYSTALS, ids=by_short)
def test_space_group(p):
    structure = build(p)
    assert spglib_number(*brute_force(p), p.symprec) == p.space_group
    for symprec in (p.symprec, 1e-4):  # special positions are exact in what is built
        assert (
            spglib_number(structure.cell, fractional(structure), structure.numbers, symprec) == p.space_group
        )


@pytest.mark.parametrize("p", CRYSTALS, ids=by_short)
def test_shortest_distance(p):
    cell, atoms, _ = brute_force(p)
    expected = shortest_distance(cell, atoms @ cell, (True, True, True))
    structure = build(p)
    found = shortest_distance(structure.cell, structure.positions, structure.pbc)
    assert found == pytest.approx(expected, abs=ROUNDING)
    assert found > 0.9


@pytest.mark.parametrize(
    ("short", "distance"),
    [
        # Nearest neighbours in Å: Donohue, The Structures of the Elements (1974); Wyckoff, Crystal Structures
        # 1 (1963); layers: measured in the bulk. Temperature, and computed cells in the table: 1.5 %.
        ("fcc", 2.556),
        ("bcc", 2.741),
        ("hcp", 3.197),
        ("sc", 3.345),
        ("cubic_diamond", 1.545),
        ("hex_graphite", 1.421),
        ("bct_In", 3.251),
        ("beta_Sn", 3.022),
        ("alpha_As", 2.517),
        ("gamma_Se", 2.373),
        ("black_P", 2.224),
        ("molecular_I", 2.70),
        ("gamma_N", 1.098),
        ("alpha_U", 2.754),
        ("rock_salt", 2.820),
        ("CsCl", 3.571),
        ("L1_2", 2.650),
        ("zinc_blende", 2.342),
        ("wurtzite", 2.342),
        ("graphene", 1.421),
        ("BN_2D", 1.446),
        ("MoS2_2D", 2.410),
    ],
)
def test_distances_of_well_known_materials(short, distance):
    structure = build(prototype(short))
    found = shortest_distance(structure.cell, structure.positions, structure.pbc)
    assert found == pytest.approx(distance, rel=0.015)


@pytest.mark.parametrize(
    ("short", "ratio"),
    [
        # shortest distance over lattice parameter a, exact by symmetry
        ("fcc", 1 / np.sqrt(2)),
        ("bcc", np.sqrt(3) / 2),
        ("sc", 1),
        ("cubic_diamond", np.sqrt(3) / 4),
        ("zinc_blende", np.sqrt(3) / 4),
        ("rock_salt", 1 / 2),
        ("CsCl", np.sqrt(3) / 2),
        ("L1_2", 1 / np.sqrt(2)),
        ("hex_graphite", 1 / np.sqrt(3)),
        ("graphene", 1 / np.sqrt(3)),
        ("BN_2D", 1 / np.sqrt(3)),
        ("PbSe_2D", 1 / np.sqrt(2)),
    ],
)
def test_distances_fixed_by_symmetry(short, ratio):
    p = prototype(short)
    structure = build(p)
    found = shortest_distance(structure.cell, structure.positions, structure.pbc)
    assert found == pytest.approx(ratio * p.cell[0], rel=1e-9)


@pytest.mark.parametrize("p", CRYSTALS, ids=by_short)
def test_bulk_is_periodic_and_compact(p):
    structure = build(p)
    assert structure.pbc.tolist() == [True, True, p.dimension == 3]
    edges = np.linalg.norm(structure.cell, axis=1)
    assert edges.max() <= max(p.cell[:3]) + 1e-9
    for first, second in itertools.combinations(range(p.dimension), 2):  # no shorter vector in any face
        projection = abs(structure.cell[first] @ structure.cell[second])
        assert projection <= 0.5 * min(edges[first], edges[second]) ** 2 + 1e-3  # VPSe3: 2e-5


@pytest.mark.parametrize("p", LAYERS, ids=by_short)
def test_layer_is_contiguous_below_its_vacuum(p):
    structure = build(p)
    first, second, third = structure.cell
    assert third @ first == pytest.approx(0, abs=1e-9)
    assert third @ second == pytest.approx(0, abs=1e-9)
    assert third[:2] == pytest.approx([0, 0], abs=1e-9)
    height = structure.positions[:, 2]
    assert height.max() - height.min() < 15.1  # PbA2I4; all others are below 12 Å
    assert third[2] - (height.max() - height.min()) > 13  # the rows' vacuum
    assert height.max() + height.min() == pytest.approx(third[2], abs=1e-6)
    in_plane = fractional(structure)[:, :2]
    assert in_plane.min() > -0.05
    assert in_plane.max() < 1


@pytest.mark.parametrize(
    ("short", "layer"), [("phosphorene", "ca"), ("PdS2_2D", "bc"), ("HfBrS_2D", "ca"), ("MoS2_2D", "ab")]
)
def test_vacuum_axis_is_found_among_the_three(short, layer):
    p = prototype(short)
    axes = ["abc".index(axis) for axis in layer]
    lengths = np.linalg.norm(build(p).cell, axis=1)
    assert lengths[:2] == pytest.approx([p.cell[k] for k in axes])


def test_centred_layer_is_reduced_in_the_plane():
    bond, vacuum = 1.42, 15.0
    graphene = replace(
        prototype("graphene"),
        hall_number=310,  # Cmmm
        cell=(np.sqrt(3) * bond, 3 * bond, vacuum, 90.0, 90.0, 90.0),
        sites=(("C", 0.0, 1 / 6, 0.0),),
    )
    structure = build(graphene)
    assert len(structure) == 2
    assert np.linalg.norm(structure.cell, axis=1) == pytest.approx([np.sqrt(3) * bond] * 2 + [vacuum])
    assert structure.cell[2] == pytest.approx([0, 0, vacuum])
    assert np.linalg.det(structure.cell) > 0
    assert spglib_number(structure.cell, fractional(structure), structure.numbers, 1e-4) == 191


def test_two_elements_in_one_place_are_refused():
    broken = replace(prototype("CsCl"), sites=(("Cs", 0.0, 0.0, 0.0), ("Cl", 1.0, 0.0, 0.0)))
    with pytest.raises(ValueError, match=r"`sites` puts Cl and Cs in one place"):
        build(broken)


def test_tilted_vacuum_is_refused():
    tilted = replace(prototype("VPSe3_2D"), cell=(6.3, 6.4, 18.4, 90.0, 80.0, 119.0))
    with pytest.raises(ValueError, match="`cell` of VPSe3 must have its vacuum axis normal to the layer"):
        build(tilted)


def test_unknown_hall_number_is_refused():
    with pytest.raises(ValueError, match="`hall_number` must be from 1 to 530, got 531"):
        build(replace(prototype("CsCl"), hall_number=531))


# Nanotubes


@pytest.mark.parametrize("p", TUBES, ids=by_short)
def test_tube(p):
    unit, tube = build(p, one_period=True), build(p)
    assert unit.pbc.tolist() == [False, False, True]
    assert not tube.pbc.any()
    assert set(tube.numbers) == {6}
    periods = len(tube) // len(unit)
    assert len(tube) == periods * len(unit) >= 100
    assert len(tube) - len(unit) < 100
    assert tube.cell[2, 2] == pytest.approx(periods * unit.cell[2, 2])
    hexagons = 2 * (p.n**2 + p.n * p.m + p.m**2) / np.gcd(2 * p.n + p.m, 2 * p.m + p.n)
    assert len(unit) == 2 * hexagons  # Saito, Dresselhaus, Dresselhaus (1998), eq. 3.9
    shortest = shortest_distance(unit.cell, unit.positions, unit.pbc)
    assert 0.97 * p.bond_length < shortest <= p.bond_length + 1e-6  # chords of a rolled-up sheet


@pytest.mark.parametrize("p", TUBES, ids=by_short)
def test_tube_diameter(p):
    axis = build(p).positions[:, :2]
    diameters = 2 * np.linalg.norm(axis - axis.mean(axis=0), axis=1)
    assert np.ptp(diameters) < 1e-3
    assert 4 < diameters.mean() < 6
    kind, _, _, n, m, _, stated = p.label.split("_")
    assert diameters.mean() == pytest.approx(float(stated), abs=0.006)
    assert (int(n), int(m)) == (p.n, p.m)
    assert kind == ("armchair" if p.n == p.m else "zigzag" if p.m == 0 else "chiral")


# Supercells and the paper's data set


@pytest.mark.parametrize("p", prototypes(), ids=by_short)
def test_supercells_are_the_smallest_three(p):
    unit = build(p, one_period=True)
    found = supercells(p)
    assert len(found) == 3
    smallest = round((len(found[0]) / len(unit)) ** (1 / p.dimension))
    assert len(unit) * (smallest - 1) ** p.dimension < 100
    for n, structure in enumerate(found, start=smallest):
        assert len(structure) == len(unit) * n**p.dimension >= 100
        assert not structure.pbc.any()
        repeats = [n if periodic else 1 for periodic in unit.pbc]
        assert structure.cell == pytest.approx(unit.cell * np.array(repeats)[:, None])


@pytest.mark.parametrize("short", ["fcc", "cubic_diamond", "NiAs", "phosphorene", "CNT_4_2"])
def test_supercell_is_the_same_crystal(short):
    p = prototype(short)
    unit, (supercell,) = build(p, one_period=True), supercells(p, min_atoms=2, count=1, periodic=True)
    assert supercell.pbc.tolist() == unit.pbc.tolist()
    expected = shortest_distance(unit.cell, unit.positions, unit.pbc)
    assert shortest_distance(supercell.cell, supercell.positions, supercell.pbc) == pytest.approx(expected)


@pytest.mark.parametrize(("min_atoms", "count"), [(0, 1), (100, 0)])
def test_supercells_refuse_nonsense(min_atoms, count):
    with pytest.raises(ValueError, match="`min_atoms` and `count`"):
        supercells(prototype("fcc"), min_atoms, count)


def test_pristine_is_the_papers_data_set():
    structures = list(pristine())
    assert len(structures) == 396
    counts = Counter(label for label, _ in structures)
    assert list(counts) == [p.label for p in prototypes()]
    assert all(counts[p.label] == (1 if p.dimension == 1 else 4) for p in prototypes())
    periodic = Counter(label for label, structure in structures if structure.pbc.any())
    assert periodic == {p.label: 1 for p in CRYSTALS}
    assert all(len(s) >= 100 for _, s in structures if not s.pbc.any())


def test_global_random_state_is_left_alone():
    before, numpy_before = random.getstate(), np.random.get_state()  # noqa: NPY002
    for p in prototypes()[::20]:
        build(p)
        supercells(p)
    numpy_after = np.random.get_state()  # noqa: NPY002
    assert random.getstate() == before
    assert all(np.array_equal(x, y) for x, y in zip(numpy_before, numpy_after, strict=True))


def test_names_as_tables_print_them():
    """Those of `ClassTable.short`: `rock_salt`, `nanotube_3_3`."""
    table = arise.load_model("arise-108").class_info
    assert [arise.prototype(name).label for name in table.short] == [c.label for c in table]
