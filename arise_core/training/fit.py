"""Fitting a network to samples: split, epochs, log, checkpoints to resume from."""

from __future__ import annotations

import copy
import io
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

from arise_core.errors import InputError
from arise_core.geometry.arrays import IntArray, Reals
from arise_core.model.network import DropoutMLP
from arise_core.progress import Job, Progress, Step, part, run, silent
from arise_core.runtime import threads
from arise_core.runtime.ledger import Ledger
from arise_core.runtime.tables import write_csv
from arise_core.training.recipe import FitSettings, NetworkSettings, Recipe

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

CHECKPOINT = "checkpoint.pt"
#: Epochs from checkpoint to checkpoint.
CHECKPOINT_EVERY = 5
LOG = "training.csv"

#: Called with an epoch, from 1, and its validation accuracy.
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
    ledger: Ledger | None = None,
    progress: Progress = silent,
    *,
    start: DropoutMLP | None = None,
    after_epoch: AfterEpoch = lambda epoch, accuracy: None,
) -> Fitted:
    """Train the recipe's network; resume from the checkpoint in the ledger's folder.

    The same machine gives the same weights, interrupted or not, with any number of threads.

    Args:
        features: (n, n_features), float32.
        targets: (n,), class index; negative for samples to reject.
        n_classes: number of classes.
        recipe: network and optimisation.
        ledger: folder for `training.csv` and the checkpoint; None: nothing is written or resumed.
        progress: called after each epoch.
        start: network to go on from, its input map included, instead of a new one; it is trained in place.
        after_epoch: called with the epoch, from 1, and its validation accuracy; may raise to stop.

    Raises:
        InputError: a checkpoint of other work.
        FileError: a damaged checkpoint.
    """
    job = fit_steps(features, targets, n_classes, recipe, ledger, start=start, after_epoch=after_epoch)
    return run(job, progress)


def fit_steps(
    features: Reals,
    targets: IntArray,
    n_classes: int,
    recipe: Recipe,
    ledger: Ledger | None = None,
    *,
    start: DropoutMLP | None = None,
    after_epoch: AfterEpoch = lambda epoch, accuracy: None,
) -> Job[Fitted]:
    """`fit` as a job, a step an epoch; closed, it leaves the checkpoint of the last epoch."""
    work = _Fit(features, targets, n_classes, recipe, start)
    if ledger is not None and ledger.done(CHECKPOINT):
        work.load(ledger.read(CHECKPOINT, partial(torch.load, weights_only=True)), ledger)
    epochs = recipe.fit.epochs
    saved = work.epoch
    try:
        while work.epoch < epochs:
            accuracy = work.next_epoch()
            if ledger is not None and (work.epoch % CHECKPOINT_EVERY == 0 or work.epoch == epochs):
                work.save(ledger)
                saved = work.epoch
            after_epoch(work.epoch, accuracy)
            yield Step(work.epoch / epochs, f"validation accuracy {accuracy:.4f}")
    except GeneratorExit:
        if ledger is not None and work.epoch > saved:
            work.save(ledger)
        raise
    return work.fitted()


def fit_members_steps(
    features: Reals,
    targets: IntArray,
    n_classes: int,
    recipe: Recipe,
    ledgers: Sequence[Ledger],
    start: DropoutMLP | None = None,
) -> Job[Fitted]:
    """The mean of the weights of networks trained from the same start, as many as ledgers, as a job.

    Args:
        features, targets, n_classes, recipe: as `fit`; seeds of the members are one apart.
        ledgers: a folder for each member.
        start: network to go on from, which stays as it is; None: a new one, for one member only.
    """
    members = []
    for k, ledger in enumerate(ledgers):
        own = replace(recipe, seed=recipe.seed + k)
        job = fit_steps(features, targets, n_classes, own, ledger, start=copy.deepcopy(start))
        members.append((yield from part(job, k / len(ledgers), (k + 1) / len(ledgers))))
    if len(members) == 1:
        return members[0]
    return _mean(members, features, targets, n_classes)


@contextmanager
def _alone() -> Iterator[None]:
    """One thread, and torch's generator is the caller's again at the end.

    So sums are always the same. And after a fork, operations that wait for torch's threads, which the first process
    has, would hang.
    """
    with threads.one_torch_thread(), threads.one_blas_thread(), torch.random.fork_rng(devices=[]):
        yield


@_alone()
def _mean(members: Sequence[Fitted], features: Reals, targets: IntArray, n_classes: int) -> Fitted:
    """The network with the mean of the members' weights, and its figures."""
    network = copy.deepcopy(members[0].network)
    with torch.inference_mode():
        for mean, *own in zip(network.parameters(), *(m.network.parameters() for m in members), strict=True):
            mean.copy_(torch.stack(own).mean(dim=0))

        def accuracy(rows: IntArray) -> float:
            outputs = network(torch.from_numpy(np.ascontiguousarray(features[rows], dtype=np.float32)))
            return float(correct(outputs, torch.from_numpy(targets[rows]), n_classes).float().mean())

        train, validation = split(targets)
        return Fitted(network, members[0].epoch, accuracy(train), accuracy(validation))


class _Fit:
    """A network in training. Torch's generator is its own while it works; the caller's is left as it was."""

    @_alone()
    def __init__(
        self, features: Reals, targets: IntArray, n_classes: int, recipe: Recipe, start: DropoutMLP | None
    ) -> None:
        self.settings = recipe.fit
        self.n_classes = n_classes
        train, validation = split(targets)
        if recipe.fit.share < 1:
            drawn = np.random.default_rng(recipe.seed).random(len(train)) < recipe.fit.share
            train = train[drawn]
        x = torch.from_numpy(np.ascontiguousarray(features, dtype=np.float32))
        y = torch.from_numpy(np.asarray(targets, dtype=np.int64))
        self.order = torch.Generator().manual_seed(recipe.seed)
        self.epoch = 0
        self.best: dict[str, Any] | None = None
        self.rows: list[dict[str, float]] = []
        self.samples = x[train], y[train]
        self.held_out = x[validation], y[validation]
        torch.manual_seed(recipe.seed)
        self.network = (
            start if start is not None else _new_network(features[train], n_classes, recipe.network)
        )
        #: Mean of the weights after each of so many steps; it exists as soon as there is one.
        self.average: DropoutMLP | None = None
        self.averaged = 0
        self.random = torch.get_rng_state()
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=self.settings.learning_rate, weight_decay=self.settings.weight_decay
        )

    @_alone()
    def next_epoch(self) -> float:
        """One pass over the samples; the validation accuracy after it."""
        began = time.perf_counter()
        torch.set_rng_state(self.random)
        row = self._train() | self._validate()
        self.random = torch.get_rng_state()
        self.epoch += 1
        row = {"epoch": self.epoch, **row, "seconds": time.perf_counter() - began}
        self.rows.append(row)
        accuracy = row["validation_accuracy"]
        if self.settings.keep == "last" or self.best is None or accuracy > self.best["validation_accuracy"]:
            weights = {k: v.detach().clone() for k, v in self._kept().state_dict().items()}
            self.best = {**row, "weights": weights}
        return accuracy

    def _train(self) -> dict[str, float]:
        settings, (x, y) = self.settings, self.samples
        self.network.train()
        order = torch.randperm(len(x), generator=self.order)
        steps = max(1, (len(x) + settings.batch_size - 1) // settings.batch_size)
        loss_sum = right = 0.0
        for step in range(steps):
            rate = _rate(settings, self.epoch * steps + step, steps * settings.before_average)
            for group in self.optimiser.param_groups:
                group["lr"] = rate
            batch = order[step * settings.batch_size : (step + 1) * settings.batch_size]
            inputs = self.network.inputs(x[batch])
            if settings.input_noise:
                inputs = inputs + settings.input_noise * torch.randn_like(inputs)
            outputs = self.network.outputs(inputs)
            loss = loss_of(outputs, y[batch], self.n_classes)
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimiser.step()
            if self.epoch >= settings.before_average:
                self._add_to_average()
            loss_sum += float(loss.detach()) * len(batch)
            right += float(correct(outputs.detach(), y[batch], self.n_classes).sum())
        return {"learning_rate": rate, "loss": loss_sum / len(x), "accuracy": right / len(x)}

    @torch.no_grad()
    def _add_to_average(self) -> None:
        if self.average is None:
            self.average = copy.deepcopy(self.network)
        self.averaged += 1
        for mean, new in zip(self.average.parameters(), self.network.parameters(), strict=True):
            mean.lerp_(new, 1 / self.averaged)

    def _kept(self) -> DropoutMLP:
        """The network whose weights count after this epoch."""
        return self.network if self.average is None else self.average

    def _validate(self) -> dict[str, float]:
        x, y = self.held_out
        network = self._kept().eval()
        with torch.inference_mode():
            outputs = network(x)
            return {
                "validation_loss": float(loss_of(outputs, y, self.n_classes)),
                "validation_accuracy": float(correct(outputs, y, self.n_classes).float().mean()),
            }

    def save(self, ledger: Ledger) -> None:
        """Write the log and the checkpoint."""
        rows = [[row[name] for name in LOG_COLUMNS] for row in self.rows]
        write_csv(ledger.part(LOG), LOG_COLUMNS, rows)
        content: dict[str, Any] = {
            "digest": ledger.digest,
            "state": {"epoch": self.epoch, "best": self.best, "rows": self.rows},
            "network": self.network.state_dict(), "optimiser": self.optimiser.state_dict(),
            "generator": self.order.get_state(), "torch": self.random,
        }  # fmt: skip
        if self.average is not None:
            content |= {"average": self.average.state_dict(), "averaged": self.averaged}
        buffer = io.BytesIO()  # torch's own writer may end the process where a disk is full
        torch.save(content, buffer)
        ledger.write(CHECKPOINT, lambda path: path.write_bytes(buffer.getvalue()))

    @_alone()
    def load(self, content: dict[str, Any], ledger: Ledger) -> None:
        """Go on from the contents of a checkpoint.

        Raises:
            InputError: it is not of the ledger's work.
        """
        if content.get("digest") != ledger.digest:
            raise InputError(
                f"{str(ledger.part(CHECKPOINT))!r} belongs to other work than its folder; remove it, and the "
                "fit begins again"
            )
        state = content["state"]
        self.epoch, self.best, self.rows = state["epoch"], state["best"], state["rows"]
        self.network.load_state_dict(content["network"])
        self.optimiser.load_state_dict(content["optimiser"])
        self.order.set_state(content["generator"])
        self.random = content["torch"]
        if "average" in content:
            self.average = copy.deepcopy(self.network)
            self.average.load_state_dict(content["average"])
            self.averaged = content["averaged"]

    @_alone()
    def fitted(self) -> Fitted:
        """The network with the weights that are kept."""
        best = self.best
        assert best is not None, "there is at least one epoch"
        self.network.load_state_dict(best["weights"])
        self.network.eval()
        return Fitted(
            self.network, int(best["epoch"]), float(best["accuracy"]), float(best["validation_accuracy"])
        )


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


def _rate(settings: FitSettings, step: int, falling: int) -> float:
    """Learning rate of a step; weights are averaged from step `falling` on."""
    if step >= falling:
        return settings.average_rate
    if settings.schedule == "constant":
        return settings.learning_rate
    end = settings.average_rate if settings.average else 0.0
    return float(end + (settings.learning_rate - end) * 0.5 * (1 + np.cos(np.pi * step / falling)))
