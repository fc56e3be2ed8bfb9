"""What maps as by default say of the molecular dynamics frames of ``run.py``, beside OVITO's own methods.

    python -m benchmarks.md.maps --frames DIR [--model NAME] [--out docs/benchmarks]

Reads ``DIR/index.csv`` and writes ``md.md`` and ``md.csv``: for every state of every material the share of atoms that
have the right class, of those that have it without doubt, and of those that have a wrong one without doubt; of melts
and glasses those that are named at all. Beside them PTM (RMSD cut-off 0.15), adaptive CNA and Ackland-Jones. Frames
that are not what they should be are left out and counted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

import arise_core as arise
from arise_core.model.classes import MISSING
from arise_core.recognition.result import recognise
from arise_core.settings import RecognitionSettings
from benchmarks.md.frames import OTHERS, Frames, given, local_methods, means, state_table, write
from benchmarks.sharp.scores import DOUBT

COLUMNS = ("ARISE", "without doubt", "wrong without doubt", *OTHERS)
OF_MELTS = ("ARISE", "without doubt", *OTHERS)


def evaluate(structure: arise.Structure, label: str, model: arise.Model, lattice: str) -> dict[str, float]:
    """Shares of the atoms of a frame; of liquids and glasses (no label) of those that are named."""
    found = recognise(structure, model, RecognitionSettings(mode="local"))
    named = found.atom_class != MISSING
    right = found.classes.labels_of(found.atom_class) == label if label else named
    sure = found.atoms.mutual_information < DOUBT
    return {
        "ARISE": float(right.mean()),
        "without doubt": float((right & sure).mean()),
        "wrong without doubt": float((named & ~right & sure).mean()) if label else np.nan,
        **local_methods(structure, lattice, bool(label)),
    }


def document(states: pd.DataFrame, frames: Frames, model: arise.Model) -> str:
    """All of md.md."""
    phase = states["phase"]
    sections = {
        "Crystals": ("crystal", COLUMNS),
        "Superheated crystals": ("superheated", COLUMNS),
        "Liquids": ("liquid", OF_MELTS),
        "Melts at the density of the superheated crystals": ("dense", OF_MELTS),
        "Glasses": ("glass", OF_MELTS),
    }
    parts = [
        "# Molecular dynamics",
        "Made by `python -m benchmarks.md.run --out DIR` (potentials, melting points, frames) and "
        "`python -m benchmarks.md.maps --frames DIR`.\n"
        f"Model `{model.name}` ({model.card.weights_sha256[:12]}), maps as by default; three frames a state. Share of "
        "the atoms, %: of crystals those that have the right class (ARISE), have it without doubt (less than "
        f"{DOUBT} bit), or have another one without doubt; of melts and glasses those that have any class. PTM with "
        "a cut-off of 0.15 and nothing but the expected type switched on in crystals; – where a method does not know "
        f"it. {frames.left_out} frames were not what they should be and are left out. Boxes of one size, down to 7 Å: "
        "[heat.md](heat.md).",
    ]
    for title, (kind, columns) in sections.items():
        if (phase == kind).any():
            parts += [f"## {title}", state_table(states[phase == kind], columns)]
    return "\n\n".join([*parts, "## Melting points of the potentials", frames.melting()]) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    args = given("python -m benchmarks.md.maps", __doc__, arguments)
    model = arise.load_model(args.model)
    frames = Frames.of(args.frames)
    rows = []
    for entry, structure, lattice in frames:
        rows.append({**entry, **evaluate(structure, entry["label"], model, lattice)})
        print(entry["file"], " ".join(f"{c} {rows[-1][c]:.4f}" for c in COLUMNS), flush=True)
    states = means(rows, COLUMNS)
    write(args.out, "md", document(states, frames, model), states)


if __name__ == "__main__":
    main()
