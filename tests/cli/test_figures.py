"""The heat map of a similarity matrix."""

import numpy as np
import pytest
from matplotlib.image import imread

from arise_cli.figures import draw


@pytest.mark.parametrize("n", [2, 20])
def test_the_picture_shows_the_matrix(tmp_path, n):
    matrix = np.eye(n)
    draw(matrix, [f"structure {k}" for k in range(n)], tmp_path / "a.png", 1)
    picture = imread(tmp_path / "a.png")
    assert min(picture.shape[:2]) > 400
    assert picture[..., :3].std() > 0.05  # not blank
    draw(np.full((n, n), np.nan), ["?"] * n, tmp_path / "b.png", 1)
    assert imread(tmp_path / "b.png").shape[2] == 4


def test_names_are_no_formulas(tmp_path):
    draw(np.eye(2), ["a$b.xyz", "$\\frac$"], tmp_path / "a.png", 0)
    assert imread(tmp_path / "a.png").shape[2] == 4
