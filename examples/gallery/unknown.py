"""Crystals that are none of the classes, with 100,000 passes; Supplementary Figure 2."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

import arise_core as arise
from arise_core.crystals.crystal import prototype_crystals
from arise_core.crystals.others import other
from benchmarks.unknown.crystals import FAMILIES
from examples.gallery.page import BLUE, MODEL, ORANGE, PUBLISHED, Case, Page, percent

PAPER = ("fluorite, CaF2", "tungsten carbide, WC")
TOP = 5
KNOWN = 50  # bulk crystals of the classes beside them


def chosen() -> tuple[str, ...]:
    """The paper's two, and the first of every family of crystals in benchmarks/unknown."""
    return tuple(dict.fromkeys([*PAPER, *(family.crystals[0] for family in FAMILIES.values())]))


def make(page: Page) -> None:
    passes, names = (500, chosen()[:4]) if page.quick else (100_000, chosen())
    model = arise.load_model(MODEL)
    p = arise.classify([other(name) for name in names], model, passes=passes)
    again = arise.classify([other(name) for name in PAPER], arise.load_model(PUBLISHED), passes=passes)
    bulk = [c.unit for c in prototype_crystals() if c.dimension == 3][: 5 if page.quick else KNOWN]
    known = arise.classify(bulk, model)
    page.say(
        f"{len(names)} crystals that no model was trained on: the paper's two, and the first of every family of "
        "[unknown crystals](../benchmarks/unknown.md), which has all of them. The paper's third, Tm23Se32, was not at "
        f"hand. Ideal periodic crystals, {passes:,} passes."
    )
    compare(page, names, p, known, again)
    page.table(
        ("crystal", f"top {TOP} (probability)", "mutual information, bit", "reject score", "rejected"),
        [
            (
                name, top(p, k), f"{p.mutual_information[k]:.3f}", f"{p.reject_score[k]:.4f}",
                "yes" if p.rejected[k] else "no",
            )
            for k, name in enumerate(names)
        ],
    )  # fmt: skip
    page.say(
        f"The same by `{PUBLISHED}`, which is trained as the published model was: "
        + "; ".join(
            f"{name}: {top(again, k)}, {again.mutual_information[k]:.3f} bit" for k, name in enumerate(PAPER)
        )
        + "."
    )
    page.picture(
        "top", draw(names, p), f"Top {TOP} of each crystal, mutual information, and whether it is rejected."
    )


def leading(p: arise.Prediction, row: int) -> list[tuple[str, float]]:
    """Names and probabilities of the most probable classes."""
    return [(p.classes[i].name, share) for i, share in p.classes.top(p.probabilities[row], TOP)]


def top(p: arise.Prediction, row: int) -> str:
    """The same for a text."""
    return ", ".join(f"{name} ({share:.3f})" for name, share in leading(p, row))


def compare(
    page: Page, names: Sequence[str], p: arise.Prediction, known: arise.Prediction, again: arise.Prediction
) -> None:
    """The rows."""
    fluorite, carbide = (leading(p, names.index(name)) for name in PAPER)
    first = [name for name, _ in fluorite]
    page.row(
        "fluorite is most like CsCl", "fluorite: CsCl leads",
        f"{fluorite[0][0]} ({fluorite[0][1]:.3f})", first[0] == "CsCl (B2)",
    )  # fmt: skip
    page.row(
        "fluorite, next NaCl", "fluorite: NaCl and a tetragonal perovskite are next", ", ".join(first[1:]),
        "rock salt" in first[1:3],
        "the default model is another one, which counts species by how much there is of them and learnt from noise; "
        f"`{PUBLISHED}` has {', '.join(name for name, _ in leading(again, 0)[:3])}",
    )  # fmt: skip
    page.row(
        "WC is most like FeSi", "WC: FeSi leads, quaternary chalcogenides are next",
        ", ".join(f"{name} ({share:.3f})" for name, share in carbide), carbide[0][0].startswith("FeSi"),
        f"the same; `{PUBLISHED}` has {', '.join(name for name, _ in leading(again, 1)[:3])}",
    )  # fmt: skip
    rows = [names.index(name) for name in PAPER]
    usual = float(np.quantile(known.mutual_information, 0.95))
    bits = p.mutual_information
    page.row(
        "raised doubt", "mutual information of both is raised",
        f"{bits[rows[0]]:.3f} and {bits[rows[1]]:.3f} bit; 95 % of {len(known)} bulk crystals of the classes "
        f"have less than {usual:.4f}", bool((bits[rows] > usual).all()),
    )  # fmt: skip
    more = float((bits > usual).mean())
    passed = [name for name, no in zip(names, p.rejected, strict=True) if not no]
    page.row(
        "what is no class is not taken for one", "(the paper's model has to choose a class)",
        f"{percent(float(p.rejected.mean()))} of the {len(names)} are rejected, {percent(more)} have more doubt than "
        f"that; not rejected: {', '.join(passed) or 'none'}", None,
        "the paper's model rejects nothing; some crystals that differ little from a class pass here",
    )  # fmt: skip
    page.keep(
        crystals={
            name: {"top": leading(p, k), "bits": float(bits[k]), "rejected": bool(p.rejected[k])}
            for k, name in enumerate(names)
        },
        usual=usual,
    )


def draw(names: Sequence[str], p: arise.Prediction) -> Figure:
    """A panel a crystal."""
    columns = 4
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(4.0 * columns, 1.75 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, squeeze=False).ravel()
    for k, (axes, name) in enumerate(zip(panels, names, strict=False)):
        found = leading(p, k)
        axes.barh(range(TOP), [share for _, share in found], color=ORANGE if p.rejected[k] else BLUE)
        axes.set_yticks(range(TOP), [label for label, _ in found], fontsize=7)
        axes.invert_yaxis()
        axes.set_xlim(0, 1)
        state = "rejected" if p.rejected[k] else "not rejected"
        axes.set_title(f"{name}: {p.mutual_information[k]:.2f} bit, {state}", fontsize=8)
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    figure.supxlabel("probability", fontsize=9)
    return figure


CASE = Case(
    "unknown",
    "Crystals that are no class",
    "Supplementary Figure 2",
    "100,000 passes instead of 1,000, as in the paper, so that probabilities of a thousandth are certain.",
    make,
)
