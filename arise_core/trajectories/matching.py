"""Frames that another program has read, known again among the rows of a trajectory's results.

A frame is known by where its atoms are: the store keeps the places of a few of them. File, number and time step say
which of several equal frames it is, and why there is no row.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from arise_core.errors import InputError
from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray
from arise_core.geometry.cell import complete_cell, inverse, transformed
from arise_core.runtime.ledger import begin_of
from arise_core.trajectories.columns import DONE, FAILED, OPEN
from arise_core.trajectories.rows import probed
from arise_core.trajectories.store import TrajectoryResults

#: Distance up to which an atom is at the same place, Å: digits of files, single precision of the store.
SAME = 0.01


@dataclass(frozen=True)
class SeenFrame:
    """A frame as another program has it."""

    positions: FloatArray  # (n_atoms, 3), Å
    cell: FloatArray  # (3, 3), Å, rows; zero without a cell
    pbc: BoolArray  # (3,)
    origin: FloatArray  # (3,), Å, corner of the cell
    identifiers: IntArray | None = None  # (n_atoms,)
    file: str = ""  # that it is from; "": unknown
    number: int = -1  # in this file, from 0; -1: unknown
    step: int = -1  # time step; -1: unknown

    @property
    def name(self) -> str:
        """What it is called in messages."""
        if self.file:
            number = "a frame" if self.number < 0 else f"frame {self.number}"
            return f"{number} of file {self.file!r}"
        return "the frame" if self.step < 0 else f"the frame of step {self.step}"


@dataclass(frozen=True)
class Match:
    """The row of a frame."""

    row: int
    order: IntArray  # (n_atoms,), which atom of the frame each stored value is of
    shift: FloatArray  # (3,), Å, from coordinates in the store to those of the frame, up to periods


def match(results: TrajectoryResults, seen: SeenFrame) -> Match | str:
    """The row that holds the results of a frame; a text says why it has none, such as a failure.

    Args:
        results: of a run.
        seen: the frame.

    Raises:
        InputError: the run had no such frame, or other atoms in it: it was of another trajectory.
    """
    n, named = len(seen.positions), _named(results, seen)
    rows = np.flatnonzero(results.done & (results.data["n_atoms"].values == n))
    stored = results.data["probe"].values[rows].astype(np.float64)
    for order in _orders(seen):
        here = seen.positions[order[probed(n)]]
        for shift in (np.zeros(3), seen.origin):
            row = _one_of(results, seen, rows[_same_places(stored, here - shift, seen)], named)
            if row >= 0:
                return Match(row, order, shift)
    return _reason(results, seen, named)


def _one_of(results: TrajectoryResults, seen: SeenFrame, fits: IntArray, named: int) -> int:
    """Which of the rows whose atoms are where those of a frame are is its own; -1: none.

    Where the atoms that are compared do not move, other frames have them there too: their time steps are others, or
    their numbers in the file.

    Raises:
        InputError: several, with other results, and nothing says which.
    """
    steps = results.data["step"].values[fits]
    same = fits[steps == seen.step] if seen.step >= 0 else fits[:0]
    fits = same if len(same) else fits if seen.step < 0 else fits[steps < 0]
    if named in fits:
        return named
    if not len(fits) or (not len(same) and seen.number >= 0 and os.path.abspath(seen.file) in results.files):
        return -1
    values = results.data["mutual_information"].values[fits]
    if len(fits) > 1 and (values != values[0]).any():
        raise InputError(
            f"atoms of {seen.name} are where those of {len(fits)} rows of results {str(results.path)!r} are, such as "
            f"{int(fits[0])} and {int(fits[1])}, and neither its file nor its time step says which it is"
        )
    return int(fits[0])


def _orders(seen: SeenFrame) -> Iterator[IntArray]:
    """Orders that the atoms may have had for whoever made the results: of their identifiers, as they are."""
    if seen.identifiers is not None:
        yield np.argsort(seen.identifiers, kind="stable")
    yield np.arange(len(seen.positions))


def _same_places(stored: FloatArray, here: FloatArray, seen: SeenFrame) -> BoolArray:
    """Rows whose atoms are where these are, (n_rows,), up to periods; stored (n_rows, k, 3), here (k, 3), Å."""
    away = stored - here
    if seen.pbc.any():
        cell = complete_cell(seen.cell)
        periods = np.where(seen.pbc, np.rint(np.nan_to_num(transformed(away, inverse(cell)))), 0.0)
        away = away - transformed(periods, cell)
    known = np.all(np.isfinite(stored), axis=2)
    same = np.all(np.abs(away) < SAME, axis=2)
    return np.asarray(np.all(same | ~known, axis=1) & np.any(known, axis=1))


def _named(results: TrajectoryResults, seen: SeenFrame) -> int:
    """The row that has the file and number of a frame; -1: none."""
    file = _file(results, seen.file)
    if file < 0 or seen.number < 0:
        return -1
    here = (results.data["file"].values == file) & (results.data["number"].values == seen.number)
    found = np.flatnonzero(here & (results.data["status"].values != OPEN))
    return int(found[0]) if len(found) else -1


def _file(results: TrajectoryResults, path: str) -> int:
    """Which file of the run a file is, where it was or, under its name, elsewhere; -1: none."""
    if not path:
        return -1
    path = os.path.abspath(path)
    if path in results.files:
        return results.files.index(path)
    same = [k for k, name in enumerate(results.files) if os.path.basename(name) == os.path.basename(path)]
    if same == [0]:  # its begin is known
        known = str(results.facts.get("first_file", "")).split()[-1:]
        return 0 if os.path.isfile(path) and known == [begin_of(Path(path))] else -1
    return same[0] if same else -1


def _reason(results: TrajectoryResults, seen: SeenFrame, named: int) -> str:
    """Why a frame has no results.

    Raises:
        InputError: it is of another trajectory, or has other atoms than those that were recognised.
    """
    what = f"results {str(results.path)!r}"
    status, known = results.data["status"].values, _file(results, seen.file) >= 0
    if named >= 0 and status[named] == FAILED:
        return f"{seen.name} has no results: {results.failed[named]}"
    if named < 0 and seen.step >= 0:
        of_step = np.flatnonzero((results.data["step"].values == seen.step) & (status == DONE))
        named = int(of_step[0]) if len(of_step) and (known or not seen.file) else -1
    if named >= 0:
        n, before = len(seen.positions), int(results.data["n_atoms"].values[named])
        if before != n:
            raise InputError(f"{seen.name} has {n} atoms, and had {before} when {what} were made")
        raise InputError(
            f"atoms of {seen.name} are not where they were when {what} were made: it is another frame, its file was "
            "changed, or something moved them"
        )
    if known:
        every = int(results.facts.get("every", 1))
        took = "" if every == 1 else f"; the run took one frame in {every}"
        return f"{seen.name} has no row in {what}, which hold {int(results.done.sum())} frames{took}"
    raise InputError(f"{what} are not of {seen.name}: {_made_of(results)}")


def _made_of(results: TrajectoryResults) -> str:
    names = results.files[:2]
    more = len(results.files) - len(names)
    return f"they were made of {', '.join(map(repr, names)) or 'no file'}" + (
        f" and {more} more" if more else ""
    )
