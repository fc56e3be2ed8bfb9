"""Draws docs/pictures/architecture.svg, the figure of docs/architecture.md, on the standard output.

`python dev.py docs --write` puts it in its place; `python dev.py docs` tells whether it is there as drawn here. Plain
Python: the same bytes on every machine.
"""

from __future__ import annotations

import sys
from html import escape

WIDTH = 1000
TOP = 46
#: Heights of a floor, and of the space between floors.
FLOOR, GAP = 74, 8
#: Where the boxes begin; left of it stand the names of the rooms.
LEFT = 212
DATA, MODEL, GREY = "#b4450c", "#2f5d9b", "#5b6470"
#: Fill and edge of floors and of boxes, by kind.
FILLS = {
    "door": ("#fdf1e7", "#e8b48c"),
    "flow": ("#f4f6f8", "#c3cad2"),
    "making": ("#eaf1fa", "#9dbbe0"),
    "ground": ("#eeeeee", "#c8c8c8"),
}
#: Floors from the top down: room, what it is about, kind.
FLOORS = (
    ("arise_cli", "the command arise", "door"),
    ("ovito_arise, ase_arise, arise_images", "doors: unwrap, call, wrap", "door"),
    ("benchmark", "how often it is right", "making"),
    ("training", "how a model is made", "making"),
    ("trajectories", "frame after frame", "flow"),
    ("explore", "beyond the classes", "flow"),
    ("recognition", "what is where", "flow"),
    ("model", "what a descriptor stands for", "flow"),
    ("crystals", "ideal crystals, symmetry", "flow"),
    ("engine", "all boxes at once", "flow"),
    ("descriptor", "what surrounds the atoms", "flow"),
    ("geometry", "matter in space", "flow"),
    ("runtime", "", "ground"),
    ("settings, errors, progress, version", "", "ground"),
)
SMALL = ("runtime", "settings, errors, progress, version")
SMALL_FLOOR = 36


def heights() -> dict[str, tuple[float, float]]:
    """Upper edge and height of each floor, by room."""
    found: dict[str, tuple[float, float]] = {}
    y = float(TOP)
    for room, _, _ in FLOORS:
        height = SMALL_FLOOR if room in SMALL else FLOOR
        found[room] = (y, height)
        y += height + GAP
    return found


PLACES = heights()
BOTTOM = max(y + h for y, h in PLACES.values())
HEIGHT = int(BOTTOM + 62)


def text(x: float, y: float, words: str, **style: object) -> str:
    """A line of text."""
    attributes = "".join(f' {k.replace("_", "-")}="{v}"' for k, v in style.items())
    return f'<text x="{x:g}" y="{y:g}"{attributes}>{escape(words)}</text>'


def rectangle(x: float, y: float, width: float, height: float, fill: str, edge: str, radius: int = 6) -> str:
    """A rectangle with round corners."""
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius}" fill="{fill}" '
        f'stroke="{edge}"/>'
    )


def box(room: str, x: float, width: float, title: str, *lines: str, colour: str = "#1d2733") -> str:
    """An object of a room, with a line or two about it."""
    y, height = PLACES[room]
    first = y + height / 2 - 8.5 * len(lines) + 5
    parts = [rectangle(x, y + 6, width, height - 12, "#ffffff", colour)]
    middle = x + width / 2
    parts.append(text(middle, first, title, font_weight="bold", text_anchor="middle", fill=colour))
    parts += [
        text(middle, first + 17 * (k + 1), line, font_size=12, text_anchor="middle", fill=GREY)
        for k, line in enumerate(lines)
    ]
    return "\n".join(parts)


def arrow(*points: tuple[float, float], colour: str = DATA) -> str:
    """A line with a head at its end."""
    path = "M" + " L".join(f"{x:g} {y:g}" for x, y in points)
    head = "data" if colour == DATA else "model"
    return (
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2.2" stroke-linejoin="round" '
        f'marker-end="url(#{head})"/>'
    )


def said(x: float, y: float, words: str, colour: str = DATA, anchor: str = "start") -> str:
    """What goes along an arrow."""
    return text(x, y, words, fill=colour, font_size=12.5, font_style="italic", text_anchor=anchor)


def middle(room: str) -> float:
    """Height of the middle of a floor."""
    y, height = PLACES[room]
    return y + height / 2


def upper(room: str) -> float:
    """Upper edge of the boxes of a floor."""
    return PLACES[room][0] + 6


def lower(room: str) -> float:
    """Lower edge of the boxes of a floor."""
    y, height = PLACES[room]
    return y + height - 6


def floors() -> list[str]:
    """The floors with their names."""
    parts = []
    for room, about, kind in FLOORS:
        y, height = PLACES[room]
        parts.append(rectangle(8, y, WIDTH - 16, height, *FILLS[kind], radius=8))
        first = y + height / 2 + (5 if not about else -3)
        parts.append(text(20, first, room, font_weight="bold", font_size=14))
        if about:
            parts.append(text(20, first + 18, about, font_size=12, fill=GREY))
    for room, words in (
        ("runtime", "threads · worker processes · compilation of loops · files in one step · ledger"),
        (
            "settings, errors, progress, version",
            "every default once · our own errors · Job and Step: used by all floors above",
        ),
    ):
        parts.append(text(LEFT + 24, middle(room) + 5, words, font_size=12.5, fill=GREY))
    return parts


def boxes() -> list[str]:
    """The objects."""
    doors = "ovito_arise, ase_arise, arise_images"
    return [
        box("arise_cli", 300, 650, "arise classify · map · similarity · screen · train · benchmark · demo"),
        box(doors, 330, 190, "OVITO", "modifier, legend, grid files"),
        box(doors, 530, 250, "ASE", "annotate, calculator, screening"),
        box(doors, 790, 160, "images", "columns, projections"),
        box("benchmark", 640, 310, "accuracy", "structures × methods → tables", colour=MODEL),
        box("training", 830, 120, "samples", "one file a kind", colour=MODEL),
        box("training", 640, 140, "fit, export", "by a recipe", colour=MODEL),
        box("trajectories", 290, 200, "TrajectoryResults", "a row a frame"),
        box("explore", 290, 200, "RebuiltCell", "crystals of noisy regions"),
        box("recognition", 260, 130, "StridedMap", "boxes in space"),
        box("recognition", 440, 170, "Recognition", "whole and at each", "atom, by a Rule"),
        box("model", 260, 130, "Prediction", "a row a structure", "or box"),
        box("model", 440, 170, "Model", "network, Card,", "ClassTable"),
        box("model", 690, 150, "model file", "model.safetensors", colour=MODEL),
        box("crystals", 760, 190, "Crystal", "108 prototypes, and yours", colour=MODEL),
        box("engine", 500, 150, "Tile", "pair sums → length", "scale → descriptor"),
        box("engine", 680, 110, "Context", "what all", "tiles share"),
        box("engine", 820, 120, "BoxGrid", "where the", "boxes lie"),
        box("descriptor", 400, 210, "describe", "length scale, radial functions,", "harmonics, window"),
        box("geometry", 260, 130, "Structure", "as the user", "has it"),
        box("geometry", 440, 170, "Material", "one look: wrapped,", "vacuum, spacing"),
    ]


def arrows() -> list[str]:
    """The flow of the data, and of what a model is made of."""
    geometry, engine = middle("geometry"), middle("engine")
    above, below = upper("model") + 14, lower("recognition") - 14
    edge = lower("ovito_arise, ase_arise, arise_images") + 6
    return [
        # in
        arrow((234, edge), (234, geometry), (260, geometry)),
        said(243, middle("benchmark") + 5, "file, Atoms, DataCollection"),
        arrow((390, geometry), (440, geometry)),
        # as a whole
        arrow((455, upper("geometry")), (455, lower("descriptor"))),
        said(447, middle("engine") + 5, "as a whole", anchor="end"),
        arrow((455, upper("descriptor")), (455, lower("model"))),
        # box by box
        arrow((610, geometry), (880, geometry), (880, lower("engine"))),
        said(740, geometry - 7, "box by box", anchor="middle"),
        arrow((820, engine), (790, engine)),
        arrow((680, engine), (650, engine)),
        arrow((575, upper("engine")), (575, lower("model"))),
        said(583, middle("crystals") + 5, "descriptors of boxes"),
        # through the network, and out
        arrow((440, middle("model")), (390, middle("model"))),
        arrow((325, upper("model")), (325, lower("recognition"))),
        arrow((390, middle("recognition")), (440, middle("recognition"))),
        arrow((390, above), (415, above), (415, below), (440, below)),
        arrow((525, upper("recognition")), (525, edge)),
        said(534, middle("benchmark") + 5, "properties,"),
        said(534, middle("benchmark") + 22, "tables, files"),
        # how a model is made
        arrow((890, upper("crystals")), (890, lower("training")), colour=MODEL),
        arrow((830, middle("training")), (780, middle("training")), colour=MODEL),
        arrow((730, lower("training")), (730, upper("model")), colour=MODEL),
        arrow((690, middle("model")), (610, middle("model")), colour=MODEL),
        said(738, middle("recognition") + 5, "TorchScript", MODEL),
        said(898, middle("recognition") + 5, "crystals", MODEL),
        arrow((710, upper("training")), (710, lower("benchmark")), colour=MODEL),
    ]


def key() -> list[str]:
    """What the colours mean, and how to read the floors."""
    y = BOTTOM + 24
    return [
        arrow((20, y - 4), (64, y - 4)),
        text(74, y, "an analysis: from what a user has to what is shown", font_size=12.5),
        arrow((420, y - 4), (464, y - 4), colour=MODEL),
        text(
            474,
            y,
            "making and judging a model; an analysis imports neither training nor benchmark",
            font_size=12.5,
        ),
        text(
            20,
            y + 22,
            "A floor imports from itself and from the floors below it, never from above.",
            font_size=12.5,
        ),
    ]


def picture() -> str:
    """The figure."""
    heads = "".join(
        f'<marker id="{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="5" markerHeight="5" orient="auto">'
        f'<path d="M0 0 L10 5 L0 10 z" fill="{colour}"/></marker>'
        for name, colour in (("data", DATA), ("model", MODEL))
    )
    title = "From a structure to a recognition: the rooms of ARISE, from the ground up"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
            f'height="{HEIGHT}" font-family="Helvetica, Arial, DejaVu Sans, sans-serif" font-size="13.5" '
            'fill="#1d2733">',
            f"<title>{title}</title>",
            f"<defs>{heads}</defs>",
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
            text(12, 28, title, font_size=17, font_weight="bold"),
            *floors(),
            *arrows(),
            *boxes(),
            *key(),
            "</svg>",
            "",
        ]
    )


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
    sys.stdout.write(picture())
