"""ARISE for ASE: classify and annotate `Atoms`, a calculator, an observer for MD, screening of databases.

Everything here unwraps `Atoms`, calls `arise_core`, and wraps what comes back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from arise_core.runtime.lazy import public_names

if TYPE_CHECKING:
    from arise_core.trajectories.merging import merge
    from arise_core.trajectories.store import TrajectoryResults
    from ase_arise.annotation import annotate, classify
    from ase_arise.atom_probe import read_atom_probe
    from ase_arise.calculator import AriseCalculator
    from ase_arise.convert import from_atoms
    from ase_arise.exploring import exploration, write_clusters
    from ase_arise.lammps import LammpsObserver
    from ase_arise.observer import AriseObserver, StopSimulation
    from ase_arise.occupancy import occupied
    from ase_arise.pymatgen_structures import to_pymatgen
    from ase_arise.representations import similarity
    from ase_arise.screening.run import screen
    from ase_arise.solid import is_solid, solid_fraction
    from ase_arise.storage import from_row, read, row_fields, write
    from ase_arise.trajectories.run import trajectory
    from ase_arise.watching import Row

# Loaded on first use: importing the adapter takes no second. No module has the name of a function.
_PLACES = {
    "AriseCalculator": "calculator",
    "AriseObserver": "observer",
    "LammpsObserver": "lammps",
    "Row": "watching",
    "StopSimulation": "observer",
    "annotate": "annotation",
    "classify": "annotation",
    "exploration": "exploring",
    "from_atoms": "convert",
    "from_row": "storage",
    "is_solid": "solid",
    "merge": "arise_core.trajectories.merging",
    "occupied": "occupancy",
    "read": "storage",
    "read_atom_probe": "atom_probe",
    "row_fields": "storage",
    "screen": "screening.run",
    "similarity": "representations",
    "solid_fraction": "solid",
    "to_pymatgen": "pymatgen_structures",
    "trajectory": "trajectories.run",
    "TrajectoryResults": "arise_core.trajectories.store",
    "write": "storage",
    "write_clusters": "exploring",
}

__all__ = [
    "AriseCalculator",
    "AriseObserver",
    "LammpsObserver",
    "Row",
    "StopSimulation",
    "TrajectoryResults",
    "annotate",
    "classify",
    "exploration",
    "from_atoms",
    "from_row",
    "is_solid",
    "merge",
    "occupied",
    "read",
    "read_atom_probe",
    "row_fields",
    "screen",
    "similarity",
    "solid_fraction",
    "to_pymatgen",
    "trajectory",
    "write",
    "write_clusters",
]


_lookup = public_names(__name__, _PLACES)


def __getattr__(name: str) -> Any:
    return _lookup(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
