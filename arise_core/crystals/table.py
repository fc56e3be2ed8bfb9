"""The 108 ARISE classes as the table of prototypes has them."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from functools import cache
from typing import Any

from arise_core.crystals.naming import FORMER_NAMES, short_name
from arise_core.crystals.symbols import COMMON_NAMES, STRUKTURBERICHT, other_words
from arise_core.errors import InputError, check_type
from arise_core.runtime.files import zoo_root

Site = tuple[str, float, float, float]
Colour = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Prototype:
    """One class of crystal structures, a row of `model_zoo/prototypes.toml` (whose header says more).

    Args:
        number: 1 to 108, as in the paper.
        label: class label, the one in model cards and predictions.
        name: name for people.
        short: shorter name, made of letters, digits and underscores.
        material: compound whose geometry is the prototype.
        material_type: "bulk, elemental" (binary, ternary, quaternary), "2D" or "nanotube".
        source: citation of the geometry.
        colour: red, green, blue, 0 to 1.
        published_space_group: number in the source; None where it states none, and for nanotubes.
        space_group: number of the geometry at the tolerance `symprec` (Å); None for nanotubes.
        hall_number: spglib's setting that generates the atoms from `sites`; None for nanotubes.
        symprec: Å; None for nanotubes.
        n_atoms_conventional: atoms in the conventional cell; None for nanotubes.
        formula: composition of the conventional cell; None for nanotubes.
        cell: conventional cell, three lengths in Å and three angles in degrees; None for nanotubes.
        sites: independent atoms, element and fractional coordinates; empty for nanotubes.
        n: first chiral index of a nanotube, else None.
        m: second chiral index of a nanotube, else None.
        bond_length: C-C distance of a nanotube in Å, else None.
    """

    number: int
    label: str
    name: str
    short: str
    material: str
    material_type: str
    source: str
    colour: Colour
    published_space_group: int | None = None
    space_group: int | None = None
    hall_number: int | None = None
    symprec: float | None = None
    n_atoms_conventional: int | None = None
    formula: str | None = None
    cell: tuple[float, ...] | None = None
    sites: tuple[Site, ...] = ()
    n: int | None = None
    m: int | None = None
    bond_length: float | None = None

    @property
    def identifier(self) -> str:
        """Unique name in capitals, such as "FCC" or "MOS2_2D"."""
        return self.short.upper()

    @property
    def strukturbericht(self) -> str | None:
        """Strukturbericht symbol, such as "A1" or "L1_2"; None without one."""
        return STRUKTURBERICHT.get(self.label)

    @property
    def common_names(self) -> tuple[str, ...]:
        """What else people call it, such as "halite"; understood wherever a class is asked for."""
        return COMMON_NAMES.get(self.label, ())

    @property
    def dimension(self) -> int:
        """Directions in which the structure repeats: 3 (bulk), 2 (layer) or 1 (nanotube)."""
        return {"2D": 2, "nanotube": 1}.get(self.material_type, 3)


@cache
def prototypes() -> tuple[Prototype, ...]:
    """All 108 classes in the order of their numbers; Leitherer et al. (2021), Supplementary Tables 4-8."""
    with open(zoo_root() / "prototypes.toml", "rb") as file:
        table = tomllib.load(file)
    return tuple(_from_row(row, table["sources"]) for row in table["prototype"])


def prototype(label_or_name: str) -> Prototype:
    """The class with this label, name, short name, Strukturbericht symbol or common name.

    Labels are exact, the others may be in any case.

    Raises:
        ValueError: there is no such class; the message lists the closest names.
    """
    check_type("label_or_name", label_or_name, str, "the name of a class")
    labels = {p.label: p for p in prototypes()}
    names = {word.casefold(): p for p in prototypes() for word in (short_name(p.name), p.name, p.short)}
    former = {word.casefold(): labels[label] for label, words in FORMER_NAMES.items() for word in words}
    other = {word.casefold(): p for p in prototypes() for word in other_words(p.label)}
    asked = label_or_name.casefold()
    found = labels.get(label_or_name) or names.get(asked) or former.get(asked) or other.get(asked)
    if found is not None:
        return found
    by_lower_case = {
        name.casefold(): name for p in prototypes() for name in (p.label, p.name, p.short, *p.common_names)
    }
    close = difflib.get_close_matches(label_or_name.casefold(), by_lower_case, n=5, cutoff=0.5)
    hint = (
        f"Close: {', '.join(by_lower_case[name] for name in close)}" if close else "`prototypes()` lists all"
    )
    raise InputError(
        f"`label_or_name` must be one of the {len(labels)} classes, got {label_or_name!r}. {hint}"
    )


def _from_row(row: dict[str, Any], sources: dict[str, str]) -> Prototype:
    values = dict(row, source=sources[row["source"]])
    values.update((key, tuple(row[key])) for key in ("colour", "cell") if key in row)
    values["sites"] = tuple(tuple(site) for site in row.get("sites", ()))
    return Prototype(**values)
