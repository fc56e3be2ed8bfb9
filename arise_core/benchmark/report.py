"""Tables, pictures and lists of an accuracy run."""

from __future__ import annotations

import csv
import platform
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from arise_core.benchmark.accuracy import AccuracySettings, Results, Row
from arise_core.benchmark.methods import AriseModel, Method
from arise_core.benchmark.structures import BOTH, COLUMNS, Column
from arise_core.crystals.table import prototypes
from arise_core.errors import InputError
from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.runtime.files import write_atomically
from arise_core.runtime.tables import markdown, write_csv
from arise_core.training.export import replace_card

PAPER = "Leitherer et al., Nature Communications 12, 6234 (2021), doi:10.1038/s41467-021-26511-5"
BINS = 15
#: Pairs of confused classes shown for a model; the CSV file has all.
SHOWN_CONFUSIONS = 40
#: Columns of `accuracy.csv`, `accuracy-confusions.csv` and `accuracy-reliability.csv`.
SCORES = (
    "method", "classes", "column", "missing_percent", "displacement_percent", "right", "total", "accuracy_percent",
    "published_percent", "rejected",
)  # fmt: skip
CONFUSIONS = ("method", "column", "class", "found", "count")
RELIABILITY = ("model", "from", "to", "structures", "mean_confidence", "accuracy")
PACKAGES = ("arise-core", "ovito-arise", "ovito", "spglib", "scikit-learn", "numpy", "torch")


@dataclass(frozen=True)
class Score:
    """How a method did in a column."""

    right: int
    total: int  # structures, or atoms for methods that judge atoms
    rejected: int

    @property
    def accuracy(self) -> float:
        """In %; NaN if there was nothing to judge."""
        return 100 * self.right / self.total if self.total else float("nan")

    @property
    def rejected_share(self) -> float:
        """In %."""
        return 100 * self.rejected / max(self.total, 1)


@dataclass(frozen=True)
class Reliability:
    """Confidence against truth, in bins of equal width from 0 to 1."""

    count: IntArray  # (BINS,)
    confidence: FloatArray  # (BINS,), mean; NaN in empty bins
    accuracy: FloatArray  # (BINS,), share that is right; NaN in empty bins

    @property
    def error(self) -> float:
        """Expected calibration error: mean of |accuracy - confidence|; Guo et al. (2017), eq. 3."""
        if not self.count.sum():
            return float("nan")
        gap = np.nan_to_num(np.abs(self.accuracy - self.confidence))
        return float((gap * self.count).sum() / self.count.sum())

    def rows(self) -> list[tuple[float, float, int, float, float]]:
        """Lower and upper edge, structures, mean confidence and accuracy of the bins that hold any."""
        return [
            (
                round(k / BINS, 4), round((k + 1) / BINS, 4), int(self.count[k]),
                round(float(self.confidence[k]), 4), round(float(self.accuracy[k]), 4),
            )
            for k in range(BINS)
            if self.count[k]
        ]  # fmt: skip


@cache
def published() -> dict[str, dict[str, float]]:
    """Accuracy in % by method and column; Table 2 and Supplementary Tables 1-3 of the paper."""
    text = files("arise_core.benchmark").joinpath("published.csv").read_text(encoding="utf-8")
    return {
        row.pop("method"): {name: float(value) for name, value in row.items()}
        for row in csv.DictReader(text.splitlines())
    }


def score(rows: Iterable[Row]) -> Score:
    """Counts of one method's rows."""
    kept = list(rows)
    return Score(
        sum(r.count for r in kept if r.right),
        sum(r.count for r in kept),
        sum(r.count for r in kept if r.rejected),
    )


def reliability(rows: Sequence[Row]) -> Reliability:
    """Reliability of the confidences in some rows."""
    confidence = np.array([r.confidence for r in rows])
    right = np.array([r.right for r in rows], dtype=float)
    which = np.clip((confidence * BINS).astype(int), 0, BINS - 1)
    count = np.bincount(which, minlength=BINS)
    sums = [np.bincount(which, weights=values, minlength=BINS) for values in (confidence, right)]
    means = [np.divide(s, count, out=np.full(BINS, np.nan), where=count > 0) for s in sums]
    return Reliability(count, means[0], means[1])


def rows_of(results: Results, method: Method) -> dict[Column, list[Row]]:
    """What a method said, by column."""
    return {c: [r for r in rows if r.method == method.name] for c, rows in results.rows.items()}


def defective(found: dict[Column, list[Row]]) -> list[Row]:
    """Rows of all columns but that of the pristine structures."""
    return [r for c, rows in found.items() if c for r in rows]


def write_report(results: Results, folder: Path) -> list[Path]:
    """Write `accuracy.md` and what belongs to it into a folder; returns the paths.

    Args:
        results: of `run`.
        folder: made if missing; files of these names are replaced.
    """
    by_method = {m.name: rows_of(results, m) for m in results.methods}
    scores = {name: {k: score(rows) for k, rows in found.items()} for name, found in by_method.items()}
    noisy = {m.name: defective(by_method[m.name]) for m in results.methods if m.published == "arise"}
    curves = {name: reliability(rows) for name, rows in noisy.items() if rows}
    text = "\n".join(_document(results, scores, by_method, curves)) + "\n"
    paths = [folder / f"accuracy{end}" for end in (".md", ".csv", "-confusions.csv", "-reliability.csv")]
    write_atomically(paths[0], lambda p: p.write_text(text, encoding="utf-8"))
    write_csv(paths[1], SCORES, _score_table(results.methods, scores))
    write_csv(paths[2], CONFUSIONS, confusions({name: by_method[name] for name in noisy}))
    write_csv(paths[3], RELIABILITY, ((name, *row) for name, curve in curves.items() for row in curve.rows()))
    if curves:
        paths.append(folder / "accuracy-reliability.png")
        write_atomically(paths[-1], lambda p: _plot(curves, p))
    return paths


def record(results: Results) -> list[Path]:
    """Write what a run found on its models into their cards; returns the model files.

    The card's `accuracy` gets `defects` (by column: accuracy and share rejected, in %) and `calibration` (expected
    calibration error and reliability diagram, over all defective structures).

    Raises:
        ValueError: the run left out classes or columns.
        OSError: a model file cannot be written.
    """
    settings = results.settings
    check_complete(settings)
    written = []
    run = {"draws": results.draws, "seed": settings.seed, "passes": settings.passes}
    for method in results.methods:
        if not isinstance(method, AriseModel):
            continue
        model = method.model
        own = rows_of(results, method)
        curve = reliability(defective(own))
        columns = {
            c.name: {"accuracy_percent": round(s.accuracy, 3), "rejected_percent": round(s.rejected_share, 3)}
            for c, s in ((c, score(rows)) for c, rows in own.items())
        }
        bins = [dict(zip(RELIABILITY[1:], row, strict=True)) for row in curve.rows()]
        found = {
            "defects": {**run, "columns": columns},
            "calibration": {**run, "expected_calibration_error": round(curve.error, 5), "reliability": bins},
        }
        replace_card(model, replace(model.card, accuracy=model.card.accuracy | found))
        written.append(model.path)
    return written


def check_complete(settings: AccuracySettings) -> None:
    """Whether the figures of a run are of all structures, as a card states them.

    Raises:
        ValueError: classes or columns are left out.
    """
    for name in ("classes", "columns"):
        if chosen := getattr(settings, name):
            raise InputError(
                f"`{name}` must be left out to record the figures in a card, got {', '.join(chosen)}"
            )


def command_line(settings: AccuracySettings) -> str:
    """The command with every option that has an effect on the results."""
    words = ["arise", "benchmark", "accuracy", "--out", "DIR"]
    for option, field in (("model", "models"), ("method", "methods"), ("classes", "classes"), ("column", "columns"),
                          ("draws", "draws"), ("passes", "passes"), ("seed", "seed")):  # fmt: skip
        value = getattr(settings, field)
        if value != getattr(AccuracySettings(), field):
            for one in value if isinstance(value, tuple) else [value]:
                words += [f"--{option}", str(one)]
    return shlex.join(words)


def _document(
    results: Results, scores: dict[str, dict[Column, Score]], by_method: dict[str, dict[Column, list[Row]]],
    curves: dict[str, Reliability],
) -> list[str]:  # fmt: skip
    settings = results.settings
    n_classes = len(settings.classes) or len(prototypes())
    lines = [
        "# Accuracy on defective structures", "",
        f"Made by `{command_line(settings)}`: {results.draws} random draw{'s' if results.draws > 1 else ''}, "
        f"{n_classes} classes, {settings.passes} Monte Carlo passes, seed {settings.seed}; {_versions()}.", "",
        f"Structures and scores as in {PAPER}, whose figures stand in italics below ours.",
        "Accuracy in %; **bold**: at least the published figure. δ: each coordinate moved by up to δ % of the "
        "nearest-neighbour distance; η: % of the atoms missing; (η, δ): both.", "",
        "Models and naive Bayes: share of structures, periodic and open. PTM, CNA, a-CNA, Ackland-Jones: share of "
        "atoms, periodic structures of the classes they know. spglib: share of periodic elements and binary "
        "compounds whose space group is found. A model's label counts whether it rejects the structure or not; "
        "what it rejects is in a table of its own. With all classes, one structure of a column is "
        f"{100 / 588 / results.draws:.2g} %.", "",
    ]  # fmt: skip
    for columns in ([c for c in COLUMNS if c not in BOTH], list(BOTH)):
        shown = [c for c in columns if c in results.rows]
        if shown:
            lines += [*_accuracy_table(results.methods, scores, shown), ""]
    models = [m for m in results.methods if m.name in curves]
    if models:
        lines += ["## Rejected by the models, %", ""]
        shown = list(results.rows)
        lines += markdown(
            ["model", *(c.title for c in shown)],
            [[m.title, *(_percent(scores[m.name][c].rejected_share) for c in shown)] for m in models],
            range(1, len(shown) + 1),
        )
        lines += ["", *_calibration(models, curves, by_method), ""]
    for m in [m for m in results.methods if m.published == "arise"]:
        lines += [*_confusions(m, by_method[m.name]), ""]
    return lines[:-1]


def _accuracy_table(
    methods: Sequence[Method], scores: dict[str, dict[Column, Score]], shown: Sequence[Column]
) -> list[str]:
    rows = []
    for m in methods:
        paper = published().get(m.published, {})
        cells = []
        for c in shown:
            value = scores[m.name][c].accuracy
            cell = _percent(value)
            reached = c.name in paper and value >= paper[c.name] - 0.005
            cells.append(f"**{cell}**" if reached and m.published == "arise" else cell)
        rows.append([f"{m.title} ({len(m.right_answers)})", *cells])
        if paper:
            rows.append(["*published*", *(f"*{_percent(paper[c.name])}*" for c in shown)])
    return markdown(["method (classes)", *(c.title for c in shown)], rows, range(1, len(shown) + 1))


def _calibration(
    models: Sequence[Method], curves: dict[str, Reliability], by_method: dict[str, dict[Column, list[Row]]]
) -> list[str]:
    rows = []
    for m in models:
        noisy = defective(by_method[m.name])
        mean = 100 * float(np.mean([r.confidence for r in noisy]))
        rows.append((m.title, _percent(score(noisy).accuracy), _percent(mean), f"{curves[m.name].error:.4f}"))
    columns = ("model", "accuracy, %", "mean confidence, %", "expected calibration error")
    return [
        "## Confidence against truth", "",
        "All defective structures together. Expected calibration error: mean difference between confidence and "
        f"accuracy over {BINS} bins of confidence (Guo et al. 2017).", "",
        *markdown(columns, rows, (1, 2, 3)), "",
        "![reliability diagram](accuracy-reliability.png)",
    ]  # fmt: skip


def _confusions(method: Method, found: dict[Column, list[Row]]) -> list[str]:
    """The most frequent confusions of a model, over all columns."""
    pairs: Counter[tuple[str, str]] = Counter()
    where: dict[tuple[str, str], Counter[str]] = {}
    totals: Counter[str] = Counter()
    for kind, rows in found.items():
        for r in rows:
            totals[r.label] += r.count
            if not r.right:
                pairs[r.label, r.found] += r.count
                where.setdefault((r.label, r.found), Counter())[kind.title] += r.count
    if not pairs:
        return [f"## Confusions of {method.title}", "", "None."]
    names = {p.label: p.name for p in prototypes()}
    table = []
    for pair, n in sorted(pairs.items(), key=lambda item: (-item[1], item[0]))[:SHOWN_CONFUSIONS]:
        label, other = pair
        often = ", ".join(f"{title}: {count}" for title, count in where[pair].most_common(3))
        table.append((names[label], names.get(other, other), n, _percent(100 * n / totals[label]), often))
    return [
        f"## Confusions of {method.title}", "",
        f"Over all columns, the {min(len(pairs), SHOWN_CONFUSIONS)} most frequent of {len(pairs)} pairs; "
        "`accuracy-confusions.csv` has all of them by column.", "",
        *markdown(
            ("class", "taken for", "structures", "of all of the class, %", "most often in"), table, (2, 3)
        ),
    ]  # fmt: skip


def _score_table(
    methods: Sequence[Method], scores: dict[str, dict[Column, Score]]
) -> Iterable[Sequence[object]]:
    for m in methods:
        for c, s in scores[m.name].items():
            paper = published().get(m.published, {}).get(c.name, "")
            yield (
                m.name, len(m.right_answers), c.name, c.missing, c.displacement, s.right, s.total,
                f"{s.accuracy:.3f}", paper, s.rejected,
            )  # fmt: skip


def confusions(by_method: dict[str, dict[Column, list[Row]]]) -> Iterable[Sequence[object]]:
    """Wrong answers and how often each was given, by method, column and class: rows of `CONFUSIONS`."""
    for name, found in by_method.items():
        for c, rows in found.items():
            wrong: Counter[tuple[str, str]] = Counter()
            for r in rows:
                if not r.right:
                    wrong[r.label, r.found] += r.count
            for (label, other), n in sorted(wrong.items()):
                yield name, c.name, label, other, n


def _plot(curves: dict[str, Reliability], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 5.3), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    top.plot([0, 1], [0, 1], color="0.7", lw=1)
    edges = np.linspace(0, 1, BINS + 1)
    for name, curve in curves.items():
        there = curve.count > 0
        top.plot(
            curve.confidence[there], curve.accuracy[there], "o-", ms=4,
            label=f"{name}, error {curve.error:.4f}",
        )  # fmt: skip
        bottom.stairs(curve.count, edges)
    top.set_ylabel("share that is right")
    bottom.set_yscale("log")
    bottom.set_xlabel("confidence")
    bottom.set_ylabel("structures")
    figure.legend(loc="outside upper left", frameon=False)
    figure.savefig(path, dpi=130)


def _versions() -> str:
    found: list[Any] = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def _percent(value: float) -> str:
    return "–" if np.isnan(value) else "100" if value == 100 else "0" if value == 0 else f"{value:.2f}"
