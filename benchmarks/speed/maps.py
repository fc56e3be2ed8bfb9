"""Cases of whole maps: descriptors, network and what is read off."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import arise_core as arise
from arise_core.geometry import builders
from arise_core.recognition.result import recognise
from arise_core.settings import RecognitionSettings
from benchmarks.measure import ROOT, median_seconds, peak_gib
from benchmarks.sharp.built import growth
from benchmarks.speed.borders import particle, slab
from benchmarks.speed.case import Given
from benchmarks.speed.engine import BOX, superalloy
from benchmarks.structures import LATTICE, fcc

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
    """The whole map of the same in boxes of one size, with automatic tolerance and with one of 0.01 bit."""
    structure = superalloy(given)
    seconds, found = timed_map(structure, given.repeats, box_size=BOX, stride=3.0)
    strict_seconds, strict = timed_map(
        structure, min(given.repeats, 2), box_size=BOX, stride=3.0, tolerance=0.01
    )
    p = found.prediction
    return {
        "atoms": len(structure), "boxes": len(p), "seconds": seconds, "peak GiB": peak_gib(),
        "mean passes": float(p.passes.mean()),
        "share of boxes at the limit of 1000 passes": float((p.passes == 1000).mean()),
        "seconds with 0.01 bit": strict_seconds,
        "mean passes with 0.01 bit": float(strict.prediction.passes.mean()),
    }  # fmt: skip


#: Structures whose maps are timed, and how many atoms a second are aimed at with sharp ones.
ATOMS_A_SECOND = {
    "hot solid": 15_000, "half-molten": 10_000, "four-grain slab": 3_000, "nanoparticle": 3_000
}  # fmt: skip
#: Displacement of the atoms of the hot solid, Å a coordinate.
HOT = 0.15


def usual_structures(given: Given) -> dict[str, arise.Structure]:
    """Those of `ATOMS_A_SECOND`; half-molten is the first frame of the demo, at its melting point, repeated."""
    (frame,) = growth([0])
    times = given.size(max(1, round((100_000 / len(frame.structure)) ** (1 / 3))), 1)
    return {
        "hot solid": fcc(given.size(29, 6), displacement=HOT),
        "half-molten": builders.repeat(frame.structure, (times, times, times)),
        "four-grain slab": slab(given),
        "nanoparticle": particle(given),
    }


def usual_maps(given: Given) -> dict[str, Any]:
    """Maps every 3 Å with all else as by default, and sharp ones, values at the atoms; OVITO's PTM, same threads."""
    from ovito.modifiers import PolyhedralTemplateMatchingModifier

    from ovito_arise.convert import to_collection

    model = arise.load_model(MODEL)
    few = min(given.repeats, 3)
    out: dict[str, Any] = {}
    for name, structure in usual_structures(given).items():
        data, n = to_collection(structure), len(structure)
        ptm = median_seconds(lambda d=data: d.clone().apply(PolyhedralTemplateMatchingModifier()), few)
        seconds = {}
        for kind in ("sharp", "single"):
            settings = RecognitionSettings.of({"mode": "local", "resolution": kind})
            recognise(fcc(5), model, settings)
            seconds[kind] = median_seconds(
                lambda s=structure, chosen=settings: recognise(s, model, chosen, keep_map=False), few
            )
        out |= {
            f"{name}: atoms": n,
            f"{name}: atoms a second": n / seconds["single"],
            f"{name}: atoms a second, sharp": n / seconds["sharp"],
            f"{name}: PTM over ours": seconds["single"] / ptm,
            f"{name}: PTM over ours, sharp": seconds["sharp"] / ptm,
        }
    return out


def million_atoms(given: Given) -> dict[str, Any]:
    """The sharp map of a million atoms of thermal fcc, values at the atoms; once."""
    model, settings = (
        arise.load_model(MODEL),
        RecognitionSettings.of({"mode": "local", "resolution": "sharp"}),
    )
    structure = fcc(given.size(63, 7))
    seconds = median_seconds(lambda: recognise(structure, model, settings, keep_map=False), 1, small_map)
    return {"atoms": len(structure), "seconds": seconds, "peak GiB": peak_gib()}


def demo(given: Given) -> dict[str, Any]:
    """`arise demo` in a process of its own, everything compiled before."""

    def run() -> None:
        with TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "arise_cli.main", "demo", "--out", folder]
            subprocess.run(
                command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )

    return {"seconds": median_seconds(run, min(given.repeats, 3), run)}


def nanoparticle(given: Given) -> dict[str, Any]:
    """Map of a particle of 23,000 atoms in vacuum, partly filled boxes exactly: box 12 Å, stride 2 Å."""
    structure = particle(given)
    seconds, found = timed_map(structure, min(given.repeats, 3), box_size=12.0, stride=given.size(2.0, 6.0))
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
