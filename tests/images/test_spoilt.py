"""Images as microscopes and their software leave them: letters, cut-off brightness, uneven light, hot pixels.

BN is the layer that shows it: where its two kinds of columns look alike, it would be named graphene.
"""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from arise_core.settings import RecognitionSettings
from arise_images import find_atoms, recognise_layer, simulate_image, tell_elements
from arise_images.elements import even_brightness, kinds_shown
from arise_images.preparation import burnt_in, without_spikes
from tests.images.made import PIXEL, flat, image_of

QUICK = RecognitionSettings.of({"passes": 50, "stride": 12.0})
RIGHT = "hexagonal_BN_monolayer"


@cache
def nitride() -> np.ndarray:
    image, _ = simulate_image(
        flat("BN", 26.0), pixel_size=PIXEL, dose=30.0, jitter=0.05, rng=np.random.default_rng(1)
    )
    return image


def bytes_of(image: np.ndarray, gain: float = 1.0) -> np.ndarray:
    """As a picture with 256 grey levels has it."""
    white = np.quantile(image, 0.999) / gain
    return np.clip(image / white * 255, 0, 255).astype(np.uint8).astype(float)


def written_over(image: np.ndarray, words: str) -> np.ndarray:
    """With bright letters whose edges are smooth."""
    picture = Image.new("L", image.shape[::-1], 0)
    ImageDraw.Draw(picture).text((8, 8), words, fill=255, font=ImageFont.load_default(22))
    share = np.asarray(picture) / 255
    return image * (1 - share) + share * image.max()


def unevenly_lit(image: np.ndarray) -> np.ndarray:
    rows, columns = (np.arange(n) - n / 2 for n in image.shape)
    light = np.exp(-(rows[:, None] ** 2 + columns**2) / 2 / (0.35 * image.shape[0]) ** 2)
    return np.random.default_rng(3).poisson(image * light + 1).astype(float)


@pytest.mark.parametrize(
    "spoil", [lambda image: written_over(image, "HAADF 5 Mx"), unevenly_lit], ids=["letters", "uneven"]
)
def test_two_kinds_of_columns_stay_two(model, spoil):
    columns = tell_elements(find_atoms(spoil(nitride()), PIXEL))
    assert columns.kinds.max() == 1
    found = recognise_layer(columns, model, settings=QUICK)
    assert found.label == RIGHT
    assert found.doubt < 0.3


def test_letters_are_left_out():
    image = written_over(nitride(), "HAADF 5 Mx")
    strokes = image == image.max()
    masked = burnt_in(image)
    assert masked[strokes].mean() > 0.95
    assert masked.mean() < 0.1


@pytest.mark.parametrize("gain", [3.0, 8.0])
def test_brightness_that_is_cut_off_is_no_letter(gain):
    assert not burnt_in(bytes_of(image_of("BN"), gain)).any()


def test_brightness_that_is_cut_off_names_nothing(model):
    columns = tell_elements(find_atoms(bytes_of(nitride(), 3.0), PIXEL))
    assert columns.brightness_is_cut
    assert "cut off" in " ".join(columns.notes)
    found = recognise_layer(columns, model, settings=QUICK)
    assert found.pattern == "graphene"  # which it looks like
    assert found.label == "undecided"
    assert found.doubt >= 1
    assert replace(found, one_layer=True).label == "undecided"
    one = replace(found, columns=tell_elements(columns, "C"))  # somebody knows that there is one element
    assert one.brightness_doubt == 0
    assert one.label == "graphene"


def test_a_few_bright_pixels_cut_nothing_off():
    assert find_atoms(bytes_of(nitride()), PIXEL).cut_off < 0.05
    assert find_atoms(nitride(), PIXEL).cut_off == 0


def test_hot_pixels_do_not_matter():
    image = nitride()
    rng = np.random.default_rng(1)
    hot = image.copy()
    hot[rng.integers(0, image.shape[0], 30), rng.integers(0, image.shape[1], 30)] = 20 * image.max()
    assert len(find_atoms(hot, PIXEL)) == pytest.approx(len(find_atoms(image, PIXEL)), abs=5)
    np.testing.assert_array_equal(without_spikes(image), image)


def test_few_heavy_atoms_do_not_hide_the_kinds():
    rng = np.random.default_rng(0)
    bright = np.concatenate([rng.normal(1.0, 0.06, 100), rng.normal(1.7, 0.06, 100), rng.normal(9.0, 0.5, 8)])
    assert kinds_shown(bright) == 2


def test_even_light_is_left_as_it_is():
    columns = find_atoms(nitride(), PIXEL)
    np.testing.assert_array_equal(even_brightness(columns), columns.brightness)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_few_silicon_atoms_in_graphene(count):
    """Two were split into columns 0.67 Å apart, one was called carbon."""
    sheet = flat("graphene", 20.0)
    middle = sheet.positions[:, :2].mean(axis=0)
    numbers = sheet.numbers.copy()
    numbers[np.argsort(np.linalg.norm(sheet.positions[:, :2] - middle, axis=1))[:count]] = 14
    image, _ = simulate_image(
        replace(sheet, numbers=numbers), pixel_size=PIXEL, dose=80.0, background=0.03, jitter=0.05,
        rng=np.random.default_rng(count),
    )  # fmt: skip
    columns = tell_elements(find_atoms(image, PIXEL), "C,Si")
    assert (columns.structure.numbers == 14).sum() == count
    assert columns.spacing == pytest.approx(1.424, rel=0.02)
    assert columns.kind_doubt.mean() < 0.01
