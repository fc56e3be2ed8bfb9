"""The crystals that samples are made of: the 108 prototypes, or others, such as a user's own."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from arise_core.crystals.ideal import MIN_ATOMS, SUPERCELLS, build, supercells
from arise_core.crystals.naming import ClassInfo
from arise_core.crystals.table import Prototype, prototypes
from arise_core.descriptor.soap import describe
from arise_core.errors import InputError
from arise_core.geometry import builders
from arise_core.geometry.arrays import FloatArray
from arise_core.geometry.structure import Structure
from arise_core.settings import DescriptorSettings


@dataclass(frozen=True, eq=False, kw_only=True)
class Crystal:
    """A class and its periodic structure.

    Args:
        info: what the card says of the class.
        unit: one period; bulk repeats along all cell vectors, a layer along the first two with the third
            normal to them, a tube along the third.
        tube: the table's row for a nanotube of the table, whose pieces are rolled up rather than repeated.
    """

    info: ClassInfo
    unit: Structure
    tube: Prototype | None = None

    @property
    def label(self) -> str:
        """Label of the class."""
        return self.info.label

    @property
    def dimension(self) -> int:
        """Directions in which the structure repeats: 3 (bulk), 2 (layer) or 1 (tube)."""
        return int(self.unit.pbc.sum())

    def supercells(
        self, min_atoms: int = MIN_ATOMS, count: int = SUPERCELLS, *, periodic: bool = False
    ) -> tuple[Structure, ...]:
        """The smallest isotropic supercell with `min_atoms` atoms and the next `count` - 1, as for prototypes."""
        if self.tube is not None:
            return supercells(self.tube, min_atoms, count, periodic=periodic)
        smallest = next(n for n in itertools.count(1) if len(self.unit) * n**self.dimension >= min_atoms)
        cells = []
        for n in range(smallest, smallest + count):
            cell = builders.repeat(self.unit, np.where(self.unit.pbc, n, 1).tolist())
            pbc = cell.pbc if periodic else np.zeros(3, dtype=bool)
            cells.append(Structure(cell.positions, cell.numbers, cell.cell, pbc))
        return tuple(cells)

    @cached_property
    def pristine(self) -> tuple[Structure, ...]:
        """The period and three open supercells; one open piece for a nanotube of the table."""
        return self.supercells(count=1) if self.tube is not None else (self.unit, *self.supercells())

    @cached_property
    def fingerprint(self) -> FloatArray:
        """That of the period, (315,)."""
        return fingerprint(self.unit)

    @property
    def n_pristine(self) -> int:
        """Number of pristine structures, known without building them."""
        return 1 if self.tube is not None else 1 + SUPERCELLS


def fingerprint(structure: Structure) -> FloatArray:
    """What tells crystals apart whatever their elements, size, cell and orientation, (315,)."""
    return describe(structure, DescriptorSettings.paper())


def info_of(prototype: Prototype) -> ClassInfo:
    """A prototype as a class of a model."""
    return ClassInfo(
        prototype.label,
        prototype.name,
        prototype.identifier,
        prototype.colour,
        prototype.space_group,
        prototype.material_type,
    )


@lru_cache(maxsize=1)
def prototype_crystals() -> tuple[Crystal, ...]:
    """The 108 prototypes in the order of their numbers."""
    return tuple(
        Crystal(info=info_of(p), unit=build(p, one_period=True), tube=p if p.dimension == 1 else None)
        for p in prototypes()
    )


def selected(labels: Sequence[str]) -> tuple[Crystal, ...]:
    """Those of the 108 prototypes with these labels or names, in the order of their numbers; none given: all.

    Raises:
        ValueError: an unknown label.
    """
    from arise_core.crystals.table import prototype

    if not labels:
        return prototype_crystals()
    wanted = {prototype(label).label for label in labels}
    return tuple(c for c in prototype_crystals() if c.label in wanted)


def to_plain(crystals: Iterable[Crystal]) -> list[dict[str, Any]]:
    """Crystals that are not prototypes as plain types, for a card; lengths in Å with 8 digits."""
    return [
        {
            "label": c.label,
            "numbers": c.unit.numbers.tolist(),
            "positions": c.unit.positions.round(8).tolist(),
            "cell": c.unit.cell.round(8).tolist(),
            "pbc": c.unit.pbc.tolist(),
        }
        for c in crystals
    ]


def from_plain(rows: Iterable[dict[str, Any]], classes: Iterable[ClassInfo]) -> tuple[Crystal, ...]:
    """The inverse of `to_plain`, with the classes of the card.

    Raises:
        ValueError: a row without a class, or one that is no structure.
    """
    infos = {c.label: c for c in classes}
    try:
        return tuple(
            Crystal(
                info=infos[row["label"]],
                unit=Structure(row["positions"], row["numbers"], row["cell"], row["pbc"]),
            )
            for row in rows
        )
    except (KeyError, TypeError) as error:
        raise InputError(f"the card's `training.crystals` are incomplete: {error!r}") from error
