"""Asserts that others can import: invariances of a descriptor and purity of a function, with named tolerances."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from arise_core.geometry import builders
from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.geometry.structure import Structure

#: Relative difference of descriptors that are equal but for rounding.
ROUNDING = 1e-9
#: The same where the support of an open piece is found on a grid of voxels that turns with nothing.
VOXELS = 0.02

Describe = Callable[[Structure], FloatArray]


def cosine(a: FloatArray, b: FloatArray) -> float:
    """Cosine similarity of two vectors."""
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def difference(a: FloatArray, b: FloatArray) -> float:
    """Norm of the difference over the norm of the first."""
    return float(np.linalg.norm(a - b) / np.linalg.norm(a))


def equivalents(structure: Structure, rng: np.random.Generator) -> Iterator[tuple[str, Structure]]:
    """The same structure turned, moved, with its atoms in another order, in another unit, as a supercell."""
    turn = builders.random_rotation(rng)
    s = structure
    yield "rotation", Structure(s.positions @ turn, s.numbers, s.cell @ turn, s.pbc)
    yield "translation", Structure(s.positions + rng.normal(0, 5, 3), s.numbers, s.cell, s.pbc)
    order = rng.permutation(len(s))
    yield "permutation", Structure(s.positions[order], s.numbers[order], s.cell, s.pbc)
    yield "unit of length", Structure(0.1 * s.positions + 1e-3, s.numbers, 0.1 * s.cell, s.pbc)
    if s.pbc.any():
        yield "supercell", builders.repeat(s, [2 if s.pbc[0] else 1, 1, 2 if s.pbc[2] else 1])


def assert_invariant(
    describe: Describe, structure: Structure, rng: np.random.Generator, tolerance: float = ROUNDING
) -> None:
    """Fail unless equivalent structures have the same descriptor within a relative tolerance."""
    reference = describe(structure)
    for name, other in equivalents(structure, rng):
        found = difference(reference, describe(other))
        assert found < tolerance, f"{name} changes the descriptor by {found:.2e} (allowed {tolerance:.0e})"


def assert_pure(function: Describe, structure: Structure) -> None:
    """Fail if a function changes its structure, gives another result the second time, or draws global randoms."""
    before = [a.copy() for a in (structure.positions, structure.numbers, structure.cell, structure.pbc)]
    state = global_numpy_state()
    first = function(structure)
    second = function(structure)
    after = (structure.positions, structure.numbers, structure.cell, structure.pbc)
    assert all((a == b).all() for a, b in zip(before, after, strict=True)), "the structure was changed"
    assert np.array_equal(first, second), "the same structure gave another result"
    assert np.array_equal(state, global_numpy_state()), "the global random state was changed"


def global_numpy_state() -> IntArray:
    """Contents of numpy's global random generator, to see that it is left alone."""
    return np.array(np.random.get_state(legacy=True)[1], dtype=np.int64)  # type: ignore[index]  # noqa: NPY002
