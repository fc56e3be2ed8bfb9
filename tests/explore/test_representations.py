"""Hidden layers of boxes and structures, in memory and in a store."""

import numpy as np
import pytest

import arise_core as arise
from arise_core.engine.boxes import describe_boxes
from arise_core.errors import ExistingFileError, FileError, InputError, InputTypeError, MemoryLimitError
from arise_core.explore.representations import StoreCollector
from arise_core.explore.storage import write_arrays
from arise_core.geometry import builders

BOXES = arise.MapSettings(box_size=12.0, stride=6.0)


@pytest.fixture(scope="module")
def grid(fcc):
    return arise.box_grid(builders.opened(fcc), BOXES)


@pytest.fixture(scope="module")
def kept(grid, model):
    return arise.represent(grid, model)


def test_all_layers_of_all_boxes(grid, model, kept):
    described = describe_boxes(grid, model.descriptor).features
    assert kept.layers == tuple(range(model.n_layers))
    for layer in kept.layers:
        found = kept.of(layer)
        assert found.dtype == np.float32
        assert found.shape == (len(grid), model.card.hidden[layer])
        assert np.allclose(found, model.representations(described, layer), atol=1e-5)
    with pytest.raises(InputError, match="`layer` must be one of"):
        kept.of(7)


def test_structure_grid_and_map_are_the_same(fcc, grid, model, kept):
    of_structure = arise.represent(builders.opened(fcc), model, -1, map_settings=BOXES)
    last = model.n_layers - 1
    assert of_structure.layers == (last,)
    assert np.array_equal(of_structure.of(last), kept.of(last))
    field = arise.strided_map(builders.opened(fcc), model, box_size=12.0, stride=6.0, passes=5)
    assert np.array_equal(arise.represent(field, model, [last]).of(last), kept.of(last))


def test_a_list_of_structures(fcc, model):
    few = builders.opened(fcc)
    few = arise.Structure(few.positions[:5], few.numbers[:5])
    with pytest.warns(UserWarning, match="structure 1 has 5 atoms"):
        found = arise.represent([fcc, few, fcc], model, 0)
    rows = found.of(0)
    assert np.isnan(rows[1]).all()
    assert np.array_equal(rows[0], rows[2])
    assert np.allclose(
        rows[0], model.representations(arise.describe(fcc, model.descriptor)[None], 0)[0], atol=1e-5
    )


def test_saved_and_loaded(tmp_path, kept):
    kept.save(tmp_path / "a.npz")
    again = arise.Representations.load(tmp_path / "a.npz")
    assert again.layers == kept.layers
    assert again.model_name == kept.model_name
    assert all(np.array_equal(again.of(k), kept.of(k)) for k in kept.layers)
    (tmp_path / "b.npz").write_bytes(b"PK nothing")
    with pytest.raises(FileError, match="is no file of this package"):
        arise.Representations.load(tmp_path / "b.npz")
    for rows, said in (
        (kept.rows * 0, "does not have each number once"),
        (kept.rows[:-1], "layer 0 is float32"),
    ):
        arrays = {"rows": rows, **{f"layer_{k}": kept.of(k) for k in kept.layers}}
        write_arrays(tmp_path / "c.npz", arrays, {"kind": "representations", "model": "m"})
        with pytest.raises(FileError, match=said):
            arise.Representations.load(tmp_path / "c.npz")
    with pytest.raises(FileError, match="must end in .npz"):
        kept.save(tmp_path / "a.txt")


def test_a_store_holds_the_same(tmp_path, grid, model, kept):
    pytest.importorskip("zarr")
    path = tmp_path / "deep" / "store.zarr"
    found = arise.represent(grid, model, store=path, memory_limit=1e-9)
    assert not isinstance(found.arrays[0], np.ndarray)
    again = arise.Representations.load(path)
    for layer in kept.layers:
        assert np.array_equal(found.of(layer), kept.of(layer))
        assert np.array_equal(again.of(layer), kept.of(layer))
    assert [p.name for p in path.parent.iterdir()] == ["store.zarr"]
    with pytest.raises(ExistingFileError, match="exists; nothing was changed"):
        arise.represent(grid, model, store=path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileError, match="is no store of representations"):
        arise.Representations.load(tmp_path / "empty")


def test_half_a_store_goes(tmp_path, grid, model, monkeypatch):
    pytest.importorskip("zarr")

    def interrupted(self, rows, features):
        raise KeyboardInterrupt

    monkeypatch.setattr(StoreCollector, "add", interrupted)
    with pytest.raises(KeyboardInterrupt):
        arise.represent(grid, model, store=tmp_path / "store")
    assert list(tmp_path.iterdir()) == []


def test_too_much_for_the_memory(grid, model):
    with pytest.raises(MemoryLimitError, match="more than `memory_limit` \\(1e-06 GiB\\): name a folder"):
        arise.represent(grid, model, memory_limit=1e-6)


@pytest.mark.parametrize(
    ("subject", "layers", "error", "said"),
    [
        ([], None, InputError, "`subject` is empty"),
        (
            3,
            None,
            InputTypeError,
            "`subject` must be a structure, a grid, a map or a list of structures, got 3",
        ),
        ([], [], InputError, "`layers` is empty"),
        ([], 9, InputError, "`layer` must be in"),
    ],
)
def test_refused(model, subject, layers, error, said):
    with pytest.raises(error, match=said):
        arise.represent(subject, model, layers)
