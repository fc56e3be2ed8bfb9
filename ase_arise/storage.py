"""Annotated `Atoms` in files: extended XYZ keeps arrays; .traj files and databases do not, and are helped.

`.traj` keeps `info` but no arrays beyond ASE's own, a database row keeps neither. `write` and `read` carry
the arrays of `annotate` through both; for all other formats they are `ase.io`'s.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ase.db
import ase.io
import numpy as np
from ase import Atoms
from ase.db.core import str_represents
from ase.db.row import AtomsRow
from ase.io.formats import UnknownFileTypeError, filetype, ioformats

from arise_core.crystals.occupancy import ARRAYS as OCCUPANCY_ARRAYS
from arise_core.crystals.occupancy import KINDS, sites_of
from arise_core.errors import FileError, InputError, MissingFileError, check_type
from arise_core.runtime.files import write_atomically
from ase_arise.begins import with_begin
from ase_arise.convert import Images, frames
from ase_arise.named import XYZ

#: Arrays of `annotate`.
ARRAYS = (
    "arise_label",
    "arise_confidence",
    "arise_mutual_information",
    "arise_rejection_uncertainty",
    "arise_rejected",
)
#: Another one, of maps with boxes of several sizes.
RESOLUTION = "arise_resolution"
#: Those of them that are numbers, by their names in `PACKED`.
NUMBERS = ("confidence", "mutual_information", "rejection_uncertainty", "resolution")
#: Entry of `info` (.traj) and of `data` (databases) that holds them.
PACKED = "arise_atoms"
#: Entry of `data` that holds occupancies of sites, and arrays that belong to them.
OCCUPANCIES = "arise_occupancies"
SITES = (*OCCUPANCY_ARRAYS, KINDS)
#: Names in databases that differ from those in `info`: what is typed often is short.
DATABASE_NAMES = {"mutual_information": "mi", "predictive_entropy": "entropy"}


def write(filename: str | os.PathLike[str], images: Images, *, append: bool = False) -> None:
    """Write annotated `Atoms` to a file that `ase.io` writes, to a .traj file, or to an ASE database.

    As with `ase.io.write`, a file that exists is replaced unless `append`, in one step: an interrupt leaves the
    old one; rows on a server are kept.

    Raises:
        FileError: a file that the system or its format does not let be written.
        InputError: a name that stands for no format.
    """
    kind = format_of(filename)
    name = os.fspath(filename)

    def write_to(place: str | os.PathLike[str]) -> None:
        if kind == "db":
            _write_database(os.fspath(place), name, frames(images), append)
        elif Path(name).suffix == ".traj":
            _write_trajectory(os.fspath(place), name, frames(images), append)
        else:
            found = [with_begin(atoms) if kind in XYZ else atoms for atoms in frames(images)]
            with _refusals(name):
                ase.io.write(os.fspath(place), found, format=kind, append=append)

    if append or "://" in name:
        write_to(name)
    else:
        write_atomically(Path(name), write_to)


def format_of(filename: str | os.PathLike[str]) -> str:
    """Format that `write` takes for a file of this name: "db", or one of ASE's.

    Raises:
        FileError: a folder of this name is there; ASE would fill it.
        InputError: ASE knows no format of this name, or cannot write it.
    """
    check_type("filename", filename, (str, os.PathLike), "a file name")
    name = os.fspath(filename)
    if is_database(name):
        return "db"
    if os.path.isdir(name):
        raise FileError(f"file {name!r} cannot be written: it is a folder")
    try:
        known = str(filetype(name, read=False))
    except UnknownFileTypeError:
        known = ""
    if known not in ioformats or not ioformats[known].can_write:
        raise InputError(
            f"file {name!r} has a name that stands for no format that ASE writes, such as .xyz or .traj"
        )
    return known


def read(filename: str | os.PathLike[str]) -> list[Atoms]:
    """All frames of a file that `write` wrote, with their arrays; `name@index` picks some.

    Raises:
        OSError, ValueError: a file that is missing, cannot be read, or holds no structure.
    """
    check_type("filename", filename, (str, os.PathLike), "a file name")
    name = os.fspath(filename)
    if is_database(name):
        if "://" not in name and not Path(name).is_file():  # ASE would make one
            raise MissingFileError(f"file {name!r} does not exist")
        try:
            with ase.db.connect(name) as database:
                rows = list(database.select())
        except Exception as error:  # each database has errors of its own
            raise FileError(f"database {without_password(name)!r} cannot be read: {error}") from error
        return [from_row(row) for row in rows]
    return [unpacked(atoms) for atoms in frames(name)]


def is_database(name: str) -> bool:
    """Whether a name is that of an ASE database: a .db file, or the URL of a server."""
    return Path(name).suffix == ".db" or "://" in name


def packed(atoms: Atoms) -> Atoms:
    """A copy with the arrays of `annotate` in `info`, calculator kept; for formats that keep no arrays."""
    out: Atoms = atoms.copy()
    out.calc = atoms.calc
    values = _pack(atoms)
    for name in (*ARRAYS, RESOLUTION):
        out.set_array(name, None)
    if values:
        out.info[PACKED] = values
    return out


def unpacked(atoms: Atoms) -> Atoms:
    """Put arrays that `packed` moved into `info` back in place; other `Atoms` stay as they are."""
    if "arise_label" in atoms.arrays:  # extended XYZ reads strings as objects
        atoms.arrays["arise_label"] = atoms.arrays["arise_label"].astype(str)
    return _unpack(atoms, atoms.info.pop(PACKED, None))


def row_fields(atoms: Atoms) -> dict[str, Any]:
    """Arguments with which `database.write(atoms, **row_fields(atoms))` keeps what `annotate` found.

    The results for the structure become key-value pairs that can be searched (`arise_label`, `arise_class`,
    `arise_confidence`, `arise_mi`, `arise_entropy`, `arise_rejected`, ...; NaN is left out), arrays and
    fractions go to the row's `data`.
    """
    check_type("atoms", atoms, Atoms, "an ase.Atoms object")
    pairs: dict[str, Any] = {}
    data: dict[str, Any] = {}
    for key, value in atoms.info.items():
        if key == "arise_fractions":
            data[key] = value
        elif key.startswith("arise_") and key != PACKED and not _is_nan(value):
            short = key.removeprefix("arise_")
            pairs[f"arise_{DATABASE_NAMES.get(short, short)}"] = searchable(value)
    values = _pack(atoms)
    if values:
        data[PACKED] = values
    if sites_of(atoms) is not None:  # a row that forgets them would be taken for full
        data[OCCUPANCIES] = {
            "info": atoms.info.get("occupancy"),
            **{name: atoms.arrays[name] for name in SITES if name in atoms.arrays},
        }
    return {"key_value_pairs": pairs, "data": data}


def from_row(row: AtomsRow) -> Atoms:
    """`Atoms` of a database row with what `row_fields` put there, in `info` and in the arrays."""
    check_type("row", row, AtomsRow, "a row of an ASE database")
    atoms = row.toatoms()
    long = {short: name for name, short in DATABASE_NAMES.items()}
    for key, value in row.key_value_pairs.items():
        if key.startswith("arise_"):
            short = key.removeprefix("arise_")
            atoms.info[f"arise_{long.get(short, short)}"] = value
    data = dict(row.data)
    if "arise_fractions" in data:
        atoms.info["arise_fractions"] = dict(data["arise_fractions"])
    if "arise_label" in atoms.info:
        for name in (*NUMBERS, "predictive_entropy", "reject_score"):
            atoms.info.setdefault(f"arise_{name}", float("nan"))
    return _unpack(with_occupancies(atoms, data), data.get(PACKED))


def with_occupancies(atoms: Atoms, data: Mapping[str, Any]) -> Atoms:
    """Put back the occupancies that `row_fields` put into the data of a row."""
    stated = dict(data.get(OCCUPANCIES, {}))
    info = stated.pop("info", None)
    if info is not None:
        atoms.info["occupancy"] = info
    for name, values in stated.items():
        atoms.set_array(name, np.asarray(values))
    return atoms


def searchable(value: Any) -> Any:
    """A value in a form that ASE databases accept: plain types, and no text that reads as a number."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str) and any(str_represents(value, kind) for kind in (bool, int, float)):
        return f"./{value}"
    return value


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and bool(np.isnan(value))


def _pack(atoms: Atoms) -> dict[str, Any]:
    """Arrays of `annotate` in types that JSON and databases keep: names as a table and indices."""
    if "arise_label" not in atoms.arrays or "arise_rejected" not in atoms.arrays:
        return {}
    names, index = np.unique(atoms.arrays["arise_label"].astype(str), return_inverse=True)
    return {
        "names": [str(n) for n in names],
        "label": index.astype(np.int32),
        **{
            name: np.asarray(atoms.arrays[f"arise_{name}"], dtype=np.float64)
            for name in NUMBERS
            if f"arise_{name}"
            in atoms.arrays  # not all have a `resolution`, those of 0.1 no `rejection_uncertainty`
        },
        "rejected": np.asarray(atoms.arrays["arise_rejected"], dtype=np.int32),
    }


def _unpack(atoms: Atoms, values: Any) -> Atoms:
    if not values:
        return atoms
    atoms.set_array("arise_label", np.array(values["names"])[np.asarray(values["label"], dtype=int)])
    for name in NUMBERS:
        if name in values:
            atoms.set_array(f"arise_{name}", np.asarray(values[name], dtype=np.float64))
    atoms.set_array("arise_rejected", np.asarray(values["rejected"], dtype=bool))
    return atoms


def _write_database(place: str, name: str, images: Iterable[Atoms], append: bool) -> None:
    with _refusals(name):
        database = ase.db.connect(place, append=append)
    with database:
        for atoms in images:
            fields = row_fields(atoms)
            with _refusals(name):
                database.write(atoms, **fields)


def _write_trajectory(place: str, name: str, images: Iterable[Atoms], append: bool) -> None:
    with _refusals(name):
        trajectory = ase.io.Trajectory(place, "a" if append else "w")
    with trajectory:
        for atoms in images:
            with _refusals(name):
                trajectory.write(packed(atoms))


@contextmanager
def _refusals(name: str) -> Iterator[None]:
    """What ASE's writers say against a file, as our error; each of some hundred has errors of its own."""
    try:
        yield
    except Exception as error:
        raise FileError(f"file {without_password(name)!r} cannot be written: {error}") from error


def without_password(place: str) -> str:
    """The URL of a server as it may be shown; other places stay as they are."""
    return f"…@{place.rsplit('@', 1)[1]}" if "://" in place and "@" in place else place
