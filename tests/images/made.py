"""Micrographs that the tests of images share: made, with the places that are true."""

from functools import cache

import numpy as np
from scipy.spatial import cKDTree

from arise_core.geometry.structure import Structure
from arise_images import Columns, find_atoms, simulate_image, tell_elements
from benchmarks.images.samples import SAMPLES, block, columns_of

PIXEL = 0.2


@cache
def flat(name: str, edge: float = 32.0, seed: int = 0) -> Structure:
    """A sample as atoms."""
    sample = next(s for s in SAMPLES if s.name == name)
    return block(sample, edge, np.random.default_rng(seed))


@cache
def image_of(name: str, dose: float | None = 60.0, **more: float) -> np.ndarray:
    image, _ = simulate_image(
        flat(name), pixel_size=PIXEL, dose=dose, jitter=0.05, rng=np.random.default_rng(1), **more
    )
    return image


@cache
def places_of(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of the columns of atoms that show, in pixels, and their brightness."""
    structure = flat(name)
    _, pixels = simulate_image(structure, pixel_size=PIXEL, rng=np.random.default_rng(1))
    _, bright, group = columns_of(structure)
    places = np.column_stack([np.bincount(group, pixels[:, k]) / np.bincount(group) for k in (0, 1)])
    shows = bright > 0.12 * bright.max()
    return places[shows], bright[shows]


@cache
def columns_in(name: str, dose: float | None = 60.0) -> Columns:
    return tell_elements(find_atoms(image_of(name, dose), PIXEL))


def matched(found: Columns, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance in Å from each true column to the nearest found one, and from each found to the nearest true one."""
    size = PIXEL
    return (
        cKDTree(found.pixels).query(truth)[0] * size,
        cKDTree(truth).query(found.pixels)[0] * size,
    )
