"""Atoms of a noisy crystal folded into one cell and averaged there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from arise_core.explore.pieces import Piece
from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray
from arise_core.geometry.cell import volume
from arise_core.geometry.structure import Structure

#: An atom belongs to a site within this share of the distance of nearest neighbours.
NEAR = 0.35
#: Atoms that sites are looked for with, at most and for each site that the density lets expect.
SEEDS, SEEDS_EACH = 1500, 30
#: A site is occupied in at least this share of the cells.
OCCUPIED = 0.5
#: Rounds of fitting, and steps from the middle of the piece to its border.
ROUNDS, STEPS = 3, 4


@dataclass(frozen=True, eq=False)
class Average:
    """The mean cell of a piece.

    Args:
        cell: (3, 3), Å.
        sites: (n_sites, 3), Å, mean positions in the cell.
        numbers: (n_sites,), the element that most atoms of a site have.
        site: (n_atoms,), site of each atom of the piece, -1 for those that are near none.
        steps: (n_atoms, 3), the cell that each atom is in.
        offsets: (n_atoms, 3), Å, from its site; NaN without one.
        fits: (n_atoms,), atoms near a site, and of its element unless elements are not asked for.
        elements: whether they are.
        piece: that was averaged.
    """

    cell: FloatArray
    sites: FloatArray
    numbers: IntArray
    site: IntArray
    steps: IntArray
    offsets: FloatArray
    fits: BoolArray
    elements: bool
    piece: Piece

    def __len__(self) -> int:
        return len(self.sites)

    @cached_property
    def structure(self) -> Structure:
        """The cell as a periodic structure."""
        return Structure(self.sites, self.numbers, self.cell, np.ones(3, dtype=bool))

    @cached_property
    def residual(self) -> float:
        """Root of the mean square distance of the atoms that fit from their sites, Å."""
        return float(np.sqrt((self.offsets[self.fits] ** 2).sum(axis=1).mean()))

    @cached_property
    def error(self) -> float:
        """Standard error of a site along an axis, root mean square over the sites, Å.

        The larger of two: that of independent atoms, and that which the means of eight parts of the piece show, where
        waves displace many atoms alike.
        """
        counts = np.bincount(self.site[self.fits], minlength=len(self))
        alone = self.residual * np.sqrt((1 / np.maximum(counts * self.piece.independent, 1)).mean() / 3)
        return float(max(alone, self._error_of_parts(counts)))

    def _error_of_parts(self, counts: IntArray) -> float:
        """From the means of the sites in the octants around the middle, relative to that of the octant."""
        octant = (self.piece.positions > 0) @ np.array([1, 2, 4])
        key = (octant * len(self) + self.site)[self.fits]
        sums = np.stack([np.bincount(key, x, 8 * len(self)) for x in self.offsets[self.fits].T], axis=1)
        own = np.bincount(key, minlength=8 * len(self)).reshape(8, -1, 1)
        sums = sums.reshape(8, -1, 3)
        drift = sums.sum(axis=1, keepdims=True) / np.maximum(own.sum(axis=1, keepdims=True), 1)
        pulls = (sums - own * drift) / np.maximum(counts[:, None], 1)
        return float(np.sqrt((pulls**2).sum(axis=0).mean() * 8 / 7))

    @cached_property
    def purity(self) -> float:
        """Share of the atoms near sites that are of their element."""
        near = self.site >= 0
        return float((self.numbers[self.site[near]] == self.piece.numbers[near]).mean())

    @cached_property
    def crowding(self) -> float:
        """Atoms of the cell over those that the density of the piece lets expect."""
        return len(self) / (abs(volume(self.cell)) * self.piece.density)


def averaged(piece: Piece, cell: FloatArray, *, elements: bool = True) -> Average | None:
    """The mean cell of a piece, cell and sites fitted to the atoms together; None if no site is occupied.

    Args:
        piece: of a crystal.
        cell: (3, 3), Å, of its lattice, good for a few cells around the middle.
        elements: atoms fit only if they are of the element that their site has.
    """
    radii = np.linalg.norm(piece.positions, axis=1)
    first = min(piece.radius, 1.5 * float(np.linalg.norm(cell, axis=1).max()) + 2 * piece.spacing)
    tolerance = NEAR * piece.spacing
    sites = _sites(piece.positions[radii <= first], cell, tolerance, piece.density)
    if len(sites) == 0:
        return None
    for reach in np.geomspace(first, piece.radius * 1.0001, STEPS):
        near = radii <= reach
        for _ in range(ROUNDS):
            cell, sites = _fitted(piece.positions[near], cell, sites, tolerance)
    return _read(piece, cell, sites, tolerance, elements)


def supercell(average: Average, counts: tuple[int, int, int]) -> Average:
    """The same fit read in a larger cell: each copy of a site averaged by itself."""
    n = np.asarray(counts)
    shifts = np.stack(np.meshgrid(*(np.arange(k) for k in n), indexing="ij"), axis=-1).reshape(-1, 3)
    cell = average.cell * n[:, None]
    which = np.ravel_multi_index(tuple((average.steps % n).T), counts)
    site = np.where(average.site >= 0, which * len(average) + average.site, -1)
    steps = average.steps // n
    places = average.piece.positions - steps @ cell
    start = (shifts @ average.cell)[:, None] + average.sites[None]
    sites = start.reshape(-1, 3).copy()
    numbers = np.tile(average.numbers, len(shifts))
    for k in range(len(sites)):
        own = site == k
        if own.any():
            sites[k] = places[own].mean(axis=0)
            numbers[k] = _majority(average.piece.numbers[own])
    return _labelled(average.piece, cell, sites, numbers, site, steps, average.elements)


def _nearest(
    positions: FloatArray, cell: FloatArray, sites: FloatArray
) -> tuple[IntArray, IntArray, FloatArray]:
    """Nearest site of each atom, its cell, and the offset from there."""
    inverse = np.linalg.inv(cell)
    best = np.full(len(positions), np.inf)
    site = np.zeros(len(positions), dtype=np.int64)
    steps = np.zeros((len(positions), 3), dtype=np.int64)
    offsets = np.zeros((len(positions), 3))
    for k, place in enumerate(sites):
        away = positions - place
        whole = np.round(away @ inverse).astype(np.int64)
        away = away - whole @ cell
        square = (away**2).sum(axis=1)
        closer = square < best
        best[closer], site[closer] = square[closer], k
        steps[closer], offsets[closer] = whole[closer], away[closer]
    return site, steps, offsets


def _fitted(
    positions: FloatArray, cell: FloatArray, sites: FloatArray, tolerance: float
) -> tuple[FloatArray, FloatArray]:
    """Cell and sites of the least squares over the atoms that are near a site."""
    site, steps, offsets = _nearest(positions, cell, sites)
    near = (offsets**2).sum(axis=1) < tolerance**2
    site, steps, x = site[near], steps[near], positions[near]
    counts = np.bincount(site, minlength=len(sites))
    occupied = counts > 0

    def means(values: FloatArray) -> FloatArray:
        sums = np.stack([np.bincount(site, values[:, k], len(sites)) for k in range(3)], axis=1)
        return np.asarray(sums / np.maximum(counts, 1)[:, None])

    # Within a site positions depend on the cell linearly; what the means of the sites take is left out of both sides.
    whole = steps.astype(np.float64)
    left, right = whole - means(whole)[site], x - means(x)[site]
    if np.linalg.matrix_rank(left) == 3:
        cell = np.asarray(np.linalg.lstsq(left, right, rcond=None)[0])
    sites = np.where(occupied[:, None], means(x - whole @ cell), sites)
    return cell, sites


def _read(
    piece: Piece, cell: FloatArray, sites: FloatArray, tolerance: float, elements: bool
) -> Average | None:
    """Sites that are occupied, and what each atom of the piece has to do with them."""
    for _ in range(2):
        site, steps, offsets = _nearest(piece.positions, cell, sites)
        site[(offsets**2).sum(axis=1) >= tolerance**2] = -1
        counts = np.bincount(site[site >= 0], minlength=len(sites))
        kept = counts >= OCCUPIED * np.quantile(counts, 0.75)
        if kept.all():
            break
        sites = sites[kept]
    if len(sites) == 0 or counts.max() == 0:
        return None
    numbers = np.array([_majority(piece.numbers[site == k]) for k in range(len(sites))])
    return _labelled(piece, cell, sites, numbers, site, steps, elements)


def _labelled(
    piece: Piece,
    cell: FloatArray,
    sites: FloatArray,
    numbers: IntArray,
    site: IntArray,
    steps: IntArray,
    elements: bool,
) -> Average:
    offsets = piece.positions - steps @ cell - sites[site]
    offsets[site < 0] = np.nan
    fits = site >= 0
    if elements:
        fits &= numbers[site] == piece.numbers
    return Average(cell, sites, numbers, site, steps, offsets, fits, elements, piece)


def _majority(numbers: IntArray) -> int:
    values, counts = np.unique(numbers, return_counts=True)
    return int(values[np.argmax(counts)])


def _sites(positions: FloatArray, cell: FloatArray, tolerance: float, density: float) -> FloatArray:
    """Places in the cell where atoms gather once they are folded into it, (n, 3), Å."""
    most = int(max(SEEDS, SEEDS_EACH * density * abs(volume(cell))))
    x = positions[:most]
    inverse = np.linalg.inv(cell)
    fractional = x @ inverse

    def offsets(middle: FloatArray, of: FloatArray) -> FloatArray:
        away = of - middle
        return np.asarray((away - np.round(away)) @ cell)

    crowd = np.array([((offsets(f, fractional) ** 2).sum(axis=1) < tolerance**2).sum() for f in fractional])
    left = np.ones(len(x), dtype=bool)
    sites: list[FloatArray] = []
    while left.any():
        seed = int(np.argmax(np.where(left, crowd, 0)))
        middle = fractional[seed]
        for _ in range(ROUNDS):
            away = offsets(middle, fractional)
            near = left & ((away**2).sum(axis=1) < tolerance**2)
            if near.any():
                middle = middle + away[near].mean(axis=0) @ inverse
        if len(sites) > 0 and near.sum() < OCCUPIED * crowd.max() / 2:
            break  # stray atoms only
        sites.append((middle - np.floor(middle)) @ cell)
        left &= ((offsets(middle, fractional) ** 2).sum(axis=1) >= (1.5 * tolerance) ** 2) & ~near
        left[seed] = False
    return np.array(sites).reshape(-1, 3)
