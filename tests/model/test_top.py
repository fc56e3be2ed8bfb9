"""Probabilities of which the largest of each row are kept: what they read as, and what they stand for."""

import copy
import pickle

import numpy as np
import pytest

from arise_core.model.top import RANKS, TopProbabilities, put_rows, room_for, rows_of


@pytest.fixture
def full():
    rng = np.random.default_rng(0)
    found = rng.dirichlet(np.full(12, 0.3), 200).astype(np.float32)
    found[7] = np.nan
    return found


def kept_of(full):
    """What is kept, as a plain array."""
    out = np.zeros_like(full)
    order = np.argsort(-full, axis=1, kind="stable")[:, :RANKS]
    np.put_along_axis(out, order, np.take_along_axis(full, order, axis=1), axis=1)
    out[np.isnan(full[:, 0])] = np.nan
    return out


def test_best_classes_come_first(full):
    top = TopProbabilities.of(full)
    good = ~np.isnan(full[:, 0])
    assert np.array_equal(top.index[good, 0], full[good].argmax(axis=1))
    assert (np.diff(top.kept[good], axis=1) <= 0).all()
    assert (top.index[~good] == -1).all()
    assert np.isnan(top.kept[~good]).all()


KEYS = {
    "all": slice(None),
    "row": 3,
    "empty row": 7,
    "last row": -1,
    "numpy's number": np.int64(5),
    "rows": [4, 7, 4],
    "mask": np.arange(200) % 3 == 0,
    "column": (slice(None), 2),
    "last column": (slice(None), -1),
    "columns": (slice(None), [3, 0, 11]),
    "the same column twice": (slice(None), [3, 0, 3]),
    "no column": (slice(None), np.array([], dtype=int)),
    "an empty list of columns": (slice(None), [2][:0]),
    "slice of columns": (slice(2, 50), slice(1, 4)),
    "element": (3, 4),
    "columns of a row": (3, [0, 4]),
    "elements": ([1, 2, 7], [0, 5, 6]),
    "rows of a column": ([1, 2, 7], 4),
    "one in a tuple": (slice(5),),
    "new axis": (slice(None), None),
    "dots": (..., 3),
    "dots behind": (0, ...),
    "nothing": (),
    "columns in two rows": (slice(None), [[0, 1], [2, 7]]),
    "a tuple of columns": (slice(None), (1, 2)),
    "truth": True,
    "truth of columns": (slice(None), True),
    "mask of columns": (slice(None), np.arange(12) % 2 == 0),
    "mask as a list": [True, False] * 100,
    "reversed": slice(None, None, -2),
    "columns of some rows": (slice(3, 9), [-1, 2]),
}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_reads_as_an_array(full, key):
    found, expected = TopProbabilities.of(full)[key], kept_of(full)[key]
    assert np.shape(found) == np.shape(expected)
    assert np.array_equal(found, expected, equal_nan=True)
    assert np.asarray(found).dtype == np.float32


@pytest.mark.parametrize("n_classes", [3, 5, 12])
def test_masks_of_elements(n_classes):
    """Also where there are no more classes than are kept, and a mask fits both."""
    plain = kept_of(np.random.default_rng(1).dirichlet(np.ones(n_classes), 30).astype(np.float32))
    top = TopProbabilities.of(plain)
    assert np.array_equal(top[top > 0.3], plain[plain > 0.3])
    assert np.array_equal(top[plain > 0.3], plain[plain > 0.3])
    assert np.array_equal(top[np.nonzero(plain > 0.3)], plain[plain > 0.3])


def test_is_drawn_and_tabulated_as_an_array(full):
    import pandas as pd
    from matplotlib.figure import Figure

    top, plain = TopProbabilities.of(full), kept_of(full)
    assert len(Figure().subplots().plot(top)) == 12
    assert len(Figure().subplots().hist(top[10:], bins=3)[0]) == 12
    assert pd.DataFrame(top).equals(pd.DataFrame(plain))
    assert np.array_equal(np.stack(list(top)), plain, equal_nan=True)


def test_cannot_be_changed(full):
    top = TopProbabilities.of(full)
    before = np.asarray(top)
    with pytest.raises(TypeError, match="does not support item assignment"):
        top[3] = 0.0
    with pytest.raises(TypeError, match="cannot be changed"):
        top *= 2
    with pytest.raises(TypeError, match="cannot be changed"):
        np.add(top, 1, out=top)
    with pytest.raises(TypeError, match="cannot be changed"):
        np.add.at(top, 0, 1)
    for change in (lambda: top.sort(axis=0), lambda: top.fill(0.5)):
        with pytest.raises(ValueError, match="read-only"):
            change()
    with pytest.raises(ValueError, match="are no array without making one"):
        np.array(top, copy=False)
    assert np.array_equal(top, before, equal_nan=True)


def test_does_what_arrays_do(full):
    top, plain = TopProbabilities.of(full), kept_of(full)
    assert top.shape == plain.shape
    assert (top.ndim, top.dtype, len(top)) == (2, np.float32, 200)
    assert np.array_equal(top > 0.5, plain > 0.5)
    assert np.array_equal(0.5 * top, 0.5 * plain, equal_nan=True)
    assert np.array_equal(np.nanmean(top, axis=0), np.nanmean(plain, axis=0))
    assert np.array_equal(top.max(axis=1), plain.max(axis=1), equal_nan=True)
    assert np.array_equal(top.T, plain.T, equal_nan=True)
    assert np.array_equal(np.asarray(top, dtype=np.float64), plain.astype(np.float64), equal_nan=True)
    assert np.array_equal(top.take([0, 13]), plain.take([0, 13]))
    assert 0.0 in top
    assert 2.0 not in top
    with pytest.raises(ValueError, match="ambiguous"):
        bool(top)
    assert "12 classes, the 5 largest" in repr(top)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = top.nonsense
    with pytest.raises(IndexError):
        _ = top[:, 12]
    with pytest.raises(IndexError):
        _ = top[200]


def test_is_copied_and_sent(full):
    top = TopProbabilities.of(full)
    for other in (copy.deepcopy(top), pickle.loads(pickle.dumps(top))):
        assert np.array_equal(other, top, equal_nan=True)
    assert top.nbytes == 200 * RANKS * 6


def test_rows_are_picked_and_put(full):
    top = TopProbabilities.of(full)
    room = room_for(200, top)
    odd = np.arange(200) % 2 == 1
    put_rows(room, odd, rows_of(top, odd))
    put_rows(room, ~odd, rows_of(top, ~odd))
    assert isinstance(room, TopProbabilities)
    assert np.array_equal(room, top, equal_nan=True)


def test_models_of_few_classes_and_no_rows():
    two = np.array([[0.25, 0.75], [1.0, 0.0]], dtype=np.float32)
    top = TopProbabilities.of(two)
    assert np.array_equal(top, two)
    assert top.index.shape == (2, 2)
    none = TopProbabilities.of(np.empty((0, 9), dtype=np.float32))
    assert none.shape == (0, 9)
    assert np.asarray(none).shape == (0, 9)
    assert none[:, 3].shape == (0,)
