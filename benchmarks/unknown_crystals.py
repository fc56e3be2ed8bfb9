"""What a model says of crystals that are none of its classes; writes docs/benchmarks/unknown.md.

    python benchmarks/unknown_crystals.py [--model NAME] [--passes 100000] [--out DIR]

The crystals are built from their space groups and Wyckoff positions. Their mutual information stands beside that of
the pristine structures of the classes themselves, from the same number of passes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from ase.spacegroup import crystal

import arise_core as arise
from arise_core.prototypes import prototypes
from arise_core.soap import describe
from arise_core.training.samples import pristine_list
from ase_arise import from_atoms

SHOWN = 3  # classes a crystal
#: Symbols, Wyckoff positions, number of the space group, a, b, c, alpha, beta, gamma (Å, degrees).
CRYSTALS = {
    "fluorite, CaF2": (["Ca", "F"], [(0, 0, 0), (0.25, 0.25, 0.25)], 225, [5.463] * 3 + [90] * 3),
    "tungsten carbide, WC": (["W", "C"], [(0, 0, 0), (1 / 3, 2 / 3, 0.5)], 187, [2.906, 2.906, 2.837, 90, 90, 120]),
    "rutile, TiO2": (["Ti", "O"], [(0, 0, 0), (0.3053, 0.3053, 0)], 136, [4.594, 4.594, 2.959, 90, 90, 90]),
    "cementite, Fe3C": (
        ["Fe", "Fe", "C"], [(0.186, 0.063, 0.328), (0.036, 0.25, 0.852), (0.89, 0.25, 0.45)], 62,
        [5.091, 6.743, 4.526, 90, 90, 90],
    ),
    "corundum, Al2O3": (["Al", "O"], [(0, 0, 0.3522), (0.3064, 0, 0.25)], 167, [4.759, 4.759, 12.993, 90, 90, 120]),
    "alpha quartz, SiO2": (
        ["Si", "O"], [(0.4697, 0, 2 / 3), (0.4135, 0.2669, 0.7858)], 154, [4.913, 4.913, 5.405, 90, 90, 120],
    ),
    "A15, Cr3Si": (["Si", "Cr"], [(0, 0, 0), (0.25, 0, 0.5)], 223, [4.556] * 3 + [90] * 3),
    "beta manganese, Mn": (
        ["Mn", "Mn"], [(0.0636, 0.0636, 0.0636), (0.125, 0.2022, 0.4522)], 213, [6.315] * 3 + [90] * 3,
    ),
}  # fmt: skip


def features_of(name: str, model: arise.Model) -> np.ndarray:
    """Descriptor of a crystal of the table, (n_features,)."""
    symbols, basis, group, cell = CRYSTALS[name]
    return describe(
        from_atoms(crystal(symbols, basis=basis, spacegroup=group, cellpar=cell)), model.descriptor
    )


def table(found: arise.Prediction, known: arise.Prediction) -> list[str]:
    """One row a crystal of the table."""
    names = {p.label: p.name for p in prototypes()}
    lines = [
        "| crystal | most similar classes (probability, %) | mutual information, bit | "
        "known crystals with less, % | reject score |",
        "|---|---|---:|---:|---:|",
    ]
    for k, name in enumerate(CRYSTALS):
        order = np.argsort(-found.probabilities[k])[:SHOWN]
        similar = [
            f"{names[found.classes[i].label]} ({100 * found.probabilities[k, i]:.1f})"
            for i in order
            if found.probabilities[k, i] >= 5e-4
        ]
        mutual = found.mutual_information[k]
        below = 100 * np.mean(known.mutual_information < mutual)
        lines.append(
            f"| {name} | {', '.join(similar)} | {mutual:.4f} | {below:.1f} | {found.reject_score[k]:.4f} |"
        )
    return lines


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", default="arise-108")
    parser.add_argument("--passes", type=int, default=100_000)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "benchmarks")
    arguments = parser.parse_args()
    model = arise.load_model(arguments.model)
    sampling = arise.SamplingSettings(passes=arguments.passes)
    found = model.predict(np.array([features_of(name, model) for name in CRYSTALS]), sampling)
    pristine = pristine_list()
    known = model.predict(np.array([describe(s, model.descriptor) for _, s in pristine]), sampling)
    least, middle, most = np.quantile(known.mutual_information, [0.05, 0.5, 0.95])
    lines = [
        "# Crystals that are none of the classes", "",
        f"Made by `python benchmarks/unknown_crystals.py`: model `{model.name}` ({model.card.weights_sha256[:12]}), "
        f"{arguments.passes:,} passes, ideal periodic crystals. A score from {model.card.reject.threshold} on rejects.",
        f"Mutual information of the {len(pristine)} pristine structures of the classes, from as many passes: median "
        f"{middle:.4f} bit, 90 % of them between {least:.4f} and {most:.4f}.", "",
        *table(found, known), "",
    ]  # fmt: skip
    text = "\n".join(lines)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "unknown.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
