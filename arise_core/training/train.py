"""From a recipe to a model file: samples, fit, figures, export. Resumable at every stage."""

from __future__ import annotations

import platform
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from arise_core.crystals.crystal import Crystal, to_plain
from arise_core.crystals.naming import DISORDERED, UNKNOWN, ClassInfo
from arise_core.descriptor.soap import describe
from arise_core.errors import InputError
from arise_core.geometry.arrays import Float32Array, IntArray, Reals
from arise_core.model.card import Card, Reject
from arise_core.model.classes import ClassTable
from arise_core.model.model import Model
from arise_core.model.network import DropoutMLP, build_network
from arise_core.model.zoo import load_model
from arise_core.progress import Job, Progress, Step, part, run, silent
from arise_core.runtime import threads
from arise_core.runtime.ledger import Ledger, facts, package_version
from arise_core.runtime.workers import processes
from arise_core.settings import DescriptorSettings, SamplingSettings
from arise_core.training.export import FILES, export, network_digest
from arise_core.training.fit import CHECKPOINT, Fitted, fit_members_steps, split
from arise_core.training.own_crystals import CrystalFile
from arise_core.training.recipe import NetworkSettings, Recipe, recipe_of
from arise_core.training.samples.job import TO_REJECT, SampleJob
from arise_core.training.samples.pristine import pristine_list

PART_SIZE = 40
SAMPLES = "samples"
#: Folder of the further training.
FURTHER = "further"
#: What training leaves to resume from.
WORK = ("recipe.json", SAMPLES, CHECKPOINT, *FILES)

#: Descriptors, (n, n_features), and as many labels.
Labelled = tuple[Float32Array, list[str]]


class Samples(Protocol):
    """A kind of samples."""

    def jobs(
        self, settings: DescriptorSettings, seed: int, crystals: Sequence[Crystal] | None = None
    ) -> list[SampleJob]:
        """The pieces of the work."""


def train(
    recipe: Recipe,
    out: Path,
    progress: Progress = silent,
    crystals: Sequence[Crystal] | None = None,
    sources: Sequence[CrystalFile] = (),
    start: Model | None = None,
) -> Model:
    """Make the model of a recipe in the folder `out` and load it.

    Leaves `model.safetensors`, `model.pt`, `card.json`, `training.csv` and `ledger.json`; `samples/` and
    `checkpoint.pt` are there to resume from and can be removed. Started again after an interrupt it goes on where it
    stopped, with the same result.

    Args:
        recipe: how the model is made.
        out: folder for it.
        progress: called with the share of the work done.
        crystals: the classes; by default those prototypes that the recipe names.
        sources: files that the crystals come from, for the card.
        start: model that the recipe's first training has made, so that only the further one is left to do.

    Raises:
        InputError: the folder holds work on another recipe, or of another version of this package; `start` is a model
            of another recipe.
        FileError: it holds damaged work.
    """
    return run(train_steps(recipe, out, crystals, sources, start), progress)


def train_steps(
    recipe: Recipe, out: Path, crystals: Sequence[Crystal] | None = None, sources: Sequence[CrystalFile] = (),
    start: Model | None = None,
) -> Job[Model]:  # fmt: skip
    """`train` as a job; closed, it leaves what the next one goes on with."""
    extra = {} if crystals is None else own_crystals(crystals, sources)
    classes = class_table(crystals if crystals is not None else recipe.crystals())
    if start is not None:
        check_start(start, recipe, classes)
        extra = extra | {"start": {"name": start.name, "weights_sha256": start.card.weights_sha256}}
    note = facts(recipe=recipe.to_dict(), **extra)
    ledger = Ledger.open(out, note, WORK)
    began = 0.0
    if start is not None:
        network, reject = network_of(start), start.card.reject
    else:
        began = 0.5 if recipe.further else 0.98
        fitted, data = yield from part(_fit_steps(recipe, [ledger], classes, crystals), 0.0, began)
        network, reject = fitted.network, reject_rule(fitted.network, recipe.network, *data)
    if recipe.further:
        folders = [
            out / FURTHER,
            *(out / FURTHER / f"member-{k + 1}" for k in range(1, recipe.further.members)),
        ]
        ledgers = [Ledger.open(folder, note, WORK) for folder in folders]
        job = _fit_steps(recipe.second(), ledgers, classes, crystals, network)
        fitted, data = yield from part(job, began, 0.98, name="further training")
        reject = reject_rule(fitted.network, recipe.network, *data, threshold=reject.threshold)
    card = make_card(recipe, fitted, classes, reject, data[1])
    export(fitted.network, replace(card, training=card.training | extra), out)
    model = load_model(out)
    yield Step(1.0, f"model in {out}")
    return model


def _fit_steps(
    recipe: Recipe, ledgers: Sequence[Ledger], classes: ClassTable, crystals: Sequence[Crystal] | None,
    start: DropoutMLP | None = None,
) -> Job[tuple[Fitted, tuple[Float32Array, IntArray]]]:  # fmt: skip
    """A network fitted to the samples of a recipe, and those, (n, n_features) and (n,) targets.

    Args:
        recipe: samples and optimisation.
        ledgers: folders, the first one for samples too; of more than one, each is of a member whose weights count.
        classes, crystals: as in `train_steps`.
        start: network to go on from; None: a new one.
    """
    features, labels = yield from part(gather_steps(recipe, ledgers[0], crystals), 0.0, 0.75)
    targets = targets_of(labels, classes)
    fitting = fit_members_steps(features, targets, len(classes), recipe, ledgers, start=start)
    fitted = yield from part(fitting, 0.75, 1.0)
    return fitted, (features, targets)


def check_start(start: Model, recipe: Recipe, classes: ClassTable) -> None:
    """Refuse a model that the first training of a recipe does not make.

    Raises:
        InputError: it is of another recipe, or has other classes; or the recipe has no further training.
    """
    if recipe.further is None:
        raise InputError(
            f"`start` {start.name!r} is for recipes with a further training, a table `[further]`"
        )
    own = recipe_of(start.card)
    same = replace(own, name=recipe.name, description=recipe.description) == replace(recipe, further=None)
    if own.further is not None or not same or start.classes != tuple(c.label for c in classes):
        raise InputError(f"`start` {start.name!r} is not what the first training of the recipe makes")


@threads.one_torch_thread()
def network_of(model: Model) -> DropoutMLP:
    """A model's network, to be trained."""
    return build_network(model.card, model.weights(), len(model.classes))


def class_table(crystals: Sequence[Crystal]) -> ClassTable:
    """The crystals as classes of a model."""
    return ClassTable.of(c.info for c in crystals)


def own_crystals(crystals: Sequence[Crystal], sources: Sequence[CrystalFile]) -> dict[str, Any]:
    """What a card says of classes that are no prototypes: their periods, and the files they come from."""
    return {"crystals": to_plain(crystals), "files": [source.to_dict() for source in sources]}


def targets_of(labels: Sequence[str], classes: Sequence[ClassInfo]) -> IntArray:
    """Position of each label among the classes, negative as in `TO_REJECT` for those to reject, (n,)."""
    position = {c.label: i for i, c in enumerate(classes)} | TO_REJECT
    return np.array([position[label] for label in labels], dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class SamplePlan:
    """Samples to be made: of which kind, under which descriptor, of which crystals."""

    samples: Samples
    settings: DescriptorSettings
    seed: int
    crystals: tuple[Crystal, ...] | None = None  # None: the 108 prototypes, built where they are needed

    def jobs(self) -> list[SampleJob]:
        """The pieces of the work."""
        return self.samples.jobs(self.settings, self.seed, self.crystals)


def gather(
    recipe: Recipe,
    ledger: Ledger | None = None,
    progress: Progress = silent,
    crystals: Sequence[Crystal] | None = None,
) -> Labelled:
    """All samples of a recipe, (n, n_features), and their labels; parts done before are read back.

    Args:
        recipe: what is sampled.
        ledger: folder for finished parts; None: nothing is written.
        progress: called with the share of the work done.
        crystals: the classes; the prototypes that the recipe names if they are left out.
    """
    return run(gather_steps(recipe, ledger, crystals), progress)


def gather_steps(
    recipe: Recipe, ledger: Ledger | None = None, crystals: Sequence[Crystal] | None = None
) -> Job[Labelled]:
    """`gather` as a job."""
    if crystals is None and recipe.classes:
        crystals = recipe.crystals()
    chosen = None if crystals is None else tuple(crystals)
    plan = SamplePlan(samples=recipe.samples, settings=recipe.settings, seed=recipe.seed, crystals=chosen)
    return collect_steps([plan], PART_SIZE, ledger)


def collect_steps(
    plans: Sequence[SamplePlan], part_size: int, ledger: Ledger | None = None, folder: str = SAMPLES
) -> Job[Labelled]:
    """The samples of all plans one after the other, computed on all cores, as a job with a step a part.

    Args:
        plans: what to sample.
        part_size: jobs that are computed and written together.
        ledger: keeps finished parts, which are read back; None: nothing is written.
        folder: of the parts, in the ledger's.

    Returns:
        Descriptors (n, n_features) and as many labels.
    """
    jobs = [job for plan in plans for job in plan.jobs()]
    names = {
        f"{folder}/part-{n:04d}.npz": range(k, min(k + part_size, len(jobs)))
        for n, k in enumerate(range(0, len(jobs), part_size))
    }
    results: dict[str, Labelled] = {}
    if ledger is not None:
        results = {name: ledger.read(name, _read) for name in names if ledger.done(name)}
    missing = [name for name in names if name not in results]
    done = sum(len(labels) for _, labels in results.values())
    total = sum(job.n_samples for job in jobs)
    with closing(_compute_parts(plans, [names[name] for name in missing])) as computed:
        for name, result in zip(missing, computed, strict=True):
            if ledger is not None:
                ledger.write(name, partial(_write, *result))
            results[name] = result
            done += len(result[1])
            yield Step(done / total, f"{done} of {total} samples")
    ordered = [results[name] for name in names]
    return np.concatenate([f for f, _ in ordered]), [label for _, labels in ordered for label in labels]


def _read(path: Path) -> Labelled:
    with np.load(path) as content:
        return content["features"], [str(label) for label in content["labels"]]


def _write(features: Float32Array, labels: list[str], path: Path) -> None:
    with open(path, "wb") as file:
        np.savez(file, features=features, labels=np.array(labels))


def _compute_parts(plans: Sequence[SamplePlan], parts: list[range]) -> Generator[Labelled, None, None]:
    """Compute parts of the samples on all cores, in order."""
    workers = min(threads.count(), len(parts))
    if workers <= 1:
        for jobs in parts:
            yield _compute_part(plans, jobs)
        return
    with processes(workers) as pool:
        yield from pool.map(_compute_part, [plans] * len(parts), parts)


def _compute_part(plans: Sequence[SamplePlan], chosen: range) -> Labelled:
    jobs = [job for plan in plans for job in plan.jobs()]
    features, labels = [], []
    for i in chosen:
        f, names = jobs[i].compute()
        features.append(f.astype(np.float32))
        labels += names
    return np.concatenate(features), labels


def make_card(recipe: Recipe, fitted: Fitted, classes: ClassTable, reject: Reject, targets: IntArray) -> Card:
    """The card of a trained network, with the figures that training itself gives."""
    return Card(
        name=recipe.name,
        description=recipe.description,
        classes=classes,
        descriptor=recipe.settings,
        n_inputs=fitted.network.n_inputs,
        hidden=recipe.network.hidden,
        dropout=recipe.network.dropout,
        reject=reject,
        weights_sha256=network_digest(fitted.network),
        package_version=package_version(),
        training={
            "recipe": recipe.to_dict(),
            "seed": recipe.seed,
            "samples": len(targets),
            **{f"{label}_samples": int((targets == k).sum()) for label, k in TO_REJECT.items()},
            "kept_epoch": fitted.epoch,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        accuracy={
            "training_split": fitted.accuracy,
            "validation_split": fitted.validation_accuracy,
        },
    )


def reject_rule(
    network: DropoutMLP, settings: NetworkSettings, features: Reals, targets: IntArray,
    *, threshold: float | None = None,
) -> Reject:  # fmt: skip
    """How a trained network rejects, with rates on the validation split of its samples.

    Args:
        network: with an output that rejects, or without.
        settings: of the recipe.
        features, targets: all samples, (n, n_features) and (n,).
        threshold: score that rejects; None: the one, within bounds, that lets about the rate in the settings of
            disorder pass.
    """
    if not settings.reject:
        return Reject("entropy", None)
    _, validation = split(targets)
    features, targets = features[validation], targets[validation]
    with threads.one_torch_thread(), torch.inference_mode():
        logits = network(torch.from_numpy(np.ascontiguousarray(features, dtype=np.float32)))[:, -1]
        score = torch.sigmoid(logits).numpy().astype(np.float64)
    disordered = targets == TO_REJECT[DISORDERED]
    unknown = targets == TO_REJECT[UNKNOWN]
    if threshold is None:
        wanted = np.quantile(score[disordered], settings.false_crystal_rate)
        threshold = round(float(np.clip(wanted, *settings.thresholds)), 3)
    return Reject(
        "head",
        threshold,
        false_crystal_rate=float((score[disordered] < threshold).mean()),
        false_reject_rate=float((score[targets >= 0] >= threshold).mean()),
        unknown_crystal_rate=float((score[unknown] < threshold).mean()) if unknown.any() else None,
    )


def pristine_accuracy(
    model: Model, sampling: SamplingSettings | None = None, crystals: Sequence[Crystal] | None = None
) -> float:
    """Share of the pristine structures (396 of the prototypes) that get their own label and are not rejected."""
    known = set(model.classes)
    pairs = [(label, s) for label, s in pristine_list(crystals) if label in known]
    features = np.array([describe(s, model.descriptor) for _, s in pairs])
    prediction = model.predict(features, sampling or SamplingSettings(passes=200))
    right = prediction.labels == np.array([label for label, _ in pairs], dtype=object)
    return float((right & ~prediction.rejected).mean())
