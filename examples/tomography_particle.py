"""An FePt-like particle of electron tomography: what its clusters follow, and its ordering over three stages.

    python examples/tomography_particle.py [--out DIR] [--quick]

After Leitherer et al. (2021), Figure 4 and Supplementary Figure 11, on a particle whose truth is known.

What one should see: boxes called L1_0 fall into clusters of first-layer representations (soft HDBSCAN). Where grains
differ in c / a, clusters of the boxes in least doubt are grains, one or two together: they explain most of the variance
of the strain, built in and seen, and next to nothing of the share of L1_0 in the box. Where planes of iron are wider
than those of platinum by a strain that grows steadily, clusters are by the share of L1_0 and do not follow the strain:
descriptors are means over pairs of elements, the same if iron and platinum are exchanged, and there are no groups.
The same particle at three stages of order, turned and moved, is aligned to the last; the share of ordered boxes rises
from stage to stage, and the doubt falls. (Particles with hardly any order are surely fcc: doubt is largest on the way.)
Leaves `gradient.csv`, `grains.csv`, `stages.csv` and a picture of each.

Coherent point drift is `arise.aligned`, written out. The library that the paper took, pycpd 2.0.0, is years old and
needs the package `future`; Open3D has no coherent point drift.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

import arise_core as arise
from arise_core.explore.clusters import Clusters
from arise_core.geometry.particles import strained_particle, tomography_particle
from arise_core.runtime.tables import write_csv
from arise_core.settings import ExploreSettings

BOX = 12.0  # Å
RATIOS = (0.92, 0.965, 1.01)  # c / a of the grains of L1_0
BOND = 3.4  # Å, between the first and the second shell of neighbours
STAGES = (0.6, 0.75, 1.0)  # long-range order
ORDERED = ("L1_0", "L1_2")
SHELLS = (0.0, 0.25, 0.5, 0.75, 1.0)  # radii, shares of the particle's
CORE = 0.75  # the same, below which boxes are in the core


class Case(NamedTuple):
    """A particle whose boxes of L1_0 are clustered."""

    name: str
    structure: arise.Structure
    truth: np.ndarray  # (n_atoms,), strain that was built in, NaN outside L1_0
    shown: str  # the difference of distances that shows the strain
    irons: tuple[Sequence[int], Sequence[int]]  # pairs of both means, by the iron atoms in them
    sure: float  # share of the boxes that are clustered, those in least doubt
    size: int | Literal["auto"]  # smallest cluster


def strain_seen(case: Case, centers: np.ndarray) -> np.ndarray:
    """Difference of the mean distances of neighbours of two kinds in each box, (n,), Å."""
    x, iron = case.structure.positions, case.structure.numbers == 26
    pairs = cKDTree(x).query_pairs(BOND, output_type="ndarray")
    middle, length = x[pairs].mean(axis=1), np.linalg.norm(x[pairs[:, 0]] - x[pairs[:, 1]], axis=1)
    means = []
    for kind in case.irons:
        of = np.isin(iron[pairs].sum(axis=1), kind)
        inside = cKDTree(middle[of]).query_ball_point(centers, BOX / 2, p=np.inf)
        means.append([length[of][k].mean() if k else np.nan for k in inside])
    return np.subtract(*means)


def explained(values: np.ndarray, labels: np.ndarray) -> float:
    """Share of the variance of values that is between clusters; outliers are left out."""
    known = np.isfinite(values) & (labels >= 0)
    v, k = values[known], labels[known]
    if len(np.unique(k)) < 2:
        return 0.0
    between = sum((k == j).sum() * (v[k == j].mean() - v.mean()) ** 2 for j in np.unique(k))
    return float(between / ((v - v.mean()) ** 2).sum())


def class_rows(field: arise.StridedMap, label: str) -> np.ndarray:
    """Boxes that are called a class, by its short name."""
    p = field.prediction
    return np.flatnonzero((p.names == label) & ~p.rejected)


def cases(n_atoms: int) -> list[Case]:
    """A strain that grows steadily and leaves the mean distance as it is, and one that differs between grains."""
    steady, _region, strain = tomography_particle(n_atoms, rng=np.random.default_rng(2024))
    grains, _region, ratio = strained_particle(n_atoms, RATIOS, rng=np.random.default_rng(2024))
    return [
        Case("gradient", steady, strain, "d(Fe-Fe) - d(Pt-Pt)", ((2,), (0,)), 1.0, 25),
        Case("grains", grains, ratio, "d(like) - d(Fe-Pt)", ((0, 2), (1,)), 0.5, "auto"),
    ]


class Clustered(NamedTuple):
    """What the clusters of a particle follow."""

    field: arise.StridedMap
    rows: np.ndarray  # (n,), boxes that were clustered
    clusters: Clusters
    seen: np.ndarray  # (n,), Å, the difference of distances that shows the strain
    explained: dict[str, float]  # share of the variance of a quantity that is between clusters


def clustered(case: Case, model: arise.Model, stride: float, out: Path, passes: int = 30) -> Clustered:
    """Clusters of the L1_0 boxes of a particle, and the strain in each."""
    structure = case.structure
    field = arise.strided_map(structure, model, box_size=BOX, stride=stride, passes=passes)
    rows = class_rows(field, "L1_0")
    doubt = field.prediction.mutual_information[rows]
    rows = rows[doubt <= np.quantile(doubt, case.sure)]
    vectors = arise.represent(field, model, 0).of(0)[rows]
    settings = ExploreSettings(layer=0, soft=True, min_cluster_size=case.size, min_samples=5)
    clusters = arise.find_clusters(vectors, settings)
    seen = strain_seen(case, field.centers[rows])
    inside = np.flatnonzero(np.isfinite(case.truth))
    near = cKDTree(structure.positions[inside]).query_ball_point(field.centers[rows], BOX / 2, p=np.inf)
    built = np.array([case.truth[inside[k]].mean() if k else np.nan for k in near])
    atoms = cKDTree(structure.positions)
    around = atoms.query_ball_point(field.centers[rows], BOX / 2, p=np.inf, return_length=True)
    share = np.array([len(k) for k in near]) / around
    print(f"{case.name}: {len(structure)} atoms, {len(rows)} of {len(field)} boxes taken, {clusters}")
    lines = []
    for k in range(clusters.n_clusters):
        of = clusters.labels == k
        quarters = np.nanpercentile(seen[of], [25, 50, 75])
        lines.append((k, int(of.sum()), *(f"{q:.4f}" for q in quarters), f"{np.nanmean(built[of]):.4f}"))
        print(f"cluster {k}: {of.sum()} boxes, {case.shown} {quarters[1]:.3f} Å, built {lines[-1][-1]}")
    heads = ("cluster", "boxes", "quarter_A", "median_A", "three_quarters_A", "built")
    write_csv(out / f"{case.name}.csv", heads, lines)
    shuffled = np.random.default_rng(0).permutation(clusters.labels)
    followed = {}
    for name, values in (("strain seen", seen), ("strain built", built), ("share of L1_0", share)):
        followed[name] = explained(values, clusters.labels)
        print(
            f"{case.name}, {name}: clusters explain {followed[name]:.3f} of the variance "
            f"(shuffled {explained(values, shuffled):.3f})"
        )
    return Clustered(field, rows, clusters, seen, followed)


def draw_clusters(seen: np.ndarray, clusters: Clusters, shown: str) -> Figure:
    """A histogram a cluster."""
    figure = Figure(figsize=(5, 1.3 * max(2, clusters.n_clusters)), layout="constrained")
    panels = figure.subplots(max(1, clusters.n_clusters), 1, sharex=True, squeeze=False)[:, 0]
    bins = np.linspace(*np.nanpercentile(seen, [1, 99]), 41)
    for k, axes in enumerate(panels):
        axes.hist(seen[clusters.labels == k], bins, density=True, color="#0072B2")
        axes.set_ylabel(f"cluster {k}\ndensity")
    panels[-1].set_xlabel(f"{shown} / Å")
    return figure


class Stage(NamedTuple):
    """The boxes of a particle, from the middle outwards."""

    order: float  # long-range order
    radius: np.ndarray  # (n,), share of the particle's
    doubt: np.ndarray  # (n,), bit
    names: np.ndarray  # (n,), class; empty where it is rejected
    field: arise.StridedMap  # of which these are the boxes

    def share(self, classes: Sequence[str], where: np.ndarray | slice = slice(None)) -> float:
        """Share of boxes that are called one of some classes."""
        return float(np.isin(self.names[where], classes).mean())


def turned(particle: arise.Structure, rng: np.random.Generator) -> arise.Structure:
    """A particle turned by 12 degrees and moved."""
    axis = rng.normal(size=3)
    turn = Rotation.from_rotvec(np.deg2rad(12) * axis / np.linalg.norm(axis)).as_matrix()
    return arise.Structure(particle.positions @ turn + rng.uniform(-20, 20, 3), particle.numbers)


def degrees_off(particle: arise.Structure, back: arise.Structure) -> float:
    """Angle between a particle and the same particle, turned, moved and aligned."""
    centred = [s.positions - s.positions.mean(axis=0) for s in (particle, back)]
    cosine = (np.linalg.lstsq(*centred, rcond=None)[0].trace() - 1) / 2
    return float(np.rad2deg(np.arccos(np.clip(cosine, -1, 1))))


def stage_of(
    structure: arise.Structure, order: float, model: arise.Model, stride: float, passes: int
) -> Stage:
    """The map of a particle whose middle is at the origin."""
    field = arise.strided_map(structure, model, box_size=BOX, stride=stride, passes=passes)
    p, radius = field.prediction, np.linalg.norm(field.centers, axis=1)
    radius /= np.linalg.norm(structure.positions, axis=1).max()
    rows = np.flatnonzero(p.valid)[np.argsort(radius[p.valid], kind="stable")]
    names = np.where(p.rejected, "", p.names.astype(str))
    return Stage(order, radius[rows], p.mutual_information[rows], names[rows], field)


def staged(model: arise.Model, n_atoms: int, stride: float, out: Path, passes: int = 50) -> list[Stage]:
    """Order and doubt by radius, at three stages."""
    rng = np.random.default_rng(7)
    particles = [tomography_particle(n_atoms, order, strain=0.01, rng=rng)[0] for order in STAGES]
    stages, lines = [], []
    for k, (order, particle) in enumerate(zip(STAGES, particles, strict=True)):
        moved = turned(particle, rng)
        back = particle if k == len(STAGES) - 1 else arise.aligned(moved, particles[-1])
        stage = stage_of(back, order, model, stride, passes)
        core = stage.radius < CORE
        stages.append(stage)
        print(
            f"order {order:.2f}: aligned to {degrees_off(particle, back):.1f} degrees; core: "
            f"{100 * stage.share(ORDERED, core):.1f} % ordered, {stage.doubt[core].mean():.3f} bit of doubt"
        )
        for low, high in itertools.pairwise(SHELLS):
            here = (stage.radius >= low) & (stage.radius < high)
            shares = [stage.share([c], here) for c in ("fcc", *ORDERED)]
            doubt = stage.doubt[here].mean()
            lines.append((order, low, high, int(here.sum()), *(f"{s:.3f}" for s in shares), f"{doubt:.4f}"))
    write_csv(out / "stages.csv", ("order", "from", "to", "boxes", "fcc", *ORDERED, "doubt_bit"), lines)
    return stages


def draw_stages(stages: Sequence[Stage]) -> Figure:
    """Doubt and classes by radius, in shells and as cumulative distributions."""
    figure = Figure(figsize=(8.5, 6.5), layout="constrained")
    (in_shells, classes), (values, within) = figure.subplots(2, 2)
    edges = np.linspace(0, 1, 11)
    for stage, colour in zip(stages, ("#D55E00", "#009E73", "#0072B2"), strict=True):
        shell = np.clip(np.digitize(stage.radius, edges) - 1, 0, 9)
        there = np.flatnonzero(np.bincount(shell, minlength=10) > 0)
        middle = (edges[:-1] + edges[1:])[there] / 2
        doubt = [np.median(stage.doubt[shell == k]) for k in there]
        in_shells.plot(middle, doubt, "o-", color=colour, label=f"order {stage.order:g}")
        core = np.sort(stage.doubt[stage.radius < CORE])
        values.plot(core, np.linspace(0, 1, len(core)), color=colour)
        for names, line, label in (((*ORDERED,), "-", "L1_0 or L1_2"), (("fcc",), "--", "fcc")):
            last = stage is stages[-1]
            shares = [stage.share(names, shell == k) for k in there]
            classes.plot(middle, shares, line, color=colour, label=label if last else None)
            called = np.isin(stage.names, names).cumsum() / len(stage.names)
            within.plot(stage.radius, called, line, color=colour)
    radius = "distance from the middle / radius of the particle"
    in_shells.set(xlabel=radius, ylabel="mutual information (median) / bit", ylim=(0, None))
    classes.set(xlabel=radius, ylabel="share of the boxes of the shell", ylim=(0, 1))
    values.set(xlabel="mutual information / bit", ylabel="cumulative share of the core")
    within.set(xlabel=radius, ylabel="cumulative share of all boxes")
    in_shells.legend()
    classes.legend()
    return figure


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out/tomography"))
    parser.add_argument("--quick", action="store_true", help="a smaller particle and coarser maps")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    model = arise.load_model("arise-108")
    n_atoms = 6_000 if given.quick else 20_000
    for case in cases(n_atoms):
        found = clustered(case, model, 4.0, given.out)
        figure = draw_clusters(found.seen, found.clusters, case.shown)
        figure.savefig(given.out / f"{case.name}.png", dpi=120)
    stages = staged(model, n_atoms, 6.0 if given.quick else 4.0, given.out)
    draw_stages(stages).savefig(given.out / "stages.png", dpi=120)
    print(f"tables and pictures are in {given.out}")


if __name__ == "__main__":
    main()
