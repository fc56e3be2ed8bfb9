"""Grain boundaries of fcc, bcc, hcp, dhcp and alpha-Sm; Supplementary Figure 12."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

import arise_core as arise
from arise_core.geometry.builders import close_packed
from examples.gallery.bicrystals import bicrystal, cubic
from examples.gallery.page import BLUE, GREEN, MODEL, ORANGE, Case, Page, percent

BOX, STRIDE = 16.0, 2.0  # Å, of the paper
DEPTH, WIDTH = 32.0, 12.0  # Å
NEAR = 3.0  # Å, boxes at the boundary
DOUBTED = 3.0  # by which there is more doubt at a boundary that is seen


class Boundary(NamedTuple):
    """A boundary that is built."""

    crystal: str  # short name of its class
    name: str
    u: Sequence[float]  # lattice vectors in the plane
    v: Sequence[float]
    twist: bool = False
    spheres: bool = False  # close-packed layers as far apart as those of spheres, not of the element


def cubic_ones(crystal: str) -> list[Boundary]:
    """Tilt and twist boundaries of a cubic crystal."""
    third = (
        Boundary(crystal, "Σ3 (111), twin", (1, -1, 0), (1, 1, -2))
        if crystal == "fcc"
        else Boundary(crystal, "Σ3 (112), twin", (1, -1, 0), (1, 1, -1))
    )
    return [
        third,
        Boundary(crystal, "Σ5 (310), tilt", (0, 0, 1), (1, -3, 0)),
        Boundary(crystal, "Σ5 (001), twist", (3, 1, 0), (-1, 3, 0), True),
        Boundary(crystal, "Σ9 (221), tilt", (1, -1, 0), (1, 1, -4)),
        Boundary(crystal, "Σ13 (510), tilt", (0, 0, 1), (1, -5, 0)),
        Boundary(crystal, "Σ13 (001), twist", (5, 1, 0), (-1, 5, 0), True),
    ]


#: Layers of the crystals of close-packed planes; their cells have 60° between the first two vectors.
LAYERS = {"hcp": (1, -1), "dhcp": (1, 1, -1, -1), "alpha-Sm": (1, 1, -1) * 3}
BOUNDARIES = [
    *cubic_ones("fcc"),
    *cubic_ones("bcc"),
    Boundary("hcp", "Σ7 (0001), twist", (2, 1, 0), (-4, 5, 0), True),
    Boundary("hcp", "(10-12), twin", (1, 0, 0), (-1, 2, 1)),
    Boundary("dhcp", "Σ7 (0001), twist", (2, 1, 0), (-4, 5, 0), True),
    Boundary("dhcp", "(10-12), twin", (1, 0, 0), (-1, 2, 1)),
    Boundary("alpha-Sm", "Σ7 (0001), twist", (2, 1, 0), (-4, 5, 0), True),
    Boundary("alpha-Sm", "Σ7 (0001), twist, spheres", (2, 1, 0), (-4, 5, 0), True, True),
]
#: Trained on ideal structures and boxes of them only.
IDEAL = "arise-108-ideal"


def stacked(crystal: str, spheres: bool) -> arise.Structure:
    """Close-packed layers of copper, as far apart as those of spheres, or as in magnesium, lanthanum and samarium."""
    layers = close_packed(LAYERS[crystal])
    if spheres:
        return layers
    cell = arise.build(arise.prototype(crystal)).cell
    edge = np.linalg.norm(cell, axis=1).min()
    count = {"hcp": 2, "dhcp": 4, "alpha-Sm": 3}[crystal]  # layers in the primitive cell
    height = abs(np.linalg.det(cell)) / (edge**2 * np.sqrt(3) / 2) / count
    change = np.diag([1.0, 1.0, height / edge / np.sqrt(2 / 3)])
    return arise.Structure(layers.positions @ change, layers.numbers, layers.cell @ change, True)


def build(one: Boundary, depth: float = DEPTH) -> arise.Structure:
    """Two grains and their boundary at x = 0."""
    crystal = stacked(one.crystal, one.spheres) if one.crystal in LAYERS else cubic(one.crystal)
    return bicrystal(crystal, one.u, one.v, depth, WIDTH, twist=one.twist)


class Found(NamedTuple):
    """What a map says of a boundary."""

    boundary: Boundary
    x: np.ndarray  # (n_planes,), Å, from the boundary
    own: np.ndarray  # (n_planes,), mean probability of the class of the grains
    other: np.ndarray  # that of the leading other class at the boundary
    rejected: np.ndarray  # share of boxes
    bits: np.ndarray  # mean mutual information
    right: float  # share of boxes inside the grains with their class
    leads: str  # the leading class in the grains
    inside: float  # bit, in the grains
    at: float  # bit, at the boundary
    foreign: str  # the leading other class at the boundary
    foreign_inside: float  # its mean probability in the grains
    foreign_at: float
    refused: float  # share of boxes at the boundary that are none of the classes

    @property
    def seen(self) -> bool:
        """Whether some plane of boxes at the boundary is in doubt, or most of it none of the classes."""
        near = np.abs(self.x) < NEAR
        doubted = float(self.bits[near].max()) > DOUBTED * max(self.inside, 0.01)
        return doubted or float(self.rejected[near].max()) > 0.5


def look(one: Boundary, field: arise.StridedMap) -> Found:
    """Means over planes of boxes beside the boundary."""
    p = field.prediction
    k = p.classes.find(one.crystal)
    x = field.centers[:, 0].reshape(field.shape)[:, 0, 0]

    def planes(values: np.ndarray) -> np.ndarray:
        return np.nanmean(np.asarray(values, dtype=float).reshape(len(x), -1), axis=1)

    there = np.abs(field.centers[:, 0])
    near, grains = there < NEAR, there > BOX / 2
    mean = np.nanmean(p.probabilities[near], axis=0)
    mean[k] = 0.0
    other = int(np.argmax(mean))
    names = np.where(p.rejected, "", p.classes.short_of(p.index))
    bits = p.mutual_information
    return Found(
        one, x, planes(p.probabilities[:, k]), planes(p.probabilities[:, other]), planes(p.rejected), planes(bits),
        float((names[grains] == one.crystal).mean()),
        p.classes.short[int(np.nanmean(p.probabilities[grains], axis=0).argmax())],
        float(np.nanmean(bits[grains])), float(np.nanmean(bits[near])),
        p.classes.short[other], float(np.nanmean(p.probabilities[grains, other])), float(mean[other]),
        float(p.rejected[near].mean()),
    )  # fmt: skip


def make(page: Page) -> None:
    model = arise.load_model(MODEL)
    chosen = [BOUNDARIES[k] for k in (1, 2, -2, -1)] if page.quick else BOUNDARIES
    stride = 4.0 if page.quick else STRIDE
    found, atoms, depth = [], 0, 20.0 if page.quick else DEPTH
    for one in chosen:
        structure = build(one, depth)
        atoms += len(structure)
        found.append(look(one, arise.strided_map(structure, model, box_size=BOX, stride=stride)))
    spheres = chosen[-1]
    other = arise.strided_map(build(spheres, depth), arise.load_model(IDEAL), box_size=BOX, stride=stride)
    page.say(
        f"{len(found)} boundaries with {atoms:,} atoms together: two grains that meet in a plane of coincidence sites "
        "(`examples/gallery/bicrystals.py`), as built and not relaxed (the database has relaxed ones), periodic in the "
        "plane, with two free surfaces. Close-packed layers are as far apart as in magnesium (hcp), lanthanum (dhcp) "
        "and samarium (alpha-Sm), and once in alpha-Sm as those of spheres."
    )
    compare(page, found, look(spheres, other))
    each(page, found)
    page.picture("profiles", profiles(found), "Across the boundaries: means over planes of boxes.")


def compare(page: Page, every: Sequence[Found], ideal: Found) -> None:
    """The rows; `ideal` is of the last boundary, by the model without noise."""
    found, spheres = every[:-1], every[-1]
    worst = min(found, key=lambda f: f.right)
    page.row(
        "the crystal of the grains", "the crystal of the grains is found: fcc, bcc, hcp, dhcp",
        f"in {percent(float(np.mean([f.right for f in found])))} of the boxes more than half a box from the boundary; "
        f"least in {worst.boundary.crystal} {worst.boundary.name}, {percent(worst.right)}", worst.right > 0.95,
        "where boxes are taken for another stacking of the same layers",
    )  # fmt: skip
    (sm,) = (f for f in found if f.boundary.crystal == "alpha-Sm")
    page.row(
        "the stacking of alpha-Sm", "and even the stacking of alpha-Sm, ABCBCACAB",
        f"with layers as far apart as in samarium, alpha-Sm in {percent(sm.right)} of the boxes in its grains",
        sm.right > 0.95, f"boxes are taken for another stacking of the same layers: {sm.leads} leads",
    )  # fmt: skip
    heights = [np.ptp(stacked("alpha-Sm", s).positions[:, 2]) for s in (True, False)]
    wider = float(heights[0] / heights[1] - 1)
    page.row(
        "alpha-Sm of spheres", "(not said how far apart the layers are)",
        f"with layers as far apart as those of spheres, {percent(wider)} more, alpha-Sm in {percent(spheres.right)} of "
        f"the boxes; {spheres.leads} leads, with {spheres.inside:.3f} bit, {percent(spheres.refused)} rejected at the "
        "boundary", spheres.right > 0.95,
        f"a weakness of the default model: `{IDEAL}`, trained on ideal structures only, has alpha-Sm in "
        f"{percent(ideal.right)}",
    )  # fmt: skip
    unseen = [f"{f.boundary.crystal} {f.boundary.name}" for f in found if not f.seen]
    missing = f"; not {', '.join(unseen)}" if unseen else ""
    page.row(
        "each boundary is seen", "boundary regions are found",
        f"{len(found) - len(unseen)} of {len(found)} boundaries have a plane of boxes with {DOUBTED:g} times the doubt "
        f"of the grains (or of 0.01 bit), or that is mostly rejected{missing}", not unseen,
        "what changes at a boundary is little of a box of 16 Å; of twins see the limits",
    )  # fmt: skip
    packed = [f for f in found if f.boundary.crystal in ("hcp", "fcc") and f.foreign == "dhcp"]
    named = [f"{f.boundary.crystal} {f.boundary.name} ({f.foreign_at:.2f})" for f in packed]
    inside = max((f.foreign_inside for f in packed), default=0.0)
    page.row(
        "dhcp at boundaries of fcc and hcp", "dhcp appears at boundaries of fcc and hcp, and there only",
        f"the leading other class at {len(packed)} boundaries{': ' + ', '.join(named) if named else ''}; at most "
        f"{inside:.2f} in their grains", bool(packed) and max(f.foreign_at for f in packed) > 0.05 > inside,
        "boundaries as built are cut differently from relaxed ones; what is there is another class, or none",
    )  # fmt: skip
    pairs = [
        (a, b) for a in found for b in found
        if a.boundary.crystal == b.boundary.crystal and a.boundary.name.split()[0] == b.boundary.name.split()[0]
        and b.boundary.twist and not a.boundary.twist
    ]  # fmt: skip
    if pairs:
        told = [a.foreign != b.foreign for a, b in pairs]
        page.row(
            "tilt and twist are told apart", "a tilt and a twist boundary differ in the classes at the boundary",
            "; ".join(
                f"{a.boundary.crystal} {a.boundary.name.split()[0]}: {a.foreign} ({a.foreign_at:.2f}) at the tilt, "
                f"{b.foreign} ({b.foreign_at:.2f}) at the twist boundary"
                for a, b in pairs
            ),
            all(told), "the leading other class is the same at some pairs",
        )  # fmt: skip
    page.keep(
        boundaries={
            f"{f.boundary.crystal} {f.boundary.name}": {
                "right": f.right, "bits_inside": f.inside, "bits_at": f.at, "rejected_at": f.refused,
                "other_class": f.foreign, "other_at": f.foreign_at, "other_inside": f.foreign_inside,
            }
            for f in every
        },
        spheres_by_ideal={"right": ideal.right, "bits_inside": ideal.inside, "leads": ideal.leads},
    )  # fmt: skip


def each(page: Page, found: Sequence[Found]) -> None:
    """A row a boundary."""
    heads = (
        "crystal", "boundary", "right in the grains", "leads in the grains", "bit in the grains",
        f"bit within {NEAR:g} Å", "rejected there", "leading other class there", "its probability", "in the grains",
    )  # fmt: skip
    page.table(
        heads,
        [
            (
                f.boundary.crystal, f.boundary.name, percent(f.right), f.leads, f"{f.inside:.3f}", f"{f.at:.3f}",
                percent(f.refused), f.foreign, f"{f.foreign_at:.2f}", f"{f.foreign_inside:.3f}",
            )
            for f in found
        ],
    )  # fmt: skip


def profiles(found: Sequence[Found]) -> Figure:
    """A panel a boundary."""
    columns = 5
    rows = -(-len(found) // columns)
    figure = Figure(figsize=(3.0 * columns, 2.1 * rows + 0.4), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, f in zip(panels, found, strict=False):
        axes.plot(f.x, f.own, color=BLUE, label="class of the grains")
        axes.plot(f.x, f.other, color=GREEN, label="leading other class")
        axes.plot(f.x, f.rejected, color="0.5", linestyle="--", label="share rejected")
        axes.plot(f.x, f.bits, color=ORANGE, label="mutual information (bit)")
        axes.set_title(f"{f.boundary.crystal} {f.boundary.name}; {f.foreign}", fontsize=8)
        axes.set_ylim(-0.03, 1.03)
    for axes in panels[len(found) :]:
        axes.set_visible(False)
    figure.supxlabel("distance from the boundary (Å)", fontsize=9)
    marks, names = panels[0].get_legend_handles_labels()
    figure.legend(marks, names, loc="outside upper center", ncols=4, frameon=False)
    return figure


CASE = Case(
    "boundaries",
    "Grain boundaries",
    "Supplementary Figure 12",
    "Boxes of 16 Å and a stride of 2 Å, as in the paper; the same for all boundaries.",
    make,
)
