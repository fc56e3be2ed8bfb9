"""Atomic columns of an image: where they are, how sure that is, how bright they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter
from scipy.spatial import cKDTree

from arise_core.errors import InputError, check_type
from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray
from arise_core.geometry.sheets import BOND
from arise_core.geometry.structure import Structure
from arise_core.progress import Job, Progress, Step, run, silent
from arise_core.runtime.packages import package
from arise_core.settings import check_number
from arise_images.gaussians import Gaussians, fitted, joined, levelled
from arise_images.preparation import (
    PIXELS,
    Prepared,
    checked,
    good_pixels,
    noise_of,
    period_of,
    prepared,
    without_spikes,
)
from arise_images.settings import ColumnSettings

#: Columns that an image has at least.
FEWEST = 12
#: What columns are taken for whose element nobody has named.
PLACEHOLDER = 6
#: Distance to which that of neighbours is set where the size of a pixel is not known, Å.
ASSUMED = 1.5
#: Distances of neighbouring columns that are believed, Å.
BELIEVED = (0.7, 12.0)
#: First guess of the width of a column, and least distance of two, as shares of the period of the spectrum; least
#: distance and radius of the fitted disc as shares of the distance of neighbours.
GUESS, APART = 0.16, 0.25
CLOSE, DISC = 0.65, 0.62
#: A column whose place is less sure than this share of the distance of neighbours, or whose width is off the median
#: one by more than this factor, is none.
UNSURE, ODD = 0.25, 1.8
#: Columns closer to the rim of the image than this share of their width are cut off.
RIM = 0.5
#: How many kinds of columns there are is told from those further from the rim than this many distances of neighbours:
#: what is under the others is less sure, which makes clean ones up to a tenth fainter.
INSIDE = 0.7
#: Rounds in which columns are looked for in what those already found leave.
ROUNDS = 4
#: Dark columns have to explain so much more of what bright ones leave.
MARGIN = 0.85
#: The brightness of columns says nothing of elements if more than this share of them is cut off at the largest value of
#: the image: two pixels next to each other within a width of their middle have it.
CUT = 0.1
#: Columns that are so many times as bright as most hide what is beside them.
BLINDING = 20.0
#: Contrast is told from the middle of an image, pixels along an edge, in which columns are at most so far apart: finer
#: pixels are put together.
MIDDLE, COARSE = 240, 12


@dataclass(frozen=True)
class Columns:
    """Atomic columns of an image. Arrays run over the columns, which have the order of the image's rows."""

    structure: Structure  # a layer: z = 0, x to the right, y up from the lowest row, Å; open
    errors: FloatArray  # (n,), standard error of a coordinate, Å
    brightness: (
        FloatArray  # (n,), height over what is around, in the unit of the image; dark columns positive too
    )
    pixels: FloatArray  # (n, 2), row and column in the image, fractions included
    width: float  # median standard deviation of a column, Å
    spacing: float  # mean distance of neighbouring columns, Å
    pixel_size: float  # Å
    assumed_pixel_size: bool  # nobody said it: neighbours are taken to be `ASSUMED` Å apart
    dark: bool  # columns are darker than what is between them
    good: BoolArray  # (rows, columns) of the image: where it was looked at
    explained: float  # share of the variance of the image, without its background, that the columns explain
    kinds: IntArray  # (n,), which of the kinds of columns, the faintest first; 0 before `tell_elements`
    kind_doubt: FloatArray  # (n,), doubt about that, bit; 0 before `tell_elements`
    named: bool = False  # whether the elements are named, else others stand for them
    cut_off: float = 0.0  # share of the columns whose top is cut off at the largest value of the image

    def __len__(self) -> int:
        return len(self.structure)

    @cached_property
    def inside(self) -> BoolArray:
        """Columns far enough from the rim of what is looked at, (n,); all of them if these are too few."""
        depth = distance_transform_edt(np.pad(self.good, 1))[1:-1, 1:-1]
        at = np.round(self.pixels).astype(int)
        inside = depth[tuple(at.T)] * self.pixel_size > INSIDE * self.spacing
        return np.asarray(inside if inside.sum() >= 2 * FEWEST else np.ones(len(self), dtype=bool))

    @property
    def brightness_is_cut(self) -> bool:
        """Whether so many columns are cut off that their brightness says nothing of elements."""
        return self.cut_off > CUT

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed, a sentence each."""
        said = []
        if self.assumed_pixel_size:
            said.append(
                f"size of a pixel not known: neighbouring columns are taken to be {ASSUMED:g} Å from each other"
            )
        if self.dark:
            said.append("columns are dark in this image; if they are not, `contrast` says so")
        if not self.good.all():
            said.append(f"{(~self.good).mean():.1%} of the image is masked")
        blinding = int((self.brightness > BLINDING * np.median(self.brightness)).sum())
        if blinding:
            said.append(
                f"{blinding} of the columns are more than {BLINDING:g} times as bright as most: others beside them "
                "may be missed"
            )
        if self.brightness_is_cut:
            said.append(
                f"{self.cut_off:.0%} of the columns are cut off at the largest value of the image: brightness tells no "
                "elements"
            )
        return tuple(said)


def find_atoms(
    image: Any,
    pixel_size: float | None = None,
    *,
    mask: Any = "auto",
    settings: ColumnSettings | None = None,
    progress: Progress = silent,
) -> Columns:
    """Atomic columns of an image.

    The background is removed, the scale taken from the strongest spots of the image's own spectrum; columns are the
    maxima of the image filtered by a Gaussian as wide as a column, and get their places by fits of Gaussians.

    Args:
        image: (rows, columns), one number a pixel; it stays as it is.
        pixel_size: Å; None: not known, which is no obstacle to recognition.
        mask: (rows, columns), True where the image is not looked at; "auto": a burnt-in scale bar, its label and
            borders of one value are found; "none": all of it counts.
        settings: default `ColumnSettings()`.
        progress: called with the share of the work done.

    Raises:
        InputError: no image, a pixel size that cannot be, a mask of another shape (before any work); no columns, or
            columns at distances that no atoms have.
        MissingPackageError: scikit-image is not installed.
    """
    job = find_steps(image, pixel_size, mask=mask, settings=settings)
    return run(job, progress)


def find_steps(
    image: Any, pixel_size: float | None = None, *, mask: Any = "auto", settings: ColumnSettings | None = None
) -> Job[Columns]:
    """`find_atoms` as a job."""
    chosen = ColumnSettings() if settings is None else settings
    check_type("settings", chosen, ColumnSettings, "ColumnSettings")
    check_pixel_size(pixel_size)
    peaks_package()
    values = checked(image)
    good = good_pixels(values, mask)
    values = without_spikes(values)
    yield Step(0.05, "image")
    period = chosen.spacing or period_of(values, good)
    sign = {"bright": 1, "dark": -1}.get(chosen.contrast) or _sign(values, good, chosen, period)
    yield Step(0.4, "columns")
    found, left = _found(sign * values, good, chosen, period)
    yield Step(1.0, "columns")
    cut = _cut_off(sign * values, good, found)
    return _columns(found, left, sign < 0, good, pixel_size, cut)


def check_pixel_size(pixel_size: Any) -> None:
    """Raise InputError for what cannot be the size of a pixel in which atomic columns show."""
    if pixel_size is None:
        return
    check_number("pixel_size", pixel_size, low=0.0, above=True, unit="Å")
    if not PIXELS[0] <= pixel_size <= PIXELS[1]:
        raise InputError(
            f"`pixel_size` must be from {PIXELS[0]:g} to {PIXELS[1]:g} Å to show columns, got {pixel_size:g}; "
            "1 nm is 10 Å"
        )


def peaks_package() -> Any:
    """scikit-image's part that finds maxima.

    Raises:
        MissingPackageError: it is not installed.
    """
    return package("skimage.feature", "columns are found with scikit-image")


def nearest_distances(places: FloatArray) -> FloatArray:
    """From each place to the nearest other one, (n,)."""
    distances: FloatArray = cKDTree(places).query(places, k=2)[0][:, 1]
    return distances


def neighbour_distance(places: FloatArray) -> float:
    """Mean distance of neighbours; errors of places do not make it shorter, as they do that to the nearest one."""
    reach = BOND * float(np.median(nearest_distances(places)))
    pairs = cKDTree(places).query_pairs(reach, output_type="ndarray")
    return float(np.linalg.norm(places[pairs[:, 0]] - places[pairs[:, 1]], axis=1).mean())


# --- finding --------------------------------------------------------------------------------------------------------


def _sign(values: FloatArray, good: BoolArray, settings: ColumnSettings, period: float) -> int:
    """1 if columns are bright, -1 if dark ones explain the middle of the image distinctly better.

    Pixels at the largest value, where brightness may be cut off, do not count, as no Gaussian has a flat top, and the
    more there are, the more distinct it has to be. Nor does the rim count, where columns that it cuts are not found.
    """
    times = max(int(period / COARSE), 1)
    if times > 1:
        values = _squares(values, times).mean(axis=(1, 3))
        good = np.asarray(_squares(good, times).all(axis=(1, 3)))
    middle = tuple(slice(max(n - MIDDLE, 0) // 2, (n + MIDDLE + 1) // 2) for n in values.shape)
    rim = round(period / times)
    spacing = settings.spacing and settings.spacing / times  # None: that of the middle
    uncut = values < values[good].max(initial=-np.inf)
    values, good, counted = values[middle], good[middle], (good & uncut)[middle]
    margin = MARGIN * float(counted.sum() / max(good.sum(), 1))
    counted[:rim] = counted[-rim:] = counted[:, :rim] = counted[:, -rim:] = False
    left = {}
    for sign in (1, -1):
        try:
            left[sign] = _found(sign * values, good, settings, spacing, counted)[1]
        except InputError:  # no columns of this sign, or all of them elsewhere
            left[sign] = 1.0
    return -1 if left[-1] < margin * left[1] else 1


def _squares(pixels: FloatArray | BoolArray, times: int) -> FloatArray | BoolArray:
    """An image as squares of pixels, (rows, times, columns, times); what is over at the end is left out."""
    rows, columns = (n // times for n in pixels.shape)
    return pixels[: rows * times, : columns * times].reshape(rows, times, columns, times)


def _found(
    values: FloatArray,
    good: BoolArray,
    settings: ColumnSettings,
    spacing: float | None,
    counted: BoolArray | None = None,
) -> tuple[Gaussians, float]:
    """Bright columns, and the share of the variance that they leave, of all good pixels or of those that are `counted`.

    Raises:
        InputError: there are not enough.
    """
    ready = prepared(values, good, spacing)
    least = settings.certainty * noise_of(values, good)
    guess = GUESS * ready.period
    found = _maxima(ready.values, good, guess, APART * ready.period, least, 0.0)
    check_number_of(found)
    for _ in range(ROUNDS):
        found, rest = _fit(ready, found, 2, settings)
        faintest = settings.faintest * float(np.quantile(found.height, 0.9))
        more = _maxima(rest, good, guess, APART * ready.period, least, faintest)
        more = more.take(cKDTree(found.places).query(more.places)[0] > APART * ready.period)
        if len(more) == 0:
            break
        found = joined(found, more)
    found, rest = _fit(ready, found, 4, settings)
    aside = ready.values - ready.values[good].mean()
    whole = _whole(found, good)
    check_number_of(whole)
    of = good if counted is None or not counted.any() else counted
    return whole, float((rest[of] ** 2).sum() / (aside[of] ** 2).sum())


def _maxima(
    values: FloatArray, good: BoolArray, width: float, apart: float, least: float, faintest: float
) -> Gaussians:
    """Maxima of an image filtered by a Gaussian, as first guesses of columns.

    Args:
        values: (rows, columns).
        good: pixels that count.
        width: of the filter, pixels; columns are taken to be as wide.
        apart: distance of two maxima at least, pixels.
        least: height over noise that is needed, before the filter takes noise away.
        faintest: height that is needed, as a column has it before the filter.
    """
    smooth = gaussian_filter(values, width, mode="nearest")
    threshold = max(least / (2 * np.sqrt(np.pi) * max(width, 0.3)), faintest / 2)
    places = peaks_package().peak_local_max(
        smooth, min_distance=max(round(apart), 1), threshold_abs=threshold, exclude_border=False
    )
    places = places[good[tuple(places.T)]]
    places = places[np.lexsort((places[:, 1], places[:, 0]))]
    n = len(places)
    return Gaussians(places.astype(np.float64), 2 * smooth[tuple(places.T)], np.full(n, width), np.zeros(n))


def _fit(
    ready: Prepared, first: Gaussians, rounds: int, settings: ColumnSettings
) -> tuple[Gaussians, FloatArray]:
    """The Gaussians, fitted, those that are columns; and what they leave of the image."""
    near = float(np.median(nearest_distances(first.places)))
    found = fitted(ready.values, ready.good, first, max(round(DISC * near), 2), rounds)
    found = _sound(found, settings)
    check_number_of(found)
    return levelled(ready.values, ready.good.astype(np.float64), found, near)


def _sound(found: Gaussians, settings: ColumnSettings) -> Gaussians:
    """Without what is no column: too faint, too unsure, too broad, or there twice."""
    near = nearest_distances(found.places)
    usual = float(np.median(near))
    bright = float(np.quantile(found.height, 0.9))
    width = float(np.median(found.width))
    keep = (found.height > settings.faintest * bright) & (found.errors < UNSURE * usual)
    keep &= (found.width < ODD * width) & (found.width > width / ODD)
    for a, b in cKDTree(found.places).query_pairs(CLOSE * usual, output_type="ndarray"):
        if keep[a] and keep[b]:
            keep[a if found.height[a] < found.height[b] else b] = False
    return found.take(keep)


def _whole(found: Gaussians, good: BoolArray) -> Gaussians:
    """Without those that the rim of the image cuts, and those under the mask; their neighbours need them."""
    rim = np.minimum(found.places, np.array(good.shape) - 1 - found.places).min(axis=1)
    whole = rim > RIM * float(np.median(found.width))
    return found.take(whole & good[tuple(np.round(found.places).astype(int).T)])


def check_number_of(found: Gaussians) -> None:
    """Raise InputError for an image with too few columns."""
    if len(found) < FEWEST:
        raise InputError(
            f"`image` shows {len(found)} columns, {FEWEST} are needed: is it a picture of atomic columns, and large "
            "enough? `contrast`, `spacing` and `certainty` change what counts as one"
        )


def _cut_off(values: FloatArray, good: BoolArray, found: Gaussians) -> float:
    """Share of the columns with neighbouring pixels at the largest value of the image near their middle."""
    top = (values == values[good].max()) & good
    pairs = (top & np.roll(top, 1, axis=0)) | (top & np.roll(top, 1, axis=1))
    if not pairs.any():
        return 0.0
    distance = cKDTree(np.argwhere(pairs)).query(found.places)[0]
    return float((distance <= np.maximum(found.width, 1.0)).mean())


def _columns(
    found: Gaussians, left: float, dark: bool, good: BoolArray, pixel_size: float | None, cut: float
) -> Columns:
    near = neighbour_distance(found.places)
    size = ASSUMED / near if pixel_size is None else float(pixel_size)
    if not BELIEVED[0] <= near * size <= BELIEVED[1]:
        raise InputError(
            f"`pixel_size` {size:g} Å puts neighbouring columns {near * size:.2f} Å apart ({near:.1f} pixels): atoms "
            f"are {BELIEVED[0]:g} to {BELIEVED[1]:g} Å apart"
        )
    n = len(found)
    flat = np.column_stack(
        [found.places[:, 1] * size, (good.shape[0] - 1 - found.places[:, 0]) * size, np.zeros(n)]
    )
    return Columns(
        structure=Structure(flat, np.full(n, PLACEHOLDER)),
        errors=found.errors * size,
        brightness=found.height,
        pixels=found.places,
        width=float(np.median(found.width)) * size,
        spacing=near * size,
        pixel_size=size,
        assumed_pixel_size=pixel_size is None,
        dark=dark,
        good=good,
        explained=1 - left,
        kinds=np.zeros(n, dtype=np.int64),
        kind_doubt=np.zeros(n),
        cut_off=cut,
    )


def with_numbers(
    columns: Columns, numbers: IntArray, kinds: IntArray, doubt: FloatArray, named: bool
) -> Columns:
    """The columns with atomic numbers, (n,)."""
    structure = Structure(columns.structure.positions, numbers)
    return replace(columns, structure=structure, kinds=kinds, kind_doubt=doubt, named=named)
