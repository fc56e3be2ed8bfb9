"""Frames that ``run.py`` wrote, what OVITO's methods say of them, and tables over their states."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms
from ovito.io.ase import ase_to_ovito
from ovito.modifiers import AcklandJonesModifier, CommonNeighborAnalysisModifier
from ovito.pipeline import Pipeline, StaticSource

import arise_core as arise
from benchmarks.md.materials import Material, read_table
from benchmarks.md.order import structure_types
from benchmarks.md.run import read_index
from benchmarks.measure import DOCS
from benchmarks.tables import markdown

#: Types that both methods below use: 1 fcc, 2 hcp, 3 bcc.
LOCAL = {"fcc": 1, "l12": 1, "hcp": 2, "bcc": 3, "cesiumchloride": 3}

OTHERS = ("PTM", "a-CNA", "Ackland-Jones")  # columns of OVITO's methods


@dataclass(frozen=True)
class Frames:
    """The frames in a folder."""

    folder: Path
    index: list[dict[str, Any]]  # rows of ``index.csv``

    @classmethod
    def of(cls, folder: Path) -> Frames:
        """Those of a folder.

        Raises:
            SystemExit: none of them is what it should be.
        """
        found = cls(folder, read_index(folder / "index.csv").to_dict("records"))
        if found.left_out == len(found.index):
            raise SystemExit(f"no frame in {folder / 'index.csv'} is valid")
        return found

    @property
    def left_out(self) -> int:
        """How many are not what they should be: crystals that melted, liquids that froze."""
        return len(self.index) - len(self.valid)

    @property
    def valid(self) -> list[dict[str, Any]]:
        """Rows of those that are what they should be."""
        return [entry for entry in self.index if entry["valid"] == "1"]

    def __iter__(self) -> Iterator[tuple[dict[str, Any], arise.Structure, str]]:
        """Row, structure and lattice of each frame that is what it should be; the others are printed."""
        lattices = {row.name: row.lattice for kind in read_table() for row in kind}
        for entry in self.index:
            if entry["valid"] == "1":
                yield entry, read_frame(self.folder / entry["file"]), lattices[entry["material"]]
            else:
                print(f"{entry['file']}: left out", flush=True)

    def melting(self) -> str:
        """A table: where the temperature scale of each material comes from."""
        materials, superheated, _ = read_table()
        return melting_table([*materials, *superheated], self.valid, self.folder)


def given(prog: str, about: str, arguments: Sequence[str] | None) -> argparse.Namespace:
    """Options of the programs that ask about the frames: `frames`, `model` and `out`."""
    parser = argparse.ArgumentParser(prog=prog, description=about.splitlines()[0])
    parser.add_argument("--frames", type=Path, required=True, help="folder that run.py wrote")
    parser.add_argument("--model", default="arise-108")
    parser.add_argument("--out", type=Path, default=DOCS)
    return parser.parse_args(arguments)


def read_frame(path: Path) -> arise.Structure:
    """A frame that ``run.py`` wrote."""
    with np.load(path) as data:
        return arise.Structure(data["positions"], data["numbers"], data["cell"], True)


def local_methods(structure: arise.Structure, lattice: str, solid: bool) -> dict[str, float]:
    """Share of atoms that OVITO's methods call right, or in a liquid a crystal; NaN where they know no such type."""
    atoms = Atoms(structure.numbers, structure.positions, cell=structure.cell, pbc=True)
    found = {"PTM": structure_types(atoms, lattice)}
    wanted: dict[str, int | None] = {"PTM": None}
    modes = CommonNeighborAnalysisModifier.Mode
    others = {
        "a-CNA": CommonNeighborAnalysisModifier(mode=modes.AdaptiveCutoff),
        "Ackland-Jones": AcklandJonesModifier(),
    }
    for name, modifier in others.items():
        pipeline = Pipeline(source=StaticSource(data=ase_to_ovito(atoms)))
        pipeline.modifiers.append(modifier)
        found[name] = np.asarray(pipeline.compute().particles["Structure Type"])
        wanted[name] = LOCAL.get(lattice)
    out = {}
    for name, types in found.items():
        if not solid or name == "PTM":  # only the expected type is looked for by PTM
            out[name] = float((types > 0).mean())
        else:
            out[name] = float((types == wanted[name]).mean()) if wanted[name] is not None else np.nan
    return out


def means(rows: list[dict[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """One row a state: means of some columns over its frames; NaN where a method knows no such type."""
    keys = ["material", "phase", "t_fraction"]
    groups = pd.DataFrame(rows).groupby(keys, sort=False)
    found = groups[list(columns)].agg(lambda values: values.mean(skipna=False))
    found.insert(0, "frames", groups.size())
    return found.reset_index().rename(columns={"t_fraction": "T / T_m"})


def melting_table(materials: list[Material], rows: list[dict[str, Any]], frames: Path) -> str:
    """Where the temperature scale of each material comes from; `rows` are those of the index."""
    used = {
        r["material"]: float(r["temperature_K"]) / float(r["t_fraction"]) for r in rows if r["t_fraction"]
    }
    path = frames / "melting_points.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    out = []
    for m in materials:
        if m.name not in used:
            continue
        potential = m.pair_coeff[0].partition("{potentials}/")[2].partition(" ")[0] or m.pair_style
        kelvin, source = f"{used[m.name]:.0f}", m.melting_source
        if not source or round(used[m.name]) != m.melting_guess:
            kelvin += f" ± {found[m.name]['uncertainty']:.0f}"
            source = f"coexistence, runs of {m.coexistence_ps:g} ps"
        out.append((m.name, potential, kelvin, source))
    return markdown(out, ("material", "potential", "T_m, K", "from"))


def state_table(states: pd.DataFrame, columns: Sequence[str]) -> str:
    """Shares in % of some states."""
    rows = [
        (
            s["material"],
            s["T / T_m"] or "300 K",
            *("–" if np.isnan(s[c]) else f"{100 * s[c]:.2f}" for c in columns),
        )
        for _, s in states.iterrows()
    ]
    return markdown(rows, ("material", "T / T_m", *columns))


def write(folder: Path, name: str, page: str, states: pd.DataFrame) -> None:
    """Write a page and its figures, and print the page."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(page, encoding="utf-8")
    states.to_csv(folder / f"{name}.csv", index=False)
    print(page)
