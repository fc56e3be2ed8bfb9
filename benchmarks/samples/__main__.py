"""What a model says of samples as users have them; writes docs/benchmarks/samples.md and samples.csv.

    python -m benchmarks.samples [--model NAME] [--baseline NAME_OR_PATH] [--only KIND ...] [--quick] [--out DIR]

The samples are built from lattice constants and a fixed seed, apart from the code that makes samples for training.
Asked are whole structures, periodic and cut out, and boxes of maps. Right is what has the class of the host and is not
rejected. With a baseline, such as the folder of an earlier model, the tables have its figures too.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import arise_core as arise
from benchmarks.measure import DOCS
from benchmarks.samples.figures import FEWEST, KEYS, PASSES, document, find, shares
from benchmarks.samples.hosts import NOISE
from benchmarks.samples.kinds import KINDS

SHORT = 12  # samples of a kind in the short form


def said_of(model: arise.Model) -> str:
    """A model, for the text."""
    return f"`{model.name}` ({model.card.weights_sha256[:12]})"


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.samples",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", default="arise-108")
    parser.add_argument("--baseline", help="model whose figures stand before; default: none")
    parser.add_argument("--only", nargs="+", choices=list(KINDS), default=list(KINDS), metavar="KIND")
    parser.add_argument("--quick", action="store_true", help=f"{SHORT} samples a kind")
    parser.add_argument("--samples", type=int, help="samples of a kind at most; default: all")
    parser.add_argument("--out", type=Path, default=DOCS)
    given = parser.parse_args(arguments)
    names = {"before": given.baseline, "after": given.model}
    models = {column: arise.load_model(name) for column, name in names.items() if name}
    most = given.samples or (SHORT if given.quick else None)
    answers = find(models, given.only, 1 if given.quick else None, most)
    about = (
        "Made by `python -m benchmarks.samples`: "
        + ", ".join(f"{column} {said_of(model)}" for column, model in models.items())
        + f"; {PASSES} passes. Shares of right answers in %: the class of the host, not rejected. Noise of "
        f"{100 * NOISE:g} % of the nearest-neighbour distance (root mean square), strained samples 3 to 5 % or none. "
        f"Whole structures are periodic or cut out, boxes those of maps, with a stride of half their size and at least "
        f"{FEWEST} atoms. None of these samples takes part in training."
    )
    text = document(answers, list(models), about)
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "samples.md").write_text(text, encoding="utf-8")
    shares(answers, KEYS).to_csv(
        given.out / "samples.csv", index=False, float_format="%.4f", lineterminator="\n"
    )
    print(text)


if __name__ == "__main__":
    main()
