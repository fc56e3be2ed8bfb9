"""Columns found and layers recognised in simulated images, over dose; writes docs/benchmarks/images.md and pictures.

    python -m benchmarks.images [--out DIR] [--quick] [--images N] [--only SAMPLE ...]

Images are Gaussian columns with Poisson noise, jitter of the scan lines and blur (``arise_images.simulate_image``). The
naive way beside it is ``peak_local_max`` of scikit-image on the raw image, told half the true distance of columns.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import arise_core as arise
from arise_images import draw_layer
from benchmarks.images.boundary import boundary
from benchmarks.images.page import document, draw_examples
from benchmarks.images.samples import SAMPLES
from benchmarks.images.scores import DOSES, PIXELS, score
from benchmarks.measure import DOCS, QUICK


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.images", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )  # fmt: skip
    parser.add_argument("--out", type=Path, help="of page and pictures; default: docs/benchmarks")
    parser.add_argument("--quick", action="store_true", help="one image a sample and dose, two doses")
    parser.add_argument("--images", type=int, default=1, help="a sample and dose")
    names = [s.name for s in SAMPLES]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="SAMPLE")
    given = parser.parse_args(arguments)
    folder = given.out or (QUICK if given.quick else DOCS)
    folder.mkdir(parents=True, exist_ok=True)
    samples = [s for s in SAMPLES if s.name in given.only]
    doses = DOSES[::2] if given.quick else DOSES
    model = arise.load_model("arise-108")
    rows = []
    for sample in samples:
        for dose in doses:
            rows.append(score(sample, dose, 1 if given.quick else given.images, model))
            print(rows[-1], flush=True)
    others = []
    for sample in samples:
        for pixel in PIXELS[1:4:2] if given.quick else PIXELS:
            others.append(score(sample, DOSES[0], 1 if given.quick else given.images, model, pixel))
            print(others[-1], flush=True)
    seen = boundary(model, half=25.0 if given.quick else 45.0)
    (folder / "images.md").write_text(document(rows, others, seen), encoding="utf-8")
    draw_examples(folder / "images.png", samples)
    draw_layer(seen.image, seen.found).savefig(folder / "images-boundary.png", dpi=70)


if __name__ == "__main__":
    main()
