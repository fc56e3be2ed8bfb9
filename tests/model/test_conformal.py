"""Thresholds with a promise: kept on simulated data whose truth is known.

Seeds are fixed; tolerances are 4 standard errors of the simulation.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta, binom

from arise_core.errors import InputError
from arise_core.model.conformal import (
    Scores,
    check_promise,
    fewest_units,
    is_kept,
    largest_threshold,
    smallest_threshold,
    upper_bound,
)

TRIALS = 1500


def singles(scores) -> Scores:
    return Scores.of([[[s]] for s in scores])


def frames(rng: np.random.Generator, n: int, atoms: int = 30) -> list[np.ndarray]:
    """Scores of the atoms of n frames: uniform over [a, a + ½], a uniform over [0, ½] for each frame."""
    return [a + rng.uniform(0, 0.5, atoms) for a in rng.uniform(0, 0.5, n)]


def share_below(threshold: np.ndarray) -> np.ndarray:
    """The true rate of `frames`: the sum of two uniform numbers on [0, ½] is below T <= ½ in 2 T² of all cases."""
    return np.where(threshold <= 0.5, 2 * threshold**2, 1 - 2 * (1 - threshold) ** 2)


def test_one_score_each_with_confidence_is_the_exact_beta_law():
    """P(R(T) > α) over calibrations is that of the order statistic, Beta(k, n + 1 - k), and just below δ."""
    n, rate, confidence = 120, 0.1, 0.9
    rng = np.random.default_rng(1)
    true = np.array(
        [largest_threshold(singles(rng.uniform(size=n)), rate, confidence) for _ in range(TRIALS)]
    )
    k = max(k for k in range(1, n) if binom.sf(k - 1, n, rate) >= confidence)
    expected = beta.sf(rate, k, n + 1 - k)
    error = 4 * np.sqrt(expected * (1 - expected) / TRIALS)
    assert expected <= 1 - confidence
    assert np.mean(true > rate) == pytest.approx(expected, abs=error)
    assert true.mean() == pytest.approx(k / (n + 1), abs=4 * true.std() / np.sqrt(TRIALS))


def test_without_confidence_the_rate_is_kept_on_average_and_not_each_time():
    n, rate = 39, 0.1
    rng = np.random.default_rng(2)
    true = np.array([largest_threshold(singles(rng.uniform(size=n)), rate, None) for _ in range(TRIALS)])
    assert true.mean() == pytest.approx(
        4 / 40, abs=4 * true.std() / np.sqrt(TRIALS)
    )  # k / (n + 1) with k = 4
    assert np.mean(true > rate) > 0.3


@pytest.mark.parametrize("confidence", [0.9, None])
def test_shares_of_frames(confidence):
    n, rate = 60, 0.15
    rng = np.random.default_rng(3)
    found = [
        largest_threshold(Scores.of([[f] for f in frames(rng, n)]), rate, confidence) for _ in range(TRIALS)
    ]
    true = share_below(np.array(found))
    if confidence is None:
        assert true.mean() <= rate + 4 * true.std() / np.sqrt(TRIALS)
        assert true.mean() > rate - 0.02  # and not by giving everything away
    else:
        assert np.mean(true > rate) <= 1 - confidence
        assert true.mean() > 0.05


def test_atoms_taken_for_units_would_break_the_promise():
    """30 atoms of each of 60 frames are not 1,800 independent scores: the truth is missed far too often."""
    n, rate, confidence = 60, 0.15, 0.9
    rng = np.random.default_rng(4)
    found = [largest_threshold(singles(np.concatenate(frames(rng, n))), rate, confidence) for _ in range(400)]
    assert np.mean(share_below(np.array(found)) > rate) > 2 * (1 - confidence)


def test_runs_of_alike_frames_are_units():
    """Frames of one run that are all alike: runs keep the promise, frames do not."""
    rate, confidence, rng = 0.2, 0.9, np.random.default_rng(5)
    by_run, by_frame = [], []
    for _ in range(400):
        runs = [[np.full(1, s)] * 20 for s in rng.uniform(size=30)]
        by_run.append(largest_threshold(Scores.of(runs), rate, confidence))
        by_frame.append(largest_threshold(Scores.of([[f] for r in runs for f in r]), rate, confidence))
    assert np.mean(np.array(by_run) > rate) <= 1 - confidence
    assert np.mean(np.array(by_frame) > rate) > 2 * (1 - confidence)


def test_rejections_are_the_mirror_image():
    rng = np.random.default_rng(6)
    units = [[rng.uniform(size=5).round(2)] for _ in range(80)]
    mirrored = [[1 - frame[0]] for frame in units]
    high = smallest_threshold(Scores.of(units), 0.3, 0.9)
    low = largest_threshold(Scores.of(mirrored), 0.3, 0.9)
    assert high is not None
    assert low is not None
    assert high == pytest.approx(1 - low)
    rejected = np.mean([np.mean(u[0] >= high) for u in units])
    assert is_kept(rejected, Scores.of(units), 0.3, 0.9)
    more = np.mean([np.mean(u[0] >= np.nextafter(high, 0)) for u in units])
    assert not is_kept(more, Scores.of(units), 0.3, 0.9)


@pytest.mark.parametrize("confidence", [0.8, 0.95, None])
@pytest.mark.parametrize("atoms", [1, 7])
def test_bounds_are_the_rates_that_just_are_promised(confidence, atoms):
    rng = np.random.default_rng(7)
    scores = Scores.of([[rng.uniform(size=atoms)] for _ in range(50)])
    losses = scores.share_below(np.array([0.0, 0.02, 0.2, 0.5]))
    bounds = upper_bound(losses, scores, confidence)
    assert (np.diff(bounds) >= 0).all()
    for loss, bound in zip(losses, bounds, strict=True):
        assert is_kept(loss, scores, bound + 1e-6, confidence)
        assert not is_kept(loss, scores, bound - 1e-6, confidence)
    assert upper_bound(np.ones(1), scores, confidence)[0] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("rate", "confidence", "units"), [(0.05, 0.95, 59), (0.01, 0.95, 299), (0.05, None, 19)]
)
@pytest.mark.parametrize("atoms", [1, 4])
def test_fewest_units(rate, confidence, units, atoms):
    """59 for 5 % with 95 % (Wilks 1941), 19 on average; one less promises nothing."""
    assert fewest_units(rate, confidence) == units
    scores = [[np.linspace(0.5, 0.9, atoms)]] * units
    assert largest_threshold(Scores.of(scores), rate, confidence) == 0.5
    assert largest_threshold(Scores.of(scores[1:]), rate, confidence) is None
    assert smallest_threshold(Scores.of(scores), rate, confidence) == np.nextafter(
        0.5 if atoms == 1 else 0.9, 1
    )
    assert smallest_threshold(Scores.of(scores[1:]), rate, confidence) is None


def test_a_score_at_the_threshold_is_rejected():
    """As `Rule` has it; equal scores are on one side."""
    scores = singles([0.3] * 30 + [0.7] * 30)
    assert scores.share_below(np.array([0.3, 0.5, 0.7, 0.8])).tolist() == [0.0, 0.5, 0.5, 1.0]
    assert largest_threshold(scores, 0.3, 0.9) == 0.3


@pytest.mark.parametrize(
    ("rate", "confidence", "name"), [(0, 0.9, "rate"), (1, 0.9, "rate"), (0.1, 1.0, "confidence")]
)
def test_promises_that_are_none(rate, confidence, name):
    with pytest.raises(InputError, match=f"`{name}` must be between 0 and 1"):
        check_promise(rate, confidence)
