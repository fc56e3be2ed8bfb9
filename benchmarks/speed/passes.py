"""Cases of Monte Carlo dropout: what a pass costs and how many it takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

import arise_core as arise
from arise_core.engine.boxes import BoxDescriptors
from arise_core.geometry import builders
from arise_core.geometry.particles import tomography_particle
from arise_core.progress import Job
from arise_core.recognition.asking import Answers, Asker
from benchmarks.measure import median_seconds
from benchmarks.sharp.built import growth
from benchmarks.speed.borders import slab
from benchmarks.speed.case import Given
from benchmarks.speed.maps import MODEL
from benchmarks.structures import LATTICE

COMPARED = 64  # passes
#: Structures of `uncertainty`, and what is aimed at in each.
DOUBTFUL = ("four-grain slab", "crystal and melt at T_m", "disorder", "tomography particle", "polycrystal")
AIMS = {
    "mean passes": "at most 8",
    "share with the label of 4,000 passes": "at least 0.995",
    "share rejected or not as by 4,000 passes": "at least 0.995",
    "mutual information, rms off, bit": "at most 0.02",
    "the same, at most, bit": "at most 0.15",
    "share within the standard error": "at least 0.67",
}
GOALS = {f"{name}: {figure}": aim for name in DOUBTFUL for figure, aim in AIMS.items()}


def descriptor_of(name: str, model: arise.Model) -> np.ndarray:
    """Descriptor of a prototype, (n_features,)."""
    return arise.describe(arise.build(arise.prototype(name)), model.descriptor)


def monte_carlo(given: Given) -> dict[str, Any]:
    """Cost of a forward pass, and how many passes a tolerance of 0.01 bit takes."""
    model = arise.load_model(MODEL)
    base = descriptor_of("fcc", model)
    x = base + np.random.default_rng(0).normal(0, 0.01, (given.size(4096, 256), len(base)))
    seconds = median_seconds(lambda: model.predict(x, arise.SamplingSettings(passes=64)), given.repeats)
    return {
        "rows": len(x),
        "µs a row and pass": 1e6 * seconds / len(x) / 64,
        "passes that independent masks need over those of balanced ones": masks_compared(
            model, given.size(100, 8)
        ),
        **adaptive_compared(model, given),
    }


def masks_compared(model: arise.Model, seeds: int) -> float:
    """Ratio of the variances of the mutual information over seeds, independent over balanced masks, 64 passes.

    Rows between fcc and hcp, so that there is doubt; median over rows. The passes of a block are balanced, the first
    passes of different seeds are independent.
    """
    a, b = (descriptor_of(name, model) for name in ("fcc", "hcp"))
    share = np.linspace(0.2, 0.8, 64)[:, None]
    x = (1 - share) * a + share * b + np.random.default_rng(0).normal(0, 5e-4, (64, len(a)))

    def predicted(passes: int, seed: int) -> arise.Prediction:
        return model.predict(x, arise.SamplingSettings(passes=passes, seed=seed))

    def independent(first_seed: int) -> np.ndarray:
        single = [predicted(1, first_seed + k) for k in range(COMPARED)]
        mean = np.mean([p.probabilities for p in single], axis=0, dtype=np.float64)
        entropy = -(mean * np.log2(np.maximum(mean, 1e-300))).sum(axis=1)
        return np.asarray(entropy - np.mean([p.predictive_entropy for p in single], axis=0))

    ours = np.var([predicted(COMPARED, s).mutual_information for s in range(seeds)], axis=0)
    theirs = np.var([independent(1000 + COMPARED * s) for s in range(seeds)], axis=0)
    doubtful = theirs > 1e-4
    return float(np.median(theirs[doubtful] / ours[doubtful])) if doubtful.any() else float("nan")


def doubtful_structures(given: Given) -> dict[str, arise.Structure]:
    """Those of `DOUBTFUL`."""
    rng = np.random.default_rng(0)
    (frame,) = growth([0])
    return {
        "four-grain slab": slab(given),
        "crystal and melt at T_m": frame.structure,
        "disorder": packing(given.size(4000, 500), rng),
        "tomography particle": tomography_particle(given.size(20_000, 1_500), rng=rng)[0],
        "polycrystal": polycrystal(given.size(48.0, 24.0)),
    }


def uncertainty(given: Given) -> dict[str, Any]:
    """What `tolerance="auto"` costs, and how close it is to 4,000 passes with other masks; 12 Å boxes at random."""
    model = arise.load_model(MODEL)
    out: dict[str, Any] = {}
    for name, structure in doubtful_structures(given).items():
        grid = arise.box_grid(structure, arise.MapSettings(box_size=12.0, stride=given.size(3.0, 6.0)))
        x = arise.describe_boxes(grid, model.descriptor).features
        x = x[np.isfinite(x).all(axis=1)]
        x = x[np.random.default_rng(1).permutation(len(x))[: given.size(600, 60)]]
        found = model.predict(x, arise.SamplingSettings(tolerance="auto"))
        strict = model.predict(x, arise.SamplingSettings(tolerance=0.01))
        many = model.predict(x, arise.SamplingSettings(passes=given.size(4_000, 400), seed=1))
        error = np.abs(found.mutual_information - many.mutual_information)
        figures = (
            float(found.passes.mean()),
            float((found.index == many.index).mean()),
            float((found.rejected == many.rejected).mean()),
            float(np.sqrt((error**2).mean())),
            float(error.max()),
            float((error <= np.hypot(found.standard_error, many.standard_error)).mean()),
        )
        out |= {f"{name}: {figure}": value for figure, value in zip(AIMS, figures, strict=True)}
        out[f"{name}: mean passes with 0.01 bit"] = float(strict.passes.mean())
    return out


#: Figures of `sharp_uncertainty`, and what is aimed at in each structure.
SHARP_AIMS = {
    "passes a box, of all sizes": "at most 8",
    "share of the boxes that others answer for": "",
    "share with the label of all passes": "at least 0.995",
    "share rejected or not as by all passes": "at least 0.995",
    "others answer for, label or rejection of all passes": "at least 0.995",
    "the same, mutual information, rms off, bit": "at most 0.02",
    "the same, share within the standard error": "at least 0.67",
    "audited": "",
    "audited, with another answer": "",
    "audited, mutual information, rms off, bit": "",
}
SHARP_GOALS = {f"{name}: {figure}": aim for name in DOUBTFUL for figure, aim in SHARP_AIMS.items() if aim}


@contextmanager
def passes_counted() -> Iterator[list[int]]:
    """Passes of all boxes that are asked meanwhile, of whatever size."""
    counted: list[int] = []
    ask = Asker.ask

    def counting(self: Asker, batch: BoxDescriptors) -> Job[Answers]:
        said = yield from ask(self, batch)
        counted.append(int(said.prediction.passes.sum()))
        return said

    Asker.ask = counting  # type: ignore[method-assign]
    try:
        yield counted
    finally:
        Asker.ask = ask  # type: ignore[method-assign]


def sharp_uncertainty(given: Given) -> dict[str, Any]:
    """Passes of sharp maps every 3 Å, and how close these are to 256 passes, with other masks, of every box."""
    model = arise.load_model(MODEL)
    out: dict[str, Any] = {}
    for name, structure in doubtful_structures(given).items():
        sharp = {"resolution": "sharp", "stride": given.size(3.0, 6.0)}
        with passes_counted() as counted:
            field = arise.strided_map(structure, model, **sharp)
        every = arise.strided_map(
            structure, model, passes=given.size(256, 32), tolerance=None, seed=1, **sharp
        ).prediction
        found, valid = field.prediction, field.prediction.valid
        label, rejected = found.index == every.index, found.rejected == every.rejected
        settled = valid & (found.passes == 0)
        off = np.abs(found.mutual_information - every.mutual_information)[settled]
        stated = np.hypot(found.standard_error, every.standard_error)[settled]
        audit = field.audit
        assert audit is not None  # maps of several sizes have one
        same = rejected & (label | found.rejected)
        figures = (
            sum(counted) / int(valid.sum()),
            float(settled.sum() / valid.sum()),
            float(label[valid].mean()),
            float(rejected[valid].mean()),
            float(same[settled].mean()),
            float(np.sqrt((off**2).mean())),
            float((off <= stated).mean()),
            audit.asked,
            audit.different,
            audit.off,
        )
        out |= {f"{name}: {figure}": value for figure, value in zip(SHARP_AIMS, figures, strict=True)}
    return out


def packing(atoms: int, rng: np.random.Generator) -> arise.Structure:
    """A dense packing of spheres as far apart as the atoms of copper, like a melt."""
    x, _, edge = builders.disordered(atoms, 0.62, [1.0], [1.0], 60, rng)
    scale = LATTICE / np.sqrt(2)
    return arise.Structure(x * scale, np.full(len(x), 29), np.eye(3) * edge * scale, True)


def polycrystal(edge: float) -> arise.Structure:
    """Thermal grains of four crystals in a periodic cube."""
    rng = np.random.default_rng(3)
    grains = [arise.build(arise.prototype(n)) for n in ("fcc", "bcc", "hcp", "fcc", "diamond")]
    s = builders.polycrystal(grains, (edge,) * 3, pbc=True, rng=rng)
    return arise.Structure(s.positions + rng.normal(0, 0.1, s.positions.shape), s.numbers, s.cell, s.pbc)


def adaptive_compared(model: arise.Model, given: Given) -> dict[str, Any]:
    """Adaptive passes (0.01 bit, at most 1000) against 10,000 with other masks, boxes of a polycrystal."""
    grid = arise.box_grid(polycrystal(given.size(48.0, 24.0)), arise.MapSettings(box_size=12.0, stride=6.0))
    x = arise.describe_boxes(grid, model.descriptor).features
    a = model.predict(x, arise.SamplingSettings(tolerance=0.01))
    b = model.predict(x, arise.SamplingSettings(passes=given.size(10_000, 2_000), seed=1))
    error = np.abs(a.mutual_information - b.mutual_information)
    stated = np.maximum(3 * np.hypot(a.standard_error, b.standard_error), 0.01)
    return {
        "boxes of a polycrystal": len(x),
        "mean passes there": float(a.passes.mean()),
        "share within 3 standard errors (or the tolerance) of 10,000 passes": float((error < stated).mean()),
        "share with the label of 10,000 passes": float((a.labels == b.labels).mean()),
    }
