"""What a model with more or fewer classes is worth: measured, and written as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from arise_core.crystals.crystal import Crystal
from arise_core.crystals.naming import DISORDERED, UNKNOWN
from arise_core.descriptor.soap import describe
from arise_core.geometry.arrays import Float32Array, FloatArray, IntArray
from arise_core.model.card import Card
from arise_core.model.classes import ClassTable
from arise_core.model.model import Model
from arise_core.model.network import DropoutMLP
from arise_core.model.prediction import Prediction
from arise_core.progress import Job, part
from arise_core.runtime.tables import markdown
from arise_core.settings import SamplingSettings
from arise_core.training.own_crystals import CrystalFile
from arise_core.training.samples.job import TO_REJECT

#: Rows of the tables of a report.
NEAREST = 5
#: (η, δ) of the report: shares of atoms missing and largest displacement in d_NN.
REPORT_LEVELS = ((0.0, 0.04), (0.2, 0.0), (0.2, 0.04))


class Trial:
    """The old and the new model on the same samples."""

    def __init__(
        self, base: Model, network: DropoutMLP, classes: ClassTable, new: Sequence[Crystal],
        sampling: SamplingSettings,
    ) -> None:  # fmt: skip
        self.base = base
        self.n_old = len(base.classes)
        self.classes = classes
        self.new = tuple(new)
        self.sampling = sampling
        self.network = network

    def compare_steps(self, features: Float32Array, targets: IntArray) -> Job[dict[str, Any]]:
        """Shares right before and after, of old and new classes, and who is taken for whom; as a job."""
        network = unsaved(self.network, self.base.card, self.classes)
        after = yield from part(network.predict_steps(features, self.sampling), 0, 0.5)
        before = yield from part(self.base.predict_steps(features, self.sampling), 0.5, 1)
        old = (targets >= 0) & (targets < self.n_old)
        out: dict[str, Any] = {"old": _change(before, after, targets, old)}
        for name, number in TO_REJECT.items():
            others = targets == number
            if others.any():
                out[name] = {
                    "samples": int(others.sum()),
                    "rejected_before": float(before.rejected[others].mean()),
                    "rejected_after": float(after.rejected[others].mean()),
                }
        out["new"] = {}
        for k, crystal in enumerate(self.new):
            mine = targets == self.n_old + k
            right = (after.index == targets) & ~after.rejected
            taken_for = Counter(
                "rejected" if rejected else self.classes[index].label
                for index, rejected in zip(
                    after.index[mine & ~right], after.rejected[mine & ~right], strict=True
                )
            )
            intruders = Counter(
                self.classes[t].label
                for t in targets[old & (after.index == self.n_old + k) & ~after.rejected]
            )
            out["new"][crystal.label] = {
                "samples": int(mine.sum()),
                "right": float(right[mine].mean()) if mine.any() else None,
                "taken_for": dict(taken_for.most_common(NEAREST)),
                "old_taken_for_it": dict(intruders.most_common(NEAREST)),
            }
        return out


def _change(before: Prediction, after: Prediction, targets: IntArray, which: Any) -> dict[str, Any]:
    def right(p: Prediction) -> float:
        return float(((p.index == targets) & ~p.rejected)[which].mean())

    return {"samples": int(which.sum()), "right_before": right(before), "right_after": right(after)}


def unsaved(network: DropoutMLP, card: Card, classes: ClassTable) -> Model:
    """A network that is not a file yet, as a model."""
    return Model(network, replace(card, classes=classes), torch.device("cpu"), Path())


def report(
    base: Model, old: Sequence[Crystal], new: Sequence[Crystal], sources: Sequence[CrystalFile],
    figures: dict[str, Any], sampling: SamplingSettings,
) -> str:  # fmt: skip
    """What the new model is worth, as Markdown."""
    lines = [f"# {base.name} with {len(new)} more class{'es' if len(new) > 1 else ''}", ""]
    known = np.array([c.fingerprint for c in old])
    for new_crystal, source in zip(new, sources, strict=True):
        lines += _about(new_crystal, source, base, known, figures, sampling)
    lines += ["## The old classes", ""]
    lines += markdown(
        ("measured on", "samples", "before", "after", "loss, points"),
        [
            (
                name, row["samples"], f"{row['right_before']:.2%}", f"{row['right_after']:.2%}",
                f"{100 * (row['right_before'] - row['right_after']):+.2f}",
            )
            for name, row in ((name, figure["old"]) for name, figure in figures.items())
        ],
    )  # fmt: skip
    for name, figure in figures.items():
        for kind, words in ((DISORDERED, "Disorder"), (UNKNOWN, "Crystals that are no class")):
            if kind in figure:
                d = figure[kind]
                share = f"{d['rejected_before']:.2%} before, {d['rejected_after']:.2%} after"
                lines += ["", f"{words} rejected, {name}, {d['samples']} samples: {share}."]
    levels = ", ".join(f"({missing:.0%}, {delta:.0%})" for missing, delta in REPORT_LEVELS)
    lines += [
        "",
        f"Defects: one random supercell a class with each of (missing atoms, displacement) {levels}; held-out "
        "samples: noisy structures and boxes that training did not see. Both models on the same samples.",
    ]
    return "\n".join(lines) + "\n"


def _about(
    crystal: Crystal, source: CrystalFile, base: Model, known: FloatArray, figures: dict[str, Any],
    sampling: SamplingSettings,
) -> list[str]:  # fmt: skip
    """Section on a new class; `known` are the fingerprints of the old ones, (n_old, 315)."""
    features = describe(crystal.unit, base.descriptor)[None]
    prediction = base.predict(features, sampling)
    names = {c.label: c.name for c in base.class_info}
    probabilities = prediction.probabilities[0]
    cosine = known @ crystal.fingerprint
    # the most similar descriptors, and before them what the model itself thinks of
    likely = [int(k) for k in np.argsort(-probabilities)[:NEAREST] if probabilities[k] >= 0.05]
    nearest = [int(k) for k in np.argsort(-cosine)[:NEAREST] if int(k) not in likely]

    def listed(counts: dict[str, int]) -> str:
        return ", ".join(f"{names.get(label, label)} {n}" for label, n in counts.items()) or "none"

    measured = [(name, figure["new"][crystal.label]) for name, figure in figures.items()]
    return [
        f"## {crystal.info.name}",
        "",
        f"{source.file}: space group {crystal.info.space_group}, {len(crystal.unit)} atoms in the primitive cell, "
        f"{crystal.info.material_type}. Attribute name in OVITO: {crystal.info.identifier}.",
        "",
        f"What {base.name} said of it: mutual information {prediction.mutual_information[0]:.2f} bit, "
        f"{'' if prediction.rejected[0] else 'not '}rejected.",
        "",
        *markdown(
            ("nearest class", "probability", "cosine of descriptors"),
            [
                (base.class_info[k].name, f"{probabilities[k]:.3f}", f"{cosine[k]:.4f}")
                for k in (*likely, *nearest)
            ],
        ),
        "",
        *markdown(
            ("measured on", "samples", "recognised", "taken for others", "others taken for it"),
            [
                (
                    name, row["samples"], f"{row['right']:.2%}", listed(row["taken_for"]),
                    listed(row["old_taken_for_it"]),
                )
                for name, row in measured
                if row["samples"]
            ],
        ),
        "",
    ]  # fmt: skip


def removal_report(base: Model, result: Model, gone: Sequence[int], crystals: Sequence[Crystal]) -> str:
    """What the removed crystals are taken for now."""
    rows = []
    for k in gone:
        features = describe(crystals[k].pristine[0], base.descriptor)[None]
        p = result.predict(features, SamplingSettings(passes=200))
        rows.append(
            (
                base.class_info[k].name, result.class_info[int(p.index[0])].name,
                f"{p.probabilities[0].max():.3f}", f"{p.mutual_information[0]:.2f}",
                "yes" if p.rejected[0] else "no",
            )
        )  # fmt: skip
    columns = (
        "removed", "its ideal structure is now called", "probability", "mutual information, bit", "rejected"
    )  # fmt: skip
    title = f"# {base.name} without {len(gone)} class{'es' if len(gone) > 1 else ''}"
    return "\n".join([title, "", *markdown(columns, rows)]) + "\n"
