"""Melting point of EMT copper by coexistence in ASE: a run that ends by itself when half is molten.

    python examples/melting_point_ase.py [--out DIR] [--temperature 1600] [--quick]

What one should see: a melt in two fifths of a crystal grows until ARISE, which looks every half picosecond, finds less
than half of the atoms in a crystal, and ends the run. Then a run at constant energy begins, from a guess: melting
cools the box, freezing warms it, so its temperature goes to the melting point. Before it is believed, `solid_fraction`
and `is_solid` tell whether both phases are still there. (In a box this small and a run this short the temperature
swings by 50 K and more.) Leaves `phases.csv`. Some minutes; examples/melting_point_lammps.py is faster.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms
from ase.md.langevin import Langevin
from ase.md.nptberendsen import Inhomogeneous_NPTBerendsen
from ase.md.verlet import VelocityVerlet

from ase_arise import AriseObserver, Row, is_solid, solid_fraction

STEP = 5.0  # fs
BULK_MODULUS = 140 * units.GPa  # copper
BOX = {"box_size": 10.0, "stride": 4.0, "passes": 100}


def partly_molten(cells: tuple[int, int, int], temperature: float, steps: int) -> Atoms:
    """A crystal of which the lower two fifths are molten, in a periodic box."""
    atoms = bulk("Cu", a=3.69, cubic=True) * cells
    rng = np.random.default_rng(0)
    solid = np.flatnonzero(atoms.get_scaled_positions()[:, 2] > 0.39)
    atoms.positions[solid] += rng.normal(0, 0.12, (len(solid), 3))
    atoms.calc = EMT()
    atoms.set_constraint(FixAtoms(solid))
    for hot in (3500.0, temperature):
        melt = Langevin(
            atoms, STEP * units.fs, temperature_K=hot, friction=0.02 / units.fs, fixcm=False, rng=rng
        )
        melt.run(steps)
    atoms.set_constraint()
    spread = np.sqrt(units.kB * temperature * atoms.get_masses())
    atoms.set_momenta(rng.normal(size=(len(atoms), 3)) * spread[:, None])
    return atoms


def until_half_is_molten(atoms: Atoms, temperature: float, steps: int, out: Path) -> AriseObserver:
    """Let the melt grow at zero pressure; the observer looks every half picosecond and ends the run."""
    dyn = Inhomogeneous_NPTBerendsen(
        atoms, STEP * units.fs, temperature_K=temperature, pressure_au=0.0, taut=100 * units.fs, taup=500 * units.fs,
        compressibility_au=1 / BULK_MODULUS, mask=(0, 0, 1),
    )  # fmt: skip
    observer = AriseObserver(
        atoms, dyn=dyn, interval=100, table=out / "phases.csv", overwrite=True, stop={"rejected": 0.5},
        callback=report, **BOX,
    )  # fmt: skip
    dyn.attach(observer)
    dyn.run(steps)
    return observer


def settle(atoms: Atoms, guess: float, steps: int) -> float:
    """Mean temperature (K) of the second half of a run at constant energy that begins at a guess."""
    atoms.set_momenta(atoms.get_momenta() * np.sqrt(guess / atoms.get_temperature()))
    dyn = VelocityVerlet(atoms, STEP * units.fs)
    dyn.run(steps // 2)
    found: list[float] = []
    dyn.attach(lambda: found.append(atoms.get_temperature()))
    dyn.run(steps // 2)
    return float(np.mean(found))


def report(row: Row) -> None:
    print(f"{row.time_fs / 1000:6.1f} ps {row.temperature_K:6.0f} K   molten {row.rejected:.0%}", flush=True)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/melting-point-ase"))
    parser.add_argument("--temperature", type=float, default=1600.0, help="K, above the melting point")
    parser.add_argument("--guess", type=float, default=1300.0, help="K, of the melting point, within 100 K")
    parser.add_argument("--quick", action="store_true", help="fewer atoms and steps, hot; no melting point")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    cells, steps, temperature = ((4, 4, 12), 6000, given.temperature)
    if given.quick:
        cells, steps, temperature = ((3, 3, 6), 200, 4000.0)
    atoms = partly_molten(cells, temperature, min(steps // 10, 300))
    observer = until_half_is_molten(atoms, temperature, steps, given.out)
    mean = settle(atoms, given.guess, steps // 2)
    print(f"half was molten: {observer.stopped}, after {observer.rows[-1].time_fs / 1000:.1f} ps")
    share = solid_fraction(atoms, **BOX)
    both = is_solid(atoms, threshold=0.2, **BOX) and not is_solid(atoms, threshold=0.8, **BOX)
    print(f"solid at the end: {share.share:.0%}, from {share.low:.0%} to {share.high:.0%}")
    print(f"temperature {mean:.0f} K" + ("" if both else "; but one phase is gone: this is no melting point"))


if __name__ == "__main__":
    main()
