"""Chemical elements: symbols, numbers and masses."""

from __future__ import annotations

import ase.data
import numpy as np

#: Symbol of each atomic number; "X" for 0, which is no element.
SYMBOLS: tuple[str, ...] = tuple(ase.data.chemical_symbols)
ATOMIC_NUMBERS: dict[str, int] = {s: z for z, s in enumerate(SYMBOLS) if z > 0}
#: A mass names an element if it is this close to its standard atomic mass (u), and twice as far from any other.
MASS_TOLERANCE = 0.1
#: Masses of deuterium and tritium (u), and how close a mass must come to them.
HEAVY_HYDROGEN = (2.014, 3.016)
HEAVY_TOLERANCE = 0.01


def element_of_mass(mass: float) -> int | None:
    """Atomic number of the element of a mass in u; None if no element or more than one has it."""
    if not mass > 0:
        return None
    if any(abs(mass - heavy) <= HEAVY_TOLERANCE for heavy in HEAVY_HYDROGEN):
        return 1
    off = np.abs(ase.data.atomic_masses - mass)
    off[0] = np.inf
    best, second = np.argsort(off)[:2]
    return int(best) if off[best] <= MASS_TOLERANCE and off[second] >= 2 * off[best] else None
