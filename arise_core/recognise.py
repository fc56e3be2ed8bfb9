"""The two questions of the core: what is this structure as a whole, and what is it box by box."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Sequence

import numpy as np
from scipy.spatial import cKDTree

from arise_core.boxes import box_grid
from arise_core.maps import StridedMap
from arise_core.neighbors import PairFinder, images, wrapped
from arise_core.network import Model, drain
from arise_core.prediction import Prediction, check_threshold, concatenate
from arise_core.settings import MAP_TOLERANCE, Edges, MapSettings, Padding, SamplingSettings
from arise_core.soap import describe
from arise_core.strided import iterate_boxes
from arise_core.structure import OVERLAP_DISTANCE, Float32Array, IntArray, Structure

#: Boxes whose descriptors are held before they go through the network.
BATCH = 4096
#: Share of the work of a map that is spent on descriptors, for the progress shown.
DESCRIPTOR_SHARE = 0.6

Progress = Callable[[float], None]
Threshold = float | str | None


def classify(
    structures: Structure | Sequence[Structure],
    model: Model,
    *,
    passes: int = SamplingSettings.passes,
    seed: int = SamplingSettings.seed,
    min_atoms: int = MapSettings.min_atoms,
    reject_threshold: Threshold = "card",
    progress: Progress = lambda fraction: None,
) -> Prediction:
    """Class of each structure as a whole, one row each.

    Periodic structures need no supercell. For polycrystals and large structures use `strided_map`.

    Args:
        structures: one structure, or several.
        model: from `load_model`.
        passes: forward passes with dropout.
        seed: of the dropout masks.
        min_atoms: open structures with fewer atoms give NaN and a warning.
        reject_threshold: score from which a structure is none of the classes; "card": the model's own;
            None: never.
        progress: called with the share of the work done.

    Raises:
        ValueError: no structure, overlapping atoms, or an argument out of range; before any work.
    """
    several = [structures] if isinstance(structures, Structure) else list(structures)
    if not several:
        raise ValueError("`structures` is empty")
    sampling = SamplingSettings(passes=passes, seed=seed)
    _check_common(min_atoms, reject_threshold)
    for k, structure in enumerate(several):
        if not isinstance(structure, Structure):
            raise TypeError(
                f"`structures` must be arise_core.Structure, got {type(structure).__name__} at {k}"
            )
        check_overlaps(structure, f"structure {k}: " if len(several) > 1 else "")
    features = np.empty((len(several), model.descriptor.n_features))
    for k, structure in enumerate(several):
        if not structure.pbc.any() and len(structure) < min_atoms:
            warnings.warn(
                f"structure {k} has {len(structure)} atoms, fewer than `min_atoms` ({min_atoms}): NaN",
                stacklevel=2,
            )
            features[k] = np.nan
        else:
            features[k] = describe(structure, model.descriptor)
        progress(DESCRIPTOR_SHARE * (k + 1) / len(several))
    return model.predict(
        features,
        sampling,
        reject_threshold=reject_threshold,
        progress=lambda f: progress(DESCRIPTOR_SHARE + (1 - DESCRIPTOR_SHARE) * f),
    )


def strided_map(
    structure: Structure,
    model: Model,
    *,
    box_size: float = MapSettings.box_size,
    stride: float = MapSettings.stride,
    padding: Padding = MapSettings.padding,
    edges: Edges = MapSettings.edges,
    min_atoms: int = MapSettings.min_atoms,
    min_atoms_per_species: int = MapSettings.min_atoms_per_species,
    memory_limit: float = MapSettings.memory_limit,
    passes: int = SamplingSettings.passes,
    tolerance: float | None = MAP_TOLERANCE,
    seed: int = SamplingSettings.seed,
    reject_threshold: Threshold = "card",
    progress: Progress = lambda fraction: None,
) -> StridedMap:
    """Slide a box over a structure and classify what is in it (strided pattern matching).

    Args:
        structure: any size; open, periodic or mixed; any cell.
        model: from `load_model`.
        box_size: edge of the boxes, Å.
        stride: distance from box to box, Å.
        padding: boxes at open borders: "half", "none" or "full" (see `MapSettings`).
        edges: partly filled boxes: "exact" or "box" (see `MapSettings`).
        min_atoms: boxes with fewer atoms give NaN.
        min_atoms_per_species: species with fewer atoms in a box are treated as missing.
        memory_limit: GiB for sums over pairs (see `MapSettings`).
        passes: forward passes with dropout, at most.
        tolerance: standard error of the mutual information at which a box is done, bit; None: all passes.
        seed: of the dropout masks.
        reject_threshold: score from which a box is none of the classes; "card": the model's own; None: never.
        progress: called with the share of the work done.

    Raises:
        ValueError: overlapping atoms or an argument out of range; before any work.
    """
    settings = MapSettings(
        box_size=box_size, stride=stride, padding=padding, edges=edges, min_atoms=min_atoms,
        min_atoms_per_species=min_atoms_per_species, memory_limit=memory_limit,
    )  # fmt: skip
    sampling = SamplingSettings(passes=passes, tolerance=tolerance, seed=seed)
    steps = map_steps(structure, model, settings, sampling, reject_threshold)
    result: StridedMap = drain(steps, progress)
    return result


def map_steps(
    structure: Structure,
    model: Model,
    settings: MapSettings,
    sampling: SamplingSettings,
    reject_threshold: Threshold = "card",
) -> Generator[float, None, StridedMap]:
    """`strided_map` as a generator: yields the share of the work done, returns the map.

    Closing the generator stops the work; no thread is left running.
    """
    _check_common(settings.min_atoms, reject_threshold)
    check_overlaps(structure)
    grid = box_grid(structure, settings)
    n = len(grid)
    n_atoms = np.zeros(n, dtype=np.int64)
    order: list[IntArray] = []
    parts: list[Prediction] = []
    waiting: list[tuple[IntArray, Float32Array]] = []
    described, predicted = 0, 0.0

    def fraction() -> float:
        return DESCRIPTOR_SHARE * described / n + (1 - DESCRIPTOR_SHARE) * predicted / n

    for part in iterate_boxes(grid, model.descriptor):
        n_atoms[part.boxes] = part.n_atoms
        waiting.append((part.boxes, part.features))
        described += len(part.boxes)
        yield fraction()
        if sum(len(b) for b, _ in waiting) < BATCH and described < n:
            continue
        order.append(np.concatenate([b for b, _ in waiting]))
        features = np.concatenate([f for _, f in waiting])
        waiting.clear()
        steps = model.predict_steps(features, sampling, reject_threshold=reject_threshold)
        before = predicted
        try:
            while True:
                predicted = before + next(steps) * len(features)
                yield fraction()
        except StopIteration as stop:
            parts.append(stop.value)
            predicted = float(described)
        finally:
            steps.close()
    yield 1.0
    back = np.empty(n, dtype=np.int64)
    back[np.concatenate(order)] = np.arange(n)
    prediction = concatenate(parts).take(back)
    if not prediction.valid.any():
        warnings.warn(
            f"no box holds `min_atoms` ({settings.min_atoms}) atoms (at most {n_atoms.max()}): the map is NaN",
            stacklevel=2,
        )
    return StridedMap(grid, prediction, n_atoms, model.name)


def _check_common(min_atoms: int, reject_threshold: Threshold) -> None:
    if min_atoms < 1:
        raise ValueError(f"`min_atoms` must be at least 1, got {min_atoms}")
    if isinstance(reject_threshold, str):
        if reject_threshold != "card":
            raise ValueError(f"`reject_threshold` must be a number, None or 'card', got {reject_threshold!r}")
        return
    check_threshold(reject_threshold)


def check_overlaps(structure: Structure, where: str = "") -> None:
    """Refuse atoms closer than 0.1 Å to each other: duplicates, or coordinates in another unit.

    Raises:
        ValueError: names the closest atoms and their distance.
    """
    same = Structure(structure.positions, np.ones(len(structure), dtype=int), structure.cell, structure.pbc)
    if not any(len(v) for v in PairFinder(same).vectors(1, 1, OVERLAP_DISTANCE)):
        return
    near = images(wrapped(structure), structure.complete_cell, structure.pbc, OVERLAP_DISTANCE)
    pairs = cKDTree(near.positions).query_pairs(OVERLAP_DISTANCE, output_type="ndarray")
    distance = np.linalg.norm(near.positions[pairs[:, 0]] - near.positions[pairs[:, 1]], axis=1)
    atoms = np.sort(near.index[pairs], axis=1)
    a, b = atoms[np.argmin(distance)]
    count = len(np.unique(atoms, axis=0))
    raise ValueError(
        f"{where}`positions` has overlapping atoms: {count} pairs closer than {OVERLAP_DISTANCE} Å, closest are "
        f"atoms {a} and {b} at {distance.min():.4f} Å"
    )
