"""A class more from a few labelled samples: which are labelled, and the fit."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

import arise_core as arise
from arise_core.crystals.crystal import Crystal
from arise_core.crystals.naming import DISORDERED, UNKNOWN
from arise_core.explore.suggestions import doubts, spread_out
from arise_core.geometry.arrays import Float32Array
from arise_core.model.classes import ClassTable
from arise_core.progress import run
from arise_core.settings import LAYER, SamplingSettings
from arise_core.training.edit_classes import (
    AddSettings,
    crystals_of,
    fine_tuning,
    grown,
    reduced,
    unknown_only,
)
from arise_core.training.edit_report import unsaved
from arise_core.training.fit import fit_steps
from arise_core.training.recipe import recipe_of
from arise_core.training.samples.mixture import PerturbedSamples
from arise_core.training.train import SamplePlan, collect_steps, targets_of
from benchmarks.suggest.pool import Pool

SAMPLING = SamplingSettings(passes=200)
UNKNOWN_BITS = 0.5
#: A third of the samples of `arise add-class` to remember the old classes by, and fewer epochs: there are many fits.
SETTINGS = AddSettings(
    replay_whole=4, replay_boxes=6, replay_alloys=12, replay_disorder=100, replay_unknown=100, epochs=8
)
#: As many samples of a new class `arise add-class` makes; labelled ones are taken several times.
WEIGHT = SETTINGS.whole + SETTINGS.boxes
#: Ways to choose what is labelled.
WAYS = SUGGESTED, NO_UNKNOWN, NO_SPREAD, REJECTED, RANDOM, ALL = (
    "suggested, `unknown=0.5`",
    "suggested, `unknown=0`",
    "`unknown=0.5`, `spread=0`",
    "random, of the rejected",
    "random",
    "all of them",
)


def remembered(model: arise.Model, new: tuple[Crystal, ...], seed: int) -> tuple[Pool, PerturbedSamples]:
    """Samples of the old classes, of disorder and of other crystals, and the recipe's samples."""
    samples = recipe_of(model.card).samples
    assert isinstance(samples, PerturbedSamples)
    old = crystals_of(model.card)
    plans = [
        SamplePlan(samples=reduced(samples, SETTINGS), settings=model.descriptor, seed=seed, crystals=old),
        SamplePlan(
            samples=unknown_only(samples, SETTINGS), settings=model.descriptor, seed=seed + 3,
            crystals=(*old, *new),
        ),
    ]  # fmt: skip
    return Pool(*run(collect_steps(plans, 8))), samples


@dataclass(frozen=True)
class Asked:
    """A pool, and what the model says of it."""

    pool: Pool
    prediction: arise.Prediction
    vectors: Float32Array  # (n, width)

    @classmethod
    def of(cls, pool: Pool, model: arise.Model) -> Asked:
        """Ask the model."""
        vectors = model.representations(pool.features, LAYER)
        return cls(pool, model.predict(pool.features, SAMPLING), vectors)

    def chosen(self, way: str, n: int, rng: np.random.Generator) -> Pool:
        """Structures that are labelled; the suggestions are those of `arise.suggest`."""
        if way == RANDOM:
            rows = rng.permutation(len(self.pool))[:n]
        elif way == ALL:
            rows = np.arange(len(self.pool))
        elif way == REJECTED:
            rows = rng.permutation(np.flatnonzero(self.prediction.rejected))[:n]
        else:
            doubt = doubts(self.prediction, 0.0 if way == NO_UNKNOWN else UNKNOWN_BITS)
            rows = spread_out(self.vectors, doubt, n, spread=0.0 if way == NO_SPREAD else 1.0)[0]
        return self.pool.of(rows)


@dataclass(frozen=True)
class Score:
    """Of a model that was taught a class more, on structures that it was not taught."""

    new_labelled: int  # samples of the new class among those labelled
    recall: float  # share of the new crystal's structures that get its name
    accuracy: float  # share of the classes' structures that get theirs
    rejected: float  # share of melts and of other crystals that are rejected
    taken_for_it: float  # share of all others that get the new name


def taught(model: arise.Model, new: Crystal, memory: Pool, labelled: Pool, test: Pool, seed: int) -> Score:
    """Teach a class from labelled samples, and ask about others.

    Samples of the new class count `WEIGHT` together, whatever their number; others each as one of fifty of it.
    """
    classes = ClassTable.of((*model.class_info, new.info))
    targets = targets_of(labelled.labels, classes)
    mine = np.flatnonzero(targets == len(model.classes))
    rest = np.flatnonzero(targets != len(model.classes))
    rows = np.concatenate([np.resize(mine, WEIGHT if len(mine) else 0), np.repeat(rest, round(WEIGHT / 50))])
    features = np.concatenate([memory.features, labelled.features[rows]])
    goals = np.concatenate([targets_of(memory.labels, classes), targets[rows]])
    plan = fine_tuning(model, recipe_of(model.card), replace(SETTINGS, seed=seed), "taught")
    fitted = run(fit_steps(features, goals, len(classes), plan, start=grown(model, 1)))
    return score(unsaved(fitted.network, model.card, classes), new.label, test, len(mine))


def score(model: arise.Model, name: str, test: Pool, new_labelled: int = 0) -> Score:
    """What a model says of labelled structures."""
    prediction = model.predict(test.features, SAMPLING)
    truth = np.array(test.labels, dtype=object)
    named = np.where(prediction.rejected, "", prediction.labels)
    outside = np.isin(truth, (DISORDERED, UNKNOWN))
    mine = truth == name
    return Score(
        new_labelled=new_labelled,
        recall=float((named == truth)[mine].mean()),
        accuracy=float((named == truth)[~mine & ~outside].mean()),
        rejected=float(prediction.rejected[outside].mean()),
        taken_for_it=float((named == name)[~mine].mean()),
    )
