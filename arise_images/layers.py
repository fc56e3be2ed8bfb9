"""What the layer in an image is: as a whole, column by column, and whether it may be a projection instead.

An image shows where columns are, not how long they are. Many crystals look along some axis just as a flat layer does:
SrTiO3 along [001] as a monolayer of PbSe. A network that only sees the points is sure of the layer. So its answer
is one about the pattern, and a layer is named only if something else than the pattern speaks for it.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from arise_core.crystals.naming import NONE, REJECTED
from arise_core.errors import check_type
from arise_core.geometry.arrays import BoolArray, IntArray
from arise_core.geometry.material import Material
from arise_core.model.classes import MISSING
from arise_core.model.model import Model, check_model
from arise_core.progress import Job, Progress, part, run, silent
from arise_core.recognition.result import Recognition, recognise_steps
from arise_core.settings import RecognitionSettings
from arise_images.columns import Columns
from arise_images.elements import order_of_brightness
from arise_images.rings import Rings, find_rings

PATTERNS = Path(__file__).with_name("patterns.csv")
#: What a layer is called that may as well be a projection.
UNDECIDED = "undecided"
#: Two distances are the same if they differ by no more than this share: the size of a pixel is not known better.
SAME = 0.05
#: Columns that are closer than this, Å, speak for a layer whose own are: a honeycomb of elements of the second period,
#: up to this atomic number. Of crystals that look so only cobalt and hexagonal diamond along [001], 1.45 Å both, are
#: as close.
CLOSE, LIGHT = 1.52, 10
#: Elements that have this share of the columns at least are those of the layer, others are foreign to it.
OWN = 0.25
#: Brightness that scatters by more than this share may be that of two elements: that of B and N does by 0.28.
NOISY = 0.25
#: Doubt whether it is a layer or a projection where nothing speaks for either, bit.
EITHER = 1.0
#: A column is in a defective region if its doubt is larger than this, bit, if it is rejected, of another class than the
#: layer, or in a ring of another size than most; most: this share.
DOUBTFUL = 0.1
MOST = 0.8


@dataclass(frozen=True)
class Pattern:
    """A layer or crystal that looks like a flat layer of the model."""

    pattern: str  # short name of the flat layer
    seen: str  # short name of the class that looks so
    axis: str  # along which it is seen; "" for the normal of a layer
    distance: float  # of the nearest columns at the lattice constant of the prototype, Å
    layer: bool

    def __str__(self) -> str:
        return f"{self.seen} along {self.axis}" if self.axis else self.seen


@cache
def patterns() -> tuple[Pattern, ...]:
    """All that is known to look like a flat layer; made by `benchmarks/images/projections.py`."""
    with PATTERNS.open(encoding="utf-8", newline="") as file:
        return tuple(
            Pattern(r["pattern"], r["seen"], r["axis"], float(r["distance"]), r["layer"] == "1")
            for r in csv.DictReader(file)
        )


@dataclass(frozen=True)
class ImageRecognition:
    """What the layer in an image is."""

    columns: Columns
    whole: Recognition  # of the pattern: one answer for all columns
    local: Recognition  # of the pattern at each column
    one_layer: bool  # the user knows that the sample is one layer thick

    @property
    def pattern(self) -> str:
        """What the model says of the pattern: a short name, "rejected" or "none"."""
        return self.whole.label

    @cached_property
    def candidates(self) -> tuple[Pattern, ...]:
        """What looks like the pattern, layers first; layers at another distance, if that is known, are left out."""
        found = [p for p in patterns() if p.pattern == self.pattern]
        if not self.columns.assumed_pixel_size:
            near = self.columns.spacing
            found = [p for p in found if not p.layer or abs(p.distance / near - 1) <= SAME]
        return tuple(sorted(found, key=lambda p: (not p.layer, p.seen != self.pattern)))

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers that fit pattern and, if it is known, distance."""
        return tuple(dict.fromkeys(p.seen for p in self.candidates if p.layer))

    @property
    def projections(self) -> tuple[str, ...]:
        """Crystals and axes that look as the pattern does."""
        return tuple(dict.fromkeys(str(p) for p in self.candidates if not p.layer))

    @property
    def projection_doubt(self) -> float:
        """Doubt whether this is a layer or the projection of a crystal, bit: 0 or 1; NaN if the pattern has no name.

        0 if the user knows that it is one layer and one is known that fits, or if the columns are closer to each other
        than those of crystals that look so; 1 otherwise.
        """
        if self.pattern in (NONE, REJECTED):
            return float("nan")
        if self.one_layer:
            return EITHER if self._fits_no_layer else 0.0
        short = any(p.layer and p.distance < CLOSE for p in self.candidates)
        return 0.0 if self._close and short and not self._too_heavy else EITHER

    @property
    def _close(self) -> bool:
        """Whether columns are known to be closer than those of projected crystals."""
        return self.columns.spacing < CLOSE and not self.columns.assumed_pixel_size

    @property
    def _fits_no_layer(self) -> bool:
        """Whether the size of a pixel is known, and no layer of the pattern has columns so far apart."""
        return not self.layers and not self.columns.assumed_pixel_size

    @property
    def _too_heavy(self) -> bool:
        """Whether the elements that the user names are none that could be as close as `CLOSE`."""
        numbers, counts = np.unique(self.columns.structure.numbers, return_counts=True)
        own = numbers[counts >= OWN * counts.sum()]
        return bool(self.columns.named and (own > LIGHT).any())

    @property
    def element_doubt(self) -> float:
        """Mean doubt of the columns about their elements, bit."""
        return float(self.columns.kind_doubt.mean())

    @cached_property
    def _order(self) -> tuple[bool, float]:
        """Order and scatter of the brightness of columns that are taken for one kind, though nobody said so."""
        one_kind = self.columns.kinds.max() == 0
        return order_of_brightness(self.columns) if one_kind and not self.columns.named else (False, 0.0)

    @property
    def brightness_doubt(self) -> float:
        """Doubt about the number of elements, bit: 0, or 1 if nobody has named a single one and brightness is in doubt.

        It is where many columns are as bright as the image can be, so that BN looks as graphene does; where brightness
        scatters as much as that of two elements; and where bright and faint columns alternate though noise hides the
        two kinds.
        """
        one = self.columns.named and self.columns.kinds.max() == 0
        ordered, scatter = self._order
        doubtful = self.columns.brightness_is_cut or ordered or scatter > NOISY
        return EITHER if doubtful and not one else 0.0

    @property
    def label(self) -> str:
        """What the layer is called: a short name, several with "or", "undecided", "rejected" or "none"."""
        if self.pattern in (NONE, REJECTED):
            return self.pattern
        if self.projection_doubt > 0 or self.brightness_doubt > 0:
            return UNDECIDED
        return self.pattern if self.columns.assumed_pixel_size else _named(self.pattern, self.layers)

    @property
    def doubt(self) -> float:
        """All doubt about the name, bit: of the model, of the projection, and of elements; NaN without a name."""
        elements = self.element_doubt + self.brightness_doubt
        return self.whole.mutual_information + self.projection_doubt + elements

    @cached_property
    def rings(self) -> Rings:
        """Rings of bonded columns."""
        return find_rings(self.columns.structure)

    @cached_property
    def odd_rings(self) -> IntArray:
        """Rings of another size than most, (n_odd,), as rows of `rings`; none where no size is that of most."""
        size = self.rings.size
        if len(size) == 0:
            return np.zeros(0, dtype=np.int64)
        usual = int(np.bincount(size).argmax())
        return np.flatnonzero(size != usual) if (size == usual).mean() > MOST else np.zeros(0, dtype=np.int64)

    @cached_property
    def defective(self) -> BoolArray:
        """Columns in doubt, rejected, of another class than the whole, or in odd rings, (n,)."""
        local = self.local
        other = (local.atoms.index != self.whole.index) & (local.atoms.index != MISSING)
        with np.errstate(invalid="ignore"):
            found = local.atom_rejected | other | (local.atoms.mutual_information > DOUBTFUL)
        for ring in self.odd_rings.tolist():
            found[list(self.rings.members[ring])] = True
        return np.asarray(found)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed and what to think of, a sentence each."""
        said = list(self.columns.notes)
        if self.pattern in (NONE, REJECTED):
            return tuple(said)
        if self._fits_no_layer:
            said.append(
                f"the pattern is that of {self.pattern}, but no layer of it that is known has columns "
                f"{self.columns.spacing:.2f} Å apart"
            )
        if self.projection_doubt > 0 and not self.one_layer:
            like = f"; so look {_listed(self.projections)}" if self.projections else ""
            said.append(f"the pattern is that of {self.pattern}, of a layer or of a projected crystal{like}")
            if self._too_heavy and self._close:
                said.append(
                    f"the elements that are named are never as close as {self.columns.spacing:.2f} Å: is `pixel_size` "
                    "right?"
                )
        ordered, scatter = self._order
        if ordered:
            said.append(
                "bright and faint columns alternate, though noise hides two kinds: `elements` names them"
            )
        elif scatter > NOISY:
            said.append(
                f"brightness scatters by {scatter:.0%}: two elements may hide in it; `elements` names them"
            )
        others = [name for name in self.layers if name != self.pattern]
        if others:
            said.append(f"layers with the same pattern: {_listed(tuple(others))}")
        if not self.columns.named and self.columns.kinds.max() > 0:
            said.append(
                f"brightness shows {self.columns.kinds.max() + 1} kinds of columns; `elements` names them"
            )
        return tuple(said)

    def record(self) -> dict[str, Any]:
        """What the image shows, in plain types; NaN without a prediction."""
        columns = self.columns
        return {
            **self.whole.record(),
            "label": self.label,
            "pattern": self.pattern,
            "doubt": self.doubt,
            "projection_doubt": self.projection_doubt,
            "layers": list(self.layers),
            "projections": list(self.projections),
            "n_columns": len(columns),
            "spacing": columns.spacing,
            "pixel_size": columns.pixel_size,
            "pixel_size_known": not columns.assumed_pixel_size,
            "position_error": float(np.median(columns.errors)),
            "contrast": "dark" if columns.dark else "bright",
            "kinds": int(columns.kinds.max()) + 1,
            "element_doubt": self.element_doubt,
            "brightness_doubt": self.brightness_doubt,
            "defective": float(self.defective.mean()),
            "rings": {str(size): count for size, count in self.rings.counts.items()},
            "notes": list(self.notes),
        }


def _named(pattern: str, layers: tuple[str, ...]) -> str:
    return pattern if pattern in layers else " or ".join(layers)


def _listed(words: tuple[str, ...], most: int = 4) -> str:
    """Words in a row, the first few of them."""
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more


def recognise_layer(
    columns: Columns,
    model: Model,
    *,
    one_layer: bool = False,
    settings: RecognitionSettings | None = None,
    progress: Progress = silent,
) -> ImageRecognition:
    """What the layer of some columns is, as a whole and at each column.

    Args:
        columns: of `find_atoms`, with elements of `tell_elements` where there are several.
        model: from `load_model`.
        one_layer: the sample is known to be one layer thick; else a pattern that crystals show too is "undecided".
        settings: of the map and of the passes; their mode is not looked at.
        progress: called with the share of the work done.

    Raises:
        InputError: an argument that is not what it has to be, or a stride larger than the box.
    """
    chosen = RecognitionSettings() if settings is None else settings
    return run(recognise_layer_steps(columns, model, chosen, one_layer), progress)


def recognise_layer_steps(
    columns: Columns, model: Model, settings: RecognitionSettings, one_layer: bool
) -> Job[ImageRecognition]:
    """`recognise_layer` as a job."""
    check_type("columns", columns, Columns, "Columns")
    check_type("settings", settings, RecognitionSettings, "RecognitionSettings")
    check_type("one_layer", one_layer, bool, "True or False")
    check_model(model)
    material = Material.of(columns.structure)
    job = recognise_steps(material, model, _in_mode(settings, "whole"))
    whole = yield from part(job, 0.0, 0.2)
    local = yield from part(recognise_steps(material, model, _in_mode(settings, "local")), 0.2, 1.0)
    return ImageRecognition(columns, whole, local, one_layer)


def _in_mode(settings: RecognitionSettings, mode: str) -> RecognitionSettings:
    return RecognitionSettings.of({**settings.to_options(), "mode": mode})
