"""Whether sharp maps know all classes as well as boxes of 16 Å: crystals of every periodic prototype.

    python -m benchmarks.sharp.prototypes [--out DIR] [--quick]

Writes docs/benchmarks/sharp_prototypes.md: what is right, and what is wrong without doubt, of the boxes in ideal and in
thermal crystals. Small boxes alone would be sure of a relative where a crystal differs from it by little (indium, dhcp)
or far away (graphite). Classes of which not all is right stand in the table. A second one is about stackings of many
layers at other distances of their atoms, with layers along the faces of the boxes, as cells have them, and turned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

import arise_core as arise
from arise_core.geometry import builders
from benchmarks.measure import page_folder, page_options
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
#: Steps from layer to layer. α-Sm is hcp to the model where layers are as far apart as those of spheres.
STACKINGS = {"dhcp": (1, -1, -1, 1)}
DISTANCES = tuple(round(2.4 + 0.1 * k, 1) for k in range(15))  # Å, of nearest neighbours
HIGH, FINE = 28.0, 3.0  # Å, least of their cells, and stride: not a multiple of the distance of their layers
RADIUS, INSIDE = 24.0, 6.0  # Å, of turned spheres, and of what is looked at within


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


def share_of(
    structure: arise.Structure,
    label: str,
    model: arise.Model,
    kind: str,
    inside: float = np.inf,
    stride: float = STRIDE,
) -> Share:
    """How a map does, within some distance (Å) of the middle of the atoms."""
    field = arise.strided_map(structure, model, stride=stride, **KINDS[kind])
    p = field.prediction
    away = np.linalg.norm(field.centers.reshape(-1, 3) - structure.positions.mean(axis=0), axis=1)
    counted = p.valid & (away < inside)
    right = (p.labels == label) & ~p.rejected & counted
    sure = (p.mutual_information < SURE) & (p.rejection_uncertainty < SURE)
    n = max(int(counted.sum()), 1)
    return Share(right.sum() / n, (counted & ~right & sure).sum() / n)


def stacked(steps: Sequence[int], distance: float) -> arise.Structure:
    """One cell of close-packed layers, see `builders.close_packed`, of spheres of that diameter, Å."""
    unit = builders.close_packed(steps)
    factor = distance / float(np.linalg.norm(unit.cell[0]))
    return arise.Structure(unit.positions * factor, unit.numbers, unit.cell * factor, True)


def turned(unit: arise.Structure) -> arise.Structure:
    """A sphere of a crystal, turned at random."""
    whole = builders.repeat(unit, builders.cell_heights_at_least(unit, 2.2 * RADIUS))
    away = whole.positions - whole.cell.sum(axis=0) / 2
    kept = np.linalg.norm(away, axis=1) < RADIUS
    rotation = Rotation.random(random_state=0)
    return arise.Structure(rotation.apply(away[kept]), whole.numbers[kept])


def stackings(model: arise.Model, quick: bool) -> list[tuple[str, float, Share, Share]]:
    """Name, distance, shares with layers along the faces of the boxes, and of the same turned."""
    rows = []
    for name, steps in STACKINGS.items():
        label = arise.prototype(name).label
        for distance in DISTANCES[::7] if quick else DISTANCES:
            unit = stacked(steps, distance)
            along = builders.repeat(unit, builders.cell_heights_at_least(unit, HIGH))
            here = share_of(along, label, model, "sharp", stride=FINE)
            rows.append((name, distance, here, share_of(turned(unit), label, model, "sharp", INSIDE)))
            print(*rows[-1], flush=True)
    return rows


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


def document(
    rows: list[tuple[str, float, dict[str, Share]]],
    layers: list[tuple[str, float, Share, Share]],
    model: arise.Model,
) -> str:
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
    other = (
        "The same for stackings of many layers of touching spheres, at several distances of nearest neighbours (Å; the "
        f"prototypes themselves are flatter): sharp maps of cells, every {FINE:g} Å, whose layers lie along the "
        "faces of the boxes, so that these hold one layer more of one kind or the other; and of spheres that are "
        f"turned, within {INSIDE:g} Å of their middle."
    )
    columns = ("crystal", "distance, Å")
    columns += tuple(
        f"{how}: {what}, %" for how in ("cell", "turned") for what in ("right", "wrong and sure")
    )
    lines = [
        (name, f"{distance:g}", *(f"{100 * x:.1f}" for x in (*here, *there)))
        for name, distance, here, there in layers
    ]
    parts = ["# Sharp maps of every prototype", made, found, markdown(table, tuple(head))]
    parts += ["## Stackings at other distances", other, markdown(lines, columns)]
    return "\n\n".join(parts) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    given = page_options("benchmarks.sharp.prototypes", __doc__, "a few of them").parse_args(arguments)
    model = arise.load_model("arise-108")
    folder = page_folder(given)
    page = document(measured(model, given.quick), stackings(model, given.quick), model)
    (folder / "sharp_prototypes.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
