"""Elements told by brightness, and the doubt of that."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from arise_core.errors import InputError, InputTypeError
from arise_images import tell_elements
from arise_images.elements import kinds_shown, parse_elements
from tests.images.made import columns_in, places_of


@pytest.mark.parametrize(
    ("name", "elements", "numbers"),
    [("BN", "B,N", (5, 7)), ("MoS2", ["Mo", "S"], (16, 42)), ("SrTiO3 [001]", "Sr,Ti", (22, 38))],
)
def test_elements_are_told_by_brightness(name, elements, numbers):
    found = tell_elements(columns_in(name), elements)
    places, bright = places_of(name)
    nearest = cKDTree(places).query(found.pixels)[1]
    # in MoS2 two S atoms are one column; it stays the fainter one
    right = np.where(bright[nearest] > bright.mean(), numbers[1], numbers[0])
    assert (found.structure.numbers == right).mean() > 0.98
    assert found.named
    assert found.kind_doubt.mean() < 0.1


@pytest.mark.parametrize(
    ("name", "kinds"), [("graphene", 1), ("Cu [110]", 1), ("BN", 2), ("MoS2", 2), ("SrTiO3 [001]", 2)]
)
def test_the_number_of_kinds_is_found(name, kinds):
    found = columns_in(name)
    assert found.kinds.max() + 1 == kinds
    assert not found.named
    assert len(found.structure.species) == kinds


def test_fainter_columns_at_the_rim_are_no_kind_of_their_own():
    clean = columns_in("graphene")
    rim = np.minimum(clean.pixels, np.array(clean.good.shape) - 1 - clean.pixels).min(axis=1)
    good = np.zeros_like(clean.good)
    edge = int(rim.min())
    good[edge:-edge, edge:-edge] = True  # a crop, whose outermost columns are at its rim
    at_rim = (rim - edge) * clean.pixel_size < 0.6 * clean.spacing
    bright = np.random.default_rng(0).normal(1.0, 0.01, len(clean)) * np.where(at_rim, 0.85, 1.0)
    assert kinds_shown(bright) == 2
    found = tell_elements(replace(clean, good=good, brightness=bright))
    assert not found.kinds.any()


def test_doubt_is_said_where_brightness_overlaps():
    rng = np.random.default_rng(0)
    n = len(columns_in("BN"))
    level = np.where(np.arange(n) % 2, 1.0, 1.5)
    doubt = [
        tell_elements(replace(columns_in("BN"), brightness=level + rng.normal(0, width, n)), "B,N").kind_doubt
        for width in (0.05, 0.2)
    ]
    assert doubt[0].mean() < 0.01
    assert 0.2 < doubt[1].mean() <= 1


def test_kinds_that_hardly_differ_are_one():
    rng = np.random.default_rng(0)
    for ratio, kinds in ((1.05, 1), (1.3, 2)):
        assert kinds_shown(np.concatenate([rng.normal(m, 0.003, 200) for m in (1.0, ratio)])) == kinds


def test_one_peak_is_one_kind():
    rng = np.random.default_rng(0)
    assert kinds_shown(rng.normal(1.0, 0.1, 500)) == 1
    assert kinds_shown(np.concatenate([rng.normal(m, 0.05, 200) for m in (1.0, 2.0, 3.0)])) == 3


@pytest.mark.parametrize("wrong", ["", "B,B", "Xx", "B,C,N,O", [5], "X"])
def test_what_is_no_element_is_refused(wrong):
    with pytest.raises(InputError, match="elements"):
        parse_elements(wrong)


@pytest.mark.parametrize("wrong", [5, object()])
def test_other_types_are_refused(wrong):
    with pytest.raises(InputTypeError, match="elements"):
        parse_elements(wrong)
