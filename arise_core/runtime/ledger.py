"""What a folder or database of unfinished work holds, for which settings and package version, and how it goes on.

Work is known by its facts: settings in plain JSON, and the version of this package. A folder carries them in a note,
`ledger.json`; databases keep them in their own metadata. Work of other facts is never mixed in: `require_same` refuses
it and says what differs. The work itself lies in parts, files that are written in one step and found again by name.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from arise_core.errors import ExistingFileError, FileError, InputError
from arise_core.runtime.files import check_folder, file_errors, remove_leftovers, write_atomically
from arise_core.version import VERSION as NOW

T = TypeVar("T")

#: Settings in plain JSON types, and `package_version`.
Facts = dict[str, Any]

NOTE = "ledger.json"
VERSION = "package_version"
#: What there is to do about a folder that is refused.
ANOTHER_FOLDER = "Choose another folder, or remove this one to start again"
#: Differences that a message names.
SHOWN = 3
#: Characters of a value that a message shows.
SHORT = 60
#: Bytes at the begin of a file that it is known again by.
BEGIN = 1024
#: What readers of numpy, torch and CSV files raise when a file is cut off or garbled.
DAMAGE = (EOFError, KeyError, OSError, RuntimeError, ValueError, pickle.UnpicklingError, zipfile.BadZipFile)


def package_version() -> str:
    """Version of this package."""
    return NOW


def facts(**settings: Any) -> Facts:
    """The facts of work with these settings, done by this version of the package; tuples become lists.

    Raises:
        TypeError: a setting that JSON does not know.
    """
    plain: Facts = json.loads(json.dumps({VERSION: package_version(), **settings}))
    return plain


def identity_of(path: Path) -> str:
    """What tells files of one name apart: where it is, and how it begins, since more may be appended to it.

    Raises:
        FileError: it cannot be read.
    """
    return f"{path.resolve()} {begin_of(path)}"


def begin_of(path: Path) -> str:
    """Hash of how a file begins.

    Raises:
        FileError: it cannot be read.
    """
    with file_errors(f"file {str(path)!r} cannot be read"), path.open("rb") as file:
        return hashlib.sha256(file.read(BEGIN)).hexdigest()[:16]


def digest(known: Facts) -> str:
    """Hash of facts, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()


def differences(before: Any, now: Any, name: str = "") -> list[str]:
    """What differs, as in "samples.whole (2, now 3)"; tables and long lists are compared entry by entry."""
    if before == now:
        return []
    tables = isinstance(before, dict) and isinstance(now, dict)
    lists = isinstance(before, list) and isinstance(now, list)
    if tables or (lists and max(len(repr(before)), len(repr(now))) > SHORT):
        old, new = (side if tables else dict(enumerate(side)) for side in (before, now))
        return [
            found
            for key in dict.fromkeys((*new, *old))
            for found in differences(
                old.get(key, _NOT_SET), new.get(key, _NOT_SET), f"{name}.{key}".strip(".")
            )
        ]
    shown = "version of arise-core" if name == VERSION else name
    return [f"{shown} ({_shown(before)}, now {_shown(now)})"]


#: Stands for the value of a key that is missing.
_NOT_SET = object()


def _shown(value: Any) -> str:
    text = "not set" if value is _NOT_SET else repr(value)
    return text if len(text) <= SHORT else text[: SHORT - 1] + "…"


def require_same(before: Facts | None, now: Facts, place: str, advice: str) -> None:
    """Refuse to go on with work of other facts.

    Args:
        before: what is noted there; None: nothing is.
        now: facts of the work to be done.
        place: where it is noted, for the message, such as "`out` 'folder'".
        advice: what to do about it, a sentence without its full stop.

    Raises:
        InputError: the facts differ; the message names what differs, with both values.
    """
    if before is None:
        raise InputError(
            f"{place} has other contents, or work of which nothing says the settings and the version of arise-core; "
            f"nothing was changed. {advice}"
        )
    found = differences(before, now)
    if found:
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise InputError(
            f"{place} was made with another {', another '.join(found[:SHOWN])}{more}; nothing was changed. {advice}"
        )


class Ledger:
    """A folder of work with known facts. Create with `Ledger.open`."""

    def __init__(self, folder: Path, known: Facts) -> None:
        self.folder = folder
        self.facts = known

    @classmethod
    def open(cls, folder: Path, known: Facts, work: Sequence[str] = ()) -> Ledger:
        """Begin work in a folder, made if missing, or go on with what work of the same facts left there.

        Args:
            folder: for the work; other files in it are left alone.
            known: facts of the work.
            work: names of the files and folders that the work consists of. Found without a note, which early
                versions did not write, they are refused: nobody knows what they are of.

        Raises:
            InputError: the folder holds other work, or work without a note.
            FileError: the note is damaged, the folder is a file, or it takes no files.
        """
        place = f"`out` {str(folder)!r}"
        if folder.is_file():
            raise ExistingFileError(f"{place} is a file, not a folder")
        check_folder(folder, place)
        for part in (folder, *(folder / name for name in work)):
            remove_leftovers(part)
        note = folder / NOTE
        if note.is_file():
            require_same(read_note(note), known, place, ANOTHER_FOLDER)
            return cls(folder, known)
        found = [name for name in work if (folder / name).exists()]
        if found:
            require_same(None, known, f"{place} ({', '.join(found)} without {NOTE})", ANOTHER_FOLDER)
        text = json.dumps({"digest": digest(known), "facts": known}, indent=1) + "\n"
        write_atomically(note, lambda path: path.write_text(text, encoding="utf-8"))
        return cls(folder, known)

    @property
    def digest(self) -> str:
        """Hash of the facts, for files that carry it themselves."""
        return digest(self.facts)

    def part(self, name: str) -> Path:
        """File of a part, there or not."""
        return self.folder / name

    def done(self, name: str) -> bool:
        """Whether a part is there; it is whole then."""
        return self.part(name).is_file()

    def write(self, name: str, writer: Callable[[Path], Any]) -> None:
        """Let `writer` fill the file of a part; it is there whole or not at all."""
        write_atomically(self.part(name), writer)

    def read(self, name: str, reader: Callable[[Path], T]) -> T:
        """What `reader` makes of the file of a part.

        Raises:
            FileError: the file is damaged.
        """
        path = self.part(name)
        try:
            return reader(path)
        except DAMAGE as error:
            raise FileError(
                f"{str(path)!r} is damaged ({type(error).__name__}: {error}); remove it, and it is made again"
            ) from error


def read_note(path: Path) -> Facts:
    """The facts in a note.

    Raises:
        FileError: it is damaged.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        known: Facts = content["facts"]
        if content["digest"] != digest(known):
            raise ValueError("the digest is not that of the facts")
    except (KeyError, TypeError, ValueError) as error:
        raise FileError(
            f"{str(path)!r} is damaged, so nobody knows what the folder holds ({error}); nothing was changed. "
            f"{ANOTHER_FOLDER}"
        ) from error
    return known
