"""How many frames a file has that is not cut into them: as its reader says, without reading them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

from ase.io import Trajectory

from ase_arise.plain import SUFFIXES
from ase_arise.reading import PROBE, Reader

#: Begins each frame of an XDATCAR file.
CONFIGURATION = b"Direct configuration="


def counted(path: str, kind: str, reader: Reader) -> tuple[int, int] | None:
    """The number of frames of a file, and of atoms in the first one; None: only reading them tells.

    Args:
        path: of the file.
        kind: format as ASE names it; "": it reads none such.
        reader: how it is read.
    """
    if kind == PROBE:
        return None
    if reader.only_other or not kind:
        count: Callable[[str], tuple[int, int]] | None = reader.count
    else:
        count = None if Path(path).suffix in SUFFIXES else COUNTS.get(kind)
    try:
        return None if count is None else count(path)
    except Exception:  # readers raise anything; reading will tell
        return None


def _of_traj(path: str) -> tuple[int, int]:
    """Frames whose index is there: behind them a file may be cut off."""
    size = Path(path).stat().st_size
    with Trajectory(path) as frames:
        offsets = frames.backend._offsets
        return sum(int(offset) + 8 <= size for offset in offsets), len(frames[0])


def _of_netcdf(path: str) -> tuple[int, int]:
    from ase.io.netcdftrajectory import NetCDFTrajectory

    with NetCDFTrajectory(path, mode="r") as frames:
        return len(frames), len(frames[0])


def _of_xdatcar(path: str) -> tuple[int, int]:
    with Path(path).open("rb") as file:
        head = list(islice(file, 7))
        return sum(CONFIGURATION in line for line in file), sum(map(int, head[6].split()))


#: By the name of ASE's format.
COUNTS = {"traj": _of_traj, "netcdftrajectory": _of_netcdf, "vasp-xdatcar": _of_xdatcar}
