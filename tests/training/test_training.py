"""From a recipe to a model: samples, fitting and export, reproducibility, interrupts."""

import csv
import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch

import arise_core as arise
from arise_core.crystals.crystal import prototype_crystals
from arise_core.crystals.naming import DISORDERED, UNKNOWN
from arise_core.crystals.table import prototypes
from arise_core.geometry import builders
from arise_core.progress import silent
from arise_core.runtime import threads
from arise_core.runtime.ledger import Ledger, facts
from arise_core.settings import DescriptorSettings, SamplingSettings
from arise_core.testing import global_numpy_state
from arise_core.training import fit as fitting
from arise_core.training.fit import LOG_COLUMNS, fit, fit_steps, input_map, split
from arise_core.training.recipe import NetworkSettings, parse_recipe
from arise_core.training.samples.mixture import PerturbedSamples
from arise_core.training.train import class_table, gather, targets_of, train

SMALL = {
    "name": "small",
    "samples": {
        "kind": "perturbed", "pristine": 0, "whole": 1, "boxes": 1, "alloys": 0, "close_packed_alloys": 2,
        "disorder": 20, "unknown": 10, "settings": {"unknown": {"strain_step": 0.1}},
    },
    "network": {"hidden": [32, 32], "reject": True, "inputs": "whitened", "components": 50},
    "fit": {"epochs": 7, "batch_size": 64, "learning_rate": 1e-3, "schedule": "cosine", "keep": "last"},
}  # fmt: skip


#: Classes of a model that is trained from recipe to file.
FEW = ("fcc", "bcc", "hcp", "diamond", "rock salt", "CsCl (B2)", "wurtzite", "zinc blende")


def small(**changes):
    return parse_recipe({**SMALL, **changes})


@pytest.fixture(scope="module", autouse=True)
def one_process():
    """Small work is done here, not in worker processes."""
    threads.set_count(1)
    yield
    threads.set_count(None)


@pytest.fixture(scope="module")
def samples():
    """All samples of the small recipe."""
    return gather(small())


def test_every_class_is_sampled(samples):
    features, labels = samples
    assert features.shape == (len(labels), DescriptorSettings.corrected().n_features)
    assert np.isfinite(features).all()
    counts = {label: labels.count(label) for label in set(labels)}
    assert set(counts) == {p.label for p in prototypes()} | {DISORDERED, UNKNOWN}
    assert counts[DISORDERED] == 20
    assert counts[UNKNOWN] == 10
    assert counts["fcc_Cu_A_cF4_225_a"] == 1 + 1 + 2  # whole, box, alloys
    assert counts["armchair_cnt_nm_3_3_30.0_4.07"] == 1  # no boxes of nanotubes


def test_samples_depend_on_the_seed_alone(samples, tmp_path):
    """Those of unknown crystals, which come last and take long, have a test of their own."""
    recipe = small()
    jobs = recipe.samples.jobs(recipe.settings, recipe.seed)
    some = (50, 150, len(jobs) - 2)
    again = [jobs[k].compute()[0] for k in some]
    others = recipe.samples.jobs(recipe.settings, recipe.seed + 1)
    start = np.cumsum([0, *(job.n_samples for job in jobs)])
    for k, features in zip(some, again, strict=True):
        assert np.array_equal(features.astype(np.float32), samples[0][start[k] : start[k + 1]])
        assert not np.array_equal(features, others[k].compute()[0])


def test_split_is_stratified_with_state_42():
    targets = np.repeat(np.arange(-1, 108), 10)
    train_part, validation = split(targets)
    assert np.array_equal(train_part, split(targets)[0])
    assert len(validation) == 0.2 * len(targets)
    assert (np.bincount(targets[validation] + 1) == 2).all()
    assert set(train_part) | set(validation) == set(range(len(targets)))


@pytest.mark.parametrize("inputs", ["standardised", "whitened"])
def test_input_map(samples, inputs):
    features = samples[0].astype(np.float64)
    mean, transform = input_map(
        features, NetworkSettings(inputs=inputs, components=0, smallest_variance=1e-12)
    )
    mapped = (features - mean.double().numpy()) @ transform.double().numpy()
    used = mapped.std(axis=0) > 1e-3
    assert used.any()
    if inputs == "standardised":
        assert np.allclose(mapped.std(axis=0)[used], 1, atol=1e-3)
    else:
        first = mapped[:, :30]
        correlation = np.corrcoef(first.T)
        assert np.abs(correlation - np.eye(30)).max() < 0.02


def fitted(samples, out, recipe=None, progress=silent):
    recipe = recipe or small()
    targets = targets_of(samples[1], class_table(prototype_crystals()))
    ledger = Ledger.open(out, facts(recipe=recipe.to_dict()))
    return fit(*doubled(samples[0], targets), 108, recipe, ledger, progress)


def doubled(features, targets):
    """Every sample three times, so that each class has enough to be split."""
    return np.tile(features, (3, 1)), np.tile(targets, 3)


def weights(result):
    return {k: v.numpy().copy() for k, v in result.network.state_dict().items()}


def test_same_seed_same_weights(samples, tmp_path):
    a, b = (weights(fitted(samples, tmp_path / name)) for name in "ab")
    assert all(np.array_equal(a[k], b[k]) for k in a)
    other = weights(fitted(samples, tmp_path / "c", small(seed=1)))
    assert not np.array_equal(a["layers.0.weight"], other["layers.0.weight"])


def test_input_noise_is_of_the_samples_and_from_the_seed(samples, tmp_path):
    """It comes in anew at each epoch, so that what was learnt once does not fit as well the next time."""
    recipe = small()
    noisy = dataclasses.replace(recipe, fit=dataclasses.replace(recipe.fit, input_noise=0.5))
    a, b = (fitted(samples, tmp_path / name, noisy) for name in "ab")
    assert all(np.array_equal(weights(a)[k], weights(b)[k]) for k in weights(a))
    plain = fitted(samples, tmp_path / "c", recipe)
    assert not np.array_equal(weights(a)["layers.0.weight"], weights(plain)["layers.0.weight"])
    assert a.accuracy < plain.accuracy


def averaging(average, **changes):
    """The small recipe with an average of the weights at the end."""
    return small(fit={**SMALL["fit"], "average": average, **changes})


def test_average_of_the_weights_after_the_last_steps(samples):
    """One step an epoch, so that the weights after each step can be seen: the mean of the last three is kept."""
    recipe = averaging(0.4, batch_size=100_000, average_rate=5e-3)
    targets = targets_of(samples[1], class_table(prototype_crystals()))
    work = fitting._Fit(*doubled(samples[0], targets), 108, recipe, None)
    seen = []
    for _ in range(7):
        work.next_epoch()
        seen.append({k: v.numpy().copy() for k, v in work.network.state_dict().items()})
    kept = weights(work.fitted())
    for name, values in kept.items():
        assert np.allclose(values, np.mean([s[name] for s in seen[4:]], axis=0), rtol=1e-5, atol=1e-6)
    assert not np.allclose(kept["layers.0.weight"], seen[-1]["layers.0.weight"], atol=1e-4)
    rates = [row["learning_rate"] for row in work.rows]
    assert rates[4:] == [5e-3] * 3
    expected = 5e-3 + (1e-3 - 5e-3) * 0.5 * (1 + np.cos(np.pi * np.arange(4) / 4))
    assert np.allclose(rates[:4], expected)


def test_what_is_averaged_is_validated(samples, tmp_path):
    """The last row of the log says how good the kept weights are, not those of the last step."""
    result = fitted(samples, tmp_path, averaging(0.6))
    targets = targets_of(samples[1], class_table(prototype_crystals()))
    features, targets = doubled(samples[0], targets)
    _, validation = split(targets)
    with torch.inference_mode():
        outputs = result.network(torch.from_numpy(features[validation].astype(np.float32)))
    right = fitting.correct(outputs, torch.from_numpy(targets[validation]), 108)
    assert result.validation_accuracy == float(right.float().mean())


def test_without_an_average_a_recipe_is_what_it_was():
    """Old recipes, and cards that hold them, say nothing of it; the learning rate is that of before to the last bit."""
    recipe = small()
    assert not {"average", "average_rate"} & set(recipe.to_dict()["fit"])
    assert recipe.fit.before_average == 7
    rates = [fitting._rate(recipe.fit, step, 70) for step in range(70)]
    assert rates == [float(1e-3 * 0.5 * (1 + np.cos(np.pi * step / 70))) for step in range(70)]
    assert averaging(0.4).to_dict()["fit"]["average"] == 0.4
    assert parse_recipe(averaging(0.4).to_dict()) == averaging(0.4)
    assert averaging(0.01).fit.before_average == 6


@pytest.mark.parametrize("average", [0.0, 0.8])
def test_interrupted_fit_goes_on_to_the_same_weights(samples, tmp_path, monkeypatch, average):
    monkeypatch.setattr(fitting, "CHECKPOINT_EVERY", 2)
    recipe = averaging(average)
    whole = weights(fitted(samples, tmp_path / "whole", recipe))

    class Stop(Exception):
        pass

    real, calls = Ledger.write, []

    def stop_at_second(self, name, writer):
        def half(path):
            calls.append(path)
            path.write_bytes(b"half a file")
            if len(calls) == 2:
                raise Stop
            writer(path)

        real(self, name, half)

    monkeypatch.setattr(Ledger, "write", stop_at_second)
    with pytest.raises(Stop):
        fitted(samples, tmp_path / "part", recipe)
    monkeypatch.setattr(Ledger, "write", real)
    names = sorted(p.name for p in (tmp_path / "part").iterdir())
    assert names == ["checkpoint.pt", "ledger.json", "training.csv"]
    resumed = weights(fitted(samples, tmp_path / "part", recipe))
    assert all(np.array_equal(whole[k], resumed[k]) for k in whole)
    with open(tmp_path / "part" / "training.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == LOG_COLUMNS
    assert [int(r["epoch"]) for r in rows] == list(range(1, 8))
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])


def test_checkpoint_of_another_recipe_is_refused(samples, tmp_path):
    """The folder knows what it holds; a checkpoint put there from another folder, and a damaged one, are found out."""
    fitted(samples, tmp_path / "a")
    with pytest.raises(ValueError, match=r"was made with another recipe.seed \(42, now 3\)"):
        fitted(samples, tmp_path / "a", small(seed=3))
    other = Ledger.open(tmp_path / "b", facts(recipe=small(seed=3).to_dict()))
    shutil.copy(tmp_path / "a" / "checkpoint.pt", other.part("checkpoint.pt"))
    with pytest.raises(ValueError, match=r"b/checkpoint.pt' belongs to other work than its folder"):
        fitted(samples, tmp_path / "b", small(seed=3))
    other.part("checkpoint.pt").write_bytes((tmp_path / "a" / "checkpoint.pt").read_bytes()[:1000])
    with pytest.raises(OSError, match=r"b/checkpoint.pt' is damaged .*; remove it, and it is made again"):
        fitted(samples, tmp_path / "b", small(seed=3))


def test_fit_stopped_at_an_epoch_goes_on_to_the_same_weights(samples, tmp_path):
    """Closed at its first step it keeps that epoch; the caller's generator and threads are as they were meanwhile."""
    whole = weights(fitted(samples, tmp_path / "whole"))
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    targets = targets_of(samples[1], class_table(prototype_crystals()))
    ledger = Ledger.open(tmp_path / "part", facts(recipe=small().to_dict()))
    job = fit_steps(*doubled(samples[0], targets), 108, small(), ledger)
    step = next(job)
    assert step == 1 / 7
    assert step.message.startswith("validation accuracy 0.")
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    job.close()
    assert sorted(p.name for p in ledger.folder.iterdir()) == ["checkpoint.pt", "ledger.json", "training.csv"]
    seen = []
    resumed = weights(fitted(samples, tmp_path / "part", progress=seen.append))
    assert seen[0] == 2 / 7
    assert all(np.array_equal(whole[k], resumed[k]) for k in whole)


def test_train_from_recipe_to_model(tmp_path, monkeypatch):
    """The whole way, interrupted once while sampling; the model loads and its card is complete."""
    from arise_core.training import train as module

    monkeypatch.setattr(module, "PART_SIZE", 20)
    monkeypatch.setattr(module, "split", lambda t: split(np.asarray(t)))
    samples = {**SMALL["samples"], "pristine": 3, "whole": 1, "boxes": 0}
    recipe = small(samples=samples, classes=list(FEW))
    seen = []

    def interrupt(step):
        seen.append(step)
        if len(seen) == 1:
            raise KeyboardInterrupt

    out = tmp_path / "model"
    with pytest.raises(KeyboardInterrupt):
        train(recipe, out, interrupt)
    kept = {p.name: p.stat().st_mtime_ns for p in (out / "samples").iterdir()}
    assert kept
    assert not any(".part" in name for name in kept)
    model = train(recipe, out, interrupt)
    assert seen[1:] == sorted(seen[1:])
    assert seen[-1] == 1.0
    assert all((out / "samples" / name).stat().st_mtime_ns == time for name, time in kept.items())
    assert model.name == "small"
    assert model.classes == tuple(c.label for c in recipe.crystals())
    assert len(model.classes) == len(FEW)
    card = model.card
    assert card.training["recipe"] == json.loads((out / "ledger.json").read_text())["facts"]["recipe"]
    assert card.training["samples"] == 4 * 8 * 3 + 8 + 6 + 20 + 10
    assert (card.training["disordered_samples"], card.training["unknown_samples"]) == (20, 10)
    assert 0 < card.accuracy["validation_split"] <= 1
    assert card.reject.kind == "head"
    structures = [arise.build(arise.prototype(n)) for n in ("fcc", "graphene")]
    assert len(arise.classify(structures, model, passes=10)) == 2
    with pytest.raises(
        ValueError, match=r"was made with another recipe.seed \(42, now 9\); nothing was changed. Choose"
    ):
        train(dataclasses.replace(recipe, seed=9), out)


def test_global_generators_are_left_alone(samples, tmp_path):
    before = global_numpy_state()
    PerturbedSamples(counts={"whole": 1}).jobs(DescriptorSettings.corrected(), 0)[400].compute()
    assert np.array_equal(before, global_numpy_state())
    torch_before = torch.get_rng_state()
    fitted(samples, tmp_path / "a")
    assert torch.equal(torch_before, torch.get_rng_state())


# --- the models that ship ---------------------------------------------------------------------------------


def test_default_model_on_defects_of_the_paper(model):
    """One random structure a class and defect: at least 98 % right (the full table is in docs/benchmarks)."""
    from arise_core.crystals.ideal import supercells
    from arise_core.descriptor.soap import describe

    rng = np.random.default_rng(0)
    features, labels = [], []
    for p in prototypes():
        for delta, share in ((0.04, 0.0), (0.0, 0.2)):
            s = supercells(p, periodic=bool(rng.integers(2)) and p.dimension > 1)[0]
            defective = builders.displace(builders.remove_atoms(s, share, rng), delta, rng)
            features.append(describe(defective, model.descriptor))
            labels.append(p.label)
    prediction = model.predict(np.array(features), SamplingSettings(passes=100))
    assert (prediction.labels == np.array(labels, dtype=object)).mean() >= 0.98
