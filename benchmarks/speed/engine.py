"""Cases of the engine alone: descriptors of all boxes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import arise_core as arise
from arise_core.engine.boxes import iterate_boxes
from arise_core.geometry import builders
from benchmarks.measure import median_seconds, peak_gib
from benchmarks.speed.case import Given
from benchmarks.structures import LATTICE, fcc

BOX = 16.0  # Å


def grid(structure: arise.Structure, stride: float, box: float = BOX) -> arise.BoxGrid:
    """Boxes over a structure."""
    return arise.box_grid(structure, arise.MapSettings(box_size=box, stride=stride))


def engine(structure: arise.Structure, stride: float, box: float = BOX) -> Callable[[], object]:
    """A call that computes the descriptors of all boxes and keeps none."""

    def run() -> int:
        boxes = grid(structure, stride, box)
        return sum(len(part.boxes) for part in iterate_boxes(boxes, arise.DescriptorSettings.corrected()))

    return run


def small_engine() -> None:
    """The engine on little: compiles what is not compiled yet."""
    engine(fcc(5), 4.0)()


def sample_of_boxes(structure: arise.Structure, count: int) -> list[arise.Structure]:
    """Atoms of some boxes, as open structures."""
    boxes = grid(structure, 3.0)
    out = []
    for k in np.random.default_rng(1).choice(len(boxes), count, replace=False):
        u, numbers = boxes.members(int(k))
        out.append(arise.Structure(u @ boxes.cell, numbers))
    return out


def per_box(structure: arise.Structure, stride: float, repeats: int, box: float = BOX) -> float:
    """Median time of the engine a box, s."""
    return median_seconds(engine(structure, stride, box), repeats) / len(grid(structure, stride, box))


def compared_with_dscribe(
    structure: arise.Structure, given: Given, strides: tuple[float, ...]
) -> dict[str, Any]:
    """The engine at some strides against dscribe box by box, both on as many threads as this process may use."""
    boxes = sample_of_boxes(structure, given.size(50, 2))
    settings = arise.DescriptorSettings.paper()

    def by_dscribe() -> None:
        for box in boxes:
            arise.describe(box, settings, backend="dscribe")

    dscribe = median_seconds(by_dscribe, given.repeats) / len(boxes)
    out = {"atoms": len(structure), "dscribe, ms a box": 1e3 * dscribe}
    for stride in strides:
        ours = per_box(structure, stride, given.repeats)
        out[f"engine at {stride:g} Å, ms a box"] = 1e3 * ours
        out[f"ratio at {stride:g} Å"] = dscribe / ours
    return out


def against_dscribe(given: Given) -> dict[str, Any]:
    """16 Å boxes in fcc: the engine at 3 Å and 1 Å stride against dscribe box by box, one thread each."""
    return compared_with_dscribe(fcc(given.size(14, 6)), given, (3.0, 1.0))


def open_cube_against_dscribe(given: Given) -> dict[str, Any]:
    """The same in an open cube, whose partly filled boxes are described exactly."""
    whole = fcc(given.size(16, 5))
    few = Given(min(given.repeats, 3), given.quick)
    return compared_with_dscribe(arise.Structure(whole.positions, whole.numbers), few, (3.0, 1.0))


def against_quippy(given: Given) -> dict[str, Any]:
    """The same against quippy with the paper's parameters, one thread each."""
    try:
        from quippy.descriptors import Descriptor
    except ImportError:
        return {"skipped": "quippy-ase is not installed"}
    from ase import Atoms

    structure = fcc(given.size(14, 6))
    boxes = sample_of_boxes(structure, given.size(50, 2))
    d = LATTICE / np.sqrt(2)
    soap = Descriptor(
        "soap cutoff=4.0 l_max=6 n_max=9 atom_sigma=0.1 cutoff_transition_width=0.5 average=T "
        "normalise=T central_weight=0.0 n_species=1 species_Z={29} n_Z=1 Z={29}"
    )
    atoms = [Atoms(numbers=b.numbers, positions=b.positions / d) for b in boxes]

    def by_quippy() -> None:
        for a in atoms:
            soap.calc(a)

    quippy = median_seconds(by_quippy, given.repeats, lambda: soap.calc(atoms[0])) / len(boxes)
    ours = per_box(structure, 3.0, given.repeats)
    return {
        "quippy, ms a box": 1e3 * quippy,
        "engine at 3 Å, ms a box": 1e3 * ours,
        "ratio at 3 Å": quippy / ours,
    }


def superalloy(given: Given) -> arise.Structure:
    """The paper's model of a superalloy; the short form is a small cube of it."""
    edge, precipitate = given.size((120.0, 60.0), (24.0, 12.0))
    return builders.superalloy(edge, precipitate, rng=np.random.default_rng(0))


def superalloy_descriptors(given: Given) -> dict[str, Any]:
    """Descriptors of the paper's superalloy model: two species, box 16 Å, stride 3 Å, open."""
    structure = superalloy(given)
    seconds = median_seconds(engine(structure, 3.0), given.repeats, small_engine)
    return {
        "atoms": len(structure),
        "boxes": len(grid(structure, 3.0)),
        "seconds": seconds,
        "peak GiB": peak_gib(),
    }


def many_atoms(given: Given, cells: int) -> dict[str, Any]:
    """Descriptors of periodic fcc at 3 Å stride."""
    structure = fcc(given.size(cells, 5 + cells // 30))
    seconds = median_seconds(engine(structure, 3.0), given.repeats, small_engine)
    return {
        "atoms": len(structure), "boxes": len(grid(structure, 3.0)), "seconds": seconds,
        "µs an atom": 1e6 * seconds / len(structure), "peak GiB": peak_gib(),
    }  # fmt: skip


def atoms_132_000(given: Given) -> dict[str, Any]:
    """Descriptors of periodic fcc at 3 Å stride."""
    return many_atoms(given, 32)


def atoms_1_000_000(given: Given) -> dict[str, Any]:
    """The same; what an atom costs must not rise with their number."""
    return many_atoms(given, 63)
