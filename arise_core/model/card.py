"""Model cards: what a model file says of itself. Checked when a model is exported and when it is loaded."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from arise_core.crystals.naming import FORMER_NAMES, ClassInfo
from arise_core.crystals.table import prototype
from arise_core.errors import InputError
from arise_core.model.classes import ClassTable
from arise_core.model.entries import list_of, number_of, object_of, read_json, text_of, whole_of
from arise_core.model.sureness import Sureness
from arise_core.settings import DescriptorSettings

FORMAT = "arise-model"
FORMAT_VERSION = 2
UNCERTAINTY_UNIT = "bit"
#: Most classes, hidden layers, and units of a layer that a card may speak of.
MAX_CLASSES = 5000
MAX_LAYERS = 32
MAX_WIDTH = 2**16
#: Most radial functions, and highest degree, of a descriptor.
MAX_BASIS = 32
#: Most atoms that an answer may need.
MOST_ATOMS = 1_000_000


@dataclass(frozen=True)
class Reject:
    """How a model says that a structure is none of its classes.

    Args:
        kind: "head" (an output of the network) or "entropy" (predictive entropy over its maximum).
        threshold: score from which a prediction is rejected; None: nothing is.
        false_crystal_rate: share of disordered samples below the threshold, as measured in training.
        false_reject_rate: share of crystals of the classes above it.
        unknown_crystal_rate: share of random crystals that are none of the classes below it.
    """

    kind: str
    threshold: float | None
    false_crystal_rate: float | None = None
    false_reject_rate: float | None = None
    unknown_crystal_rate: float | None = None


@dataclass(frozen=True)
class Card:
    """Contents of a model's card; see docs/models.md for every entry."""

    name: str
    description: str
    classes: ClassTable
    descriptor: DescriptorSettings
    n_inputs: int  # numbers that the network's input map makes of a descriptor
    hidden: tuple[int, ...]
    dropout: float
    reject: Reject
    weights_sha256: str
    package_version: str
    training: dict[str, Any] = field(default_factory=dict)
    accuracy: dict[str, Any] = field(default_factory=dict)
    sureness: Sureness | None = None  # None: not calibrated, maps of this model have boxes of one size

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", ClassTable.of(self.classes))

    def to_json(self) -> str:
        """JSON text; `from_json` is the inverse."""
        return json.dumps(
            {
                "format": FORMAT,
                "format_version": FORMAT_VERSION,
                "name": self.name,
                "description": self.description,
                "package_version": self.package_version,
                "uncertainty_unit": UNCERTAINTY_UNIT,
                "weights_sha256": self.weights_sha256,
                "descriptor": self.descriptor.to_dict(),
                "network": {"n_inputs": self.n_inputs, "hidden": list(self.hidden), "dropout": self.dropout},
                "reject": vars(self.reject),
                **({} if self.sureness is None else {"sureness": vars(self.sureness)}),
                "training": self.training,
                "accuracy": self.accuracy,
                "classes": [{**vars(c), "colour": list(c.colour)} for c in self.classes],
            },
            indent=1,
        )

    @classmethod
    def from_json(cls, text: str) -> Card:
        """Read and check a card.

        Raises:
            ValueError: not a card, of a newer format, or with entries that are missing or do not fit.
        """
        try:
            data = read_json(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"the model's card is not JSON: {error}") from error
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise InputError("the file carries no ARISE model card")
        if data.get("format_version") != FORMAT_VERSION:
            raise InputError(
                f"the model's card has format version {data.get('format_version')!r:.40}, this package reads "
                f"{FORMAT_VERSION}"
            )
        if data.get("uncertainty_unit") != UNCERTAINTY_UNIT:
            raise InputError(
                f"the model's uncertainty is in {data.get('uncertainty_unit')!r:.40}, not in bit"
            )
        try:
            return _card(data)
        except InputError:
            raise
        except KeyError as error:
            raise InputError(f"the model's card is incomplete: there is no {error}") from error
        except (TypeError, ValueError) as error:
            raise InputError(f"the model's card is incomplete or wrong: {error}") from error


def _card(data: dict[str, Any]) -> Card:
    """The card that JSON data are, every entry checked: kind, and bounds far beyond those of any sensible model."""
    network, training = object_of(data["network"], "network"), object_of(data["training"], "training")
    rows = list_of(data["classes"], "classes", 2, MAX_CLASSES)
    classes = ClassTable(class_of(object_of(row, "classes"), f"classes[{k}]") for k, row in enumerate(rows))
    labels = [c.label for c in classes]
    if len(set(labels)) != len(labels):
        raise InputError("the model's card must list at least two classes with different labels")
    list_of(training.get("steps", []), "training.steps", 0, 1000)
    hidden = list_of(network["hidden"], "network.hidden", 1, MAX_LAYERS)
    return Card(
        name=text_of(data["name"], "name"),
        description=text_of(data["description"], "description", 10_000, lines=True),
        classes=classes,
        descriptor=_descriptor(object_of(data["descriptor"], "descriptor")),
        n_inputs=whole_of(network["n_inputs"], "network.n_inputs", 1, MAX_WIDTH),
        hidden=tuple(whole_of(h, "network.hidden", 1, MAX_WIDTH) for h in hidden),
        dropout=number_of(network["dropout"], "network.dropout", 0, 0.99),
        reject=_reject(object_of(data["reject"], "reject")),
        weights_sha256=text_of(data["weights_sha256"], "weights_sha256", 64),
        package_version=text_of(data["package_version"], "package_version"),
        training=training,
        accuracy=object_of(data["accuracy"], "accuracy"),
        sureness=_sureness(data["sureness"]) if "sureness" in data else None,
    )


def class_of(row: dict[str, Any], where: str) -> ClassInfo:
    """The class of a row of a card; `where` it stands is for messages.

    Raises:
        InputError: an entry that does not fit.
    """
    info = ClassInfo(**{**row, "colour": _colour(row["colour"], where)})
    for name in ("label", "name", "identifier", "material_type"):
        text_of(getattr(info, name), f"{where}.{name}")
    if info.space_group is not None:
        whole_of(info.space_group, f"{where}.space_group", 1, 230)
    return _renamed(info)


def _renamed(info: ClassInfo) -> ClassInfo:
    """A class of the table of prototypes under its name of today, where the card has its former one."""
    if info.name not in FORMER_NAMES.get(info.label, ()):
        return info
    today = prototype(info.label)
    return replace(info, name=today.name, identifier=today.identifier)


def _colour(values: Any, where: str) -> tuple[float, float, float]:
    red, green, blue = (
        number_of(v, f"{where}.colour", 0, 1) for v in list_of(values, f"{where}.colour", 3, 3)
    )
    return red, green, blue


def _reject(data: dict[str, Any]) -> Reject:
    reject = Reject(**data)
    if reject.kind not in ("head", "entropy"):
        raise InputError(f"the model's card names an unknown way to reject, {reject.kind!r:.40}")
    for name, value in vars(reject).items():
        if name != "kind" and value is not None:
            number_of(value, f"reject.{name}", 0, 1)
    return reject


def _sureness(data: Any) -> Sureness:
    sure = Sureness(**object_of(data, "sureness"))
    number_of(sure.error, "sureness.error", 0, 1)
    if sure.wrong is not None:
        number_of(sure.wrong, "sureness.wrong", 0, 1)
    for label, count in object_of(sure.atoms, "sureness.atoms").items():
        whole_of(count, f"sureness.atoms.{text_of(label, 'sureness.atoms')}", 0, MOST_ATOMS)
    for label, row in object_of(sure.relatives, "sureness.relatives").items():
        where = f"sureness.relatives.{text_of(label, 'sureness.relatives')}"
        for relative, count in object_of(row, where).items():
            whole_of(count, f"{where}.{text_of(relative, where)}", 0, MOST_ATOMS)
    for atoms, share in object_of(sure.answered, "sureness.answered").items():
        number_of(share, f"sureness.answered.{text_of(atoms, 'sureness.answered')}", 0, 1)
    return sure


def _descriptor(data: dict[str, Any]) -> DescriptorSettings:
    settings = DescriptorSettings.from_dict(data)
    if type(settings.window) is not bool:
        raise ValueError(f"`descriptor.window` must be true or false, got {settings.window!r:.40}")
    for name in ("n_max", "l_max"):
        whole_of(getattr(settings, name), f"descriptor.{name}", 0, MAX_BASIS)
    for name, low, high in (("r_cut", 1.0, 50.0), ("sigma", 1e-3, 10.0), ("floor", 1e-9, 1.0)):
        number_of(getattr(settings, name), f"descriptor.{name}", low, high)
    for channel in list_of(list(settings.channels), "descriptor.channels", 1, 16):
        number_of(channel.taper, "descriptor.channels.taper", 0, 50)
        number_of(channel.share, "descriptor.channels.share", 0, 1)
        if channel.pairs != "blind":
            number_of(channel.pairs, "descriptor.channels.pairs", 0, 1e3)
    return settings


# --- weights ------------------------------------------------------------------------------------------------------


def expected_shapes(card: Card) -> dict[str, tuple[int, ...]]:
    """Shapes of the weights of a card's network, by name."""
    n_out, n_features = len(card.classes) + (card.reject.kind == "head"), card.descriptor.n_features
    widths = [card.n_inputs, *card.hidden, n_out]
    shapes: dict[str, tuple[int, ...]] = {"mean": (n_features,), "transform": (n_features, card.n_inputs)}
    for k, (a, b) in enumerate(itertools.pairwise(widths)):
        shapes |= {f"layers.{k}.weight": (b, a), f"layers.{k}.bias": (b,)}
    return shapes


def check_weights(weights: Mapping[str, Any], card: Card) -> None:
    """Refuse weights that are not those of a card.

    Raises:
        InputError: other names, shapes, types or hash than the card's, or numbers that are not finite.
    """
    wanted = expected_shapes(card)
    shapes = {name: tuple(array.shape) for name, array in weights.items()}
    if shapes != wanted:
        different = sorted(n for n in {*wanted, *shapes} if wanted.get(n) != shapes.get(n))
        said = ", ".join(f"{n!r:.40} is {shapes.get(n)}, not {wanted.get(n)}" for n in different[:4])
        raise InputError(
            f"the network does not fit its card of {card.descriptor.n_features} numbers and "
            f"{len(card.classes)} classes: {said}"
        )
    for name, array in weights.items():
        if array.dtype != np.float32 or not np.isfinite(array).all():
            raise InputError(f"the network's {name!r} has numbers that are not finite float32")
    if weights_digest(weights) != card.weights_sha256:
        raise InputError("the weights do not have the hash that the card states: the file was altered")


def weights_digest(arrays: Mapping[str, Any]) -> str:
    """sha256 over names, shapes, types and contents of the weights (numpy arrays), by name."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.shape} {array.dtype.str}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
