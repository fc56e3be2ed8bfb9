"""Maps that are not kept: the numbers are those of the whole map, whoever made which part."""

import pickle
from dataclasses import fields

import numpy as np
import pytest

import arise_core as arise
from arise_core.engine.grid import box_grid
from arise_core.engine.tile import make_tiles
from arise_core.errors import InputError, MemoryLimitError
from arise_core.geometry import builders
from arise_core.geometry.material import Material
from arise_core.model.prediction import Rule
from arise_core.progress import run
from arise_core.recognition import work
from arise_core.recognition.parts import Joined, Reader, part_steps
from arise_core.recognition.result import recognise
from arise_core.recognition.shares import share_of, shares_of
from arise_core.recognition.work import MapWork, slabs_of
from arise_core.runtime import memory
from arise_core.settings import MapSettings, RecognitionSettings
from benchmarks.structures import fcc

LOCAL = {"mode": "local", "box_size": 9.0, "stride": 4.0, "passes": 16}


@pytest.fixture(scope="module")
def model():
    return arise.load_model("arise-108")


def half_molten(axis, kind):
    """A bar, crystal at one end and shaken to pieces at the other; periodic, in vacuum, or with an atom far away."""
    times = np.ones(3, dtype=int)
    times[axis] = 5
    s = builders.repeat(fcc(3), tuple(times))
    rng = np.random.default_rng(0)
    far = s.positions[:, axis] > s.positions[:, axis].mean()
    x = s.positions + rng.normal(0, np.where(far, 0.5, 0.05)[:, None], s.positions.shape)
    if kind == "periodic":
        return arise.Structure(x, s.numbers, s.cell, True)
    if kind == "slab":
        longer = np.ones(3)
        longer[axis] = 1.4
        return arise.Structure(x, s.numbers, s.cell * longer[:, None], True)
    return arise.Structure(np.concatenate([x, [[0, 0, 300.0]]]), np.append(s.numbers, 29))


def values_of(found):
    return {f.name: getattr(found, f.name) for f in fields(found) if f.name != "probabilities"}


def same(a, b):
    for name, values in values_of(a).items():
        assert np.array_equal(values, values_of(b)[name], equal_nan=True), name


@pytest.mark.filterwarnings("ignore:1 of:UserWarning")  # the atom far away
@pytest.mark.parametrize("between", ["linear", "sure"])
@pytest.mark.parametrize(("axis", "kind"), [(0, "periodic"), (1, "slab"), (2, "periodic"), (2, "open")])
def test_values_at_atoms_are_those_of_the_whole_map(model, monkeypatch, axis, kind, between):
    resolution = "sharp" if between == "sure" else "single"
    settings = RecognitionSettings.of({**LOCAL, "between": between, "resolution": resolution})
    structure = half_molten(axis, kind)
    whole = recognise(structure, model, settings)
    monkeypatch.setattr(work, "SLAB_BOXES", 1)
    slabs = slabs_of(whole.field.grid, 1)
    assert len(slabs) > 1
    assert slabs[0].axis == axis
    kept, dropped = (recognise(structure, model, settings, keep_map=keep) for keep in (True, False))
    for name, values in vars(kept.field.prediction).items():
        if isinstance(values, np.ndarray):
            assert np.array_equal(values, getattr(whole.field.prediction, name), equal_nan=True), name
    same(whole.atoms, kept.atoms)
    same(whole.atoms, dropped.atoms)
    assert dropped.field is None
    assert dropped.notes == whole.notes
    assert dropped.fractions == whole.fractions
    assert dropped.atoms_a_box == whole.atoms_a_box
    np.testing.assert_allclose(dropped._means, whole._means, rtol=1e-12, atol=1e-15)
    for one, other in zip(shares_of(whole), shares_of(dropped), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(share_of(whole), share_of(dropped), rtol=1e-12)


def test_parts_in_any_order_from_anywhere(model, monkeypatch):
    """Bit for bit, sums too: of each slab alone and of several at once, sent as bytes, the last ones first."""
    monkeypatch.setattr(work, "SLAB_BOXES", 1)
    structure = builders.repeat(half_molten(0, "periodic"), (4, 1, 1))
    settings = RecognitionSettings.of(LOCAL)

    def reader():
        return Reader(MapWork.of(Material.of(structure), model, settings.map, settings.sampling, "card"))

    count = len(reader().work.slabs)
    assert count > 3
    whole = recognise(structure, model, settings, keep_map=False)
    for ranges in (
        [range(k, k + 1) for k in range(count)][::-1],
        [range(1, 3), range(3, count), range(1)],
    ):
        joined = Joined(reader())
        for slabs in ranges:
            joined.add(pickle.loads(pickle.dumps(run(part_steps(reader(), slabs)))))
        values, summary = joined.result()
        same(values, whole.atoms)
        for name in ("count", "probabilities", "entropy", "score", "named", "doubted"):
            assert np.array_equal(getattr(summary.sums, name), getattr(whole.summary.sums, name)), name
        assert summary.boxes.atoms_a_box == whole.summary.boxes.atoms_a_box


@pytest.mark.parametrize("n", [1, 6, 40])
def test_slabs_are_whole_tiles_and_hold_each_box_once(n):
    grid = box_grid(builders.repeat(fcc(2), (1, n, 2)), MapSettings(box_size=6.0, stride=3.0))
    tile_of = np.empty(len(grid), dtype=int)
    for k, tile in enumerate(make_tiles(grid)):
        tile_of[tile.boxes(grid)] = k
    for least in (1, 200, 10**9):
        slabs = slabs_of(grid, least)
        boxes = [slab.boxes(grid.shape) for slab in slabs]
        assert np.array_equal(np.sort(np.concatenate(boxes)), np.arange(len(grid)))
        assert len(slabs) == 1 or min(len(b) for b in boxes) >= least
        tiles = [set(tile_of[b]) for b in boxes]
        assert sum(len(t) for t in tiles) == len(set(tile_of))
    assert len(slabs_of(grid, 10**9)) == 1


def test_what_needs_the_map_says_so(model):
    found = recognise(half_molten(0, "periodic"), model, RecognitionSettings.of(LOCAL), keep_map=False)
    assert found.atom_resolution is None
    with pytest.raises(
        InputError, match="`classes`: probabilities at atoms need the map, which was not kept"
    ):
        found.probabilities_at_atoms([0])
    with pytest.raises(InputError, match="need the map, which was not kept"):
        shares_of(found.with_rule(Rule(reject_threshold=0.5)))


def test_memory_is_asked_for_the_boxes_that_are_held(model, monkeypatch):
    """Some memory that is enough for a slab, not for all of its boxes."""
    monkeypatch.setattr(work, "SLAB_BOXES", 1)
    structure, settings = half_molten(0, "periodic"), RecognitionSettings.of(LOCAL)
    boxes = len(box_grid(structure, settings.map))
    monkeypatch.setattr(memory, "available", lambda: 1000.0 * boxes)
    with pytest.raises(MemoryLimitError):
        recognise(structure, model, settings, probabilities="all")
    assert recognise(structure, model, settings).valid
    monkeypatch.setattr(memory, "available", lambda: 750.0 * boxes)
    with pytest.raises(MemoryLimitError):
        recognise(structure, model, settings)
    assert recognise(structure, model, settings, keep_map=False).valid
