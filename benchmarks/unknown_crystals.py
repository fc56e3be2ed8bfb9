"""What a model says of crystals that are none of its classes; writes docs/benchmarks/unknown.md.

    python benchmarks/unknown_crystals.py [--model NAME] [--passes 100000] [--out DIR]

The crystals are built from their space groups and Wyckoff positions. Their mutual information stands beside that of
the pristine structures of the classes themselves, from the same number of passes. Whether they are rejected is asked
again with displaced atoms and in boxes, as in a map, with 96 passes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from ase.spacegroup import crystal
from sklearn.metrics import roc_auc_score

import arise_core as arise
from arise_core.crystals.crystal import prototype_crystals
from arise_core.crystals.table import prototypes
from arise_core.descriptor.soap import describe
from arise_core.geometry import builders
from arise_core.geometry.arrays import FloatArray
from arise_core.geometry.structure import Structure
from arise_core.training.samples.perturbed import pristine_list
from ase_arise import from_atoms

SHOWN = 3  # classes a crystal
DELTA = 0.04  # of the nearest-neighbour distance, largest displacement of the noisy crystals
BOX = 16.0  # Å
SPACING = 2.6  # Å, nearest neighbours of the crystals that are cut into boxes
BOXED = 400  # atoms of such a crystal at least
MAP_PASSES = 96
#: Symbols, Wyckoff positions, number of the space group and of its origin choice, a, b, c, alpha, beta, gamma (Å,
#: degrees).
CUBIC, HEXAGONAL = [90, 90, 90], [90, 90, 120]
CRYSTALS = {
    "fluorite, CaF2": (["Ca", "F"], [(0, 0, 0), (1 / 4, 1 / 4, 1 / 4)], 225, 1, [5.463] * 3 + CUBIC),
    "tungsten carbide, WC": (
        ["W", "C"], [(0, 0, 0), (1 / 3, 2 / 3, 1 / 2)], 187, 1, [2.906, 2.906, 2.837, *HEXAGONAL],
    ),
    "rutile, TiO2": (["Ti", "O"], [(0, 0, 0), (0.3053, 0.3053, 0)], 136, 1, [4.594, 4.594, 2.959, *CUBIC]),
    "cementite, Fe3C": (
        ["Fe", "Fe", "C"], [(0.186, 0.063, 0.328), (0.036, 0.25, 0.852), (0.89, 0.25, 0.45)], 62, 1,
        [5.091, 6.743, 4.526, *CUBIC],
    ),
    "corundum, Al2O3": (
        ["Al", "O"], [(0, 0, 0.3522), (0.3064, 0, 0.25)], 167, 1, [4.759, 4.759, 12.993, *HEXAGONAL],
    ),
    "alpha quartz, SiO2": (
        ["Si", "O"], [(0.4697, 0, 2 / 3), (0.4135, 0.2669, 0.7858)], 154, 1, [4.913, 4.913, 5.405, *HEXAGONAL],
    ),
    "A15, Cr3Si": (["Si", "Cr"], [(0, 0, 0), (1 / 4, 0, 1 / 2)], 223, 1, [4.556] * 3 + CUBIC),
    "beta manganese, Mn": (
        ["Mn", "Mn"], [(0.0636, 0.0636, 0.0636), (1 / 8, 0.2022, 0.4522)], 213, 1, [6.315] * 3 + CUBIC,
    ),
    "alpha manganese, Mn": (
        ["Mn"] * 4, [(0, 0, 0), (0.317, 0.317, 0.317), (0.356, 0.356, 0.034), (0.089, 0.089, 0.282)], 217, 1,
        [8.911] * 3 + CUBIC,
    ),
    "omega titanium, Ti": (
        ["Ti", "Ti"], [(0, 0, 0), (1 / 3, 2 / 3, 1 / 2)], 191, 1, [4.6, 4.6, 2.82, *HEXAGONAL],
    ),
    "Laves C15, MgCu2": (["Mg", "Cu"], [(1 / 8,) * 3, (1 / 2,) * 3], 227, 2, [7.02] * 3 + CUBIC),
    "Laves C14, MgZn2": (
        ["Mg", "Zn", "Zn"], [(1 / 3, 2 / 3, 0.062), (0, 0, 0), (0.83, 0.66, 1 / 4)], 194, 1,
        [5.223, 5.223, 8.566, *HEXAGONAL],
    ),
    "sigma, CrFe": (
        ["Fe", "Cr", "Cr", "Fe", "Cr"],
        [(0, 0, 0), (0.3981, 0.3981, 0), (0.4632, 0.1316, 0), (0.7376, 0.0653, 0), (0.1823, 0.1823, 0.2524)],
        136, 1, [8.8, 8.8, 4.544, *CUBIC],
    ),
    "D0_19, Ni3Sn": (
        ["Sn", "Ni"], [(1 / 3, 2 / 3, 1 / 4), (0.833, 0.666, 1 / 4)], 194, 1, [5.305, 5.305, 4.254, *HEXAGONAL],
    ),
    "CaCu5": (
        ["Ca", "Cu", "Cu"], [(0, 0, 0), (1 / 3, 2 / 3, 0), (1 / 2, 0, 1 / 2)], 191, 1,
        [5.092, 5.092, 4.086, *HEXAGONAL],
    ),
    "C16, Al2Cu": (["Cu", "Al"], [(0, 0, 1 / 4), (0.1581, 0.6581, 0)], 140, 1, [6.067, 6.067, 4.877, *CUBIC]),
    "MoSi2": (["Mo", "Si"], [(0, 0, 0), (0, 0, 1 / 3)], 139, 1, [3.206, 3.206, 7.877, *CUBIC]),
    "AlB2": (["Al", "B"], [(0, 0, 0), (1 / 3, 2 / 3, 1 / 2)], 191, 1, [3.009, 3.009, 3.262, *HEXAGONAL]),
    "CaB6": (["Ca", "B"], [(0, 0, 0), (0.207, 1 / 2, 1 / 2)], 221, 1, [4.145] * 3 + CUBIC),
    "ThCr2Si2": (
        ["Th", "Cr", "Si"], [(0, 0, 0), (0, 1 / 2, 1 / 4), (0, 0, 0.374)], 139, 1, [4.04, 4.04, 10.58, *CUBIC],
    ),
    "half-Heusler, MgAgAs": (
        ["Mg", "Ag", "As"], [(1 / 2, 1 / 2, 1 / 2), (1 / 4, 1 / 4, 1 / 4), (0, 0, 0)], 216, 1, [6.25] * 3 + CUBIC,
    ),
    "pyrite, FeS2": (["Fe", "S"], [(0, 0, 0), (0.3848,) * 3], 205, 1, [5.416] * 3 + CUBIC),
    "anatase, TiO2": (["Ti", "O"], [(0, 0, 0), (0, 0, 0.2081)], 141, 1, [3.785, 3.785, 9.514, *CUBIC]),
    "spinel, MgAl2O4": (
        ["Mg", "Al", "O"], [(1 / 8,) * 3, (1 / 2,) * 3, (0.2624,) * 3], 227, 2, [8.083] * 3 + CUBIC,
    ),
    "calcite, CaCO3": (
        ["Ca", "C", "O"], [(0, 0, 0), (0, 0, 1 / 4), (0.2578, 0, 1 / 4)], 167, 1, [4.99, 4.99, 17.06, *HEXAGONAL],
    ),
    "cuprite, Cu2O": (["O", "Cu"], [(1 / 4,) * 3, (0, 0, 0)], 224, 2, [4.27] * 3 + CUBIC),
    "bismuth telluride, Bi2Te3": (
        ["Te", "Bi", "Te"], [(0, 0, 0), (0, 0, 0.4), (0, 0, 0.212)], 166, 1, [4.38, 4.38, 30.49, *HEXAGONAL],
    ),
    # Superstructures of fcc and bcc: either answer, the lattice or a rejection, is right in its way.
    "D0_22, Al3Ti (on fcc)": (
        ["Ti", "Al", "Al"], [(0, 0, 0), (0, 0, 1 / 2), (0, 1 / 2, 1 / 4)], 139, 1, [3.84, 3.84, 8.58, *CUBIC],
    ),
    "D0_3, AlFe3 (on bcc)": (
        ["Al", "Fe", "Fe"], [(0, 0, 0), (1 / 2,) * 3, (1 / 4,) * 3], 225, 1, [5.79] * 3 + CUBIC,
    ),
    "B32, NaTl (on bcc)": (["Na", "Tl"], [(1 / 8,) * 3, (3 / 8,) * 3], 227, 2, [7.48] * 3 + CUBIC),
}  # fmt: skip


def unknown(name: str) -> Structure:
    """The conventional cell of a crystal of the table."""
    symbols, basis, group, setting, cell = CRYSTALS[name]
    return from_atoms(crystal(symbols, basis=basis, spacegroup=group, setting=setting, cellpar=cell))


def supercell(structure: Structure, min_atoms: int, spacing: float | None = None) -> Structure:
    """About cubic copies of a bulk crystal, with nearest neighbours at `spacing` (Å) if it is given."""
    if spacing is not None:
        scale = spacing / builders.nearest_neighbour_distance(structure)
        structure = Structure(structure.positions * scale, structure.numbers, structure.cell * scale, True)
    edge = np.cbrt(abs(np.linalg.det(structure.cell)) * min_atoms / len(structure))
    return builders.repeat(structure, builders.cell_heights_at_least(structure, edge))


def features(
    structures: Iterable[Structure], model: arise.Model, change: Callable[[Structure], Structure]
) -> FloatArray:
    """Descriptors of changed structures, (n, n_features)."""
    return np.array([describe(change(s), model.descriptor) for s in structures])


def box_share(structure: Structure, model: arise.Model) -> float:
    """Share of the boxes of a map that are rejected."""
    field = arise.strided_map(
        supercell(structure, BOXED, SPACING),
        model,
        box_size=BOX,
        stride=BOX / 2,
        passes=MAP_PASSES,
        tolerance=None,
    )
    return float(field.prediction.rejected[field.prediction.valid].mean())


def figures(model: arise.Model, passes: int) -> tuple[list[str], list[str]]:
    """Summary sentences, and the rows of the table."""
    names = {p.label: p.name for p in prototypes()}
    cells = [unknown(name) for name in CRYSTALS]
    exact = arise.SamplingSettings(passes=passes)
    quick = arise.SamplingSettings(passes=MAP_PASSES)
    found = model.predict(features(cells, model, lambda s: s), exact)
    known = model.predict(features([s for _, s in pristine_list()], model, lambda s: s), exact)

    rng = np.random.default_rng(0)

    def noisy(structure: Structure) -> Structure:
        return builders.displace(supercell(structure, 200), DELTA, rng)

    moved = model.predict(features(cells, model, noisy), quick)
    bulk = [c.unit for c in prototype_crystals() if c.dimension == 3]
    moved_known = model.predict(features(bulk, model, noisy), quick)
    boxes = np.array([box_share(cell, model) for cell in cells])

    rows = []
    for k, name in enumerate(CRYSTALS):
        order = np.argsort(-found.probabilities[k])[:SHOWN]
        similar = [
            f"{names[found.classes[i].label]} ({100 * found.probabilities[k, i]:.1f})"
            for i in order
            if found.probabilities[k, i] >= 5e-4
        ]
        mutual = found.mutual_information[k]
        below = 100 * np.mean(known.mutual_information < mutual)
        rows.append(
            f"| {name} | {', '.join(similar)} | {mutual:.4f} | {below:.1f} | {found.reject_score[k]:.4f} | "
            f"{moved.reject_score[k]:.4f} | {100 * boxes[k]:.0f} |"
        )
    least, middle, most = np.quantile(known.mutual_information, [0.05, 0.5, 0.95])
    truth = np.r_[np.ones(len(cells)), np.zeros(len(known))]
    truth_moved = np.r_[np.ones(len(cells)), np.zeros(len(bulk))]
    summary = [
        f"Mutual information of the {len(known)} pristine structures of the classes, from as many passes: median "
        f"{middle:.4f} bit, 90 % of them between {least:.4f} and {most:.4f}. Area under the ROC curve of mutual "
        f"information, unknown against pristine: "
        f"{roc_auc_score(truth, np.r_[found.mutual_information, known.mutual_information]):.3f}.", "",
        "| rejected, % | ideal | displaced |", "|---|---:|---:|",
        f"| unknown crystals ({len(cells)}) | {100 * found.rejected.mean():.0f} | {100 * moved.rejected.mean():.0f} |",
        f"| the classes: {len(known)} pristine structures; {len(bulk)} bulk crystals displaced | "
        f"{100 * known.rejected.mean():.1f} | {100 * moved_known.rejected.mean():.1f} |",
        "| area under the ROC curve of the reject score | "
        f"{roc_auc_score(truth, np.r_[found.reject_score, known.reject_score]):.3f} | "
        f"{roc_auc_score(truth_moved, np.r_[moved.reject_score, moved_known.reject_score]):.3f} |",
    ]  # fmt: skip
    return summary, rows


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", default="arise-108")
    parser.add_argument("--passes", type=int, default=100_000)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "benchmarks")
    arguments = parser.parse_args()
    model = arise.load_model(arguments.model)
    summary, rows = figures(model, arguments.passes)
    lines = [
        "# Crystals that are none of the classes", "",
        f"Made by `python benchmarks/unknown_crystals.py`: model `{model.name}` ({model.card.weights_sha256[:12]}), "
        f"{arguments.passes:,} passes, ideal periodic crystals. A score from {model.card.reject.threshold} on rejects. "
        f"Displaced: by up to {100 * DELTA:.0f} % of the nearest-neighbour distance. Boxes: share of {BOX:g} Å boxes "
        f"that are rejected, crystals scaled to nearest neighbours at {SPACING} Å. None of these crystals takes part "
        "in training.", "",
        *summary, "",
        "| crystal | most similar classes (probability, %) | mutual information, bit | "
        "known crystals with less, % | reject score | displaced | boxes rejected, % |",
        "|---|---|---:|---:|---:|---:|---:|",
        *rows, "",
    ]  # fmt: skip
    text = "\n".join(lines)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "unknown.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
