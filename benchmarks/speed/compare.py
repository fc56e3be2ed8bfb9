"""Time and memory of this checkout over those of another one, run in turn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measure import ROOT
from benchmarks.speed import compared

SCRIPT = Path(compared.__file__)
FIGURES = {"seconds": "s", "processor": "processor s", "memory": "MiB"}


def case_names() -> tuple[str, ...]:
    """Cases of a comparison."""
    return tuple(compared.CASES)


def run(checkout: Path, name: str, quick: bool, file: Path) -> dict[str, Any]:
    """One case with the core of a checkout, in a process of its own that saves its arrays in a file.

    Raises:
        RuntimeError: it failed, or another core was found.
    """
    command = [sys.executable, "-P", str(SCRIPT), name, str(file), *(["--quick"] if quick else [])]
    environment = os.environ | {"PYTHONPATH": str(checkout.resolve())}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise RuntimeError(f"{name} in {checkout}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if not Path(found["core"]).resolve().is_relative_to(checkout.resolve()):
        raise RuntimeError(f"{name}: the core of {checkout} was wanted, that of {found['core']} was found")
    return found


def difference(one: Path, other: Path) -> float:
    """Largest difference between the numbers in two files; 0 if they are the same, bit for bit."""
    with np.load(one) as a, np.load(other) as b:
        if all(np.array_equal(a[k], b[k], equal_nan=True) for k in a):
            return 0.0
        return max(float(np.nanmax(np.abs(a[k].astype(np.float64) - b[k]))) for k in a)


def compare(old: Path, names: Sequence[str], repeats: int, quick: bool, new: Path = ROOT) -> pd.DataFrame:
    """Old, new, old, new, ...: one row a case, after a run of each that compiles and is not counted.

    Times (s) and memory (MiB) are medians; a ratio, new over old, is the median over neighbours, so that a change of
    the machine's load meets both. `largest difference` is one of the descriptors or predictions.
    """
    rows = []
    for name in names:
        print(name, file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder) / "old.npz", Path(folder) / "new.npz"]
            both = [
                [run(c, name, quick, f) for c, f in zip((old, new), files, strict=True)]
                for _ in range(repeats + 1)
            ]
            apart = difference(*files)
        row: dict[str, Any] = {"case": name}
        for figure, unit in FIGURES.items():
            values = np.array([[found[figure] for found in pair] for pair in both[1:]])
            row[f"old, {unit}"], row[f"new, {unit}"] = np.median(values, axis=0)
            row[f"{figure} ratio"] = float(np.median(values[:, 1] / values[:, 0]))
        rows.append(row | {"largest difference": apart})
    return pd.DataFrame(rows)


def table(found: pd.DataFrame) -> str:
    """A comparison as Markdown."""
    shown = found.assign(**{"largest difference": found["largest difference"].map("{:.1e}".format)})
    return shown.to_markdown(
        index=False, floatfmt=".3f", disable_numparse=[shown.columns.get_loc("largest difference")]
    )
