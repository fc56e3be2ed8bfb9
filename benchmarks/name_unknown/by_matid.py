"""The same asked of MatID, which is no dependency of this package: python -m pip install matid."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass

import ase
import numpy as np

from arise_core import Structure
from arise_core.crystals.standard import standard_form
from arise_core.crystals.symmetry import primitive, symmetrised
from arise_core.errors import InputError
from arise_core.geometry import builders
from benchmarks.name_unknown.cases import Case, same_cell

#: Settings of its search: largest cell, Å, and tolerance of positions, Å; None: 0.35 of the nearest-neighbour distance.
SEARCHES = ((6.0, 0.7), (15.0, 0.7), (15.0, None))
#: Tolerances of symmetry, Å.
TOLERANCES = (0.01, 0.1, 0.2, 0.3, 0.4, 0.6)
#: Seconds that a search may take.
LIMIT = 60


@dataclass(frozen=True)
class Answer:
    """Right space group, and right cell with it, for each tolerance."""

    group: tuple[bool, ...]
    cell: tuple[bool, ...]
    seconds: float


def asked(case: Case, search: tuple[float, float | None]) -> Answer:
    """What MatID makes of the noisy piece: its largest cluster's cell, with spglib at each tolerance."""
    largest, tolerance = search
    if tolerance is None:
        tolerance = 0.35 * builders.nearest_neighbour_distance(case.ideal)
    start = time.perf_counter()
    cell = _cell(case.piece, largest, tolerance)
    seconds = time.perf_counter() - start
    if cell is None:
        return Answer((False,) * len(TOLERANCES), (False,) * len(TOLERANCES), seconds)
    groups, cells = [], []
    for symprec in TOLERANCES:
        found = symmetrised(cell, symprec)
        right = found is not None and found.group == case.group
        groups.append(right)
        cells.append(right and found is not None and _same(found.structure, case.ideal))
    return Answer(tuple(groups), tuple(cells), seconds)


def _cell(piece: Structure, largest: float, tolerance: float) -> Structure | None:
    from matid.clustering import SBC

    atoms = ase.Atoms(
        piece.numbers, piece.positions, pbc=piece.pbc, cell=piece.cell if piece.pbc.any() else None
    )
    signal.signal(signal.SIGALRM, _stop)
    signal.alarm(LIMIT)
    try:
        clusters = SBC().get_clusters(atoms, max_cell_size=largest, pos_tol=tolerance)
    except TimeoutError:
        return None
    finally:
        signal.alarm(0)
    cell = max(clusters, key=len).get_cell() if clusters else None
    if cell is None or not cell.pbc.all():
        return None
    return Structure(cell.positions, cell.numbers, cell.cell[:], np.ones(3, dtype=bool))


def _same(structure: Structure, ideal: Structure) -> bool:
    try:
        return same_cell(standard_form(Structure(*_swapped(primitive(structure, idealise=True)))), ideal)
    except InputError:
        return False


def _swapped(found: tuple) -> tuple:
    cell, positions, numbers = found
    return positions, numbers, cell, np.ones(3, dtype=bool)


def _stop(*_: object) -> None:
    raise TimeoutError
