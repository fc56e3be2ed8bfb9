"""Maps of boxes of several sizes: right values, the same however they are computed, the same through every door."""

import itertools
import json
import shutil
from dataclasses import replace

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell
from ase.cluster import Icosahedron, Octahedron
from typer.testing import CliRunner

import arise_core as arise
from arise_cli.main import app
from arise_core.crystals.others import other
from arise_core.engine.boxes import describe_boxes, iterate_boxes
from arise_core.engine.grid import AROUND, LARGEST_ATOMS, SHARP_ATOMS, box_grid, grid_around, grids_of_sizes
from arise_core.errors import InputError
from arise_core.geometry import builders
from arise_core.geometry.structure import Structure
from arise_core.model.card import Card
from arise_core.model.contents import SAFE_FILE
from arise_core.model.prediction import ROWS, Prediction
from arise_core.model.sureness import KNOWN, NO_ANSWER, Sureness, expected_error
from arise_core.recognition.asking import Asker
from arise_core.recognition.ensembles import Ensemble, of_both, otherwise
from arise_core.recognition.maps import map_steps
from arise_core.recognition.result import recognise
from arise_core.recognition.sizes import TRIAL_PASSES
from arise_core.runtime import threads
from arise_core.settings import MapSettings, RecognitionSettings, SamplingSettings
from arise_core.training import calibration
from arise_core.training.export import replace_card
from arise_core.training.recipe import recipe_of
from ase_arise import annotate, from_atoms, read, write
from benchmarks.sharp.prototypes import STACKINGS, stacked
from tests.conftest import shaken
from tests.ovito.helpers import analysed, crystal_and_melt

#: Few passes, all of them.
FAST = {"resolution": "sharp", "passes": 32, "tolerance": None}
SURENESS = Sureness(
    error=0.05, atoms={"dhcp_alphaLa_A_hP4_194_ac": 46},
    relatives={"fcc_Cu_A_cF4_225_a": {"bctIn_In_A_tI2_139_a": 200}},
)  # fmt: skip


@pytest.fixture(scope="module")
def sharp_model(tmp_path_factory) -> arise.Model:
    """The default model with a rule of these tests, as a file of its own."""
    folder = tmp_path_factory.mktemp("model")
    shutil.copy(arise.load_model("arise-108").path.with_name(SAFE_FILE), folder)
    model = arise.load_model(folder)
    replace_card(model, replace(model.card, sureness=SURENESS))
    return arise.load_model(folder)


@pytest.fixture(scope="module")
def front():
    """A crystal with a melt on top, and the height of the border."""
    return crystal_and_melt(5, 5)


def crystal(name: str, n: int, sigma: float = 0.07) -> Structure:
    return shaken(builders.repeat(arise.build(arise.prototype(name)), (n, n, n)), sigma)


def scaled(structure: Structure, factor: float) -> Structure:
    return Structure(structure.positions * factor, structure.numbers, structure.cell * factor, structure.pbc)


def spaced(structure: Structure, spacing: float) -> Structure:
    """The same with another atomic spacing, the cube root of the volume of an atom, Å."""
    return scaled(structure, spacing / np.cbrt(abs(np.linalg.det(structure.cell)) / len(structure)))


def opened_along(structure: Structure, axes: tuple[int, ...], thickness: float) -> Structure:
    """What of an orthogonal structure lies below a height (Å) along some axes, open there."""
    keep = (structure.positions[:, axes] < thickness).all(axis=1)
    pbc = [k not in axes for k in range(3)]
    return Structure(structure.positions[keep], structure.numbers[keep], structure.cell, pbc)


def sheared() -> Structure:
    s = crystal("fcc", 8)
    return builders.deformed(s, np.eye(3) + [[0, 0.03, 0], [0, 0, 0], [0.02, 0, 0]])


def laid_out(kind: str, structure: Structure, thickness: float) -> Structure:
    """A crystal with borders of a kind; a slab is as thick as that, Å."""
    made = {
        "periodic": lambda: structure,
        "triclinic": sheared,
        "open": lambda: builders.opened(structure),
        "slab": lambda: opened_along(structure, (2,), thickness),
    }
    return made[kind]()


# --- where the boxes lie ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["periodic", "triclinic", "open", "slab"])
def test_boxes_of_all_sizes_have_the_same_centres(kind, fcc):
    structure = laid_out(kind, fcc, 15.0)
    grids = grids_of_sizes(box_grid(structure, MapSettings(resolution="sharp")))
    assert len(grids) == (5 if kind == "triclinic" else 4)  # of a skewed box `box_size` is the height
    assert grids[-1].settings.box_size == 16.0
    for smaller, larger in itertools.pairwise(grids):
        assert larger.shape == smaller.shape
        assert larger.centers == pytest.approx(smaller.centers, abs=1e-9)
        assert larger.origin == pytest.approx(smaller.origin, abs=1e-9)
        ratio = larger.box_edges[0] / smaller.box_edges[0]
        assert 1.2 < ratio < 1.35  # twice the atoms at each step
    if kind == "periodic":
        assert grids[0].counts().mean() == pytest.approx(SHARP_ATOMS, rel=0.1)


@pytest.mark.parametrize("name", ["fcc", "diamond", "CsCl", "rock salt"])
def test_the_smallest_box_follows_the_density(name):
    structure = crystal(name, 8)
    for scale in (1.0, 1.7):
        larger = scaled(structure, scale)
        grid = grids_of_sizes(box_grid(larger, MapSettings(resolution="sharp", box_size=16.0 * scale)))[0]
        assert len(structure) * np.prod(grid.width) == pytest.approx(SHARP_ATOMS, rel=0.15)


@pytest.mark.parametrize(("spacing", "edge"), [(2.2, 16.0), (3.2, None), (9.0, 32.0)])
def test_the_largest_box_is_16_angstrom_or_holds_enough_atoms(spacing, edge):
    """Where nothing is said of its size."""
    loose = spaced(crystal("fcc", 8), spacing)

    def largest(**settings):
        return grids_of_sizes(box_grid(loose, MapSettings(stride=4.0, **settings)))[-1]

    grid = largest(resolution="sharp")
    if edge is None:
        assert len(loose) * np.prod(grid.width) == pytest.approx(LARGEST_ATOMS, rel=0.15)
    else:
        assert grid.settings.box_size == edge
    assert largest(resolution="sharp", box_size=20.0).settings.box_size == 20.0
    assert largest(resolution="single").settings.box_size == 16.0


def test_sizes_beyond_the_default_come_on_top():
    """Sizes up to 16 Å are as if there were none beyond, and those that would hardly hold more atoms are left out."""
    structure = crystal("fcc", 8)

    def edges(spacing, **settings):
        grids = grids_of_sizes(
            box_grid(spaced(structure, spacing), MapSettings(resolution="sharp", **settings))
        )
        return [g.settings.box_size for g in grids]

    assert edges(3.2)[:-1] == pytest.approx(edges(3.2, box_size=16.0 + 1e-9))
    assert edges(3.2)[-2] == 16.0
    assert edges(3.2)[-1] > 18.0
    assert edges(2.35)[-1] == 16.0  # of copper near melting


def test_matter_so_loose_that_16_angstrom_hold_nothing_has_larger_boxes(model):
    loose = scaled(crystal("fcc", 8), 3.0)
    field = arise.strided_map(loose, model, stride=10.0, **FAST)
    assert min(field.edges) > 16.0
    assert (field.prediction.names == "fcc").all()
    assert not field.prediction.rejected.any()
    single = arise.strided_map(loose, model, stride=10.0, **FAST | {"resolution": "single"})
    assert single.prediction.valid.mean() < 0.5


def test_boxes_beyond_the_default_say_which_class_it_is_not_whether(model):
    """A crystal in a melt of loose matter is as large as with boxes up to 16 Å."""
    loose = scaled(crystal_and_melt(5, 5)[0], 1.3)
    here, there = (
        arise.strided_map(loose, model, stride=4.0, **FAST, box_size=b) for b in (16.0, 16.0 + 1e-9)
    )
    assert len(here.edges) == len(there.edges) + 1
    lost = ~there.prediction.rejected & here.prediction.rejected
    assert there.prediction.rejected.any()
    assert (~there.prediction.rejected).any()
    assert not lost[there.prediction.valid].any()


@pytest.mark.parametrize("name", ["alpha-Sm", "dhcp"])
def test_stackings_of_many_layers_get_boxes_that_tell_them_apart(model, name):
    """At the lattice constants of samarium and lanthanum boxes of 16 Å hold some 120 atoms."""
    unit = arise.build(arise.prototype(name))
    ideal = builders.repeat(unit, builders.cell_heights_at_least(unit, 30.0))
    spacing = builders.nearest_neighbour_distance(ideal)
    structure = shaken(ideal, 0.02 * spacing)
    found = recognise(structure, model, RecognitionSettings.of({"mode": "local"}))
    wrong = np.asarray(found.atom_labels) != name
    assert wrong.mean() < 0.1
    assert (wrong & (found.atoms.mutual_information < 0.05)).mean() < 0.03
    coarse = recognise(structure, model, RecognitionSettings.of({"mode": "local", "box_size": 16.0}))
    assert (np.asarray(coarse.atom_labels) == name).mean() < 0.8


def test_several_sizes_unless_something_else_is_said(fcc, sharp_model):
    """By default; not with a box size, nor a model that does not know when it is sure."""

    def edges(model=sharp_model, **settings):
        return arise.strided_map(fcc, model, stride=7.0, passes=2, **settings).edges

    assert len(edges()) == len(edges(resolution="sharp")) == 4
    assert len(edges(box_size=16.0, resolution="auto")) == 4
    assert (
        edges(resolution="single")
        == edges(box_size=16.0)
        == edges(box_size=12.0)
        == edges(box_size="auto")
        == ()
    )
    assert edges(box_size=12.0, resolution="auto") == ()
    assert len(edges(box_size=12.0, resolution="sharp")) == 3
    assert edges(arise.load_model("arise-108-ideal")) == ()


def test_few_sizes_where_there_is_no_room_for_more(fcc):
    def edges(**settings):
        return [g.settings.box_size for g in grids_of_sizes(box_grid(fcc, MapSettings(**settings)))]

    assert edges() == [16.0]
    assert edges(resolution="sharp", box_size=7.0) == [7.0]
    assert len(edges(resolution="sharp", box_size=10.0)) == 2
    assert edges(resolution="sharp", box_size=16.0, stride=10.0)[0] == 10.0  # no place is left out


def test_thin_directions_have_one_layer_of_boxes_of_every_size(fcc):
    """Boxes are laid along the axis of a wire, and over the plane of a sheet; they grow there to hold enough atoms."""
    for axes, thickness in (((2,), 5.0), ((1, 2), 6.0)):
        structure = opened_along(fcc, axes, thickness)
        grids = grids_of_sizes(box_grid(structure, MapSettings(resolution="sharp")))
        for grid in grids:
            assert [grid.shape[k] for k in axes] == [1] * len(axes)
            assert all(grid.shape[k] > 1 for k in range(3) if k not in axes)
            assert (grid.counts().sum(axis=axes) == grid.counts().max(axis=axes)).all()
        assert len(grids) > 1
        assert grids[0].counts().mean() == pytest.approx(SHARP_ATOMS, rel=0.3)  # of few layers


@pytest.mark.parametrize("kind", ["periodic", "triclinic", "open", "slab"])
def test_the_nearest_of_the_boxes_that_say_what_is_around(kind, fcc):
    structure = laid_out(kind, fcc, 20.0)
    largest = box_grid(structure, MapSettings(resolution="sharp"))
    around, smallest = grid_around(largest), grids_of_sizes(largest)[0]
    assert around.settings.box_size == 16.0
    assert (around.stride <= AROUND * 16.0 + 1e-9).all() or kind == "slab"
    near = np.stack(np.meshgrid(*around.nearest(smallest), indexing="ij"), axis=-1).reshape(-1, 3)
    apart = around.coordinates(smallest.centers) - near
    period = np.array(around.shape)
    apart -= np.where(around.pbc, np.round(apart / period) * period, 0.0)
    assert (np.abs(apart) <= 0.5 + 1e-9)[:, around.pbc].all()
    assert np.abs(apart).max() < 1.5  # at open borders the boxes of a size end where they are told to
    for axis, n in enumerate(around.shape):
        assert set(around.nearest(smallest)[axis]) == set(range(n))


def test_few_large_boxes_where_the_map_is_coarse(fcc):
    grid = box_grid(fcc, MapSettings(resolution="sharp", stride=8.0))
    assert grid_around(grid).shape == grid.shape


# --- boxes that nobody wants ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("pbc", [True, False])
def test_only_what_is_wanted_is_described(model, fcc, rng, pbc):
    structure = fcc if pbc else builders.opened(fcc)
    grid = box_grid(structure, MapSettings(box_size=9.0))
    everything = describe_boxes(grid, model.descriptor)
    wanted = np.zeros(len(grid), dtype=bool)
    wanted[rng.choice(len(grid), 12, replace=False)] = True
    parts = list(iterate_boxes(grid, model.descriptor, wanted=wanted))
    boxes = np.concatenate([p.boxes for p in parts])
    assert sorted(boxes) == np.flatnonzero(wanted).tolist()
    assert (np.concatenate([p.n_atoms for p in parts]) == everything.n_atoms[boxes]).all()
    found = np.concatenate([p.features for p in parts])
    # a tile of its own has knots of its own, by the length scales in it
    assert np.allclose(found, everything.features[boxes], rtol=0, atol=1e-4, equal_nan=True)
    assert list(iterate_boxes(grid, model.descriptor, wanted=np.zeros(len(grid), dtype=bool))) == []


# --- right values ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mapped_front(front, sharp_model):
    structure, _ = front
    sharp, coarse = (
        RecognitionSettings.of({"mode": "local", **FAST, **more}) for more in ({}, {"resolution": "single"})
    )
    return tuple(recognise(structure, sharp_model, one, probabilities="all") for one in (sharp, coarse))


def test_a_front_is_sharp(front, mapped_front):
    structure, height = front
    z, length = structure.positions[:, 2], structure.cell[2, 2]
    beyond = np.minimum(z, height - z)  # how far in the crystal, negative in the melt
    beyond = np.maximum(beyond, -np.minimum(z - height, length - z) * (z > height) - 1e9 * (z < height))
    sharp, coarse = mapped_front
    fcc = [np.asarray(found.atom_labels) == "fcc" for found in (sharp, coarse)]
    assert fcc[0][beyond > 3.0].mean() > 0.98
    assert fcc[0][beyond < -3.0].mean() < 0.01
    truth = (z < height).mean()
    assert abs(fcc[0].mean() - truth) < 0.06
    # how many atoms beside the border have another name than their side
    near = np.abs(beyond) < 4.0
    wrong = [(f != (z < height))[near].mean() for f in fcc]
    assert wrong[0] < 0.8 * wrong[1]


def test_the_smallest_boxes_answer_where_they_are_sure(mapped_front):
    sharp, coarse = mapped_front
    size = sharp.field.size
    assert set(size) <= set(range(4))
    assert (size == 0).mean() > 0.6
    assert set(np.unique(sharp.field.resolution)) <= set(sharp.field.edges)
    assert set(np.unique(sharp.atom_resolution)) <= set(sharp.field.edges)
    assert coarse.field.edges == ()
    assert coarse.field.size is None
    assert coarse.atom_resolution is None
    assert (coarse.field.resolution == 16.0).all()


def test_each_centre_has_the_answer_of_one_size(front, sharp_model, mapped_front):
    """That of a map of boxes of that size alone, up to the order of sums."""
    structure, _ = front
    field = mapped_front[0].field
    grids = grids_of_sizes(box_grid(structure, field.grid.settings))
    for k in (0, len(grids) - 1):
        one = describe_boxes(grids[k], sharp_model.descriptor)
        rows = np.flatnonzero(field.size == k)[:100]
        assert (field.n_atoms[rows] == one.n_atoms[rows]).all()
        alone = sharp_model.predict(one.features[rows], SamplingSettings(passes=32))
        assert np.allclose(field.prediction.probabilities[rows], alone.probabilities, atol=2e-3)


@pytest.fixture(scope="module")
def one_box(model):
    """Makes the prediction of one box; probabilities of the first classes."""
    one = model.predict(np.zeros((1, model.descriptor.n_features)), SamplingSettings(passes=2))

    def make(p, entropy_of_passes, score=0.0):
        probabilities = np.zeros((1, len(model.classes)), dtype=np.float32)
        probabilities[0, : len(p)] = p
        entropy = -sum(x * np.log2(x) for x in p if x)
        return replace(
            one, probabilities=probabilities, predictive_entropy=np.array([entropy]), reject_threshold=0.2,
            mutual_information=np.array([entropy - entropy_of_passes]), reject_score=np.array([score]),
        )  # fmt: skip

    return make


def test_where_sizes_say_different_things_is_doubt(one_box):
    """As of passes: the entropy of the mean less the mean entropy of single passes, in bit; "none" is a class too."""

    def doubt(smaller, answer):
        """Of both where they differ, else that of the answer."""
        both = of_both(smaller, answer) if otherwise(smaller, answer).all() else answer
        return both.mutual_information

    sure, other = one_box([1.0, 0.0], 0.0), one_box([0.0, 1.0], 0.0)
    both = of_both(other, sure)
    assert (both.mutual_information, both.predictive_entropy) == (pytest.approx([1.0]), pytest.approx([1.0]))
    assert both.standard_error == pytest.approx(np.hypot(other.standard_error, sure.standard_error) / 2)
    assert doubt(one_box([0.6, 0.4], 0.0), sure) == pytest.approx([0.0])  # both name the first class
    mixed = doubt(one_box([0.4, 0.6], 0.97095), sure)  # of which no pass is sure
    assert mixed == pytest.approx([0.88129 - 0.97095 / 2], abs=1e-4)
    melt = one_box([0.2, 0.8], 0.3, score=1.0)
    # a class or none of them, whatever that comes closest to
    assert doubt(melt, sure) == pytest.approx([1.0])
    half = one_box([1.0, 0.0], 0.0, score=0.5)
    assert doubt(half, sure) == pytest.approx([0.81128 - 0.5], abs=1e-4)  # H(3/4, 1/4) - H(1/2, 1/2) / 2
    without = [replace(p, reject_threshold=None) for p in (melt, sure)]
    assert doubt(*without) == pytest.approx([0.97095 - 0.3 / 2], abs=1e-4)  # a score that rejects nothing
    assert doubt(sure, melt) == pytest.approx(melt.mutual_information)
    nothing = replace(melt, mutual_information=np.array([np.nan]))
    assert doubt(nothing, sure) == pytest.approx([0.0])


def test_where_boxes_beside_say_different_things_is_doubt(one_box):
    """As of sizes: the box counts by two thirds, those beside it by one."""
    kinds = [
        one_box([1.0, 0.0], 0.0), one_box([0.0, 1.0], 0.0), one_box([1.0, 0.0], 0.0, score=1.0),
        one_box([0.4, 0.6], 0.3),
    ]  # fmt: skip
    columns = {name: np.concatenate([getattr(kind, name) for kind in kinds]) for name in ROWS}
    columns["standard_error"] = np.array([0.1, 0.2, 0.3, np.inf])
    boxes = replace(kinds[0], **columns)
    row_and_near = [
        (0, 0, 0),  # all say the same
        (0, 1, -1),  # another class
        (0, 0, 1),  # one of two says so
        (0, -1, -1),  # there is nothing beside
        (0, 2, -1),  # none of the classes
        (0, 3, -1),  # another class, in doubt: its passes have 0.3 bit
    ]
    rows, near = np.split(np.array(row_and_near), [1], axis=1)
    found = Ensemble.of(boxes).with_others(rows[:, 0], near, 1 / 3)
    third, sixth, fifth = 0.91830, 0.65002, 0.72193  # bit: entropies of (2/3, 1/3), (5/6, 1/6), (4/5, 1/5)
    assert found.mutual_information == pytest.approx([0, third, sixth, 0, third, fifth - 0.1], abs=1e-4)
    assert found.predictive_entropy == pytest.approx([0, third, sixth, 0, third, fifth], abs=1e-4)
    halves = np.sqrt((4 / 9 + 1 / 36) * 0.1**2 + 0.2**2 / 36)  # where itself is one of those beside
    same = np.sqrt((4 / 9 + 2 / 36) * 0.1**2)
    errors = [same, np.hypot(0.2, 0.2) / 3, halves, 0.1, np.hypot(0.2, 0.3) / 3, np.inf]
    assert found.standard_error == pytest.approx(errors)


@pytest.mark.parametrize("distance", [2.6, 2.7])
def test_layers_along_the_faces_of_boxes_are_not_wrong_without_doubt(model, distance):
    """dhcp of touching spheres: many large boxes say fcc, those a layer away do not."""
    unit = stacked(STACKINGS["dhcp"], distance)
    structure = builders.repeat(unit, builders.cell_heights_at_least(unit, 28.0))
    p = arise.strided_map(structure, model, stride=3.0).prediction
    wrong = p.valid & ~p.rejected & (p.labels != arise.prototype("dhcp").label)
    assert wrong.any()
    assert (wrong & (p.mutual_information < 0.1)).mean() < 0.02


def parted(first, second, n=9):
    """A crystal of one lattice, of one element below and of another one above."""
    crystal = bulk(first, cubic=True) * (n, n, 2 * n)
    crystal.symbols[crystal.positions[:, 2] > crystal.cell[2, 2] / 2 - 0.1] = second
    return shaken(from_atoms(crystal), 0.06)


@pytest.mark.parametrize(
    ("pair", "name", "least"), [(("Fe", "Cr"), "bcc", 0.87), (("Cu", "Ni"), "fcc", 0.87)]
)
def test_the_border_of_two_elements_on_one_lattice_has_its_name_in_doubt(model, pair, name, least):
    """Larger boxes that hold it are rejected; the smallest come closest to what is on both sides."""
    p = arise.strided_map(parted(*pair), model, stride=3.0).prediction
    right = (p.labels == arise.prototype(name).label) & ~p.rejected
    assert right.mean() > least
    assert (right | p.rejected).all()
    doubtful = right & (p.mutual_information > 0.5)
    assert doubtful.mean() > 0.05
    assert (p.mutual_information <= p.predictive_entropy + 1e-6).all()


def test_a_core_and_its_shell(model):
    particle = Octahedron("Au", 16, 5)
    from_middle = np.linalg.norm(particle.positions - particle.positions.mean(axis=0), axis=1)
    particle.symbols[from_middle > 0.65 * from_middle.max()] = "Ag"
    p = arise.strided_map(shaken(from_atoms(particle), 0.06), model, stride=3.0).prediction
    right = (p.labels == arise.prototype("fcc").label) & ~p.rejected
    assert right[p.valid].mean() > 0.8


@pytest.mark.parametrize(
    ("name", "counts", "sigma"),
    [
        ("D1_a, Ni4Mo (on fcc)", (5, 5, 8), 0.0),
        ("D1_a, Ni4Mo (on fcc)", (5, 5, 8), 0.1),
        ("D0_3, AlFe3 (on bcc)", (5, 5, 5), 0.0),
        ("D0_3, AlFe3 (on bcc)", (6, 6, 6), 0.03),
        ("L2_1, Cu2MnAl (on bcc)", (5, 5, 5), 0.1),
        ("fluorite, CaF2", (6, 6, 6), 0.12),
        ("spinel, MgAl2O4", (4, 4, 4), 0.0),
        ("spinel, MgAl2O4", (4, 4, 4), 0.06),
        ("CaCu5", (7, 7, 8), 0.08),
    ],
)
def test_small_boxes_are_not_believed_where_large_ones_know_no_such_crystal(model, name, counts, sigma):
    """Compounds that are no class; 32 atoms of them, at most or at many places, are those of fcc, bcc or CsCl."""
    structure = shaken(builders.repeat(other(name), counts), sigma)
    p = arise.strided_map(structure, model, stride=3.0).prediction
    sure = ~p.rejected & (p.mutual_information < 0.05) & (p.rejection_uncertainty < 0.05)
    assert sure[p.valid].mean() < 0.05


@pytest.mark.parametrize(
    "settings", [{}, {"passes": 20, "tolerance": None}, {"passes": 1}, {"reject_threshold": None}]
)
def test_there_is_no_more_mutual_information_than_entropy(model, settings):
    crystals = [arise.build(arise.prototype(name)) for name in ("fcc", "bcc")]
    grains = builders.polycrystal(crystals * 3, (30.0, 30.0, 30.0), pbc=True, rng=np.random.default_rng(0))
    p = arise.strided_map(grains, model, stride=3.0, resolution="sharp", **settings).prediction
    known = p.valid
    assert (p.mutual_information >= 0)[known].all()
    assert (p.mutual_information <= p.predictive_entropy + 1e-6)[known].all()
    assert not np.isnan(p.standard_error[known]).any()


def test_a_crystal_that_needs_larger_boxes_everywhere_is_not_in_doubt(model):
    """The smallest boxes of rock salt of this size are rejected, wherever they lie: that is no doubt about a place."""
    crystal = from_atoms(bulk("NaCl", "rocksalt", a=5.64, cubic=True) * (5, 5, 5))
    p = arise.strided_map(crystal, model, stride=3.0).prediction
    assert (p.labels == arise.prototype("rock salt").label).all()
    assert p.mutual_information.max() < 0.05


def test_an_icosahedral_particle_is_in_doubt(model):
    """Twenty grains, all twins of each other, which large boxes take for dhcp: no class fits such a particle."""
    structure = from_atoms(Icosahedron("Cu", 8))
    found = recognise(structure, model, RecognitionSettings.of({"mode": "local"}))
    named = found.atom_class >= 0
    assert named.mean() > 0.5
    assert (found.atoms.mutual_information[named] > 0.1).mean() > 0.6


def test_a_twin_plane_is_in_doubt(sharp_model):
    """Small boxes at it say hcp and are not sure of that, larger ones fcc: named fcc, and in doubt."""
    steps = [1] * 11 + [-1] * 11  # layers 0 and 11 are hexagonal
    ideal = builders.repeat(builders.close_packed(steps), (9, 9, 1))
    layer = np.round(ideal.positions @ np.linalg.inv(ideal.cell)[:, 2] * len(steps)).astype(int) % len(steps)
    structure = shaken(ideal, 0.1)
    found = recognise(structure, sharp_model, RecognitionSettings.of({"mode": "local", **FAST}))
    from_twin = np.minimum(layer % 11, 11 - layer % 11)
    assert set(np.asarray(found.atom_labels)[from_twin >= 3]) == {"fcc"}
    doubt = found.atoms.mutual_information
    assert np.median(doubt[from_twin == 0]) > 0.2
    assert np.median(doubt[from_twin >= 4]) < 0.05


@pytest.mark.parametrize(("name", "least"), [("fcc", 0.5), ("bcc", 0.15)])
def test_a_grain_boundary_is_in_doubt(model, name, least):
    """Small boxes at it are rejected, larger ones say what the grains are: named so, and in doubt."""
    crystal = arise.build(arise.prototype(name))
    d = builders.nearest_neighbour_distance(crystal)
    seeds = np.array([[6.0, 6.0, 6.0], [18.0, 6.0, 6.0]]) * d  # planes between them at 0 and 12 d
    ideal = builders.polycrystal(
        [crystal] * 2, np.array([24.0, 12.0, 12.0]) * d, seeds=seeds, pbc=True, rng=np.random.default_rng(1)
    )
    structure = shaken(ideal, 0.03 * d)
    found = recognise(structure, model, RecognitionSettings.of({"mode": "local"}))
    # turned crystals do not fit to themselves across the other faces of the cell either
    from_planes = np.abs((structure.positions / d + 6.0) % 12.0 - 6.0)
    inside = (from_planes > 3.0).all(axis=1)
    boundary = (from_planes[:, 0] < 0.6) & (from_planes[:, 1:] > 3.0).all(axis=1)
    in_doubt = (found.atom_class < 0) | (found.atoms.mutual_information > 0.1)
    assert set(np.asarray(found.atom_labels)[inside]) == {name}
    assert in_doubt[inside].mean() < 0.05
    assert in_doubt[boundary].mean() > least


@pytest.mark.parametrize("sigma", [0.0, 0.08])
@pytest.mark.parametrize("name", ["In (bct)", "hexagonal graphite", "wurtzite", "Cu2ZnSnS4 (kesterite)"])
def test_crystals_that_small_boxes_take_for_a_relative(model, name, sigma):
    """Large boxes around know better, so small ones do not answer there."""
    unit = arise.build(arise.prototype(name))
    structure = builders.repeat(unit, builders.cell_heights_at_least(unit, 17.0))
    field = arise.strided_map(shaken(structure, sigma), model, stride=4.0, **FAST)
    assert field.sharp
    right = (field.prediction.labels == arise.prototype(name).label) & ~field.prediction.rejected
    assert right.mean() > 0.97
    assert np.median(field.prediction.mutual_information) < 0.05  # what small boxes say there is no doubt


def test_small_boxes_answer_where_nothing_around_speaks_against_it(fcc, model):
    """Though fcc is a name that small boxes give to indium."""
    field = arise.strided_map(shaken(fcc, 0.1), model, stride=4.0, **FAST)
    assert (field.size == 0).mean() > 0.9
    assert (field.prediction.names == "fcc").all()


def test_what_is_around_is_looked_up(fcc, sharp_model, monkeypatch):
    """What if the large boxes around say indium in half of the crystal: there boxes of 200 atoms and more answer."""
    field = arise.strided_map(fcc, sharp_model, stride=4.0, **FAST)
    assert set(field.size) <= {0, 1}
    label = sharp_model.classes.index("bctIn_In_A_tI2_139_a")
    asked = Asker.every

    def indium(self, context, wanted):
        found = yield from asked(self, context, wanted)
        if context.grid.settings.resolution == "single":
            found.prediction.probabilities[:] = 0
            found.prediction.probabilities[: len(found.boxes) // 2, label] = 1
        return found

    monkeypatch.setattr(Asker, "every", indium)
    both = arise.strided_map(fcc, sharp_model, stride=4.0, **FAST)
    assert set(both.size) <= {0, 1, 3}
    assert 0.3 < (both.size == 3).mean() < 0.7
    assert (both.prediction.names == "fcc").all()


@pytest.mark.parametrize(
    ("name", "atoms", "cell"),
    [
        ("fcc", bulk("Cu"), [[7, 0, 1], [2, 7, 4], [-7, 6, 5]]),
        ("hcp", bulk("Mg"), [[6, 0, 0], [11, 5, 0], [4, 3, 6]]),
        ("rock salt", bulk("NaCl", "rocksalt", a=5.64), [[4, 6, 0], [0, 7, -6], [0, -3, 6]]),
        # boxes of the shape of this one would hold all its images
        ("bcc", bulk("Fe"), [[4, -7, 6], [0, 4, -6], [-5, 2, 7]]),
    ],
)
def test_boxes_of_a_skewed_cell_are_no_needles(model, name, atoms, cell):
    """Boxes have the shape of the cell. Small ones of such cells were another crystal, without doubt."""
    skewed = from_atoms(make_supercell(atoms, cell))
    found = arise.strided_map(skewed, model, resolution="sharp")
    assert set(found.prediction.names[~found.prediction.rejected]) == {name}
    assert not found.prediction.rejected.any()
    assert found.values_at_atoms().mutual_information.max() < 0.06


@pytest.mark.slow
def test_boxes_of_random_supercells_say_the_same(model, rng):
    crystals = {
        "fcc": bulk("Cu"), "bcc": bulk("Fe"), "hcp": bulk("Mg"), "diamond": bulk("Si"),
        "rock salt": bulk("NaCl", "rocksalt", a=5.64),
    }  # fmt: skip
    asked = 0
    while asked < 60:
        cell = np.diag(rng.integers(4, 8, 3)) + rng.integers(-7, 8, (3, 3)) * (rng.random((3, 3)) < 0.3)
        if not 40 < np.linalg.det(cell) < 400:
            continue
        for name, atoms in crystals.items():
            found = arise.strided_map(from_atoms(make_supercell(atoms, cell)), model, resolution="sharp")
            assert set(found.prediction.names) == {name}, cell.tolist()
            assert not found.prediction.rejected.any(), cell.tolist()
            asked += 1


def test_many_elements_leave_the_largest_boxes_alone(model, rng):
    """Eleven elements at random on the sites of fcc: to small boxes a part of them was L1_2."""
    lattice = crystal("fcc", 8)

    def mixed(shares):
        numbers = rng.choice(np.arange(21, 21 + len(shares)), len(lattice), p=np.array(shares) / sum(shares))
        return Structure(lattice.positions, numbers, lattice.cell, True)

    def sizes(shares):
        return len(grids_of_sizes(box_grid(mixed(shares), MapSettings(resolution="sharp"))))

    assert sizes([1] * 6) > 1
    assert sizes([1] * 7) == 1
    assert sizes([1] * 6 + [0.01]) > 1  # a trace
    found = recognise(mixed([1] * 11), model, RecognitionSettings.of({"mode": "local"}))
    assert set(found.atom_class.tolist()) == {model.classes.index(arise.prototype("fcc").label)}


def test_a_small_crystal_in_a_melt_is_found(sharp_model, front):
    structure, height = front
    edge = structure.cell[0, 0]
    melt = structure.positions[structure.positions[:, 2] > height] - [0, 0, height + 0.5]
    radius, middle = 7.5, np.full(3, edge / 2)
    beyond = np.linalg.norm(melt - middle, axis=1) - radius
    inside = structure.positions[structure.positions[:, 2] < height]
    inside = inside[np.linalg.norm(inside - middle, axis=1) < radius]
    x = np.concatenate([inside, melt[beyond > 1.0]])
    both = Structure(x, np.full(len(x), 29), np.eye(3) * edge, True)
    shares = {}
    for kind in ("sharp", "single"):
        found = recognise(
            both, sharp_model, RecognitionSettings.of({"mode": "local", **FAST, "resolution": kind})
        )
        shares[kind] = (np.asarray(found.atom_labels)[: len(inside)] == "fcc").mean()
        assert (np.asarray(found.atom_labels)[len(inside) :] == "fcc").mean() < 0.1
    assert shares["sharp"] > 0.3
    assert shares["sharp"] > shares["single"]


def test_an_ordered_compound_beside_its_solid_solution(sharp_model, rng):
    ordered = builders.repeat(arise.build(arise.prototype("L1_2")), (9, 6, 6))
    left = ordered.positions[:, 0] < ordered.cell[0, 0] / 2
    mixed = builders.solid_solution(ordered.numbers, np.unique(ordered.numbers), (0.5, 0.5), rng)
    both = shaken(
        Structure(ordered.positions, np.where(left, ordered.numbers, mixed), ordered.cell, True), 0.05
    )
    found = recognise(both, sharp_model, RecognitionSettings.of({"mode": "local", **FAST}))
    labels = np.asarray(found.atom_labels)
    depth = np.abs(np.abs(both.positions[:, 0] / both.cell[0, 0] - 0.5) - 0.25)
    inner = np.abs(depth) < 0.12
    assert (labels[left & inner] == "L1_2").mean() > 0.95
    assert (labels[~left & inner] == "fcc").mean() > 0.9


@pytest.mark.parametrize("name", ["graphene", "MoS2_2D"])
def test_a_sheet(sharp_model, name):
    sheet = shaken(builders.repeat(arise.build(arise.prototype(name)), (9, 9, 1)), 0.03)
    found = recognise(sheet, sharp_model, RecognitionSettings.of({"mode": "local", **FAST}))
    assert found.field.shape[2] == 1
    assert min(found.field.shape[:2]) > 3
    assert (found.atom_class == found.index).mean() > 0.95
    assert found.classes[found.index].label == arise.prototype(name).label


def test_a_wire(sharp_model, fcc):
    wire = opened_along(builders.repeat(fcc, (2, 1, 1)), (1, 2), 6.5)
    found = recognise(wire, sharp_model, RecognitionSettings.of({"mode": "local", **FAST}))
    assert found.field.shape[1:] == (1, 1)
    assert found.field.shape[0] > 8
    assert (np.asarray(found.atom_labels) == "fcc").mean() > 0.9


def test_a_particle(sharp_model, fcc):
    x = fcc.positions - fcc.positions.mean(axis=0)
    ball = Structure(x[np.linalg.norm(x, axis=1) < 10.0], [29] * (np.linalg.norm(x, axis=1) < 10.0).sum())
    found = recognise(ball, sharp_model, RecognitionSettings.of({"mode": "local", **FAST, "edges": "box"}))
    inner = np.linalg.norm(ball.positions, axis=1) < 6.0
    assert (np.asarray(found.atom_labels)[inner] == "fcc").mean() > 0.9


def test_tiny_inputs(sharp_model):
    unit = arise.build(arise.prototype("fcc"))  # one atom
    found = arise.strided_map(unit, sharp_model, **FAST)
    assert len(found) == 1
    assert found.prediction.names.tolist() == ["fcc"]
    few = Structure(np.eye(3) * 3, [29] * 3)
    with pytest.warns(UserWarning, match="no box holds"):
        nothing = arise.strided_map(few, sharp_model, **FAST)
    assert not nothing.prediction.valid.any()
    assert np.isnan(nothing.resolution).all()
    assert (nothing.size == -1).all()


def test_a_model_that_was_not_calibrated_has_boxes_of_one_size(fcc):
    plain = arise.load_model("arise-108-ideal")
    assert plain.sureness is None
    with pytest.raises(
        InputError, match=r"`resolution` must be 'single' with model 'arise-108-ideal'.*got 'sharp'"
    ):
        arise.strided_map(fcc, plain, **FAST)


def test_boxes_of_several_sizes_are_not_explored(sharp_model, mapped_front, fcc):
    for subject, settings in ((fcc, {"resolution": "sharp"}), (mapped_front[0].field, {})):
        with pytest.raises(InputError, match="`resolution` must be 'single' where boxes are compared"):
            arise.exploration(subject, sharp_model, **settings)
    with pytest.raises(InputError, match="`resolution` must be 'single' where boxes are compared"):
        arise.represent(fcc, sharp_model, map_settings=MapSettings(resolution="sharp"))


# --- however it is computed -------------------------------------------------------------------------------------------


def test_the_same_for_any_number_of_threads_and_memory(sharp_model, front):
    structure, _ = front
    fields = []
    for count, memory in ((1, 4.0), (2, 4.0), (2, 0.1)):
        threads.set_count(count)
        try:
            fields.append(arise.strided_map(structure, sharp_model, memory_limit=memory, **FAST))
        finally:
            threads.set_count(None)
    for field in fields[1:]:
        assert (field.size == fields[0].size).all()
        for name in ("probabilities", "mutual_information", "reject_score"):
            same = getattr(field.prediction, name), getattr(fields[0].prediction, name)
            assert np.array_equal(*same, equal_nan=True)


def test_boxes_that_a_larger_one_may_answer_for_have_few_passes(sharp_model, front):
    structure, _ = front
    given = {"resolution": "sharp", "passes": 200, "stride": 4.0}
    field = arise.strided_map(structure, sharp_model, tolerance=1e-6, **given)
    last = len(field.edges) - 1
    assert (field.prediction.passes[field.size < last] == TRIAL_PASSES).all()
    assert (field.size == last).any()
    assert (field.prediction.passes[field.size == last] == 200).all()
    every = arise.strided_map(structure, sharp_model, tolerance=None, **given)
    assert (every.prediction.passes == 200).all()


def test_progress_and_cancelling(sharp_model, front):
    structure, _ = front
    seen = []
    arise.strided_map(structure, sharp_model, progress=seen.append, **FAST)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    job = map_steps(
        structure, sharp_model, MapSettings(resolution="sharp"), SamplingSettings(passes=32, tolerance=0.01)
    )
    next(job)
    job.close()
    import threading

    assert not [t for t in threading.enumerate() if t.name.startswith("arise-")]


def test_half_way_between_a_crystal_and_a_melt_is_the_border(sharp_model, mapped_front):
    """Not the score is interpolated, which would reject nearly all of the way, but the decision."""
    field = mapped_front[0].field
    threshold = field.prediction.reject_threshold
    score = np.array([0.0, threshold / 2, threshold, 1.0])
    assert field._nodes._decision(score) == pytest.approx([0, 0.25, 0.5, 1])
    assert field._nodes._score(field._nodes._decision(score)) == pytest.approx(score)
    at_centres = field.at(field.centers)
    assert at_centres.reject_score == pytest.approx(field.prediction.reject_score, abs=1e-5)
    coarse = mapped_front[1].field
    assert (coarse._nodes._decision(score) == score).all()


# --- outputs and doors ------------------------------------------------------------------------------------------------


def test_the_map_says_which_size_has_answered(mapped_front):
    sharp, coarse = mapped_front
    data = sharp.field.to_xarray()
    assert data["resolution"].attrs["units"] == "angstrom"
    assert (data["resolution"].to_numpy().ravel() == sharp.field.resolution).all()
    assert data.attrs["resolutions_angstrom"].tolist() == list(sharp.field.edges)
    assert (coarse.field.to_xarray()["resolution"] == 16.0).all()


def test_all_doors_agree(sharp_model, tmp_path):
    structure, _ = crystal_and_melt(4, 4)
    atoms = Atoms(structure.numbers, structure.positions, cell=structure.cell, pbc=True)
    core = recognise(structure, sharp_model, RecognitionSettings.of({"mode": "local", **FAST}))
    assert len(set(core.atom_resolution)) > 1
    labelled = annotate(atoms, sharp_model, mode="local", copy=True, **FAST)
    assert (labelled.arrays["arise_label"] == core.atom_labels).all()
    assert (labelled.arrays["arise_resolution"] == core.atom_resolution).all()
    write(tmp_path / "kept.traj", labelled)
    assert (read(tmp_path / "kept.traj")[0].arrays["arise_resolution"] == core.atom_resolution).all()
    annotate(labelled, sharp_model, mode="local", resolution="single", passes=8)
    assert "arise_resolution" not in labelled.arrays

    ase.io.write(tmp_path / "in.traj", atoms)
    words = ["map", str(tmp_path / "in.traj"), "--atoms", str(tmp_path / "out.xyz"), "--resolution", "sharp"]
    words += ["--model", str(sharp_model.path), "--passes", "32", "--tolerance", "0"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    told = ase.io.read(tmp_path / "out.xyz")
    assert (told.arrays["arise_label"].astype(str) == core.atom_labels).all()
    assert told.arrays["arise_resolution"] == pytest.approx(core.atom_resolution, abs=1e-6)

    data, _ = analysed(
        structure, model=str(sharp_model.path), resolution="sharp", box_size=16.0, stride=3.0, passes=32,
        tolerance=0.0, box_table=True,
    )  # fmt: skip
    assert (np.asarray(data.particles["Structure Type"]) == core.atom_class + 1).all()
    assert np.asarray(data.particles["ARISE Resolution"]) == pytest.approx(core.atom_resolution)
    voxels = np.asarray(data.grids["arise"]["Resolution"])
    assert sorted(voxels) == pytest.approx(sorted(core.field.resolution))
    assert np.asarray(data.tables["arise-boxes"]["Resolution"]) == pytest.approx(core.field.resolution)


# --- the rule ------------------------------------------------------------------------------------------------------


def said(model, rows, threshold=0.1) -> Prediction:
    """A prediction of rows (class, its probability, reject score)."""
    n, n_classes = len(rows), len(model.classes)
    p = np.zeros((n, n_classes), dtype=np.float32)
    for k, (index, confidence, _) in enumerate(rows):
        p[k] = (1 - confidence) / (n_classes - 1)
        p[k, index] = confidence
    score = np.array([row[2] for row in rows], dtype=float)
    same = np.zeros(n)
    return Prediction(
        model.class_info, p, same, same, same, score, threshold, np.full(n, 32), same, np.zeros(n)
    )


def test_expected_error(model):
    found = said(model, [(0, 0.98, 0.0), (0, 0.6, 0.0), (0, 0.3, 0.97), (0, 0.9, 0.05), (0, 0.9, 0.4)])
    error = expected_error(found)
    assert error == pytest.approx([0.02, 0.4, 0.03, 1 - 0.9 * 0.95, 0.6])
    assert expected_error(found.with_threshold(None))[2] == pytest.approx(0.7)
    nothing = replace(found, mutual_information=np.full(5, np.nan))
    assert (expected_error(nothing) == NO_ANSWER).all()


def test_answers_that_need_more_atoms(model):
    found = said(model, [(0, 0.99, 0.0), (1, 0.99, 0.0), (1, 0.5, 0.99)])
    rule = Sureness(error=0.05, atoms={model.classes[1]: 46, "rejected": 30})
    few, many = np.full(3, 25), np.full(3, 60)
    assert rule.errors(found, few, False) == pytest.approx([0.01, 1, 1])
    assert rule.errors(found, many, False) == pytest.approx([0.01, 0.01, 0.01])
    assert rule.errors(found, few, True) == pytest.approx([0.01, 0.01, 0.01])  # there is no larger box


def made_up(change=lambda n_atoms, truth, rng: np.zeros(len(truth), dtype=bool), doubtful=0.0) -> Sureness:
    """The rule for classes 0 and 1 and what is none (2); expected errors are 0.01, 0.12 and 0.4.

    Args:
        change: which boxes of so many atoms and of this truth are called 1, and rather surely.
        doubtful: share of those of 0.12 that are wrong.
    """
    rng = np.random.default_rng(0)
    tried = []
    for n_atoms in calibration.SIZES:
        truth = rng.integers(0, 3, 6000)
        error = rng.choice([0.01, 0.12, 0.4], 6000)
        wrong = rng.random(6000) < np.select([error == 0.4, error == 0.12], [0.4, doubtful], 0.0)
        answer = np.where(wrong, (truth + 1) % 3, truth)
        changed = change(n_atoms, truth, rng)
        error[changed] = np.minimum(error[changed], 0.12)
        answer[changed] = 1
        tried.append(calibration.Tried(n_atoms, error, answer, truth))
    return calibration.fitted(tried, ["a", "b"])


def test_calibration_on_made_up_answers():
    """Of those of 0.12 one in a hundred is wrong: too many for the rule, too few for any answer to need more atoms."""
    found = made_up(doubtful=0.01)
    assert found.error == 0.1  # the largest bound below 0.12
    assert (found.atoms, found.relatives) == ({}, {})
    assert found.wrong == 0.0
    assert found.answered["64"] == pytest.approx(1 / 3, abs=0.05)
    assert made_up().error == 0.3  # the largest below 0.4


def test_classes_that_small_boxes_take_for_another_one_are_its_relatives():
    """A tenth of class 0 is called 1 in boxes of up to 32 atoms: as 45 follow, from 38 on none is any more."""
    found = made_up(
        lambda n_atoms, truth, rng: (n_atoms <= 32) & (truth == 0) & (rng.random(len(truth)) < 0.1)
    )
    assert found.relatives == {"b": {"a": 38}}
    assert (found.atoms, found.error) == ({}, 0.3)
    assert found.wrong == 0.0  # they do not count
    assert found.confused(["a", "b"]).tolist() == [[0, 0], [38, 0], [0, 0]]


def test_answers_that_are_wrong_for_what_is_no_class_need_more_atoms():
    """Around which nothing can say so."""
    found = made_up(
        lambda n_atoms, truth, rng: (n_atoms <= 32) & (truth == 2) & (rng.random(len(truth)) < 0.1)
    )
    assert found.relatives == {}
    assert found.atoms == {"b": 38}
    assert found.answered["32"] < found.answered["64"]


def test_samples_for_the_calibration_have_the_wanted_size(model):
    samples = calibration.samples_of_size(recipe_of(model.card).samples, 64)
    assert samples.box_atoms == (64, 64)
    assert {name for name, count in samples.counts.items() if count} == set(calibration.COUNTS)
    assert samples.pristine == 0
    assert samples.decidable_atoms == (64, 64)


def test_the_card_keeps_the_rule(sharp_model):
    card = sharp_model.card
    assert card.sureness == SURENESS
    assert Card.from_json(card.to_json()) == card
    assert "sureness" not in replace(card, sureness=None).to_json()
    for bad, said_ in (
        (replace(SURENESS, error=2.0), "sureness.error"),
        (replace(SURENESS, atoms={"x": -1}), "sureness.atoms.x"),
        (replace(SURENESS, relatives={"x": {"y": -1}}), "sureness.relatives.x.y"),
        (replace(SURENESS, relatives={"x": 3}), "sureness.relatives.x"),
        (replace(SURENESS, answered={"32": 7}), "sureness.answered.32"),
    ):
        with pytest.raises(InputError, match=said_):
            Card.from_json(replace(card, sureness=bad).to_json())


def test_the_rule_of_the_shipped_model_lies_beside_the_code(model, tmp_path):
    assert model.card.sureness is None
    rule = model.sureness
    assert 0 < rule.error < 0.5
    assert {*rule.atoms, *rule.relatives} <= {*model.classes, "rejected"}
    assert {relative for row in rule.relatives.values() for relative in row} <= {*model.classes}
    assert rule.relatives["fcc_Cu_A_cF4_225_a"]["bctIn_In_A_tI2_139_a"] > 60
    assert rule.wrong <= calibration.WRONG
    assert list(rule.answered) == [str(n) for n in calibration.SIZES]
    calibration.keep(model, rule, 64, tmp_path / "rules.json")
    kept = json.loads((tmp_path / "rules.json").read_text(encoding="utf-8"))
    assert Sureness(**kept[model.card.weights_sha256]["rule"]) == rule
    assert (
        json.loads(KNOWN.read_text(encoding="utf-8"))[model.card.weights_sha256]
        == kept[model.card.weights_sha256]
    )
