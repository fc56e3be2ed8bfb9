"""Predictions of pieces: along tubes and wires, in slabs, at chosen centres; maps that slide along one axis only."""

import numpy as np
import pytest

import arise_core as arise
from arise_core import Cylinder, Layer, Sphere, Structure, classify_windows
from arise_core.errors import AriseError, InputError, InputTypeError
from arise_core.geometry import builders
from tests.conftest import shaken
from tests.doors.systems import bulk, crystal, in_vacuum

FAST = {"passes": 16, "tolerance": None}


def tube(label="nanotube (5,2)", periods=3):
    unit = arise.build(arise.prototype(label), one_period=True)
    return builders.repeat(unit, tuple(np.where(unit.pbc, periods, 1)))


def wire(width, labels=("fcc",), length=30.0):
    """Square wire along z with nearest neighbours 2.55 Å apart, open, pieces of several crystals end to end."""
    pieces = []
    for k, label in enumerate(labels):
        unit = crystal(label)
        scale = 2.55 / builders.nearest_neighbour_distance(unit)
        unit = Structure(unit.positions * scale, unit.numbers, unit.cell * scale, True)
        low = np.array([0, 0, k * length])
        high = np.array([width, width, (k + 1) * length - 1.2])
        pieces.append(builders.crystal_in_box(unit, low, high, np.eye(3), np.array([0.11, 0.23, 0.37]))[0])
    x = np.concatenate(pieces)
    return shaken(Structure(x, np.full(len(x), 29)), 0.05)


@pytest.mark.parametrize("shape", [Layer(16.0), Cylinder(8.0, 16.0), Sphere(9.0)])
def test_a_tube_along_its_axis(shape, model):
    structure = tube()
    found = classify_windows(structure, model, shape, stride=4.0, **FAST)
    length = np.linalg.norm(structure.cell[structure.pbc][0])
    assert len(found) == np.ceil(length / 4.0)
    at = found.values_at_atoms()
    assert (at.index >= 0).all()
    if not isinstance(shape, Sphere):
        assert {model.classes[k] for k in at.index} == {arise.prototype("nanotube (5,2)").label}
        assert not found.prediction.rejected.any()


def test_a_wire_of_two_crystals_end_to_end(model):
    structure = wire(12.0, ("fcc", "bcc"))
    found = classify_windows(structure, model, Layer(12.0), stride=4.0, **FAST)
    assert np.abs(found.axis) == pytest.approx([0, 0, 1], abs=3e-2)
    at = found.values_at_atoms()
    z = structure.positions[:, 2]
    fcc, bcc = (model.classes.index(arise.prototype(name).label) for name in ("fcc", "bcc"))
    assert (at.index[z < 20] == fcc).mean() > 0.95
    assert (at.index[z > 40] == bcc).mean() > 0.95
    rows = found.rows()
    assert len(rows) == len(found)
    assert set(rows[0]) == {
        "x",
        "y",
        "z",
        "n_atoms",
        "name",
        "confidence",
        "mutual_information",
        "reject_score",
    }
    assert "Layer" in repr(found)
    assert "<table" in found._repr_html_()


def test_layers_of_a_slab(model):
    """Layer by layer along the normal of a slab, which is found, and of a crystal, which is named."""
    low, high = bulk("fcc", 4), bulk("bcc", 4)
    slab = in_vacuum(high, 0.4)
    found = classify_windows(slab, model, Layer(9.0), stride=3.0, **FAST)
    assert (np.abs(found.axis @ np.cross(slab.cell[0], slab.cell[1]))) > 0
    assert found.prediction.valid.all()
    assert (found.prediction.labels == arise.prototype("bcc").label).all()
    assert found.values_at_atoms().index.shape == (len(slab),)
    bulk_found = classify_windows(
        low, model, Layer(9.0), stride=5.0, axis=np.cross(low.cell[0], low.cell[1]), **FAST
    )
    assert (bulk_found.prediction.labels == arise.prototype("fcc").label).all()


def test_spheres_at_chosen_centres(model, fcc):
    """Centres anywhere, wrapped or not; of a map, say."""
    centers = np.array([[1.0, 2.0, 3.0], [8.0, 8.0, 8.0]])
    found = classify_windows(fcc, model, Sphere(9.0), centers, **FAST)
    moved = classify_windows(fcc, model, Sphere(9.0), centers + fcc.cell[0] - 2 * fcc.cell[2], **FAST)
    assert (found.prediction.labels == arise.prototype("fcc").label).all()
    assert found.n_atoms.tolist() == moved.n_atoms.tolist()
    assert moved.prediction.probabilities == pytest.approx(found.prediction.probabilities, abs=1e-4)
    assert found.axis is None
    with pytest.raises(InputError, match="`centers` were given"):
        found.values_at_atoms()


def test_atoms_that_no_piece_reaches_have_no_value(model):
    found = classify_windows(wire(16.0), model, Cylinder(5.0, 12.0), stride=6.0, axis="z", **FAST)
    at = found.values_at_atoms()
    x = found.material.positions
    across = np.hypot(*(x - x.mean(axis=0))[:, :2].T)
    assert (at.index[across < 4.9] >= 0).all()
    assert (at.index[across > 5.1] == -1).all()
    assert np.isnan(at.mutual_information[across > 5.1]).all()


def test_too_few_atoms_are_told(model, fcc):
    with pytest.warns(UserWarning, match="no window holds `min_atoms`"):
        found = classify_windows(fcc, model, Sphere(2.0), [[0.0, 0, 0]], **FAST)
    assert found.rows()[0]["name"] == "none"
    assert found.rows()[0]["confidence"] is None


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"shape": 5}, "`shape` must be a Sphere, Cylinder or Layer"),
        ({"centers": [[0.0, 0.0]]}, "`centers` must be finite"),
        ({"centers": np.zeros((0, 3))}, "`centers` must be finite"),
        ({"centers": [[0.0, 0.0, np.nan]]}, "`centers` must be finite"),
        ({"stride": 0.0}, "`stride`"),
        ({"axis": "w"}, "`axis` must be 'x'"),
        ({"axis": [0, 0, 0]}, "`axis` must be 'x'"),
        ({"axis": "auto"}, "`axis` must be named"),
        ({"axis": [1.0, 1.0, 0.0]}, "`axis` .* must be normal"),
        ({"shape": Sphere(5.0), "axis": "z"}, "`centers` must be given"),
        ({"box_size": 8.0}, "unknown argument 'box_size'"),
        ({"min_atoms": 0}, "`min_atoms`"),
        ({"reject_threshold": 3}, "`reject_threshold`"),
    ],
)
def test_what_makes_no_sense_is_refused(given, says, model, fcc):
    with pytest.raises(AriseError, match=says):
        classify_windows(fcc, model, **{"shape": Layer(9.0), "axis": "z", **FAST, **given})


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf, "x", None, True])
def test_lengths_must_be_positive(value):
    for make in (lambda: Sphere(value), lambda: Cylinder(5.0, value), lambda: Layer(value)):
        with pytest.raises(InputError, match="must be a positive number of Å"):
            make()


def test_unknown_arguments_are_type_errors(model, fcc):
    with pytest.raises(InputTypeError):
        classify_windows(fcc, model, Sphere(5.0), [[0.0, 0, 0]], colour="red")


def test_a_map_slides_along_tubes_and_over_sheets_only(model):
    """Chosen by the shape: a tube thinner than a box has boxes along its axis, a sheet over its plane, a block all."""
    counts = {
        "tube": arise.strided_map(tube(), model, passes=2, tolerance=None).shape,
        "sheet": arise.strided_map(
            builders.repeat(arise.build(arise.prototype("graphene"), one_period=True), (10, 10, 1)), model, passes=2,
            tolerance=None,
        ).shape,
        "block": arise.strided_map(bulk("fcc", 5), model, stride=8.0, passes=2, tolerance=None).shape,
    }  # fmt: skip
    assert {name: sum(n > 1 for n in shape) for name, shape in counts.items()} == {
        "tube": 1, "sheet": 2, "block": 3,
    }  # fmt: skip


@pytest.mark.parametrize("resolution", ["single", "sharp"])
def test_a_map_of_a_thicker_wire_slides_along_it_if_it_is_thin_enough(resolution, model):
    """20 Å wide, boxes of 16 Å: seven by seven across by default; one, that holds all of it, with `thin`."""
    structure = wire(20.0, length=40.0)
    fast = {"passes": 4, "tolerance": None, "resolution": resolution, "stride": 4.0}
    usual = arise.box_grid(structure, arise.MapSettings(stride=4.0))
    assert usual.shape[0] > 1
    assert usual.shape == arise.box_grid(structure, arise.MapSettings(stride=4.0, thin=1.2)).shape
    field = arise.strided_map(structure, model, thin=3.0 if resolution == "sharp" else 1.5, **fast)
    assert field.shape[:2] == (1, 1)
    assert field.shape[2] == usual.shape[2]
    held = np.abs(structure.positions[:, 2] - field.centers[3, 2]) < 8
    assert field.grid.counts()[0, 0, 3] == held.sum()
    assert (field.values_at_atoms().index >= 0).all()
    assert (field.prediction.labels == arise.prototype("fcc").label).all()


def test_several_resolutions_of_a_structure(model):
    """Boxes of 8 Å find a lamella of bcc of 7 Å in fcc, those of 16 Å do not."""
    x, numbers = [], 29
    for k, (label, thickness) in enumerate((("fcc", 20.0), ("bcc", 7.0), ("fcc", 20.0))):
        unit = crystal(label)
        scale = 2.5 / builders.nearest_neighbour_distance(unit)
        unit = Structure(unit.positions * scale, unit.numbers, unit.cell * scale, True)
        start = (0.0, 20.5, 28.0)[k]
        x.append(builders.crystal_in_box(
            unit, np.array([0, 0, start]), np.array([20.0, 20.0, start + thickness - 0.9]), np.eye(3), np.full(3, 0.2)
        )[0])  # fmt: skip
    x = np.concatenate(x)
    structure = Structure(x, np.full(len(x), numbers))
    inside = np.abs(x[:, 2] - 24.0) < 2
    bcc = model.classes.index(arise.prototype("bcc").label)
    share = {}
    for size in (16.0, 8.0):
        field = arise.strided_map(structure, model, box_size=size, stride=4.0, passes=16, tolerance=None)
        share[size] = (field.values_at_atoms().index[inside] == bcc).mean()
    assert share[8.0] > 0.8
    assert share[16.0] < 0.2
