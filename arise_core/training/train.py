"""From a recipe to a model file: samples, fit, figures, export. Resumable at every stage."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from arise_core.crystals.crystal import Crystal, to_plain
from arise_core.crystals.naming import ClassInfo
from arise_core.descriptor.soap import describe
from arise_core.errors import InputError
from arise_core.geometry.arrays import IntArray, Reals
from arise_core.model.card import Card, Reject
from arise_core.model.model import Model
from arise_core.model.zoo import load_model
from arise_core.runtime import threads
from arise_core.runtime.files import write_atomically
from arise_core.runtime.workers import processes
from arise_core.settings import DescriptorSettings, SamplingSettings
from arise_core.training.export import export, network_digest
from arise_core.training.fit import Fitted, Progress, fit, split
from arise_core.training.network import DropoutMLP
from arise_core.training.own_crystals import Source
from arise_core.training.recipe import Recipe
from arise_core.training.samples.perturbed import DISORDERED, TO_REJECT, UNKNOWN, Job, pristine_list

#: Share of disordered samples that may pass for a crystal; fixes the threshold of the reject score.
FALSE_CRYSTAL_RATE = 0.005
PART_SIZE = 40


class Samples(Protocol):
    """A kind of samples."""

    def jobs(
        self, settings: DescriptorSettings, seed: int, crystals: Sequence[Crystal] | None = None
    ) -> list[Job]:
        """The pieces of the work."""


def train(
    recipe: Recipe,
    out: Path,
    progress: Progress = lambda fraction, message: None,
    crystals: Sequence[Crystal] | None = None,
    sources: Sequence[Source] = (),
) -> Model:
    """Make the model of a recipe in the folder `out` and load it.

    Leaves `model.pt`, `card.json`, `training.csv` and `recipe.json`; `samples/` and `checkpoint.pt` are there
    to resume from and can be removed. Started again after an interrupt it goes on where it stopped, with the
    same result.

    Args:
        recipe: how the model is made.
        out: folder for it.
        progress: called with the fraction done and a message.
        crystals: the classes; by default those prototypes that the recipe names.
        sources: files that the crystals come from, for the card.

    Raises:
        ValueError: the folder holds work on another recipe.
    """
    out.mkdir(parents=True, exist_ok=True)
    extra = {} if crystals is None else own_crystals(crystals, sources)
    note = out / "recipe.json"
    text = json.dumps({**recipe.to_dict(), **extra}, indent=1) + "\n"
    if note.exists() and note.read_text(encoding="utf-8") != text:
        raise InputError(f"`out` {str(out)!r} holds work on another recipe; choose another folder")
    write_atomically(note, lambda path: path.write_text(text, encoding="utf-8"))

    features, labels = gather(recipe, out / "samples", lambda f, m: progress(0.75 * f, m), crystals)
    classes = class_table(crystals if crystals is not None else recipe.crystals())
    targets = targets_of(labels, classes)
    fitted = fit(features, targets, len(classes), recipe, out, lambda f, m: progress(0.75 + 0.23 * f, m))
    card = make_card(recipe, fitted, classes, features, targets)
    export(fitted.network, replace(card, training=card.training | extra), out)
    model = load_model(out)
    progress(1.0, f"model in {out}")
    return model


def class_table(crystals: Sequence[Crystal]) -> tuple[ClassInfo, ...]:
    """The crystals as classes of a model."""
    return tuple(c.info for c in crystals)


def own_crystals(crystals: Sequence[Crystal], sources: Sequence[Source]) -> dict[str, Any]:
    """What a card says of classes that are no prototypes: their periods, and the files they come from."""
    return {"crystals": to_plain(crystals), "files": [source.to_dict() for source in sources]}


def targets_of(labels: Sequence[str], classes: Sequence[ClassInfo]) -> IntArray:
    """Position of each label among the classes, negative as in `TO_REJECT` for those to reject, (n,)."""
    position = {c.label: i for i, c in enumerate(classes)} | TO_REJECT
    return np.array([position[label] for label in labels], dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Samples to be made: of which kind, under which descriptor, of which crystals."""

    samples: Samples
    settings: DescriptorSettings
    seed: int
    crystals: tuple[Crystal, ...] | None = None  # None: the 108 prototypes, built where they are needed

    def jobs(self) -> list[Job]:
        """The pieces of the work."""
        return self.samples.jobs(self.settings, self.seed, self.crystals)


def gather(
    recipe: Recipe, folder: Path, progress: Progress, crystals: Sequence[Crystal] | None = None
) -> tuple[NDArray[np.float32], list[str]]:
    """All samples of a recipe, (n, n_features), and their labels; parts done before are read back.

    The crystals are the prototypes that the recipe names if they are left out.
    """
    if crystals is None and recipe.classes:
        crystals = recipe.crystals()
    chosen = None if crystals is None else tuple(crystals)
    plan = Plan(samples=recipe.samples, settings=recipe.settings, seed=recipe.seed, crystals=chosen)
    return collect([plan], folder, progress, PART_SIZE)


def collect(
    plans: Sequence[Plan], folder: Path | None, progress: Progress, part_size: int
) -> tuple[NDArray[np.float32], list[str]]:
    """The samples of all plans one after the other, computed on all cores.

    Args:
        plans: what to sample.
        folder: for finished parts, which are read back; None: nothing is written.
        progress: called with the fraction done and a message.
        part_size: jobs that are computed and written together.

    Returns:
        Descriptors (n, n_features) and as many labels.
    """
    jobs = [job for plan in plans for job in plan.jobs()]
    parts = [range(k, min(k + part_size, len(jobs))) for k in range(0, len(jobs), part_size)]
    results: dict[int, tuple[NDArray[np.float32], list[str]]] = {}
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        results = {k: _read(_file(folder, k)) for k in range(len(parts)) if _file(folder, k).is_file()}
    missing = [k for k in range(len(parts)) if k not in results]
    done = sum(_size(jobs, parts[k]) for k in results)
    total = sum(job.n_samples for job in jobs)
    computed = _compute_parts(plans, [parts[k] for k in missing])
    for k, (features, labels) in zip(missing, computed, strict=True):
        if folder is not None:
            write_atomically(_file(folder, k), _npz_writer(features, labels))
        results[k] = features, labels
        done += len(labels)
        progress(done / total, f"{done} of {total} samples")
    ordered = [results[k] for k in range(len(parts))]
    return np.concatenate([f for f, _ in ordered]), [label for _, labels in ordered for label in labels]


def _file(folder: Path, part: int) -> Path:
    return folder / f"part-{part:04d}.npz"


def _read(path: Path) -> tuple[NDArray[np.float32], list[str]]:
    with np.load(path) as content:
        return content["features"], [str(label) for label in content["labels"]]


def _size(jobs: list[Job], part: range) -> int:
    return sum(jobs[i].n_samples for i in part)


def _npz_writer(features: NDArray[np.float32], labels: list[str]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with open(path, "wb") as file:
            np.savez(file, features=features, labels=np.array(labels))

    return write


def _compute_parts(
    plans: Sequence[Plan], parts: list[range]
) -> Iterator[tuple[NDArray[np.float32], list[str]]]:
    """Compute parts of the samples on all cores, in order."""
    workers = min(threads.count(), len(parts))
    if workers <= 1:
        for part in parts:
            yield _compute_part(plans, part)
        return
    with processes(workers) as pool:
        yield from pool.map(_compute_part, [plans] * len(parts), parts)


def _compute_part(plans: Sequence[Plan], part: range) -> tuple[NDArray[np.float32], list[str]]:
    jobs = [job for plan in plans for job in plan.jobs()]
    features, labels = [], []
    for i in part:
        f, names = jobs[i].compute()
        features.append(f.astype(np.float32))
        labels += names
    return np.concatenate(features), labels


def make_card(
    recipe: Recipe, fitted: Fitted, classes: tuple[ClassInfo, ...], features: Reals, targets: IntArray
) -> Card:
    """The card of a trained network, with the figures that training itself gives."""
    _, validation = split(targets)
    reject = reject_rule(fitted.network, recipe.network.reject, features[validation], targets[validation])
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
        package_version=importlib.metadata.version("ovito-arise"),
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


def reject_rule(network: DropoutMLP, head: bool, features: Reals, targets: IntArray) -> Reject:
    """How the model rejects: from a score, 0.05 to 0.5, that lets about `FALSE_CRYSTAL_RATE` of disorder pass."""
    if not head:
        return Reject("entropy", None)
    with torch.inference_mode():
        logits = network(torch.from_numpy(np.ascontiguousarray(features, dtype=np.float32)))[:, -1]
    score = torch.sigmoid(logits).numpy().astype(np.float64)
    disordered = targets == TO_REJECT[DISORDERED]
    unknown = targets == TO_REJECT[UNKNOWN]
    threshold = round(float(np.clip(np.quantile(score[disordered], FALSE_CRYSTAL_RATE), 0.05, 0.5)), 3)
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
