"""Entries of a screening, read in order: rows of a database, frames of a file, files of a folder."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import ase.db
from ase import Atoms
from ase.io import iread

from arise_core.errors import AriseError, InputError, MissingFileError
from arise_core.runtime.files import file_errors
from arise_core.runtime.ledger import identity_of
from arise_core.runtime.packages import missing
from arise_core.runtime.patience import within
from ase_arise.batches import batched
from ase_arise.reading import Reader, read_frames, split_name
from ase_arise.storage import searchable, with_occupancies, without_password

#: Entries (of a folder: files) that are recognised, written, and lost by a kill together, unless they are large.
BATCH = 64
#: Bytes of a file by which its atoms are guessed.
BYTES = 50
#: Suffixes of ASE databases.
DATABASES = (".db", ".json", ".aselmdb")
#: Namespace of the identifiers of frames.
NAMESPACE = uuid.UUID("5d2b5a52-0c5c-4c5a-9a35-7d3c4f8f9d10")


@dataclass(frozen=True)
class Entry:
    """One structure, or what cannot be read as one."""

    source: str  # file it stands in, or name of the database
    number: int  # frame, counted from 0, or id of the row
    unique_id: str  # the same whenever the same source is read
    atoms: Atoms | None  # None: cannot be read
    error: str = ""  # why
    pairs: dict[str, Any] = field(default_factory=dict)  # key-value pairs of the row


@dataclass(frozen=True)
class Files:
    """Structure files that whoever gets them reads."""

    folder: Path
    names: tuple[str, ...]  # relative to the folder
    reader: Reader = Reader()  # noqa: RUF009 - frozen

    def entries(self) -> Iterator[Entry]:
        """All frames of all files."""
        for name in self.names:
            yield from frame_entries(self.folder / name, f"{self.folder.name}/{name}", self.reader)


Task = list[Entry] | Files


@dataclass(frozen=True)
class Source:
    """Where the entries come from. Create with `open_source`."""

    name: str  # without folders
    kind: str  # "database", "folder" or "file"
    place: str
    total: int | None  # entries (of a folder: files); None: not known before they are read
    files: tuple[str, ...] = ()
    ids: tuple[int, ...] = ()
    reader: Reader = Reader()  # noqa: RUF009 - frozen

    @property
    def identity(self) -> str:
        """What tells sources of one name apart: where it is, and for a file how it begins."""
        if "://" in self.place:
            return without_password(self.place)
        there = Path(split_name(self.place)[0])
        return identity_of(there) if self.kind == "file" else str(there.resolve())

    def unread(self, done: set[tuple[str, int]]) -> list[str]:
        """Files of a folder of which no entry (source, number) is done."""
        finished = {source for source, _ in done}
        return [n for n in self.files if searchable(f"{Path(self.place).name}/{n}") not in finished]

    def tasks(self, done: set[tuple[str, int]]) -> Iterator[Task]:
        """Work in batches of fixed order, without the entries (source, number) that are done."""
        if self.kind == "folder":
            folder = Path(self.place)
            for names in batched(self.unread(done), BATCH, lambda name: _size(folder / name) // BYTES):
                yield Files(folder, tuple(names), self.reader)
            return
        entries = (
            self._rows(done)
            if self.kind == "database"
            else (
                e
                for e in frame_entries(self.place, self.name, self.reader)
                if (e.source, e.number) not in done
            )
        )
        yield from batched(entries, BATCH, lambda e: 0 if e.atoms is None else len(e.atoms))

    def _rows(self, done: set[tuple[str, int]]) -> Iterator[Entry]:
        source = searchable(self.name)
        for k in range(0, len(self.ids), BATCH):
            todo = [i for i in self.ids[k : k + BATCH] if (source, i) not in done]
            if todo:
                with ase.db.connect(self.place, use_lock_file=False, serial=True) as database:
                    entries = [_row_entry(database, source, i) for i in todo]
                yield from entries


def open_source(
    place: str | os.PathLike[str], pattern: str = "*", without: str = "", reader: Reader | None = None
) -> Source:
    """Find the entries of a database (file or URL), a folder of structure files, or a file.

    Args:
        place: the database, folder or file; `file@index` picks frames.
        pattern: of the names of files in a folder (and the folders in it).
        without: file that is left out (the results).
        reader: how files are read; default: by ASE.

    Raises:
        FileNotFoundError: there is nothing at this place.
        ValueError: a database or folder without entries, or a database that cannot be read.
    """
    name, reader = os.fspath(place), reader or Reader()
    if "://" in name:
        return _open_database(name, name.rsplit("/", 1)[1])
    path = Path(name)
    with file_errors(f"`source` {name!r} cannot be read"):
        if path.is_dir():
            return replace(_open_folder(path.resolve(), pattern, without), reader=reader)
        if not Path(split_name(name)[0]).exists():
            raise MissingFileError(f"`source` {name!r} does not exist")
    if path.suffix in DATABASES:
        return _open_database(name, path.name)
    return Source(path.name, "file", name, None, reader=reader)


def _open_database(place: str, name: str) -> Source:
    try:
        with ase.db.connect(place, use_lock_file=False, serial=True) as database:
            ids = sorted(int(row.id) for row in database.select(columns=["id"], include_data=False))
    except ImportError as error:
        raise missing("ase_db_backends", f"databases on a server need ASE's backends ({error})") from error
    except Exception as error:  # each database has errors of its own
        raise InputError(f"`source` {without_password(place)!r} is not an ASE database: {error}") from error
    if not ids:
        raise InputError(f"`source` {without_password(place)!r} is a database without rows")
    return Source(name, "database", place, len(ids), ids=tuple(ids))


def _open_folder(folder: Path, pattern: str, without: str) -> Source:
    names = []
    for path in sorted(folder.rglob(pattern)):
        relative = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in relative.parts)
        results = without and str(path.resolve()).startswith(str(Path(without).resolve()))
        if path.is_file() and not hidden and not results:
            names.append(relative.as_posix())
    if not names:
        raise InputError(f"`source` {str(folder)!r} is a folder without files that match {pattern!r}")
    return Source(folder.name, "folder", str(folder), len(names), files=tuple(names))


def _size(path: Path) -> int:
    """Bytes of a file; 0 if it is gone."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def frame_entries(path: str | os.PathLike[str], source: str, reader: Reader | None = None) -> Iterator[Entry]:
    """All frames of a file; one that cannot be read is an entry with an error; reading goes on behind it."""
    name, source, reader = os.fspath(path), searchable(source), reader or Reader()
    picked = bool(split_name(name)[1])
    begin = number = 0
    while True:
        failed = False
        try:
            found = read_frames(name, reader, begin)
            while True:
                with within(reader.seconds):
                    frame = next(found, None)
                if frame is None:
                    break
                number = number if picked else frame.number
                failed = frame.atoms is None and not frame.cut
                error = f"cannot be read: {frame.error}" if frame.atoms is None else ""
                yield Entry(source, number, _identifier(source, number), frame.atoms, error)
                number += 1
        except AriseError as error:
            reason = f"cannot be read: {_one_line(error)}"
            yield Entry(source, number, _identifier(source, number), None, reason)
            return
        if not failed or picked or not _readable_behind(name):
            return
        begin = number


def _readable_behind(name: str) -> bool:
    """Whether a file with a bad frame can be searched to its end (no frame is that far behind)."""
    try:
        return next(iread(name, index=slice(10**9, None), parallel=False), None) is None
    except Exception:  # readers of some hundred formats raise anything
        return False


def _row_entry(database: Any, source: str, number: int) -> Entry:
    try:
        row = database.get(id=number)
        pairs = {k: v for k, v in row.key_value_pairs.items() if not k.startswith("arise_")}
        atoms = with_occupancies(row.toatoms(), row.data)
        return Entry(source, number, row.unique_id, atoms, pairs=pairs)
    except Exception as error:  # a damaged row
        reason = f"cannot be read: {_one_line(error)}"
        return Entry(source, number, _identifier(source, number), None, reason)


def _identifier(source: str, number: int) -> str:
    return uuid.uuid5(NAMESPACE, f"{source}@{number}").hex


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
