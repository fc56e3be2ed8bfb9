"""Weights of pairs of species: what a foreign atom, a split species and an order of elements do to the descriptor."""

import ase.build
import numpy as np
import pytest

import arise_core as arise
from arise_core.descriptor.soap import describe, pair_weights
from arise_core.engine.boxes import describe_boxes
from arise_core.engine.grid import box_grid
from arise_core.geometry import builders
from arise_core.geometry.neighbors import ANY, PairFinder
from arise_core.geometry.structure import Structure
from arise_core.settings import DescriptorSettings, MapSettings, RadialChannel
from arise_core.testing import cosine
from tests.conftest import conventional, shaken

WEIGHTED = DescriptorSettings.weighted()
ROOT, SHARE, BLIND = range(3)


def crystal(name):
    return arise.build(arise.prototype(name))


def copper(n):
    return builders.repeat(conventional(crystal("fcc")), (n, n, n))


def with_numbers(structure, numbers):
    return Structure(structure.positions, numbers, structure.cell, structure.pbc)


def distances(a, b, settings=WEIGHTED):
    """1 - cosine of each channel."""
    x, y = (describe(s, settings).reshape(-1, settings.channel_size) for s in (a, b))
    return np.array([1 - cosine(p, q) for p, q in zip(x, y, strict=True)])


def single(pairs):
    return DescriptorSettings(channels=(RadialChannel(weight="falling", pairs=pairs),))


def test_one_foreign_atom_decides_nothing():
    host = copper(4)
    hydrogen = Structure(
        np.vstack([host.positions, host.positions[:1] + [0, 0, host.cell[0, 0] / 8]]),
        np.append(host.numbers, 1), host.cell, True,
    )  # fmt: skip
    assert distances(hydrogen, host, single(0.0))[0] > 0.1  # published weights
    assert distances(hydrogen, host).max() < 5e-3
    assert (distances(hydrogen, host) < distances(hydrogen, crystal("rock salt")) / 10).all()


def test_a_random_alloy_is_its_lattice(rng):
    host = copper(6)
    alloy = with_numbers(
        host, builders.solid_solution(host.numbers, [24, 26, 27, 28], [0.1, 0.2, 0.3, 0.4], rng)
    )
    assert distances(alloy, host)[BLIND] < 1e-12
    assert distances(alloy, host).max() < 1e-4
    order = crystal("L1_2")
    assert distances(order, host)[ROOT] > 4e-3
    assert distances(order, host)[BLIND] < 1e-8


def test_a_mixed_sublattice_counts_as_one(rng):
    salt = builders.repeat(conventional(crystal("rock salt")), (4, 4, 4))
    metal = salt.numbers == salt.numbers.max()
    numbers = np.where(metal, rng.choice([22, 40, 72, 73], len(salt)), 6)
    mixed = distances(with_numbers(salt, numbers), salt)
    assert mixed[SHARE] < 1e-4
    assert mixed[BLIND] < 1e-12
    assert mixed[SHARE] < mixed[ROOT] / 10


def test_one_species_has_the_same_in_all_channels():
    parts = describe(shaken(copper(3), 0.1), WEIGHTED).reshape(3, -1) * np.sqrt(3)
    assert np.allclose(parts, parts[0], atol=1e-12)
    assert np.allclose(parts[0], describe(shaken(copper(3), 0.1)), atol=1e-12)


def test_exponent_0_is_the_average_of_the_publication():
    layer = shaken(crystal("MoS2 monolayer"), 0.02)
    assert np.array_equal(describe(layer, single(0)), describe(layer, DescriptorSettings.corrected()))


def test_weights_by_hand():
    share = (np.array([0.9, 0.0]), np.array([0.1, 0.5]))
    weights = pair_weights((29, 1), share, 2, False, WEIGHTED)
    assert np.allclose(weights, [[2 * 0.3, 2 * 0.09, 0], [0, 0, 0]])
    assert np.allclose(pair_weights((29, 29), (share[0], share[0]), 1, True, WEIGHTED)[0], [0.9, 0.81, 1])
    assert np.allclose(pair_weights((ANY, ANY), share, 1, False, WEIGHTED), [0, 0, 1])


SYSTEMS = {
    "random alloy": lambda rng: with_numbers(copper(8), rng.choice([29, 79, 13], 2048, p=[0.95, 0.04, 0.01])),
    "open piece": lambda rng: builders.opened(
        with_numbers(copper(7), rng.choice([29, 79], 1372, p=[0.9, 0.1]))
    ),
    "half pure": lambda rng: with_numbers(
        copper(8), np.where((copper(8).positions[:, 0] < 14) & (rng.random(2048) < 0.5), 79, 29)
    ),
    "slab with adsorbed atoms": lambda rng: slab(),
}


def slab():
    atoms = ase.build.fcc111("Pt", (6, 6, 6), vacuum=8)
    ase.build.add_adsorbate(atoms, "O", 1.2, "fcc")
    ase.build.add_adsorbate(atoms, "H", 1.0, "ontop", offset=2)
    return Structure(atoms.positions, atoms.numbers, atoms.cell.array, (True, True, False))


@pytest.mark.parametrize("name", SYSTEMS)
def test_engine_and_single_boxes_agree(name, rng):
    grid = box_grid(shaken(SYSTEMS[name](rng), 0.08), MapSettings(stride=6.0, box_size=11.0))
    fast, slow = (describe_boxes(grid, WEIGHTED, method=m).features for m in ("auto", "direct"))
    assert np.array_equal(np.isnan(fast), np.isnan(slow))
    there = ~np.isnan(fast).any(axis=1)
    assert there.sum() > 10
    for channel in range(3):
        part = slice(315 * channel, 315 * (channel + 1))
        worst = min(cosine(x[part], y[part]) for x, y in zip(fast[there], slow[there], strict=True))
        assert worst > 0.9999


def test_fewest_atoms_of_a_species_matter_where_pairs_are_alike_only():
    numbers = copper(5).numbers.copy()
    numbers[:2] = 1
    structure = shaken(with_numbers(copper(5), numbers), 0.05)

    def described(settings, least):
        grid = box_grid(structure, MapSettings(box_size=12.0, stride=6.0, min_atoms_per_species=least))
        return describe_boxes(grid, settings).features

    assert np.array_equal(described(WEIGHTED, 1), described(WEIGHTED, 9), equal_nan=True)
    alike = DescriptorSettings.corrected()
    assert not np.array_equal(described(alike, 1), described(alike, 9), equal_nan=True)


def test_any_species_finds_all_pairs(rng):
    structure = shaken(SYSTEMS["random alloy"](rng), 0.05)
    plain = with_numbers(structure, np.full(len(structure), 29))
    assert np.array_equal(PairFinder(structure).nearest(ANY, ANY), PairFinder(plain).nearest(29, 29))
    found, wanted = (
        sum(len(v) for v in PairFinder(s).vectors(z, z, 5.0)) for s, z in ((structure, ANY), (plain, 29))
    )
    assert found == wanted > 0


def test_a_blind_channel_needs_no_pair_peak(rng):
    settings = DescriptorSettings(channels=WEIGHTED.channels, window=False, length_scale="nearest-neighbour")
    alloy = with_numbers(copper(3), rng.choice([29, 28], 108))
    assert distances(alloy, copper(3), settings)[BLIND] < 1e-12
    with pytest.raises(ValueError, match="blind to species"):
        describe(alloy, settings, backend="dscribe")


@pytest.mark.parametrize("pairs", [-0.5, "none", float("nan")])
def test_bad_exponents_are_refused(pairs):
    with pytest.raises(ValueError, match="`pairs` must be a number that is not negative or 'blind'"):
        RadialChannel(weight="flat", pairs=pairs)


def test_settings_of_before_mean_the_same():
    plain = DescriptorSettings.corrected().to_dict()
    assert "pairs" not in plain["channels"][0]  # cards of before have none
    assert DescriptorSettings.from_dict(plain) == DescriptorSettings.corrected()
    assert DescriptorSettings.from_dict(WEIGHTED.to_dict()) == WEIGHTED
    assert [c["pairs"] for c in WEIGHTED.to_dict()["channels"]] == [0.5, 1.0, "blind"]
