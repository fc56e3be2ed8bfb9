"""Recipes: TOML files that say how a model is made, read and checked before any work starts."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from arise_core.crystals.crystal import Crystal, selected
from arise_core.crystals.table import prototype
from arise_core.errors import InputError, MissingFileError
from arise_core.runtime.files import file_errors
from arise_core.settings import DescriptorSettings
from arise_core.training.samples.perturbed import PaperSamples, PerturbedSamples


@dataclass(frozen=True, kw_only=True)
class NetworkSettings:
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
    """

    hidden: tuple[int, ...] = (256, 512, 256)
    dropout: float = 0.0317
    reject: bool = False
    inputs: Literal["standardised", "whitened"] = "standardised"
    components: int = 0
    smallest_variance: float = 1e-5

    def __post_init__(self) -> None:
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
class FitSettings:
    """Optimisation with Adam.

    Args:
        epochs: passes over the training samples.
        batch_size: samples a step.
        learning_rate: of Adam, at the start.
        schedule: "constant", or "cosine" down to zero.
        weight_decay: decoupled weight decay.
        keep: weights kept: those of the epoch with the "best" validation accuracy, or the "last".
    """

    epochs: int = 300
    batch_size: int = 64
    learning_rate: float = 2.16e-4
    schedule: Literal["constant", "cosine"] = "constant"
    weight_decay: float = 0.0
    keep: Literal["best", "last"] = "best"

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1:
            raise InputError(
                f"`epochs` and `batch_size` must be >= 1, got {self.epochs} and {self.batch_size}"
            )
        if not self.learning_rate > 0:
            raise InputError(f"`learning_rate` must be positive, got {self.learning_rate}")


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
    """

    name: str
    description: str = ""
    seed: int = 42
    descriptor: str = "corrected"
    samples: PaperSamples | PerturbedSamples
    network: NetworkSettings = field(default_factory=NetworkSettings)
    fit: FitSettings = field(default_factory=FitSettings)
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.classes and len({prototype(c).label for c in self.classes}) < 2:
            raise InputError(f"`classes` must name at least two prototypes, got {list(self.classes)}")
        if not self.name or "/" in self.name:
            raise InputError(f"`name` of a recipe must be a plain name, got {self.name!r}")
        DescriptorSettings.preset(self.descriptor)
        if self.network.reject and not getattr(self.samples, "disorder", 0):
            raise InputError("`network.reject` needs disordered samples (`samples.disorder` > 0)")

    @property
    def settings(self) -> DescriptorSettings:
        """Descriptor settings of the preset."""
        return DescriptorSettings.preset(self.descriptor)

    def crystals(self) -> tuple[Crystal, ...]:
        """The prototypes that the model knows."""
        return selected(self.classes)

    def to_dict(self) -> dict[str, Any]:
        """Plain types only, as in the TOML file."""
        data = dataclasses.asdict(self)
        data["samples"]["kind"] = KINDS_BY_TYPE[type(self.samples)]
        if not self.classes:
            del data["classes"]
        plain: dict[str, Any] = json.loads(json.dumps(data))
        return plain

    def digest(self) -> str:
        """Hash of everything in the recipe; results of another recipe are not resumed from."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()


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
    """A recipe from the contents of its TOML file."""
    data = dict(data)
    samples = dict(data.pop("samples", {}))
    kind = samples.pop("kind", None)
    if kind not in SAMPLE_KINDS:
        raise InputError(f"`samples.kind` must be one of {sorted(SAMPLE_KINDS)}, got {kind!r}")
    values: dict[str, Any] = {"samples": _from_dict(SAMPLE_KINDS[kind], samples, "samples")}
    for name, cls in (("network", NetworkSettings), ("fit", FitSettings)):
        if name in data:
            values[name] = _from_dict(cls, data.pop(name), name)
    if "name" not in data:
        raise InputError("`name` is missing")
    recipe: Recipe = _from_dict(Recipe, {**data, **values}, "")
    return recipe


def _from_dict(cls: type, data: dict[str, Any], where: str) -> Any:
    """An instance of a settings class from plain values, nested classes included."""
    if not isinstance(data, dict):
        raise InputError(f"`{where}` must be a table, got {data!r}")
    hints = get_type_hints(cls)
    prefix = f"{where}." if where else ""
    values = {}
    for key, value in data.items():
        if key not in hints:
            raise InputError(f"unknown key `{prefix}{key}`; known are {sorted(hints)}")
        hint = hints[key]
        if dataclasses.is_dataclass(hint) and isinstance(value, dict):
            value = _from_dict(hint, value, f"{prefix}{key}")  # type: ignore[arg-type]
        elif get_origin(hint) is tuple:
            value = tuple(value)
        elif get_origin(hint) is dict:
            if not isinstance(value, dict):
                raise InputError(f"`{prefix}{key}` must be a table, got {value!r}")
        elif get_origin(hint) is Literal:
            if value not in get_args(hint):
                raise InputError(f"`{prefix}{key}` must be one of {get_args(hint)}, got {value!r}")
        elif hint in (int, float, bool, str):
            number = hint is float and isinstance(value, int) and not isinstance(value, bool)
            if not number and type(value) is not hint:
                raise InputError(f"`{prefix}{key}` must be of type {hint.__name__}, got {value!r}")
        values[key] = value
    return cls(**values)


def to_toml(recipe: Recipe) -> str:
    """The recipe as the text of a TOML file; `read_recipe` is the inverse."""
    lines: list[str] = []
    _write_table(recipe.to_dict(), "", lines)
    return "\n".join(lines).strip() + "\n"


def _write_table(data: dict[str, Any], where: str, lines: list[str]) -> None:
    # JSON writes strings, numbers, booleans and lists of them as TOML does
    lines += [f"{_key(k)} = {json.dumps(v)}" for k, v in data.items() if not isinstance(v, dict)]
    for key, value in data.items():
        if isinstance(value, dict):
            name = f"{where}.{_key(key)}" if where else _key(key)
            lines += ["", f"[{name}]"]
            _write_table(value, name, lines)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name)
