"""From a recipe to a model file: samples, fit, figures, export. Resumable at every stage."""

from __future__ import annotations

import importlib.metadata
import json
import multiprocessing
import platform
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from arise_core import threads
from arise_core.card import Card, ClassInfo, Reject
from arise_core.files import write_atomically
from arise_core.network import Model, load_model
from arise_core.prototypes import prototypes
from arise_core.settings import SamplingSettings
from arise_core.soap import describe
from arise_core.structure import IntArray, Reals
from arise_core.training.export import export, network_digest
from arise_core.training.fit import Fitted, Progress, fit, split
from arise_core.training.mlp import DropoutMLP
from arise_core.training.recipe import Recipe
from arise_core.training.samples import DISORDERED, Job, pristine_list

#: Share of disordered samples that may pass for a crystal; fixes the threshold of the reject score.
FALSE_CRYSTAL_RATE = 0.005
PART_SIZE = 40


def train(recipe: Recipe, out: Path, progress: Progress = lambda fraction, message: None) -> Model:
    """Make the model of a recipe in the folder `out` and load it.

    Leaves `model.pt`, `card.json`, `training.csv` and `recipe.json`; `samples/` and `checkpoint.pt` are there
    to resume from and can be removed. Started again after an interrupt it goes on where it stopped, with the
    same result.

    Raises:
        ValueError: the folder holds work on another recipe.
    """
    out.mkdir(parents=True, exist_ok=True)
    note = out / "recipe.json"
    text = json.dumps(recipe.to_dict(), indent=1) + "\n"
    if note.exists() and note.read_text(encoding="utf-8") != text:
        raise ValueError(f"`out` {str(out)!r} holds work on another recipe; choose another folder")
    write_atomically(note, lambda path: path.write_text(text, encoding="utf-8"))

    features, labels = gather(recipe, out / "samples", lambda f, m: progress(0.75 * f, m))
    classes = class_table()
    position = {c.label: i for i, c in enumerate(classes)} | {DISORDERED: -1}
    targets = np.array([position[label] for label in labels], dtype=np.int64)
    fitted = fit(features, targets, len(classes), recipe, out, lambda f, m: progress(0.75 + 0.23 * f, m))
    card = make_card(recipe, fitted, classes, features, targets)
    export(fitted.network, card, out)
    model = load_model(out)
    progress(1.0, f"model in {out}")
    return model


def class_table() -> tuple[ClassInfo, ...]:
    """The 108 prototypes as classes of a model."""
    return tuple(
        ClassInfo(p.label, p.name, p.identifier, p.colour, p.space_group, p.material_type)
        for p in prototypes()
    )


def gather(recipe: Recipe, folder: Path, progress: Progress) -> tuple[NDArray[np.float32], list[str]]:
    """All samples of a recipe, (n, n_features), and their labels; parts done before are read back."""
    jobs = recipe.samples.jobs(recipe.settings, recipe.seed)
    parts = [range(k, min(k + PART_SIZE, len(jobs))) for k in range(0, len(jobs), PART_SIZE)]
    files = [folder / f"part-{k:04d}.npz" for k in range(len(parts))]
    missing = [k for k, f in enumerate(files) if not f.is_file()]
    folder.mkdir(parents=True, exist_ok=True)
    done = sum(_size(jobs, parts[k]) for k in range(len(parts)) if k not in set(missing))
    total = sum(job.n_samples for job in jobs)
    for k, (features, labels) in zip(
        missing, _compute_parts(recipe, [parts[k] for k in missing]), strict=True
    ):
        write_atomically(files[k], _npz_writer(features, labels))
        done += len(labels)
        progress(done / total, f"{done} of {total} samples")
    loaded = [np.load(f) for f in files]
    return (
        np.concatenate([part["features"] for part in loaded]),
        [str(label) for part in loaded for label in part["labels"]],
    )


def _size(jobs: list[Job], part: range) -> int:
    return sum(jobs[i].n_samples for i in part)


def _npz_writer(features: NDArray[np.float32], labels: list[str]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with open(path, "wb") as file:
            np.savez(file, features=features, labels=np.array(labels))

    return write


def _compute_parts(recipe: Recipe, parts: list[range]) -> Iterator[tuple[NDArray[np.float32], list[str]]]:
    """Compute parts of the samples on all cores, in order."""
    workers = min(threads.count(), len(parts))
    if workers <= 1:
        for part in parts:
            yield _compute_part(recipe, part)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=threads.set_count, initargs=(1,))
    try:
        yield from pool.map(_compute_part, [recipe] * len(parts), parts)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _compute_part(recipe: Recipe, part: range) -> tuple[NDArray[np.float32], list[str]]:
    jobs = recipe.samples.jobs(recipe.settings, recipe.seed)
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
            "disordered_samples": int((targets < 0).sum()),
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
    """How the model rejects; the threshold lets `FALSE_CRYSTAL_RATE` of disordered validation samples pass."""
    if not head:
        return Reject("entropy", None)
    with torch.inference_mode():
        logits = network(torch.from_numpy(np.ascontiguousarray(features, dtype=np.float32)))[:, -1]
    score = torch.sigmoid(logits).numpy().astype(np.float64)
    disordered = targets < 0
    threshold = round(float(np.clip(np.quantile(score[disordered], FALSE_CRYSTAL_RATE), 0.05, 0.5)), 3)
    return Reject(
        "head",
        threshold,
        false_crystal_rate=float((score[disordered] < threshold).mean()),
        false_reject_rate=float((score[~disordered] >= threshold).mean()),
    )


def pristine_accuracy(model: Model, sampling: SamplingSettings | None = None) -> float:
    """Share of the 396 pristine structures that get their own label and are not rejected."""
    features = np.array([describe(s, model.descriptor) for _, s in pristine_list()])
    prediction = model.predict(features, sampling or SamplingSettings(passes=200))
    right = prediction.labels == np.array([label for label, _ in pristine_list()], dtype=object)
    return float((right & ~prediction.rejected).mean())
