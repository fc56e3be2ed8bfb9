"""What classes are called, with identifiers and colours, and what is called that is no class."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from arise_core.errors import InputError
from arise_core.geometry.structure import Structure

#: What samples and predictions are called that are no class: without crystalline order, crystals that are none of the
#: classes, rejected by the model, without a prediction (too few atoms).
DISORDERED = "disordered"
UNKNOWN = "unknown"
REJECTED = "rejected"
NONE = "none"

#: What classes were called in 0.1, by label: name, short name of results, short name of the table. Still understood.
FORMER_NAMES: dict[str, tuple[str, ...]] = {
    "3_cubic": (
        "cubic perovskite",
        "cubic_perovskite",
        "perovskite_cubic",
    ),
    "3_halides_cubic": (
        "cubic halide perovskite",
        "cubic_halide_perovskite",
        "halide_perovskite_cubic",
    ),
    "3_halides_tetragonal": (
        "tetragonal halide perovskite",
        "tetragonal_halide_perovskite",
        "halide_perovskite_tetragonal",
    ),
    "3_halides_orthorhombic": (
        "orthorhombic halide perovskite",
        "orthorhombic_halide_perovskite",
        "halide_perovskite_orthorhombic",
    ),
    "24_RP": (
        "Ruddlesden-Popper 214",
        "Ruddlesden-Popper_214",
        "Ruddlesden_Popper_214",
    ),
    "327_RP": (
        "Ruddlesden-Popper 327",
        "Ruddlesden-Popper_327",
        "Ruddlesden_Popper_327",
    ),
}


def short_name(name: str) -> str:
    """A name without spaces or commas: everything but letters, digits and `_.+-` is replaced by `_`."""
    return re.sub(r"[^A-Za-z0-9_.+-]+", "_", name).strip("_")


@dataclass(frozen=True)
class ClassInfo:
    """One class of a model.

    Args:
        label: what predictions say.
        name: for people.
        identifier: capitals, digits and underscores, for attributes in OVITO.
        colour: red, green, blue, 0 to 1.
        space_group: number, or None (nanotubes).
        material_type: such as "bulk, elemental", "2D", "nanotube".
    """

    label: str
    name: str
    identifier: str
    colour: tuple[float, float, float]
    space_group: int | None
    material_type: str

    @property
    def words(self) -> tuple[str, str, str]:
        """All that a user may call it: label, name and identifier."""
        return self.label, self.name, self.identifier


#: Names that mean something else in the output.
RESERVED = ("other", NONE, DISORDERED)
KINDS = ("elemental", "binary", "ternary", "quaternary")


def material_type(unit: Structure) -> str:
    """As the table of prototypes has it: "bulk, binary", "2D", "nanotube"."""
    dimension = int(unit.pbc.sum())
    if dimension < 3:
        return {2: "2D", 1: "nanotube"}[dimension]
    n = len(unit.species)
    return f"bulk, {KINDS[n - 1] if n <= len(KINDS) else f'{n} elements'}"


def check_name(name: str, classes: Iterable[ClassInfo]) -> str:
    """The name of a new class without surrounding blanks.

    Raises:
        ValueError: empty, not printable, with a separator of tables, reserved, or taken.
    """
    name = name.strip()
    if not name or not name.isprintable() or any(c in name for c in ",;/\\\"'"):
        raise InputError(
            f"`name` of a class must be printable text without , ; / \\ and quotes, got {name!r}"
        )
    if name.casefold() in RESERVED:
        raise InputError(f"`name` {name!r} has another meaning in the output, choose a different one")
    for c in classes:
        if name.casefold() in (c.label.casefold(), c.name.casefold(), c.identifier.casefold()):
            raise InputError(f"`name` {name!r} is taken by the class {c.label} ({c.name})")
    return name


def new_identifier(name: str, classes: Iterable[ClassInfo]) -> str:
    """The name in capitals, digits and underscores, made unique with a number."""
    base = re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_") or "CLASS"
    if base[0].isdigit():
        base = f"C_{base}"
    taken = {c.identifier for c in classes}
    identifier, k = base, 2
    while identifier in taken:
        identifier, k = f"{base}_{k}", k + 1
    return identifier


def new_colour(taken: Sequence[tuple[float, float, float]]) -> tuple[float, float, float]:
    """Of a palette of 144, the colour that is farthest from all that are taken (weighted red, green, blue)."""
    palette = np.array(
        [
            colorsys.hsv_to_rgb(hue / 24, saturation, value)
            for value in (0.95, 0.75, 0.55)
            for saturation in (0.9, 0.55)
            for hue in range(24)
        ]
    ).round(3)
    if not taken:
        red, green, blue = palette[0].tolist()
        return red, green, blue
    weight = np.sqrt([2.0, 4.0, 3.0])  # of what the eye sees
    distance = np.linalg.norm((palette[:, None] - np.array(taken)[None]) * weight, axis=2).min(axis=1)
    red, green, blue = palette[int(np.argmax(distance))].tolist()
    return red, green, blue
