"""Frames with those around them: what is read where positions are averaged."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from ase import Atoms

from arise_core.errors import InputError
from arise_core.trajectories.averaging import averaged
from ase_arise.begins import place_of_cell
from ase_arise.cutting import IDENTIFIERS
from ase_arise.trajectories.frames import FrameRef

Read = Callable[[FrameRef], Atoms | str]

#: Array of `Atoms` with the positions of a frame before they were averaged.
AS_READ = "positions_as_read"


class Windows:
    """Gives frames out once those around them are known, each with its window.

    A window has `average` frames, its own in the middle. At the ends of a run the first and the last frame stand for
    those that are not there, as in OVITO's SmoothTrajectoryModifier.

    Args:
        average: frames of a window, an odd number.
    """

    def __init__(self, average: int) -> None:
        self.half = average // 2
        self._near: deque[FrameRef] = deque()  # the last ones, up to `average` of them
        self._waiting = 0  # of them, those that were not given out

    def add(self, ref: FrameRef) -> Iterator[FrameRef]:
        """The next frame of the run; gives those whose windows are whole now."""
        if not self.half:
            yield ref
            return
        self._near.append(replace(ref, identifiers=True))
        self._waiting += 1
        if self._waiting > self.half:
            yield self._next()

    def rest(self) -> Iterator[FrameRef]:
        """Those that wait for frames which do not come."""
        while self._waiting:
            yield self._next()

    def _next(self) -> FrameRef:
        at = len(self._near) - self._waiting
        last = len(self._near) - 1
        window = tuple(self._near[min(max(k, 0), last)] for k in range(at - self.half, at + self.half + 1))
        ref = replace(self._near[at], window=window)
        self._waiting -= 1
        if at == self.half:
            self._near.popleft()
        return ref


class Smoothed:
    """Reads frames of a task averaged over their windows; a frame that several of them share is read once.

    Args:
        read: a frame, or why it cannot be read.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._near: dict[tuple[int, int], Atoms | str] = {}

    def __call__(self, ref: FrameRef) -> Atoms | str:
        """A frame whose positions are means over its window; a text says why there is none."""
        if not ref.window:
            return self._read(ref)
        keys = [(near.file, near.number) for near in ref.window]
        self._near = {key: atoms for key, atoms in self._near.items() if key in keys}
        for key, near in zip(keys, ref.window, strict=True):
            if key not in self._near:
                self._near[key] = self._read(near)
        images: list[Atoms] = []
        for near, key in zip(ref.window, keys, strict=True):
            found = self._near[key]
            if isinstance(found, str):
                own = (near.file, near.number) == (ref.file, ref.number)
                return found if own else f"cannot be averaged: {near.name} {found}"
            images.append(found)
        try:
            return mean_of(images)
        except InputError as error:
            return f"cannot be averaged: {error}"


def mean_of(images: Sequence[Atoms]) -> Atoms:
    """The frame in the middle, its positions and cell averaged over all.

    Args:
        images: frames of the same atoms; by identifiers, where they have some, else in the same order.

    Raises:
        InputError: atoms or cells are others.
    """
    middle = len(images) // 2
    own = images[middle]
    positions = [_places(own, image) for image in images]
    found: Atoms = own.copy()
    found.set_array(AS_READ, own.positions)
    found.positions, cell = averaged(positions, [image.cell[:] for image in images], own.pbc, middle)
    found.set_cell(cell)
    return found


def _places(own: Atoms, image: Atoms) -> np.ndarray:
    """Positions of the atoms of a frame in the order of another one, from the origin of the cell.

    Raises:
        InputError: it has others.
    """
    if len(image) != len(own):
        raise InputError(f"a frame beside it has {len(image)} atoms, it has {len(own)}")
    if (image.pbc != own.pbc).any():
        raise InputError("a frame beside it is periodic in other directions")
    order = np.arange(len(own))
    if own.has(IDENTIFIERS) and image.has(IDENTIFIERS):
        mine, theirs = own.arrays[IDENTIFIERS], image.arrays[IDENTIFIERS]
        order[np.argsort(mine, kind="stable")] = np.argsort(theirs, kind="stable")
        if (mine != theirs[order]).any():
            raise InputError("a frame beside it has atoms with other identifiers")
    if (image.numbers[order] != own.numbers).any():
        raise InputError("a frame beside it has other elements")
    shift = place_of_cell(own) - place_of_cell(image)
    return np.asarray(image.positions[order] + shift)
