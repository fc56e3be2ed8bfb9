"""How much the passes doubt the decision to reject."""

import numpy as np
import pytest
import torch
from scipy import stats

from arise_core.model.card import Reject
from arise_core.model.dropout import dropout_masks
from arise_core.model.rejection import decision_entropy, share_above
from arise_core.model.zoo import load_model
from arise_core.settings import SamplingSettings
from arise_core.training.export import export

from .small import make_card, make_network
from .test_model import BLOCK, features, small  # noqa: F401 - fixtures

THRESHOLDS = (0.05, 0.149, 0.5, 0.9)


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_the_share_is_that_of_a_beta_distribution(threshold):
    """a and b are chosen, mean and variance are those of textbooks, the share is that of scipy.stats."""
    a, b = (x.ravel() for x in np.meshgrid([0.02, 0.4, 1, 7, 300, 1e5], [0.03, 0.6, 1, 5, 400, 2e5]))
    mean, variance = a / (a + b), a * b / ((a + b) ** 2 * (a + b + 1))
    share = share_above(mean, np.sqrt(variance), threshold)
    assert share == pytest.approx(stats.beta.sf(threshold, a, b), abs=1e-9)


def test_entropy_is_one_bit_at_a_half_and_nothing_without_doubt():
    half = stats.beta.mean(3, 3), stats.beta.std(3, 3)
    assert decision_entropy(np.array([half[0]]), np.array([half[1]]), 0.5) == pytest.approx(1.0)
    mean, deviation = np.array([1e-6, 0.1, 0.9, 1.0]), np.array([1e-6, 1e-3, 1e-3, 0.0])
    assert decision_entropy(mean, deviation, 0.5) == pytest.approx(0.0, abs=1e-12)
    p = stats.beta.sf(0.149, 2, 10)
    expected = -p * np.log2(p) - (1 - p) * np.log2(1 - p)
    found = decision_entropy(np.array([stats.beta.mean(2, 10)]), np.array([stats.beta.std(2, 10)]), 0.149)
    assert found == pytest.approx(expected)


def test_near_the_threshold_an_answer_shows_its_doubt():
    """4H-SiC had the score 0.148 where 0.149 rejects."""
    doubt = decision_entropy(np.full(3, 0.148), np.array([0.002, 0.03, 0.15]), 0.149)
    assert (doubt > 0.8).all()
    assert (decision_entropy(np.array([1e-3, 0.9]), np.array([2e-3, 0.05]), 0.149) < 1e-3).all()


def test_limits():
    same = np.zeros(3)
    assert share_above(np.array([0.2, 0.5, 0.7]), same, 0.5).tolist() == [0.0, 0.5, 1.0]
    assert decision_entropy(np.array([0.2, 0.5, 0.7]), same, 0.5).tolist() == [0.0, 1.0, 0.0]
    widest = np.sqrt(0.3 * 0.7)  # every pass says 0 or 1
    assert share_above(np.array([0.3]), np.array([widest + 1e-9]), 0.8) == pytest.approx(0.3)
    assert share_above(np.array([0.0, 1.0, 0.4]), np.array([0.0, 0.0, 0.1]), 0.0).tolist() == [1.0, 1.0, 1.0]
    assert share_above(np.array([0.4]), np.array([0.1]), 1.0) == 0.0
    tiny = share_above(np.array([0.15, 0.148, 1e-30, 1 - 1e-16]), np.array([1e-9, 1e-14, 1e-18, 1e-9]), 0.149)
    assert tiny.tolist() == [1.0, 0.0, 0.0, 1.0]


def test_what_is_not_known():
    mean, deviation = np.array([np.nan, 0.3, 0.2]), np.array([np.nan, np.nan, 0.1])
    assert np.isnan(decision_entropy(mean, deviation, 0.1)).tolist() == [True, True, False]
    assert np.isnan(decision_entropy(mean, deviation, 0.0)).tolist() == [True, True, False]
    never = decision_entropy(mean, deviation, None)
    assert np.isnan(never[0])
    assert never[1:].tolist() == [0.0, 0.0]


def test_of_a_network_it_is_the_doubt_of_its_passes(small, features):  # noqa: F811
    """Beside the share of the passes that would reject, counted one by one."""
    passes = 20 * BLOCK
    x = features[:40]
    net = make_network().double()
    scores = []
    for block in range(passes // BLOCK):
        masks = [torch.tensor(m).double() for m in dropout_masks(3, block, (40, 32, 48), 0.2)]
        for t in range(BLOCK):
            with torch.no_grad():
                y = torch.from_numpy(x).double() @ net.transform
                for i, layer in enumerate(net.layers):
                    y = layer((torch.relu(y) if i else y) * masks[i][t])
            scores.append(torch.sigmoid(y[:, -1]).numpy())
    scores = np.array(scores)
    found = small.predict(x, SamplingSettings(passes=passes, seed=3))
    assert found.reject_deviation == pytest.approx(scores.std(axis=0), abs=1e-5)
    p = (scores >= 0.5).mean(axis=0)
    counted = np.nan_to_num(-p * np.log2(p) - (1 - p) * np.log2(1 - p))
    assert np.corrcoef(counted, found.rejection_uncertainty)[0, 1] > 0.95
    assert found.rejection_uncertainty == pytest.approx(counted, abs=0.2)
    assert counted.max() > 0.7
    assert (found.with_threshold(None).rejection_uncertainty == 0).all()
    low = found.with_threshold(0.01).rejection_uncertainty
    assert (low != found.rejection_uncertainty).any()


def test_rows_without_a_prediction_have_none(small, features):  # noqa: F811
    x = features[:3].copy()
    x[1, 0] = np.nan
    doubt = small.predict(x, SamplingSettings(passes=20)).rejection_uncertainty
    assert np.isnan(doubt).tolist() == [False, True, False]


def test_a_score_by_entropy_is_no_matter_of_passes(tmp_path, features):  # noqa: F811
    net = make_network(reject=False)
    export(net, make_card(net, reject=Reject("entropy", None)), tmp_path)
    found = load_model(tmp_path).predict(features[:4], SamplingSettings(passes=20))
    assert found.rejection_uncertainty.tolist() == [0.0] * 4
    assert np.isnan(found.with_threshold(0.6).rejection_uncertainty).all()
