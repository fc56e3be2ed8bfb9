"""Structures and the model that many tests share."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy as np
import pytest

import arise_core as arise
from arise_core.geometry import builders


@pytest.fixture(scope="module", autouse=True)
def _no_kept_process() -> Iterator[None]:
    """The command line keeps a process for OVITO's reader: tests that count processes begin without it."""
    yield
    readers = sys.modules.get("arise_cli.readers")
    if readers is not None:
        readers._ovito.end()


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20211)


@pytest.fixture(scope="session")
def model() -> arise.Model:
    return arise.load_model("arise-108")


def shaken(structure: arise.Structure, sigma: float, seed: int = 0) -> arise.Structure:
    """The structure with Gaussian displacements of `sigma` Å per coordinate."""
    moved = structure.positions + np.random.default_rng(seed).normal(0, sigma, structure.positions.shape)
    return arise.Structure(moved, structure.numbers, structure.cell, structure.pbc)


def cif(*sites: str) -> str:
    """A CIF of a face-centred cubic cell of 3.95 Å with some sites: label, element, x, y, z, occupancy."""
    lengths = "".join(f"_cell_length_{k} 3.95\n" for k in "abc")
    angles = "".join(f"_cell_angle_{k} 90\n" for k in ("alpha", "beta", "gamma"))
    group = "_symmetry_space_group_name_H-M 'F m -3 m'\n_symmetry_Int_Tables_number 225\n"
    columns = ("label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy")
    table = "loop_\n" + "".join(f"_atom_site_{c}\n" for c in columns)
    return f"data_x\n{lengths}{angles}{group}{table}" + "".join(f"{s}\n" for s in sites)


@pytest.fixture(scope="session")
def fcc() -> arise.Structure:
    """Thermal fcc copper, cubic cell of 21.7 Å, 864 atoms."""
    primitive = arise.build(arise.prototype("fcc"))
    cubic = conventional(primitive)
    return shaken(builders.repeat(cubic, (6, 6, 6)), 0.1)


def conventional(primitive: arise.Structure) -> arise.Structure:
    """Cubic cell of an fcc-like primitive cell."""
    a = np.abs(primitive.cell).max() * 2
    positions, numbers = builders.crystal_in_box(
        primitive, np.full(3, -1e-6), np.full(3, a - 1e-6), np.eye(3), np.zeros(3)
    )
    return arise.Structure(positions, numbers, np.eye(3) * a, True)
