"""What is suggested for labelling: in doubt, not alike, with its neighbourhood."""

from __future__ import annotations

import csv

import ase.io
import numpy as np
import pytest

import arise_core as arise
from arise_core.errors import ExistingFileError, InputError, InputTypeError
from arise_core.explore.suggestions import Taste, neighbourhood, spread_out
from arise_core.geometry import builders
from arise_core.settings import MapSettings

BOXES = {"box_size": 10.0, "stride": 5.0, "passes": 30}


@pytest.fixture(scope="module")
def model():
    return arise.load_model("arise-108")


@pytest.fixture(scope="module")
def slab():
    """fcc beside something without order, open: the map is in doubt between them."""
    rng = np.random.default_rng(1)
    whole = builders.superalloy(30.0, 0.0, 0.0, rng=rng)
    left = whole.positions[:, 0] < 15
    moved = np.where(left[:, None], 0.03, 0.35) * rng.normal(size=whole.positions.shape)
    return arise.Structure(whole.positions + moved, whole.numbers)


@pytest.fixture(scope="module")
def field(slab, model):
    return arise.strided_map(slab, model, **BOXES)


# --- the choice -------------------------------------------------------------------------------------------------------


def groups():
    """Three tight groups, each in more doubt than the next, and a far point without doubt."""
    rng = np.random.default_rng(0)
    middles = np.repeat([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]], 50, axis=0)
    vectors = np.vstack([middles + rng.normal(0, 0.01, middles.shape), [[500.0, 500.0]]])
    return vectors, np.concatenate([np.repeat([1.0, 0.8, 0.6], 50), [0.0]])


def test_of_three_groups_one_of_each_comes_first():
    vectors, doubt = groups()
    chosen, distance = spread_out(vectors, doubt, 3)
    assert [k // 50 for k in chosen] == [0, 1, 2]
    assert np.isnan(distance[0])
    np.testing.assert_allclose(distance[1:], 10, atol=0.1)


def test_without_spread_doubt_alone_counts():
    vectors, doubt = groups()
    chosen, _ = spread_out(vectors, doubt, 60, spread=0.0)
    assert [k // 50 for k in chosen] == [0] * 50 + [1] * 10
    assert len(set(chosen)) == 60


def test_what_is_not_in_doubt_has_no_prediction_or_is_there_already_is_not_chosen():
    vectors, doubt = groups()
    vectors[:50] = vectors[0]  # all the same
    vectors[50], doubt[51] = np.nan, np.nan
    chosen, _ = spread_out(vectors, doubt, 1000)
    assert len(chosen) == 1 + 48 + 50
    assert not {50, 51, 150} & set(chosen)
    assert len(spread_out(vectors, doubt, 10, least=2.0)[0]) == 0
    assert len(spread_out(vectors[:0], doubt[:0], 10)[0]) == 0


# --- of maps and structures -------------------------------------------------------------------------------------------


def test_boxes_of_a_map_are_in_doubt_and_apart(field, model):
    found = arise.suggest(field, model, 6)
    assert [s.rank for s in found] == list(range(1, 7))
    p = field.prediction
    doubt = p.mutual_information + p.rejection_uncertainty
    assert found[0].doubt == pytest.approx(np.nanmax(doubt))
    for s in found:
        assert s.doubt == pytest.approx(doubt[s.box])
        np.testing.assert_allclose(s.center, field.centers[s.box])
        assert s.label == p.classes.short_of(p.index)[s.box]
        assert s.rejected == p.rejected[s.box]
    assert len({s.box for s in found}) == 6


def test_map_structure_and_exploration_give_the_same(field, slab, model):
    of_map = [s.box for s in arise.suggest(field, model, 5)]
    assert [s.box for s in arise.suggest(slab, model, 5, mode="local", **BOXES)] == of_map
    explored = arise.exploration(field, model, embed=False, min_cluster_size=5)
    assert [s.box for s in arise.suggest(explored, model, 5)] == of_map
    last = arise.suggest(explored, model, 5, layer=-1)  # not kept: computed
    assert [s.box for s in last] == [s.box for s in arise.suggest(field, model, 5, layer=-1)]


def test_structures_are_ranked_together(slab, model):
    sure = arise.build(arise.prototype("fcc"))
    half = len(slab) // 2
    pieces = [sure, arise.Structure(slab.positions[half:], slab.numbers[half:]), sure]
    found = arise.suggest(pieces, model, 3, mode="whole", least=0.0, passes=30)
    assert found[0].source == 1
    assert found[0].box == -1
    assert found[0].inside.all()
    assert len(found[0].structure) == len(slab) - half
    assert {s.source for s in found} <= {0, 1, 2}
    assert len(found) == 2  # the third is the first again


def test_what_is_rejected_counts_if_asked_for(field, model):
    rejected = np.flatnonzero(field.prediction.rejected & field.prediction.valid)
    assert len(rejected) > 0
    found = arise.suggest(field, model, 5, unknown=100.0)
    assert {s.box for s in found} <= set(rejected.tolist())


def test_a_neighbourhood_holds_the_box_and_a_margin_across_borders():
    structure = builders.superalloy(22.0, 0.0, 0.3, pbc=True, rng=np.random.default_rng(0))
    grid = arise.box_grid(structure, MapSettings(box_size=10.0, stride=5.0))
    edge = structure.cell[0, 0]
    box = len(grid) - 1  # crosses all three borders
    around, inside = neighbourhood(grid, box, 3.0)
    offset = around.positions - grid.centers[box]
    assert np.abs(offset).max() <= 8.0 + 1e-9
    np.testing.assert_array_equal(inside, ((offset >= -5) & (offset < 5)).all(axis=1))
    assert inside.sum() == len(grid.members(box)[0])
    shifts = np.stack(np.meshgrid(*[[-1, 0, 1, 2]] * 3), axis=-1).reshape(-1, 3) * edge
    images = (structure.positions[None] + shifts[:, None]).reshape(-1, 3) - grid.centers[box]
    assert len(around) == ((images >= -8) & (images < 8)).all(axis=1).sum()


def test_files_hold_the_samples_and_a_table_to_fill_in(field, model, tmp_path):
    found = arise.suggest(field, model, 3)
    files = arise.write_suggestions(found, tmp_path / "out", ["slab"])
    assert [f.name for f in files] == [*(f"suggestion_0{k}.xyz" for k in (1, 2, 3)), "suggestions.csv"]
    with files[-1].open(newline="") as file:
        rows = list(csv.DictReader(file))
    for s, row, path in zip(found, rows, files, strict=False):
        atoms = ase.io.read(path)
        assert (len(atoms), s.inside.sum()) == (int(row["n_atoms"]), int(row["n_in_box"]))
        first = atoms.positions[: s.inside.sum()]
        np.testing.assert_allclose(first, s.structure.positions[s.inside], atol=1e-6)
        assert (row["file"], row["source"], row["label"]) == (path.name, "slab", "")
        assert float(row["doubt_bit"]) == pytest.approx(s.doubt, abs=1e-4)
    with pytest.raises(ExistingFileError):
        arise.write_suggestions(found, tmp_path / "out")
    arise.write_suggestions(found[:1], tmp_path / "out", overwrite=True)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["suggestion_01.xyz", "suggestions.csv"]


@pytest.mark.parametrize(
    ("arguments", "error", "named"),
    [
        ({"n": 0}, InputError, "`n`"),
        ({"least": -1.0}, InputError, "`least`"),
        ({"margin": float("nan")}, InputError, "`margin`"),
        ({"mode": "some"}, InputError, "`mode`"),
        ({"strides": 3}, InputTypeError, "strides"),
        ({"layer": 9}, InputError, "`layer`"),
    ],
)
def test_what_is_wrong_is_named(field, model, arguments, error, named):
    with pytest.raises(error, match=named):
        arise.suggest(field, model, **arguments)


@pytest.mark.parametrize("sources", [[], "file.xyz", 3, ["file.xyz"]])
def test_only_structures_maps_and_explorations_are_taken(sources, model):
    with pytest.raises((InputError, InputTypeError), match="`sources`"):
        arise.suggest(sources, model)


def test_margins_and_names_that_cannot_be(tmp_path):
    with pytest.raises(InputError, match="`margin` must be up to 100 Å, got 500"):
        Taste(margin=500.0)
    one = arise.Suggestion(
        rank=1, source=2, box=-1, center=np.zeros(3), doubt=1.0, mutual_information=1.0, label="fcc", rejected=False,
        distance=np.nan, structure=arise.Structure(np.zeros((1, 3)), np.array([29])), inside=np.ones(1, dtype=bool),
    )  # fmt: skip
    with pytest.raises(InputError, match="`names` must name the 3 sources, got 1"):
        arise.write_suggestions([one], tmp_path / "out", ["a"])
    assert not (tmp_path / "out").exists()
