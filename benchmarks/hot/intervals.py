"""How often 95 % intervals of shares hold the true share; writes docs/benchmarks/intervals.md.

    python -m benchmarks.hot.intervals --frames DIR [--out DIR] [--samples 20]

Truth is known by construction: a slab of a crystal's frame and a slab of its melt's, both of ``benchmarks.hot.frames``
(at the melting point of the potential), stand side by side in a periodic box of 60 Å, normal to one of the three axes,
from a random place on; the crystal has between 15 and 85 % of the length. Melt atoms closer than 0.8 nearest-neighbour
distances to the crystal's are taken out. Intervals are those of `solid_fraction` and of `shares_of` (one class).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms
from scipy.spatial import cKDTree

from arise_core.model.model import Model
from arise_core.model.zoo import load_model
from arise_core.recognition.result import recognise
from arise_core.recognition.shares import INTERVAL, share_of
from arise_core.settings import DEFAULT_MODEL, RecognitionSettings
from ase_arise.convert import to_material
from benchmarks.hot.frames import MATERIALS, Series
from benchmarks.md.materials import read_table
from benchmarks.measure import DOCS, machine
from benchmarks.tables import facts, markdown

LENGTH = 60.0  # Å, of the box along the normal of the fronts
SHARES = (0.15, 0.85)  # of it that the crystal has
CLOSEST = 0.8  # of the nearest-neighbour distance: melt atoms that are closer to the crystal go
#: Maps of which the intervals are taken: edge of the boxes and stride, Å.
MAPS = ((12.0, 4.0),)
PASSES = 100


def sandwich(crystal: Atoms, melt: Atoms, axis: int, rng: np.random.Generator) -> tuple[Atoms, np.ndarray]:
    """A slab of a crystal and a slab of a melt in one periodic box, and which atoms are the crystal's.

    Args:
        crystal, melt: frames in orthogonal periodic cells; the melt is stretched sideways to fit, at its density.
        axis: of the crystal's cell, along which the two follow each other.
        rng: for the places from which slabs are cut, and for their lengths.
    """
    solid = _turned(crystal, axis)
    liquid = _turned(melt, int(rng.integers(3)))
    sideways = solid.cell.lengths()[:2] / liquid.cell.lengths()[:2]
    liquid.set_cell(liquid.cell.lengths() * [*sideways, 1 / sideways.prod()], scale_atoms=True)
    thickness = rng.uniform(*SHARES) * LENGTH
    lower = _slab(solid, thickness, rng)
    upper = _slab(liquid, LENGTH - thickness, rng) + [0, 0, thickness]
    size = np.array([*solid.cell.lengths()[:2], LENGTH])
    nearest = np.sort(solid.get_distances(0, np.arange(1, len(solid)), mic=True))[:4].mean()
    tree = cKDTree(lower % size, boxsize=size)
    upper = upper[tree.query(upper % size)[0] > CLOSEST * nearest]
    places = np.concatenate([lower, upper])
    truth = np.arange(len(places)) < len(lower)
    return Atoms(np.full(len(places), crystal.numbers[0]), places, cell=size, pbc=True), truth


def _turned(atoms: Atoms, axis: int) -> Atoms:
    order = [(axis + 1) % 3, (axis + 2) % 3, axis]
    cell = np.diag(atoms.cell.lengths()[order])
    return Atoms(atoms.numbers, atoms.positions[:, order], cell=cell, pbc=True)


def _slab(atoms: Atoms, thickness: float, rng: np.random.Generator) -> np.ndarray:
    """Positions of a slab from a random place on, its cell repeated as often as is needed."""
    length = atoms.cell.lengths()[2]
    places = atoms.positions.copy()
    places[:, 2] = (places[:, 2] + rng.uniform(0, length)) % length
    many = np.concatenate([places + [0, 0, k * length] for k in range(int(np.ceil(thickness / length)))])
    return np.asarray(many[many[:, 2] < thickness])


def measure(folder: Path, samples: int, model: Model) -> pd.DataFrame:
    """A row a map and kind of share: the truth, and what is said of it."""
    labels = {row.name: row.label for row in read_table()[0]}
    rows = []
    for material in MATERIALS:
        rng = np.random.default_rng(0)
        crystals, melts = (Series.load(folder, material, phase) for phase in ("crystal", "melt"))
        own = model.class_info.find(labels[material])
        for sample in range(samples):
            frames = (
                crystals.frame(int(rng.integers(len(crystals)))),
                melts.frame(int(rng.integers(len(melts)))),
            )
            atoms, truth = sandwich(*frames, sample % 3, rng)
            for box, stride in MAPS:
                settings = {"mode": "local", "box_size": box, "stride": stride, "passes": PASSES}
                found = recognise(to_material(atoms), model, RecognitionSettings.of(settings))
                for kind, classes in (("solid", None), ("class", [own])):
                    share, low, high = share_of(found, classes)
                    rows.append(
                        {
                            "material": material, "box": box, "kind": kind, "sample": sample,
                            "truth": float(truth.mean()), "share": share, "low": low, "high": high,
                        }
                    )  # fmt: skip
                    print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def write(found: pd.DataFrame, folder: Path) -> None:
    """The rows as CSV, and how often intervals hold the truth as a page."""
    folder.mkdir(parents=True, exist_ok=True)
    found.to_csv(folder / "intervals.csv", index=False, float_format="%.4f")
    rows = []
    for (box, kind, material), part in found.groupby(["box", "kind", "material"], sort=False):
        rows.append(_row(f"{box:g}", kind, material, part))
    for (box, kind), part in found.groupby(["box", "kind"], sort=False):
        rows.append(_row(f"{box:g}", kind, "all", part))
    heads = (
        "box (Å)", "share of", "material", "truth in the interval", "of", "mean width (%)", "front shifted by (Å)",
        "± (Å)", "root mean square / box",
    )  # fmt: skip
    text = (
        "Made by `python -m benchmarks.hot.intervals` from the frames of `python -m benchmarks.hot.frames`. A slab of "
        f"hot crystal beside a slab of its melt in a periodic box of {LENGTH:g} Å, at the melting point of the "
        f"potential: which atoms are the crystal's is known. {INTERVAL:.0%} intervals of `solid_fraction` (solid) and "
        f"of one class; strides of {MAPS[0][1]:g} Å, {PASSES} passes. Shift: of each of the two fronts, towards the "
        "crystal if negative."
    )
    parts = [
        "# Do intervals hold the true share?", text, facts(machine()),
        markdown(rows, heads, ["right", *["left"] * 2, *["right"] * 6]),
    ]  # fmt: skip
    (folder / "intervals.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _row(box: str, kind: str, material: str, part: pd.DataFrame) -> list[str]:
    inside = (part["low"] <= part["truth"]) & (part["truth"] <= part["high"])
    shift = (part["share"] - part["truth"]) * LENGTH / 2
    size = np.sqrt((shift**2).mean()) / float(box)
    return [
        box, kind, material, f"{inside.sum()}", f"{len(part)}", f"{100 * (part['high'] - part['low']).mean():.1f}",
        f"{shift.mean():.2f}", f"{shift.std():.2f}", f"{size:.3f}",
    ]  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hot.intervals", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--frames", type=Path, required=True, help="folder that `benchmarks.hot.frames` wrote"
    )
    parser.add_argument("--out", type=Path, default=DOCS)
    parser.add_argument("--samples", type=int, default=20, help="sandwiches of each material")
    given = parser.parse_args(arguments)
    write(measure(given.frames, given.samples, load_model(DEFAULT_MODEL)), given.out)


if __name__ == "__main__":
    main()
