"""Voxel grids to files that OVITO (Basic too) reads back as they were; its own `vtk/grid` writer does not.

Two formats: a LAMMPS grid dump keeps names, boundary conditions and any number of frames, for cells in LAMMPS'
orientation; a Gaussian cube file takes any cell, but OVITO reads it as periodic and without names.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray
from ovito.data import Property, SimulationCell, VoxelGrid

from arise_core.errors import InputError
from arise_core.runtime.files import write_atomically

Column = tuple[str, NDArray[Any]]


def write_grid_dump(
    path: str | Path, grids: VoxelGrid | Iterable[VoxelGrid], timesteps: Sequence[int] = ()
) -> None:
    """Write voxel grids, one a frame, as LAMMPS grid dump with all their fields.

    Args:
        path: file to write.
        grids: from `data.grids`.
        timesteps: one a frame; by default they are counted from 0.

    Raises:
        ValueError: a cell that LAMMPS cannot express (first vector not along x, second not in the xy plane).
    """
    frames = [grids] if isinstance(grids, VoxelGrid) else list(grids)
    steps = list(timesteps) or list(range(len(frames)))
    headers = [_bounds(_domain(grid)) for grid in frames]

    def write(temporary: Path) -> None:
        with open(temporary, "w", encoding="ascii") as file:
            for grid, step, bounds in zip(frames, steps, headers, strict=True):
                _write_dump_frame(file, grid, step, bounds)

    write_atomically(Path(path), write)


def write_cube(path: str | Path, grid: VoxelGrid, fields: Sequence[str] = ()) -> None:
    """Write fields of a voxel grid as Gaussian cube file (lengths in Å, values at the centres of the voxels).

    Args:
        path: file to write.
        grid: from `data.grids`.
        fields: such as "Confidence" or "Probability.FCC"; by default all but integer ones.

    Raises:
        KeyError: a field that is not there.
    """
    there = dict(_columns(grid))
    names = list(fields) or [name for name, values in there.items() if values.dtype.kind == "f"]
    values = np.stack([there[name].reshape(grid.shape, order="F") for name in names], axis=-1)
    domain = np.asarray(_domain(grid))
    steps = domain[:, :3].T / np.array(grid.shape)[:, None]
    first = domain[:, 3] + steps.sum(axis=0) / 2

    def write(temporary: Path) -> None:
        with open(temporary, "w", encoding="ascii") as file:
            file.write(f"ARISE map\nfields: {', '.join(names)}\n")
            several = len(names) > 1
            file.write(f"{-1 if several else 1} {_row(first)}\n")
            for n, step in zip(grid.shape, steps, strict=True):
                file.write(f"{-n} {_row(step)}\n")  # a negative number says that lengths are in Å
            file.write(f"0 0.0 {_row(first)}\n")  # some readers refuse a file without atoms
            if several:
                file.write(f"{len(names)} {' '.join(str(k) for k in range(1, len(names) + 1))}\n")
            for row in values.reshape(-1, grid.shape[2] * len(names)):
                file.write(f"{_row(row)}\n")

    write_atomically(Path(path), write)


def _write_dump_frame(file: TextIO, grid: VoxelGrid, step: int, bounds: str) -> None:
    columns = list(_columns(grid))
    names = " ".join(name.replace(" ", "_").replace(".", "_") for name, _ in columns)
    file.write(f"ITEM: TIMESTEP\n{step}\n{bounds}ITEM: DIMENSION\n3\n")
    file.write(
        f"ITEM: GRID SIZE nx ny nz\n{' '.join(str(n) for n in grid.shape)}\nITEM: GRID CELLS {names}\n"
    )
    formats = ["%d" if values.dtype.kind in "iu" else "%.9g" for _, values in columns]
    table = np.rec.fromarrays([values for _, values in columns])
    np.savetxt(file, table, fmt=" ".join(formats))


def _columns(grid: VoxelGrid) -> Iterable[Column]:
    """All fields of a grid, vectors component by component, colours left out."""
    for name in grid:
        if name == "Color":
            continue
        field = grid[name]
        assert isinstance(field, Property)
        values = np.asarray(field)
        if values.ndim == 1:
            yield name, values
        else:
            for component, column in zip(field.component_names, values.T, strict=True):
                yield f"{name}.{component}", column


def _domain(grid: VoxelGrid) -> SimulationCell:
    if grid.domain is None:
        raise InputError(f"the voxel grid {grid.identifier!r} has no `domain`")
    return grid.domain


def _bounds(cell: SimulationCell) -> str:
    """LAMMPS' lines for a cell: bounding box and tilt."""
    a, b, c, origin = np.asarray(cell).T
    if np.abs([a[1], a[2], b[2]]).max() > 1e-8 * np.abs(np.asarray(cell)).max():
        raise InputError(
            f"a LAMMPS grid dump needs a cell with its first vector along x and its second in the xy plane, got "
            f"{a.tolist()} and {b.tolist()}: use `write_cube`"
        )
    xy, xz, yz = b[0], c[0], c[1]
    low = origin + [min(0.0, xy, xz, xy + xz), min(0.0, yz), 0.0]
    high = origin + [a[0], b[1], c[2]] + np.array([max(0.0, xy, xz, xy + xz), max(0.0, yz), 0.0])
    boundary = " ".join("pp" if periodic else "ff" for periodic in cell.pbc)
    tilts = (xy, xz, yz)
    if not any(tilts):
        return f"ITEM: BOX BOUNDS {boundary}\n" + "".join(f"{_row(r)}\n" for r in zip(low, high, strict=True))
    rows = zip(low, high, tilts, strict=True)
    return f"ITEM: BOX BOUNDS xy xz yz {boundary}\n" + "".join(f"{_row(r)}\n" for r in rows)


def _row(values: Iterable[float]) -> str:
    return " ".join(f"{v:.12g}" for v in values)
