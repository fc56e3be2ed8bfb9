"""Similarity of structures to the network."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from arise_core.testing import cosine
from ase_arise import from_atoms, similarity


def crystals() -> list[Atoms]:
    return [bulk("Cu"), bulk("Ag"), bulk("Fe"), bulk("Si")]


@pytest.mark.parametrize("layer", [0, 1, 2, -1])
def test_it_is_the_cosine_of_representations(model, layer):
    from arise_core.descriptor.soap import describe

    features = np.array([describe(from_atoms(a), model.descriptor) for a in crystals()])
    vectors = model.representations(features, layer).astype(float)
    matrix = similarity(crystals(), model, layer=layer)
    assert matrix.shape == (4, 4)
    assert matrix == pytest.approx(np.array([[cosine(a, b) for b in vectors] for a in vectors]))
    assert np.allclose(np.diag(matrix), 1)
    assert (matrix == matrix.T).all()


def test_equal_structures_of_other_elements_and_sizes_are_equal():
    matrix = similarity([bulk("Cu"), bulk("Al", cubic=True) * (2, 2, 2), bulk("Fe")])
    assert matrix[0, 1] == pytest.approx(1, abs=1e-4)
    assert matrix[0, 2] < 0.9


def test_layers_differ():
    first, last = (similarity(crystals(), layer=layer) for layer in (0, -1))
    assert not np.allclose(first, last, atol=1e-3)


def test_too_few_atoms_give_nan_and_a_warning():
    cluster = Atoms("Cu3", [[0, 0, 0], [2.5, 0, 0], [0, 2.5, 0]])
    with pytest.warns(UserWarning, match="structure 1 has 3 atoms, fewer than `min_atoms`"):
        matrix = similarity([bulk("Cu"), cluster])
    assert np.isnan(matrix).tolist() == [[False, True], [True, True]]
