"""What must not change the name: chemical order and its absence, antisites, c / a, twins and stacking faults.

A random solid solution is its lattice, the same lattice ordered is the ordered compound.
"""

import numpy as np
import pytest
from ase.build import bulk

import arise_core as arise
from arise_core.geometry import builders
from ase_arise import from_atoms

ELEMENTS = {"FePt": (26, 78), "NiAl": (28, 13), "CuZn": (29, 30)}
#: Lattice, sites of the second element in the conventional cell, name of the ordered structure.
ORDERED = {
    "L1_0": ("fcc", (1, 2), "L1_0"),
    "L1_2": ("fcc", (0,), "L1_2"),
    "B2": ("bcc", (0,), "CsCl (B2)"),
}
EDGE = 30.0  # Å


def crystal(lattice):
    """A cube of a lattice with neighbours at 2.6 Å, and the site within its conventional cell of each atom."""
    a = 2.6 * np.sqrt(2) if lattice == "fcc" else 2.6 / np.sqrt(0.75)
    atoms = bulk("Cu", lattice, a=a, cubic=True)
    n = round(EDGE / a)
    return from_atoms(atoms * (n, n, n)), np.tile(np.arange(len(atoms)), n**3)


def found_share(structure, numbers, wanted, noise, rng):
    """Share of boxes that get the wanted class and are not rejected."""
    structure = arise.Structure(structure.positions, numbers, structure.cell, structure.pbc)
    if noise:
        structure = builders.remove_atoms(builders.displace(structure, 0.05, rng), 0.1, rng)
    p = arise.strided_map(
        structure, arise.load_model("arise-108"), box_size=16, stride=5, passes=64
    ).prediction
    return float(((p.names == wanted) & ~p.rejected).mean())


@pytest.mark.parametrize("noise", [False, True], ids=["ideal", "5 % displaced, 10 % missing"])
@pytest.mark.parametrize("pair", ELEMENTS)
@pytest.mark.parametrize("share", [0.5, 0.25])
@pytest.mark.parametrize("lattice", ["fcc", "bcc"])
def test_random_solution_is_called_by_its_lattice(lattice, share, pair, noise):
    rng = np.random.default_rng(7)
    structure, _ = crystal(lattice)
    numbers = builders.solid_solution(structure.numbers, ELEMENTS[pair], [1 - share, share], rng)
    assert found_share(structure, numbers, lattice, noise, rng) >= 0.99


@pytest.mark.parametrize("noise", [False, True], ids=["ideal", "5 % displaced, 10 % missing"])
@pytest.mark.parametrize("pair", ELEMENTS)
@pytest.mark.parametrize("order", ORDERED)
def test_ordered_alloy_is_called_by_its_order(order, pair, noise):
    lattice, sites, name = ORDERED[order]
    structure, site = crystal(lattice)
    a, b = ELEMENTS[pair]
    numbers = np.where(np.isin(site, sites), b, a)
    assert found_share(structure, numbers, name, noise, np.random.default_rng(7)) >= 0.99


@pytest.mark.parametrize("share", [0.1, 0.25])
@pytest.mark.parametrize("order", ORDERED)
def test_order_with_antisites_is_still_that_order(order, share):
    lattice, sites, name = ORDERED[order]
    structure, site = crystal(lattice)
    numbers = np.where(np.isin(site, sites), 13, 28)
    rng = np.random.default_rng(3)
    chosen = rng.random(len(numbers)) < share
    numbers[chosen] = rng.permutation(numbers[chosen])
    assert found_share(structure, numbers, name, False, rng) >= 0.98


@pytest.mark.parametrize("ratio", [0.9, 0.93, 0.96, 0.98, 1.02])
def test_tetragonality_of_l10(ratio):
    """CuAu 0.93, FePt 0.96, CoPt 0.98, TiAl 1.02."""
    structure, site = crystal("fcc")
    structure = builders.stretched(structure, np.array([0, 0, 1.0]), ratio - 1)
    numbers = np.where(np.isin(site, (1, 2)), 78, 26)
    assert found_share(structure, numbers, "L1_0", False, np.random.default_rng(0)) >= 0.99


@pytest.mark.parametrize("ratio", [1.57, 1.593, 1.633, 1.7, 1.86])
def test_axial_ratio_of_hcp(ratio):
    """Be 1.57, Zr 1.59, Zn 1.86."""
    structure = from_atoms(bulk("Zr", "hcp", a=3.2, c=3.2 * ratio, orthorhombic=True) * (10, 6, 6))
    share = found_share(structure, structure.numbers, "hcp", False, np.random.default_rng(0))
    assert share >= 0.99


@pytest.mark.parametrize(("size", "least"), [(16, 0.97), (12, 0.85)])  # six layers are 13 Å
@pytest.mark.parametrize("name", ["fcc", "hcp"])
def test_crystals_with_twins_and_stacking_faults_keep_their_name(name, size, least):
    rng = np.random.default_rng(11)
    layers = builders.close_packed(builders.faulted_layers(name == "hcp", 60, 6, rng))
    cell = builders.repeat(layers, builders.cell_heights_at_least(layers, 30))
    moved = builders.displace(cell, 0.04, rng)
    p = arise.strided_map(moved, arise.load_model("arise-108"), box_size=size, stride=4, passes=64).prediction
    assert ((p.names == name) & ~p.rejected).mean() >= least
