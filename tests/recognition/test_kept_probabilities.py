"""Maps that keep five classes a box: what they say is what maps with all probabilities say."""

import numpy as np
import pytest

import arise_core as arise
from arise_core.errors import InputError
from arise_core.model.prediction import Rule
from arise_core.model.top import RANKS, TopProbabilities
from arise_core.recognition import work
from arise_core.recognition.result import recognise
from arise_core.recognition.shares import share_of, shares_of
from arise_core.settings import RecognitionSettings
from tests.recognition.test_parts import LOCAL, half_molten, values_of

SETTINGS = {**LOCAL, "stride": 4.0}


@pytest.fixture(scope="module", params=["single", "sharp", "sure", "slabs"])
def both(request, model):
    """Recognitions of the same structure, with five classes a box and with all."""
    more = {
        "sure": {"resolution": "single", "between": "sure"},
        "slabs": {"resolution": "single"},
    }.get(request.param, {"resolution": request.param})
    settings = RecognitionSettings.of({**SETTINGS, **more})
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "slabs":
            patch.setattr(work, "SLAB_BOXES", 1)
        structure = half_molten(0, "periodic")
        return [recognise(structure, model, settings, probabilities=kept) for kept in ("top", "all")]


def test_values_at_atoms_are_made_of_all_classes(both):
    top, every = both
    for name, values in values_of(top.atoms).items():
        assert np.array_equal(values, values_of(every.atoms)[name], equal_nan=True), name
    np.testing.assert_allclose(top.probabilities, every.probabilities, rtol=1e-6, atol=1e-12)
    assert top.probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert top.fractions == every.fractions
    for one, other in zip(shares_of(top), shares_of(every), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)
    at = top.field.values_at_atoms()
    assert np.array_equal(at.confidence, every.field.values_at_atoms().confidence, equal_nan=True)


def test_boxes_keep_their_largest_probabilities(both):
    top, every = (found.field.prediction for found in both)
    assert isinstance(top.probabilities, TopProbabilities)
    assert isinstance(every.probabilities, np.ndarray)
    assert np.array_equal(top.probabilities, every.with_top().probabilities, equal_nan=True)
    for name in ("index", "confidence", "rejected", "valid", "names", "mutual_information"):
        a, b = getattr(top, name), getattr(every, name)
        if name == "confidence":
            assert np.array_equal(a, b, equal_nan=True)
        else:
            assert (a == b).all(), name
    left_out = 1 - np.asarray(top.probabilities).sum(axis=1)
    assert left_out.max() < 0.5
    assert top.top(3) == every.top(3)
    assert [label for label, _ in top.top(0, RANKS)] == [label for label, _ in every.top(0, RANKS)]


def test_what_is_read_off_later_is_of_the_kept_ones(both):
    top, every = both
    points = top.field.centers + 1.0
    a, b = (found.field.values_at(points, (0, 1)) for found in both)
    assert (a.index == b.index).mean() > 0.99
    np.testing.assert_allclose(a.confidence, b.confidence, atol=0.05)
    assert np.array_equal(a.mutual_information, b.mutual_information)
    p = top.probabilities_at_atoms([0, 1])
    assert np.array_equal(p, top.field.values_at_atoms((0, 1)).probabilities)
    assert (p <= every.probabilities_at_atoms([0, 1]) + 1e-6).all()
    rule = Rule(reject_threshold=0.5)
    one, other = (shares_of(found.with_rule(rule)) for found in both)
    np.testing.assert_allclose(one.low, other.low, atol=2e-3)
    np.testing.assert_allclose(share_of(top, [0]), share_of(every, [0]), atol=2e-3)
    assert np.asarray(top.field.at(points).probabilities).shape == (len(points), 108)


def test_its_memory_is_counted(both):
    top, every = (sum(array.nbytes for array in found.arrays()) for found in both)
    n = len(both[0].field)
    assert every - top > n * (4 * 108 - 6 * RANKS - 40)


def test_words_that_are_not_known_are_refused(model):
    structure = arise.build(arise.prototype("fcc"))
    for wrong in ("some", None, 5, ["top"]):
        with pytest.raises(InputError, match="`probabilities` must be 'top' or 'all'"):
            arise.strided_map(structure, model, probabilities=wrong)
        with pytest.raises(InputError, match="`probabilities` must be 'top' or 'all'"):
            recognise(structure, model, probabilities=wrong)
