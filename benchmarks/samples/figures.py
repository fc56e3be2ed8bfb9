"""What models say of samples, and how often that is right."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

import arise_core as arise
from arise_core.geometry.builders import opened
from benchmarks.samples.hosts import Sample
from benchmarks.samples.kinds import KINDS, SEED, samples_of
from benchmarks.tables import markdown

PASSES = 96
FEWEST = 16  # atoms in a box; boxes with fewer are not asked
REJECTED = "rejected"
#: What tells the samples of a row of the table apart.
KEYS = ["kind", "group", "lattice", "detail", "asked"]
#: How a sample is asked, as the documents call it. "atoms", "fine": by a map of 16 Å boxes, each atom counts.
WAYS = {
    "whole": "whole", "open": "whole, cut out", "atoms": "atoms of a map", "fine": "atoms of a map, stride 4 Å",
    "16": "16 Å", "12": "12 Å", "8": "8 Å",
}  # fmt: skip
#: Ways that give one answer a sample.
WHOLE = ("whole", "open")
DOUBT = 0.3  # bit, of a tube that is no class and taken for one, at least


def boxes_of(structure: arise.Structure, model: arise.Model, size: float) -> arise.StridedMap:
    """A map of boxes with a stride of about half their size."""
    return arise.strided_map(
        structure, model, box_size=size, stride=size / 2, padding="none", passes=PASSES, tolerance=None,
        min_atoms=FEWEST,
    )  # fmt: skip


def ask(
    structure: arise.Structure, model: arise.Model, way: str, counted: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Labels, or `REJECTED`, and mutual information (bit) of what has an answer, (n,) each.

    Args:
        structure: of a sample.
        model: which.
        way: key of `WAYS`.
        counted: atoms that count if it is atoms that are asked for, (n_atoms,); None: all.
    """
    if way in WHOLE:
        whole = opened(structure) if way == "open" else structure
        answer: Any = arise.classify(whole, model, passes=PASSES)
    elif way == "atoms":
        answer = boxes_of(structure, model, 16.0).values_at_atoms()
    elif way == "fine":
        fine = arise.strided_map(structure, model, box_size=16.0, stride=4.0, passes=PASSES, tolerance=None)
        answer = fine.values_at_atoms()
    else:
        answer = boxes_of(structure, model, float(way)).prediction
    threshold = model.card.reject.threshold
    found = answer.index >= 0
    if way in ("atoms", "fine") and counted is not None:
        found &= counted
    labels = np.array(model.classes, dtype=object)[answer.index]
    if threshold is not None:
        labels = np.where(answer.reject_score >= threshold, REJECTED, labels)
    return labels[found], answer.mutual_information[found]


def right_ones(sample: Sample, labels: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """Which answers are right, (n,): the class of the sample; if it has none, no class, or that of a tube in doubt.

    Args:
        sample: which.
        labels: from `ask`.
        bits: from `ask`.
    """
    if sample.label is not None:
        return np.asarray(labels == sample.label)
    tubes = [p.label for p in arise.prototypes() if p.dimension == 1]
    return np.asarray((labels == REJECTED) | (np.isin(labels.astype(str), tubes) & (bits >= DOUBT)))


def answers_of(kind: str, sample: Sample, model: arise.Model) -> list[dict[str, Any]]:
    """A row for each thing that a model said of a sample, with the number of times, and the doubt."""
    rows = []
    for way in sample.ways:
        labels, bits = ask(sample.structure, model, way, sample.counted)
        right = right_ones(sample, labels, bits)
        for label, good in sorted(set(zip(labels, right.tolist(), strict=True))):
            same = (labels == label) & (right == good)
            key = (kind, sample.group, sample.lattice, sample.detail, WAYS[way])
            rows.append(
                dict(zip(KEYS, key, strict=True))
                | {"said": label, "right": good, "n": int(same.sum())}
                | {"bits": float(bits[same].sum())}
            )
    return rows


def chosen(
    kinds: Sequence[str], draws: int | None = None, most: int | None = None
) -> dict[str, list[Sample]]:
    """Samples by kind.

    Args:
        kinds: keys of `KINDS`.
        draws: samples of everything; None: as many as the long form has.
        most: samples of a kind at most, chosen at random.
    """
    found = {}
    for kind in kinds:
        samples = list(samples_of(kind, draws))
        if most is not None and len(samples) > most:
            places = np.random.default_rng(SEED).permutation(len(samples))[:most]
            samples = [samples[i] for i in sorted(places)]
        found[kind] = samples
    return found


def find(models: Mapping[str, arise.Model], samples: Mapping[str, Sequence[Sample]]) -> pd.DataFrame:
    """What models say: one row a sample, way, model and answer, with how many boxes or atoms gave it.

    Args:
        models: by what their columns are called.
        samples: from `chosen`.
    """
    rows: list[dict[str, Any]] = []
    for kind, some in samples.items():
        for sample in tqdm(some, desc=kind, leave=False, disable=not sys.stderr.isatty()):
            for name, model in models.items():
                rows += [row | {"model": name} for row in answers_of(kind, sample, model)]
    return pd.DataFrame(rows)


def wrong_answers(rows: pd.DataFrame, most: int = 3) -> str:
    """The commonest wrong answers of some rows, with their share of all answers in %."""
    names = {p.label: p.name for p in arise.prototypes()} | {REJECTED: REJECTED}
    wrong = rows[~rows["right"]].groupby("said")["n"].sum()
    wrong = wrong.sort_values(ascending=False, kind="stable")[:most]
    return ", ".join(f"{names.get(s, s)} {100 * n / rows['n'].sum():.3g}" for s, n in wrong.items())


def shares(answers: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Number of answers, share that is right and mean doubt of the wrong ones (bit), by model.

    Args:
        answers: from `find`.
        by: columns that make a row.

    Returns:
        In the order in which the rows first occur: `by`, `answers`, and for each model M `M` (share), `M doubt when
        wrong` (NaN if none is) and `M wrong`, the commonest wrong answers.
    """
    out = []
    for key, rows in answers.groupby(list(by), sort=False):
        row: dict[str, Any] = dict(zip(by, key, strict=True))
        for model, said in rows.groupby("model", sort=False):
            n, wrong = said["n"].sum(), said[~said["right"]]
            row["answers"] = int(n)
            row[str(model)] = float(said.loc[said["right"], "n"].sum() / n)
            row[f"{model} doubt when wrong"] = (
                float(wrong["bits"].sum() / wrong["n"].sum()) if len(wrong) else np.nan
            )
            row[f"{model} wrong"] = wrong_answers(said)
        out.append(row)
    return pd.DataFrame(out)


def cells(row: Any, models: Sequence[str]) -> str:
    """Right answers in %, one number a model."""
    return " → ".join(f"{100 * row[m]:.1f}" for m in models)


def summary(answers: pd.DataFrame, models: Sequence[str]) -> str:
    """A row a kind and way of asking."""
    found = shares(answers, ["kind", "asked"])
    last = models[-1]
    rows = [
        (
            r["kind"], r["asked"], f"{r['answers']:,}", f"{KINDS[r['kind']].goal:g}",
            *(f"{100 * r[m]:.2f}" for m in models),
            "–" if np.isnan(r[f"{last} doubt when wrong"]) else f"{r[f'{last} doubt when wrong']:.2f}",
            r[f"{last} wrong"],
        )
        for _, r in found.iterrows()
    ]  # fmt: skip
    heads = ("kind", "asked", "answers", "goal, %", *(f"{m}, %" for m in models))
    align = ("left", "left", "right", "right", *["right"] * len(models), "right", "left")
    return markdown(rows, (*heads, f"{last}: doubt when wrong, bit", f"{last}: wrong answers, %"), align)


def by_column(answers: pd.DataFrame, column: str, models: Sequence[str]) -> str:
    """Rows: what a column of `KEYS` holds; columns: how it was asked."""
    found = shares(answers, [column, "asked"])
    asked = [w for w in WAYS.values() if w in set(found["asked"])]
    texts = {(r[column], r["asked"]): cells(r, models) for _, r in found.iterrows()}
    rows = [(name, *(texts.get((name, w), "–") for w in asked)) for name in dict.fromkeys(found[column])]
    return markdown(rows, (column, *asked), ("left", *["right"] * len(asked)))


def document(answers: pd.DataFrame, models: Sequence[str], about: str) -> str:
    """All of samples.md."""
    parts = ["# Real samples", about, summary(answers, models)]
    asked = list(dict.fromkeys(answers["kind"]))
    for part in dict.fromkeys(KINDS[k].part for k in asked):
        parts.append(f"## {part}")
        for kind in (k for k in asked if KINDS[k].part == part):
            rows = answers[answers["kind"] == kind]
            parts.append(f"### {kind}\n{KINDS[kind].text}")
            columns = [c for c in ("group", "lattice", "detail") if rows[c].nunique() > 1]
            parts += [by_column(rows, column, models) for column in columns]
    return "\n\n".join(parts) + "\n"
