"""What a model says of samples as users have them; writes docs/benchmarks/samples.md and samples.csv.

    python -m benchmarks.samples [--model NAME] [--baseline NAME_OR_PATH | --before CSV ...] [--only KIND ...] [--quick]
        [--out DIR]

The samples are built from lattice constants and a fixed seed, apart from the code that makes samples for training.
Asked are whole structures, periodic and cut out, and boxes of maps. Right is what has the class of the host and is not
rejected. With a baseline, such as the folder of an earlier model, the tables have its figures too; `--before` takes
them from the samples.csv of an earlier run instead.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

import arise_core as arise
from arise_core.errors import AriseError
from benchmarks.measure import DOCS
from benchmarks.samples import earlier
from benchmarks.samples.figures import FEWEST, KEYS, PASSES, chosen, document, find, shares
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
    first = parser.add_mutually_exclusive_group()
    first.add_argument("--baseline", help="model whose figures stand before; default: none")
    first.add_argument(
        "--before",
        nargs="+",
        type=Path,
        metavar="CSV",
        help="samples.csv of an earlier run on the same samples, whose figures stand before; several: of other kinds",
    )
    parser.add_argument("--before-name", default="an earlier model", help="what that is called in the text")
    parser.add_argument("--only", nargs="+", choices=list(KINDS), default=list(KINDS), metavar="KIND")
    parser.add_argument("--quick", action="store_true", help=f"{SHORT} samples a kind")
    parser.add_argument("--samples", type=int, help="samples of a kind at most; default: all")
    parser.add_argument("--out", type=Path, default=DOCS)
    given = parser.parse_args(arguments)
    most = given.samples or (SHORT if given.quick else None)
    samples = chosen(given.only, 1 if given.quick else None, most)
    past = None
    if given.before:
        try:
            past = earlier.of_samples(earlier.read(given.before), samples)
        except AriseError as error:
            parser.error(str(error))
    names = {"before": given.baseline, "after": given.model}
    models = {column: arise.load_model(name) for column, name in names.items() if name}
    said = {column: said_of(model) for column, model in models.items()}
    answers = find(models, samples)
    given.out.mkdir(parents=True, exist_ok=True)
    write(shares(answers, KEYS), given.out)
    if past is not None:  # the figures of this run are kept if these do not fit
        answers = earlier.with_earlier(answers, past)
        write(earlier.with_words(shares(answers, KEYS), past), given.out)
        said = {earlier.COLUMN: given.before_name, **said}
    about = (
        "Made by `python -m benchmarks.samples`: "
        + ", ".join(f"{column} {what}" for column, what in said.items())
        + f"; {PASSES} passes. Shares of right answers in %: the class of the host, not rejected; of what has no "
        f"class, see tubes. Noise of {100 * NOISE:g} % of the nearest-neighbour distance (root mean square), strained "
        "samples 3 to 5 % or none; that of sheets and tubes is said there. Whole structures are periodic or cut out, "
        f"boxes those of maps, with a stride of half their size and at least {FEWEST} atoms. None of these samples "
        "takes part in training."
    )
    text = document(answers, list(said), about)
    (given.out / "samples.md").write_text(text, encoding="utf-8")
    print(text)


def write(figures: pd.DataFrame, folder: Path) -> None:
    """The figures as samples.csv."""
    figures.to_csv(folder / "samples.csv", index=False, float_format="%.4f", lineterminator="\n")


if __name__ == "__main__":
    main()
