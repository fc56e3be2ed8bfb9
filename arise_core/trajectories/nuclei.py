"""Nuclei: connected groups of atoms of a class, followed from frame to frame by the atoms that they share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arise_core.errors import InputError
from arise_core.geometry.arrays import IntArray
from arise_core.settings import check_number
from arise_core.trajectories.store import TrajectoryResults
from arise_core.trajectories.timeline import NUCLEUS

#: Share of the atoms of the smaller one that two groups of neighbouring frames have in common, if they are the same.
COMMON = 0.2


@dataclass(frozen=True)
class Nucleus:
    """A nucleus over its life."""

    number: int  # in the order of birth
    rows: tuple[int, ...]  # frames in which it is there
    sizes: tuple[int, ...]  # atoms in each of them
    origin: int  # nucleus that it parted from; -1: none
    end: str  # "lasts" to the last frame, "vanished" or "merged"
    into: int  # nucleus that it merged into; -1: none

    @property
    def largest(self) -> int:
        """Atoms, at most."""
        return max(self.sizes)


def nuclei(
    results: TrajectoryResults, name: str, *, min_atoms: int = NUCLEUS, common: float = COMMON
) -> list[Nucleus]:
    """All nuclei of a class, in the order of their birth.

    A group of a frame is the nucleus of the frame before with which it has the most atoms in common, if they are at
    least `common` of the smaller one; where two nuclei claim one group, the one with more atoms in it lives on and the
    other has merged into it; where a nucleus falls apart, the part with most of its atoms lives on.

    Args:
        results: with values at atoms, all frames with the same atoms in the same order.
        name: of the class, its short name.
        min_atoms: smaller groups are none.
        common: share of atoms, in (0, 1].

    Raises:
        InputError: no values at atoms, no such class, or frames with other numbers of atoms.
    """
    min_atoms = check_number("min_atoms", min_atoms, whole=True, low=1)
    if not 0 < check_number("common", common) <= 1:
        raise InputError(f"`common` must be in (0, 1], got {common!r}")
    names = [str(n) for n in results.data["crystal"].values]
    if name not in names:
        raise InputError(f"`name` must be a class of the model, got {name!r}")
    rows = [int(k) for k in np.flatnonzero(results.done)]
    sizes = {int(results.data["n_atoms"].values[k]) for k in rows}
    if len(sizes) > 1:
        raise InputError(
            "nuclei are followed by their atoms, and frames of `results` have other numbers of atoms"
        )
    lives: list[_Life] = []
    before = np.full(max(sizes, default=0), -1)  # the nucleus of each atom in the frame before
    for row in rows:
        before = _next(row, _groups(results, row, names.index(name), min_atoms), before, lives, common)
    return [life.nucleus(k, rows[-1]) for k, life in enumerate(lives)]


class _Life:
    """A nucleus that is being followed."""

    def __init__(self, origin: int) -> None:
        self.rows: list[int] = []
        self.sizes: list[int] = []
        self.origin, self.into = origin, -1

    def nucleus(self, number: int, last: int) -> Nucleus:
        end = "lasts" if self.rows[-1] == last else "merged" if self.into >= 0 else "vanished"
        return Nucleus(number, tuple(self.rows), tuple(self.sizes), self.origin, end, self.into)


def _groups(results: TrajectoryResults, row: int, kind: int, min_atoms: int) -> IntArray:
    """Group of the class of each atom, from 0, (n_atoms,); -1 for atoms in none."""
    values = results.at_atoms(row)
    group = np.where(values["label"] == kind, values["group"], -1).astype(np.int64)
    counts = np.bincount(group[group >= 0])
    small = np.append(counts < min_atoms, True)  # the last one stands for -1
    group[small[group]] = -1
    known = np.unique(group[group >= 0])
    return np.where(group >= 0, np.searchsorted(known, group), -1)


def _next(row: int, group: IntArray, before: IntArray, lives: list[_Life], common: float) -> IntArray:
    """The nucleus of each atom in this frame; `lives` gets what happened."""
    n = int(group.max(initial=-1)) + 1
    sizes = np.bincount(group[group >= 0], minlength=n)
    both = (group >= 0) & (before >= 0)
    pairs, counts = np.unique(np.stack([before[both], group[both]]), axis=1, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    nucleus_of = np.full(n, -1)
    origin_of = np.full(n, -1)
    alive: set[int] = set()
    claimed: dict[int, int] = {}
    for k in order:
        old, new = int(pairs[0, k]), int(pairs[1, k])
        if counts[k] < common * min(lives[old].sizes[-1], sizes[new]):
            continue
        if nucleus_of[new] < 0 and old not in alive:
            nucleus_of[new] = old
            alive.add(old)
        elif nucleus_of[new] < 0:
            origin_of[new] = old
        elif old not in alive:
            claimed.setdefault(old, new)
    for new in range(n):
        if nucleus_of[new] < 0:
            nucleus_of[new] = len(lives)
            lives.append(_Life(int(origin_of[new])))
        life = lives[nucleus_of[new]]
        life.rows.append(row)
        life.sizes.append(int(sizes[new]))
    for old, new in claimed.items():
        if old not in alive:
            lives[old].into = int(nucleus_of[new])
    return np.where(group >= 0, np.append(nucleus_of, -1)[group], -1)
