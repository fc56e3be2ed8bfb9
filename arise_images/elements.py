"""Which columns are of which element, by their brightness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from arise_core.crystals.species import STAND_INS, element_of_name
from arise_core.errors import InputError, check_type, shown
from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.runtime.threads import one_blas_thread
from arise_images.columns import PLACEHOLDER, Columns, with_numbers
from arise_images.simulation import EXPONENT

#: Elements told apart in an image, at most.
MOST = 3
#: Two kinds of columns are told apart if the peaks of their brightness are so far from each other (D of K. M. Ashman et
#: al., Astron. J. 108, 2348 (1994); at 2 they just are two peaks), each kind has such a share of the columns, and the
#: Bayesian information criterion of one kind more is better by so much. Without noise the columns at the edge of a
#: flake are a twentieth brighter than those inside, so kinds differ by this factor at least; it is 1.3 of C and N.
APART, SHARE, BETTER, DISTINCT = 2.5, 0.08, 10.0, 1.1
#: Brightness further from the middle half of all than this many times its width is that of a letter or of dirt; such
#: columns, if they are fewer than `SHARE`, take no part in telling how many kinds there are.
FAR = 3.0
#: Order of brightness is looked for between columns that are these distances of neighbours apart, in shells of such a
#: width: neighbours themselves overlap, and what one has more the other has less.
SHELLS, SHELL = (1.3, 3.1), 0.2
#: Brightness has an order if it is alike in one shell and unlike in another by so many standard deviations of chance,
#: and by this share of the squared brightness: uneven light makes far columns unlike, but none alike and then unlike.
ALIKE, UNLIKE, LEAST = 5.0, 3.5, 0.0025
#: Ratios of the brightness of two kinds are believed up to this factor.
LIKELY = 2.2
#: Rounds of the fit of the illumination; columns further off than so many standard deviations do not count.
ROUNDS, OUTSIDE = 4, 2.5
#: Median of the absolute value of a normal distribution, standard deviations.
NORMAL = 0.6745


def parse_elements(given: Any) -> tuple[int, ...]:
    """Atomic numbers of elements by their symbols.

    Args:
        given: symbols, "B,N" or several of them.

    Raises:
        InputError: what is no element, one twice, none or more than three.
    """
    symbols = given.split(",") if isinstance(given, str) else given
    check_type("elements", symbols, Sequence, "symbols of elements")
    found = []
    for symbol in symbols:
        number = element_of_name(symbol) if isinstance(symbol, str) else None
        if not number:
            raise InputError(f"`elements` must be symbols of elements, such as 'B,N', got {shown(symbol)}")
        found.append(number)
    if not 1 <= len(found) <= MOST or len(set(found)) < len(found):
        raise InputError(f"`elements` must name one to {MOST} different elements, got {shown(given)}")
    return tuple(found)


def tell_elements(columns: Columns, elements: Any = None) -> Columns:
    """The columns with their elements: a mixture of normal distributions of the brightness, the heaviest the brightest.

    `kinds` says which of the elements each column is of, from the faintest on, `kind_doubt` the entropy of that, bit.

    Args:
        columns: of `find_atoms`.
        elements: symbols of one to three elements, "B,N"; None: as many kinds as the brightness shows, with elements
            that stand for them.

    Raises:
        InputError: what is no element, or more elements than columns could show.
    """
    check_type("columns", columns, Columns, "Columns")
    bright = even_brightness(columns)
    if elements is None:
        count = kinds_shown(bright[columns.inside])
        numbers = np.array((PLACEHOLDER, *STAND_INS)[:count])
    else:
        numbers = np.sort(parse_elements(elements))
    if len(numbers) == 1:
        n = len(columns)
        return with_numbers(
            columns, np.full(n, numbers[0]), np.zeros(n, dtype=np.int64), np.zeros(n), elements is not None
        )
    expected = None if elements is None else numbers.astype(np.float64) ** EXPONENT
    kinds, doubt, _, _ = _mixture(bright, len(numbers), expected)
    return with_numbers(columns, numbers[kinds], kinds, doubt, elements is not None)


def even_brightness(columns: Columns) -> FloatArray:
    """Brightness of the columns without that of the illumination, (n,), or as it is where it has fewer kinds so.

    The illumination is a Gaussian hill or hollow, as its logarithm is a polynomial of second order in the place. It is
    taken off if what is left is the better mixture of one to three kinds by the Bayesian information criterion.
    """
    raw = columns.brightness
    places = columns.pixels / columns.good.shape - 0.5
    y, x = places.T
    terms = np.column_stack([np.ones(len(raw)), y, x, y * y, x * x, x * y])
    target = np.log(np.maximum(raw, 1e-3 * np.median(raw)))
    near = np.ones(len(raw), dtype=bool)
    if len(raw) < 10 * terms.shape[1]:
        return raw
    with one_blas_thread():
        for _ in range(ROUNDS):
            fit = terms @ np.linalg.lstsq(terms[near], target[near], rcond=None)[0]
            off = np.abs(target - fit)
            near = off <= OUTSIDE * np.sqrt((off[near] ** 2).mean())
    even = raw / np.exp(fit) * np.median(np.exp(fit))
    parameters = (terms.shape[1] - 1) * np.log(len(raw))
    inside = columns.inside
    better = _criterion(even[inside]) + parameters < _criterion(raw[inside]) - BETTER
    return np.asarray(even if better else raw)


def order_of_brightness(columns: Columns) -> tuple[bool, float]:
    """Whether bright and faint columns alternate, as B and N do, and how much brightness scatters, as a share.

    Noise may hide the two peaks of the brightness of two elements, but has no order: brightness less that of what is
    around is compared at each distance between columns.
    """
    inside = columns.inside
    bright = even_brightness(columns)[inside]
    places = columns.pixels[inside] * (columns.pixel_size / columns.spacing)
    pairs = cKDTree(places).query_pairs(SHELLS[1], output_type="ndarray")
    first, second = pairs.T
    n = len(places)
    beside = np.bincount(pairs.ravel(), minlength=n)
    around = np.bincount(first, bright[second], n) + np.bincount(second, bright[first], n)
    off = bright / ((around + bright) / (beside + 1)) - 1
    most = OUTSIDE * float(np.median(np.abs(off))) / NORMAL
    off = np.clip(off, -most, most)
    variance = max(float((off**2).mean()), 1e-12)
    shell = np.floor((np.linalg.norm(places[first] - places[second], axis=1) - SHELLS[0]) / SHELL).astype(int)
    products, shell = (off[first] * off[second])[shell >= 0], shell[shell >= 0]
    count = np.bincount(shell)
    told = count > n / 2
    # a column is part of what is around its neighbours, which makes them a little unlike
    alike = (np.bincount(shell, products) / np.maximum(count, 1) + variance / (beside.mean() + 1))[told]
    chance = variance / np.sqrt(count[told])
    ordered = (alike > np.maximum(ALIKE * chance, LEAST)).any() and (
        alike < -np.maximum(UNLIKE * chance, LEAST)
    ).any()
    return bool(ordered), float(np.sqrt(variance))


def kinds_shown(brightness: FloatArray) -> int:
    """How many kinds of columns are told apart by their brightness, 1 to 3."""
    return _told(brightness)[0]


def _criterion(brightness: FloatArray) -> float:
    return _told(brightness)[1]


def _told(brightness: FloatArray) -> tuple[int, float]:
    """Number of kinds, and the information criterion of that many."""
    low, high = np.quantile(brightness, [0.25, 0.75])
    width = FAR * (high - low)
    usual = (brightness > low - width) & (brightness < high + width)
    if (~usual).mean() < SHARE:
        brightness = brightness[usual]
    known = 1
    _, _, last, _ = _mixture(brightness, 1)
    for count in range(2, MOST + 1):
        kinds, _, criterion, apart = _mixture(brightness, count)
        shares = np.bincount(kinds, minlength=count) / len(kinds)
        if not (criterion < last - BETTER and apart > APART and shares.min() > SHARE):
            continue
        means = np.bincount(kinds, weights=brightness) / np.bincount(kinds)
        if (means[1:] > DISTINCT * means[:-1]).all():
            known, last = count, criterion
    return known, last


def _mixture(
    brightness: FloatArray, count: int, expected: FloatArray | None = None
) -> tuple[IntArray, FloatArray, float, float]:
    """Kind of each column, the faintest first, its entropy in bit; information criterion; least distance of peaks.

    Args:
        brightness: (n,).
        count: of kinds.
        expected: brightness of each kind up to a factor, (count,). Fits start from it too, each kind being that of most
            columns in turn, so that a few heavy atoms are told from many light ones; the best one wins whose kinds are
            about as far apart as expected. None: nothing is known of the elements.
    """
    from sklearn.mixture import GaussianMixture

    values = (brightness / np.median(brightness)).reshape(-1, 1)
    if len(values) < 2 * count:
        raise InputError(f"`elements` names {count} elements for {len(values)} columns")
    starts = [np.quantile(values, (np.arange(count) + 0.5) / count)]
    if expected is not None:
        starts += [expected / usual for usual in expected]
    fits = []
    with one_blas_thread():
        for start in starts:
            model = GaussianMixture(
                count, means_init=start.reshape(-1, 1), random_state=0, reg_covar=1e-5, max_iter=300
            )
            model.fit(values)
            fits.append((_likely(np.sort(model.means_[:, 0]), expected), float(model.score(values)), model))
        model = max(fits, key=lambda fit: fit[:2])[2] if any(fit[0] for fit in fits) else fits[0][2]
        share = model.predict_proba(values)
        criterion = float(model.bic(values))
    order = np.argsort(model.means_[:, 0])
    share = share[:, order]
    mean, variance = model.means_[order, 0], model.covariances_[order, 0, 0]
    apart = np.sqrt(2) * np.diff(mean) / np.sqrt(variance[1:] + variance[:-1])
    entropy = -(share * np.log2(np.maximum(share, 1e-300))).sum(axis=1)
    return share.argmax(axis=1), np.maximum(entropy, 0.0), criterion, float(apart.min(initial=np.inf))


def _likely(means: FloatArray, expected: FloatArray | None) -> bool:
    """Whether kinds are about as far apart as their elements let expect; columns may have two atoms of one."""
    if expected is None or not (means > 0).all():
        return False
    off = np.log((means[1:] / means[:-1]) / (expected[1:] / expected[:-1]))
    return bool((np.abs(off) < np.log(LIKELY)).all())
