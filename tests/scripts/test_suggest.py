"""Suggested and random samples compared, in a short form; and that the benchmark suggests as `suggest` does."""

from __future__ import annotations

import numpy as np
import pytest

import arise_core as arise
from arise_core.training.edit_classes import AddSettings, crystals_of
from arise_core.training.recipe import recipe_of
from benchmarks.suggest import __main__ as bench
from benchmarks.suggest import teaching
from benchmarks.suggest.pool import NEW, SHARES, new_crystals, of_crystal, unlabelled
from benchmarks.suggest.teaching import SAMPLING, SUGGESTED, WAYS, Asked, Pool

#: A pool has random crystals that are far from every class: the comparison with all of them takes long.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model():
    return arise.load_model("arise-108")


@pytest.fixture(scope="module")
def structures(model):
    """A few of every kind and of a new crystal, and their labels."""
    samples, old = recipe_of(model.card).samples, crystals_of(model.card)
    makes = [lambda rng, kind=kind: unlabelled(kind, old, samples, rng) for kind in SHARES]
    new = new_crystals(model)[0]
    makes.append(lambda rng: (of_crystal(new, samples, rng), new.label))
    return [make(np.random.default_rng(k)) for k, make in enumerate(makes * 3)]


def test_samples_are_those_that_suggest_names(model, structures):
    features = np.array([arise.describe(s, model.descriptor) for s, _ in structures], dtype=np.float32)
    numbers = [str(k) for k in range(len(structures))]
    labelled = Asked.of(Pool(features, numbers), model).chosen(SUGGESTED, 5, np.random.default_rng(0))
    found = arise.suggest(
        [s for s, _ in structures],
        model,
        5,
        mode="whole",
        unknown=0.5,
        passes=SAMPLING.passes,
        tolerance=None,
    )
    assert labelled.labels == [str(s.source) for s in found]


def test_labels_are_those_of_an_expert(model, structures):
    labels = [label for _, label in structures]
    assert labels.count(NEW[0]) == 3
    assert labels.count("disordered") == 3
    assert labels.count("unknown") == 3
    assert sum(label in model.classes for label in labels) == 6


def test_page_has_every_way(monkeypatch, tmp_path):
    few = AddSettings(
        replay_whole=1, replay_boxes=0, replay_alloys=0, replay_disorder=6, replay_unknown=6, epochs=1
    )
    for module in (bench, teaching):
        monkeypatch.setattr(module, "SETTINGS", few)
    small = {"n": 6, "pool": 40, "pools": 1, "draws": 1, "asked": 20, "asked-new": 2}
    sizes = [part for name, value in small.items() for part in (f"--{name}", str(value))]
    bench.main([*sizes, "--only", NEW[2], "--out", str(tmp_path)])
    text = (tmp_path / "suggest.md").read_text(encoding="utf-8")
    assert all(f"| {way} " in text for way in (bench.BEFORE, *WAYS))
    assert f"| {NEW[2]} " in text
