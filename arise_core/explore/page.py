"""A page for the browser: the plane of an exploration, linked to the atoms of each box; by chemiscope."""

from __future__ import annotations

import base64
import gzip
import html
import io
import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from arise_core.crystals.elements import SYMBOLS
from arise_core.errors import InputError, InputTypeError, MissingPackageError, check_type, shown
from arise_core.explore.clusters import OUTLIER, Clusters
from arise_core.explore.embedding import Embedding
from arise_core.explore.palette import COLOURS, OUTLIERS, Kinds, kinds_of_classes
from arise_core.geometry.arrays import Float32Array, FloatArray, IntArray
from arise_core.geometry.cell import transformed
from arise_core.geometry.material import Material
from arise_core.geometry.structure import Structure
from arise_core.model.prediction import Prediction
from arise_core.progress import Job, Progress, Step, part, run, silent
from arise_core.recognition.maps import StridedMap
from arise_core.runtime.files import check_place, write_atomically
from arise_core.runtime.packages import package
from arise_core.settings import ExploreSettings, check_number

#: Boxes on a page, and in a notebook, where their atoms are kept in memory as text.
PAGE_BOXES, NOTEBOOK_BOXES = 8000, 2000
#: Steps of coordinates on a page, in one Å.
STEPS = 1000
#: Which boxes are left out where there are too many: chosen at random with this seed.
SEED = 0
#: Colours of numbers from -1 on, that of outliers first: those of pictures, in place of a palette of chemiscope.
NUMBERED = (OUTLIERS, *COLOURS, "#000000", "#8c564b")
PALETTE = re.compile(r"\btab10:(\w+)\(\[(?:\[[\d.]+,\[\d+,\d+,\d+\]\],?)+\]\)")
#: What is put into the page.
PLACE = re.compile(r"\{\{(title|text|data|atoms|chemiscope)\}\}")
#: The next larger palette of chemiscope, and its number of colours.
LARGER = ("tab20", 20)


class Explored(Protocol):
    """What a page shows of an `Exploration`, which itself knows the page."""

    @property
    def prediction(self) -> Prediction:
        """A row a box or structure."""
        ...

    @property
    def labels(self) -> IntArray:
        """Cluster of each row, (n,)."""
        ...

    @property
    def points(self) -> Float32Array:
        """Places on the plane, (n, 2)."""
        ...

    @property
    def clusters(self) -> Clusters:
        """All of them."""
        ...

    @property
    def embedding(self) -> Embedding | None:
        """The plane."""
        ...

    @property
    def field(self) -> StridedMap | None:
        """Whose boxes the rows are; None for several structures."""
        ...

    @property
    def layer(self) -> int:
        """Hidden layer."""
        ...

    @property
    def model_name(self) -> str:
        """Name of the model."""
        ...

    def __len__(self) -> int: ...


def write_page(
    found: Explored,
    path: str | Path,
    *,
    structures: Sequence[Structure | Material] | None = None,
    most_boxes: int = PAGE_BOXES,
    progress: Progress = silent,
) -> None:
    """Write one HTML file that shows the plane and the atoms of the box that is clicked, without server or network.

    Points are coloured by cluster, class or mutual information; places of the boxes in space can be put on the axes.

    Args:
        found: an exploration with its plane.
        path: of the file, .html.
        structures: what was explored, if it was several structures.
        most_boxes: rows on the page at most; of more, so many are chosen at random, and the page says so.
        progress: called with the share of the work done.

    Raises:
        InputError: another end than .html, no plane, or `structures` are missing or of another number.
        MissingPackageError: chemiscope is not installed.
        FileError: the system does not let it.
    """
    run(page_steps(found, path, structures=structures, most_boxes=most_boxes), progress)


def page_steps(
    found: Explored,
    path: str | Path,
    *,
    structures: Sequence[Structure | Material] | None = None,
    most_boxes: int = PAGE_BOXES,
) -> Job[None]:
    """`write_page` as a job: yields the share of the work done."""
    check_type("path", path, (str, os.PathLike), "the name of a file")
    if Path(path).suffix != ".html":
        raise InputError(f"`path` must end in .html, got {str(path)!r}")
    check_place(Path(path), f"file {str(path)!r}", overwrite=True)
    bundle, ours = _bundle()
    rows = _rows(found, most_boxes)
    atoms = yield from part(_atoms_of(found, rows, structures), 0.0, 0.7)
    yield Step(0.7, "writing the page")
    pool, sizes, steps, middles, cells = _packed(atoms)
    dataset = _dataset(found, rows)
    dataset["structures"] = [{"size": int(n), "data": k} for k, n in enumerate(sizes)]
    facts = {
        "pool": len(pool), "steps": len(steps), "sizes": sizes.tolist(), "middles": middles, "cells": cells,
        "symbols": SYMBOLS,
    }  # fmt: skip
    colours = [c if ours else {**c, "legend": []} for c in _colours(found, rows)]
    data = {"dataset": dataset, "atoms": facts, "colours": colours}
    raw = pool.astype("<i4").tobytes() + steps.astype("<i4").tobytes()
    parts = {
        "title": html.escape(_title(found)),
        "text": html.escape(_text(found, rows)),
        "data": json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"),
        "atoms": base64.b64encode(gzip.compress(raw, 6, mtime=0)).decode(),
        "chemiscope": bundle,
    }
    page = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    page = PLACE.sub(lambda place: parts[place[1]], page)  # once: what is put in may have braces
    write_atomically(Path(path), lambda place: place.write_text(page, encoding="utf-8"))
    yield Step(1.0)


def check_pages(settings: ExploreSettings) -> None:
    """See that a page can be written of what is explored with these settings, before the work.

    Raises:
        InputError: no plane is asked for.
        MissingPackageError: chemiscope is not installed, or an older one.
    """
    if not settings.embed:
        raise InputError("`page` shows the plane: `embed` must be true")
    _bundle()


def show(
    found: Explored,
    *,
    structures: Sequence[Structure | Material] | None = None,
    most_boxes: int = NOTEBOOK_BOXES,
) -> Any:
    """The same in a notebook: chemiscope's widget, which Jupyter shows.

    Args:
        found: an exploration with its plane.
        structures: what was explored, if it was several structures.
        most_boxes: rows shown at most; of more, so many are chosen at random.

    Raises:
        InputError: no plane, or `structures` are missing or of another number.
        MissingPackageError: chemiscope is not installed.
    """
    chemiscope = _chemiscope()
    rows = _rows(found, most_boxes)
    dataset = _dataset(found, rows)
    dataset["structures"] = [_plain(atoms) for atoms in run(_atoms_of(found, rows, structures))]
    dataset["settings"]["map"]["color"] = _colours(found, rows)[0]["settings"]
    return chemiscope.show_input(io.StringIO(json.dumps(dataset)))


# --- what chemiscope is told --------------------------------------------------------------------------------------


def _chemiscope() -> Any:
    return package("chemiscope", "a page needs chemiscope")


def _bundle() -> tuple[str, bool]:
    """The JavaScript of chemiscope, as its package brings it, and whether our colours are in the place of a palette."""
    path = Path(_chemiscope().__file__).parent / "sphinx" / "static" / "chemiscope.min.js"
    if not path.is_file():
        raise MissingPackageError(
            f"a page needs {path.name} of chemiscope 1.1 or newer: pip install -U chemiscope"
        )
    text, n = PALETTE.subn(_palette, path.read_text(encoding="utf-8").replace("</script", "<\\/script"))
    return text, n == 1


def _palette(found: re.Match[str]) -> str:
    """`NUMBERED` in the place and form of a palette of chemiscope: where each colour begins and ends."""
    n = len(NUMBERED)
    stops = []
    for k, colour in enumerate(NUMBERED):
        rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        stops += [[k / n, rgb], [(k + 1) / n, rgb]]
    return f"tab10:{found[1]}({json.dumps(stops, separators=(',', ':'))})"


def _rows(found: Explored, most: int) -> IntArray:
    """Rows that are shown: those on the plane, at most so many."""
    most = check_number("most_boxes", most, whole=True, low=1)
    if not hasattr(found, "embedding"):
        raise InputTypeError(f"`found` must be an Exploration, got {shown(found)}")
    if found.embedding is None:
        raise InputError("`found` has no plane: explore with `embed=True`")
    rows = np.flatnonzero(np.isfinite(found.points).all(axis=1) & found.prediction.valid)
    if len(rows) == 0:
        raise InputError(f"`found` has no point on its plane: {found.embedding.note or 'no predictions'}")
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(SEED).choice(rows, most, replace=False))
    return rows


def _dataset(found: Explored, rows: IntArray) -> dict[str, Any]:
    """Properties of the rows and what is on the axes, without the structures."""
    p = found.prediction
    kinds = kinds_of_classes([p])[0]
    labels = found.labels[rows]
    named = np.where(p.rejected, kinds.names[-1], p.classes.short_of(p.index))[rows]

    def numbers(values: Any, digits: int, unit: str, text: str) -> dict[str, Any]:
        rounded = np.round(np.asarray(values, dtype=np.float64), digits).tolist()
        known = {"units": unit} if unit else {}
        return {"target": "structure", "values": rounded, "description": text, **known}

    def words(values: Iterable[Any], text: str) -> dict[str, Any]:
        return {"target": "structure", "values": [str(v) for v in values], "description": text}

    properties = {
        "UMAP 1": numbers(found.points[rows, 0], 4, "", "place on the plane, without unit"),
        "UMAP 2": numbers(found.points[rows, 1], 4, "", "place on the plane, without unit"),
        "class": words(named, "most probable class"),
        "class number": numbers(kinds.of_rows[rows], 0, "", "classes by how many rows they have"),
        "probability": numbers(p.confidence[rows], 4, "", "of the most probable class"),
        "cluster": words([_cluster(k) for k in labels], "cluster, 0 the largest"),
        "cluster number": numbers(labels, 0, "", "cluster, 0 the largest; -1 an outlier"),
        "mutual information": numbers(p.mutual_information[rows], 5, "bit", "doubt about the class"),
        "number": numbers(rows, 0, "", "of the box in the grid, or of the structure"),
    }
    if found.field is not None:
        centres = found.field.centers[rows]
        properties.update(
            {f"box {'xyz'[k]}": numbers(centres[:, k], 3, "Å", "centre of the box") for k in range(3)}
        )
    return {
        "meta": {"name": _title(found), "description": _text(found, rows)},
        "properties": properties,
        "settings": {
            "target": "structure",
            "map": {"x": {"property": "UMAP 1"}, "y": {"property": "UMAP 2"}},
            "structure": [{"unitCell": found.field is None, "bonds": False}],
        },
    }  # fmt: skip


def _cluster(label: int) -> str:
    return "outlier" if label == OUTLIER else f"cluster {label}"


def _colours(found: Explored, rows: IntArray) -> list[dict[str, Any]]:
    """What the points can be coloured by: settings of chemiscope's map, and names and colours for a legend."""
    clusters = [_cluster(k) for k in (OUTLIER, *range(found.clusters.n_clusters))]
    kinds: Kinds = kinds_of_classes([found.prediction])[0]
    doubt = found.prediction.mutual_information[rows]
    return [
        {"name": "cluster", **_by_number("cluster number", clusters, found.labels[rows])},
        {"name": "class", **_by_number("class number", ["none", *kinds.names], kinds.of_rows[rows])},
        {
            "name": "mutual information",
            "settings": {
                "property": "mutual information", "palette": "cividis", "min": 0.0,
                "max": float(max(0.1, doubt.max())),
            },
            "legend": [],
        },
    ]  # fmt: skip


def _by_number(name: str, names: list[str], values: IntArray) -> dict[str, Any]:
    """A colour for each number from -1 on, of which `names` are the names; a scale where there are too many."""
    legend = []
    if len(names) <= len(NUMBERED):
        settings: dict[str, Any] = {"palette": "tab10", "min": -1.5, "max": len(NUMBERED) - 1.5}
        there = set(values.tolist())
        legend = [(text, NUMBERED[k]) for k, text in enumerate(names) if k - 1 in there]
    elif len(names) <= LARGER[1]:
        settings = {"palette": LARGER[0], "min": -1.5, "max": LARGER[1] - 1.5}
    else:
        settings = {"palette": "viridis", "min": -1.0, "max": len(names) - 2.0}
    return {"settings": {"property": name, **settings}, "legend": legend}


def _title(found: Explored) -> str:
    return f"ARISE: {len(found):,} {'boxes' if found.field is not None else 'structures'} explored"


def _text(found: Explored, rows: IntArray) -> str:
    c = found.clusters
    shown = "" if len(rows) == len(found) else f"{len(rows):,} of {len(found):,} are shown. "
    return (
        f"{shown}{c.n_clusters} clusters, {100 * c.outlier_share:.1f} % outliers, by hidden layer {found.layer} of "
        f"{found.model_name}. Click a point to see its atoms."
    )


# --- atoms --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Atoms:
    """What is shown of a row."""

    positions: FloatArray  # (n, 3), Å
    numbers: IntArray
    middle: FloatArray  # (3,), Å, that is put at zero
    cell: FloatArray | None


def _atoms_of(
    found: Explored, rows: IntArray, structures: Sequence[Structure | Material] | None
) -> Job[list[_Atoms]]:
    """Atoms of boxes around their middle, or of whole structures."""
    if found.field is not None:
        grid = found.field.grid
        centres = grid.centers - grid.offset
        out = []
        for k, row in enumerate(rows):
            if k % 100 == 0:
                yield Step(k / len(rows), "atoms of the boxes")
            u, numbers = grid.members(int(row))
            out.append(_Atoms(transformed(u, grid.cell), numbers, centres[row], None))
        return out
    if structures is None:
        raise InputError("`structures` must be given: several structures were explored, which are not kept")
    check_type("structures", structures, Sequence, "a list of structures")
    if len(structures) != len(found):
        raise InputError(f"`structures` must be the {len(found)} that were explored, got {len(structures)}")
    return [_whole(Material.of(structures[row]).structure) for row in rows]


def _whole(structure: Structure) -> _Atoms:
    cell = structure.cell if structure.pbc.all() else None
    middle = np.zeros(3) if cell is not None else structure.positions.mean(axis=0)
    return _Atoms(structure.positions, structure.numbers, middle, cell)


def _packed(
    rows: Sequence[_Atoms],
) -> tuple[IntArray, IntArray, IntArray, list[list[float]], list[list[float] | None]]:
    """Atoms in few bytes: boxes overlap, so each place is kept once, and rows name places.

    Returns:
        Places (m, 4), steps of 1/1000 Å and atomic number; the number of atoms of each row; numbers of the places of
        all rows, row after row, ascending, each less the one before; middles, Å; cells, Å, nine numbers or None.
    """
    sizes = np.array([len(row.numbers) for row in rows], dtype=np.int64)
    places = np.concatenate([np.round(row.positions * STEPS) for row in rows])
    if np.abs(places).max(initial=0.0) >= 2**31:
        raise InputError("positions beyond 2,000,000 Å do not fit on a page")
    every = np.column_stack([places, np.concatenate([row.numbers for row in rows])]).astype(np.int64)
    pool, which = np.unique(every, axis=0, return_inverse=True)
    which = which.ravel()
    steps = np.empty(len(which), dtype=np.int64)
    for start, end in zip(np.cumsum(sizes) - sizes, np.cumsum(sizes), strict=True):
        steps[start:end] = np.diff(np.sort(which[start:end]), prepend=0)
    middles = [np.round(row.middle, 3).tolist() for row in rows]
    cells = [None if row.cell is None else np.round(row.cell, 4).ravel().tolist() for row in rows]
    return pool, sizes, steps, middles, cells


def _plain(row: _Atoms) -> dict[str, Any]:
    """A structure in words of chemiscope."""
    x = np.round(row.positions - row.middle, 3)
    out: dict[str, Any] = {
        "size": len(x), "names": [SYMBOLS[z] for z in row.numbers], "x": x[:, 0].tolist(), "y": x[:, 1].tolist(),
        "z": x[:, 2].tolist(),
    }  # fmt: skip
    if row.cell is not None:
        out["cell"] = row.cell.ravel().tolist()
    return out
