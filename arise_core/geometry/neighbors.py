"""Pairs of atoms of a structure, periodic images included, in chunks of bounded size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from arise_core.errors import MemoryLimitError
from arise_core.geometry import loops
from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray
from arise_core.geometry.cell import inverse, perpendicular_heights, transformed
from arise_core.geometry.structure import Structure

#: Pairs handed out at once (24 bytes each).
CHUNK = 2_000_000
#: Periodic images of atoms, at most, where there are fewer atoms than that (some 100 bytes each).
MAX_IMAGES = 6_000_000
#: Atoms times shifts that are looked at in one go, where an operation of numpy costs more than what it works on.
AT_ONCE = 100_000
#: Bins that points are sorted into, at most.
MAX_BINS = 20_000_000
#: Neighbours of an atom, and pairs in all, from which pairs are not looked for.
MAX_NEIGHBOURS = 20_000
MAX_PAIRS = 50_000_000
#: Atoms whose neighbours are counted before.
PROBE = 64
#: Stands for all elements where an atomic number is asked for.
ANY = 0

#: Positions, atoms, halves and fractional coordinates of images.
_Part = tuple[FloatArray, IntArray, IntArray, FloatArray]


@dataclass(frozen=True)
class Images:
    """Atoms of the cell and all their periodic images within a margin around it."""

    positions: FloatArray  # (n_images, 3), Å
    index: IntArray  # (n_images,), the atom that is imaged
    sign: IntArray  # (n_images,), 0 for the atom itself, +1/-1 for the two halves of the images


def wrapped(structure: Structure) -> FloatArray:
    """Positions moved into the cell along its periodic directions, (n_atoms, 3), Å."""
    return wrapped_points(structure.positions, structure.complete_cell, structure.pbc)


def wrapped_points(points: FloatArray, cell: FloatArray, pbc: BoolArray) -> FloatArray:
    """Points (n, 3) Å moved into a cell along its periodic directions; the same array where none has to move."""
    if not pbc.any():
        return points
    shift = np.where(pbc, np.floor(transformed(points, inverse(cell))), 0.0)
    return np.asarray(points - transformed(shift, cell)) if shift.any() else points


def most_images(n_atoms: int, heights: FloatArray, pbc: BoolArray) -> float:
    """Margin within which there are so many images that one begins with a smaller one, Å; infinite in open structures.

    Args:
        n_atoms: of the cell.
        heights: (3,), Å, perpendicular heights of the cell.
        pbc: (3,), periodic directions.
    """
    least, most = 0.0, np.inf
    enough = max(MAX_IMAGES / 64, 27.0 * n_atoms)
    if not pbc.any():
        return most
    high = float(heights[pbc].max()) * 10
    if n_atoms * np.prod(2 * high / heights[pbc] + 1) <= enough:
        return most
    for _ in range(60):
        middle = (least + high) / 2
        if n_atoms * np.prod(2 * middle / heights[pbc] + 1) > enough:
            high = middle
        else:
            least = middle
    return least


def images(
    positions: FloatArray,
    cell: FloatArray,
    pbc: BoolArray,
    margin: float,
    *,
    whole_cell: bool = False,
    chosen: BoolArray | None = None,
) -> Images:
    """Atoms and periodic images within `margin` (Å) of the parallelepiped that holds the atoms.

    Args:
        positions: (n_atoms, 3), Å, as `wrapped` gives them.
        cell: (3, 3), Å, complete.
        pbc: (3,), periodic directions.
        margin: Å.
        whole_cell: within `margin` of the cell instead, even where it is empty.
        chosen: atoms whose images are wanted, (n_atoms,); default: all.

    Raises:
        MemoryLimitError: there are too many of them.
    """
    index = np.arange(len(positions))
    reach = margin / perpendicular_heights(cell)
    fractional = transformed(positions, inverse(cell))
    lows, highs = (
        (np.zeros(3), np.ones(3)) if whole_cell else (fractional.min(axis=0), fractional.max(axis=0))
    )
    if chosen is not None and not chosen.all():
        index, fractional, positions = index[chosen], fractional[chosen], positions[chosen]
    _refuse_images(len(index), float(np.prod((2 * reach + highs - lows)[pbc])), margin)
    # The atoms themselves, which may be millions, are not copied with their few images from direction to direction.
    own = positions, index, np.zeros(len(index), dtype=np.int64), fractional
    copies = own[0][:0], own[1][:0], own[2][:0], own[3][:0]
    for k in np.flatnonzero(pbc):
        low, high = lows[k], highs[k]
        n = int(np.ceil(reach[k] + high - low))
        shifts = np.concatenate([np.arange(-n, 0), np.arange(1, n + 1)])
        sources: list[_Part] = [own, copies]
        blocks = list(shifts[:, None])
        if len(shifts) * (len(own[1]) + len(copies[1])) <= AT_ONCE:  # the same images in the same order
            sources, blocks = [_joined(sources)], [shifts]
        parts = [copies]
        for block in blocks:
            for points, of, sign, u in sources:
                moved = u[:, k] + block[:, None]
                which, atom = np.nonzero((moved > low - reach[k]) & (moved < high + reach[k]))
                if len(atom):
                    s, f = block[which], u[atom]
                    f[:, k] += s
                    # The first direction with a shift decides which half of the images this one is in.
                    half = np.where(sign[atom] == 0, np.sign(s), sign[atom])
                    parts.append((points[atom] + s[:, None] * cell[k], of[atom], half, f))
        copies = _joined(parts)
    if not len(copies[1]):
        return Images(positions.copy(), *own[1:3])  # the caller may write to it
    return Images(*(np.concatenate(p) for p in zip(own[:3], copies[:3], strict=True)))


def _joined(parts: Sequence[_Part]) -> _Part:
    """Images of all parts."""
    first, second, third, fourth = (np.concatenate(p) for p in zip(*parts, strict=True))
    return first, second, third, fourth


def _refuse_images(n_atoms: int, copies: float, margin: float) -> None:
    if n_atoms * copies > max(MAX_IMAGES, 27 * n_atoms):
        raise MemoryLimitError(
            f"`positions`: distances up to {margin:.3g} Å, which some neighbours have, reach over {copies:.2g} periods "
            f"of the cell with {n_atoms} atoms each, too many to be looked at: some atoms are too far from others"
        )


def fewer_bins(shape: IntArray, size: float) -> tuple[IntArray, float]:
    """Cubic bins and their edge, Å: larger ones where there would be more than memory should hold.

    Args:
        shape: (3,), bins along each axis.
        size: Å, their edge.
    """
    while np.prod(shape.astype(float)) > MAX_BINS:
        shape, size = (shape + 1) // 2, 2 * size
    return shape, size


class PairFinder:
    """Finds the pairs (α, β) of a structure within a distance.

    Args:
        structure: atoms.
        positions: `wrapped(structure)`, if the caller has them.
    """

    def __init__(self, structure: Structure, positions: FloatArray | None = None) -> None:
        self.numbers = structure.numbers
        self.cell = structure.complete_cell
        self.pbc = structure.pbc
        self.positions = wrapped(structure) if positions is None else positions

    def _of(self, species: int) -> BoolArray:
        """Which atoms are of a species, (n_atoms,)."""
        return np.ones(len(self.numbers), dtype=bool) if species == ANY else self.numbers == species

    def _images(self, species: int, margin: float) -> Images:
        return images(self.positions, self.cell, self.pbc, margin, chosen=self._of(species))

    def nearest(self, alpha: int, beta: int, sample: int | None = None) -> FloatArray:
        """Distance from each α atom to its nearest β atom, (n_α,), Å; inf where there is none.

        Args:
            alpha: atomic number of the centres, or `ANY`.
            beta: atomic number of the neighbours; `ANY` if `alpha` is.
            sample: use this many centres, evenly spread over the list, if there are more.
        """
        centres = np.flatnonzero(self._of(alpha))
        if sample is not None and len(centres) > sample:
            centres = centres[np.linspace(0, len(centres) - 1, sample).astype(int)]
        same = alpha == beta
        chosen = self._of(beta)
        count = int(chosen.sum())
        if not self.pbc.any():
            if count < 1 + same:
                return np.full(len(centres), np.inf)
            tree = cKDTree(self.positions[chosen])
            return np.asarray(tree.query(self.positions[centres], k=[2 if same else 1])[0][:, 0])
        margin = self._start_margin(count)
        while True:
            near = self._images(beta, margin)
            if len(near.positions) > same:
                tree = cKDTree(near.positions)
                distance = tree.query(self.positions[centres], k=[2 if same else 1])[0][:, 0]
                if (distance <= margin).all():
                    return np.asarray(distance)
            margin *= 1.6

    def _start_margin(self, count: int) -> float:
        """A first guess at a distance within which every atom has a neighbour of a species."""
        heights = perpendicular_heights(self.cell)
        extent = np.where(self.pbc, heights, np.maximum(np.ptp(self.positions, axis=0).max(), 1.0))
        margin = float(2.0 * np.cbrt(np.prod(extent) / max(count, 1)))
        return min(margin, most_images(count, heights, self.pbc))

    def vectors(self, alpha: int, beta: int, limit: float) -> Iterator[FloatArray]:
        """Displacements from α to β atoms shorter than `limit` Å, in chunks (m, 3).

        For α = β each pair counts once, with one of its two directions; for α ≠ β once as well. Both may be `ANY`.
        """
        centres = np.flatnonzero(self._of(alpha))
        near = self._images(beta, limit)
        if len(centres) == 0 or len(near.positions) == 0:
            return
        origin = near.positions.min(axis=0)
        extent = np.ptp(near.positions, axis=0)
        # Bins of about a quarter of the limit, but never many more bins than points.
        size = max(
            limit / 4, float(np.cbrt(np.prod(np.maximum(extent, limit / 4)) / (4 * len(near.positions))))
        )
        shape, size = fewer_bins(np.maximum((extent / size).astype(np.int64) + 1, 1), size)
        order = np.empty(len(near.positions), dtype=np.int64)
        start = np.empty(int(np.prod(shape)) + 1, dtype=np.int64)
        loops.bin_points(near.positions, origin, size, shape, order, start)
        points = self.positions[centres]
        expected = self._expected(near, limit, size, shape)
        nothing = np.empty((0, 3))
        if len(near.positions) > MAX_NEIGHBOURS:
            probe = np.linspace(0, len(centres) - 1, min(PROBE, len(centres))).astype(int)
            found = loops.binned_pairs(
                points[probe], 0, len(probe), centres[probe], near.positions, near.index, near.sign, False, limit,
                origin, size, shape, order, start, nothing,
            )  # fmt: skip
            expected = max(expected, found // len(probe))
            if expected > MAX_NEIGHBOURS and expected * len(centres) > MAX_PAIRS:
                raise MemoryLimitError(
                    f"`positions`: within {limit:.3g} Å, which the distances of some neighbours ask for, atoms have "
                    f"some {expected:,} neighbours: parts of the structure are far denser than others. Recognise them "
                    "one by one"
                )
        block = max(1, CHUNK // max(1, expected))
        for first in range(0, len(centres), block):
            stop = min(first + block, len(centres))
            arguments = (
                points, first, stop, centres, near.positions, near.index, near.sign, alpha == beta, limit,
                origin, size, shape, order, start,
            )  # fmt: skip
            found = np.empty((loops.binned_pairs(*arguments, nothing), 3))
            loops.binned_pairs(*arguments, found)
            yield found

    @staticmethod
    def _expected(near: Images, limit: float, size: float, shape: IntArray) -> int:
        """A rough upper estimate of the neighbours of one atom."""
        volume = float(np.prod(shape * size))
        return int(len(near.positions) / volume * 4.2 * limit**3) + 8
