"""Particles turned and moved onto each other, as stages of one particle that is annealed between two looks at it.

Rigid coherent point drift (Myronenko, Song, IEEE Trans. Pattern Anal. Mach. Intell. 32, 2262 (2010)): the atoms of one
particle are centres of normal distributions, and a rotation and a shift are sought that make the atoms of the other
most probable, some of which may have no counterpart.
"""

from __future__ import annotations

import itertools

import numpy as np

from arise_core.errors import check_type
from arise_core.geometry.arrays import FloatArray
from arise_core.geometry.cell import transformed
from arise_core.geometry.structure import Structure
from arise_core.runtime.threads import one_blas_thread
from arise_core.settings import check_number

#: Atoms of a core that are compared, at most: the work grows with the square.
MOST = 600
#: Standard deviation to begin with, Å, and the least one.
WIDTH, NARROWEST = 2.5, 0.2
#: Share of the atoms that have no counterpart.
ALONE = 0.1
STEPS = 60
#: Relative change of the width below which the drift has come to its end.
SETTLED = 1e-5
#: Ends whose distances are longer than the shortest by less than this factor are equally good.
EQUAL = 1.2


def aligned(structure: Structure, target: Structure, radius: float = 15.0) -> Structure:
    """A particle turned and moved onto another one; species are not compared.

    The middle of one is laid on the middle of the other, as it stands and with its principal axes on those of the
    other, and the cores drift from there. A crystal comes to lie upon itself in all ways of its symmetry: of the ends
    that are about equally good, that with the smallest rotation counts. So a particle has to stand right within some
    tens of degrees, and beyond ten have a shape by which its axes differ.

    Args:
        structure: open in all directions.
        target: onto which it is laid.
        radius: Å, of the cores about the middle that are compared, 600 atoms at most.

    Returns:
        The same atoms, turned and moved; without a cell.

    Raises:
        InputError: a radius that is not positive.
        InputTypeError: no structures.
    """
    check_type("structure", structure, Structure, "a Structure")
    check_type("target", target, Structure, "a Structure")
    check_number("radius", radius, low=0, above=True)
    with one_blas_thread():
        source, goal = (_core(s.positions, radius) for s in (structure, target))
        starts = [np.eye(3), *_turns(structure.positions, target.positions)]
        ends = [_drift(goal, source, start) for start in starts]
    shortest = min(distance for _, _, distance in ends)
    good = [end for end in ends if end[2] <= EQUAL * shortest]
    turn, shift, _ = max(good, key=lambda end: float(np.trace(end[0])))
    return Structure(transformed(structure.positions, turn) + shift, structure.numbers)


def _core(positions: FloatArray, radius: float) -> FloatArray:
    """The atoms around the middle, (m, 3), Å."""
    distance = np.linalg.norm(positions - positions.mean(axis=0), axis=1)
    order = np.argsort(distance, kind="stable")[:MOST]
    near = order[distance[order] < radius]
    return positions[near if len(near) > 3 else order]


def _turns(source: FloatArray, target: FloatArray) -> list[FloatArray]:
    """The four rotations that lay principal axes on principal axes."""
    axes = [
        np.linalg.eigh(np.cov(positions.T))[1].T if len(positions) > 1 else np.eye(3)
        for positions in (source, target)
    ]
    found = []
    for signs in itertools.product((1.0, -1.0), repeat=3):
        turn = (axes[0].T * signs) @ axes[1]
        if np.linalg.det(turn) > 0:
            found.append(turn)
    return found


def _drift(target: FloatArray, source: FloatArray, turn: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """Rotation R, shift t and standard deviation (Å) with which source @ R + t lies on target.

    Args:
        target, source: (n, 3) and (m, 3), Å.
        turn: rotation to begin with.
    """
    shift = target.mean(axis=0) - transformed(source.mean(axis=0, keepdims=True), turn)[0]
    width = WIDTH**2
    square = _squares(target, transformed(source, turn) + shift)
    for _ in range(STEPS):
        p = np.exp(-square / (2 * width))
        p /= p.sum(axis=1, keepdims=True) + (2 * np.pi * width) ** 1.5 * ALONE / (1 - ALONE) * len(
            source
        ) / len(target)
        total = p.sum()
        a, b = p.sum(axis=1) @ target / total, p.sum(axis=0) @ source / total
        u, _, v = np.linalg.svd((source - b).T @ p.T @ (target - a))
        turn = u @ np.diag([1.0, 1.0, np.linalg.det(u @ v)]) @ v
        shift = a - b @ turn
        square = _squares(target, transformed(source, turn) + shift)
        before, width = width, max(float((p * square).sum() / (3 * total)), NARROWEST**2)
        if abs(before - width) < SETTLED * width:
            break
    return turn, shift, float(np.sqrt(square.min(axis=1).mean()))


def _squares(a: FloatArray, b: FloatArray) -> FloatArray:
    """Squares of all distances, (len(a), len(b)), Å²."""
    return np.asarray(sum((a[:, None, k] - b[None, :, k]) ** 2 for k in range(3)))
