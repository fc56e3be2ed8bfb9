"""Recipes: TOML files that say how a model is made, read and checked before any work starts."""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

import tomli_w

from arise_core.crystals.crystal import Crystal, selected
from arise_core.crystals.table import prototype
from arise_core.errors import InputError, MissingFileError
from arise_core.model.card import Card
from arise_core.runtime.files import file_errors
from arise_core.settings import DescriptorSettings
from arise_core.training.fields import (
    Table,
    at_least,
    check_keys,
    from_plain,
    positive,
    share,
    span,
    to_plain,
    values_of,
)
from arise_core.training.samples.mixture import PerturbedSamples
from arise_core.training.samples.paper import PaperSamples


@dataclass(frozen=True, kw_only=True)
class NetworkSettings(Table):
    """Architecture (Leitherer et al. 2021, Table 1).

    Args:
        hidden: widths of the hidden layers.
        dropout: rate before every linear layer.
        reject: an extra output for "none of these", trained on disordered samples and unknown crystals.
        inputs: "standardised" (each number by its mean and standard deviation) or "whitened" (principal
            components of the samples, divided by their standard deviation, so that small but systematic
            differences between classes count).
        components: number of principal components kept; 0: all.
        smallest_variance: share of the largest variance that is added to each before dividing.
        false_crystal_rate: share of disordered samples that may pass for a crystal; fixes the threshold of the
            reject score.
        thresholds: range that the threshold is kept in.
    """

    hidden: tuple[int, ...] = (256, 512, 256)
    dropout: float = 0.0317
    reject: bool = False
    inputs: Literal["standardised", "whitened"] = "standardised"
    components: int = 0
    smallest_variance: float = 1e-5
    false_crystal_rate: float = share(0.005)
    thresholds: tuple[float, float] = span(0.05, 0.5, least=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.hidden or min(self.hidden) < 1:
            raise InputError(f"`hidden` must be positive layer widths, got {self.hidden}")
        if not 0 <= self.dropout < 1:
            raise InputError(f"`dropout` must be in [0, 1), got {self.dropout}")
        if self.inputs not in ("standardised", "whitened"):
            raise InputError(f"`inputs` must be 'standardised' or 'whitened', got {self.inputs!r}")
        if self.components < 0 or not self.smallest_variance > 0:
            raise InputError(
                "`components` must not be negative and `smallest_variance` positive, got "
                f"{self.components} and {self.smallest_variance}"
            )


@dataclass(frozen=True, kw_only=True)
class FitSettings(Table):
    """Optimisation with Adam.

    Args:
        epochs: passes over the training samples.
        batch_size: samples a step.
        learning_rate: of Adam, at the start.
        schedule: "constant", or "cosine" down to zero.
        weight_decay: decoupled weight decay.
        input_noise: standard deviation of Gaussian noise on the network's inputs, after the map in front of it, which
            scales them to a mean square of 1.
        keep: weights kept: those of the epoch with the "best" validation accuracy, or the "last".
        average: share of the epochs, the last ones, in which the mean of the weights after each step is formed; it is
            what is kept and validated. 0: none.
        average_rate: learning rate of these epochs, down to which "cosine" goes before them.
        share: of the training samples that are used, drawn at random.
    """

    epochs: int = 300
    batch_size: int = 64
    learning_rate: float = 2.16e-4
    schedule: Literal["constant", "cosine"] = "constant"
    weight_decay: float = 0.0
    input_noise: float = 0.0
    keep: Literal["best", "last"] = "best"
    average: float = share(0.0)
    average_rate: float = positive(3e-4)
    share: float = share(1.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.epochs < 1 or self.batch_size < 1:
            raise InputError(
                f"`epochs` and `batch_size` must be >= 1, got {self.epochs} and {self.batch_size}"
            )
        if not self.learning_rate > 0:
            raise InputError(f"`learning_rate` must be positive, got {self.learning_rate}")
        for name in ("weight_decay", "input_noise"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"`{name}` must be a number >= 0, got {getattr(self, name)}")
        if not self.share:
            raise InputError("`share` must be above 0, got 0")
        if self.average and self.keep != "last":
            raise InputError(f"`keep` must be 'last' where weights are averaged, got {self.keep!r}")

    @property
    def before_average(self) -> int:
        """Epochs before those that are averaged; all where none is."""
        averaged = max(1, round(self.average * self.epochs)) if self.average else 0
        return self.epochs - averaged


@dataclass(frozen=True, kw_only=True)
class Further(Table):
    """Training that goes on from the trained network on other samples; input map and reject threshold stay.

    Args:
        samples: what the model is trained on further.
        fit: optimisation.
        members: networks that are trained from the same start, each with random numbers and a share of the samples
            (`fit.share`) of its own; the mean of their weights is kept, since what a single one has of its samples
            by chance differs from one to the next (Wortsman et al., ICML 2022).
    """

    samples: PerturbedSamples
    fit: FitSettings = field(default_factory=FitSettings)
    members: int = at_least(1, 1)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that determines a model.

    Args:
        name: of the model.
        description: one or two sentences for the card.
        seed: of samples, weights and the order of batches.
        descriptor: preset, "paper" or "corrected".
        samples: what the model is trained on.
        network: architecture.
        fit: optimisation.
        classes: labels or names of the prototypes that the model knows; empty: all 108.
        further: training that follows; None: none does.
    """

    name: str
    description: str = ""
    seed: int = 42
    descriptor: str = "corrected"
    samples: PaperSamples | PerturbedSamples
    network: NetworkSettings = field(default_factory=NetworkSettings)
    fit: FitSettings = field(default_factory=FitSettings)
    classes: tuple[str, ...] = ()
    further: Further | None = None

    def __post_init__(self) -> None:
        if self.classes and len({prototype(c).label for c in self.classes}) < 2:
            raise InputError(f"`classes` must name at least two prototypes, got {list(self.classes)}")
        if not self.name or "/" in self.name:
            raise InputError(f"`name` of a recipe must be a plain name, got {self.name!r}")
        DescriptorSettings.preset(self.descriptor)
        disorder = self.samples.counts["disorder"] if isinstance(self.samples, PerturbedSamples) else 0
        if self.network.reject and not disorder:
            raise InputError("`network.reject` needs disordered samples (`samples.disorder` > 0)")
        if self.further is not None:
            if not isinstance(self.samples, PerturbedSamples):
                raise InputError("`further` needs samples of the kind 'perturbed'")
            if self.network.reject and not self.further.samples.counts["disorder"]:
                raise InputError("`network.reject` needs disordered samples (`further.samples.disorder` > 0)")

    def second(self) -> Recipe:
        """The further training as a recipe of its own, whose fit goes on from the network of this one.

        Raises:
            InputError: there is none.
        """
        if self.further is None:
            raise InputError("`further` is missing")
        more = self.further
        return replace(self, samples=more.samples, fit=more.fit, seed=self.seed + 1, further=None)

    @property
    def settings(self) -> DescriptorSettings:
        """Descriptor settings of the preset."""
        return DescriptorSettings.preset(self.descriptor)

    def crystals(self) -> tuple[Crystal, ...]:
        """The prototypes that the model knows."""
        return selected(self.classes)

    def to_dict(self, *, complete: bool = False) -> dict[str, Any]:
        """Plain types only, as in the TOML file.

        Args:
            complete: with all numbers that equal their default; without, those are left out that recipes rarely
                name (details, see `arise_core.training.fields`).
        """
        samples = self.samples
        if isinstance(samples, PerturbedSamples):
            table = samples.to_plain(complete=complete)
        else:
            table = to_plain(samples, PaperSamples())
        data: dict[str, Any] = {
            "name": self.name,
            "description": self.description,
            "seed": self.seed,
            "descriptor": self.descriptor,
            "samples": table | {"kind": KINDS_BY_TYPE[type(samples)]},
            "network": to_plain(self.network, NetworkSettings(), complete=complete),
            "fit": to_plain(self.fit, FitSettings(), complete=complete),
        }
        if self.classes:
            data["classes"] = self.classes
        if self.further is not None and isinstance(samples, PerturbedSamples):
            data["further"] = {
                "samples": self.further.samples.to_plain(samples, complete=complete),
                "fit": to_plain(self.further.fit, FitSettings(), complete=complete),
                "members": self.further.members,
            }
        plain: dict[str, Any] = json.loads(json.dumps(data))
        return plain

    def digest(self) -> str:
        """Hash of everything in the recipe, defaults included; results of another recipe are not resumed from."""
        text = json.dumps(self.to_dict(complete=True), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


SAMPLE_KINDS: dict[str, type] = {"paper": PaperSamples, "perturbed": PerturbedSamples}
KINDS_BY_TYPE = {t: k for k, t in SAMPLE_KINDS.items()}


def read_recipe(path: str | Path) -> Recipe:
    """Read and check a recipe.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not TOML, an unknown key, or a value out of range; the message names file and key.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(f"recipe {str(path)!r} does not exist")
    try:
        with file_errors(f"recipe {str(path)!r} cannot be read"):
            text = path.read_text(encoding="utf-8")
        return parse_recipe(tomllib.loads(text))
    except (InputError, tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError) as error:
        raise InputError(f"recipe {str(path)!r}: {error}") from error


def parse_recipe(data: dict[str, Any]) -> Recipe:
    """A recipe from the contents of its TOML file, or of a card."""
    data = dict(data)
    samples = data.pop("samples", {})
    if not isinstance(samples, dict):
        raise InputError(f"`samples` must be a table, got {samples!r}")
    samples = dict(samples)
    kind = samples.pop("kind", None)
    if kind not in SAMPLE_KINDS:
        raise InputError(f"`samples.kind` must be one of {sorted(SAMPLE_KINDS)}, got {kind!r}")
    if kind == "perturbed":
        data["samples"] = PerturbedSamples.from_plain(samples, "samples")
    else:
        data["samples"] = from_plain(PaperSamples(), samples, "samples")
    for name, default in (("network", NetworkSettings()), ("fit", FitSettings())):
        data[name] = from_plain(default, data.get(name, {}), name)
    if "further" in data:
        data["further"] = _further(data["further"], data["samples"])
    if "name" not in data:
        raise InputError("`name` is missing")
    return Recipe(**values_of(Recipe, data, ""))


def _further(data: Any, first: PaperSamples | PerturbedSamples) -> Further:
    """The table `[further]`: samples are like those of the first training but for what it names, counts apart."""
    check_keys(data, {f.name for f in fields(Further)}, "further")
    none = first.at_most({}, others=0) if isinstance(first, PerturbedSamples) else None
    samples = PerturbedSamples.from_plain(data.get("samples", {}), "further.samples", none)
    fit = from_plain(FitSettings(), data.get("fit", {}), "further.fit")
    return Further(**values_of(Further, {**data, "samples": samples, "fit": fit}, "further"))


def recipe_of(card: Card) -> Recipe:
    """The recipe in a model's card.

    Raises:
        ValueError: there is none, or one that this package does not know.
    """
    try:
        return parse_recipe(card.training["recipe"])
    except (KeyError, InputError, TypeError) as error:
        raise InputError(
            f"`model` {card.name!r} cannot be trained on: its card has no recipe that this package knows ({error})"
        ) from error


def to_toml(recipe: Recipe, *, complete: bool = False) -> str:
    """The recipe as the text of a TOML file; `read_recipe` is the inverse. `complete`: as `Recipe.to_dict`."""
    return tomli_w.dumps(recipe.to_dict(complete=complete))
