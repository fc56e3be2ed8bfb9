"""What OVITO costs: time and memory of the modifier over the core's; writes docs/benchmarks/ovito.md.

    python -m benchmarks.overhead [--out DIR] [--repeats 3] [--cells 29] [--million 63] [--only CASE ...]

Each case runs in a process of its own. Times are medians over repeats. The two sides of the ratio of times alternate
in one process, so that a change of the machine's load meets both; the pair with the median ratio is shown. Memory is
the rise of the largest resident memory above what the process needs before it has a structure. About ten minutes on
2 cores.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import arise_core as arise
from benchmarks.measure import DOCS, in_new_process, resident, seconds
from benchmarks.structures import fcc
from benchmarks.tables import markdown

if TYPE_CHECKING:
    from ovito.pipeline import Pipeline

    from ovito_arise import AriseModifier

STRIDE = 3.0  # Å
Figures = dict[str, float]


def core_map(structure: arise.Structure) -> arise.StridedMap:
    """The core alone, from arrays to map."""
    same = arise.Structure(structure.positions, structure.numbers, structure.cell, structure.pbc)
    return arise.strided_map(same, arise.load_model("arise-108"), stride=STRIDE)


def pipeline_of(structure: arise.Structure) -> tuple[Pipeline, AriseModifier]:
    """A pipeline with a modifier that has computed nothing yet, and the modifier."""
    from ovito_arise import AriseModifier
    from ovito_arise.convert import to_pipeline  # not above: the core's process is to be without OVITO

    pipeline, modifier = to_pipeline(structure), AriseModifier(stride=STRIDE)
    pipeline.modifiers.append(modifier)
    return pipeline, modifier


# --- the cases ------------------------------------------------------------------------------------------------


def time_over_core(given: argparse.Namespace) -> Figures:
    """Modifier (conversion, map, values at the particles, all standard outputs) over `strided_map` alone."""
    structure = fcc(given.cells)
    small = fcc(5)
    core_map(small)
    pipeline_of(small)[0].compute()
    pairs = []
    for _ in range(given.repeats):
        core = seconds(lambda: core_map(structure))
        pipeline, _keep = pipeline_of(structure)
        pairs.append((core, seconds(pipeline.compute)))
    pairs.sort(key=lambda pair: pair[1] / pair[0])
    core, modifier = pairs[len(pairs) // 2]
    return {
        "atoms": len(structure),
        "core, s": core,
        "modifier, s": modifier,
        "modifier over core": modifier / core,
    }


def conversion(given: argparse.Namespace) -> Figures:
    """From OVITO's data collection to the structure that the core takes, checks included."""
    from ovito_arise.convert import to_atoms, to_collection

    structure = fcc(given.million)
    data = to_collection(structure)
    times = [seconds(lambda: to_atoms(data, {})) for _ in range(2 * given.repeats + 1)]
    return {"atoms": len(structure), "conversion, s": statistics.median(times)}


CHANGES: dict[str, Any] = {
    "color_by": "mutual information",
    "color_end": 0.1,
    "classes": "FCC, HCP",
    "reject_threshold": "0.3",
    "min_confidence": 0.6,
    "probabilities": "FCC, HCP",
    "box_table": True,
    "voxel_grid": False,
}


def shown_again(given: argparse.Namespace) -> Figures:
    """Evaluation after a change of each parameter that changes the picture only, with what came before it."""
    structure = fcc(given.cells)
    pipeline, modifier = pipeline_of(structure)
    pipeline.compute()
    out: Figures = {"atoms": len(structure)}
    for name, value in CHANGES.items():
        times = []
        for _ in range(given.repeats):
            before = getattr(modifier, name)
            setattr(modifier, name, value)
            times.append(seconds(pipeline.compute))
            setattr(modifier, name, before)
            pipeline.compute()
        out[f"`{name}`, s"] = statistics.median(times)
    out["slowest, s"] = max(v for k, v in out.items() if k != "atoms")
    return out


def memory(given: argparse.Namespace, work: Callable[[arise.Structure], object]) -> Figures:
    """Rise of the memory during work on a structure."""
    work(fcc(5))  # code, model and buffers of libraries
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the peak so far
    before = resident("VmRSS")
    structure = fcc(given.cells)
    kept = work(structure)
    peak = resident("VmHWM")
    del kept
    return {"atoms": len(structure), "before, MiB": before, "peak, MiB": peak, "rise, MiB": peak - before}


def memory_core(given: argparse.Namespace) -> Figures:
    """The core alone."""
    return memory(given, core_map)


def memory_modifier(given: argparse.Namespace) -> Figures:
    """The modifier in a pipeline; OVITO's copies of the particles, its outputs and the kept result are counted."""

    def work(structure: arise.Structure) -> object:
        pipeline, modifier = pipeline_of(structure)
        return pipeline.compute(), modifier

    return memory(given, work)


CASES = {c.__name__: c for c in (time_over_core, conversion, shown_again, memory_core, memory_modifier)}


# --- running and writing ----------------------------------------------------------------------------------------


def measure(name: str, given: argparse.Namespace) -> Figures:
    """One case in a process of its own."""
    arguments = [
        "--case",
        name,
        "--repeats",
        given.repeats,
        "--cells",
        given.cells,
        "--million",
        given.million,
    ]
    found: Figures = in_new_process("benchmarks.overhead", arguments)
    print(f"{name}: " + ", ".join(f"{k} {v:.4g}" for k, v in found.items()), flush=True)
    return found


def rows(found: Mapping[str, Figures]) -> list[tuple[str, str, str]]:
    """What was measured, how much, and the goal."""
    out = []
    if "time_over_core" in found:
        t = found["time_over_core"]
        text = (
            f"time of the modifier over the core's, {t['atoms']:,} atoms, boxes of 16 Å, stride {STRIDE:g} Å"
        )
        sides = f"{t['modifier, s']:.1f} s / {t['core, s']:.1f} s"
        out.append((text, f"{t['modifier over core']:.3f} ({sides})", "at most 1.1"))
    if "conversion" in found:
        c = found["conversion"]
        text = f"conversion of {c['atoms']:,} atoms from OVITO to the core"
        out.append((text, f"{c['conversion, s']:.2f} s", "at most 0.5 s"))
    if "shown_again" in found:
        s = found["shown_again"]
        slowest = max((k for k in s if k.startswith("`")), key=lambda k: s[k]).removesuffix(", s")
        text = (
            f"another picture of {s['atoms']:,} atoms without new computation, slowest parameter ({slowest})"
        )
        out.append((text, f"{s['slowest, s']:.2f} s", "at most 0.2 s"))
    if {"memory_core", "memory_modifier"} <= set(found):
        m, c = found["memory_modifier"], found["memory_core"]
        text = f"memory of the modifier over the core's, {m['atoms']:,} atoms: rise above the empty process"
        out.append((text, ratio(m, c, "rise, MiB"), "at most 1.2"))
        out.append(("the same, whole processes", ratio(m, c, "peak, MiB"), ""))
    return out


def ratio(one: Figures, other: Figures, key: str) -> str:
    """A ratio with its two sides."""
    return f"{one[key] / other[key]:.2f} ({one[key]:,.0f} MiB / {other[key]:,.0f} MiB)"


def write(found: Mapping[str, Figures], path: Path) -> None:
    """The document."""
    parts = [
        "# What OVITO costs",
        f"Made by `python -m benchmarks.overhead` on {os.cpu_count()} cores ({platform.machine()}), Python "
        f"{platform.python_version()}, ovito {version('ovito')}, numpy {version('numpy')}, torch {version('torch')}.",
        markdown(rows(found), ("What", "Measured", "Goal")),
        "How each is measured:",
        "\n".join(f"- `{name}`: {CASES[name].__doc__}" for name in found),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    print(f"written: {path}")


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.overhead",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=DOCS)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cells", type=int, default=29, help="cubic cells along each edge; 29: 97,556 atoms")
    parser.add_argument(
        "--million", type=int, default=63, help="the same for the conversion; 63: 1,000,188 atoms"
    )
    parser.add_argument("--only", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--case", choices=list(CASES), help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.case:
        print(json.dumps(CASES[given.case](given)))
        return
    write({name: measure(name, given) for name in given.only}, given.out / "ovito.md")


if __name__ == "__main__":
    main()
