"""When a model is sure of a box: its `Sureness`, from boxes of several sizes like those that it was trained on.

`arise sharpen MODEL` writes it into the model's card. For a model whose card is to stay as it is, beside the code:

    python -m arise_core.training.calibration MODEL --package

The samples are those of the model's recipe with other seeds: boxes of all classes alike, half of them ideal, hot
crystals of those that are met often, solid solutions, disorder and crystals that are none of the classes.
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
from arise_core.model.contents import name_in_zoo
from arise_core.model.model import Model
from arise_core.model.sureness import KNOWN, Sureness, answers, expected_error
from arise_core.model.zoo import load_model
from arise_core.progress import Job, Progress, Step, part, run, silent
from arise_core.runtime.files import check_place, write_atomically
from arise_core.settings import SamplingSettings
from arise_core.training.edit_classes import PART_SIZE, crystals_of
from arise_core.training.export import refuse_calibration, replace_card
from arise_core.training.recipe import recipe_of
from arise_core.training.samples.job import TO_REJECT
from arise_core.training.samples.mixture import PRISTINE, PerturbedSamples
from arise_core.training.train import SamplePlan, collect_steps

#: Atoms in the boxes of each size, ascending. From the geometric mean with the size below a box counts as one of it.
SIZES = (20, 24, 32, 45, 64, 91, 128, 256)
#: Share of the sure answers that may be wrong, of each size. Few: in fronts and boundaries, of which there are no
#: samples, it is several times that.
WRONG = 0.001
#: Share of the sure answers of each class that may be wrong before it needs more atoms, and share of the boxes of each
#: class that may be taken for a certain other one.
TAKEN = 0.01
#: Share of the boxes that have no noise.
IDEAL = 0.5
#: Largest expected errors of a sure answer that are tried.
BOUNDS = (0.3, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03, 0.02, 0.01, 0.005)
#: Expected error up to which a mistake makes a class a relative of the answer: also what is not sure may be the best
#: answer that there is.
MISTAKEN = 0.3
#: Samples: boxes a class and size, and of each size in all.
COUNTS = {"boxes": 80, "hot": 60, "solutions": 20, "disorder": 300, "unknown": 200}
#: An answer needs more atoms if as many wrong ones, or more, are less probable than this were `TAKEN` their share.
CHANCE = 0.05
SEED = 14_000_000
#: Passes of the network, a sample.
PASSES = 64


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
    often = {label: 1 for label, factor in samples.box_factors.items() if factor >= own["hot"].common_from}
    own["hot"] = replace(own["hot"], whole=0.0, atoms=(n_atoms, n_atoms), common_from=1)
    noise = replace(samples.noise, ideal=IDEAL)
    made = replace(
        samples, cuts=cuts, box_atoms=(n_atoms, n_atoms), box_factors=often, noise=noise, settings=own
    )
    return made.at_most({PRISTINE: 0}, others=0).with_counts(COUNTS)


def sharpen(model: str | Path, progress: Progress = silent) -> Model:
    """Find out when a model is sure of a box, so that its maps have boxes of several sizes; minutes.

    The rule goes into the card in the model's files; the weights stay. Calibrations (`arise calibrate`) that were made
    of the model before belong to what it was.

    Args:
        model: a folder or file, of a model that `arise train`, `add-class`, `remove-class`, or `train-folder` made.
        progress: called with the share of the work done.

    Raises:
        ModelError: no such model, or a file that is damaged.
        InputError: a model of the zoo, a calibration, or a model that was not trained on perturbed samples or has no
            output that rejects.
        FileError: a file that the system does not let be written.
    """
    return run(sharpen_steps(model), progress)


def sharpen_steps(model: str | Path) -> Job[Model]:
    """`sharpen` as a job; closed, it leaves the files as they are."""
    found = load_model(model)
    if name_in_zoo(found.path):
        raise InputError(f"`model` must not be of the zoo, whose files stay as they are, got {found.name!r}")
    refuse_calibration(found)
    check_place(found.path, f"model {str(found.path)!r}", overwrite=True)
    sureness = yield from calibration_steps(found, PASSES)
    replace_card(found, replace(found.card, sureness=sureness))
    yield Step(1.0, f"rule in {found.path.parent}")
    return load_model(found.path)


def calibration_steps(model: Model, passes: int, seed: int = SEED) -> Job[Sureness]:
    """The `Sureness` of a model, as a job.

    Args:
        model: trained on "perturbed" samples, with an output that rejects.
        passes: of the network, a sample.
        seed: of the samples, that of each size is this and its number of atoms.

    Raises:
        InputError: a model of another kind.
    """
    samples = recipe_of(model.card).samples
    if not isinstance(samples, PerturbedSamples) or model.card.reject.kind != "head":
        raise InputError(f"model {model.name!r} must be trained on perturbed samples and reject by an output")
    crystals = crystals_of(model.card)
    tried = []
    for k, n_atoms in enumerate(SIZES):
        own = samples_of_size(samples, n_atoms)
        plan = SamplePlan(samples=own, settings=model.descriptor, seed=seed + n_atoms, crystals=crystals)
        job = _tried(model, plan, n_atoms, passes)
        begin, end = k / len(SIZES), (k + 1) / len(SIZES)
        tried.append((yield from part(job, begin, end, name=f"boxes of {n_atoms} atoms")))
    return fitted(tried, [c.label for c in model.card.classes])


def _tried(model: Model, plan: SamplePlan, n_atoms: int, passes: int) -> Job[Tried]:
    features, labels = yield from part(collect_steps([plan], PART_SIZE), 0.0, 0.8)
    said = yield from part(model.predict_steps(features, SamplingSettings(passes=passes)), 0.8, 1.0)
    number = {c.label: k for k, c in enumerate(model.card.classes)}
    none = len(number)
    truth = np.array([none if label in TO_REJECT else number[label] for label in labels])
    return Tried(n_atoms, expected_error(said), answers(said), truth)


def fitted(tried: Sequence[Tried], labels: Sequence[str]) -> Sureness:
    """The sharpest rule with which no more than `WRONG` of the sure answers of each size are wrong.

    A class is a relative of an answer up to the largest size at which `TAKEN` of its boxes, or more, have that answer
    with an expected error of at most `MISTAKEN`; such mistakes do not count further, since larger boxes around are
    asked for them. For a bound an answer needs as many atoms as the smallest size from which on its sure boxes are not
    wrong more often than `TAKEN`, by a binomial test. The sharpest bound is that with the most sure boxes of the
    smallest size, where crystals and what is none count half each.

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
    """Which boxes of a size a rule is sure of, but for what is around, (n,)."""
    needed = np.array([rule.atoms.get(name, 0) for name in (*labels, REJECTED)])
    return np.asarray((tried.error <= rule.error) & (tried.n_atoms >= needed[tried.answer]))


def _rule(tried: Sequence[Tried], bound: float, labels: Sequence[str]) -> Sureness:
    """The rule for a bound, with its figures."""
    names = [*labels, REJECTED]
    confused = _confused(tried, len(names))
    counted = [t.wrong & (confused[t.answer, t.truth] <= t.n_atoms) for t in tried]
    needed = _needed(tried, counted, bound, len(names))
    rule = Sureness(
        error=bound,
        atoms={name: int(n) for name, n in zip(names, needed, strict=True) if n},
        relatives={
            name: {labels[int(k)]: int(row[k]) for k in np.flatnonzero(row)}
            for name, row in zip(names, confused[:, : len(labels)], strict=True)
            if row[: len(labels)].any()
        },
    )
    sure = [sure_of(t, rule, labels) for t in tried]
    wrong = [float(w[s].mean()) if s.any() else 0.0 for w, s in zip(counted, sure, strict=True)]
    answered = {
        str(t.n_atoms): round(float(s[t.truth < len(labels)].mean()), 4)
        for t, s in zip(tried, sure, strict=True)
    }
    return replace(rule, wrong=round(max(wrong), 5), answered=answered)


def _from_the_next(tried: Sequence[Tried], size: int) -> int:
    """Atoms from which on a box counts for the size after one."""
    n, larger = tried[size].n_atoms, tried[min(size + 1, len(tried) - 1)].n_atoms
    return math.ceil(math.sqrt(n * larger)) if larger > n else 2 * n


def _confused(tried: Sequence[Tried], n_answers: int) -> IntArray:
    """Atoms from which on boxes of each class have each wrong answer less often than `TAKEN`.

    Rows are answers, columns the truth, (n_answers, n_answers); of what is no class, nothing is around that says so.
    """
    atoms = np.zeros((n_answers, n_answers), dtype=np.int64)
    for size, one in enumerate(tried):
        sure = (one.error <= MISTAKEN) & one.wrong
        counts = np.zeros((n_answers, n_answers))
        np.add.at(counts, (one.answer[sure], one.truth[sure]), 1)
        often = (counts > 0) & (counts >= TAKEN * np.bincount(one.truth, minlength=n_answers))
        often[:, -1] = False
        atoms[often] = _from_the_next(tried, size)
    return atoms


def _needed(tried: Sequence[Tried], wrong: Sequence[BoolArray], bound: float, n_answers: int) -> IntArray:
    """Atoms that each answer needs at a bound, (n_answers,), 0 for any number.

    Args:
        tried: the sizes.
        wrong: of each, which answers count as wrong.
        bound: largest expected error.
        n_answers: classes, and one.
    """
    needed = np.zeros(n_answers, dtype=np.int64)
    for size, (one, counted) in enumerate(zip(tried, wrong, strict=True)):
        sure = one.error <= bound
        all_, bad = (np.bincount(one.answer[s], minlength=n_answers) for s in (sure, sure & counted))
        needed[(bad > 0) & (binom.sf(bad - 1, all_, TAKEN) < CHANCE)] = _from_the_next(tried, size)
    return needed


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m arise_core.training.calibration", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("model", help="name of the zoo, folder or file")
    parser.add_argument("--passes", type=int, default=PASSES)
    parser.add_argument(
        "--package",
        action="store_true",
        help="write it beside the code, for a model whose card is to stay as it is",
    )
    given = parser.parse_args(arguments)
    model = load_model(given.model)
    sureness = run(calibration_steps(model, given.passes))
    print(sureness)
    if given.package:
        keep(model, sureness, given.passes)


def keep(model: Model, sureness: Sureness, passes: int, file: Path = KNOWN) -> None:
    """Write the rule of a model into the file of rules that comes with this package, with what it was found from."""
    rows = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    made = {
        "passes": passes,
        "seed": SEED,
        "sizes": SIZES,
        "samples": COUNTS,
        "ideal": IDEAL,
        "wrong": WRONG,
        "taken": TAKEN,
        "mistaken": MISTAKEN,
    }
    rows[model.card.weights_sha256] = {"model": model.name, "rule": asdict(sureness), "made": made}
    text = json.dumps(rows, indent=1, ensure_ascii=False) + "\n"
    write_atomically(file, lambda place: place.write_text(text, encoding="utf-8"))


if __name__ == "__main__":
    main()
