"""Vectors that take a noisy crystal to itself, and the lattice that they span."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from arise_core.explore.pieces import Piece
from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.geometry.cell import unskewed, volume

#: An atom is where it is expected within this share of the distance of nearest neighbours: with 5 % noise 4.9 standard
#: deviations of the difference of two atoms along an axis, with 10 % 2.5.
NEAR = 0.35
#: Vectors no longer than this share of the radius of the piece are looked at.
LONGEST = 1.4
#: Atoms that candidates start from, of each element; atoms that vectors are tried at, first and then, and how many of
#: these must lie so that the vector ends inside the piece.
SEEDS = 4
FIRST, THEN = 60, 500
ENOUGH_FIRST, ENOUGH = 6, 30
#: Share of the atoms that a vector must take to others: of the first tried, and of all.
PROMISING, LEAST = 0.5, 0.6
#: A vector of the lattice takes almost as many atoms to others as the best one, and almost as closely: shares.
BEHIND = 0.08
BLURRED = 2.0


@dataclass(frozen=True, eq=False)
class Translations:
    """Vectors that take atoms of a piece to others, in order of length.

    Args:
        vectors: (n, 3), Å.
        shares: (n,), of the atoms that have one of the same element there.
        errors: (n,), standard errors of the shares.
        blurs: (n,), mean square distance from there, Å².
    """

    vectors: FloatArray
    shares: FloatArray
    errors: FloatArray
    blurs: FloatArray

    def __len__(self) -> int:
        return len(self.vectors)

    def of(self, chosen: IntArray) -> Translations:
        """Some of them."""
        return Translations(
            self.vectors[chosen], self.shares[chosen], self.errors[chosen], self.blurs[chosen]
        )


def translations(piece: Piece, *, elements: bool = True) -> Translations:
    """Vectors of the lattice of a piece, up to their sign; none if it has none.

    Args:
        piece: of a crystal.
        elements: atoms have to be taken to atoms of the same element.
    """
    found = _tried(piece, _candidates(piece, elements), FIRST, ENOUGH_FIRST, elements)
    found = _tried(piece, found.of(np.flatnonzero(found.shares >= PROMISING)).vectors, THEN, ENOUGH, elements)
    found = _merged(found, NEAR * piece.spacing)
    if len(found) == 0:
        return found
    best = (found.shares - found.errors).max()
    close = found.shares >= max(LEAST, best - BEHIND)
    if close.any():
        close &= found.blurs <= BLURRED * np.median(np.sort(found.blurs[close])[: max(3, close.sum() // 3)])
    return found.of(np.flatnonzero(close))


def basis(found: Translations) -> FloatArray | None:
    """Three vectors that span the lattice, short and right-handed, (3, 3), Å; None if they lie in a plane."""
    chosen: list[FloatArray] = []
    for vector in found.vectors:  # the shortest that are independent span a lattice in three dimensions
        trial = np.array([*chosen, vector])
        lengths = np.linalg.norm(trial, axis=1)
        independent = np.sqrt(max(np.linalg.det(trial @ trial.T), 0.0)) / np.prod(lengths)
        if independent > 0.15:
            chosen.append(vector)
        if len(chosen) == 3:
            cell = unskewed(np.array(chosen), np.ones(3, dtype=bool))
            return cell if volume(cell) > 0 else -cell
    return None


def refined(cell: FloatArray, found: Translations, tolerance: float) -> FloatArray:
    """The basis that fits all vectors of the lattice best, (3, 3), Å."""
    steps = found.vectors @ np.linalg.inv(cell)
    whole = np.round(steps)
    fits = np.linalg.norm((steps - whole) @ cell, axis=1) < tolerance
    if fits.sum() < 3 or np.linalg.matrix_rank(whole[fits]) < 3:
        return cell
    return np.asarray(np.linalg.lstsq(whole[fits], found.vectors[fits], rcond=None)[0])


def _candidates(piece: Piece, elements: bool) -> FloatArray:
    """Vectors from a few atoms near the middle to all others of their element, one of each pair ±v, (n, 3), Å."""
    vectors = []
    kinds = [at for _, at in piece.trees.values()] if elements else [np.arange(len(piece))]
    for at in kinds:
        for seed in at[:SEEDS]:  # atoms are sorted by their distance from the middle
            vectors.append(
                np.delete(piece.positions[at], np.flatnonzero(at == seed), axis=0) - piece.positions[seed]
            )
    found = np.concatenate(vectors)
    found = found[np.linalg.norm(found, axis=1) < LONGEST * piece.radius]
    signs = np.sign(found)
    first = np.argmax(signs != 0, axis=1)
    return np.asarray(found * signs[np.arange(len(found)), first][:, None])


def _tried(piece: Piece, vectors: FloatArray, count: int, enough: int, elements: bool) -> Translations:
    """How well vectors take atoms to others; the vectors are moved to where those are on average."""
    radius = NEAR * piece.spacing
    points, sample = _sample(piece, count)
    hit, miss = np.zeros(len(vectors)), np.zeros(len(vectors))
    total, square = np.zeros((len(vectors), 3)), np.zeros(len(vectors))
    trees = piece.trees if elements else {0: (piece.tree, np.arange(len(piece)))}
    for z, (tree, at) in trees.items():
        own = points[piece.numbers[sample] == z] if elements else points
        if len(own) == 0:
            continue
        goals = (vectors[:, None] + own[None]).reshape(-1, 3)
        inside = piece.inside(goals)
        distances, nearest = tree.query(goals[inside], distance_upper_bound=radius)
        which = np.repeat(np.arange(len(vectors)), len(own))[inside]
        there = np.isfinite(distances)
        offsets = piece.positions[at[nearest[there]]] - goals[inside][there]
        hit += np.bincount(which[there], minlength=len(vectors))
        miss += np.bincount(which[~there], minlength=len(vectors))
        for k in range(3):
            total[:, k] += np.bincount(which[there], offsets[:, k], len(vectors))
        square += np.bincount(which[there], (offsets**2).sum(axis=1), len(vectors))
    tried = hit + miss >= min(enough, len(sample) / 4)
    vectors, hit, miss, total, square = vectors[tried], hit[tried], miss[tried], total[tried], square[tried]
    mean = total / np.maximum(hit, 1)[:, None]
    blurs = square / np.maximum(hit, 1) - (mean**2).sum(axis=1)
    pairs = np.maximum(hit + miss, 1)
    errors = np.sqrt((hit + 0.5) * (miss + 0.5) / pairs**3)
    order = np.argsort(np.linalg.norm(vectors + mean, axis=1), kind="stable")
    return Translations(vectors + mean, hit / pairs, errors, blurs).of(order)


def _sample(piece: Piece, count: int) -> tuple[FloatArray, IntArray]:
    """Atoms spread over the piece."""
    chosen = np.unique(np.linspace(0, len(piece) - 1, min(count, len(piece))).astype(int))
    return piece.positions[chosen], chosen


def _merged(found: Translations, radius: float) -> Translations:
    """One of all vectors that are alike up to their sign: the one with the largest share."""
    if len(found) == 0:
        return found
    tree = cKDTree(np.concatenate([found.vectors, -found.vectors]))
    taken = np.zeros(len(found), dtype=bool)
    taken[np.linalg.norm(found.vectors, axis=1) < 2 * radius] = True  # no vector at all
    kept = []
    for k in np.argsort(-found.shares, kind="stable"):
        if not taken[k]:
            kept.append(int(k))
            taken[np.array(tree.query_ball_point(found.vectors[k], radius)) % len(found)] = True
    return found.of(np.sort(np.array(kept, dtype=int)))
