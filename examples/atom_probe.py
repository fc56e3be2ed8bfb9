"""An L1_2 precipitate in fcc as an atom probe sees it: `.pos` and `.rrng` files, read and mapped, for what is lost.

    python examples/atom_probe.py [--out DIR] [--quick]

A ball of Ni3Al in a random alloy of nickel with 10 % aluminium. A share of the atoms is not detected, the others are
moved by normally distributed errors, across and along the depth; a few ions lie in no range, some are AlO.

What one should see: the precipitate and the matrix keep their names as atoms are lost, as long as errors are small
against the distance of neighbours (2.5 Å); then the doubt rises, and more is rejected. The table says how much of both
is right, rejected, and wrong without doubt. Leaves `tip.pos`, `tip.rrng`, `probe.csv` and `probe.png`.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

import arise_core as arise
from arise_core.recognition.result import Recognition, recognise
from arise_core.runtime.tables import write_csv
from arise_core.settings import RecognitionSettings
from ase_arise import from_atoms, read_atom_probe

LATTICE = 3.57  # Å
EDGE, RADIUS = 50.0, 17.0  # of the specimen and the precipitate, Å
CLEAR = 4.0  # Å from the interface: nearer atoms are not counted
LOST = (0, 37, 50, 65)  # %
ERRORS = ((0.1, 0.1), (0.1, 0.3), (0.1, 0.5))  # across and along the depth, Å
SHOWN = ((0, 0.1, 0.1), (50, 0.1, 0.3), (65, 0.1, 0.5))  # in the picture
SURE = 0.1  # bit, of mutual information and of the doubt of the rejection
NICKEL, ALUMINIUM, OXIDE, NOISE = 57.94, 26.98, 42.98, 35.0  # Da
RANGES = """[Ions]
Number=3
Ion1=Ni
Ion2=Al
Ion3=O
[Ranges]
Number=3
Range1=57.70 58.20 vol:0.01090 Ni:1 Color:33FF00
Range2=26.80 27.20 vol:0.01660 Al:1 Color:33FFFF
Range3=42.80 43.20 vol:0.04543 Al:1 O:1 Name:AlO Color:FF0000
"""


class Case(NamedTuple):
    """How a specimen is seen."""

    lost: int  # %
    across: float  # standard deviations of errors, Å
    along: float


class Seen(NamedTuple):
    """What the model says of it."""

    case: Case
    positions: np.ndarray  # (n, 3), Å
    found: Recognition
    inside: np.ndarray  # (n,), atoms of the precipitate, clear of its border
    outside: np.ndarray  # (n,), atoms of the matrix

    def share(self, where: np.ndarray, *labels: str) -> float:
        """Atoms that are called something, %."""
        return 100 * float(np.isin(self.found.atom_labels[where], labels).mean())

    @property
    def sure(self) -> np.ndarray:
        """Atoms whose name is in no doubt, (n,)."""
        doubt = np.fmax(self.found.atoms.mutual_information, self.found.atom_rejection_uncertainty)
        return (doubt < SURE) & ~self.found.atom_rejected

    def wrong_and_sure(self) -> float:
        """Atoms that are called something else without doubt, %."""
        labels = self.found.atom_labels
        wrong = (self.inside & (labels != "L1_2")) | (self.outside & (labels != "fcc"))
        return 100 * float((wrong & self.sure)[self.inside | self.outside].mean())


def specimen(edge: float, radius: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Sites of the alloy, (n, 3), Å, around the origin, and which are aluminium, (n,)."""
    n = int(np.ceil(edge / LATTICE))
    corners = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    steps = np.stack(np.meshgrid(*[np.arange(n)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    sites = ((steps + corners).reshape(-1, 3) - n / 2) * LATTICE
    ordered = np.linalg.norm(sites, axis=1) < radius
    corner = np.tile(np.arange(4), n**3) == 0
    return sites, np.where(ordered, corner, rng.random(len(sites)) < 0.1)


def write_reconstruction(
    path: Path, sites: np.ndarray, aluminium: np.ndarray, case: Case, rng: np.random.Generator
) -> None:
    """A `.pos` file: x, y, z in nm and mass / charge in Da, big-endian floats of 32 bits; and its ranges."""
    kept = rng.random(len(sites)) >= case.lost / 100
    positions = sites[kept] + rng.normal(size=(kept.sum(), 3)) * [case.across, case.across, case.along]
    mass = np.where(aluminium[kept], ALUMINIUM, NICKEL) + rng.normal(0, 0.03, kept.sum())
    kind = rng.random(len(mass))
    mass[aluminium[kept] & (kind < 0.05)] = OXIDE
    mass[kind > 0.99] = NOISE
    path.write_bytes(np.column_stack([positions / 10, mass]).astype(">f4").tobytes())
    path.with_suffix(".rrng").write_text(RANGES, encoding="utf-8")


def look(path: Path, case: Case, radius: float, model: arise.Model, options: RecognitionSettings) -> Seen:
    """Read and map a reconstruction."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        structure = from_atoms(read_atom_probe(path, path.with_suffix(".rrng")))
    if case.lost == 0:
        print(*(f"{w.message}" for w in said), sep="\n")
    distance = np.linalg.norm(structure.positions, axis=1)
    found = recognise(structure, model, options)
    return Seen(case, structure.positions, found, distance < radius - CLEAR, distance > radius + CLEAR)


def row(seen: Seen) -> tuple[object, ...]:
    """Of the table: how much is right, rejected and wrong without doubt, %, and doubt, bit."""
    doubt = seen.found.atoms.mutual_information
    return (
        *seen.case,
        f"{seen.share(seen.inside, 'L1_2'):.1f}", f"{seen.share(seen.inside, 'fcc'):.1f}",
        f"{seen.share(seen.inside, 'rejected'):.1f}",
        f"{seen.share(seen.outside, 'fcc'):.1f}", f"{seen.share(seen.outside, 'L1_2'):.1f}",
        f"{seen.share(seen.outside, 'rejected'):.1f}",
        f"{seen.wrong_and_sure():.1f}",
        f"{np.nanmean(doubt[seen.inside]):.3f}", f"{np.nanmean(doubt[seen.outside]):.3f}",
    )  # fmt: skip


HEADS = (
    "lost_percent", "across_A", "along_A", "precipitate_L1_2", "precipitate_fcc", "precipitate_rejected",
    "matrix_fcc", "matrix_L1_2", "matrix_rejected", "wrong_and_sure", "precipitate_bit", "matrix_bit",
)  # fmt: skip


def draw(cases: list[Seen], radius: float, path: Path) -> None:
    """A slice through the middle of some: what atoms are called, and how much that is doubted."""
    figure = Figure(figsize=(3.2 * len(cases), 6.4), layout="constrained")
    panels = figure.subplots(2, len(cases), sharex=True, sharey=True, squeeze=False)
    colours = {"fcc": "#0072B2", "L1_2": "#E69F00", "rejected": "#999999"}
    for (names, doubts), seen in zip(panels.T, cases, strict=True):
        here = np.abs(seen.positions[:, 1]) < 3.0
        x, z = seen.positions[here, 0], seen.positions[here, 2]
        labels = seen.found.atom_labels[here]
        for name, colour in {**colours, "another class": "#CC79A7"}.items():
            of = ~np.isin(labels, list(colours)) if name not in colours else labels == name
            names.scatter(x[of], z[of], s=6, color=colour, label=name, linewidths=0)
        shown = doubts.scatter(
            x,
            z,
            s=6,
            c=seen.found.atoms.mutual_information[here],
            vmin=0,
            vmax=0.3,
            cmap="viridis",
            linewidths=0,
        )
        case = seen.case
        names.set_title(
            f"{case.lost} % lost, errors {case.across:g} Å across,\n{case.along:g} Å along", fontsize=9
        )
        turn = np.linspace(0, 2 * np.pi, 100)
        for axes in (names, doubts):
            axes.plot(radius * np.cos(turn), radius * np.sin(turn), color="black", linewidth=0.8)
            axes.set_aspect("equal")
    panels[1, 0].set(xlabel="x / Å", ylabel="z, along the depth / Å")
    handles, words = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, words, loc="outside lower center", ncols=2 * min(len(cases), 2), markerscale=3)
    figure.colorbar(shown, ax=panels[1], label="mutual information / bit")
    figure.savefig(path, dpi=110)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out/atom_probe"))
    parser.add_argument("--quick", action="store_true", help="a smaller specimen, coarser maps, fewer cases")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    model = arise.load_model("arise-108")
    edge, radius = (40.0, 14.0) if given.quick else (EDGE, RADIUS)
    lost, errors = ((0, 50), (ERRORS[0],)) if given.quick else (LOST, ERRORS)
    options = RecognitionSettings.of(
        {
            "mode": "local",
            "box_size": 12.0,
            "stride": 6.0 if given.quick else 5.0,
            "passes": 30 if given.quick else 50,
        }
    )
    rng = np.random.default_rng(2024)
    sites, aluminium = specimen(edge, radius, rng)
    path, every = given.out / "tip.pos", []
    for case in (Case(share, *error) for error in errors for share in lost):
        write_reconstruction(path, sites, aluminium, case, rng)
        every.append(look(path, case, radius, model, options))
        print(dict(zip(HEADS, row(every[-1]), strict=True)))
    write_csv(given.out / "probe.csv", HEADS, [row(seen) for seen in every])
    shown = [seen for seen in every if given.quick or seen.case in SHOWN]
    draw(shown, radius, given.out / "probe.png")
    print(f"tables and pictures are in {given.out}")


if __name__ == "__main__":
    main()
