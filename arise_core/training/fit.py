"""Fitting a network to samples: split, epochs, log, checkpoints to resume from."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

from arise_core.errors import InputError
from arise_core.geometry.arrays import IntArray, Reals
from arise_core.runtime import threads
from arise_core.runtime.files import write_atomically
from arise_core.training.network import DropoutMLP
from arise_core.training.recipe import NetworkSettings, Recipe

SPLIT_SEED = 42
VALIDATION_SHARE = 0.2
LOG_COLUMNS = (
    "epoch",
    "learning_rate",
    "loss",
    "accuracy",
    "validation_loss",
    "validation_accuracy",
    "seconds",
)

Progress = Callable[[float, str], None]
AfterEpoch = Callable[[int, float], None]


@dataclass(frozen=True)
class Fitted:
    """A trained network and its figures at the kept epoch."""

    network: DropoutMLP
    epoch: int
    accuracy: float  # on the training split
    validation_accuracy: float


def split(targets: IntArray) -> tuple[IntArray, IntArray]:
    """Indices of the training (80 %) and validation (20 %) samples, stratified, random state 42."""
    train, validation = train_test_split(
        np.arange(len(targets)), test_size=VALIDATION_SHARE, random_state=SPLIT_SEED, stratify=targets
    )
    return np.asarray(train), np.asarray(validation)


def fit(
    features: Reals,
    targets: IntArray,
    n_classes: int,
    recipe: Recipe,
    out: Path | None,
    progress: Progress = lambda fraction, message: None,
    *,
    start: DropoutMLP | None = None,
    after_epoch: AfterEpoch = lambda epoch, accuracy: None,
) -> Fitted:
    """Train the recipe's network; resume from `out/checkpoint.pt` if it belongs to this recipe.

    The same machine gives the same weights, interrupted or not, with any number of threads.

    Args:
        features: (n, n_features), float32.
        targets: (n,), class index; negative for samples to reject.
        n_classes: number of classes.
        recipe: network and optimisation.
        out: folder for `training.csv` and the checkpoint; None: nothing is written or resumed.
        progress: called after each epoch with the fraction done and a message.
        start: network to go on from, its input map included, instead of a new one; it is trained in place.
        after_epoch: called with the epoch, from 1, and its validation accuracy; may raise to stop.
    """
    with (
        threads.one_torch_thread(),
        threads.one_blas_thread(),
        torch.random.fork_rng(devices=[]),
    ):  # the caller's generator is left as it was
        torch.manual_seed(recipe.seed)
        return _fit(features, targets, n_classes, recipe, out, progress, start, after_epoch)


def _fit(
    features: Reals, targets: IntArray, n_classes: int, recipe: Recipe, out: Path | None, progress: Progress,
    start: DropoutMLP | None, after_epoch: AfterEpoch,
) -> Fitted:  # fmt: skip
    settings = recipe.fit
    train, validation = split(targets)
    generator = torch.Generator().manual_seed(recipe.seed)
    x = torch.from_numpy(np.ascontiguousarray(features, dtype=np.float32))
    y = torch.from_numpy(np.asarray(targets, dtype=np.int64))
    xt, yt, xv, yv = x[train], y[train], x[validation], y[validation]
    network = start if start is not None else _new_network(features[train], n_classes, recipe.network)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    steps = max(1, (len(xt) + settings.batch_size - 1) // settings.batch_size)
    total = steps * settings.epochs
    state: dict[str, Any] = {"epoch": 0, "best": None, "rows": []}
    loaded = _read_checkpoint(out / CHECKPOINT, recipe.digest()) if out is not None else None
    if loaded is not None:
        state = loaded["state"]
        network.load_state_dict(loaded["network"])
        optimiser.load_state_dict(loaded["optimiser"])
        generator.set_state(loaded["generator"])
        torch.set_rng_state(loaded["torch"])
    for epoch in range(state["epoch"], settings.epochs):
        began = time.perf_counter()
        network.train()
        order = torch.randperm(len(xt), generator=generator)
        loss_sum = 0.0
        right = 0.0
        for step in range(steps):
            rate = _rate(settings.learning_rate, settings.schedule, epoch * steps + step, total)
            for group in optimiser.param_groups:
                group["lr"] = rate
            batch = order[step * settings.batch_size : (step + 1) * settings.batch_size]
            outputs = network(xt[batch])
            loss = loss_of(outputs, yt[batch], n_classes)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            loss_sum += float(loss.detach()) * len(batch)
            right += float(correct(outputs.detach(), yt[batch], n_classes).sum())
        network.eval()
        with torch.inference_mode():
            outputs = network(xv)
            validation_loss = float(loss_of(outputs, yv, n_classes))
            validation_accuracy = float(correct(outputs, yv, n_classes).float().mean())
        row = {
            "epoch": epoch + 1, "learning_rate": rate, "loss": loss_sum / len(xt), "accuracy": right / len(xt),
            "validation_loss": validation_loss, "validation_accuracy": validation_accuracy,
            "seconds": time.perf_counter() - began,
        }  # fmt: skip
        state["rows"].append(row)
        state["epoch"] = epoch + 1
        best = state["best"]
        if settings.keep == "last" or best is None or validation_accuracy > best["validation_accuracy"]:
            weights = {k: v.detach().clone() for k, v in network.state_dict().items()}
            state["best"] = {**row, "weights": weights}
        if out is not None and ((epoch + 1) % CHECKPOINT_EVERY == 0 or epoch + 1 == settings.epochs):
            _write_log(out / "training.csv", state["rows"])
            content = {
                "digest": recipe.digest(), "state": state, "network": network.state_dict(),
                "optimiser": optimiser.state_dict(), "generator": generator.get_state(),
                "torch": torch.get_rng_state(),
            }  # fmt: skip
            write_atomically(out / CHECKPOINT, partial(torch.save, content))
        progress((epoch + 1) / settings.epochs, f"validation accuracy {validation_accuracy:.4f}")
        after_epoch(epoch + 1, validation_accuracy)
    best = state["best"]
    network.load_state_dict(best["weights"])
    network.eval()
    return Fitted(network, int(best["epoch"]), float(best["accuracy"]), float(best["validation_accuracy"]))


CHECKPOINT_EVERY = 5
CHECKPOINT = "checkpoint.pt"


def _new_network(features: Reals, n_classes: int, settings: NetworkSettings) -> DropoutMLP:
    mean, transform = input_map(features, settings)
    network = DropoutMLP(
        features.shape[1], transform.shape[1], settings.hidden, n_classes, settings.dropout, settings.reject
    )
    network.set_inputs(mean, transform)
    return network


def input_map(features: Reals, settings: NetworkSettings) -> tuple[Tensor, Tensor]:
    """Mean (n_features,) and matrix (n_features, n_inputs) of the map in front of the network."""
    x = np.asarray(features, dtype=np.float64)
    mean = x.mean(axis=0)
    if settings.inputs == "standardised":
        std = x.std(axis=0)
        varies = std > 1e-7 * np.abs(x).max()
        transform = np.diag(np.where(varies, 1.0 / np.where(varies, std, 1.0), 0.0))
    else:
        variance, axes = np.linalg.eigh((x - mean).T @ (x - mean) / len(x))
        order = np.argsort(-variance)[: settings.components or None]
        floor = settings.smallest_variance * variance.max()
        # A fixed sign for each axis, so that the map does not depend on the eigensolver's choice.
        sign = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
        transform = ((axes * sign) / np.sqrt(np.maximum(variance, 0.0) + floor))[:, order]
        transform /= np.sqrt(np.mean(((x - mean) @ transform) ** 2))
    return torch.from_numpy(mean).float(), torch.from_numpy(transform).float()


def loss_of(outputs: Tensor, targets: Tensor, n_classes: int) -> Tensor:
    """Cross-entropy of the class over the crystals plus, with a reject output, that of rejection."""
    known = targets >= 0
    loss = nn.functional.cross_entropy(outputs[:, :n_classes][known], targets[known], reduction="sum")
    if outputs.shape[1] > n_classes:
        loss = loss + nn.functional.binary_cross_entropy_with_logits(
            outputs[:, n_classes], (~known).to(outputs.dtype), reduction="sum"
        )
    return loss / len(targets)


def correct(outputs: Tensor, targets: Tensor, n_classes: int) -> Tensor:
    """Whether each sample is right: class of a crystal that is not rejected, or rejected as it should be, (n,)."""
    label = outputs[:, :n_classes].argmax(dim=1)
    if outputs.shape[1] == n_classes:
        return label == targets
    rejected = outputs[:, n_classes] > 0
    return torch.where(targets >= 0, (label == targets) & ~rejected, rejected)


def _rate(start: float, schedule: str, step: int, total: int) -> float:
    if schedule == "constant":
        return start
    return float(start * 0.5 * (1 + np.cos(np.pi * step / total)))


def _read_checkpoint(path: Path, digest: str) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    content: dict[str, Any] = torch.load(path, weights_only=True)
    if content["digest"] != digest:
        raise InputError(f"{str(path)!r} belongs to another recipe; choose another folder or remove it")
    return content


def _write_log(path: Path, rows: Sequence[dict[str, float]]) -> None:
    def write(temporary: Path) -> None:
        with open(temporary, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, LOG_COLUMNS)
            writer.writeheader()
            writer.writerows(rows)

    write_atomically(path, write)
