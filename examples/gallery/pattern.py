"""A grain boundary of fcc with a pattern of its own, and what it resembles; Figure 2k-m."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from ase.calculators.emt import EMT
from ase.optimize import FIRE
from matplotlib.figure import Figure

import arise_core as arise
from arise_core.explore.figures_in_space import slice_of
from arise_core.explore.palette import INFORMATION, PROBABILITY
from arise_core.geometry.builders import close_packed, repeat
from ase_arise.convert import from_atoms, to_atoms
from examples.gallery.bicrystals import bicrystal, cubic
from examples.gallery.boundaries import NEAR, Boundary, look
from examples.gallery.page import MODEL, PUBLISHED, Case, Page, percent

BOX, STRIDE = 10.0, 2.0  # Å, of the paper
#: Lattice vectors in the plane (2 3 -5), along the tilt axis [111] and across it.
TILT = Boundary("fcc", "Σ19b (23-5) [111], tilt", (1, 1, 1), (4, -3.5, -0.5))
DEPTH = 30.0  # Å
WIDE = 18.0  # Å, along the tilt axis
SHIFTS = 4  # of one half against the other, along each direction
STEPS = 60  # of the relaxation, at most
FORCE = 0.05  # eV/Å
#: Layers between the fcc halves of the stacks, and how many.
STACKS = {"dhcp": (1, 1, -1, -1), "hcp": (1, -1)}
THICK = (4, 8, 16)
HALVES = 36  # layers of fcc around them


class Relaxed(NamedTuple):
    """The best of some candidates."""

    structure: arise.Structure
    energy: float  # eV above the crystal, surfaces included
    worst: float  # that of the worst candidate
    candidates: int


def relaxed(depth: float, shifts: int, steps: int) -> Relaxed:
    """Shift one half against the other, relax by EMT, and take what has the least energy beyond the crystal's."""
    crystal = to_atoms(cubic("fcc"))
    crystal.calc = EMT()
    of_atom = crystal.get_potential_energy() / len(crystal)
    found = []
    shares = np.arange(shifts) / shifts
    for shift in itertools.product(shares, shares):
        built = bicrystal(cubic("fcc"), TILT.u, TILT.v, depth, 1.0, shift=shift)
        atoms = to_atoms(built)
        atoms.calc = EMT()
        FIRE(atoms, logfile=None).run(fmax=FORCE, steps=steps)
        found.append((float(atoms.get_potential_energy()) - of_atom * len(atoms), atoms))
    energy, best = min(found, key=lambda pair: pair[0])
    best.calc = None
    return Relaxed(from_atoms(best), energy, max(e for e, _ in found), len(found))


def make(page: Page) -> None:
    depth, shifts, steps, stride = (16.0, 1, 5, 4.0) if page.quick else (DEPTH, SHIFTS, STEPS, STRIDE)
    model = arise.load_model(MODEL)
    best = relaxed(depth, shifts, steps)
    copies = int(np.ceil(WIDE / best.structure.cell[1, 1]))
    structure = repeat(best.structure, (1, copies, 1))
    page.say(
        f"Copper (EMT): {TILT.name}. One half was shifted against the other in the plane, {best.candidates} times, "
        f"each relaxed with at most {steps} steps; the one with the least energy was taken ({best.energy:.2f} eV above "
        f"the crystal in its period, with its surfaces; the worst had {best.worst:.2f}). {len(structure):,} atoms. An "
        "evolutionary search also changes how many atoms there are: the boundary of the paper has a pattern that this "
        "one need not have."
    )
    maps = {
        "as in the paper": arise.strided_map(structure, model, box_size=BOX, stride=stride),
        "default": arise.strided_map(structure, model, stride=max(stride, 3.0)),
        PUBLISHED: arise.strided_map(structure, arise.load_model(PUBLISHED), box_size=BOX, stride=stride),
    }
    boundary(page, maps)
    page.picture(
        "boundary", draw(structure, maps["as in the paper"]), "Boxes of 10 Å in a plane across the tilt axis."
    )
    stacks(page, model, THICK[:2] if page.quick else THICK, stride)


def boundary(page: Page, maps: Mapping[str, arise.StridedMap]) -> None:
    """The rows about the relaxed boundary."""
    found = {name: look(TILT, field) for name, field in maps.items()}
    f, again = found["as in the paper"], found[PUBLISHED]
    page.row(
        "fcc in the grains", "fcc in the grains", f"in {percent(f.right)} of the boxes 8 Å and more from the boundary",
        f.right > 0.95,
    )  # fmt: skip
    page.row(
        "dhcp at the boundary", "dhcp at the boundary",
        f"leading beside fcc within {NEAR:g} Å: {f.foreign}, {f.foreign_at:.2f} (in the grains "
        f"{f.foreign_inside:.3f}); {percent(f.refused)} of these boxes are none of the classes",
        f.foreign == "dhcp" and f.foreign_at > 0.2,
        f"another boundary, and another model: of this one `{PUBLISHED}`, trained as the published model was, says "
        f"beside fcc {again.foreign}, {again.foreign_at:.2f} (in the grains {again.foreign_inside:.3f}), with "
        f"{again.at:.3f} bit",
    )  # fmt: skip
    page.row(
        "doubt at the boundary", "(boxes at the boundary hold distorted stackings)",
        f"{f.at:.3f} bit within {NEAR:g} Å, {f.inside:.3f} in the grains", f.at > 3 * max(f.inside, 0.01),
    )  # fmt: skip
    d = found["default"]
    page.row(
        "the same with boxes of 16 Å", "(10 Å in the paper)",
        f"fcc in {percent(d.right)} of the grains; {d.at:.3f} bit at the boundary, {d.inside:.3f} in the grains; "
        f"beside fcc {d.foreign}, {d.foreign_at:.2f}; {percent(d.refused)} rejected", None, "not in the paper",
    )  # fmt: skip
    page.keep(
        **{
            name: {
                "right": one.right, "at": one.at, "inside": one.inside, "other": one.foreign,
                "other_at": one.foreign_at, "rejected": one.refused,
            }
            for name, one in found.items()
        }
    )  # fmt: skip


def stacks(page: Page, model: arise.Model, thick: tuple[int, ...], stride: float) -> None:
    """Layers of dhcp and of hcp in fcc: the pattern that the paper's boundary has, without distortion."""
    rows, named = [], {}
    for name, pattern in STACKS.items():
        for count in thick:
            field, height = stack(model, pattern, count, stride)
            p = field.prediction
            z = field.centers[:, 2]
            middle = np.abs(z - height / 2) < stride
            mean = np.nanmean(p.probabilities[middle], axis=0)
            leading = ", ".join(f"{p.classes.short[k]} {share:.2f}" for k, share in p.classes.top(mean, 2))
            bits, refused = float(np.nanmean(p.mutual_information[middle])), float(p.rejected[middle].mean())
            named[name, count] = p.classes.short[int(mean.argmax())] == name and refused < 0.5
            rows.append((name, count, f"{height:.1f}", leading, f"{bits:.3f}", percent(refused)))
    page.say("## Layers of dhcp in fcc\n\nThe same question without distortion, in boxes of the same size.")
    page.table(
        ("between fcc", "layers", "thickness, Å", "leading classes in the middle", "bit", "rejected"), rows
    )
    least = [count for count in thick if named["dhcp", count]]
    page.row(
        "dhcp between two fcc grains", "dhcp is what the stacking at the boundary resembles",
        f"layers of dhcp between fcc are called dhcp from {min(least)} layers on" if least else
        f"layers of dhcp between fcc are not called dhcp, up to {max(thick)} layers",
        bool(least), "boxes that hold both are called fcc",
    )  # fmt: skip


def stack(
    model: arise.Model, pattern: tuple[int, ...], count: int, stride: float
) -> tuple[arise.StridedMap, float]:
    """A map of layers between fcc, which begin at z = 0, and their thickness, Å."""
    steps = list(pattern) * (count // len(pattern))
    steps += [1] * (HALVES + -(sum(steps) + HALVES) % 3)  # layers that end where they began
    crystal = repeat(close_packed(steps), (4, 4, 1))
    return arise.strided_map(crystal, model, box_size=BOX, stride=stride), count * float(
        crystal.cell[2, 2] / len(steps)
    )


def draw(structure: arise.Structure, field: arise.StridedMap) -> Figure:
    """Probabilities and doubt in a plane across the tilt axis, with the atoms of a few layers."""
    p, plane = field.prediction, slice_of(field, 1)
    f = look(TILT, field)
    figure = Figure(figsize=(13.5, 4.4), layout="constrained")
    shown = (
        ("fcc", p.probabilities[:, p.classes.find("fcc")], PROBABILITY, 1.0),
        (f.foreign, p.probabilities[:, p.classes.find(f.foreign)], PROBABILITY, 1.0),
        ("mutual information (bit)", p.mutual_information, INFORMATION, None),
    )
    y = structure.positions[:, 1]
    layers = np.abs(y - structure.cell[1, 1] / 2) < 3.2
    for axes, (title, values, colours, most) in zip(figure.subplots(1, 3), shown, strict=True):
        mesh = axes.pcolormesh(plane.x, plane.y, values[plane.rows], cmap=colours, vmin=0.0, vmax=most)
        axes.scatter(
            *structure.positions[layers][:, [0, 2]].T, s=3, color="white", edgecolors="black", linewidths=0.3
        )
        axes.set(title=title, xlabel=plane.names[0], ylabel=plane.names[1], aspect="equal")
        figure.colorbar(mesh, ax=axes, shrink=0.7)
    return figure


CASE = Case(
    "pattern",
    "A boundary with a new pattern",
    "Figure 2k–m",
    "Boxes of 10 Å and a stride of 2 Å, as in the paper, as its pattern is small; the default, 16 and 3 Å, too.",
    make,
)
