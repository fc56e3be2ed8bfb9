"""Active learning: which boxes or structures to label next, so that the labels teach a model most."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from arise_core.crystals.standard import write_structure
from arise_core.engine.grid import BoxGrid
from arise_core.errors import InputError, InputTypeError, check_type
from arise_core.explore.job import exploration_rows
from arise_core.explore.result import Exploration
from arise_core.geometry.arrays import BoolArray, Float32Array, FloatArray, IntArray, Reals
from arise_core.geometry.cell import perpendicular_heights, transformed
from arise_core.geometry.material import Material
from arise_core.geometry.structure import Structure
from arise_core.model.model import Model, check_model
from arise_core.model.prediction import Prediction
from arise_core.progress import Job, Progress, part, run, silent
from arise_core.recognition.comparison import check_layer
from arise_core.recognition.maps import StridedMap
from arise_core.runtime.files import fresh_folder
from arise_core.runtime.tables import write_csv
from arise_core.runtime.threads import one_blas_thread
from arise_core.settings import (
    LAYER,
    LEAST_DOUBT,
    MAP_TOLERANCE,
    MARGIN,
    SUGGESTED,
    MapSettings,
    Mode,
    RecognitionSettings,
    SamplingSettings,
    check_number,
    with_options,
)

#: Largest margin, Å: images of a crystal fill it.
WIDEST = 100.0
#: Candidates in most doubt among which suggestions are looked for: distances between all pairs are kept.
MOST = 4000
#: Squared distance below which rows are the same, by the sum of their squared lengths: rounding.
SAME = 1e-12
#: What samples are suggested of.
Source = Structure | Material | StridedMap | Exploration


@dataclass(frozen=True)
class Suggestion:
    """A box or structure whose label would teach the model."""

    rank: int  # 1: the first to label
    source: int  # number of the structure or map that was handed in
    box: int  # of its flattened grid; -1: the structure as a whole
    center: FloatArray  # (3,), Å, of the box; of a whole structure the mean position
    doubt: float  # bit: mutual information, doubt of the rejection, and `unknown` if it is rejected
    mutual_information: float  # bit
    label: str  # short name of its most probable class, rejected or not; "none" without a prediction
    rejected: bool
    distance: float  # of its representation to the nearest one that was suggested before; NaN for the first
    structure: (
        Structure  # the atoms of the box and those around it, open; of a whole structure all, as they are
    )
    inside: BoolArray  # (n_atoms,), which of them are in the box

    def __repr__(self) -> str:
        where = "as a whole" if self.box < 0 else f"box {self.box} of it"
        return (
            f"<Suggestion {self.rank}: structure {self.source}, {where}, {self.label}, {self.doubt:.2f} bit>"
        )


def suggest(
    sources: Source | Sequence[Source],
    model: Model,
    n: int = SUGGESTED,
    *,
    mode: Mode = "auto",
    layer: int = LAYER,
    least: float = LEAST_DOUBT,
    unknown: float = 0.0,
    spread: float = 1.0,
    margin: float = MARGIN,
    progress: Progress = silent,
    **settings: Any,
) -> list[Suggestion]:
    """The boxes or structures whose labels would teach a model most, the most useful first.

    The first is the one in most doubt. Each further one takes the most off the sum over all samples of doubt times
    distance, by the network's representations, to the nearest suggested one: twenty times the same interface is
    suggested once, and what there is much of before what is odd.

    Args:
        sources: structures, maps or explorations, one or several.
        model: from `load_model`; for maps and explorations the one that made them.
        n: suggestions at most.
        mode: "whole", "local" or "auto": whether structures are taken as a whole or box by box.
        layer: hidden layer by which samples are told apart.
        least: doubt below which nothing is suggested, bit.
        unknown: bits by which the doubt of what is rejected counts more. By itself a crystal that the model is sure not
            to know is no doubt; with 0.5 or so it is suggested too.
        spread: power of the distance; 0: by doubt alone.
        margin: Å around a box from which atoms are given with it, up to `WIDEST`.
        progress: called with the share of the work done.
        **settings: those of `MapSettings` (box_size, stride, ...) and `SamplingSettings` (passes, ...).

    Returns:
        At most `n`; fewer if no more are in doubt.

    Raises:
        InputTypeError: an unknown setting, or something else than structures, maps or explorations.
        InputError: an argument out of range, or maps of another model.
    """
    options = RecognitionSettings.of({"mode": mode, **settings})
    taste = Taste(n, least, unknown, spread, margin)
    return run(suggest_steps(sources, model, taste, layer, options), progress)


suggest.__signature__ = with_options(  # type: ignore[attr-defined]
    suggest, MapSettings, SamplingSettings, tolerance=MAP_TOLERANCE
)


@dataclass(frozen=True)
class Taste:
    """What is suggested: see `suggest`.

    Raises:
        InputError: a value out of range.
    """

    n: int = SUGGESTED
    least: float = LEAST_DOUBT
    unknown: float = 0.0
    spread: float = 1.0
    margin: float = MARGIN

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", check_number("n", self.n, whole=True, low=1))
        for name in ("least", "unknown", "spread", "margin"):
            object.__setattr__(self, name, check_number(name, getattr(self, name), low=0.0))
        if self.margin > WIDEST:
            raise InputError(f"`margin` must be up to {WIDEST:g} Å, got {self.margin}")


def suggest_steps(
    sources: Source | Sequence[Source],
    model: Model,
    taste: Taste | None = None,
    layer: int = LAYER,
    options: RecognitionSettings | None = None,
) -> Job[list[Suggestion]]:
    """`suggest` as a job: yields the share of the work done, returns the suggestions."""
    taste, options = taste or Taste(), options or RecognitionSettings()
    several = _checked(sources)
    check_model(model)
    check_layer(model, layer)
    pools: list[_Pool] = []
    for k, source in enumerate(several):
        job = _pool(source, model, layer, options)
        pools.append((yield from part(job, k / len(several), (k + 1) / len(several), f"structure {k}")))
    doubt = np.concatenate([doubts(pool.prediction, taste.unknown) for pool in pools])
    vectors = np.concatenate([pool.vectors for pool in pools])
    chosen, distance = spread_out(vectors, doubt, taste.n, least=taste.least, spread=taste.spread)
    first = np.cumsum([0, *(len(pool.prediction) for pool in pools)])
    found = []
    for rank, row in enumerate(chosen):
        k = int(np.searchsorted(first, row, side="right")) - 1
        own = pools[k].suggestion(int(row - first[k]), taste.margin)
        found.append(
            replace(own, rank=rank + 1, source=k, doubt=float(doubt[row]), distance=float(distance[rank]))
        )
    return found


def doubts(prediction: Prediction, unknown: float = 0.0) -> FloatArray:
    """Doubt about class and rejection, (n,), bit; NaN without a prediction.

    Args:
        prediction: a row a box or structure.
        unknown: bits more for what is rejected.
    """
    both = prediction.mutual_information + np.nan_to_num(prediction.rejection_uncertainty)
    return np.asarray(both + unknown * prediction.rejected, dtype=np.float64)


def spread_out(
    vectors: Reals, doubt: FloatArray, n: int, *, least: float = LEAST_DOUBT, spread: float = 1.0
) -> tuple[IntArray, FloatArray]:
    """Rows in doubt that stand for the others in doubt: weighted medoids, one after the other.

    Each row takes the most off the sum of doubt times distance to the nearest chosen row. So a crowd of rows in doubt
    gets several, by its size, and a single odd one waits.

    Args:
        vectors: (m, width), representations.
        doubt: (m,), bit; rows with NaN are left out.
        n: rows at most.
        least: rows below this doubt are left out; with `spread` so are all but the `MOST` in most doubt.
        spread: power of the distance; 0: by doubt alone.

    Returns:
        Rows, the first to label first, at most `n`; and the distance of each to the nearest before it, NaN for the
        first, which is the one in most doubt. Of rows that are the same one is taken, unless `spread` is 0.
    """
    doubt = np.asarray(doubt, dtype=np.float64)
    candidates = np.flatnonzero(np.isfinite(doubt) & (doubt >= least) & np.isfinite(vectors).all(axis=1))
    candidates = candidates[np.argsort(-doubt[candidates], kind="stable")][: MOST if spread else n]
    x, weight = np.asarray(vectors, dtype=np.float64)[candidates], doubt[candidates]
    chosen = np.arange(len(x))
    if spread:
        chosen = _medoids(_distances(x) ** np.float32(spread), weight.astype(np.float32), n)
    nearest = [
        np.linalg.norm(x[chosen[:k]] - x[row], axis=1).min(initial=np.inf) for k, row in enumerate(chosen)
    ]
    distance = np.array(nearest, dtype=np.float64)
    distance[:1] = np.nan
    return candidates[chosen], distance


def _distances(x: FloatArray) -> Float32Array:
    """Between all rows, (m, m), 0 for the same ones."""
    square = (x**2).sum(axis=1)
    both = square[:, None] + square
    with one_blas_thread():
        apart = both - 2 * (x @ x.T)
    apart[apart < SAME * both] = 0.0
    return np.asarray(np.sqrt(apart), dtype=np.float32)


def _medoids(apart: Float32Array, weight: Float32Array, n: int) -> IntArray:
    """At most `n` rows: row 0, then those that take the most off the weighted sum of distances to the nearest."""
    chosen = [0][: min(n, len(weight))]
    nearest = apart[0].copy() if chosen else weight
    while chosen and len(chosen) < n:
        gain = weight @ np.maximum(nearest[:, None] - apart, 0)
        k = int(gain.argmax())
        if gain[k] <= 0:  # all that is left is the same as what was chosen
            break
        chosen.append(k)
        np.minimum(nearest, apart[k], out=nearest)
    return np.array(chosen, dtype=np.int64)


# --- samples of one structure -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Pool:
    """All boxes of a structure, or the structure as a whole."""

    prediction: Prediction
    vectors: Float32Array  # (n, width)
    material: Material
    grid: BoxGrid | None  # None: as a whole

    def suggestion(self, row: int, margin: float) -> Suggestion:
        """The sample in a row; its rank, source, doubt and distance are not known here."""
        p = self.prediction
        if self.grid is None:
            structure = self.material.structure
            center, inside = structure.positions.mean(axis=0), np.ones(len(structure), dtype=bool)
        else:
            structure, inside = neighbourhood(self.grid, row, margin)
            center = self.grid.centers[row]
        return Suggestion(
            rank=0, source=0, box=-1 if self.grid is None else row, center=center, doubt=np.nan,
            mutual_information=float(p.mutual_information[row]), label=str(p.classes.short_of(p.index[row])),
            rejected=bool(p.rejected[row]), distance=np.nan, structure=structure, inside=inside,
        )  # fmt: skip


def _checked(sources: Source | Sequence[Source]) -> list[Source]:
    if isinstance(sources, Structure | Material | StridedMap | Exploration):
        return [sources]
    if not isinstance(sources, Sequence):
        raise InputTypeError(
            f"`sources` must be a structure, a map, an exploration or a list of them, got {type(sources).__name__}"
        )
    if not sources:
        raise InputError("`sources` is empty")
    for k, source in enumerate(sources):
        if not isinstance(source, Structure | Material | StridedMap | Exploration):
            raise InputTypeError(
                f"`sources` must be structures, maps or explorations, got {type(source).__name__} at {k}"
            )
    return list(sources)


def _pool(source: Source, model: Model, layer: int, options: RecognitionSettings) -> Job[_Pool]:
    if isinstance(source, Exploration):
        if source.field is None:
            raise InputError("`sources` has an exploration of several structures: hand over the structures")
        if source.model_name == model.name and source.layer == layer % model.n_layers:
            grid = source.field.grid
            return _Pool(source.prediction, source.vectors, grid.material, grid)
        source = source.field
    subject: StridedMap | Material | list[Material]
    if isinstance(source, StridedMap):
        subject, material = source, source.grid.material
    else:
        material = Material.of(source)
        subject = material if options.is_local(len(material)) else [material]
    field, prediction, vectors = yield from exploration_rows(subject, model, layer, options)
    return _Pool(prediction, vectors, material, None if field is None else field.grid)


def neighbourhood(grid: BoxGrid, box: int, margin: float) -> tuple[Structure, BoolArray]:
    """Atoms and images in a box and around it, as an open structure, and which of them are in the box, (n_atoms,).

    Args:
        grid: the boxes.
        box: index of the flattened grid.
        margin: Å on each side of the box.
    """
    wider = margin / perpendicular_heights(grid.cell)
    wide = replace(grid, start=grid.start - wider, width=grid.width + 2 * wider)
    u, numbers = wide.members(box)
    low = grid.start + grid.step * np.array(np.unravel_index(box, grid.shape))
    inside = ((u >= low) & (u < low + grid.width)).all(axis=1)
    return Structure(transformed(u, grid.cell) + grid.offset, numbers), np.asarray(inside)


# --- files ----------------------------------------------------------------------------------------------------------

#: Files that were written here before.
OWN = re.compile(r"suggestion_\d{2,}\.xyz")
#: Columns of the table.
COLUMNS = (
    "rank", "file", "source", "box", "x_A", "y_A", "z_A", "doubt_bit", "mutual_information_bit", "model_says",
    "rejected", "distance", "n_atoms", "n_in_box", "label",
)  # fmt: skip


def write_suggestions(
    suggestions: Sequence[Suggestion],
    folder: str | Path,
    names: Sequence[str] | None = None,
    *,
    overwrite: bool = False,
) -> list[Path]:
    """Write each suggested sample with its neighbourhood as an .xyz file, and `suggestions.csv`, a row a sample.

    Atoms of the box come first, `n_in_box` of them; those after them are around it. The last column, `label`, is empty:
    it is what is asked for.

    Args:
        suggestions: of `suggest`.
        folder: where to; made if it is not there.
        names: what the sources are called in the table; default: their numbers.
        overwrite: allow a folder that is not empty.

    Returns:
        The files, the table last.

    Raises:
        ExistingFileError: a folder with contents.
        InputError: fewer names than sources.
        FileError: the system does not let it.
    """
    check_type("folder", folder, (str, Path), "the name of a folder")
    check_type("suggestions", suggestions, Sequence, "several Suggestions, as `suggest` gives them")
    for suggestion in suggestions:
        check_type("suggestions", suggestion, Suggestion, "several Suggestions, as `suggest` gives them")
    if names is not None:
        check_type("names", names, Sequence, "several names")
        needed = max((s.source for s in suggestions), default=-1) + 1
        if len(names) < needed:
            raise InputError(f"`names` must name the {needed} sources, got {len(names)}")
    place = Path(folder)
    fresh_folder(place, overwrite)
    for path in place.glob("suggestion_*.xyz"):
        if OWN.fullmatch(path.name):
            path.unlink()
    digits = max(2, len(str(len(suggestions))))
    files, rows = [], []
    for s in suggestions:
        path = place / f"suggestion_{s.rank:0{digits}d}.xyz"
        order = np.argsort(~s.inside, kind="stable")
        whole = s.structure
        write_structure(Structure(whole.positions[order], whole.numbers[order], whole.cell, whole.pbc), path)
        files.append(path)
        source = str(s.source) if names is None else names[s.source]
        rows.append(
            (
                s.rank,
                path.name,
                source,
                s.box if s.box >= 0 else None,
                *(f"{c:.3f}" for c in s.center),
                f"{s.doubt:.4f}",
                f"{s.mutual_information:.4f}",
                s.label,
                s.rejected,
                None if np.isnan(s.distance) else f"{s.distance:.4g}",
                len(whole),
                int(s.inside.sum()),
                None,
            )
        )
    table = place / "suggestions.csv"
    write_csv(table, COLUMNS, rows)
    return [*files, table]
