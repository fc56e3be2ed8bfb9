"""Model cards: what a model file says of itself. Checked when a model is exported and when it is loaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from arise_core.crystals.naming import ClassInfo
from arise_core.errors import InputError
from arise_core.model.classes import ClassTable
from arise_core.settings import DescriptorSettings

FORMAT = "arise-model"
FORMAT_VERSION = 2
UNCERTAINTY_UNIT = "bit"


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
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError(f"the model's card is not JSON: {error}") from error
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise InputError("the file carries no ARISE model card")
        if data.get("format_version") != FORMAT_VERSION:
            raise InputError(
                f"the model's card has format version {data.get('format_version')}, this package reads "
                f"{FORMAT_VERSION}"
            )
        if data.get("uncertainty_unit") != UNCERTAINTY_UNIT:
            raise InputError(f"the model's uncertainty is in {data.get('uncertainty_unit')!r}, not in bit")
        try:
            classes = ClassTable(ClassInfo(**{**c, "colour": _colour(c["colour"])}) for c in data["classes"])
            card = cls(
                name=str(data["name"]),
                description=str(data["description"]),
                classes=classes,
                descriptor=DescriptorSettings.from_dict(data["descriptor"]),
                n_inputs=int(data["network"]["n_inputs"]),
                hidden=tuple(int(h) for h in data["network"]["hidden"]),
                dropout=float(data["network"]["dropout"]),
                reject=Reject(**data["reject"]),
                weights_sha256=str(data["weights_sha256"]),
                package_version=str(data["package_version"]),
                training=dict(data["training"]),
                accuracy=dict(data["accuracy"]),
            )
        except InputError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"the model's card is incomplete: {error!r}") from error
        labels = [c.label for c in card.classes]
        if len(labels) < 2 or len(set(labels)) != len(labels):
            raise InputError("the model's card must list at least two classes with different labels")
        if card.reject.kind not in ("head", "entropy"):
            raise InputError(f"the model's card names an unknown way to reject, {card.reject.kind!r}")
        return card


def _colour(values: Iterable[float]) -> tuple[float, float, float]:
    red, green, blue = (float(v) for v in values)
    return red, green, blue


def weights_digest(arrays: Mapping[str, Any]) -> str:
    """sha256 over names, shapes, types and contents of the weights (numpy arrays), by name."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.shape} {array.dtype.str}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
