"""Columns are where they are, whatever lies over the image; what is no image is refused."""

from dataclasses import replace

import numpy as np
import pytest

from arise_core.errors import InputError, InputTypeError
from arise_images import ColumnSettings, find_atoms, simulate_image
from arise_images.preparation import prepared
from benchmarks.images.samples import columns_of
from benchmarks.images.scores import spacing
from tests.images.made import PIXEL, columns_in, flat, image_of, matched, places_of

NAMES = ("graphene", "BN", "MoS2", "SrTiO3 [001]", "Cu [110]")
#: Å; columns further from the true ones than this are others.
NEAR = 0.4


@pytest.mark.parametrize("name", NAMES)
def test_columns_are_found(name):
    found = columns_in(name)
    to_found, to_true = matched(found, places_of(name)[0])
    assert (to_found < NEAR).mean() > 0.98
    assert (to_true < NEAR).mean() > 0.98
    rms = np.sqrt((to_found[to_found < NEAR] ** 2).mean() / 2)
    assert rms < 0.05
    assert 0.4 * rms < np.median(found.errors) < 2 * rms  # what is said of the error is true


def test_places_have_the_frame_that_is_declared():
    found = columns_in("graphene")
    rows = image_of("graphene").shape[0]
    np.testing.assert_allclose(found.structure.positions[:, 0], found.pixels[:, 1] * PIXEL)
    np.testing.assert_allclose(found.structure.positions[:, 1], (rows - 1 - found.pixels[:, 0]) * PIXEL)
    assert (found.structure.positions[:, 2] == 0).all()
    assert not found.structure.pbc.any()
    assert found.spacing == pytest.approx(1.424, rel=0.01)


@pytest.mark.parametrize("name", ["graphene", "BN", "MoS2"])
@pytest.mark.parametrize("edge", [12.0, 16.0])
def test_the_scale_of_small_images(name, edge):
    """In a spectrum of so few columns the first spots run together; those of the second order stand alone."""
    crystal = flat(name, edge)
    near = spacing(columns_of(crystal)[0])
    for seed in range(3):
        image, _ = simulate_image(
            crystal, pixel_size=0.2, margin=0.5, dose=20.0, rng=np.random.default_rng(seed)
        )
        period = 0.2 * prepared(image, np.ones(image.shape, dtype=bool), None).period
        assert 1.15 * near < period < 1.8 * near


def test_heavy_atoms_in_a_small_image():
    sheet = flat("graphene", 16.0)
    numbers = sheet.numbers.copy()
    numbers[
        np.linalg.norm(sheet.positions[:, :2] - sheet.positions[:, :2].mean(axis=0), axis=1).argsort()[:2]
    ] = 14
    image, _ = simulate_image(
        replace(sheet, numbers=numbers), pixel_size=0.2, dose=84.0, background=0.02, rng=np.random.default_rng(64)
    )  # fmt: skip
    found = find_atoms(image, 0.2)
    assert found.spacing == pytest.approx(1.42, abs=0.05)
    assert len(found) == pytest.approx(len(sheet), rel=0.1)


def test_exact_without_noise():
    image, _ = simulate_image(flat("Cu [110]"), pixel_size=PIXEL, rng=np.random.default_rng(0))
    found = find_atoms(image, PIXEL)
    to_found, _ = matched(found, places_of("Cu [110]")[0])
    inner = (places_of("Cu [110]")[0] > 25).all(axis=1) & (
        places_of("Cu [110]")[0] < np.array(image.shape) - 25
    ).all(axis=1)
    assert to_found[inner].max() < 0.01
    assert found.explained > 0.98


def test_dark_columns_are_told():
    bright = columns_in("MoS2")
    dark = find_atoms(-image_of("MoS2"), PIXEL)
    assert not bright.dark
    assert dark.dark
    np.testing.assert_allclose(dark.structure.positions, bright.structure.positions, atol=1e-9)
    assert (dark.brightness > 0).all()
    assert "dark" in " ".join(dark.notes)


@pytest.mark.parametrize("dose", [3.0, 5.0])
def test_bright_columns_in_noise_stay_bright(dose):
    """Dark ones between them, half as many, explain little less of so noisy an image."""
    image, _ = simulate_image(
        flat("graphene", 28.0), pixel_size=PIXEL, dose=dose, jitter=0.06, blur=0.15, rng=np.random.default_rng(1)
    )  # fmt: skip
    assert len(find_atoms(image, PIXEL)) > 0.8 * len(flat("graphene", 28.0))


@pytest.mark.slow
def test_contrast_of_fine_pixels_is_that_of_coarse_ones():
    """As many columns tell it: of 240 pixels of 0.03 Å there would be seven across."""
    image, _ = simulate_image(
        flat("Cu [110]", 20.0), pixel_size=0.03, margin=0.0, dose=0.7, blur=0.15, rng=np.random.default_rng(100)
    )  # fmt: skip
    found = find_atoms(image, 0.03)
    assert not found.dark
    truth = columns_of(flat("Cu [110]", 20.0))[0]
    assert len(found) == pytest.approx(len(truth), rel=0.25)  # the rim cuts some


def test_told_contrast_is_believed():
    found = find_atoms(-image_of("MoS2"), PIXEL, settings=ColumnSettings(contrast="dark"))
    assert found.dark
    wrong = find_atoms(-image_of("Cu [110]"), PIXEL, settings=ColumnSettings(contrast="bright"))
    assert wrong.explained < 0.8 * columns_in("Cu [110]").explained


def test_pixel_size_is_only_a_scale():
    image = image_of("graphene")
    known, unknown = columns_in("graphene"), find_atoms(image)
    assert unknown.assumed_pixel_size
    assert unknown.spacing == pytest.approx(1.5)
    assert "not known" in unknown.notes[0]
    np.testing.assert_array_equal(known.pixels, unknown.pixels)


def test_brightness_of_the_image_does_not_matter():
    image = image_of("graphene")
    rows = np.arange(image.shape[0])[:, None]
    hill = 2 * image.max() * np.exp(-((rows - 60) ** 2) / 2 / 80**2)
    found = find_atoms(100 * (image + hill) - 5000, PIXEL)
    to_found, to_true = matched(found, places_of("graphene")[0])
    assert (to_found < NEAR).mean() > 0.98
    assert (to_true < NEAR).mean() > 0.98


def test_the_image_stays_as_it_is():
    image = image_of("graphene").copy()
    find_atoms(image, PIXEL)
    np.testing.assert_array_equal(image, image_of("graphene"))


# --- what is burnt in -----------------------------------------------------------------------------------------------


def with_scale_bar(image: np.ndarray) -> np.ndarray:
    marked = image.copy()
    top = marked.max()
    marked[-20:-15, 10:60] = top
    for left in (20, 30, 40):  # a label over the bar
        marked[-32:-24, left : left + 3] = top
    return marked


def test_a_scale_bar_is_left_out():
    found = find_atoms(with_scale_bar(image_of("graphene")), PIXEL)
    assert not found.good[-18, 30]
    assert not found.good[-28, 21]
    assert (~found.good).mean() < 0.05
    places = np.round(found.pixels).astype(int)
    assert found.good[tuple(places.T)].all()
    _, to_true = matched(found, places_of("graphene")[0])
    assert (to_true < NEAR).mean() > 0.97
    assert "masked" in " ".join(found.notes)


def test_a_border_is_left_out():
    image = np.pad(image_of("graphene"), ((0, 40), (15, 0)))
    found = find_atoms(image, PIXEL)
    assert not found.good[-35:].any()
    assert not found.good[:, :12].any()
    to_true = matched(found, places_of("graphene")[0] + [0, 15])[1]
    assert (to_true < NEAR).mean() > 0.97


def test_an_image_without_marks_is_not_masked():
    assert all(columns_in(name).good.all() for name in NAMES)
    assert find_atoms(image_of("MoS2", 4.0), PIXEL).good.mean() > 0.99  # most pixels are 0 or 1


def test_a_mask_of_ones_own():
    mask = np.zeros(image_of("graphene").shape, dtype=bool)
    mask[:80] = True
    found = find_atoms(image_of("graphene"), PIXEL, mask=mask)
    assert found.pixels[:, 0].min() > 79.4
    assert len(found) < len(columns_in("graphene"))


# --- what is refused ------------------------------------------------------------------------------------------------

SQUARE = np.random.default_rng(0).poisson(10, (64, 64)).astype(float)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("x", "array of numbers"),
        ([[1, 2], [3]], "array of numbers"),
        (np.zeros((64, 64, 3)), "colours"),
        (np.zeros((64, 64, 5)), "rows and columns"),
        (np.zeros(64), "rows and columns"),
        (np.zeros((8, 8)), "at least 32"),
        (np.full((64, 64), 7.0), "one value only, 7"),
        (np.where(SQUARE > 15, np.nan, SQUARE), "NaN"),
        (SQUARE * 1j, "array of numbers"),
    ],
)
def test_what_is_no_image_is_refused(image, message):
    with pytest.raises((InputError, InputTypeError), match=message):
        find_atoms(image)


@pytest.mark.parametrize("size", [0, -1, 1e-5, 5.0, float("nan"), "x", True])
def test_pixel_sizes_that_cannot_be_are_refused(size):
    with pytest.raises((InputError, InputTypeError), match="pixel_size"):
        find_atoms(image_of("graphene"), size)


def test_a_pixel_size_that_no_atoms_fit_is_refused():
    with pytest.raises(InputError, match="apart"):
        find_atoms(image_of("graphene"), 0.01)


def test_noise_shows_no_columns():
    with pytest.raises(InputError, match="shows"):
        find_atoms(np.random.default_rng(0).poisson(10, (200, 200)))


@pytest.mark.parametrize("mask", ["x", np.zeros((3, 3)), np.ones((64, 64))])
def test_masks_that_cannot_be_are_refused(mask):
    with pytest.raises(InputError, match="mask"):
        find_atoms(SQUARE, mask=mask)


@pytest.mark.parametrize(
    "wrong", [{"contrast": "grey"}, {"spacing": 1.0}, {"faintest": 1.0}, {"certainty": -1}]
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        ColumnSettings(**wrong)


def test_what_a_very_bright_column_may_hide_is_said():
    clean = columns_in("graphene")
    bright = clean.brightness * np.where(np.arange(len(clean)) == 9, 50.0, 1.0)
    assert "as bright as most" in " ".join(replace(clean, brightness=bright).notes)
    assert "as bright as most" not in " ".join(clean.notes)
