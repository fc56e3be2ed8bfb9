"""How often the cell of a noisy unknown crystal is rebuilt and named; writes docs/benchmarks/name_unknown.md.

    python -m benchmarks.name_unknown [--out DIR] [--only CRYSTAL ...] [--short] [--matid]

Balls cut out of crystals that are no class, turned at random, with Gaussian displacements; no tolerance is told. An
answer is right if space group, composition and the lengths (2 %) and angles (1.5°) of the reduced primitive cell are.
`--matid` asks MatID too (python -m pip install matid), for the 20 crystals of the acceptance (minutes).
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

import arise_core as arise
from arise_core.geometry import builders
from benchmarks.measure import DOCS
from benchmarks.name_unknown.cases import case, chosen, same_cell
from benchmarks.unknown.crystals import CRYSTALS

Change = Callable[[arise.Structure, np.random.Generator], arise.Structure]


def vacancies(structure: arise.Structure, rng: np.random.Generator) -> arise.Structure:
    return builders.remove_atoms(structure, 0.1, rng)


def misplaced(structure: arise.Structure, rng: np.random.Generator) -> arise.Structure:
    """Every tenth atom of an element of the crystal at random, or gold in an elemental one."""
    numbers, kinds = structure.numbers.copy(), structure.species
    hit = rng.random(len(numbers)) < 0.1
    numbers[hit] = rng.choice(kinds, hit.sum()) if len(kinds) > 1 else 79
    return arise.Structure(structure.positions, numbers, structure.cell, structure.pbc)


def molten(structure: arise.Structure, rng: np.random.Generator) -> arise.Structure:
    """The upper 40 % moved by 1 Å along each axis: no crystal any more."""
    places = structure.positions.copy()
    upper = places[:, 2] > np.quantile(places[:, 2], 0.6)
    places[upper] += rng.normal(0, 1.0, (upper.sum(), 3))
    return arise.Structure(places, structure.numbers, structure.cell, structure.pbc)


def hot(structure: arise.Structure, rng: np.random.Generator) -> arise.Structure:
    """Displacements of 6 % of which 60 % of the variance are sound waves, as in a hot crystal."""
    spacing = builders.nearest_neighbour_distance(structure)
    cutoff = (6 * np.pi**2 / (0.8 * spacing**3)) ** (1 / 3)
    moves = builders.thermal_noise(structure.positions, 0.06 * spacing, 0.6, cutoff, rng)
    return arise.Structure(structure.positions + moves, structure.numbers, structure.cell, structure.pbc)


#: Name, noise, atoms, and what else is done to them.
CONDITIONS: tuple[tuple[str, float, int, Change | None], ...] = (
    ("5 %, 2,000 atoms", 0.05, 2000, None),
    ("5 %, 1,000 atoms", 0.05, 1000, None),
    ("5 %, 400 atoms", 0.05, 400, None),
    ("5 %, 200 atoms", 0.05, 200, None),
    ("8 %, 1,000 atoms", 0.08, 1000, None),
    ("10 %, 2,000 atoms", 0.10, 2000, None),
    ("hot, 1,500 atoms", 0.0, 1500, hot),
    ("5 %, 10 % of 1,500 atoms missing", 0.05, 1500, vacancies),
    ("5 %, 10 % of 1,500 atoms of any element", 0.05, 1500, misplaced),
    ("5 %, 40 % of 2,000 atoms disordered", 0.05, 2000, molten),
)


def answers(
    crystals: Sequence[str], noise: float, atoms: int, change: Change | None, seed: int
) -> pd.DataFrame:
    """What is found of each crystal."""
    rows = []
    for crystal in crystals:
        one = case(crystal, noise=noise, atoms=atoms, seed=seed)
        piece = one.piece if change is None else change(one.piece, np.random.default_rng(seed))
        start = time.perf_counter()
        found = arise.rebuild_cell(piece)
        seconds = time.perf_counter() - start
        row = {"crystal": crystal, "group": one.group, "seconds": seconds, "named": False, "doubt": False}
        if isinstance(found, arise.RebuiltCell):
            right = found.group == one.group and same_cell(found.structure, one.ideal)
            kind = arise.name_crystal(found).type
            row |= {
                "answer": "right" if right else "wrong",
                "named": kind is not None and kind.crystal.label == crystal,
                "doubt": bool(found.doubts),
                "said": f"{found.symbol}, {len(found.structure)} atoms; {100 * found.share:.0f} % fit",
            }
        else:
            row |= {"answer": "none", "said": found.reason}
        rows.append(row)
    return pd.DataFrame(rows)


def summary(found: dict[str, pd.DataFrame]) -> str:
    rows = []
    for name, table in found.items():
        count = Counter(zip(table["answer"], table["doubt"], strict=True))
        first = table[table["crystal"].isin(chosen())]
        rows.append(
            {
                "noise, atoms": name,
                "crystals": len(table),
                "cell and space group right": count["right", False] + count["right", True],
                "of the 20": f"{(first['answer'] == 'right').sum()} of {len(first)}",
                "named": int(table["named"].sum()),
                "right, in doubt": count["right", True],
                "wrong, in doubt": count["wrong", True],
                "wrong, no doubt": count["wrong", False],
                "no cell": count["none", False],
                "seconds each": round(table["seconds"].mean(), 1),
            }
        )
    return pd.DataFrame(rows).to_markdown(index=False)


def failures(found: dict[str, pd.DataFrame]) -> str:
    rows = [
        {"noise, atoms": name, "crystal": r.crystal, "said": r.said, "in doubt": "yes" if r.doubt else ""}
        for name, table in found.items()
        for r in table[table["answer"] != "right"].itertuples()
    ]
    return pd.DataFrame(rows).to_markdown(index=False) if rows else "None."


def matid() -> str:
    """Of the 20 crystals, how many MatID finds with each of its settings."""
    from benchmarks.name_unknown.by_matid import SEARCHES, TOLERANCES, asked

    rows = []
    cases = [case(crystal, noise=0.05, atoms=1000) for crystal in chosen()]
    for search in SEARCHES:
        found = [asked(one, search) for one in cases]
        for k, tolerance in enumerate(TOLERANCES):
            rows.append(
                {
                    "largest cell, Å": search[0],
                    "tolerance of positions, Å": search[1] or "0.35 d_NN",
                    "of symmetry, Å": tolerance,
                    "space group": sum(a.group[k] for a in found),
                    "cell and space group": sum(a.cell[k] for a in found),
                    "seconds each": round(float(np.mean([a.seconds for a in found])), 1),
                }
            )
    return pd.DataFrame(rows).to_markdown(index=False)


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.name_unknown",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=DOCS)
    parser.add_argument(
        "--only", nargs="+", choices=list(CRYSTALS), default=list(CRYSTALS), metavar="CRYSTAL"
    )
    parser.add_argument("--short", action="store_true", help="the first condition only")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--matid", action="store_true")
    given = parser.parse_args(arguments)
    conditions = CONDITIONS[:1] if given.short else CONDITIONS
    found = {name: answers(given.only, *rest, given.seed) for name, *rest in conditions}
    parts = [
        "# Cells of unknown crystals",
        "Made by `python -m benchmarks.name_unknown`. Balls cut out of crystals that are none of the 108 classes, "
        "turned at random, each coordinate displaced by a normally distributed number whose standard deviation is "
        "the given share of the nearest-neighbour distance. Right: space group, composition, lengths (2 %) and angles "
        "(1.5°) of the reduced primitive cell. Named: the crystal's own entry among the 110 bulk crystals of the "
        "tables. No setting differs between rows.",
        summary(found),
        "## What went wrong",
        failures(found),
    ]
    if given.matid:
        parts += ["## MatID", "20 crystals, 1,000 atoms, 5 %; searches are stopped after 60 s.", matid()]
    text = "\n\n".join(parts) + "\n"
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "name_unknown.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
