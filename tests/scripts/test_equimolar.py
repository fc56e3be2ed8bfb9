"""The equimolar dividing surface of crystals and melts whose border is known."""

import numpy as np
import pytest

from benchmarks.sharp.equimolar import Snapshot, density, dividing, truth

LENGTH, AREA, THICK = 120.0, 900.0, 70.0


def layers(low, high, distance, atoms):
    """x of the atoms of layers, Å."""
    return np.repeat(np.arange(low + distance / 2, high, distance), atoms)


@pytest.mark.parametrize(("low", "high"), [(20.0, 60.0), (21.3, 57.9)])
def test_the_density_of_layers_does_not_hang_on_where_it_is_counted(low, high):
    x = layers(0.0, 80.0, 2.0, 90)
    assert density(x, low, high, AREA) == pytest.approx(90 / 2.0 / AREA, rel=2e-4)


def snapshot(crystal, melt, waves):
    atoms = AREA * (crystal * THICK + melt * (LENGTH - THICK))
    return Snapshot(LENGTH, crystal, melt, atoms / AREA / LENGTH, waves)


@pytest.mark.parametrize(("crystal", "melt"), [(0.08, 0.076), (0.049, 0.053)])
def test_no_atom_is_too_many_or_too_few(crystal, melt):
    """Melts that are less dense than the crystal, and one that is denser, as of silicon."""
    assert dividing([snapshot(crystal, melt, 0.0)]) == pytest.approx(THICK)
    run = [snapshot(crystal, melt, THICK + 2.0 + 0.1 * (k % 2)) for k in range(20)]
    found = truth(run)
    assert found.thickness == pytest.approx(THICK)
    assert found.error < 0.1
    solid = AREA * crystal * THICK
    assert found.share == pytest.approx(solid / (solid + AREA * melt * (LENGTH - THICK)))
