"""What a model says of crystals that are none of its classes; writes docs/benchmarks/unknown.md.

    python -m benchmarks.unknown [--model NAME] [--passes 100000] [--out DIR] [--only CRYSTAL ...] [--known N]

The crystals are built from their space groups and Wyckoff positions. Their mutual information stands beside that of
the pristine structures of the classes themselves, from the same number of passes. Whether they are rejected is asked
again with displaced atoms and in boxes, as in a map, with 96 passes. Families of crystals say what answers are honest.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import arise_core as arise
from benchmarks.measure import DOCS
from benchmarks.unknown.crystals import CRYSTALS
from benchmarks.unknown.figures import BOX, DELTA, HIGH, SPACING, STRIDE, each, families, find, summary


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.unknown",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", default="arise-108")
    parser.add_argument("--passes", type=int, default=100_000)
    parser.add_argument("--out", type=Path, default=DOCS)
    parser.add_argument(
        "--only", nargs="+", choices=list(CRYSTALS), default=list(CRYSTALS), metavar="CRYSTAL"
    )
    parser.add_argument("--known", type=int, help="structures of the classes at most; default: all")
    given = parser.parse_args(arguments)
    model = arise.load_model(given.model)
    found = find(model, given.passes, given.only, given.known)
    about = (
        f"Made by `python -m benchmarks.unknown`: model `{model.name}` ({model.card.weights_sha256[:12]}), "
        f"{given.passes:,} passes, ideal periodic crystals. A score from {model.card.reject.threshold} on rejects. "
        f"Displaced: by up to {100 * DELTA:.0f} % of the nearest-neighbour distance. Boxes: share of {BOX:g} Å boxes "
        f"that are rejected, crystals scaled to nearest neighbours at {SPACING} Å. Maps: as by default, with boxes of "
        f"several sizes every {STRIDE:g} Å, of cells of {HIGH:g} Å and more: share that is named, without doubt. None "
        "of these crystals takes part in training."
    )
    text = (
        "\n\n".join(
            ["# Crystals that are none of the classes", about, summary(found), families(found), each(found)]
        )
        + "\n"
    )
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "unknown.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
