"""When a model is sure of a box: its `Sureness`, from boxes of several sizes like those that it was trained on.

    python -m arise_core.training.calibration MODEL --card
    python -m arise_core.training.calibration MODEL --package

The samples are those of the model's recipe with other seeds: boxes and hot crystals of all classes, as often as the
recipe wants them (structures that are met often more often), solid solutions, disorder and crystals that are none of
the classes.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binom

from arise_core.crystals.naming import REJECTED
from arise_core.errors import InputError
from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray
from arise_core.model.model import Model
from arise_core.model.prediction import Prediction, Rule
from arise_core.model.sureness import KNOWN, Sureness, expected_error
from arise_core.model.zoo import load_model
from arise_core.progress import Job, Step, part, run
from arise_core.runtime.files import write_atomically
from arise_core.settings import SamplingSettings
from arise_core.training.edit_classes import crystals_of
from arise_core.training.export import replace_card
from arise_core.training.recipe import recipe_of
from arise_core.training.samples.job import TO_REJECT
from arise_core.training.samples.mixture import PRISTINE, PerturbedSamples

#: Atoms in the boxes of each size, and from which number on a box counts as one of that size.
SIZES = (32, 64, 128, 256)
#: Share of the sure answers that may be wrong, of each size and of each answer.
WRONG = 0.01
#: Largest expected errors of a sure answer that are tried.
BOUNDS = (0.3, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03, 0.02, 0.01, 0.005)
#: Samples: boxes a class and size, and of each size in all.
COUNTS = {"boxes": 10, "hot": 4, "solutions": 3, "disorder": 400, "unknown": 200}
#: An answer needs more atoms if as many wrong ones, or more, are less probable than this were `WRONG` their share.
CHANCE = 0.05
SEED = 14_000_000


@dataclass(frozen=True)
class Tried:
    """What a model said of boxes of one size."""

    n_atoms: int
    error: FloatArray  # (n,), expected
    answer: IntArray  # (n,), class, or the number of classes for rejected
    truth: IntArray  # (n,), the same

    @property
    def wrong(self) -> BoolArray:
        """Whose answer is wrong, (n,)."""
        return np.asarray(self.answer != self.truth)


def samples_of_size(samples: PerturbedSamples, n_atoms: int) -> PerturbedSamples:
    """Boxes of a number of atoms alone, of the kinds of `COUNTS`; a rare element makes none larger."""
    cuts = replace(samples.cuts, rarest=0.0, widest=1.0, decidable=1, edges=(1.0, 1.0))
    own: dict[str, Any] = dict(samples.settings)
    for name in ("disorder", "unknown", "solutions"):
        own[name] = replace(own[name], whole=0.0)
    own["hot"] = replace(own["hot"], whole=0.0, atoms=(n_atoms, n_atoms))
    made = replace(samples, cuts=cuts, box_atoms=(n_atoms, n_atoms), settings=own)
    return made.at_most({PRISTINE: 0}, others=0).with_counts(COUNTS)


def calibration_steps(model: Model, passes: int, seed: int = SEED) -> Job[Sureness]:
    """The `Sureness` of a model, as a job.

    Args:
        model: trained on "perturbed" samples, with an output that rejects.
        passes: of the network, a sample.
        seed: of the samples.

    Raises:
        InputError: a model of another kind.
    """
    samples = recipe_of(model.card).samples
    if not isinstance(samples, PerturbedSamples) or model.card.reject.kind != "head":
        raise InputError(f"model {model.name!r} must be trained on perturbed samples and reject by an output")
    tried = []
    for k, n_atoms in enumerate(SIZES):
        job = _tried(model, samples_of_size(samples, n_atoms), n_atoms, passes, seed + k)
        tried.append((yield from part(job, k / len(SIZES), (k + 1) / len(SIZES))))
    return fitted(tried, [c.label for c in model.card.classes])


def _tried(model: Model, samples: PerturbedSamples, n_atoms: int, passes: int, seed: int) -> Job[Tried]:
    crystals = crystals_of(model.card)
    jobs = samples.jobs(model.descriptor, seed, crystals)
    features, labels = [], []
    for k, one in enumerate(jobs):
        found, names = one.compute()
        features.append(found)
        labels += names
        yield Step(k / len(jobs), f"boxes of {n_atoms} atoms")
    sampling = SamplingSettings(passes=passes)
    said = yield from model.predict_steps(np.concatenate(features), sampling)
    number = {c.label: k for k, c in enumerate(model.card.classes)}
    none = len(number)
    truth = np.array([none if label in TO_REJECT else number[label] for label in labels])
    return Tried(n_atoms, expected_error(said), answers(said), truth)


def answers(said: Prediction) -> IntArray:
    """Class of each answer, the number of classes for what is rejected, (n,)."""
    rejected = Rule(reject_threshold=said.reject_threshold).rejected(said)
    return np.where(rejected, len(said.classes), said.index)


def fitted(tried: Sequence[Tried], labels: Sequence[str]) -> Sureness:
    """The sharpest rule with which no more than `WRONG` of the sure answers of each size are wrong.

    For a bound an answer needs as many atoms as the smallest size from which on its sure boxes are not wrong more
    often than `WRONG`, by a binomial test. The sharpest bound is that with the most sure boxes of the smallest size,
    where crystals and what is none count half each.

    Args:
        tried: the sizes, the smallest first.
        labels: of the classes.
    """
    best, most = _rule(tried, BOUNDS[-1], labels), -1.0
    for bound in BOUNDS:
        rule = _rule(tried, bound, labels)
        if rule.wrong is None or rule.wrong > WRONG:
            continue
        sure, crystal = sure_of(tried[0], rule, labels), tried[0].truth < len(labels)
        share = float(sure[crystal].mean() + sure[~crystal].mean()) / 2
        if share > most:
            best, most = rule, share
    return best


def sure_of(tried: Tried, rule: Sureness, labels: Sequence[str]) -> BoolArray:
    """Which boxes of a size a rule is sure of, (n,)."""
    needed = np.array([rule.atoms.get(name, 0) for name in (*labels, REJECTED)])
    return np.asarray((tried.error <= rule.error) & (tried.n_atoms >= needed[tried.answer]))


def _rule(tried: Sequence[Tried], bound: float, labels: Sequence[str]) -> Sureness:
    """The rule for a bound, with its figures."""
    names = [*labels, REJECTED]
    needed = _needed(tried, bound, len(names))
    # A box counts for a size from the geometric mean of its number of atoms and that of the size below.
    atoms = {
        name: math.ceil(n / math.sqrt(2))
        for name, n in zip(names, needed, strict=True)
        if n > tried[0].n_atoms
    }
    rule = Sureness(error=bound, atoms=atoms)
    sure = [sure_of(t, rule, labels) for t in tried]
    wrong = [float(t.wrong[s].mean()) if s.any() else 0.0 for t, s in zip(tried, sure, strict=True)]
    answered = {
        str(t.n_atoms): round(float(s[t.truth < len(labels)].mean()), 4)
        for t, s in zip(tried, sure, strict=True)
    }
    return replace(rule, wrong=round(max(wrong), 5), answered=answered)


def _needed(tried: Sequence[Tried], bound: float, n_answers: int) -> IntArray:
    """Atoms that each answer needs at a bound, (n_answers,)."""
    needed = np.full(n_answers, tried[0].n_atoms)
    for smaller, larger in zip(tried, [*tried[1:], tried[-1]], strict=True):
        sure = smaller.error <= bound
        all_, bad = (
            np.bincount(smaller.answer[s], minlength=n_answers) for s in (sure, sure & smaller.wrong)
        )
        needed[(bad > 0) & (binom.sf(bad - 1, all_, WRONG) < CHANCE)] = larger.n_atoms
    return needed


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m arise_core.training.calibration", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("model", help="name of the zoo, folder or file")
    parser.add_argument("--passes", type=int, default=64)
    parser.add_argument("--card", action="store_true", help="write it into the model's card")
    parser.add_argument(
        "--package",
        action="store_true",
        help="write it beside the code, for a model whose card is to stay as it is",
    )
    given = parser.parse_args(arguments)
    model = load_model(given.model)
    sureness = run(calibration_steps(model, given.passes))
    print(sureness)
    if given.card:
        replace_card(model, replace(model.card, sureness=sureness))
    if given.package:
        keep(model, sureness, given.passes)


def keep(model: Model, sureness: Sureness, passes: int, file: Path = KNOWN) -> None:
    """Write the rule of a model into the file of rules that comes with this package, with what it was found from."""
    rows = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    made = {"passes": passes, "seed": SEED, "sizes": SIZES, "samples": COUNTS, "wrong": WRONG}
    rows[model.card.weights_sha256] = {"model": model.name, "rule": asdict(sureness), "made": made}
    text = json.dumps(rows, indent=1, ensure_ascii=False) + "\n"
    write_atomically(file, lambda place: place.write_text(text, encoding="utf-8"))


if __name__ == "__main__":
    main()
