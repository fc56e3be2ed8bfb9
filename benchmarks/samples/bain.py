"""What a model says along the Bain path, fcc to bcc and beyond; writes docs/bain.md and docs/pictures/bain.png.

    python -m benchmarks.samples.bain [--model NAME] [--passes 1000] [--steps 120] [--out DIR]

A face-centred tetragonal crystal at constant volume, over c/a: 1 is fcc, 1/√2 bcc.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms

import arise_core as arise
from ase_arise import from_atoms
from benchmarks.measure import ROOT
from benchmarks.samples.hosts import shaken, supercell
from benchmarks.samples.strain import INDIUM
from benchmarks.tables import markdown

FROM, TO = 0.6, 1.8
VOLUME = 11.81  # Å³ an atom, copper
NOISE = 0.03  # root mean square displacement over the nearest-neighbour distance
DRAWS = 4  # noisy supercells
BCC = 1 / np.sqrt(2)
SHOWN = 3  # classes in a row of the table, at most
LEAST = 0.005  # probability of a class that is shown
EVERY = 0.05  # c/a from row to row of the table
MARKS = {"bcc": BCC, "fcc": 1.0, "In": INDIUM}


def cell(ratio: float) -> Atoms:
    """The face-centred tetragonal cell of an axial ratio."""
    a = np.cbrt(4 * VOLUME / ratio)
    corners = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
    return Atoms("Cu4", scaled_positions=corners, cell=[a, a, ratio * a], pbc=True)


def neighbours(ratio: float) -> float:
    """Distance of nearest neighbours, Å: in the square plane, between the planes, or along the axis."""
    a = np.cbrt(4 * VOLUME / ratio)
    return float(a * min(np.sqrt(0.5), np.sqrt(0.25 + ratio**2 / 4), ratio))


def ratios(steps: int) -> np.ndarray:
    """Axial ratios from `FROM` to `TO`, and those of `MARKS`, ascending."""
    return np.unique(np.round([*np.linspace(FROM, TO, steps + 1), *MARKS.values()], 4))


def walk(model: arise.Model, path: np.ndarray, passes: int) -> dict[str, arise.Prediction]:
    """Predictions along the path, ideal ones and those of noisy supercells (`DRAWS` rows a ratio)."""
    rng = np.random.default_rng(0)
    ideal = [from_atoms(cell(r)) for r in path]
    noisy = [
        from_atoms(shaken(supercell(cell(r)), neighbours(r), rng, NOISE)) for r in path for _ in range(DRAWS)
    ]
    return {
        "ideal": arise.classify(ideal, model, passes=passes),
        "displaced": arise.classify(noisy, model, passes=passes),
    }


def mean_rows(p: arise.Prediction, n: int) -> pd.DataFrame:
    """Probabilities by class, mutual information and reject score, means over the rows of each of n ratios."""
    frame = pd.DataFrame(p.probabilities.astype(float), columns=[c.name for c in p.classes])
    frame["information"], frame["score"] = p.mutual_information, p.reject_score
    return frame.groupby(np.arange(len(frame)) // (len(frame) // n)).mean()


def said(row: pd.Series) -> str:
    """The leading classes and their probabilities."""
    first = row.drop(["information", "score"]).sort_values(ascending=False, kind="stable")[:SHOWN]
    return ", ".join(f"{name} {p:.2f}" for name, p in first.items() if p >= LEAST)


def table(path: np.ndarray, means: Mapping[str, pd.DataFrame]) -> str:
    """A row every `EVERY`, and one each for bcc, fcc and indium."""
    rows = []
    marks = {round(v, 4): f" ({k})" for k, v in MARKS.items()}
    for k, ratio in enumerate(path):
        mark = marks.get(float(ratio), "")
        if not mark and abs(ratio / EVERY - round(ratio / EVERY)) > 1e-6:
            continue
        row = [f"{ratio:.3f}{mark}"]
        for mean in means.values():
            at = mean.iloc[k]
            row += [said(at), f"{at['information']:.3f}", f"{at['score']:.3f}"]
        rows.append(row)
    heads = ["c/a"] + [f"{state}: {w}" for state in means for w in ("probabilities", "bit", "reject score")]
    return markdown(rows, heads, ["left"] + ["left", "right", "right"] * len(means))


def plot(path: np.ndarray, means: Mapping[str, pd.DataFrame], threshold: float | None, file: Path) -> None:
    """Probabilities above, mutual information and reject score below; ideal left, displaced right."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 5.5), layout="constrained")
    axes = figure.subplots(2, len(means), sharex=True, sharey="row", squeeze=False)
    highest = pd.concat(list(means.values())).drop(columns=["information", "score"]).max()
    leading = highest[highest > 0.2].index
    for column, (state, mean) in zip(axes.T, means.items(), strict=True):
        upper, lower = column
        for name in leading:
            upper.plot(path, mean[name], label=name)
        lower.plot(path, mean["information"], color="black", label="mutual\ninformation, bit")
        lower.plot(path, mean["score"], color="grey", linestyle="--", label="reject score")
        if threshold is not None:
            lower.axhline(threshold, color="grey", linewidth=0.5)
        for axis in column:
            for ratio in MARKS.values():
                axis.axvline(ratio, color="lightgrey", linewidth=0.8, zorder=0)
        upper.set_title(state)
        lower.set_xlabel("c/a")
    axes[0, 0].set_ylabel("probability")
    for row in axes:
        row[-1].legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=90, metadata={"Software": None})


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.samples.bain",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", default="arise-108")
    parser.add_argument("--passes", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=120, help="axial ratios on the way")
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    given = parser.parse_args(arguments)
    model = arise.load_model(given.model)
    path = ratios(given.steps)
    found = walk(model, path, given.passes)
    means = {state: mean_rows(p, len(path)) for state, p in found.items()}
    threshold = model.card.reject.threshold
    plot(path, means, threshold, given.out / "pictures" / "bain.png")
    text = (
        "# The Bain path\n\n"
        f"Made by `python -m benchmarks.samples.bain`: model `{model.name}` ({model.card.weights_sha256[:12]}), "
        f"{given.passes:,} passes. A face-centred tetragonal crystal at constant volume: fcc at c/a = 1, bcc at 1/√2, "
        f"indium at {INDIUM:.4f}. Periodic crystals as they are, and supercells of {DRAWS} draws with displacements of "
        f"{100 * NOISE:g} % of the nearest-neighbour distance (root mean square; means). Bit: mutual information, the "
        "doubt of the model. "
        + (f"A score from {threshold} on rejects." if threshold is not None else "The model never rejects.")
        + " As in Leitherer et al. (2021), Supplementary Note 2, the doubt is to rise from one class to the next.\n\n"
        "![Probabilities, mutual information and reject score along the Bain path](pictures/bain.png)\n\n"
    )
    text += table(path, means) + "\n"
    (given.out / "bain.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
