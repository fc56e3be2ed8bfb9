"""Whole structures and strided maps: right answers, bad input, progress."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import xarray
from scipy.spatial.transform import Rotation

import arise_core as arise
from arise_core.errors import FileError
from arise_core.geometry import builders
from arise_core.geometry.material import Material
from arise_core.geometry.structure import Structure
from arise_core.model.prediction import Rule
from arise_core.recognition.between import PointValues
from arise_core.recognition.maps import StridedMap
from arise_core.recognition.result import Recognition
from tests.conftest import shaken

LABEL = "fcc_Cu_A_cF4_225_a"


def test_all_pristine_structures(model):
    """The paper's 396 structures: every one right, none rejected."""
    from arise_core.training.train import pristine_accuracy

    assert pristine_accuracy(model) == 1.0


@pytest.mark.parametrize("name", ["fcc", "bcc", "hcp", "diamond", "L1_2", "graphene", "nanotube (5,2)"])
def test_classify(model, name):
    prediction = arise.classify(arise.build(arise.prototype(name)), model, passes=100)
    assert len(prediction) == 1
    assert prediction.names[0] == name
    assert prediction.labels[0] == arise.prototype(name).label
    assert prediction.confidence[0] > 0.9
    assert not prediction.rejected[0]
    assert prediction.top(0, 3)[0][0] == prediction.labels[0]


def test_several_structures_and_progress(model):
    structures = [arise.build(arise.prototype(n)) for n in ("fcc", "rock salt", "bcc")]
    seen = []
    prediction = arise.classify(structures, model, passes=50, progress=seen.append)
    assert prediction.names.tolist() == ["fcc", "rock salt", "bcc"]
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    alone = arise.classify(structures[1], model, passes=50)
    assert np.array_equal(prediction.probabilities[1], alone.probabilities[0])


def test_few_open_atoms_give_nan_and_a_warning(model):
    few = Structure(np.eye(3) * 3, [29] * 3)
    with pytest.warns(UserWarning, match=r"3 atoms, fewer than `min_atoms` \(20\)"):
        prediction = arise.classify(few, model, passes=10)
    assert prediction.labels[0] is None
    with pytest.warns(UserWarning, match=r"no box holds `min_atoms` \(20\) atoms \(at most 3\)"):
        field = arise.strided_map(few, model, passes=10)
    assert not field.prediction.valid.any()


def test_one_atom_in_a_periodic_cell_is_a_crystal(model):
    assert arise.classify(arise.build(arise.prototype("sc")), model, passes=50).names[0] == "sc"


@pytest.mark.parametrize("pbc", [True, False, (True, True, False)], ids=["periodic", "open", "slab"])
def test_map_of_a_crystal(model, fcc, pbc):
    structure = Structure(fcc.positions, fcc.numbers, fcc.cell, pbc)
    seen = []
    field = arise.strided_map(structure, model, box_size=12.0, stride=4.0, passes=100, progress=seen.append)
    assert field.prediction.valid.all()
    assert (field.prediction.labels == LABEL).mean() > 0.9
    assert len(field) == len(field.centers) == np.prod(field.shape) == len(field.n_atoms)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    at_atoms = field.at(structure.positions)
    assert (at_atoms.labels == LABEL).mean() > 0.9


def test_two_grains_are_told_apart(model):
    """A bicrystal of fcc and bcc in one periodic cell: each half its own."""
    fcc, bcc = arise.build(arise.prototype("fcc")), arise.build(arise.prototype("bcc"))
    size, z = np.array([29.0, 29.0]), 32.0
    parts = [
        builders.crystal_in_box(fcc, np.array([0, 0, 0.0]), np.array([*size, z - 1]), np.eye(3), np.zeros(3)),
        builders.crystal_in_box(
            bcc, np.array([0, 0, z]), np.array([*size, 2 * z - 1]), np.eye(3), np.zeros(3)
        ),
    ]
    positions = np.concatenate([p[0] for p in parts])
    structure = shaken(Structure(positions, np.full(len(positions), 29)), 0.06)
    field = arise.strided_map(structure, model, box_size=13.0, stride=4.0, passes=100)
    names = field.prediction.names.reshape(field.shape)
    height = field.centers.reshape(*field.shape, 3)[0, 0, :, 2]
    assert (names[:, :, height < z - 8] == "fcc").mean() > 0.9
    assert (names[:, :, height > z + 8] == "bcc").mean() > 0.9
    information = field.prediction.mutual_information.reshape(field.shape)
    border = np.abs(height - z) < 5
    assert information[:, :, border].mean() > 3 * information[1:-1, 1:-1, (height > 8) & (height < 22)].mean()


def turned_fcc(inside):
    """Thermal fcc in an oblique orientation, the part for which inside(positions) holds."""
    turn = Rotation.from_rotvec([0.3, 0.5, 0.2]).as_matrix()
    crystal = arise.build(arise.prototype("fcc"))
    positions, numbers = builders.crystal_in_box(
        crystal, np.full(3, -26.0), np.full(3, 26.0), turn, np.array([0.13, 0.4, 0.27])
    )
    keep = inside(positions)
    return shaken(Structure(positions[keep], numbers[keep]), 0.1)


@pytest.mark.parametrize(
    "inside",
    [
        lambda x: (np.linalg.norm(x, axis=1) < 24) & (x @ np.array([1, 2, 3]) / np.sqrt(14) < 3),
        lambda x: np.linalg.norm(x, axis=1) < 20,
    ],
    ids=["flat, oblique", "curved"],
)
def test_boxes_at_surfaces_keep_their_class(model, inside):
    """Boxes that are only partly filled but hold at least 100 atoms; benchmarks/speed/ has `edges="box"` too."""
    field = arise.strided_map(turned_fcc(inside), model, box_size=12.0, stride=4.5, padding="full", passes=64)
    partly = (field.n_atoms >= 100) & (field.n_atoms < 0.95 * field.n_atoms.max())
    assert partly.sum() >= 150
    right = (field.prediction.labels[partly] == LABEL) & ~field.prediction.rejected[partly]
    assert right.mean() >= 0.95


@pytest.mark.parametrize("passes", [2_500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_adaptive_passes_agree_with_very_many(model, passes):
    """Boxes of a polycrystal, most of them at boundaries and in doubt: many passes with other masks differ by
    what the standard errors (three of them, of the difference) or the tolerance allow.
    """
    rng = np.random.default_rng(3)
    grains = [arise.build(arise.prototype(n)) for n in ("fcc", "bcc", "hcp", "fcc", "diamond")]
    structure = shaken(builders.polycrystal(grains, (40, 40, 40), pbc=True, rng=rng), 0.1)
    grid = arise.box_grid(structure, arise.MapSettings(box_size=12.0, stride=6.0))
    features = arise.describe_boxes(grid, model.descriptor).features
    adaptive = model.predict(features, arise.SamplingSettings(tolerance=0.01))
    fixed = model.predict(features, arise.SamplingSettings(passes=passes, seed=1))
    assert (adaptive.standard_error[adaptive.passes < 1000] < 0.01).all()
    assert adaptive.passes.min() < adaptive.passes.max()
    error = np.abs(adaptive.mutual_information - fixed.mutual_information)
    stated = np.maximum(3 * np.hypot(adaptive.standard_error, fixed.standard_error), 0.01)
    assert len(error) == 343
    assert (error < stated).mean() >= 0.99
    settled = adaptive.passes < 1000
    assert (adaptive.labels[settled] == fixed.labels[settled]).mean() >= 0.99


def test_same_seed_same_numbers(model, fcc):
    maps = [arise.strided_map(fcc, model, stride=8.0, passes=50, seed=s).prediction for s in (1, 1, 2)]
    assert np.array_equal(maps[0].probabilities, maps[1].probabilities)
    assert not np.array_equal(maps[0].probabilities, maps[2].probabilities)


def test_input_is_left_as_it_is(model, fcc):
    before = fcc.positions.copy()
    arise.strided_map(fcc, model, stride=10.0, passes=10)
    assert np.array_equal(before, fcc.positions)


@pytest.mark.parametrize("cell", [False, True], ids=["open", "periodic"])
def test_overlapping_atoms_are_named(model, cell):
    positions = np.array([[0, 0, 0.02], [0, 0, 3], [2, 2, 1], [0, 0, 5.98 if cell else 0.05]])
    arguments = (np.eye(3) * 6, True) if cell else ()
    structure = Structure(positions, [29] * 4, *arguments)
    for call in (arise.classify, arise.strided_map):
        with pytest.raises(ValueError, match=r"overlapping atoms: 1 pairs.*atoms 0 and 3 at 0.0[34]00 Å"):
            call(structure, model)


def test_every_atom_twice(model, fcc):
    twice = Structure(np.tile(fcc.positions, (2, 1)), np.tile(fcc.numbers, 2), fcc.cell, True)
    with pytest.raises(ValueError, match=r"864 pairs closer than 0.1 Å"):
        Material.of(twice).check_overlaps()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"stride": 0}, "`stride` must be a positive number of Å, got 0"),
        ({"box_size": -3}, "`box_size` must be a positive"),
        ({"stride": 20}, "`stride` must not exceed"),
        ({"passes": 0}, "`passes` must be at least 1, got 0"),
        ({"tolerance": -1}, "`tolerance` must be a positive"),
        ({"seed": -1}, "`seed` must not be negative"),
        ({"reject_threshold": 2}, r"`reject_threshold` must be in \[0, 1\]"),
        ({"reject_threshold": "never"}, "`reject_threshold` must be a number, None or 'card'"),
    ],
)
def test_bad_arguments_before_any_work(model, fcc, arguments, message, monkeypatch):
    from arise_core.recognition import asking

    monkeypatch.setattr(asking, "gather_boxes", lambda *a, **k: pytest.fail("work began"))
    with pytest.raises(ValueError, match=message):
        arise.strided_map(fcc, model, **arguments)


def test_bad_structures(model):
    with pytest.raises(ValueError, match="`structures` is empty"):
        arise.classify([], model)
    with pytest.raises(TypeError, match=r"must be arise_core.Structure, got 'fcc' \(str\) at 0"):
        arise.classify(["fcc"], model)


def test_closing_the_generator_stops_the_work(model, fcc):
    steps = arise.map_steps(
        builders.repeat(fcc, (2, 2, 2)),
        model,
        arise.MapSettings(stride=3.0),
        arise.SamplingSettings(passes=10),
    )
    assert 0 < next(steps) < 1
    steps.close()
    assert threads_of_ours() == []


def threads_of_ours():
    import threading

    return [t for t in threading.enumerate() if t.name.startswith("arise")]


@pytest.mark.parametrize("share", [0.0, 0.7], ids=["descriptors", "network"])
def test_an_interrupt_leaves_no_thread_running(model, fcc, share):
    """Also while the exception, which keeps the frames it went through, is still there."""

    def interrupt(fraction):
        if fraction > share:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        arise.strided_map(
            fcc, model, box_size=12.0, stride=2.0, passes=64, tolerance=None, progress=interrupt
        )
    assert caught.value is not None
    assert threads_of_ours() == []
    assert arise.classify(fcc, model, passes=10).names[0] == "fcc"


def test_progress_of_a_map_rises_evenly(model, fcc):
    """Every tile of boxes and every block of passes moves it on; no step is a large share of the whole."""
    seen = [0.0]
    arise.strided_map(fcc, model, box_size=10.0, stride=1.7, passes=160, tolerance=None, progress=seen.append)
    steps = np.diff(seen)
    assert (steps >= 0).all()
    assert steps.max() < 0.1
    assert seen[-1] == 1.0


def test_map_as_xarray_and_netcdf(model, fcc, tmp_path):
    import xarray

    settings = {"box_size": 12.0, "stride": 6.0, "passes": 20}
    field = arise.strided_map(fcc, model, probabilities="all", **settings)
    data = field.to_xarray()
    assert dict(data.sizes) == {"x": 4, "y": 4, "z": 4, "class": 108, "axis": 3}
    few = arise.strided_map(fcc, model, **settings).to_xarray()
    assert dict(few.sizes) == {"x": 4, "y": 4, "z": 4, "class": 108, "rank": 5, "axis": 3}
    assert few["class_index"].attrs["long_name"].startswith("most probable classes")
    largest = np.take_along_axis(data["probability"].values, few["class_index"].values.astype(int), axis=-1)
    assert np.array_equal(largest, few["probability"])
    assert set(data) - {"probability"} == set(few) - {"probability", "class_index"}
    assert data.mutual_information.attrs["units"] == "bit"
    assert np.array_equal(data.probability.values.reshape(len(field), -1), field.prediction.probabilities)
    field.to_netcdf(tmp_path / "map.nc")
    with xarray.open_dataset(tmp_path / "map.nc") as back:
        assert np.array_equal(back.probability, data.probability)
        assert back.attrs["model"] == "arise-108"
    assert [p.name for p in tmp_path.iterdir()] == ["map.nc"]


def test_values_at_box_centres_are_those_of_the_boxes(model, fcc):
    for pbc in (True, False):
        structure = Structure(fcc.positions, fcc.numbers, fcc.cell, pbc)
        field = arise.strided_map(structure, model, box_size=12.0, stride=5.0, passes=20)
        there = field.at(field.centers)
        assert there.probabilities == pytest.approx(field.prediction.probabilities, abs=1e-5)
        assert there.mutual_information == pytest.approx(field.prediction.mutual_information, abs=1e-5)
        moved = field.at(field.centers + (fcc.cell[0] if pbc else 0))
        assert moved.probabilities == pytest.approx(there.probabilities, abs=1e-5)


def test_interpolation_between_boxes_is_linear(model, fcc):
    field = arise.strided_map(fcc, model, box_size=12.0, stride=5.0, passes=20)
    a, b = field.centers[0], field.centers[1]
    p = field.prediction.mutual_information
    between = field.at(np.array([0.25 * a + 0.75 * b])).mutual_information[0]
    assert between == pytest.approx(0.25 * p[0] + 0.75 * p[1], rel=1e-4)
    with pytest.raises(ValueError, match=r"`points` must have shape \(n, 3\)"):
        field.at(np.zeros(3))


def test_no_warning_in_ordinary_use(model, fcc):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        arise.strided_map(fcc, model, box_size=12.0, stride=8.0, passes=10)


def test_a_full_disk_is_no_bug(tmp_path, monkeypatch):
    def full(self, path, engine):
        path.write_text("half")
        raise RuntimeError("NetCDF: HDF error")  # what the library says then

    monkeypatch.setattr(xarray.Dataset, "to_netcdf", full)
    some = SimpleNamespace(to_xarray=xarray.Dataset)
    with pytest.raises(FileError, match=r"map.nc' cannot be written: NetCDF: HDF error"):
        StridedMap.to_netcdf(some, tmp_path / "map.nc")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("points", [np.zeros(3), np.zeros((2, 2)), [], [[0.0, np.nan, 0.0]]])
def test_points_that_are_none(model, fcc, points):
    field = arise.strided_map(fcc, model, box_size=12.0, stride=8.0, passes=4)
    for read in (field.at, field.values_at, field.nearest, field.coordinates):
        with pytest.raises(ValueError, match="`points` must"):
            read(points)


def test_what_is_no_structure(model):
    for call in (lambda s: arise.strided_map(s, model), arise.describe, arise.automatic_box_size):
        with pytest.raises(TypeError, match=r"`structure` must be arise_core.Structure, got 'fcc' \(str\)"):
            call("fcc")


def test_what_is_printed_fits_on_a_line(model, fcc):
    field = arise.strided_map(fcc, model, box_size=12.0, stride=8.0, passes=4)
    assert repr(field) == f"<StridedMap of {' x '.join(map(str, field.shape))} boxes by 'arise-108'>"
    assert (
        repr(arise.classify([fcc] * 6, model, passes=4)) == "<Prediction of 6: fcc, fcc, fcc, fcc, fcc, ...>"
    )


def test_what_is_printed_speaks_of_a_rejection_in_doubt(model, fcc):
    sure = arise.classify(fcc, model, passes=16)
    doubted = sure.with_threshold(float(sure.reject_score[0]) + 1e-12)
    said = f"fcc (rejection in doubt: {doubted.rejection_uncertainty[0]:.2f} bit)"
    assert repr(doubted) == f"<Prediction of 1: {said}>"
    melt = builders.displace(fcc, 0.6, np.random.default_rng(0))
    assert repr(arise.classify(melt, model, passes=20)) == "<Prediction of 1: rejected>"
    whole = Recognition.of_whole(doubted, 0, 4)
    assert repr(whole) == f"<Recognition of 4 atoms (whole): {said}>"
    assert repr(Recognition.of_whole(sure, 0, 4)) == "<Recognition of 4 atoms (whole): fcc>"


def test_a_map_has_the_doubt_of_the_rejection_everywhere(model, fcc):
    field = arise.strided_map(fcc, model, box_size=12.0, stride=8.0, passes=16)
    p = field.prediction
    data = field.to_xarray()
    assert data["rejection_uncertainty"].attrs["units"] == "bit"
    assert data["rejection_uncertainty"].values.ravel() == pytest.approx(p.rejection_uncertainty)
    at_boxes = field.at(field.centers)
    assert at_boxes.reject_deviation == pytest.approx(p.reject_deviation, abs=1e-6)
    found = Recognition.of_map(field)
    half = found.with_rule(Rule(reject_threshold=float(found.atoms.reject_score.mean())))
    doubt = half.atom_rejection_uncertainty
    assert found.rejection_uncertainty < 1e-3 < half.rejection_uncertainty == pytest.approx(doubt.mean())
    assert half.record()["rejection_uncertainty"] == half.rejection_uncertainty
    assert half.with_rule(Rule()).rejection_uncertainty == 0


def test_the_class_of_a_structure_is_that_of_most_atoms_with_a_name(model):
    """Atoms that are rejected have a most probable class too; what they are most like names nothing."""
    names = model.classes
    fcc, hcp, bcc = (model.class_info.find(name, "test") for name in ("fcc", "hcp", "bcc"))

    def made(index, score, p):
        n = len(index)
        row = dict.fromkeys(("mutual_information", "predictive_entropy", "variation_ratio"), np.full(n, 0.1))
        atoms = PointValues(
            index=np.array(index), confidence=np.full(n, 0.6), reject_score=np.array(score),
            reject_deviation=np.zeros(n), probabilities=np.empty((n, 0), dtype=np.float32), **row,
        )  # fmt: skip
        mean = np.zeros(len(names))
        mean[[fcc, hcp, bcc]] = p
        totals = SimpleNamespace(means=np.array([*mean, 0.1, np.mean(score)]))
        rule = Rule(reject_threshold=0.5)
        return Recognition("local", model.class_info, atoms, rule, _kept={"totals": totals})

    melting = made([fcc, fcc, hcp, hcp, hcp], [0, 0, 0, 1, 1], [0.3, 0.5, 0.2])
    assert (melting.label, melting.index) == ("fcc", fcc)
    assert melting.confidence == pytest.approx(0.3)
    assert (
        made([fcc, hcp, bcc, bcc], [0, 0, 1, 1], [0.2, 0.4, 0.4]).index == hcp
    )  # as many: the more probable
    molten = made([fcc, hcp, hcp], [1, 1, 1], [0.2, 0.7, 0.1])
    assert (molten.label, molten.index) == ("rejected", hcp)
