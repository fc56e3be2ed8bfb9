"""Where the time of a map goes, told by Python's profiler, which sees compiled loops as functions."""

from __future__ import annotations

import cProfile
import pstats
import statistics
from pathlib import Path
from typing import Any

import arise_core as arise
from benchmarks.speed.case import Given
from benchmarks.speed.maps import MODEL
from benchmarks.structures import fcc

CORE = Path(arise.__file__).parent
#: Parts of the work: functions of the core, by file and name, none of which calls another one.
PARTS = {
    "pair densities (length scales)": (
        ("engine/loops.py", "add_histograms"),
        ("descriptor/lengthscale.py", "scales"),
    ),
    "pairs: search, harmonics, corners": (("engine/loops.py", "add_sums"),),
    "sums over boxes": (("engine/loops.py", "accumulate"),),
    "contraction and power spectrum": (("engine/loops.py", "contract"),),
    "network": (("model/runner.py", "without_dropout"), ("model/runner.py", "evaluate")),
    "Monte Carlo statistics": (("model/dropout.py", "add"), ("model/dropout.py", "settled_enough")),
}


def profiled(structure: arise.Structure, model: arise.Model, stride: float) -> dict[str, float]:
    """Seconds of each part of one map, of the rest and of the whole.

    Raises:
        LookupError: a function of the table was not called: it has another name or place now, or the profiler does not
            see it, as that of Python 3.13 does not see numba's.
    """
    profile = cProfile.Profile()
    profile.runcall(arise.strided_map, structure, model, stride=stride)
    stats = pstats.Stats(profile)
    cumulative: dict[tuple[str, str], float] = {}
    for (file, _, name), (_, _, _, spent, _) in stats.stats.items():  # type: ignore[attr-defined]
        if Path(file).is_relative_to(CORE):
            key = (Path(file).relative_to(CORE).as_posix(), name)
            cumulative[key] = cumulative.get(key, 0.0) + spent
    missing = {f for functions in PARTS.values() for f in functions} - set(cumulative)
    if missing:
        raise LookupError(f"not called in a map: {sorted(missing)}")
    out = {part: sum(cumulative[f] for f in functions) for part, functions in PARTS.items()}
    whole = cumulative["recognition/maps.py", "strided_map"]
    return {**out, "the rest": whole - sum(out.values()), "whole": whole}


def breakdown(given: Given) -> dict[str, Any]:
    """Where the time goes in a map of thermal fcc at 3 Å and 1 Å stride, one thread, share of the whole."""
    model = arise.load_model(MODEL)
    structure = fcc(given.size(8, 5))
    out = {}
    for stride in (3.0, given.size(1.0, 2.0)):
        arise.strided_map(structure, model, stride=stride)
        rows = [profiled(structure, model, stride) for _ in range(given.repeats)]
        out[f"{stride:g} Å"] = {part: statistics.median(row[part] for row in rows) for part in rows[0]}
    return out
