"""The defective structures of the paper's tables, made again from seeds.

Leitherer et al. (2021), Table 2 and Supplementary Tables 1-3: for each of the 96 classes that are no nanotube
three supercells, periodic and open; for the 12 nanotubes an open piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from arise_core.crystals.ideal import build, supercells
from arise_core.crystals.table import prototype, prototypes
from arise_core.errors import InputError
from arise_core.geometry import builders
from arise_core.geometry.structure import Structure

FORMS = ("unit", "periodic", "open")


@dataclass(frozen=True)
class Column:
    """A kind of defect, one column of the tables."""

    missing: float  # share of the atoms, %
    displacement: float  # largest displacement per coordinate, % of the nearest-neighbour distance

    @property
    def name(self) -> str:
        """Name in files and on the command line, such as "eta-20", "delta-4" or "eta-30-delta-10"."""
        parts = [f"eta-{self.missing:g}"] if self.missing else []
        parts += [f"delta-{self.displacement:g}"] if self.displacement else []
        return "-".join(parts) or "pristine"

    @property
    def title(self) -> str:
        """Heading in tables."""
        if self.missing and self.displacement:
            return f"({self.missing:g}, {self.displacement:g})"
        return f"η {self.missing:g}" if self.missing else f"δ {self.displacement:g}" if self else "pristine"

    def __bool__(self) -> bool:
        return bool(self.missing or self.displacement)


PRISTINE = Column(0, 0)
DISPLACEMENTS = tuple(Column(0, d) for d in (0.1, 0.6, 1, 2, 4, 7, 10))
MISSING = tuple(Column(m, 0) for m in (1, 5, 10, 20, 25, 30))
BOTH = tuple(Column(m, d) for m, d in ((1, 0.1), (5, 0.6), (10, 1), (15, 2), (20, 4), (25, 7), (30, 10)))
COLUMNS = (PRISTINE, *DISPLACEMENTS, *MISSING, *BOTH)


@dataclass(frozen=True)
class Case:
    """One structure to recognise."""

    label: str  # class it was made from
    form: str  # one of FORMS
    size: int  # 0, 1, 2: which of the class's supercells
    structure: Structure
    in_data_set: bool = True  # False: only for methods that are scored on periodic supercells


def column(name: str) -> Column:
    """The column of this name.

    Raises:
        ValueError: there is none.
    """
    for known in COLUMNS:
        if known.name == name:
            return known
    raise InputError(f"`column` must be one of {', '.join(c.name for c in COLUMNS)}, got {name!r}")


def labels_of(names: Sequence[str]) -> tuple[str, ...]:
    """Labels of classes given by label or name, in the order of the table; all 108 if none is given.

    Raises:
        ValueError: there is no such class.
    """
    wanted = {prototype(name).label for name in names}
    return tuple(p.label for p in prototypes() if p.label in wanted or not names)


def cases(kind: Column, draw: int, seed: int, labels: Sequence[str]) -> list[Case]:
    """The structures of a column.

    Every structure has its own random numbers, so that it does not depend on which others are made.

    Args:
        kind: of the defects. The pristine structures are those of the training set: unit cell and open
            supercells; the smallest periodic supercell is added for methods that are scored on those only.
        draw: number of the random draw; of no effect on pristine structures.
        seed: of all random numbers.
        labels: classes.
    """
    made: list[Case] = []
    for label in labels:
        number = prototype(label).number
        if not kind:
            made += _pristine(label)
            continue
        for form, size, ideal in _supercells(label):
            key = (seed, number, FORMS.index(form), size, round(10 * kind.missing))
            rng = np.random.default_rng((*key, round(10 * kind.displacement), draw))
            moved = builders.displace(ideal, kind.displacement / 100, rng)
            made.append(Case(label, form, size, builders.remove_atoms(moved, kind.missing / 100, rng)))
    return made


def _pristine(label: str) -> list[Case]:
    found = [Case(label, *rest) for rest in _supercells(label)]
    if prototype(label).dimension == 1:
        return found
    smallest = next(c for c in found if c.form == "periodic" and c.size == 0)
    return [
        Case(label, "unit", 0, build(prototype(label))),
        *(c for c in found if c.form == "open"),
        Case(label, "periodic", 0, smallest.structure, in_data_set=False),
    ]


@lru_cache(maxsize=128)
def _supercells(label: str) -> tuple[tuple[str, int, Structure], ...]:
    """Form, size and structure of the supercells of a class; of a nanotube, one open piece."""
    kind = prototype(label)
    if kind.dimension == 1:
        return (("open", 0, build(kind)),)
    return tuple(
        (form, size, structure)
        for form in ("periodic", "open")
        for size, structure in enumerate(supercells(kind, periodic=form == "periodic"))
    )
