"""docs/benchmarks/images.md and its pictures."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from arise_core.runtime.tables import markdown
from arise_images import find_atoms
from arise_images.rings import Rings
from benchmarks.images.boundary import Boundary, rows_of
from benchmarks.images.samples import Sample
from benchmarks.images.scores import BLUR, DOSES, EDGE, JITTER, PIXEL, Score, image_and_truth, naive_places

COLUMNS = (
    "sample", "counts", "recall", "precision", "error (Å)", "said (Å)", "naive recall", "naive precision",
    "naive error (Å)", "elements right", "answers", "right", "naive right", "doubt (bit)",
)  # fmt: skip
SAMPLING = (
    "sample", "pixel (Å)", "columns are apart (pixels)", "recall", "precision", "error (Å)", "elements right",
    "answers", "right", "naive right", "doubt (bit)",
)  # fmt: skip
NEAR = (
    "distance (Å)", "columns", "named graphene", "mean doubt (bit)", "largest", "reject score", "defective",
)  # fmt: skip


HEAD = """# Images: columns and layers over dose

`python -m benchmarks.images` made this page. Simulated HAADF images of {edge:g} × {edge:g} Å, {pixel:g} Å a \
pixel, at random orientations in the plane: a Gaussian (standard deviation 0.45 Å) a column, as bright as the \
sum of Z^1.7 of its atoms; scan lines shifted by {jitter:g} Å, blurred by {blur:g} Å, a background of 10 % of \
the brightest atom, Poisson noise. Crystals are two periods thick. The dose is told by the counts in a pixel on \
top of the brightest single atom. Images a row: {images}.

- **recall, precision**: a column is found if a found one is closer than 0.3 of the distance of nearest columns; \
those within 0.5 Å of the rim of the image count neither way, nor do columns fainter than 12 % of the brightest \
(oxygen in SrTiO3).
- **error**: root mean square of a coordinate of those that were found; **said**: what `Columns.errors` says of \
it. Shifts of scan lines are no noise that a fit leaves: they are not in it.
- **naive**: `peak_local_max` of scikit-image on the raw image. It is told half the true distance of columns as \
the least one, and takes what is above 30 % of the 99 % quantile of the image; its elements are told at half the \
brightness.
- **elements right**: share of columns whose element is right, of the two that the user names.
- **right**: share of images with the right pattern and the right label: graphene and BN are named; MoS2 and \
SrTiO3 are undecided, as nobody said that they are one layer; fcc ⟨110⟩ is rejected. **naive right**: the right \
pattern from the naive columns.

"""
EXAMPLES = """
![Images, true columns (crosses), found ones (rings), naive ones (dots)](images.png)

*A corner of an image of each sample at 10 counts: true columns (green crosses), found ones (orange rings), \
naive ones (blue dots).*

## Finer and coarser pixels

The same at the first of these doses: finer pixels share the same electrons, so at {finest:g} Å the brightest has \
{counts:.1f} counts.

{sampling}

## A boundary in graphene

Two half-sheets turned by 21.8°, {size:.0f} × {size:.0f} Å, 30 counts, a map every 4 Å. The atoms have rings of \
these sizes: {true}; the columns that were found: {found}. The image as a whole: {label}, doubt {doubt:.3f} bit. \
By distance from the nearest pentagon or heptagon of the atoms:

"""
END = """
The mutual information of `arise-108` at such a boundary is far above that of the sheet beside it, and low all \
the same: layers with boundaries are part of the training, and are graphene there. What marks the boundary is \
the doubt together with the rings.

![Left: columns. Right: doubt, defective columns (ringed), pentagons and heptagons (filled)](images-boundary.png)
"""


def document(rows: Sequence[Score], others: Sequence[Score], seen: Boundary) -> str:
    """The page; `others` are of other sizes of a pixel."""
    head = HEAD.format(
        edge=EDGE, pixel=PIXEL, jitter=JITTER, blur=BLUR, images=max(len(r.label) for r in rows)
    )
    finest = min((r.pixel for r in others), default=PIXEL)
    sampling = markdown(SAMPLING, [_sampled(r) for r in others], range(1, 7))
    examples = EXAMPLES.format(
        finest=finest, counts=DOSES[0] * (finest / PIXEL) ** 2, sampling="\n".join(sampling),
        size=seen.image.shape[0] * PIXEL, true=_rings(seen.truth), found=_rings(seen.found.rings),
        label=seen.found.label, doubt=seen.found.doubt,
    )  # fmt: skip
    table = markdown(COLUMNS, [_cells(r) for r in rows], range(1, 10))
    near = markdown(NEAR, rows_of(seen), range(1, len(NEAR)))
    return head + "\n".join(table) + "\n" + examples + "\n".join(near) + "\n" + END


def _rings(rings: Rings) -> str:
    return ", ".join(f"{count} of {size}" for size, count in rings.counts.items())


def _answers(row: Score) -> str:
    return ", ".join(f"{n} × {name}" if n > 1 else name for name, n in Counter(row.label).most_common())


def _sampled(row: Score) -> list[str]:
    return [
        row.sample, f"{row.pixel:g}", f"{row.spacing:.1f}", _share(row.columns.recall), _share(row.columns.precision),
        _number(row.columns.rms), _share(row.elements), _answers(row), _share(row.right), _share(row.naive_right),
        _number(row.doubt),
    ]  # fmt: skip


def _cells(row: Score) -> list[str]:
    ours, naive = row.columns, row.naive
    return [
        row.sample, f"{row.dose:g}", _share(ours.recall), _share(ours.precision), _number(ours.rms),
        _number(row.said), _share(naive.recall), _share(naive.precision), _number(naive.rms),
        _share(row.elements), _answers(row), _share(row.right), _share(row.naive_right), _number(row.doubt),
    ]  # fmt: skip


def _share(value: float) -> str:
    return "–" if math.isnan(value) else f"{100 * value:.1f} %"


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def draw_examples(path: Path, samples: Sequence[Sample], dose: float = 10.0) -> None:
    """A corner of an image of each sample with what was found."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.2 * len(samples), 3.5), dpi=110, layout="constrained")
    shown = int(16 / PIXEL)
    for panel, sample in zip(figure.subplots(1, len(samples), squeeze=False)[0], samples, strict=True):
        image, truth, _ = image_and_truth(sample, dose, 100)
        found = find_atoms(image, PIXEL)
        panel.imshow(image, cmap="gray", vmax=np.quantile(image, 0.998))
        naive = naive_places(image, truth)
        panel.plot(naive[:, 1], naive[:, 0], ".", color="#56b4e9", markersize=4)
        panel.plot(truth[:, 1], truth[:, 0], "+", color="#009e73", markersize=6)
        panel.plot(
            found.pixels[:, 1], found.pixels[:, 0], "o", color="#e69f00", markersize=8, fillstyle="none"
        )
        panel.set_xlim(0, shown)
        panel.set_ylim(shown, 0)
        panel.set_axis_off()
        panel.set_title(f"{sample.name}", fontsize="small")
    figure.savefig(path)
