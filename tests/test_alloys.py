"""Chemical order: a random solid solution is its lattice, the same lattice ordered is the ordered compound."""

import numpy as np
import pytest
from ase.build import bulk

import arise_core as arise
from arise_core import builders
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
