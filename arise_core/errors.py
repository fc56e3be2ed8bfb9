"""What goes wrong by no fault of this package: the only errors that the command line shows without a traceback.

Each is also one of Python's own, so that `except ValueError` works as it always did.
"""

from __future__ import annotations


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
