"""A frame of the benchmark: atoms, what is known of them, and its file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from arise_core import Structure
from arise_core.runtime.files import write_atomically

#: What the frames are for; `scores.py` has a function for each.
GOALS = ("fronts", "abrupt", "spheres", "nanocrystals", "layers", "precipitates", "growth", "bulk")

#: Å from a front: crystal or melt by itself.
DEEP = 8.0


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Atoms, what they are, and where.

    Args:
        name: of the file.
        goal: one of `GOALS`.
        material: such as "Cu".
        label: of the class of its crystal, one of `arise_core.prototypes()`.
        structure: periodic.
        facts: what is known of the frame as a whole, plain types.
        atoms: what is known of each atom, arrays (n_atoms,).
    """

    name: str
    goal: str
    material: str
    label: str
    structure: Structure
    facts: dict[str, Any] = field(default_factory=dict)
    atoms: dict[str, np.ndarray] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write ``<folder>/<name>.npz`` in one step."""
        about = {"goal": self.goal, "material": self.material, "label": self.label, "facts": self.facts}
        known = {f"atom_{k}": v for k, v in self.atoms.items()}

        def write(place: Path) -> None:
            with place.open("wb") as file:
                np.savez_compressed(
                    file, positions=self.structure.positions.astype(np.float32), numbers=self.structure.numbers,
                    cell=self.structure.cell, about=json.dumps(about), **known,
                )  # fmt: skip

        write_atomically(folder / f"{self.name}.npz", write)

    @classmethod
    def load(cls, path: Path) -> Frame:
        """What `save` wrote."""
        with np.load(path) as data:
            about = json.loads(str(data["about"]))
            atoms = {k.removeprefix("atom_"): data[k] for k in data.files if k.startswith("atom_")}
            structure = Structure(data["positions"].astype(float), data["numbers"], data["cell"], True)
        return cls(name=path.stem, structure=structure, atoms=atoms, **about)


def surface_distance(
    positions: np.ndarray, cell: np.ndarray, middles: np.ndarray, radii: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Distance of atoms beyond the surface of the nearest of some spheres, and which sphere that is, (n,) each.

    Args:
        positions: (n, 3), Å.
        cell: (3, 3), Å, orthogonal and periodic.
        middles: (m, 3), Å.
        radii: (m,), Å.
    """
    edges = np.diag(cell)
    apart = positions[:, None] - np.asarray(middles)[None]
    apart -= edges * np.round(apart / edges)
    beyond = np.linalg.norm(apart, axis=2) - np.asarray(radii)
    nearest = beyond.argmin(axis=1)
    return beyond[np.arange(len(positions)), nearest], nearest


def places_of_four(edges: np.ndarray) -> np.ndarray:
    """Middles of four spheres as far from each other as can be in a periodic cell, (4, 3), Å."""
    return np.array([[1, 1, 1], [1, 3, 3], [3, 1, 3], [3, 3, 1]]) / 4 * edges
