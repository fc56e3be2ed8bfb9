"""An image made ready: checked, what is burnt in masked, even brightness, and the scale that its spectrum shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import ndimage

from arise_core.errors import InputError, InputTypeError, shown
from arise_core.geometry.arrays import BoolArray, FloatArray

Mask = Literal["auto", "none"]
#: Pixels along an edge of an image, at least; at most in all.
SMALLEST, LARGEST = 32, 64_000_000
#: Å a pixel may be: a column takes some pixels.
PIXELS = (1e-3, 1.0)
#: Pixels of one value next to each other that are burnt in: a bar fills this share of the rectangle around it and is so
#: many pixels high and long; a border fills this share of the image.
FULL, BAR, BORDER = 0.9, (3, 12), 2e-3
#: A burnt-in part has a rim, pixels.
RIM = 2
#: Letters are parts of at least so many pixels, and so long, of the largest or the smallest value of the image; with
#: what is so many pixels around them, they take less than this share of it. What is cut off at the largest value is
#: found all over the image instead.
#: They have that value so many times as often as the value next to it.
LETTER, LONG, AROUND, TOGETHER, JUMP = 10, 5, 8, 0.25, 4
#: A pixel that is higher than all around it by this many times the range of the image is none of it; the range is that
#: between these quantiles.
SPIKE, RANGE = 3.0, (0.005, 0.995)
#: The background is what is left after a blur over this share of the shorter edge, and over so many spacings.
WIDE, SPACINGS = 0.1, 1.5
#: Periods that are looked for: pixels at least, share of the shorter edge at most.
SHORTEST, LONGEST = 3.0, 0.25
#: A spot of a spectrum is so many times as strong as its noise, and as the lower quarter of the ring it is on (in a
#: small image spots are broad, and cover half of it): else the ring counts, which stands so far above the noise.
SPOT, OVER, RING = 8.0, 10.0, 2.0
#: Spectra of images with shorter edges, pixels, are sampled twice as finely.
SMALL = 512
#: The spectrum is that of the image cut off at so many times the value that 3 % of its pixels exceed.
BRIGHT = 2.0
#: From here on a spectrum is noise, 1 / pixels.
WHITE = 0.4


@dataclass(frozen=True)
class Prepared:
    """An image that is ready for columns to be looked for."""

    values: FloatArray  # (rows, columns), columns bright, background near 0, 0 under the mask
    good: BoolArray  # (rows, columns), what is no scale bar and no border
    period: float  # of the strongest spots of the spectrum, pixels


def checked(image: Any) -> FloatArray:
    """The image as numbers, (rows, columns).

    Raises:
        InputError: no image: colours, NaN, one value only, too small, too large.
    """
    try:
        values = np.asarray(image)
    except ValueError as error:
        raise InputError(f"`image` must be an array of numbers: {error}") from error
    if values.dtype.kind not in "buif":
        raise InputTypeError(f"`image` must be an array of numbers, got {shown(image)}")
    if values.ndim == 3 and values.shape[2] in (3, 4):
        raise InputError(
            f"`image` must have one value a pixel, got colours, shape {values.shape}: give one channel"
        )
    if values.ndim != 2:
        raise InputError(f"`image` must have rows and columns, got shape {values.shape}")
    if min(values.shape) < SMALLEST or values.size > LARGEST:
        raise InputError(
            f"`image` must have at least {SMALLEST} pixels along its edges and at most {LARGEST} in all, "
            f"got shape {values.shape}"
        )
    values = values.astype(np.float64)
    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise InputError(f"`image` must be finite: {bad} of {values.size} pixels are NaN or infinite")
    if np.ptp(values) == 0:
        raise InputError(f"`image` has one value only, {values.flat[0]:g}")
    return values


def good_pixels(values: FloatArray, mask: Any) -> BoolArray:
    """Pixels that count, (rows, columns).

    Args:
        values: of the image.
        mask: True where the image is not looked at; "auto": scale bars and borders are found; "none": all counts.

    Raises:
        InputError: a mask of another shape, or one that leaves nothing.
    """
    if isinstance(mask, str):
        if mask not in ("auto", "none"):
            raise InputError(f"`mask` must be 'auto', 'none' or an array, got {mask!r}")
        return ~burnt_in(values) if mask == "auto" else np.ones(values.shape, dtype=bool)
    given = np.asarray(mask)
    if given.shape != values.shape or given.dtype.kind not in "buif":
        raise InputError(f"`mask` must have the shape of the image, {values.shape}, got {shown(mask)}")
    good = given == 0
    if good.mean() < 0.05:
        raise InputError(f"`mask` leaves {good.mean():.1%} of the image")
    return np.asarray(good)


def burnt_in(values: FloatArray) -> BoolArray:
    """Where a scale bar, letters or a border of one value are, (rows, columns).

    Noise leaves no rectangle of equal pixels: bars are found by their shape, letters as what has the value of a bar
    within its length, or the largest or smallest value of all and stands together, borders by their size at the rim.
    """
    same = ndimage.maximum_filter(values, 3) == ndimage.minimum_filter(values, 3)
    found = np.zeros(values.shape, dtype=bool)
    parts, _ = ndimage.label(same)
    for k, place in enumerate(ndimage.find_objects(parts), start=1):
        inside = parts[place] == k
        height, length = inside.shape
        at_rim = any(s.start == 0 or s.stop == n for s, n in zip(place, values.shape, strict=True))
        bar = inside.mean() >= FULL and min(height, length) + 2 >= BAR[0] and max(height, length) >= BAR[1]
        if at_rim and inside.sum() >= BORDER * values.size:
            found[place] |= inside
        elif bar and max(height, length) >= 2 * min(height, length):
            around = tuple(
                slice(max(s.start - max(length, height), 0), s.stop + max(length, height)) for s in place
            )
            value = values[place][inside][0]
            found[around] |= values[around] == value
    found |= _letters(values)
    return np.asarray(ndimage.binary_dilation(found, iterations=RIM)) if found.any() else found


def _letters(values: FloatArray) -> BoolArray:
    """Strokes of the largest or the smallest value, (rows, columns), where they are in a small part of the image."""
    found = np.zeros(values.shape, dtype=bool)
    levels, counts = np.unique(values, return_counts=True)
    for extreme, often, beside in ((levels[-1], counts[-1], counts[-2]), (levels[0], counts[0], counts[1])):
        if often < JUMP * beside:  # a count of nothing in noise, beside those of one
            continue
        parts, _ = ndimage.label(values == extreme, np.ones((3, 3)))
        sizes = np.bincount(parts.ravel())
        sizes[0] = 0
        strokes = np.zeros(values.shape, dtype=bool)
        for k, place in enumerate(ndimage.find_objects(parts), start=1):
            if sizes[k] >= LETTER and max(s.stop - s.start for s in place) >= LONG:
                strokes[place] |= parts[place] == k
        around = ndimage.binary_dilation(strokes, np.ones((3, 3)), AROUND)
        if 0 < around.mean() < TOGETHER:
            found |= around & (values == extreme)
    return found


def without_spikes(values: FloatArray) -> FloatArray:
    """The image with the mean of their neighbours at pixels far above all around them, as cosmic rays leave them."""
    ring = np.ones((3, 3), dtype=bool)
    ring[1, 1] = False
    low, high = np.quantile(values, RANGE)
    around = ndimage.maximum_filter(values, footprint=ring, mode="nearest")
    spikes = values > around + SPIKE * (high - low)
    if not spikes.any():
        return values
    mean = (ndimage.uniform_filter(values, 3, mode="nearest") * 9 - values) / 8
    return np.where(spikes, mean, values)


def flattened(values: FloatArray, good: BoolArray, width: float) -> FloatArray:
    """The image less its blurred self, 0 where it does not count; what does not count leaves no trace beside it."""
    weight = ndimage.gaussian_filter(good.astype(np.float64), width, mode="nearest")
    mean = ndimage.gaussian_filter(np.where(good, values, 0.0), width, mode="nearest")
    return np.where(good, values - mean / np.maximum(weight, 1e-9), 0.0)


def prepared(values: FloatArray, good: BoolArray, spacing: float | None) -> Prepared:
    """Background removed, scale found.

    Args:
        values: of the image, columns bright.
        good: pixels that count.
        spacing: of the columns, if it is known, pixels.

    Raises:
        InputError: the spectrum shows no period.
    """
    period = period_of(values, good) if spacing is None else spacing
    return Prepared(flattened(values, good, min(SPACINGS * period, _wide(values))), good, period)


def period_of(values: FloatArray, good: BoolArray) -> float:
    """Period that the spectrum of an image shows, pixels; the same for bright and dark columns.

    Raises:
        InputError: it shows none.
    """
    return spectral_period(flattened(values, good, _wide(values)))


def _wide(values: FloatArray) -> float:
    """Width over which the background is told before the scale is known, pixels."""
    return float(WIDE * min(values.shape))


def spectral_period(values: FloatArray) -> float:
    """Period of the strongest spots in the spectrum of an image, pixels.

    Layers without order have a ring instead. So have images so small that spots run together: what stands alone is
    of a higher order.

    Raises:
        InputError: nothing stands out.
    """
    most = BRIGHT * float(np.quantile(np.abs(values), 0.97))  # a few heavy atoms would drown the lattice
    values = np.clip(values, -most, most)
    window = np.hanning(values.shape[0])[:, None] * np.hanning(values.shape[1])
    finer = 2 if min(values.shape) < SMALL else 1
    shape = (finer * values.shape[0], finer * values.shape[1])
    power = np.abs(np.fft.rfft2(values * window, shape)) ** 2
    power = ndimage.gaussian_filter(power, float(finer), mode="wrap")
    k = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1]))
    looked_at = (k >= 1 / (LONGEST * min(values.shape))) & (k <= 1 / SHORTEST)
    floor = float(np.median(power[k > WHITE])) or float(np.median(power[looked_at]))
    ring = np.round(k * min(shape)).astype(int)
    number = np.arange(ring.max() + 1)
    around = ndimage.labeled_comprehension(power, ring, number, _lower_quarter, float, 0.0)
    mean = ndimage.mean(np.where(looked_at, power, 0.0), ring, number)
    best = int((mean * number).argmax())
    spots = looked_at & (power > np.maximum(OVER * around[ring], SPOT * floor))
    if spots.any():
        strongest = power[spots].argmax()
        at = k[spots][strongest]
        if not (mean[best] > power[spots][strongest] and best < at * min(shape)):
            return float(1 / at)
    if not mean[best] > RING * floor:
        raise InputError(
            "`image` shows no columns: nothing in its spectrum stands out of the noise between "
            f"{SHORTEST:g} pixels and a quarter of its edge; `spacing` says how far columns are from each other"
        )
    return float(min(shape) / best)


def _lower_quarter(power: FloatArray) -> float:
    return float(np.quantile(power, 0.25))


def noise_of(values: FloatArray, good: BoolArray) -> float:
    """Standard deviation of what differs from pixel to pixel; Immerkær, Comput. Vis. Image Underst. 64, 300 (1996)."""
    kernel = np.array([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]])
    inner = ndimage.binary_erosion(good, iterations=1)
    rough = ndimage.convolve(values, kernel)[inner]
    return float(np.sqrt(np.pi / 2) * np.abs(rough).mean() / 6) if rough.size else 0.0
