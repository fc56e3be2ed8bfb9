"""Simulated HAADF images: a Gaussian a column, shot noise, scan noise, blur. For tests, benchmarks and trying out.

No wave is propagated: the brightness of a column is the sum over its atoms of Z^1.7, as incoherent imaging of thin
samples has it (Krivanek et al., Nature 464, 571 (2010), measured Z^1.64 in BN).
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from arise_core.errors import InputError, check_type
from arise_core.geometry.arrays import FloatArray
from arise_core.geometry.structure import Structure
from arise_core.settings import check_number

Generator = np.random.Generator
#: Exponent of the atomic number in the brightness of an atom.
EXPONENT = 1.7
#: Width of a column, Å, of the offset of scan lines and of the brightness between columns, as shares of a column.
WIDTH, BACKGROUND = 0.45, 0.1


def simulate_image(
    structure: Structure,
    *,
    pixel_size: float = 0.2,
    margin: float = 2.0,
    width: float = WIDTH,
    dose: float | None = None,
    background: float = BACKGROUND,
    jitter: float = 0.0,
    blur: float = 0.0,
    rng: Generator,
) -> tuple[FloatArray, FloatArray]:
    """An image of a structure, seen along z, and where its atoms are in it.

    Args:
        structure: its cell is not looked at.
        pixel_size: Å.
        margin: around the atoms, Å.
        width: standard deviation of the Gaussian of an atom, Å.
        dose: counts in a pixel at the top of the brightest single atom, with Poisson noise; None: no shot noise.
        background: between the columns, as a share of the brightest atom.
        jitter: standard deviation of the shift of each scan line along itself, Å.
        blur: standard deviation of a Gaussian over the finished image, without shot noise, Å.
        rng: random numbers.

    Returns:
        The image (rows, columns) with y pointing up, so that the last row has the smallest y; and row and column of
        each atom in it, (n_atoms, 2), in pixels, fractions included.

    Raises:
        InputError: a value out of range.
    """
    check_type("structure", structure, Structure, "a Structure")
    check_type("rng", rng, Generator, "a numpy Generator")
    for name, value, above in (
        ("pixel_size", pixel_size, True), ("margin", margin, False), ("width", width, True),
        ("background", background, False), ("jitter", jitter, False), ("blur", blur, False),
    ):  # fmt: skip
        check_number(name, value, low=0.0, above=above)
    if dose is not None:
        check_number("dose", dose, low=0.0, above=True)
    flat = structure.positions[:, :2]
    low, high = flat.min(axis=0) - margin, flat.max(axis=0) + margin
    shape = np.ceil((high - low)[::-1] / pixel_size).astype(int) + 1
    if shape.prod() > 1e8:
        raise InputError(f"`pixel_size` {pixel_size} Å makes an image of {shape[0]} x {shape[1]} pixels")
    places = np.column_stack([(high[1] - flat[:, 1]) / pixel_size, (flat[:, 0] - low[0]) / pixel_size])
    strength = structure.numbers**EXPONENT / structure.numbers.max() ** EXPONENT
    shifts = rng.normal(0.0, jitter / pixel_size, shape[0]) if jitter else np.zeros(shape[0])
    image = background + _drawn(shape, places, strength, width / pixel_size, shifts)
    if blur:
        image = gaussian_filter(image, blur / pixel_size, mode="nearest")
    if dose is not None:
        image = rng.poisson(image * dose).astype(np.float64)
    return image, places


def _drawn(
    shape: FloatArray, places: FloatArray, strength: FloatArray, width: float, shifts: FloatArray
) -> FloatArray:
    """Gaussians at places, scan line by scan line, each of which is shifted."""
    image = np.zeros(shape)
    reach = int(np.ceil(5 * width))
    around = np.arange(-reach, reach + 1)
    for (row, column), height in zip(places, strength, strict=True):
        rows = round(row) + around
        rows = rows[(rows >= 0) & (rows < shape[0])]
        columns = round(column) + around
        columns = columns[(columns >= 0) & (columns < shape[1])]
        down = np.exp(-0.5 * ((rows - row) / width) ** 2)
        along = np.exp(-0.5 * ((columns[None] + shifts[rows, None] - column) / width) ** 2)
        image[np.ix_(rows, columns)] += height * down[:, None] * along
    return image
