"""What has no order is none of the classes: atoms at random places, which keep no distance from each other."""

import numpy as np
import pytest

import arise_core as arise
from arise_core.geometry.builders import without_close


def gas(seed):
    """20 to 1,500 atoms of one to three elements at random places, periodic or not."""
    rng = np.random.default_rng(seed)
    n = int(np.exp(rng.uniform(np.log(20), np.log(1500))))
    edge = np.cbrt(n * rng.uniform(8, 60))
    elements = rng.choice([26, 28, 8], int(rng.integers(1, 4)), replace=False)
    positions = rng.uniform(0.1, edge - 0.1, (n, 3))
    keep = without_close(positions, 0.1)  # what is closer overlaps, and is refused
    return arise.Structure(
        positions[keep], rng.choice(elements, n)[keep], np.eye(3) * edge, bool(rng.integers(2))
    )


@pytest.mark.parametrize("seed", range(40))
def test_a_gas_is_rejected_or_in_doubt(model, seed):
    found = arise.classify(gas(seed), model, passes=200)
    doubt = max(found.mutual_information[0], found.rejection_uncertainty[0])  # bit
    assert found.rejected[0] or doubt > 0.25


def test_a_map_of_a_gas_is_rejected(model):
    found = arise.strided_map(gas(3), model, box_size=12.0, stride=6.0, passes=64).prediction
    answered = found.index >= 0
    assert answered.any()
    assert found.rejected[answered].mean() > 0.99
