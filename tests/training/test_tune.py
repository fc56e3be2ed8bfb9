"""The search for hyperparameters: space of the paper, files, resuming, ranking, bad input."""

import csv
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest

import arise_core as arise
from arise_cli import main as cli
from arise_core.crystals.crystal import selected
from arise_core.runtime import threads
from arise_core.runtime.files import zoo_root
from arise_core.testing import global_numpy_state
from arise_core.training import tune as module
from arise_core.training.recipe import parse_recipe, read_recipe, to_toml
from arise_core.training.samples.defects import MILD, DefectSamples
from arise_core.training.tune import RANKING_COLUMNS, TRIAL_COLUMNS, TuneSettings, tune

optuna = pytest.importorskip("optuna")

RECIPE = parse_recipe(
    {
        "name": "three",
        "classes": ["fcc", "bcc", "diamond"],
        "samples": {
            "kind": "perturbed", "pristine": 2, "whole": 6, "boxes": 0, "alloys": 0, "close_packed_alloys": 0,
            "disorder": 0,
        },
        "network": {"inputs": "standardised"},
        "fit": {"epochs": 4, "keep": "best"},
    }
)  # fmt: skip
TINY = TuneSettings(
    trials=4,
    layers=(1, 2),
    widths=(8, 16),
    batch_sizes=(8, 16),
    random_trials=2,
    top=2,
    passes=20,
    warmup=0.0,
)


@pytest.fixture(scope="module", autouse=True)
def one_process():
    """Small work is done here, not in worker processes."""
    threads.set_count(1)
    yield
    threads.set_count(None)


def table(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def squeezed(text):
    """Without the spaces that align the columns of tables."""
    return " ".join(text.split())


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    """A finished search of four trials: ranking and folder."""
    out = tmp_path_factory.mktemp("tune") / "three"
    before = global_numpy_state()
    verbosity = optuna.logging.get_verbosity()
    ranking = tune(RECIPE, out, TINY)
    assert np.array_equal(before, global_numpy_state())
    assert optuna.logging.get_verbosity() == verbosity
    return ranking, out


def test_search_space_of_the_paper():
    """Leitherer et al. (2021), Supplementary Methods; 50 trials, the best 15 ranked (Methods)."""
    s = TuneSettings()
    assert (s.layers, s.widths, s.batch_sizes) == ((2, 3, 4, 5), (256, 512), (64, 128))
    assert (s.learning_rate, s.dropout) == ((1e-4, 1e-2), (0.01, 0.05))
    assert (s.trials, s.top) == (50, 15)


def test_defects_of_the_ranking():
    """Methods: pristine, at most 5 % missing, displacements below 1 %."""
    assert MILD[0] == (0.0, 0.0)
    assert all(missing <= 0.05 and delta < 0.01 for missing, delta in MILD)
    crystals = selected(["fcc", "graphene", "nanotube (5,1)"])
    samples = DefectSamples(levels=((0.0, 0.0), (0.05, 0.006)), draws=2)
    jobs = samples.jobs(RECIPE.settings, 0, crystals)
    assert [job.n_samples for job in jobs] == [4, 4, 4]
    features, labels = jobs[1].compute()
    assert features.shape == (4, RECIPE.settings.n_features)
    assert np.isfinite(features).all()
    assert labels == ["C"] * 4
    assert np.array_equal(features, samples.jobs(RECIPE.settings, 0, crystals)[1].compute()[0])


def test_files(search):
    ranking, out = search
    names = {p.name for p in out.iterdir()}
    assert names >= {
        "study.db",
        "trials.csv",
        "ranking.csv",
        "report.md",
        "model.pt",
        "model.safetensors",
        "card.json",
        "recipe.toml",
    }
    trials = table(out / "trials.csv")
    assert tuple(trials[0]) == TRIAL_COLUMNS
    assert [int(t["trial"]) for t in trials] == [0, 1, 2, 3]
    assert {t["state"] for t in trials} <= {"complete", "pruned"}
    rows = table(out / "ranking.csv")
    assert tuple(rows[0]) == RANKING_COLUMNS
    assert [int(r["trial"]) for r in rows] == [r["trial"] for r in ranking]
    assert len(rows) <= TINY.top
    assert sorted(p.name for p in (out / "trials").iterdir()) == sorted(f"{r['trial']:03d}" for r in ranking)
    assert "| rank | trial |" in squeezed((out / "report.md").read_text())
    for name in ("history", "learning_curves", "slices", "parallel"):
        assert (out / "plots" / f"{name}.png").stat().st_size > 5000


def test_ranking_is_by_defects_first(search):
    keys = [(r["defects"], r["strong_defects"], r["validation_accuracy"]) for r in search[0]]
    assert keys == sorted(keys, reverse=True)
    assert [r["rank"] for r in search[0]] == list(range(1, len(keys) + 1))


def test_winner(search):
    ranking, out = search
    model = arise.load_model(out)
    assert model.classes == tuple(c.label for c in RECIPE.crystals())
    assert "-".join(map(str, model.card.hidden)) == ranking[0]["hidden"]
    recipe = read_recipe(out / "recipe.toml")
    assert model.card.training["recipe"] == recipe.to_dict()
    assert recipe.samples == RECIPE.samples
    assert (recipe.fit.learning_rate, recipe.network.dropout) == (
        ranking[0]["learning_rate"], ranking[0]["dropout"]
    )  # fmt: skip
    for r in table(out / "trials.csv"):
        assert 1e-4 <= float(r["learning_rate"]) <= 1e-2
        assert 0.01 <= float(r["dropout"]) <= 0.05
        assert all(int(n) in (8, 16) for n in r["hidden"].split("-"))


@pytest.fixture
def no_plots(monkeypatch):
    """Pictures, which `test_files` looks at, are half of the work of a small search."""
    monkeypatch.setattr(module, "_plots", lambda *_: None)


@pytest.mark.usefixtures("no_plots")
def test_interrupted_search_goes_on(tmp_path, monkeypatch):
    real, calls = module.fit_steps, []

    def stop_at_second(*arguments, **options):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    out = tmp_path / "three"
    monkeypatch.setattr(module, "fit_steps", stop_at_second)
    settings = replace(TINY, trials=2)
    with pytest.raises(KeyboardInterrupt):
        tune(RECIPE, out, settings)
    tune(RECIPE, out, settings)
    assert [t["state"] for t in table(out / "trials.csv")] == ["complete", "fail", "complete"]
    assert len(calls) == 3
    tune(RECIPE, out, settings)  # nothing left to do
    assert len(calls) == 3
    tune(RECIPE, out, replace(settings, trials=3))  # one more
    assert len(calls) == 4
    first, stopped, again, last = (t["learning_rate"] for t in table(out / "trials.csv"))
    assert stopped == again
    assert len({first, again, last}) == 3


@pytest.mark.usefixtures("no_plots")
def test_bad_trials_are_stopped_early(tmp_path, monkeypatch):
    """A trial whose validation accuracy stays below the median of those before it does not use its epochs."""
    accuracies = iter([0.9] * 4 + [0.8] * 4 + [0.1] * 4)
    real = module.fit_steps

    def with_given_accuracies(*arguments, after_epoch, **options):
        return real(*arguments, after_epoch=lambda epoch, _: after_epoch(epoch, next(accuracies)), **options)

    monkeypatch.setattr(module, "fit_steps", with_given_accuracies)
    tune(RECIPE, tmp_path, replace(TINY, trials=3))
    assert [(t["state"], t["epochs"]) for t in table(tmp_path / "trials.csv")] == [
        ("complete", "4"), ("complete", "4"), ("pruned", "1"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("recipe", "settings", "message"),
    [
        (replace(RECIPE, seed=1), TINY, r"another recipe.seed \(42, now 1\)"),
        (
            RECIPE,
            replace(TINY, dropout=(0.0, 0.1)),
            r"another space.dropout \(\[0.01, 0.05\], now \[0.0, 0.1\]\)",
        ),
    ],
)
def test_other_searches_are_refused(search, recipe, settings, message):
    with pytest.raises(ValueError, match=rf"`out` '.*three' was made with {message}; nothing was changed"):
        tune(recipe, search[1], settings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trials": 0}, "`trials` must be at least 1, got 0"),
        ({"top": 0}, "`top` must be at least 1"),
        ({"epochs": -1}, "`epochs` must not be negative, got -1"),
        ({"layers": ()}, "`layers` must be positive numbers"),
        ({"learning_rate": (1e-2, 1e-4)}, "`learning_rate` must be a range"),
        ({"dropout": (0.1, 1.0)}, r"`dropout` must be a range in \[0, 1\)"),
        ({"warmup": 2.0}, r"`warmup` must be in \[0, 1\], got 2.0"),
    ],
)
def test_bad_settings(change, message):
    with pytest.raises(ValueError, match=message):
        replace(TINY, **change)


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["arise", *map(str, arguments)])
    code = 0
    try:
        cli.main()
    except SystemExit as end:
        code = int(end.code or 0)
    return code, *capsys.readouterr()


def test_missing_optuna_is_said_before_work(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "optuna", None)
    recipe = zoo_root() / "arise-108" / "recipe.toml"
    code, _, err = run(monkeypatch, capsys, "tune", recipe, "--out", tmp_path / "out")
    assert code == 1
    assert "needs Optuna, which is not installed: python -m pip install 'arise-core[train]'" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("no_plots")
def test_command(search, tmp_path, monkeypatch, capsys):
    recipe = tmp_path / "three.toml"
    recipe.write_text(to_toml(RECIPE))
    assert read_recipe(recipe) == RECIPE
    monkeypatch.setattr(module, "TuneSettings", lambda: TINY)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        code, out, _ = run(monkeypatch, capsys, "tune", recipe, "--out", search[1], "--trials", "4")
    assert code == 0
    assert "| rank | trial |" in squeezed(out)
    code, _, err = run(monkeypatch, capsys, "tune", recipe, "--out", search[1], "--trials", "0")
    assert code == 1
    assert "`trials` must be at least 1, got 0" in err
    code, _, err = run(monkeypatch, capsys, "tune", tmp_path / "none.toml", "--out", tmp_path / "x")
    assert code == 1
    assert "none.toml' does not exist" in err
