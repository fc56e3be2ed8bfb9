"""The descriptor: dscribe as reference, invariances, pieces against the crystal, length scale."""

import ase.build
import numpy as np
import pytest

import arise_core as arise
from arise_core.crystals.ideal import supercells
from arise_core.descriptor.covariance import BoxWindow
from arise_core.descriptor.radial import gto_basis
from arise_core.descriptor.soap import _scales_and_window as scales_and_window
from arise_core.descriptor.soap import describe, describe_piece, survey
from arise_core.geometry import builders
from arise_core.geometry.material import Material
from arise_core.geometry.structure import Structure
from arise_core.settings import DescriptorSettings, RadialChannel
from arise_core.testing import ROUNDING, VOXELS, assert_invariant, assert_pure, cosine
from arise_core.training.samples.pieces import random_piece
from tests.conftest import shaken

PAPER = DescriptorSettings.paper()
CORRECTED = DescriptorSettings.corrected()
PRESETS = {"paper": PAPER, "corrected": CORRECTED, "weighted": DescriptorSettings.weighted()}
EXPRESSIBLE = {
    "paper": PAPER,
    "falling weight": DescriptorSettings(channels=(RadialChannel(weight="falling"),), window=False),
    "two weights": DescriptorSettings(
        channels=(RadialChannel(weight="flat", share=0.4), RadialChannel(weight="falling", share=0.6)),
        window=False,
    ),
}
CRYSTALS = ("fcc", "bcc", "hcp", "diamond", "rock salt", "L1_2")


def crystal(name):
    return arise.build(arise.prototype(name))


def systems():
    """Named test systems: one and several species; periodic, slab and cluster; skewed cells."""
    fcc, salt, perovskite = crystal("fcc"), crystal("rock salt"), crystal("cubic perovskite")
    return {
        "fcc, periodic": shaken(builders.repeat(fcc, (3, 3, 3)), 0.1),
        "rock salt, periodic": shaken(builders.repeat(salt, (2, 2, 2)), 0.1),
        "perovskite, periodic": shaken(perovskite, 0.05),
        "hcp cluster": builders.opened(shaken(builders.repeat(crystal("hcp"), (4, 4, 3)), 0.1)),
        "rock salt cluster": builders.opened(shaken(builders.repeat(salt, (3, 3, 3)), 0.1)),
        "MoS2 layer": shaken(builders.repeat(crystal("MoS2 monolayer"), (2, 2, 1)), 0.05),
        "fcc slab": slab(),
    }


def slab():
    atoms = ase.build.fcc111("Al", (2, 3, 4), vacuum=8, orthogonal=False)
    return shaken(Structure(atoms.positions, atoms.numbers, atoms.cell.array, (True, True, False)), 0.05)


SYSTEMS = systems()


@pytest.mark.parametrize("settings", EXPRESSIBLE.values(), ids=EXPRESSIBLE.keys())
@pytest.mark.parametrize("structure", SYSTEMS.values(), ids=SYSTEMS.keys())
def test_agrees_with_dscribe(structure, settings):
    own = describe(structure, settings)
    reference = describe(structure, settings, backend="dscribe")
    assert np.abs(own - reference).max() < 1e-6
    assert np.linalg.norm(own - reference) < 1e-6


def test_dscribe_refuses_what_it_cannot_express(fcc):
    with pytest.raises(ValueError, match="window correction, a taper"):
        describe(fcc, CORRECTED, backend="dscribe")
    with pytest.raises(ValueError, match="`backend` must be"):
        describe(fcc, PAPER, backend="quippy")


def test_radial_basis_is_dscribes():
    from dscribe.descriptors import SOAP

    soap = SOAP(species=["H"], r_cut=4.0, n_max=9, l_max=6, sigma=0.1)
    exponents, matrices = soap.get_basis_gto(4.0, 9, 6)
    own = gto_basis(9, 6, 4.0)
    assert np.allclose(own[0], exponents, rtol=1e-12)
    assert np.allclose(own[1], matrices, rtol=1e-6)


@pytest.mark.parametrize("settings", PRESETS.values(), ids=PRESETS.keys())
@pytest.mark.parametrize("name", SYSTEMS)
def test_invariances(name, settings, rng):
    open_support = settings.window and not SYSTEMS[name].pbc.all()
    assert_invariant(
        lambda s: describe(s, settings), SYSTEMS[name], rng, VOXELS if open_support else ROUNDING
    )


@pytest.mark.parametrize("settings", PRESETS.values(), ids=PRESETS.keys())
@pytest.mark.parametrize("name", ["rock salt, periodic", "rock salt cluster"])
def test_input_is_left_as_it_is(name, settings):
    assert_pure(lambda s: describe(s, settings), SYSTEMS[name])


def test_slab_in_a_periodic_cell_is_the_open_slab():
    layer = crystal("MoS2 monolayer")
    boxed = Structure(layer.positions, layer.numbers, layer.cell, True)
    assert np.allclose(describe(boxed), describe(layer), atol=1e-12)


@pytest.mark.parametrize("name", CRYSTALS)
def test_boxes_agree_with_the_crystal(name, rng):
    """Boxes of 16 Å (six or more length scales) at random place and orientation; worst of ten."""
    unit = crystal(name)
    reference, found = describe(unit), survey(unit, CORRECTED)
    worst = 1.0
    for _ in range(10):
        half = np.full(3, 8.0)
        inside = builders.crystal_in_box(
            unit, -half, half, builders.random_rotation(rng), rng.uniform(size=3)
        )
        window = BoxWindow(np.eye(3) * 16, np.ones(3), CORRECTED.floor)
        worst = min(worst, cosine(reference, describe_piece(*inside, window, found.ranges, CORRECTED)))
    assert worst > 0.999


@pytest.mark.parametrize("name", CRYSTALS)
def test_open_supercells_agree_with_the_crystal(name):
    for piece in supercells(arise.prototype(name), min_atoms=120):
        assert cosine(describe(crystal(name)), describe(piece)) > 0.99


@pytest.mark.parametrize("name", [*CRYSTALS, "graphene", "MoS2 monolayer"])
def test_open_pieces_agree_with_the_crystal(name, rng):
    """Spheres, discs, random polyhedra and flakes of 120 to 250 atoms; worst of twelve."""
    unit = crystal(name)
    reference = describe(unit)
    pieces = [random_piece(unit, int(rng.integers(120, 250)), rng) for _ in range(12)]
    assert min(len(p) for p in pieces) >= 120
    assert min(cosine(reference, describe(p)) for p in pieces) > 0.99


@pytest.mark.parametrize("name", CRYSTALS)
def test_length_scale_holds_under_displacements(name, rng):
    """Displacements whose root mean square is 8 % of the nearest-neighbour distance move d by less than 2 %."""
    unit = crystal(name)
    large = builders.repeat(unit, builders.cell_heights_at_least(unit, 18.0))
    still, _ = scales_and_window(Material.of(large), CORRECTED)
    size = 0.08 * builders.nearest_neighbour_distance(unit) / np.sqrt(3)
    moved = Structure(
        large.positions + rng.normal(0, size, large.positions.shape), large.numbers, large.cell, True
    )
    shaken_scales, _ = scales_and_window(Material.of(moved), CORRECTED)
    for pair, d in still.items():
        assert shaken_scales[pair] == pytest.approx(d, rel=0.02)


def test_length_scale_is_the_nearest_neighbour_distance_of_an_ideal_crystal():
    scales, _ = scales_and_window(Material.of(crystal("fcc")), CORRECTED)
    assert scales[29, 29] == pytest.approx(3.61491 / np.sqrt(2), rel=2e-3)
    scales, _ = scales_and_window(Material.of(crystal("rock salt")), CORRECTED)
    assert scales[11, 17] == pytest.approx(5.63931 / 2, rel=2e-3)
    assert scales[11, 11] == pytest.approx(5.63931 / np.sqrt(2), rel=2e-3)


def test_tiny_structures():
    """One atom has no pairs; two atoms have one; nothing breaks."""
    assert (describe(Structure(np.zeros((1, 3)), [29])) == 0).all()
    two = describe(Structure([[0, 0, 0], [0, 0, 2.0]], [29, 29]))
    assert np.isfinite(two).all()
    assert np.linalg.norm(two) == pytest.approx(1)
    assert (describe(Structure([[0, 0, 0]], [29]), PAPER) == 0).all()


def test_piece_without_enough_atoms_of_any_species_is_nan():
    piece = describe_piece(
        np.zeros((1, 3)), np.array([29]), BoxWindow(np.eye(3), np.ones(3), 0.05), {}, CORRECTED
    )
    assert np.isnan(piece).all()


def test_settings_round_trip_and_errors():
    for settings in PRESETS.values():
        assert DescriptorSettings.from_dict(settings.to_dict()) == settings
    assert PAPER.n_features == 315
    with pytest.raises(ValueError, match=r"must be one of \('paper', 'corrected', 'weighted'\), got 'new'"):
        DescriptorSettings.preset("new")
    with pytest.raises(ValueError, match="unknown descriptor settings"):
        DescriptorSettings.from_dict({**PAPER.to_dict(), "rcut": 3})
    with pytest.raises(ValueError, match="incomplete"):
        DescriptorSettings.from_dict({"n_max": 9})
    with pytest.raises(ValueError, match="shares that add up to 1"):
        DescriptorSettings(channels=(RadialChannel(weight="flat", share=0.5),))
