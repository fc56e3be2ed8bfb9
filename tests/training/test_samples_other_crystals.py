"""Random crystals that are none of the classes, and what the default model says of crystals that it does not know."""

from functools import cache

import numpy as np
import pytest
from ase.spacegroup import crystal

import arise_core as arise
from arise_core.crystals.crystal import fingerprint, prototype_crystals, selected
from arise_core.crystals.symmetry import group_operations, symmetry
from arise_core.geometry import builders
from arise_core.training.samples import other_crystals as unknown
from arise_core.training.samples.common import Strains
from ase_arise import from_atoms

OWN = unknown.OtherCrystals()
#: Well-known structures that are no class: symbols, Wyckoff positions, space group, origin choice, cell.
OTHERS = {
    "Laves C15": (["Mg", "Cu"], [(1 / 8,) * 3, (1 / 2,) * 3], 227, 2, [7.02] * 3 + [90] * 3),
    "spinel": (["Mg", "Al", "O"], [(1 / 8,) * 3, (1 / 2,) * 3, (0.2624,) * 3], 227, 2, [8.083] * 3 + [90] * 3),
    "corundum": (
        ["Al", "O"], [(0, 0, 0.3522), (0.3064, 0, 0.25)], 167, 1, [4.759, 4.759, 12.993, 90, 90, 120],
    ),
    "rutile": (["Ti", "O"], [(0, 0, 0), (0.3053, 0.3053, 0)], 136, 1, [4.594, 4.594, 2.959, 90, 90, 90]),
    "A15": (["Si", "Cr"], [(0, 0, 0), (0.25, 0, 0.5)], 223, 1, [4.556] * 3 + [90] * 3),
}  # fmt: skip


@pytest.mark.parametrize("group", range(1, 231))
def test_general_orbit_has_as_many_sites_as_the_group_operations(group):
    rotations, _ = group_operations(group)
    assert len(unknown.orbit(np.array([0.1234, 0.2718, 0.4142]), group)) == len(rotations)


@pytest.mark.parametrize(
    ("group", "site", "n"),
    [(225, (0, 0, 0), 4), (225, (0.25, 0.25, 0.25), 8), (194, (0, 0, 0), 2), (164, (2 / 3, 1 / 3, 0.3), 2)],
)
def test_special_orbits(group, site, n):
    assert len(unknown.orbit(np.array(site), group)) == n


@cache
def drawn(n_elements, count=50, own=OWN):
    rng = np.random.default_rng(n_elements)
    found = (unknown.random_crystal(n_elements, 2.0, own, rng) for _ in iter(int, 1))
    structures = (structure for structure in found if structure is not None)
    return [next(structures) for _ in range(count)]


@pytest.mark.parametrize("n_elements", [1, 2, 3])
def test_random_crystals_are_packed_like_real_ones(n_elements):
    for structure in drawn(n_elements):
        assert len(structure.species) == n_elements
        assert len(structure) <= OWN.atoms
        assert structure.pbc.all()
        lengths = np.linalg.norm(
            (structure.positions[:, None, None] - structure.positions[None, :, None])
            + unknown.TRANSLATIONS @ structure.cell, axis=3,
        )  # fmt: skip
        shortest = np.sort(lengths, axis=None)[len(structure)]  # after atoms to themselves
        assert np.isclose(shortest, unknown.SPACING, rtol=1e-3)
        assert abs(np.linalg.det(structure.cell)) / len(structure) <= 2.0 * unknown.SPACING**3 * (1 + 1e-9)


def test_half_of_the_random_crystals_are_highly_symmetric():
    numbers = [symmetry(s)[0] for n in (1, 2, 3) for s in drawn(n)]
    assert len(set(numbers)) > 20
    assert np.mean(np.array(numbers) >= unknown.FIRST_SYMMETRIC) > 0.5


def test_numbers_of_the_settings_hold():
    few = unknown.OtherCrystals(atoms=6, more_orbits=(1.0,), symmetric=1.0, special=(0, 1 / 2))
    found = drawn(2, 20, few)
    assert max(map(len, found)) <= 6
    assert min(symmetry(s)[0] for s in found) >= unknown.FIRST_SYMMETRIC


@pytest.mark.parametrize("group", [1, 10, 50, 100, 160, 210])
def test_cells_keep_to_their_ranges_and_to_the_group(group, rng):
    cells = unknown.Cells(axes=(0.9, 1.1), long=0.0, angles=(80, 85), monoclinic=(100, 110))
    for _ in range(20):
        cell = unknown.random_cell(group, cells, rng)
        lengths = np.linalg.norm(cell, axis=1)
        cosines = [cell[i] @ cell[j] / lengths[i] / lengths[j] for i, j in ((1, 2), (0, 2), (0, 1))]
        angles = np.degrees(np.arccos(cosines))
        assert ((lengths > 0.9 - 1e-9) & (lengths < 1.1 * 1.2 + 1e-9)).all()
        expected = {1: (80, 85), 10: (90, 110), 50: (90, 90), 100: (90, 90), 160: (90, 120), 210: (90, 90)}[
            group
        ]
        assert ((angles > expected[0] - 1e-6) & (angles < expected[1] + 1e-6)).all()


def test_unknown_crystals_are_none_of_the_classes():
    known = prototype_crystals()[::4]
    stretched = [
        builders.stretched(c.unit, np.array([0, 0, 1.0]), strain)
        for c in known
        if c.dimension == 3
        for strain in (-0.05, 0.025, 0.05)
    ]
    prints = np.array([*(c.fingerprint for c in known), *map(fingerprint, stretched)])
    rng = np.random.default_rng(1)
    for _ in range(20):
        structure = unknown.unknown_crystal(known, OWN, Strains(), rng).unit
        distance = np.linalg.norm(prints - fingerprint(structure), axis=1).min()
        assert distance >= OWN.distance[len(structure.species) - 1]


def test_stretched_copies_of_classes_span_the_range_of_the_settings():
    (hcp, graphene) = selected(["hcp", "graphene"])
    low, high = Strains().of(hcp.label)
    assert (low, high) == (-0.05, 0.17)
    prints = unknown.stretched_fingerprints(hcp, low, high, 0.025)
    ends = [fingerprint(builders.stretched(hcp.unit, np.eye(3)[2], strain)) for strain in (low, high)]
    for end in ends:
        assert np.linalg.norm(prints - end, axis=1).min() < 1e-9
    assert len(unknown.stretched_fingerprints(hcp, -0.05, 0.05, 0.05)) == 1 + 3 * 2
    assert len(unknown.stretched_fingerprints(graphene, -0.05, 0.05, 0.025)) == 1


def test_unknown_crystals_depend_on_the_seed_alone():
    known = prototype_crystals()[:3]
    first, again, other = (
        unknown.unknown_crystal(known, OWN, Strains(), np.random.default_rng(seed)).unit for seed in (5, 5, 6)
    )
    assert np.array_equal(first.positions, again.positions)
    assert np.array_equal(first.numbers, again.numbers)
    assert first.positions.shape != other.positions.shape or not np.allclose(first.positions, other.positions)


@pytest.mark.parametrize("name", OTHERS)
def test_default_model_rejects_crystals_that_it_does_not_know(name):
    symbols, basis, group, setting, cell = OTHERS[name]
    atoms = crystal(symbols, basis=basis, spacegroup=group, setting=setting, cellpar=cell)
    structure = builders.repeat(from_atoms(atoms), (2, 2, 2))
    moved = builders.displace(structure, 0.03, np.random.default_rng(0))
    found = arise.classify([structure, moved], arise.load_model("arise-108"))
    assert found.rejected.all()
    assert np.allclose(found.probabilities.sum(axis=1), 1)  # they say what is most similar
