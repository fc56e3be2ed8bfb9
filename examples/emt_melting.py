"""Heat copper (EMT) until it melts, and watch the phases with ARISE while it runs.

    python examples/emt_melting.py [--out DIR] [--repeats 5] [--last 2300] [--quick]

Constant pressure, the thermostat rises by 60 K every 100 steps. Without a surface the crystal is superheated
before it melts. The run stops by itself when nine tenths of the atoms belong to no crystal. Leaves a table
(`phases.csv`), annotated frames (`frames.xyz`) and a picture of phase fractions against temperature
(`melting.png`). Some four minutes on two cores with the default of 500 atoms.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.md.nptberendsen import NPTBerendsen
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ase_arise import AriseObserver, Row

FIRST = 300.0  # K
STEP = 60.0  # K
STEPS = 100  # MD steps between two temperatures
TIMESTEP = 5.0  # fs
BULK_MODULUS = 140 * units.GPa  # copper


def crystal(repeats: int, temperature: float, seed: int = 0) -> Atoms:
    """Cubic fcc copper that moves."""
    atoms = bulk("Cu", cubic=True) * (repeats, repeats, repeats)
    atoms.calc = EMT()
    spread = np.sqrt(units.kB * temperature * atoms.get_masses())
    atoms.set_momenta(np.random.default_rng(seed).normal(size=(len(atoms), 3)) * spread[:, None])
    return atoms


def heat(atoms: Atoms, temperatures: np.ndarray, out: Path, overwrite: bool) -> list[Row]:
    """Raise the temperature until the crystal is gone, or to the last temperature."""
    dyn = NPTBerendsen(
        atoms, TIMESTEP * units.fs, temperature_K=FIRST, pressure_au=0.0, taut=100 * units.fs,
        taup=500 * units.fs, compressibility_au=1 / BULK_MODULUS,
    )  # fmt: skip
    observer = AriseObserver(
        atoms, dyn=dyn, interval=STEPS, table=out / "phases.csv", trajectory=out / "frames.xyz",
        callback=report, stop={"rejected": 0.9}, overwrite=overwrite, box_size=12.0, stride=4.0,
    )  # fmt: skip
    dyn.attach(observer)
    for temperature in temperatures:
        dyn.set_temperature(temperature_K=temperature)
        dyn.run(STEPS)
        if observer.stopped:
            break
    return observer.rows


def report(row: Row) -> None:
    shares = ", ".join(f"{name} {share:.0%}" for name, share in row.fractions.items())
    print(
        f"{row.time_fs / 1000:6.1f} ps {row.temperature_K:6.0f} K   {shares or 'no crystal'}, "
        f"rejected {row.rejected:.0%}, mutual information {row.mutual_information_bit:.2f} bit",
        flush=True,
    )


def draw(rows: list[Row], path: Path) -> None:
    """Phase fractions and mutual information against temperature."""
    figure = Figure(figsize=(7, 6), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    temperature = [row.temperature_K for row in rows]
    largest = {n: max(row.fractions.get(n, 0) for row in rows) for row in rows for n in row.fractions}
    shown = [name for name, share in sorted(largest.items(), key=lambda item: -item[1]) if share > 0.03][:5]
    for name in shown:
        above.plot(temperature, [row.fractions.get(name, 0.0) for row in rows], "o-", ms=3, label=name)
    above.plot(temperature, [row.rejected for row in rows], "s--", color="0.4", ms=3, label="rejected")
    above.set(ylabel="share of the atoms", ylim=(-0.03, 1.03))
    above.legend()
    below.plot(temperature, [row.mutual_information_bit for row in rows], "o-", color="tab:red", ms=3)
    below.set(xlabel="temperature (K)", ylabel="mutual information (bit)")
    figure.savefig(path, dpi=150)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("emt-melting"))
    parser.add_argument("--repeats", type=int, default=5, help="cubic cells along each edge")
    parser.add_argument("--last", type=float, default=2300.0, help="highest temperature, K")
    parser.add_argument("--overwrite", action="store_true")
    parser.add_argument("--quick", action="store_true", help="108 atoms, three temperatures")
    given = parser.parse_args(arguments)
    temperatures = np.arange(FIRST, given.last + STEP / 2, STEP)
    if given.quick:
        temperatures = np.array([FIRST, 1000.0, 3000.0])
    rows = heat(crystal(3 if given.quick else given.repeats, FIRST), temperatures, given.out, given.overwrite)
    draw(rows, given.out / "melting.png")
    print(f"results in {given.out}")


if __name__ == "__main__":
    main()
