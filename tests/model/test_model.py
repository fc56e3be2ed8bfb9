"""Predictions: Monte Carlo dropout with shared masks, in batches, on devices."""

import pickle
import threading
from copy import deepcopy

import numpy as np
import pytest
import torch

import arise_core as arise
import arise_core.model.model as model_module
from arise_core.errors import InputError
from arise_core.model import runner
from arise_core.model.card import Reject
from arise_core.model.devices import usable_device
from arise_core.model.dropout import BLOCK, dropout_masks
from arise_core.model.sureness import expected_error
from arise_core.model.zoo import load_model, shared_model
from arise_core.progress import Step, run
from arise_core.runtime import threads
from arise_core.settings import SamplingSettings
from arise_core.training.export import export
from tests import ROOT

from .small import N_CLASSES, SETTINGS, make_card, make_network


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    net = make_network()
    export(net, make_card(net), folder)
    return load_model(folder)


@pytest.fixture(scope="module")
def features():
    x = np.abs(np.random.default_rng(1).normal(size=(200, SETTINGS.n_features)))
    return (x / np.linalg.norm(x, axis=1)[:, None]).astype(np.float32)


def fields(prediction):
    return {
        name: getattr(prediction, name)
        for name in (
            "probabilities", "mutual_information", "predictive_entropy", "variation_ratio", "reject_score", "passes",
            "standard_error", "reject_deviation", "rejection_uncertainty",
        )
    }  # fmt: skip


def test_missing_gpu_falls_back_with_a_warning(small):
    if torch.cuda.is_available():
        assert load_model(small.path, device="cuda").device.type == "cuda"
        return
    with pytest.warns(UserWarning, match="'cuda' is not available"):
        model = load_model(small.path, device="cuda")
    assert model.device.type == "cpu"
    with pytest.raises(ValueError, match="`device` must be a torch device"):
        load_model(small.path, device="gpu")


class Cramped:
    """A network on a device whose memory holds no more than so many rows at once."""

    def __init__(self, module, limit, error):
        self.module, self.limit, self.error = module, limit, error
        self.seen = set()

    def _checked(self, x):
        self.seen.add(len(x))
        if len(x) > self.limit:
            raise self.error

    def inputs(self, x):
        self._checked(x)
        return self.module.inputs(x)

    def outputs(self, x):
        self._checked(x)
        return self.module.outputs(x)

    def left_out(self, mask):
        return self.module.left_out(mask)

    def by_difference(self, x, masks, left_out, count):
        self._checked(x)
        return self.module.by_difference(x, masks, left_out, count)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
    ids=["torch", "driver", "cuBLAS"],
)
def test_small_batches_where_memory_is_short(small, features, monkeypatch, error):
    """As on a GPU: batches are halved until they fit; where the smallest do not, that is what is said."""
    sampling = SamplingSettings(passes=40)
    expected = small.predict(features, sampling)
    monkeypatch.setattr(runner, "batch_rows", lambda device: 1024)
    cramped = Cramped(small._module, 200, error)
    monkeypatch.setattr(small, "_module", cramped)
    found = small.predict(features, sampling)
    assert cramped.seen == {1024, 512, 256, 128}
    assert found.probabilities == pytest.approx(expected.probabilities, abs=1e-5)
    cramped.limit = 63
    with pytest.raises(MemoryError, match=r"no memory left for batches of 64 rows: .*device='cpu'"):
        small.predict(features, sampling)


def test_other_errors_of_the_network_pass(small, features, monkeypatch):
    monkeypatch.setattr(small, "_module", Cramped(small._module, 1, RuntimeError("shapes do not match")))
    with pytest.raises(RuntimeError, match="shapes do not match"):
        small.predict(features)


@pytest.mark.parametrize("device", ["mps", "xpu", "hpu", "cuda:63"])
def test_any_device_that_is_not_there_falls_back_to_the_cpu(device):
    kind = torch.device(device).type
    if kind != "cuda" and getattr(getattr(torch, kind, None), "is_available", lambda: False)():
        pytest.skip("it is there")
    with pytest.warns(
        UserWarning, match=f"`device` '{device}' is not available here, the model runs on the CPU"
    ):
        model = load_model("arise-108", device)
    assert model.device.type == "cpu"


def test_a_device_without_double_precision_falls_back_too(monkeypatch):
    """As `mps` on a Mac."""
    zeros = torch.zeros

    def single(*size, device, dtype):
        if device.type == "mps" and dtype == torch.float64:
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype")
        return zeros(*size)

    monkeypatch.setattr(torch, "zeros", single)
    assert usable_device("xpu").type == "xpu"
    with pytest.warns(UserWarning, match="'mps' is not available here"):
        assert usable_device("mps").type == "cpu"


def test_each_load_says_that_a_device_is_missing_and_all_share_one_model():
    found = []
    for _ in range(2):
        with pytest.warns(UserWarning, match="'hpu' is not available here"):
            found.append(shared_model("arise-108", "hpu"))
    assert found[0] is found[1] is shared_model("arise-108")


@pytest.mark.parametrize("name", ["gpu", "cuda:x", ""])
def test_a_name_that_torch_does_not_have_is_refused_with_those_it_has(name):
    says = f"`device` must be .* got '{name}'; names are cpu, cuda, mps, .* here: cpu"
    with pytest.raises(InputError, match=says):
        load_model("arise-108", name)


def test_a_loaded_model_moves_and_stays_where_it_was(small, features, monkeypatch):
    assert small.on("cpu") is small
    with pytest.warns(UserWarning, match="'xpu' is not available"):
        assert small.on("xpu") is small
    with pytest.raises(InputError, match="`device` must be"):
        small.on("gpu")
    before = small.predict(features).probabilities
    monkeypatch.setattr(model_module, "usable_device", torch.device)
    moved = small.on("meta")  # a device that every torch has
    assert moved.device.type == "meta"
    assert {p.device.type for p in moved._module.parameters()} == {"meta"}
    assert (moved.card, moved.path, moved.sha256) == (small.card, small.path, small.sha256)
    assert np.array_equal(small.predict(features).probabilities, before)


def test_a_device_that_computes_nothing_is_refused():
    with pytest.raises(InputError, match="`device` must be one that computes, got 'meta'"):
        load_model("arise-108", "meta")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_uses_the_same_masks(small, features):
    """Single precision, other order of summation: 1e-4. Other masks would differ by several per cent."""
    sampling = SamplingSettings(passes=40, seed=3)
    ours = fields(small.predict(features, sampling))
    theirs = fields(load_model(small.path, device="cuda").predict(features, sampling))
    for name in ("probabilities", "mutual_information", "predictive_entropy", "reject_score"):
        assert theirs[name] == pytest.approx(ours[name], abs=1e-4), name


# --- Monte Carlo dropout ----------------------------------------------------------------------------------


def by_hand(net, features, seed, passes):
    """Probabilities of every pass, (passes, n, n_classes), in float64, from the definition."""
    net = net.double()
    blocks = [dropout_masks(seed, b, (40, 32, 48), 0.2) for b in range(-(-passes // BLOCK))]
    masks = [np.concatenate(m) for m in zip(*blocks, strict=True)]
    out = []
    with torch.no_grad():
        for t in range(passes):
            x = (torch.from_numpy(features).double() - net.mean) @ net.transform
            for k, layer in enumerate(net.layers):
                if k:
                    x = torch.relu(x)
                x = layer(x * torch.from_numpy(masks[k][t]).double())
            out.append(torch.softmax(x[:, :N_CLASSES], 1).numpy())
    return np.array(out)


def test_statistics_are_their_definitions(small, features):
    passes = 50
    p = by_hand(make_network(), features, 7, passes)
    prediction = small.predict(features, SamplingSettings(passes=passes, seed=7))
    mean = p.mean(axis=0)

    def entropy(q):
        return -(q * np.log2(q)).sum(axis=-1)

    assert prediction.probabilities == pytest.approx(mean, abs=1e-6)
    assert prediction.predictive_entropy == pytest.approx(entropy(mean), abs=1e-5)
    assert prediction.mutual_information == pytest.approx(entropy(mean) - entropy(p).mean(axis=0), abs=1e-5)
    votes = np.array([np.bincount(p[:, i].argmax(axis=1), minlength=N_CLASSES) for i in range(len(features))])
    assert prediction.variation_ratio == pytest.approx(1 - votes.max(axis=1) / passes)
    assert (prediction.passes == passes).all()
    assert prediction.probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert prediction.mutual_information.max() > 0.1  # the test network is unsure enough to test something


def test_units_are_bits(small, features):
    """A network whose passes each pick one of two classes at random doubts by one bit."""
    from arise_core.model.dropout import Statistics

    statistics = Statistics(1, 2)
    for p in ([1.0, 0.0], [0.0, 1.0]):
        statistics.add(np.array([0]), [np.array([p]), np.array([p]), np.array([p]), np.zeros((1, 7))], 1)
    assert statistics.mutual_information() == pytest.approx([1.0])
    assert statistics.variation_ratio() == pytest.approx([0.5])


@pytest.mark.parametrize("count", [1, 2])
def test_batch_order_and_threads_change_nothing(small, features, count):
    """Bit for bit the same numbers alone, in batches of 7, all at once, and in another order."""
    sampling = SamplingSettings(passes=40, seed=3)
    threads.set_count(count)
    try:
        whole = fields(small.predict(features, sampling))
        order = np.random.default_rng(0).permutation(len(features))
        shuffled = fields(small.predict(features[order], sampling))
        single = [fields(small.predict(features[k : k + 1], sampling)) for k in (0, 63, 64, 150)]
        seven = [fields(small.predict(features[k : k + 7], sampling)) for k in range(0, 70, 7)]
        many = fields(small.predict(np.tile(features, (21, 1))[:4096], sampling))
    finally:
        threads.set_count(None)
    for name, values in whole.items():
        assert np.array_equal(shuffled[name], values[order]), name
        for k, one in zip((0, 63, 64, 150), single, strict=True):
            assert np.array_equal(one[name][0], values[k]), name
        assert np.array_equal(np.concatenate([s[name] for s in seven]), values[:70]), name
        assert np.array_equal(
            many[name][-100:], np.tile(values, (21, *[1] * (values.ndim - 1)))[3996:4096]
        ), name


def test_masks_depend_on_seed_layer_and_block_alone():
    a = dropout_masks(5, 3, (100, 50), 0.1)
    dropout_masks.cache_clear()
    dropout_masks(5, 2, (100, 50), 0.1)
    assert all(np.array_equal(x, y) for x, y in zip(a, dropout_masks(5, 3, (100, 50), 0.1), strict=True))
    assert not np.array_equal(a[0], dropout_masks(6, 3, (100, 50), 0.1)[0])
    assert not np.array_equal(a[0], dropout_masks(5, 4, (100, 50), 0.1)[0])
    assert set(np.unique(a[0])) == {0.0, np.float32(1 / 0.9)}


@pytest.mark.parametrize("rate", [0.0317, 0.1, 0.5])
def test_masks_are_dropout_and_balanced(rate):
    """Each pass: independent units dropped at the rate. Each block: every unit equally often."""
    dropped = np.array(
        [dropout_masks(0, b, (60,), rate)[0] == 0 for b in range(200)]
    )  # (blocks, passes, units)
    per_block = dropped.sum(axis=1)
    assert per_block.min() >= np.floor(rate * BLOCK)
    assert per_block.max() <= np.floor(rate * BLOCK) + 1
    assert dropped.mean() == pytest.approx(rate, rel=0.02)
    assert dropped.mean(axis=(0, 2)) == pytest.approx(rate, abs=5 * np.sqrt(rate / 12000))
    one_pass = dropped[:, 0].astype(float)  # the first pass of each block: independent draws
    varies = one_pass.std(axis=0) > 0
    correlation = np.corrcoef(one_pass[:, varies].T) - np.eye(varies.sum())
    assert correlation.mean() == pytest.approx(0, abs=0.01)
    assert correlation.std() == pytest.approx(1 / np.sqrt(200), rel=0.35)


def test_balanced_masks_need_fewer_passes(model, rng):
    """Spread of the mutual information over seeds: smaller than with independent masks, on real doubt."""
    from arise_core.descriptor.soap import describe

    shares = np.linspace(0.2, 0.8, 24)[:, None]
    x = []
    for names in (("fcc", "hcp"), ("bcc", "fcc"), ("diamond", "wurtzite")):
        one, other = (describe(arise.build(arise.prototype(name)), model.descriptor) for name in names)
        x.append((1 - shares) * one + shares * other + rng.normal(0, 5e-4, (24, len(one))))
    x = np.concatenate(x)

    def spread(balanced, monkey):
        values = []
        for seed in range(30):
            if not balanced:
                monkey.setattr(model_module, "dropout_masks", lambda s, b, w, r: independent(s, b, w, r))
            values.append(model.predict(x, SamplingSettings(passes=32, seed=seed)).mutual_information)
        return np.std(values, axis=0)

    def independent(seed, block, widths, rate):
        g = np.random.default_rng((seed, block))
        return [((g.random((BLOCK, w)) >= rate) / (1 - rate)).astype(np.float32) for w in widths]

    ours = spread(True, None)
    with pytest.MonkeyPatch.context() as monkey:
        theirs = spread(False, monkey)
    doubtful = theirs > 0.01
    assert doubtful.sum() >= 20
    assert np.median(ours[doubtful] / theirs[doubtful]) < 0.95


def test_adaptive_passes_stop_where_the_error_is_small(small, features):
    tolerance = 0.02
    adaptive = small.predict(features, SamplingSettings(passes=4000, tolerance=tolerance, seed=1))
    assert adaptive.passes.min() < adaptive.passes.max() <= 4000
    done = adaptive.passes < 4000
    assert done.any()
    assert (adaptive.standard_error[done] < tolerance).all()
    reference = small.predict(features, SamplingSettings(passes=4000, seed=99))
    error = np.abs(adaptive.mutual_information - reference.mutual_information)
    assert (error < 3 * np.hypot(adaptive.standard_error, reference.standard_error) + 1e-3).mean() >= 0.99
    assert (adaptive.labels[done] == reference.labels[done]).mean() > 0.98


def test_automatic_tolerance_stops_where_the_error_is_small_beside_the_doubt(small, features):
    adaptive = small.predict(features, SamplingSettings(passes=4000, tolerance="auto", seed=1))
    strict = small.predict(features, SamplingSettings(passes=4000, tolerance=0.01, seed=1))
    reference = small.predict(features, SamplingSettings(passes=4000, seed=99))
    assert adaptive.passes.mean() < strict.passes.mean() / 2
    done = adaptive.passes < 4000
    assert done.any()
    error = np.abs(adaptive.mutual_information - reference.mutual_information)
    stated = np.hypot(adaptive.standard_error, reference.standard_error)
    assert (error < stated).mean() >= 2 / 3
    assert (error < 3 * stated).mean() >= 0.95
    assert (stated[done] < np.maximum(0.021, 0.12 * adaptive.mutual_information[done])).mean() > 0.95
    gap = np.abs(np.diff(np.sort(reference.probabilities, axis=1)[:, -2:], axis=1)[:, 0])
    assert (adaptive.labels == reference.labels)[done & (gap > 0.06)].all()  # elsewhere it is a tie


def test_passes_of_the_first_block_are_the_same_however_they_are_looked_at(small, features):
    """Rows that go on after 8 and 16 passes have had the same masks as those that were never looked at."""
    automatic = small.predict(features, SamplingSettings(passes=32, tolerance="auto"))
    all_at_once = small.predict(features, SamplingSettings(passes=32))
    whole = automatic.passes == 32
    assert whole.any()
    # sums over the passes of a look are in single precision
    assert automatic.probabilities[whole] == pytest.approx(all_at_once.probabilities[whole], abs=1e-6)
    assert automatic.mutual_information[whole] == pytest.approx(
        all_at_once.mutual_information[whole], abs=1e-5
    )


@pytest.mark.parametrize("passes", [1, 5, 20, 40])
def test_automatic_tolerance_takes_no_more_passes_than_are_allowed(small, features, passes):
    found = small.predict(features, SamplingSettings(passes=passes, tolerance="auto"))
    assert found.passes.max() == passes


def test_a_label_that_rare_passes_may_change_is_not_settled():
    """All of 32 passes agree, but their margins scatter so much that others must come: not done; see `RARE`."""
    from arise_core.model.dropout import Statistics

    def settled(deviation, dissenters):
        statistics = Statistics(1, 2)
        p = np.array([[0.999, 0.001]])
        margins = 10.0 + deviation * np.random.default_rng(0).normal(size=32)
        moments = np.array([[0.3, 0.0, 0.0, 0.0, 0.0, margins.sum(), (margins**2).sum()]])
        votes = np.array([[32 - dissenters, dissenters]])
        statistics.add(np.array([0]), [32 * p, 32 * p**2, votes, moments], 32)
        return bool(statistics.settled(np.array([0]), 0.01, None)[0])

    assert settled(1.0, 0)
    assert not settled(2.5, 0)
    assert not settled(5.0, 0)
    assert not settled(5.0, 2)
    assert settled(5.0, 15)


def test_what_is_rejected_beyond_doubt_needs_no_sharp_mutual_information():
    """Standard error of 0.03 bit: enough for a melt, not for a crystal, nor near the threshold or in doubt of it."""
    from arise_core.model.dropout import Statistics

    def settled(score, spread, error=0.03, count=8):
        statistics = Statistics(1, 2)
        p = np.array([[0.9, 0.1]])
        wave = np.resize([-1.0, 1.0], count)
        z = 0.1 + error * np.sqrt(count - 1) * wave
        r = score + spread * np.sqrt(count - 1) * wave
        sums = [[x.sum(), (x**2).sum()] for x in (z, r, np.full(count, 2.0))]
        moments = np.concatenate([[count * 0.3], *sums])[None]
        votes = np.array([[count, 0]])
        statistics.add(np.array([0]), [count * p, count * (p**2 + 1e-6), votes, moments], count)
        return bool(statistics.settled_enough(np.array([0]), 0.2)[0])

    assert settled(0.95, 0.01)
    assert not settled(0.95, 0.01, error=0.05)
    assert not settled(0.05, 0.01)
    assert not settled(0.25, 0.01)
    assert not settled(0.95, 0.2)


@pytest.mark.parametrize("tolerance", ["auto", 0.02, None])
def test_threads_that_each_ask_for_some_rows_say_the_same(small, tolerance):
    """Rows that nothing can be said of among them."""
    x = np.abs(np.random.default_rng(3).normal(size=(3 * runner.LEAST_ROWS + 70, SETTINGS.n_features)))
    x = (x / np.linalg.norm(x, axis=1)[:, None]).astype(np.float32)
    x[5] = np.nan
    sampling = SamplingSettings(passes=80, tolerance=tolerance)
    found = []
    for count in (1, 3):
        threads.set_count(count)
        try:
            found.append(fields(small.predict(x, sampling)))
        finally:
            threads.set_count(None)
    for name, values in found[0].items():
        np.testing.assert_array_equal(values, found[1][name], err_msg=name)


def test_rows_that_nobody_waits_for_are_given_up():
    """Threads end when a job is closed, however many passes they were to make."""
    x = np.arange(2 * runner.MOST_ROWS, dtype=np.float32)[:, None]
    begun, ended = threading.Event(), []

    def ask(some):
        try:
            while some[0, 0] > 0:  # for ever, but for the first rows
                begun.set()
                yield Step(0.5)
            assert begun.wait(60)
            return {"first": some[:, 0]}
        finally:
            ended.append(int(some[0, 0]))

    threads.set_count(2)
    try:
        before = threading.active_count()
        job = runner.ask_in_parts(ask, x)
        assert next(job) == 0.5
        job.close()
        assert sorted(ended) == [0, 1]
        assert threading.active_count() == before
    finally:
        threads.set_count(None)


def test_an_interrupt_ends_all_that_is_asked():
    """Raised while others are waited for, as Ctrl-C is: what nobody wants any more is given up."""
    x = np.arange(2 * runner.MOST_ROWS, dtype=np.float32)[:, None]
    begun, ended = threading.Event(), []

    def ask(some):
        try:
            while some[0, 0] > 0:
                begun.set()
                yield Step(0.5)
            assert begun.wait(60)
            raise KeyboardInterrupt
        finally:
            ended.append(int(some[0, 0]))

    threads.set_count(2)
    try:
        before = threading.active_count()
        with pytest.raises(KeyboardInterrupt):
            run(runner.ask_in_parts(ask, x))
        assert sorted(ended) == [0, 1]
        assert threading.active_count() == before
    finally:
        threads.set_count(None)


def test_threads_that_ask_leave_torch_as_it_was(small):
    """Seen by this thread and by one that begins afterwards."""
    x = np.tile(np.linspace(0, 1, SETTINGS.n_features, dtype=np.float32), (6 * runner.LEAST_ROWS, 1))
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    threads.set_count(3)
    try:
        for _ in range(20):
            small.predict(x, SamplingSettings(passes=8, tolerance=None))
        seen = []
        other = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
        other.start()
        other.join()
        assert [*seen, torch.get_num_threads()] == [3, 3]
    finally:
        threads.set_count(None)
        torch.set_num_threads(before)


def test_a_model_goes_to_other_processes(small, features):
    again = pickle.loads(pickle.dumps(small))
    sampling = SamplingSettings(passes=8)
    for one in (again, deepcopy(small)):
        said = one.predict(features, sampling)
        assert np.array_equal(said.probabilities, small.predict(features, sampling).probabilities)


def test_memory_does_not_grow_with_passes():
    import tracemalloc

    from arise_core.model.dropout import sample

    def peak(passes):
        n, c = 500, 20
        sums = [np.ones((n, c)) / c, np.ones((n, c)), np.ones((n, c)), np.ones((n, 7))]
        tracemalloc.start()
        list(sample(n, c, lambda r, m, q: sums, np.zeros((n, c)), lambda b: [], passes, None, None))
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    assert peak(3200) < 1.2 * peak(160)


def test_progress_foresees_the_work(small, features):
    """A pass for all rows costs as much as any other; rows that are done early make it jump forward, never back."""
    steps = list(small.predict_steps(features, SamplingSettings(passes=10 * BLOCK)))
    assert steps == pytest.approx(np.arange(1, 11) / 10)
    adaptive = list(small.predict_steps(features, SamplingSettings(passes=100 * BLOCK, tolerance=0.02)))
    assert adaptive == sorted(adaptive)
    assert adaptive[-1] == 1.0
    assert len(adaptive) > 3


def test_rows_without_features_are_nan(small, features):
    x = features[:5].copy()
    x[2] = np.nan
    prediction = small.predict(x, SamplingSettings(passes=20))
    assert prediction.labels[2] is None
    assert prediction.index[2] == -1
    assert np.isnan(prediction.probabilities[2]).all()
    assert prediction.passes[2] == 0
    assert not prediction.rejected[2]
    assert prediction.valid.tolist() == [True, True, False, True, True]
    assert np.array_equal(
        prediction.probabilities[3], small.predict(x[3:4], SamplingSettings(passes=20)).probabilities[0]
    )
    nothing_left = small.predict(x[2:3], SamplingSettings(passes=20))
    assert np.isnan(nothing_left.mutual_information).all()
    assert len(small.predict(x[:0], SamplingSettings(passes=20))) == 0


def test_thresholds_of_rejection(small, features):
    prediction = small.predict(features, SamplingSettings(passes=20))
    assert prediction.reject_threshold == 0.5
    assert np.array_equal(prediction.rejected, prediction.reject_score >= 0.5)
    assert not prediction.with_threshold(None).rejected.any()
    assert prediction.with_threshold(0.0).rejected.all()
    with pytest.raises(ValueError, match=r"`reject_threshold` must be in \[0, 1\]"):
        prediction.with_threshold(1.5)


def test_model_without_reject_output_scores_by_entropy(tmp_path, features):
    net = make_network(reject=False)
    export(net, make_card(net, reject=Reject("entropy", 0.6)), tmp_path)
    prediction = load_model(tmp_path).predict(features, SamplingSettings(passes=20))
    assert prediction.reject_score == pytest.approx(prediction.predictive_entropy / np.log2(N_CLASSES))


@pytest.mark.parametrize("kind", ["head", "entropy"])
def test_without_dropout(kind, tmp_path, features):
    """What the network says when nothing is dropped, of rows that have no NaN."""
    net = make_network(reject=kind == "head")
    export(net, make_card(net, reject=Reject(kind, 0.6)), tmp_path)
    model = load_model(tmp_path)
    x = features.copy()
    x[3, 0] = np.nan
    p = model.predict_without_dropout(x)
    assert np.flatnonzero(~p.valid).tolist() == [3]
    with torch.no_grad():
        outputs = net(torch.from_numpy(features)).double()
    expected = torch.softmax(outputs[:, :N_CLASSES], dim=1).numpy()
    good = p.valid
    assert p.probabilities[good] == pytest.approx(expected[good], abs=1e-6)
    entropy = -(expected * np.log2(expected)).sum(axis=1)
    assert p.predictive_entropy[good] == pytest.approx(entropy[good], abs=1e-4)
    score = torch.sigmoid(outputs[:, -1]).numpy() if kind == "head" else entropy / np.log2(N_CLASSES)
    assert p.reject_score[good] == pytest.approx(score[good], abs=1e-5)
    assert p.reject_threshold == 0.6
    assert model.predict_without_dropout(x, reject_threshold=None).reject_threshold is None
    assert (p.passes == 0).all()
    assert (p.mutual_information[good] == 0).all()
    assert np.isinf(p.standard_error[good]).all()
    assert len(model.predict_without_dropout(x[:0])) == 0
    with pytest.raises(ValueError, match=r"`features` must have shape \(n, "):
        model.predict_without_dropout(x[:, :4])


def test_passes_end_where_an_answer_is_beyond_hope(small, features):
    """Rows that more passes would not make sure; those that are sure, or may become so, have as many as without."""
    given = SamplingSettings(passes=200, tolerance="auto")
    every = run(small.predict_steps(features, given))
    for limit in (0.0, 0.05, 0.3, 1.0):
        some = run(small.predict_steps(features, given, hopeless=limit))
        fewer = some.passes < every.passes
        assert (some.passes <= every.passes).all()
        assert (some.passes[fewer] >= BLOCK).all()
        assert (expected_error(some)[fewer] > limit).all()
        assert (expected_error(every)[fewer] > limit).all()
        same = ~fewer
        assert np.array_equal(some.probabilities[same], every.probabilities[same])
        assert fewer.any() == (limit < 1)
    exact = SamplingSettings(passes=64, tolerance=None)
    assert (run(small.predict_steps(features, exact, hopeless=0.0)).passes == 64).all()


def test_representations_are_before_the_relu(small, features):
    net = make_network()
    with torch.no_grad():
        first = net.layers[0](torch.from_numpy(features) @ net.transform).numpy()
    assert small.representations(features, 0) == pytest.approx(first, abs=1e-4)
    assert (first < 0).any()
    assert np.array_equal(small.representations(features, -1), small.representations(features, 1))
    with pytest.raises(ValueError, match="`layer` must be in"):
        small.representations(features, 2)


def test_wrong_features(small):
    with pytest.raises(ValueError, match=r"must have shape \(n, 315\) for model 'small', got \(2, 316\)"):
        small.predict(np.zeros((2, 316)))


def test_torch_threads_are_left_as_they_were(small, features):
    before = torch.get_num_threads()
    small.predict(features, SamplingSettings(passes=20))
    assert torch.get_num_threads() == before


def test_only_the_exporter_touches_torchscript():
    root = ROOT / "arise_core"
    wanted = ("torch.jit.load", "torch.jit.script(", "torch.jit.save", "torch.load(")
    users = {str(p.relative_to(root)) for p in root.rglob("*.py") if any(w in p.read_text() for w in wanted)}
    assert users <= {
        "training/export.py",
        "training/fit.py",
    }  # the latter reads its own checkpoints, weights only
