"""Quasiperiodic tilings, layers of them, a knot and a weave: what they resemble, and how sure the model is of that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

import arise_core as arise
from arise_core.geometry.structure import Structure
from arise_core.model.model import Model
from arise_core.recognition.result import Recognition, recognise
from arise_core.settings import RecognitionSettings
from arise_images import draw_layer, find_atoms, recognise_layer, simulate_image
from examples.gallery import aperiodic
from examples.gallery.page import BLUE, MODEL, ORANGE, Case, Page, percent

#: Edge of a tile, Å, in layers and in stacks: boxes of 16 Å hold some 50 corners of a layer.
EDGE = 2.5
#: The edge as a share of which corners are displaced in the noisy tiling.
NOISE = 0.05
#: What is sure: mutual information below this, bit, and not rejected.
SURE = 0.1


@dataclass(frozen=True)
class Sample:
    """Points, and whether they are a crystal."""

    name: str
    structure: Structure
    periodic: bool = False


def samples(quick: bool) -> list[Sample]:
    """Layers, stacks, a knot and a weave."""
    half, small, layers = (11.0, 7.0, 4) if quick else (25.0, 13.0, 9)
    flat = {
        "Penrose": aperiodic.penrose(half, EDGE),
        "square–triangle, dodecagonal": aperiodic.square_triangle(half, EDGE),
        "snub square": aperiodic.snub_square(half, EDGE),
        "kagome": aperiodic.kagome(half, EDGE),
    }
    found = [Sample(name, aperiodic.layer(p), k > 1) for k, (name, p) in enumerate(flat.items())]
    penrose = flat["Penrose"]
    moved = penrose + np.random.default_rng(0).normal(0, NOISE * EDGE, penrose.shape)
    found.insert(1, Sample(f"Penrose, corners displaced by {NOISE:.0%} of an edge", aperiodic.layer(moved)))
    rhombs, squares = aperiodic.penrose(small, EDGE), aperiodic.square_triangle(small, EDGE)
    snub = aperiodic.snub_square(small, EDGE)
    found += [
        Sample("Penrose, stacked", aperiodic.stacked(rhombs, layers, EDGE)),
        Sample(
            "Penrose, stacked, every second layer turned by 36°",
            aperiodic.stacked(rhombs, layers, EDGE, np.pi / 5),
        ),
        Sample("square–triangle, stacked", aperiodic.stacked(squares, layers, EDGE)),
        Sample(
            "square–triangle, stacked, every second layer turned by 30°",
            aperiodic.stacked(squares, layers, EDGE, np.pi / 6),
        ),
        Sample("snub square, stacked", aperiodic.stacked(snub, layers, EDGE), True),
        Sample("trefoil knot of one thread", aperiodic.trefoil(3.2)),
        Sample("plain weave", aperiodic.weave(5 if quick else 10)),
    ]  # fmt: skip
    return found[::3] if quick else found


def make(page: Page) -> None:
    """The page."""
    model = arise.load_model(MODEL)
    found = []
    options = {"stride": 12.0, "passes": 30} if page.quick else {"stride": 4.0}
    for sample in samples(page.quick):
        whole = recognise(sample.structure, model, RecognitionSettings.of({"mode": "whole"}))
        local = recognise(sample.structure, model, RecognitionSettings.of({"mode": "local", **options}))
        found.append((sample, whole, local))
    _table(page, model, found)
    _rows(page, found)
    _picture(page, found)
    _image(page, model, RecognitionSettings.of(options))


def is_sure(whole: Recognition) -> bool:
    """Whether the model names something, and does not doubt it."""
    return not whole.rejected and whole.mutual_information < SURE


def _table(page: Page, model: Model, found: list[tuple[Sample, Recognition, Recognition]]) -> None:
    page.say("## What they are called")
    page.say(
        "As a whole, and box by box: shares of the points by name, with the means of the map. *Closest* has the most "
        "probable classes, also where the answer is that it is none of them. Snub square and kagome are crystals that "
        "the model does not know, for comparison."
    )
    rows = []
    for sample, whole, local in found:
        top = ", ".join(f"{whole.classes.short[k]} {percent(p)}" for k, p in whole.top(3))
        shares = ", ".join(f"{name} {percent(share)}" for name, share in list(local.fractions.items())[:3])
        rows.append((
            sample.name, len(sample.structure), whole.label, f"{whole.reject_score:.2f}",
            f"{whole.mutual_information:.2f}", top, shares, f"{local.mutual_information:.2f}",
        ))  # fmt: skip
    page.table(
        ("points", "number", "whole", "reject score", "mutual information (bit)", "closest", "map",
         "mutual information of the map (bit)"),
        rows,
    )  # fmt: skip


def _rows(page: Page, found: list[tuple[Sample, Recognition, Recognition]]) -> None:
    quasi = [(s, w, m) for s, w, m in found if not s.periodic]
    sure = [s.name for s, w, _ in quasi if is_sure(w)]
    page.row(
        "what is no crystal is rejected or in doubt", "– (one quasicrystal, named MnS2)",
        f"{sum(w.rejected for _, w, _ in quasi)} of {len(quasi)} rejected as a whole, "
        + (f"sure of {', '.join(sure)}" if sure else f"none named with less than {SURE} bit"),
        not sure, "the model is sure of a name for something that is no crystal",
    )  # fmt: skip
    share = float(np.mean([
        (~m.atom_rejected & (m.atoms.mutual_information < SURE)).mean() for _, _, m in quasi
    ]))  # fmt: skip
    page.row(
        "in maps too", "–", f"{percent(share)} of the points get a name with less than {SURE} bit", share < 0.05,
        "boxes show less of a tiling than the whole, and some are like a crystal",
    )  # fmt: skip
    page.keep(
        samples={
            s.name: {"whole": w.record(), "map": m.fractions, "map_doubt": m.mutual_information} for s, w, m in found
        }
    )  # fmt: skip


def _picture(page: Page, found: list[tuple[Sample, Recognition, Recognition]]) -> None:
    shown = [row for row in found if np.ptp(row[0].structure.positions[:, 2]) == 0]
    shown = [row for row in shown if "displaced" not in row[0].name]
    figure = Figure(figsize=(3.1 * len(shown), 3.3), layout="constrained")
    for panel, (sample, _, local) in zip(figure.subplots(1, len(shown)), shown, strict=True):
        x, y, _ = sample.structure.positions.T
        named = ~local.atom_rejected
        for here, colour in ((~named, BLUE), (named, ORANGE)):
            panel.scatter(x[here], y[here], s=4, color=colour, linewidths=0)
        panel.set_aspect("equal")
        panel.set_axis_off()
        panel.set_title(f"{sample.name}\n{percent(local.rejected_share)} rejected", fontsize="small")
    page.picture("tilings", figure, "Layers: corners that are rejected (blue) and that have a name (orange).")


def _image(page: Page, model: Model, settings: RecognitionSettings) -> None:
    half = 11.0 if page.quick else 25.0
    structure = aperiodic.layer(aperiodic.penrose(half, EDGE))
    image, _ = simulate_image(
        structure, pixel_size=0.2, dose=30.0, jitter=0.06, blur=0.15, rng=np.random.default_rng(0)
    )
    columns = find_atoms(image)  # as in the paper, nobody says how large a pixel is
    found = recognise_layer(columns, model, settings=settings)
    closest = found.whole.classes.short[found.whole.index]
    page.say("## An image of a tiling (Fig. 3h and i)")
    page.say(
        f"A simulated image of the Penrose tiling, in which {len(columns)} of {len(structure)} corners are found: "
        f"{found.pattern}; the most probable class is {closest} ({percent(found.whole.confidence)}), with a mutual "
        f"information of {found.whole.mutual_information:.2f} bit and a reject score of "
        f"{found.whole.reject_score:.2f}. Box by box: "
        + ", ".join(f"{name} {percent(share)}" for name, share in list(found.local.fractions.items())[:4])
        + "."
    )
    page.row(
        "the image of a quasicrystal resembles MnS2", "MnS2 is the dominating prototype (icosahedral Al-Cu-Fe)",
        f"{found.pattern}, closest {closest}", "MnS2" in closest,
        "another tiling, and another model: it has a class for what it does not know",
    )  # fmt: skip
    page.keep(image=found.record())
    page.picture(
        "image", draw_layer(image, found), "The image: columns; and doubt, with defective columns ringed."
    )


CASE = Case(
    "tilings",
    "Quasiperiodic tilings, a knot, a weave",
    "Figure 3h and i",
    f"Edges of tiles are {EDGE} Å; the descriptor has no length scale of its own, so that the size says nothing. "
    "Stacks have the distance of an edge from layer to layer. Default boxes (16 Å), a stride of 4 Å. The published "
    "image shows icosahedral Al-Cu-Fe along a fivefold axis; tilings are the simplest points with such an order.",
    make,
)
