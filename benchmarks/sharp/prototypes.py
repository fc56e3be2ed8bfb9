"""Whether sharp maps know all classes as well as boxes of 16 Å: crystals of every periodic prototype.

    python -m benchmarks.sharp.prototypes [--out DIR] [--quick]

Writes docs/benchmarks/sharp_prototypes.md: what is right, and what is wrong without doubt, of the boxes in ideal and in
thermal crystals. Small boxes alone would be sure of a relative where a crystal differs from it by little (indium, dhcp)
or far away (graphite). Classes of which not all is right stand in the table.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import arise_core as arise
from arise_core.geometry import builders
from benchmarks.measure import DOCS, QUICK
from benchmarks.tables import markdown

STRIDE = 4.0  # Å
HEIGHT = 17.0  # Å, least of the cells
PASSES = 64
DISPLACEMENTS = (0.0, 0.08)  # Å a coordinate
SURE = 0.05  # bit, of which there is less of both doubts
LISTED = 0.99  # share of right boxes below which a class is in the table
KINDS: dict[str, dict[str, Any]] = {
    "sharp": {"resolution": "sharp"},
    "single": {"resolution": "single", "passes": PASSES, "tolerance": None},
}
SHORT = ("fcc", "hcp", "wurtzite", "dhcp")


class Share(NamedTuple):
    """Of the boxes with an answer: how many are right, and how many wrong and sure."""

    right: float
    wrong_and_sure: float


def crystal(prototype: arise.Prototype, displacement: float) -> arise.Structure:
    """Cells of a prototype, displaced."""
    unit = arise.build(prototype)
    whole = builders.repeat(unit, builders.cell_heights_at_least(unit, HEIGHT))
    moves = np.random.default_rng(1).normal(0, 1, whole.positions.shape) * displacement
    return arise.Structure(whole.positions + moves, whole.numbers, whole.cell, whole.pbc)


def share_of(structure: arise.Structure, label: str, model: arise.Model, kind: str) -> Share:
    """How a map does."""
    field = arise.strided_map(structure, model, stride=STRIDE, **KINDS[kind])
    p = field.prediction
    right = (p.labels == label) & ~p.rejected & p.valid
    sure = (p.mutual_information < SURE) & (p.rejection_uncertainty < SURE)
    n = max(int(p.valid.sum()), 1)
    return Share(right.sum() / n, (p.valid & ~right & sure).sum() / n)


def measured(model: arise.Model, quick: bool) -> list[tuple[str, float, dict[str, Share]]]:
    """Name, displacement and shares of every periodic prototype."""
    rows = []
    for prototype in arise.prototypes():
        if (quick and prototype.name not in SHORT) or not np.all(arise.build(prototype).pbc):
            continue
        for displacement in DISPLACEMENTS:
            structure = crystal(prototype, displacement)
            shares = {kind: share_of(structure, prototype.label, model, kind) for kind in KINDS}
            rows.append((prototype.name, displacement, shares))
            print(*rows[-1], flush=True)
    return rows


def document(rows: list[tuple[str, float, dict[str, Share]]], model: arise.Model) -> str:
    """The page."""
    few = [row for row in rows if min(share.right for share in row[2].values()) < LISTED]
    table = [
        (name, f"{displacement:g}", *(f"{100 * x:.1f}" for kind in KINDS for x in shares[kind]))
        for name, displacement, shares in few
    ]
    means = [f"{100 * np.mean([row[2][kind].right for row in rows]):.2f}" for kind in KINDS]
    head = ["crystal", "displacement, Å"]
    head += [f"{kind}: {what}, %" for kind in KINDS for what in ("right", "wrong and sure")]
    made = (
        f"Made by `python -m benchmarks.sharp.prototypes`: model `{model.name}` ({model.card.weights_sha256[:12]}), "
        f"{len(rows) // len(DISPLACEMENTS)} periodic prototypes in cells of {HEIGHT:g} Å and more, ideal and with "
        f"displacements of {DISPLACEMENTS[1]:g} Å a coordinate, boxes every {STRIDE:g} Å. Sharp: boxes of several "
        f"sizes, as by default; single: of 16 Å, {PASSES} passes each. Sure: less than {SURE:g} bit of mutual "
        "information and of rejection uncertainty."
    )
    found = (
        f"Right on average: {means[0]} % sharp, {means[1]} % single. The table has those with less than {LISTED:.0%} "
        "right in either."
    )
    return "\n\n".join(["# Sharp maps of every prototype", made, found, markdown(table, tuple(head))]) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sharp.prototypes", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--out", type=Path, help="folder of the page; default: docs/benchmarks")
    parser.add_argument("--quick", action="store_true", help="a few of them; writes to out/benchmarks")
    given = parser.parse_args(arguments)
    model = arise.load_model("arise-108")
    folder = given.out or (QUICK if given.quick else DOCS)
    folder.mkdir(parents=True, exist_ok=True)
    page = document(measured(model, given.quick), model)
    (folder / "sharp_prototypes.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
