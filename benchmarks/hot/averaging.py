"""What averaging positions over frames brings at the melting point; writes docs/benchmarks/averaging.md.

    python -m benchmarks.hot.averaging --frames DIR [--out DIR] [--samples 3] [--only Cu Fe]

Frames are those of ``benchmarks.hot.frames``: crystals and melts at the melting point of their potentials. Positions
are averaged as `arise trajectory --average` does (`ase_arise.trajectories`), over 1, 3, 5 and 9 frames that are 0.02,
0.1 or 0.5 ps apart, and mapped with boxes of some 24 and 64 atoms.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms

from arise_core.errors import InputError
from arise_core.model.model import Model
from arise_core.model.zoo import load_model
from arise_core.recognition.result import recognise
from arise_core.settings import DEFAULT_MODEL, RecognitionSettings
from ase_arise.convert import to_material
from ase_arise.trajectories.windows import mean_of
from benchmarks.hot.frames import MATERIALS, PHASES, SPACING, Series
from benchmarks.md.materials import read_table
from benchmarks.measure import DOCS, machine
from benchmarks.tables import facts, markdown

AVERAGES = (1, 3, 5, 9)
SPACINGS = (0.02, 0.1, 0.5)  # ps
BOXES = (24, 64)  # atoms
STRIDE = 5.0  # Å
PASSES = 100


def windows(series: Series, samples: int) -> Iterator[tuple[float, int, int, Atoms]]:
    """Spacing (ps), frames of the window, number of the sample, and the averaged frame."""
    reach = round(max(AVERAGES) // 2 * max(SPACINGS) / SPACING)
    for sample, middle in enumerate(np.linspace(reach, len(series) - 1 - reach, samples).astype(int)):
        for spacing in SPACINGS:
            step = round(spacing / SPACING)
            for average in AVERAGES if spacing == SPACINGS[0] else AVERAGES[1:]:
                half = average // 2
                frames = [series.frame(middle + k * step) for k in range(-half, half + 1)]
                yield spacing, average, sample, mean_of(frames)


def measure(folder: Path, samples: int, model: Model, materials: Sequence[str]) -> pd.DataFrame:
    """A row a map: shares of the atoms that have the right class, any class, and the mean doubt."""
    labels = {row.name: row.label for row in read_table()[0]}
    rows = []
    for material in materials:
        right = model.class_info.find(labels[material])
        for phase in PHASES:
            for spacing, average, sample, atoms in windows(Series.load(folder, material, phase), samples):
                for box in BOXES:
                    row = {
                        "material": material, "phase": phase, "box": box, "spacing": spacing if average > 1 else 0.0,
                        "average": average, "sample": sample, **_found(atoms, model, box, right),
                    }  # fmt: skip
                    rows.append(row)
                    print(row, flush=True)
    return pd.DataFrame(rows)


def _found(atoms: Atoms, model: Model, box: int, right: int) -> dict[str, float]:
    edge = (box * atoms.cell.volume / len(atoms)) ** (1 / 3)
    settings = RecognitionSettings.of(
        {"mode": "local", "box_size": edge, "stride": STRIDE, "passes": PASSES, "min_atoms": 8}
    )
    try:
        result = recognise(to_material(atoms), model, settings)
    except InputError:  # two atoms of a melt have one mean
        return {"right": np.nan, "crystal": np.nan, "doubt": np.nan}
    return {
        "right": float((result.atom_class == right).mean()),
        "crystal": float((result.atom_class >= 0).mean()),
        "doubt": result.mutual_information,
    }


def write(found: pd.DataFrame, folder: Path) -> None:
    """The rows as CSV, and their means as a page."""
    folder.mkdir(parents=True, exist_ok=True)
    found.to_csv(folder / "averaging.csv", index=False, float_format="%.4f")
    groups = found.groupby(["box", "spacing", "average", "material", "phase"])
    means = groups[["right", "crystal", "doubt"]].agg(lambda values: values.mean(skipna=False))
    parts = [
        "# Averaging positions at the melting point",
        "Made by `python -m benchmarks.hot.averaging` from the frames of `python -m benchmarks.hot.frames`. "
        f"{found['sample'].nunique()} frames of each phase, of some 2,500 to 4,000 atoms, at the melting point of the "
        f"potential; boxes every {STRIDE:g} Å, {PASSES} passes. Crystals: share of the atoms with the right class (%). "
        "Melts: share of the atoms that are called a crystal of any class, which should be 0 (%). –: two atoms of the "
        "melt have one mean, and the frame is refused.",
        facts(machine()),
    ]
    for box in BOXES:
        parts += [f"## Boxes of {box} atoms", _table(means.loc[box])]
    (folder / "averaging.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _table(means: pd.DataFrame) -> str:
    materials = [m for m in MATERIALS if m in means.index.unique("material")]
    heads = ["frames", "apart (ps)", *(f"{m} {p}" for p in PHASES for m in materials)]
    rows = []
    for spacing, average in means.index.droplevel(["material", "phase"]).unique():
        cells = []
        for phase, column in zip(PHASES, ("right", "crystal"), strict=True):
            for material in materials:
                value = 100 * means.loc[(spacing, average, material, phase), column]
                cells.append("–" if np.isnan(value) else f"{value:.1f}")
        rows.append([str(average), f"{spacing:g}" if average > 1 else "", *cells])
    return markdown(rows, heads, ["right"] * len(heads))


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hot.averaging", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--frames", type=Path, required=True, help="folder that `benchmarks.hot.frames` wrote"
    )
    parser.add_argument("--out", type=Path, default=DOCS)
    parser.add_argument("--samples", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=MATERIALS, default=MATERIALS, metavar="NAME")
    given = parser.parse_args(arguments)
    write(measure(given.frames, given.samples, load_model(DEFAULT_MODEL), given.only), given.out)


if __name__ == "__main__":
    main()
