"""Training jobs closed at any step: no process, no half file; the next one goes on to the same result."""

import csv
import multiprocessing
import os
from dataclasses import replace

import numpy as np
import pytest
import torch

from arise_core.runtime import ledger, threads
from arise_core.runtime.files import zoo_root
from arise_core.training import train as module
from arise_core.training.edit_classes import AddSettings, add_classes_steps
from arise_core.training.recipe import Further, parse_recipe
from arise_core.training.train import gather_steps, train, train_steps
from arise_core.training.tune import TuneSettings, tune, tune_steps
from benchmarks.robustness.works import RECIPE

SEARCH = TuneSettings(
    trials=3,
    layers=(1, 2),
    widths=(8, 16),
    batch_sizes=(8, 16),
    random_trials=1,
    top=2,
    passes=20,
    warmup=1.0,
)


@pytest.fixture
def one_process():
    """Small work is done here, not in worker processes."""
    threads.set_count(1)
    yield
    threads.set_count(None)


@pytest.fixture
def two_processes():
    threads.set_count(2)
    yield
    threads.set_count(None)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Several parts, and steps, of little work."""
    monkeypatch.setattr(module, "PART_SIZE", 5)


def files(folder):
    """Names and times of all files."""
    return {p.relative_to(folder).as_posix(): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def log(folder):
    """The training log without the times."""
    with open(folder / "training.csv", encoding="utf-8", newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def environment():
    """What it says of threads."""
    return {k: v for k, v in os.environ.items() if k.endswith("_NUM_THREADS")}


@pytest.mark.usefixtures("two_processes")
def test_sampling_closed_leaves_no_process_and_no_half_file(tmp_path):
    before = environment()
    work = ledger.Ledger.open(tmp_path, ledger.facts(recipe=RECIPE.to_dict()))
    job = gather_steps(RECIPE, work)
    step = next(job)
    assert 0 < step < 1
    assert step.message.endswith(" samples")
    assert multiprocessing.active_children()
    assert environment() == before  # a job that waits changes nothing for others
    assert threads.count() == 2
    job.close()
    assert not multiprocessing.active_children()
    kept = files(tmp_path)
    assert sorted(kept) == ["ledger.json", "samples/part-0000.npz"]
    threads.set_count(1)
    assert 0 < len(list(gather_steps(RECIPE, work))) == len(files(tmp_path)) - 2  # a step each of the others
    assert files(tmp_path)["samples/part-0000.npz"] == kept["samples/part-0000.npz"]


FURTHER = replace(
    RECIPE,
    further=Further(
        samples=RECIPE.samples.at_most({"whole": 5}, others=0),
        fit=replace(RECIPE.fit, epochs=2, learning_rate=1e-4),
    ),
)


@pytest.mark.usefixtures("one_process")
def test_further_training_goes_on_from_the_first(tmp_path):
    first = train(RECIPE, tmp_path / "first")
    whole = train(FURTHER, tmp_path / "whole")
    assert log(tmp_path / "first") == log(tmp_path / "whole")
    assert len(log(tmp_path / "whole" / "further")) == 2
    assert parse_recipe(whole.card.training["recipe"]) == FURTHER
    assert whole.card.training["samples"] < first.card.training["samples"]
    assert whole.card.weights_sha256 != first.card.weights_sha256
    assert np.array_equal(first.weights()["mean"], whole.weights()["mean"])
    second = train(FURTHER, tmp_path / "second", start=first)
    assert second.card.weights_sha256 == whole.card.weights_sha256
    assert second.card.training["start"] == {"name": "three", "weights_sha256": first.card.weights_sha256}
    out = tmp_path / "cut"
    steps = 0
    while next(job := train_steps(FURTHER, out)) < 1.0:
        job.close()
        steps += 1
    job.close()
    assert steps > RECIPE.fit.epochs + 2
    assert train(FURTHER, out).card.weights_sha256 == whole.card.weights_sha256
    with pytest.raises(
        ValueError, match="`start` 'three' is not what the first training of the recipe makes"
    ):
        train(FURTHER, tmp_path / "third", start=whole)
    other = replace(FURTHER, seed=5)
    with pytest.raises(ValueError, match="`start` 'three' is not what"):
        train(other, tmp_path / "third", start=first)
    with pytest.raises(ValueError, match="`start` 'three' is for recipes with a further training"):
        train(RECIPE, tmp_path / "third", start=first)
    assert not (tmp_path / "third").exists()


@pytest.mark.usefixtures("one_process")
def test_the_mean_of_the_weights_of_members_is_kept(tmp_path):
    more = replace(FURTHER.further, members=3, fit=replace(FURTHER.further.fit, share=0.7))
    recipe = replace(FURTHER, further=more)
    whole = train(recipe, tmp_path / "whole")
    folder = tmp_path / "whole" / "further"
    places = (folder, folder / "member-2", folder / "member-3")
    logs = [log(place) for place in places]
    assert [len(rows) for rows in logs] == [2, 2, 2]
    assert logs[0] != logs[1] != logs[2]
    kept = [torch.load(place / "checkpoint.pt")["state"]["best"]["weights"] for place in places]
    weights = whole.weights()
    for name, value in weights.items():
        mean = np.mean([members[name].numpy() for members in kept], axis=0, dtype=np.float64)
        np.testing.assert_allclose(value, mean, rtol=1e-5, atol=1e-6)
    assert not np.array_equal(weights["layers.0.weight"], kept[0]["layers.0.weight"])
    out = tmp_path / "cut"
    while next(job := train_steps(recipe, out)) < 1.0:
        job.close()
    job.close()
    assert train(recipe, out).card.weights_sha256 == whole.card.weights_sha256


@pytest.mark.usefixtures("one_process")
def test_further_training_keeps_the_threshold_of_the_first(tmp_path):
    samples = RECIPE.samples.with_counts({"disorder": 30})
    network = replace(RECIPE.network, reject=True, thresholds=(0.0, 1.0))
    first = train(replace(RECIPE, samples=samples, network=network), tmp_path / "first")
    further = replace(FURTHER.further, samples=samples.at_most({"whole": 5, "disorder": 20}, others=0))
    second = train(replace(FURTHER, samples=samples, network=network, further=further), tmp_path / "second")
    before, after = first.card.reject, second.card.reject
    assert 0 < before.threshold < 1
    assert after.threshold == before.threshold
    assert after.false_reject_rate != before.false_reject_rate


@pytest.mark.usefixtures("one_process")
def test_training_closed_at_every_step_gives_the_same_model(tmp_path):
    whole = train(RECIPE, tmp_path / "whole")
    starts = 0
    out = tmp_path / "cut"
    done = False
    fractions = []
    while not done:
        job = train_steps(RECIPE, out)
        fractions.append(next(job))
        done = fractions[-1] == 1.0
        job.close()
        starts += 1
        assert not [name for name in files(out) if ".part" in name]
    parts = len(list((out / "samples").iterdir()))
    assert parts > 2
    assert starts == parts + RECIPE.fit.epochs + 1
    assert fractions == sorted(set(fractions))
    model = train(RECIPE, out)
    assert model.card.weights_sha256 == whole.card.weights_sha256
    assert model.card.accuracy == whole.card.accuracy
    assert log(out) == log(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.usefixtures("one_process")
def test_a_search_closed_twice_finds_the_same(tmp_path):
    """Once while sampling, once within the second trial, which is then made again."""
    whole = tune(RECIPE, tmp_path / "whole", SEARCH)
    out = tmp_path / "cut"
    job = tune_steps(RECIPE, out, SEARCH)
    next(job)
    job.close()
    assert sorted(files(out)) == ["ledger.json", "samples/part-0000.npz"]
    job = tune_steps(RECIPE, out, SEARCH)
    for step in job:
        if step.message.startswith("trial 1: "):
            break
    job.close()
    assert sorted(p.name for p in (out / "trials").iterdir()) == ["000"]
    found = tune(RECIPE, out, SEARCH)

    def without_numbers(ranking):
        return [{k: v for k, v in row.items() if k != "trial"} for row in ranking]

    assert without_numbers(found) == without_numbers(whole)
    cards = [(folder / "card.json").read_text(encoding="utf-8") for folder in (out, tmp_path / "whole")]
    assert cards[0] == cards[1]
    with open(out / "trials.csv", encoding="utf-8", newline="") as file:
        assert [t["state"] for t in csv.DictReader(file)] == ["complete", "fail", "complete", "complete"]


@pytest.mark.usefixtures("one_process")
def test_adding_classes_closed_leaves_an_empty_folder(tmp_path):
    from ase.io import write
    from ase.spacegroup import crystal

    fluorite = crystal(
        ["Ca", "F"], [(0, 0, 0), (0.25, 0.25, 0.25)], spacegroup=225, cellpar=[5.46] * 3 + [90] * 3
    )
    write(tmp_path / "fluorite.cif", fluorite)
    train(replace(RECIPE, classes=("fcc", "bcc")), tmp_path / "base")
    for _ in range(2):  # the second is not kept from the folder by what the first left
        job = add_classes_steps(
            [tmp_path / "fluorite.cif"], [], tmp_path / "out", model=tmp_path / "base",
            settings=AddSettings(whole=1, replay_whole=1, epochs=1, allow_similar=True),
        )  # fmt: skip
        assert 0.02 < next(job) < 0.7
        job.close()
        assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    "work", [train, lambda recipe, out: tune(recipe, out, SEARCH)], ids=["train", "tune"]
)
def test_work_of_another_version_is_refused(tmp_path, monkeypatch, work):
    ledger.Ledger.open(tmp_path, ledger.facts(recipe=RECIPE.to_dict(), space=SEARCH.space()))
    before = files(tmp_path)
    monkeypatch.setattr(ledger, "package_version", lambda: "99.1")
    with pytest.raises(
        ValueError, match=r"another version of arise-core \('.*', now '99.1'\).*nothing was changed"
    ):
        work(RECIPE, tmp_path)
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("work", "name"),
    [
        (train, "recipe.json"),
        (train, "samples"),
        (train, "checkpoint.pt"),
        (lambda recipe, out: tune(recipe, out, SEARCH), "study.db"),
    ],
    ids=["recipe", "samples", "checkpoint", "study"],
)
def test_work_without_a_note_is_refused(tmp_path, work, name):
    (tmp_path / name).write_text("{}")
    with pytest.raises(
        ValueError, match=rf"`out` '.*' \({name} without ledger.json\) has other contents, or work"
    ):
        work(RECIPE, tmp_path)
    assert list(files(tmp_path)) == [name]


def test_files_beside_the_work_are_no_hindrance(tmp_path):
    """A recipe may lie in the folder of its model, as in the zoo."""
    (tmp_path / "recipe.toml").write_bytes((zoo_root() / "arise-108" / "recipe.toml").read_bytes())
    job = train_steps(RECIPE, tmp_path)
    threads.set_count(1)
    try:
        next(job)
    finally:
        threads.set_count(None)
        job.close()
    assert sorted(files(tmp_path)) == ["ledger.json", "recipe.toml", "samples/part-0000.npz"]


def test_training_overwrites_no_model(tmp_path):
    (tmp_path / "model.pt").write_text("mine")
    with pytest.raises(ValueError, match=r"model.pt without ledger.json.*nothing was changed"):
        train(parse_recipe({"name": "x", "samples": {"kind": "paper"}}), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["model.pt"]
