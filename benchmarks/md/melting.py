"""The melting point of a potential, by solid-liquid coexistence at constant enthalpy.

Two fifths of a box of about 80 x 20 x 20 Å are molten (about half of it in the end), both phases are
brought to a starting temperature, and the box is left alone at constant enthalpy and at zero pressure
along the normal of the two fronts; the lateral edges are those of the crystal at the starting
temperature and zero pressure. Below the melting point the crystal grows and its latent heat warms the
box; above it the crystal melts and the box cools; either way the temperature approaches the melting
point from the side on which it started (Morris et al., Phys. Rev. B 49, 3109 (1994)). So a run that
warms gives a lower bound, its last temperature, and a run that cools an upper bound, also when one
phase has vanished by then. Further starts, first outside the known bounds and then between them, narrow
the bracket until its half width is 1.5 % or the front does not move measurably between the bounds. The
melting point is the mean of the two bounds and of the temperatures of the runs without measurable
change, the uncertainty half of their range (1 % at least).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.md import engine
from benchmarks.md.materials import Material, supercell, unit_cell
from benchmarks.md.order import crystalline_fraction

EDGES = (80.0, 20.0, 20.0)  # Å; the fronts are normal to x
MAX_RUNS = 8
HALF_WIDTH = 0.015  # of the melting point: the bracket is narrow enough
MEASURABLE = 0.008  # of the temperature, in a run of 40 ps: smaller changes count as none
ACCURACY = 0.01  # of the melting point: no smaller uncertainty is stated, two such searches differ by as much
SETTLING_PS = 4.0


@dataclass(frozen=True, kw_only=True)
class Run:
    """One coexistence run."""

    start: float  # K, set
    first: float  # K, mean over the first fifth of the run after settling
    last: float  # K, mean over the last fifth
    crystalline: float  # fraction of atoms in the last frame
    length: float  # ps

    @property
    def direction(self) -> int:
        """+1: warms, so the melting point is above `last`; -1: cools; 0: no measurable change."""
        change = (self.last - self.first) / self.first
        noise = MEASURABLE * (40.0 / self.length) ** 0.5
        return 0 if abs(change) < noise else int(np.sign(change))


@dataclass(frozen=True, kw_only=True)
class MeltingPoint:
    """Result of the search."""

    temperature: float  # K
    uncertainty: float  # K
    runs: list[Run]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def coexistence_run(material: Material, temperature: float, folder: Path, seed: int) -> Run:
    """Start both phases at `temperature` (K) and let them exchange heat for `coexistence_ps`."""
    atoms = supercell(unit_cell(material), EDGES)
    steps = {"crystal": 2.0, "hot": 8.0, "free": material.coexistence_ps}  # ps
    variables = {name: 200 * round(ps / material.timestep / 200) for name, ps in steps.items()}
    model = engine.write_model(material, atoms, folder)
    engine.run(
        "in.coexistence", folder, {"model": model, "T": round(temperature, 1), "seed": seed, **variables}
    )
    steps, kelvin = np.loadtxt(folder / "temperature.txt").T
    kelvin = kelvin[steps * material.timestep > SETTLING_PS]
    window = len(kelvin) // 5
    [final] = engine.read_dump(folder / "final.dump", material.elements)
    return Run(
        start=round(temperature, 1),
        first=round(float(kelvin[:window].mean()), 1),
        last=round(float(kelvin[-window:].mean()), 1),
        crystalline=round(crystalline_fraction(final, material.lattice), 3),
        length=material.coexistence_ps,
    )


def bracket(runs: list[Run]) -> tuple[float | None, float | None]:
    """Highest lower and lowest upper bound (K) from the runs that warmed and cooled; None where none did."""
    lower = max((run.last for run in runs if run.direction > 0), default=None)
    upper = min((run.last for run in runs if run.direction < 0), default=None)
    return lower, upper


def next_start(runs: list[Run], guess: float) -> float | None:
    """Temperature (K) of the next run, None when the search is over."""
    lower, upper = bracket(runs)
    if not runs:
        return guess
    if len(runs) == MAX_RUNS:
        return None
    temperatures = [kelvin for run in runs for kelvin in (run.start, run.last)]
    if lower is None:
        return 0.96 * min(temperatures)
    if upper is None:
        return 1.04 * max(temperatures)
    middle = (lower + upper) / 2
    inside = any(lower < run.last < upper for run in runs)
    return None if inside or abs(upper - lower) / 2 <= HALF_WIDTH * middle else middle


def find_melting_point(material: Material, folder: Path) -> MeltingPoint:
    """Search from the material's guess on.

    Raises:
        RuntimeError: no bracket after `MAX_RUNS` runs.
    """
    runs: list[Run] = []
    while (start := next_start(runs, material.melting_guess)) is not None:
        runs.append(coexistence_run(material, start, folder, seed=1 + len(runs)))
        print(f"  {material.name}: coexistence {runs[-1]}", flush=True)
    lower, upper = bracket(runs)
    if lower is None or upper is None:
        raise RuntimeError(f"{material.name}: the melting point is not between the bounds tried: {runs}")
    estimates = [lower, upper, *(run.last for run in runs if run.direction == 0)]
    temperature = float(np.mean(estimates))
    uncertainty = max((max(estimates) - min(estimates)) / 2, ACCURACY * temperature)
    return MeltingPoint(temperature=round(temperature, 1), uncertainty=round(uncertainty, 1), runs=runs)
