"""The Bain path over a plane of lattice constants; Supplementary Figures 1 and 3."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure

import arise_core as arise
from arise_core.explore.palette import COLOURS, INFORMATION, OTHERS, REJECTED
from arise_core.geometry.builders import cell_heights_at_least, displace, repeat
from examples.gallery.page import BLUE, GREEN, MODEL, ORANGE, PINK, Case, Page, percent

LOW, HIGH, STEP = 3.0, 6.0, 0.05  # Å, of a and c
#: c / a of body-centred tetragonal cells that the model has learnt: bcc, fcc, indium and protactinium.
LEARNT = {"bcc": 1.0, "fcc": float(np.sqrt(2)), "In_bct": 1.521, "alpha-Pa": 0.824}
SHOWN = {"bcc": BLUE, "fcc": ORANGE, "In_bct": GREEN, "alpha-Pa": PINK}
FAR = (0.65, 1.75)  # c / a, far from all that was learnt
#: The table: c / a of the face-centred cell of the same crystal, with names of those that have one.
FACE_CENTRED = np.unique(
    np.round([*np.arange(0.6, 1.801, 0.05), np.sqrt(0.5), LEARNT["In_bct"] / np.sqrt(2)], 4)
)
NAMED = {"bcc": np.sqrt(0.5), "fcc": 1.0, "In": LEARNT["In_bct"] / np.sqrt(2)}
DISPLACED = 0.05  # at most, along each axis, over the nearest-neighbour distance
DRAWS, HEIGHT = 4, 16.0  # supercells a ratio, and their least height, Å
SAID, LEAST = 3, 0.005  # classes in a cell of the table, and the probability from which they are shown


class Path(NamedTuple):
    """What a model says of the ratios that the plane has, each once."""

    edges: np.ndarray  # (n,), Å, of the plane
    ratios: np.ndarray  # (m,), c / a, ascending
    number: np.ndarray  # (n, n), of the ratio of a (rows) and c
    prediction: arise.Prediction  # m rows

    @property
    def names(self) -> np.ndarray:
        p = self.prediction
        return np.asarray(p.classes.short_of(p.index), dtype=str)

    def at(self, ratio: float) -> int:
        """The nearest ratio."""
        return int(np.abs(self.ratios - ratio).argmin())


def tetragonal(ratio: float) -> arise.Structure:
    """Body-centred tetragonal copper; only c / a matters, as descriptors know no length."""
    cell = np.diag([3.0, 3.0, 3.0 * ratio])
    return arise.Structure(np.array([[0.0, 0, 0], [0.5, 0.5, 0.5]]) @ cell, np.full(2, 29), cell, True)


def walk(step: float) -> Path:
    """Every ratio of the plane once."""
    edges = np.round(np.arange(LOW, HIGH + step / 2, step), 6)
    every = np.round(edges[None, :] / edges[:, None], 6)
    ratios, number = np.unique(every, return_inverse=True)
    prediction = arise.classify([tetragonal(r) for r in ratios], arise.load_model(MODEL))
    return Path(edges, ratios, number.reshape(every.shape), prediction)


def make(page: Page) -> None:
    path = walk(0.5 if page.quick else STEP)
    learnt = arise.classify([tetragonal(r) for r in LEARNT.values()], arise.load_model(MODEL))
    page.say(
        f"Body-centred tetragonal crystals with a and c from {LOW:g} to {HIGH:g} Å: {path.number.size:,} crystals, of "
        f"which {len(path.ratios):,} differ in c / a, and only these are looked at, for descriptors know no length."
    )
    compare(page, path, learnt)
    page.picture(
        "plane", plane(path), "Classes and mutual information over a and c (Supplementary Figure 1b, c)."
    )
    page.picture(
        "path",
        along(path),
        "Probabilities, mutual information and reject score over c / a (Supplementary Figure 3).",
    )
    displaced(page)


def displaced(page: Page) -> None:
    """A table along the path, of the crystal and of supercells whose atoms are displaced."""
    ratios, draws = (sorted(NAMED.values()), 1) if page.quick else (FACE_CENTRED, DRAWS)
    rng = np.random.default_rng(0)
    crystals = [tetragonal(r * np.sqrt(2)) for r in ratios]
    large = [repeat(c, cell_heights_at_least(c, HEIGHT)) for c in crystals]
    model = arise.load_model(MODEL)
    ideal = arise.classify(crystals, model)
    moved = arise.classify([displace(c, DISPLACED, rng) for c in large for _ in range(draws)], model)
    page.say("## With displaced atoms")
    page.say(
        f"The same crystals by c / a of their face-centred cell, and means over {draws} supercells each, at least "
        f"{HEIGHT:g} Å high, whose coordinates are moved by up to {100 * DISPLACED:g} % of the nearest-neighbour "
        f"distance. Bit: mutual information. A score from {model.card.reject.threshold} on rejects."
    )
    names = {round(v, 4): f" ({k})" for k, v in NAMED.items()}
    heads = [f"{r:.3f}{names.get(round(float(r), 4), '')}" for r in ratios]
    parts = [said(p, len(ratios)) for p in (ideal, moved)]
    page.table(
        ("c / a", *(f"{state}: {h}" for state in ("ideal", "displaced") for h in ("probabilities", "bit", "score"))),
        [(head, *one, *other) for head, one, other in zip(heads, *parts, strict=True)],
    )  # fmt: skip


def said(p: arise.Prediction, count: int) -> list[tuple[str, str, str]]:
    """Leading classes, mutual information and reject score of so many ratios, means over the rows of each."""
    probabilities, bits, scores = (
        v.astype(float).reshape(count, -1, *v.shape[1:]).mean(axis=1)
        for v in (p.probabilities, p.mutual_information, p.reject_score)
    )
    out = []
    for row, bit, score in zip(probabilities, bits, scores, strict=True):
        first = [k for k in np.argsort(-row, kind="stable")[:SAID] if row[k] >= LEAST]
        out.append(
            (", ".join(f"{p.classes.short[k]} {row[k]:.2f}" for k in first), f"{bit:.3f}", f"{score:.3f}")
        )
    return out


def compare(page: Page, path: Path, learnt: arise.Prediction) -> None:
    """The rows."""
    names = learnt.classes.short_of(learnt.index)
    said = ", ".join(
        f"{name} at {ratio:.3f}: {found} ({most:.2f})"
        for (name, ratio), found, most in zip(LEARNT.items(), names, learnt.confidence, strict=True)
    )
    page.row(
        "the four crystals that were learnt", "bcc, fcc and two tetragonal crystals where they were learnt", said,
        list(names) == list(LEARNT), "the neighbours of a tetragonal crystal on this path are close to it",
    )  # fmt: skip
    p, found = path.prediction, path.names
    between = (path.ratios > 1.0) & (path.ratios < LEARNT["fcc"])
    tetra = np.isin(found, ["In_bct", "alpha-Pa"]) & ~p.rejected
    others = [n for n in dict.fromkeys(found[between]) if n not in ("bcc", "fcc")]
    page.row(
        "a tetragonal phase between bcc and fcc", "a tetragonal phase between bcc and fcc",
        f"leads in {percent(float(tetra[between].mean()))} of the ratios between 1 and √2; beside bcc and fcc: "
        f"{', '.join(others) or 'nothing'}", bool(tetra[between].any()),
        "the model was trained with strained crystals: bcc and fcc reach further, and meet",
    )  # fmt: skip
    known = between & ~p.rejected
    low, high = (found[known] == "bcc"), (found[known] == "fcc")
    page.row(
        "bcc below, fcc above", "a smooth transition from bcc to fcc",
        f"bcc up to c / a = {max(path.ratios[known][low], default=np.nan):.3f}, fcc from "
        f"{min(path.ratios[known][high], default=np.nan):.3f}",
        bool(low.any() and high.any()) and max(path.ratios[known][low]) < min(path.ratios[known][high]),
    )  # fmt: skip
    change = np.flatnonzero(found[1:] != found[:-1])
    at = np.zeros(len(found), dtype=bool)
    at[change] = at[change + 1] = True
    bits = p.mutual_information
    page.row(
        "doubt where classes change", "mutual information is raised where the class changes",
        f"mean {bits[at].mean():.3f} bit beside a change, {bits[~at].mean():.3f} elsewhere",
        bits[at].mean() > 1.5 * bits[~at].mean(), "there is as much doubt far outside",
    )  # fmt: skip
    far = (path.ratios < FAR[0]) | (path.ratios > FAR[1])
    page.row(
        "what is far outside", "far outside, molecular iodine or gamma-Pu with little doubt",
        f"c / a below {FAR[0]:g} or above {FAR[1]:g}: {percent(float(p.rejected[far].mean()))} are rejected; "
        f"{', '.join(sorted(set(found[far & ~p.rejected]))) or 'nothing'} where they are not",
        None, "the paper's model rejects nothing; of what is far outside this one says that it is no class",
    )  # fmt: skip
    page.keep(
        learnt=dict(zip(LEARNT, map(str, names), strict=True)), rejected_far=float(p.rejected[far].mean()),
        ratios=len(path.ratios),
    )  # fmt: skip


def plane(path: Path) -> Figure:
    """Classes and mutual information over a and c."""
    names = np.where(path.prediction.rejected, "none of the classes", path.names)
    rest = [c for c in COLOURS if c not in SHOWN.values()]
    counts = {
        n: (names == n).sum() for n in dict.fromkeys(names) if n not in SHOWN and n != "none of the classes"
    }
    first = dict(zip(sorted(counts, key=lambda n: -counts[n]), rest, strict=False))
    colours = {**SHOWN, **first, "other classes": OTHERS, "none of the classes": REJECTED}
    number = {name: k for k, name in enumerate(colours)}
    kinds = np.array([number.get(n, number["other classes"]) for n in names])
    figure = Figure(figsize=(11.5, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    norm = BoundaryNorm(np.arange(len(colours) + 1) - 0.5, len(colours))
    e = path.edges
    left.pcolormesh(e, e, kinds[path.number].T, cmap=ListedColormap(list(colours.values())), norm=norm)
    shown = path.prediction.mutual_information[path.number].T
    mesh = right.pcolormesh(e, e, shown, cmap=INFORMATION, vmin=0.0)
    figure.colorbar(mesh, ax=right, label="mutual information (bit)")
    for axes in (left, right):
        for ratio in LEARNT.values():
            axes.plot([LOW, HIGH], [LOW * ratio, HIGH * ratio], color="white", linewidth=0.8)
        axes.set(xlabel="a (Å)", ylabel="c (Å)", aspect="equal", xlim=(e[0], e[-1]), ylim=(e[0], e[-1]))
    there = set(kinds.tolist())
    for name, k in number.items():
        if k in there:
            left.plot([], [], "s", color=colours[name], label=name)
    left.legend(loc="center right", bbox_to_anchor=(-0.16, 0.5), frameon=False)
    return figure


def along(path: Path) -> Figure:
    """Everything over c / a."""
    p = path.prediction
    figure = Figure(figsize=(9.5, 5.2), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    most = p.probabilities.max(axis=0)
    leading = np.flatnonzero(most > 0.3)
    for n, k in enumerate(leading):
        name = p.classes.short[k]
        style = (
            {"color": SHOWN[name]}
            if name in SHOWN
            else {"color": f"C{n % 10}", "linestyle": ("--", ":")[n // 10 % 2]}
        )
        above.plot(path.ratios, p.probabilities[:, k], label=name, **style)
    below.plot(path.ratios, p.mutual_information, color="black", label="mutual information (bit)")
    below.plot(path.ratios, p.reject_score, color="0.5", linestyle="--", label="reject score")
    for axes in (above, below):
        for ratio in LEARNT.values():
            axes.axvline(ratio, color="0.85", zorder=0)
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize=8)
    above.set_ylabel("probability")
    below.set_xlabel("c / a of the body-centred tetragonal cell (lines: bcc, fcc, In, Pa)")
    return figure


CASE = Case(
    "bain",
    "The Bain path",
    "Supplementary Figures 1, 3",
    "All by default; a and c from 3 to 6 Å in steps of 0.05 Å, as in the paper.",
    make,
)
