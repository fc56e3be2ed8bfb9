"""A page of the gallery: rows "paper - here", text, tables and pictures; and the index of all pages.

A page is written beside a JSON file of the same name, which holds its rows and figures. The index is made of these
files: whoever adds a page leaves a file with `name`, `title`, `figure`, `command`, `seconds` (of one core) and `rows`
(`what`, `agrees`, `why` each), and gets a row.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from arise_core.explore.palette import COLOURS

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs" / "gallery"
#: Where those of a short form go.
QUICK = ROOT / "out" / "gallery"
MODEL = "arise-108"
#: The published model made again: where the default one differs, a page may say what this one finds.
PUBLISHED = "arise-108-paper"
#: The order of the index; pages that are not named come after these.
ORDER = (
    "slab", "superalloy", "pattern", "boundaries", "graphene", "images", "tilings", "particle", "bain", "unknown",
    "temperature",
)  # fmt: skip
#: Bytes that a picture may take, and dots an inch that are tried.
LARGEST = 150_000
DPI = (120, 100, 85, 70, 55)
BLUE, ORANGE, GREEN, PINK, SKY, RED, YELLOW = COLOURS


@dataclass(frozen=True)
class Row:
    """One thing that the paper shows, and what came of it here."""

    what: str  # in a few words, for the index
    paper: str
    here: str
    agrees: bool | None  # None: cannot be compared
    why: str = ""  # where it does not agree


@dataclass(frozen=True)
class Case:
    """A page that can be made."""

    name: str  # of its file
    title: str
    figure: str  # of the paper
    settings: str  # those that are not the default ones, and why
    make: Callable[[Page], None]


@dataclass
class Page:
    """A page while it is made.

    Args:
        case: which.
        folder: for the page, its pictures and its figures.
        quick: whether the short form is wanted.
    """

    case: Case
    folder: Path
    quick: bool = False
    rows: list[Row] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    pictures: list[str] = field(default_factory=list)

    def row(self, what: str, paper: str, here: str, agrees: bool | None, why: str = "") -> None:
        """Compare one thing; `why` is said where it does not agree."""
        reason = "" if agrees else why or "it is not known why"
        self.rows.append(Row(what, paper, here, None if agrees is None else bool(agrees), reason))

    def say(self, text: str) -> None:
        """A paragraph, or a heading."""
        self.parts.append(text)

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Cells are shown as `str` has them."""
        self.parts.append(table(heads, rows))

    def picture(self, name: str, figure: Figure, text: str) -> None:
        """Save a figure beside the page, with the finest dots that keep it small, and show it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = f"{self.case.name}-{name}.png"
        (self.folder / file).write_bytes(small_png(figure, DPI[-1:] if self.quick else DPI))
        self.pictures.append(file)
        self.parts.append(f"![{text}]({file})\n\n*{text}*")

    def keep(self, **figures: Any) -> None:
        """Figures for the JSON file."""
        self.figures |= figures

    def write(self, seconds: float, facts: Mapping[str, Any]) -> None:
        """The page and its figures.

        Args:
            seconds: that it took of one core.
            facts: of model and machine, for the JSON file; `command`, `model` and `weights` among them.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        record = {
            "name": self.case.name,
            "title": self.case.title,
            "figure": self.case.figure,
            "seconds": round(seconds, 1),
            **facts,
            "rows": [asdict(row) for row in self.rows],
            "pictures": self.pictures,
            "figures": self.figures,
        }
        head = (
            f"Made by `{facts['command']}` in {seconds:.0f} s of one core: model "
            f"`{facts['model']}` ({facts['weights'][:12]}). {self.case.figure} of "
            "[Leitherer et al. (2021)](https://doi.org/10.1038/s41467-021-26511-5). The published structures were not "
            "at hand: these are our own."
        )
        text = [f"# {self.case.title}", head, compared(self.rows), f"**Settings.** {self.case.settings}"]
        (self.folder / f"{self.case.name}.md").write_text("\n\n".join(text + self.parts) + "\n", "utf-8")
        (self.folder / f"{self.case.name}.json").write_text(json.dumps(record, indent=1) + "\n", "utf-8")


def small_png(figure: Figure, dots: Sequence[int] = DPI) -> bytes:
    """A figure in 256 colours, with the first of these dots an inch that fit into `LARGEST` bytes, or the last."""
    for dpi in dots:
        raw, packed = io.BytesIO(), io.BytesIO()
        figure.savefig(raw, dpi=dpi, metadata={"Software": None})
        raw.seek(0)
        with Image.open(raw) as image:
            image.convert("RGB").quantize(256).save(packed, "PNG", optimize=True)
        if len(packed.getvalue()) <= LARGEST:
            break
    return packed.getvalue()


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; bars in cells are kept."""
    lines = [heads, ["---"] * len(heads), *([str(c).replace("|", "\\|") for c in row] for row in rows)]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def compared(rows: Sequence[Row]) -> str:
    """The table at the top of a page."""
    said = {True: "yes", False: "**no**", None: "–"}
    return table(
        ("paper", "here", "agrees", "why not"), [(r.paper, r.here, said[r.agrees], r.why) for r in rows]
    )


def index(folder: Path) -> str:
    """The index of the pages whose figures are in a folder."""
    records = [json.loads(p.read_text("utf-8")) for p in sorted(folder.glob("*.json"))]
    places = {name: k for k, name in enumerate(ORDER)}
    records.sort(key=lambda r: places.get(r["name"], len(ORDER)))
    lines = []
    for record in records:
        rows = record["rows"]
        yes = "; ".join(r["what"] for r in rows if r["agrees"])
        no = "; ".join(
            f"{r['what']} ({'not compared: ' if r['agrees'] is None else ''}{r['why']})"
            for r in rows if not r["agrees"]
        )  # fmt: skip
        link = f"[{record['title']}]({record['name']}.md)"
        lines.append(
            (link, record["figure"], yes, no, f"`{record['command']}`", f"{record['seconds']:.0f} s")
        )
    total = sum(r["seconds"] for r in records)
    text = (
        "# Gallery\n\n"
        "The cases of [Leitherer et al. (2021)](https://doi.org/10.1038/s41467-021-26511-5), and of other crystals, "
        "boundaries and paths, done again: a page each, made by a script that builds its own structures (the published "
        "coordinates and images were not at hand). All take the default model and the default settings, or the page "
        "says what else, and why; boxes and strides are the paper's where it is about the paper. "
        "`python -m examples.gallery` makes all pages that are not there yet, as many at a time as there are cores "
        f"({total / 60:.0f} minutes of one core for those below), `--again` those that are there too. What "
        "agrees is decided by the script from its own figures.\n\n"
    )
    heads = ("page", "of the paper", "agrees", "does not, and why", "command", "of one core")
    return text + table(heads, lines) + "\n"


def percent(share: float) -> str:
    """A share for a text."""
    return f"{100 * share:.1f} %"
