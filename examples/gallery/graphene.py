"""Images of graphene, from pixels to doubt: two images, how alike several are, a boundary in a large one, a ranking."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from matplotlib.figure import Figure

import arise_core as arise
from arise_core.explore.figures import draw_similarity
from arise_core.geometry.arrays import FloatArray
from arise_core.geometry.sheets import patch, stone_wales
from arise_core.geometry.structure import Structure
from arise_core.model.model import Model
from arise_core.progress import run
from arise_core.recognition.comparison import similarity_steps
from arise_core.settings import RecognitionSettings
from arise_images import (
    Columns,
    ImageRecognition,
    draw_layer,
    find_atoms,
    recognise_layer,
    simulate_image,
    tell_elements,
)
from benchmarks.images.boundary import Boundary, bicrystal, boundary
from examples.gallery.page import MODEL, Case, Page, percent

#: Å a pixel; shift of scan lines and blur of all images, Å.
PIXEL, JITTER, BLUR = 0.2, 0.06, 0.15
#: Passes for classes that are hardly probable, as in the paper's Figure 3c; for all else those of the map.
MANY = 100_000
#: Counts of the two images of Figure 3a.
NOISY = 4.0
#: The five classes of the paper that are flat.
FLAT = ("graphene", "C3N_monolayer", "hexagonal_BN_monolayer", "MnS2_monolayer", "PbSe_monolayer")
SILICON = 14
#: Å, how much of the large image is shown on either side of its boundary.
SEEN = 12.0


@dataclass(frozen=True)
class Scene:
    """An image and what was found in it."""

    name: str
    image: FloatArray
    columns: Columns


def graphene(edge: float, seed: int) -> Structure:
    """A square of graphene at a random place and orientation."""
    return patch(arise.build(arise.prototype("C")), (edge / 2, edge / 2), np.random.default_rng(seed))


def with_silicon(edge: float, count: int, seed: int) -> Structure:
    """The same with neighbouring atoms in its middle replaced by silicon."""
    sheet = graphene(edge, seed)
    middle = sheet.positions[:, :2].mean(axis=0)
    near = np.argsort(np.linalg.norm(sheet.positions[:, :2] - middle, axis=1), kind="stable")[:count]
    numbers = sheet.numbers.copy()
    numbers[near] = SILICON
    return replace(sheet, numbers=numbers)


def scene(name: str, structure: Structure, dose: float, seed: int, elements: str = "C") -> Scene:
    """An image of a structure, its columns and their elements.

    Args:
        dose: counts in a pixel on top of a carbon atom.
    """
    brightest = (
        structure.numbers.max() / 6
    ) ** 1.7  # the dose of the simulation is that of the brightest atom
    image, _ = simulate_image(
        structure, pixel_size=PIXEL, margin=1.0, dose=dose * brightest, jitter=JITTER, blur=BLUR,
        background=0.1 / brightest, rng=np.random.default_rng(seed),
    )  # fmt: skip
    return Scene(name, image, tell_elements(find_atoms(image, PIXEL), elements))


def make(page: Page) -> None:
    """The page."""
    model = arise.load_model(MODEL)
    _two(page, model)
    _alike(page, model)
    _large(page, model)
    _ranked(page, model)


def _settings(page: Page, **options: object) -> RecognitionSettings:
    quick = {"stride": 16.0, "passes": 30}
    return RecognitionSettings.of({**(quick if page.quick else {"stride": 4.0}), **options})


# --- Figure 3a to c -------------------------------------------------------------------------------------------------


def _two(page: Page, model: Model) -> None:
    edge = 18.0 if page.quick else 32.0
    scenes = [
        scene("noisy", graphene(edge, 1), NOISY, 1),
        scene("with a boundary", bicrystal(edge / 2, 21.8, np.random.default_rng(3)), NOISY, 2),
    ]
    passes = 200 if page.quick else MANY
    found = [recognise_layer(s.columns, model, settings=_settings(page, passes=passes)) for s in scenes]
    rows, tops = [], []
    for s, one in zip(scenes, found, strict=True):
        top = [(found[0].whole.classes.short[k], p) for k, p in one.whole.top(5)]
        tops.append(top)
        rows.append((
            s.name, len(s.columns), one.label, f"{one.whole.mutual_information:.4f}",
            ", ".join(f"{name} {100 * p:.2f} %" for name, p in top),
        ))  # fmt: skip
    page.say("## Two images (Fig. 3a to c)")
    page.table(("image", "columns", "label", "mutual information (bit)", "five most probable classes"), rows)
    low, high = (one.whole.mutual_information for one in found)
    shares = [top[0][1] for top in tops]
    page.row(
        "both images are graphene", "graphene for both, 99 % and 79 %",
        " and ".join(f"{one.label} {100 * p:.1f} %" for one, p in zip(found, shares, strict=True)),
        all(one.label == "graphene" for one in found), "see the table",
    )  # fmt: skip
    ratio = high / max(low, 1e-6)
    page.row(
        "the image with a boundary is more in doubt", "its mutual information is six times as high",
        f"{high:.4f} against {low:.4f} bit", ratio > 2,
        "boundaries are part of the training of this model, and a whole image is graphene for it",
    )  # fmt: skip
    others = [name for name, _ in tops[1][1:]]
    flat = [name for name in others if name in FLAT]
    page.row(
        "what comes next are flat layers", "C3N, then PbSe, MnS2, BN: the other flat layers",
        ", ".join(others), len(flat) == 4,
        "probabilities below a per cent are shared with layers that are nearly flat",
    )  # fmt: skip
    page.keep(two=[one.record() for one in found])
    page.picture("two", _images(scenes), "The two images, with the columns that were found.")


def _images(scenes: list[Scene]) -> Figure:
    figure = Figure(figsize=(4.2 * len(scenes), 4.2), layout="constrained")
    for panel, s in zip(np.ravel(figure.subplots(1, len(scenes))), scenes, strict=True):
        panel.imshow(s.image, cmap="gray", interpolation="nearest")
        panel.plot(s.columns.pixels[:, 1], s.columns.pixels[:, 0], ".", color="#E69F00", markersize=3)
        panel.set_axis_off()
        panel.set_title(s.name, fontsize="small")
    return figure


# --- Figure 3d ------------------------------------------------------------------------------------------------------


def _alike(page: Page, model: Model) -> None:
    edge = 16.0 if page.quick else 24.0
    each = 1 if page.quick else 2
    scenes = [scene("boundary", bicrystal(edge / 2, 21.8, np.random.default_rng(3)), 20.0, 3)]
    scenes += [scene(f"C {k + 1}", graphene(edge, 20 + k), 20.0, 40 + k) for k in range(each)]
    for count in (1, 4) if page.quick else (1, 2, 3, 4):
        seed = 30 + 7 * count
        scenes += [
            scene(f"{count} Si, {k + 1}", with_silicon(edge, count, seed + k), 20.0, seed + 20 + k, "C,Si")
            for k in range(each)
        ]  # fmt: skip
    matrix = run(similarity_steps([s.columns.structure for s in scenes], model))
    silicon = np.array(["Si" in s.name for s in scenes])
    other = ~np.eye(len(scenes), dtype=bool)
    within = [
        float(matrix[np.ix_(kind, kind)][other[np.ix_(kind, kind)]].mean()) for kind in (~silicon, silicon)
    ]
    between = float(matrix[np.ix_(~silicon, silicon)].mean())
    told = [int((s.columns.structure.numbers == SILICON).sum()) for s in scenes]
    right = all(n == (int(s.name[0]) if "Si" in s.name else 0) for n, s in zip(told, scenes, strict=True))
    page.say("## How alike images are (Fig. 3d)")
    page.say(
        f"{len(scenes)} images of 1 to 4 silicon atoms in graphene and of graphene alone. Silicon is told from carbon "
        f"by the brightness of columns: {'all columns are right' if right else f'found {told} silicon atoms'}. Mean "
        f"cosine of the second hidden layer: {within[0]:.2f} among images of carbon, {within[1]:.2f} among those with "
        f"silicon, {between:.2f} between them."
    )
    page.row(
        "images with silicon are alike, and unlike those without", "two blocks, by the number of species",
        f"cosines {within[0]:.2f} and {within[1]:.2f} within, {between:.2f} between",
        min(within) > between + 0.05,
        f"the image with a boundary is unlike all others (at most {matrix[0, 1:].max():.2f}); those are carbon to the "
        f"model, which was trained so that a few foreign atoms decide nothing (at least {matrix[1:, 1:].min():.2f})",
    )  # fmt: skip
    page.keep(similarity=np.round(matrix, 4).tolist(), images=[s.name for s in scenes], silicon=told)
    axes = draw_similarity(matrix, [s.name for s in scenes], 1, ordered=False)
    figure = axes.get_figure(root=True)
    assert isinstance(figure, Figure)
    page.picture(
        "similarity", figure, "Cosine similarity of images; the images in the order of their silicon atoms."
    )


# --- Figure 3e to g -------------------------------------------------------------------------------------------------


def _large(page: Page, model: Model) -> None:
    half = 18.0 if page.quick else 36.0
    seen = boundary(model, half=half, stride=6.0 if page.quick else 2.0, box_size=12.0)
    found = seen.found
    labels, doubt = found.local.atom_labels, found.local.atoms.mutual_information
    near, far = seen.distance < 3, seen.distance > 10
    at, away = float(np.nanmean(doubt[near])), float(np.nanmean(doubt[far]))
    names = sorted({str(name) for name in labels[near]} - {"graphene"})
    page.say("## A boundary in a large image (Fig. 3e to g)")
    page.say(
        f"{len(found.columns)} columns, boxes of 12 Å as in the paper, a stride of {6 if page.quick else 2} Å (the "
        f"paper: about 0.5 Å). Within 3 Å of a pentagon or heptagon the mean mutual information is {at:.4f} bit, "
        f"further than 10 Å away {away:.4f} bit; {percent((labels[near] == 'graphene').mean())} and "
        f"{percent((labels[far] == 'graphene').mean())} of the columns are graphene. Rings in the image: "
        f"{', '.join(f'{n} of {k}' for k, n in found.rings.counts.items())}."
    )
    page.row(
        "graphene on both sides", "graphene is the dominant structure",
        f"{percent((labels == 'graphene').mean())} of the columns", (labels == "graphene").mean() > 0.9,
        "the boundary is a large part of this image",
    )  # fmt: skip
    page.row(
        "mutual information shows the boundary", "high at the boundary only", f"{at:.3f} against {away:.4f} bit",
        at > 5 * away, "the network knows such boundaries; the rings show them",
    )  # fmt: skip
    page.row(
        "another name at the boundary", "MnS2, with high uncertainty", ", ".join(names) or "none: graphene there too",
        any("MnS2" in name for name in names),
        "layers with boundaries are part of the training of this model; rings and doubt mark them",
    )  # fmt: skip
    page.row(
        "pentagons near the boundary", "seen in the image", _rings(seen),
        bool((found.rings.size == 5).any() and (found.rings.size == 7).any()), "columns at the boundary are missed",
    )  # fmt: skip
    page.keep(large={"near": at, "far": away, "names": names, "columns": len(found.columns)})
    figure = draw_layer(seen.image, found)
    middle = seen.image.shape[0] / 2
    figure.set_figheight(0.5 * figure.get_figheight())
    for panel in figure.axes[:2]:
        panel.set_ylim(middle + SEEN / PIXEL, middle - SEEN / PIXEL)
    page.picture(
        "boundary",
        figure,
        f"Within {SEEN:g} Å of the middle: columns; and doubt, defective columns, odd rings.",
    )


def _rings(seen: Boundary) -> str:
    parts = []
    for size, name in ((5, "pentagons"), (7, "heptagons")):
        there, true = (int((rings.size == size).sum()) for rings in (seen.found.rings, seen.truth))
        parts.append(f"{there} {name} found ({true} in the atoms)")
    return ", ".join(parts)


# --- screening ------------------------------------------------------------------------------------------------------


def _ranked(page: Page, model: Model) -> None:
    edge = 16.0 if page.quick else 32.0
    doses = (30.0,) if page.quick else (100.0, 30.0, 10.0, 5.0, 3.0, 2.0)
    plain = graphene(edge, 5)
    turned = stone_wales(graphene(edge, 6), 4, 200, np.random.default_rng(6))
    disorder = replace(plain, positions=plain.positions + _shaken(len(plain), 0.35))
    samples = [(f"graphene, {dose:g} counts", plain, dose) for dose in doses]
    samples += [
        ("four turned bonds, 30 counts", turned, 30.0),
        ("boundary, 30 counts", bicrystal(edge / 2, 21.8, np.random.default_rng(3)), 30.0),
        ("atoms displaced by 0.35 Å, 30 counts", disorder, 30.0),
    ]
    ranked: list[tuple[float, str, Columns, ImageRecognition]] = []
    for k, (name, structure, dose) in enumerate(samples):
        columns = scene(name, structure, dose, 60 + k).columns
        one = recognise_layer(columns, model, settings=_settings(page))
        ranked.append((np.inf if np.isnan(one.doubt) else one.doubt, name, columns, one))
    ranked.sort(key=lambda row: -row[0])
    page.say("## Which images to look at first")
    page.say(
        "Images ranked by doubt, as `arise image FOLDER` does; those that have no name come first. Not in the paper."
    )
    page.table(
        ("image", "label", "doubt (bit)", "columns", "defective", "rings other than six"),
        [
            (name, one.label, "–" if np.isinf(doubt) else f"{doubt:.4f}", len(columns),
             percent(one.defective.mean()), sum(n for k, n in one.rings.counts.items() if k != 6))
            for doubt, name, columns, one in ranked
        ],
    )  # fmt: skip
    page.keep(ranked=[name for _, name, _, _ in ranked])


def _shaken(count: int, size: float) -> FloatArray:
    moves = np.random.default_rng(7).normal(0, size, (count, 3))
    moves[:, 2] = 0
    return moves


CASE = Case(
    "graphene",
    "Images of graphene",
    "Figure 3a to g",
    f"Images are simulated: {PIXEL} Å a pixel, scan lines shifted by {JITTER} Å, a blur of {BLUR} Å, Poisson noise; "
    "counts are those in a pixel on top of a carbon atom. Columns are found by `arise_images`, not by a network "
    f"(AtomNet). {MANY:,} passes for the two images, as in the paper, since their other classes are hardly probable.",
    make,
)
