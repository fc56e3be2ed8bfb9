"""Products and inverses without BLAS, volumes, heights."""

import numpy as np
import pytest

from arise_core.geometry.cell import cross, has_volume, inverse, perpendicular_heights, transformed, volume


@pytest.fixture
def matrices(rng):
    return [rng.normal(size=(3, 3)) for _ in range(20)]


def test_products_are_those_of_numpy(rng, matrices):
    for matrix in matrices:
        vectors = rng.normal(size=(50, 3))
        assert np.allclose(transformed(vectors, matrix), vectors @ matrix, rtol=1e-14, atol=1e-14)
        assert np.allclose(transformed(vectors[0], matrix), vectors[0] @ matrix)
        stacked = vectors.reshape(5, 10, 3)
        assert np.array_equal(transformed(stacked, matrix), transformed(vectors, matrix).reshape(5, 10, 3))


def test_a_product_does_not_depend_on_what_stands_beside_it(rng, matrices):
    """As a BLAS product does."""
    vectors = rng.normal(size=(1001, 3))
    for matrix in matrices[:5]:
        whole = transformed(vectors, matrix)
        assert np.array_equal(whole[17:18], transformed(vectors[17:18], matrix))
        assert np.array_equal(whole[::7], transformed(vectors[::7], matrix))


def test_inverses(matrices):
    for matrix in matrices:
        assert np.allclose(inverse(matrix), np.linalg.inv(matrix), rtol=1e-9)
        assert np.allclose(transformed(matrix, inverse(matrix)), np.eye(3), atol=1e-9)
    with pytest.raises(ValueError, match="`matrix` has no inverse"):
        inverse(np.ones((3, 3)))


def test_cross_products_have_the_bits_of_numpy(rng):
    for _ in range(200):
        a, b = rng.normal(size=(2, 3)) * 10.0 ** rng.uniform(-9, 9, (2, 3))
        assert cross(a, b).tobytes() == np.cross(a, b).tobytes()


def test_volumes_have_a_sign(matrices):
    for matrix in matrices:
        assert volume(matrix) == pytest.approx(np.linalg.det(matrix))
        assert volume(matrix[[1, 0, 2]]) == pytest.approx(-volume(matrix))
    assert volume(np.eye(3) * 2) == 8
    assert has_volume(-np.eye(3))
    assert not has_volume(np.array([[1, 0, 0], [1, 0, 0], [0, 0, 1.0]]))


def test_heights_are_distances_of_faces(matrices):
    for matrix in matrices:
        area = np.linalg.norm(np.cross(matrix[1], matrix[2]))
        assert perpendicular_heights(matrix)[0] == pytest.approx(abs(np.linalg.det(matrix)) / area)
