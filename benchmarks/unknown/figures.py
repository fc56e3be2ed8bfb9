"""Figures of unknown crystals beside those of the classes themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_auc_score

import arise_core as arise
from arise_core.crystals.crystal import prototype_crystals
from arise_core.geometry import builders
from arise_core.geometry.arrays import BoolArray, FloatArray
from arise_core.geometry.structure import Structure
from benchmarks.tables import markdown
from benchmarks.unknown.crystals import FAMILIES, FIRST, family, unknown

SHOWN = 3  # classes a crystal
DELTA = 0.04  # of the nearest-neighbour distance, largest displacement of the noisy crystals
BOX = 16.0  # Å
SPACING = 2.6  # Å, nearest neighbours of the crystals that are cut into boxes
BOXED = 400  # atoms of such a crystal at least
NOISY = 200  # atoms of a displaced crystal at least
MAP_PASSES = 96
FEW = 0.05  # share of the boxes of a map that does not count
HIGH, STRIDE = 26.0, 3.5  # Å, of the cells that are mapped as by default, at least, and of their maps
DOUBT = 0.1  # bit, from which an answer shows doubt: of its mutual information or of its rejection
COLUMNS = (
    "crystal", "family", "most similar classes (probability, %)", "mutual information, bit",
    "known crystals with less, %", "doubt of the rejection, bit", "reject score", "displaced", "boxes rejected, %",
    "maps: named without doubt, %", "maps, displaced", "honest",
)  # fmt: skip


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
    return np.array([arise.describe(change(s), model.descriptor) for s in structures])


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


def named_share(structure: Structure, model: arise.Model) -> float:
    """Share of the boxes of a map as by default, of several sizes, that have a name without doubt."""
    p = arise.strided_map(structure, model, stride=STRIDE).prediction
    doubted = np.fmax(p.mutual_information, p.rejection_uncertainty) > DOUBT
    return float((~p.rejected & ~doubted)[p.valid].mean())


@dataclass(frozen=True)
class Found:
    """What a model says of unknown crystals and of its classes."""

    names: Sequence[str]  # of the unknown crystals
    unknown: arise.Prediction  # of them as they are
    unknown_moved: arise.Prediction  # and displaced
    boxes: FloatArray  # share of their boxes that are rejected, (n_unknown,)
    named: FloatArray  # share of the boxes of sharp maps that are named without doubt, (n_unknown,)
    named_moved: FloatArray  # and displaced
    known: arise.Prediction  # of the pristine structures of the classes
    known_moved: arise.Prediction  # of their bulk crystals, displaced


def find(model: arise.Model, passes: int, names: Sequence[str], known: int | None = None) -> Found:
    """Ask a model.

    Args:
        model: which.
        passes: of structures as they are; displaced ones and boxes get fewer.
        names: of unknown crystals.
        known: structures of the classes at most, for a short form.
    """
    rng = np.random.default_rng(0)

    def as_it_is(structure: Structure) -> Structure:
        return structure

    def noisy(structure: Structure) -> Structure:
        return builders.displace(supercell(structure, NOISY), DELTA, rng)

    cells = [unknown(name) for name in names]
    mapped = [builders.repeat(cell, builders.cell_heights_at_least(cell, HIGH)) for cell in cells]
    moved = [builders.displace(one, DELTA, np.random.default_rng(k)) for k, one in enumerate(mapped)]
    crystals = prototype_crystals()
    pristine = [s for c in crystals for s in c.pristine][:known]
    bulk = [c.unit for c in crystals if c.dimension == 3][:known]
    exact, quick = arise.SamplingSettings(passes=passes), arise.SamplingSettings(passes=MAP_PASSES)
    return Found(
        names=names,
        unknown=model.predict(features(cells, model, as_it_is), exact),
        known=model.predict(features(pristine, model, as_it_is), exact),
        unknown_moved=model.predict(features(cells, model, noisy), quick),
        known_moved=model.predict(features(bulk, model, noisy), quick),
        boxes=np.array([box_share(cell, model) for cell in cells]),
        named=np.array([named_share(one, model) for one in mapped]),
        named_moved=np.array([named_share(one, model) for one in moved]),
    )


def honest(names: Sequence[str], prediction: arise.Prediction) -> BoolArray:
    """Which answers are honest by the measure of their families, (n,): see `Family`."""
    doubted = np.fmax(prediction.mutual_information, prediction.rejection_uncertainty) > DOUBT
    out = prediction.rejected.copy()
    for k, (crystal, answer) in enumerate(zip(names, prediction.names, strict=True)):
        one = FAMILIES[family(crystal)]
        out[k] |= answer in one.relatives and (one.same or doubted[k])
    return out


def area(unknown: FloatArray, known: FloatArray) -> str:
    """Area under the ROC curve of a score that is to tell the unknown from the known."""
    truth = np.r_[np.ones(len(unknown)), np.zeros(len(known))]
    return f"{roc_auc_score(truth, np.r_[unknown, known]):.3f}"


def summary(found: Found) -> str:
    """Sentences and a table about all crystals together."""
    f = found
    first = np.isin(f.names, list(FIRST))
    least, middle, most = np.quantile(f.known.mutual_information, [0.05, 0.5, 0.95])
    text = (
        f"Mutual information of the {len(f.known)} pristine structures of the classes, from as many passes: median "
        f"{middle:.4f} bit, 90 % of them between {least:.4f} and {most:.4f}. Area under the ROC curve of mutual "
        "information, unknown against pristine: "
        f"{area(f.unknown.mutual_information, f.known.mutual_information)}.\n\n"
        f"In maps as by default {100 * f.named.mean():.0f} % of the boxes of unknown crystals are named with no more "
        f"than {DOUBT} bit of doubt ({100 * f.named_moved.mean():.0f} % displaced); {(f.named > FEW).sum()} "
        f"({(f.named_moved > FEW).sum()}) of {len(f.named)} crystals have more than {100 * FEW:.0f} % of such boxes."
    )
    classes = f"the classes: {len(f.known)} pristine structures; {len(f.known_moved)} bulk crystals displaced"
    share = [100 * p.rejected.mean() for p in (f.unknown, f.unknown_moved, f.known, f.known_moved)]
    rows = [
        (f"unknown crystals ({len(f.unknown)})", f"{share[0]:.0f}", f"{share[1]:.0f}"),
        *(
            (
                f"{text} ({which.sum()})",
                f"{100 * f.unknown.rejected[which].mean():.0f}",
                f"{100 * f.unknown_moved.rejected[which].mean():.0f}",
            )
            for text, which in ((f"of them the first {len(FIRST)}", first), ("and the others", ~first))
            if which.any()
        ),
        (classes, f"{share[2]:.1f}", f"{share[3]:.1f}"),
        (
            "area under the ROC curve of the reject score",
            area(f.unknown.reject_score, f.known.reject_score),
            area(f.unknown_moved.reject_score, f.known_moved.reject_score),
        ),
    ]
    table = markdown(rows, ("rejected, %", "ideal", "displaced"), ("left", "right", "right"))
    return f"{text}\n\n{table}"


def families(found: Found) -> str:
    """A row a family: what is honest, and how often it is said."""
    answers = (found.unknown, found.unknown_moved)
    right = [honest(found.names, p) for p in answers]
    mine = np.array([family(name) for name in found.names])
    rows = [
        (name, one.honest, str((mine == name).sum()), *(f"{100 * r[mine == name].mean():.0f}" for r in right))
        for name, one in FAMILIES.items()
        if (mine == name).any()
    ]
    rows.append(("all", "", str(len(mine)), *(f"{100 * r.mean():.0f}" for r in right)))
    text = (
        "A rejection is honest for every crystal. A relative is also honest as the class that it is made of, if the "
        f"answer shows doubt: more than {DOUBT} bit of mutual information or of doubt of the rejection."
    )
    columns = ("family", "honest answers", "crystals", "honest, %", "displaced")
    return f"{text}\n\n{markdown(rows, columns, ('left', 'left', 'right', 'right', 'right'))}"


def each(found: Found) -> str:
    """A row a crystal."""
    names = {p.label: p.name for p in arise.prototypes()}
    p, right = found.unknown, honest(found.names, found.unknown)
    rows = []
    for k, name in enumerate(found.names):
        order = np.argsort(-p.probabilities[k])[:SHOWN]
        similar = [
            f"{names[p.classes[i].label]} ({100 * p.probabilities[k, i]:.1f})"
            for i in order
            if p.probabilities[k, i] >= 5e-4
        ]
        mutual = p.mutual_information[k]
        below = 100 * np.mean(found.known.mutual_information < mutual)
        scores = (f"{p.reject_score[k]:.4f}", f"{found.unknown_moved.reject_score[k]:.4f}")
        rows.append(
            (
                name,
                family(name),
                ", ".join(similar),
                f"{mutual:.4f}",
                f"{below:.1f}",
                f"{p.rejection_uncertainty[k]:.4f}",
                *scores,
                f"{100 * found.boxes[k]:.0f}",
                f"{100 * found.named[k]:.0f}",
                f"{100 * found.named_moved[k]:.0f}",
                "yes" if right[k] else "no",
            )
        )
    return markdown(rows, COLUMNS, ("left", "left", "left", *["right"] * 8, "left"))
