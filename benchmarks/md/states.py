"""Frames of crystals, liquids and glasses, one npz a frame, checked to be what they say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from benchmarks.md import engine
from benchmarks.md.materials import (
    Glass,
    Material,
    Superheated,
    near_cube,
    random_occupation,
    unit_cell,
)
from benchmarks.md.order import crystalline_fraction

CRYSTAL_FRACTIONS = (0.3, 0.6, 0.9, 1.0)  # of the melting point
LIQUID_FRACTIONS = (1.2, 1.5)
FRAMES = 3
EQUILIBRATION_PS = 20.0
INTERVAL_PS = 4.0  # between frames, many vibration periods
HOT_PS = 6.0  # liquids: at 2.5 melting points, and again for cooling down
SHORT_PS = 5.0  # equilibration of superheated crystals, which do not last
SHORT_INTERVAL_PS = 2.0
SOLID_ABOVE = 0.5  # crystalline fraction of a crystal's frame at least
DISORDERED_BELOW = 0.1  # crystalline fraction of a liquid's or glass's frame at most
AT_SITES = 0.99  # share of a superheated crystal's atoms that are still at their own lattice site at least
#: LAMMPS script, start, times (ps) and other variables of a state.
Prepared = tuple[str, Atoms, dict[str, float], dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class State:
    """One phase of one material at one temperature."""

    material: Material | Glass
    phase: str  # crystal, liquid, glass, superheated (crystal) or dense (its melt at the same density)
    temperature: float  # K
    fraction: float | None = None  # temperature over melting point, None for glasses

    @property
    def name(self) -> str:
        """Such as ``crystal-0.90`` or ``glass-300K``."""
        return (
            f"{self.phase}-{f'{self.temperature:.0f}K' if self.fraction is None else f'{self.fraction:.2f}'}"
        )

    @property
    def solid(self) -> bool:
        """Whether it is a crystal."""
        return self.phase in {"crystal", "superheated"}

    def files(self, out: Path) -> list[Path]:
        """Where the frames go."""
        return [out / self.material.name / f"{self.name}-{k}.npz" for k in range(FRAMES)]


def states_of(material: Material, melting_point: float) -> list[State]:
    """All states of a material whose melting point (K) is known."""
    if isinstance(material, Superheated):
        phases = [(phase, f) for phase in ("superheated", "dense") for f in material.fractions]
    else:
        phases = [("crystal", f) for f in CRYSTAL_FRACTIONS] + [("liquid", f) for f in LIQUID_FRACTIONS]
    return [
        State(
            material=material, phase=phase, temperature=round(fraction * melting_point, 1), fraction=fraction
        )
        for phase, fraction in phases
    ]


def simulate(state: State, folder: Path) -> tuple[list[Atoms], float]:
    """Run the state's script in `folder`; frames, and mean squared displacement (Å²) up to the last.

    The frames have the share of atoms at their own lattice site in ``info["at_sites"]``.
    """
    script, atoms, picoseconds, settings = PREPARE[state.phase](state)
    model = engine.write_model(state.material, atoms, folder)
    steps = {name: round(ps / state.material.timestep) for name, ps in picoseconds.items()}
    interval = SHORT_INTERVAL_PS if isinstance(state.material, Superheated) else INTERVAL_PS
    steps["interval"] = 100 * round(interval / state.material.timestep / 100)
    engine.run(script, folder, {"model": model, "frames": FRAMES, **steps, **settings})
    displacement = np.loadtxt(folder / "msd.txt")[-1, 1]
    frames = engine.read_dump(folder / "frames.dump", state.material.elements)
    for frame in frames:
        frame.info["at_sites"] = share_at_sites(frame, atoms)
    return frames, float(displacement)


def share_at_sites(atoms: Atoms, sites: Atoms) -> float:
    """Share of `atoms` within half a nearest-neighbour distance of their place in `sites`, 0 to 1.

    Both in the same order; the sites are stretched to the cell of the atoms, and a shift of all atoms does not count.
    """
    apart = atoms.get_scaled_positions(wrap=False) - sites.get_scaled_positions(wrap=False)
    mean = np.exp(2j * np.pi * apart).mean(
        axis=0
    )  # of angles: a mean of coordinates would depend on the wrapping
    apart -= np.angle(mean) / (2 * np.pi)
    apart -= np.round(apart)
    distance = np.linalg.norm(apart @ atoms.cell.array, axis=1)
    nearest = sites.get_distances(0, np.arange(1, len(sites)), mic=True).min()
    nearest *= (atoms.cell.volume / sites.cell.volume) ** (1 / 3)
    return float(np.mean(distance < nearest / 2))


def _crystal(state: State) -> Prepared:
    barostat = "aniso" if state.material.lattice == "hcp" else "iso"
    settings = {"T": state.temperature, "barostat": barostat}
    return "in.crystal", near_cube(unit_cell(state.material)), {"equilibration": EQUILIBRATION_PS}, settings


def _liquid(state: State) -> Prepared:
    times = {"equilibration": EQUILIBRATION_PS / 2, "hot": HOT_PS}
    hottest = 2.5 * state.temperature / state.fraction
    settings = {"T": state.temperature, "Thot": hottest, "pressure": state.material.liquid_pressure}
    return "in.liquid", near_cube(unit_cell(state.material)), times, settings


def _small(state: State) -> tuple[Atoms, dict[str, Any]]:
    """Start and settings of a superheated crystal: edges of 25 Å, which hold several boxes of 16 Å."""
    row = state.material
    barostat = "aniso" if row.lattice == "hcp" else "iso"
    settings = {"T": state.temperature, "spring": row.spring, "pressure": row.pressure, "barostat": barostat}
    return near_cube(unit_cell(row), edge=25.0, n_atoms=1500), settings


def _superheated(state: State) -> Prepared:
    atoms, settings = _small(state)
    return "in.superheated", atoms, {"equilibration": SHORT_PS}, settings


def _dense(state: State) -> Prepared:
    atoms, settings = _small(state)
    settings["Thot"] = 2.5 * state.temperature / state.fraction
    return "in.dense", atoms, {"equilibration": SHORT_PS, "hot": HOT_PS}, settings


def _glass(state: State) -> Prepared:
    glass = state.material
    lattice = near_cube(unit_cell(glass), edge=25.0, n_atoms=1000)  # quenching takes long
    atoms = random_occupation(lattice, glass.elements, glass.fractions, seed=0)
    times = {"hot": 30.0, "fast": 50.0, "slow": (glass.fast_to - glass.slow_to) / glass.rate}
    settings = {"melt": glass.melt, "fast_to": glass.fast_to, "slow_to": glass.slow_to}
    return "in.glass", atoms, times, settings


PREPARE: dict[str, Callable[[State], Prepared]] = {
    "crystal": _crystal,
    "liquid": _liquid,
    "superheated": _superheated,
    "dense": _dense,
    "glass": _glass,
}


def save_frame(path: Path, atoms: Atoms, temperature: float) -> None:
    """Save `positions` (n, 3) Å, `numbers` (n,), `cell` (3, 3) Å with rows as vectors, `temperature` K."""
    arrays = {
        "positions": atoms.positions.astype(np.float32),
        "numbers": atoms.numbers,
        "cell": atoms.cell.array,
    }
    partial = path.with_suffix(".part")
    with partial.open("wb") as file:
        np.savez_compressed(file, **arrays, temperature=temperature)
    partial.replace(path)


def index_rows(state: State, frames: list[Atoms], displacement: float, out: Path) -> list[dict[str, object]]:
    """One row a frame: what it is, and whether the order measure agrees (`valid`)."""
    rows = []
    for path, atoms in zip(state.files(out), frames, strict=True):
        order = crystalline_fraction(atoms, state.material.lattice)
        valid = order >= SOLID_ABOVE if state.solid else order <= DISORDERED_BELOW
        if state.phase == "superheated":  # hot atoms do not look crystalline one by one
            valid = atoms.info["at_sites"] >= AT_SITES
        rows.append(
            {
                "file": path.relative_to(out).as_posix(),
                "material": state.material.name,
                "phase": state.phase,
                "label": state.material.label if state.solid else "",
                "t_fraction": "" if state.fraction is None else f"{state.fraction:.2f}",
                "temperature_K": f"{state.temperature:.1f}",
                "n_atoms": len(atoms),
                "crystalline_fraction": f"{order:.4f}",
                "msd_A2": f"{displacement:.3f}",
                "at_sites": f"{atoms.info['at_sites']:.4f}",
                "valid": int(valid),
            }
        )
    return rows
