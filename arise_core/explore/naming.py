"""What a rebuilt crystal is called: the classes and crystals of the tables that it is, or is nearest to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from arise_core.crystals.crystal import Crystal, fingerprint, prototype_crystals
from arise_core.crystals.elements import SYMBOLS
from arise_core.crystals.others import other_crystals
from arise_core.crystals.symmetry import symmetry
from arise_core.errors import check_type
from arise_core.explore.unknown import RebuiltCell
from arise_core.geometry.arrays import FloatArray
from arise_core.model.model import Model, check_model
from arise_core.progress import Job, Progress, Step, part, run, silent
from arise_core.recognition.comparison import similarity_steps
from arise_core.settings import LAYER

#: Crystals of the same space group and orbits are of one type within this distance of their normalised descriptors.
#: Rebuilt from atoms with 5 % noise, 59 of 60 crystals are at most 0.014 from themselves, one 0.041: its first shell
#: has two distances, and the descriptor's unit of length is now the one, now the other.
CLOSE = 0.05
#: Relatives that are listed.
LISTED = 5


@dataclass(frozen=True, eq=False, kw_only=True)
class Relative:
    """A crystal of the tables beside one that was rebuilt.

    Args:
        crystal: of the tables, or of the caller.
        known: a class of the 108, rather than one of the other crystals.
        distance: between normalised descriptors, blind to the names of elements; 0 for equal crystals, 1.4 at most.
        same_symmetry: same space group and orbits, whatever the elements.
        similarity: cosine of the model's representations, 1 for equal ones; NaN without a model.
    """

    crystal: Crystal
    known: bool
    distance: float
    same_symmetry: bool
    similarity: float

    @property
    def same(self) -> bool:
        """Whether it is of the same type."""
        return self.same_symmetry and self.distance < CLOSE


@dataclass(frozen=True, eq=False)
class Name:
    """What a rebuilt crystal is called.

    Args:
        found: the crystal.
        relatives: (n,), the nearest first; of the same type before others.
    """

    found: RebuiltCell
    relatives: tuple[Relative, ...]

    @property
    def type(self) -> Relative | None:
        """The crystal of the tables that it is, if any."""
        first = self.relatives[0] if self.relatives else None
        return first if first is not None and first.same else None

    def __str__(self) -> str:
        """A sentence."""
        found = self.found
        formula = (
            formula_of(found) if found.elements else f"{formula_of(found)} (elements mixed on the sites)"
        )
        about = (
            f"{formula}, {found.symbol} ({found.group}), {len(found.structure)} atoms in the primitive cell"
        )
        if self.type is not None:
            kind = "class " if self.type.known else ""
            return f"this is {kind}{self.type.crystal.info.name}: {about}"
        near = ", ".join(f"{r.crystal.info.name} ({r.distance:.3f})" for r in self.relatives[:3])
        return f"no crystal of the tables: {about}; nearest: {near}"


def formula_of(found: RebuiltCell) -> str:
    """Smallest whole composition, elements in order of their number there, such as "MgCu2"."""
    numbers, counts = np.unique(found.structure.numbers, return_counts=True)
    counts = counts // np.gcd.reduce(counts)
    order = np.lexsort((numbers, counts))
    return "".join(f"{SYMBOLS[numbers[k]]}{counts[k] if counts[k] > 1 else ''}" for k in order)


def name_crystal(
    found: RebuiltCell,
    model: Model | None = None,
    others: Sequence[Crystal] = (),
    *,
    progress: Progress = silent,
) -> Name:
    """The classes and crystals of the tables that a rebuilt crystal is, or is nearest to.

    Compared are space group and orbits, and descriptors that do not know the names of elements; with a model its
    representations too.

    Args:
        found: from `rebuild_cell`.
        model: whose representations are compared, if any.
        others: more bulk crystals to compare with, such as the caller's own.
        progress: called with each step.
    """
    return run(name_steps(found, model, others), progress)


def name_steps(found: RebuiltCell, model: Model | None = None, others: Sequence[Crystal] = ()) -> Job[Name]:
    """`name_crystal` as a job."""
    check_type("found", found, RebuiltCell, "a RebuiltCell, as `rebuild_cell` gives it")
    if model is not None:
        check_model(model)
    check_type("others", others, Sequence, "several Crystals")
    for other in others:
        check_type("others", other, Crystal, "several Crystals")
    yield Step(0.0, "comparing with the tables")
    own, kind = fingerprint(found.structure), symmetry(found.structure)
    rows = [*_table(), *((c, False, c.fingerprint, symmetry(c.unit)) for c in others)]
    distances = np.array([np.linalg.norm(own - print_) for _, _, print_, _ in rows])
    alike = np.array([kind == theirs for *_, theirs in rows])
    same = alike & (distances < CLOSE)
    order = np.lexsort((distances, ~same))[:LISTED]
    cosines = np.full(len(order), np.nan)
    if model is not None:
        structures = [found.structure, *(rows[k][0].unit for k in order)]
        cosines = (yield from part(similarity_steps(structures, model, LAYER), 0.5, 1.0))[0, 1:]
    yield Step(1.0, "named")
    return Name(
        found,
        tuple(
            Relative(
                crystal=rows[k][0],
                known=rows[k][1],
                distance=float(distances[k]),
                same_symmetry=bool(alike[k]),
                similarity=float(cosine),
            )
            for k, cosine in zip(order, cosines, strict=True)
        ),
    )


@lru_cache(maxsize=1)
def _table() -> tuple[tuple[Crystal, bool, FloatArray, tuple[Any, ...]], ...]:
    """Bulk crystals of the tables, whether they are classes, their descriptors and symmetries."""
    known = [(c, True) for c in prototype_crystals() if c.dimension == 3]
    others = [(c, False) for c in other_crystals()]
    return tuple((c, is_class, c.fingerprint, symmetry(c.unit)) for c, is_class in [*known, *others])
