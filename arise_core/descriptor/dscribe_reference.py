"""The sums over pairs by dscribe, as a reference for settings that it can express. Slow; imported on demand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from dscribe.core import System
from dscribe.descriptors import SOAP

from arise_core.errors import InputError
from arise_core.geometry.arrays import FloatArray
from arise_core.geometry.structure import Structure
from arise_core.settings import DescriptorSettings


def pair_descriptors(
    structure: Structure, scales: Mapping[tuple[int, int], float], settings: DescriptorSettings
) -> dict[tuple[int, int], FloatArray]:
    """Descriptor of each species pair, (n_radials, channel_size), each of norm 1.

    Args:
        structure: atoms.
        scales: length scale d of each ordered species pair, Å.
        settings: without window and without taper.

    Raises:
        ValueError: settings that dscribe cannot express.
    """
    if settings.window or settings.blind or any(c.taper > 0 for c in settings.channels):
        raise InputError(
            "`backend` 'dscribe' cannot express settings with a window correction, a taper or a channel that is "
            f"blind to species: got window={settings.window}, channels {settings.channels}"
        )
    return {
        pair: np.array([_one(structure, pair, d, c.weight, settings) for c in settings.radials])
        for pair, d in scales.items()
    }


def _one(
    structure: Structure, pair: tuple[int, int], scale: float, weight: str, settings: DescriptorSettings
) -> FloatArray:
    """dscribe's inner-averaged power spectrum of the β atoms around the α atoms, on coordinates over d."""
    alpha, beta = pair
    weighting: dict[str, object] = {"w0": 0}
    if weight == "falling":
        weighting |= {"function": "poly", "c": 1, "m": 1, "r0": settings.reach}
    soap = SOAP(
        species=[beta],
        r_cut=settings.r_cut,
        n_max=settings.n_max,
        l_max=settings.l_max,
        sigma=settings.sigma,
        rbf="gto",
        periodic=bool(structure.pbc.any()),
        average="inner",
        weighting=weighting,
    )
    centres = structure.positions[structure.numbers == alpha] / scale
    chosen = structure.numbers == beta
    neighbours = System(
        numbers=structure.numbers[chosen],
        positions=structure.positions[chosen] / scale,
        cell=structure.complete_cell / scale,
        pbc=structure.pbc,
    )
    vector = np.asarray(soap.create(neighbours, centers=centres), dtype=np.float64).ravel()
    return vector / np.linalg.norm(vector)
