"""The material: spacing, vacuum, overlaps, folding, and the support that it fills."""

import numpy as np
import pytest
from ase.build import bulk as ase_bulk

import arise_core as arise
from arise_core.geometry import builders
from arise_core.geometry.cell import ASKEW, perpendicular_heights, shortened
from arise_core.geometry.material import VACUUM, Material
from arise_core.geometry.neighbors import ANY
from arise_core.geometry.structure import Structure
from arise_core.geometry.support import SURFACE, support
from ase_arise import from_atoms
from tests.doors.systems import ball, bulk, changed, crystal, holes, in_vacuum, skewed, unwrapped


def volume_per_atom(structure):
    return abs(np.linalg.det(structure.cell)) / len(structure)


@pytest.mark.parametrize("name", ["fcc", "bcc", "diamond", "rock salt", "cubic perovskite"])
def test_the_spacing_is_that_of_the_volume(name):
    structure = bulk(name, 5, 0.03)
    assert Material.of(structure).spacing == pytest.approx(np.cbrt(volume_per_atom(structure)), rel=0.06)
    piece = builders.opened(structure)
    # of a sharp piece of a hundred atoms few have 40 neighbours around them
    assert Material.of(piece).spacing == pytest.approx(np.cbrt(volume_per_atom(structure)), rel=0.2)


def test_spacings_of_few_atoms():
    assert Material.of(Structure(np.zeros((1, 3)), [29])).spacing == 1.0
    two = Structure(np.array([[0, 0, 0], [0, 0, 2.5]]), [29, 29])
    assert 0 < Material.of(two).spacing < 10
    assert Material.of(crystal("fcc")).spacing == pytest.approx(Material.of(bulk("fcc", 6, 0.0)).spacing)


def test_a_looser_material_beside_a_denser_one_is_seen():
    dense = bulk("fcc", 8, 0.05)
    assert Material.of(dense).loose_spacing == Material.of(dense).spacing
    assert Material.of(holes(dense)).loose_spacing == Material.of(holes(dense)).spacing
    x, z = builders.crystal_in_box(crystal("fcc"), np.zeros(3), np.full(3, 20.0), np.eye(3), np.full(3, 0.1))
    loose = 1.5 * x + [0, 0, 22.0]
    both = Material.of(Structure(np.concatenate([x, loose]), np.concatenate([z, z])))
    assert 1.25 * both.spacing < both.loose_spacing <= 1.7 * both.spacing


@pytest.mark.parametrize("factor", [0.8, 1.2])
def test_a_gap_is_vacuum_from_three_spacings(factor):
    solid = bulk("fcc", 6, 0.0)
    gap = factor * VACUUM * Material.of(solid).spacing
    heights = 1 / np.linalg.norm(np.linalg.inv(solid.cell), axis=0)
    wider = solid.cell * np.array([[1], [1], [1 + (gap - 2.0) / heights[2]]])  # a layer is some 2 Å high
    found = Material.of(Structure(solid.positions, solid.numbers, wider, True)).body.pbc
    assert found.tolist() == [True, True, factor < 1]


@pytest.mark.parametrize(
    ("build", "pbc"),
    [
        (lambda: changed(ball("fcc", 8.0), cell=np.eye(3) * 50, pbc=True), [False] * 3),
        (
            lambda: changed(bulk("fcc"), cell=bulk("fcc").cell * [[3], [3], [1]], pbc=True),
            [False, False, True],
        ),
        (lambda: in_vacuum(skewed(bulk("bcc")), 0.6), [True, True, False]),
        (lambda: bulk("fcc"), [True] * 3),
        (lambda: ball("fcc", 8.0), [False] * 3),
    ],
    ids=["particle", "wire", "skewed slab", "solid", "open"],
)
def test_folding(build, pbc):
    """Atoms and their images come to the body; its own atoms stay; what is not opened is left alone."""
    structure = build()
    material = Material.of(structure)
    assert material.body.pbc.tolist() == pbc
    cell = structure.complete_cell
    for positions in (structure.positions, unwrapped(structure).positions):
        apart = (material.fold(positions) - material.body.positions) @ np.linalg.inv(cell)
        opened = structure.pbc & ~material.body.pbc
        assert np.allclose(apart[:, opened], 0, atol=1e-9)
        assert np.allclose(apart, apart.round(), atol=1e-9)
    assert np.allclose(material.fold(material.body.positions), material.body.positions)
    assert material.fold(np.empty((0, 3))).shape == (0, 3)
    if (material.body.pbc == structure.pbc).all():
        assert material.body is structure
        points = np.random.default_rng(0).normal(0, 100, (20, 3))
        assert np.array_equal(material.fold(points), points)


def test_a_slab_is_whole_wherever_its_border_is():
    extents = [
        np.ptp(Material.of(in_vacuum(bulk("fcc", 6, 0.0), shift)).body.positions[:, 2])
        for shift in np.arange(0, 1, 0.13)
    ]
    assert np.allclose(extents, extents[0])


def test_overlaps_are_looked_for_in_images_too():
    close = Structure([[0.02, 0, 0], [3.97, 0, 0]], [29, 29], np.eye(3) * 4.0, True)
    with pytest.raises(
        ValueError, match=r"here: `positions` has overlapping atoms: 1 pairs closer than 0.1 Å"
    ):
        Material.of(close).check_overlaps("here: ")
    Material.of(changed(close, pbc=False)).check_overlaps()
    itself = Structure([[0, 0, 0]], [29], np.diag([0.05, 4, 4]), True)
    with pytest.raises(ValueError, match="overlapping atoms"):
        Material.of(itself).check_overlaps()


def test_a_column_of_coordinates_that_is_missing_is_guessed():
    """Not a unit: shrunk to a plane, atoms of a crystal overlap."""
    whole = bulk("fcc", 4, 0.0)
    flat = whole.positions * [1, 1, 0]
    with pytest.raises(ValueError, match="All have the same z: is a column of coordinates missing"):
        Material.of(changed(whole, flat)).check_overlaps()
    with pytest.raises(ValueError, match="Are lengths in"):
        Material.of(Structure(whole.positions / 50, whole.numbers, whole.cell / 50, True)).check_overlaps()


def test_the_support_ends_half_a_spacing_beyond_the_atoms():
    structure = ball("fcc", 12.0)
    material = Material.of(structure)
    found = support(material)
    radius = np.linalg.norm(structure.positions, axis=1).max()
    volume = found.inside.sum() * abs(np.linalg.det(found.step))
    assert volume == pytest.approx(len(structure) * volume_per_atom(crystal("fcc")), rel=0.12)
    rim = radius + SURFACE * material.spacing
    assert found.at(np.array([[0, 0, rim + 0.5]])) < 0.5
    assert found.at(structure.positions).min() > 0.9
    directions = structure.positions / np.linalg.norm(structure.positions, axis=1)[:, None]
    assert found.at(directions * (radius + 2 * material.spacing)).max() == 0
    assert found.at(np.array([[500.0, 0, 0]])) == 0


def test_supports_of_solids_and_slabs():
    assert support(Material.of(bulk("fcc", 5))).full
    assert support(Material.of(crystal("fcc"))).full
    slab = in_vacuum(bulk("fcc", 6), 0.3)
    found = support(Material.of(slab))
    assert not found.full
    assert found.pbc.tolist() == [True, True, False]
    share = found.at(Material.of(slab).body.positions)
    assert share.min() > 0.9
    coarse = support(Material.of(slab), max_voxels=2000)
    assert coarse.inside.size < found.inside.size
    assert coarse.at(Material.of(slab).body.positions).mean() > 0.9


def test_a_material_is_of_what_it_was_made():
    structure = bulk("rock salt", 3)
    material = Material.of(structure)
    assert material.structure is structure
    assert len(material) == len(structure)
    assert material.nearest(11, 17) is material.nearest(11, 17)  # kept
    assert len(material.nearest(11, 17, 5)) == 5
    assert np.array_equal(structure.positions, bulk("rock salt", 3).positions)
    assert arise.describe(material).shape == arise.describe(structure).shape


def test_a_skewed_cell_gives_way_to_short_vectors():
    """Of the same crystal: the neighbours of each atom are as far as they were."""
    crystal = bulk("fcc", 4, 0.05)
    skew = np.array([[1, 0, 0], [2, 1, 0], [-1, 1, 1]])
    other = Structure(crystal.positions, crystal.numbers, skew @ crystal.cell, True)
    body = Material.of(other).body
    share = perpendicular_heights(body.cell) / np.linalg.norm(body.cell, axis=1)
    assert (perpendicular_heights(other.cell) / np.linalg.norm(other.cell, axis=1)).min() < ASKEW
    assert share.min() >= ASKEW
    assert abs(np.linalg.det(body.cell)) == pytest.approx(abs(np.linalg.det(crystal.cell)))
    assert np.array_equal(body.positions, other.positions)
    inside = Material.of(other).positions @ np.linalg.inv(body.cell)
    assert inside.min() > -1e-9
    assert inside.max() < 1 + 1e-9
    near, far = (Material.of(s).nearest(ANY, ANY) for s in (crystal, other))
    assert near == pytest.approx(far)


def test_the_vacuum_of_a_slab_in_a_slanted_cell_stays_one():
    """The shortest vectors of its lattice lie across the vacuum, so it is looked for before."""
    film = from_atoms(ase_bulk("Cu", a=3.6, cubic=True) * (8, 3, 2))
    cell = np.array([[28.8, 0, 0], [0, 10.8, 0], [1.5 * 28.8, 0, 21.0]])
    slanted = Structure(film.positions, film.numbers, cell, True)
    short = shortened(cell, np.ones(3, dtype=bool))
    assert (np.abs(short[:, 2]) > 20).sum() == 2
    body = Material.of(slanted).body
    assert body.pbc.tolist() == [True, True, False]
    assert perpendicular_heights(body.cell) == pytest.approx(np.linalg.norm(body.cell, axis=1))
    assert np.allclose(body.cell[:2], cell[:2])
