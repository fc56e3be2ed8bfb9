"""What changes no number, and what changes it by how much: threads, memory, order, cells, motions.

python -m benchmarks.robustness.same_numbers [--only order threads] [--write]

`--write` puts the table into docs/robustness.md. Each line has a bound; the exit code is 1 if one does not hold.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from threadpoolctl import threadpool_limits

import arise_core as arise
from arise_core.geometry import builders
from arise_core.recognition.maps import StridedMap
from arise_core.runtime import threads
from benchmarks.robustness.page import put
from benchmarks.tables import markdown

STRIDE = 4.0
MAP = {"box_size": 12.0, "stride": STRIDE, "passes": 16, "tolerance": None}
#: Fractions of a stride by which the front is moved.
FRACTIONS = (0.25, 0.5, 0.75)

Structure = arise.Structure
Array = np.ndarray


@dataclass(frozen=True)
class Answer:
    """What is compared: of the atoms in a map, or of a whole structure."""

    features: Array  # (n, n_features), in an order that the change keeps; empty where boxes lie elsewhere
    labels: Array  # (n_atoms,)
    information: Array  # (n_atoms,), bit


@dataclass(frozen=True)
class Found:
    """How much a change changes."""

    features: float  # largest difference of a component of a descriptor of norm 1; NaN: not compared
    labels: float  # share of the atoms with another label
    information: float  # largest difference of the mutual information, bit

    @property
    def equal(self) -> bool:
        """Bit for bit."""
        return not self.labels and self.information == 0 and (np.isnan(self.features) or self.features == 0)


@dataclass(frozen=True)
class Change:
    """A change that should make no difference, and the bounds that hold."""

    what: str
    of: str  # of what it was measured
    measure: Callable[[], Found]
    bounds: Found  # zeros: bit for bit

    def holds(self, found: Found) -> bool:
        """Whether the bounds hold."""
        pairs = (
            (found.features, self.bounds.features), (found.labels, self.bounds.labels),
            (found.information, self.bounds.information),
        )  # fmt: skip
        return all(np.isnan(a) or a <= b for a, b in pairs)


BITS = Found(0.0, 0.0, 0.0)


# --- structures ----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def model() -> arise.Model:
    """The default model."""
    return arise.load_model("arise-108")


@lru_cache(maxsize=1)
def front() -> Structure:
    """fcc beside bcc in a periodic cell of 48 x 24 x 24 Å, with noise: two fronts across x."""
    parts = []
    for name, low in (("fcc", 0.0), ("bcc", 24.0)):
        unit = arise.build(arise.prototype(name))
        unit = Structure(unit.positions, np.full(len(unit), 29), unit.cell, True)
        x, _ = builders.crystal_in_box(
            unit, np.zeros(3), np.full(3, 23.0), np.eye(3), np.array([0.11, 0.23, 0.37])
        )
        parts.append(x + [low + 0.5, 0.5, 0.5])
    x = np.concatenate(parts)
    x = x + np.random.default_rng(0).normal(0, 0.06, x.shape)
    return Structure(x, np.full(len(x), 29), np.diag([48.0, 24.0, 24.0]), True)


@lru_cache(maxsize=1)
def ball() -> Structure:
    """An open particle of rock salt."""
    unit = arise.build(arise.prototype("rock salt"))
    x, z = builders.crystal_in_box(
        unit, np.full(3, -11.0), np.full(3, 11.0), np.eye(3), np.array([0.11, 0.23, 0.37])
    )
    inside = np.linalg.norm(x, axis=1) < 11.0
    noise = np.random.default_rng(2).normal(0, 0.04, (inside.sum(), 3))
    return Structure(x[inside] + noise, z[inside])


def moved(structure: Structure, vector: Sequence[float], wrap: bool = True) -> Structure:
    """Moved by a vector, Å; wrapped into a cell along the axes."""
    x = structure.positions + np.asarray(vector)
    if wrap:
        x = np.where(structure.pbc, x % structure.cell.diagonal(), x)
    return Structure(x, structure.numbers, structure.cell, structure.pbc)


# --- answers -------------------------------------------------------------------------------------------------------


def mapped(structure: Structure, **settings: object) -> tuple[StridedMap, Array]:
    """A map, and the descriptors of its boxes."""
    given = {**MAP, **settings}
    found = arise.strided_map(structure, model(), **given)
    described = arise.describe_boxes(found.grid, model().descriptor).features
    return found, described


def of_map(structure: Structure, boxes: Callable[[Array], Array] = np.asarray, **settings: object) -> Answer:
    """Of the atoms in a map.

    Args:
        structure: to be mapped.
        boxes: puts the descriptors, (x, y, z, n_features), into the order of the boxes before the change.
        **settings: of the map.
    """
    found, features = mapped(structure, **settings)
    values = found.values_at_atoms()
    features = boxes(features.reshape(*found.shape, -1))
    return Answer(features.reshape(-1, features.shape[-1]), values.index, values.mutual_information)


def of_whole(structure: Structure) -> Answer:
    """Of a whole structure."""
    features = arise.describe(structure, model().descriptor)
    prediction = arise.classify(structure, model(), passes=32)
    return Answer(features[None], prediction.index, prediction.mutual_information)


def compared(a: Answer, b: Answer, boxes: bool = True) -> Found:
    """Largest differences; NaN where both have none."""
    known = np.isfinite(a.information) & np.isfinite(b.information)
    differ = np.abs(a.information - b.information)[known].max(initial=0.0)
    features = np.nanmax(np.abs(a.features - b.features)) if boxes else np.nan
    other = (a.labels != b.labels) | (np.isfinite(a.information) != np.isfinite(b.information))
    return Found(float(features), float(other.mean()), float(differ))


def worst(found: Sequence[Found]) -> Found:
    """The largest of each."""
    return Found(*(max(getattr(f, name) for f in found) for name in ("features", "labels", "information")))


# --- changes -------------------------------------------------------------------------------------------------------


def with_threads() -> Found:
    """One, two and three threads of ours."""
    answers = []
    for count in (1, 2, 3):
        threads.set_count(count)
        try:
            answers.append(of_map(front(), stride=3.0))
        finally:
            threads.set_count(None)
    return worst([compared(answers[0], other) for other in answers[1:]])


def with_blas_threads() -> Found:
    """One and several threads of BLAS."""
    answers = []
    for count in (1, 2, 3):
        with threadpool_limits(limits=count, user_api="blas"):
            answers.append((of_map(front()), of_whole(ball())))
    return worst([compared(a, b) for other in answers[1:] for a, b in zip(answers[0], other, strict=True)])


def with_memory() -> Found:
    """Two memory limits."""
    return compared(of_map(front(), memory_limit=4.0), of_map(front(), memory_limit=0.05))


def in_another_order() -> Found:
    """Atoms shuffled."""
    s = front()
    order = np.random.default_rng(3).permutation(len(s))
    first, other = of_map(s), of_map(Structure(s.positions[order], s.numbers[order], s.cell, True))
    back = np.argsort(order)
    return compared(first, Answer(other.features, other.labels[back], other.information[back]))


def in_other_images() -> Found:
    """Each atom in an image of its own."""
    s = front()
    images = np.random.default_rng(4).integers(-3, 4, (len(s), 3))
    return compared(of_map(s), of_map(moved(s, images @ s.cell, wrap=False)))


def by_a_stride() -> Found:
    """Moved by one stride along x and two along y: the same boxes elsewhere."""
    return compared(
        of_map(front()),
        of_map(moved(front(), [STRIDE, 2 * STRIDE, 0]), lambda f: np.roll(f, (-1, -2), axis=(0, 1))),
    )


def by_a_fraction(stride: float, between: str = "linear") -> Found:
    """Moved across the front by fractions of a stride: other boxes."""
    given = {"stride": stride, "between": between}
    first = of_map(front(), **given)
    others = [of_map(moved(front(), [f * stride, 0, 0]), **given) for f in FRACTIONS]
    return worst([compared(first, other, boxes=False) for other in others])


def turned_by_90() -> Found:
    """x to y, y to -x, with the cell."""
    s = front()
    turn = np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
    x = s.positions @ turn
    cell = np.diag(s.cell.diagonal()[[1, 0, 2]])
    other = Structure(np.where(True, x % cell.diagonal(), x), s.numbers, cell, True)
    return compared(of_map(s), of_map(other, lambda f: f[::-1].transpose(1, 0, 2, 3)))


def turned(structure: Structure, seed: int) -> Structure:
    """By any angle."""
    turn = builders.random_rotation(np.random.default_rng(seed))
    return Structure(structure.positions @ turn, structure.numbers, structure.cell @ turn, structure.pbc)


def whole_turned() -> Found:
    """An open structure as a whole."""
    return worst([compared(of_whole(ball()), of_whole(turned(ball(), k))) for k in range(4)])


def map_turned() -> Found:
    """A map of an open structure: other boxes."""
    first = of_map(ball(), stride=2.0)
    return worst([compared(first, of_map(turned(ball(), k), stride=2.0), boxes=False) for k in range(2)])


def in_other_cells() -> Found:
    """A periodic crystal as a whole, in other cells of its lattice, and turned."""
    s = arise.build(arise.prototype("cubic perovskite"))
    choices = ([[1, 1, 0], [0, 1, 0], [0, 0, 1]], [[1, 0, 0], [1, 1, -1], [0, 0, 1]])
    others = [Structure(s.positions, s.numbers, np.array(c) @ s.cell, True) for c in choices]
    others += [builders.repeat(s, (2, 1, 1)), turned(s, 7)]
    return worst([compared(of_whole(s), of_whole(other)) for other in others])


def map_in_another_cell() -> Found:
    """A map of the same periodic matter in a skewed cell: boxes of another shape."""
    s = front()
    cell = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 1]]) @ s.cell
    return compared(of_map(s), of_map(Structure(s.positions, s.numbers, cell, True)), boxes=False)


MOVED = "fcc beside bcc, moved across the front"
CHANGES: dict[str, Change] = {
    "threads": Change("1, 2 or 3 threads", "map", with_threads, BITS),
    "blas": Change("1, 2 or 3 threads of BLAS", "map, whole", with_blas_threads, BITS),
    "memory": Change("`memory_limit`", "map", with_memory, BITS),
    "order": Change("order of the atoms", "map", in_another_order, Found(1e-3, 0.002, 5e-3)),
    "images": Change("lattice vectors added to each atom", "map", in_other_images, Found(5e-6, 0.002, 1e-3)),
    "stride": Change("moved by whole strides", "map", by_a_stride, Found(0.01, 0.005, 0.05)),
    "turn 90": Change("turned by 90° with its cell", "map", turned_by_90, Found(1e-4, 0.005, 5e-3)),
    "cells": Change(
        "other cell of the lattice, supercell, any rotation", "whole crystal", in_other_cells, Found(1e-8, 0.0, 1e-6)
    ),
    "map cell": Change("a skewed cell of the lattice", "map", map_in_another_cell, Found(np.nan, 0.12, 1.0)),
    "turn open": Change("any rotation", "whole open particle", whole_turned, Found(0.02, 0.0, 0.05)),
    "turn map": Change("any rotation", "map of an open particle", map_turned, Found(np.nan, 0.05, 1.0)),
    **{
        f"fraction {stride:g}": Change(
            f"moved by a quarter, half, three quarters of the stride of {stride:g} Å", MOVED,
            lambda stride=stride: by_a_fraction(stride), Found(np.nan, bound, 1.0),
        )
        for stride, bound in ((6.0, 0.12), (4.0, 0.09), (2.0, 0.09))
    },
    "fraction 4 sure": Change(
        "the same with `between=\"sure\"`, 4 Å", MOVED, lambda: by_a_fraction(4.0, "sure"), Found(np.nan, 0.06, 1.0)
    ),
}  # fmt: skip


def table(found: dict[str, Found]) -> str:
    """Markdown."""
    rows = []
    for name, f in found.items():
        change = CHANGES[name]
        if change.bounds == BITS:
            cells = ["bit for bit" if f.equal else "DIFFERENT", "", ""]
        else:
            features = (
                "other boxes" if np.isnan(f.features) else f"{f.features:.0e} ({change.bounds.features:.0e})"
            )
            cells = [
                features, f"{f.labels:.1%} ({change.bounds.labels:.1%})",
                f"{f.information:.0e} ({change.bounds.information:.0e})",
            ]  # fmt: skip
        rows.append([change.what, change.of, *cells])
    return markdown(rows, ("change", "of", "descriptor", "other labels", "mutual information, bit"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--only", nargs="+", default=list(CHANGES), choices=list(CHANGES))
    given = parser.parse_args(arguments)
    if given.write and len(given.only) < len(CHANGES):
        parser.error("--write needs all lines")
    found = {}
    for name in given.only:
        change = CHANGES[name]
        found[name] = change.measure()
        print(name, found[name], "" if change.holds(found[name]) else "DOES NOT HOLD", flush=True)
    text = table(found)
    print(text)
    if given.write:
        put("same numbers", text)
    return 0 if all(CHANGES[name].holds(f) for name, f in found.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
