"""Gaussians fitted to columns: many small windows at once, what neighbours add to each taken off.

Libraries were looked at first. trackpy fits Gaussians one by one, or all that overlap together, in Python, and in a
lattice all overlap. scikit-image has no fit. So the linear algebra of numpy does all columns in a few steps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter

from arise_core.geometry.arrays import BoolArray, FloatArray
from arise_core.runtime.threads import one_blas_thread

#: Steps of the fit each time that neighbours are taken off.
STEPS = 3
#: Damping of a step; a step moves a column by no more than this share of its width.
DAMPING, FAR = 1e-3, 0.5
#: A column is drawn as far as this, widths; is fitted as far as this.
DRAWN = 4.5
#: Widths of a column stay within these bounds of the first guess.
NARROW, BROAD = 0.4, 2.0
#: Columns are taken to be about as wide as each other, within this share: where noise says little, that decides.
ALIKE = 0.15
#: No column gets higher than this many times the first guess of the highest.
HIGH = 3.0
#: Heights change by no more than this factor when the level under them is found.
MOST_SLOPE = 4.0


@dataclass(frozen=True)
class Gaussians:
    """Gaussian columns; rows and columns in pixels."""

    places: FloatArray  # (n, 2), row and column
    height: FloatArray  # (n,)
    width: FloatArray  # (n,), standard deviation, pixels
    errors: FloatArray  # (n,), standard error of a coordinate, pixels

    def __len__(self) -> int:
        return len(self.height)

    def take(self, rows: BoolArray) -> Gaussians:
        """Some of them."""
        return Gaussians(self.places[rows], self.height[rows], self.width[rows], self.errors[rows])


def joined(first: Gaussians, second: Gaussians) -> Gaussians:
    """Both, in the order of the image's rows."""
    parts = [
        np.concatenate([getattr(first, name), getattr(second, name)])
        for name in ("places", "height", "width", "errors")
    ]
    order = np.lexsort((parts[0][:, 1], parts[0][:, 0]))
    return Gaussians(*(part[order] for part in parts))


def fitted(values: FloatArray, good: BoolArray, first: Gaussians, radius: int, rounds: int) -> Gaussians:
    """The Gaussians that fit an image.

    Args:
        values: (rows, columns).
        good: pixels that count.
        first: guess.
        radius: of the disc around a column that is fitted, pixels.
        rounds: in which neighbours are taken off.
    """
    padding = radius + 1
    image = np.pad(values, padding)
    weight = np.pad(good.astype(np.float64), padding)
    now = replace(first, places=first.places + padding)
    with one_blas_thread():
        for _ in range(rounds):
            now, rest = levelled(image, weight, now, 2.0 * radius)
            now = _stepped(rest, weight, now, first, radius)
    inside = np.clip(now.places - padding, 0.0, np.array(values.shape) - 1.0)
    return replace(now, places=inside)


def levelled(
    image: FloatArray, weight: FloatArray, now: Gaussians, wide: float
) -> tuple[Gaussians, FloatArray]:
    """Heights over a common level, and what columns and level leave of the image.

    Where columns overlap, their heights and what is under them can only be told together: by a straight line through
    the image over the columns, pixel by pixel. What is left at length scales of `wide` pixels is background too.
    """
    drawn = rendered(now, image.shape)
    n = weight.sum()
    mean, mean_drawn = (image * weight).sum() / n, (drawn * weight).sum() / n
    aside = (drawn - mean_drawn) * weight
    slope = float((aside * image).sum() / max((aside * drawn).sum(), 1e-300))
    slope = min(max(slope, 1 / MOST_SLOPE), MOST_SLOPE)
    rest = (image - mean - slope * (drawn - mean_drawn)) * weight
    smooth = gaussian_filter(rest, wide) / np.maximum(gaussian_filter(weight, wide), 1e-3)
    return replace(now, height=now.height * slope), (rest - smooth) * weight


def rendered(found: Gaussians, shape: tuple[int, ...]) -> FloatArray:
    """The image that Gaussians make, without what is under them, (rows, columns)."""
    out = np.zeros(shape)
    reach = int(np.ceil(DRAWN * float(found.width.max(initial=1.0))))
    window = np.arange(-reach, reach + 1)
    corner = np.round(found.places).astype(int)
    rows, columns = corner[:, 0, None] + window, corner[:, 1, None] + window
    down = np.exp(-0.5 * ((rows - found.places[:, :1]) / found.width[:, None]) ** 2)
    along = np.exp(-0.5 * ((columns - found.places[:, 1:]) / found.width[:, None]) ** 2)
    down *= (rows >= 0) & (rows < shape[0])
    along *= (columns >= 0) & (columns < shape[1])
    rows, columns = rows.clip(0, shape[0] - 1), columns.clip(0, shape[1] - 1)
    pieces = found.height[:, None, None] * down[:, :, None] * along[:, None, :]
    np.add.at(out, (rows[:, :, None], columns[:, None, :]), pieces)
    return out


def _stepped(
    rest: FloatArray, weight: FloatArray, now: Gaussians, first: Gaussians, radius: int
) -> Gaussians:
    """After some steps of a damped Gauss-Newton fit, each column in its window, the others as they were."""
    window = np.arange(-radius, radius + 1)
    corner = np.round(now.places).astype(int)
    corner = np.clip(corner, radius, np.array(rest.shape) - radius - 1)
    rows, columns = corner[:, 0, None] + window, corner[:, 1, None] + window
    down, along = rows[:, :, None], columns[:, None, :]
    counts = weight[down, along] * ((window[:, None] ** 2 + window**2) <= radius**2 + 0.5)
    target = rest[down, along] + _gaussian(now, down, along)[1]
    n = counts.sum(axis=(1, 2))
    usual = float(np.median(now.width))
    prior = float((rest**2 * weight).sum() / weight.sum()) / (ALIKE * usual) ** 2
    for _ in range(STEPS):
        shape, own = _gaussian(now, down, along)
        slopes = _slopes(now, shape, own, down, along)
        miss = target - own
        normal = np.einsum("aijk,bijk,ijk->iab", slopes, slopes, counts)
        force = np.einsum("aijk,ijk->ia", slopes, miss * counts)
        normal[:, 3, 3] += prior
        force[:, 3] += prior * (usual - now.width)
        normal[:, range(4), range(4)] *= 1 + DAMPING
        normal[:, range(4), range(4)] += 1e-12
        step = np.linalg.solve(normal, force[:, :, None])[:, :, 0]
        now = _moved(now, step, first)
    _, own = _gaussian(now, down, along)
    miss = target - own
    variance = (miss**2 * counts).sum(axis=(1, 2)) / np.maximum(n - 4, 1)
    covariance = np.linalg.inv(normal)
    spread = 0.5 * (covariance[:, 1, 1] + covariance[:, 2, 2])
    return replace(now, errors=np.sqrt(np.maximum(variance * spread, 0.0)))


def _gaussian(now: Gaussians, down: FloatArray, along: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Each column in its window, of height 1 and of its own height."""
    y = down - now.places[:, 0, None, None]
    x = along - now.places[:, 1, None, None]
    shape = np.exp(-0.5 * (y**2 + x**2) / now.width[:, None, None] ** 2)
    return shape, now.height[:, None, None] * shape


def _slopes(
    now: Gaussians, shape: FloatArray, own: FloatArray, down: FloatArray, along: FloatArray
) -> FloatArray:
    """By height, row, column and width, (4, n, window, window)."""
    width = now.width[:, None, None]
    y = (down - now.places[:, 0, None, None]) / width
    x = (along - now.places[:, 1, None, None]) / width
    return np.stack([shape, own * y / width, own * x / width, own * (y**2 + x**2) / width])


def _moved(now: Gaussians, step: FloatArray, first: Gaussians) -> Gaussians:
    most = FAR * now.width[:, None]
    return replace(
        now,
        height=np.clip(now.height + step[:, 0], 0.0, HIGH * first.height.max()),
        places=now.places + np.clip(step[:, 1:3], -most, most),
        width=np.clip(now.width + step[:, 3], NARROW * first.width, BROAD * first.width),
    )
