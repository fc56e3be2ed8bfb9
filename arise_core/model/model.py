"""A loaded network with its card, run with Monte Carlo dropout."""

from __future__ import annotations

import hashlib
import warnings
from copy import deepcopy
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from arise_core.errors import InputError, InputTypeError, check_type, shown
from arise_core.geometry.arrays import Float32Array, FloatArray, IntArray, Reals
from arise_core.model.calibration import Calibration
from arise_core.model.card import Card
from arise_core.model.classes import ClassTable
from arise_core.model.devices import usable_device
from arise_core.model.dropout import dropout_masks, sample
from arise_core.model.network import DropoutMLP
from arise_core.model.prediction import Prediction
from arise_core.model.runner import Runner, ask_in_parts, tensor
from arise_core.model.sureness import Sureness, known
from arise_core.progress import Job, Progress, run, silent
from arise_core.runtime import threads
from arise_core.settings import (
    DescriptorSettings,
    MapSettings,
    SamplingSettings,
    Threshold,
    check_number,
    check_threshold,
)


class Model:
    """A loaded network with its card. Create with `load_model`."""

    def __init__(
        self,
        network: DropoutMLP,
        card: Card,
        device: torch.device,
        path: Path,
        calibration: Calibration | None = None,
    ) -> None:
        self.card = card
        self.calibration = calibration
        self.device = device
        self.path = path
        self._module = network.to(device).eval()
        self._widths = (card.n_inputs, *card.hidden)

    def __repr__(self) -> str:
        return f"<Model {self.name!r}: {len(self.classes)} classes, {self.device}>"

    def on(self, device: str) -> Model:
        """The model on a device: itself, if it is there already, else a copy.

        Args:
            device: any torch device, such as "cpu" or "cuda"; one that is missing is the CPU, with a warning.

        Raises:
            InputError: torch has no device of this name.
        """
        wanted = usable_device(device)
        if wanted == self.device:
            return self
        return Model(deepcopy(self._module), self.card, wanted, self.path, self.calibration)

    @cached_property
    def sha256(self) -> str:
        """Hash of the weights and of all in the card that answers depend on: not of its figures and remarks."""
        card = replace(self.card, description="", training={}, accuracy={})
        threshold = "" if self.calibration is None else f"calibrated {self.calibration.threshold!r}"
        return hashlib.sha256(f"{card.to_json()}{threshold}".encode()).hexdigest()

    @property
    def name(self) -> str:
        """Name of the model, with that of its calibration: "arise-108+mycu"."""
        return self.card.name if self.calibration is None else f"{self.card.name}+{self.calibration.name}"

    @property
    def classes(self) -> tuple[str, ...]:
        """Labels of the classes, in the order of the probabilities."""
        return tuple(c.label for c in self.card.classes)

    @property
    def class_info(self) -> ClassTable:
        """Display names, colours and space groups of the classes."""
        return self.card.classes

    @property
    def descriptor(self) -> DescriptorSettings:
        """Descriptor settings that the model was trained with."""
        return self.card.descriptor

    @property
    def knows_when_sure(self) -> bool:
        """Whether boxes of several sizes are asked unless something else is said: there is a rule, and no calibration.

        A calibration is of boxes of one size.
        """
        return self.sureness is not None and self.calibration is None

    @property
    def sureness(self) -> Sureness | None:
        """When it is sure of a box: as its card says, or this package; None: it was never calibrated."""
        return self.card.sureness or known().get(self.card.weights_sha256)

    @property
    def n_layers(self) -> int:
        """Number of hidden layers."""
        return len(self.card.hidden)

    def weights(self) -> dict[str, Float32Array]:
        """Copies of the weights and of the input map, by name, to train on from."""
        return {k: v.detach().cpu().numpy().copy() for k, v in self._module.state_dict().items()}

    def threshold(self, given: Threshold) -> float | None:
        """Score from which something is rejected, None for never: as given; for "card" that of its calibration, if any,
        or of its card.
        """
        if not isinstance(given, str):
            return given
        return self.card.reject.threshold if self.calibration is None else self.calibration.threshold

    def error_rates(self, threshold: float | None) -> dict[str, float]:
        """What is known of the errors that a threshold of rejection stands for: rates, and bounds that are promised.

        Of a calibrated model "false_crystal_rate", "false_crystal_bound", "false_rejection_rate" and
        "false_rejection_bound", as far as there were frames to tell; of others what the card measured at its own
        threshold, on samples of training's validation split. Empty where nothing is known.

        Args:
            threshold: any; None: never.
        """
        found: dict[str, float] = {}
        if self.calibration is not None:
            known = {
                "false_crystal": self.calibration.false_crystals,
                "false_rejection": self.calibration.false_rejections,
            }
            for name, rates in known.items():
                if rates is not None:
                    found[f"{name}_rate"], found[f"{name}_bound"] = rates.at(threshold)
        elif threshold is not None and threshold == self.card.reject.threshold:
            of_card = {
                "false_crystal_rate": self.card.reject.false_crystal_rate,
                "false_rejection_rate": self.card.reject.false_reject_rate,
            }
            found = {name: rate for name, rate in of_card.items() if rate is not None}
        return found

    def calibrated(self, calibration: Calibration | None) -> Model:
        """The same model with the threshold of another calibration; None: with that of its card."""
        return Model(self._module, self.card, self.device, self.path, calibration)

    def check_calibrated(
        self, given: Threshold, mode: str, boxes: MapSettings, sampling: SamplingSettings
    ) -> None:
        """Warn if the threshold is that of a calibration made with other settings: its promise does not hold then.

        Args:
            given: the threshold that is asked for.
            mode: "whole" or "local".
            boxes, sampling: settings in use.
        """
        if self.calibration is None or not isinstance(given, str):
            return
        differing = self.calibration.differing(mode, boxes, sampling)
        if differing:
            warnings.warn(
                f"calibration {self.calibration.name!r} promises nothing here, it was made with other settings: "
                f"{differing}",
                stacklevel=3,
            )

    def representations(self, features: Reals, layer: int) -> Float32Array:
        """Activations of a hidden layer before its ReLU, without dropout, (n, width).

        Args:
            features: (n, n_features) from `describe` or `describe_boxes`; rows with NaN stay NaN.
            layer: 0 for the first hidden layer, negative numbers count from the last.
        """
        layer = check_number("layer", layer, whole=True)
        if not -self.n_layers <= layer < self.n_layers:
            raise InputError(f"`layer` must be in [{-self.n_layers}, {self.n_layers - 1}], got {layer}")
        layer %= self.n_layers
        x, good, n = self._finite(features)
        out = np.full((n, self.card.hidden[layer]), np.nan, dtype=np.float32)
        with threads.one_torch_thread(), torch.inference_mode():
            parts = [
                self._module.activations(tensor(x[k : k + 4096], self.device), layer).cpu().numpy()
                for k in range(0, len(x), 4096)
            ]
        if parts:
            out[good] = np.concatenate(parts)
        return out

    def predict(
        self,
        features: Reals,
        sampling: SamplingSettings | None = None,
        *,
        reject_threshold: Threshold = "card",
        progress: Progress = silent,
    ) -> Prediction:
        """Class probabilities and uncertainty of descriptors.

        Equal features give equal numbers, whatever stands beside them in the batch.

        Args:
            features: (n, n_features); rows with NaN give NaN.
            sampling: passes, tolerance and seed.
            reject_threshold: score from which a row is rejected; "card": the model's own; None: none is.
            progress: called with the share of the work done.

        Raises:
            ValueError: features of another length than the model's.
            MemoryError: the GPU has no room even for small batches.
        """
        return run(self.predict_steps(features, sampling, reject_threshold=reject_threshold), progress)

    def predict_steps(
        self,
        features: Reals,
        sampling: SamplingSettings | None = None,
        *,
        reject_threshold: Threshold = "card",
        hopeless: float | None = None,
    ) -> Job[Prediction]:
        """`predict` as a job: yields the share of the work done, returns the prediction.

        Args:
            features, sampling, reject_threshold: see `predict`.
            hopeless: with the tolerance "auto", rows whose expected error (`sureness.expected_error`) is beyond this
                by three standard errors need no more passes; None: there are no such.
        """
        sampling = SamplingSettings() if sampling is None else sampling
        check_type("sampling", sampling, SamplingSettings, "SamplingSettings")
        check_threshold(reject_threshold)
        threshold = self.threshold(reject_threshold)
        # Passes are enough for the decision at the card's threshold, so scores are the same however it is calibrated.
        sampled = self.card.reject.threshold if isinstance(reject_threshold, str) else threshold
        x, good, n = self._finite(features)

        def ask(some: Float32Array) -> Job[dict[str, Any]]:
            return self._sampled(some, sampling, sampled, hopeless)

        columns = yield from ask_in_parts(ask, x) if self.device.type == "cpu" else ask(x)
        spread = {
            name: _spread(values, good, n, 0 if name == "passes" else np.nan)
            for name, values in columns.items()
        }
        return Prediction(classes=self.card.classes, reject_threshold=threshold, **spread)

    def _sampled(
        self, x: Float32Array, sampling: SamplingSettings, threshold: float | None, hopeless: float | None
    ) -> Job[dict[str, Any]]:
        """Columns of the prediction of rows without NaN, by name.

        Args:
            x: (n, n_features).
            sampling, hopeless: see `predict_steps`.
            threshold: of the reject score, for which passes are to be enough.
        """
        n_classes = len(self.card.classes)
        by_head = self.card.reject.kind == "head"
        with Runner(self._module, self.device, n_classes, x) as runner:
            statistics = yield from sample(
                len(x),
                n_classes,
                runner.evaluate,
                runner.without_dropout()[0],
                lambda block: dropout_masks(sampling.seed, block, self._widths, self.card.dropout),
                sampling.passes,
                sampling.tolerance,
                threshold if by_head else None,
                hopeless,
            )
        entropy = statistics.predictive_entropy()
        if by_head:
            score, deviation = statistics.reject_mean(), statistics.reject_deviation()
        else:
            score, deviation = self._score_of(entropy), np.full(len(x), np.nan)
        return {
            "probabilities": statistics.mean.astype(np.float32),
            "mutual_information": statistics.mutual_information(),
            "predictive_entropy": entropy,
            "variation_ratio": statistics.variation_ratio(),
            "reject_score": score,
            "passes": statistics.passes,
            "standard_error": statistics.standard_error(few=sampling.tolerance == "auto"),
            "reject_deviation": deviation,
        }

    def predict_without_dropout(self, features: Reals, *, reject_threshold: Threshold = "card") -> Prediction:
        """What the network says when nothing is dropped: a look at less than the price of two passes.

        Labels and scores are close to those of `predict`; of doubt it knows nothing: mutual information, variation
        ratio and deviation are 0, the standard error is inf, and there are 0 passes.

        Args:
            features, reject_threshold: see `predict`.
        """
        check_threshold(reject_threshold)
        x, good, n = self._finite(features)
        with Runner(self._module, self.device, len(self.card.classes), x) as runner:
            log2_p, score = runner.without_dropout()
        p = np.exp2(log2_p)
        entropy = -(p * log2_p).sum(axis=1)
        if self.card.reject.kind != "head":
            score = self._score_of(entropy)
        nothing = np.zeros(len(good))
        return Prediction(
            classes=self.card.classes,
            probabilities=_spread(p.astype(np.float32), good, n),
            mutual_information=_spread(nothing, good, n),
            predictive_entropy=_spread(entropy, good, n),
            variation_ratio=_spread(nothing, good, n),
            reject_score=_spread(score, good, n),
            reject_threshold=self.threshold(reject_threshold),
            passes=np.zeros(n, dtype=np.int64),
            standard_error=_spread(nothing + np.inf, good, n),
            reject_deviation=_spread(nothing, good, n),
        )

    def _score_of(self, entropy: FloatArray) -> FloatArray:
        """Reject score of a model that rejects by predictive entropy (bit): its share of the largest one."""
        return np.asarray(entropy / np.log2(len(self.card.classes)))

    def _finite(self, given: Reals) -> tuple[Float32Array, IntArray, int]:
        """Rows without NaN, which those are, and how many there are in all."""
        checked = self._checked(given)
        good = np.flatnonzero(np.isfinite(checked).all(axis=1))
        return checked if len(good) == len(checked) else checked[good], good, len(checked)

    def _checked(self, given: Reals) -> Float32Array:
        try:
            features = np.asarray(given, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise InputTypeError(f"`features` must be an array of numbers, got {shown(given)}") from error
        wanted = self.card.descriptor.n_features
        if features.ndim != 2 or features.shape[1] != wanted:
            raise InputError(
                f"`features` must have shape (n, {wanted}) for model {self.name!r}, got {features.shape}"
            )
        return features


def check_model(model: object) -> None:
    """Raise InputTypeError unless it is a model."""
    check_type("model", model, Model, "a Model, as `load_model` gives it")


def _spread(values: Any, good: IntArray, n: int, empty: Any = np.nan) -> Any:
    """Values of the good rows among n, the others `empty`."""
    out = np.full((n, *values.shape[1:]), empty, dtype=values.dtype)
    out[good] = values
    return out
