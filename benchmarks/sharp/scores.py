"""What the answer of a method about a frame is worth: one row of figures a frame, or a part of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import arise_core as arise
from benchmarks.sharp.built import CUBIC, HEXAGONAL
from benchmarks.sharp.frame import DEEP, Frame
from benchmarks.sharp.methods import NOTHING, Answer
from benchmarks.sharp.waves import fitted

FAR = 6.0  # Å beyond the surface of a sphere: the melt or matrix by itself
BOUNDARY = 1.5  # Å from the boundary at most
DOUBT = 0.1  # bit, from which a named atom is in doubt
UNKNOWN = "?"
HCP = arise.prototype("hcp").label
#: The crystal without order around precipitates.
MATRIX = {arise.prototype(a).label: arise.prototype(b).label for a, b in (("L1_2", "fcc"), ("CsCl", "bcc"))}
Row = dict[str, Any]


def in_doubt(answer: Answer, label: str) -> np.ndarray:
    """Atoms that a method does not call `label` without doubt, (n_atoms,)."""
    sure = answer.labels == label
    if answer.doubt is not None:
        sure &= answer.doubt < DOUBT
    return ~sure


def truth(frame: Frame) -> np.ndarray:
    """Labels of the atoms that are well inside a crystal or a melt, `UNKNOWN` for the others, (n_atoms,)."""
    known = np.full(len(frame.structure), UNKNOWN, dtype=object)
    if frame.goal == "bulk":
        known[:] = frame.label
    elif frame.goal in ("fronts", "abrupt"):
        x = frame.structure.positions[:, 0]
        left, right = frame.facts["fronts"]
        known[(x > left + DEEP) & (x < right - DEEP)] = frame.label
        known[(x < left - DEEP) | (x > right + DEEP)] = NOTHING
    elif frame.goal == "spheres":
        known[frame.atoms["sphere"] >= 0] = frame.label
        known[(frame.atoms["sphere"] < 0) & (frame.atoms["beyond"] > FAR)] = NOTHING
    elif frame.goal == "precipitates":
        known[frame.atoms["sphere"] >= 0] = frame.label
        known[(frame.atoms["sphere"] < 0) & (frame.atoms["beyond"] > FAR)] = MATRIX[frame.label]
    elif frame.goal == "nanocrystals":
        known[frame.atoms["inside"]] = frame.label
    elif frame.goal == "layers":
        kind, apart = frame.atoms["kind"], frame.atoms["apart"]
        known[(kind == CUBIC) & (apart > 1)] = frame.label
        known[kind == HEXAGONAL] = HCP
    return known


def misled(frame: Frame, answer: Answer, coarse: Answer | None) -> float:
    """Share of the atoms whose truth is known that a method is sure to be another class, where `coarse` is right."""
    known = truth(frame)
    if coarse is None or not (known != UNKNOWN).any():
        return np.nan
    wrong = (answer.labels != NOTHING) & (answer.labels != known) & (coarse.labels == known)
    if answer.doubt is not None:
        wrong &= answer.doubt < DOUBT
    return float(wrong[known != UNKNOWN].mean())


def fronts(frame: Frame, answer: Answer) -> list[Row]:
    """Share of the crystal; place and width of its two fronts beside the true ones."""
    x, length = frame.structure.positions[:, 0], frame.structure.cell[0, 0]
    right = answer.labels == frame.label
    left_end, right_end = frame.facts["fronts"]
    row = {"share": float(right.mean()), "true share": float(((x > left_end) & (x < right_end)).mean())}
    row["share off"] = row["share"] - row["true share"]
    found = fitted(x, right.astype(float), length)
    # Outwards is positive: the crystal is taken for larger than it is.
    row["place off"] = float(np.mean([left_end - found.left, found.right - right_end]))
    row["largest place off"] = float(max(abs(left_end - found.left), abs(found.right - right_end)))
    row["width"] = (found.left_width + found.right_width) / 2
    row["true width"] = float(np.mean(frame.facts["widths"]))
    return [{"part": "", "atoms": len(right), **row}]


def spheres(frame: Frame, answer: Answer) -> list[Row]:
    """By radius the share of the spheres' atoms that are found; what far from them passes for a crystal."""
    sphere, radii = frame.atoms["sphere"], np.array(frame.facts["radii"])
    right = answer.labels == frame.label
    far = (sphere < 0) & (frame.atoms["beyond"] > FAR)
    named = answer.labels != NOTHING
    false = named if frame.goal == "spheres" else right
    rows: list[Row] = [
        {"part": "far", "atoms": int(far.sum()), "false": float(false[far].mean())},
    ]
    for radius in np.unique(radii):
        own = np.isin(sphere, np.flatnonzero(radii == radius))
        rows.append({"part": f"{radius:g} Å", "atoms": int(own.sum()), "found": float(right[own].mean())})
    return rows


def nanocrystals(frame: Frame, answer: Answer) -> list[Row]:
    """Atoms in grains that are right, and atoms at boundaries that are in doubt."""
    inside, boundary = frame.atoms["inside"], frame.atoms["depth"] <= BOUNDARY
    right = answer.labels == frame.label
    doubt = in_doubt(answer, frame.label)
    return [{
        "part": "", "atoms": len(right), "right": float(right[inside].mean()),
        "doubt": float(doubt[boundary].mean()), "doubt inside": float(doubt[inside].mean()),
        "all": float(right.mean()),
    }]  # fmt: skip


def layers(frame: Frame, answer: Answer) -> list[Row]:
    """Hexagonal layers that are called so, or are in doubt; the cubic ones more than a layer from them."""
    kind, apart = frame.atoms["kind"], frame.atoms["apart"]
    hexagonal, cubic = kind == HEXAGONAL, (kind == CUBIC) & (apart > 1)
    doubt = in_doubt(answer, frame.label)
    return [{
        "part": "", "atoms": len(kind), "hcp": float((answer.labels[hexagonal] == HCP).mean()),
        "middle hcp": float((answer.labels[hexagonal & (apart == apart[hexagonal].max())] == HCP).mean()),
        "seen": float(doubt[hexagonal].mean()), "right": float((answer.labels[cubic] == frame.label).mean()),
    }]  # fmt: skip


def bulk(frame: Frame, answer: Answer) -> list[Row]:
    """Atoms that are right."""
    return [{"part": "", "atoms": len(answer.labels), "right": float((answer.labels == frame.label).mean())}]


def growth(frame: Frame, answer: Answer) -> list[Row]:
    """Share of the crystal."""
    return [{"part": "", "atoms": len(answer.labels), "share": float((answer.labels == frame.label).mean())}]


SCORES: dict[str, Callable[[Frame, Answer], list[Row]]] = {
    "fronts": fronts,
    "abrupt": fronts,
    "spheres": spheres,
    "nanocrystals": nanocrystals,
    "layers": layers,
    "precipitates": spheres,
    "growth": growth,
    "bulk": bulk,
}


def score(frame: Frame, method: str, answer: Answer, coarse: Answer | None = None) -> list[Row]:
    """Rows of figures, with the frame and the method.

    Args:
        frame: with what is known.
        method: its name.
        answer: of the method.
        coarse: that with which `misled` compares.
    """
    about = {"goal": frame.goal, "frame": frame.name, "material": frame.material, "method": method}
    n = len(frame.structure)
    cost: Row = {"atoms_of_frame": n, "misled": misled(frame, answer, coarse), "time": answer.seconds / n}
    rows = SCORES[frame.goal](frame, answer)
    return [{**about, **row, **(cost if k == 0 else {})} for k, row in enumerate(rows)]
