"""Melting curve from a heating run: share of a phase against temperature, by OVITO.

    python examples/melting_curve.py [TRAJECTORY] [--temperature KEY] [--phase FCC] [--types "1: Cu"]
        [--out DIR] [--quick]

What one should see: all of the copper is fcc up to far above the melting point of the potential, then within one
or two temperatures none of it: a crystal without surface, heated within picoseconds, is superheated before it
melts. The mutual information peaks where it melts. (For the melting point itself, watch a front: `arise demo`.)
Without a trajectory the script heats copper by molecular dynamics with ASE and EMT; some ten minutes on two
cores. With one, `--temperature` names the attribute of its frames that holds the temperature (the key in the
comment line of an extended XYZ file). Leaves `heating.xyz`, `curve.csv` and `curve.png`.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import ase.io
import numpy as np
from ase import units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.md.nptberendsen import NPTBerendsen
from ovito.io import import_file
from ovito.pipeline import Pipeline

from ovito_arise import AriseModifier
from ovito_arise.demo import pictures
from ovito_arise.frames import wait_for_frames

KEY = "temperature_K"
MELTING_POINT = 1358.0  # K, of copper


def heat(path: Path, repeats: tuple[int, int, int], temperatures: np.ndarray, steps: int) -> None:
    """Molecular dynamics of copper at zero pressure and rising temperature; a frame at each temperature."""
    atoms = bulk("Cu", cubic=True) * repeats
    atoms.calc = EMT()
    spread = np.sqrt(2 * units.kB * temperatures[0] * atoms.get_masses())  # half of it goes to the potential
    atoms.set_momenta(np.random.default_rng(3).normal(size=(len(atoms), 3)) * spread[:, None])
    dyn = NPTBerendsen(
        atoms, 5 * units.fs, temperature_K=temperatures[0], pressure_au=0.0, taut=100 * units.fs,
        taup=500 * units.fs, compressibility_au=1 / (140 * units.GPa),
    )  # fmt: skip
    path.unlink(missing_ok=True)
    for temperature in temperatures:
        dyn.set_temperature(temperature_K=temperature)
        dyn.run(steps)
        frame = ase.Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=True)
        frame.info[KEY] = float(temperature)
        ase.io.write(path, frame, format="extxyz", append=True)


def curve(pipeline: Pipeline, key: str, phase: str) -> list[tuple[float, float, float]]:
    """Temperature (K), share of the phase and mean mutual information (bit) of every frame."""
    found = []
    for frame in range(pipeline.num_frames):
        values = pipeline.compute(frame).attributes
        if key not in values:
            raise SystemExit(f"frame {frame} has no attribute {key!r}; it has: {', '.join(values)}")
        row = (values[key], values[f"ARISE.fractions.{phase}"], values["ARISE.mutual_information.mean"])
        print(f"{row[0]:7.0f} K   {phase} {100 * row[1]:5.1f} %   mutual information {row[2]:.3f} bit")
        found.append(tuple(float(v) for v in row))
    return found


def draw(found: list[tuple[float, float, float]], phase: str, copper: bool, path: Path) -> None:
    """Share and mutual information against temperature."""
    temperature, share, information = np.array(sorted(found)).T
    figure = pictures.new_figure(6.5, 5.0)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    upper.plot(temperature, 100 * share, "o-", color="#2f8f2f")
    upper.set(ylabel=f"atoms that are {phase} (%)", ylim=(-3, 103))
    if copper:
        upper.axvline(MELTING_POINT, color="0.5", linestyle=":")
        upper.annotate("melting point", (MELTING_POINT, 5), rotation=90, ha="right", color="0.4")
    lower.plot(temperature, information, "o-", color="#30478a")
    lower.set(xlabel="temperature (K)", ylabel="mean mutual\ninformation (bit)", ylim=(0, None))
    for axes in (upper, lower):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trajectory", type=Path, nargs="?", help="a heating run; by default one is made")
    parser.add_argument("--temperature", default=KEY, help="attribute of the frames with the temperature, K")
    parser.add_argument("--phase", default="FCC")
    parser.add_argument("--types", default="", help="elements of types without a name, such as '1: Cu'")
    parser.add_argument("--out", type=Path, default=Path("out/melting-curve"))
    parser.add_argument("--quick", action="store_true", help="fewer atoms, temperatures and steps")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.trajectory or given.out / "heating.xyz"
    if given.trajectory is None:
        if given.quick:
            heat(path, (3, 3, 3), np.array([300.0, 1000.0, 4000.0]), 150)
        else:
            heat(path, (5, 5, 5), np.arange(300.0, 2201.0, 100.0), 150)
    pipeline = import_file(str(path))
    wait_for_frames(pipeline.source)
    pipeline.modifiers.append(
        AriseModifier(box_size=12.0, stride=6.0 if given.quick else 4.0, types_to_elements=given.types)
    )
    found = curve(pipeline, given.temperature, given.phase)
    with open(given.out / "curve.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["temperature_K", given.phase, "mutual_information_bit"])
        writer.writerows(found)
    draw(found, given.phase, given.trajectory is None, given.out / "curve.png")
    print(f"curve.csv and curve.png are in {given.out}")


if __name__ == "__main__":
    main()
