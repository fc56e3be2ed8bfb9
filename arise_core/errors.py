"""What goes wrong by no fault of this package: the only errors that the command line shows without a traceback.

Each is also one of Python's own, so that `except ValueError` works as it always did.
"""

from __future__ import annotations

from collections.abc import Callable

#: Characters of a value that a message shows.
SHOWN = 60


class AriseError(Exception):
    """Input that is refused, or work that cannot be done here."""


class InputError(AriseError, ValueError):
    """A value that is refused; the message names the argument and shows the value."""


class ModelError(InputError):
    """A file that is no ARISE model, is damaged or altered, or does not fit this package."""


class InputTypeError(AriseError, TypeError):
    """An argument of the wrong kind, or one that is not known."""


class FileError(AriseError, OSError):
    """A file that cannot be read or written."""


class MissingFileError(FileError, FileNotFoundError):
    """A file that is not there."""


class ExistingFileError(FileError, FileExistsError):
    """A file that is there and may not be replaced."""


class MissingPackageError(AriseError, ImportError):
    """A package that has to be installed first."""


class MemoryLimitError(AriseError, MemoryError):
    """Work that needs more memory than there is."""


class WorkError(AriseError, RuntimeError):
    """Work that did not come to its end."""


def shown(value: object) -> str:
    """A value as messages show it: its kind, and the begin of what it is."""
    text = " ".join(repr(value).split())
    return f"{text if len(text) <= SHOWN else f'{text[:SHOWN]}...'} ({type(value).__name__})"


def check_type(name: str, value: object, kinds: type | tuple[type, ...], wanted: str) -> None:
    """Raise InputTypeError unless an argument is of some kind.

    Args:
        name: of the argument.
        value: that is given.
        kinds: that it may be of.
        wanted: what it has to be, for the message: "a Structure".
    """
    if not isinstance(value, kinds):
        raise InputTypeError(f"`{name}` must be {wanted}, got {shown(value)}")


def check_callable(name: str, value: object) -> Callable[..., object]:
    """Raise InputTypeError unless an argument is a function."""
    if not callable(value):
        raise InputTypeError(f"`{name}` must be a function, got {shown(value)}")
    return value
