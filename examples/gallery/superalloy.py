"""A precipitate of L1_2 in a superalloy; Figure 2h-j."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

import arise_core as arise
from arise_core.explore.figures_in_space import slice_of
from arise_core.explore.palette import INFORMATION, PROBABILITY
from arise_core.geometry import builders
from examples.gallery.page import MODEL, ORANGE, Case, Page, percent

HALF = 8.0  # Å, half a box
NEAR = 3.0  # Å
FORMS = {"pristine": (0.0, 0.0), "20 % missing, 5 % displaced": (0.2, 0.05)}


def make(page: Page) -> None:
    edge, inner, stride = (64.0, 24.0, 4.0) if page.quick else (120.0, 60.0, 3.0)
    model = arise.load_model(MODEL)
    maps, atoms = {}, []
    for form, (missing, displacement) in FORMS.items():
        rng = np.random.default_rng(2024)
        alloy = builders.superalloy(edge, inner, rng=rng)
        if missing:
            alloy = builders.displace(builders.remove_atoms(alloy, missing, rng), displacement, rng)
        maps[form] = arise.strided_map(alloy, model, box_size=16.0, stride=stride)
        atoms.append(len(alloy))
    page.say(
        f"Fcc of nickel with a quarter of aluminium at random, and a cube of L1_2 of {inner:g} Å in the middle, on the "
        f"same lattice: {atoms[0]:,} atoms ({atoms[1]:,} in the defective form) over {edge:g} Å, "
        f"{len(maps['pristine']):,} boxes. With thermal motion and in OVITO: "
        "[`examples/superalloy_precipitate.py`](../../examples/superalloy_precipitate.py)."
    )
    middle = float(alloy.positions.mean())
    compare(page, maps, middle, inner)
    draw(page, maps)


def compare(page: Page, maps: dict[str, arise.StridedMap], middle: float, inner: float) -> None:
    """The rows, one form after the other."""
    kept = {}
    for form, field in maps.items():
        p = field.prediction
        depth = inner / 2 - np.abs(field.centers - middle).max(axis=1)  # from the faces of the cube, Å
        to_border = np.minimum(field.centers, 2 * middle - field.centers).min(axis=1)
        places = {
            "precipitate": depth > HALF,
            "matrix": (depth < -HALF) & (to_border > HALF),
            "faces": np.abs(depth) < NEAR,
            "borders": to_border < NEAR,
        }
        names = np.where(p.rejected, "", p.classes.short_of(p.index))
        found = float((p.probabilities[:, p.classes.find("L1_2")] > 0.5).sum() * np.prod(spacing(field)))
        bits = {k: float(np.nanmean(p.mutual_information[w])) for k, w in places.items()}
        right = {
            "precipitate": float((names[places["precipitate"]] == "L1_2").mean()),
            "matrix": float((names[places["matrix"]] == "fcc").mean()),
        }
        said = "" if form == "pristine" else f", {form}"
        page.row(
            f"matrix and precipitate{said}", f"fcc in the matrix, and the precipitate is found{said}",
            f"fcc in {percent(right['matrix'])} of the matrix, L1_2 in {percent(right['precipitate'])} of the "
            f"precipitate, each half a box from its faces; volume of L1_2 above 1/2: {found / inner**3:.2f} times the "
            "built one",
            min(right.values()) > 0.95 and 0.5 < found / inner**3 < 1.5,
        )  # fmt: skip
        page.row(
            f"doubt at the faces{said}", f"doubt at the faces of the precipitate{said}",
            f"{bits['faces']:.3f} bit there, {bits['matrix']:.3f} in the matrix, {bits['precipitate']:.3f} in the "
            "precipitate",
            bits["faces"] > 3 * max(bits["matrix"], bits["precipitate"]),
            "it is raised less than threefold, or not at all",
        )  # fmt: skip
        if form == "pristine":
            page.row(
                "doubt at the outer borders", "and at the outer borders",
                f"{bits['borders']:.3f} bit within {NEAR:g} Å of them, {bits['matrix']:.3f} in the matrix",
                bits["borders"] > 3 * bits["matrix"],
                "descriptors are corrected for the shape of the matter in a box: a surface is hardly in doubt",
            )  # fmt: skip
        kept[form] = {"right": right, "bits": bits, "volume": found / inner**3}
    page.keep(**kept)


def spacing(field: arise.StridedMap) -> np.ndarray:
    """From box to box, (3,), Å."""
    x = field.centers.reshape(*field.shape, 3)
    return np.array(
        [x[1, 0, 0, 0] - x[0, 0, 0, 0], x[0, 1, 0, 1] - x[0, 0, 0, 1], x[0, 0, 1, 2] - x[0, 0, 0, 2]]
    )


def draw(page: Page, maps: dict[str, arise.StridedMap]) -> None:
    """Slices through the middle, and the precipitate in space."""
    for name, (form, field) in zip(("pristine", "defective"), maps.items(), strict=True):
        p, plane = field.prediction, slice_of(field)
        figure = Figure(figsize=(15.0, 3.7), layout="constrained")
        panels = [figure.add_subplot(1, 4, k + 1) for k in range(3)]
        shown = [
            ("fcc", p.probabilities[:, p.classes.find("fcc")], PROBABILITY, 1.0),
            ("L1_2", p.probabilities[:, p.classes.find("L1_2")], PROBABILITY, 1.0),
            ("mutual information (bit)", p.mutual_information, INFORMATION, None),
        ]
        for axes, (title, values, colours, most) in zip(panels, shown, strict=True):
            mesh = axes.pcolormesh(plane.x, plane.y, values[plane.rows], cmap=colours, vmin=0.0, vmax=most)
            axes.set(title=title, xlabel=plane.names[0], ylabel=plane.names[1], aspect="equal")
            figure.colorbar(mesh, ax=axes, shrink=0.8)
        space = figure.add_subplot(1, 4, 4, projection="3d")
        inside = shown[1][1].reshape(field.shape) > 0.5
        space.voxels(inside, facecolors=ORANGE, edgecolor="#00000040", linewidth=0.2)
        space.set(title="L1_2 above 1/2", xticklabels=[], yticklabels=[], zticklabels=[])
        for axis, n in zip("xyz", field.shape, strict=True):
            getattr(space, f"set_{axis}lim")(0, n)
        space.set_aspect("equal")
        text = {
            "pristine": "A slice through the middle (2i), and the boxes where L1_2 leads, in space (2j, left).",
            "defective": f"The same with {form} (2j, right; Supplementary Figure 4b).",
        }
        page.picture(name, figure, text[name])


CASE = Case(
    "superalloy",
    "A precipitate in a superalloy",
    "Figure 2h–j, Supplementary Figure 4b",
    "Boxes of 16 Å and a stride of 3 Å: those of the paper, and the default.",
    make,
)
