"""Who reads structure files: ASE, or OVITO where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from arise_core.runtime.packages import is_there, missing
from arise_core.runtime.workers import KeptProcess

if TYPE_CHECKING:
    from ase_arise.reading import Reader

#: `Atoms`, and what was assumed of them.
Found = tuple[Any, tuple[str, ...]]

#: Work that OVITO may put into a small file, with its import, processor seconds: where ASE failed, and where it was
#: asked for.
SECONDS_AFTER_ASE, SECONDS = 6.0, 60.0
#: Atoms that are read at once, or one frame more.
AT_ONCE = 100_000
#: OVITO's process, kept from file to file.
_ovito = KeptProcess()


def chosen_reader(name: str, kind: str, ranges: str = "") -> Reader:
    """The reader of files for `--reader`, `--format` and `--ranges`.

    Args:
        name: "ase", "ovito" or "auto".
        kind: a format as ASE names it; empty: told by name and content.
        ranges: a range file, for files of atom probes; empty: none.

    Raises:
        typer.BadParameter: another name, or a format for OVITO.
        MissingPackageError: OVITO is not installed.
        InputError, FileError: the range file cannot be read.
    """
    from arise_core.crystals.ion_ranges import read_ranges
    from ase_arise.reading import Reader

    if name not in ("auto", "ase", "ovito"):
        raise typer.BadParameter(f"must be 'auto', 'ase' or 'ovito', got {name!r}", param_hint="--reader")
    there = is_there("ovito_arise") and is_there("ovito")
    if name == "ovito" and not there:
        raise missing("ovito_arise", "`--reader ovito` needs OVITO")
    if name == "ovito" and kind:
        raise typer.BadParameter("is for ASE; OVITO tells formats by itself", param_hint="--format")
    seconds = SECONDS if name == "ovito" else SECONDS_AFTER_ASE
    other = None if name == "ase" or kind or not there else partial(by_ovito, seconds=seconds)
    count = None if other is None else partial(counted_by_ovito, seconds=seconds)
    known = read_ranges(ranges, "--ranges") if ranges else None
    return Reader(format=kind, other=other, only_other=name == "ovito", count=count, ranges=known)


def by_ovito(path: str, first: int = 0, seconds: float = SECONDS) -> Iterator[Found]:
    """Frames of a file as OVITO reads them, in a process of its own: damaged files hang OVITO, or end it.

    Atoms have the order of their identifiers, if they have them, as ASE's readers give them.

    Args:
        path: of the file.
        first: frame to begin with.
        seconds: of the processor that it may take, and one more for each megabyte.

    Raises:
        WorkError: it takes longer.
        FileError: the process died.
        Exception: whatever OVITO raises.
    """
    seconds += Path(path).stat().st_size / 1e6
    more = True
    while more:
        found, more = _ovito.call(seconds, _read, path, first)
        yield from found
        first += len(found)


def counted_by_ovito(path: str, seconds: float = SECONDS) -> tuple[int, int]:
    """Frames of a file, as OVITO counts them, and atoms of the first one; arguments and errors as of `by_ovito`."""
    from ovito_arise.frames import count_frames

    return _ovito.call(seconds + Path(path).stat().st_size / 1e6, count_frames, path)


def _read(path: str, first: int) -> tuple[list[Found], bool]:
    """Frames from one on, so many that they do not take much memory, and whether there are more."""
    from ase_arise.species import with_kinds
    from ovito_arise.frames import read_file

    found: list[Found] = []
    count = 0
    for f in read_file(path, first):
        if count > AT_ONCE:
            return found, True
        atoms = with_kinds(f.positions, f.cell, f.pbc, f.kinds, f.which)
        atoms.set_celldisp(f.origin)
        if f.step is not None:
            atoms.info["timestep"] = f.step
        found.append((atoms, f.notes))
        count += len(f.positions)
    return found, False
