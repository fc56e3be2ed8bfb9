"""The figures as Markdown, plots and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.case import Case
from benchmarks.tables import facts, markdown, number

Results = Mapping[str, Mapping[str, Any]]
#: By what the limits of the scaling were drawn.
UNITS = ("ns a pair", "µs a pass")
#: Results with a form of their own.
SPECIAL = ("machine", "scaling", "where the time goes")


def write(results: Results, cases: Mapping[str, Case], folder: Path) -> None:
    """speed.md, speed.json and scaling.png of what has been measured.

    Args:
        results: "machine" and cases by name.
        cases: all there are.
        folder: made if it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "speed.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    parts = [
        "# Speed and memory",
        "Made by `python -m benchmarks.speed`. Medians; each ratio is from one run on the same number of threads.",
        facts(results["machine"]),
    ]
    for name, figures in results.items():
        if name not in SPECIAL:
            rows = [(k, number(v), cases[name].goals.get(k, "")) for k, v in figures.items()]
            parts += [f"## {name}", cases[name].about, markdown(rows, ("figure", "value", "goal"))]
    small, large = results.get("132,000 atoms"), results.get("1,000,000 atoms")
    if small and large:
        ratio = large["µs an atom"] / small["µs an atom"]
        parts.append(
            f"Cost per atom at 1,000,000 atoms over that at 132,000: {ratio:.2f} (goal: at most 1.3)."
        )
    if "where the time goes" in results:
        name = "where the time goes"
        parts += [f"## {name}", cases[name].about, shares(results[name])]
    if "scaling" in results:
        plot(results["scaling"], folder / "scaling.png")
        parts += [
            "## scaling",
            cases["scaling"].about,
            "![cost against atoms, stride and box size](scaling.png)",
        ]
        limits = [f"{results['scaling'][name]:.3g} {name}" for name in UNITS if name in results["scaling"]]
        if limits:
            parts.append(f"Limits are drawn with {' and '.join(limits)}, by all threads.")
    (folder / "speed.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def shares(found: Mapping[str, Any]) -> str:
    """Seconds of each part and its share of the whole, one column a stride."""
    columns = {k: v for k, v in found.items() if isinstance(v, dict)}
    rows = [
        (part, *(f"{c[part]:.2f} s ({c[part] / c['whole']:.0%})" for c in columns.values()))
        for part in next(iter(columns.values()))
    ]
    return markdown(rows, ("part", *columns))


#: What is drawn of each row behind x, and how.
DRAWN = (
    ("descriptors", "o-", "C0"),
    ("whole map", "s-", "C1"),
    ("limit: each pair once", "--", "C0"),
    ("limit: and one pass of the network", "--", "C1"),
)


def plot(figures: Mapping[str, Any], path: Path) -> None:
    """Cost against number of atoms, stride and box size, and its limits."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    figure = Figure(figsize=(11, 3.8), layout="constrained")
    panels = (
        ("atoms", "number of atoms", "time (s), 16 Å boxes every 3 Å"),
        ("stride", "stride (Å)", "time a box (ms), 16 Å boxes"),
        ("box size", "box size (Å)", "time a box (ms), every 3 Å"),
    )
    for axes, (key, label, unit) in zip(figure.subplots(1, 3), panels, strict=True):
        x, *columns = np.array(figures[key], dtype=float).T
        for y, (name, style, colour) in zip(columns, DRAWN, strict=False):  # 0.1.0 had no limits
            axes.loglog(x, y if key == "atoms" else 1e3 * y, style, color=colour, label=name)
        axes.set(xlabel=label, ylabel=unit)
        if key != "atoms":
            axes.set_xticks(x, [f"{value:g}" for value in x])
            axes.minorticks_off()
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter("{x:g}")
        axes.grid(alpha=0.3)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(path, dpi=130)
