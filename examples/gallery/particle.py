"""A particle of electron tomography: what clusters follow, and doubt as a measure of order; Figure 4."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from matplotlib.figure import Figure

import arise_core as arise
from arise_core.explore.figures_in_space import slice_of
from arise_core.explore.palette import INFORMATION
from arise_core.geometry.particles import tomography_particle
from arise_core.settings import SamplingSettings
from examples.gallery.page import MODEL, Case, Page, percent
from examples.tomography_particle import (
    BOX,
    CORE,
    ORDERED,
    Clustered,
    Stage,
    cases,
    clustered,
    draw_clusters,
    draw_stages,
    stage_of,
    staged,
)

SLICES = 5
EXPECTED = ("fcc", *ORDERED)


def make(page: Page) -> None:
    n_atoms, stride, passes = (4_000, 6.0, 30) if page.quick else (20_000, 3.0, SamplingSettings().passes)
    model = arise.load_model(MODEL)
    page.say(
        f"FePt-like ellipsoids of {n_atoms:,} atoms with a truth that is known "
        "(`arise_core.geometry.particles.tomography_particle`): grains of L1_0 and L1_2 in disordered fcc, atoms "
        "displaced by 0.1 Å, 10 % missing, 2 % taken for the other element. The page is made by "
        "[`examples/tomography_particle.py`](../../examples/tomography_particle.py), which says how; "
        "[explore.md](../explore.md#a-particle-of-electron-tomography) has more figures."
    )
    with TemporaryDirectory() as folder:
        stages = staged(model, n_atoms, stride, Path(folder), passes)
        step = 4.0 if page.quick else stride  # fewer boxes make no clusters
        found = {c.name: (c, clustered(c, model, step, Path(folder), passes)) for c in cases(n_atoms)}
    random, _, _ = tomography_particle(n_atoms, 0.0, strain=0.01, rng=np.random.default_rng(7))
    before = stage_of(random, 0.0, model, 2 * stride, passes)
    classes(page, stages[-1])
    annealed(page, stages, before)
    followed(page, {name: one for name, (_, one) in found.items()})
    page.say("## Annealing")
    page.picture("slices", slices(stages), "Mutual information in five slices of three stages of order (4c).")
    page.picture("stages", draw_stages(stages), "By distance from the middle (Supplementary Figure 11).")
    page.say(
        "## Clusters of L1_0\n\nBoxes that are called L1_0 are clustered by the first hidden layer. In the first "
        "particle planes of iron are wider than those of platinum by a strain that grows steadily; in the second, "
        "three grains differ in c / a."
    )
    for name, (one, clusters) in found.items():
        figure = draw_clusters(clusters.seen, clusters.clusters, one.shown)
        page.picture(name, figure, f"A distance that shows the strain, a histogram a cluster: {name} (4b).")


def classes(page: Page, last: Stage) -> None:
    """Which classes lead, in the particle with full order."""
    shares = {name: last.share([name]) for name in EXPECTED}
    others = sorted(
        ((float((last.names == n).mean()), n) for n in set(last.names) - {*EXPECTED, ""}), reverse=True
    )
    none = last.share([""])
    other = f"; next {others[0][1]} {percent(others[0][0])}" if others else ""
    page.row(
        "fcc, L1_0 and L1_2 lead", "L1_2, L1_0 and fcc above all",
        ", ".join(f"{n} {percent(s)}" for n, s in shares.items()) + f" of the boxes, no class {percent(none)}{other}",
        sum(shares.values()) > 0.5 and min(shares.values()) > (others[0][0] if others else 0),
        "together they have less than half of the boxes, or another class has more than one of them",
    )  # fmt: skip
    page.keep(shares=shares)


def annealed(page: Page, stages: Sequence[Stage], before: Stage) -> None:
    """Doubt and order over the stages, and of a particle without any order."""
    core = [float(np.nanmean(s.doubt[s.radius < CORE])) for s in stages]
    ordered = [s.share(ORDERED, s.radius < CORE) for s in stages]
    orders = ", ".join(f"{s.order:g}" for s in stages)
    page.row(
        "doubt falls as order rises", "mutual information falls inside the particle over three annealing times",
        f"long-range order {orders}: {', '.join(f'{b:.3f}' for b in core)} bit in the core",
        all(a > b for a, b in itertools.pairwise(core)),
    )  # fmt: skip
    page.row(
        "more ordered boxes", "so that crystalline order grows",
        f"{', '.join(percent(o) for o in ordered)} of the core are L1_0 or L1_2",
        all(a < b for a, b in itertools.pairwise(ordered)),
    )  # fmt: skip
    without = float(np.nanmean(before.doubt[before.radius < CORE]))
    page.row(
        "doubt as an order parameter of the alloy", "mutual information is an order parameter",
        f"{without:.3f} bit without any long-range order, where fcc has "
        f"{percent(before.share(['fcc'], before.radius < CORE))} of the core; {core[0]:.3f} bit at order "
        f"{stages[0].order:g}", without > core[0],
        "disordered fcc is a crystal that the model knows well: doubt is largest on the way from one to the other",
    )  # fmt: skip
    page.keep(doubt=core, ordered=ordered, doubt_without_order=without)


def followed(page: Page, found: dict[str, Clustered]) -> None:
    """What clusters follow."""
    steady, grains = (found[k].explained for k in ("gradient", "grains"))
    page.row(
        "clusters by a steady strain", "clusters of L1_0 boxes differ in d(Fe-Fe) - d(Pt-Pt)",
        f"they explain {steady['strain built']:.2f} of the variance of a strain that grows steadily, "
        f"{steady['share of L1_0']:.2f} of the share of L1_0 in the box", steady["strain built"] > 0.3,
        "descriptors are the same if iron and platinum are exchanged, and a steady change makes no groups",
    )  # fmt: skip
    page.row(
        "clusters that are strained grains", "clusters are regions that are distorted in different ways",
        f"of grains with three values of c / a they explain {grains['strain built']:.2f} of the built strain, "
        f"{grains['strain seen']:.2f} of the one in the distances, {grains['share of L1_0']:.2f} of the share of L1_0",
        grains["strain built"] > 0.5 > grains["share of L1_0"],
        "grains came together in clusters, or clusters follow the share of L1_0",
    )  # fmt: skip
    page.keep(explained={name: one.explained for name, one in found.items()})


def slices(stages: Sequence[Stage]) -> Figure:
    """Planes of boxes across z, as far apart as the particle allows, a row a stage."""
    figure = Figure(figsize=(2.6 * SLICES, 2.5 * len(stages)), layout="constrained")
    panels = figure.subplots(len(stages), SLICES)
    most = max(float(np.nanquantile(s.doubt, 0.99)) for s in stages)
    for row, stage in zip(panels, stages, strict=True):
        n = stage.field.shape[2]
        for axes, at in zip(row, np.linspace(0.25, 0.75, SLICES) * (n - 1), strict=True):
            plane = slice_of(stage.field, 2, round(at))
            values = stage.field.prediction.mutual_information[plane.rows]
            mesh = axes.pcolormesh(plane.x, plane.y, values, cmap=INFORMATION, vmin=0.0, vmax=most)
            axes.set(aspect="equal", xticks=[], yticks=[], title=plane.title)
        row[0].set_ylabel(f"order {stage.order:g}")
    figure.colorbar(mesh, ax=panels, label="mutual information (bit)", shrink=0.6)
    return figure


CASE = Case(
    "particle",
    "A particle of electron tomography",
    "Figure 4, Supplementary Figures 10, 11",
    f"Boxes of {BOX:g} Å, as in the paper; a stride of 3 Å, as by default: that of the paper, 1 Å for maps and 2 Å for "
    "clusters, would take 27 and 3 times as long. Clusters of the first hidden layer, soft, as in the paper; smallest "
    "clusters and the half of the boxes in least doubt as in the example.",
    make,
)
