"""Defaults of this adapter; all others are those of `arise_core.settings`. Imports nothing."""

from __future__ import annotations

#: The model of every door of this package.
DEFAULT_MODEL = "arise-108"
#: Tolerance of spglib's space groups in screenings, Å.
SYMPREC = 0.01
#: Classes kept an entry in screenings.
TOP = 5
#: Hidden layer whose activations are compared: the second, as in Leitherer et al. (2021), Figure 3d.
LAYER = 1
