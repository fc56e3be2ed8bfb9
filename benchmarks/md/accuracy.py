"""How well a model does on the molecular dynamics frames of ``run.py``, beside OVITO's own methods.

    python -m benchmarks.md.accuracy --frames DIR [--model NAME] [--out docs/benchmarks]

Reads ``DIR/index.csv`` and writes ``heat.md`` and ``heat.csv``: for every state of every material the share of boxes of
16, 12, 10 and 8 Å that get the right class and are not rejected, the share of boxes of liquids and glasses that pass
for a crystal, the area under the ROC curve of the reject score (crystals up to 0.9 of the melting point against
liquids, superheated crystals against melts of the same density),
and per atom the shares of a map with boxes of 16 Å, PTM (RMSD cut-off 0.15), adaptive CNA and Ackland-Jones; and what
boxes of 7 and 8 Å say by the number of atoms that they hold. Frames that are not what they should be (``valid`` 0 in
the index: a crystal that melted, a liquid that froze) are left out and counted. Boxes lie at a stride of half their
size. Maps as by default on the same frames: ``maps.py``.
"""

from __future__ import annotations

import itertools
import platform
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

import arise_core as arise
from benchmarks.md.frames import OTHERS, Frames, given, local_methods, means, state_table, write
from benchmarks.tables import markdown

BOXES = (16.0, 12.0, 10.0, 8.0)  # Å
PASSES = 96
ROC_UP_TO = 0.9  # of the melting point
SMALL = (7.0, 8.0)  # Å, boxes that are sorted by the number of their atoms
#: First of each range of numbers of atoms; the default of `min_atoms` is one of them.
ATOMS = (12, 16, 20, 28, 40)
ENOUGH = 100  # boxes of a state and range that a share is stated of
SUPERHEATED = """\
Short runs (5 ps, then three frames 2 ps apart) from the perfect lattice in a periodic cell, without surfaces at which
melting could start. Crystals with a `spring` in `benchmarks/md/materials.toml` are tied to their lattice sites, in
a fixed cell, because the bare potential leaves the lattice within picoseconds (dynamically stabilised; the springs are
soft beside the forces between the atoms). All others are free at zero pressure, only the shape of the cell is held. A
frame counts if 99 % of its atoms are within half a nearest-neighbour distance of their own site."""


def evaluate(structure: arise.Structure, label: str, model: arise.Model, lattice: str) -> dict[str, Any]:
    """Figures of one frame; for liquids and glasses (no label) shares of what passes for a crystal."""
    row: dict[str, Any] = {}
    for size in BOXES:
        field = arise.strided_map(
            structure, model, box_size=size, stride=size / 2, passes=PASSES, tolerance=None
        )
        p = field.prediction
        answered = np.isfinite(p.reject_score)  # false for boxes with too few atoms
        right = p.labels == label if label else answered
        row[f"boxes {size:g}"] = float((right & ~p.rejected).mean())
        row[f"answered {size:g}"] = float(answered.mean())
        row[f"scores {size:g}"] = p.reject_score[answered]
        if size == BOXES[0]:
            at = field.values_at(structure.positions)
            named = np.array([c.label for c in p.classes])[at.index] == label if label else at.index >= 0
            row["ARISE"] = float((named & (at.reject_score < p.reject_threshold)).mean())
    return row | local_methods(structure, lattice, bool(label))


def by_atoms(structure: arise.Structure, label: str, model: arise.Model) -> np.ndarray:
    """Number of small boxes with so many atoms, and of those that are right (or pass for a crystal), (n_ranges, 2)."""
    out = np.zeros((len(ATOMS), 2))
    for size in SMALL:
        field = arise.strided_map(
            structure,
            model,
            box_size=size,
            stride=size / 2,
            passes=PASSES,
            tolerance=None,
            min_atoms=ATOMS[0],
        )
        p = field.prediction
        answered = np.isfinite(p.reject_score)
        named = answered & ~p.rejected & ((p.labels == label) if label else True)
        which = np.searchsorted(ATOMS, field.n_atoms, side="right") - 1
        for k in range(len(ATOMS)):
            out[k] += (answered & (which == k)).sum(), (named & (which == k)).sum()
    return out


def atoms_table(rows: list[dict[str, Any]]) -> str:
    """Shares in % by the number of atoms in the box, a row a state."""
    states: dict[tuple[str, ...], np.ndarray] = {}
    for row in rows:
        key = (row["material"], row["phase"], row["t_fraction"] or "300 K")
        states[key] = states.get(key, 0) + row["by atoms"]
    heads = [f"{a} to {b - 1}" for a, b in itertools.pairwise(ATOMS)] + [f"{ATOMS[-1]} or more"]
    table = [
        (*key, *(f"{100 * right / n:.1f}" if n >= ENOUGH else "–" for n, right in counts))
        for key, counts in states.items()
    ]
    return markdown(table, ("material", "phase", "T / T_m", *heads))


def areas(rows: list[dict[str, Any]], solid_phase: str, melt_phase: str, up_to: float) -> dict[str, float]:
    """Area under the ROC curve of the reject score, by box size; crystals up to a fraction of the melting point."""
    out = {}
    for size in BOXES:
        crystals = [r for r in rows if r["phase"] == solid_phase and float(r["t_fraction"]) <= up_to]
        solid = [r[f"scores {size:g}"] for r in crystals]
        melt = [r[f"scores {size:g}"] for r in rows if r["phase"] == melt_phase]
        if solid and melt:
            score = np.concatenate([*solid, *melt])
            truth = np.concatenate([np.zeros(sum(map(len, solid))), np.ones(sum(map(len, melt)))])
            out[f"{size:g} Å"] = float(roc_auc_score(truth, score))
    return out


COLUMNS = [
    *(f"boxes {s:g}" for s in BOXES),
    f"answered {BOXES[-1]:g}",
    "ARISE",
    *OTHERS,
]


def roc_sentence(what: str, areas: dict[str, float]) -> list[str]:
    """A sentence on `areas` of `what`, none where there are none."""
    found = ", ".join(f"{k} {v:.5f}" for k, v in areas.items())
    return [f"Area under the ROC curve of the reject score, {what}: {found}."] if found else []


def document(
    states: pd.DataFrame, rows: list[dict[str, Any]], left_out: int, model: arise.Model, melting: str
) -> str:
    """All of heat.md."""
    phase = states["phase"]
    hot = phase.isin(["superheated", "dense"])
    usual = areas(rows, "crystal", "liquid", ROC_UP_TO)
    extreme = areas(rows, "superheated", "dense", np.inf)
    superheated = [
        "## Superheated crystals: right class and not rejected",
        SUPERHEATED,
        state_table(states[phase == "superheated"], COLUMNS),
        "## Melts at the density of the superheated crystals: taken for a crystal",
        state_table(states[phase == "dense"], COLUMNS),
        *roc_sentence("superheated crystals against these melts", extreme),
    ]
    parts = [
        "# Heat and small boxes",
        "Made by `python -m benchmarks.md.run --out DIR` (potentials, melting points, frames) and "
        "`python -m benchmarks.md.accuracy --frames DIR`.\n"
        f"Model `{model.name}` ({model.card.weights_sha256[:12]}), {PASSES} passes, {platform.machine()}, "
        f"reject threshold {model.card.reject.threshold}. `boxes N`: share of boxes of N Å, %; "
        f"`answered {BOXES[-1]:g}`: share of boxes with enough atoms, %; the other columns are "
        "per atom, %, ARISE at 16 Å boxes and 8 Å stride. Boxes with too few atoms for an answer count as "
        f"not right in crystals and as no crystal in liquids. {left_out} frames were not what they should be and are "
        "left out.",
        "## Crystals: right class and not rejected",
        state_table(states[phase == "crystal"], COLUMNS),
        "## Liquids and glasses: taken for a crystal",
        state_table(states[phase.isin(["liquid", "glass"])], COLUMNS),
        *roc_sentence(f"crystals up to {ROC_UP_TO} T_m against liquids", usual),
        *(superheated if hot.any() else []),
        "## Boxes with few atoms",
        f"Boxes of {' and '.join(f'{s:g}' for s in SMALL)} Å together, by the number of atoms that they hold, whatever "
        "`min_atoms` is: share of those with the right class and not rejected, in melts and glasses of those that pass "
        f"for a crystal, %; none of fewer than {ENOUGH} boxes.",
        atoms_table(rows),
        "## Melting points of the potentials",
        melting,
    ]
    return "\n\n".join(parts) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    args = given("python -m benchmarks.md.accuracy", __doc__, arguments)
    model = arise.load_model(args.model)
    frames = Frames.of(args.frames)
    rows = []
    for entry, structure, lattice in frames:
        found = evaluate(structure, entry["label"], model, lattice)
        rows.append({**entry, **found, "by atoms": by_atoms(structure, entry["label"], model)})
        print(entry["file"], " ".join(f"{c} {rows[-1][c]:.4f}" for c in COLUMNS), flush=True)
    states = means(rows, COLUMNS)
    write(args.out, "heat", document(states, rows, frames.left_out, model, frames.melting()), states)


if __name__ == "__main__":
    main()
