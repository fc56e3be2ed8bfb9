"""Pairs of atoms, images and wrapping, against sums over all images by brute force."""

import itertools

import numpy as np
import pytest

from arise_core.geometry.neighbors import PairFinder, images, wrapped, wrapped_points
from arise_core.geometry.structure import Structure

CELLS = {
    "cubic": np.eye(3) * 5.0,
    "skewed": np.array([[4.0, 0, 0], [1.5, 5, 0], [-1, 2, 6]]),
    "left-handed": np.array([[0, 5.0, 0], [4, 0, 0], [0, 1, 6]]),
    "flat": np.array([[3.0, 0, 0], [0, 3, 0], [1, 1, 1.2]]),
}


def random_structure(rng, cell, pbc, n=12):
    positions = rng.uniform(-1.5, 2.5, (n, 3)) @ cell
    return Structure(positions, rng.choice([29, 47], n), cell, pbc)


def brute(structure, alpha, beta, limit, reach=13):
    """Distances of all pairs by images up to `reach` cells away, sorted; of one species each pair once."""
    steps = [range(-reach, reach + 1) if p else (0,) for p in structure.pbc]
    shifts = np.array(list(itertools.product(*steps))) @ structure.complete_cell
    a = structure.positions[structure.numbers == alpha]
    b = structure.positions[structure.numbers == beta]
    d = np.linalg.norm(b[None, :, None] + shifts[None, None] - a[:, None, None], axis=3).ravel()
    d = np.sort(d[(d > 1e-9) & (d < limit)])
    return d[::2] if alpha == beta else d


@pytest.mark.parametrize("pbc", [False, True, [True, False, True]], ids=str)
@pytest.mark.parametrize("cell", CELLS)
def test_pairs_are_found_once(rng, cell, pbc):
    structure = random_structure(rng, CELLS[cell], pbc)
    finder = PairFinder(structure)
    for alpha, beta in ((29, 29), (47, 47), (29, 47)):
        for limit in (1.0, 3.3, 7.03):
            found = [np.linalg.norm(v, axis=1) for v in finder.vectors(alpha, beta, limit)]
            distances = np.sort(np.concatenate(found)) if found else np.empty(0)
            assert np.allclose(distances, brute(structure, alpha, beta, limit), atol=1e-9)


@pytest.mark.parametrize("cell", CELLS)
def test_nearest_neighbours(rng, cell):
    structure = random_structure(rng, CELLS[cell], True)
    found = PairFinder(structure).nearest(29, 47)
    for k, atom in enumerate(np.flatnonzero(structure.numbers == 29)):
        one = Structure(
            np.concatenate([structure.positions[[atom]], structure.positions[structure.numbers == 47]]),
            [29, *[47] * int((structure.numbers == 47).sum())], structure.cell, True,
        )  # fmt: skip
        assert found[k] == pytest.approx(brute(one, 29, 47, 50.0, reach=3)[0])


def test_a_lonely_atom_has_none():
    one = Structure(np.zeros((1, 3)), [29])
    assert np.isinf(PairFinder(one).nearest(29, 29)).all()
    assert (
        list(PairFinder(one).vectors(29, 29, 5.0)) == []
        or sum(len(v) for v in PairFinder(one).vectors(29, 29, 5.0)) == 0
    )
    crystal = Structure(np.zeros((1, 3)), [29], np.eye(3) * 2.0, True)
    assert PairFinder(crystal).nearest(29, 29) == pytest.approx([2.0])


def test_a_sample_of_the_centres(rng):
    structure = random_structure(rng, CELLS["cubic"], True, n=40)
    finder = PairFinder(structure)
    every, some = finder.nearest(29, 29), finder.nearest(29, 29, sample=5)
    assert len(some) == 5
    assert set(np.round(some, 12)) <= set(np.round(every, 12))


@pytest.mark.parametrize("cell", CELLS)
def test_wrapping_moves_by_whole_cells(rng, cell):
    structure = random_structure(rng, CELLS[cell], [True, False, True])
    moved = wrapped(structure)
    shift = (moved - structure.positions) @ np.linalg.inv(CELLS[cell])
    assert np.allclose(shift, shift.round(), atol=1e-9)
    assert np.allclose(shift[:, 1], 0, atol=1e-9)
    u = moved @ np.linalg.inv(CELLS[cell])
    assert ((u[:, [0, 2]] > -1e-9) & (u[:, [0, 2]] < 1 + 1e-9)).all()
    inside = np.full((2, 3), 0.5)
    assert wrapped_points(inside, np.eye(3), np.ones(3, dtype=bool)) is inside


def test_images_know_their_atoms(rng):
    structure = random_structure(rng, CELLS["skewed"], True)
    positions = wrapped(structure)
    near = images(positions, CELLS["skewed"], structure.pbc, 3.0)
    shift = (near.positions - positions[near.index]) @ np.linalg.inv(CELLS["skewed"])
    assert np.allclose(shift, shift.round(), atol=1e-9)
    assert ((near.sign == 0) == (np.abs(shift).max(axis=1) < 0.5)).all()
    assert (np.bincount(near.index) > 1).all()
