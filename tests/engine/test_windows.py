"""Spheres, cylinders and layers: which atoms they hold, their windows, their descriptors; axes and lines."""

import itertools

import numpy as np
import pytest

import arise_core as arise
from arise_core import Cylinder, Layer, Sphere, Structure
from arise_core.descriptor.covariance import Covariance
from arise_core.engine.windows import Cutter, Line, axis_of, periods_across
from arise_core.errors import InputError
from arise_core.geometry import builders
from arise_core.geometry.material import Material
from arise_core.settings import DescriptorSettings
from tests.conftest import shaken
from tests.doors.systems import SYSTEMS, ball, bulk, crystal, in_vacuum, skewed

SETTINGS = DescriptorSettings.weighted()
Z = np.array([0.0, 0.0, 1.0])
SHAPES = {"sphere": Sphere(8.0), "cylinder": Cylinder(6.0, 14.0), "layer": Layer(13.0)}


def cutter(structure, shape, axis=Z, min_atoms=1):
    return Cutter(Material.of(structure), shape, np.asarray(axis), SETTINGS, min_atoms)


def described(structure, shape, center, axis=Z):
    [(features, n)] = cutter(structure, shape, axis).describe(np.array([center], dtype=float))
    return features / np.linalg.norm(features), n


def copper(n=(4, 4, 4), sigma=0.0):
    corner = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]) * 3.615
    return shaken(builders.repeat(Structure(corner + 0.3, [29] * 4, np.eye(3) * 3.615, True), n), sigma)


def rod(radius=6.0, length=60.0, rotation=None, label="fcc"):
    """A round rod of a crystal along z, or turned, open."""
    low = np.array([-radius, -radius, -length / 2])
    x, z = builders.crystal_in_box(crystal(label), low, -low, np.eye(3), np.array([0.11, 0.23, 0.37]))
    keep = np.hypot(x[:, 0], x[:, 1]) < radius
    x = x[keep] if rotation is None else x[keep] @ rotation.T
    return Structure(x, z[keep])


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_overlap_with_themselves_as_said(name, rng):
    """γ(r) = |W ∩ (W + r)| / |W|, by random points; layers have no end in their plane."""
    shape = SHAPES[name]
    points = rng.uniform(-8, 8, (400_000, 3))
    points = points[shape.depth(points) >= 0]
    vectors = rng.uniform(-7, 7, (10, 3))
    for vector, said in zip(vectors, shape.overlap(vectors), strict=True):
        assert (shape.depth(points - vector) >= 0).mean() == pytest.approx(said, abs=0.01)
    assert shape.overlap(np.array([[40.0, 0, 0]])) == 0


@pytest.mark.parametrize("name", SHAPES)
def test_voxels_of_a_full_shape_overlap_like_the_shape(name, rng):
    shape = SHAPES[name]
    one = cutter(copper(), shape)
    inside, room = one._material_inside(None, np.zeros(3), np.zeros((1, 3)))
    assert inside.inside.sum() == pytest.approx(room)
    vectors = rng.uniform(-5, 5, (50, 3))
    expected = 1 / np.maximum(shape.overlap(vectors @ one._orthogonal), 0.05)
    found = Covariance(inside, 0.05, np.inf).weights(vectors)
    ratio = found / expected
    assert np.ptp(ratio / np.median(ratio)) < 0.12  # a factor of all weights changes nothing
    assert np.median(ratio) == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(
    "system", [copper((2, 3, 4), 0.05), skewed(copper((3, 3, 3), 0.05)), ball("fcc", 11.0)]
)
def test_pieces_hold_what_is_inside(name, system, rng):
    """All atoms and images within the shape, counted one by one; layers those of one period of their plane."""
    shape = SHAPES[name]
    cell = system.complete_cell
    axis = (
        Z if not system.pbc.any() else np.cross(cell[0], cell[1]) / np.linalg.norm(np.cross(cell[0], cell[1]))
    )
    reach = [range(-8, 9) if p else (0,) for p in system.pbc]
    if isinstance(shape, Layer):
        reach[:2] = [(0,), (0,)]
    shifts = np.array(list(itertools.product(*reach))) @ cell
    everything = (Material.of(system).positions[None] + shifts[:, None]).reshape(-1, 3)
    one = cutter(system, shape, axis)
    for center in rng.uniform(0, 1, (4, 3)) @ np.where(system.pbc[:, None], cell, np.eye(3)):
        depth = shape.depth((everything - center) @ one._orthogonal)
        positions, numbers = one._held(center)
        assert len(positions) == len(numbers) == (depth >= 0).sum()
        assert len(np.unique(np.round(positions, 6), axis=0)) == len(positions)


@pytest.mark.parametrize("name", SHAPES)
def test_a_full_piece_has_the_descriptor_of_the_crystal(name):
    whole = arise.describe(crystal("fcc"), SETTINGS)
    features, n = described(copper((6, 6, 6)), SHAPES[name], [4.1, 9.3, 7.7])
    assert n > 100
    assert features @ whole / np.linalg.norm(whole) > 0.99


def test_a_piece_that_holds_all_has_the_descriptor_of_the_structure():
    """Of a slab and a particle: the window is the support of the material."""
    slab = in_vacuum(bulk("bcc", 4), 0.3)
    whole = arise.describe(slab, SETTINGS)
    middle = Material.of(slab).positions.mean(axis=0)
    normal = np.cross(slab.cell[0], slab.cell[1])
    features, n = described(slab, Layer(40.0), middle, normal / np.linalg.norm(normal))
    assert n == len(slab)
    assert features @ whole / np.linalg.norm(whole) > 1 - 1e-4
    particle = ball("fcc", 10.0)
    whole = arise.describe(particle, SETTINGS)
    for shape in (Sphere(14.0), Cylinder(14.0, 28.0), Layer(28.0)):
        features, n = described(particle, shape, particle.positions.mean(axis=0))
        assert n == len(particle)
        assert features @ whole / np.linalg.norm(whole) > 1 - 1e-3, shape


def test_windows_correct_for_the_wire():
    """The cross-section of a thin wire is like the crystal with its window, and less so without."""
    whole = arise.describe(crystal("fcc"), SETTINGS)
    wire = rod()
    one = cutter(wire, Layer(16.0))
    [(features, _)] = one.describe(np.zeros((1, 3)))
    positions, _ = one._held(np.zeros(3))
    # as if the wire filled all space
    bare = Cutter(Material.of(wire), Layer(16.0), Z, DescriptorSettings(
        channels=SETTINGS.channels, window=False), 1)  # fmt: skip
    [(free, _)] = bare.describe(np.zeros((1, 3)))

    def like(f):
        return f @ whole / np.linalg.norm(f) / np.linalg.norm(whole)

    assert len(positions) > 100
    assert like(features) > like(free)
    assert like(features) > 0.97


@pytest.mark.parametrize("name", SHAPES)
def test_pieces_do_not_depend_on_the_orientation(name, rng):
    straight = rod()
    turn = builders.random_rotation(rng)
    center = np.array([0.3, -0.2, 4.0])
    a, n = described(straight, SHAPES[name], center)
    b, m = described(rod(rotation=turn), SHAPES[name], turn @ center, turn @ Z)
    assert n == m
    assert a @ b > 1 - 2e-4


def test_layers_do_not_depend_on_the_periodic_cell():
    small, large = copper((2, 2, 6), 0.0), copper((4, 2, 6), 0.0)
    a, n = described(small, Layer(9.0), [0, 0, 5.0])
    b, m = described(large, Layer(9.0), [3.0, 1.0, 5.0 + 6 * 3.615])
    assert m == 2 * n
    assert a @ b == pytest.approx(1.0, abs=1e-9)


def test_pieces_with_few_atoms_have_no_descriptor():
    [(features, n)] = cutter(copper(), Sphere(2.0), min_atoms=20).describe(np.zeros((1, 3)))
    assert np.isnan(features).all()
    assert n < 20


# --- axes and lines ---------------------------------------------------------------------------------------------


def test_the_axis_of_a_material_is_found(rng):
    tube = arise.build(arise.prototype("nanotube (5,2)"), one_period=True)
    assert np.abs(axis_of(Material.of(tube), "auto") @ tube.cell[tube.pbc][0]) == pytest.approx(
        np.linalg.norm(tube.cell[tube.pbc][0])
    )
    slab = in_vacuum(bulk("fcc", 4), 0.3)
    normal = np.cross(slab.cell[0], slab.cell[1])
    assert np.abs(axis_of(Material.of(slab), "auto") @ normal) == pytest.approx(np.linalg.norm(normal))
    turn = builders.random_rotation(rng)
    assert np.abs(axis_of(Material.of(rod(rotation=turn)), "auto") @ turn @ Z) > 0.999
    for structure, says in ((copper(), "repeats in three directions"), (ball("fcc", 8.0), "is no rod")):
        with pytest.raises(InputError, match=f"`axis` must be named: the structure {says}"):
            axis_of(Material.of(structure), "auto")
    assert axis_of(Material.of(copper()), "y").tolist() == [0, 1, 0]
    assert axis_of(Material.of(copper()), [0, 3, 4]).tolist() == [0, 0.6, 0.8]


def test_planes_must_repeat_as_the_structure_does():
    material = Material.of(copper())
    with pytest.raises(InputError, match="`axis` .* must be normal to all cell vectors"):
        periods_across(material, np.array([1.0, 1.0, 0.0]) / np.sqrt(2))
    flat, period = periods_across(material, -Z)
    assert flat.tolist() == [True, True, False]
    assert period @ -Z > 0


def test_lines_run_along_the_material():
    material = Material.of(rod(length=60.0))
    line = Line.through(material, Z, 5.0, whole=False)
    assert line.count == int(np.ptp(material.positions[:, 2]) // 5) + 1
    z = line.points[:, 2]
    assert np.diff(z) == pytest.approx(5.0)
    assert z.mean() == pytest.approx((material.positions[:, 2].min() + material.positions[:, 2].max()) / 2)
    place, distance = line.coordinates(line.points + [3.0, 4.0, 0.0])
    assert place == pytest.approx(np.arange(line.count))
    assert distance == pytest.approx(5.0)

    tilted = Structure([[0, 0, 0.5]], [6], [[0, 0, 0], [0, 0, 0], [3.0, 0, 4.0]], [False, False, True])
    long = builders.repeat(tilted, (1, 1, 6))
    line = Line.through(Material.of(long), axis_of(Material.of(long), "auto"), 4.0, whole=True)
    assert (line.count, line.step) == (8, 30 / 8)
    shifted = line.coordinates(line.points + 2 * long.cell[2])[0]
    assert shifted == pytest.approx(line.coordinates(line.points)[0])

    with pytest.raises(InputError, match="`centers` must be given"):
        Line.through(Material.of(copper()), Z, 3.0, whole=False)
    with pytest.raises(InputError, match="more than 1,000,000 windows"):
        Line.through(material, Z, 1e-6, whole=True)


def test_systems_of_the_doors_can_be_cut():
    """No system that the doors are shown makes spheres fail."""
    for name, (structure, *_) in ((n, s if isinstance(s, tuple) else (s,)) for n, s in SYSTEMS.items()):
        one = cutter(structure() if callable(structure) else structure, Sphere(5.0))
        for features, n in one.describe(one.material.positions[:1]):
            assert np.isfinite(features).all() or n < 2, name
