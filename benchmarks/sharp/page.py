"""Goals, tables and the picture of ``docs/benchmarks/sharp.md``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import arise_core as arise
from benchmarks.sharp.built import PRECIPITATE
from benchmarks.sharp.frame import DEEP, Frame
from benchmarks.sharp.methods import OTHERS, PASSES, STRIDE, Answer
from benchmarks.sharp.scores import BOUNDARY, DOUBT, FAR
from benchmarks.sharp.simulated import FRONT_PS, HOT, JOINTS
from benchmarks.structures import THERMAL
from benchmarks.tables import mark, markdown

#: What widths and precipitates are compared with, what spheres are, since that finds no crystal in melts, and what
#: bulk figures are.
TEMPLATES, STRICT, COARSE = "PTM 0.15", "PTM 0.1", "16 Å"
BIN = 2.5  # Å, of profiles across fronts
SMALLEST = 6.0  # Å, radius from which a sphere has to be found
#: Values by method to whether each passes; None if what they are compared with is not there.
Verdict = Callable[[pd.Series], "pd.Series | None"]


@dataclass(frozen=True)
class Check:
    """A figure with its goal.

    Args:
        goal: of the frames.
        figure: column of the table.
        text: what it is, with its unit.
        wanted: the goal in words; "" for a figure that has none.
        passes: whether it is reached.
        scale: times the figure is what is shown.
        case: the frames meant, by a part of their name.
        ours: whether the bound is not in the goal's own words but our reading of them.
    """

    goal: str
    figure: str
    text: str
    wanted: str = ""
    passes: Verdict | None = None
    scale: float = 100.0
    case: str = ""
    ours: bool = False


def least(bound: float) -> Verdict:
    """Not below a bound."""
    return lambda values: values >= bound


def most(bound: float) -> Verdict:
    """Not above a bound, either side of zero."""
    return lambda values: values.abs() <= bound


def beside(method: str, slack: float, sign: int) -> Verdict:
    """At least (sign 1) or at most (-1) the figure of a method, but for some slack."""

    def verdict(values: pd.Series) -> pd.Series | None:
        known = values.get(method, np.nan)
        return None if np.isnan(known) else sign * values >= sign * known - slack

    return verdict


CHECKS = (
    Check("fronts", "share off", "crystalline share less the true one, points", "within 2", most(0.02)),
    Check("fronts", "largest place off", "place of a front, Å off (the worse of two)", "within 1.5", most(1.5), 1.0),
    Check("fronts", "place off", "mean of both, outwards positive, Å", scale=1.0),
    Check(
        "fronts", "width", "width from 10 to 90 %, Å", f"at most {TEMPLATES} + 1", beside(TEMPLATES, 1.0, -1), 1.0
    ),
    Check("fronts", "true width", "that of the density waves, Å", scale=1.0),
    Check("abrupt", "share off", "crystalline share less the true one, points", "within 2", most(0.02), ours=True),
    Check(
        "abrupt", "largest place off", "place of a front, Å off (the worse of two)", "within 1.5", most(1.5), 1.0,
        ours=True,
    ),
    Check("abrupt", "place off", "mean of both, outwards positive, Å", scale=1.0),
    Check("spheres", "found", "atoms found, %", f"at least {STRICT}", beside(STRICT, 0.0, 1)),
    Check("spheres", "false", "crystal in the melt, %", "at most 0.1", most(0.001)),
    Check("nanocrystals", "right", "atoms in grains right, %", "at least 95", least(0.95)),
    Check("nanocrystals", "doubt", "atoms at boundaries in doubt, %", "at least 50", least(0.5), ours=True),
    Check("nanocrystals", "doubt inside", "atoms in grains in doubt, %"),
    Check("nanocrystals", "all", "all atoms right, %"),
    Check("layers", "hcp", "layers of the band called hcp, %", "at least 50", least(0.5), case="band", ours=True),
    Check("layers", "middle hcp", "its middle layer, %", case="band"),
    Check("layers", "seen", "twin planes hcp or in doubt, %", "at least 50", least(0.5), case="lamella", ours=True),
    Check("layers", "right", "cubic layers right, %", "at least 95", least(0.95), ours=True),
    Check("precipitates", "found", "atoms found, %", f"at least {TEMPLATES}", beside(TEMPLATES, 0.0, 1), ours=True),
    Check("precipitates", "false", "order in the matrix, %", "at most 1", most(0.01), ours=True),
    Check("growth", "share", "atoms called fcc, %"),
    Check("bulk", "right", "atoms right, %", f"at least {COARSE} less 0.2", beside(COARSE, 0.002, 1)),
)  # fmt: skip

#: Of all frames alike.
COMMON = (
    ("misled", "sure of another class where 16 Å boxes are right, %", 100.0),
    ("time", "CPU time, µs an atom", 1e6),
)

COMMON_TEXT = f"""\
Atoms well inside a crystal, melt or matrix that a method gives another class, with less than {DOUBT:g} bit of doubt,
though the map of {COARSE} boxes has them right. CPU time: of all threads, without compilation; other work on the
machine makes it longer, the ratio of two methods less so."""

TITLES = {
    "fronts": "Solid and liquid side by side",
    "abrupt": "The same solid and liquid, put together",
    "spheres": "Spheres of crystal in a melt",
    "nanocrystals": "Thin grains",
    "layers": "A band of hcp and a twin lamella in fcc",
    "precipitates": "Ordered precipitates",
    "growth": "The demo's crystal, which grows into its melt",
    "bulk": "Hot crystals",
}
TEXTS = {
    "fronts": f"""\
Crystal and melt of a periodic cell at the melting point, with two fronts, simulated for {FRONT_PS:g} ps. The truth is
that of the crystal's own density waves: for each atom how much it is in phase with the lattice in the middle of the
crystal, summed over the shortest lattice vectors in the plane of the front (its mean is 1 in the crystal and 0 in the
melt, and it needs no neighbours). A tanh at each front is fitted to it and to each method's atoms of the right class
alike; the fronts of the waves are the dividing surfaces, atoms between them the true share. Longer lattice vectors put
the fronts 0.3 to 1.6 Å further into the crystal, whose outer layers vibrate more. By numbers of atoms alone the fronts
lie further in still in metals, and further out in silicon: [the equimolar dividing surface](equimolar.md). Widths are
compared with {TEMPLATES}.""",
    "abrupt": f"""\
Crystal and melt of the frames above, each without what is within {DEEP:g} Å of the fronts, side by side; {JOINTS}
frames of each material, the melt shifted. Where the crystal ends is known here, so this is what a method by itself is
off by; what is left of its error above comes from material that is half in order.""",
    "spheres": f"""\
Spheres cut out of snapshots of the hot crystal ({HOT:g} T_m), in random orientation, held in an undercooled melt of the
same temperature, which relaxed around them. Found: share of the sphere's atoms that have the right class and are not
rejected. False: share of the atoms more than {FAR:g} Å from any sphere that have any class. Goals hold from
{SMALLEST:g} Å on, beside {STRICT}, since what takes melt for crystal finds spheres easily.""",
    "nanocrystals": f"""\
Voronoi grains with diameters of 3 and 5 nm, displacements of {THERMAL:g} Å a coordinate, not relaxed. In a grain:
atoms whose first neighbours (in bcc also the second) are all there and of the same grain. At a boundary: within
{BOUNDARY:g} Å of it. In doubt: rejected, without a class, of another class, or of {DOUBT:g} bit and more.""",
    "layers": f"""\
Close-packed copper with displacements of {THERMAL:g} Å a coordinate. Band: five layers with hexagonal surroundings;
lamella: six cubic layers between two twin planes. Cubic layers next to a hexagonal one do not count.""",
    "precipitates": f"""\
Spheres of {PRECIPITATE:g} Å of L1_2 Ni3Al in random fcc Ni75Al25, of B2 NiAl in random bcc Ni50Al50, displacements of
{THERMAL:g} Å a coordinate. Order in the matrix: atoms more than {FAR:g} Å from a precipitate with the class of the
precipitate.""",
    "growth": "Frames 0, 3 and 6 of `arise demo`. The truth is not known.",
    "bulk": f"Simulated crystals at {HOT:g} T_m.",
}  # fmt: skip


def figures(table: pd.DataFrame, check: Check) -> pd.DataFrame:
    """One row a case (and part), one column a method: means over frames, weighted by atoms."""
    rows = table[(table["goal"] == check.goal) & table["frame"].str.contains(check.case)]
    rows = rows[rows[check.figure].notna()] if check.figure in rows else rows.iloc[:0]
    if rows.empty:
        return pd.DataFrame()
    by_frame = check.goal in ("nanocrystals", "layers")
    case = rows["frame"].map(lambda name: name.partition("-")[2]) if by_frame else rows["material"]
    rows = rows.assign(case=case, weighted=rows[check.figure] * rows["atoms"])
    sums = rows.groupby(["case", "part", "method"], sort=False)[["weighted", "atoms"]].sum()
    return (sums["weighted"] / sums["atoms"]).unstack().reindex(columns=list(dict.fromkeys(table["method"])))


def counts(check: Check, part: str) -> bool:
    """Whether a row is judged: spheres below `SMALLEST` are not."""
    return check.goal != "spheres" or not part.endswith("Å") or float(part.split()[0]) >= SMALLEST


def by_radius(found: pd.DataFrame) -> pd.DataFrame:
    """Rows in the order of the radius."""
    order = sorted(
        range(len(found)), key=lambda k: (found.index[k][0], len(found.index[k][1]), found.index[k][1])
    )
    return found.iloc[order]


def judged(table: pd.DataFrame) -> tuple[dict[str, list[list[str]]], pd.DataFrame]:
    """Rows of the table of each goal, and one row a judgement: goal, figure, method, passed."""
    rows: dict[str, list[list[str]]] = {}
    verdicts = []
    for check in CHECKS:
        for (case, part), values in by_radius(figures(table, check)).iterrows():
            judge = check.passes if counts(check, part) else None
            passed = judge(values) if judge else None
            if passed is not None:
                passed = passed[values.notna()]
                verdicts += [
                    (check.goal, check.text, method, bool(right)) for method, right in passed.items()
                ]
            cells = [
                cell(check, value, None if passed is None else passed.get(m)) for m, value in values.items()
            ]
            name = case if part == "far" else f"{case} {part}".strip()
            wanted = check.wanted + (" *" if check.ours else "") if judge else ""
            rows.setdefault(check.goal, []).append([check.text, name, *cells, wanted])
    return rows, pd.DataFrame(verdicts, columns=["goal", "figure", "method", "passed"])


def cell(check: Check, value: float, passed: bool | None) -> str:
    """A figure, and whether it is good enough."""
    if np.isnan(value):
        return "–"
    fine = check.scale == 1 or check.goal == "bulk" or check.figure == "false"
    return f"{check.scale * value:.{2 if fine else 1}f}{'' if passed is None else mark(bool(passed))}"


def summary(verdicts: pd.DataFrame) -> str:
    """How many of the judgements of each goal each method passes."""
    names = list(dict.fromkeys(verdicts["method"]))
    rows = []
    for (goal, figure), group in verdicts.groupby(["goal", "figure"], sort=False):
        passed = group.groupby("method")["passed"].agg(["sum", "size"]).T
        said = [f"{passed[n]['sum']} of {passed[n]['size']}" if n in passed else "–" for n in names]
        rows.append([goal, figure, *said])
    return markdown(rows, ("goal", "figure", *names))


def document(table: pd.DataFrame, model: arise.Model, quick: bool) -> str:
    """All of sharp.md."""
    sections, verdicts = judged(table)
    names = list(dict.fromkeys(table["method"]))
    parts = [
        "# How sharp maps are",
        f"Made by `python -m benchmarks.sharp{' --quick' if quick else ''}`: model `{model.name}` "
        f'({model.card.weights_sha256[:12]}), sharp maps (`resolution="sharp"`, boxes up to 16 Å, as by default), the '
        f"same and maps of one box size with {PASSES} passes of every box that is asked, all with a stride of "
        f"{STRIDE:g} Å, beside OVITO's PTM (RMSD cut-off 0.1, 0.15, none; fcc, hcp, bcc, cubic and hexagonal diamond, "
        "with chemical order), adaptive CNA and Ackland-Jones on the same atoms. a-CNA and Ackland-Jones know neither "
        "diamond nor order. Every figure is also in [sharp.csv](sharp.csv), one row a frame (or radius) and method. ✓ "
        "and ✗: whether the goal is reached; * a bound that the goal does not state and that we chose; –: not asked.",
        "## Goals reached",
        summary(verdicts),
    ]
    for goal, rows in sections.items():
        parts += [f"## {TITLES[goal]}", TEXTS[goal], markdown(rows, ("figure", "of", *names, "goal"))]
        if goal == "spheres":
            parts.append("![Share of the spheres' atoms found, against radius](sharp-spheres.png)")
        if goal == "fronts":
            parts.append("![Crystalline share across the fronts](sharp-fronts.png)")
    rows = [row for figure, text, scale in COMMON for row in common(table, figure, text, scale)]
    parts += ["## Mistakes and time", COMMON_TEXT, markdown(rows, ("figure", "of", *names))]
    return "\n\n".join(parts) + "\n"


def common(table: pd.DataFrame, figure: str, text: str, scale: float) -> Iterator[list[str]]:
    """One row a goal: means of a figure over all frames, weighted by atoms."""
    known = table[table[figure].notna()]
    atoms = known.groupby(["goal", "frame"], sort=False)["atoms_of_frame"].first()
    for goal, rows in known.groupby("goal", sort=False):
        weighted = (
            rows.assign(weighted=rows[figure] * rows["atoms_of_frame"]).groupby("method")["weighted"].sum()
        )
        means = scale * weighted / atoms[goal].sum()
        yield [text, TITLES[goal], *(cell_of(means.get(m, np.nan)) for m in dict.fromkeys(table["method"]))]


def cell_of(value: float) -> str:
    """A figure to three digits."""
    return "–" if np.isnan(value) else f"{value:.3g}"


def style(method: str, number: int) -> dict[str, Any]:
    """How a method is drawn: ours as full lines."""
    colour = f"C{number}" if number < 10 else "black"  # there are ten colours
    return {"ls": "--" if method in OTHERS else "-", "color": colour, "label": method}


def draw_spheres(table: pd.DataFrame, path: Path) -> None:
    """Share of spheres found against their radius, a panel a material."""
    found = figures(table, next(c for c in CHECKS if (c.goal, c.figure) == ("spheres", "found")))
    if found.empty:
        return
    materials = list(dict.fromkeys(found.index.get_level_values("case")))
    with panels(materials, path) as axes:
        for axis, material in zip(axes, materials, strict=True):
            rows = found.loc[material]
            radii = np.array([float(part.split()[0]) for part in rows.index])
            order = radii.argsort()
            for k, method in enumerate(rows.columns):
                shares = 100 * rows[method].to_numpy()[order]
                axis.plot(radii[order], shares, marker="o", ms=3.5, **style(method, k))
            axis.set(title=material, xlabel="radius, Å", ylim=(-3, 103))
        axes[0].set_ylabel("atoms found, %")


def draw_fronts(asked: Sequence[tuple[Frame, Mapping[str, Answer]]], path: Path) -> None:
    """Share of atoms of the right class across fronts, a panel a frame; black the density waves, lines their fronts."""
    if not asked:
        return
    names = list(dict.fromkeys(name for _, answers in asked for name in answers))
    with panels([frame.material for frame, _ in asked], path) as axes:
        for axis, (frame, answers) in zip(axes, asked, strict=True):
            x, length = frame.structure.positions[:, 0], frame.structure.cell[0, 0]
            edges = np.linspace(0, length, round(length / BIN) + 1)
            middle = (edges[1:] + edges[:-1]) / 2
            waves = means_of_bins(x, edges, frame.atoms["waves"])
            axis.plot(middle, 100 * waves, "k", lw=2.5, alpha=0.5, label="density waves")
            for method, answer in answers.items():
                right = means_of_bins(x, edges, answer.labels == frame.label)
                axis.plot(middle, 100 * right, lw=1.2, **style(method, names.index(method)))
            for place in frame.facts["fronts"]:
                axis.axvline(place, color="k", lw=0.6)
            axis.set(title=frame.material, xlabel="x, Å", ylim=(-8, 113))
        axes[0].set_ylabel("crystal, %")


def means_of_bins(x: np.ndarray, edges: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Mean value (n,) of the points x (n,) in each bin, (n_bins,)."""
    return np.asarray(
        np.histogram(x, edges, weights=values.astype(float))[0] / np.maximum(np.histogram(x, edges)[0], 1)
    )


@contextmanager
def panels(names: Sequence[str], path: Path) -> Iterator[np.ndarray]:
    """Axes in a row, one a name; the picture is written when they are done."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    size = (1.6 + 3.1 * len(names), 3.4)
    figure, axes = plt.subplots(1, len(names), figsize=size, sharey=True, squeeze=False, layout="constrained")
    yield axes[0]
    for axis in axes[0]:
        axis.grid(alpha=0.3)
    lines = {
        label: line for axis in axes[0] for line, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    figure.legend(lines.values(), lines.keys(), loc="outside right center", fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)
