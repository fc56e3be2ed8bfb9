"""Names of the array types that all rooms use, and points that users give."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from arise_core.errors import InputError, shown

FloatArray = NDArray[np.float64]
Float32Array = NDArray[np.float32]
#: Real numbers of either precision.
Reals = NDArray[np.floating[Any]]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


def checked_points(name: str, points: object, *, some: bool = False) -> FloatArray:
    """Points that a user gave, as numbers, (n, 3), a copy.

    Args:
        name: of the argument, for the message.
        points: anything.
        some: refuse none as well.

    Raises:
        InputError: they are not finite numbers of that shape.
    """
    try:
        found = np.array(points, dtype=np.float64)
    except (TypeError, ValueError):
        found = np.zeros(0)
    if found.ndim != 2 or found.shape[1] != 3 or not np.isfinite(found).all() or (some and not len(found)):
        raise InputError(f"`{name}` must be finite numbers of shape (n, 3), got {shown(points)}")
    return found
