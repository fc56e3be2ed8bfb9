"""Cases of whole maps: descriptors, network and what is read off."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

import arise_core as arise
from benchmarks.measure import ROOT, median_seconds, peak_gib
from benchmarks.speed.case import Given
from benchmarks.speed.engine import BOX, superalloy
from benchmarks.structures import LATTICE, fcc, in_a_ball

MODEL = "arise-108"


def small_map() -> None:
    """A map of little: compiles what is not compiled yet and lets the libraries take their buffers."""
    arise.strided_map(fcc(5), arise.load_model(MODEL), stride=4.0)


def timed_map(structure: arise.Structure, repeats: int, **settings: Any) -> tuple[float, arise.StridedMap]:
    """Median time of a map, s, and the last one."""
    model = arise.load_model(MODEL)
    kept: list[arise.StridedMap] = []

    def run() -> None:
        kept[:] = [arise.strided_map(structure, model, **settings)]

    return median_seconds(run, repeats, small_map), kept[0]


def superalloy_map(given: Given) -> dict[str, Any]:
    """The whole map of the same, mutual information to a standard error of 0.01 bit."""
    structure = superalloy(given)
    seconds, found = timed_map(structure, given.repeats, box_size=BOX, stride=3.0, tolerance=0.01)
    p = found.prediction
    early = p.passes < 1000
    return {
        "atoms": len(structure), "boxes": len(p), "seconds": seconds, "peak GiB": peak_gib(),
        "mean passes": float(p.passes.mean()),
        "share of boxes at the limit of 1000 passes": float((~early).mean()),
        "largest standard error of the others, bit": float(p.standard_error[early].max()),
    }  # fmt: skip


def nanoparticle(given: Given) -> dict[str, Any]:
    """Map of a particle of 23,000 atoms in vacuum, partly filled boxes exactly: box 12 Å, stride 2 Å."""
    atoms, cells, stride = given.size((23_000, 24, 2.0), (1_000, 9, 6.0))
    structure = in_a_ball(fcc(cells), (atoms * 3 / (4 * np.pi * 0.077)) ** (1 / 3))
    seconds, found = timed_map(structure, min(given.repeats, 3), box_size=12.0, stride=stride)
    p = found.prediction
    return {
        "atoms": len(structure), "boxes with enough atoms": int(p.valid.sum()), "seconds": seconds,
        "peak GiB": peak_gib(), "share of these boxes called fcc": float((p.names[p.valid] == "fcc").mean()),
    }  # fmt: skip


def cut_shapes() -> Mapping[str, arise.Structure]:
    """Pieces of fcc with flat and curved surfaces."""
    whole = fcc(16)
    x = whole.positions - whole.positions.mean(axis=0)
    radius = np.linalg.norm(x, axis=1)
    kept = {
        "flat (001)": (np.abs(x) < (22, 22, 16)).all(axis=1),
        "flat (123)": (radius < 26) & (x @ (1, 2, 3) < 3 * 14**0.5),
        "curved, radius 20 Å": radius < 20,
    }
    return {name: arise.Structure(x[keep], whole.numbers[keep]) for name, keep in kept.items()}


def surfaces(given: Given) -> dict[str, Any]:
    """Boxes that stick out of flat and curved fcc surfaces and hold at least 100 atoms: share called fcc."""
    model = arise.load_model(MODEL)
    out: dict[str, Any] = {}
    stride, passes = given.size((4.0, 100), (10.0, 8))
    for box in given.size((12.0, 16.0), (12.0,)):
        for shape, structure in cut_shapes().items():
            for edges in ("exact", "box"):
                field = arise.strided_map(
                    structure, model, box_size=box, stride=stride, edges=edges, padding="full", passes=passes
                )
                partly = (field.n_atoms >= 100) & (field.n_atoms < 0.95 * field.n_atoms.max())
                right = (field.prediction.names == "fcc") & ~field.prediction.rejected
                out[f"{shape}, boxes of {box:g} Å, edges={edges!r}"] = float(right[partly].mean())
    return out


def against_ovito(given: Given) -> dict[str, Any]:
    """OVITO's structure identification on the same thermal fcc, and a whole map at 3 Å, same threads."""
    from ovito.modifiers import (
        AcklandJonesModifier,
        CommonNeighborAnalysisModifier,
        PolyhedralTemplateMatchingModifier,
    )

    from ovito_arise.convert import to_collection

    structure = fcc(given.size(29, 6))  # 97,556 atoms
    data = to_collection(structure)
    modes = CommonNeighborAnalysisModifier.Mode
    methods = {
        "PTM": PolyhedralTemplateMatchingModifier(),
        "CNA": CommonNeighborAnalysisModifier(mode=modes.FixedCutoff, cutoff=0.854 * LATTICE),
        "a-CNA": CommonNeighborAnalysisModifier(mode=modes.AdaptiveCutoff),
        "Ackland-Jones": AcklandJonesModifier(),
    }
    out: dict[str, Any] = {"atoms": len(structure)}
    for name, modifier in methods.items():
        seconds = median_seconds(lambda m=modifier: data.clone().apply(m), given.repeats)
        out[f"{name}, atoms a second"] = len(structure) / seconds
    ours = len(structure) / timed_map(structure, given.repeats, stride=3.0)[0]
    out["ARISE map at 3 Å, atoms a second"] = ours
    return out | {f"{name} over ARISE": out[f"{name}, atoms a second"] / ours for name in methods}


def importing(given: Given) -> dict[str, Any]:
    """Importing the packages, in new processes."""
    out = {}
    for module in ("arise_core", "ase_arise"):
        command = [sys.executable, "-c", f"import {module}"]
        out[f"import {module}, s"] = median_seconds(
            lambda c=command: subprocess.run(c, check=True, cwd=ROOT), given.repeats
        )
    return out
