"""Whether 50 suggested samples teach a new class better than 50 random ones; writes docs/benchmarks/suggest.md.

    python -m benchmarks.suggest --write
    python -m benchmarks.suggest [--out DIR] [--n 50] [--pool 1000] [--pools 3] [--draws 3] [--only CRYSTAL ...]

A pool of structures without labels holds a few of a crystal that is no class, besides noisy supercells and pieces of
the 108 classes, boundaries, melts and other crystals that are no class. Some are labelled, the model is taught the new
class from those labels alone and samples of what it knew, and then asked about structures that it was not taught.
About 15 minutes of one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import arise_core as arise
from arise_core.crystals.crystal import Crystal
from arise_core.training.edit_classes import crystals_of
from arise_core.training.samples.mixture import PerturbedSamples
from benchmarks.measure import DOCS, QUICK
from benchmarks.suggest.pool import NEW, RARE, SHARES, Pool, mixed, new_crystals, pieces_of
from benchmarks.suggest.teaching import (
    ALL,
    RANDOM,
    SETTINGS,
    WAYS,
    WEIGHT,
    Asked,
    Score,
    remembered,
    score,
    taught,
)
from benchmarks.tables import markdown

BEFORE = "none"
#: Structures that the taught models are asked about: of a pool without the new crystal, and of that.
ASKED, ASKED_NEW = 600, 100


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is measured."""

    n: int = 50  # samples that are labelled
    pool: int = 1000  # structures in a pool
    pools: int = 3
    draws: int = 3  # of random samples from each pool
    asked: int = ASKED
    asked_new: int = ASKED_NEW


@dataclass(frozen=True)
class Bench:
    """What all runs share."""

    model: arise.Model
    memory: Pool
    samples: PerturbedSamples
    test: Pool  # without the new crystals
    pools: Sequence[Pool]  # without the new crystals
    size: Size

    @classmethod
    def of(cls, model: arise.Model, size: Size) -> Bench:
        """Make pools, and samples to remember."""
        memory, samples = remembered(model, new_crystals(model), 0)
        old = crystals_of(model.card)
        rest = round(size.pool * (1 - RARE))
        pools = [mixed(rest, old, samples, model, seed + 1) for seed in range(size.pools)]
        return cls(model, memory, samples, mixed(size.asked, old, samples, model, 0), pools, size)

    def rows(self, crystal: Crystal) -> Iterator[dict[str, object]]:
        """Scores of all ways to choose, for a new crystal."""
        size, name = self.size, crystal.label
        test = self.test.with_more(pieces_of(crystal, size.asked_new, self.samples, self.model, 0))
        yield _row(name, BEFORE, 0, 0, score(self.model, name, test))
        for seed, others in enumerate(self.pools):
            few = pieces_of(crystal, round(size.pool * RARE), self.samples, self.model, seed + 1)
            asked = Asked.of(others.with_more(few), self.model)
            for way in WAYS:
                for draw in range(size.draws if way == RANDOM else 1):
                    rng = np.random.default_rng([seed, draw])
                    labelled = asked.chosen(way, size.n, rng)
                    yield _row(
                        name, way, seed, draw,
                        taught(self.model, crystal, self.memory, labelled, test, 10 * seed + draw),
                    )  # fmt: skip


def _row(crystal: str, way: str, pool: int, draw: int, result: Score) -> dict[str, object]:
    row = {"crystal": crystal, "way": way, "pool": pool, "draw": draw, **asdict(result)}
    print(", ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{v}" for k, v in row.items()), flush=True)
    return row


def summary(found: pd.DataFrame) -> str:
    """A row a way to choose: medians over crystals, pools and draws, and the worst of them."""
    rows = []
    for way in (BEFORE, *WAYS):
        these = found[found["way"] == way]
        rows.append(
            (
                way,
                str(len(these)) if way != BEFORE else "",
                _middle(these["new_labelled"], "g"),
                _middle(100 * these["recall"]),
                _middle(100 * these["accuracy"]),
                _middle(100 * these["rejected"]),
                _middle(-100 * these["taken_for_it"], ".2f"),
            )
        )
    heads = (
        "labelled", "fits", "of the new class", "recall, %", "old classes right, %", "others rejected, %",
        "others taken for it, %",
    )  # fmt: skip
    return markdown(rows, heads, ("left", *["right"] * 6))


def _middle(values: pd.Series[float], form: str = ".1f") -> str:
    """Median, and the least in brackets."""
    return f"{abs(values.median()):{form}} ({abs(values.min()):{form}})"


def by_crystal(found: pd.DataFrame) -> str:
    """Recall of each crystal by each way, medians."""
    rows = [
        (name, *(f"{100 * these.loc[these['way'] == way, 'recall'].median():.1f}" for way in WAYS))
        for name, these in found.groupby("crystal", sort=False)
    ]
    return markdown(rows, ("new crystal", *WAYS), ("left", *["right"] * len(WAYS)))


def page(found: pd.DataFrame, model: arise.Model, memory: int, size: Size) -> str:
    """The document."""
    shares = ", ".join(f"{100 * share:.0f} % {kind}" for kind, share in SHARES.items())
    about = (
        f"Made by `python -m benchmarks.suggest --write`: model `{model.name}` "
        f"({model.card.weights_sha256[:12]}). Of {size.pool:,} structures without labels, {100 * RARE:.0f} % are of a "
        f"crystal that is no class ({', '.join(NEW)}; one at a time); of the others {shares}. All but melts have "
        "displacements, sound waves, strain and missing atoms as in training. An expert labels "
        f"{size.n} of them: boundaries by the larger crystal, melts and other crystals as none. The model learns the "
        f"class from these labels and {memory:,} samples of what it knew, {SETTINGS.epochs} epochs at "
        f"{SETTINGS.learning_rate:g}; samples of the new class count {WEIGHT} together, however many there are. No "
        f"perfect crystal is shown. Then it is asked about {size.asked:,} structures of the same kinds and "
        f"{size.asked_new} of the new crystal. {size.pools} pools a crystal, {size.draws} draws where chance decides."
    )
    meaning = (
        "Medians, in brackets the worst. Recall: share of the new crystal that gets its name. Others: melts, crystals "
        f"that are no class; taken for it: of all that is not the new crystal. “{ALL}”: the whole pool labelled, what "
        "there is to gain."
    )
    parts = [
        "# Suggested and random samples",
        about,
        meaning,
        summary(found),
        "Recall by crystal, %, medians:",
        by_crystal(found),
    ]
    return "\n\n".join(parts) + "\n"


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.suggest", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    size = Size()
    parser.add_argument("--write", action="store_true", help="write the page of the documents")
    parser.add_argument("--out", type=Path, help="folder for the page")
    parser.add_argument("--n", type=int, default=size.n, help="samples that are labelled")
    parser.add_argument("--pool", type=int, default=size.pool, help="structures in a pool")
    parser.add_argument("--pools", type=int, default=size.pools)
    parser.add_argument("--draws", type=int, default=size.draws)
    parser.add_argument("--asked", type=int, default=size.asked)
    parser.add_argument("--asked-new", type=int, default=size.asked_new)
    parser.add_argument("--only", nargs="+", choices=NEW, default=list(NEW), metavar="CRYSTAL")
    given = parser.parse_args(arguments)
    size = Size(
        n=given.n, pool=given.pool, pools=given.pools, draws=given.draws, asked=given.asked,
        asked_new=given.asked_new,
    )  # fmt: skip
    model = arise.load_model("arise-108")
    bench = Bench.of(model, size)
    print("structures described", flush=True)
    found = pd.DataFrame(
        [row for crystal in new_crystals(model) if crystal.label in given.only for row in bench.rows(crystal)]
    )
    text = page(found, model, len(bench.memory), size)
    folder = given.out or (DOCS if given.write else QUICK)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "suggest.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
