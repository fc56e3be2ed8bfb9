"""What a particle is from its surface to its core: classes and doubt by depth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from arise_core.errors import InputError, check_type, shown
from arise_core.geometry.depth import depths
from arise_core.geometry.material import Material
from arise_core.geometry.structure import Structure
from arise_core.model.classes import MISSING
from arise_core.recognition.result import Recognition

#: Depths at which shells end, Å.
EDGES = (5.0, 10.0, 20.0)


class Shell(NamedTuple):
    """Atoms between two depths."""

    low: float  # Å below the surface
    high: float  # Å; infinite: all that is deeper
    n_atoms: int
    fractions: dict[str, float]  # share of the atoms by class, the largest first; rejected ones are in none
    rejected: float  # share of the atoms
    mutual_information: float  # mean over the atoms with a prediction, bit; NaN without any
    confidence: float  # the same, of the probability of the most probable class


def by_depth(
    found: Recognition, structure: Structure | Material, edges: Sequence[float] = EDGES
) -> list[Shell]:
    """Shares of the classes and doubt in shells below the surface, the outermost first.

    Boxes at the surface are partly empty, so what is named there rests on fewer atoms: compare shells of the same depth
    in one particle before and after it was annealed, or in particles of one size.

    Args:
        found: of this structure.
        structure: what was recognised.
        edges: depths at which shells end, Å, increasing; a last shell holds all that is deeper.

    Returns:
        A shell more than edges; empty ones too.

    Raises:
        InputError: edges that do not increase from above 0, or a structure of another number of atoms.
        InputTypeError: no recognition, or no structure.
    """
    check_type("found", found, Recognition, "a Recognition")
    material = Material.of(structure)
    if len(material) != len(found):
        raise InputError(f"`structure` has {len(material)} atoms, `found` is of {len(found)}")
    ends = _checked(edges)
    depth = depths(material)
    named = found.atom_class
    valid = found.atoms.index != MISSING
    shells = []
    for low, high in zip([0.0, *ends], [*ends, float("inf")], strict=True):
        here = (depth < high) & (depth >= (low if low > 0 else -np.inf)) if high < np.inf else depth >= low
        n = int(here.sum())
        counts = np.bincount(named[here & (named != MISSING)], minlength=len(found.classes))
        order = [k for k in np.argsort(-counts, kind="stable").tolist() if counts[k]]
        good = here & valid
        shells.append(
            Shell(
                low, high, n, {found.classes.short[k]: float(counts[k] / n) for k in order},
                float(found.atom_rejected[here].mean()) if n else float("nan"),
                *(float(v[good].mean()) if good.any() else float("nan")
                  for v in (found.atoms.mutual_information, found.atoms.confidence)),
            )
        )  # fmt: skip
    return shells


def _checked(edges: Sequence[float]) -> list[float]:
    """Edges as numbers.

    Raises:
        InputError: they are none, or do not increase.
    """
    try:
        ends = [float(edge) for edge in edges]
    except (TypeError, ValueError):
        ends = []
    if not ends or not np.isfinite(ends).all() or ends[0] <= 0 or (np.diff(np.asarray(ends)) <= 0).any():
        raise InputError(f"`edges` must be depths in Å that increase from above 0, got {shown(edges)}")
    return ends
